/* SPDX-License-Identifier: MPL-2.0 */
/*  phpIPAM's tables in MariaDB or MySQL: connection, columns and reads.  The
    rows of addresses are in store_rows.c, the writes in store_apply.c.  */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/authorise.h"
#include "hub/sql.h"
#include "hub/store.h"
#include "hub/store_apply.h"
#include "hub/store_columns.h"
#include "hub/store_events.h"
#include "hub/store_rows.h"

/*  phpIPAM may be upgraded under a running hub, and a column that is new has
    to be granted first: so the columns are looked at again now and then.  */
#define LEARN_MS 5000
/*  A connection that was closed while it was idle says so at once; one whose
    server is stuck has had its time.  */
#define IDLE_MS 1000

typedef struct
{
    hub_store_t base;
    hub_sql_t sql;
    const sh_clock_t *clock;
    int64_t learn_at; /* mono ms: look at the columns again */
    hub_columns_t has;
    sh_err_t no_events; /* why none are written on this connection, or SH_OK */
} store_t;

/*  The column that says that phpIPAM is in maintenance mode; its name is
    phpIPAM's.  */
static const char *
s_maintenance_column (const store_t *self)
{
    return self->has.maintenance
               ? "(SELECT maintaneanceMode FROM settings WHERE id = 1)"
               : "0";
}

static bool
s_in_maintenance (store_t *self)
{
    hub_sql_start (&self->sql, "SELECT ");
    hub_sql_add (&self->sql, s_maintenance_column (self));
    MYSQL_RES *result;
    if (hub_sql_query (&self->sql, &result) != SH_OK)
        return false;
    MYSQL_ROW row = mysql_fetch_row (result);
    bool on = row && hub_store_is_true (row[0]);
    mysql_free_result (result);
    return on;
}

/*  Look which columns there are.  Those that the hub cannot do without show by
    themselves, by a statement that fails; 'all' asks for them as well.  A
    table that is locked would hold up the transaction as it does this.  */
static sh_err_t
s_learn (store_t *self, bool all)
{
    hub_columns_t has;
    sh_err_t rc = hub_store_learn (&self->sql, &has);
    if (rc != SH_OK)
        return rc;
    self->has = has;
    if (all)
        rc = hub_store_check (&self->sql);
    if (rc == SH_E_DB_SCHEMA && s_in_maintenance (self))
        rc = SH_E_MAINTENANCE; /* phpIPAM is at it */
    self->sql.doubt &= rc != SH_OK;
    return rc;
}

/*  Connect, and know the columns.  */
static sh_err_t
s_connect (store_t *self, bool all)
{
    bool fresh;
    sh_err_t rc = hub_sql_connect (&self->sql, &fresh);
    if (rc != SH_OK)
        return rc;
    self->sql.doubt |= fresh;
    if (fresh)
        self->no_events = SH_OK;
    int64_t now = sh_clock_mono (self->clock);
    if (!all && !self->sql.doubt && now < self->learn_at)
        return SH_OK;
    rc = s_learn (self, all || self->sql.doubt);
    if (rc == SH_OK)
        self->learn_at = now + LEARN_MS;
    return rc;
}

static sh_err_t
s_start_once (store_t *self, const char *statement, bool all)
{
    sh_err_t rc = s_connect (self, all);
    if (rc != SH_OK)
        return rc;
    hub_sql_start (&self->sql, statement);
    return hub_sql_run (&self->sql);
}

/*  A connection that the server closed while it was idle shows at the first
    statement; nothing has happened yet, so a new one takes its place.  */
static sh_err_t
s_start (store_t *self, const char *statement, bool all)
{
    bool idle = self->sql.mysql != NULL;
    int64_t begun = sh_clock_mono (self->clock);
    sh_err_t rc = s_start_once (self, statement, all);
    if (rc == SH_E_DB_DOWN && idle
        && sh_clock_mono (self->clock) - begun < IDLE_MS)
        rc = s_start_once (self, statement, all);
    return rc;
}

static sh_err_t
s_begin (hub_store_t *base)
{
    return s_start ((store_t *) base, "START TRANSACTION", false);
}

static sh_err_t
s_commit (hub_store_t *base)
{
    store_t *self = (store_t *) base;
    hub_sql_start (&self->sql, "COMMIT");
    sh_err_t rc = hub_sql_run (&self->sql);
    if (rc == SH_OK)
        self->sql.trouble[0] = 0;
    return rc;
}

static void
s_rollback (hub_store_t *base)
{
    store_t *self = (store_t *) base;
    if (!self->sql.mysql)
        return;
    hub_sql_start (&self->sql, "ROLLBACK");
    /*  A connection that cannot even do this is in no known state.  */
    if (hub_sql_run (&self->sql) != SH_OK)
        hub_sql_disconnect (&self->sql);
}

/*  Copy a column of time into a fixed field; NULL becomes "".  */
static void
s_copy_time (char out[static 20], const char *value)
{
    snprintf (out, 20, "%.19s", value ? value : "");
}

static bool
s_type_eligible (const char *type)
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
    out->eligible = s_type_eligible (row[3]);
    s_copy_time (out->last_access, row[4]);
    out->update_tags = hub_store_is_true (row[5]);
    s_read_tags (out, row[6]);
    out->db_offset = row[7] ? (int) strtol (row[7], NULL, 10) : 0;
    out->maintenance = hub_store_is_true (row[9]);
    return SH_OK;
}

/*  A server that another one has taken over from would still answer reads, and
    an account with too many rights could even write to it.  */
static sh_err_t
s_leave_read_only (store_t *self)
{
    return hub_sql_leave (&self->sql, hub_sql_remedy (HUB_SQL_ERROR_READ_ONLY));
}

/*  One row at the least, also for unknown codes, for the state of server and
    phpIPAM comes along.  */
static sh_err_t
s_ask_agents (store_t *self, const hub_asked_t *asked, size_t count,
              MYSQL_RES **result)
{
    hub_sql_start (
        &self->sql,
        "SELECT a.id, a.name, a.code, a.type, a.last_access, "
        "(SELECT updateTags FROM settings WHERE id = 1), "
        "(SELECT GROUP_CONCAT(id) FROM ipTags WHERE updateTag = 1), "
        "TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()), @@global.read_only, ");
    hub_sql_add (&self->sql, s_maintenance_column (self));
    hub_sql_add (&self->sql, " FROM (SELECT 1 AS one) o "
                             "LEFT JOIN scanAgents a ON a.code IN (");
    for (size_t i = 0; i < count; i++) {
        hub_sql_add (&self->sql, i ? "," : "");
        hub_sql_text (&self->sql, asked[i].code);
    }
    hub_sql_add (&self->sql, ")");
    return hub_sql_query (&self->sql, result);
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

static sh_err_t
s_read_agents (hub_store_t *base, hub_asked_t *asked, size_t count)
{
    store_t *self = (store_t *) base;
    MYSQL_RES *result;
    sh_err_t rc = s_ask_agents (self, asked, count, &result);
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
        rc = s_leave_read_only (self);
    if (rc != SH_OK)
        s_forget_agents (asked, count);
    for (size_t i = 0; maintenance && i < count; i++)
        if (asked[i].rc == SH_E_AGENT_UNKNOWN)
            asked[i].rc = SH_E_MAINTENANCE;
    return rc;
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
    s_copy_time (out->last_scan, row[8]);
    s_copy_time (out->last_discovery, row[9]);
    out->parent = hub_store_is_true (row[10]);
}

/*  In the order of their ids, which is the one in which they are locked: by
    the primary key.  */
static sh_err_t
s_take_subnets (store_t *self, const uint64_t *ids, size_t count,
                const char *lock, hub_subnet_t *out)
{
    hub_sql_start (&self->sql,
                   "SELECT s.id, s.subnet, s.mask, s.scanAgent, s.isFolder, "
                   "s.pingSubnet, s.discoverSubnet, ");
    hub_sql_add (&self->sql, self->has.pool ? "s.isPool" : "0");
    hub_sql_add (&self->sql,
                 ", s.lastScan, s.lastDiscovery, EXISTS (SELECT 1 "
                 "FROM subnets c WHERE c.masterSubnetId = s.id) "
                 "FROM subnets s FORCE INDEX (PRIMARY) WHERE s.id IN (");
    for (size_t i = 0; i < count; i++) {
        hub_sql_add (&self->sql, i ? "," : "");
        hub_sql_number (&self->sql, ids[i]);
        out[i].id = 0;
    }
    hub_sql_add (&self->sql, ") ORDER BY s.id");
    hub_sql_add (&self->sql, lock);
    MYSQL_RES *result;
    sh_err_t rc = hub_sql_query (&self->sql, &result);
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

static sh_err_t
s_lock_subnets (hub_store_t *base, const uint64_t *ids, size_t count,
                hub_subnet_t *out)
{
    return s_take_subnets ((store_t *) base, ids, count, " FOR UPDATE", out);
}

static sh_err_t
s_read_subnet (hub_store_t *base, uint64_t id, hub_subnet_t *out)
{
    sh_err_t rc = s_take_subnets ((store_t *) base, &id, 1, "", out);
    return rc == SH_OK && out->id == 0 ? SH_E_SUBNET_UNKNOWN : rc;
}

static sh_err_t
s_find_subnet (hub_store_t *base, uint64_t agent, const sh_prefix_t *prefix,
               uint64_t hint, uint64_t *id)
{
    store_t *self = (store_t *) base;
    char decimal[SH_ADDR_DECIMAL], mask[8];
    sh_addr_decimal (&prefix->base, decimal);
    snprintf (mask, sizeof mask, "%u", prefix->length);
    hub_sql_start (&self->sql, "SELECT id FROM subnets WHERE scanAgent = ");
    hub_sql_number (&self->sql, agent);
    hub_sql_add (&self->sql, " AND subnet = ");
    hub_sql_text (&self->sql, decimal);
    hub_sql_add (&self->sql, " AND mask = ");
    hub_sql_text (&self->sql, mask);
    hub_sql_add (&self->sql, " AND COALESCE(isFolder, 0) = 0");
    MYSQL_RES *result;
    sh_err_t rc = hub_sql_query (&self->sql, &result);
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

static sh_err_t
s_read_rows (hub_store_t *base, uint64_t subnet, const sh_addr_t *addrs,
             size_t count, hub_rows_t **out)
{
    return hub_store_rows_of (&((store_t *) base)->sql, subnet, addrs, count,
                              out);
}

static sh_err_t
s_read_range (hub_store_t *base, uint64_t subnet, const hub_range_t *range,
              hub_rows_t **out, bool *more)
{
    return hub_store_rows_in (&((store_t *) base)->sql, subnet, range, out,
                              more);
}

static sh_err_t
s_apply (hub_store_t *base, const hub_changes_t *changes)
{
    return hub_store_apply (&((store_t *) base)->sql, changes);
}

/*  Their rows are locked in the order of the primary key, so two that do this
    at the same time wait for each other, but not each for the other.  */
static sh_err_t
s_touch_agents (hub_store_t *base, const uint64_t *ids, size_t count,
                const char *wall, const char *limit)
{
    store_t *self = (store_t *) base;
    sh_err_t rc = s_connect (self, false);
    if (rc != SH_OK)
        return rc;
    hub_sql_start (&self->sql, "UPDATE scanAgents SET last_access = ");
    hub_sql_text (&self->sql, wall);
    hub_sql_add (&self->sql, " WHERE id IN (");
    for (size_t i = 0; i < count; i++) {
        hub_sql_add (&self->sql, i ? "," : "");
        hub_sql_number (&self->sql, ids[i]);
    }
    hub_sql_add (&self->sql, ") AND (last_access IS NULL OR last_access < ");
    hub_sql_text (&self->sql, wall);
    hub_sql_add (&self->sql, " OR last_access > ");
    hub_sql_text (&self->sql, limit);
    hub_sql_add (&self->sql, ")");
    return hub_sql_run (&self->sql);
}

/*  A right or a column that is missing stays so until somebody acts.  */
static sh_err_t
s_write_events (hub_store_t *base, const hub_event_t *events, size_t count,
                size_t *written)
{
    store_t *self = (store_t *) base;
    *written = 0;
    sh_err_t rc = s_connect (self, false);
    if (rc == SH_OK)
        rc = self->no_events;
    if (rc != SH_OK)
        return rc;
    rc = hub_store_events (&self->sql, events, count, written);
    if (sh_err_class (rc) == SH_CLASS_OURS)
        self->no_events = rc;
    return rc;
}

static sh_err_t
s_plan_agents (store_t *self, hub_plan_t *plan)
{
    hub_sql_start (&self->sql, "SELECT id, name, code, type, last_access "
                               "FROM scanAgents ORDER BY id");
    MYSQL_RES *result;
    sh_err_t rc = hub_sql_query (&self->sql, &result);
    if (rc != SH_OK)
        return rc;
    plan->agents = calloc (mysql_num_rows (result) + 1, sizeof *plan->agents);
    MYSQL_ROW row;
    while (plan->agents && (row = mysql_fetch_row (result))) {
        hub_known_agent_t *one = &plan->agents[plan->agent_count++];
        one->id = hub_store_number (row[0]);
        one->name = strdup (row[1] ? row[1] : "");
        one->code = strdup (row[2] ? row[2] : "");
        one->eligible = s_type_eligible (row[3]);
        s_copy_time (one->last_access, row[4]);
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
s_plan_subnets (store_t *self, hub_plan_t *plan)
{
    hub_sql_start (&self->sql,
                   "SELECT s.id, s.subnet, s.mask, s.pingSubnet, "
                   "s.discoverSubnet, s.resolveDNS, ");
    hub_sql_add (&self->sql, self->has.pool ? "s.isPool" : "0");
    hub_sql_add (&self->sql,
                 ", s.scanAgent, n.namesrv1, s.isFolder, s.masterSubnetId, "
                 "EXISTS (SELECT 1 FROM subnets c "
                 "WHERE c.masterSubnetId = s.id) FROM subnets s "
                 "LEFT JOIN nameservers n ON n.id = s.nameserverId "
                 "LEFT JOIN subnets m ON m.id = s.masterSubnetId "
                 "WHERE s.scanAgent > 0 OR m.scanAgent > 0 ORDER BY s.id");
    MYSQL_RES *result;
    sh_err_t rc = hub_sql_query (&self->sql, &result);
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
s_plan_times (store_t *self, hub_plan_t *plan)
{
    hub_sql_start (&self->sql,
                   "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()), "
                   "(SELECT MAX(lastSeen) FROM (SELECT lastSeen "
                   "FROM ipaddresses ORDER BY id DESC LIMIT 1000) t), "
                   "@@global.read_only, ");
    hub_sql_add (&self->sql, s_maintenance_column (self));
    MYSQL_RES *result;
    sh_err_t rc = hub_sql_query (&self->sql, &result);
    if (rc != SH_OK)
        return rc;
    MYSQL_ROW row = mysql_fetch_row (result);
    if (row) {
        plan->db_offset = row[0] ? (int) strtol (row[0], NULL, 10) : 0;
        s_copy_time (plan->sample_seen, row[1]);
        plan->maintenance = hub_store_is_true (row[3]);
    }
    bool read_only = row && hub_store_is_read_only (row[2]);
    mysql_free_result (result);
    return read_only ? s_leave_read_only (self) : SH_OK;
}

static sh_err_t
s_read_plan (hub_store_t *base, hub_plan_t **out)
{
    store_t *self = (store_t *) base;
    hub_plan_t *plan = calloc (1, sizeof *plan);
    if (!plan)
        return SH_E_MEMORY;
    /*  One picture: agents and subnets must fit each other.  */
    sh_err_t rc = s_start (self, "SET TRANSACTION ISOLATION LEVEL "
                                 "REPEATABLE READ", true);
    if (rc == SH_OK) {
        hub_sql_start (&self->sql,
                       "START TRANSACTION WITH CONSISTENT SNAPSHOT");
        rc = hub_sql_run (&self->sql);
    }
    if (rc == SH_OK)
        rc = s_plan_agents (self, plan);
    if (rc == SH_OK)
        rc = s_plan_subnets (self, plan);
    if (rc == SH_OK)
        rc = s_plan_times (self, plan);
    s_rollback (base);
    if (rc == SH_OK) {
        self->sql.trouble[0] = 0;
        *out = plan;
    } else
        hub_plan_destroy (&plan);
    return rc;
}

static const char *
s_describe (hub_store_t *base)
{
    const hub_sql_t *sql = &((store_t *) base)->sql;
    return *sql->trouble ? sql->trouble : sql->connected;
}

static void
s_set_beat (hub_store_t *base, hub_beat_t *beat)
{
    ((store_t *) base)->sql.beat = beat;
}

static void
s_destroy (hub_store_t **self_p)
{
    store_t *self = (store_t *) *self_p;
    if (!self)
        return;
    hub_sql_clear (&self->sql);
    free (self);
    *self_p = NULL;
}

sh_err_t
hub_store_mariadb_new (hub_store_t **out, const hub_database_config_t *config,
                       const sh_clock_t *clock)
{
    assert (out && config && clock);
    store_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->clock = clock;
    sh_err_t rc = hub_sql_init (&self->sql, config, clock);
    if (rc != SH_OK) {
        free (self);
        return rc;
    }
    self->base = (hub_store_t){
        .begin = s_begin,
        .commit = s_commit,
        .rollback = s_rollback,
        .read_agents = s_read_agents,
        .lock_subnets = s_lock_subnets,
        .read_subnet = s_read_subnet,
        .find_subnet = s_find_subnet,
        .read_rows = s_read_rows,
        .read_range = s_read_range,
        .apply = s_apply,
        .touch_agents = s_touch_agents,
        .write_events = s_write_events,
        .read_plan = s_read_plan,
        .describe = s_describe,
        .set_beat = s_set_beat,
        .destroy = s_destroy,
    };
    *out = &self->base;
    return SH_OK;
}
