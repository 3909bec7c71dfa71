/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/spool.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dbfile.h"
#include "lib/log.h"
#include "scanner-proto/spool_within.h"

sqlite3_stmt *
sp_spool_stmt (const sp_spool_t *self, sp_stmt_t which)
{
    return self->file.stmts[which];
}

int
sp_spool_run (sp_spool_t *self, sp_stmt_t which)
{
    return sp_spool_file_run (&self->file, which);
}

sh_err_t
sp_spool_failed (sp_spool_t *self, const char *doing)
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
    int code = sh_dbfile_ask (self->file.db, "SELECT count(*) FROM report",
                              &depth, NULL, 0);
    if (code == SQLITE_OK)
        code = sh_dbfile_ask (
            self->file.db, "SELECT coalesce(sum(length(frame)), 0) FROM part",
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
    sh_why_t own = { "" };
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

bool
sp_spool_is_held (const sp_spool_t *self, int64_t row)
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
    sqlite3_stmt *stmt = sp_spool_stmt (self, SP_STMT_PARTS);
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
sh_err_t
sp_spool_find (sp_spool_t *self, sqlite3_stmt *stmt, sp_spooled_t *out)
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

sp_spooled_t *
sp_spool_new_spooled (void)
{
    sp_spooled_t *self = calloc (1, sizeof *self);
    if (self && sp_whole_new (&self->whole) != SH_OK) {
        free (self);
        self = NULL;
    }
    return self;
}

/*  The report of a row that was found.  */
sh_err_t
sp_spool_read (sp_spool_t *self, sp_spooled_t *one, sh_why_t *why)
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
sh_err_t
sp_spool_load (sp_spool_t *self, sp_spooled_t *one)
{
    sh_why_t why = { "" };
    sh_err_t rc = sp_spool_read (self, one, &why);
    if (rc == SH_OK || rc == SH_E_IO || rc == SH_E_MEMORY)
        return rc;
    sh_log (SH_LOG_ERROR, "spooled report unreadable, dropped",
            SH_STR ("file", sp_spool_file_name (&self->file)),
            SH_INT ("row", one->row), SH_STR ("from", one->label),
            SH_STR ("cause", why.text));
    rc = sp_spool_remove (self, one->row);
    return rc == SH_OK ? SH_E_BAD_MESSAGE : rc;
}

/*  The next one that is not held, without its report.  */
static sh_err_t
s_find_next (sp_spool_t *self, int64_t after, sp_spooled_t **out)
{
    sqlite3_stmt *stmt = sp_spool_stmt (self, SP_STMT_NEXT);
    for (;;) {
        sp_spooled_t *one = sp_spool_new_spooled ();
        if (!one)
            return SH_E_MEMORY;
        sqlite3_bind_int64 (stmt, 1, after);
        sh_err_t rc = sp_spool_find (self, stmt, one);
        if (rc == SH_OK && !sp_spool_is_held (self, one->row)) {
            *out = one;
            return SH_OK;
        }
        after = one->row;
        sp_spooled_destroy (&one);
        if (rc != SH_OK)
            return rc;
    }
}

sh_err_t
sp_spool_next (sp_spool_t *self, int64_t after, sp_spooled_t **out)
{
    assert (self && out);
    for (;;) {
        sp_spooled_t *one;
        sh_err_t rc = s_find_next (self, after, &one);
        if (rc != SH_OK)
            return rc;
        after = one->row;
        rc = sp_spool_load (self, one);
        if (rc == SH_OK) {
            *out = one;
            return SH_OK;
        }
        sp_spooled_destroy (&one);
        if (rc != SH_E_BAD_MESSAGE)
            return rc;
    }
}

sh_err_t
sp_spool_peek (sp_spool_t *self, int64_t after, int64_t *row)
{
    assert (self && row);
    sp_spooled_t *one;
    sh_err_t rc = s_find_next (self, after, &one);
    if (rc != SH_OK)
        return rc;
    *row = one->row;
    sp_spooled_destroy (&one);
    return SH_OK;
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

int
sp_spool_insert_frames (sp_spool_t *self, int64_t row,
                        const sp_frames_t *frames)
{
    sqlite3_stmt *part = sp_spool_stmt (self, SP_STMT_PUT_PART);
    int code = SQLITE_OK;
    for (size_t i = 0; code == SQLITE_OK && i < frames->count; i++) {
        const sp_frame_t *frame = &frames->items[i];
        uint8_t sum[SP_FRAME_SUM];
        sp_frame_sum (sum, (sh_bytes_t){ frame->data, frame->size });
        sqlite3_bind_int64 (part, 1, row);
        sqlite3_bind_int64 (part, 2, (sqlite3_int64) i);
        sqlite3_bind_blob64 (part, 3, frame->data, frame->size, SQLITE_STATIC);
        sqlite3_bind_blob (part, 4, sum, sizeof sum, SQLITE_TRANSIENT);
        code = sp_spool_run (self, SP_STMT_PUT_PART);
    }
    sqlite3_clear_bindings (part);
    return code;
}

int
sp_spool_delete_frames (sp_spool_t *self, int64_t row, uint64_t *bytes)
{
    sqlite3_stmt *size = sp_spool_stmt (self, SP_STMT_SIZE);
    sqlite3_bind_int64 (size, 1, row);
    sqlite3_bind_int64 (sp_spool_stmt (self, SP_STMT_REMOVE_PARTS), 1, row);
    int code = sqlite3_step (size);
    if (code == SQLITE_ROW) {
        *bytes = (uint64_t) sqlite3_column_int64 (size, 0);
        code = SQLITE_OK;
    }
    sqlite3_reset (size);
    return code ? code : sp_spool_run (self, SP_STMT_REMOVE_PARTS);
}

int
sp_spool_delete (sp_spool_t *self, int64_t row, uint64_t *bytes, bool *found)
{
    sqlite3_bind_int64 (sp_spool_stmt (self, SP_STMT_REMOVE_REPORT), 1, row);
    int code = sp_spool_delete_frames (self, row, bytes);
    if (code == SQLITE_OK)
        code = sp_spool_run (self, SP_STMT_REMOVE_REPORT);
    *found = code == SQLITE_OK && sqlite3_changes (self->file.db) > 0;
    return code;
}

static int
s_remove (sp_spool_t *self, int64_t row, uint64_t *bytes, bool *found)
{
    int code = sp_spool_run (self, SP_STMT_BEGIN);
    if (code == SQLITE_OK)
        code = sp_spool_delete (self, row, bytes, found);
    if (code == SQLITE_OK)
        code = sp_spool_run (self, SP_STMT_COMMIT);
    return code;
}

void
sp_spool_less (uint64_t *sum, uint64_t less)
{
    *sum -= less < *sum ? less : *sum;
}

/*  The file cannot be written, so the row stays in it; but for this process it
    is gone, or it would be delivered again and again.  */
static sh_err_t
s_not_removed (sp_spool_t *self, int64_t row)
{
    sh_err_t rc = sp_spool_failed (self, "remove");
    sqlite3_stmt *stmt = sp_spool_stmt (self, SP_STMT_GONE);
    sqlite3_bind_int64 (stmt, 1, row);
    if (sp_spool_run (self, SP_STMT_GONE) == SQLITE_OK
        && sqlite3_changes (self->file.db) > 0) {
        self->gone++;
        sp_spool_less (&self->depth, 1);
    }
    return rc;
}

void
sp_spool_swept (sp_spool_t *self)
{
    if (self->gone && sp_spool_run (self, SP_STMT_FORGET_GONE) == SQLITE_OK) {
        self->gone = 0;
        (void) s_count (self, NULL);
    }
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
        (void) sp_spool_run (self, SP_STMT_CHECKPOINT);
        code = s_remove (self, row, &bytes, &found);
    }
    if (code)
        return s_not_removed (self, row);
    /* frames without their report are gone as well */
    sp_spool_less (&self->bytes, bytes);
    if (!found)
        return SH_E_NOT_FOUND;
    sp_spool_less (&self->depth, 1);
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

uint64_t
sp_spool_dropped (const sp_spool_t *self)
{
    assert (self);
    return self->dropped;
}

const char *
sp_spool_library (void)
{
    return "SQLite " SQLITE_VERSION;
}
