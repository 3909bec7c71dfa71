/* SPDX-License-Identifier: MPL-2.0 */
/*  Stretches of addresses as a set: what must never be probed.  Written by
    people as FIRST-LAST, as a prefix or as a single address.  */

#ifndef HUB_RANGES_H
#define HUB_RANGES_H

#include <stddef.h>

#include "lib/addr.h"

typedef struct
{
    sh_addr_t first, last; /* of one family, first <= last */
} hub_stretch_t;

typedef struct
{
    hub_stretch_t *items; /* owned */
    size_t count;
} hub_ranges_t;

/*  "10.0.0.1-10.0.0.9", "10.0.0.0/28" or "10.0.0.7".  SH_E_SYNTAX.  */
sh_err_t hub_stretch_parse (hub_stretch_t *out, const char *text)
    SH_MUST_CHECK;

/*  Append one, in any order.  SH_E_MEMORY.  */
sh_err_t hub_ranges_add (hub_ranges_t *self, const hub_stretch_t *one)
    SH_MUST_CHECK;
void hub_ranges_clear (hub_ranges_t *self);

/*  Sort, and make one of what overlaps or touches.  The functions below want
    this done.  */
void hub_ranges_settle (hub_ranges_t *self);

/*  Append to 'out' what of 'self' lies within the prefix.  SH_E_MEMORY.  */
sh_err_t hub_ranges_cut (hub_ranges_t *out, const hub_ranges_t *self,
                         const sh_prefix_t *prefix) SH_MUST_CHECK;

/*  Make at most 'most' (at least 1) of them by taking in the narrowest gaps
    between neighbours: the set only grows.  Each family that is in it must
    leave 'most' at least one.  True if anything was taken in.  SH_E_MEMORY.  */
sh_err_t hub_ranges_limit (hub_ranges_t *self, size_t most, bool *widened)
    SH_MUST_CHECK;

#endif
