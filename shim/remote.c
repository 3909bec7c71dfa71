/* SPDX-License-Identifier: MPL-2.0 */

#include "shim/remote.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/notify.h"
#include "lib/signals.h"
#include "shim/door.h"
#include "shim/setup.h"

#define STEP_MS 1000

typedef struct
{
    sm_config_t *config;
    const sh_clock_t *clock;
    int pollset; /* signals and HTTP together: the client watches one more */
    int signals;
    sp_client_t *client;
    sp_hub_keys_t *hub_keys;
    sp_spool_t *spool;
    sm_http_t *http;
    sm_door_t *door;
    sh_notify_t notify;
    bool ending;
} remote_t;

/*  All or nothing.  */
static void
s_reload (remote_t *self)
{
    sm_config_t *fresh = NULL;
    sh_why_t why = { "" };
    sh_notify_reloading (&self->notify);
    sh_err_t rc = sm_config_load (&fresh, self->config->path, &why);
    if (rc == SH_OK)
        rc = sm_setup_reload (self->http, &fresh->http, &why);
    if (rc == SH_OK) {
        sm_door_set_refusals (self->door, fresh->http.refusals_as_status);
        sh_log_set_level ((sh_level_t) fresh->log_level);
        sh_log (SH_LOG_NOTICE, "reloaded");
    } else
        sh_log (SH_LOG_ERROR, "not reloaded, all stays as it was",
                SH_STR ("because",
                        *why.text ? why.text : sh_err_text (rc)));
    sh_notify_ready (&self->notify,
                     rc == SH_OK ? "reloaded" : "not reloaded, see the log");
    sm_config_destroy (&fresh);
}

static void
s_take_signals (remote_t *self)
{
    int signal;
    while ((signal = sh_signals_read (self->signals)) != 0)
        if (signal == SIGHUP)
            s_reload (self);
        else
            self->ending = true;
}

static sh_err_t
s_wait (void *context, int other, int timeout, sp_event_t *event)
{
    remote_t *self = context;
    (void) other; /* it is in the pollset */
    sh_err_t rc
        = sp_client_wait (self->client, &self->pollset, timeout, event);
    if (rc != SH_OK)
        return rc;
    if (event->kind == SP_EVENT_OTHER)
        s_take_signals (self);
    else if (event->kind == SP_EVENT_DOWN)
        sh_log (SH_LOG_WARNING, "link to the hub is down",
                SH_STR ("why", event->text));
    else if (event->kind == SP_EVENT_UP)
        sh_log (SH_LOG_NOTICE, "link to the hub is up",
                SH_STR ("hub", sp_client_endpoint (self->client)));
    return SH_OK;
}

static sh_err_t
s_send (void *context, const char *label, const sp_message_t *part)
{
    remote_t *self = context;
    (void) label; /* our own key speaks for all of them */
    return sp_client_send (self->client, part);
}

static bool
s_is_up (void *context)
{
    return sp_client_is_up (((remote_t *) context)->client);
}

static int64_t
s_offset (void *context)
{
    return sp_client_offset (((remote_t *) context)->client);
}

static sh_err_t
s_open_client (remote_t *self, const sh_keyfile_t *key, const char *version,
               sh_why_t *why)
{
    sh_err_t rc
        = sp_hub_keys_new (&self->hub_keys, self->config->hub_keys, why);
    if (rc != SH_OK)
        return rc;
    sp_client_options_t options = {
        .hub_keys = self->hub_keys,
        .hubs = self->config->hubs.items,
        .hub_count = self->config->hubs.count,
        .public_key = key->public_key,
        .secret_key = key->secret_key,
        .version = version,
        .clock = self->clock,
    };
    return sp_client_new (&self->client, &options, why);
}

static bool
s_watch (remote_t *self, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data = { .fd = fd } };
    return epoll_ctl (self->pollset, EPOLL_CTL_ADD, fd, &event) == 0;
}

static sh_err_t
s_open_http (remote_t *self, sh_why_t *why)
{
    sm_door_options_t options = {
        .refusals_as_status = self->config->http.refusals_as_status,
        .courier = {
            .context = self,
            .wait = s_wait,
            .send = s_send,
            .is_up = s_is_up,
            .offset = s_offset,
        },
        .spool = self->spool,
        .clock = self->clock,
    };
    sh_err_t rc = sm_door_new (&self->door, &options);
    if (rc == SH_OK)
        rc = sm_setup_open (&self->http, &self->config->http, self->clock,
                            sm_door_take, self->door, why);
    self->pollset = epoll_create1 (EPOLL_CLOEXEC);
    self->signals = sh_signals_open ();
    if (rc == SH_OK
        && (self->pollset < 0 || self->signals < 0
            || !s_watch (self, self->signals)
            || !s_watch (self, sm_http_fd (self->http))))
        rc = sh_fail (why, SH_E_IO, "cannot poll: %s", strerror (errno));
    return rc;
}

/*  A shim without a spool would lose what it took; scanhubd can answer 503 at
    once, but here the hub is a network away.  */
static sh_err_t
s_open (remote_t *self, const sh_keyfile_t *key, const char *version,
        sh_why_t *why)
{
    sh_err_t rc = sm_config_prepare (self->config, why);
    if (rc == SH_OK)
        rc = sp_spool_open (&self->spool, self->config->http.spool,
                            SP_SPOOL_DEFAULT_MOST, self->clock, why);
    if (rc == SH_OK)
        rc = s_open_client (self, key, version, why);
    if (rc == SH_OK)
        rc = s_open_http (self, why);
    return rc;
}

sh_err_t
sm_remote_run (sm_config_t *config, const sh_keyfile_t *key,
               const char *version, sh_why_t *why)
{
    remote_t self = {
        .config = config,
        .clock = sh_clock_system (),
        .pollset = -1,
        .signals = -1,
    };
    sh_notify_open (&self.notify);
    sh_err_t rc = s_open (&self, key, version, why);
    if (rc == SH_OK) {
        sh_log (SH_LOG_NOTICE, "scanhub-shim is up",
                SH_STR ("hub", config->hubs.items[0].endpoint),
                SH_STR ("public_key", key->public_key));
        sh_notify_ready (&self.notify, "takes reports");
    }
    int64_t flushed = 0;
    while (rc == SH_OK && !self.ending) {
        rc = sm_door_step (self.door, self.http, STEP_MS);
        int64_t now = sh_clock_mono (self.clock);
        if (sh_notify_due (&self.notify, now))
            sh_notify_alive (&self.notify);
        if (now - flushed >= 60000) {
            flushed = now;
            sh_log_flush ();
        }
    }
    sh_notify_stopping (&self.notify);
    sm_door_destroy (&self.door);
    sm_setup_close (&self.http);
    sp_client_destroy (&self.client);
    sp_hub_keys_destroy (&self.hub_keys);
    sp_spool_close (&self.spool);
    if (self.pollset >= 0)
        close (self.pollset);
    if (self.signals >= 0)
        close (self.signals);
    sh_notify_close (&self.notify);
    return rc;
}
