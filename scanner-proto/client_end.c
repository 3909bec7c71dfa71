/* SPDX-License-Identifier: MPL-2.0 */
/*  How a session ends: what the operator is told, and when the next one
    begins.  */

#include "scanner-proto/client_within.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

#define STEADY_MS 10000 /* a session that lived so long was a success */

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
    bool steady = self->state == SP_CLIENT_UP
                  && now - self->up_since >= STEADY_MS;
    size_t hub = self->rota.at;
    int delay = sp_rota_end (&self->rota, s_kind_of_end (err), steady,
                             randombytes_random ());
    if (self->rota.at != hub)
        self->handshakes = 0;
    self->due = now + delay;
    return delay;
}

void
sp_client_close (sp_client_t *self)
{
    sp_session_destroy (&self->session);
    sp_session_destroy (&self->look);
    self->state = SP_CLIENT_IDLE;
    self->ending = SP_LINK_NOTHING;
    self->hello_due = false;
}

void
sp_client_down (sp_client_t *self, sp_event_t *event, sh_err_t err,
                const char *format, ...)
{
    va_list args;
    va_start (args, format);
    vsnprintf (event->text, sizeof event->text, format, args);
    va_end (args);
    event->kind = SP_EVENT_DOWN;
    event->err = err;
    event->delay = s_count_failure (self, err);
    sp_client_close (self);
}

/*  Ours and, where there is one, our next key take turns: the hub may know only
    that one by now.  */
static void
s_refused (sp_client_t *self, sp_event_t *event)
{
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (fingerprint, self->public_key);
    self->denied = !self->with_next;
    sp_client_down (
        self, event, SH_E_KEY_REFUSED,
        "%.60s refused our key; on the hub: scanhubctl scanner approve %s "
        "NAME --code CODE; if it is registered, the hub has put it off for "
        "a while, see its log",
        sp_client_endpoint (self), fingerprint);
}

void
sp_client_link_down (sp_client_t *self, sp_link_t link, sp_event_t *event)
{
    const char *hub = sp_client_endpoint (self);
    char proxy[200];
    if (link != SP_LINK_LOST && link != SP_LINK_KEY_REFUSED
        && sp_session_proxy_trouble (self->session, proxy, sizeof proxy)) {
        sp_client_down (self, event, SH_E_DISCONNECTED, "%s", proxy);
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
        sp_client_down (
            self, event, SH_E_DISCONNECTED,
            "no hub answers at %s; %sis scanhubd running and the port open?",
            hub, sp_hub_doubt (hub));
        break;
    case SP_LINK_NO_HANDSHAKE:
        if (self->handshakes < SP_ROTA_FAILURES)
            sp_client_down (self, event, SH_E_DISCONNECTED,
                            "%s closed the connection in the handshake", hub);
        else
            sp_client_down (
                self, event, SH_E_HUB_KEY,
                "%s answers but ends the handshake; the hub key in our "
                "configuration is probably wrong, or the hub is in trouble",
                hub);
        break;
    case SP_LINK_SILENT:
        sp_client_down (
            self, event, SH_E_DISCONNECTED,
            "%s accepts the connection and is silent; is it a Scanhub hub?",
            hub);
        break;
    default:
        sp_client_down (self, event, SH_E_DISCONNECTED,
                        "the connection to %s was lost", hub);
    }
}

void
sp_client_timed_out (sp_client_t *self, sp_event_t *event)
{
    const char *hub = sp_client_endpoint (self);
    if (self->state == SP_CLIENT_GREETING)
        sp_client_down (self, event, SH_E_TIMEOUT,
                        "%s took the connection but sent no welcome in %d s",
                        hub, SP_WELCOME_MS / 1000);
    else if (self->state == SP_CLIENT_UP)
        sp_client_down (self, event, SH_E_TIMEOUT,
                        "%s has been silent for %d s", hub,
                        SP_SILENCE_MS / 1000);
    else if (sp_session_has_news (self->session))
        sp_client_link_down (self, SP_LINK_NO_TCP, event);
    else
        sp_client_down (
            self, event, SH_E_TIMEOUT,
            "%s: the name cannot be resolved, or no address of it reached",
            hub);
}
