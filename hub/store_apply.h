/* SPDX-License-Identifier: MPL-2.0 */
/*  The writing half of the MariaDB store.  */

#ifndef HUB_STORE_APPLY_H
#define HUB_STORE_APPLY_H

#include "hub/changes.h"
#include "hub/sql.h"

/*  Carry the changes out in the transaction at hand.  SH_E_HOST_UPDATE: a name
    or MAC does not fit its column; SH_E_HOST_COLUMN, SH_E_HOST_TEXT,
    SH_E_HOST_UNIQUE: a new row does not fit the table; others as in
    hub/store.h.  */
sh_err_t hub_store_apply (hub_sql_t *sql, const hub_changes_t *changes)
    SH_MUST_CHECK;

#endif
