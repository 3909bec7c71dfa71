/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/store_columns.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/log.h"

/*  Every column that is read or written; phpIPAM 1.4.0 has them all.  */
static const char *const s_columns[][2] = {
    { "scanAgents", "id" },          { "scanAgents", "name" },
    { "scanAgents", "type" },        { "scanAgents", "code" },
    { "scanAgents", "last_access" }, { "subnets", "id" },
    { "subnets", "subnet" },         { "subnets", "mask" },
    { "subnets", "masterSubnetId" }, { "subnets", "pingSubnet" },
    { "subnets", "discoverSubnet" }, { "subnets", "resolveDNS" },
    { "subnets", "nameserverId" },   { "subnets", "scanAgent" },
    { "subnets", "isFolder" },       { "subnets", "lastScan" },
    { "subnets", "lastDiscovery" },  { "subnets", "editDate" },
    { "ipaddresses", "id" },         { "ipaddresses", "subnetId" },
    { "ipaddresses", "ip_addr" },    { "ipaddresses", "description" },
    { "ipaddresses", "hostname" },   { "ipaddresses", "mac" },
    { "ipaddresses", "state" },      { "ipaddresses", "note" },
    { "ipaddresses", "lastSeen" },   { "ipaddresses", "excludePing" },
    { "ipaddresses", "editDate" },   { "ipTags", "id" },
    { "ipTags", "updateTag" },       { "settings", "id" },
    { "settings", "updateTags" },    { "nameservers", "id" },
    { "nameservers", "namesrv1" },
};

static bool
s_has_column (MYSQL_RES *columns, const char *table, const char *column)
{
    mysql_data_seek (columns, 0);
    MYSQL_ROW row;
    while ((row = mysql_fetch_row (columns)))
        if (row[0] && row[1] && strcasecmp (row[0], table) == 0
            && strcasecmp (row[1], column) == 0)
            return true;
    return false;
}

/*  Look which of phpIPAM's columns this user can see; information_schema
    shows only those that it has some right on.  */
sh_err_t
hub_store_learn (hub_sql_t *sql, hub_columns_t *out)
{
    hub_sql_start (sql,
                   "SELECT table_name, column_name "
                   "FROM information_schema.columns "
                   "WHERE table_schema = DATABASE() AND table_name IN "
                   "('scanAgents','subnets','ipaddresses','ipTags','settings',"
                   "'nameservers')");
    MYSQL_RES *columns;
    sh_err_t rc = hub_sql_query (sql, &columns);
    if (rc != SH_OK)
        return rc;
    out->pool = s_has_column (columns, "subnets", "isPool");
    out->maintenance = s_has_column (columns, "settings", "maintaneanceMode");
    for (size_t i = 0; i < sizeof s_columns / sizeof *s_columns; i++) {
        const char *table = s_columns[i][0], *column = s_columns[i][1];
        if (s_has_column (columns, table, column))
            continue;
        snprintf (sql->trouble, sizeof sql->trouble,
                  "column %s.%s is missing or not granted; Scanhub needs the "
                  "tables of phpIPAM 1.4.0 to 1.8.2 and the grants listed in "
                  "scanhubd(8)", table, column);
        sh_log (SH_LOG_ERROR, "database lacks a column",
                SH_STR ("table", table), SH_STR ("column", column),
                SH_STR ("remedy", "needs the tables of phpIPAM 1.4.0 to 1.8.2 "
                                  "and the grants listed in scanhubd(8)"));
        rc = SH_E_DB_SCHEMA;
        break;
    }
    mysql_free_result (columns);
    return rc;
}
