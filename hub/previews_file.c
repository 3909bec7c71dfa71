/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/previews_file.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/bytes.h"
#include "lib/dbfile.h"
#include "lib/log.h"

/*  "ScHe", and the layout's number; see s_schema.  */
#define APPLICATION 1399015525
#define LAYOUT 1

/*  A row of 'entry' for each report, reason and sender, with sums over its
    parts; a row
    of 'part' for each frame, with a BLAKE2b sum of it and of what it changes;
    a row of 'change' for each column that would be written.  Numbers are never
    given twice, for somebody may have one on his screen.  */
static const char s_schema[]
    = "BEGIN IMMEDIATE;"
      "PRAGMA application_id = 1399015525;"
      "PRAGMA user_version = 1;"
      "CREATE TABLE entry (number INTEGER PRIMARY KEY AUTOINCREMENT,"
      " report BLOB NOT NULL, reason INTEGER NOT NULL,"
      " subnet INTEGER NOT NULL, cidr TEXT NOT NULL, kind INTEGER NOT NULL,"
      " started INTEGER NOT NULL, received INTEGER NOT NULL,"
      " door INTEGER NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL,"
      " code TEXT NOT NULL, agent TEXT NOT NULL,"
      " parts INTEGER NOT NULL DEFAULT 0, changes INTEGER NOT NULL DEFAULT 0,"
      " listed INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,"
      " failed TEXT NOT NULL DEFAULT '',"
      " UNIQUE (report, subnet, reason, key, name));"
      "CREATE INDEX entry_subnet ON entry (subnet, reason, number);"
      "CREATE TABLE part (entry INTEGER NOT NULL, n INTEGER NOT NULL,"
      " received INTEGER NOT NULL, frame BLOB NOT NULL, sum BLOB NOT NULL,"
      " same BLOB NOT NULL, changes INTEGER NOT NULL, bytes INTEGER NOT NULL,"
      " PRIMARY KEY (entry, n));"
      "CREATE TABLE change (row INTEGER PRIMARY KEY, entry INTEGER NOT NULL,"
      " part INTEGER NOT NULL, action TEXT NOT NULL, address TEXT NOT NULL,"
      " field TEXT NOT NULL, old TEXT, fresh TEXT);"
      "CREATE INDEX change_entry ON change (entry, part, row);"
      "CREATE INDEX change_address ON change (entry, address, field);"
      "COMMIT";

/*  locking_mode comes first: WAL then needs no shared memory, and no other
    process gets in.  FULL: what is held is told to the scanner as done.  */
static const char s_settings[]
    = "PRAGMA locking_mode = EXCLUSIVE;"
      "PRAGMA journal_mode = WAL;"
      "PRAGMA synchronous = FULL;"
      "PRAGMA wal_autocheckpoint = 256;"
      "PRAGMA journal_size_limit = 1048576;"
      "PRAGMA temp_store = MEMORY";

/*  Do the tables have our columns?  */
static int
s_ready (void *context, sqlite3 *db)
{
    static const char *const looks[]
        = { "SELECT number, report, reason, subnet, cidr, kind, started,"
            " received, door, key, name, code, agent, parts, changes, listed,"
            " bytes, failed FROM entry LIMIT 0",
            "SELECT entry, n, received, frame, sum, same, changes, bytes"
            " FROM part LIMIT 0",
            "SELECT row, entry, part, action, address, field, old, fresh"
            " FROM change LIMIT 0" };
    (void) context;
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < sizeof looks / sizeof *looks;
         i++)
        code = sqlite3_exec (db, looks[i], NULL, NULL, NULL);
    return code;
}

sh_err_t
hub_previews_open (hub_previews_t *self, sh_why_t *why)
{
    const sh_dbfile_t kind = { .what = "file of held reports",
                               .application = APPLICATION,
                               .layout = LAYOUT,
                               .oldest = LAYOUT,
                               .settings = s_settings,
                               .schema = s_schema,
                               .ready = s_ready };
    sh_why_t own = { "" };
    if (self->db)
        return SH_OK;
    sh_err_t rc = sh_dbfile_open (&self->db, self->path, &kind, self->clock,
                                  &own);
    if (rc == SH_OK) {
        self->trouble[0] = '\0';
        return SH_OK;
    }
    self->db = NULL;
    snprintf (self->trouble, sizeof self->trouble, "%.300s", own.text);
    sh_log (SH_LOG_ERROR,
            "reports cannot be held; those that would be have to wait at "
            "their scanners",
            SH_STR ("why", own.text),
            SH_STR ("remedy", "see hub.previews in scanhub.yaml(5)"));
    return sh_fail (why, SH_E_IO, "what is held cannot be kept: %s", own.text);
}

void
hub_previews_close (hub_previews_t *self)
{
    sqlite3_close (self->db);
    self->db = NULL;
}

static int
s_bind (sqlite3_stmt *stmt, const char *kinds, va_list args)
{
    int code = SQLITE_OK;
    for (int at = 1; code == SQLITE_OK && kinds[at - 1]; at++)
        switch (kinds[at - 1]) {
        case 'i':
            code = sqlite3_bind_int64 (stmt, at, va_arg (args, int64_t));
            break;
        case 't':
            code = sqlite3_bind_text (stmt, at, va_arg (args, const char *),
                                      -1, SQLITE_STATIC);
            break;
        default: {
            assert (kinds[at - 1] == 'b');
            sh_bytes_t bytes = va_arg (args, sh_bytes_t);
            code = sqlite3_bind_blob64 (stmt, at, bytes.data, bytes.size,
                                        SQLITE_STATIC);
        }
        }
    return code;
}

static sqlite3_stmt *
s_ask (hub_previews_t *self, const char *sql, const char *kinds, va_list args)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2 (self->db, sql, -1, &stmt, NULL) != SQLITE_OK
        || s_bind (stmt, kinds, args) != SQLITE_OK) {
        sqlite3_finalize (stmt);
        return NULL;
    }
    return stmt;
}

sqlite3_stmt *
hub_previews_ask (hub_previews_t *self, const char *sql, const char *kinds,
                  ...)
{
    va_list args;
    va_start (args, kinds);
    sqlite3_stmt *stmt = s_ask (self, sql, kinds, args);
    va_end (args);
    return stmt;
}

int
hub_previews_do (hub_previews_t *self, const char *sql, const char *kinds, ...)
{
    va_list args;
    va_start (args, kinds);
    sqlite3_stmt *stmt = s_ask (self, sql, kinds, args);
    va_end (args);
    if (!stmt)
        return sqlite3_errcode (self->db);
    int code;
    do {
        code = sqlite3_step (stmt);
    } while (code == SQLITE_ROW);
    sqlite3_finalize (stmt);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int
hub_previews_again (sqlite3_stmt *stmt, const char *kinds, ...)
{
    va_list args;
    va_start (args, kinds);
    int code = s_bind (stmt, kinds, args);
    va_end (args);
    if (code == SQLITE_OK)
        code = sqlite3_step (stmt);
    sqlite3_reset (stmt);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int
hub_previews_number (sqlite3_stmt *stmt, int64_t *out, int64_t none)
{
    if (!stmt)
        return SQLITE_ERROR;
    int code = sqlite3_step (stmt);
    *out = code == SQLITE_ROW ? sqlite3_column_int64 (stmt, 0) : none;
    sqlite3_finalize (stmt);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

int
hub_previews_forget (hub_previews_t *self, int64_t entry)
{
    int code = hub_previews_do (self, "DELETE FROM change WHERE entry = ?",
                                "i", entry);
    if (code == SQLITE_OK)
        code = hub_previews_do (self, "DELETE FROM part WHERE entry = ?", "i",
                                entry);
    if (code == SQLITE_OK)
        code = hub_previews_do (self, "DELETE FROM entry WHERE number = ?",
                                "i", entry);
    return code;
}

sh_err_t
hub_previews_failed (hub_previews_t *self, const char *doing, sh_why_t *why)
{
    int code = sqlite3_extended_errcode (self->db);
    snprintf (self->trouble, sizeof self->trouble, "%s: %.200s", doing,
              sqlite3_errmsg (self->db));
    sh_log (SH_LOG_ERROR, "the file of held reports failed",
            SH_STR ("file", self->path ? self->path : "(memory)"),
            SH_STR ("doing", doing),
            SH_STR ("error", sqlite3_errmsg (self->db)),
            SH_INT ("code", code));
    if (!sqlite3_get_autocommit (self->db))
        (void) sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
    if (sh_dbfile_is_broken (code))
        hub_previews_close (self);
    sh_err_t rc = sh_dbfile_err (code);
    return sh_fail (why, rc == SH_E_MEMORY ? rc : SH_E_IO,
                    "what is held cannot be kept: %s", self->trouble);
}
