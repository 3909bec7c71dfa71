/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/clones.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/*  Without the port, which is another one each time; a socket that listens on
    [::] shows IPv4 addresses as ::ffff:a.b.c.d.  */
static void
s_address (char out[static HUB_CLONE_ADDRESS], const char *peer)
{
    static const char mapped[] = "::ffff:";
    if (strncmp (peer, mapped, sizeof mapped - 1) == 0 && strchr (peer, '.'))
        peer += sizeof mapped - 1;
    snprintf (out, HUB_CLONE_ADDRESS, "%.*s", (int) strcspn (peer, " "), peer);
}

static void
s_begin (hub_clones_t *self, const char *older, const char *newer, int64_t now)
{
    memcpy (self->older, older, sizeof self->older);
    memcpy (self->newer, newer, sizeof self->newer);
    self->turns = 1;
    self->begun = now;
}

bool
hub_clones_note (hub_clones_t *self, const char *older, const char *newer,
                 int64_t now)
{
    assert (self && older && newer);
    char from[HUB_CLONE_ADDRESS], to[HUB_CLONE_ADDRESS];
    s_address (from, older);
    s_address (to, newer);
    /*  Without an address nothing can be told, and the same address may be the
        same machine.  */
    if (!*from || !*to || strcmp (from, to) == 0)
        return false;
    bool back = strcmp (from, self->newer) == 0
                && strcmp (to, self->older) == 0
                && now - self->begun <= HUB_CLONE_WINDOW_MS;
    if (!back) {
        s_begin (self, from, to, now);
        return false;
    }
    memcpy (self->older, from, sizeof from);
    memcpy (self->newer, to, sizeof to);
    if (++self->turns < HUB_CLONE_TURNS)
        return false;
    self->begun = now; /* from here on the next turn is within the window */
    self->seen = now;
    self->times++;
    if (self->warned && now - self->warned < HUB_CLONE_AGAIN_MS)
        return false;
    self->warned = now;
    return true;
}

bool
hub_clones_current (const hub_clones_t *self, int64_t now)
{
    return self->times > 0 && now - self->seen < HUB_CLONE_AGAIN_MS;
}
