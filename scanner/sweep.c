/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/sweep.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "scanner/shuffle.h"

#define MS INT64_C (1000000)
#define GAP (400 * MS)      /* between two probes of an address */
#define WAIT (500 * MS)     /* after the last one */
#define WAIT_MOST (3000 * MS)
#define SLOTS 256           /* places in a pass whose time is kept */
#define LOOK_MOST 16384     /* addresses that one turn passes over */
#define LOOK_AGAIN (MS / 10)

struct sc_sweep
{
    sc_shuffle_t order;
    const sh_ranges_t *known;
    uint8_t *up, *asked; /* a bit for each address, at its index */
    uint32_t count, ups;
    uint32_t passes, more;
    bool thorough;
    uint32_t pass, at; /* where we are: 'at' is a place */
    /*  When the last address of each part of a pass was asked: in this pass so
        far, and in the pass before.  */
    int64_t times[SLOTS], before[SLOTS];
    int64_t began[SC_SWEEP_PASSES_MOST + 1];     /* by pass */
    uint32_t found[SC_SWEEP_PASSES_MOST + 1];    /* new ones, by pass asked */
    int64_t last;    /* when the last address was asked */
    int64_t slowest; /* the longest time that an answer took */
};

static bool
s_get (const uint8_t *bits, uint32_t index)
{
    return bits[index / 8] >> (index % 8) & 1;
}

static void
s_put (uint8_t *bits, uint32_t index)
{
    bits[index / 8] |= (uint8_t) (1u << (index % 8));
}

static uint32_t
s_slot (const sc_sweep_t *self, uint32_t place)
{
    return (uint32_t) ((uint64_t) place * SLOTS / self->count);
}

/* life */

static sh_err_t
s_allocate (sc_sweep_t *self, const sc_sweep_options_t *options)
{
    sh_err_t rc
        = sc_shuffle_make (&self->order, options->ranges, options->chance);
    if (rc != SH_OK)
        return rc;
    self->count = self->order.count;
    self->up = calloc (self->count / 8 + 1, 1);
    self->asked = calloc (self->count / 8 + 1, 1);
    return self->up && self->asked ? SH_OK : SH_E_MEMORY;
}

sh_err_t
sc_sweep_new (sc_sweep_t **out, const sc_sweep_options_t *options)
{
    assert (options->passes > 0 && options->more >= options->passes
            && options->more <= SC_SWEEP_PASSES_MOST);
    if (sh_ranges_count (options->ranges) > SC_SWEEP_COUNT_MOST)
        return SH_E_TOO_LARGE;
    sc_sweep_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->known = options->known;
    self->passes = options->passes;
    self->more = options->more;
    self->thorough = options->thorough;
    self->pass = 1;
    sh_err_t rc = s_allocate (self, options);
    if (rc == SH_OK)
        *out = self;
    else
        sc_sweep_destroy (&self);
    return rc;
}

void
sc_sweep_destroy (sc_sweep_t **self_p)
{
    sc_sweep_t *self = *self_p;
    if (!self)
        return;
    sc_shuffle_clear (&self->order);
    free (self->up);
    free (self->asked);
    free (self);
    *self_p = NULL;
}

/* passes */

/*  Twice the longest time that an answer took, within bounds.  */
static int64_t
s_patience (const sc_sweep_t *self, int64_t least)
{
    int64_t time = 2 * self->slowest;
    return time < least ? least : time > WAIT_MOST ? WAIT_MOST : time;
}

/*  Does a pass ask everybody who is silent, or only the known ones?  */
static bool
s_asks_all (const sc_sweep_t *self, uint32_t pass)
{
    if (pass <= self->passes)
        return true;
    if (!self->thorough || pass > self->more)
        return false;
    /* a network that loses probes shows in what a repetition finds */
    for (uint32_t i = self->passes; i < pass; i++)
        if (self->found[i] == 0)
            return false;
    return true;
}

static bool
s_has_pass (const sc_sweep_t *self, uint32_t pass)
{
    return self->ups < self->count && pass <= self->more
           && (s_asks_all (self, pass) || (self->known && self->known->count));
}

static bool
s_is_wanted (const sc_sweep_t *self, uint32_t index, bool all,
             sh_addr_t *addr)
{
    if (s_get (self->up, index))
        return false;
    *addr = sc_shuffle_addr (&self->order, index);
    return all || (self->known && sh_ranges_contain (self->known, addr));
}

/*  Go to the next address that this pass asks.  True if there is one, or if
    the search has to go on ('*more').  */
static bool
s_find (sc_sweep_t *self, sh_addr_t *addr, bool *more)
{
    bool all = s_asks_all (self, self->pass);
    for (uint32_t looked = 0; self->at < self->count; self->at++) {
        uint32_t index = sc_shuffle_index (&self->order, self->at);
        if (s_is_wanted (self, index, all, addr))
            return true;
        if (++looked == LOOK_MOST) {
            *more = true;
            return true;
        }
    }
    return false;
}

static void
s_next_pass (sc_sweep_t *self)
{
    self->pass++;
    self->at = 0;
    memcpy (self->before, self->times, sizeof self->before);
}

sc_turn_t
sc_sweep_turn (sc_sweep_t *self, int64_t now, sh_addr_t *addr, int64_t *due)
{
    while (self->ups < self->count) {
        bool more = false;
        if (s_find (self, addr, &more)) {
            *due = now + LOOK_AGAIN;
            if (more)
                return SC_TURN_WAIT;
            int64_t last = self->before[s_slot (self, self->at)];
            *due = self->pass == 1 ? now : last + s_patience (self, GAP);
            return *due <= now ? SC_TURN_ASK : SC_TURN_WAIT;
        }
        if (s_has_pass (self, self->pass + 1)) {
            s_next_pass (self);
            continue;
        }
        *due = self->last + s_patience (self, WAIT);
        return self->last && *due > now ? SC_TURN_WAIT : SC_TURN_OVER;
    }
    return SC_TURN_OVER;
}

void
sc_sweep_asked (sc_sweep_t *self, int64_t now)
{
    assert (self->at < self->count);
    if (!self->began[self->pass])
        self->began[self->pass] = now;
    self->times[s_slot (self, self->at)] = now;
    self->last = now;
    s_put (self->asked, sc_shuffle_index (&self->order, self->at++));
}

void
sc_sweep_failed (sc_sweep_t *self)
{
    assert (self->at < self->count);
    self->at++;
}

void
sc_sweep_unask (sc_sweep_t *self, const sh_addr_t *addr)
{
    uint32_t index;
    if (sc_shuffle_find (&self->order, addr, &index))
        self->asked[index / 8] &= (uint8_t) ~(1u << (index % 8));
}

uint32_t
sc_sweep_pass (const sc_sweep_t *self)
{
    return self->pass;
}

/* answers */

bool
sc_sweep_expects (const sc_sweep_t *self, const sh_addr_t *addr)
{
    uint32_t index;
    return sc_shuffle_find (&self->order, addr, &index)
           && s_get (self->asked, index);
}

/*  In which pass it was asked what it has answered.  */
static uint32_t
s_pass_at (const sc_sweep_t *self, int64_t asked_at)
{
    uint32_t pass = self->pass;
    while (pass > 1 && (!self->began[pass] || self->began[pass] > asked_at))
        pass--;
    return pass;
}

bool
sc_sweep_answer (sc_sweep_t *self, const sh_addr_t *addr, int64_t asked_at,
                 int64_t now)
{
    uint32_t index;
    if (!sc_shuffle_find (&self->order, addr, &index) || s_get (self->up, index))
        return false;
    s_put (self->up, index);
    self->ups++;
    if (!s_get (self->asked, index))
        return true; /* known without asking */
    if (asked_at < 0) {
        uint32_t place = sc_shuffle_place (&self->order, index);
        asked_at = (place < self->at ? self->times
                                     : self->before)[s_slot (self, place)];
    }
    if (now - asked_at > self->slowest)
        self->slowest = now - asked_at;
    self->found[s_pass_at (self, asked_at)]++;
    return true;
}

sh_err_t
sc_sweep_missed (const sc_sweep_t *self, sh_ranges_t *out,
                 sc_sweep_unsure_fn *unsure, void *context)
{
    const sh_ranges_t *ranges = self->order.ranges;
    sh_err_t rc = SH_OK;
    uint32_t index = 0;
    for (size_t i = 0; i < ranges->count && rc == SH_OK; i++) {
        sh_addr_t addr = ranges->items[i].first;
        uint32_t left = sc_range_size (&ranges->items[i]);
        for (; left > 0 && rc == SH_OK; left--, index++) {
            if (!s_get (self->up, index)
                && (!s_get (self->asked, index)
                    || (unsure && unsure (context, &addr))))
                rc = sh_ranges_add (out, &addr, &addr);
            sc_addr_skip (&addr, 1);
        }
    }
    return rc;
}

uint64_t
sc_sweep_count (const sc_sweep_t *self)
{
    return self->count;
}

uint64_t
sc_sweep_up (const sc_sweep_t *self)
{
    return self->ups;
}

/*  Who is silent is settled bit by bit, as the passes go.  */
uint64_t
sc_sweep_done (const sc_sweep_t *self)
{
    if (self->count == 0)
        return 0;
    uint64_t passes = self->pass > self->passes ? self->pass : self->passes;
    uint64_t steps = (self->pass - 1) * (uint64_t) self->count + self->at;
    return self->ups
           + (self->count - self->ups) * steps / (passes * self->count);
}
