/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/ranges.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

sh_err_t
sh_range_parse (sh_range_t *out, const char *text)
{
    assert (out && text);
    sh_range_t one;
    sh_prefix_t prefix;
    char first[SH_ADDR_TEXT];
    const char *dash = strchr (text, '-');
    if (strchr (text, '/')) {
        if (sh_prefix_parse (&prefix, text) != SH_OK)
            return SH_E_SYNTAX;
        *out = (sh_range_t){ prefix.base, sh_prefix_last (&prefix) };
        return SH_OK;
    }
    size_t size = dash ? (size_t) (dash - text) : strlen (text);
    if (size >= sizeof first)
        return SH_E_SYNTAX;
    memcpy (first, text, size);
    first[size] = '\0';
    sh_err_t rc = sh_addr_parse (&one.first, first);
    if (rc == SH_OK)
        rc = sh_addr_parse (&one.last, dash ? dash + 1 : first);
    if (rc != SH_OK || one.first.family != one.last.family
        || sh_addr_cmp (&one.first, &one.last) > 0)
        return SH_E_SYNTAX;
    *out = one;
    return SH_OK;
}

static bool
s_bit (const sh_addr_t *addr, unsigned index)
{
    return addr->bytes[index / 8] >> (7 - index % 8) & 1;
}

sh_prefix_t
sh_range_block (const sh_addr_t *first, const sh_addr_t *last)
{
    assert (first->family == last->family && sh_addr_cmp (first, last) <= 0);
    size_t bits = 8 * sh_addr_bytes (first).size;
    sh_prefix_t block = { .base = *first, .length = (uint8_t) bits };
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

void
sh_ranges_clear (sh_ranges_t *self)
{
    free (self->items);
    *self = (sh_ranges_t){ 0 };
}

static sh_err_t
s_grow (sh_ranges_t *self)
{
    if (self->count < self->room)
        return SH_OK;
    size_t room = self->room ? self->room * 2 : 8;
    sh_range_t *items = reallocarray (self->items, room, sizeof *items);
    if (!items)
        return SH_E_MEMORY;
    self->items = items;
    self->room = room;
    return SH_OK;
}

sh_err_t
sh_ranges_append (sh_ranges_t *self, const sh_range_t *one)
{
    assert (self && one);
    sh_err_t rc = s_grow (self);
    if (rc == SH_OK)
        self->items[self->count++] = *one;
    return rc;
}

sh_err_t
sh_ranges_add (sh_ranges_t *self, const sh_addr_t *first,
               const sh_addr_t *last)
{
    if (first->family != last->family || sh_addr_cmp (first, last) > 0)
        return SH_E_INTERNAL;
    if (self->count) {
        sh_range_t *tail = &self->items[self->count - 1];
        sh_addr_t behind = tail->last;
        if (first->family != behind.family
            || sh_addr_cmp (first, &behind) <= 0)
            return SH_E_INTERNAL;
        if (sh_addr_next (&behind) && sh_addr_cmp (first, &behind) == 0) {
            tail->last = *last;
            return SH_OK;
        }
    }
    return sh_ranges_append (self, &(sh_range_t){ *first, *last });
}

static int
s_compare (const void *a, const void *b)
{
    const sh_range_t *one = a, *other = b;
    int order = sh_addr_cmp (&one->first, &other->first);
    return order ? order : sh_addr_cmp (&one->last, &other->last);
}

/*  Does 'next', which begins no earlier, go on where 'one' is or ends?  */
static bool
s_touches (const sh_range_t *one, const sh_range_t *next)
{
    sh_addr_t beyond = one->last;
    if (one->last.family != next->first.family)
        return false;
    return !sh_addr_next (&beyond) || sh_addr_cmp (&next->first, &beyond) <= 0;
}

void
sh_ranges_settle (sh_ranges_t *self)
{
    assert (self);
    if (self->count < 2)
        return;
    qsort (self->items, self->count, sizeof *self->items, s_compare);
    size_t kept = 0;
    for (size_t i = 1; i < self->count; i++) {
        sh_range_t *last = &self->items[kept];
        if (!s_touches (last, &self->items[i]))
            self->items[++kept] = self->items[i];
        else if (sh_addr_cmp (&self->items[i].last, &last->last) > 0)
            last->last = self->items[i].last;
    }
    self->count = kept + 1;
}

/*  What is left of 'range' goes to 'out'.  '*at' is the first of 'others' that
    does not lie before it; both sets ascend, so it only moves on.  */
static sh_err_t
s_cut (sh_ranges_t *out, const sh_range_t *range, const sh_ranges_t *others,
       size_t *at)
{
    sh_addr_t first = range->first;
    while (*at < others->count
           && sh_addr_cmp (&others->items[*at].last, &first) < 0)
        (*at)++;
    for (size_t i = *at; i < others->count; i++) {
        const sh_range_t *hole = &others->items[i];
        if (sh_addr_cmp (&hole->first, &range->last) > 0)
            break;
        sh_addr_t before = hole->first;
        if (sh_addr_cmp (&hole->first, &first) > 0
            && sh_addr_previous (&before)) {
            sh_err_t rc = sh_ranges_add (out, &first, &before);
            if (rc != SH_OK)
                return rc;
        }
        first = hole->last;
        if (sh_addr_cmp (&first, &range->last) >= 0 || !sh_addr_next (&first))
            return SH_OK;
    }
    return sh_ranges_add (out, &first, &range->last);
}

sh_err_t
sh_ranges_subtract (sh_ranges_t *self, const sh_ranges_t *others)
{
    sh_ranges_t left = { 0 };
    size_t at = 0;
    sh_err_t rc = SH_OK;
    for (size_t i = 0; i < self->count && rc == SH_OK; i++)
        rc = s_cut (&left, &self->items[i], others, &at);
    if (rc != SH_OK) {
        sh_ranges_clear (&left);
        return rc;
    }
    sh_ranges_clear (self);
    *self = left;
    return SH_OK;
}

/*  The first range that ends at 'addr' or later.  */
static size_t
s_from (const sh_ranges_t *self, const sh_addr_t *addr)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sh_addr_cmp (&self->items[middle].last, addr) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

sh_err_t
sh_ranges_cut (sh_ranges_t *out, const sh_ranges_t *self,
               const sh_prefix_t *prefix)
{
    assert (out && self && prefix);
    sh_addr_t last = sh_prefix_last (prefix);
    sh_err_t rc = SH_OK;
    for (size_t i = s_from (self, &prefix->base);
         rc == SH_OK && i < self->count; i++) {
        sh_range_t one = self->items[i];
        if (sh_addr_cmp (&one.first, &last) > 0)
            break;
        if (sh_addr_cmp (&one.first, &prefix->base) < 0)
            one.first = prefix->base;
        if (sh_addr_cmp (&one.last, &last) > 0)
            one.last = last;
        rc = sh_ranges_append (out, &one);
    }
    return rc;
}

/*  high - low, of one family, as a number of 16 bytes.  */
static void
s_distance (uint8_t out[static 16], const sh_addr_t *low, const sh_addr_t *high)
{
    size_t size = sh_addr_bytes (low).size;
    int borrow = 0;
    memset (out, 0, 16);
    for (size_t i = size; i-- > 0;) {
        int digit = high->bytes[i] - low->bytes[i] - borrow;
        borrow = digit < 0;
        out[16 - size + i] = (uint8_t) (digit & 0xff);
    }
}

/*  What lies between a range and the next.  */
typedef struct
{
    uint8_t width[16];
    size_t before; /* the range that it follows */
} gap_t;

static gap_t
s_gap (const sh_ranges_t *self, size_t at)
{
    const sh_addr_t *low = &self->items[at].last;
    const sh_addr_t *high = &self->items[at + 1].first;
    gap_t gap = { .before = at };
    assert (low->family == high->family);
    s_distance (gap.width, low, high);
    return gap;
}

static int
s_compare_gaps (const void *a, const void *b)
{
    const gap_t *one = a, *other = b;
    int order = memcmp (one->width, other->width, sizeof one->width);
    if (order)
        return order;
    return one->before < other->before ? -1 : one->before > other->before;
}

static int
s_compare_places (const void *a, const void *b)
{
    const gap_t *one = a, *other = b;
    return one->before < other->before ? -1 : one->before > other->before;
}

/*  'gaps' are ascending by place.  */
static void
s_take_in (sh_ranges_t *self, const gap_t *gaps, size_t count)
{
    size_t kept = 0, at = 0;
    for (size_t i = 1; i < self->count; i++) {
        if (at < count && gaps[at].before == i - 1) {
            self->items[kept].last = self->items[i].last;
            at++;
        } else
            self->items[++kept] = self->items[i];
    }
    self->count = kept + 1;
}

sh_err_t
sh_ranges_limit (sh_ranges_t *self, size_t most, bool *widened)
{
    assert (self && most > 0 && widened);
    *widened = self->count > most;
    if (!*widened)
        return SH_OK;
    size_t count = self->count - 1;
    gap_t *gaps = calloc (count, sizeof *gaps);
    if (!gaps)
        return SH_E_MEMORY;
    for (size_t i = 0; i < count; i++)
        gaps[i] = s_gap (self, i);
    qsort (gaps, count, sizeof *gaps, s_compare_gaps);
    size_t closed = self->count - most;
    qsort (gaps, closed, sizeof *gaps, s_compare_places);
    s_take_in (self, gaps, closed);
    free (gaps);
    return SH_OK;
}

sh_err_t
sh_ranges_copy (sh_ranges_t *out, const sh_ranges_t *from)
{
    sh_ranges_t copy = { 0 };
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
sh_ranges_equal (const sh_ranges_t *a, const sh_ranges_t *b)
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
s_size (const sh_range_t *range)
{
    uint8_t distance[16];
    uint64_t high = 0, low = 0;
    s_distance (distance, &range->first, &range->last);
    for (size_t i = 0; i < 8; i++) {
        high = high << 8 | distance[i];
        low = low << 8 | distance[8 + i];
    }
    return high || low == UINT64_MAX ? UINT64_MAX : low + 1;
}

uint64_t
sh_ranges_count (const sh_ranges_t *self)
{
    uint64_t total = 0;
    for (size_t i = 0; i < self->count; i++) {
        uint64_t more = s_size (&self->items[i]);
        total = more > UINT64_MAX - total ? UINT64_MAX : total + more;
    }
    return total;
}

bool
sh_ranges_contain (const sh_ranges_t *self, const sh_addr_t *addr)
{
    size_t at = s_from (self, addr);
    return at < self->count && sh_addr_cmp (&self->items[at].first, addr) <= 0;
}
