/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/spool_file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "lib/dbfile.h"
#include "lib/log.h"

/*  What tells our file from any other: "ScSp", and the layout's number.  */
#define APPLICATION 1399018352
#define LAYOUT 2
#define LAYOUT_FIRST 1 /* without slots and clocks */

#define DISK_MARGIN (UINT64_C (1024) * 1024)
#define PAGE_BYTES 4096

/*  One row of 'report' for each report, one of 'part' for each frame, with a
    BLAKE2b sum of it.  Rows are never numbered twice: a late remove must not
    hit another report.  'subject' is whose report it is about which subnet:
    those of one kind get merged, and all leave in their order.  One row of
    'boot' for each boot in which something happened, in their order: the hub's
    clock at its begin, and when a hub was last met.  */
static const char s_schema[]
    = "BEGIN IMMEDIATE;"
      "PRAGMA application_id = 1399018352;"
      "PRAGMA user_version = 2;"
      "CREATE TABLE report (row INTEGER PRIMARY KEY AUTOINCREMENT,"
      " label TEXT NOT NULL, put INTEGER NOT NULL,"
      " subject TEXT NOT NULL DEFAULT '',"
      " boot TEXT NOT NULL DEFAULT '', epoch INTEGER NOT NULL DEFAULT 0,"
      " off INTEGER);"
      "CREATE INDEX report_subject ON report (subject, row);"
      "CREATE TABLE part (report INTEGER NOT NULL, n INTEGER NOT NULL,"
      " frame BLOB NOT NULL, sum BLOB NOT NULL, PRIMARY KEY (report, n));"
      "CREATE TABLE boot (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
      " id TEXT NOT NULL UNIQUE, hub INTEGER, last INTEGER);"
      "COMMIT";

static const char s_upgrade_sql[]
    = "BEGIN IMMEDIATE;"
      "ALTER TABLE report ADD COLUMN subject TEXT NOT NULL DEFAULT '';"
      "ALTER TABLE report ADD COLUMN boot TEXT NOT NULL DEFAULT '';"
      "ALTER TABLE report ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE report ADD COLUMN off INTEGER;"
      "CREATE INDEX report_subject ON report (subject, row);"
      "CREATE TABLE boot (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
      " id TEXT NOT NULL UNIQUE, hub INTEGER, last INTEGER);"
      "PRAGMA user_version = 2"; /* COMMIT follows */

/*  locking_mode has to come first: WAL then needs no shared memory, and no
    other process gets in.  The checkpoint every 64 pages keeps the log small,
    which on a full disk could not be carried over into the file.  */
static const char s_settings[]
    = "PRAGMA locking_mode = EXCLUSIVE;"
      "PRAGMA page_size = 4096;"
      "PRAGMA journal_mode = WAL;"
      "PRAGMA synchronous = FULL;"
      "PRAGMA wal_autocheckpoint = 64;"
      "PRAGMA journal_size_limit = 1048576;"
      "PRAGMA temp_store = MEMORY";

/*  Rows are numbered from 1 on, and not in centuries so far.  */
static const char s_odd_rows[] = "SELECT count(*) FROM report WHERE row < 1"
                                 " OR row > 4611686018427387904";

/*  What was removed while the file could not be written.  */
static const char s_gone_sql[]
    = "CREATE TEMP TABLE gone (row INTEGER PRIMARY KEY)";
#define NOT_GONE(row) row " NOT IN (SELECT row FROM temp.gone)"

#define COLUMNS "row, label, put, boot, epoch, off, subject"

static const char *const s_sql[SP_STMT_COUNT] = {
    [SP_STMT_BEGIN] = "BEGIN IMMEDIATE",
    [SP_STMT_COMMIT] = "COMMIT",
    [SP_STMT_ROLLBACK] = "ROLLBACK",
    [SP_STMT_CHECKPOINT] = "PRAGMA wal_checkpoint (TRUNCATE)",
    [SP_STMT_FREE] = "PRAGMA freelist_count",
    [SP_STMT_PUT_REPORT] = "INSERT INTO report (label, put, subject, boot,"
                           " epoch) VALUES (?, ?, ?, ?, ?)",
    [SP_STMT_PUT_PART]
    = "INSERT INTO part (report, n, frame, sum) VALUES (?, ?, ?, ?)",
    [SP_STMT_PUT_BOOT] = "INSERT INTO boot (id) SELECT ?1 WHERE NOT EXISTS"
                         " (SELECT 1 FROM boot WHERE id = ?1)",
    /*  A report would make an older one of its subject come too late.  */
    [SP_STMT_NEXT]
    = "SELECT " COLUMNS " FROM report r WHERE row > ? AND " NOT_GONE ("row")
      " AND NOT EXISTS (SELECT 1 FROM report o WHERE o.subject = r.subject"
      " AND o.row < r.row AND o.subject <> '' AND " NOT_GONE ("o.row") ")"
      " ORDER BY row LIMIT 1",
    [SP_STMT_AT] = "SELECT " COLUMNS " FROM report WHERE row = ?",
    [SP_STMT_SAME] = "SELECT " COLUMNS " FROM report WHERE subject = ? AND"
                     " row < ? AND " NOT_GONE ("row") " ORDER BY row DESC"
                     " LIMIT 1",
    [SP_STMT_WAITS] = "SELECT 1 FROM report WHERE subject = ? AND "
                      NOT_GONE ("row") " LIMIT 1",
    /*  Of the sender who takes most of the room: nobody shall drive out what
        others were promised.  */
    [SP_STMT_OLDEST]
    = "SELECT row FROM report WHERE row > ? AND " NOT_GONE ("row")
      " AND label = (SELECT r.label FROM report r JOIN part p ON p.report ="
      " r.row GROUP BY r.label ORDER BY sum(length(p.frame)) DESC LIMIT 1)"
      " ORDER BY row LIMIT 1",
    [SP_STMT_PARTS] = "SELECT frame, sum FROM part WHERE report = ? ORDER BY n",
    [SP_STMT_SIZE] = "SELECT coalesce(sum(length(frame)), 0) FROM part"
                     " WHERE report = ?",
    [SP_STMT_REMOVE_PARTS] = "DELETE FROM part WHERE report = ?",
    [SP_STMT_REMOVE_REPORT] = "DELETE FROM report WHERE row = ?",
    [SP_STMT_GONE] = "INSERT OR IGNORE INTO temp.gone VALUES (?)",
    [SP_STMT_GONE_SIZE] = "SELECT coalesce(sum(length(frame)), 0) FROM part"
                          " WHERE report IN (SELECT row FROM temp.gone)",
    [SP_STMT_SWEEP_PARTS] = "DELETE FROM part WHERE report IN"
                            " (SELECT row FROM temp.gone)",
    [SP_STMT_SWEEP_REPORTS] = "DELETE FROM report WHERE row IN"
                              " (SELECT row FROM temp.gone)",
    [SP_STMT_FORGET_GONE] = "DELETE FROM temp.gone",
    [SP_STMT_NOTE_HUB] = "UPDATE boot SET hub = ?, last = ? WHERE id = ?",
    /*  The last few boots bound the times of weak reports between them.  */
    [SP_STMT_FORGET_BOOTS]
    = "DELETE FROM boot WHERE id NOT IN (SELECT boot FROM report)"
      " AND seq NOT IN (SELECT seq FROM boot ORDER BY seq DESC LIMIT 8)",
    [SP_STMT_HUB_OF] = "SELECT hub FROM boot WHERE id = ? AND hub IS NOT NULL",
    [SP_STMT_AROUND]
    = "SELECT (SELECT max(last) FROM boot WHERE seq < own.seq),"
      " (SELECT min(hub) FROM boot WHERE seq > own.seq)"
      " FROM boot own WHERE own.id = ?",
    [SP_STMT_FIX] = "UPDATE report SET boot = ?, epoch = ?, off = ?"
                    " WHERE row = ?",
};

sh_err_t
sp_spool_file_failed (const sp_spool_file_t *self, const char *doing)
{
    int code = sqlite3_extended_errcode (self->db);
    sh_log (SH_LOG_ERROR, "spool failed",
            SH_STR ("file", sp_spool_file_name (self)),
            SH_STR ("doing", doing),
            SH_STR ("error", sqlite3_errmsg (self->db)),
            SH_INT ("code", code));
    return sh_dbfile_err (code);
}

int
sp_spool_file_run (sp_spool_file_t *self, sp_stmt_t which)
{
    sqlite3_stmt *stmt = self->stmts[which];
    int code;
    do {
        code = sqlite3_step (stmt);
    } while (code == SQLITE_ROW);
    sqlite3_reset (stmt); /* tells the same error again */
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

void
sp_spool_file_rollback (sp_spool_file_t *self)
{
    if (!sqlite3_get_autocommit (self->db))
        (void) sp_spool_file_run (self, SP_STMT_ROLLBACK);
}

/*  A file of the first layout says nothing of clocks; that its reports are of
    this boot is the best guess.  */
static int
s_upgrade (void *context, sqlite3 *db)
{
    const sp_spool_file_t *self = context;
    int code = sqlite3_exec (db, s_upgrade_sql, NULL, NULL, NULL);
    char *sql = code == SQLITE_OK
                    ? sqlite3_mprintf (
                          "UPDATE report SET boot = %Q, epoch = %lld;"
                          "INSERT INTO boot (id) VALUES (%Q)",
                          sp_spool_boot (self->clock),
                          (long long) sh_clock_epoch (self->clock),
                          sp_spool_boot (self->clock))
                    : NULL;
    if (code == SQLITE_OK)
        code = sql ? sqlite3_exec (db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
    sqlite3_free (sql);
    if (code == SQLITE_OK)
        code = sqlite3_exec (db, "COMMIT", NULL, NULL, NULL);
    return code;
}

static int
s_ready (void *context, sqlite3 *db)
{
    sp_spool_file_t *self = context;
    int code = sqlite3_exec (db, s_gone_sql, NULL, NULL, NULL);
    for (int i = 0; code == SQLITE_OK && i < SP_STMT_COUNT; i++)
        code = sqlite3_prepare_v3 (db, s_sql[i], -1,
                                   SQLITE_PREPARE_PERSISTENT, &self->stmts[i],
                                   NULL);
    return code;
}

static void
s_leave (void *context)
{
    sp_spool_file_t *self = context;
    for (int i = 0; i < SP_STMT_COUNT; i++) {
        sqlite3_finalize (self->stmts[i]);
        self->stmts[i] = NULL;
    }
}

void
sp_spool_file_close (sp_spool_file_t *self)
{
    s_leave (self);
    sqlite3_close (self->db);
    self->db = NULL;
}

sh_err_t
sp_spool_file_open (sp_spool_file_t *self, sh_why_t *why)
{
    const sh_dbfile_t kind = {
        .what = "spool",
        .application = APPLICATION,
        .layout = LAYOUT,
        .oldest = LAYOUT_FIRST,
        .settings = s_settings,
        .schema = s_schema,
        .odd = s_odd_rows,
        .upgrade = s_upgrade,
        .ready = s_ready,
        .leave = s_leave,
        .context = self,
    };
    return sh_dbfile_open (&self->db, self->path, &kind, self->clock, why);
}

/*  The log takes what comes first, then the file, unless it has pages enough
    that removed reports have left in it.  A file system that does not tell is
    taken to have room.  */
bool
sp_spool_file_has_room (sp_spool_file_t *self, uint64_t bytes)
{
    if (!self->path)
        return true;
    sqlite3_stmt *free_pages = self->stmts[SP_STMT_FREE];
    uint64_t inside = 0;
    if (sqlite3_step (free_pages) == SQLITE_ROW)
        inside = (uint64_t) sqlite3_column_int64 (free_pages, 0) * PAGE_BYTES;
    sqlite3_reset (free_pages);
    if (inside > bytes + bytes / 16 + 16 * PAGE_BYTES)
        return true;
    struct statvfs disk;
    if (statvfs (self->path, &disk) != 0 || disk.f_blocks == 0)
        return true;
    uint64_t room = (uint64_t) disk.f_bavail * disk.f_frsize;
    return room >= DISK_MARGIN + 2 * bytes;
}

const char *
sp_spool_file_name (const sp_spool_file_t *self)
{
    return self->path ? self->path : "(memory)";
}

const char *
sp_spool_boot (const sh_clock_t *clock)
{
    return clock->boot ? clock->boot : "";
}
