/* SPDX-License-Identifier: MPL-2.0 */
/*  Reads of all agents and assignments.  Of the store.  */

#ifndef HUB_STORE_PLAN_H
#define HUB_STORE_PLAN_H

#include "hub/assignments.h"
#include "hub/store_columns.h"

/*  Fill a plan that is empty, in the transaction at hand.  After an error it
    is to be destroyed.  */
sh_err_t hub_store_plan (hub_sql_t *sql, const hub_columns_t *has,
                         hub_plan_t *plan) SH_MUST_CHECK;

#endif
