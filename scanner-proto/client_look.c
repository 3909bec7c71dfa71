/* SPDX-License-Identifier: MPL-2.0 */
/*  Handshakes beside the session: with a preferred hub, or with the hub in use
    and our next key.  */

#include "scanner-proto/client_within.h"

#include <sodium.h>
#include <stdio.h>

#include "lib/log.h"

#define NEXT_KEY_MS 30000 /* between two looks whether ours is let in */

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

bool
sp_client_shows_next_key (const sp_client_t *self)
{
    return self->next_key.offer && !self->next_key.only_when_refused;
}

/*  Show the hub in use our next key, if there is one.  */
static void
s_look_with_next_key (sp_client_t *self, int64_t now)
{
    sh_why_t why = { "" };
    self->key_due = now + NEXT_KEY_MS;
    if (!sp_client_get_next_key (self))
        return;
    self->look_key = true;
    self->look_end = now + SP_ATTEMPT_MS;
    if (sp_client_connect (self, self->rota.at, true, &self->look_to_next,
                           &self->look, &why)
        != SH_OK)
        s_look_failed (self, why.text);
}

void
sp_client_look (sp_client_t *self, int64_t now)
{
    sh_why_t why = { "" };
    if (self->look) {
        if (now >= self->look_end)
            s_look_failed (self, "no answer");
    } else if (now >= self->rota.look_due) {
        self->look_key = false;
        if (sp_client_connect (self, self->rota.look_at, false,
                               &self->look_to_next, &self->look, &why)
            != SH_OK)
            s_look_failed (self, why.text);
        self->look_end = now + SP_ATTEMPT_MS;
    } else if (sp_client_shows_next_key (self) && now >= self->key_due)
        s_look_with_next_key (self, now);
}

/*  The preferred hub has taken us.  What the other one has not answered yet
    gets answered by a resend.  */
static void
s_go_back (sp_client_t *self, sp_event_t *event)
{
    sp_session_t *session = self->look;
    bool key = self->look_key;
    self->look = NULL;
    sp_client_close (self);
    if (key)
        sp_client_take_next_key (self);
    else
        sp_rota_return (&self->rota);
    if (self->look_to_next)
        sp_client_take_hub_key (self, self->rota.at);
    self->session = session;
    self->with_next = self->to_next = false;
    self->handshakes = 0;
    sp_client_greet (self);
    event->kind = SP_EVENT_DOWN;
    event->err = SH_E_DISCONNECTED;
    snprintf (event->text, sizeof event->text,
              key ? "going over to our next key, which %s has accepted"
                  : "going back to the preferred hub %s, which is there again",
              sp_client_endpoint (self));
}

bool
sp_client_read_look (sp_client_t *self, sp_event_t *event)
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
