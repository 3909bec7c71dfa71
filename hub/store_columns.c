/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/store_columns.h"

#include <stdio.h>

/*  Every column that is read or written; phpIPAM 1.4.0 has them all.  Not
    information_schema: that takes a temporary table on disk, and the disk may
    be full.  LIMIT 0 reads nothing.  */
static const char s_columns[]
    = "SELECT scanAgents.id, scanAgents.name, scanAgents.type, "
      "scanAgents.code, scanAgents.last_access, subnets.id, subnets.subnet, "
      "subnets.mask, subnets.masterSubnetId, subnets.pingSubnet, "
      "subnets.discoverSubnet, subnets.resolveDNS, subnets.nameserverId, "
      "subnets.scanAgent, subnets.isFolder, subnets.lastScan, "
      "subnets.lastDiscovery, subnets.editDate, ipaddresses.id, "
      "ipaddresses.subnetId, ipaddresses.ip_addr, ipaddresses.description, "
      "ipaddresses.hostname, ipaddresses.mac, ipaddresses.state, "
      "ipaddresses.note, ipaddresses.lastSeen, ipaddresses.excludePing, "
      "ipaddresses.editDate, ipTags.id, ipTags.updateTag, settings.id, "
      "settings.updateTags, nameservers.id, nameservers.namesrv1 "
      "FROM scanAgents, subnets, ipaddresses, ipTags, settings, nameservers "
      "LIMIT 0";

sh_err_t
hub_store_check (hub_sql_t *sql)
{
    char said[128];
    hub_sql_start (sql, s_columns);
    MYSQL_RES *result;
    sh_err_t rc = hub_sql_query (sql, &result);
    if (rc == SH_OK)
        mysql_free_result (result);
    if (rc != SH_E_DB_SCHEMA && rc != SH_E_DB_RIGHTS)
        return rc;
    snprintf (said, sizeof said, "%s", mysql_error (sql->mysql));
    snprintf (sql->trouble, sizeof sql->trouble,
              "a table or column is missing or not granted: %s; Scanhub needs "
              "the tables of phpIPAM 1.4.0 to 1.8.2 and the grants listed in "
              "scanhubd(8)", said);
    return SH_E_DB_SCHEMA;
}

sh_err_t
hub_store_learn (hub_sql_t *sql, hub_columns_t *out)
{
    hub_sql_start (sql, "SELECT maintaneanceMode FROM settings LIMIT 0");
    sh_err_t rc = hub_sql_probe (sql, &out->maintenance);
    if (rc != SH_OK)
        return rc;
    hub_sql_start (sql, "SELECT isPool FROM subnets LIMIT 0");
    return hub_sql_probe (sql, &out->pool);
}

/*  The column's name is phpIPAM's.  */
const char *
hub_store_maintenance (const hub_columns_t *has)
{
    return has->maintenance
               ? "(SELECT maintaneanceMode FROM settings WHERE id = 1)"
               : "0";
}
