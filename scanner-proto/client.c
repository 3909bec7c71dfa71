/* SPDX-License-Identifier: MPL-2.0 */

#include "scanner-proto/client_within.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/secret.h"
#include "scanner-proto/codec.h"

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

static void
s_start (sp_client_t *self, sp_event_t *event)
{
    sh_why_t why = { "" };
    self->with_next = self->denied && sp_client_get_next_key (self);
    sh_err_t rc = sp_client_connect (self, self->rota.at, self->with_next,
                                     &self->to_next, &self->session, &why);
    if (rc) {
        sp_client_down (self, event, rc, "no session with %s: %.120s",
                        sp_client_endpoint (self), why.text);
        return;
    }
    self->state = SP_CLIENT_CONNECTING;
    self->due = sh_clock_mono (self->clock) + SP_ATTEMPT_MS;
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

void
sp_client_greet (sp_client_t *self)
{
    self->state = SP_CLIENT_GREETING;
    self->due = sh_clock_mono (self->clock) + SP_WELCOME_MS;
    self->hello_due = true;
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

/*  Do what is due by the clock; true if that made an event.  */
static bool
s_run_timers (sp_client_t *self, sp_event_t *event)
{
    int64_t now = sh_clock_mono (self->clock);
    switch (self->state) {
    case SP_CLIENT_IDLE:
        if (now >= self->due)
            s_start (self, event);
        break;
    case SP_CLIENT_CONNECTING:
    case SP_CLIENT_GREETING:
        if (now >= self->due)
            sp_client_timed_out (self, event);
        else if (self->hello_due)
            s_try_hello (self);
        break;
    case SP_CLIENT_UP:
        if (now - self->heard >= SP_SILENCE_MS)
            sp_client_timed_out (self, event);
        else {
            if (now >= self->beat_due)
                s_send_beat (self, now);
            sp_client_look (self, now);
        }
        break;
    }
    return event->kind != SP_EVENT_NOTHING;
}

int64_t
sp_client_due (const sp_client_t *self)
{
    assert (self);
    if (self->state != SP_CLIENT_UP)
        return self->due;
    int64_t silence = self->heard + SP_SILENCE_MS;
    int64_t look = self->look ? self->look_end : self->rota.look_due;
    if (!self->look && sp_client_shows_next_key (self) && self->key_due < look)
        look = self->key_due;
    int64_t next = self->beat_due < silence ? self->beat_due : silence;
    return look < next ? look : next;
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
                sp_client_take_next_key (self);
            if (self->to_next)
                sp_client_take_hub_key (self, self->rota.at);
            self->with_next = self->to_next = false;
            sp_client_greet (self);
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
    if (sp_client_receive (self, event) || sp_client_read_look (self, event))
        return true;
    if (self->ending == SP_LINK_NOTHING)
        return false;
    sp_client_link_down (self, self->ending, event);
    return true;
}

size_t
sp_client_sockets (const sp_client_t *self,
                   void *sockets[static SP_CLIENT_SOCKETS])
{
    assert (self && sockets);
    size_t count = 0;
    if (self->session) {
        sockets[count++] = sp_session_socket (self->session);
        sockets[count++] = sp_session_monitor (self->session);
    }
    if (self->look)
        sockets[count++] = sp_session_monitor (self->look);
    return count;
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
        int64_t timer = sp_client_due (self);
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
    return self->state == SP_CLIENT_UP ? s_send (self, message)
                                       : SH_E_DISCONNECTED;
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
    return self->state == SP_CLIENT_UP;
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
