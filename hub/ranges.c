/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/ranges.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

sh_err_t
hub_stretch_parse (hub_stretch_t *out, const char *text)
{
    assert (out && text);
    hub_stretch_t one;
    sh_prefix_t prefix;
    char first[SH_ADDR_TEXT];
    const char *dash = strchr (text, '-');
    if (strchr (text, '/')) {
        if (sh_prefix_parse (&prefix, text) != SH_OK)
            return SH_E_SYNTAX;
        *out = (hub_stretch_t){ prefix.base, sh_prefix_last (&prefix) };
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

sh_err_t
hub_ranges_add (hub_ranges_t *self, const hub_stretch_t *one)
{
    assert (self && one);
    /*  Twice the room whenever the count is a power of two.  */
    if ((self->count & (self->count - 1)) == 0) {
        size_t room = self->count ? 2 * self->count : 1;
        hub_stretch_t *items
            = reallocarray (self->items, room, sizeof *items);
        if (!items)
            return SH_E_MEMORY;
        self->items = items;
    }
    self->items[self->count++] = *one;
    return SH_OK;
}

void
hub_ranges_clear (hub_ranges_t *self)
{
    assert (self);
    free (self->items);
    *self = (hub_ranges_t){ 0 };
}

static int
s_compare (const void *a, const void *b)
{
    const hub_stretch_t *one = a, *other = b;
    int order = sh_addr_cmp (&one->first, &other->first);
    return order ? order : sh_addr_cmp (&one->last, &other->last);
}

/*  Does 'next', which begins no earlier, go on where 'one' is or ends?  */
static bool
s_touches (const hub_stretch_t *one, const hub_stretch_t *next)
{
    sh_addr_t beyond = one->last;
    if (one->last.family != next->first.family)
        return false;
    return !sh_addr_next (&beyond) || sh_addr_cmp (&next->first, &beyond) <= 0;
}

void
hub_ranges_settle (hub_ranges_t *self)
{
    assert (self);
    if (self->count < 2)
        return;
    qsort (self->items, self->count, sizeof *self->items, s_compare);
    size_t kept = 0;
    for (size_t i = 1; i < self->count; i++) {
        hub_stretch_t *last = &self->items[kept];
        if (!s_touches (last, &self->items[i]))
            self->items[++kept] = self->items[i];
        else if (sh_addr_cmp (&self->items[i].last, &last->last) > 0)
            last->last = self->items[i].last;
    }
    self->count = kept + 1;
}

/*  The first stretch that ends at 'addr' or later.  */
static size_t
s_from (const hub_ranges_t *self, const sh_addr_t *addr)
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
hub_ranges_cut (hub_ranges_t *out, const hub_ranges_t *self,
                const sh_prefix_t *prefix)
{
    assert (out && self && prefix);
    sh_addr_t last = sh_prefix_last (prefix);
    sh_err_t rc = SH_OK;
    for (size_t i = s_from (self, &prefix->base);
         rc == SH_OK && i < self->count; i++) {
        hub_stretch_t one = self->items[i];
        if (sh_addr_cmp (&one.first, &last) > 0)
            break;
        if (sh_addr_cmp (&one.first, &prefix->base) < 0)
            one.first = prefix->base;
        if (sh_addr_cmp (&one.last, &last) > 0)
            one.last = last;
        rc = hub_ranges_add (out, &one);
    }
    return rc;
}

/*  What lies between a stretch and the next, as a number of 16 bytes.  */
typedef struct
{
    uint8_t width[16];
    size_t before; /* the stretch that it follows */
} gap_t;

static gap_t
s_gap (const hub_ranges_t *self, size_t at)
{
    const sh_addr_t *low = &self->items[at].last;
    const sh_addr_t *high = &self->items[at + 1].first;
    gap_t gap = { .before = at };
    size_t size = sh_addr_bytes (low).size;
    int borrow = 0;
    assert (low->family == high->family);
    for (size_t i = size; i-- > 0;) {
        int digit = high->bytes[i] - low->bytes[i] - borrow;
        borrow = digit < 0;
        gap.width[16 - size + i] = (uint8_t) (digit & 0xff);
    }
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
s_take_in (hub_ranges_t *self, const gap_t *gaps, size_t count)
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
hub_ranges_limit (hub_ranges_t *self, size_t most, bool *widened)
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
