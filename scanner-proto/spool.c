/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/spool.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "scanner-proto/merge.h"
#include "scanner-proto/spool_file.h"

#define SUBJECT_TEXT 384 /* label, code, cidr, numbers */

/*  The clock of a machine that starts without one shows the seventies.  No
    report of ours is older than this: 2026-01-01.  */
#define EARLIEST_MS INT64_C (1767225600000)

struct sp_spool
{
    sp_spool_file_t file;
    uint64_t most, depth, bytes, dropped;
    int64_t held[SP_SPOOL_HELD_MOST];
    size_t held_count;
    bool hub_known; /* in this boot */
    int64_t hub;    /* the hub's clock minus CLOCK_BOOTTIME */
};

static sqlite3_stmt *
s_stmt (const sp_spool_t *self, sp_stmt_t which)
{
    return self->file.stmts[which];
}

static int
s_run (sp_spool_t *self, sp_stmt_t which)
{
    return sp_spool_file_run (&self->file, which);
}

static sh_err_t
s_failed (sp_spool_t *self, const char *doing)
{
    sh_err_t rc = sp_spool_file_failed (&self->file, doing);
    sp_spool_file_rollback (&self->file);
    return rc;
}

/*  Find out what waits.  */
static sh_err_t
s_count (sp_spool_t *self, sh_why_t *why)
{
    int64_t depth = 0, bytes = 0;
    int code = sp_spool_file_ask (&self->file, "SELECT count(*) FROM report",
                                  &depth, NULL, 0);
    if (code == SQLITE_OK)
        code = sp_spool_file_ask (
            &self->file, "SELECT coalesce(sum(length(frame)), 0) FROM part",
            &bytes, NULL, 0);
    if (code)
        return sh_fail (why, SH_E_IO, "%s: cannot be read: %s",
                        sp_spool_file_name (&self->file),
                        sqlite3_errmsg (self->file.db));
    self->depth = (uint64_t) depth;
    self->bytes = (uint64_t) bytes;
    return SH_OK;
}

sh_err_t
sp_spool_open (sp_spool_t **out, const char *path, uint64_t most,
               const sh_clock_t *clock, sh_why_t *why)
{
    assert (out && clock);
    sh_why_t own;
    why = why ? why : &own;
    sp_spool_t *self = calloc (1, sizeof *self);
    if (self && path)
        self->file.path = strdup (path);
    if (!self || (path && !self->file.path) || sodium_init () < 0) {
        sp_spool_close (&self);
        return sh_fail (why, SH_E_MEMORY, "%s: no memory for the spool",
                        path ? path : "(memory)");
    }
    self->file.clock = clock;
    self->most = most;
    sh_err_t rc = sp_spool_file_open (&self->file, why);
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
        sp_spool_file_close (&(*self_p)->file);
        free ((*self_p)->file.path);
        free (*self_p);
        *self_p = NULL;
    }
}

static bool
s_is_held (const sp_spool_t *self, int64_t row)
{
    for (size_t i = 0; i < self->held_count; i++)
        if (self->held[i] == row)
            return true;
    return false;
}

sh_err_t
sp_spool_hold (sp_spool_t *self, int64_t row)
{
    assert (self);
    if (self->held_count == SP_SPOOL_HELD_MOST)
        return SH_E_OVERLOAD;
    self->held[self->held_count++] = row;
    return SH_OK;
}

void
sp_spool_release (sp_spool_t *self, int64_t row)
{
    assert (self);
    for (size_t i = 0; i < self->held_count; i++)
        if (self->held[i] == row)
            self->held[i--] = self->held[--self->held_count];
}

/* --- reading --------------------------------------------------------------- */

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
s_read_frames (sp_spool_t *self, int64_t row, sp_whole_t *whole, sh_why_t *why)
{
    sqlite3_stmt *stmt = s_stmt (self, SP_STMT_PARTS);
    sqlite3_bind_int64 (stmt, 1, row);
    sh_err_t rc = SH_OK;
    int code = SQLITE_DONE;
    while (rc == SH_OK && (code = sqlite3_step (stmt)) == SQLITE_ROW) {
        sh_bytes_t frame = s_column (stmt, 0), sum = s_column (stmt, 1);
        uint8_t right[SP_FRAME_SUM];
        sp_frame_sum (right, frame);
        if (sqlite3_errcode (self->file.db) == SQLITE_NOMEM)
            rc = sh_fail (why, SH_E_MEMORY, "out of memory");
        else if (sum.size != sizeof right
                 || memcmp (sum.data, right, sizeof right) != 0)
            rc = sh_fail (why, SH_E_BAD_MESSAGE, "a frame has changed");
        else
            rc = sp_whole_add (whole, frame, why);
    }
    if (rc == SH_OK && code != SQLITE_DONE)
        rc = sp_spool_file_failed (&self->file, "read");
    sqlite3_reset (stmt);
    return rc;
}

/*  A row of 'report' as the statement at hand gives it.  */
static sh_err_t
s_take_row (sp_spooled_t *out, sqlite3_stmt *stmt)
{
    const unsigned char *label = sqlite3_column_text (stmt, 1);
    const unsigned char *boot = sqlite3_column_text (stmt, 3);
    out->row = sqlite3_column_int64 (stmt, 0);
    out->put = sqlite3_column_int64 (stmt, 2);
    snprintf (out->boot, sizeof out->boot, "%s",
              boot ? (const char *) boot : "");
    out->epoch = sqlite3_column_int64 (stmt, 4);
    out->fixed = sqlite3_column_type (stmt, 5) != SQLITE_NULL;
    out->report.off = sqlite3_column_int64 (stmt, 5);
    out->label = strdup (label ? (const char *) label : "");
    const unsigned char *subject = sqlite3_column_text (stmt, 6);
    out->subject = strdup (subject ? (const char *) subject : "");
    return out->label && out->subject ? SH_OK : SH_E_MEMORY;
}

/*  Step the statement to its first row, if it has one.  */
static sh_err_t
s_find (sp_spool_t *self, sqlite3_stmt *stmt, sp_spooled_t *out)
{
    int code = sqlite3_step (stmt);
    sh_err_t rc = SH_E_NOT_FOUND;
    if (code == SQLITE_ROW)
        rc = s_take_row (out, stmt);
    else if (code != SQLITE_DONE)
        rc = sp_spool_file_failed (&self->file, "find the next");
    sqlite3_reset (stmt);
    return rc;
}

static sp_spooled_t *
s_new_spooled (void)
{
    sp_spooled_t *self = calloc (1, sizeof *self);
    if (self && sp_whole_new (&self->whole) != SH_OK) {
        free (self);
        self = NULL;
    }
    return self;
}

/*  The report of a row that was found.  */
static sh_err_t
s_read (sp_spool_t *self, sp_spooled_t *one, sh_why_t *why)
{
    int64_t off = one->report.off;
    sh_err_t rc = s_read_frames (self, one->row, one->whole, why);
    if (rc == SH_OK)
        rc = sp_whole_join (one->whole, &one->report, why);
    one->report.off = off;
    return rc;
}

/*  The same; a report that cannot be read is removed, said aloud, and
    SH_E_BAD_MESSAGE.  */
static sh_err_t
s_load (sp_spool_t *self, sp_spooled_t *one)
{
    sh_why_t why = { "" };
    sh_err_t rc = s_read (self, one, &why);
    if (rc == SH_OK || rc == SH_E_IO || rc == SH_E_MEMORY)
        return rc;
    sh_log (SH_LOG_ERROR, "spooled report unreadable, dropped",
            SH_STR ("file", sp_spool_file_name (&self->file)),
            SH_INT ("row", one->row), SH_STR ("from", one->label),
            SH_STR ("cause", why.text));
    rc = sp_spool_remove (self, one->row);
    return rc == SH_OK ? SH_E_BAD_MESSAGE : rc;
}

sh_err_t
sp_spool_next (sp_spool_t *self, int64_t after, sp_spooled_t **out)
{
    assert (self && out);
    sqlite3_stmt *stmt = s_stmt (self, SP_STMT_NEXT);
    for (;;) {
        sp_spooled_t *one = s_new_spooled ();
        if (!one)
            return SH_E_MEMORY;
        sqlite3_bind_int64 (stmt, 1, after);
        sh_err_t rc = s_find (self, stmt, one);
        if (rc == SH_OK)
            after = one->row;
        bool held = rc == SH_OK && s_is_held (self, one->row);
        if (rc == SH_OK && !held)
            rc = s_load (self, one);
        if (rc == SH_OK && !held) {
            *out = one;
            return SH_OK;
        }
        sp_spooled_destroy (&one);
        if (rc != SH_OK && rc != SH_E_BAD_MESSAGE)
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
    sp_whole_destroy (&self->whole);
    free (self->label);
    free (self->subject);
    free (self);
    *self_p = NULL;
}

/* --- writing --------------------------------------------------------------- */

static int
s_insert_frames (sp_spool_t *self, int64_t row, const sp_frames_t *frames)
{
    sqlite3_stmt *part = s_stmt (self, SP_STMT_PUT_PART);
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < frames->count; i++) {
        const sp_frame_t *frame = &frames->items[i];
        uint8_t sum[SP_FRAME_SUM];
        sp_frame_sum (sum, (sh_bytes_t){ frame->data, frame->size });
        sqlite3_bind_int64 (part, 1, row);
        sqlite3_bind_int64 (part, 2, (sqlite3_int64) i);
        sqlite3_bind_blob64 (part, 3, frame->data, frame->size, SQLITE_STATIC);
        sqlite3_bind_blob (part, 4, sum, sizeof sum, SQLITE_TRANSIENT);
        code = s_run (self, SP_STMT_PUT_PART);
    }
    sqlite3_clear_bindings (part);
    return code;
}

/*  A row of 'report' that is to be written.  */
typedef struct
{
    const char *label, *subject, *boot;
    int kind;
    int64_t put, epoch;
    sp_frames_t frames;
} s_entry_t;

static int
s_insert (sp_spool_t *self, const s_entry_t *entry, int64_t *row)
{
    sqlite3_stmt *boot = s_stmt (self, SP_STMT_PUT_BOOT);
    sqlite3_stmt *report = s_stmt (self, SP_STMT_PUT_REPORT);
    sqlite3_bind_text (boot, 1, entry->boot, -1, SQLITE_STATIC);
    int code = s_run (self, SP_STMT_PUT_BOOT);
    sqlite3_clear_bindings (boot);
    if (code)
        return code;
    sqlite3_bind_text (report, 1, entry->label, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (report, 2, entry->put);
    sqlite3_bind_text (report, 3, entry->subject, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (report, 4, entry->kind);
    sqlite3_bind_text (report, 5, entry->boot, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (report, 6, entry->epoch);
    code = s_run (self, SP_STMT_PUT_REPORT);
    sqlite3_clear_bindings (report);
    *row = sqlite3_last_insert_rowid (self->file.db);
    return code ? code : s_insert_frames (self, *row, &entry->frames);
}

/*  Inside a transaction.  '*bytes' is what its frames had, '*found' whether
    there was such a row.  */
static int
s_delete (sp_spool_t *self, int64_t row, uint64_t *bytes, bool *found)
{
    sqlite3_stmt *size = s_stmt (self, SP_STMT_SIZE);
    sqlite3_bind_int64 (size, 1, row);
    sqlite3_bind_int64 (s_stmt (self, SP_STMT_REMOVE_PARTS), 1, row);
    sqlite3_bind_int64 (s_stmt (self, SP_STMT_REMOVE_REPORT), 1, row);

    int code = sqlite3_step (size);
    if (code == SQLITE_ROW) {
        *bytes = (uint64_t) sqlite3_column_int64 (size, 0);
        code = SQLITE_OK;
    }
    sqlite3_reset (size);
    if (code == SQLITE_OK)
        code = s_run (self, SP_STMT_REMOVE_PARTS);
    if (code == SQLITE_OK)
        code = s_run (self, SP_STMT_REMOVE_REPORT);
    *found = code == SQLITE_OK && sqlite3_changes (self->file.db) > 0;
    return code;
}

static int
s_remove (sp_spool_t *self, int64_t row, uint64_t *bytes, bool *found)
{
    int code = s_run (self, SP_STMT_BEGIN);
    if (code == SQLITE_OK)
        code = s_delete (self, row, bytes, found);
    if (code == SQLITE_OK)
        code = s_run (self, SP_STMT_COMMIT);
    return code;
}

static void
s_less (uint64_t *sum, uint64_t less)
{
    *sum -= less < *sum ? less : *sum;
}

sh_err_t
sp_spool_remove (sp_spool_t *self, int64_t row)
{
    assert (self);
    uint64_t bytes = 0;
    bool found = false;
    int code = s_remove (self, row, &bytes, &found);
    if ((code & 0xff) == SQLITE_FULL) {
        /*  Copy the log into the file, so that its room on the disk can be
            used again.  */
        sp_spool_file_rollback (&self->file);
        (void) s_run (self, SP_STMT_CHECKPOINT);
        code = s_remove (self, row, &bytes, &found);
    }
    if (code)
        return s_failed (self, "remove");
    /* frames without their report are gone as well */
    s_less (&self->bytes, bytes);
    if (!found)
        return SH_E_NOT_FOUND;
    s_less (&self->depth, 1);
    return SH_OK;
}

/* --- putting --------------------------------------------------------------- */

/*  What a put takes out of the file.  */
typedef struct
{
    int64_t *rows;
    size_t count, room;
    uint64_t bytes, dropped;
} s_gone_t;

static sh_err_t
s_add_gone (s_gone_t *self, int64_t row)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 8;
        int64_t *rows = realloc (self->rows, room * sizeof *rows);
        if (!rows)
            return SH_E_MEMORY;
        self->rows = rows;
        self->room = room;
    }
    self->rows[self->count++] = row;
    return SH_OK;
}

/*  Whose report it is, and about which subnet.  */
static void
s_subject (char out[static SUBJECT_TEXT], const char *label,
           const sp_report_t *report)
{
    snprintf (out, SUBJECT_TEXT, "%llu %llu %.64s %.40s %s",
              (unsigned long long) report->subnet,
              (unsigned long long) report->hint,
              report->cidr ? report->cidr : "",
              report->code ? report->code : "", label);
}

/*  The hub's clock minus CLOCK_BOOTTIME in a boot, if it is known.  */
static bool
s_hub_of (sp_spool_t *self, const char *boot, int64_t *hub)
{
    bool own = strcmp (boot, sp_spool_boot (self->file.clock)) == 0;
    if (own && self->hub_known) {
        *hub = self->hub;
        return true;
    }
    sqlite3_stmt *stmt = s_stmt (self, SP_STMT_HUB_OF);
    sqlite3_bind_text (stmt, 1, boot, -1, SQLITE_STATIC);
    bool known = sqlite3_step (stmt) == SQLITE_ROW;
    if (known)
        *hub = sqlite3_column_int64 (stmt, 0);
    sqlite3_reset (stmt);
    sqlite3_clear_bindings (stmt);
    return known;
}

/*  Numbers out of the file may be anything.  A step of a clock that is too
    small to count is none: clocks are trimmed all the time, and a report that
    is merged should keep its seconds.  */
static int64_t
s_step (int64_t from, int64_t to)
{
    int64_t step;
    if (__builtin_sub_overflow (to, from, &step)
        || (step < SP_OFFSET_IGNORED_MS && step > -SP_OFFSET_IGNORED_MS))
        return 0;
    return step;
}

/*  What brings times of 'older' to the clock of 'boot' and 'epoch'.  False:
    nobody knows.  */
static bool
s_delta (sp_spool_t *self, const sp_spooled_t *older, const char *boot,
         int64_t epoch, int64_t *delta)
{
    int64_t ours, theirs;
    if (strcmp (older->boot, boot) == 0) {
        *delta = s_step (older->epoch, epoch);
        return true;
    }
    if (!s_hub_of (self, boot, &ours))
        return false;
    if (older->fixed)
        *delta = s_step (s_step (epoch, ours), older->report.off);
    else if (s_hub_of (self, older->boot, &theirs))
        *delta = s_step (s_step (epoch, ours), s_step (older->epoch, theirs));
    else
        return false;
    return true;
}

/*  One report at a time is merged into the one that is put; what was merged
    before lives on until the frames are cut.  */
typedef struct
{
    sp_report_t report;
    const char *boot;
    int64_t epoch;
    sp_spooled_t **loaded;
    sp_merged_t *merged;
    size_t count, room;
} s_union_t;

static void
s_union_clear (s_union_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        sp_merged_clear (&self->merged[i]);
        sp_spooled_destroy (&self->loaded[i]);
    }
    free (self->merged);
    free (self->loaded);
}

static sh_err_t
s_union_room (s_union_t *self)
{
    if (self->count < self->room)
        return SH_OK;
    size_t room = self->room ? self->room * 2 : 4;
    sp_spooled_t **loaded = realloc (self->loaded, room * sizeof *loaded);
    if (loaded)
        self->loaded = loaded;
    sp_merged_t *merged = realloc (self->merged, room * sizeof *merged);
    if (merged)
        self->merged = merged;
    if (!loaded || !merged)
        return SH_E_MEMORY;
    self->room = room;
    return SH_OK;
}

/*  Merge an older report into the union, or leave it alone if its clock cannot
    be compared.  Takes 'older' over if it is merged.  */
static sh_err_t
s_union_add (sp_spool_t *self, s_union_t *to, sp_spooled_t **older_p,
             s_gone_t *gone)
{
    sp_spooled_t *older = *older_p;
    int64_t delta;
    if (!s_delta (self, older, to->boot, to->epoch, &delta))
        return SH_OK;
    sh_err_t rc = s_union_room (to);
    if (rc == SH_OK)
        rc = s_load (self, older);
    if (rc == SH_E_BAD_MESSAGE)
        return SH_OK; /* it has been removed */
    if (rc == SH_OK)
        rc = s_add_gone (gone, older->row);
    sp_merged_t merged;
    if (rc == SH_OK)
        rc = sp_merge (&merged, &to->report, &older->report, delta);
    if (rc != SH_OK)
        return rc;
    to->merged[to->count] = merged;
    to->loaded[to->count++] = older;
    to->report = merged.report;
    *older_p = NULL;
    return SH_OK;
}

/*  All that waits of the subject and is not held, the latest first.  */
static sh_err_t
s_union_all (sp_spool_t *self, s_union_t *to, const char *subject,
             s_gone_t *gone)
{
    sqlite3_stmt *stmt = s_stmt (self, SP_STMT_SAME);
    int64_t below = INT64_MAX;
    sh_err_t rc = SH_OK;
    while (rc == SH_OK) {
        sp_spooled_t *older = s_new_spooled ();
        if (!older)
            return SH_E_MEMORY;
        sqlite3_bind_text (stmt, 1, subject, -1, SQLITE_STATIC);
        sqlite3_bind_int64 (stmt, 2, to->report.kind);
        sqlite3_bind_int64 (stmt, 3, below);
        rc = s_find (self, stmt, older);
        sqlite3_clear_bindings (stmt);
        if (rc == SH_OK) {
            below = older->row;
            if (!s_is_held (self, older->row))
                rc = s_union_add (self, to, &older, gone);
        }
        sp_spooled_destroy (&older);
    }
    return rc == SH_E_NOT_FOUND ? SH_OK : rc;
}

/*  Name what has to go.  */
static void
s_tell_dropped (sp_spool_t *self, int64_t row)
{
    sqlite3_stmt *stmt = s_stmt (self, SP_STMT_AT);
    sp_spooled_t *one = s_new_spooled ();
    sqlite3_bind_int64 (stmt, 1, row);
    if (!one || s_find (self, stmt, one) != SH_OK) {
        sp_spooled_destroy (&one);
        return;
    }
    if (s_read (self, one, NULL) != SH_OK)
        one->report = (sp_report_t){ 0 };
    sh_log (SH_LOG_ERROR, "the spool is full, its oldest report is dropped",
            SH_STR ("file", sp_spool_file_name (&self->file)),
            SH_STR ("subnet", one->report.cidr), SH_STR ("from", one->label),
            SH_INT ("hosts", one->report.host_count),
            SH_INT ("put_ms", one->put),
            SH_STR ("remedy", "raise its limit, or see why the hub is not "
                              "reached"));
    sp_spooled_destroy (&one);
}

/*  The oldest go until 'need' bytes are free.  Inside a transaction.  */
static int
s_make_room (sp_spool_t *self, uint64_t need, s_gone_t *gone)
{
    sqlite3_stmt *stmt = s_stmt (self, SP_STMT_OLDEST);
    int64_t after = 0;
    int code = SQLITE_OK;
    while (code == SQLITE_OK
           && self->bytes - gone->bytes > self->most - need) {
        sqlite3_bind_int64 (stmt, 1, after);
        code = sqlite3_step (stmt);
        after = sqlite3_column_int64 (stmt, 0);
        sqlite3_reset (stmt);
        if (code == SQLITE_DONE)
            return SQLITE_TOOBIG; /* what is held takes it all */
        if (code != SQLITE_ROW)
            return code;
        code = SQLITE_OK;
        if (s_is_held (self, after))
            continue;
        s_tell_dropped (self, after);
        uint64_t bytes = 0;
        bool found = false;
        code = s_delete (self, after, &bytes, &found);
        gone->bytes += bytes;
        gone->dropped += found ? 1 : 0;
    }
    return code;
}

static int
s_exchange (sp_spool_t *self, const s_entry_t *entry, s_gone_t *gone,
            int64_t *row)
{
    int code = s_run (self, SP_STMT_BEGIN);
    for (size_t i = 0; code == SQLITE_OK && i < gone->count; i++) {
        uint64_t bytes = 0;
        bool found = false;
        code = s_delete (self, gone->rows[i], &bytes, &found);
        gone->bytes += bytes;
    }
    if (code == SQLITE_OK)
        code = s_make_room (self, entry->frames.bytes, gone);
    if (code == SQLITE_OK)
        code = s_insert (self, entry, row);
    if (code == SQLITE_OK)
        code = s_run (self, SP_STMT_COMMIT);
    return code;
}

/*  In one transaction: what was merged goes, the new one comes.  */
static sh_err_t
s_store (sp_spool_t *self, const s_entry_t *entry, s_gone_t *gone,
         int64_t *row)
{
    uint64_t bytes = entry->frames.bytes;
    if (bytes > self->most)
        return SH_E_TOO_LARGE;
    if (!sp_spool_file_has_room (&self->file, bytes)) {
        sh_log (SH_LOG_ERROR, "spool takes nothing more: the disk is full",
                SH_STR ("file", sp_spool_file_name (&self->file)),
                SH_INT ("bytes", bytes));
        return SH_E_IO;
    }
    int code = s_exchange (self, entry, gone, row);
    if (code == SQLITE_TOOBIG) {
        sp_spool_file_rollback (&self->file);
        return SH_E_TOO_LARGE;
    }
    if (code != SQLITE_OK)
        return s_failed (self, "put");
    s_less (&self->bytes, gone->bytes);
    self->bytes += bytes;
    s_less (&self->depth, gone->count + gone->dropped);
    self->depth++;
    self->dropped += gone->dropped;
    return SH_OK;
}

sh_err_t
sp_spool_put (sp_spool_t *self, const char *label, const sp_report_t *report,
              int64_t epoch, int64_t *row)
{
    assert (self && label && report);
    char subject[SUBJECT_TEXT];
    int64_t ignored;
    s_subject (subject, label, report);
    const char *boot = sp_spool_boot (self->file.clock);
    s_union_t whole = { .report = *report, .boot = boot, .epoch = epoch };
    whole.report.off = 0;
    s_gone_t gone = { 0 };
    s_entry_t entry = { .label = label,
                        .subject = subject,
                        .kind = report->kind,
                        .boot = boot,
                        .put = sh_clock_wall (self->file.clock),
                        .epoch = epoch };
    sh_err_t rc = s_union_all (self, &whole, subject, &gone);
    if (rc == SH_OK)
        rc = sp_frames_cut (&entry.frames, &whole.report);
    if (rc == SH_OK)
        rc = s_store (self, &entry, &gone, row ? row : &ignored);
    sp_frames_clear (&entry.frames);
    s_union_clear (&whole);
    free (gone.rows);
    return rc;
}

bool
sp_spool_waits (sp_spool_t *self, const char *label, const sp_report_t *report)
{
    assert (self && label && report);
    char subject[SUBJECT_TEXT];
    s_subject (subject, label, report);
    sqlite3_stmt *stmt = s_stmt (self, SP_STMT_WAITS);
    sqlite3_bind_text (stmt, 1, subject, -1, SQLITE_STATIC);
    bool waits = self->depth > 0 && sqlite3_step (stmt) == SQLITE_ROW;
    sqlite3_reset (stmt);
    sqlite3_clear_bindings (stmt);
    return waits;
}

/* --- times ----------------------------------------------------------------- */

sh_err_t
sp_spool_note_hub (sp_spool_t *self, int64_t offset)
{
    assert (self);
    const sh_clock_t *clock = self->file.clock;
    const char *boot = sp_spool_boot (clock);
    self->hub = offset + sh_clock_epoch (clock);
    self->hub_known = true;

    sqlite3_stmt *put = s_stmt (self, SP_STMT_PUT_BOOT);
    sqlite3_stmt *note = s_stmt (self, SP_STMT_NOTE_HUB);
    sqlite3_bind_text (put, 1, boot, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (note, 1, self->hub);
    sqlite3_bind_int64 (note, 2, self->hub + sh_clock_mono (clock));
    sqlite3_bind_text (note, 3, boot, -1, SQLITE_STATIC);
    int code = s_run (self, SP_STMT_BEGIN);
    if (code == SQLITE_OK)
        code = s_run (self, SP_STMT_PUT_BOOT);
    if (code == SQLITE_OK)
        code = s_run (self, SP_STMT_NOTE_HUB);
    if (code == SQLITE_OK)
        code = s_run (self, SP_STMT_FORGET_BOOTS);
    if (code == SQLITE_OK)
        code = s_run (self, SP_STMT_COMMIT);
    sqlite3_clear_bindings (put);
    sqlite3_clear_bindings (note);
    return code == SQLITE_OK ? SH_OK : s_failed (self, "note the hub's time");
}

/*  Between what a weak report's times must lie, by the hub's clock.  */
static void
s_bounds (sp_spool_t *self, const char *boot, int64_t *least, int64_t *most)
{
    *least = EARLIEST_MS;
    *most = self->hub; /* when this boot began */
    sqlite3_stmt *stmt = s_stmt (self, SP_STMT_AROUND);
    sqlite3_bind_text (stmt, 1, boot, -1, SQLITE_STATIC);
    if (sqlite3_step (stmt) == SQLITE_ROW) {
        int64_t last = sqlite3_column_int64 (stmt, 0);
        if (last > *least)
            *least = last;
        if (sqlite3_column_type (stmt, 1) != SQLITE_NULL
            && sqlite3_column_int64 (stmt, 1) < *most)
            *most = sqlite3_column_int64 (stmt, 1);
    }
    sqlite3_reset (stmt);
    sqlite3_clear_bindings (stmt);
    if (*least > *most)
        *least = *most;
}

/*  A time of an unknown clock, as it would be if that had gone like ours; what
    cannot be is brought to the earlier end, for a row must not look fresher
    than it is.  */
static int64_t
s_weak_time (int64_t time, int64_t offset, int64_t least, int64_t most)
{
    int64_t hubs;
    if (__builtin_add_overflow (time, offset, &hubs) || hubs < least
        || hubs >= most)
        return least;
    return hubs;
}

static void
s_weaken (sp_spool_t *self, sp_spooled_t *one)
{
    int64_t least, most;
    int64_t offset = s_step (sh_clock_epoch (self->file.clock), self->hub);
    s_bounds (self, one->boot, &least, &most);
    sp_report_t *report = &one->report;
    report->started = s_weak_time (report->started, offset, least, most);
    report->finished = s_weak_time (report->finished, offset, least, most);
    for (size_t i = 0; i < report->host_count; i++) {
        sp_host_t *host = &report->hosts[i];
        host->seen = s_weak_time (host->seen, offset, least, most);
        host->old = true;
    }
    report->complete = false;
    report->covered = NULL;
    report->covered_count = 0;
    report->off = 0;
    sh_log (SH_LOG_NOTICE, "a report of an earlier boot has uncertain times",
            SH_STR ("subnet", report->cidr),
            SH_INT ("hosts", report->host_count));
}

/*  Write a report's decision, and its frames anew where they changed.  */
static int
s_rewrite (sp_spool_t *self, const sp_spooled_t *one, const sp_frames_t *frames,
           uint64_t *before)
{
    sqlite3_stmt *fix = s_stmt (self, SP_STMT_FIX);
    sqlite3_stmt *parts = s_stmt (self, SP_STMT_REMOVE_PARTS);
    sqlite3_stmt *size = s_stmt (self, SP_STMT_SIZE);
    sqlite3_bind_text (fix, 1, one->boot, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (fix, 2, one->epoch);
    sqlite3_bind_int64 (fix, 3, one->report.off);
    sqlite3_bind_int64 (fix, 4, one->row);
    sqlite3_bind_int64 (parts, 1, one->row);
    sqlite3_bind_int64 (size, 1, one->row);
    int code = s_run (self, SP_STMT_BEGIN);
    if (code == SQLITE_OK)
        code = s_run (self, SP_STMT_FIX);
    if (code == SQLITE_OK && frames) {
        if (sqlite3_step (size) == SQLITE_ROW)
            *before = (uint64_t) sqlite3_column_int64 (size, 0);
        sqlite3_reset (size);
        code = s_run (self, SP_STMT_REMOVE_PARTS);
        if (code == SQLITE_OK)
            code = s_insert_frames (self, one->row, frames);
    }
    if (code == SQLITE_OK)
        code = s_run (self, SP_STMT_COMMIT);
    sqlite3_clear_bindings (fix);
    return code;
}

sh_err_t
sp_spool_fix (sp_spool_t *self, sp_spooled_t *one)
{
    assert (self && one && self->hub_known);
    if (one->fixed)
        return SH_OK;
    sp_frames_t frames = { 0 };
    uint64_t before = 0;
    int64_t hub;
    bool weak = !s_hub_of (self, one->boot, &hub);
    sh_err_t rc = SH_OK;
    if (weak) {
        s_weaken (self, one);
        rc = sp_frames_cut (&frames, &one->report);
    } else
        one->report.off = s_step (one->epoch, hub);
    if (rc == SH_OK) {
        one->fixed = true;
        if (s_rewrite (self, one, weak ? &frames : NULL, &before) != SQLITE_OK)
            rc = s_failed (self, "fix the times of a report");
        else if (weak) {
            s_less (&self->bytes, before);
            self->bytes += frames.bytes;
        }
    }
    sp_frames_clear (&frames);
    return rc;
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

uint64_t
sp_spool_dropped (const sp_spool_t *self)
{
    assert (self);
    return self->dropped;
}
