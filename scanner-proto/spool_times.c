/* SPDX-License-Identifier: MPL-2.0 */
/*  Which clock a report's times are of, and what the hub's was then.  */

#include <assert.h>
#include <string.h>

#include "lib/log.h"
#include "scanner-proto/limits.h"
#include "scanner-proto/spool_within.h"

/*  The hub's clock minus CLOCK_BOOTTIME in a boot, if it is known.  */
static bool
s_hub_of (sp_spool_t *self, const char *boot, int64_t *hub)
{
    if (strcmp (boot, SP_BOOT_HUB) == 0) {
        *hub = 0;
        return true;
    }
    bool own = strcmp (boot, sp_spool_boot (self->file.clock)) == 0;
    if (own && self->hub_known) {
        *hub = self->hub;
        return true;
    }
    sqlite3_stmt *stmt = sp_spool_stmt (self, SP_STMT_HUB_OF);
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
bool
sp_spool_delta (sp_spool_t *self, const sp_spooled_t *older, const char *boot,
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

sh_err_t
sp_spool_note_hub (sp_spool_t *self, int64_t offset)
{
    assert (self);
    const sh_clock_t *clock = self->file.clock;
    const char *boot = sp_spool_boot (clock);
    self->hub = offset + sh_clock_epoch (clock);
    self->hub_known = true;

    sqlite3_stmt *put = sp_spool_stmt (self, SP_STMT_PUT_BOOT);
    sqlite3_stmt *note = sp_spool_stmt (self, SP_STMT_NOTE_HUB);
    sqlite3_bind_text (put, 1, boot, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (note, 1, self->hub);
    sqlite3_bind_int64 (note, 2, self->hub + sh_clock_mono (clock));
    sqlite3_bind_text (note, 3, boot, -1, SQLITE_STATIC);
    int code = sp_spool_run (self, SP_STMT_BEGIN);
    if (code == SQLITE_OK)
        code = sp_spool_run (self, SP_STMT_PUT_BOOT);
    if (code == SQLITE_OK)
        code = sp_spool_run (self, SP_STMT_NOTE_HUB);
    if (code == SQLITE_OK)
        code = sp_spool_run (self, SP_STMT_FORGET_BOOTS);
    if (code == SQLITE_OK)
        code = sp_spool_run (self, SP_STMT_COMMIT);
    sqlite3_clear_bindings (put);
    sqlite3_clear_bindings (note);
    return code == SQLITE_OK ? SH_OK
                             : sp_spool_failed (self, "note the hub's time");
}

/*  Between what a weak report's times must lie, by the hub's clock.  */
static void
s_bounds (sp_spool_t *self, const char *boot, int64_t *least, int64_t *most)
{
    *least = SP_TIME_LEAST_MS;
    *most = self->hub; /* when this boot began */
    sqlite3_stmt *stmt = sp_spool_stmt (self, SP_STMT_AROUND);
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
        host->old = host->old ? s_weak_time (host->old, offset, least, most)
                              : report->started;
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
    sqlite3_stmt *fix = sp_spool_stmt (self, SP_STMT_FIX);
    sqlite3_bind_text (fix, 1, one->boot, -1, SQLITE_STATIC);
    sqlite3_bind_int64 (fix, 2, one->epoch);
    sqlite3_bind_int64 (fix, 3, one->report.off);
    sqlite3_bind_int64 (fix, 4, one->row);
    int code = sp_spool_run (self, SP_STMT_BEGIN);
    if (code == SQLITE_OK)
        code = sp_spool_run (self, SP_STMT_FIX);
    if (code == SQLITE_OK && frames) {
        code = sp_spool_delete_frames (self, one->row, before);
        if (code == SQLITE_OK)
            code = sp_spool_insert_frames (self, one->row, frames);
    }
    if (code == SQLITE_OK)
        code = sp_spool_run (self, SP_STMT_COMMIT);
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
            rc = sp_spool_failed (self, "fix the times of a report");
        else if (weak) {
            sp_spool_less (&self->bytes, before);
            self->bytes += frames.bytes;
        }
    }
    sp_frames_clear (&frames);
    return rc;
}
