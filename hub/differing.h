/* SPDX-License-Identifier: MPL-2.0 */
/*  Which MACs that answer for another's address were told of already: each is
    said once, not with every scan.  Belongs to one intake.  */

#ifndef HUB_DIFFERING_H
#define HUB_DIFFERING_H

#include "hub/part.h"

#define HUB_DIFFERING_ROOM 8192 /* about so many */

/*  Hashes of (row, MAC) pairs; a colliding pair takes its place and the first
    may be told once more.  All zero to begin with.  */
typedef struct
{
    uint64_t hashes[HUB_DIFFERING_ROOM];
} hub_differing_t;

/*  After COMMIT: count and log the part's differing MACs that are new.  */
void hub_differing_tell (hub_differing_t *self, const hub_part_t *part,
                         hub_live_t *live);

#endif
