/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/dispatch.h"

#include <assert.h>

#define TOUCH_MS 60000
#define HEARD_MS (TOUCH_MS / 2) /* since the last touch, or it is not due */
#define SETTLE_MS 500
#define GREEDY_DELAY_MS 2000 /* of a key with too many parts on their way */
#define STOPPING_DELAY_MS 3000
#define AT_ONCE 64 /* jobs taken back before other work gets its turn */
/*  Jobs of a key that speaks for many scanners: below what may wait for one
    worker, so that others find room there.  */
#define SHIM_WINDOW (3 * SP_WINDOW)

static int64_t
s_mono (const hub_dispatch_t *self)
{
    return sh_clock_mono (self->clock);
}

/*  False: the workers have enough of these for now.  */
static bool
s_touch (hub_dispatch_t *self, const hub_principal_t *who)
{
    hub_job_t *job = NULL;
    if (hub_job_new (&job, HUB_JOB_TOUCH, who, (sh_bytes_t){ NULL, 0 })
        != SH_OK)
        return false;
    for (const char *at = who->key; *at; at++)
        job->shard = job->shard * 31 + (uint8_t) *at;
    if (hub_pool_submit (self->pool, job))
        return true;
    hub_job_destroy (&job);
    return false;
}

/*  That a shim is there says nothing about the scanners behind it.  */
static bool
s_touch_session (hub_dispatch_t *self, hub_session_t *session, int64_t now)
{
    hub_principal_t who;
    if (!hub_registry_find (self->registry, session->key, &who))
        return true; /* its session is about to end */
    bool good = who.shim || s_touch (self, &who);
    if (good)
        hub_sessions_touch (self->speech->sessions, session, now);
    hub_principal_clear (&who);
    return good;
}

void
hub_dispatch_touch_due (hub_dispatch_t *self, int64_t now)
{
    assert (self);
    hub_sessions_t *sessions = self->speech->sessions;
    bool more = !self->closed;
    for (hub_session_t *one = hub_sessions_first (sessions); one && more;
         one = hub_sessions_next (sessions)) {
        if (one->touched && now - one->touched < TOUCH_MS)
            break; /* and so are all behind it */
        if (!one->touched || one->heard - one->touched >= HEARD_MS)
            more = s_touch_session (self, one, now);
    }
}

/*  A part that is not even looked at: the sender keeps it for later.  */
static void
s_put_off (hub_dispatch_t *self, const hub_letter_t *letter, sh_err_t cause,
           uint64_t delay)
{
    if (letter->peek.type != SP_REPORT) {
        hub_letter_refuse (letter, self->speech, cause, NULL);
        return;
    }
    hub_live_count (self->live, HUB_COUNT_PARTS_RETRY, 1);
    const hub_outcome_t outcome = { .who = &letter->who,
                                    .subnet = letter->peek.subnet,
                                    .result = SP_RETRY,
                                    .cause = cause };
    hub_live_outcome (self->live, &outcome, letter->received, s_mono (self));
    sp_message_t message = {
        .type = SP_VERDICT,
        .u.verdict = {
            .id = letter->peek.id,
            .part = letter->peek.part,
            .result = SP_RETRY,
            .cause = sh_err_word (cause),
            .text = sh_err_text (cause),
            .delay = delay,
        },
    };
    hub_speech_send (self->speech, letter->route, letter->route_size,
                     &message);
}

static void
s_fill_in (hub_dispatch_t *self, hub_job_t *job, const hub_letter_t *letter)
{
    const sp_peek_t *peek = &letter->peek;
    job->received = letter->received;
    job->taken = s_mono (self);
    job->home = self->home;
    memcpy (job->route, letter->route, letter->route_size);
    job->route_size = letter->route_size;
    job->shard = hub_job_shard (peek->subnet, peek->code, peek->cidr);
    job->part = peek->part;
    job->report_size = peek->id.size < sizeof job->report ? peek->id.size
                                                          : sizeof job->report;
    if (job->report_size)
        memcpy (job->report, peek->id.data, job->report_size);
    job->heavy = job->kind == HUB_JOB_TARGETS || peek->last;
}

/*  Make a job of the message and hand it to the workers.  More than a scanner
    may have unanswered would only fill the queues that others wait in.  What
    finds no room should come back after 'delay'.  */
static sh_err_t
s_hand_over (hub_dispatch_t *self, const hub_letter_t *letter,
             hub_job_kind_t kind, int64_t *delay)
{
    *delay = GREEDY_DELAY_MS;
    hub_sessions_t *sessions = self->speech->sessions;
    const char *key = letter->who.key;
    hub_job_t *job = NULL;
    size_t most = letter->who.shim ? SHIM_WINDOW : SP_WINDOW;
    if (hub_sessions_jobs (sessions, key) >= most)
        return SH_E_OVERLOAD;
    if (self->closed) {
        *delay = STOPPING_DELAY_MS;
        return SH_E_STOPPING;
    }
    if (hub_job_new (&job, kind, &letter->who, letter->frame) != SH_OK)
        return SH_E_OVERLOAD;
    s_fill_in (self, job, letter);
    if (hub_sessions_begin_job (sessions, key)) {
        if (hub_pool_submit (self->pool, job)) {
            self->out++;
            return SH_OK;
        }
        hub_sessions_end_job (sessions, key);
        *delay = hub_pool_turn (self->pool, job->shard);
    }
    hub_job_destroy (&job);
    return SH_E_OVERLOAD;
}

void
hub_dispatch_submit (hub_dispatch_t *self, const hub_letter_t *letter,
                     hub_job_kind_t kind)
{
    assert (self && letter);
    const char *key = letter->who.key;
    const sp_peek_t *peek = &letter->peek;
    bool part = kind == HUB_JOB_REPORT;
    if (part
        && !hub_sessions_note_part (self->speech->sessions, key, peek->id,
                                    peek->part)) {
        hub_live_count (self->live, HUB_COUNT_DUPLICATES, 1);
        return; /* the verdict on the first one comes */
    }
    int64_t delay;
    sh_err_t rc = s_hand_over (self, letter, kind, &delay);
    if (rc == SH_OK)
        return;
    if (part)
        hub_sessions_forget_part (self->speech->sessions, key, peek->id,
                                  peek->part);
    s_put_off (self, letter, rc, (uint64_t) delay);
}

/*  A worker is done with a job.  A verdict goes to the key's session, even if
    that began after the part was sent: it names report and part.  Targets go
    only to the connection that asked.  */
static void
s_return (hub_dispatch_t *self, hub_job_t *job)
{
    hub_sessions_t *sessions = self->speech->sessions;
    self->out--;
    self->returned = s_mono (self);
    hub_sessions_end_job (sessions, job->who.key);
    if (job->kind == HUB_JOB_REPORT)
        hub_sessions_forget_part (
            sessions, job->who.key,
            (sh_bytes_t){ job->report, job->report_size }, job->part);
    hub_session_t *session = hub_sessions_find (sessions, job->who.key);
    if (!session)
        return;
    if (job->kind != HUB_JOB_REPORT
        && !hub_session_is (session, job->route, job->route_size))
        return;
    hub_principal_t still;
    if (!hub_registry_find (self->registry, job->who.key, &still)) {
        hub_speech_send_error (self->speech, session->route,
                               session->route_size, SH_E_KEY_UNKNOWN, NULL);
        hub_speech_end (self->speech, session);
        return;
    }
    hub_principal_clear (&still);
    if (job->answer)
        hub_speech_say_frame (self->speech, session, job->answer,
                              job->answer_size);
}

void
hub_dispatch_take_back (hub_dispatch_t *self)
{
    assert (self);
    hub_job_t *jobs[AT_ONCE];
    size_t count = hub_queue_take (self->home, jobs, AT_ONCE, 0, 0);
    for (size_t i = 0; i < count; i++) {
        s_return (self, jobs[i]);
        hub_job_destroy (&jobs[i]);
    }
}

bool
hub_dispatch_is_quiet (const hub_dispatch_t *self)
{
    assert (self);
    return self->out == 0 && s_mono (self) - self->returned >= SETTLE_MS;
}
