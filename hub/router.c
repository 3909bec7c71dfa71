/* SPDX-License-Identifier: MPL-2.0 */

#include "build-config.h"

#include "hub/router.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub/descriptors.h"
#include "hub/foreman.h"
#include "hub/holders.h"
#include "hub/listener.h"
#include "hub/notices.h"
#include "hub/speech.h"
#include "lib/log.h"
#include "lib/secret.h"
#include "lib/tsan.h"
#include "scanner-proto/codec.h"

#define TICK_MS 1000
#define TOUCH_MS 60000
#define DRAIN_MS 10000
#define DRAIN_TICK_MS 50
#define SETTLE_MS 500
#define FLUSH_MS 60000
#define PARK_MS 3000  /* how long a request waits for younger ones */
#define SMALL_MOST 4096 /* bytes of any message but a report part */
/*  Jobs of a key that speaks for many scanners: below what may wait for one
    worker, so that others find room there.  */
#define SHIM_WINDOW (3 * SP_WINDOW)
#define AT_ONCE 64      /* messages taken before other work gets its turn */
#define OVERLOAD_DELAY_MS 2000
#define STOPPING_DELAY_MS 3000

typedef struct
{
    hub_router_args_t *args;
    zsock_t *pipe;
    hub_listener_t *listener;
    hub_sessions_t *sessions;
    hub_speech_t speech;
    hub_notices_t notices;
    hub_foreman_t foreman;
    size_t out;         /* jobs that wait for their answer */
    int64_t drain_until; /* mono ms; 0: not draining */
    int64_t returned;    /* mono ms of the last job that came back */
    int64_t next_tick, next_flush;
    hub_assignments_t *pushed; /* that sessions were last compared with */
    unsigned generation; /* of the registry, when sessions were checked */
    unsigned key_generation; /* of the announcements of the hub's next key */
} router_t;

/*  One message at hand.  */
typedef struct
{
    hub_principal_t who;
    const uint8_t *route;
    size_t route_size;
    sh_bytes_t frame;
    sp_peek_t peek;
    int64_t received; /* wall ms */
    int fd; /* of the connection it came by */
} letter_t;

static int64_t
s_mono (const router_t *self)
{
    return sh_clock_mono (self->args->clock);
}

static void
s_answer_error (router_t *self, const letter_t *letter, sh_err_t cause,
                const sh_why_t *why)
{
    hub_speech_send_error (&self->speech, letter->route, letter->route_size,
                           cause, why ? why->text : NULL);
}

/*  A part that is not even looked at: the sender keeps it for later.  */
static void
s_put_off (router_t *self, const letter_t *letter, sh_err_t cause,
           uint64_t delay)
{
    if (letter->peek.type != SP_REPORT) {
        s_answer_error (self, letter, cause, NULL);
        return;
    }
    hub_live_count (self->args->live, HUB_COUNT_PARTS_RETRY, 1);
    const hub_outcome_t outcome = { .who = &letter->who,
                                    .subnet = letter->peek.subnet,
                                    .result = SP_RETRY,
                                    .cause = cause };
    hub_live_outcome (self->args->live, &outcome, letter->received,
                      s_mono (self));
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
    hub_speech_send (&self->speech, letter->route, letter->route_size,
                     &message);
}

static void
s_submit_touch (router_t *self, hub_session_t *session,
                const hub_principal_t *who)
{
    hub_job_t *job = NULL;
    /*  That a shim is there says nothing about the scanners behind it.  */
    if (who->shim)
        return;
    if (hub_job_new (&job, HUB_JOB_TOUCH, who, (sh_bytes_t){ NULL, 0 })
        != SH_OK)
        return;
    session->touched = s_mono (self);
    for (const char *at = who->key; *at; at++)
        job->shard = job->shard * 31 + (uint8_t) *at;
    if (!hub_pool_submit (self->args->pool, job))
        hub_job_destroy (&job);
}

static void
s_welcome (router_t *self, const letter_t *letter, const sp_hello_t *hello,
           hub_session_t *session)
{
    bool known = hub_live_revision (self->args->live, &letter->who,
                                    session->revision);
    sp_message_t message = {
        .type = SP_WELCOME,
        .u.welcome = {
            .now = letter->received,
            .hello_now = hello->now,
            .name = letter->who.name,
            .version = "scanhubd " PACKAGE_VERSION,
            .part_bytes = SP_PART_BYTES_MOST,
            .part_hosts = SP_PART_HOSTS_MOST,
            .revision = { session->revision, known ? SP_REVISION : 0 },
        },
    };
    char next[SH_KEY_TEXT];
    uint8_t key[SP_HUB_KEY_BYTES];
    session->key_told = hub_keychange_generation (self->args->key);
    if (hub_keychange_next (self->args->key, next,
                            &message.u.welcome.next_at)
        && zmq_z85_decode (key, next))
        message.u.welcome.next_key = (sh_bytes_t){ key, sizeof key };
    hub_speech_send (&self->speech, letter->route, letter->route_size,
                     &message);
}

/*  The session goes by the letter's connection from now on.  */
static void
s_settle (router_t *self, hub_session_t *session, const letter_t *letter,
          bool fresh)
{
    memcpy (session->route, letter->route, letter->route_size);
    session->route_size = letter->route_size;
    session->heard = s_mono (self);
    session->asked = 0;
    snprintf (session->name, sizeof session->name, "%s", letter->who.name);
    if (fresh) {
        hub_greetings_leave (self->speech.greetings, session);
        session->fd = letter->fd;
        hub_peer_text (session->peer, letter->fd);
        hub_greetings_note (self->speech.greetings, session);
    }
    hub_holders_note_taken (session);
}

/*  An old connection that is gone already is of no interest; one that still
    stands may be a second machine with a copy of the key.  */
static void
s_supersede (router_t *self, const letter_t *letter, hub_session_t *session)
{
    char newer[HUB_PEER_TEXT];
    if (hub_session_is (session, letter->route, letter->route_size)
        || !hub_speech_send_error (&self->speech, session->route,
                                   session->route_size, SH_E_SUPERSEDED, NULL))
        return;
    hub_peer_text (newer, letter->fd);
    sh_log (SH_LOG_NOTICE, "a newer connection took over",
            SH_STR ("scanner", letter->who.name), SH_STR ("from", newer),
            SH_STR ("earlier", session->peer));
    if (!hub_roster_take_over (hub_live_roster (self->args->live),
                               letter->who.key, session->peer, newer,
                               s_mono (self)))
        return;
    hub_live_count (self->args->live, HUB_COUNT_CLONES, 1);
    sh_log (SH_LOG_WARNING, "two machines use one key",
            SH_STR ("scanner", letter->who.name),
            SH_STR ("one", session->peer), SH_STR ("other", newer),
            SH_STR ("remedy", "if the second is yours, give it a key and an "
                              "agent of its own; if not, the key is stolen: "
                              "scanhubctl scanner revoke"));
}

static void
s_on_hello (router_t *self, const letter_t *letter)
{
    sp_message_t *message = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sp_decode (&message, letter->frame, &why);
    if (rc != SH_OK) {
        s_answer_error (self, letter, rc, &why);
        return;
    }
    hub_session_t *session
        = hub_sessions_find (self->sessions, letter->who.key);
    if (session)
        s_supersede (self, letter, session);
    bool fresh = !session
                 || !hub_session_is (session, letter->route,
                                     letter->route_size);
    session = hub_sessions_open (self->sessions, letter->who.key);
    if (session) {
        s_settle (self, session, letter, fresh);
        session->orders = message->u.hello.orders && !letter->who.shim;
        sh_log (SH_LOG_INFO, "scanner connected",
                SH_STR ("scanner", session->name),
                SH_STR ("version", message->u.hello.version),
                SH_STR ("peer", session->peer),
                SH_INT ("clock_behind_ms",
                        letter->received - message->u.hello.now));
        hub_roster_connect (hub_live_roster (self->args->live), &letter->who,
                            session->peer, &message->u.hello,
                            letter->received, session->heard);
        s_welcome (self, letter, &message->u.hello, session);
        hub_registry_used (self->args->registry, letter->who.key);
        if (fresh || session->heard - session->touched >= TOUCH_MS)
            s_submit_touch (self, session, &letter->who);
        if (fresh)
            hub_foreman_greet (&self->foreman, session);
    }
    sp_message_destroy (&message);
}

static void
s_on_beat (router_t *self, const letter_t *letter, hub_session_t *session)
{
    sp_message_t *heard = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sp_decode (&heard, letter->frame, &why);
    if (rc != SH_OK) {
        s_answer_error (self, letter, rc, &why);
        return;
    }
    hub_roster_beat (hub_live_roster (self->args->live), session->key,
                     &heard->u.beat, letter->received);
    sp_message_destroy (&heard);
    sp_message_t message = {
        .type = SP_BEAT,
        .u.beat = { .now = letter->received },
    };
    hub_speech_say (&self->speech, session, &message);
}

/*  What an administrator has just saved in phpIPAM should count for a scan
    that is started by hand right after.  So a request waits for a look of the
    watcher that begins after it; one look serves all that wait.  Each session
    has one request at most: a newer one takes its place.  */
static void
s_on_assignments (router_t *self, const letter_t *letter,
                  hub_session_t *session)
{
    sp_message_t *message = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sp_decode (&message, letter->frame, &why);
    if (rc != SH_OK) {
        s_answer_error (self, letter, rc, &why);
        return;
    }
    const sp_assignments_t *ask = &message->u.assignments;
    session->asked = s_mono (self);
    session->ask_after = ask->after;
    snprintf (session->ask_code, sizeof session->ask_code, "%s",
              ask->code ? ask->code : "");
    sp_message_destroy (&message);
    hub_watch_poke (self->args->watch);
}

/*  Make a job of the message and hand it to the workers.  More than a scanner
    may have unanswered would only fill the queues that others wait in.  */
static sh_err_t
s_hand_over (router_t *self, const letter_t *letter, hub_job_kind_t kind)
{
    const char *key = letter->who.key;
    hub_job_t *job = NULL;
    size_t most = letter->who.shim ? SHIM_WINDOW : SP_WINDOW;
    if (hub_sessions_jobs (self->sessions, key) >= most)
        return SH_E_OVERLOAD;
    if (self->drain_until)
        return SH_E_STOPPING;
    if (hub_job_new (&job, kind, &letter->who, letter->frame) != SH_OK)
        return SH_E_OVERLOAD;
    job->received = letter->received;
    job->taken = s_mono (self);
    job->home = self->args->home;
    memcpy (job->route, letter->route, letter->route_size);
    job->route_size = letter->route_size;
    job->shard = hub_job_shard (letter->peek.subnet, letter->peek.code,
                                letter->peek.cidr);
    job->heavy = kind == HUB_JOB_TARGETS || letter->peek.last;
    if (hub_sessions_begin_job (self->sessions, key)) {
        if (hub_pool_submit (self->args->pool, job)) {
            self->out++;
            return SH_OK;
        }
        hub_sessions_end_job (self->sessions, key);
    }
    hub_job_destroy (&job);
    return SH_E_OVERLOAD;
}

static void
s_submit (router_t *self, const letter_t *letter, hub_job_kind_t kind)
{
    const char *key = letter->who.key;
    const sp_peek_t *peek = &letter->peek;
    bool part = kind == HUB_JOB_REPORT;
    if (part
        && !hub_sessions_note_part (self->sessions, key, peek->id,
                                    peek->part)) {
        hub_live_count (self->args->live, HUB_COUNT_DUPLICATES, 1);
        return; /* the verdict on the first one comes */
    }
    sh_err_t rc = s_hand_over (self, letter, kind);
    if (rc == SH_OK)
        return;
    if (part)
        hub_sessions_forget_part (self->sessions, key, peek->id, peek->part);
    s_put_off (self, letter, rc,
               rc == SH_E_STOPPING ? STOPPING_DELAY_MS : OVERLOAD_DELAY_MS);
}

static void
s_on_targets (router_t *self, const letter_t *letter, hub_session_t *session)
{
    (void) session;
    s_submit (self, letter, HUB_JOB_TARGETS);
}

static void
s_on_report (router_t *self, const letter_t *letter, hub_session_t *session)
{
    (void) session;
    s_submit (self, letter, HUB_JOB_REPORT);
}

static void
s_on_progress (router_t *self, const letter_t *letter, hub_session_t *session)
{
    (void) session;
    sp_message_t *message = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sp_decode (&message, letter->frame, &why);
    if (rc == SH_OK)
        hub_foreman_hear (&self->foreman, &letter->who, &message->u.progress);
    else
        s_answer_error (self, letter, rc, &why);
    sp_message_destroy (&message);
}

/*  What a scanner may send once it has said hello.  */
static void (*const s_handlers[SP_TYPE_COUNT]) (router_t *, const letter_t *,
                                                hub_session_t *)
    = {
          [SP_BEAT] = s_on_beat,
          [SP_ASSIGNMENTS] = s_on_assignments,
          [SP_TARGETS] = s_on_targets,
          [SP_REPORT] = s_on_report,
          [SP_PROGRESS] = s_on_progress,
      };

static void
s_dispatch (router_t *self, const letter_t *letter)
{
    if (letter->peek.type == SP_HELLO) {
        s_on_hello (self, letter);
        return;
    }
    if (!s_handlers[letter->peek.type]) {
        s_answer_error (self, letter, SH_E_UNKNOWN_TYPE, NULL);
        return;
    }
    hub_session_t *session
        = hub_sessions_find (self->sessions, letter->who.key);
    if (!session
        || !hub_session_is (session, letter->route, letter->route_size)) {
        s_answer_error (self, letter,
                        session ? SH_E_SUPERSEDED : SH_E_NO_HELLO, NULL);
        return;
    }
    session->heard = s_mono (self);
    hub_holders_note_taken (session);
    if (session->heard - session->touched >= TOUCH_MS)
        s_submit_touch (self, session, &letter->who);
    s_handlers[letter->peek.type](self, letter, session);
}

/*  The key that the handshake proved.  ZAP was asked then; whether the key is
    still good is asked now.  */
static bool
s_identify (router_t *self, zmq_msg_t *body, letter_t *letter)
{
    const char *key = zmq_msg_gets (body, "User-Id");
    if (!key || !*key) {
        sh_log (SH_LOG_ERROR, "a message without an authenticated key was "
                              "dropped; this must not happen");
        return false;
    }
    if (hub_registry_find (self->args->registry, key, &letter->who))
        return true;
    hub_sessions_close (self->sessions, key);
    s_answer_error (self, letter, SH_E_KEY_UNKNOWN, NULL);
    sh_log (SH_LOG_NOTICE, "a message of a revoked key was dropped",
            SH_STR ("key", key));
    return false;
}

/*  The session that the message belongs to, or NULL.  */
static hub_session_t *
s_session_of (router_t *self, const letter_t *letter)
{
    hub_session_t *session
        = hub_sessions_find (self->sessions, letter->who.key);
    return session && hub_session_is (session, letter->route,
                                      letter->route_size)
               ? session : NULL;
}

static void
s_take_letter (router_t *self, letter_t *letter, bool more_frames)
{
    sh_why_t why = { "" };
    sh_err_t rc = SH_OK;
    if (more_frames)
        rc = sh_fail (&why, SH_E_BAD_FRAME, "a message must be a single frame");
    else if (letter->frame.size > SMALL_MOST && !s_session_of (self, letter))
        rc = SH_E_NO_HELLO; /* not worth looking at */
    else
        rc = sp_peek (&letter->peek, letter->frame, &why);
    if (rc == SH_OK && letter->frame.size > SMALL_MOST
        && letter->peek.type != SP_REPORT)
        rc = SH_E_TOO_LARGE;
    if (rc == SH_OK) {
        s_dispatch (self, letter);
        return;
    }
    hub_live_count (self->args->live, HUB_COUNT_MESSAGES_BAD, 1);
    sh_log (SH_LOG_WARNING, "a message was refused",
            SH_STR ("scanner", letter->who.name),
            SH_STR ("cause", sh_err_word (rc)), SH_STR ("why", why.text));
    s_answer_error (self, letter, rc, &why);
}

/*  Take one message; false when there is none.  */
static bool
s_receive (router_t *self)
{
    zmq_msg_t route, body, rest;
    void *handle = self->speech.handle;
    zmq_msg_init (&route);
    if (zmq_msg_recv (&route, handle, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close (&route);
        return false;
    }
    zmq_msg_init (&body);
    if (zmq_msg_more (&route))
        zmq_msg_recv (&body, handle, ZMQ_DONTWAIT);
    bool more = zmq_msg_more (&body);
    for (bool again = more; again; zmq_msg_close (&rest)) {
        zmq_msg_init (&rest);
        if (zmq_msg_recv (&rest, handle, ZMQ_DONTWAIT) < 0)
            again = false;
        else
            again = zmq_msg_more (&rest);
    }

    letter_t letter = {
        .route = zmq_msg_data (&route),
        .route_size = zmq_msg_size (&route),
        .frame = { zmq_msg_data (&body), zmq_msg_size (&body) },
        .received = sh_clock_wall (self->args->clock),
        .fd = zmq_msg_get (&body, ZMQ_SRCFD),
    };
    if (letter.route_size <= HUB_ROUTE_MOST
        && s_identify (self, &body, &letter))
        s_take_letter (self, &letter, more);
    hub_principal_clear (&letter.who);
    zmq_msg_close (&body);
    zmq_msg_close (&route);
    return true;
}

/*  A worker is done with a job.  A verdict goes to the key's session, even if
    that began after the part was sent: it names report and part.  Targets go
    only to the connection that asked.  */
static void
s_return (router_t *self, hub_job_t *job)
{
    self->out--;
    self->returned = s_mono (self);
    hub_sessions_end_job (self->sessions, job->who.key);
    sp_peek_t peek = { 0 };
    if (job->kind == HUB_JOB_REPORT
        && sp_peek (&peek, (sh_bytes_t){ job->frame, job->frame_size }, NULL)
               == SH_OK)
        hub_sessions_forget_part (self->sessions, job->who.key, peek.id,
                                  peek.part);
    hub_session_t *session = hub_sessions_find (self->sessions, job->who.key);
    if (!session)
        return;
    if (job->kind != HUB_JOB_REPORT
        && !hub_session_is (session, job->route, job->route_size))
        return;
    hub_principal_t still;
    if (!hub_registry_find (self->args->registry, job->who.key, &still)) {
        hub_speech_send_error (&self->speech, session->route,
                               session->route_size, SH_E_KEY_UNKNOWN, NULL);
        hub_speech_end (&self->speech, session);
        return;
    }
    hub_principal_clear (&still);
    if (job->answer)
        hub_speech_say_frame (&self->speech, session, job->answer,
                              job->answer_size);
}

static void
s_return_all (router_t *self)
{
    hub_job_t *jobs[AT_ONCE];
    size_t count = hub_queue_take (self->args->home, jobs, AT_ONCE, 0, 0);
    for (size_t i = 0; i < count; i++) {
        s_return (self, jobs[i]);
        hub_job_destroy (&jobs[i]);
    }
}

/*  The watcher has looked.  A request that came while it was looking waits
    for the next look, for which its poke has asked.  */
static void
s_on_look (router_t *self)
{
    uint64_t value;
    ssize_t ignored = read (self->args->looked, &value, sizeof value);
    (void) ignored;
    hub_assignments_t *now = hub_live_assignments (self->args->live);
    bool changed = now != self->pushed;
    hub_assignments_release (&self->pushed);
    self->pushed = now;
    hub_notices_answer_waiting (&self->notices,
                                hub_watch_began (self->args->watch));
    if (changed)
        hub_notices_push_revisions (&self->notices);
}

/*  Sessions of keys that were revoked end at once, not with their next
    message.  */
static void
s_sweep_revoked (router_t *self)
{
    unsigned generation = hub_registry_generation (self->args->registry);
    if (generation == self->generation)
        return;
    self->generation = generation;
    for (hub_session_t *one = hub_sessions_first (self->sessions); one;
         one = hub_sessions_next (self->sessions)) {
        hub_principal_t who;
        if (hub_registry_find (self->args->registry, one->key, &who)) {
            snprintf (one->name, sizeof one->name, "%s", who.name);
            hub_principal_clear (&who);
            continue;
        }
        bool retired
            = hub_registry_is_retired (self->args->registry, one->key);
        sh_log (SH_LOG_NOTICE,
                retired ? "a session of a replaced key is over"
                        : "scanner revoked, its session is over",
                SH_STR ("scanner", one->name));
        hub_speech_send_error (&self->speech, one->route, one->route_size,
                               SH_E_KEY_UNKNOWN, NULL);
        hub_speech_end (&self->speech, one);
    }
}

/*  So do those of scanners that fell silent.  */
static void
s_sweep (router_t *self, int64_t now)
{
    hub_roster_t *roster = hub_live_roster (self->args->live);
    hub_roster_begin (roster);
    for (hub_session_t *one = hub_sessions_first (self->sessions); one;
         one = hub_sessions_next (self->sessions)) {
        if (now - one->heard <= SP_SILENCE_MS) {
            hub_roster_present (roster, one->key, one->heard);
            continue;
        }
        sh_log (SH_LOG_NOTICE, "scanner fell silent",
                SH_STR ("scanner", one->name));
        hub_speech_end (&self->speech, one);
    }
    hub_roster_end (roster, sh_clock_wall (self->args->clock));
}

/*  What 'scanhubctl status' and /metrics say of this thread.  */
static void
s_measure (router_t *self)
{
    hub_meters_t *meters = hub_live_meters (self->args->live);
    hub_meters_set (meters, HUB_GAUGE_JOBS_OUT, self->out);
    hub_meters_set (meters, HUB_GAUGE_ORDERS_OPEN,
                    hub_foreman_open (&self->foreman));
    hub_listener_measure (self->listener, meters);
}

/*  What is about scans that are ordered.  Whoever asks waits for an answer, be
    it that there is none.  */
static void
s_ask_foreman (router_t *self, char *command)
{
    bool stopping = self->drain_until && strncmp (command, "SCAN\n", 5) == 0;
    char *answer
        = stopping ? NULL : hub_foreman_answer (&self->foreman, command);
    zstr_send (self->pipe, answer     ? answer
                           : stopping ? "error the hub is shutting down"
                                      : "error the hub has no answer to that");
    free (answer);
}

static void
s_answer_told (router_t *self)
{
    unsigned generation = hub_keychange_generation (self->args->key);
    size_t told = 0;
    for (hub_session_t *one = hub_sessions_first (self->sessions); one;
         one = hub_sessions_next (self->sessions))
        told += one->key_told == generation;
    char text[64];
    snprintf (text, sizeof text, "%zu %zu", hub_sessions_size (self->sessions),
              told);
    zstr_send (self->pipe, text);
}

/*  Is it time for the next key, and does everybody know of it?  */
static void
s_watch_key (router_t *self, int64_t now)
{
    char next[SH_KEY_TEXT], secret[SH_KEY_TEXT];
    int64_t at = 0;
    if (hub_keychange_turn (self->args->key, sh_clock_wall (self->args->clock))) {
        hub_keychange_now (self->args->key, next, secret);
        hub_listener_rekey (self->listener, secret, self->sessions, now);
        sh_secret_wipe (secret, sizeof secret);
        self->speech.handle = hub_listener_handle (self->listener);
    }
    unsigned generation = hub_keychange_generation (self->args->key);
    if (generation == self->key_generation)
        return;
    self->key_generation = generation;
    bool is = hub_keychange_next (self->args->key, next, &at);
    hub_notices_push_hub_key (&self->notices, is ? next : NULL, at,
                              generation);
}

/*  A command of main; false: end.  */
static bool
s_command (router_t *self)
{
    char *command = zstr_recv (self->pipe);
    bool go_on = command && !streq (command, "$TERM");
    if (go_on && streq (command, "DRAIN"))
        self->drain_until = s_mono (self) + DRAIN_MS;
    else if (go_on && streq (command, HUB_ROUTER_TOLD))
        s_answer_told (self);
    else if (go_on)
        s_ask_foreman (self, command);
    zstr_free (&command);
    return go_on;
}

static void
s_tick (router_t *self)
{
    int64_t now = s_mono (self);
    hub_listener_watch (self->listener, self->sessions, now);
    self->speech.handle = hub_listener_handle (self->listener);
    s_watch_key (self, now);
    s_sweep_revoked (self);
    /*  libzmq drops what it has not yet written when a socket is closed, even
        with a LINGER, so the last answers get some time.  */
    bool quiet = self->out == 0 && now - self->returned >= SETTLE_MS;
    if (self->drain_until > 0 && (quiet || now >= self->drain_until)) {
        self->drain_until = -1; /* told; goes on refusing */
        zstr_send (self->pipe, "DRAINED");
    }
    s_measure (self);
    if (now < self->next_tick)
        return;
    self->next_tick = now + TICK_MS;
    hub_notices_answer_waiting (&self->notices, now - PARK_MS);
    s_sweep (self, now);
    hub_foreman_watch (&self->foreman);
    hub_descriptors_watch (now);
    if (now >= self->next_flush) {
        self->next_flush = now + FLUSH_MS;
        sh_log_flush ();
    }
}

/*  The time until something has to be looked at.  */
static long
s_patience (const router_t *self)
{
    return self->drain_until > 0 ? DRAIN_TICK_MS
                                 : hub_listener_patience (self->listener);
}

static void
s_loop (router_t *self)
{
    zmq_pollitem_t items[] = {
        { zsock_resolve (self->pipe), 0, ZMQ_POLLIN, 0 },
        { NULL, hub_queue_fd (self->args->home), ZMQ_POLLIN, 0 },
        { NULL, self->args->looked, ZMQ_POLLIN, 0 },
        { NULL, 0, ZMQ_POLLIN, 0 }, /* the ROUTER, while it is open */
    };
    bool go_on = true;
    while (go_on) {
        items[3].socket = self->speech.handle;
        items[3].revents = 0;
        hub_beat_idle (self->args->beat);
        int count = zmq_poll (items, items[3].socket ? 4 : 3,
                              s_patience (self));
        hub_beat_work (self->args->beat);
        if (count < 0) {
            if (errno == ETERM)
                break;
            /*  What 'items' say is the last round's, and to take a command
                that is not there would block.  */
            s_tick (self);
            continue;
        }
        if (items[0].revents)
            go_on = s_command (self);
        if (items[1].revents)
            s_return_all (self);
        for (int i = 0; items[3].revents && i < AT_ONCE; i++)
            if (!s_receive (self))
                break;
        if (items[2].revents)
            s_on_look (self);
        s_tick (self);
    }
}

static sh_err_t
s_open (router_t *self)
{
    hub_router_args_t *args = self->args;
    char public_key[SH_KEY_TEXT], secret[SH_KEY_TEXT];
    hub_keychange_now (args->key, public_key, secret);
    const hub_listener_options_t options = {
        .endpoints = &args->config->listen,
        .secret_key = secret,
        .ceiling = args->config->memory_ceiling,
        .keys = hub_registry_size (args->registry),
        .putoff = args->putoff,
        .admitted = args->admitted,
    };
    sh_err_t rc = hub_sessions_new (&self->sessions);
    if (rc == SH_OK)
        rc = hub_listener_new (&self->listener, &options, &args->why);
    sh_secret_wipe (secret, sizeof secret);
    if (rc == SH_OK)
        self->speech = (hub_speech_t){
            .handle = hub_listener_handle (self->listener),
            .sessions = self->sessions,
            .greetings = hub_listener_greetings (self->listener),
        };
    if (rc == SH_OK)
        rc = hub_orders_new (&self->foreman.orders);
    self->foreman.speech = &self->speech;
    self->foreman.clock = args->clock;
    self->notices = (hub_notices_t){
        .speech = &self->speech,
        .registry = args->registry,
        .live = args->live,
    };
    return rc;
}

void
hub_router_actor (zsock_t *pipe, void *arguments)
{
    hub_router_args_t *args = arguments;
    router_t self = { .args = args, .pipe = pipe };
    hub_beat_begin (args->beat);
    args->err = s_open (&self);
    SH_TSAN_GIVE (args);
    zsock_signal (pipe, 0);
    if (args->err == SH_OK)
        s_loop (&self);
    else {
        /*  zactor_destroy's "$TERM" is text: zsock_wait would pass it over
            and wait for ever.  */
        char *command = zstr_recv (pipe);
        zstr_free (&command);
    }
    hub_beat_leave (args->beat);
    hub_listener_destroy (&self.listener);
    hub_assignments_release (&self.pushed);
    hub_orders_destroy (&self.foreman.orders);
    hub_sessions_destroy (&self.sessions);
}
