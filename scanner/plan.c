/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/plan.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/log.h"

#define GAP_MS 1000   /* between new subnets, if they are not very many */
#define LOOK_MS 1000  /* what is due but may not begin is looked at again */
#define REST_MS 3600000

static sh_err_t
s_read_skip (sh_ranges_t *out, const sp_subnet_t *row)
{
    for (size_t i = 0; i < row->skip_count; i++) {
        sh_addr_t first, last;
        sh_err_t rc = sh_addr_from_bytes (&first, row->skip[i].first);
        if (rc == SH_OK)
            rc = sh_addr_from_bytes (&last, row->skip[i].last);
        if (rc == SH_OK)
            rc = sh_ranges_add (out, &first, &last);
        if (rc != SH_OK)
            return rc == SH_E_MEMORY ? rc : SH_E_BAD_MESSAGE;
    }
    return SH_OK;
}

static sc_neighbours_t
s_read_neighbours (const char *word)
{
    if (word && strcmp (word, "off") == 0)
        return SC_NEIGHBOURS_NONE;
    return word && strcmp (word, "all") == 0 ? SC_NEIGHBOURS_ALL
                                             : SC_NEIGHBOURS_STABLE;
}

static void
s_read_nameservers (sc_subnet_t *self, const sp_subnet_t *row)
{
    for (size_t i = 0; i < row->nameserver_count; i++) {
        if (self->nameserver_count < SP_NAMESERVERS_MOST
            && sh_addr_parse (&self->nameservers[self->nameserver_count],
                              row->nameservers[i])
                   == SH_OK)
            self->nameserver_count++;
        else
            self->bad_nameservers++;
    }
}

sh_err_t
sc_subnet_read (sc_subnet_t *out, const sp_subnet_t *row, sh_why_t *why)
{
    sc_subnet_t self
        = { .id = row->id,
            .discover = row->discover,
            .check = row->check,
            .resolve = row->resolve,
            .pool = row->pool,
            .check_s = row->check_s ? (uint32_t) row->check_s : SC_CHECK_S,
            .discover_s = row->discover_s ? (uint32_t) row->discover_s
                                          : SC_DISCOVER_S,
            .rate = (uint32_t) row->rate,
            .neighbours = s_read_neighbours (row->ipv6),
            .paused = row->paused };
    if (!row->cidr || sh_prefix_parse (&self.prefix, row->cidr) != SH_OK) {
        char text[64];
        sh_escape (text, sizeof text, row->cidr ? row->cidr : "");
        return sh_fail (why, SH_E_BAD_MESSAGE,
                        "subnet %llu: '%s' is not a network",
                        (unsigned long long) row->id, text);
    }
    s_read_nameservers (&self, row);
    for (size_t i = 0; i < row->quiet_count && i < SP_QUIET_MOST; i++)
        self.quiet[self.quiet_count++] = row->quiet[i];
    /*  Rather not at all than what somebody excluded.  */
    sh_err_t rc = s_read_skip (&self.skip, row);
    if (rc != SH_OK) {
        sc_subnet_clear (&self);
        return sh_fail (why, rc,
                        "subnet %llu: what is to be left out of it cannot be "
                        "read, so it is not scanned",
                        (unsigned long long) row->id);
    }
    *out = self;
    return SH_OK;
}

void
sc_known_clear (sc_known_t *self)
{
    free (self->items);
    *self = (sc_known_t){ 0 };
}

void
sc_subnet_clear (sc_subnet_t *self)
{
    sc_known_clear (&self->known);
    sh_ranges_clear (&self->skip);
}

sh_err_t
sc_subnet_copy (sc_subnet_t *out, const sc_subnet_t *from)
{
    sc_subnet_t copy = *from;
    copy.known = (sc_known_t){ 0 };
    copy.skip = (sh_ranges_t){ 0 };
    sh_err_t rc = sh_ranges_copy (&copy.skip, &from->skip);
    if (rc == SH_OK)
        *out = copy;
    return rc;
}

bool
sc_subnet_same (const sc_subnet_t *a, const sc_subnet_t *b)
{
    if (a->id != b->id || !sh_prefix_equal (&a->prefix, &b->prefix)
        || a->discover != b->discover || a->check != b->check
        || a->resolve != b->resolve || a->pool != b->pool
        || a->neighbours != b->neighbours
        || a->nameserver_count != b->nameserver_count
        || !sh_ranges_equal (&a->skip, &b->skip))
        return false;
    for (size_t i = 0; i < a->nameserver_count; i++) {
        if (sh_addr_cmp (&a->nameservers[i], &b->nameservers[i]) != 0)
            return false;
    }
    return true;
}

bool
sc_subnet_is_quiet (const sc_subnet_t *self, int minute)
{
    return sp_hours_hold (self->quiet, self->quiet_count, (unsigned) minute);
}

bool
sc_subnet_kind (const sc_subnet_t *self, int wanted, int *kind)
{
    bool discover = self->discover && wanted != SP_KIND_CHECK;
    bool check = self->check && wanted != SP_KIND_DISCOVER;
    if (!discover && !check)
        return false;
    *kind = !discover      ? SP_KIND_CHECK
            : self->check  ? SP_KIND_BOTH
                           : SP_KIND_DISCOVER;
    return true;
}

void
sc_plan_clear (sc_plan_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        sc_subnet_clear (&self->items[i]);
    free (self->items);
    *self = (sc_plan_t){ .interval = self->interval };
}

static sh_err_t
s_grow (sc_plan_t *self)
{
    if (self->count < self->room)
        return SH_OK;
    size_t room = self->room ? self->room * 2 : 16;
    sc_subnet_t *items = reallocarray (self->items, room, sizeof *items);
    if (!items)
        return SH_E_MEMORY;
    self->items = items;
    self->room = room;
    return SH_OK;
}

sh_err_t
sc_plan_add (sc_plan_t *self, sc_subnet_t *subnet)
{
    sh_err_t rc = SH_OK;
    if (self->count && subnet->id <= self->items[self->count - 1].id)
        rc = SH_E_BAD_MESSAGE;
    else if (self->count == SC_SUBNETS_MOST)
        rc = SH_E_TOO_LARGE;
    else
        rc = s_grow (self);
    if (rc == SH_OK)
        self->items[self->count++] = *subnet;
    else
        sc_subnet_clear (subnet);
    *subnet = (sc_subnet_t){ 0 };
    return rc;
}

/*  ms from one scan of a kind to the next; 0: there is none.  */
static int64_t
s_every (const sc_plan_t *self, const sc_subnet_t *subnet, bool discovery)
{
    if (discovery ? !subnet->discover : !subnet->check)
        return 0;
    uint32_t seconds = discovery ? subnet->discover_s : subnet->check_s;
    return INT64_C (1000) * (self->interval ? self->interval : seconds);
}

/*  A number of the subnet's own, the same each time.  */
static uint64_t
s_lot (const sc_subnet_t *subnet, bool discovery)
{
    uint64_t lot = sh_hash (SH_HASH, &subnet->id, sizeof subnet->id);
    lot = sh_hash (lot, &discovery, sizeof discovery);
    return lot ^ lot >> 29; /* FNV's low bits alone are a bit regular */
}

/*  The subnet's place in the interval that comes at 'after' or next.  */
static int64_t
s_place (const sc_subnet_t *subnet, bool discovery, int64_t every,
         int64_t after)
{
    int64_t place = (int64_t) (s_lot (subnet, discovery) % (uint64_t) every);
    int64_t since = (after - place) % every;
    if (since < 0)
        since += every;
    return since == 0 ? after : after + every - since;
}

/*  One that did not begin at its place (it was new, or held up) comes to its
    place by the next scan, which is half to one and a half intervals later.  */
static int64_t
s_next (const sc_plan_t *self, const sc_subnet_t *subnet, bool discovery,
        int64_t begin, int64_t now)
{
    int64_t every = s_every (self, subnet, discovery);
    if (every == 0)
        return SC_NEVER;
    int64_t after = begin + every / 2;
    return s_place (subnet, discovery, every, after > now ? after : now);
}

static void
s_keep_time (int64_t *due, int64_t every, int64_t now)
{
    if (every == 0)
        *due = SC_NEVER;
    else if (*due > now + every)
        *due = now + every;
}

/*  Of 'same', what the plan knew of the subnet before.  */
static void
s_keep (const sc_plan_t *self, sc_subnet_t *subnet, sc_subnet_t *same,
        int64_t now)
{
    subnet->check_due = same->check_due;
    subnet->discover_due = same->discover_due;
    subnet->known = same->known;
    same->known = (sc_known_t){ 0 };
    s_keep_time (&subnet->check_due, s_every (self, subnet, false), now);
    s_keep_time (&subnet->discover_due, s_every (self, subnet, true), now);
}

/*  The first time of a new subnet, the 'nth' of 'count'.  A discovery does a
    check's work as well, so with both the check has its first turn later.  */
static void
s_begin (const sc_plan_t *self, sc_subnet_t *subnet, size_t nth, size_t count,
         int64_t now)
{
    int64_t check = s_every (self, subnet, false);
    int64_t discover = s_every (self, subnet, true);
    int64_t every = discover ? discover : check;
    int64_t gap = count ? every / (int64_t) count : 0;
    int64_t first = now + (int64_t) nth * (gap < GAP_MS ? gap : GAP_MS);
    subnet->discover_due = discover ? first : SC_NEVER;
    subnet->check_due = !check     ? SC_NEVER
                        : discover ? s_next (self, subnet, false, first, now)
                                   : first;
}

void
sc_plan_adopt (sc_plan_t *self, sc_plan_t *fresh, int64_t now)
{
    size_t old = 0, news = 0, nth = 0;
    fresh->interval = self->interval;
    for (size_t i = 0; i < fresh->count; i++) {
        sc_subnet_t *subnet = &fresh->items[i];
        while (old < self->count && self->items[old].id < subnet->id)
            old++;
        sc_subnet_t *same = old < self->count ? &self->items[old] : NULL;
        subnet->check_due = subnet->discover_due = -1;
        /*  Also of one that has changed: whoever drops its scan clears it.  */
        subnet->busy = same && same->id == subnet->id && same->busy;
        if (same && sc_subnet_same (same, subnet))
            s_keep (self, subnet, same, now);
        else
            news++;
    }
    for (size_t i = 0; i < fresh->count; i++)
        if (fresh->items[i].check_due == -1
            && fresh->items[i].discover_due == -1)
            s_begin (fresh, &fresh->items[i], nth++, news, now);
    sc_plan_clear (self);
    *self = *fresh;
    *fresh = (sc_plan_t){ .interval = self->interval };
}

void
sc_plan_set_interval (sc_plan_t *self, uint32_t interval, int64_t now)
{
    self->interval = interval;
    for (size_t i = 0; i < self->count; i++) {
        sc_subnet_t *subnet = &self->items[i];
        s_keep_time (&subnet->check_due, s_every (self, subnet, false), now);
        s_keep_time (&subnet->discover_due, s_every (self, subnet, true), now);
    }
}

static int
s_compare_id (const void *key, const void *item)
{
    uint64_t id = *(const uint64_t *) key;
    uint64_t other = ((const sc_subnet_t *) item)->id;
    return (id > other) - (id < other);
}

sc_subnet_t *
sc_plan_find (sc_plan_t *self, uint64_t id)
{
    if (self->count == 0)
        return NULL;
    return bsearch (&id, self->items, self->count, sizeof *self->items,
                    s_compare_id);
}

static int64_t
s_due (const sc_subnet_t *subnet)
{
    return subnet->check_due < subnet->discover_due ? subnet->check_due
                                                    : subnet->discover_due;
}

static bool
s_may_begin (const sc_subnet_t *subnet, const sc_moment_t *at)
{
    return !subnet->busy && !subnet->paused
           && (at->hub || subnet->known.valid)
           && !sc_subnet_is_quiet (subnet, at->minute);
}

bool
sc_plan_next (sc_plan_t *self, const sc_moment_t *at, sc_due_t *due)
{
    sc_subnet_t *first = NULL;
    for (size_t i = 0; i < self->count; i++) {
        sc_subnet_t *subnet = &self->items[i];
        int64_t when = s_due (subnet);
        if (when <= at->now && (!first || when < s_due (first))
            && s_may_begin (subnet, at))
            first = subnet;
    }
    if (!first)
        return false;
    due->subnet = first;
    due->kind = first->discover_due > at->now ? SP_KIND_CHECK
                : first->check                ? SP_KIND_BOTH
                                              : SP_KIND_DISCOVER;
    return true;
}

void
sc_plan_done (sc_plan_t *self, sc_subnet_t *subnet, int kind, int64_t begin,
              int64_t now)
{
    if (kind != SP_KIND_CHECK)
        subnet->discover_due = s_next (self, subnet, true, begin, now);
    if (kind != SP_KIND_DISCOVER)
        subnet->check_due = s_next (self, subnet, false, begin, now);
}

void
sc_plan_again (sc_subnet_t *subnet, int kind, int64_t now, int64_t pause)
{
    if (kind != SP_KIND_CHECK && subnet->discover)
        subnet->discover_due = now + pause;
    if (kind != SP_KIND_DISCOVER && subnet->check)
        subnet->check_due = now + pause;
}

int
sc_plan_timeout (const sc_plan_t *self, const sc_moment_t *at)
{
    int64_t left = SC_NEVER;
    for (size_t i = 0; i < self->count; i++) {
        const sc_subnet_t *subnet = &self->items[i];
        int64_t when = s_due (subnet);
        if (when == SC_NEVER || subnet->busy)
            continue;
        int64_t wait = when - at->now;
        if (wait <= 0)
            wait = s_may_begin (subnet, at) ? 0 : LOOK_MS;
        if (wait < left)
            left = wait;
    }
    return left == SC_NEVER ? -1 : left > REST_MS ? REST_MS : (int) left;
}
