/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/dbfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"

/*  SQLITE_ERROR is a file format that this SQLite does not know, or a statement
    that the tables do not fit.  */
bool
sh_dbfile_is_broken (int code)
{
    int primary = code & 0xff;
    return primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB
           || primary == SQLITE_FORMAT || primary == SQLITE_ERROR;
}

sh_err_t
sh_dbfile_err (int code)
{
    return (code & 0xff) == SQLITE_NOMEM ? SH_E_MEMORY : SH_E_IO;
}

typedef enum
{
    OPEN_OK,
    OPEN_BROKEN, /* to be set aside */
    OPEN_FAILED
} open_t;

/*  One opening on its way.  */
typedef struct
{
    sqlite3 *db;
    const char *path; /* NULL: in memory */
    const sh_dbfile_t *kind;
    const sh_clock_t *clock;
    sh_why_t *why;
} opener_t;

static const char *
s_shown (const opener_t *self)
{
    return self->path ? self->path : "(memory)";
}

/*  What a code means to opening; if it is an error, it is put into words.  */
static open_t
s_result (const opener_t *self, int code, sh_err_t *rc)
{
    const char *what = self->kind->what;
    if (code == SQLITE_OK)
        return OPEN_OK;
    if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED) {
        *rc = sh_fail (self->why, SH_E_EXISTS,
                       "%s: another process has this %s open", s_shown (self),
                       what);
        return OPEN_FAILED;
    }
    /* of a broken file errno says nothing */
    bool broken = sh_dbfile_is_broken (code);
    int number = self->db && !broken ? sqlite3_system_errno (self->db) : 0;
    *rc = sh_fail (self->why, sh_dbfile_err (code),
                   "%s: cannot be used as a %s: %s%s%s%s", s_shown (self),
                   what,
                   code == SQLITE_ERROR ? "not the tables of a " : "",
                   code == SQLITE_ERROR ? what : sqlite3_errstr (code),
                   number ? ": " : "", number ? strerror (number) : "");
    return broken ? OPEN_BROKEN : OPEN_FAILED;
}

int
sh_dbfile_ask (sqlite3 *db, const char *sql, int64_t *number, char *text,
               int size)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2 (db, sql, -1, &stmt, NULL);
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

typedef struct
{
    int64_t application, layout, tables, programs;
} nature_t;

/*  Before anything of it is read: a view or trigger is a program.  */
static int
s_look (sqlite3 *db, nature_t *out)
{
    const struct
    {
        const char *sql;
        int64_t *number;
    } questions[] = {
        { "PRAGMA application_id", &out->application },
        { "PRAGMA user_version", &out->layout },
        { "SELECT count(*) FROM sqlite_master", &out->tables },
        { "SELECT count(*) FROM sqlite_master WHERE type NOT IN ('table',"
          " 'index')", &out->programs },
    };
    int code = SQLITE_OK;
    for (size_t i = 0;
         code == SQLITE_OK && i < sizeof questions / sizeof *questions; i++)
        code = sh_dbfile_ask (db, questions[i].sql, questions[i].number, NULL,
                              0);
    return code;
}

/*  Is it ours, whole, and of this layout?  An empty file becomes so.  */
static int
s_judge_content (const opener_t *self, const char **foreign)
{
    const sh_dbfile_t *kind = self->kind;
    nature_t it = { 0 };
    int code = s_look (self->db, &it);
    if (code)
        return code;
    if (it.programs)
        *foreign = "it has views or triggers";
    else if (it.application == 0 && it.layout == 0 && it.tables == 0)
        return sqlite3_exec (self->db, kind->schema, NULL, NULL, NULL);
    else if (it.application != kind->application)
        *foreign = "it is another program's database";
    else if (it.layout < kind->oldest || it.layout > kind->layout)
        *foreign = "it has another version's layout";
    if (*foreign)
        return SQLITE_OK;

    char said[8];
    int64_t odd = 0;
    code = sh_dbfile_ask (self->db,
                          kind->quick ? "PRAGMA quick_check (1)"
                                      : "PRAGMA integrity_check (1)",
                          NULL, said, sizeof said);
    if (code == SQLITE_OK && strcmp (said, "ok") != 0)
        *foreign = "it is damaged";
    else if (code == SQLITE_OK && it.layout != kind->layout)
        code = kind->upgrade (kind->context, self->db);
    if (code == SQLITE_OK && !*foreign && kind->odd)
        code = sh_dbfile_ask (self->db, kind->odd, &odd, NULL, 0);
    if (code == SQLITE_OK && odd)
        *foreign = "it has rows that it never made";
    return code;
}

static open_t
s_judge (const opener_t *self, sh_err_t *rc)
{
    const char *foreign = NULL;
    int code = s_judge_content (self, &foreign);
    /* ours has what every statement needs */
    if (code == SQLITE_OK && !foreign && self->kind->ready)
        code = self->kind->ready (self->kind->context, self->db);
    if (foreign) {
        *rc = sh_fail (self->why, SH_E_IO, "%s: not a %s: %s", s_shown (self),
                       self->kind->what, foreign);
        return OPEN_BROKEN;
    }
    return s_result (self, code, rc);
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
s_check_directory (const char *path, const char *what, sh_why_t *why)
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
                      "so no %s is kept there; run this as its owner, or "
                      "make one for this user: install -d -m 0700 DIRECTORY",
                      path, what);
    free (directory);
    return rc;
}

/*  Was it opened as what it is to be?  ":memory:" and the like have no
    name.  */
static bool
s_is_writable (const opener_t *self)
{
    const char *name = sqlite3_db_filename (self->db, "main");
    return !self->path
           || (name && *name && sqlite3_db_readonly (self->db, "main") == 0);
}

static open_t
s_connect (opener_t *self, sh_err_t *rc)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2 (self->path ? self->path : ":memory:",
                                &self->db, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes (self->db, 1);
        (void) sqlite3_db_config (self->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        (void) sqlite3_db_config (self->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
                                  NULL);
        if (!s_is_writable (self)) {
            *rc = sh_fail (self->why, SH_E_IO, "%s: cannot be written",
                           s_shown (self));
            return OPEN_FAILED;
        }
        code = sqlite3_exec (self->db, self->kind->settings, NULL, NULL, NULL);
    }
    char mode[8] = "";
    if (code == SQLITE_OK)
        code = sh_dbfile_ask (self->db, "PRAGMA journal_mode", NULL, mode,
                              sizeof mode);
    if (code == SQLITE_OK && self->path && strcmp (mode, "wal") != 0) {
        *rc = sh_fail (self->why, SH_E_IO,
                       "%s: no write-ahead log possible here", s_shown (self));
        return OPEN_FAILED;
    }
    return code ? s_result (self, code, rc) : s_judge (self, rc);
}

/*  A connection also has to be closed that could not be opened.  */
static void
s_disconnect (opener_t *self)
{
    if (self->kind->leave)
        self->kind->leave (self->kind->context);
    sqlite3_close (self->db);
    self->db = NULL;
}

static void
s_tell_aside (const opener_t *self, const char *kept)
{
    char text[96];
    snprintf (text, sizeof text, "%s set aside, a new one begun",
              self->kind->what);
    sh_log (SH_LOG_ERROR, text, SH_STR ("kept", kept),
            SH_STR ("cause", self->why->text));
}

/*  PATH.broken-TIME, or with a number behind it, whichever is free; the log
    goes with it, for it belongs to it and must not meet the new file.  */
static sh_err_t
s_set_aside (const opener_t *self)
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
        s_tell_aside (self, to);
        size_t length = strlen (to);
        for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
            snprintf (from, room, "%s%s", self->path, tails[i]);
            snprintf (to + length, 16, "%s", tails[i]);
            if (rename (from, to) != 0 && errno != ENOENT)
                rc = SH_E_IO;
        }
    }
    if (rc)
        sh_fail (self->why, rc, "%s: damaged, and cannot be set aside: %s",
                 self->path, strerror (errno));
    free (from);
    free (to);
    return rc;
}

sh_err_t
sh_dbfile_open (sqlite3 **out, const char *path, const sh_dbfile_t *kind,
                const sh_clock_t *clock, sh_why_t *why)
{
    assert (out && kind && clock && why);
    opener_t self = { NULL, path, kind, clock, why };
    /*  A file that looks broken is looked at twice, for integrity_check tells
        an error of the disk in the same way as a damaged page; the third time
        it is a file that we have just made.  */
    for (int attempt = 0;; attempt++) {
        sh_err_t rc = path ? s_check_directory (path, kind->what, why) : SH_OK;
        if (rc == SH_OK && path)
            rc = s_make_file (path, why);
        if (rc)
            return rc;
        open_t result = s_connect (&self, &rc);
        *out = self.db;
        if (result == OPEN_OK)
            return SH_OK;
        s_disconnect (&self);
        *out = NULL;
        if (result == OPEN_FAILED || attempt > 1 || !path)
            return rc;
        if (attempt == 1 && (rc = s_set_aside (&self)) != SH_OK)
            return rc;
    }
}
