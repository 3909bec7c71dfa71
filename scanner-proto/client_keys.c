/* SPDX-License-Identifier: MPL-2.0 */
/*  The client's keys: ours and our next one, the hub's and the one that it has
    announced.  */

#include "scanner-proto/client_within.h"

#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "lib/secret.h"

sh_err_t
sp_client_connect (const sp_client_t *self, size_t at, bool with_next,
                   bool *to_next, sp_session_t **session, sh_why_t *why)
{
    char key[SH_KEY_TEXT];
    sp_hub_t hub = self->hubs.items[at];
    const char *next = sp_hub_keys_next (self->hub_keys, &hub, NULL);
    *to_next = next && self->try_next[at];
    snprintf (key, sizeof key, "%s",
              *to_next ? next : sp_hub_keys_now (self->hub_keys, &hub));
    hub.public_key = key;
    return sp_session_new (
        session, &hub, with_next ? self->next_public : self->public_key,
        with_next ? self->next_secret : self->secret_key, why);
}

bool
sp_client_get_next_key (sp_client_t *self)
{
    return self->next_key.offer
           && self->next_key.offer (self->next_key.context, self->next_public,
                                    self->next_secret);
}

void
sp_client_take_next_key (sp_client_t *self)
{
    char fingerprint[SH_FINGERPRINT_TEXT];
    memcpy (self->public_key, self->next_public, SH_KEY_TEXT);
    memcpy (self->secret_key, self->next_secret, SH_KEY_TEXT);
    sh_secret_wipe (self->next_secret, sizeof self->next_secret);
    self->denied = false;
    sh_key_fingerprint (fingerprint, self->public_key);
    sh_log (SH_LOG_NOTICE,
            "the hub has accepted our next key, which is ours "
            "from now on",
            SH_STR ("fingerprint", fingerprint));
    if (self->next_key.taken)
        self->next_key.taken (self->next_key.context);
}

void
sp_client_take_hub_key (sp_client_t *self, size_t at)
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

void
sp_client_learn (sp_client_t *self, sh_bytes_t next, int64_t at)
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
