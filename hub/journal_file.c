/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/journal_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hub/journal_sql.h"
#include "lib/dbfile.h"

#define IDLE_KEPT_MS (INT64_C (24) * 3600 * 1000)
#define REFUSALS_MOST 10000
#define PARTS_TOLD_APART 63 /* bits of report.counted */

struct hub_journal_file
{
    const hub_journal_limits_t *limits;
    const sh_clock_t *clock;
    sqlite3 *db;
    sqlite3_stmt *stmts[STMT_COUNT];
    dev_t device; /* which file it is, for somebody may take it away */
    ino_t inode;
};

static int
s_ready (void *context, sqlite3 *db)
{
    hub_journal_file_t *self = context;
    int code = sqlite3_exec (db,
                             "CREATE TEMP TABLE doomed (row INTEGER PRIMARY "
                             "KEY)",
                             NULL, NULL, NULL);
    for (int i = 0; code == SQLITE_OK && i < STMT_COUNT; i++)
        code = sqlite3_prepare_v3 (db, hub_journal_sql[i], -1,
                                   SQLITE_PREPARE_PERSISTENT, &self->stmts[i],
                                   NULL);
    return code;
}

static void
s_leave (void *context)
{
    hub_journal_file_t *self = context;
    for (int i = 0; i < STMT_COUNT; i++) {
        sqlite3_finalize (self->stmts[i]);
        self->stmts[i] = NULL;
    }
}

sh_err_t
hub_journal_file_new (hub_journal_file_t **out,
                      const hub_journal_limits_t *limits,
                      const sh_clock_t *clock, sh_why_t *why)
{
    assert (out && limits && limits->path && clock && why);
    hub_journal_file_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    self->limits = limits;
    self->clock = clock;
    const sh_dbfile_t kind = {
        .what = "journal",
        .application = HUB_JOURNAL_APPLICATION,
        .layout = HUB_JOURNAL_LAYOUT,
        .oldest = HUB_JOURNAL_LAYOUT,
        .settings = hub_journal_settings,
        .schema = hub_journal_schema,
        .quick = true,
        .ready = s_ready,
        .leave = s_leave,
        .context = self,
    };
    sh_err_t rc = sh_dbfile_open (&self->db, limits->path, &kind, clock, why);
    struct stat meta;
    if (rc == SH_OK && stat (limits->path, &meta) == 0) {
        self->device = meta.st_dev;
        self->inode = meta.st_ino;
    }
    if (rc == SH_OK)
        *out = self;
    else
        free (self);
    return rc;
}

void
hub_journal_file_destroy (hub_journal_file_t **self_p)
{
    assert (self_p);
    hub_journal_file_t *self = *self_p;
    if (!self)
        return;
    s_leave (self);
    sqlite3_close (self->db);
    free (self);
    *self_p = NULL;
}

static bool
s_is_there (const hub_journal_file_t *self)
{
    struct stat meta;
    return stat (self->limits->path, &meta) == 0
           && meta.st_dev == self->device && meta.st_ino == self->inode;
}

/*  Run a statement whose parameters are bound; an SQLite code.  */
static int
s_run (hub_journal_file_t *self, stmt_t which)
{
    sqlite3_stmt *stmt = self->stmts[which];
    int code = sqlite3_step (stmt);
    sqlite3_reset (stmt);
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
}

static int
s_run_number (hub_journal_file_t *self, stmt_t which, int64_t number)
{
    sqlite3_bind_int64 (self->stmts[which], 1, number);
    return s_run (self, which);
}

/*  Numbers of peers are unsigned and may be anything.  */
static int64_t
s_signed (uint64_t number)
{
    return number > INT64_MAX ? INT64_MAX : (int64_t) number;
}

static void
s_bind_text (sqlite3_stmt *stmt, int at, const char *text)
{
    if (text)
        sqlite3_bind_text (stmt, at, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null (stmt, at);
}

static void
s_bind_number (sqlite3_stmt *stmt, int at, uint64_t number)
{
    sqlite3_bind_int64 (stmt, at, s_signed (number));
}

static void
s_bind_identity (sqlite3_stmt *stmt, const hub_record_t *one)
{
    sqlite3_bind_blob (stmt, 1, one->id, sizeof one->id, SQLITE_STATIC);
    s_bind_text (stmt, 2, one->source);
    s_bind_number (stmt, 3, one->subnet);
}

/*  The line of the record's report, made if it is the first of it.  */
static int
s_find_report (hub_journal_file_t *self, const hub_record_t *one, int64_t *row)
{
    sqlite3_stmt *stmt = self->stmts[STMT_FIND];
    s_bind_identity (stmt, one);
    int code = sqlite3_step (stmt);
    if (code == SQLITE_ROW)
        *row = sqlite3_column_int64 (stmt, 0);
    sqlite3_reset (stmt);
    if (code != SQLITE_DONE)
        return code == SQLITE_ROW ? SQLITE_OK : code;

    stmt = self->stmts[STMT_OPEN];
    s_bind_identity (stmt, one);
    s_bind_text (stmt, 4, one->scanner);
    sqlite3_bind_int (stmt, 5, (int) one->door);
    s_bind_text (stmt, 6, one->code);
    s_bind_text (stmt, 7, one->cidr);
    sqlite3_bind_int (stmt, 8, one->kind);
    sqlite3_bind_int64 (stmt, 9, one->started);
    sqlite3_bind_int64 (stmt, 10, one->finished);
    sqlite3_bind_int64 (stmt, 11, one->received);
    code = s_run (self, STMT_OPEN);
    *row = sqlite3_last_insert_rowid (self->db);
    return code;
}

static bool
s_is_idle (const hub_record_t *one)
{
    return one->result == SP_APPLIED && one->deltas.count == 0
           && one->refused == 0 && one->held == 0;
}

static int
s_add_to_report (hub_journal_file_t *self, const hub_record_t *one,
                 int64_t row)
{
    sqlite3_stmt *stmt = self->stmts[STMT_ADD];
    const char *cause = one->cause == SH_OK ? "" : sh_err_word (one->cause);
    int64_t bit
        = one->part < PARTS_TOLD_APART ? INT64_C (1) << one->part : 0;
    const uint64_t counts[] = { one->seen,    one->added,  one->named,
                                one->macs,    one->tagged, one->offline,
                                one->refused, one->held };
    sqlite3_bind_int64 (stmt, 1, row);
    sqlite3_bind_int64 (stmt, 2, one->written);
    s_bind_text (stmt, 3, one->agent ? one->agent : "");
    sqlite3_bind_int64 (stmt, 4, one->finished);
    sqlite3_bind_int (stmt, 5, (int) one->result);
    s_bind_text (stmt, 6, cause);
    sqlite3_bind_int (stmt, 7, one->last && one->result == SP_APPLIED);
    sqlite3_bind_int64 (stmt, 8, bit);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        s_bind_number (stmt, (int) (9 + i), counts[i]);
    sqlite3_bind_int (stmt, 17, s_is_idle (one));
    return s_run (self, STMT_ADD);
}

static int
s_add_changes (hub_journal_file_t *self, const hub_record_t *one, int64_t row)
{
    sqlite3_stmt *stmt = self->stmts[STMT_CHANGE];
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < one->deltas.count; i++) {
        const hub_delta_t *delta = &one->deltas.items[i];
        if (delta->added && !delta->after)
            continue;
        sh_bytes_t ip = sh_addr_bytes (&delta->ip);
        sqlite3_bind_int64 (stmt, 1, row);
        sqlite3_bind_int64 (stmt, 2, one->written);
        s_bind_number (stmt, 3, one->subnet);
        sqlite3_bind_blob (stmt, 4, ip.data, (int) ip.size, SQLITE_STATIC);
        s_bind_number (stmt, 5, delta->row);
        sqlite3_bind_int (stmt, 6, delta->added);
        sqlite3_bind_int (stmt, 7, (int) delta->column);
        s_bind_text (stmt, 8, delta->before);
        s_bind_text (stmt, 9, delta->after);
        code = s_run (self, STMT_CHANGE);
    }
    return code;
}

static int
s_refuse (hub_journal_file_t *self, const hub_record_t *one, sh_err_t cause,
          bool host, uint64_t count)
{
    sqlite3_stmt *stmt = self->stmts[STMT_REFUSE];
    s_bind_text (stmt, 1, sh_err_word (cause));
    sqlite3_bind_int (stmt, 2, host);
    s_bind_text (stmt, 3, one->scanner);
    s_bind_number (stmt, 4, one->subnet);
    s_bind_number (stmt, 5, count);
    sqlite3_bind_int64 (stmt, 6, one->written);
    return s_run (self, STMT_REFUSE);
}

/*  A closing part that has more to do is everyday life, and no refusal.  */
static int
s_add_refusals (hub_journal_file_t *self, const hub_record_t *one)
{
    int code = SQLITE_OK;
    if (one->cause != SH_OK && one->cause != SH_E_UNFINISHED)
        code = s_refuse (self, one, one->cause, false, 1);
    for (size_t i = 0; code == SQLITE_OK && i < one->cause_count; i++)
        code = s_refuse (self, one, one->causes[i].cause, true,
                         one->causes[i].count);
    return code;
}

static int
s_write_one (hub_journal_file_t *self, const hub_record_t *one)
{
    int64_t row = 0;
    int code = s_add_refusals (self, one);
    if (code || !one->has_report)
        return code;
    code = s_find_report (self, one, &row);
    if (code == SQLITE_OK)
        code = s_add_to_report (self, one, row);
    if (code == SQLITE_OK)
        code = s_add_changes (self, one, row);
    return code;
}

/*  The end of what began with STMT_BEGIN.  SQLite may have rolled back by
    itself.  */
static sh_err_t
s_end (hub_journal_file_t *self, int code, sh_why_t *why)
{
    if (code == SQLITE_OK)
        code = s_run (self, STMT_COMMIT);
    if (code == SQLITE_OK)
        return SH_OK;
    sh_fail (why, SH_E_IO, "%s: %s", self->limits->path,
             sqlite3_errmsg (self->db));
    if (!sqlite3_get_autocommit (self->db))
        (void) s_run (self, STMT_ROLLBACK);
    return sh_dbfile_is_broken (code) ? SH_E_SYNTAX : sh_dbfile_err (code);
}

sh_err_t
hub_journal_file_write (hub_journal_file_t *self, const hub_record_t *first,
                        sh_why_t *why)
{
    assert (self && first && why);
    if (!s_is_there (self))
        return sh_fail (why, SH_E_SYNTAX, "%s: the file is gone",
                        self->limits->path);
    int code = s_run (self, STMT_BEGIN);
    for (const hub_record_t *at = first; code == SQLITE_OK && at;
         at = at->next)
        code = s_write_one (self, at);
    return s_end (self, code, why);
}

static int64_t
s_doomed (hub_journal_file_t *self)
{
    int64_t count = 0;
    (void) sh_dbfile_ask (self->db,
                          "SELECT count(*) FROM " HUB_JOURNAL_DOOMED, &count,
                          NULL, 0);
    return count;
}

/*  Choose what goes: what is too old; where there is too much, what changed
    nothing and is older than a day, then of the scanner that has most of it
    what changed nothing, then its oldest.  The first of these that there
    is.  */
static int
s_choose (hub_journal_file_t *self, int64_t now)
{
    const struct
    {
        stmt_t which;
        int64_t before; /* 0: the statement asks for no time */
        bool crowded;   /* only where there is too much */
    } steps[] = {
        { STMT_OLD, now - self->limits->age_ms, false },
        { STMT_OLD_IDLE, now - self->limits->age_ms, false },
        { STMT_OLD_IDLE, now - IDLE_KEPT_MS, true },
        { STMT_GREEDY_IDLE, 0, true },
        { STMT_GREEDY, 0, true },
    };
    bool crowded = hub_journal_file_size (self) > self->limits->size_bytes;
    int code = sqlite3_exec (self->db, "DELETE FROM " HUB_JOURNAL_DOOMED, NULL,
                             NULL, NULL);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (code == SQLITE_OK && s_doomed (self) == 0
            && (crowded || !steps[i].crowded))
            code = steps[i].before
                       ? s_run_number (self, steps[i].which, steps[i].before)
                       : s_run (self, steps[i].which);
    return code;
}

sh_err_t
hub_journal_file_trim (hub_journal_file_t *self, bool *more, sh_why_t *why)
{
    assert (self && more && why);
    int64_t now = sh_clock_wall (self->clock);
    int code = s_run (self, STMT_BEGIN);
    if (code == SQLITE_OK)
        code = s_choose (self, now);
    *more = code == SQLITE_OK && s_doomed (self) > 0;
    if (*more) {
        code = s_run (self, STMT_REMEMBER);
        if (code == SQLITE_OK)
            code = s_run (self, STMT_DROP_CHANGES);
        if (code == SQLITE_OK)
            code = s_run (self, STMT_DROP);
    }
    if (code == SQLITE_OK)
        code = s_run_number (self, STMT_OLD_REFUSALS,
                             now - self->limits->age_ms);
    if (code == SQLITE_OK)
        code = s_run_number (self, STMT_MANY_REFUSALS, REFUSALS_MOST);
    return s_end (self, code, why);
}

uint64_t
hub_journal_file_size (hub_journal_file_t *self)
{
    int64_t pages = 0, unused = 0, size = 0;
    if (sh_dbfile_ask (self->db, "PRAGMA page_count", &pages, NULL, 0)
        || sh_dbfile_ask (self->db, "PRAGMA freelist_count", &unused, NULL, 0)
        || sh_dbfile_ask (self->db, "PRAGMA page_size", &size, NULL, 0))
        return 0;
    return (uint64_t) (pages - unused) * (uint64_t) size;
}
