/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/link.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/signals.h"
#include "scanner-proto/codec.h"
#include "scanner/own_key.h"

#define DOWNS_MOST 3 /* attempts at each hub before a first session */

struct sc_link
{
    sp_client_t *client;
    sp_hub_keys_t *hub_keys;
    const sc_config_t *config;
    sp_outbox_t *outbox; /* or NULL */
    size_t hub_count;
    sc_tell_t *tell;
    const sh_clock_t *clock;
    int pollset; /* holds the two below, so that the client sees but one */
    int signals;
    int signal; /* received */
    bool reload;
    sp_event_t event;
    bool stale, was_up;
    uint8_t revision[SP_REVISION];
    size_t revision_size;
    size_t downs; /* in a row */
    sh_err_t down;
    char down_text[256];
};

sh_err_t
sc_link_watch (sc_link_t *self, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data = { .fd = fd } };
    return epoll_ctl (self->pollset, EPOLL_CTL_ADD, fd, &event) == 0
               ? SH_OK
               : SH_E_IO;
}

void
sc_link_unwatch (sc_link_t *self, int fd)
{
    (void) epoll_ctl (self->pollset, EPOLL_CTL_DEL, fd, NULL);
}

static sh_err_t
s_open (sc_link_t *self, sh_why_t *why)
{
    self->pollset = epoll_create1 (EPOLL_CLOEXEC);
    self->signals = sh_signals_open ();
    if (self->pollset < 0 || self->signals < 0
        || sc_link_watch (self, self->signals) != SH_OK)
        return sh_fail (why, SH_E_IO, "cannot wait for signals: %s",
                        strerror (errno));
    return SH_OK;
}

/*  KEY.next, for the client to show.  */
static bool
s_offer_next_key (void *context, char public_key[SH_KEY_TEXT],
                  char secret_key[SH_KEY_TEXT])
{
    const sc_link_t *self = context;
    sh_keyfile_t *key = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sc_own_key_next (&key, self->config->key, &why);
    if (rc != SH_OK) {
        if (rc != SH_E_NOT_FOUND)
            sh_log (SH_LOG_WARNING, "the next key cannot be used",
                    SH_STR ("because", why.text));
        return false;
    }
    memcpy (public_key, key->public_key, SH_KEY_TEXT);
    memcpy (secret_key, key->secret_key, SH_KEY_TEXT);
    sh_keyfile_destroy (&key);
    return true;
}

/*  Where the files cannot be turned, the next key is found again after a
    restart, for the former one is refused then.  */
static void
s_next_key_taken (void *context)
{
    const sc_link_t *self = context;
    sh_why_t why = { "" };
    if (sc_own_key_turn (self->config->key, &why) != SH_OK)
        sh_log (SH_LOG_ERROR, "our next key is in use, but cannot take the "
                              "place of the former one",
                SH_STR ("because", why.text),
                SH_STR ("remedy", "rename KEY.next to KEY"),
                SH_STR ("key", self->config->key));
}

static sh_err_t
s_client (sc_link_t *self, const sc_config_t *config, const char *version,
          sh_why_t *why)
{
    sh_keyfile_t *key = NULL;
    sh_err_t rc = sh_keyfile_load (&key, config->key, true, why);
    if (rc == SH_E_NOT_FOUND)
        return sh_fail (why, rc, "%s: no key there; see scanhub-scanner "
                        "join", config->key);
    if (rc != SH_OK)
        return rc;
    rc = sp_hub_keys_new (&self->hub_keys, config->hub_keys, why);
    if (rc != SH_OK) {
        sh_keyfile_destroy (&key);
        return rc;
    }
    sp_client_options_t options = { .hubs = config->hubs.items,
                                    .hub_count = config->hubs.count,
                                    .public_key = key->public_key,
                                    .secret_key = key->secret_key,
                                    .version = version,
                                    .clock = self->clock,
                                    .orders = !self->tell->once,
                                    .hub_keys = self->hub_keys,
                                    .next_key
                                    = { s_offer_next_key, s_next_key_taken,
                                        self, self->tell->once },
                                    .return_ms = config->hub_return
                                                 * INT64_C (1000) };
    rc = sp_client_new (&self->client, &options, why);
    sh_keyfile_destroy (&key);
    self->hub_count = config->hubs.count;
    return rc;
}

sh_err_t
sc_link_new (sc_link_t **out, const sc_config_t *config, const char *version,
             sc_tell_t *tell, const sh_clock_t *clock, sh_why_t *why)
{
    sc_link_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    self->tell = tell;
    self->config = config;
    self->clock = clock;
    self->pollset = self->signals = -1;
    self->stale = true;
    sh_err_t rc = s_open (self, why);
    if (rc == SH_OK)
        rc = s_client (self, config, version, why);
    if (rc == SH_OK)
        *out = self;
    else
        sc_link_destroy (&self);
    return rc;
}

void
sc_link_destroy (sc_link_t **self_p)
{
    sc_link_t *self = *self_p;
    if (!self)
        return;
    sp_message_destroy (&self->event.message);
    sp_client_destroy (&self->client);
    sp_hub_keys_destroy (&self->hub_keys);
    if (self->signals >= 0)
        (void) close (self->signals);
    if (self->pollset >= 0)
        (void) close (self->pollset);
    free (self);
    *self_p = NULL;
}

static void
s_compare_revision (sc_link_t *self, sh_bytes_t revision)
{
    if (revision.size != self->revision_size || revision.size == 0
        || memcmp (revision.data, self->revision, revision.size) != 0)
        self->stale = true;
}

static void
s_notice (sc_link_t *self)
{
    const sp_event_t *event = &self->event;
    if (event->kind == SP_EVENT_UP) {
        self->was_up = true;
        self->downs = 0;
        s_compare_revision (self, event->message->u.welcome.revision);
        sc_tell_up (self->tell, &event->message->u.welcome,
                    sp_client_endpoint (self->client));
    } else if (event->kind == SP_EVENT_DOWN) {
        self->downs++;
        /* an attempt that fails like the one before is no news to a reader
           of 'once'; the log has its own way with repeats */
        bool news = self->downs == 1 || self->down != event->err
                    || strcmp (self->down_text, event->text) != 0;
        self->down = event->err;
        memcpy (self->down_text, event->text, sizeof self->down_text);
        if (news || !self->tell->once)
            sc_tell_down (self->tell, event);
    } else if (event->kind == SP_EVENT_MESSAGE
               && event->message->type == SP_REVISION_PUSH) {
        s_compare_revision (self, event->message->u.revision.revision);
    }
}

static void
s_read_signals (sc_link_t *self)
{
    int signal;
    while ((signal = sh_signals_read (self->signals)) != 0) {
        if (signal == SIGHUP && !self->tell->once)
            self->reload = true;
        else
            self->signal = signal;
    }
}

void
sc_link_carry (sc_link_t *self, sp_outbox_t *outbox)
{
    self->outbox = outbox;
}

static sh_err_t
s_send_part (void *context, const char *label, const sp_message_t *part)
{
    (void) label; /* all of them are ours */
    return sp_client_send (context, part);
}

/*  Send what may be sent, and wait no longer than until that is so again.  */
static int
s_push (sc_link_t *self, int timeout)
{
    if (!self->outbox)
        return timeout;
    const sp_outbox_way_t way = { .send = s_send_part,
                                  .context = self->client,
                                  .up = sp_client_is_up (self->client),
                                  .offset = sp_client_offset (self->client) };
    sp_outbox_push (self->outbox, &way);
    int due = sp_outbox_timeout (self->outbox);
    return due >= 0 && (timeout < 0 || due < timeout) ? due : timeout;
}

sh_err_t
sc_link_wait (sc_link_t *self, int timeout, const sp_event_t **event)
{
    sp_message_destroy (&self->event.message);
    self->event = (sp_event_t){ .kind = SP_EVENT_NOTHING };
    *event = &self->event;
    if (self->signal)
        return SH_E_INTERRUPTED;
    timeout = s_push (self, timeout);
    sh_err_t rc = sp_client_wait (self->client, &self->pollset, timeout,
                                  &self->event);
    s_read_signals (self);
    if (rc == SH_E_INTERRUPTED && !self->signal) {
        self->event.kind = SP_EVENT_NOTHING; /* a stop and continue */
        rc = SH_OK;
    }
    if (rc == SH_OK)
        s_notice (self);
    if (rc == SH_OK && self->outbox) {
        (void) sp_outbox_take (self->outbox, &self->event);
        (void) s_push (self, 0); /* what this brought to an end, ends now */
    }
    return self->signal ? SH_E_INTERRUPTED : rc;
}

bool
sc_link_take_reload (sc_link_t *self)
{
    bool reload = self->reload;
    self->reload = false;
    return reload;
}

int
sc_link_signal (const sc_link_t *self)
{
    return self->signal;
}

sp_client_t *
sc_link_client (sc_link_t *self)
{
    return self->client;
}

const sh_clock_t *
sc_link_clock (const sc_link_t *self)
{
    return self->clock;
}

bool
sc_link_is_stale (const sc_link_t *self)
{
    return self->stale;
}

void
sc_link_set_stale (sc_link_t *self)
{
    self->stale = true;
}

void
sc_link_set_revision (sc_link_t *self, sh_bytes_t revision)
{
    self->revision_size
        = revision.size <= SP_REVISION ? revision.size : 0;
    if (self->revision_size)
        memcpy (self->revision, revision.data, self->revision_size);
    self->stale = false;
}

bool
sc_link_is_hopeless (const sc_link_t *self)
{
    if (sp_client_is_up (self->client) || self->downs == 0)
        return false;
    bool refused = self->down == SH_E_KEY_REFUSED || self->down == SH_E_HUB_KEY
                   || sh_err_class (self->down) == SH_CLASS_DENIED;
    if (refused && self->hub_count == 1)
        return true;
    return !self->was_up && self->downs >= DOWNS_MOST * self->hub_count;
}

sh_err_t
sc_link_why (const sc_link_t *self, sh_why_t *why)
{
    if (self->down == SH_OK)
        return sh_fail (why, SH_E_DISCONNECTED, "%s does not answer",
                        sp_client_endpoint (self->client));
    sh_err_t rc = self->down == SH_E_TIMEOUT ? SH_E_DISCONNECTED : self->down;
    return sh_fail (why, rc, "%s", self->down_text);
}
