/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/journal_read.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub/deltas.h"
#include "hub/journal_file.h"
#include "lib/dbfile.h"
#include "scanner-proto/message.h"

#define LOCK_MS 200  /* for the writer to be out of the way */
#define LOOK_EACH 500 /* of SQLite's instructions, to the clock */

struct hub_journal_reader
{
    sqlite3 *db;
    const sh_clock_t *clock;
    int64_t deadline; /* mono ms */
};

static int
s_is_over (void *context)
{
    const hub_journal_reader_t *self = context;
    return sh_clock_mono (self->clock) >= self->deadline;
}

static sh_err_t
s_failed (hub_journal_reader_t *self, int code, sh_why_t *why)
{
    if ((code & 0xff) == SQLITE_INTERRUPT)
        return sh_fail (why, SH_E_TIMEOUT,
                        "the journal did not find that within a second; ask "
                        "for less, such as a shorter time");
    return sh_fail (why, SH_E_IO, "the journal cannot be read: %s",
                    sqlite3_errmsg (self->db));
}

/*  The actor may be about to make it, or to set another one aside.  */
static sh_err_t
s_is_made (hub_journal_reader_t *self, const char *path, sh_why_t *why)
{
    int64_t application = 0;
    int code = sh_dbfile_ask (self->db, "PRAGMA application_id", &application,
                              NULL, 0);
    if (code == SQLITE_OK && application == HUB_JOURNAL_APPLICATION)
        return SH_OK;
    return sh_fail (why, SH_E_NOT_FOUND, "%s: there is no journal yet", path);
}

sh_err_t
hub_journal_reader_new (hub_journal_reader_t **out, const char *path,
                        const sh_clock_t *clock, sh_why_t *why)
{
    assert (out && path && clock);
    if (access (path, F_OK) != 0)
        return sh_fail (why, SH_E_NOT_FOUND, "%s: there is no journal yet",
                        path);
    hub_journal_reader_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    self->clock = clock;
    self->deadline = sh_clock_mono (clock) + HUB_JOURNAL_PATIENCE_MS;
    int code = sqlite3_open_v2 (path, &self->db,
                                SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
                                NULL);
    sh_err_t rc = code == SQLITE_OK ? SH_OK : s_failed (self, code, why);
    if (code == SQLITE_OK) {
        (void) sqlite3_busy_timeout (self->db, LOCK_MS);
        sqlite3_progress_handler (self->db, LOOK_EACH, s_is_over, self);
        (void) sqlite3_db_config (self->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
                                  NULL);
        rc = s_is_made (self, path, why);
    }
    if (rc == SH_OK)
        *out = self;
    else
        hub_journal_reader_destroy (&self);
    return rc;
}

void
hub_journal_reader_destroy (hub_journal_reader_t **self_p)
{
    assert (self_p);
    hub_journal_reader_t *self = *self_p;
    if (!self)
        return;
    sqlite3_close (self->db);
    free (self);
    *self_p = NULL;
}

/*  A statement that is ready to run, but for its parameters.  */
static sh_err_t
s_prepare (hub_journal_reader_t *self, const char *sql, sqlite3_stmt **out,
           sh_why_t *why)
{
    int code = sqlite3_prepare_v2 (self->db, sql, -1, out, NULL);
    return code == SQLITE_OK ? SH_OK : s_failed (self, code, why);
}

/*  Its end, with the code of its last step.  */
static sh_err_t
s_finish (hub_journal_reader_t *self, sqlite3_stmt *stmt, int code,
          sh_why_t *why)
{
    sh_err_t rc = code == SQLITE_ROW || code == SQLITE_DONE
                      ? SH_OK
                      : s_failed (self, code, why);
    sqlite3_finalize (stmt);
    return rc;
}

/*  Empty is NULL, as what an aggregate over nothing gives.  */
static const char *
s_text (sqlite3_stmt *stmt, int column)
{
    return (const char *) sqlite3_column_text (stmt, column);
}

static const char *
s_some_text (sqlite3_stmt *stmt, int column)
{
    const char *text = s_text (stmt, column);
    return text ? text : "";
}

/*  The one number that a statement gives; 0 without one.  */
static sh_err_t
s_number (hub_journal_reader_t *self, sqlite3_stmt *stmt, int64_t *out,
          sh_why_t *why)
{
    int code = sqlite3_step (stmt);
    *out = code == SQLITE_ROW ? sqlite3_column_int64 (stmt, 0) : 0;
    return s_finish (self, stmt, code, why);
}

sh_err_t
hub_journal_begin (hub_journal_reader_t *self, int64_t *out, sh_why_t *why)
{
    assert (self && out);
    sqlite3_stmt *stmt;
    sh_err_t rc
        = s_prepare (self, "SELECT max(begun) FROM state", &stmt, why);
    return rc == SH_OK ? s_number (self, stmt, out, why) : rc;
}

#define REPORT_COLUMNS                                                         \
    "row, scanner, code, agent, cidr, cause, subnet, door, kind, result,"      \
    " closed, started, finished, received, written, parts, seen, added,"       \
    " named, macs, tagged, offline, refused, held"

static void
s_take_report (hub_told_report_t *out, sqlite3_stmt *stmt)
{
    int64_t *const counts[]
        = { &out->started, &out->finished, &out->received, &out->written,
            &out->parts,   &out->seen,     &out->added,    &out->named,
            &out->macs,    &out->tagged,   &out->offline,  &out->refused,
            &out->held };
    out->number = sqlite3_column_int64 (stmt, 0);
    out->scanner = s_some_text (stmt, 1);
    out->code = s_some_text (stmt, 2);
    out->agent = s_some_text (stmt, 3);
    out->cidr = s_some_text (stmt, 4);
    out->cause = s_some_text (stmt, 5);
    out->subnet = sqlite3_column_int64 (stmt, 6);
    out->door = sqlite3_column_int (stmt, 7);
    out->kind = sqlite3_column_int (stmt, 8);
    out->result = sqlite3_column_int (stmt, 9);
    out->closed = sqlite3_column_int (stmt, 10) != 0;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        *counts[i] = sqlite3_column_int64 (stmt, (int) (11 + i));
}

static sh_err_t
s_tell_reports (hub_journal_reader_t *self, sqlite3_stmt *stmt,
                hub_told_report_fn *tell, void *context, sh_why_t *why)
{
    int code;
    while ((code = sqlite3_step (stmt)) == SQLITE_ROW) {
        hub_told_report_t one = { 0 };
        s_take_report (&one, stmt);
        if (!tell (context, &one))
            break;
    }
    return s_finish (self, stmt, code, why);
}

/*  The numbers of the parameters are the same in each.  */
static sh_err_t
s_prepare_filtered (hub_journal_reader_t *self, const char *sql,
                    const hub_journal_filter_t *filter, sqlite3_stmt **out,
                    sh_why_t *why)
{
    sh_err_t rc = s_prepare (self, sql, out, why);
    if (rc != SH_OK)
        return rc;
    sqlite3_bind_int64 (*out, 1, filter->before ? filter->before : INT64_MAX);
    sqlite3_bind_int64 (*out, 2, filter->since);
    sqlite3_bind_int64 (*out, 3, filter->most);
    sqlite3_bind_int64 (*out, 4, filter->subnet);
    if (filter->scanner)
        sqlite3_bind_text (*out, 5, filter->scanner, -1, SQLITE_TRANSIENT);
    return SH_OK;
}

/*  Each by the index that fits it.  What is older than 'since' is not looked
    through: rows are in the order in which reports began, nearly that of their
    times.  */
#define REPORTS(where)                                                         \
    "SELECT " REPORT_COLUMNS " FROM report WHERE " where                       \
    " row < ?1 AND written >= ?2 AND row >= coalesce((SELECT min(row)"         \
    " FROM report WHERE ?2 > 0 AND idle IN (0, 1) AND written >= ?2), 0)"      \
    " ORDER BY row DESC LIMIT ?3"

sh_err_t
hub_journal_reports (hub_journal_reader_t *self,
                     const hub_journal_filter_t *filter,
                     hub_told_report_fn *tell, void *context, sh_why_t *why)
{
    assert (self && filter && tell);
    const char *sql = REPORTS ("");
    if (filter->subnet && filter->scanner)
        sql = REPORTS ("subnet = ?4 AND scanner = ?5 AND");
    else if (filter->subnet)
        sql = REPORTS ("subnet = ?4 AND");
    else if (filter->scanner)
        sql = REPORTS ("scanner = ?5 AND");
    sqlite3_stmt *stmt;
    sh_err_t rc = s_prepare_filtered (self, sql, filter, &stmt, why);
    return rc == SH_OK ? s_tell_reports (self, stmt, tell, context, why) : rc;
}

typedef struct
{
    hub_told_report_fn *tell;
    void *context;
    bool found;
} finding_t;

static bool
s_find (void *context, const hub_told_report_t *one)
{
    finding_t *self = context;
    self->found = true;
    return self->tell (self->context, one);
}

sh_err_t
hub_journal_report (hub_journal_reader_t *self, int64_t number,
                    hub_told_report_fn *tell, void *context, sh_why_t *why)
{
    assert (self && tell);
    finding_t finding = { tell, context, false };
    sqlite3_stmt *stmt;
    sh_err_t rc = s_prepare (
        self, "SELECT " REPORT_COLUMNS " FROM report WHERE row = ?1", &stmt,
        why);
    if (rc != SH_OK)
        return rc;
    sqlite3_bind_int64 (stmt, 1, number);
    rc = s_tell_reports (self, stmt, s_find, &finding, why);
    if (rc == SH_OK && !finding.found)
        rc = sh_fail (why, SH_E_NOT_FOUND,
                      "the journal has no report %lld; see scanhubctl reports",
                      (long long) number);
    return rc;
}

#define CHANGES                                                                \
    "SELECT c.row, c.report, c.at, c.subnet, c.ip, c.address, c.added,"        \
    " c.field, c.before, c.after, r.scanner, r.agent, r.cidr"                  \
    " FROM change c JOIN report r ON r.row = c.report "

/*  False: the file has what we never wrote.  */
static bool
s_take_change (hub_told_change_t *out, sqlite3_stmt *stmt)
{
    sh_bytes_t ip = { sqlite3_column_blob (stmt, 4),
                      (size_t) sqlite3_column_bytes (stmt, 4) };
    out->number = sqlite3_column_int64 (stmt, 0);
    out->report = sqlite3_column_int64 (stmt, 1);
    out->at = sqlite3_column_int64 (stmt, 2);
    out->subnet = sqlite3_column_int64 (stmt, 3);
    out->address = sqlite3_column_int64 (stmt, 5);
    out->added = sqlite3_column_int (stmt, 6) != 0;
    out->column = sqlite3_column_int (stmt, 7);
    out->before = s_text (stmt, 8);
    out->after = s_text (stmt, 9);
    out->scanner = s_some_text (stmt, 10);
    out->agent = s_some_text (stmt, 11);
    out->cidr = s_some_text (stmt, 12);
    return sh_addr_from_bytes (&out->ip, ip) == SH_OK && out->column >= 0
           && out->column < HUB_COLUMN_COUNT;
}

static sh_err_t
s_tell_changes (hub_journal_reader_t *self, sqlite3_stmt *stmt,
                hub_told_change_fn *tell, void *context, sh_why_t *why)
{
    int code;
    while ((code = sqlite3_step (stmt)) == SQLITE_ROW) {
        hub_told_change_t one = { 0 };
        if (s_take_change (&one, stmt) && !tell (context, &one))
            break;
    }
    return s_finish (self, stmt, code, why);
}

sh_err_t
hub_journal_changes_of (hub_journal_reader_t *self, int64_t report,
                        int64_t before, hub_told_change_fn *tell,
                        void *context, sh_why_t *why)
{
    assert (self && tell);
    sqlite3_stmt *stmt;
    sh_err_t rc = s_prepare (self,
                             CHANGES "WHERE c.report = ?1 AND c.row < ?2"
                                     " ORDER BY c.row DESC",
                             &stmt, why);
    if (rc != SH_OK)
        return rc;
    sqlite3_bind_int64 (stmt, 1, report);
    sqlite3_bind_int64 (stmt, 2, before ? before : INT64_MAX);
    return s_tell_changes (self, stmt, tell, context, why);
}

sh_err_t
hub_journal_changes_at (hub_journal_reader_t *self, const sh_addr_t *ip,
                        int64_t before, hub_told_change_fn *tell,
                        void *context, sh_why_t *why)
{
    assert (self && ip && tell);
    sqlite3_stmt *stmt;
    sh_err_t rc = s_prepare (self,
                             CHANGES "WHERE c.ip = ?1 AND c.row < ?2"
                                     " ORDER BY c.row DESC",
                             &stmt, why);
    if (rc != SH_OK)
        return rc;
    sh_bytes_t bytes = sh_addr_bytes (ip);
    sqlite3_bind_blob (stmt, 1, bytes.data, (int) bytes.size,
                       SQLITE_TRANSIENT);
    sqlite3_bind_int64 (stmt, 2, before ? before : INT64_MAX);
    return s_tell_changes (self, stmt, tell, context, why);
}

sh_err_t
hub_journal_news (hub_journal_reader_t *self, int64_t since,
                  hub_told_change_fn *tell, void *context, sh_why_t *why)
{
    assert (self && tell);
    /*  Of a new row the lastSeen is the first that is told.  A tag counts that
        is the address's last, whatever else there was.  */
    static const char sql[] = CHANGES
        "WHERE r.idle = 0 AND r.written >= ?1 AND c.at >= ?1"
        " AND ((c.added AND c.field = ?2)"
        " OR (NOT c.added AND c.field = ?3 AND c.before IS NOT NULL)"
        " OR (NOT c.added AND c.field = ?4 AND c.after = ?5))"
        " AND NOT EXISTS (SELECT 1 FROM change n WHERE n.ip = c.ip"
        " AND n.row > c.row AND n.subnet = c.subnet AND n.field = c.field)"
        " ORDER BY c.field, c.subnet, c.ip";
    sqlite3_stmt *stmt;
    sh_err_t rc = s_prepare (self, sql, &stmt, why);
    if (rc != SH_OK)
        return rc;
    sqlite3_bind_int64 (stmt, 1, since);
    sqlite3_bind_int (stmt, 2, HUB_COLUMN_LAST_SEEN);
    sqlite3_bind_int (stmt, 3, HUB_COLUMN_MAC);
    sqlite3_bind_int (stmt, 4, HUB_COLUMN_STATE);
    sqlite3_bind_text (stmt, 5, "1", 1, SQLITE_STATIC); /* HUB_TAG_OFFLINE */
    return s_tell_changes (self, stmt, tell, context, why);
}

/*  SQLite takes the other columns from the row that has the maximum.  */
#define REFUSALS(where)                                                        \
    "SELECT cause, scanner, host, subnet, sum(count), min(first), max(last)"   \
    " FROM refusal WHERE " where " last >= ?2 GROUP BY cause, host"            \
    " ORDER BY 7 DESC LIMIT ?3"

sh_err_t
hub_journal_refusals (hub_journal_reader_t *self,
                      const hub_journal_filter_t *filter,
                      hub_told_refusal_fn *tell, void *context, sh_why_t *why)
{
    assert (self && filter && tell);
    const char *sql = REFUSALS ("");
    if (filter->subnet && filter->scanner)
        sql = REFUSALS ("subnet = ?4 AND scanner = ?5 AND");
    else if (filter->subnet)
        sql = REFUSALS ("subnet = ?4 AND");
    else if (filter->scanner)
        sql = REFUSALS ("scanner = ?5 AND");
    sqlite3_stmt *stmt;
    sh_err_t rc = s_prepare_filtered (self, sql, filter, &stmt, why);
    int code = SQLITE_DONE;
    if (rc != SH_OK)
        return rc;
    while ((code = sqlite3_step (stmt)) == SQLITE_ROW) {
        hub_told_refusal_t one = { .cause = s_some_text (stmt, 0),
                                   .scanner = s_some_text (stmt, 1),
                                   .host = sqlite3_column_int (stmt, 2) != 0,
                                   .subnet = sqlite3_column_int64 (stmt, 3),
                                   .count = sqlite3_column_int64 (stmt, 4),
                                   .first = sqlite3_column_int64 (stmt, 5),
                                   .last = sqlite3_column_int64 (stmt, 6) };
        if (!tell (context, &one))
            break;
    }
    return s_finish (self, stmt, code, why);
}

sh_err_t
hub_journal_last_of_subnet (hub_journal_reader_t *self, uint64_t subnet,
                            int64_t *out, sh_why_t *why)
{
    assert (self && out);
    sqlite3_stmt *stmt;
    sh_err_t rc = s_prepare (self,
                             "SELECT written FROM report WHERE subnet = ?1"
                             " AND result IN (?2, ?3) ORDER BY row DESC"
                             " LIMIT 1", &stmt, why);
    if (rc != SH_OK)
        return rc;
    sqlite3_bind_int64 (stmt, 1, (int64_t) subnet);
    sqlite3_bind_int (stmt, 2, SP_APPLIED);
    sqlite3_bind_int (stmt, 3, SP_NOTED);
    return s_number (self, stmt, out, why);
}
