/* SPDX-License-Identifier: MPL-2.0 */
/*  The addresses of a set by number, and an order in which to visit them that
    jumps about, so that no part of a network gets all probes at once.  Costs a
    few bytes for each 64 ranges, nothing for each address.

        index   0 for the lowest address, and so on
        place   0 for the first one to visit, and so on  */

#ifndef SC_SHUFFLE_H
#define SC_SHUFFLE_H

#include "lib/ranges.h"

typedef struct
{
    const sh_ranges_t *ranges; /* borrowed */
    uint32_t *offsets; /* index of the first address of every 64th range */
    uint32_t count;    /* addresses */
    uint32_t begin, step, back; /* index = begin + place * step, and back */
} sc_shuffle_t;

/*  A set of less than 2^32 addresses; 'chance' decides where to begin.
    SH_E_MEMORY.  */
sh_err_t sc_shuffle_make (sc_shuffle_t *out, const sh_ranges_t *ranges,
                        uint32_t chance) SH_MUST_CHECK;
void sc_shuffle_clear (sc_shuffle_t *self);

/*  All of these are below 'count'.  */
uint32_t sc_shuffle_index (const sc_shuffle_t *self, uint32_t place);
uint32_t sc_shuffle_place (const sc_shuffle_t *self, uint32_t index);
sh_addr_t sc_shuffle_addr (const sc_shuffle_t *self, uint32_t index);

/*  False if it is not in the set.  */
bool sc_shuffle_find (const sc_shuffle_t *self, const sh_addr_t *addr,
                    uint32_t *index);

/*  Of ranges that are shorter than 2^32: how many addresses.  */
uint32_t sc_range_size (const sh_range_t *range);

/*  Step on by several addresses.  */
void sc_addr_skip (sh_addr_t *self, uint32_t more);

#endif
