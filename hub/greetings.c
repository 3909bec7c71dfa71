/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/greetings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

struct hub_greetings
{
    hub_greeting_t ring[HUB_GREETINGS_MOST];
    uint64_t peers[HUB_GREETINGS_MOST]; /* hashes of theirs: to be gone through
                                           instead of those */
    size_t next;
    hub_knocks_t *keys;
};

sh_err_t
hub_greetings_new (hub_greetings_t **out)
{
    assert (out);
    hub_greetings_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    sh_err_t rc = hub_knocks_new (&self->keys, HUB_ADMITTED_MOST,
                                  HUB_ADMITTED_MOST);
    if (rc == SH_OK)
        *out = self;
    else
        hub_greetings_destroy (&self);
    return rc;
}

void
hub_greetings_destroy (hub_greetings_t **self_p)
{
    if (!*self_p)
        return;
    hub_knocks_destroy (&(*self_p)->keys);
    free (*self_p);
    *self_p = NULL;
}

void
hub_greetings_clear (hub_greetings_t *self)
{
    hub_knocks_clear (self->keys);
    memset (self->ring, 0, sizeof self->ring);
    memset (self->peers, 0, sizeof self->peers);
    self->next = 0;
}

static uint64_t
s_peer (const char *peer)
{
    return sh_hash (SH_HASH, peer, strlen (peer));
}

/*  Backwards, for a port can come again.  */
static size_t
s_find (const hub_greetings_t *self, const char *peer)
{
    uint64_t hash = s_peer (peer);
    for (size_t back = 1; *peer && back <= HUB_GREETINGS_MOST; back++) {
        size_t at = (self->next + HUB_GREETINGS_MOST - back)
                    % HUB_GREETINGS_MOST;
        if (self->peers[at] == hash && strcmp (self->ring[at].peer, peer) == 0)
            return at;
    }
    return HUB_GREETINGS_MOST;
}

/*  Who finds another route with the same hash only makes his own
    connections count less.  */
static uint64_t
s_route (const hub_session_t *session)
{
    return sh_hash (SH_HASH, session->route, session->route_size);
}

void
hub_greetings_note (hub_greetings_t *self, const hub_session_t *session)
{
    uint64_t route = s_route (session);
    size_t at = s_find (self, session->peer);
    if (at < HUB_GREETINGS_MOST && self->ring[at].route == route
        && strcmp (self->ring[at].key, session->key) == 0)
        return;
    hub_knocks_note (self->keys, session->key, "", session->heard);
    if (!*session->peer)
        return;
    hub_greeting_t *one = &self->ring[self->next];
    self->peers[self->next] = s_peer (session->peer);
    self->next = (self->next + 1) % HUB_GREETINGS_MOST;
    *one = (hub_greeting_t){ .route = route };
    memcpy (one->peer, session->peer, sizeof one->peer);
    memcpy (one->key, session->key, sizeof one->key);
}

void
hub_greetings_leave (hub_greetings_t *self, const hub_session_t *session)
{
    size_t at = s_find (self, session->peer);
    if (at < HUB_GREETINGS_MOST
        && strcmp (self->ring[at].key, session->key) == 0)
        self->ring[at].taken = session->taken;
}

const hub_greeting_t *
hub_greetings_find (const hub_greetings_t *self, const char *peer)
{
    size_t at = s_find (self, peer);
    return at < HUB_GREETINGS_MOST ? &self->ring[at] : NULL;
}

uint64_t
hub_greetings_lacking (const hub_greetings_t *self, const hub_knock_t *admitted)
{
    uint64_t times = hub_knocks_count (self->keys, admitted->key);
    return admitted->count > times ? admitted->count - times : 0;
}
