/* SPDX-License-Identifier: MPL-2.0 */
/*  Which of phpIPAM's columns there are and may be used.  Of the store.  */

#ifndef HUB_STORE_COLUMNS_H
#define HUB_STORE_COLUMNS_H

#include "hub/sql.h"

/*  Those that a phpIPAM may lack.  */
typedef struct
{
    bool pool;        /* subnets.isPool: phpIPAM 1.5 and later */
    bool maintenance; /* settings.maintaneanceMode, if it is granted */
} hub_columns_t;

/*  Which of those are there.  */
sh_err_t hub_store_learn (hub_sql_t *sql, hub_columns_t *out) SH_MUST_CHECK;

/*  What phpIPAM says of its maintenance mode, as an expression: "0" where that
    cannot be known.  */
const char *hub_store_maintenance (const hub_columns_t *has);

/*  Are all others there and granted?  SH_E_DB_SCHEMA otherwise, for a server
    that grants by columns does not tell which of both it is; the connection's
    trouble names the column.  */
sh_err_t hub_store_check (hub_sql_t *sql) SH_MUST_CHECK;

#endif
