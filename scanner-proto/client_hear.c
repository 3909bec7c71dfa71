/* SPDX-License-Identifier: MPL-2.0 */
/*  What the hub says.  */

#include "scanner-proto/client_within.h"

#include <sodium.h>
#include <stdlib.h>

#include "lib/log.h"
#include "scanner-proto/codec.h"

#define AT_ONCE 16        /* messages before the caller gets its turn */
#define USELESS_MOST 2000 /* between two beats: no hub has so many to say */
#define NEXT_KEY_FIRST_MS 2000 /* from the welcome to the first look */
#define OFFSET_MOST_MS INT64_C (1000000000000000) /* 30,000 years: no clock */

/*  The hub's clock minus CLOCK_BOOTTIME, half the round trip taken off: our
    wall clock may be set while the session lasts.  The times come from outside
    and may be anything; what a hub without a clock said would be kept with
    reports for good.  False: it has none, or the welcome answers no hello of
    ours.  */
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

static void
s_take_welcome (sp_client_t *self, sp_message_t *message, sp_event_t *event)
{
    if (!s_measure_hub (self, &message->u.welcome)) {
        sp_client_down (
            self, event, SH_E_BAD_TIME,
            "%s greets with times that make no sense; is it a Scanhub hub "
            "and its clock right?",
            sp_client_endpoint (self));
        sp_message_destroy (&message);
        return;
    }
    self->state = SP_CLIENT_UP;
    self->handshakes = 0;
    self->up_since = sh_clock_mono (self->clock);
    self->beat_due = self->up_since + SP_BEAT_MS;
    sp_rota_up (&self->rota, self->up_since, randombytes_random ());
    self->denied = false;
    self->key_due = self->up_since + NEXT_KEY_FIRST_MS;
    sp_client_learn (self, message->u.welcome.next_key,
                     message->u.welcome.next_at);
    event->kind = SP_EVENT_UP;
    event->message = message;
}

/*  Some errors end the session; before the welcome they all do.  A hub that
    is going is of no use where there are others.  */
static bool
s_ends_session (const sp_client_t *self, sh_err_t err)
{
    return self->state == SP_CLIENT_GREETING || err == SH_E_KEY_UNKNOWN
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
    sp_client_down (self, event, cause,
                    "leaving %.120s for another hub, for now: %s",
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
        sp_client_down (
            self, event, err,
            "%.90s no longer has our key; to register it again: scanhubctl "
            "scanner approve %s NAME --code CODE",
            hub, fingerprint);
    } else if (err == SH_E_SUPERSEDED)
        sp_client_down (
            self, event, err,
            "%s: another connection with our key took over; is a second "
            "scanner running with a copy of the key?",
            hub);
    else
        sp_client_down (self, event, err, "%s ended the session: %s", hub,
                        cause);
    sp_message_destroy (&message);
}

/*  One message from the hub; true if the caller is to hear of it.  */
static bool
s_take_message (sp_client_t *self, sp_message_t *message, sp_event_t *event)
{
    self->heard = sh_clock_mono (self->clock);
    if (message->type == SP_ERROR)
        s_take_error (self, message, event);
    else if (message->type == SP_WELCOME && self->state == SP_CLIENT_GREETING)
        s_take_welcome (self, message, event);
    else if (message->type == SP_HUB_KEY && self->state == SP_CLIENT_UP) {
        sp_client_learn (self, message->u.hub_key.next_key,
                         message->u.hub_key.next_at);
        sp_message_destroy (&message);
    } else if (message->type == SP_BEAT || message->type == SP_WELCOME
               || self->state != SP_CLIENT_UP)
        sp_message_destroy (&message);
    else if (message->type != SP_VERDICT
             || !s_take_verdict (self, message, event)) {
        event->kind = SP_EVENT_MESSAGE;
        event->message = message;
    }
    return event->kind != SP_EVENT_NOTHING;
}

bool
sp_client_receive (sp_client_t *self, sp_event_t *event)
{
    zmq_msg_t frame;
    bool done = false;
    if (self->useless > USELESS_MOST) {
        sp_client_down (
            self, event, SH_E_BAD_MESSAGE,
            "%s sends one message after the other that means nothing; is "
            "it a Scanhub hub?",
            sp_client_endpoint (self));
        return true;
    }
    zmq_msg_init (&frame);
    for (int i = 0;
         i < AT_ONCE && !done && sp_session_receive (self->session, &frame);
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
