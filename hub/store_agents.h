/* SPDX-License-Identifier: MPL-2.0 */
/*  Reads of scanAgents and subnets by code, id or network: what reports are
    authorised by, within their transaction.  And an agent's last access.  Of
    the store; what each does is told in hub/store.h.  */

#ifndef HUB_STORE_AGENTS_H
#define HUB_STORE_AGENTS_H

#include "hub/store.h"
#include "hub/store_columns.h"

sh_err_t hub_store_agents (hub_sql_t *sql, const hub_columns_t *has,
                           hub_asked_t *asked, size_t count) SH_MUST_CHECK;
sh_err_t hub_store_touch (hub_sql_t *sql, const uint64_t *ids, size_t count,
                          const char *wall, const char *limit) SH_MUST_CHECK;

/*  'lock' ends the statement: " FOR UPDATE", or "".  */
sh_err_t hub_store_subnets (hub_sql_t *sql, const hub_columns_t *has,
                            const uint64_t *ids, size_t count,
                            const char *lock, hub_subnet_t *out) SH_MUST_CHECK;
sh_err_t hub_store_find_subnet (hub_sql_t *sql, uint64_t agent,
                                const sh_prefix_t *prefix, uint64_t hint,
                                uint64_t *id) SH_MUST_CHECK;

/*  May an agent of this type, as phpIPAM has it, report?  */
bool hub_store_is_eligible (const char *type);

/*  Leave a server that says that it is read-only: SH_E_DB_DOWN.  */
sh_err_t hub_store_leave_read_only (hub_sql_t *sql) SH_MUST_CHECK;

#endif
