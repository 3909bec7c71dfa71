/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/store_plan.h"

#include <stdlib.h>
#include <string.h>

#include "hub/authorise.h"
#include "hub/store_agents.h"
#include "hub/store_rows.h"

static sh_err_t
s_plan_agents (hub_sql_t *sql, hub_plan_t *plan)
{
    hub_sql_start (sql, "SELECT id, name, code, type, last_access "
                        "FROM scanAgents ORDER BY id");
    MYSQL_RES *result;
    sh_err_t rc = hub_sql_query (sql, &result);
    if (rc != SH_OK)
        return rc;
    plan->agents = calloc (mysql_num_rows (result) + 1, sizeof *plan->agents);
    MYSQL_ROW row;
    while (plan->agents && (row = mysql_fetch_row (result))) {
        hub_known_agent_t *one = &plan->agents[plan->agent_count++];
        one->id = hub_store_number (row[0]);
        one->name = strdup (row[1] ? row[1] : "");
        one->code = strdup (row[2] ? row[2] : "");
        one->eligible = hub_store_is_eligible (row[3]);
        hub_store_copy_time (one->last_access, row[4]);
        if (!one->name || !one->code)
            rc = SH_E_MEMORY;
    }
    if (!plan->agents)
        rc = SH_E_MEMORY;
    mysql_free_result (result);
    return rc;
}

/*  Reports are judged by the same function.  */
static sh_err_t
s_judge (const hub_subnet_t *subnet)
{
    const hub_agent_t its = { .id = subnet->agent };
    return hub_authorise_subnet (&its, subnet);
}

static void
s_plan_subnet (hub_plan_t *plan, MYSQL_ROW row)
{
    sh_prefix_t prefix = { 0 }; /* untouched if there is none */
    hub_subnet_t subnet = {
        .has_prefix
        = sh_prefix_from_decimal (&prefix, row[1], row[2]) == SH_OK,
        .agent = hub_store_number (row[7]),
        .folder = hub_store_is_true (row[9]),
        .check = hub_store_is_true (row[3]),
        .discover = hub_store_is_true (row[4]),
        .parent = hub_store_is_true (row[11]),
    };
    subnet.prefix = prefix;
    hub_assigned_t *one = &plan->subnets[plan->subnet_count++];
    one->prefix = prefix;
    one->id = hub_store_number (row[0]);
    one->check = subnet.check;
    one->discover = subnet.discover;
    one->resolve = hub_store_is_true (row[5]);
    one->pool = hub_store_is_true (row[6]);
    one->agent = subnet.agent;
    one->master = hub_store_number (row[10]);
    one->nameservers = row[8] ? strdup (row[8]) : NULL;
    one->unsent = s_judge (&subnet);
}

static sh_err_t
s_plan_subnets (hub_sql_t *sql, const hub_columns_t *has, hub_plan_t *plan)
{
    hub_sql_start (sql,
                   "SELECT s.id, s.subnet, s.mask, s.pingSubnet, "
                   "s.discoverSubnet, s.resolveDNS, ");
    hub_sql_add (sql, has->pool ? "s.isPool" : "0");
    hub_sql_add (sql,
                 ", s.scanAgent, n.namesrv1, s.isFolder, s.masterSubnetId, "
                 "EXISTS (SELECT 1 FROM subnets c "
                 "WHERE c.masterSubnetId = s.id) FROM subnets s "
                 "LEFT JOIN nameservers n ON n.id = s.nameserverId "
                 "LEFT JOIN subnets m ON m.id = s.masterSubnetId "
                 "WHERE s.scanAgent > 0 OR m.scanAgent > 0 ORDER BY s.id");
    MYSQL_RES *result;
    sh_err_t rc = hub_sql_query (sql, &result);
    if (rc != SH_OK)
        return rc;
    plan->subnets
        = calloc (mysql_num_rows (result) + 1, sizeof *plan->subnets);
    MYSQL_ROW row;
    while (plan->subnets && (row = mysql_fetch_row (result)))
        s_plan_subnet (plan, row);
    mysql_free_result (result);
    return plan->subnets ? SH_OK : SH_E_MEMORY;
}

/*  The session's offset, the state of server and phpIPAM, and some recent
    lastSeen for people to compare.  That column has no index, hence the look
    at the newest thousand rows only.  */
static sh_err_t
s_plan_times (hub_sql_t *sql, const hub_columns_t *has, hub_plan_t *plan)
{
    hub_sql_start (sql,
                   "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()), "
                   "(SELECT MAX(lastSeen) FROM (SELECT lastSeen "
                   "FROM ipaddresses ORDER BY id DESC LIMIT 1000) t), "
                   "@@global.read_only, ");
    hub_sql_add (sql, hub_store_maintenance (has));
    MYSQL_RES *result;
    sh_err_t rc = hub_sql_query (sql, &result);
    if (rc != SH_OK)
        return rc;
    MYSQL_ROW row = mysql_fetch_row (result);
    if (row) {
        plan->db_offset = row[0] ? (int) strtol (row[0], NULL, 10) : 0;
        hub_store_copy_time (plan->sample_seen, row[1]);
        plan->maintenance = hub_store_is_true (row[3]);
    }
    bool read_only = row && hub_store_is_read_only (row[2]);
    mysql_free_result (result);
    return read_only ? hub_store_leave_read_only (sql) : SH_OK;
}

sh_err_t
hub_store_plan (hub_sql_t *sql, const hub_columns_t *has, hub_plan_t *plan)
{
    sh_err_t rc = s_plan_agents (sql, plan);
    if (rc == SH_OK)
        rc = s_plan_subnets (sql, has, plan);
    if (rc == SH_OK)
        rc = s_plan_times (sql, has, plan);
    return rc;
}
