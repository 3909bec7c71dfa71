/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/spool_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

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

/*  Is the file itself at fault, rather than the disk, its rights, another
    process?  SQLITE_ERROR is a file format that this SQLite does not know, or
    a statement that the tables do not fit.  */
static bool
s_is_broken (int code)
{
    int primary = code & 0xff;
    return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB
           || primary == SQLITE_FORMAT || primary == SQLITE_ERROR;
}

static sh_err_t
s_err_of (int code)
{
    return (code & 0xff) == SQLITE_NOMEM ? SH_E_MEMORY : SH_E_IO;
}

sh_err_t
sp_spool_file_failed (const sp_spool_file_t *self, const char *doing)
{
    int code = sqlite3_extended_errcode (self->db);
    sh_log (SH_LOG_ERROR, "spool failed",
            SH_STR ("file", sp_spool_file_name (self)),
            SH_STR ("doing", doing),
            SH_STR ("error", sqlite3_errmsg (self->db)),
            SH_INT ("code", code));
    return s_err_of (code);
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

typedef enum
{
    OPEN_OK,
    OPEN_BROKEN, /* to be set aside */
    OPEN_FAILED
} s_open_t;

/*  What a code means to opening; if it is an error, it is put into words.  */
static s_open_t
s_open_result (sqlite3 *db, int code, const char *path, sh_err_t *rc,
               sh_why_t *why)
{
    if (code == SQLITE_OK)
        return OPEN_OK;
    if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED) {
        *rc = sh_fail (why, SH_E_EXISTS,
                       "%s: another process has this spool open", path);
        return OPEN_FAILED;
    }
    /* of a broken file errno says nothing */
    bool broken = s_is_broken (code);
    int number = db && !broken ? sqlite3_system_errno (db) : 0;
    const char *text = code == SQLITE_ERROR ? "not the tables of a spool"
                                            : sqlite3_errstr (code);
    *rc = sh_fail (why, s_err_of (code),
                   "%s: cannot be used as a spool: %s%s%s", path, text,
                   number ? ": " : "", number ? strerror (number) : "");
    return broken ? OPEN_BROKEN : OPEN_FAILED;
}

int
sp_spool_file_ask (sp_spool_file_t *self, const char *sql, int64_t *number,
                   char *text, int size)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2 (self->db, sql, -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step (stmt);
    if (code == SQLITE_ROW) {
        if (number)
            *number = sqlite3_column_int64 (stmt, 0);
        const unsigned char *said = sqlite3_column_text (stmt, 0);
        if (text)
            snprintf (text, (size_t) size, "%s",
                      said ? (const char *) said : "");
        code = SQLITE_OK;
    } else if (code == SQLITE_DONE)
        code = SQLITE_CORRUPT; /* all that is asked here has an answer */
    sqlite3_finalize (stmt);
    return code;
}

/*  A file of the first layout says nothing of clocks; that its reports are of
    this boot is the best guess.  */
static int
s_upgrade (sp_spool_file_t *self)
{
    int code = sqlite3_exec (self->db, s_upgrade_sql, NULL, NULL, NULL);
    char *sql = code == SQLITE_OK
                    ? sqlite3_mprintf (
                          "UPDATE report SET boot = %Q, epoch = %lld;"
                          "INSERT INTO boot (id) VALUES (%Q)",
                          sp_spool_boot (self->clock),
                          (long long) sh_clock_epoch (self->clock),
                          sp_spool_boot (self->clock))
                    : NULL;
    if (code == SQLITE_OK)
        code = sql ? sqlite3_exec (self->db, sql, NULL, NULL, NULL)
                   : SQLITE_NOMEM;
    sqlite3_free (sql);
    if (code == SQLITE_OK)
        code = sqlite3_exec (self->db, "COMMIT", NULL, NULL, NULL);
    return code;
}

/*  Is it ours, whole, and of this layout?  An empty file becomes so.  */
static int
s_judge_content (sp_spool_file_t *self, const char **foreign)
{
    int64_t application = 0, layout = 0, tables = 0;
    int code = sp_spool_file_ask (self, "PRAGMA application_id", &application,
                                  NULL, 0);
    if (code == SQLITE_OK)
        code = sp_spool_file_ask (self, "PRAGMA user_version", &layout, NULL,
                                  0);
    if (code == SQLITE_OK)
        code = sp_spool_file_ask (self, "SELECT count(*) FROM sqlite_master",
                                  &tables, NULL, 0);
    if (code)
        return code;
    /*  Before anything of it is read: a view or trigger is a program.  */
    int64_t programs = 0;
    code = sp_spool_file_ask (self, "SELECT count(*) FROM sqlite_master"
                                    " WHERE type NOT IN ('table', 'index')",
                              &programs, NULL, 0);
    if (code || programs) {
        *foreign = programs ? "it has views or triggers" : NULL;
        return code;
    }
    if (application == 0 && layout == 0 && tables == 0)
        return sqlite3_exec (self->db, s_schema, NULL, NULL, NULL);
    if (application != APPLICATION)
        *foreign = "it is another program's database";
    else if (layout != LAYOUT && layout != LAYOUT_FIRST)
        *foreign = "it has another version's layout";
    if (*foreign)
        return SQLITE_OK;

    char said[8];
    int64_t odd = 0;
    code = sp_spool_file_ask (self, "PRAGMA integrity_check (1)", NULL, said,
                              sizeof said);
    if (code == SQLITE_OK && strcmp (said, "ok") != 0)
        *foreign = "it is damaged";
    else if (code == SQLITE_OK && layout == LAYOUT_FIRST)
        code = s_upgrade (self);
    if (code == SQLITE_OK && !*foreign)
        code = sp_spool_file_ask (self, s_odd_rows, &odd, NULL, 0);
    if (code == SQLITE_OK && odd)
        *foreign = "it has rows that it never made";
    return code;
}

static s_open_t
s_judge (sp_spool_file_t *self, sh_err_t *rc, sh_why_t *why)
{
    const char *foreign = NULL;
    int code = s_judge_content (self, &foreign);
    if (code == SQLITE_OK && !foreign)
        code = sqlite3_exec (self->db, s_gone_sql, NULL, NULL, NULL);
    /* ours has what every statement needs */
    for (int i = 0; code == SQLITE_OK && !foreign && i < SP_STMT_COUNT; i++)
        code = sqlite3_prepare_v3 (self->db, s_sql[i], -1,
                                   SQLITE_PREPARE_PERSISTENT, &self->stmts[i],
                                   NULL);
    if (foreign) {
        *rc = sh_fail (why, SH_E_IO, "%s: not a spool: %s",
                       sp_spool_file_name (self), foreign);
        return OPEN_BROKEN;
    }
    return s_open_result (self->db, code, sp_spool_file_name (self), rc, why);
}

/*  Make the file before SQLite does, for its mode; the log gets the same one.
    A file that is there is not opened: closing it would drop the locks that
    this process may hold on it.  */
static sh_err_t
s_make_file (const char *path, sh_why_t *why)
{
    int fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                   0600);
    if (fd >= 0) {
        close (fd);
        return SH_OK;
    }
    if (errno != EEXIST)
        return sh_fail (why, SH_E_IO, "%s: cannot make it: %s", path,
                        strerror (errno));
    struct stat meta;
    if (lstat (path, &meta) != 0 || !S_ISREG (meta.st_mode))
        return sh_fail (why, SH_E_IO, "%s: not a regular file", path);
    if (meta.st_uid != geteuid () || (meta.st_mode & (S_IWGRP | S_IWOTH)))
        return sh_fail (why, SH_E_MODE,
                        "%s: another user owns it or may write to it; chown "
                        "and chmod 0600 it, or let that user run this", path);
    return SH_OK;
}

/*  Who may write to the directory can put a journal there that makes SQLite
    delete or change files in our name.  */
static sh_err_t
s_check_directory (const char *path, sh_why_t *why)
{
    const char *slash = strrchr (path, '/');
    char *directory = slash > path ? strndup (path, (size_t) (slash - path))
                                   : strdup (slash ? "/" : ".");
    struct stat meta;
    sh_err_t rc = SH_OK;
    if (!directory)
        rc = sh_fail (why, SH_E_MEMORY, "out of memory");
    else if (stat (directory, &meta) != 0)
        rc = sh_fail (why, SH_E_IO, "%s: cannot make it: %s", path,
                      strerror (errno));
    else if ((meta.st_uid != geteuid () && meta.st_uid != 0)
             || (meta.st_mode & S_IWOTH))
        rc = sh_fail (why, SH_E_MODE,
                      "%s: another user owns the directory or may write to it, "
                      "so no spool is kept there; make one for the user that "
                      "runs this: install -d -m 0700", path);
    free (directory);
    return rc;
}

/*  Was it opened as what it is to be?  ":memory:" and the like have no
    name.  */
static bool
s_is_writable (const sp_spool_file_t *self)
{
    const char *name = sqlite3_db_filename (self->db, "main");
    return !self->path
           || (name && *name && sqlite3_db_readonly (self->db, "main") == 0);
}

static s_open_t
s_connect (sp_spool_file_t *self, sh_err_t *rc, sh_why_t *why)
{
    const char *shown = sp_spool_file_name (self);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2 (self->path ? self->path : ":memory:",
                                &self->db, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes (self->db, 1);
        (void) sqlite3_db_config (self->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        (void) sqlite3_db_config (self->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
                                  NULL);
        if (!s_is_writable (self)) {
            *rc = sh_fail (why, SH_E_IO, "%s: cannot be written", shown);
            return OPEN_FAILED;
        }
        code = sqlite3_exec (self->db, s_settings, NULL, NULL, NULL);
    }
    char mode[8] = "";
    if (code == SQLITE_OK)
        code = sp_spool_file_ask (self, "PRAGMA journal_mode", NULL, mode,
                                  sizeof mode);
    if (code == SQLITE_OK && self->path && strcmp (mode, "wal") != 0) {
        *rc = sh_fail (why, SH_E_IO, "%s: no write-ahead log possible here",
                       shown);
        return OPEN_FAILED;
    }
    if (code)
        return s_open_result (self->db, code, shown, rc, why);
    return s_judge (self, rc, why);
}

void
sp_spool_file_close (sp_spool_file_t *self)
{
    for (int i = 0; i < SP_STMT_COUNT; i++) {
        sqlite3_finalize (self->stmts[i]);
        self->stmts[i] = NULL;
    }
    /* a connection also has to be closed that could not be opened */
    sqlite3_close (self->db);
    self->db = NULL;
}

/*  PATH.broken-TIME, or with a number behind it, whichever is free; the log
    goes with it, for it belongs to it and must not meet the new file.  */
static sh_err_t
s_set_aside (const sp_spool_file_t *self, sh_why_t *why)
{
    static const char *const tails[] = { "-wal", "-journal", "-shm" };
    time_t now = (time_t) (sh_clock_wall (self->clock) / 1000);
    struct tm parts = { 0 };
    char when[32];
    gmtime_r (&now, &parts);
    strftime (when, sizeof when, "%Y%m%dT%H%M%SZ", &parts);

    size_t room = strlen (self->path) + 64;
    char *from = malloc (room), *to = malloc (room + 16);
    sh_err_t rc = from && to ? SH_E_EXISTS : SH_E_MEMORY;
    struct stat meta;
    for (int i = 0; rc == SH_E_EXISTS && i < 100; i++) {
        snprintf (to, room, "%s.broken-%s", self->path, when);
        if (i > 0)
            snprintf (to + strlen (to), 8, ".%d", i);
        if (lstat (to, &meta) != 0)
            rc = rename (self->path, to) == 0 ? SH_OK : SH_E_IO;
    }
    if (rc == SH_OK) {
        sh_log (SH_LOG_ERROR, "spool set aside, a new one begun",
                SH_STR ("kept", to), SH_STR ("cause", why->text));
        size_t length = strlen (to);
        for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
            snprintf (from, room, "%s%s", self->path, tails[i]);
            snprintf (to + length, 16, "%s", tails[i]);
            if (rename (from, to) != 0 && errno != ENOENT)
                rc = SH_E_IO;
        }
    }
    if (rc)
        sh_fail (why, rc, "%s: damaged, and cannot be set aside: %s",
                 self->path, strerror (errno));
    free (from);
    free (to);
    return rc;
}

sh_err_t
sp_spool_file_open (sp_spool_file_t *self, sh_why_t *why)
{
    /*  A file that looks broken is looked at twice, for integrity_check tells
        an error of the disk in the same way as a damaged page; the third time
        it is a file that we have just made.  */
    for (int attempt = 0;; attempt++) {
        sh_err_t rc = self->path ? s_check_directory (self->path, why)
                                 : SH_OK;
        if (rc == SH_OK && self->path)
            rc = s_make_file (self->path, why);
        if (rc)
            return rc;
        s_open_t result = s_connect (self, &rc, why);
        if (result == OPEN_OK)
            return SH_OK;
        sp_spool_file_close (self);
        if (result == OPEN_FAILED || attempt > 1 || !self->path)
            return rc;
        if (attempt == 1 && (rc = s_set_aside (self, why)) != SH_OK)
            return rc;
    }
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
