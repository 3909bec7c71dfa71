/* SPDX-License-Identifier: MPL-2.0 */
/*  Where closing parts that were written in part go on when they come again.
    A worker's memory of the last few hundred; what is forgotten begins anew,
    which costs time and nothing else.  */

#ifndef HUB_UNFINISHED_H
#define HUB_UNFINISHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "scanner-proto/message.h"

#define HUB_UNFINISHED_MOST 256

/*  How far a closing part is.  First all rows of its subnet are counted, for
    the brake to decide once for all of them; then those are written that it
    covers.  */
typedef struct
{
    sh_addr_t next; /* where to go on */
    bool counted;   /* and with writing */
    uint64_t known, going; /* rows that count as online; that would go */
} hub_place_t;

typedef struct
{
    uint64_t subnet; /* 0: free */
    uint8_t id[SP_REPORT_ID];
    uint64_t part;
    hub_place_t place;
} hub_unfinished_item_t;

/*  All zero to begin with; nothing to free.  */
typedef struct
{
    hub_unfinished_item_t items[HUB_UNFINISHED_MOST]; /* the latest first */
} hub_unfinished_t;

/*  The place at which this part of a report about this subnet goes on; false if
    it is not known.  The subnet counts, for whoever knows another's report
    id must not move its place.  */
bool hub_unfinished_find (const hub_unfinished_t *self, uint64_t subnet,
                          const sp_report_t *report, hub_place_t *place);

/*  Remember it, in place of the one that was remembered longest ago.  */
void hub_unfinished_note (hub_unfinished_t *self, uint64_t subnet,
                          const sp_report_t *report, const hub_place_t *place);
void hub_unfinished_forget (hub_unfinished_t *self, uint64_t subnet,
                            const sp_report_t *report);

#endif
