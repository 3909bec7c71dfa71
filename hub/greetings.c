/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/greetings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct hub_greetings
{
    hub_greeting_t ring[HUB_GREETINGS_MOST];
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
    self->next = 0;
}

/*  Backwards, for a port can come again.  */
static size_t
s_find (const hub_greetings_t *self, const char *peer)
{
    for (size_t back = 1; *peer && back <= HUB_GREETINGS_MOST; back++) {
        size_t at = (self->next + HUB_GREETINGS_MOST - back)
                    % HUB_GREETINGS_MOST;
        if (strcmp (self->ring[at].peer, peer) == 0)
            return at;
    }
    return HUB_GREETINGS_MOST;
}

/*  FNV-1a.  Who finds another route with the same hash only makes his own
    connections count less.  */
static uint64_t
s_route (const hub_session_t *session)
{
    uint64_t hash = UINT64_C (14695981039346656037);
    for (size_t i = 0; i < session->route_size; i++)
        hash = (hash ^ session->route[i]) * UINT64_C (1099511628211);
    return hash;
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

static uint64_t
s_greeted (const hub_knock_t *list, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp (list[i].key, key) == 0)
            return list[i].count;
    return 0;
}

bool
hub_greetings_lacking (const hub_greetings_t *self,
                       const hub_knock_t *admitted, size_t count,
                       uint64_t *lacking)
{
    hub_knock_t *list = calloc (HUB_ADMITTED_MOST, sizeof *list);
    if (!list)
        return false;
    size_t greeted = hub_knocks_list (self->keys, list, HUB_ADMITTED_MOST);
    for (size_t i = 0; i < count; i++) {
        uint64_t times = s_greeted (list, greeted, admitted[i].key);
        lacking[i] = admitted[i].count > times ? admitted[i].count - times : 0;
    }
    free (list);
    return true;
}
