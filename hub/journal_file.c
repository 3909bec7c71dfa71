/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/journal_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/dbfile.h"

#define LAYOUT 1

#define IDLE_KEPT_MS (INT64_C (24) * 3600 * 1000)
#define TRIM_REPORTS "200" /* at once: others want the disk as well */
#define REFUSALS_MOST 10000
#define PARTS_TOLD_APART 63 /* bits of report.counted */

/*  A row of 'report' for each report: 'source' and 'id' are the sender's,
    'counted' has a bit for each part that was applied, so that one that is sent
    twice counts once; 'idle' is one that found nothing worth a line of its own,
    as most are.  A row of 'change' for each column that it changed; of a new
    row of ipaddresses for each that is not empty.  'state' remembers how far
    back the journal goes.  */
static const char s_schema[]
    = "BEGIN IMMEDIATE;"
      "PRAGMA application_id = 1399016047;"
      "PRAGMA user_version = 1;"
      "CREATE TABLE report (row INTEGER PRIMARY KEY AUTOINCREMENT,"
      " source TEXT NOT NULL, id BLOB NOT NULL, subnet INTEGER NOT NULL,"
      " scanner TEXT NOT NULL, door INTEGER NOT NULL, code TEXT NOT NULL,"
      " agent TEXT NOT NULL DEFAULT '', cidr TEXT NOT NULL,"
      " kind INTEGER NOT NULL, started INTEGER NOT NULL,"
      " finished INTEGER NOT NULL, received INTEGER NOT NULL,"
      " written INTEGER NOT NULL DEFAULT 0, idle INTEGER NOT NULL DEFAULT 1,"
      " result INTEGER NOT NULL DEFAULT 0, cause TEXT NOT NULL DEFAULT '',"
      " closed INTEGER NOT NULL DEFAULT 0, counted INTEGER NOT NULL DEFAULT 0,"
      " parts INTEGER NOT NULL DEFAULT 0, seen INTEGER NOT NULL DEFAULT 0,"
      " added INTEGER NOT NULL DEFAULT 0, named INTEGER NOT NULL DEFAULT 0,"
      " macs INTEGER NOT NULL DEFAULT 0, tagged INTEGER NOT NULL DEFAULT 0,"
      " offline INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0,"
      " held INTEGER NOT NULL DEFAULT 0);"
      "CREATE UNIQUE INDEX report_id ON report (id, source, subnet);"
      "CREATE INDEX report_subnet ON report (subnet, row);"
      "CREATE INDEX report_scanner ON report (scanner, row);"
      "CREATE INDEX report_written ON report (idle, written);"
      "CREATE TABLE change (row INTEGER PRIMARY KEY AUTOINCREMENT,"
      " report INTEGER NOT NULL, at INTEGER NOT NULL, subnet INTEGER NOT NULL,"
      " ip BLOB NOT NULL, address INTEGER NOT NULL, added INTEGER NOT NULL,"
      " field INTEGER NOT NULL, before TEXT, after TEXT);"
      "CREATE INDEX change_ip ON change (ip, row);"
      "CREATE INDEX change_report ON change (report, row);"
      "CREATE TABLE refusal (cause TEXT NOT NULL, host INTEGER NOT NULL,"
      " scanner TEXT NOT NULL, subnet INTEGER NOT NULL, count INTEGER NOT NULL,"
      " first INTEGER NOT NULL, last INTEGER NOT NULL,"
      " PRIMARY KEY (cause, host, scanner, subnet)) WITHOUT ROWID;"
      "CREATE INDEX refusal_last ON refusal (last);"
      "CREATE TABLE state (begun INTEGER NOT NULL);"
      "INSERT INTO state VALUES (CAST(strftime('%s', 'now') AS INTEGER) * 1000);"
      "COMMIT";

/*  Without FULL a power cut may take the last lines with it; it does not damage
    the file, and a commit costs no wait for the disk.  */
static const char s_settings[]
    = "PRAGMA busy_timeout = 2000;"
      "PRAGMA page_size = 4096;"
      "PRAGMA journal_mode = WAL;"
      "PRAGMA synchronous = NORMAL;"
      "PRAGMA journal_size_limit = 4194304;"
      "PRAGMA temp_store = MEMORY";

typedef enum
{
    STMT_BEGIN,
    STMT_COMMIT,
    STMT_ROLLBACK,
    STMT_FIND,
    STMT_OPEN,
    STMT_ADD,
    STMT_CHANGE,
    STMT_REFUSE,
    STMT_OLD,
    STMT_OLD_IDLE,
    STMT_GREEDY_IDLE,
    STMT_GREEDY,
    STMT_REMEMBER,
    STMT_DROP_CHANGES,
    STMT_DROP,
    STMT_OLD_REFUSALS,
    STMT_MANY_REFUSALS,
    STMT_COUNT
} stmt_t;

#define DOOMED "temp.doomed"
#define DOOM(where)                                                            \
    "INSERT INTO " DOOMED " SELECT row FROM report WHERE " where               \
    " ORDER BY written LIMIT " TRIM_REPORTS
/*  Of the scanner that has most of it: nobody shall drive out what others
    did.  */
#define DOOM_GREEDY(which)                                                     \
    "INSERT INTO " DOOMED " SELECT row FROM report WHERE scanner ="            \
    " (SELECT scanner FROM report GROUP BY scanner"                            \
    " ORDER BY count(*) DESC LIMIT 1) " which                                  \
    " ORDER BY row LIMIT " TRIM_REPORTS

static const char *const s_sql[STMT_COUNT] = {
    [STMT_BEGIN] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ROLLBACK] = "ROLLBACK",
    [STMT_FIND] = "SELECT row FROM report WHERE id = ?1 AND source = ?2"
                  " AND subnet = ?3",
    [STMT_OPEN]
    = "INSERT INTO report (id, source, subnet, scanner, door, code, cidr,"
      " kind, started, finished, received) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
      " ?8, ?9, ?10, ?11)",
    /*  The numbers of results are those of sp_result_t.  A report of which a
        part was refused is refused; else the last word counts.  */
    [STMT_ADD]
    = "UPDATE report SET written = max(written, ?2),"
      " agent = CASE WHEN ?3 = '' THEN agent ELSE ?3 END,"
      " finished = max(finished, ?4),"
      " cause = CASE WHEN result = 1 THEN cause ELSE ?6 END,"
      " result = CASE WHEN result = 1 THEN result ELSE ?5 END,"
      " closed = closed OR ?7,"
      " parts = parts + ((counted & ?8) = 0 AND ?5 IN (0, 3)),"
      " seen = seen + CASE WHEN counted & ?8 THEN 0 ELSE ?9 END,"
      " refused = refused + CASE WHEN counted & ?8 THEN 0 ELSE ?15 END,"
      " counted = counted | CASE WHEN ?5 IN (0, 3) THEN ?8 ELSE 0 END,"
      " added = added + ?10, named = named + ?11, macs = macs + ?12,"
      " tagged = tagged + ?13, offline = offline + ?14, held = held + ?16,"
      " idle = idle AND ?17 WHERE row = ?1",
    [STMT_CHANGE]
    = "INSERT INTO change (report, at, subnet, ip, address, added, field,"
      " before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [STMT_REFUSE]
    = "INSERT INTO refusal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)"
      " ON CONFLICT (cause, host, scanner, subnet) DO UPDATE"
      " SET count = count + ?5, last = max(last, ?6)",
    [STMT_OLD] = DOOM ("idle = 0 AND written < ?1"),
    [STMT_OLD_IDLE] = DOOM ("idle = 1 AND written < ?1"),
    [STMT_GREEDY_IDLE] = DOOM_GREEDY ("AND idle = 1"),
    [STMT_GREEDY] = DOOM_GREEDY (""),
    /*  What happened before the newest of these may be missing.  */
    [STMT_REMEMBER]
    = "UPDATE state SET begun = max(begun, (SELECT coalesce(max(written), 0)"
      " FROM report WHERE idle = 0 AND row IN (SELECT row FROM " DOOMED ")))",
    [STMT_DROP_CHANGES] = "DELETE FROM change WHERE report IN"
                          " (SELECT row FROM " DOOMED ")",
    [STMT_DROP] = "DELETE FROM report WHERE row IN"
                  " (SELECT row FROM " DOOMED ")",
    [STMT_OLD_REFUSALS] = "DELETE FROM refusal WHERE last < ?1",
    [STMT_MANY_REFUSALS]
    = "DELETE FROM refusal WHERE (cause, host, scanner, subnet) IN"
      " (SELECT cause, host, scanner, subnet FROM refusal WHERE scanner ="
      " (SELECT scanner FROM refusal GROUP BY scanner"
      " ORDER BY count(*) DESC LIMIT 1) ORDER BY last"
      " LIMIT max(0, (SELECT count(*) FROM refusal) - ?1))",
};

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
        code = sqlite3_prepare_v3 (db, s_sql[i], -1,
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
        .layout = LAYOUT,
        .oldest = LAYOUT,
        .settings = s_settings,
        .schema = s_schema,
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
    (void) sh_dbfile_ask (self->db, "SELECT count(*) FROM " DOOMED, &count,
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
    int code = sqlite3_exec (self->db, "DELETE FROM " DOOMED, NULL, NULL,
                             NULL);
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
