/* SPDX-License-Identifier: MPL-2.0 */
/*  Sets of addresses, as ranges: what a scan has to probe, what it covered,
    and what must never be probed.  A set is settled when its ranges ascend and
    neither touch nor overlap.  sh_ranges_add keeps it so; after
    sh_ranges_append it takes sh_ranges_settle, before anything else is asked
    of the set.  Owned by whoever owns the struct; all zero is the empty
    set.  */

#ifndef SH_RANGES_H
#define SH_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

typedef struct
{
    sh_addr_t first, last; /* of one family, first <= last */
} sh_range_t;

typedef struct
{
    sh_range_t *items;
    size_t count, room;
} sh_ranges_t;

/*  "10.0.0.1-10.0.0.9", "10.0.0.0/28" or "10.0.0.7".  SH_E_SYNTAX.  */
sh_err_t sh_range_parse (sh_range_t *out, const char *text) SH_MUST_CHECK;

/*  The largest prefix that begins at 'first' and does not reach beyond
    'last': cuts a range into prefixes, the fewest there can be.  */
sh_prefix_t sh_range_block (const sh_addr_t *first, const sh_addr_t *last);

void sh_ranges_clear (sh_ranges_t *self);

/*  Add a range that begins after everything in the set and is of its family;
    one that begins right behind the last lengthens it.  SH_E_INTERNAL if it
    does not ascend, SH_E_MEMORY.  */
sh_err_t sh_ranges_add (sh_ranges_t *self, const sh_addr_t *first,
                        const sh_addr_t *last) SH_MUST_CHECK;

/*  Put one at the end, in any order and of any family.  SH_E_MEMORY.  */
sh_err_t sh_ranges_append (sh_ranges_t *self, const sh_range_t *one)
    SH_MUST_CHECK;

/*  Sort, and make one of what overlaps or touches.  */
void sh_ranges_settle (sh_ranges_t *self);

/*  Take everything out of the set that is in 'others'.  SH_E_MEMORY, and the
    set is as it was.  */
sh_err_t sh_ranges_subtract (sh_ranges_t *self, const sh_ranges_t *others)
    SH_MUST_CHECK;

/*  Append to 'out' what of 'self' lies within the prefix.  SH_E_MEMORY.  */
sh_err_t sh_ranges_cut (sh_ranges_t *out, const sh_ranges_t *self,
                        const sh_prefix_t *prefix) SH_MUST_CHECK;

/*  Make at most 'most' (at least 1) of them by taking in the narrowest gaps
    between neighbours: the set, of one family, only grows.  True if anything
    was taken in.  SH_E_MEMORY.  */
sh_err_t sh_ranges_limit (sh_ranges_t *self, size_t most, bool *widened)
    SH_MUST_CHECK;

/*  Make 'out' (empty) a copy.  SH_E_MEMORY.  */
sh_err_t sh_ranges_copy (sh_ranges_t *out, const sh_ranges_t *from)
    SH_MUST_CHECK;

bool sh_ranges_equal (const sh_ranges_t *a, const sh_ranges_t *b);

/*  How many addresses, saturating at UINT64_MAX.  */
uint64_t sh_ranges_count (const sh_ranges_t *self);

bool sh_ranges_contain (const sh_ranges_t *self, const sh_addr_t *addr);

#endif
