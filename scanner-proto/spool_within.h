/* SPDX-License-Identifier: MPL-2.0 */
/*  What the spool's files share: the state, and the steps that putting, taking
    and timing are made of.  Only for spool*.c.  */

#ifndef SP_SPOOL_WITHIN_H
#define SP_SPOOL_WITHIN_H

#include "scanner-proto/spool.h"
#include "scanner-proto/spool_file.h"

/*  What stands for a boot with reports whose times are the hub's own.  */
#define SP_BOOT_HUB "hub"

struct sp_spool
{
    sp_spool_file_t file;
    uint64_t most, depth, bytes, dropped;
    int64_t held[SP_SPOOL_HELD_MOST];
    size_t held_count;
    uint64_t gone; /* removed, but the file could not be written */
    bool hub_known; /* in this boot */
    int64_t hub;    /* the hub's clock minus CLOCK_BOOTTIME */
};

sqlite3_stmt *sp_spool_stmt (const sp_spool_t *self, sp_stmt_t which);
int sp_spool_run (sp_spool_t *self, sp_stmt_t which); /* an SQLite code */

/*  After an SQLite error: rolled back, logged, as one of ours.  */
sh_err_t sp_spool_failed (sp_spool_t *self, const char *doing);

bool sp_spool_is_held (const sp_spool_t *self, int64_t row);

/*  NULL: no memory.  */
sp_spooled_t *sp_spool_new_spooled (void);

/*  The row that a statement gives, without its report.  SH_E_NOT_FOUND.  */
sh_err_t sp_spool_find (sp_spool_t *self, sqlite3_stmt *stmt,
                        sp_spooled_t *out);

/*  The report of a row that was found.  SH_E_IO: the file cannot be read;
    SH_E_MEMORY; any other error is that of a frame.  */
sh_err_t sp_spool_read (sp_spool_t *self, sp_spooled_t *one, sh_why_t *why);

/*  The same; a report that cannot be read is removed, said aloud, and
    SH_E_BAD_MESSAGE.  */
sh_err_t sp_spool_load (sp_spool_t *self, sp_spooled_t *one);

/*  Inside a transaction; SQLite codes.  '*bytes' is what the frames of a
    deleted row had, '*found' whether there was such a row.  */
int sp_spool_insert_frames (sp_spool_t *self, int64_t row,
                            const sp_frames_t *frames);
int sp_spool_delete_frames (sp_spool_t *self, int64_t row, uint64_t *bytes);
int sp_spool_delete (sp_spool_t *self, int64_t row, uint64_t *bytes,
                     bool *found);

/*  What was removed while the file could not be written has left it now.  */
void sp_spool_swept (sp_spool_t *self);

/*  Take off, but not below 0.  */
void sp_spool_less (uint64_t *sum, uint64_t less);

/*  What brings times of 'older' to the clock of 'boot' and 'epoch'.  False:
    nobody knows.  */
bool sp_spool_delta (sp_spool_t *self, const sp_spooled_t *older,
                     const char *boot, int64_t epoch, int64_t *delta);

#endif
