/* SPDX-License-Identifier: MPL-2.0 */
/*  What a plan changes, as a flat list for people and for the journal: one item
    for each column, with the address and what stood there before.  Made of a
    hub_changes_t and of the rows that it was planned on, which need not live
    longer: the list owns its texts.  */

#ifndef HUB_DELTAS_H
#define HUB_DELTAS_H

#include "hub/changes.h"

typedef enum
{
    HUB_COLUMN_LAST_SEEN,
    HUB_COLUMN_HOSTNAME,
    HUB_COLUMN_MAC,
    HUB_COLUMN_STATE,
    HUB_COLUMN_LAST_SCAN,      /* of the subnet; the address is its base */
    HUB_COLUMN_LAST_DISCOVERY, /* likewise */
    HUB_COLUMN_COUNT
} hub_column_t;

/*  Bits of a set of columns.  */
#define HUB_COLUMNS_ALL ((1u << HUB_COLUMN_COUNT) - 1)
#define HUB_COLUMNS_BUT_TIMES                                                    \
    (HUB_COLUMNS_ALL                                                            \
     & ~(1u << HUB_COLUMN_LAST_SEEN | 1u << HUB_COLUMN_LAST_SCAN                 \
         | 1u << HUB_COLUMN_LAST_DISCOVERY))

typedef struct
{
    hub_column_t column;
    sh_addr_t ip;
    bool added;   /* the row is new; all of its columns follow each other */
    uint64_t row; /* ipaddresses.id; of a new row 0 */
    char *before; /* NULL: no such row, or an empty column */
    char *after;  /* NULL: an empty column */
} hub_delta_t;

typedef struct
{
    hub_delta_t *items;
    size_t count, room;
} hub_deltas_t;

/*  Append what 'changes' changes of these columns; a new row has always all of
    them.  The rows are those that 'changes' was planned on.  On SH_E_MEMORY
    nothing was appended.  */
sh_err_t hub_deltas_add (hub_deltas_t *self, const hub_changes_t *changes,
                         const hub_subnet_t *subnet, const hub_rows_t *rows,
                         unsigned columns) SH_MUST_CHECK;

/*  Make room for one more behind the last.  SH_E_MEMORY.  */
sh_err_t hub_deltas_room (hub_deltas_t *self) SH_MUST_CHECK;

/*  Empty it; it can be used again.  */
void hub_deltas_clear (hub_deltas_t *self);

/*  The column's name in phpIPAM.  */
const char *hub_column_word (hub_column_t column);

#endif
