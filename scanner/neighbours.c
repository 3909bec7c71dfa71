/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/neighbours.h"

#include <assert.h>
#include <stdio.h>
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
                 const sc_links_t *links,
                 const uint8_t key[static SC_KEY_BYTES])
{
    *self = (sc_search_t){ .job = job, .key = key };
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
    sc_tally_clear (&self->seen);
    sc_tally_clear (&self->macs);
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
           || sh_ranges_contain (self->job->ranges, addr)
           || sc_is_stable (addr, mac);
}

static void
s_crowd (sc_search_t *self, const uint8_t mac[static SC_MAC_BYTES])
{
    if (self->crowded == 0)
        memcpy (self->crowd, mac, SC_MAC_BYTES);
    self->others |= memcmp (self->crowd, mac, SC_MAC_BYTES) != 0;
    self->crowded++;
}

sh_err_t
sc_search_note (sc_search_t *self, const sh_addr_t *addr,
                const uint8_t mac[static SC_MAC_BYTES], bool *is_new)
{
    if (sc_tally_count (&self->seen, self->key, addr->bytes, 16)) {
        *is_new = false;
        return SH_OK;
    }
    if (sc_tally_count (&self->macs, self->key, mac, SC_MAC_BYTES)
        >= SC_NEIGHBOURS_OF_MAC) {
        s_crowd (self, mac);
        return SH_E_TOO_LARGE;
    }
    if (self->seen.used >= SC_NEIGHBOURS_MOST) {
        self->beyond++;
        return SH_E_TOO_LARGE;
    }
    sh_err_t rc = sc_tally_add (&self->seen, self->key, addr->bytes, 16);
    if (rc == SH_OK)
        rc = sc_tally_add (&self->macs, self->key, mac, SC_MAC_BYTES);
    if (rc == SH_OK)
        *is_new = true;
    return rc;
}

void
sc_search_text (const sc_search_t *self, char *text, size_t room)
{
    text[0] = '\0';
    char mac[SC_MAC_LINE];
    sc_mac_text (mac, self->crowd);
    if (self->crowded)
        (void) snprintf (text, room,
                         "%llu answers of one MAC address (%s%s) were left "
                         "out: of each at most %d IPv6 addresses count besides "
                         "those that are asked one by one",
                         (unsigned long long) self->crowded,
                         *mac ? mac : "none of a machine",
                         self->others ? "; of others, too" : "",
                         SC_NEIGHBOURS_OF_MAC);
    else if (self->beyond)
        (void) snprintf (text, room,
                         "%llu answers were left out: at most %d neighbours "
                         "count besides those that are asked one by one",
                         (unsigned long long) self->beyond, SC_NEIGHBOURS_MOST);
}
