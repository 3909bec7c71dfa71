/* SPDX-License-Identifier: MPL-2.0 */
/*  A set of addresses as ascending ranges that neither touch nor overlap:
    what a scan has to probe, and what it covered.  One family per set.  */

#ifndef SC_RANGES_H
#define SC_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

typedef struct
{
    sh_addr_t first, last; /* first <= last */
} sc_range_t;

/*  Owned by whoever owns the struct; all zero is the empty set.  */
typedef struct
{
    sc_range_t *items;
    size_t count, room;
} sc_ranges_t;

void sc_ranges_clear (sc_ranges_t *self);

/*  Add a range that begins after everything in the set; a range that begins
    right behind the last one lengthens it.  SH_E_INTERNAL if it does not
    ascend, SH_E_MEMORY.  */
sh_err_t sc_ranges_add (sc_ranges_t *self, const sh_addr_t *first,
                        const sh_addr_t *last) SH_MUST_CHECK;

/*  Take everything out of the set that is in 'others'.  SH_E_MEMORY, and the set
    is as it was.  */
sh_err_t sc_ranges_subtract (sc_ranges_t *self, const sc_ranges_t *others)
    SH_MUST_CHECK;

/*  Make 'out' (empty) a copy.  SH_E_MEMORY.  */
sh_err_t sc_ranges_copy (sc_ranges_t *out, const sc_ranges_t *from)
    SH_MUST_CHECK;

bool sc_ranges_equal (const sc_ranges_t *a, const sc_ranges_t *b);

/*  How many addresses, saturating at UINT64_MAX.  */
uint64_t sc_ranges_count (const sc_ranges_t *self);

bool sc_ranges_contain (const sc_ranges_t *self, const sh_addr_t *addr);

/*  The largest prefix that begins at 'first' and does not reach beyond
    'last': cuts a range into prefixes, the fewest there can be.  */
sh_prefix_t sc_range_block (const sh_addr_t *first, const sh_addr_t *last);

/*  Step to the address before; false (and unchanged) at the family's
    beginning.  */
bool sc_addr_previous (sh_addr_t *self);

#endif
