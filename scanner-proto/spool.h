/* SPDX-License-Identifier: MPL-2.0 */
/*  Reports that wait on disk for delivery: a SQLite file of one process, where
    a report is once put returns and which it leaves by remove only.  The file
    keeps the size it once had and uses it again.  The only place that includes
    sqlite3.h.  One thread.  */

#ifndef SP_SPOOL_H
#define SP_SPOOL_H

#include "lib/clock.h"
#include "scanner-proto/message.h"

#define SP_SPOOL_DEFAULT_MOST (UINT64_C (256) * 1024 * 1024)

typedef struct sp_spool sp_spool_t;

/*  A report as it was put, all of its hosts in one struct.  */
typedef struct
{
    int64_t row;
    char *label; /* who it came from, as given to put */
    int64_t put; /* epoch ms */
    sp_report_t report;
    void *memory;
} sp_spooled_t;

/*  Open or make the file (0600, WAL, synchronous FULL, exclusive).  A file
    that is corrupt or of another format is set aside as PATH.broken-TIME (not
    deleted), said in 'why' by way of the log, and a new one begun.  Another
    process that has it open, a directory that is missing or not writable:
    SH_E_EXISTS, SH_E_IO with a sentence.  */
sh_err_t sp_spool_open (sp_spool_t **out, const char *path, uint64_t most,
                        const sh_clock_t *clock, sh_why_t *why) SH_MUST_CHECK;
void sp_spool_close (sp_spool_t **self_p);

/*  Durable when it returns SH_OK: one transaction, synced.  SH_E_TOO_LARGE:
    over the limit; SH_E_IO: disk full or failing (the text is logged), also
    when it is so full that removing would become impossible; SH_E_INTERNAL:
    the report breaks a limit of the protocol.  The report's own 'id', 'part',
    'last' and 'parts' are not kept.  */
sh_err_t sp_spool_put (sp_spool_t *self, const char *label,
                       const sp_report_t *report) SH_MUST_CHECK;

/*  The oldest report with a row above 'after' (0: the oldest of all);
    SH_E_NOT_FOUND: none.  '*out' is new and the caller's.  A row that cannot
    be read is removed, said aloud, and the next one taken; if it is the file
    that cannot be read, SH_E_IO.  */
sh_err_t sp_spool_next (sp_spool_t *self, int64_t after, sp_spooled_t **out)
    SH_MUST_CHECK;
void sp_spooled_destroy (sp_spooled_t **self_p);

/*  SH_E_NOT_FOUND: it is gone already; SH_E_IO as above, the row stays.  */
sh_err_t sp_spool_remove (sp_spool_t *self, int64_t row) SH_MUST_CHECK;

/*  Reports, and bytes of their frames, that wait.  */
uint64_t sp_spool_depth (const sp_spool_t *self);
uint64_t sp_spool_bytes (const sp_spool_t *self);

#endif
