/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/neighbours.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MS INT64_C (1000000)
#define ROUNDS 3
#define KINDS 2           /* of calls, in each round on each link */
#define PAUSE (500 * MS)  /* from one round to the next, and after the last */

static bool
s_is_on (const sc_own_t *own, const sh_prefix_t *prefix)
{
    return own->addr.family == 6 && own->asks
           && (sh_prefix_contains (prefix, &own->addr)
               || (own->prefix.length <= prefix->length
                   && sh_prefix_contains (&own->prefix, &prefix->base)));
}

/*  Once for each link, however many addresses we have there.  */
static bool
s_has_link (const sc_search_t *self, int index)
{
    for (size_t i = 0; i < self->link_count; i++)
        if (self->links[i]->index == index)
            return true;
    return false;
}

void
sc_search_begin (sc_search_t *self, const sc_job_t *job,
                 const sc_links_t *links)
{
    *self = (sc_search_t){ .job = job };
    if (job->neighbours == SC_NEIGHBOURS_NONE)
        return;
    for (size_t i = 0; i < links->count; i++) {
        const sc_own_t *own = &links->items[i];
        if (self->link_count < SC_CALL_LINKS_MOST
            && s_is_on (own, &job->prefix) && !s_has_link (self, own->index))
            self->links[self->link_count++] = own;
    }
}

void
sc_search_clear (sc_search_t *self)
{
    free (self->seen);
    *self = (sc_search_t){ 0 };
}

static uint32_t
s_calls (const sc_search_t *self)
{
    return (uint32_t) (ROUNDS * KINDS * self->link_count);
}

int64_t
sc_search_due (const sc_search_t *self, int64_t now)
{
    bool pause
        = self->made && self->made % (KINDS * self->link_count) == 0;
    return pause && self->last + PAUSE > now ? self->last + PAUSE : now;
}

bool
sc_search_is_over (const sc_search_t *self, int64_t now)
{
    return self->made == s_calls (self) && sc_search_due (self, now) <= now;
}

const sc_own_t *
sc_search_next (const sc_search_t *self, sc_call_t *call)
{
    if (self->made == s_calls (self))
        return NULL;
    *call = self->made % KINDS ? SC_CALL_OPTION : SC_CALL_ECHO;
    return self->links[self->made / KINDS % self->link_count];
}

void
sc_search_called (sc_search_t *self, int64_t now)
{
    assert (self->made < s_calls (self));
    self->made++;
    self->last = now;
}

bool
sc_is_stable (const sh_addr_t *addr, const uint8_t mac[static SC_MAC_BYTES])
{
    static const uint8_t zero[4];
    const uint8_t *id = addr->bytes + 8;
    const uint8_t made[8] = { mac[0] ^ 2, mac[1], mac[2], 0xff,
                              0xfe,       mac[3], mac[4], mac[5] };
    return memcmp (id, zero, sizeof zero) == 0
           || memcmp (id, made, sizeof made) == 0;
}

bool
sc_search_takes (const sc_search_t *self, const sh_addr_t *addr,
                 const sh_addr_t *to, int link,
                 const uint8_t mac[static SC_MAC_BYTES])
{
    bool called = false;
    for (size_t i = 0; i < self->link_count; i++)
        called |= self->links[i]->index == link
                  && sh_addr_cmp (&self->links[i]->addr, to) == 0;
    bool local = addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
    if (!called || local || addr->bytes[0] == 0xff
        || !sc_job_wants (self->job, addr))
        return false;
    return self->job->neighbours == SC_NEIGHBOURS_ALL
           || sc_ranges_contain (self->job->ranges, addr)
           || sc_is_stable (addr, mac);
}

/*  64 bits of an address: both halves as they are, for two hosts of one prefix
    differ in the lower; 0 is kept for a free place.  */
static uint64_t
s_mix (const sh_addr_t *addr)
{
    uint64_t high, low;
    memcpy (&high, addr->bytes, 8);
    memcpy (&low, addr->bytes + 8, 8);
    uint64_t mixed = low ^ high * UINT64_C (0x9e3779b97f4a7c15);
    return mixed ? mixed : 1;
}

static bool
s_put (uint64_t *seen, size_t room, uint64_t value)
{
    size_t at = (size_t) (value * UINT64_C (0x9e3779b97f4a7c15) >> 32);
    while (seen[at & (room - 1)]) {
        if (seen[at & (room - 1)] == value)
            return false;
        at++;
    }
    seen[at & (room - 1)] = value;
    return true;
}

static sh_err_t
s_grow (sc_search_t *self)
{
    if (self->found * 2 < self->room)
        return SH_OK;
    size_t room = self->room ? self->room * 2 : 256;
    uint64_t *seen = calloc (room, sizeof *seen);
    if (!seen)
        return SH_E_MEMORY;
    for (size_t i = 0; i < self->room; i++)
        if (self->seen[i])
            (void) s_put (seen, room, self->seen[i]);
    free (self->seen);
    self->seen = seen;
    self->room = room;
    return SH_OK;
}

sh_err_t
sc_search_note (sc_search_t *self, const sh_addr_t *addr, bool *is_new)
{
    sh_err_t rc = s_grow (self);
    if (rc != SH_OK)
        return rc;
    if (self->found >= SC_NEIGHBOURS_MOST)
        return SH_E_TOO_LARGE;
    *is_new = s_put (self->seen, self->room, s_mix (addr));
    self->found += *is_new;
    return SH_OK;
}
