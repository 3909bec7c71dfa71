/* SPDX-License-Identifier: MPL-2.0 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/store_rows.h"
#include "hub/store_survey_within.h"
#include "lib/addr.h"

#define PAGE 50000 /* rows of ipaddresses in a look, some 50 ms */
#define CLEAN_UP_DAYS "7" /* removed_addresses_timelimit of phpIPAM's script */

#define TEXT_OF(number) TEXT_OF_IT (number)
#define TEXT_OF_IT(number) #number

sh_err_t
hub_survey_open (hub_survey_t **out, const hub_database_config_t *config,
                 const sh_clock_t *clock, sh_why_t *why)
{
    assert (out && config && clock);
    hub_survey_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    self->clock = clock;
    bool fresh;
    sh_err_t rc = hub_sql_init (&self->sql, config, clock);
    if (rc == SH_OK)
        rc = hub_sql_connect (&self->sql, &fresh);
    if (rc == SH_OK) {
        *out = self;
        return SH_OK;
    }
    rc = sh_fail (why, rc, "%s", self->sql.trouble);
    hub_survey_close (&self);
    return rc;
}

void
hub_survey_close (hub_survey_t **self_p)
{
    assert (self_p);
    hub_survey_t *self = *self_p;
    if (!self)
        return;
    hub_sql_clear (&self->sql);
    free (self);
    *self_p = NULL;
}

const char *
hub_survey_trouble (const hub_survey_t *self)
{
    assert (self);
    return self->sql.trouble;
}

static void
s_copy (char *out, size_t size, const char *value)
{
    snprintf (out, size, "%s", value ? value : "");
}

/*  The statement's only row; '*row' is NULL if there is none.  */
static sh_err_t
s_one (hub_survey_t *self, MYSQL_RES **result, MYSQL_ROW *row)
{
    sh_err_t rc = hub_sql_query (&self->sql, result);
    if (rc == SH_OK)
        *row = mysql_fetch_row (*result);
    return rc;
}

/*  "user@host" becomes 'user'@'host'; a user's name may have an '@'.  */
sh_err_t
hub_survey_account (hub_survey_t *self)
{
    if (*self->account)
        return SH_OK;
    MYSQL_RES *result;
    MYSQL_ROW row;
    hub_sql_start (&self->sql, "SELECT CURRENT_USER()");
    sh_err_t rc = s_one (self, &result, &row);
    if (rc != SH_OK)
        return rc;
    const char *name = row && row[0] ? row[0] : "";
    const char *at = strrchr (name, '@');
    if (at)
        snprintf (self->account, sizeof self->account, "'%.*s'@'%s'",
                  (int) (at - name), name, at + 1);
    mysql_free_result (result);
    return SH_OK;
}

sh_err_t
hub_survey_server (hub_survey_t *self, hub_survey_server_t *out)
{
    assert (self && out);
    MYSQL_RES *result;
    MYSQL_ROW row;
    memset (out, 0, sizeof *out);
    sh_err_t rc = hub_survey_account (self);
    if (rc != SH_OK)
        return rc;
    hub_sql_start (&self->sql,
                   "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()), "
                   "@@global.read_only, IF(@@session.time_zone = 'SYSTEM', "
                   "@@system_time_zone, @@session.time_zone)");
    rc = s_one (self, &result, &row);
    if (rc != SH_OK)
        return rc;
    if (row) {
        out->offset = row[0] ? (int) strtol (row[0], NULL, 10) : 0;
        out->read_only = hub_store_is_read_only (row[1]);
        s_copy (out->zone, sizeof out->zone, row[2]);
    }
    mysql_free_result (result);
    s_copy (out->connected, sizeof out->connected, self->sql.connected);
    s_copy (out->account, sizeof out->account, self->account);
    s_copy (out->cipher, sizeof out->cipher,
            mysql_get_ssl_cipher (self->sql.mysql));
    return SH_OK;
}

/*  phpIPAM writes 1.8.2 as "1.82".  */
static void
s_version_text (char *out, size_t size, const char *stored)
{
    size_t length = strlen (stored);
    if (length == 4 && stored[1] == '.')
        snprintf (out, size, "%.3s.%c", stored, stored[3]);
    else
        snprintf (out, size, "%s%s", stored, length == 3 ? ".0" : "");
}

/*  A column of phpIPAM's only row of settings; "" if it is not there, or not
    granted.  */
static sh_err_t
s_setting (hub_survey_t *self, const char *column, char *out, size_t size)
{
    MYSQL_RES *result;
    MYSQL_ROW row;
    bool there;
    out[0] = '\0';
    hub_sql_start (&self->sql, "SELECT ");
    hub_sql_add (&self->sql, column);
    hub_sql_add (&self->sql, " FROM settings WHERE id = 1");
    sh_err_t rc = hub_sql_probe (&self->sql, &there);
    if (rc != SH_OK || !there)
        return rc;
    rc = s_one (self, &result, &row); /* the same statement */
    if (rc != SH_OK)
        return rc;
    s_copy (out, size, row ? row[0] : NULL);
    mysql_free_result (result);
    return SH_OK;
}

sh_err_t
hub_survey_phpipam (hub_survey_t *self, hub_survey_phpipam_t *out)
{
    assert (self && out);
    char version[8], maintenance[8] = "";
    memset (out, 0, sizeof *out);
    sh_err_t rc = s_setting (self, "version", version, sizeof version);
    s_version_text (out->version, sizeof out->version, version);
    if (rc == SH_OK)
        rc = s_setting (self, "dbversion", out->dbversion,
                        sizeof out->dbversion);
    if (rc == SH_OK)
        rc = s_setting (self, "maintaneanceMode", maintenance,
                        sizeof maintenance);
    out->maintenance = hub_store_is_true (maintenance);
    hub_sql_start (&self->sql, "SELECT isPool FROM subnets LIMIT 0");
    if (rc == SH_OK)
        rc = hub_sql_probe (&self->sql, &out->pool);
    hub_sql_start (&self->sql, "SELECT dns_name FROM ipaddresses LIMIT 0");
    if (rc == SH_OK)
        rc = hub_sql_probe (&self->sql, &out->old_names);
    return rc;
}

/*  A page of ipaddresses behind '*after', which moves on; '*rows' is how many
    there were, '*first' the id of one in the future.  */
static sh_err_t
s_seen_page (hub_survey_t *self, const char *latest, uint64_t *after,
             uint64_t *rows, uint64_t *first, hub_survey_seen_t *out)
{
    MYSQL_RES *result;
    MYSQL_ROW row;
    hub_sql_start (&self->sql,
                   "SELECT COUNT(*), MAX(id), COALESCE(SUM(late), 0), "
                   "MIN(IF(late, id, NULL)), MAX(IF(late, NULL, lastSeen)) "
                   "FROM (SELECT id, lastSeen, COALESCE(lastSeen > ");
    hub_sql_text (&self->sql, latest);
    hub_sql_add (&self->sql, ", 0) AS late FROM ipaddresses WHERE id > ");
    hub_sql_number (&self->sql, *after);
    hub_sql_add (&self->sql, " ORDER BY id LIMIT " TEXT_OF (PAGE) ") t");
    sh_err_t rc = s_one (self, &result, &row);
    if (rc != SH_OK)
        return rc;
    *rows = row ? hub_store_number (row[0]) : 0;
    if (*rows > 0) {
        *after = hub_store_number (row[1]);
        out->future += hub_store_number (row[2]);
        if (*first == 0 && row[3])
            *first = hub_store_number (row[3]);
        if (row[4] && strncmp (row[4], out->newest, 19) > 0)
            s_copy (out->newest, sizeof out->newest, row[4]);
    }
    mysql_free_result (result);
    return SH_OK;
}

static sh_err_t
s_seen_example (hub_survey_t *self, uint64_t id, hub_survey_seen_t *out)
{
    MYSQL_RES *result;
    MYSQL_ROW row;
    hub_sql_start (&self->sql,
                   "SELECT ip_addr, lastSeen FROM ipaddresses WHERE id = ");
    hub_sql_number (&self->sql, id);
    sh_err_t rc = s_one (self, &result, &row);
    if (rc != SH_OK)
        return rc;
    sh_addr_t addr;
    if (row && sh_addr_from_decimal (&addr, row[0] ? row[0] : "") == SH_OK)
        sh_addr_text (&addr, out->example);
    else if (row)
        s_copy (out->example, sizeof out->example, row[0]);
    if (row)
        s_copy (out->example_seen, sizeof out->example_seen, row[1]);
    mysql_free_result (result);
    return SH_OK;
}

sh_err_t
hub_survey_seen (hub_survey_t *self, const char *latest, int64_t most,
                 hub_survey_seen_t *out)
{
    assert (self && latest && out);
    int64_t deadline = sh_clock_mono (self->clock) + most;
    uint64_t after = 0, rows = 0, first = 0;
    memset (out, 0, sizeof *out);
    sh_err_t rc;
    do {
        rc = s_seen_page (self, latest, &after, &rows, &first, out);
        out->rows += rows;
    } while (rc == SH_OK && rows == PAGE
             && sh_clock_mono (self->clock) < deadline);
    out->whole = rc == SH_OK && rows < PAGE;
    if (rc == SH_OK && first > 0)
        rc = s_seen_example (self, first, out);
    return rc;
}

sh_err_t
hub_survey_agents (hub_survey_t *self, const char *now,
                   void (*each) (void *context,
                                 const hub_survey_agent_t *agent),
                   void *context)
{
    assert (self && now && each);
    MYSQL_RES *result;
    MYSQL_ROW row;
    hub_sql_start (&self->sql,
                   "SELECT id, FIND_IN_SET('direct', type) > 0, last_access, "
                   "TIMESTAMPDIFF(SECOND, last_access, ");
    hub_sql_text (&self->sql, now);
    hub_sql_add (&self->sql, "), DATE(last_access + INTERVAL " CLEAN_UP_DAYS
                             " DAY) FROM scanAgents ORDER BY id");
    sh_err_t rc = hub_sql_query (&self->sql, &result);
    if (rc != SH_OK)
        return rc;
    while ((row = mysql_fetch_row (result))) {
        hub_survey_agent_t agent = {
            .id = hub_store_number (row[0]),
            .direct = hub_store_is_true (row[1]),
            .known = row[2] != NULL && row[3] != NULL,
            .silent = row[3] ? strtoll (row[3], NULL, 10) : 0,
        };
        s_copy (agent.last, sizeof agent.last, row[2]);
        s_copy (agent.cleaned, sizeof agent.cleaned, row[4]);
        each (context, &agent);
    }
    mysql_free_result (result);
    return SH_OK;
}

/*  Rows of: id, subnet, mask, scanAgent, is the agent there.  */
static sh_err_t
s_subnets (hub_survey_t *self,
           void (*each) (void *context, const hub_survey_subnet_t *one),
           void *context)
{
    MYSQL_RES *result;
    MYSQL_ROW row;
    sh_err_t rc = hub_sql_query (&self->sql, &result);
    if (rc != SH_OK)
        return rc;
    while ((row = mysql_fetch_row (result))) {
        hub_survey_subnet_t one = {
            .id = hub_store_number (row[0]),
            .agent = hub_store_number (row[3]),
            .kind = HUB_SURVEY_DIRECT,
        };
        sh_prefix_t prefix;
        if (!hub_store_is_true (row[4]))
            one.kind = one.agent ? HUB_SURVEY_AGENT_GONE : HUB_SURVEY_NO_AGENT;
        if (sh_prefix_from_decimal (&prefix, row[1], row[2]) == SH_OK)
            sh_prefix_text (&prefix, one.network);
        else
            snprintf (one.network, sizeof one.network, "%.40s/%.10s",
                      row[1] ? row[1] : "", row[2] ? row[2] : "");
        each (context, &one);
    }
    mysql_free_result (result);
    return SH_OK;
}

sh_err_t
hub_survey_unscanned (hub_survey_t *self,
                      void (*each) (void *context,
                                    const hub_survey_subnet_t *one),
                      void *context)
{
    assert (self && each);
    hub_sql_start (
        &self->sql,
        "SELECT s.id, s.subnet, s.mask, s.scanAgent, a.id IS NOT NULL "
        "FROM subnets s LEFT JOIN scanAgents a ON a.id = s.scanAgent "
        "WHERE COALESCE(s.isFolder, 0) = 0 "
        "AND (s.pingSubnet = 1 OR s.discoverSubnet = 1) "
        "AND (a.id IS NULL OR FIND_IN_SET('direct', a.type)) "
        "AND NOT EXISTS (SELECT 1 FROM subnets c "
        "WHERE c.masterSubnetId = s.id) "
        "ORDER BY s.id LIMIT " TEXT_OF (HUB_SURVEY_SUBNETS));
    return s_subnets (self, each, context);
}

sh_err_t
hub_survey_powerdns (hub_survey_t *self, bool *granted,
                     void (*each) (void *context,
                                   const hub_survey_subnet_t *one),
                     void *context)
{
    assert (self && granted && each);
    hub_sql_start (&self->sql, "SELECT DNSrecords FROM subnets LIMIT 0");
    sh_err_t rc = hub_sql_probe (&self->sql, granted);
    if (rc != SH_OK || !*granted)
        return rc;
    hub_sql_start (
        &self->sql,
        "SELECT s.id, s.subnet, s.mask, s.scanAgent, 1 FROM subnets s "
        "JOIN scanAgents a ON a.id = s.scanAgent "
        "WHERE s.DNSrecords = 1 AND s.discoverSubnet = 1 "
        "AND NOT FIND_IN_SET('direct', a.type) "
        "ORDER BY s.id LIMIT " TEXT_OF (HUB_SURVEY_SUBNETS));
    return s_subnets (self, each, context);
}
