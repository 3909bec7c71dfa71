/* SPDX-License-Identifier: MPL-2.0 */
/*  phpIPAM's tables in MariaDB or MySQL: the connection, its transactions and
    the columns it has.  What is asked and written is in store_agents.c,
    store_rows.c, store_plan.c, store_apply.c and store_events.c.  */

#include <assert.h>
#include <stdlib.h>

#include "hub/sql.h"
#include "hub/store.h"
#include "hub/store_agents.h"
#include "hub/store_apply.h"
#include "hub/store_columns.h"
#include "hub/store_events.h"
#include "hub/store_plan.h"
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

static bool
s_in_maintenance (store_t *self)
{
    hub_sql_start (&self->sql, "SELECT ");
    hub_sql_add (&self->sql, hub_store_maintenance (&self->has));
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

static sh_err_t
s_read_agents (hub_store_t *base, hub_asked_t *asked, size_t count)
{
    store_t *self = (store_t *) base;
    return hub_store_agents (&self->sql, &self->has, asked, count);
}

static sh_err_t
s_lock_subnets (hub_store_t *base, const uint64_t *ids, size_t count,
                hub_subnet_t *out)
{
    store_t *self = (store_t *) base;
    return hub_store_subnets (&self->sql, &self->has, ids, count,
                              " FOR UPDATE", out);
}

static sh_err_t
s_read_subnet (hub_store_t *base, uint64_t id, hub_subnet_t *out)
{
    store_t *self = (store_t *) base;
    sh_err_t rc = hub_store_subnets (&self->sql, &self->has, &id, 1, "", out);
    return rc == SH_OK && out->id == 0 ? SH_E_SUBNET_UNKNOWN : rc;
}

static sh_err_t
s_find_subnet (hub_store_t *base, uint64_t agent, const sh_prefix_t *prefix,
               uint64_t hint, uint64_t *id)
{
    return hub_store_find_subnet (&((store_t *) base)->sql, agent, prefix,
                                  hint, id);
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

static sh_err_t
s_touch_agents (hub_store_t *base, const uint64_t *ids, size_t count,
                const char *wall, const char *limit)
{
    store_t *self = (store_t *) base;
    sh_err_t rc = s_connect (self, false);
    if (rc != SH_OK)
        return rc;
    return hub_store_touch (&self->sql, ids, count, wall, limit);
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
        rc = hub_store_plan (&self->sql, &self->has, plan);
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
