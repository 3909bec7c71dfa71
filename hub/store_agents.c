/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/store_agents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/store_rows.h"

bool
hub_store_is_eligible (const char *type)
{
    if (!type)
        return false;
    bool ours = false;
    for (const char *at = type; *at;) {
        size_t size = strcspn (at, ",");
        if (size == 6 && memcmp (at, "direct", 6) == 0)
            return false;
        if ((size == 5 && memcmp (at, "mysql", 5) == 0)
            || (size == 3 && memcmp (at, "api", 3) == 0))
            ours = true;
        at += size;
        at += *at == ',';
    }
    return ours;
}

/*  "1,2,3,4" from GROUP_CONCAT.  */
static void
s_read_tags (hub_agent_t *out, const char *list)
{
    while (list && *list && out->tag_count < HUB_TAGS_MOST) {
        char *end;
        long tag = strtol (list, &end, 10);
        if (end == list)
            break;
        out->tags[out->tag_count++] = (int) tag;
        list = *end == ',' ? end + 1 : end;
    }
}

static sh_err_t
s_take_agent (hub_agent_t *out, MYSQL_ROW row)
{
    out->id = hub_store_number (row[0]);
    out->name = strdup (row[1] ? row[1] : "");
    out->code = strdup (row[2] ? row[2] : "");
    if (!out->name || !out->code) {
        hub_agent_clear (out);
        return SH_E_MEMORY;
    }
    out->eligible = hub_store_is_eligible (row[3]);
    hub_store_copy_time (out->last_access, row[4]);
    out->update_tags = hub_store_is_true (row[5]);
    s_read_tags (out, row[6]);
    out->db_offset = row[7] ? (int) strtol (row[7], NULL, 10) : 0;
    out->maintenance = hub_store_is_true (row[9]);
    return SH_OK;
}

/*  A server that another one has taken over from would still answer reads, and
    an account with too many rights could even write to it.  */
sh_err_t
hub_store_leave_read_only (hub_sql_t *sql)
{
    return hub_sql_leave (sql, hub_sql_remedy (HUB_SQL_ERROR_READ_ONLY));
}

/*  One row at the least, also for unknown codes, for the state of server and
    phpIPAM comes along.  */
static sh_err_t
s_ask_agents (hub_sql_t *sql, const hub_columns_t *has,
              const hub_asked_t *asked, size_t count, MYSQL_RES **result)
{
    hub_sql_start (
        sql,
        "SELECT a.id, a.name, a.code, a.type, a.last_access, "
        "(SELECT updateTags FROM settings WHERE id = 1), "
        "(SELECT GROUP_CONCAT(id) FROM ipTags WHERE updateTag = 1), "
        "TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()), @@global.read_only, ");
    hub_sql_add (sql, hub_store_maintenance (has));
    hub_sql_add (sql, " FROM (SELECT 1 AS one) o "
                      "LEFT JOIN scanAgents a ON a.code IN (");
    for (size_t i = 0; i < count; i++) {
        hub_sql_add (sql, i ? "," : "");
        hub_sql_text (sql, asked[i].code);
    }
    hub_sql_add (sql, ")");
    return hub_sql_query (sql, result);
}

static void
s_forget_agents (hub_asked_t *asked, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (asked[i].rc == SH_OK)
            hub_agent_clear (&asked[i].agent);
}

/*  The row belongs to whoever has asked for exactly its code, if anybody
    has.  */
static sh_err_t
s_give_agent (hub_asked_t *asked, size_t count, MYSQL_ROW row)
{
    for (size_t i = 0; row[2] && i < count; i++) {
        if (asked[i].rc == SH_OK || strcmp (row[2], asked[i].code) != 0)
            continue;
        asked[i].agent = (hub_agent_t){ 0 };
        asked[i].rc = s_take_agent (&asked[i].agent, row);
        return asked[i].rc;
    }
    return SH_OK;
}

sh_err_t
hub_store_agents (hub_sql_t *sql, const hub_columns_t *has,
                  hub_asked_t *asked, size_t count)
{
    MYSQL_RES *result;
    sh_err_t rc = s_ask_agents (sql, has, asked, count, &result);
    if (rc != SH_OK)
        return rc;

    for (size_t i = 0; i < count; i++)
        asked[i].rc = SH_E_AGENT_UNKNOWN;
    bool read_only = false, maintenance = false;
    MYSQL_ROW row;
    while (rc == SH_OK && (row = mysql_fetch_row (result))) {
        read_only = hub_store_is_read_only (row[8]);
        maintenance = hub_store_is_true (row[9]);
        rc = s_give_agent (asked, count, row);
    }
    mysql_free_result (result);
    if (rc == SH_OK && read_only)
        rc = hub_store_leave_read_only (sql);
    if (rc != SH_OK)
        s_forget_agents (asked, count);
    for (size_t i = 0; maintenance && i < count; i++)
        if (asked[i].rc == SH_E_AGENT_UNKNOWN)
            asked[i].rc = SH_E_MAINTENANCE;
    return rc;
}

/*  Their rows are locked in the order of the primary key, so two that do this
    at the same time wait for each other, but not each for the other.  */
sh_err_t
hub_store_touch (hub_sql_t *sql, const uint64_t *ids, size_t count,
                 const char *wall, const char *limit)
{
    hub_sql_start (sql, "UPDATE scanAgents SET last_access = ");
    hub_sql_text (sql, wall);
    hub_sql_add (sql, " WHERE id IN (");
    for (size_t i = 0; i < count; i++) {
        hub_sql_add (sql, i ? "," : "");
        hub_sql_number (sql, ids[i]);
    }
    hub_sql_add (sql, ") AND (last_access IS NULL OR last_access < ");
    hub_sql_text (sql, wall);
    hub_sql_add (sql, " OR last_access > ");
    hub_sql_text (sql, limit);
    hub_sql_add (sql, ")");
    return hub_sql_run (sql);
}

static void
s_take_subnet (hub_subnet_t *out, MYSQL_ROW row)
{
    memset (out, 0, sizeof *out);
    out->id = hub_store_number (row[0]);
    out->has_prefix
        = sh_prefix_from_decimal (&out->prefix, row[1], row[2]) == SH_OK;
    out->agent = hub_store_number (row[3]);
    out->folder = hub_store_is_true (row[4]);
    out->check = hub_store_is_true (row[5]);
    out->discover = hub_store_is_true (row[6]);
    out->pool = hub_store_is_true (row[7]);
    hub_store_copy_time (out->last_scan, row[8]);
    hub_store_copy_time (out->last_discovery, row[9]);
    out->parent = hub_store_is_true (row[10]);
}

/*  In the order of their ids, which is the one in which they are locked: by
    the primary key.  */
sh_err_t
hub_store_subnets (hub_sql_t *sql, const hub_columns_t *has,
                   const uint64_t *ids, size_t count, const char *lock,
                   hub_subnet_t *out)
{
    hub_sql_start (sql,
                   "SELECT s.id, s.subnet, s.mask, s.scanAgent, s.isFolder, "
                   "s.pingSubnet, s.discoverSubnet, ");
    hub_sql_add (sql, has->pool ? "s.isPool" : "0");
    hub_sql_add (sql,
                 ", s.lastScan, s.lastDiscovery, EXISTS (SELECT 1 "
                 "FROM subnets c WHERE c.masterSubnetId = s.id) "
                 "FROM subnets s FORCE INDEX (PRIMARY) WHERE s.id IN (");
    for (size_t i = 0; i < count; i++) {
        hub_sql_add (sql, i ? "," : "");
        hub_sql_number (sql, ids[i]);
        out[i].id = 0;
    }
    hub_sql_add (sql, ") ORDER BY s.id");
    hub_sql_add (sql, lock);
    MYSQL_RES *result;
    sh_err_t rc = hub_sql_query (sql, &result);
    if (rc != SH_OK)
        return rc;
    MYSQL_ROW row;
    while ((row = mysql_fetch_row (result)))
        for (size_t i = 0; i < count; i++)
            if (ids[i] == hub_store_number (row[0]))
                s_take_subnet (&out[i], row);
    mysql_free_result (result);
    return SH_OK;
}

sh_err_t
hub_store_find_subnet (hub_sql_t *sql, uint64_t agent,
                       const sh_prefix_t *prefix, uint64_t hint, uint64_t *id)
{
    char decimal[SH_ADDR_DECIMAL], mask[8];
    sh_addr_decimal (&prefix->base, decimal);
    snprintf (mask, sizeof mask, "%u", prefix->length);
    hub_sql_start (sql, "SELECT id FROM subnets WHERE scanAgent = ");
    hub_sql_number (sql, agent);
    hub_sql_add (sql, " AND subnet = ");
    hub_sql_text (sql, decimal);
    hub_sql_add (sql, " AND mask = ");
    hub_sql_text (sql, mask);
    hub_sql_add (sql, " AND COALESCE(isFolder, 0) = 0");
    MYSQL_RES *result;
    sh_err_t rc = hub_sql_query (sql, &result);
    if (rc != SH_OK)
        return rc;
    bool only = mysql_num_rows (result) == 1;
    rc = SH_E_SUBNET_UNKNOWN;
    MYSQL_ROW row;
    while (rc != SH_OK && (row = mysql_fetch_row (result))) {
        uint64_t found = hub_store_number (row[0]);
        rc = only || found == hint ? SH_OK : SH_E_SUBNET_AMBIGUOUS;
        if (rc == SH_OK)
            *id = found;
    }
    mysql_free_result (result);
    return rc;
}
