/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/shuffle.h"

#include <stdlib.h>

#define STRIDE 64 /* ranges from one index that is kept to the next */

static uint32_t
s_low (const sh_addr_t *addr)
{
    const uint8_t *end = addr->bytes + (addr->family == 4 ? 4 : 16);
    return (uint32_t) end[-4] << 24 | (uint32_t) end[-3] << 16
           | (uint32_t) end[-2] << 8 | end[-1];
}

uint32_t
sc_range_size (const sh_range_t *range)
{
    return s_low (&range->last) - s_low (&range->first) + 1;
}

void
sc_addr_skip (sh_addr_t *addr, uint32_t more)
{
    uint64_t carry = more;
    for (size_t i = addr->family == 4 ? 4 : 16; i-- > 0 && carry;) {
        carry += addr->bytes[i];
        addr->bytes[i] = (uint8_t) carry;
        carry >>= 8;
    }
}

sh_addr_t
sc_shuffle_addr (const sc_shuffle_t *self, uint32_t index)
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
    const sh_range_t *range = &self->ranges->items[low * STRIDE];
    while (left >= sc_range_size (range))
        left -= sc_range_size (range++);
    sh_addr_t addr = range->first;
    sc_addr_skip (&addr, left);
    return addr;
}

bool
sc_shuffle_find (const sc_shuffle_t *self, const sh_addr_t *addr,
               uint32_t *out)
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
    const sh_range_t *range = &self->ranges->items[low - 1];
    if (addr->family != range->first.family
        || sh_addr_cmp (addr, &range->last) > 0)
        return false;
    uint32_t index = self->offsets[(low - 1) / STRIDE];
    for (size_t i = (low - 1) / STRIDE * STRIDE; i < low - 1; i++)
        index += sc_range_size (&self->ranges->items[i]);
    *out = index + (s_low (addr) - s_low (&range->first));
    return true;
}

uint32_t
sc_shuffle_index (const sc_shuffle_t *self, uint32_t place)
{
    return (uint32_t) ((self->begin + (uint64_t) place * self->step)
                       % self->count);
}

uint32_t
sc_shuffle_place (const sc_shuffle_t *self, uint32_t index)
{
    uint64_t ahead = (uint64_t) index + self->count - self->begin;
    return (uint32_t) (ahead % self->count * self->back % self->count);
}

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
s_choose_order (sc_shuffle_t *self, uint32_t chance)
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

sh_err_t
sc_shuffle_make (sc_shuffle_t *out, const sh_ranges_t *ranges, uint32_t chance)
{
    sc_shuffle_t self = { .ranges = ranges };
    self.offsets = calloc (ranges->count / STRIDE + 1, sizeof *self.offsets);
    if (!self.offsets)
        return SH_E_MEMORY;
    for (size_t i = 0; i < ranges->count; i++) {
        if (i % STRIDE == 0)
            self.offsets[i / STRIDE] = self.count;
        self.count += sc_range_size (&ranges->items[i]);
    }
    if (self.count)
        s_choose_order (&self, chance);
    *out = self;
    return SH_OK;
}

void
sc_shuffle_clear (sc_shuffle_t *self)
{
    free (self->offsets);
    *self = (sc_shuffle_t){ 0 };
}
