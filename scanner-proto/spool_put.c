/* SPDX-License-Identifier: MPL-2.0 */
/*  Putting: what waits of the same subnet becomes one report with the new one,
    and what has to go for want of room goes.  */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "scanner-proto/merge.h"
#include "scanner-proto/spool_within.h"

#define SUBJECT_TEXT 384 /* label, code, cidr, numbers */

/*  A row of 'report' that is to be written.  */
typedef struct
{
    const char *label, *subject, *boot;
    int64_t put, epoch;
    sp_frames_t frames;
} s_entry_t;

static int
s_insert (sp_spool_t *self, const s_entry_t *entry, int64_t *row)
{
    sqlite3_stmt *boot = sp_spool_stmt (self, SP_STMT_PUT_BOOT);
    sqlite3_stmt *report = sp_spool_stmt (self, SP_STMT_PUT_REPORT);
    sqlite3_bind_text (boot, 1, entry->boot, -1, SQLITE_STATIC);
    int code = sp_spool_run (self, SP_STMT_PUT_BOOT);
    sqlite3_clear_bindings (boot);
    if (code)
        return code;
    sqlite3_bind_text (report, 1, entry->label, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (report, 2, entry->put);
    sqlite3_bind_text (report, 3, entry->subject, -1, SQLITE_STATIC);
    sqlite3_bind_text (report, 4, entry->boot, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (report, 5, entry->epoch);
    code = sp_spool_run (self, SP_STMT_PUT_REPORT);
    sqlite3_clear_bindings (report);
    *row = sqlite3_last_insert_rowid (self->file.db);
    return code ? code : sp_spool_insert_frames (self, *row, &entry->frames);
}

/*  A report that had to go.  */
typedef struct
{
    int64_t row, put;
    char cidr[SP_CIDR_MOST + 1], label[64];
    size_t hosts;
} s_dropped_t;

/*  What a put takes out of the file besides what it merges.  */
typedef struct
{
    s_dropped_t *dropped; /* for want of room */
    size_t dropped_count;
    uint64_t bytes; /* of all that goes, the merged as well */
} s_gone_t;

/*  Whose report it is, and about which subnet.  */
static void
s_subject (char out[static SUBJECT_TEXT], const char *label,
           const sp_report_t *report)
{
    snprintf (out, SUBJECT_TEXT, "%llu %.64s %.40s %s",
              (unsigned long long) report->subnet,
              report->cidr ? report->cidr : "",
              report->code ? report->code : "", label);
}

/*  One report at a time is merged into the one that is put; what was merged
    before lives on until the frames are cut.  */
typedef struct
{
    sp_report_t report;
    const char *boot;
    int64_t epoch;
    bool crossed; /* one of another kind came between */
    struct
    {
        sp_spooled_t *loaded;
        sp_merged_t merged;
    } *items;
    size_t count, room;
} s_union_t;

static void
s_union_clear (s_union_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        sp_merged_clear (&self->items[i].merged);
        sp_spooled_destroy (&self->items[i].loaded);
    }
    free (self->items);
}

static sh_err_t
s_union_room (s_union_t *self)
{
    if (self->count < self->room)
        return SH_OK;
    size_t room = self->room ? self->room * 2 : 4;
    void *items = reallocarray (self->items, room, sizeof *self->items);
    if (!items)
        return SH_E_MEMORY;
    self->items = items;
    self->room = room;
    return SH_OK;
}

/*  May they be of one row of subnets?  A report that names none may be of any,
    but only of one that is empty nothing can go to a wrong row.  */
static bool
s_hints_agree (const sp_report_t *a, const sp_report_t *b)
{
    return a->hint == b->hint || (a->hint == 0 && a->host_count == 0)
           || (b->hint == 0 && b->host_count == 0);
}

/*  Merge a loaded report into the union, which takes it over.  */
static sh_err_t
s_union_merge (s_union_t *to, sp_spooled_t **older_p, int64_t delta)
{
    sp_merged_t merged;
    sh_err_t rc = s_union_room (to);
    if (rc == SH_OK)
        rc = sp_merge (&merged, &to->report, &(*older_p)->report, delta,
                       to->crossed);
    if (rc != SH_OK)
        return rc;
    to->items[to->count].merged = merged;
    to->items[to->count++].loaded = *older_p;
    to->report = merged.report;
    *older_p = NULL;
    return SH_OK;
}

/*  Merge an older report into the union, or leave it alone if it is of another
    kind.  SH_E_NOT_FOUND: it stays, since its clock cannot be compared or it
    may be of another row, and nothing older may be merged across it: that
    would come after it, and its new hosts too late.  */
static sh_err_t
s_union_add (sp_spool_t *self, s_union_t *to, sp_spooled_t **older_p)
{
    sp_spooled_t *older = *older_p;
    int64_t delta;
    if (!sp_spool_delta (self, older, to->boot, to->epoch, &delta))
        return SH_E_NOT_FOUND;
    sh_err_t rc = sp_spool_load (self, older);
    if (rc == SH_E_BAD_MESSAGE)
        return SH_OK; /* it has been removed */
    if (rc != SH_OK)
        return rc;
    if (!s_hints_agree (&to->report, &older->report))
        return SH_E_NOT_FOUND;
    if (older->report.kind != to->report.kind) {
        to->crossed = true;
        return SH_OK;
    }
    return s_union_merge (to, older_p, delta);
}

/*  All that waits of the subject and is not held, the latest first.  */
static sh_err_t
s_union_all (sp_spool_t *self, s_union_t *to, const char *subject)
{
    sqlite3_stmt *stmt = sp_spool_stmt (self, SP_STMT_SAME);
    int64_t below = INT64_MAX;
    sh_err_t rc = SH_OK;
    while (rc == SH_OK) {
        sp_spooled_t *older = sp_spool_new_spooled ();
        if (!older)
            return SH_E_MEMORY;
        sqlite3_bind_text (stmt, 1, subject, -1, SQLITE_STATIC);
        sqlite3_bind_int64 (stmt, 2, below);
        rc = sp_spool_find (self, stmt, older);
        sqlite3_clear_bindings (stmt);
        if (rc == SH_OK) {
            below = older->row;
            if (!sp_spool_is_held (self, older->row))
                rc = s_union_add (self, to, &older);
        }
        sp_spooled_destroy (&older);
    }
    return rc == SH_E_NOT_FOUND ? SH_OK : rc;
}

/*  Remember what has to go, to name it when it is gone.  SH_E_MEMORY.  */
static sh_err_t
s_note_dropped (sp_spool_t *self, s_gone_t *gone, int64_t row)
{
    sqlite3_stmt *stmt = sp_spool_stmt (self, SP_STMT_AT);
    sp_spooled_t *one = sp_spool_new_spooled ();
    s_dropped_t *dropped = realloc (gone->dropped, (gone->dropped_count + 1)
                                                       * sizeof *dropped);
    if (dropped)
        gone->dropped = dropped;
    if (!one || !dropped) {
        sp_spooled_destroy (&one);
        return SH_E_MEMORY;
    }
    dropped += gone->dropped_count++;
    *dropped = (s_dropped_t){ .row = row };
    sqlite3_bind_int64 (stmt, 1, row);
    if (sp_spool_find (self, stmt, one) == SH_OK
        && sp_spool_read (self, one, NULL) == SH_OK) {
        snprintf (dropped->cidr, sizeof dropped->cidr, "%s",
                  one->report.cidr ? one->report.cidr : "");
        snprintf (dropped->label, sizeof dropped->label, "%s", one->label);
        dropped->hosts = one->report.host_count;
        dropped->put = one->put;
    }
    sp_spooled_destroy (&one);
    return SH_OK;
}

static void
s_tell_dropped (const sp_spool_t *self, const s_gone_t *gone)
{
    for (size_t i = 0; i < gone->dropped_count; i++)
        sh_log (SH_LOG_ERROR, "the spool is full, its oldest report is dropped",
                SH_STR ("file", sp_spool_file_name (&self->file)),
                SH_STR ("subnet", gone->dropped[i].cidr),
                SH_STR ("from", gone->dropped[i].label),
                SH_INT ("hosts", gone->dropped[i].hosts),
                SH_INT ("put_ms", gone->dropped[i].put),
                SH_INT ("dropped_so_far", self->dropped),
                SH_STR ("remedy", "raise its limit, or see why the hub is not "
                                  "reached"));
}

/*  The oldest go until 'need' bytes are free.  Inside a transaction.  */
static int
s_make_room (sp_spool_t *self, uint64_t need, s_gone_t *gone)
{
    sqlite3_stmt *stmt = sp_spool_stmt (self, SP_STMT_OLDEST);
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
        if (sp_spool_is_held (self, after))
            continue;
        if (s_note_dropped (self, gone, after) != SH_OK)
            return SQLITE_NOMEM;
        uint64_t bytes = 0;
        bool found = false;
        code = sp_spool_delete (self, after, &bytes, &found);
        gone->bytes += bytes;
        after = 0; /* the next may be another sender's */
    }
    return code;
}

/*  What was removed while the file could not be written leaves it, and its room
    is there again.  Inside a transaction.  */
static int
s_sweep (sp_spool_t *self, s_gone_t *gone)
{
    sqlite3_stmt *size = sp_spool_stmt (self, SP_STMT_GONE_SIZE);
    int code = sqlite3_step (size);
    if (code == SQLITE_ROW) {
        gone->bytes += (uint64_t) sqlite3_column_int64 (size, 0);
        code = SQLITE_OK;
    }
    sqlite3_reset (size);
    if (code == SQLITE_OK)
        code = sp_spool_run (self, SP_STMT_SWEEP_PARTS);
    if (code == SQLITE_OK)
        code = sp_spool_run (self, SP_STMT_SWEEP_REPORTS);
    return code;
}

static int
s_exchange (sp_spool_t *self, const s_entry_t *entry, const s_union_t *whole,
            s_gone_t *gone, int64_t *row)
{
    int code = sp_spool_run (self, SP_STMT_BEGIN);
    if (code == SQLITE_OK && self->gone)
        code = s_sweep (self, gone);
    for (size_t i = 0; code == SQLITE_OK && i < whole->count; i++) {
        uint64_t bytes = 0;
        bool found = false;
        code = sp_spool_delete (self, whole->items[i].loaded->row, &bytes,
                                &found);
        gone->bytes += bytes;
    }
    if (code == SQLITE_OK)
        code = s_make_room (self, entry->frames.bytes, gone);
    if (code == SQLITE_OK)
        code = s_insert (self, entry, row);
    if (code == SQLITE_OK)
        code = sp_spool_run (self, SP_STMT_COMMIT);
    return code;
}

/*  In one transaction: what was merged goes, the new one comes.  */
static sh_err_t
s_store (sp_spool_t *self, const s_entry_t *entry, const s_union_t *whole,
         s_gone_t *gone, int64_t *row)
{
    uint64_t bytes = entry->frames.bytes;
    if (bytes > self->most)
        return SH_E_TOO_LARGE;
    if (!sp_spool_file_has_room (&self->file, bytes)) {
        sh_log (SH_LOG_ERROR, "spool takes nothing more: the disk is full, or "
                              "less than 1 MiB of it would stay free",
                SH_STR ("file", sp_spool_file_name (&self->file)),
                SH_INT ("bytes", bytes));
        return SH_E_IO;
    }
    int code = s_exchange (self, entry, whole, gone, row);
    if (code == SQLITE_TOOBIG || code == SQLITE_NOMEM) {
        sp_spool_file_rollback (&self->file);
        return code == SQLITE_NOMEM ? SH_E_MEMORY : SH_E_TOO_LARGE;
    }
    if (code != SQLITE_OK)
        return sp_spool_failed (self, "put");
    sp_spool_less (&self->bytes, gone->bytes);
    self->bytes += bytes;
    sp_spool_less (&self->depth, whole->count + gone->dropped_count);
    self->depth++;
    self->dropped += gone->dropped_count;
    s_tell_dropped (self, gone);
    sp_spool_swept (self);
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
    bool hubs = epoch == SP_EPOCH_HUB;
    const char *boot = hubs ? SP_BOOT_HUB : sp_spool_boot (self->file.clock);
    epoch = hubs ? 0 : epoch;
    s_union_t whole = { .report = *report, .boot = boot, .epoch = epoch };
    whole.report.off = 0;
    s_gone_t gone = { 0 };
    s_entry_t entry = { .label = label,
                        .subject = subject,
                        .boot = boot,
                        .put = sh_clock_wall (self->file.clock),
                        .epoch = epoch };
    sh_err_t rc = s_union_all (self, &whole, subject);
    if (rc == SH_OK)
        rc = sp_frames_cut (&entry.frames, &whole.report);
    if (rc == SH_OK)
        rc = s_store (self, &entry, &whole, &gone, row ? row : &ignored);
    sp_frames_clear (&entry.frames);
    s_union_clear (&whole);
    free (gone.dropped);
    return rc;
}

bool
sp_spool_waits (sp_spool_t *self, const char *label, const sp_report_t *report)
{
    assert (self && label && report);
    char subject[SUBJECT_TEXT];
    s_subject (subject, label, report);
    sqlite3_stmt *stmt = sp_spool_stmt (self, SP_STMT_WAITS);
    sqlite3_bind_text (stmt, 1, subject, -1, SQLITE_STATIC);
    bool waits = self->depth > 0 && sqlite3_step (stmt) == SQLITE_ROW;
    sqlite3_reset (stmt);
    sqlite3_clear_bindings (stmt);
    return waits;
}
