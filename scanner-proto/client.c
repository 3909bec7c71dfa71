/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/client.h"

#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/secret.h"
#include "scanner-proto/codec.h"
#include "scanner-proto/rota.h"
#include "scanner-proto/session.h"

#define AT_ONCE 16        /* messages before the caller gets its turn */
#define USELESS_MOST 2000 /* between two beats: no hub has so many to say */
#define WELCOME_MS 10000      /* from hello to welcome */
#define STEADY_MS 10000       /* a session that lived so long was a success */
/*  To connect and to shake hands; libzmq has its own time-outs before.  */
#define ATTEMPT_MS (SP_CONNECT_MS + SP_HANDSHAKE_MS + 1000)
#define NEXT_KEY_MS 30000 /* between two looks whether our next key is let in */
#define NEXT_KEY_FIRST_MS 2000
#define OFFSET_MOST_MS INT64_C (1000000000000000) /* 30,000 years: no clock */

typedef enum
{
    STATE_IDLE,       /* no session; the next one begins at 'due' */
    STATE_CONNECTING, /* until the handshake has succeeded */
    STATE_GREETING,   /* hello is sent or about to be */
    STATE_UP
} s_state_t;

struct sp_client
{
    sp_hubs_t hubs;
    sp_rota_t rota; /* which of them */
    char public_key[SH_KEY_TEXT], secret_key[SH_KEY_TEXT];
    /*  Our next key, as it was last offered, and the hubs' keys.  */
    sp_next_key_t next_key;
    char next_public[SH_KEY_TEXT], next_secret[SH_KEY_TEXT];
    sp_hub_keys_t *hub_keys, *own_hub_keys;
    bool try_next[SP_HUBS_MOST]; /* the key that the hub announced is tried */
    char *version;
    bool orders;
    const sh_clock_t *clock;

    sp_session_t *session;
    s_state_t state;
    sp_link_t ending;   /* the link is lost, but messages may be waiting */
    bool hello_due;
    bool other_next;    /* a message was served last: it's the other's turn */
    int64_t due;        /* IDLE: next attempt; CONNECTING, GREETING: give up */
    int64_t beat_due;
    int64_t heard;      /* when the last message came */
    int64_t up_since;
    int64_t hello_now;  /* what the last hello said, and when by mono */
    int64_t hello_mono;
    int64_t hub_epoch;  /* the hub's clock minus mono */

    /*  Which keys the session at hand was begun with.  */
    bool with_next;    /* our next one */
    bool to_next;      /* the one that the hub announced */
    bool denied;       /* ours was refused: the next one's turn */

    sp_session_t *look; /* a handshake with a preferred hub, while UP; or with
                           the hub in use, and our next key */
    bool look_key;      /* the latter */
    bool look_to_next;  /* as 'to_next' */
    int64_t look_end;   /* give it up then */
    int64_t key_due;    /* the next look with our next key */

    unsigned handshakes; /* broken ones in a row on this hub */
    uint64_t spool, running;
    unsigned useless; /* messages since the last beat that nobody was told of */
};

static sh_err_t
s_check_options (const sp_client_options_t *options, sh_why_t *why)
{
    char derived[SH_KEY_TEXT];
    if (!sh_key_valid (options->public_key)
        || !sh_key_valid (options->secret_key)
        || zmq_curve_public (derived, options->secret_key) != 0
        || strcmp (derived, options->public_key) != 0)
        return sh_fail (why, SH_E_SYNTAX, "our own keys are no CURVE key pair");
    if (strlen (options->version) > SP_TEXT_MOST)
        return sh_fail (why, SH_E_SYNTAX, "our own version text is too long");
    for (size_t i = 0; i < options->hub_count; i++) {
        sh_err_t rc = sp_hub_check (&options->hubs[i], why);
        if (rc)
            return rc;
    }
    return SH_OK;
}

static bool
s_copy_options (sp_client_t *self, const sp_client_options_t *options)
{
    self->clock = options->clock;
    self->orders = options->orders;
    self->next_key = options->next_key;
    self->hub_keys = options->hub_keys;
    if (!self->hub_keys) {
        if (sp_hub_keys_new (&self->own_hub_keys, NULL, NULL) != SH_OK)
            return false;
        self->hub_keys = self->own_hub_keys;
    }
    self->version = strdup (options->version);
    memcpy (self->public_key, options->public_key, SH_KEY_TEXT);
    memcpy (self->secret_key, options->secret_key, SH_KEY_TEXT);
    sp_rota_init (&self->rota, options->hub_count, options->return_ms);
    return self->version
           && sp_hubs_copy (&self->hubs, options->hubs, options->hub_count);
}

sh_err_t
sp_client_new (sp_client_t **out, const sp_client_options_t *options,
               sh_why_t *why)
{
    assert (out && options && options->hubs && options->public_key);
    assert (options->secret_key && options->version && options->clock);
    assert (options->hub_count > 0 && options->hub_count <= SP_HUBS_MOST);
    if (sodium_init () < 0)
        return sh_fail (why, SH_E_INTERNAL, "libsodium does not start");
    sh_err_t rc = s_check_options (options, why);
    if (rc)
        return rc;

    sp_client_t *self = calloc (1, sizeof *self);
    if (!self || !s_copy_options (self, options)) {
        sp_client_destroy (&self);
        return sh_fail (why, SH_E_MEMORY, "no memory for a client");
    }
    self->due = sh_clock_mono (self->clock);
    self->hub_epoch = sh_clock_epoch (self->clock); /* nothing known yet */
    *out = self;
    return SH_OK;
}

void
sp_client_destroy (sp_client_t **self_p)
{
    assert (self_p);
    sp_client_t *self = *self_p;
    if (!self)
        return;
    sp_session_destroy (&self->session);
    sp_session_destroy (&self->look);
    sp_hubs_clear (&self->hubs);
    sp_hub_keys_destroy (&self->own_hub_keys);
    free (self->version);
    sh_secret_wipe (self->next_secret, sizeof self->next_secret);
    sh_secret_wipe (self->secret_key, sizeof self->secret_key);
    free (self);
    *self_p = NULL;
}

static sp_rota_end_t
s_kind_of_end (sh_err_t err)
{
    if (sp_rota_is_leaving (err))
        return SP_ROTA_LEAVING;
    switch (err) {
    case SH_E_KEY_REFUSED:
    case SH_E_KEY_UNKNOWN:
    case SH_E_SUPERSEDED:
        return SP_ROTA_DENIED;
    default:
        return SP_ROTA_LOST;
    }
}

/*  Count the failure, choose the next hub and when to try it.  A session that
    held for a while wipes the slate; one that did not is a failure too, else
    two scanners with one key would supersede each other without end.  */
static int
s_count_failure (sp_client_t *self, sh_err_t err)
{
    int64_t now = sh_clock_mono (self->clock);
    bool steady = self->state == STATE_UP && now - self->up_since >= STEADY_MS;
    size_t hub = self->rota.at;
    int delay = sp_rota_end (&self->rota, s_kind_of_end (err), steady,
                             randombytes_random ());
    if (self->rota.at != hub)
        self->handshakes = 0;
    self->due = now + delay;
    return delay;
}

static void
s_close (sp_client_t *self)
{
    sp_session_destroy (&self->session);
    sp_session_destroy (&self->look);
    self->state = STATE_IDLE;
    self->ending = SP_LINK_NOTHING;
    self->hello_due = false;
}

/*  End the session, fill in the event.  */
static void SH_PRINTF (4, 5)
s_down (sp_client_t *self, sp_event_t *event, sh_err_t err, const char *format,
        ...)
{
    va_list args;
    va_start (args, format);
    vsnprintf (event->text, sizeof event->text, format, args);
    va_end (args);
    event->kind = SP_EVENT_DOWN;
    event->err = err;
    event->delay = s_count_failure (self, err);
    s_close (self);
}

/*  Ours and, where there is one, our next key take turns: the hub may know only
    that one by now.  */
static void
s_refused (sp_client_t *self, sp_event_t *event)
{
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (fingerprint, self->public_key);
    self->denied = !self->with_next;
    s_down (self, event, SH_E_KEY_REFUSED,
            "%.60s refused our key; on the hub: scanhubctl scanner approve %s "
            "NAME --code CODE; if it is registered, the hub has put it off for "
            "a while, see its log",
            sp_client_endpoint (self), fingerprint);
}

static void
s_link_down (sp_client_t *self, sp_link_t link, sp_event_t *event)
{
    const char *hub = sp_client_endpoint (self);
    char proxy[200];
    if (link != SP_LINK_LOST && link != SP_LINK_KEY_REFUSED
        && sp_session_proxy_trouble (self->session, proxy, sizeof proxy)) {
        s_down (self, event, SH_E_DISCONNECTED, "%s", proxy);
        return;
    }
    self->handshakes = link == SP_LINK_NO_HANDSHAKE ? self->handshakes + 1 : 0;
    if (link == SP_LINK_NO_HANDSHAKE)
        self->try_next[self->rota.at] = !self->to_next;
    switch (link) {
    case SP_LINK_KEY_REFUSED:
        s_refused (self, event);
        break;
    case SP_LINK_NO_TCP:
        s_down (self, event, SH_E_DISCONNECTED,
                "no hub answers at %s, is scanhubd running and the port open?",
                hub);
        break;
    case SP_LINK_NO_HANDSHAKE:
        if (self->handshakes < SP_ROTA_FAILURES)
            s_down (self, event, SH_E_DISCONNECTED,
                    "%s closed the connection in the handshake", hub);
        else
            s_down (self, event, SH_E_HUB_KEY,
                    "%s answers but ends the handshake; the hub key in our "
                    "configuration is probably wrong, or the hub is in trouble",
                    hub);
        break;
    case SP_LINK_SILENT:
        s_down (self, event, SH_E_DISCONNECTED,
                "%s accepts the connection and is silent; is it a Scanhub hub?",
                hub);
        break;
    default:
        s_down (self, event, SH_E_DISCONNECTED,
                "the connection to %s was lost", hub);
    }
}

/*  Begin to connect to a hub of the list, with our key or the next one, to the
    key that it has or the one that it announced ('*to_next').  */
static sh_err_t
s_connect (const sp_client_t *self, size_t at, bool with_next, bool *to_next,
           sp_session_t **session, sh_why_t *why)
{
    char key[SH_KEY_TEXT];
    sp_hub_t hub = self->hubs.items[at];
    const char *next = sp_hub_keys_next (self->hub_keys, &hub, NULL);
    *to_next = next && self->try_next[at];
    snprintf (key, sizeof key, "%s",
              *to_next ? next : sp_hub_keys_now (self->hub_keys, &hub));
    hub.public_key = key;
    return sp_session_new (session, &hub,
                           with_next ? self->next_public : self->public_key,
                           with_next ? self->next_secret : self->secret_key,
                           why);
}

/*  Is there a next key of ours?  */
static bool
s_get_next_key (sp_client_t *self)
{
    return self->next_key.offer
           && self->next_key.offer (self->next_key.context, self->next_public,
                                    self->next_secret);
}

/*  A hub has let it in: from now on it is the only one that we have.  */
static void
s_take_next_key (sp_client_t *self)
{
    char fingerprint[SH_FINGERPRINT_TEXT];
    memcpy (self->public_key, self->next_public, SH_KEY_TEXT);
    memcpy (self->secret_key, self->next_secret, SH_KEY_TEXT);
    sh_secret_wipe (self->next_secret, sizeof self->next_secret);
    self->denied = false;
    sh_key_fingerprint (fingerprint, self->public_key);
    sh_log (SH_LOG_NOTICE, "the hub has accepted our next key, which is ours "
                           "from now on",
            SH_STR ("fingerprint", fingerprint));
    if (self->next_key.taken)
        self->next_key.taken (self->next_key.context);
}

/*  A handshake with the key that the hub had announced has succeeded.  */
static void
s_take_hub_key (sp_client_t *self, size_t at)
{
    const sp_hub_t *hub = &self->hubs.items[at];
    char fingerprint[SH_FINGERPRINT_TEXT];
    sp_hub_keys_turn (self->hub_keys, hub);
    self->try_next[at] = false;
    sh_key_fingerprint (fingerprint, sp_hub_keys_now (self->hub_keys, hub));
    sh_log (SH_LOG_NOTICE, "the hub has the key now that it had announced",
            SH_STR ("hub", hub->endpoint), SH_STR ("fingerprint", fingerprint),
            SH_STR ("remedy", "put it into the configuration some time"));
}

static void
s_start (sp_client_t *self, sp_event_t *event)
{
    sh_why_t why = { "" };
    self->with_next = self->denied && s_get_next_key (self);
    sh_err_t rc = s_connect (self, self->rota.at, self->with_next,
                             &self->to_next, &self->session, &why);
    if (rc) {
        s_down (self, event, rc, "no session with %s: %.120s",
                sp_client_endpoint (self), why.text);
        return;
    }
    self->state = STATE_CONNECTING;
    self->due = sh_clock_mono (self->clock) + ATTEMPT_MS;
}

static void
s_look_failed (sp_client_t *self, const char *why)
{
    if (self->look_key) {
        sh_log (SH_LOG_DEBUG, "our next key is not let in yet",
                SH_STR ("hub", sp_client_endpoint (self)),
                SH_STR ("why", why));
        sp_session_destroy (&self->look);
        self->key_due = sh_clock_mono (self->clock) + NEXT_KEY_MS;
        return;
    }
    sh_log (SH_LOG_DEBUG, "a preferred hub is not back yet",
            SH_STR ("hub", self->hubs.items[self->rota.look_at].endpoint),
            SH_STR ("why", why));
    sp_session_destroy (&self->look);
    sp_rota_look_failed (&self->rota, sh_clock_mono (self->clock),
                         randombytes_random ());
}

static bool
s_shows_next_key (const sp_client_t *self)
{
    return self->next_key.offer && !self->next_key.only_when_refused;
}

/*  Show the hub in use our next key, if there is one.  */
static void
s_look_with_next_key (sp_client_t *self, int64_t now)
{
    sh_why_t why = { "" };
    self->key_due = now + NEXT_KEY_MS;
    if (!s_get_next_key (self))
        return;
    self->look_key = true;
    self->look_end = now + ATTEMPT_MS;
    if (s_connect (self, self->rota.at, true, &self->look_to_next, &self->look,
                   &why)
        != SH_OK)
        s_look_failed (self, why.text);
}

/*  Knock at a preferred hub, beside the session.  It hears a handshake, but no
    hello, so nothing changes for it or for the hub in use.  */
static void
s_look (sp_client_t *self, int64_t now)
{
    sh_why_t why = { "" };
    if (self->look) {
        if (now >= self->look_end)
            s_look_failed (self, "no answer");
    } else if (now >= self->rota.look_due) {
        self->look_key = false;
        if (s_connect (self, self->rota.look_at, false, &self->look_to_next,
                       &self->look, &why)
            != SH_OK)
            s_look_failed (self, why.text);
        self->look_end = now + ATTEMPT_MS;
    } else if (s_shows_next_key (self) && now >= self->key_due)
        s_look_with_next_key (self, now);
}

static void
s_greet (sp_client_t *self)
{
    self->state = STATE_GREETING;
    self->due = sh_clock_mono (self->clock) + WELCOME_MS;
    self->hello_due = true;
}

/*  The preferred hub has taken us.  What the other one has not answered yet
    gets answered by a resend.  */
static void
s_go_back (sp_client_t *self, sp_event_t *event)
{
    sp_session_t *session = self->look;
    bool key = self->look_key;
    self->look = NULL;
    s_close (self);
    if (key)
        s_take_next_key (self);
    else
        sp_rota_return (&self->rota);
    if (self->look_to_next)
        s_take_hub_key (self, self->rota.at);
    self->session = session;
    self->with_next = self->to_next = false;
    self->handshakes = 0;
    s_greet (self);
    event->kind = SP_EVENT_DOWN;
    event->err = SH_E_DISCONNECTED;
    snprintf (event->text, sizeof event->text,
              key ? "going over to our next key, which %s has accepted"
                  : "going back to the preferred hub %s, which is there again",
              sp_client_endpoint (self));
}

/*  True when the session is over for it.  */
static bool
s_read_look (sp_client_t *self, sp_event_t *event)
{
    sp_link_t link;
    while (self->look && sp_session_news (self->look, &link)) {
        if (link == SP_LINK_SECURED) {
            s_go_back (self, event);
            return true;
        }
        if (link == SP_LINK_NO_HANDSHAKE && !self->look_key)
            self->try_next[self->rota.look_at] = !self->look_to_next;
        if (link == SP_LINK_KEY_REFUSED)
            s_look_failed (self, "it refused our key");
        else if (link != SP_LINK_NOTHING)
            s_look_failed (self, "no connection");
    }
    return false;
}

static sh_err_t
s_send (sp_client_t *self, const sp_message_t *message)
{
    uint8_t *data = NULL;
    size_t size = 0;
    sh_err_t rc = sp_encode (&data, &size, message);
    if (rc == SH_OK)
        rc = sp_session_send (self->session, (sh_bytes_t){ data, size });
    free (data);
    return rc;
}

static void
s_try_hello (sp_client_t *self)
{
    self->hello_now = sh_clock_wall (self->clock);
    self->hello_mono = sh_clock_mono (self->clock);
    sp_message_t hello
        = { .type = SP_HELLO,
            .u.hello = { .version = self->version,
                         .now = self->hello_now,
                         .orders = self->orders } };
    if (s_send (self, &hello) == SH_OK)
        self->hello_due = false;
}

static void
s_send_beat (sp_client_t *self, int64_t now)
{
    sp_message_t beat
        = { .type = SP_BEAT,
            .u.beat = { .now = sh_clock_wall (self->clock),
                        .spool = self->spool,
                        .running = self->running,
                        .version = self->version } };
    self->beat_due = now + SP_BEAT_MS;
    self->useless = 0;
    if (s_send (self, &beat) != SH_OK) /* monitor or silence will tell why */
        sh_log (SH_LOG_DEBUG, "beat not sent");
}

static void
s_timed_out (sp_client_t *self, sp_event_t *event)
{
    const char *hub = sp_client_endpoint (self);
    if (self->state == STATE_GREETING)
        s_down (self, event, SH_E_TIMEOUT,
                "%s took the connection but sent no welcome in %d s", hub,
                WELCOME_MS / 1000);
    else if (self->state == STATE_UP)
        s_down (self, event, SH_E_TIMEOUT, "%s has been silent for %d s", hub,
                SP_SILENCE_MS / 1000);
    else if (sp_session_has_news (self->session))
        s_link_down (self, SP_LINK_NO_TCP, event);
    else
        s_down (self, event, SH_E_TIMEOUT,
                "%s: the name cannot be resolved, or no address of it reached",
                hub);
}

/*  Do what is due by the clock; true if that made an event.  */
static bool
s_run_timers (sp_client_t *self, sp_event_t *event)
{
    int64_t now = sh_clock_mono (self->clock);
    switch (self->state) {
    case STATE_IDLE:
        if (now >= self->due)
            s_start (self, event);
        break;
    case STATE_CONNECTING:
    case STATE_GREETING:
        if (now >= self->due)
            s_timed_out (self, event);
        else if (self->hello_due)
            s_try_hello (self);
        break;
    case STATE_UP:
        if (now - self->heard >= SP_SILENCE_MS)
            s_timed_out (self, event);
        else {
            if (now >= self->beat_due)
                s_send_beat (self, now);
            s_look (self, now);
        }
        break;
    }
    return event->kind != SP_EVENT_NOTHING;
}

static int64_t
s_next_timer (const sp_client_t *self)
{
    if (self->state != STATE_UP)
        return self->due;
    int64_t silence = self->heard + SP_SILENCE_MS;
    int64_t look = self->look ? self->look_end : self->rota.look_due;
    if (!self->look && s_shows_next_key (self) && self->key_due < look)
        look = self->key_due;
    int64_t next = self->beat_due < silence ? self->beat_due : silence;
    return look < next ? look : next;
}

/*  The hub's clock minus CLOCK_BOOTTIME, half the round trip taken off: our wall
    clock may be set while the session lasts.  The times come from outside and
    may be anything; what a hub without a clock said would be kept with reports
    for good.  False: it has none, or the welcome answers no hello of ours.  */
static bool
s_measure_hub (sp_client_t *self, const sp_welcome_t *welcome)
{
    int64_t sent = self->hello_mono, hub = 0, offset;
    bool clock = welcome->now >= SP_TIME_LEAST_MS
                 && welcome->now <= SP_TIME_MOST_MS;
    int64_t middle = sent + (sh_clock_mono (self->clock) - sent) / 2;
    if (!clock || welcome->hello_now != self->hello_now
        || __builtin_sub_overflow (welcome->now, middle, &hub)
        || __builtin_sub_overflow (hub, sh_clock_epoch (self->clock), &offset)
        || offset < -OFFSET_MOST_MS || offset > OFFSET_MOST_MS)
        return false;
    self->hub_epoch = hub;
    return true;
}

/*  What the hub says of its next key; nothing: that there is none.  */
static void
s_learn (sp_client_t *self, sh_bytes_t next, int64_t at)
{
    char key[SH_KEY_TEXT] = "", fingerprint[SH_FINGERPRINT_TEXT];
    if (next.size == SP_HUB_KEY_BYTES)
        zmq_z85_encode (key, next.data, next.size);
    if (!sp_hub_keys_learn (self->hub_keys, &self->hubs.items[self->rota.at],
                            *key ? key : NULL, at))
        return;
    sh_key_fingerprint (fingerprint, key);
    sh_log (SH_LOG_NOTICE,
            *key ? "the hub announces another key" : "the hub keeps its key",
            SH_STR ("hub", sp_client_endpoint (self)),
            SH_STR ("fingerprint", *key ? fingerprint : NULL));
}

static void
s_take_welcome (sp_client_t *self, sp_message_t *message, sp_event_t *event)
{
    if (!s_measure_hub (self, &message->u.welcome)) {
        s_down (self, event, SH_E_BAD_TIME,
                "%s greets with times that make no sense; is it a Scanhub hub "
                "and its clock right?", sp_client_endpoint (self));
        sp_message_destroy (&message);
        return;
    }
    self->state = STATE_UP;
    self->handshakes = 0;
    self->up_since = sh_clock_mono (self->clock);
    self->beat_due = self->up_since + SP_BEAT_MS;
    sp_rota_up (&self->rota, self->up_since, randombytes_random ());
    self->denied = false;
    self->key_due = self->up_since + NEXT_KEY_FIRST_MS;
    s_learn (self, message->u.welcome.next_key, message->u.welcome.next_at);
    event->kind = SP_EVENT_UP;
    event->message = message;
}

/*  Some errors end the session; before the welcome they all do.  A hub that
    is going is of no use where there are others.  */
static bool
s_ends_session (const sp_client_t *self, sh_err_t err)
{
    return self->state == STATE_GREETING || err == SH_E_KEY_UNKNOWN
           || err == SH_E_SUPERSEDED || err == SH_E_NO_HELLO
           || (err == SH_E_STOPPING && self->rota.count > 1);
}

/*  Some verdicts tell that this hub is of no use to us; true if so.  */
static bool
s_take_verdict (sp_client_t *self, sp_message_t *message, sp_event_t *event)
{
    const sp_verdict_t *verdict = &message->u.verdict;
    bool later = verdict->result == SP_RETRY;
    sh_err_t cause = later ? sh_err_from_word (verdict->cause) : SH_OK;
    if (!sp_rota_verdict (&self->rota, cause, sh_clock_mono (self->clock)))
        return false;
    s_down (self, event, cause, "leaving %.120s for another hub, for now: %s",
            sp_client_endpoint (self), sh_err_text (cause));
    sp_message_destroy (&message);
    return true;
}

static void
s_take_error (sp_client_t *self, sp_message_t *message, sp_event_t *event)
{
    sh_err_t err = sh_err_from_word (message->u.error.cause);
    if (!s_ends_session (self, err)) {
        event->kind = SP_EVENT_MESSAGE;
        event->message = message;
        return;
    }
    const char *hub = sp_client_endpoint (self);
    char cause[48];
    sh_escape (cause, sizeof cause, message->u.error.cause);
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (fingerprint, self->public_key);
    if (err == SH_E_KEY_UNKNOWN) {
        self->denied = true;
        s_down (self, event, err,
                "%.90s no longer has our key; to register it again: scanhubctl "
                "scanner approve %s NAME --code CODE",
                hub, fingerprint);
    }
    else if (err == SH_E_SUPERSEDED)
        s_down (self, event, err,
                "%s: another connection with our key took over; is a second "
                "scanner running with a copy of the key?", hub);
    else
        s_down (self, event, err, "%s ended the session: %s", hub, cause);
    sp_message_destroy (&message);
}

/*  One message from the hub; true if the caller is to hear of it.  */
static bool
s_take_message (sp_client_t *self, sp_message_t *message, sp_event_t *event)
{
    self->heard = sh_clock_mono (self->clock);
    if (message->type == SP_ERROR)
        s_take_error (self, message, event);
    else if (message->type == SP_WELCOME && self->state == STATE_GREETING)
        s_take_welcome (self, message, event);
    else if (message->type == SP_HUB_KEY && self->state == STATE_UP) {
        s_learn (self, message->u.hub_key.next_key,
                 message->u.hub_key.next_at);
        sp_message_destroy (&message);
    }
    else if (message->type == SP_BEAT || message->type == SP_WELCOME
             || self->state != STATE_UP)
        sp_message_destroy (&message);
    else if (message->type != SP_VERDICT
             || !s_take_verdict (self, message, event)) {
        event->kind = SP_EVENT_MESSAGE;
        event->message = message;
    }
    return event->kind != SP_EVENT_NOTHING;
}

/*  Receive until there is an event or nothing more to receive.  */
static bool
s_receive (sp_client_t *self, sp_event_t *event)
{
    zmq_msg_t frame;
    bool done = false;
    if (self->useless > USELESS_MOST) {
        s_down (self, event, SH_E_BAD_MESSAGE,
                "%s sends one message after the other that means nothing; is "
                "it a Scanhub hub?",
                sp_client_endpoint (self));
        return true;
    }
    zmq_msg_init (&frame);
    for (int i = 0; i < AT_ONCE && !done
                    && sp_session_receive (self->session, &frame);
         i++) {
        sh_bytes_t bytes = { zmq_msg_data (&frame), zmq_msg_size (&frame) };
        sp_message_t *message = NULL;
        sh_why_t why = { "" };
        sh_err_t rc = sp_decode (&message, bytes, &why);
        if (rc == SH_OK)
            done = s_take_message (self, message, event);
        else
            sh_log (rc == SH_E_UNKNOWN_TYPE ? SH_LOG_DEBUG : SH_LOG_WARNING,
                    "message from the hub ignored",
                    SH_STR ("hub", sp_client_endpoint (self)),
                    SH_STR ("cause", sh_err_word (rc)),
                    SH_STR ("why", why.text));
        self->useless += !done;
    }
    zmq_msg_close (&frame);
    return done;
}

void
sp_client_show_next_key (sp_client_t *self)
{
    self->key_due = sh_clock_mono (self->clock);
}

void
sp_client_count_useless (sp_client_t *self)
{
    self->useless++;
}

static void
s_read_monitor (sp_client_t *self)
{
    sp_link_t link;
    while (self->ending == SP_LINK_NOTHING
           && sp_session_news (self->session, &link)) {
        if (link == SP_LINK_SECURED) {
            if (self->with_next)
                s_take_next_key (self);
            if (self->to_next)
                s_take_hub_key (self, self->rota.at);
            self->with_next = self->to_next = false;
            s_greet (self);
            s_try_hello (self);
        } else
            self->ending = link;
    }
}

/*  The session's part of a round: messages first, so that the last words of a
    hub (such as 'superseded') are heard before the end of the connection.  */
static bool
s_serve (sp_client_t *self, sp_event_t *event)
{
    if (!self->session)
        return false;
    s_read_monitor (self);
    if (s_receive (self, event) || s_read_look (self, event))
        return true;
    if (self->ending == SP_LINK_NOTHING)
        return false;
    s_link_down (self, self->ending, event);
    return true;
}

/*  Wait for the sockets; 'ready' says whether 'other' is.  */
static sh_err_t
s_poll (sp_client_t *self, void *other, int64_t until, bool *ready)
{
    zmq_pollitem_t items[4];
    int count = 0;
    if (other) {
        /*  zsock_resolve alone would take a descriptor for a socket of libzmq
            and read hundreds of bytes behind it to find out.  */
        void *socket = zsock_is (other) || zactor_is (other)
                           ? zsock_resolve (other)
                           : NULL;
        items[count++] = (zmq_pollitem_t){
            socket, socket ? 0 : *(int *) other, ZMQ_POLLIN, 0
        };
    }
    if (self->session) {
        short events = self->hello_due ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN;
        items[count++] = (zmq_pollitem_t){
            sp_session_socket (self->session), 0, events, 0
        };
        items[count++] = (zmq_pollitem_t){
            sp_session_monitor (self->session), 0, ZMQ_POLLIN, 0
        };
    }
    if (self->look)
        items[count++] = (zmq_pollitem_t){
            sp_session_monitor (self->look), 0, ZMQ_POLLIN, 0
        };
    int64_t now = sh_clock_mono (self->clock);
    int64_t wait = until > now ? until - now : 0;
    if (self->ending != SP_LINK_NOTHING)
        wait = 0; /* nothing further comes from its sockets */
    int rc = zmq_poll (items, count, wait > 60000 ? 60000 : (long) wait);
    if (rc < 0)
        return SH_E_INTERRUPTED; /* EINTR, or ETERM: the program is ending */
    *ready = other && items[0].revents != 0;
    return SH_OK;
}

/*  One round without a wait beyond 'until'; true if there is an event.  */
static bool
s_round (sp_client_t *self, bool ready, sp_event_t *event)
{
    bool mine = ready && self->other_next;
    if (!mine && s_serve (self, event)) {
        self->other_next = true;
        return true;
    }
    self->other_next = false;
    if (ready)
        event->kind = SP_EVENT_OTHER;
    return ready;
}

sh_err_t
sp_client_wait (sp_client_t *self, void *other, int timeout, sp_event_t *event)
{
    assert (self && event);
    *event = (sp_event_t){ .kind = SP_EVENT_NOTHING };
    int64_t end = timeout < 0 ? INT64_MAX
                              : sh_clock_mono (self->clock) + timeout;
    for (;;) {
        if (zsys_interrupted)
            return SH_E_INTERRUPTED;
        if (s_run_timers (self, event))
            return SH_OK;
        int64_t timer = s_next_timer (self);
        bool ready = false;
        sh_err_t rc = s_poll (self, other, timer < end ? timer : end, &ready);
        if (rc)
            return rc;
        if (s_round (self, ready, event)
            || sh_clock_mono (self->clock) >= end)
            return SH_OK;
    }
}

sh_err_t
sp_client_send (sp_client_t *self, const sp_message_t *message)
{
    assert (self && message);
    return self->state == STATE_UP ? s_send (self, message) : SH_E_DISCONNECTED;
}

int64_t
sp_client_offset (const sp_client_t *self)
{
    int64_t offset = self->hub_epoch - sh_clock_epoch (self->clock);
    return llabs (offset) < SP_OFFSET_IGNORED_MS ? 0 : offset;
}

bool
sp_client_is_up (const sp_client_t *self)
{
    return self->state == STATE_UP;
}

const char *
sp_client_endpoint (const sp_client_t *self)
{
    return self->hubs.items[self->rota.at].endpoint;
}

void
sp_client_set_load (sp_client_t *self, uint64_t spool, uint64_t running)
{
    self->spool = spool;
    self->running = running;
}
