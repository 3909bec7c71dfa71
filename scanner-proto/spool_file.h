/* SPDX-License-Identifier: MPL-2.0 */
/*  The spool's file: its layout, and the statements that the spool runs on it.
    Only for spool*.c.  */

#ifndef SP_SPOOL_FILE_H
#define SP_SPOOL_FILE_H

#include <sqlite3.h>

#include "lib/clock.h"
#include "lib/err.h"

typedef enum
{
    SP_STMT_BEGIN,
    SP_STMT_COMMIT,
    SP_STMT_ROLLBACK,
    SP_STMT_CHECKPOINT,
    SP_STMT_FREE,
    SP_STMT_PUT_REPORT,
    SP_STMT_PUT_PART,
    SP_STMT_PUT_BOOT,
    SP_STMT_NEXT,
    SP_STMT_AT,
    SP_STMT_SAME,
    SP_STMT_WAITS,
    SP_STMT_OLDEST,
    SP_STMT_PARTS,
    SP_STMT_SIZE,
    SP_STMT_REMOVE_PARTS,
    SP_STMT_REMOVE_REPORT,
    SP_STMT_GONE,
    SP_STMT_GONE_SIZE,
    SP_STMT_SWEEP_PARTS,
    SP_STMT_SWEEP_REPORTS,
    SP_STMT_FORGET_GONE,
    SP_STMT_NOTE_HUB,
    SP_STMT_FORGET_BOOTS,
    SP_STMT_HUB_OF,
    SP_STMT_AROUND,
    SP_STMT_FIX,
    SP_STMT_COUNT
} sp_stmt_t;

typedef struct
{
    sqlite3 *db;
    sqlite3_stmt *stmts[SP_STMT_COUNT];
    char *path; /* NULL: in memory */
    const sh_clock_t *clock;
} sp_spool_file_t;

/*  'self' is all zero but for path (which it takes) and clock.  Errors as
    sp_spool_open.  */
sh_err_t sp_spool_file_open (sp_spool_file_t *self, sh_why_t *why)
    SH_MUST_CHECK;
void sp_spool_file_close (sp_spool_file_t *self);

/*  Run a statement that returns no row of interest; an SQLite code.  */
int sp_spool_file_run (sp_spool_file_t *self, sp_stmt_t which);

/*  After an error SQLite may or may not have rolled back by itself.  */
void sp_spool_file_rollback (sp_spool_file_t *self);

/*  Would 'bytes' more leave a margin on the disk, so that removing, which
    writes before it frees, goes on working?  */
bool sp_spool_file_has_room (sp_spool_file_t *self, uint64_t bytes);

/*  An operation failed; said aloud, for the caller has but a word.  */
sh_err_t sp_spool_file_failed (const sp_spool_file_t *self, const char *doing);

/*  The name of this boot.  */
const char *sp_spool_boot (const sh_clock_t *clock);

/*  For log lines.  */
const char *sp_spool_file_name (const sp_spool_file_t *self);

#endif
