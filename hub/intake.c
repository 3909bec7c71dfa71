/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/intake.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "hub/authorise.h"
#include "hub/batch.h"
#include "hub/differing.h"
#include "hub/events.h"
#include "hub/hold.h"
#include "hub/touches.h"
#include "hub/page.h"
#include "lib/log.h"

#define TROUBLE_MS 5000 /* readiness remembers a part that is overdue */

struct hub_intake
{
    hub_intake_options_t options;
    hub_batch_t batch;
    hub_differing_t differing;
    /*  For hub_intake_after.  */
    hub_touches_t touches;
    hub_events_t events;
};

bool
hub_intake_ended (const hub_intake_options_t *options)
{
    return options->ended && options->ended (options->allows_context);
}

sh_err_t
hub_intake_new (hub_intake_t **out, const hub_intake_options_t *options)
{
    assert (out && options && options->store && options->live);
    assert (options->clock && options->allows && options->previews);
    hub_intake_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->options = *options;
    hub_batch_init (&self->batch, &self->options);
    *out = self;
    return SH_OK;
}

void
hub_intake_destroy (hub_intake_t **self_p)
{
    hub_intake_t *self = *self_p;
    if (!self)
        return;
    hub_touches_clear (&self->touches);
    hub_events_clear (&self->events);
    free (self);
    *self_p = NULL;
}

/*  The database's own words, for causes that are its own.  */
static const char *
s_because (hub_store_t *store, sh_err_t rc)
{
    bool its_own = rc == SH_E_DB_DOWN || rc == SH_E_DB_BUSY
                   || rc == SH_E_DB_RIGHTS || rc == SH_E_DB_SCHEMA
                   || rc == SH_E_DB;
    return its_own ? store->describe (store) : sh_err_text (rc);
}

/*  What keeps reports from being written is said by readiness as well, also
    where the watcher's reads go well: until a part is written, or nobody comes
    back with one.  A subnet's lock that is held too long is everyday life, and
    maintenance mode is the watcher's to tell.  */
static void
s_tell_trouble (hub_intake_t *self, const hub_part_t *part)
{
    hub_live_t *live = self->options.live;
    if (part->rc == SH_OK)
        hub_live_set_trouble (live, self, NULL, 0);
    if (!hub_batch_ends (part->rc) || part->rc == SH_E_STOPPING
        || part->rc == SH_E_MAINTENANCE
        || (part->rc == SH_E_DB_BUSY && self->batch.all != SH_E_DB_BUSY))
        return;
    char text[320];
    snprintf (text, sizeof text, "reports cannot be written: %s",
              s_because (self->options.store, part->rc));
    /*  Without a connection the watcher soon knows better.  */
    int64_t delay = self->batch.no_begin
                        ? 0
                        : (int64_t) hub_part_delay (part->rc);
    hub_live_set_trouble (live, self, text,
                          sh_clock_mono (self->options.clock) + delay
                              + delay / 2 + TROUBLE_MS);
}

/*  Only now, for only what was committed is to be found there.  */
static void
s_keep (hub_intake_t *self, hub_part_t *part)
{
    hub_journal_t *journal = self->options.journal;
    if (!journal)
        return;
    hub_record_t *record = hub_record_new (
        part, sh_clock_wall (self->options.clock));
    hub_journal_note (journal, &record);
    if (part->deltas_lost)
        hub_journal_note (journal, &record); /* NULL: told as dropped */
}

/*  For hub_intake_after.  */
static void
s_note_events (hub_intake_t *self, const hub_part_t *part)
{
    if (part->rc != SH_OK || part->held == HUB_HELD_PREVIEW
        || !hub_live_events (self->options.live))
        return;
    sh_wall_t wall;
    int64_t now = sh_clock_wall (self->options.clock) / 1000;
    sh_wall_at (&wall, hub_live_zone (self->options.live,
                                      part->agent.db_offset, now),
                now);
    hub_events_note (&self->events, part, &wall);
}

static void
s_tell_outcome (hub_intake_t *self, const hub_part_t *part)
{
    const sh_clock_t *clock = self->options.clock;
    const hub_outcome_t outcome = {
        .who = &part->job->who,
        .code = part->code,
        .report = part->report,
        .subnet = part->subnet_id,
        .result = part->result,
        .cause = hub_part_cause (part),
    };
    int64_t mono = sh_clock_mono (clock);
    hub_live_outcome (self->options.live, &outcome, sh_clock_wall (clock),
                      mono);
    if (part->job->taken)
        hub_meters_time (hub_live_meters (self->options.live),
                         HUB_TIME_VERDICT, mono - part->job->taken);
}

static void
s_finish (hub_intake_t *self, hub_part_t *part)
{
    s_tell_trouble (self, part);
    if (part->rc == SH_OK)
        part->rc = hub_hold_keep (part, self->options.previews);
    if (part->rc == SH_OK) {
        hub_differing_tell (&self->differing, part, self->options.live);
        hub_closing_note (&self->batch.closing, part);
        hub_writer_note (&self->batch.writer, part);
    }
    hub_part_account (part, self->options.live);
    hub_part_answer (part);
    s_note_events (self, part);
    s_keep (self, part);
    s_tell_outcome (self, part);
}

/*  A report that came to an end, even a refused one, shows that its agent is
    alive.  */
static bool
s_shows_life (const hub_part_t *part)
{
    return part->has_agent && !hub_batch_ends (part->rc)
           && !part->may_not_speak && !part->job->by_hand
           && hub_authorise_agent (&part->agent, part->code) == SH_OK;
}

static void
s_take_reports (hub_intake_t *self, hub_part_t *parts, size_t count)
{
    hub_part_t *sound[HUB_BATCH_MOST];
    size_t sound_count = 0;
    for (size_t i = 0; i < count; i++)
        if (parts[i].rc == SH_OK)
            sound[sound_count++] = &parts[i];

    hub_batch_take (&self->batch, sound, sound_count);
    for (size_t i = 0; i < count; i++) {
        s_finish (self, &parts[i]);
        if (s_shows_life (&parts[i])) {
            hub_touches_note (&self->touches, &parts[i].agent);
            parts[i].has_agent = false;
        }
    }
}

static sh_err_t
s_read_agent (hub_store_t *store, const char *code, hub_agent_t *agent)
{
    hub_asked_t asked = { .code = code };
    sh_err_t rc = store->read_agents (store, &asked, 1);
    if (rc == SH_OK)
        rc = asked.rc;
    if (rc == SH_OK)
        *agent = asked.agent;
    return rc;
}

/*  Known addresses of a subnet, for the scanner it is assigned to.  */
static sh_err_t
s_read_targets (hub_intake_t *self, const hub_job_t *job,
                const sp_targets_t *ask, const char *code, hub_rows_t **rows,
                bool *more)
{
    hub_store_t *store = self->options.store;
    hub_agent_t agent = { 0 };
    hub_subnet_t subnet;
    sh_err_t rc = hub_batch_begin (&self->batch);
    if (rc != SH_OK)
        return rc;
    rc = s_read_agent (store, code, &agent);
    if (rc == SH_OK)
        rc = hub_authorise_agent (&agent, code);
    if (rc == SH_OK)
        rc = store->read_subnet (store, ask->subnet, &subnet);
    if (rc == SH_OK)
        rc = hub_authorise_subnet (&agent, &subnet);
    if (rc == SH_OK)
        rc = hub_page_read (store, ask, &subnet, rows, more);
    sh_err_t allowed = self->options.allows (self->options.allows_context,
                                             &job->who, code);
    if (allowed != SH_OK)
        rc = allowed;
    store->rollback (store);
    hub_agent_clear (&agent);
    return rc;
}

static void
s_refuse_targets (hub_job_t *job, sh_err_t cause, const char *text)
{
    sh_log (SH_LOG_NOTICE, "targets refused",
            SH_STR ("scanner", job->who.name),
            SH_STR ("cause", sh_err_word (cause)), SH_STR ("why", text));
    sp_message_t answer = {
        .type = SP_ERROR,
        .u.error = { .cause = sh_err_word (cause), .text = text },
    };
    if (sp_encode (&job->answer, &job->answer_size, &answer) != SH_OK)
        sh_log (SH_LOG_ERROR, "an answer could not be encoded");
}

static void
s_take_targets (hub_intake_t *self, hub_job_t *job)
{
    sp_message_t *message = NULL;
    hub_rows_t *rows = NULL;
    bool more = false;
    const char *code = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sp_decode (
        &message, (sh_bytes_t){ job->frame, job->frame_size }, &why);
    if (rc == SH_OK && message->type != SP_TARGETS)
        rc = SH_E_BAD_MESSAGE;
    if (rc == SH_OK)
        rc = hub_principal_code (&job->who, message->u.targets.code, &code);
    if (rc == SH_OK)
        rc = self->batch.all;
    if (rc == SH_OK) {
        int64_t begun = sh_clock_mono (self->options.clock);
        rc = s_read_targets (self, job, &message->u.targets, code, &rows,
                             &more);
        hub_batch_learn (&self->batch, rc, begun);
    }
    if (rc == SH_OK)
        rc = hub_page_answer (&message->u.targets, rows, more, job);
    if (rc != SH_OK)
        s_refuse_targets (job, rc, *why.text ? why.text : sh_err_text (rc));
    hub_rows_destroy (&rows);
    sp_message_destroy (&message);
}

/*  Another code to ask for, if it is not among them yet and there is room.  */
static bool
s_add_asked (hub_asked_t *asked, size_t count, const char *code)
{
    if (hub_asked_find (asked, count, code) < count
        || count == HUB_BATCH_MOST)
        return false;
    asked[count].code = code;
    return true;
}

/*  The codes that touches ask for, and whose they are.  */
static size_t
s_ask_touches (hub_asked_t *asked, const hub_job_t **whose,
               hub_job_t *const *jobs, size_t count)
{
    size_t asked_count = 0;
    for (size_t i = 0; i < count; i++) {
        const hub_principal_t *who = &jobs[i]->who;
        if (jobs[i]->kind != HUB_JOB_TOUCH)
            continue;
        for (size_t k = 0; k < who->code_count; k++)
            if (s_add_asked (asked, asked_count, who->codes[k].text))
                whose[asked_count++] = jobs[i];
    }
    return asked_count;
}

static void
s_note_touch (hub_intake_t *self, const hub_job_t *job, hub_asked_t *asked)
{
    if (asked->rc != SH_OK)
        return;
    bool allowed = self->options.allows (self->options.allows_context,
                                         &job->who, asked->code) == SH_OK;
    if (allowed && !asked->agent.maintenance
        && hub_authorise_agent (&asked->agent, asked->code) == SH_OK)
        hub_touches_note (&self->touches, &asked->agent);
    hub_agent_clear (&asked->agent);
}

/*  A connected scanner is an agent that is alive, reports or not.  One question
    for all in the batch.  */
static void
s_take_touches (hub_intake_t *self, hub_job_t *const *jobs, size_t count)
{
    hub_store_t *store = self->options.store;
    hub_asked_t asked[HUB_BATCH_MOST];
    const hub_job_t *whose[HUB_BATCH_MOST];
    size_t asked_count = s_ask_touches (asked, whose, jobs, count);
    if (asked_count == 0 || self->batch.all != SH_OK)
        return;
    int64_t begun = sh_clock_mono (self->options.clock);
    sh_err_t rc = hub_batch_begin (&self->batch);
    if (rc == SH_OK) {
        rc = store->read_agents (store, asked, asked_count);
        for (size_t i = 0; rc == SH_OK && i < asked_count; i++)
            s_note_touch (self, whose[i], &asked[i]);
        store->rollback (store);
    }
    hub_batch_learn (&self->batch, rc, begun);
}

void
hub_intake_batch (hub_intake_t *self, hub_job_t **jobs, size_t count)
{
    assert (self && jobs && count > 0 && count <= HUB_BATCH_MOST);
    hub_part_t parts[HUB_BATCH_MOST];
    size_t part_count = 0;
    hub_batch_reset (&self->batch);
    for (size_t i = 0; i < count; i++)
        if (jobs[i]->kind == HUB_JOB_REPORT)
            hub_part_open (&parts[part_count++], jobs[i]);
        else if (jobs[i]->kind == HUB_JOB_TARGETS)
            s_take_targets (self, jobs[i]);
    if (part_count)
        s_take_reports (self, parts, part_count);
    s_take_touches (self, jobs, count);
    for (size_t i = 0; i < part_count; i++)
        hub_part_close (&parts[i]);
}

void
hub_intake_after (hub_intake_t *self)
{
    assert (self);
    hub_touches_write (&self->touches, &self->options);
    if (!hub_intake_ended (&self->options))
        hub_events_write (&self->events, self->options.store,
                          self->options.clock);
}
