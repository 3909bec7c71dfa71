/* SPDX-License-Identifier: MPL-2.0 */
/*  One entry on its way through the workers, in the applier's thread.  */

#include "hub/applier_within.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hub/applied.h"
#include "hub/hold.h"
#include "lib/log.h"
#include "scanner-proto/codec.h"

#define STEP_MS 200       /* between two looks whether the hub ends */
#define PATIENCE_MS 30000 /* for one part, without any progress */
#define PAUSE_MS 2000     /* at most, before a part is tried again */
#define LINES_MOST 4096   /* that are read at once */

static bool
s_ends (hub_applier_t *self)
{
    pthread_mutex_lock (&self->lock);
    bool stopping = self->stopping;
    pthread_mutex_unlock (&self->lock);
    return stopping;
}

/*  The principal as whom the report goes; the caller clears it.  A key is
    looked up again.  A token is its door's to judge, which did so when the
    report came in.  */
static sh_err_t
s_speaker (hub_applier_t *self, const hub_preview_t *entry,
           hub_principal_t *who, sh_why_t *why)
{
    if (entry->door == HUB_DOOR_CURVE) {
        if (hub_registry_find (self->registry, entry->key, who))
            return SH_OK;
        return sh_fail (why, SH_E_KEY_UNKNOWN,
                        "revoked: the key of scanner %s is no longer in the "
                        "registry; drop the report, for the next scan brings "
                        "what is there by then",
                        entry->name);
    }
    hub_code_t code = { "" };
    hub_principal_t its = { .door = entry->door, .codes = &code,
                            .code_count = 1 };
    memcpy (code.text, entry->code, sizeof code.text);
    memcpy (its.name, entry->name, sizeof its.name);
    return hub_principal_copy (who, &its);
}

static sh_bytes_t
s_bytes (const char *text)
{
    return (sh_bytes_t){ (const uint8_t *) text, text ? strlen (text) : 0 };
}

/*  The lines of one part, for the worker to go by.  */
typedef struct
{
    hub_job_t *job;
    uint64_t last;
    uint64_t weight; /* as in a verdict */
    sh_err_t rc;
} listed_t;

static void
s_see_listed (void *context, const hub_preview_line_t *line)
{
    listed_t *self = context;
    self->last = line->row;
    if (self->rc != SH_OK)
        return;
    bool added = strcmp (line->action, "insert") == 0;
    if (!added && strcmp (line->action, "update") != 0)
        return;
    hub_delta_t *one = hub_applied_list (&self->job->listed, line, added,
                                         &self->rc);
    if (one && (!added || one->column == HUB_COLUMN_STATE))
        self->weight++;
}

static sh_err_t
s_load_listed (hub_applier_t *self, uint64_t number,
               const hub_preview_part_t *part, hub_job_t *job, sh_why_t *why)
{
    listed_t listed = { .job = job };
    bool more = true;
    sh_err_t rc = SH_OK;
    while (rc == SH_OK && more) {
        rc = hub_previews_lines (self->previews, number, part->part,
                                 listed.last, LINES_MOST, s_see_listed,
                                 &listed, &more, why);
        if (rc == SH_OK)
            rc = listed.rc;
    }
    hub_hold_sort (&job->listed);
    job->listed_all = listed.weight >= part->changes;
    return rc;
}

static sh_err_t
s_make_job (hub_applier_t *self, const hub_principal_t *who,
            const hub_preview_part_t *part, uint64_t number, hub_job_t **out,
            sh_why_t *why)
{
    sp_message_t *message = NULL;
    sh_why_t said = { "" };
    sh_bytes_t bytes = { part->frame, part->size };
    sh_err_t rc = sp_decode (&message, bytes, &said);
    if (rc == SH_OK && message->type != SP_REPORT)
        rc = SH_E_BAD_MESSAGE;
    if (rc != SH_OK && rc != SH_E_MEMORY)
        sh_fail (why, rc,
                 "the kept report cannot be read, it may be of another version "
                 "of the hub (%.200s); drop it and have the subnet scanned "
                 "anew", *said.text ? said.text : sh_err_text (rc));
    if (rc == SH_OK)
        rc = hub_job_new (out, HUB_JOB_REPORT, who, bytes);
    if (rc == SH_OK) {
        const sp_report_t *report = &message->u.report;
        (*out)->by_hand = true;
        (*out)->received = part->received;
        (*out)->heavy = report->last;
        (*out)->home = self->home;
        (*out)->shard = hub_job_shard (report->subnet, s_bytes (report->code),
                                       s_bytes (report->cidr));
        rc = s_load_listed (self, number, part, *out, why);
    }
    sp_message_destroy (&message);
    if (rc != SH_OK)
        hub_job_destroy (out);
    return rc;
}

/*  Wait for the job to come home; NULL: the hub ends.  */
static hub_job_t *
s_wait (hub_applier_t *self)
{
    hub_job_t *job = NULL;
    while (!s_ends (self))
        if (hub_queue_take (self->home, &job, 1, 0, STEP_MS) > 0)
            return job;
    return NULL;
}

static void
s_pause (int64_t ms)
{
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep (&time, NULL);
}

/*  What the verdict says of one try.  SH_E_UNFINISHED is progress.  */
static sh_err_t
s_take_verdict (hub_apply_t *one, const hub_job_t *job, int64_t *delay,
                sh_why_t *why)
{
    sp_message_t *answer = NULL;
    if (!job->answer
        || sp_decode (&answer,
                      (sh_bytes_t){ job->answer, job->answer_size }, NULL)
               != SH_OK
        || answer->type != SP_VERDICT) {
        sp_message_destroy (&answer);
        return sh_fail (why, SH_E_INTERNAL, "the worker gave no verdict");
    }
    const sp_verdict_t *verdict = &answer->u.verdict;
    sh_err_t rc = SH_OK;
    if (verdict->result == SP_APPLIED) {
        one->seen += verdict->seen;
        one->added += verdict->added;
        one->named += verdict->named;
        one->macs += verdict->macs;
        one->tagged += verdict->tagged;
        one->refused += verdict->refused_count;
    } else {
        rc = sh_err_from_word (verdict->cause ? verdict->cause : "");
        *delay = verdict->delay < PAUSE_MS ? (int64_t) verdict->delay
                                           : PAUSE_MS;
        sh_fail (why, rc, "%s: %.400s", sh_err_word (rc),
                 verdict->text ? verdict->text : sh_err_text (rc));
    }
    sp_message_destroy (&answer);
    return rc;
}

/*  One try of one part; what was written goes to 'made'.  */
static sh_err_t
s_try (hub_applier_t *self, hub_apply_t *one, const hub_principal_t *who,
       const hub_preview_part_t *part, hub_applied_t *made, int64_t *delay,
       sh_why_t *why)
{
    hub_job_t *job = NULL;
    sh_err_t rc = s_make_job (self, who, part, one->number, &job, why);
    if (rc != SH_OK)
        return rc;
    if (!hub_pool_submit (self->pool, job)) {
        hub_job_destroy (&job);
        *delay = STEP_MS;
        return sh_fail (why, SH_E_OVERLOAD, "%s", sh_err_text (SH_E_OVERLOAD));
    }
    job = s_wait (self);
    if (!job)
        return sh_fail (why, SH_E_STOPPING, "the hub was stopped meanwhile");
    rc = s_take_verdict (one, job, delay, why);
    if (rc == SH_OK || rc == SH_E_UNFINISHED)
        hub_applied_take (made, &job->done);
    hub_job_destroy (&job);
    return rc;
}

/*  Until it is applied, or there is no sense in trying on.  */
static sh_err_t
s_apply_part (hub_applier_t *self, hub_apply_t *one,
              const hub_principal_t *who, const hub_preview_part_t *part,
              hub_applied_t *made, sh_why_t *why)
{
    int64_t end = sh_clock_mono (self->clock) + PATIENCE_MS;
    for (;;) {
        int64_t delay = 0;
        sh_err_t rc = s_try (self, one, who, part, made, &delay, why);
        if (rc == SH_E_UNFINISHED)
            end = sh_clock_mono (self->clock) + PATIENCE_MS;
        if (sh_err_class (rc) != SH_CLASS_RETRY || rc == SH_E_STOPPING
            || sh_clock_mono (self->clock) >= end)
            return rc;
        s_pause (delay);
    }
}

static void
s_show (hub_applier_t *self, size_t at, const hub_apply_t *one)
{
    pthread_mutex_lock (&self->lock);
    self->items[at] = *one;
    pthread_mutex_unlock (&self->lock);
}

static sh_err_t
s_apply_parts (hub_applier_t *self, size_t at, hub_apply_t *one,
               const hub_principal_t *who, hub_applied_t *made, sh_why_t *why)
{
    uint64_t from = 0;
    for (;;) {
        hub_preview_part_t part;
        sh_err_t rc = hub_previews_part (self->previews, one->number, from,
                                         &part, why);
        if (rc == SH_E_NOT_FOUND && one->done > 0 && one->done >= one->parts)
            return SH_OK;
        if (rc == SH_E_NOT_FOUND)
            return sh_fail (why, rc,
                            "a newer report of its subnet took its place when "
                            "%llu of %llu parts had been applied; see "
                            "scanhubctl preview list",
                            (unsigned long long) one->done,
                            (unsigned long long) one->parts);
        if (rc != SH_OK)
            return rc;
        rc = s_apply_part (self, one, who, &part, made, why);
        free (part.frame);
        if (rc != SH_OK)
            return rc;
        from = part.part + 1;
        one->done++;
        s_show (self, at, one);
    }
}

static void
s_tell (const hub_apply_t *one, const hub_preview_t *entry)
{
    if (one->state == HUB_APPLY_DONE)
        sh_log (SH_LOG_NOTICE, "held report applied",
                SH_INT ("number", one->number), SH_STR ("cidr", entry->cidr),
                SH_INT ("subnet", entry->subnet), SH_INT ("added", one->added),
                SH_INT ("named", one->named), SH_INT ("macs", one->macs),
                SH_INT ("tagged", one->tagged),
                SH_INT ("differing", one->differing));
    else
        sh_log (SH_LOG_WARNING, "held report not applied; it stays in the list",
                SH_INT ("number", one->number), SH_STR ("cidr", entry->cidr),
                SH_INT ("subnet", entry->subnet),
                SH_STR ("why", one->failed));
}

/*  What has come to an end is known by its state and by the entry: gone, or
    with the reason in it.  */
static void
s_finish (hub_applier_t *self, hub_apply_t *one, const hub_preview_t *entry,
          hub_applied_t *made, sh_err_t rc, sh_why_t *why)
{
    if (rc == SH_OK)
        rc = hub_applied_compare (made, one, self->previews, why);
    if (rc == SH_OK) {
        rc = hub_previews_drop (self->previews, one->number, entry->report,
                                why);
        if (rc == SH_E_NOT_FOUND)
            rc = SH_OK; /* a newer report took its place meanwhile */
    }
    one->state = rc == SH_OK ? HUB_APPLY_DONE : HUB_APPLY_FAILED;
    if (rc != SH_OK) {
        snprintf (one->failed, sizeof one->failed, "%s",
                  *why->text ? why->text : sh_err_text (rc));
        if (rc != SH_E_STOPPING)
            hub_previews_note (self->previews, one->number, one->failed);
    }
    s_tell (one, entry);
}

void
hub_applier_work (hub_applier_t *self, size_t at, hub_apply_t *one)
{
    assert (self && at < HUB_APPLIER_MOST && one);
    hub_preview_t entry = { 0 };
    hub_principal_t who = { 0 };
    hub_applied_t made = { 0 };
    sh_why_t why = { "" };
    sh_err_t rc = hub_previews_find (self->previews, one->number, &entry,
                                     &why);
    if (rc == SH_OK) {
        one->parts = entry.parts;
        one->subnet = entry.subnet;
        rc = s_speaker (self, &entry, &who, &why);
    }
    if (rc == SH_OK)
        rc = s_apply_parts (self, at, one, &who, &made, &why);
    s_finish (self, one, &entry, &made, rc, &why);
    s_show (self, at, one);
    hub_applied_clear (&made);
    hub_principal_clear (&who);
}
