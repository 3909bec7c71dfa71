/* SPDX-License-Identifier: MPL-2.0 */
/*  Reads of ipaddresses.  Of the store.  */

#ifndef HUB_STORE_ROWS_H
#define HUB_STORE_ROWS_H

#include "hub/rows.h"
#include "hub/sql.h"

/*  See read_rows and read_range in store.h.  */
sh_err_t hub_store_rows_of (hub_sql_t *sql, uint64_t subnet,
                            const sh_addr_t *addrs, size_t count,
                            hub_rows_t **out) SH_MUST_CHECK;
sh_err_t hub_store_rows_in (hub_sql_t *sql, uint64_t subnet,
                            const hub_range_t *range, hub_rows_t **out,
                            bool *more) SH_MUST_CHECK;

/*  A column's text as a number, 0 for NULL; and as a flag.  */
uint64_t hub_store_number (const char *value);
bool hub_store_is_true (const char *value);

/*  A column of time, "" for NULL.  */
void hub_store_copy_time (char out[static 20], const char *value);

/*  What @@global.read_only says, as 1 or ON or a word of newer servers.  */
bool hub_store_is_read_only (const char *value);

#endif
