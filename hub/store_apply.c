/* SPDX-License-Identifier: MPL-2.0 */
/*  Changes become statements.

    Hubs serialise on the subnet's row.  phpIPAM's own pages do not take that
    lock, so between our read and our write a person may have typed a name, a
    tag or a MAC; every UPDATE therefore repeats in its WHERE what the plan
    was based on, and is a no-op where that no longer holds.  editDate is kept
    (it would change on every update).  Not used: INSERT ... ON DUPLICATE KEY
    UPDATE, which burns ids and deadlocks; see docs/architecture.md.  */

#include "hub/store_apply.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#define EACH_MOST 200  /* rows with texts of their own in one UPDATE */
#define SEEN_MOST 2000 /* rows in an UPDATE of lastSeen */
/*  Ids as runs of such that follow each other: each row is held against all
    of them, so there must be few, of so many rows at the average.  */
#define RUNS_MOST 16
#define RUN_LEAST 4

static_assert (offsetof (hub_seen_t, row) == 0
                   && offsetof (hub_text_t, row) == 0
                   && offsetof (hub_tag_t, row) == 0,
               "s_row_at reads the id in front");

/*  Each change of a row begins with its id.  */
static uint64_t
s_row_at (const void *items, size_t size, size_t at)
{
    uint64_t row;
    memcpy (&row, (const char *) items + at * size, sizeof row);
    return row;
}

/*  How many neighbours from 'first' on have ids that follow each other.  */
static size_t
s_run (const void *items, size_t size, size_t count, size_t first)
{
    size_t next = first + 1;
    while (next < count
           && s_row_at (items, size, next)
                  == s_row_at (items, size, next - 1) + 1)
        next++;
    return next - first;
}

/*  The same ids as "id BETWEEN 1 AND 250 OR id BETWEEN ..."; false, and nothing
    is added, where they do not come in a few runs.  */
static bool
s_add_runs (hub_sql_t *sql, const void *items, size_t size, size_t count)
{
    size_t runs = 0;
    for (size_t i = 0; i < count && runs <= RUNS_MOST; runs++)
        i += s_run (items, size, count, i);
    if (runs > RUNS_MOST || runs * RUN_LEAST > count)
        return false;
    for (size_t i = 0, run; i < count; i += run) {
        run = s_run (items, size, count, i);
        hub_sql_add (sql, i ? " OR id BETWEEN " : "id BETWEEN ");
        hub_sql_number (sql, s_row_at (items, size, i));
        hub_sql_add (sql, " AND ");
        hub_sql_number (sql, s_row_at (items, size, i + run - 1));
    }
    return true;
}

/*  "... WHERE subnetId = N AND ... AND (id IN (...))" is common to all updates:
    it guards against a row that was moved or excluded meanwhile.  A scan's new
    rows get ids that follow each other and keep them; of those the server
    handles two bounds in half the time of a list of 250.  */
static void
s_where_rows (hub_sql_t *sql, const hub_changes_t *changes, const void *items,
              size_t size, size_t count)
{
    hub_sql_add (sql, ", editDate = editDate WHERE subnetId = ");
    hub_sql_number (sql, changes->subnet);
    hub_sql_add (sql, " AND COALESCE(excludePing, '0') <> '1' AND (");
    if (!s_add_runs (sql, items, size, count)) {
        for (size_t i = 0; i < count; i++) {
            hub_sql_add (sql, i ? "," : "id IN (");
            hub_sql_number (sql, s_row_at (items, size, i));
        }
        hub_sql_add (sql, ")");
    }
    hub_sql_add (sql, ")");
}

/*  Does the row begin a stretch of rows with one time?  */
static bool
s_turns (const hub_seen_t *seen, size_t at)
{
    return at == 0 || strcmp (seen[at].wall.text, seen[at - 1].wall.text) != 0;
}

/*  Each row's time.  INTERVAL searches the ids, which ascend, by halving and
    tells the place of the last that is not above the row's; CASE would look at
    one after the other.  */
static void
s_add_wall (hub_sql_t *sql, const hub_seen_t *seen, size_t count)
{
    size_t turns = 0;
    for (size_t i = 0; i < count; i++)
        turns += s_turns (seen, i);
    hub_sql_add (sql, turns > 1 ? "ELT(INTERVAL(id" : "");
    for (size_t i = 0; turns > 1 && i < count; i++)
        if (s_turns (seen, i)) {
            hub_sql_add (sql, ",");
            hub_sql_number (sql, seen[i].row);
        }
    hub_sql_add (sql, turns > 1 ? ")," : "");
    for (size_t i = 0; i < count; i++)
        if (s_turns (seen, i)) {
            hub_sql_add (sql, i ? "," : "");
            hub_sql_text (sql, seen[i].wall.text);
        }
    hub_sql_add (sql, turns > 1 ? ")" : "");
}

/*  lastSeen moves forward, or back from a future that cannot be; the row's own
    value at the moment of writing decides.  */
static sh_err_t
s_apply_seen_some (hub_sql_t *sql, const hub_changes_t *changes,
                   const hub_seen_t *seen, size_t count)
{
    hub_sql_start (sql, "UPDATE ipaddresses FORCE INDEX (PRIMARY) "
                        "SET lastSeen = GREATEST(IF(lastSeen <= ");
    hub_sql_text (sql, changes->limit.text);
    hub_sql_add (sql, ", lastSeen, '1970-01-01 00:00:00'), ");
    s_add_wall (sql, seen, count);
    hub_sql_add (sql, ")");
    s_where_rows (sql, changes, seen, sizeof *seen, count);
    return hub_sql_run (sql);
}

/*  However many times there are among them, the rows of a usual report take
    one statement.  */
static sh_err_t
s_apply_seen (hub_sql_t *sql, const hub_changes_t *changes)
{
    sh_err_t rc = SH_OK;
    for (size_t i = 0, some; rc == SH_OK && i < changes->seen_count;
         i += some) {
        some = changes->seen_count - i;
        if (some > SEEN_MOST)
            some = SEEN_MOST;
        rc = s_apply_seen_some (sql, changes, &changes->seen[i], some);
    }
    return rc;
}

/*  A text column is compared byte by byte, whatever its collation and
    charset; the value follows.  */
static void
s_and_bytes_of (hub_sql_t *sql, const char *column)
{
    hub_sql_add (sql, " AND CAST(CONVERT(");
    hub_sql_add (sql, column);
    hub_sql_add (sql, " USING utf8mb4) AS BINARY) = ");
}

/*  "CASE id WHEN 7 THEN 'a' WHEN 9 THEN 'b' END": each row's old or new
    text.  */
static void
s_add_case (hub_sql_t *sql, const hub_text_t *texts, size_t count, bool fresh)
{
    hub_sql_add (sql, "CASE id");
    for (size_t i = 0; i < count; i++) {
        hub_sql_add (sql, " WHEN ");
        hub_sql_number (sql, texts[i].row);
        hub_sql_add (sql, " THEN ");
        hub_sql_text (sql, fresh ? texts[i].fresh : texts[i].old);
    }
    hub_sql_add (sql, " END");
}

/*  Only where nobody has typed anything meanwhile.  */
static void
s_and_still_empty (hub_sql_t *sql, const char *column)
{
    hub_sql_add (sql, " AND (");
    hub_sql_add (sql, column);
    hub_sql_add (sql, " IS NULL OR ");
    hub_sql_add (sql, column);
    hub_sql_add (sql, " = '')");
}

/*  Only where all that allowed the change still holds.  */
static void
s_and_still_ours (hub_sql_t *sql, const char *column, const hub_text_t *texts,
                  size_t count)
{
    s_and_bytes_of (sql, column);
    hub_sql_add (sql, "CAST(");
    s_add_case (sql, texts, count, false);
    hub_sql_add (sql, " AS BINARY)");
    if (texts->ground == HUB_GROUND_MADE) {
        s_and_bytes_of (sql, "description");
        hub_sql_text (sql, HUB_DESCRIPTION);
    } else if (texts->ground == HUB_GROUND_DHCP)
        hub_sql_add (sql, " AND state = 4");
}

/*  Rows of one kind (fill, or follow on one ground), many in a statement.  */
static sh_err_t
s_apply_texts (hub_sql_t *sql, const hub_changes_t *changes, const char *column,
               const hub_text_t *texts, size_t count)
{
    sh_err_t rc = SH_OK;
    for (size_t i = 0, some; rc == SH_OK && i < count; i += some) {
        const hub_text_t *group = &texts[i];
        for (some = 1; i + some < count && some < EACH_MOST
                       && group[some].follow == group->follow
                       && group[some].ground == group->ground;
             some++)
            continue;
        hub_sql_start (sql, "UPDATE ipaddresses SET ");
        hub_sql_add (sql, column);
        hub_sql_add (sql, " = ");
        s_add_case (sql, group, some, true);
        s_where_rows (sql, changes, group, sizeof *group, some);
        if (group->follow)
            s_and_still_ours (sql, column, group, some);
        else
            s_and_still_empty (sql, column);
        rc = hub_sql_run (sql);
    }
    return rc;
}

static sh_err_t
s_apply_tags (hub_sql_t *sql, const hub_changes_t *changes,
              const hub_tag_t *tags, size_t count, bool silent)
{
    sh_err_t rc = SH_OK;
    for (size_t i = 0, next; rc == SH_OK && i < count; i = next) {
        hub_sql_start (sql, "UPDATE ipaddresses SET state = ");
        hub_sql_number (sql, (uint64_t) tags[i].fresh);
        next = i + 1;
        while (next < count && tags[next].old == tags[i].old)
            next++;
        s_where_rows (sql, changes, &tags[i], sizeof *tags, next - i);
        hub_sql_add (sql, " AND state = ");
        if (tags[i].old < 0)
            hub_sql_add (sql, "-");
        hub_sql_number (sql, (uint64_t) labs ((long) tags[i].old));
        if (silent) {
            hub_sql_add (sql, " AND lastSeen < ");
            hub_sql_text (sql, changes->silent.text);
        }
        rc = hub_sql_run (sql);
    }
    return rc;
}

static sh_err_t
s_apply_inserts (hub_sql_t *sql, const hub_changes_t *changes)
{
    if (changes->insert_count == 0)
        return SH_OK;
    hub_sql_start (sql, "INSERT INTO ipaddresses (subnetId, ip_addr, "
                               "description, hostname, mac, state, note, "
                               "lastSeen) VALUES ");
    for (size_t i = 0; i < changes->insert_count; i++) {
        const hub_insert_t *row = &changes->inserts[i];
        char decimal[SH_ADDR_DECIMAL], note[640];
        sh_addr_decimal (&row->ip, decimal);
        hub_changes_note (changes, row, note, sizeof note);
        hub_sql_add (sql, i ? ",(" : "(");
        hub_sql_number (sql, changes->subnet);
        hub_sql_add (sql, ",");
        hub_sql_text (sql, decimal);
        hub_sql_add (sql, ",");
        hub_sql_text (sql, HUB_DESCRIPTION);
        hub_sql_add (sql, ",");
        hub_sql_text (sql, row->hostname);
        hub_sql_add (sql, ",");
        hub_sql_text (sql, row->mac);
        hub_sql_add (sql, ",");
        hub_sql_number (sql, HUB_TAG_USED);
        hub_sql_add (sql, ",");
        hub_sql_text (sql, note);
        hub_sql_add (sql, ",");
        hub_sql_text (sql, row->wall.text);
        hub_sql_add (sql, ")");
    }
    return hub_sql_run (sql);
}

/*  We hold the row's lock, so what the plan read is still there.  */
static sh_err_t
s_apply_subnet (hub_sql_t *sql, const hub_changes_t *changes)
{
    if (!changes->set_last_scan && !changes->set_last_discovery)
        return SH_OK;
    hub_sql_start (sql, "UPDATE subnets SET ");
    if (changes->set_last_scan) {
        hub_sql_add (sql, "lastScan = ");
        hub_sql_text (sql, changes->start.text);
        hub_sql_add (sql, ", ");
    }
    if (changes->set_last_discovery) {
        hub_sql_add (sql, "lastDiscovery = ");
        hub_sql_text (sql, changes->start.text);
        hub_sql_add (sql, ", ");
    }
    hub_sql_add (sql, "editDate = editDate WHERE id = ");
    hub_sql_number (sql, changes->subnet);
    bool truncated;
    sh_err_t rc = hub_sql_run_time (sql, &truncated);
    if (truncated)
        sh_log (SH_LOG_WARNING, "subnet time not written: the database's time "
                                "zone skips this hour",
                SH_INT ("subnet", changes->subnet),
                SH_STR ("time", changes->start.text));
    return rc;
}

sh_err_t
hub_store_apply (hub_sql_t *sql, const hub_changes_t *changes)
{
    sh_err_t rc = s_apply_seen (sql, changes);
    if (rc == SH_OK)
        rc = s_apply_texts (sql, changes, "hostname", changes->names,
                            changes->name_count);
    if (rc == SH_OK)
        rc = s_apply_texts (sql, changes, "mac", changes->macs,
                            changes->mac_count);
    /*  A column that takes no such text concerns names and MACs alone.  */
    if (rc == SH_E_HOST_COLUMN || rc == SH_E_HOST_TEXT)
        return SH_E_HOST_UPDATE;
    if (rc == SH_OK)
        rc = s_apply_tags (sql, changes, changes->used, changes->used_count,
                           false);
    if (rc == SH_OK)
        rc = s_apply_tags (sql, changes, changes->offline,
                           changes->offline_count, true);
    if (rc == SH_OK)
        rc = s_apply_inserts (sql, changes);
    if (rc == SH_OK)
        rc = s_apply_subnet (sql, changes);
    return rc;
}
