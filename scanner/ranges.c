/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/ranges.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t
s_width (const sh_addr_t *addr)
{
    return addr->family == 4 ? 4 : 16;
}

bool
sc_addr_previous (sh_addr_t *self)
{
    sh_addr_t before = *self;
    for (size_t i = s_width (self); i > 0; i--) {
        if (before.bytes[i - 1]-- != 0) {
            *self = before;
            return true;
        }
    }
    return false;
}

void
sc_ranges_clear (sc_ranges_t *self)
{
    free (self->items);
    *self = (sc_ranges_t){ 0 };
}

static sh_err_t
s_grow (sc_ranges_t *self)
{
    if (self->count < self->room)
        return SH_OK;
    size_t room = self->room ? self->room * 2 : 8;
    sc_range_t *items = reallocarray (self->items, room, sizeof *items);
    if (!items)
        return SH_E_MEMORY;
    self->items = items;
    self->room = room;
    return SH_OK;
}

sh_err_t
sc_ranges_add (sc_ranges_t *self, const sh_addr_t *first,
               const sh_addr_t *last)
{
    if (first->family != last->family || sh_addr_cmp (first, last) > 0)
        return SH_E_INTERNAL;
    if (self->count) {
        sc_range_t *tail = &self->items[self->count - 1];
        sh_addr_t behind = tail->last;
        if (first->family != behind.family
            || sh_addr_cmp (first, &behind) <= 0)
            return SH_E_INTERNAL;
        if (sh_addr_next (&behind) && sh_addr_cmp (first, &behind) == 0) {
            tail->last = *last;
            return SH_OK;
        }
    }
    sh_err_t rc = s_grow (self);
    if (rc == SH_OK)
        self->items[self->count++]
            = (sc_range_t){ .first = *first, .last = *last };
    return rc;
}

/*  What is left of 'range' goes to 'out'.  '*at' is the first of 'others' that
    does not lie before it; both sets ascend, so it only moves on.  */
static sh_err_t
s_cut (sc_ranges_t *out, const sc_range_t *range, const sc_ranges_t *others,
       size_t *at)
{
    sh_addr_t first = range->first;
    while (*at < others->count
           && sh_addr_cmp (&others->items[*at].last, &first) < 0)
        (*at)++;
    for (size_t i = *at; i < others->count; i++) {
        const sc_range_t *hole = &others->items[i];
        if (sh_addr_cmp (&hole->first, &range->last) > 0)
            break;
        sh_addr_t before = hole->first;
        if (sh_addr_cmp (&hole->first, &first) > 0
            && sc_addr_previous (&before)) {
            sh_err_t rc = sc_ranges_add (out, &first, &before);
            if (rc != SH_OK)
                return rc;
        }
        first = hole->last;
        if (sh_addr_cmp (&first, &range->last) >= 0 || !sh_addr_next (&first))
            return SH_OK;
    }
    return sc_ranges_add (out, &first, &range->last);
}

sh_err_t
sc_ranges_subtract (sc_ranges_t *self, const sc_ranges_t *others)
{
    sc_ranges_t left = { 0 };
    size_t at = 0;
    sh_err_t rc = SH_OK;
    for (size_t i = 0; i < self->count && rc == SH_OK; i++)
        rc = s_cut (&left, &self->items[i], others, &at);
    if (rc != SH_OK) {
        sc_ranges_clear (&left);
        return rc;
    }
    sc_ranges_clear (self);
    *self = left;
    return SH_OK;
}

sh_err_t
sc_ranges_copy (sc_ranges_t *out, const sc_ranges_t *from)
{
    sc_ranges_t copy = { 0 };
    if (from->count) {
        copy.items = calloc (from->count, sizeof *copy.items);
        if (!copy.items)
            return SH_E_MEMORY;
        memcpy (copy.items, from->items, from->count * sizeof *copy.items);
        copy.count = copy.room = from->count;
    }
    *out = copy;
    return SH_OK;
}

bool
sc_ranges_equal (const sc_ranges_t *a, const sc_ranges_t *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (sh_addr_cmp (&a->items[i].first, &b->items[i].first) != 0
            || sh_addr_cmp (&a->items[i].last, &b->items[i].last) != 0)
            return false;
    }
    return true;
}

/*  last - first + 1, saturating.  */
static uint64_t
s_size (const sc_range_t *range)
{
    uint64_t high = 0, low = 0; /* last - first, 128 bits */
    unsigned borrow = 0;
    size_t width = s_width (&range->first);
    for (size_t i = 0; i < width; i++) {
        size_t at = width - 1 - i;
        unsigned less = range->first.bytes[at] + borrow;
        unsigned from = range->last.bytes[at];
        borrow = from < less;
        uint64_t digit = (from + (borrow ? 256u : 0u) - less) & 0xff;
        if (i < 8)
            low |= digit << (8 * i);
        else
            high |= digit << (8 * (i - 8));
    }
    return high || low == UINT64_MAX ? UINT64_MAX : low + 1;
}

uint64_t
sc_ranges_count (const sc_ranges_t *self)
{
    uint64_t total = 0;
    for (size_t i = 0; i < self->count; i++) {
        uint64_t more = s_size (&self->items[i]);
        total = more > UINT64_MAX - total ? UINT64_MAX : total + more;
    }
    return total;
}

bool
sc_ranges_contain (const sc_ranges_t *self, const sh_addr_t *addr)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const sc_range_t *range = &self->items[middle];
        if (sh_addr_cmp (addr, &range->first) < 0)
            high = middle;
        else if (sh_addr_cmp (addr, &range->last) > 0)
            low = middle + 1;
        else
            return addr->family == range->first.family;
    }
    return false;
}

static bool
s_bit (const sh_addr_t *addr, unsigned index)
{
    return addr->bytes[index / 8] >> (7 - index % 8) & 1;
}

sh_prefix_t
sc_range_block (const sh_addr_t *first, const sh_addr_t *last)
{
    assert (first->family == last->family && sh_addr_cmp (first, last) <= 0);
    sh_prefix_t block = { .base = *first,
                          .length = (uint8_t) (8 * s_width (first)) };
    while (block.length > 0 && !s_bit (first, block.length - 1u)) {
        sh_prefix_t wider = block;
        wider.length--;
        sh_addr_t end = sh_prefix_last (&wider);
        if (sh_addr_cmp (&end, last) > 0)
            break;
        block = wider;
    }
    return block;
}
