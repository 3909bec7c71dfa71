/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/sweep.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MS INT64_C (1000000)
#define GAP (400 * MS)      /* between two probes of an address */
#define WAIT (500 * MS)     /* after the last one */
#define WAIT_MOST (3000 * MS)
#define SLOTS 256           /* places in a pass whose time is kept */
#define STRIDE 64           /* ranges from one index that is kept to the next */
#define LOOK_MOST 16384     /* addresses that one turn passes over */
#define LOOK_AGAIN (MS / 10)

struct sc_sweep
{
    const sc_ranges_t *ranges;
    const sc_ranges_t *known;
    uint32_t *offsets; /* index of the first address of every STRIDEth range */
    uint8_t *up, *asked; /* a bit for each address */
    uint32_t count, ups;
    uint32_t passes, more;
    bool thorough;
    /*  The n-th address of a pass has index (begin + n * step) % count.  */
    uint32_t begin, step, back; /* back * step % count == 1 */
    uint32_t pass, at;          /* where we are */
    /*  When the last address of each part of a pass was asked: in this pass so
        far, and in the pass before.  */
    int64_t times[SLOTS], before[SLOTS];
    int64_t began[SC_SWEEP_PASSES_MOST + 1];     /* by pass */
    uint32_t found[SC_SWEEP_PASSES_MOST + 1];    /* new ones, by pass asked */
    int64_t last;    /* when the last address was asked */
    int64_t slowest; /* the longest time that an answer took */
};

/* indices */

static uint32_t
s_low (const sh_addr_t *addr)
{
    const uint8_t *end = addr->bytes + (addr->family == 4 ? 4 : 16);
    return (uint32_t) end[-4] << 24 | (uint32_t) end[-3] << 16
           | (uint32_t) end[-2] << 8 | end[-1];
}

/*  Of ranges that are known to be shorter than 2^32.  */
static uint32_t
s_size (const sc_range_t *range)
{
    return s_low (&range->last) - s_low (&range->first) + 1;
}

static void
s_step_on (sh_addr_t *addr, uint32_t more)
{
    uint64_t carry = more;
    for (size_t i = addr->family == 4 ? 4 : 16; i-- > 0 && carry;) {
        carry += addr->bytes[i];
        addr->bytes[i] = (uint8_t) carry;
        carry >>= 8;
    }
}

static sh_addr_t
s_addr (const sc_sweep_t *self, uint32_t index)
{
    size_t low = 0, high = (self->ranges->count - 1) / STRIDE;
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (self->offsets[middle] <= index)
            low = middle;
        else
            high = middle - 1;
    }
    uint32_t left = index - self->offsets[low];
    const sc_range_t *range = &self->ranges->items[low * STRIDE];
    while (left >= s_size (range))
        left -= s_size (range++);
    sh_addr_t addr = range->first;
    s_step_on (&addr, left);
    return addr;
}

/*  False if it is not in the set.  */
static bool
s_index (const sc_sweep_t *self, const sh_addr_t *addr, uint32_t *out)
{
    size_t low = 0, high = self->ranges->count;
    while (low < high) { /* the first range that begins behind */
        size_t middle = low + (high - low) / 2;
        if (sh_addr_cmp (&self->ranges->items[middle].first, addr) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return false;
    const sc_range_t *range = &self->ranges->items[low - 1];
    if (addr->family != range->first.family
        || sh_addr_cmp (addr, &range->last) > 0)
        return false;
    uint32_t index = self->offsets[(low - 1) / STRIDE];
    for (size_t i = (low - 1) / STRIDE * STRIDE; i < low - 1; i++)
        index += s_size (&self->ranges->items[i]);
    *out = index + (s_low (addr) - s_low (&range->first));
    return true;
}

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
s_index_at (const sc_sweep_t *self, uint32_t place)
{
    return (uint32_t) ((self->begin + (uint64_t) place * self->step)
                       % self->count);
}

static uint32_t
s_place_of (const sc_sweep_t *self, uint32_t index)
{
    uint64_t ahead = (uint64_t) index + self->count - self->begin;
    return (uint32_t) (ahead % self->count * self->back % self->count);
}

static uint32_t
s_slot (const sc_sweep_t *self, uint32_t place)
{
    return (uint32_t) ((uint64_t) place * SLOTS / self->count);
}

/* life */

static uint32_t
s_divisor (uint32_t a, uint32_t b)
{
    while (b) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/*  The number that undoes 'step', modulo 'count' (Euclid).  */
static uint32_t
s_inverse (uint32_t step, uint32_t count)
{
    int64_t a = step, b = count, x = 1, y = 0;
    while (a > 1) {
        int64_t times = a / b, rest = a % b, next = x - times * y;
        a = b;
        b = rest;
        x = y;
        y = next;
    }
    return count == 1 ? 0 : (uint32_t) ((x % count + count) % count);
}

/*  The golden section puts each next address into the widest gap that those
    before it have left.  */
static void
s_choose_order (sc_sweep_t *self, uint32_t chance)
{
    uint32_t step = (uint32_t) ((uint64_t) self->count * 618 / 1000);
    if (step == 0)
        step = 1;
    while (s_divisor (step, self->count) != 1)
        step++;
    self->step = step % self->count;
    self->back = s_inverse (self->step, self->count);
    self->begin = chance % self->count;
}

static sh_err_t
s_allocate (sc_sweep_t *self)
{
    size_t bytes = self->count / 8 + 1;
    self->offsets = calloc (self->ranges->count / STRIDE + 1,
                            sizeof *self->offsets);
    self->up = calloc (bytes, 1);
    self->asked = calloc (bytes, 1);
    if (!self->offsets || !self->up || !self->asked)
        return SH_E_MEMORY;
    uint32_t index = 0;
    for (size_t i = 0; i < self->ranges->count; i++) {
        if (i % STRIDE == 0)
            self->offsets[i / STRIDE] = index;
        index += s_size (&self->ranges->items[i]);
    }
    return SH_OK;
}

sh_err_t
sc_sweep_new (sc_sweep_t **out, const sc_sweep_options_t *options)
{
    assert (options->passes > 0 && options->more >= options->passes
            && options->more <= SC_SWEEP_PASSES_MOST);
    uint64_t count = sc_ranges_count (options->ranges);
    if (count > SC_SWEEP_COUNT_MOST)
        return SH_E_TOO_LARGE;
    sc_sweep_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->ranges = options->ranges;
    self->known = options->known;
    self->count = (uint32_t) count;
    self->passes = options->passes;
    self->more = options->more;
    self->thorough = options->thorough;
    self->pass = 1;
    if (count)
        s_choose_order (self, options->chance);
    sh_err_t rc = s_allocate (self);
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
    free (self->offsets);
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
    *addr = s_addr (self, index);
    return all || (self->known && sc_ranges_contain (self->known, addr));
}

/*  Go to the next address that this pass asks.  True if there is one, or if
    the search has to go on ('*more').  */
static bool
s_find (sc_sweep_t *self, sh_addr_t *addr, bool *more)
{
    bool all = s_asks_all (self, self->pass);
    for (uint32_t looked = 0; self->at < self->count; self->at++) {
        if (s_is_wanted (self, s_index_at (self, self->at), all, addr))
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
    s_put (self->asked, s_index_at (self, self->at++));
}

void
sc_sweep_failed (sc_sweep_t *self)
{
    assert (self->at < self->count);
    self->at++;
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
    return s_index (self, addr, &index) && s_get (self->asked, index);
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
    if (!s_index (self, addr, &index) || s_get (self->up, index))
        return false;
    s_put (self->up, index);
    self->ups++;
    if (!s_get (self->asked, index))
        return true; /* known without asking */
    if (asked_at < 0) {
        uint32_t place = s_place_of (self, index);
        asked_at = (place < self->at ? self->times
                                     : self->before)[s_slot (self, place)];
    }
    if (now - asked_at > self->slowest)
        self->slowest = now - asked_at;
    self->found[s_pass_at (self, asked_at)]++;
    return true;
}

sh_err_t
sc_sweep_missed (const sc_sweep_t *self, sc_ranges_t *out,
                 sc_sweep_unsure_fn *unsure, void *context)
{
    sh_err_t rc = SH_OK;
    uint32_t index = 0;
    for (size_t i = 0; i < self->ranges->count && rc == SH_OK; i++) {
        sh_addr_t addr = self->ranges->items[i].first;
        uint32_t left = s_size (&self->ranges->items[i]);
        for (; left > 0 && rc == SH_OK; left--, index++) {
            if (!s_get (self->up, index)
                && (!s_get (self->asked, index)
                    || (unsure && unsure (context, &addr))))
                rc = sc_ranges_add (out, &addr, &addr);
            s_step_on (&addr, 1);
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
