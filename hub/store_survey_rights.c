/* SPDX-License-Identifier: MPL-2.0 */
/*  What the account may do, found out by trying: EXPLAIN checks every right of
    a statement and carries nothing out.  So roles, grants to everybody and
    wildcards count as they do for the hub itself.  */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/store_rows.h"
#include "hub/store_survey_within.h"

#define COLUMNS_MOST 16
#define MANY 10 /* privileges at one place that are told as "all" */

typedef struct
{
    const char *table, *privilege;
    const char *columns[COLUMNS_MOST];
    const char *what; /* see hub_survey_right_t */
    bool events;      /* only with that setting */
} right_t;

/*  What hub/store_* reads and writes; scanhubd(8) lists the same.  */
static const right_t s_rights[] = {
    { .table = "scanAgents", .privilege = "SELECT",
      .columns = { "id", "name", "type", "code", "last_access" } },
    { .table = "scanAgents", .privilege = "UPDATE",
      .columns = { "last_access" } },
    { .table = "subnets", .privilege = "SELECT",
      .columns = { "id", "subnet", "mask", "masterSubnetId", "pingSubnet",
                   "discoverSubnet", "resolveDNS", "nameserverId", "scanAgent",
                   "isFolder", "lastScan", "lastDiscovery", "editDate" } },
    { .table = "subnets", .privilege = "UPDATE",
      .columns = { "lastScan", "lastDiscovery", "editDate" } },
    { .table = "ipaddresses", .privilege = "SELECT",
      .columns = { "id", "subnetId", "ip_addr", "description", "hostname",
                   "mac", "state", "note", "lastSeen", "excludePing",
                   "editDate" } },
    { .table = "ipaddresses", .privilege = "INSERT",
      .columns = { "subnetId", "ip_addr", "description", "hostname", "mac",
                   "state", "note", "lastSeen" } },
    { .table = "ipaddresses", .privilege = "UPDATE",
      .columns = { "lastSeen", "hostname", "mac", "state", "editDate" } },
    { .table = "ipTags", .privilege = "SELECT",
      .columns = { "id", "updateTag" } },
    { .table = "settings", .privilege = "SELECT",
      .columns = { "id", "updateTags" } },
    { .table = "nameservers", .privilege = "SELECT",
      .columns = { "id", "namesrv1" } },
    { .table = "subnets", .privilege = "SELECT", .columns = { "isPool" },
      .what = "to take the first and last address of a pool for addresses" },
    { .table = "settings", .privilege = "SELECT",
      .columns = { "maintaneanceMode" },
      .what = "to write nothing while phpIPAM is in maintenance mode" },
    { .table = "settings", .privilege = "SELECT",
      .columns = { "version", "dbversion" },
      .what = "to tell phpIPAM's version" },
    { .table = "logs", .privilege = "INSERT",
      .columns = { "severity", "date", "username", "ipaddr", "command",
                   "details" },
      .what = "for phpipam_log: events",
      .events = true },
};

/*  A statement that takes the right on columns 'first' up to 'end'.  */
static void
s_build (hub_sql_t *sql, const right_t *right, size_t first, size_t end)
{
    bool reads = strcmp (right->privilege, "SELECT") == 0;
    bool inserts = strcmp (right->privilege, "INSERT") == 0;
    hub_sql_start (sql, reads     ? "SELECT "
                        : inserts ? "EXPLAIN INSERT INTO "
                                  : "EXPLAIN UPDATE ");
    if (!reads)
        hub_sql_add (sql, right->table);
    if (!reads)
        hub_sql_add (sql, inserts ? " (" : " SET ");
    for (size_t i = first; i < end; i++) {
        hub_sql_add (sql, i > first ? ", " : "");
        hub_sql_add (sql, right->columns[i]);
        hub_sql_add (sql, reads || inserts ? "" : " = NULL");
    }
    if (reads) {
        hub_sql_add (sql, " FROM ");
        hub_sql_add (sql, right->table);
        hub_sql_add (sql, " LIMIT 0");
        return;
    }
    hub_sql_add (sql, inserts ? ") VALUES (" : " WHERE 1 = 0");
    for (size_t i = first; inserts && i < end; i++)
        hub_sql_add (sql, i > first ? ", NULL" : "NULL");
    hub_sql_add (sql, inserts ? ")" : "");
}

/*  Which of the right's columns fail by themselves, as a list.  */
static sh_err_t
s_failing (hub_sql_t *sql, const right_t *right, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < COLUMNS_MOST && right->columns[i]; i++) {
        bool there;
        s_build (sql, right, i, i + 1);
        sh_err_t rc = hub_sql_probe (sql, &there);
        if (rc != SH_OK)
            return rc;
        int more = there ? 0
                         : snprintf (out + used, size - used, "%s%s",
                                     used ? ", " : "", right->columns[i]);
        if (more > 0 && (size_t) more < size - used)
            used += (size_t) more;
    }
    return SH_OK;
}

sh_err_t
hub_survey_rights (hub_survey_t *self, bool events,
                   void (*missing) (void *context,
                                    const hub_survey_right_t *right),
                   void *context, size_t *tried)
{
    assert (self && missing && tried);
    char columns[256];
    *tried = 0;
    for (size_t i = 0; i < sizeof s_rights / sizeof *s_rights; i++) {
        const right_t *right = &s_rights[i];
        size_t count = 0;
        bool there;
        while (count < COLUMNS_MOST && right->columns[count])
            count++;
        if (right->events && !events)
            continue;
        *tried += count;
        s_build (&self->sql, right, 0, count);
        sh_err_t rc = hub_sql_probe (&self->sql, &there);
        if (rc == SH_OK && !there)
            rc = s_failing (&self->sql, right, columns, sizeof columns);
        if (rc != SH_OK)
            return rc;
        const hub_survey_right_t one = { .table = right->table,
                                         .privilege = right->privilege,
                                         .columns = columns,
                                         .what = right->what };
        if (!there && *columns)
            missing (context, &one);
    }
    return SH_OK;
}

/*  Add a part to a list with commas.  */
static void
s_list (char *out, size_t size, const char *privileges, const char *place)
{
    size_t used = strlen (out);
    snprintf (out + used, size - used, "%s%s on %s", used ? ", " : "",
              privileges, place);
}

/*  By a role, or in another way that the lists of rights do not show.  */
static sh_err_t
s_try_delete (hub_survey_t *self, char *out, size_t size)
{
    bool there;
    hub_sql_start (&self->sql, "EXPLAIN DELETE FROM ipaddresses WHERE 1 = 0");
    sh_err_t rc = hub_sql_probe (&self->sql, &there);
    if (rc == SH_OK && there && out[0] == '\0')
        s_list (out, size, "DELETE", "ipaddresses");
    hub_sql_start (&self->sql, "SELECT password FROM users LIMIT 0");
    if (rc == SH_OK)
        rc = hub_sql_probe (&self->sql, &there);
    if (rc == SH_OK && there)
        s_list (out, size, "SELECT", "users, with the password hashes");
    return rc;
}

sh_err_t
hub_survey_excess (hub_survey_t *self, char *out, size_t size)
{
    assert (self && out && size > 0);
    out[0] = '\0';
    sh_err_t rc = hub_survey_account (self);
    if (rc != SH_OK)
        return rc;
    MYSQL_RES *result;
    MYSQL_ROW row;
    hub_sql_start (
        &self->sql,
        "SELECT GROUP_CONCAT(p ORDER BY p SEPARATOR ', '), w, COUNT(*) FROM ("
        "SELECT GRANTEE AS g, PRIVILEGE_TYPE AS p, 'the whole server' AS w, "
        "1 AS n FROM information_schema.USER_PRIVILEGES "
        "WHERE PRIVILEGE_TYPE <> 'USAGE' "
        "UNION SELECT GRANTEE, PRIVILEGE_TYPE, CONCAT('all of ', "
        "TABLE_SCHEMA), 2 FROM information_schema.SCHEMA_PRIVILEGES "
        "WHERE PRIVILEGE_TYPE <> 'USAGE' "
        "UNION SELECT GRANTEE, PRIVILEGE_TYPE, TABLE_NAME, 3 "
        "FROM information_schema.TABLE_PRIVILEGES WHERE PRIVILEGE_TYPE "
        "NOT IN ('USAGE', 'SELECT', 'INSERT', 'UPDATE')) t WHERE g = ");
    hub_sql_text (&self->sql, self->account);
    hub_sql_add (&self->sql, " GROUP BY n, w ORDER BY n, w LIMIT 20");
    rc = hub_sql_query (&self->sql, &result);
    if (rc != SH_OK)
        return rc;
    while ((row = mysql_fetch_row (result)))
        s_list (out, size,
                hub_store_number (row[2]) >= MANY ? "all rights" : row[0],
                row[1]);
    mysql_free_result (result);
    return s_try_delete (self, out, size);
}

/*  The INSERT of no row at all meets what an INSERT of one would.  */
sh_err_t
hub_survey_custom (hub_survey_t *self, char out[static 128])
{
    assert (self && out);
    out[0] = '\0';
    hub_sql_start (&self->sql,
                   "INSERT INTO ipaddresses (subnetId, ip_addr, description, "
                   "hostname, mac, state, note, lastSeen) SELECT NULL, '', "
                   "NULL, NULL, NULL, NULL, NULL, NULL FROM DUAL "
                   "WHERE 1 = 0");
    sh_err_t rc = hub_sql_run (&self->sql);
    if (rc != SH_E_HOST_COLUMN)
        return rc;
    const char *name = strchr (mysql_error (self->sql.mysql), '\'');
    size_t length = name ? strcspn (name + 1, "'") : 0;
    snprintf (out, 128, "%.*s", (int) (length < 120 ? length : 120),
              length > 0 ? name + 1 : "?");
    return SH_OK;
}
