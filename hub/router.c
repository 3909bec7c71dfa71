/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/router.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub/descriptors.h"
#include "hub/dispatch.h"
#include "hub/foreman.h"
#include "hub/holders.h"
#include "hub/listener.h"
#include "hub/notices.h"
#include "hub/reception.h"
#include "hub/sweep.h"
#include "lib/log.h"
#include "lib/secret.h"
#include "lib/tsan.h"
#include "scanner-proto/codec.h"

#define TICK_MS 1000
#define TOUCH_TICK_MS 250
#define DRAIN_MS 10000
#define DRAIN_TICK_MS 50
#define FLUSH_MS 60000
#define PARK_MS 3000  /* how long a request waits for younger ones */
#define SMALL_MOST 4096 /* bytes of any message but a report part */
#define AT_ONCE 64      /* messages taken before other work gets its turn */

typedef struct
{
    hub_router_args_t *args;
    zsock_t *pipe;
    hub_listener_t *listener;
    hub_sessions_t *sessions;
    hub_speech_t speech;
    hub_notices_t notices;
    hub_foreman_t foreman;
    hub_dispatch_t dispatch;
    hub_reception_t reception;
    hub_sweep_t sweep;
    int64_t drain_until; /* mono ms; 0: not draining */
    int64_t next_tick, next_touch, next_flush;
    hub_assignments_t *pushed; /* that sessions were last compared with */
    unsigned key_generation; /* of the announcements of the hub's next key */
} router_t;

static int64_t
s_mono (const router_t *self)
{
    return sh_clock_mono (self->args->clock);
}

static void
s_refuse (router_t *self, const hub_letter_t *letter, sh_err_t cause,
          const sh_why_t *why)
{
    hub_letter_refuse (letter, &self->speech, cause, why);
}

static void
s_on_beat (router_t *self, const hub_letter_t *letter, hub_session_t *session)
{
    sp_message_t *heard = hub_letter_decode (letter, &self->speech);
    if (!heard)
        return;
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
s_on_assignments (router_t *self, const hub_letter_t *letter,
                  hub_session_t *session)
{
    sp_message_t *message = hub_letter_decode (letter, &self->speech);
    if (!message)
        return;
    const sp_assignments_t *ask = &message->u.assignments;
    session->asked = s_mono (self);
    session->ask_after = ask->after;
    snprintf (session->ask_code, sizeof session->ask_code, "%s",
              ask->code ? ask->code : "");
    sp_message_destroy (&message);
    hub_watch_poke (self->args->watch);
}

static void
s_on_targets (router_t *self, const hub_letter_t *letter,
              hub_session_t *session)
{
    (void) session;
    hub_dispatch_submit (&self->dispatch, letter, HUB_JOB_TARGETS);
}

static void
s_on_report (router_t *self, const hub_letter_t *letter,
             hub_session_t *session)
{
    (void) session;
    hub_dispatch_submit (&self->dispatch, letter, HUB_JOB_REPORT);
}

static void
s_on_progress (router_t *self, const hub_letter_t *letter,
               hub_session_t *session)
{
    (void) session;
    sp_message_t *message = hub_letter_decode (letter, &self->speech);
    if (message)
        hub_foreman_hear (&self->foreman, &letter->who, &message->u.progress);
    sp_message_destroy (&message);
}

/*  What a scanner may send once it has said hello.  */
static void (*const s_handlers[SP_TYPE_COUNT]) (router_t *,
                                                const hub_letter_t *,
                                                hub_session_t *)
    = {
          [SP_BEAT] = s_on_beat,
          [SP_ASSIGNMENTS] = s_on_assignments,
          [SP_TARGETS] = s_on_targets,
          [SP_REPORT] = s_on_report,
          [SP_PROGRESS] = s_on_progress,
      };

static void
s_dispatch (router_t *self, const hub_letter_t *letter)
{
    if (letter->peek.type == SP_HELLO) {
        hub_reception_greet (&self->reception, letter);
        return;
    }
    if (!s_handlers[letter->peek.type]) {
        s_refuse (self, letter, SH_E_UNKNOWN_TYPE, NULL);
        return;
    }
    hub_session_t *session
        = hub_sessions_find (self->sessions, letter->who.key);
    if (!session || !hub_letter_is_of (letter, session)) {
        s_refuse (self, letter, session ? SH_E_SUPERSEDED : SH_E_NO_HELLO,
                  NULL);
        return;
    }
    session->heard = s_mono (self);
    hub_holders_note_taken (session);
    s_handlers[letter->peek.type](self, letter, session);
}

/*  The key that the handshake proved.  ZAP was asked then; whether the key is
    still good is asked now.  */
static bool
s_identify (router_t *self, hub_letter_t *letter)
{
    const char *key = letter->key;
    if (!key) {
        sh_log (SH_LOG_ERROR, "a message without an authenticated key was "
                              "dropped; this must not happen");
        return false;
    }
    if (hub_registry_find (self->args->registry, key, &letter->who))
        return true;
    hub_sessions_close (self->sessions, key);
    s_refuse (self, letter, SH_E_KEY_UNKNOWN, NULL);
    sh_log (SH_LOG_NOTICE, "a message of a revoked key was dropped",
            SH_STR ("key", key));
    return false;
}

/*  The session that the message belongs to, or NULL.  */
static hub_session_t *
s_session_of (router_t *self, const hub_letter_t *letter)
{
    hub_session_t *session
        = hub_sessions_find (self->sessions, letter->who.key);
    return session && hub_letter_is_of (letter, session) ? session : NULL;
}

static void
s_take_letter (router_t *self, hub_letter_t *letter)
{
    sh_why_t why = { "" };
    sh_err_t rc = SH_OK;
    if (letter->more)
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
    s_refuse (self, letter, rc, &why);
}

/*  Take one message; false when there is none.  */
static bool
s_receive (router_t *self)
{
    hub_letter_t letter;
    if (!hub_letter_take (&letter, self->speech.handle))
        return false;
    letter.received = sh_clock_wall (self->args->clock);
    if (letter.route_size <= HUB_ROUTE_MOST && s_identify (self, &letter))
        s_take_letter (self, &letter);
    hub_letter_drop (&letter);
    return true;
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

/*  What 'scanhubctl status' and /metrics say of this thread.  */
static void
s_measure (router_t *self)
{
    hub_meters_t *meters = hub_live_meters (self->args->live);
    hub_meters_set (meters, HUB_GAUGE_JOBS_OUT, self->dispatch.out);
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
    if (hub_keychange_turn (self->args->key,
                            sh_clock_wall (self->args->clock))) {
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
    if (go_on && streq (command, "DRAIN")) {
        self->drain_until = s_mono (self) + DRAIN_MS;
        self->dispatch.closed = true;
    } else if (go_on && streq (command, HUB_ROUTER_TOLD))
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
    hub_sweep_revoked (&self->sweep);
    bool quiet = hub_dispatch_is_quiet (&self->dispatch);
    if (self->drain_until > 0 && (quiet || now >= self->drain_until)) {
        self->drain_until = -1; /* told; goes on refusing */
        zstr_send (self->pipe, "DRAINED");
    }
    s_measure (self);
    if (now >= self->next_touch) {
        self->next_touch = now + TOUCH_TICK_MS;
        hub_dispatch_touch_due (&self->dispatch, now);
    }
    if (now < self->next_tick)
        return;
    self->next_tick = now + TICK_MS;
    hub_notices_answer_waiting (&self->notices, now - PARK_MS);
    hub_sweep_silent (&self->sweep, now);
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
            hub_dispatch_take_back (&self->dispatch);
        for (int i = 0; items[3].revents && i < AT_ONCE; i++)
            if (!s_receive (self))
                break;
        if (items[2].revents)
            s_on_look (self);
        s_tick (self);
    }
}

/*  Who works here, and with what.  */
static void
s_furnish (router_t *self)
{
    hub_router_args_t *args = self->args;
    self->foreman.speech = &self->speech;
    self->foreman.clock = args->clock;
    self->notices = (hub_notices_t){
        .speech = &self->speech,
        .registry = args->registry,
        .live = args->live,
    };
    self->dispatch = (hub_dispatch_t){
        .speech = &self->speech,
        .pool = args->pool,
        .home = args->home,
        .registry = args->registry,
        .live = args->live,
        .clock = args->clock,
    };
    self->reception = (hub_reception_t){
        .speech = &self->speech,
        .foreman = &self->foreman,
        .key = args->key,
        .registry = args->registry,
        .live = args->live,
        .clock = args->clock,
    };
    self->sweep = (hub_sweep_t){
        .speech = &self->speech,
        .registry = args->registry,
        .live = args->live,
        .clock = args->clock,
    };
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
    s_furnish (self);
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
