/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/part.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#define DELAY_REPAIR_MS 60000 /* somebody has to do something */

/*  When to send it again, where that is not a matter of repair.  */
static const struct
{
    sh_err_t err;
    uint64_t ms;
} s_delays[] = {
    { SH_E_UNFINISHED, 100 }, /* some of it was written */
    { SH_E_DB_BUSY, 1000 },
    { SH_E_DB_DOWN, 5000 },
    { SH_E_MAINTENANCE, 30000 }, /* an upgrade takes minutes */
    { SH_E_OVERLOAD, 5000 },
    { SH_E_STOPPING, 5000 },
    { SH_E_MEMORY, 15000 },
};

void
hub_part_open (hub_part_t *self, hub_job_t *job)
{
    memset (self, 0, sizeof *self);
    self->job = job;
    self->rc = sp_decode (&self->message,
                          (sh_bytes_t){ job->frame, job->frame_size },
                          &self->why);
    if (self->rc != SH_OK)
        return;
    if (self->message->type != SP_REPORT) {
        self->rc = sh_fail (&self->why, SH_E_BAD_MESSAGE, "not a report");
        return;
    }
    self->report = &self->message->u.report;
    self->subnet_id = self->report->subnet;
    self->rc
        = hub_principal_code (&job->who, self->report->code, &self->code);
}

void
hub_part_reset (hub_part_t *self)
{
    if (self->has_agent)
        hub_agent_clear (&self->agent);
    self->has_agent = false;
    self->may_not_speak = false;
    self->why.text[0] = 0;
    hub_changes_destroy (&self->changes);
    hub_rows_destroy (&self->rows);
    hub_sightings_destroy (&self->sightings);
    hub_deltas_clear (&self->deltas);
    self->deltas_lost = false;
    self->offline = 0;
    self->slices = 0;
    self->unfinished = false;
    self->held = HUB_HELD_NOT;
    self->held_changes = 0;
    hub_deltas_clear (&self->kept);
    self->rc = SH_OK;
}

void
hub_part_close (hub_part_t *self)
{
    sh_err_t rc = self->rc;
    hub_part_reset (self);
    self->rc = rc;
    self->report = NULL;
    sp_message_destroy (&self->message);
}

uint64_t
hub_part_delay (sh_err_t rc)
{
    for (size_t i = 0; i < sizeof s_delays / sizeof *s_delays; i++)
        if (s_delays[i].err == rc)
            return s_delays[i].ms;
    return DELAY_REPAIR_MS;
}

/*  Hosts that were refused one by one: by sightings, and new rows that the
    table could not take.  Returns how many are named in 'list'.  */
static size_t
s_name_refused (const hub_part_t *self, sp_refused_t *list, uint64_t *all)
{
    const hub_sightings_t *sightings = self->sightings;
    size_t named = 0;
    *all = 0;
    if (!sightings)
        return 0;
    *all = sightings->refused_count;
    for (size_t i = 0; i < sightings->refused_count && named < SP_REFUSED_MOST;
         i++)
        list[named++] = (sp_refused_t){
            .ip = sightings->refused[i].ip,
            .cause = sh_err_word (sightings->refused[i].cause),
        };
    if (self->no_inserts == SH_OK)
        return named;
    const hub_changes_t *changes = self->changes;
    *all += changes->insert_count;
    for (size_t i = 0; i < changes->insert_count && named < SP_REFUSED_MOST;
         i++)
        list[named++] = (sp_refused_t){
            .ip = sh_addr_bytes (&changes->inserts[i].ip),
            .cause = sh_err_word (self->no_inserts),
        };
    return named;
}

static void
s_fill_applied (const hub_part_t *self, sp_verdict_t *verdict,
                sp_refused_t *refused)
{
    const hub_changes_t *changes = self->changes;
    verdict->result = self->held == HUB_HELD_PREVIEW ? SP_NOTED : SP_APPLIED;
    verdict->held = self->held_changes;
    verdict->seen = changes->confirmed;
    verdict->added
        = self->no_inserts == SH_OK ? changes->insert_count : 0;
    verdict->named = changes->name_count;
    verdict->macs = changes->mac_count;
    verdict->tagged = changes->used_count + self->offline;
    verdict->skipped = changes->skipped;
    if (self->sightings) {
        verdict->bad_names = self->sightings->bad_names;
        verdict->bad_macs = self->sightings->bad_macs;
    }
    verdict->refused = refused;
    verdict->refused_named
        = s_name_refused (self, refused, &verdict->refused_count);
}

static void
s_fill_failed (const hub_part_t *self, sh_err_t rc, sp_verdict_t *verdict)
{
    sh_class_t class = sh_err_class (rc);
    bool never = class == SH_CLASS_PEER || class == SH_CLASS_DENIED;
    verdict->result = never ? SP_REFUSED : SP_RETRY;
    verdict->cause = sh_err_word (rc);
    verdict->text = *self->why.text ? self->why.text : sh_err_text (rc);
    if (!never)
        verdict->delay = hub_part_delay (rc);
}

sh_err_t
hub_part_cause (const hub_part_t *self)
{
    return self->rc == SH_OK && self->unfinished ? SH_E_UNFINISHED : self->rc;
}

/*  A frame that does not decode still has the ids that the door looked up, or
    the sender could not tell which part this answers.  */
static bool
s_name_part (const hub_part_t *self, sp_verdict_t *verdict)
{
    const hub_job_t *job = self->job;
    sp_peek_t peek = { 0 };
    if (self->report) {
        peek.id = self->report->id;
        peek.part = self->report->part;
    } else if (sp_peek (&peek, (sh_bytes_t){ job->frame, job->frame_size },
                        NULL) != SH_OK)
        return false;
    verdict->id = peek.id;
    verdict->part = peek.part;
    return peek.id.size == SP_REPORT_ID;
}

void
hub_part_answer (hub_part_t *self)
{
    self->result = SP_REFUSED; /* what has no ids gets no verdict */
    sp_refused_t refused[SP_REFUSED_MOST];
    sp_message_t message = { .type = SP_VERDICT };
    sp_verdict_t *verdict = &message.u.verdict;

    if (!s_name_part (self, verdict))
        return;
    sh_err_t cause = hub_part_cause (self);
    if (cause != SH_OK)
        s_fill_failed (self, cause, verdict);
    else
        s_fill_applied (self, verdict, refused);
    self->result = (sp_result_t) verdict->result;
    if (sp_encode (&self->job->answer, &self->job->answer_size, &message)
        != SH_OK)
        sh_log (SH_LOG_ERROR, "a verdict could not be encoded");
}

/*  Of what is under preview nothing was written.  */
static void
s_account_noted (const hub_part_t *self, hub_live_t *live)
{
    hub_live_count (live, HUB_COUNT_PARTS_NOTED, 1);
    sh_log (SH_LOG_INFO, "report kept for preview",
            SH_STR ("scanner", self->job->who.name),
            SH_INT ("subnet", self->subnet_id),
            SH_STR ("cidr", self->report->cidr),
            SH_INT ("changes", self->held_changes));
}

static void
s_account_applied (const hub_part_t *self, hub_live_t *live)
{
    const hub_changes_t *changes = self->changes;
    uint64_t refused;
    sp_refused_t list[SP_REFUSED_MOST];
    size_t named = s_name_refused (self, list, &refused);
    hub_live_count (live,
                    self->unfinished ? HUB_COUNT_PARTS_RETRY
                                     : HUB_COUNT_PARTS_APPLIED,
                    1);
    if (self->report->last)
        sh_log (SH_LOG_INFO,
                !self->unfinished ? "scan written"
                : self->place.counted ? "scan written in part"
                                      : "scan counted in part, for the brake",
                SH_STR ("scanner", self->job->who.name),
                SH_INT ("subnet", self->subnet_id),
                SH_STR ("cidr", self->report->cidr),
                SH_STR ("kind", sp_kind_word (self->report->kind)),
                SH_INT ("up", self->report->up),
                SH_INT ("offline", self->offline));
    hub_live_count (live, HUB_COUNT_ROWS_HELD, self->held_changes);
    hub_live_count (live, HUB_COUNT_ROWS_SEEN, changes->confirmed);
    if (self->no_inserts == SH_OK)
        hub_live_count (live, HUB_COUNT_ROWS_ADDED, changes->insert_count);
    hub_live_count (live, HUB_COUNT_ROWS_NAMED, changes->name_count);
    hub_live_count (live, HUB_COUNT_ROWS_MACS, changes->mac_count);
    hub_live_count (live, HUB_COUNT_ROWS_TAGGED,
                    changes->used_count + self->offline);
    hub_live_count (live, HUB_COUNT_HOSTS_REFUSED, refused);
    if (self->sightings) {
        hub_live_count (live, HUB_COUNT_NAMES_DROPPED,
                        self->sightings->bad_names);
        hub_live_count (live, HUB_COUNT_MACS_DROPPED,
                        self->sightings->bad_macs);
    }
    if (self->no_texts)
        sh_log (SH_LOG_ERROR, "names and MACs were left out: a column of "
                              "ipaddresses does not take them",
                SH_STR ("scanner", self->job->who.name),
                SH_INT ("subnet", self->subnet_id),
                SH_STR ("remedy", "see the database error before this line"));
    if (refused)
        sh_log (SH_LOG_WARNING, "hosts of a report refused",
                SH_STR ("scanner", self->job->who.name),
                SH_INT ("subnet", self->subnet_id), SH_INT ("hosts", refused),
                SH_STR ("first_cause", named ? list[0].cause : ""));
}

void
hub_part_account (const hub_part_t *self, hub_live_t *live)
{
    if (self->rc == SH_OK) {
        if (self->held == HUB_HELD_PREVIEW && !self->unfinished)
            s_account_noted (self, live);
        else
            s_account_applied (self, live);
        return;
    }
    sh_class_t class = sh_err_class (self->rc);
    bool never = class == SH_CLASS_PEER || class == SH_CLASS_DENIED;
    hub_live_count (live,
                    never ? HUB_COUNT_PARTS_REFUSED : HUB_COUNT_PARTS_RETRY, 1);
    sh_log (never ? SH_LOG_WARNING : SH_LOG_NOTICE,
            never ? "report refused" : "report put off",
            SH_STR ("scanner", self->job->who.name),
            SH_INT ("subnet", self->subnet_id),
            SH_STR ("cidr", self->report ? self->report->cidr : NULL),
            SH_STR ("cause", sh_err_word (self->rc)),
            SH_STR ("text", *self->why.text ? self->why.text
                                            : sh_err_text (self->rc)));
}
