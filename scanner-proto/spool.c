/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "scanner-proto/codec.h"

/*  What tells our file from any other: "ScSp", and the layout's number.  */
#define APPLICATION 1399018352
#define LAYOUT 1

/*  What put leaves free on the disk when the file has to grow, so that
    removing, which writes before it frees, goes on working on a disk that the
    spool itself has filled.  */
#define DISK_MARGIN (UINT64_C (1024) * 1024)
#define PAGE_BYTES 4096
#define SUM_BYTES 16

/*  One row of 'report' for each report, one of 'part' for each frame, with a
    BLAKE2b sum of it, for SQLite does not notice a changed byte in a value.
    Rows are never numbered twice: a late remove must not hit another report. */
static const char s_schema[]
    = "BEGIN IMMEDIATE;"
      "PRAGMA application_id = 1399018352;"
      "PRAGMA user_version = 1;"
      "CREATE TABLE report (row INTEGER PRIMARY KEY AUTOINCREMENT,"
      " label TEXT NOT NULL, put INTEGER NOT NULL);"
      "CREATE TABLE part (report INTEGER NOT NULL, n INTEGER NOT NULL,"
      " frame BLOB NOT NULL, sum BLOB NOT NULL, PRIMARY KEY (report, n));"
      "COMMIT";

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

typedef enum
{
    STMT_BEGIN,
    STMT_COMMIT,
    STMT_ROLLBACK,
    STMT_CHECKPOINT,
    STMT_FREE,
    STMT_PUT_REPORT,
    STMT_PUT_PART,
    STMT_NEXT,
    STMT_PARTS,
    STMT_SIZE,
    STMT_REMOVE_PARTS,
    STMT_REMOVE_REPORT,
    STMT_COUNT
} s_stmt_t;

static const char *const s_sql[STMT_COUNT] = {
    [STMT_BEGIN] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ROLLBACK] = "ROLLBACK",
    [STMT_CHECKPOINT] = "PRAGMA wal_checkpoint (TRUNCATE)",
    [STMT_FREE] = "PRAGMA freelist_count",
    [STMT_PUT_REPORT] = "INSERT INTO report (label, put) VALUES (?, ?)",
    [STMT_PUT_PART]
    = "INSERT INTO part (report, n, frame, sum) VALUES (?, ?, ?, ?)",
    [STMT_NEXT] = "SELECT row, label, put FROM report WHERE row > ?"
                  " ORDER BY row LIMIT 1",
    [STMT_PARTS] = "SELECT frame, sum FROM part WHERE report = ? ORDER BY n",
    [STMT_SIZE] = "SELECT coalesce(sum(length(frame)), 0) FROM part"
                  " WHERE report = ?",
    [STMT_REMOVE_PARTS] = "DELETE FROM part WHERE report = ?",
    [STMT_REMOVE_REPORT] = "DELETE FROM report WHERE row = ?",
};

struct sp_spool
{
    sqlite3 *db;
    sqlite3_stmt *stmts[STMT_COUNT];
    char *path;
    const sh_clock_t *clock;
    uint64_t most, depth, bytes;
};

/*  A frame on its way into the file.  */
typedef struct
{
    uint8_t *data;
    size_t size;
} s_frame_t;

typedef struct
{
    s_frame_t *items;
    size_t count, room;
    uint64_t bytes;
} s_frames_t;

/*  What is behind a sp_spooled_t.  */
typedef struct
{
    sp_message_t **messages; /* the frames; hosts and texts are theirs */
    size_t count, room;
    sp_host_t *hosts; /* of all frames, one after the other */
    sp_range_t *covered;
} s_memory_t;

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

/*  An operation failed; said aloud, for the caller has but a word.  */
static sh_err_t
s_failed (const sp_spool_t *self, const char *doing)
{
    int code = sqlite3_extended_errcode (self->db);
    sh_log (SH_LOG_ERROR, "spool failed", SH_STR ("file", self->path),
            SH_STR ("doing", doing),
            SH_STR ("error", sqlite3_errmsg (self->db)),
            SH_INT ("code", code));
    return s_err_of (code);
}

static void
s_sum (uint8_t sum[static SUM_BYTES], sh_bytes_t frame)
{
    crypto_generichash (sum, SUM_BYTES, frame.data, frame.size, NULL, 0);
}

/*  Run a statement that returns no row of interest.  */
static int
s_run (sp_spool_t *self, s_stmt_t which)
{
    sqlite3_stmt *stmt = self->stmts[which];
    int code;
    do {
        code = sqlite3_step (stmt);
    } while (code == SQLITE_ROW);
    sqlite3_reset (stmt); /* tells the same error again */
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/*  After an error SQLite may or may not have rolled back by itself.  */
static void
s_rollback (sp_spool_t *self)
{
    if (!sqlite3_get_autocommit (self->db))
        (void) s_run (self, STMT_ROLLBACK);
}

/*  Copy the log into the file, so that its room on the disk can be used
    again.  What does not work now is tried again at the next commit.  */
static void
s_checkpoint (sp_spool_t *self)
{
    (void) s_run (self, STMT_CHECKPOINT);
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

/*  The one value that a statement gives, as a number and as a text cut to
    'size'; both may be NULL.  */
static int
s_ask (sqlite3 *db, const char *sql, int64_t *number, char *text, int size)
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

/*  Is it ours, whole, and of this layout?  An empty file becomes so.  */
static int
s_judge_content (sqlite3 *db, const char **foreign)
{
    int64_t application = 0, layout = 0, tables = 0;
    int code = s_ask (db, "PRAGMA application_id", &application, NULL, 0);
    if (code == SQLITE_OK)
        code = s_ask (db, "PRAGMA user_version", &layout, NULL, 0);
    if (code == SQLITE_OK)
        code = s_ask (db, "SELECT count(*) FROM sqlite_master", &tables, NULL,
                      0);
    if (code)
        return code;
    if (application == 0 && layout == 0 && tables == 0)
        return sqlite3_exec (db, s_schema, NULL, NULL, NULL);
    if (application != APPLICATION)
        *foreign = "it is another program's database";
    else if (layout != LAYOUT)
        *foreign = "it has another version's layout";
    if (*foreign)
        return SQLITE_OK;

    char said[8];
    code = s_ask (db, "PRAGMA integrity_check (1)", NULL, said, sizeof said);
    if (code == SQLITE_OK && strcmp (said, "ok") != 0)
        *foreign = "it is damaged";
    return code;
}

static s_open_t
s_judge (sp_spool_t *self, sh_err_t *rc, sh_why_t *why)
{
    const char *foreign = NULL;
    int code = s_judge_content (self->db, &foreign);
    /* ours has what every statement needs */
    for (int i = 0; code == SQLITE_OK && !foreign && i < STMT_COUNT; i++)
        code = sqlite3_prepare_v3 (self->db, s_sql[i], -1,
                                   SQLITE_PREPARE_PERSISTENT, &self->stmts[i],
                                   NULL);
    if (foreign) {
        *rc = sh_fail (why, SH_E_IO, "%s: not a spool: %s", self->path,
                       foreign);
        return OPEN_BROKEN;
    }
    return s_open_result (self->db, code, self->path, rc, why);
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
    if (stat (path, &meta) != 0 || !S_ISREG (meta.st_mode))
        return sh_fail (why, SH_E_IO, "%s: not a regular file", path);
    return SH_OK;
}

static s_open_t
s_connect (sp_spool_t *self, sh_err_t *rc, sh_why_t *why)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2 (self->path, &self->db, flags, NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes (self->db, 1);
        const char *name = sqlite3_db_filename (self->db, "main");
        /* ":memory:" and the like have none */
        if (!name || !*name || sqlite3_db_readonly (self->db, "main") != 0) {
            *rc = sh_fail (why, SH_E_IO, "%s: cannot be written", self->path);
            return OPEN_FAILED;
        }
        code = sqlite3_exec (self->db, s_settings, NULL, NULL, NULL);
    }
    char mode[8] = "";
    if (code == SQLITE_OK)
        code = s_ask (self->db, "PRAGMA journal_mode", NULL, mode,
                      sizeof mode);
    if (code == SQLITE_OK && strcmp (mode, "wal") != 0) {
        *rc = sh_fail (why, SH_E_IO, "%s: no write-ahead log possible here",
                       self->path);
        return OPEN_FAILED;
    }
    if (code)
        return s_open_result (self->db, code, self->path, rc, why);
    return s_judge (self, rc, why);
}

static void
s_disconnect (sp_spool_t *self)
{
    for (int i = 0; i < STMT_COUNT; i++) {
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
s_set_aside (const sp_spool_t *self, sh_why_t *why)
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

static sh_err_t
s_open (sp_spool_t *self, sh_why_t *why)
{
    /* the second time with a file that we have just made */
    for (int attempt = 0;; attempt++) {
        sh_err_t rc = s_make_file (self->path, why);
        if (rc)
            return rc;
        s_open_t result = s_connect (self, &rc, why);
        if (result == OPEN_OK)
            return SH_OK;
        s_disconnect (self);
        if (result == OPEN_FAILED || attempt > 0)
            return rc;
        rc = s_set_aside (self, why);
        if (rc)
            return rc;
    }
}

/*  Find out what waits.  */
static sh_err_t
s_count (sp_spool_t *self, sh_why_t *why)
{
    int64_t depth = 0, bytes = 0;
    int code = s_ask (self->db, "SELECT count(*) FROM report", &depth, NULL, 0);
    if (code == SQLITE_OK)
        code = s_ask (self->db,
                      "SELECT coalesce(sum(length(frame)), 0) FROM part",
                      &bytes, NULL, 0);
    if (code)
        return sh_fail (why, s_err_of (code), "%s: cannot be read: %s",
                        self->path, sqlite3_errmsg (self->db));
    self->depth = (uint64_t) depth;
    self->bytes = (uint64_t) bytes;
    return SH_OK;
}

sh_err_t
sp_spool_open (sp_spool_t **out, const char *path, uint64_t most,
               const sh_clock_t *clock, sh_why_t *why)
{
    assert (out && path && clock);
    sh_why_t own = { "" };
    why = why ? why : &own;
    sp_spool_t *self = calloc (1, sizeof *self);
    if (self)
        self->path = strdup (path);
    if (!self || !self->path || sodium_init () < 0) {
        sp_spool_close (&self);
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    }
    self->clock = clock;
    self->most = most;
    sh_err_t rc = s_open (self, why);
    if (rc == SH_OK)
        rc = s_count (self, why);
    if (rc == SH_OK)
        *out = self;
    else
        sp_spool_close (&self);
    return rc;
}

void
sp_spool_close (sp_spool_t **self_p)
{
    assert (self_p);
    if (*self_p) {
        s_disconnect (*self_p);
        free ((*self_p)->path);
        free (*self_p);
        *self_p = NULL;
    }
}

static void
s_free_frames (s_frames_t *frames)
{
    for (size_t i = 0; i < frames->count; i++)
        free (frames->items[i].data);
    free (frames->items);
}

static sh_err_t
s_add_frame (s_frames_t *frames, const sp_report_t *report)
{
    if (frames->count == SP_PARTS_MOST)
        return SH_E_TOO_LARGE;
    if (frames->count == frames->room) {
        size_t room = frames->room ? frames->room * 2 : 4;
        s_frame_t *items = realloc (frames->items, room * sizeof *items);
        if (!items)
            return SH_E_MEMORY;
        frames->items = items;
        frames->room = room;
    }
    s_frame_t frame;
    sp_message_t message = { .type = SP_REPORT, .u.report = *report };
    sh_err_t rc = sp_encode (&frame.data, &frame.size, &message);
    if (rc)
        return rc;
    frames->items[frames->count++] = frame;
    frames->bytes += frame.size;
    return SH_OK;
}

/*  Everything of a report but hosts and ranges.  A frame has to have an id;
    the one of the delivery is drawn when it is sent.  */
static sp_report_t
s_head (const sp_report_t *report, size_t part)
{
    static const uint8_t id[SP_REPORT_ID];
    sp_report_t head = *report;
    head.id = (sh_bytes_t){ id, sizeof id };
    head.part = part;
    head.hosts = NULL;
    head.host_count = 0;
    head.last = false;
    head.parts = 0;
    head.covered = NULL;
    head.covered_count = 0;
    return head;
}

/*  Only the codec knows how large a host is, so what does not fit into a frame
    is halved until it does.  */
static sh_err_t
s_cut_hosts (s_frames_t *frames, const sp_report_t *report)
{
    size_t first = 0, room = SP_PART_HOSTS_MOST;
    while (first < report->host_count) {
        size_t left = report->host_count - first;
        size_t count = left < room ? left : room;
        sp_report_t part = s_head (report, frames->count);
        part.hosts = report->hosts + first;
        part.host_count = count;
        sh_err_t rc = s_add_frame (frames, &part);
        if (rc == SH_OK)
            first += count;
        else if (rc == SH_E_INTERNAL && count > 1)
            room = count / 2;
        else
            return rc;
    }
    return SH_OK;
}

static sh_err_t
s_cut (s_frames_t *frames, const sp_report_t *report)
{
    sh_err_t rc = s_cut_hosts (frames, report);
    size_t host_parts = frames->count, first = 0;
    while (rc == SH_OK) {
        size_t left = report->covered_count - first;
        size_t count = left < SP_RANGES_MOST ? left : SP_RANGES_MOST;
        sp_report_t part = s_head (report, frames->count);
        part.last = true;
        part.parts = host_parts;
        part.covered = count ? report->covered + first : NULL;
        part.covered_count = count;
        rc = s_add_frame (frames, &part);
        first += count;
        if (first == report->covered_count)
            break;
    }
    return rc;
}

static int
s_insert (sp_spool_t *self, const char *label, const s_frames_t *frames)
{
    int code = s_run (self, STMT_BEGIN);
    sqlite3_stmt *report = self->stmts[STMT_PUT_REPORT];
    sqlite3_stmt *part = self->stmts[STMT_PUT_PART];
    if (code == SQLITE_OK) {
        sqlite3_bind_text (report, 1, label, -1, SQLITE_STATIC);
        sqlite3_bind_int64 (report, 2, sh_clock_wall (self->clock));
        code = s_run (self, STMT_PUT_REPORT);
    }
    sqlite3_int64 row = sqlite3_last_insert_rowid (self->db);
    for (size_t i = 0; code == SQLITE_OK && i < frames->count; i++) {
        const s_frame_t *frame = &frames->items[i];
        uint8_t sum[SUM_BYTES];
        s_sum (sum, (sh_bytes_t){ frame->data, frame->size });
        sqlite3_bind_int64 (part, 1, row);
        sqlite3_bind_int64 (part, 2, (sqlite3_int64) i);
        sqlite3_bind_blob64 (part, 3, frame->data, frame->size, SQLITE_STATIC);
        sqlite3_bind_blob (part, 4, sum, sizeof sum, SQLITE_TRANSIENT);
        code = s_run (self, STMT_PUT_PART);
    }
    if (code == SQLITE_OK)
        code = s_run (self, STMT_COMMIT);
    sqlite3_clear_bindings (report);
    sqlite3_clear_bindings (part);
    return code;
}

/*  Would 'bytes' more leave the margin?  The log takes them first, then the
    file, unless it has pages enough that removed reports have left in it.  A
    file system that does not tell is taken to have room.  */
static bool
s_disk_has_room (sp_spool_t *self, uint64_t bytes)
{
    sqlite3_stmt *free_pages = self->stmts[STMT_FREE];
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

static sh_err_t
s_put (sp_spool_t *self, const char *label, const s_frames_t *frames)
{
    if (frames->bytes > self->most || self->bytes > self->most - frames->bytes)
        return SH_E_TOO_LARGE;
    if (!s_disk_has_room (self, frames->bytes)) {
        sh_log (SH_LOG_ERROR, "spool takes nothing more: the disk is full",
                SH_STR ("file", self->path), SH_INT ("bytes", frames->bytes));
        return SH_E_IO;
    }
    if (s_insert (self, label, frames) != SQLITE_OK) {
        sh_err_t rc = s_failed (self, "put");
        s_rollback (self);
        return rc;
    }
    self->depth++;
    self->bytes += frames->bytes;
    return SH_OK;
}

sh_err_t
sp_spool_put (sp_spool_t *self, const char *label, const sp_report_t *report)
{
    assert (self && label && report);
    s_frames_t frames = { 0 };
    sh_err_t rc = s_cut (&frames, report);
    if (rc == SH_OK)
        rc = s_put (self, label, &frames);
    s_free_frames (&frames);
    return rc;
}

static sh_err_t
s_add_message (s_memory_t *memory, sh_bytes_t frame, sh_why_t *why)
{
    if (memory->count == memory->room) {
        size_t room = memory->room ? memory->room * 2 : 4;
        sp_message_t **messages
            = realloc (memory->messages, room * sizeof *messages);
        if (!messages)
            return sh_fail (why, SH_E_MEMORY, "out of memory");
        memory->messages = messages;
        memory->room = room;
    }
    sp_message_t *message;
    sh_err_t rc = sp_decode (&message, frame, why);
    if (rc)
        return rc;
    memory->messages[memory->count++] = message;
    if (message->type != SP_REPORT
        || message->u.report.part != memory->count - 1)
        return sh_fail (why, SH_E_BAD_MESSAGE, "not the part of this number");
    return SH_OK;
}

static sh_bytes_t
s_column (sqlite3_stmt *stmt, int column)
{
    const void *data = sqlite3_column_blob (stmt, column);
    int size = sqlite3_column_bytes (stmt, column);
    return (sh_bytes_t){ data, data ? (size_t) size : 0 };
}

/*  The frames of a row.  SH_E_IO: the file cannot be read; SH_E_MEMORY; any
    other error is that of a frame.  */
static sh_err_t
s_read_frames (sp_spool_t *self, int64_t row, s_memory_t *memory,
               sh_why_t *why)
{
    sqlite3_stmt *stmt = self->stmts[STMT_PARTS];
    sqlite3_bind_int64 (stmt, 1, row);
    sh_err_t rc = SH_OK;
    int code = SQLITE_DONE;
    while (rc == SH_OK && (code = sqlite3_step (stmt)) == SQLITE_ROW) {
        sh_bytes_t frame = s_column (stmt, 0), sum = s_column (stmt, 1);
        uint8_t right[SUM_BYTES];
        s_sum (right, frame);
        if (sqlite3_errcode (self->db) == SQLITE_NOMEM)
            rc = sh_fail (why, SH_E_MEMORY, "out of memory");
        else if (sum.size != sizeof right
                 || memcmp (sum.data, right, sizeof right) != 0)
            rc = sh_fail (why, SH_E_BAD_MESSAGE, "a frame has changed");
        else
            rc = s_add_message (memory, frame, why);
    }
    if (rc == SH_OK && code != SQLITE_DONE)
        rc = s_failed (self, "read");
    sqlite3_reset (stmt);
    return rc;
}

static bool
s_same_text (const char *a, const char *b)
{
    return a == b || (a && b && strcmp (a, b) == 0);
}

/*  Do the frames belong together: closing ones at the end and only there, and
    all of one scan?  Sums up how much there is in them.  */
static bool
s_add_up (const s_memory_t *memory, size_t *hosts, size_t *ranges)
{
    *hosts = *ranges = 0;
    if (memory->count == 0)
        return false;
    const sp_report_t *end = &memory->messages[memory->count - 1]->u.report;
    for (size_t i = 0; i < memory->count; i++) {
        const sp_report_t *part = &memory->messages[i]->u.report;
        if (part->last != (i >= end->parts) || part->kind != end->kind
            || part->subnet != end->subnet || part->started != end->started
            || !s_same_text (part->code, end->code)
            || !s_same_text (part->cidr, end->cidr))
            return false;
        *hosts += part->host_count;
        *ranges += part->covered_count;
    }
    return end->last;
}

/*  Put the report together again from its frames.  */
static sh_err_t
s_join (sp_report_t *out, s_memory_t *memory, sh_why_t *why)
{
    size_t hosts, ranges;
    if (!s_add_up (memory, &hosts, &ranges))
        return sh_fail (why, SH_E_BAD_MESSAGE,
                        "the frames do not make up a report");
    memory->hosts = calloc (hosts + 1, sizeof *memory->hosts);
    memory->covered = calloc (ranges + 1, sizeof *memory->covered);
    if (!memory->hosts || !memory->covered)
        return sh_fail (why, SH_E_MEMORY, "out of memory");

    *out = memory->messages[memory->count - 1]->u.report;
    out->id = (sh_bytes_t){ NULL, 0 };
    out->part = out->parts = 0;
    out->last = false;
    out->host_count = out->covered_count = 0;
    for (size_t i = 0; i < memory->count; i++) {
        const sp_report_t *part = &memory->messages[i]->u.report;
        for (size_t k = 0; k < part->host_count; k++)
            memory->hosts[out->host_count++] = part->hosts[k];
        for (size_t k = 0; k < part->covered_count; k++)
            memory->covered[out->covered_count++] = part->covered[k];
    }
    out->hosts = hosts ? memory->hosts : NULL;
    out->covered = ranges ? memory->covered : NULL;
    return SH_OK;
}

/*  The first row after 'after', without its report.  */
static sh_err_t
s_find_next (sp_spool_t *self, int64_t after, sp_spooled_t *out)
{
    sqlite3_stmt *stmt = self->stmts[STMT_NEXT];
    sqlite3_bind_int64 (stmt, 1, after);
    int code = sqlite3_step (stmt);
    sh_err_t rc = SH_OK;
    if (code == SQLITE_ROW) {
        const unsigned char *label = sqlite3_column_text (stmt, 1);
        out->row = sqlite3_column_int64 (stmt, 0);
        out->put = sqlite3_column_int64 (stmt, 2);
        out->label = strdup (label ? (const char *) label : "");
        if (!out->label)
            rc = SH_E_MEMORY;
    } else if (code == SQLITE_DONE)
        rc = SH_E_NOT_FOUND;
    else
        rc = s_failed (self, "find the next");
    sqlite3_reset (stmt);
    return rc;
}

static sp_spooled_t *
s_new_spooled (void)
{
    sp_spooled_t *self = calloc (1, sizeof *self);
    if (self)
        self->memory = calloc (1, sizeof (s_memory_t));
    if (self && !self->memory) {
        free (self);
        self = NULL;
    }
    return self;
}

sh_err_t
sp_spool_next (sp_spool_t *self, int64_t after, sp_spooled_t **out)
{
    assert (self && out);
    for (;;) {
        sp_spooled_t *spooled = s_new_spooled ();
        if (!spooled)
            return SH_E_MEMORY;
        sh_why_t why = { "" };
        sh_err_t rc = s_find_next (self, after, spooled);
        if (rc) {
            sp_spooled_destroy (&spooled);
            return rc;
        }
        rc = s_read_frames (self, spooled->row, spooled->memory, &why);
        if (rc == SH_OK)
            rc = s_join (&spooled->report, spooled->memory, &why);
        if (rc == SH_OK) {
            *out = spooled;
            return SH_OK;
        }
        int64_t row = spooled->row;
        if (rc != SH_E_IO && rc != SH_E_MEMORY) {
            sh_log (SH_LOG_ERROR, "spooled report unreadable, dropped",
                    SH_STR ("file", self->path), SH_INT ("row", row),
                    SH_STR ("from", spooled->label),
                    SH_STR ("cause", why.text));
            rc = sp_spool_remove (self, row);
        }
        sp_spooled_destroy (&spooled);
        if (rc)
            return rc;
    }
}

void
sp_spooled_destroy (sp_spooled_t **self_p)
{
    assert (self_p);
    sp_spooled_t *self = *self_p;
    if (!self)
        return;
    s_memory_t *memory = self->memory;
    for (size_t i = 0; i < memory->count; i++)
        sp_message_destroy (&memory->messages[i]);
    free (memory->messages);
    free (memory->hosts);
    free (memory->covered);
    free (memory);
    free (self->label);
    free (self);
    *self_p = NULL;
}

static int
s_delete (sp_spool_t *self, int64_t row, uint64_t *bytes, bool *found)
{
    sqlite3_stmt *size = self->stmts[STMT_SIZE];
    sqlite3_bind_int64 (size, 1, row);
    sqlite3_bind_int64 (self->stmts[STMT_REMOVE_PARTS], 1, row);
    sqlite3_bind_int64 (self->stmts[STMT_REMOVE_REPORT], 1, row);

    int code = s_run (self, STMT_BEGIN);
    if (code)
        return code;
    code = sqlite3_step (size);
    if (code == SQLITE_ROW) {
        *bytes = (uint64_t) sqlite3_column_int64 (size, 0);
        code = SQLITE_OK;
    }
    sqlite3_reset (size);
    if (code == SQLITE_OK)
        code = s_run (self, STMT_REMOVE_PARTS);
    if (code == SQLITE_OK)
        code = s_run (self, STMT_REMOVE_REPORT);
    *found = code == SQLITE_OK && sqlite3_changes (self->db) > 0;
    if (code == SQLITE_OK)
        code = s_run (self, STMT_COMMIT);
    return code;
}

sh_err_t
sp_spool_remove (sp_spool_t *self, int64_t row)
{
    assert (self);
    uint64_t bytes = 0;
    bool found = false;
    int code = s_delete (self, row, &bytes, &found);
    if ((code & 0xff) == SQLITE_FULL) {
        s_rollback (self);
        s_checkpoint (self);
        code = s_delete (self, row, &bytes, &found);
    }
    if (code) {
        sh_err_t rc = s_failed (self, "remove");
        s_rollback (self);
        return rc;
    }
    /* frames without their report are gone as well */
    self->bytes -= bytes < self->bytes ? bytes : self->bytes;
    if (!found)
        return SH_E_NOT_FOUND;
    self->depth -= self->depth > 0 ? 1 : 0;
    return SH_OK;
}

uint64_t
sp_spool_depth (const sp_spool_t *self)
{
    assert (self);
    return self->depth;
}

uint64_t
sp_spool_bytes (const sp_spool_t *self)
{
    assert (self);
    return self->bytes;
}
