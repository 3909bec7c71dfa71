/* SPDX-License-Identifier: MPL-2.0 */
/*  Reports that wait for delivery: a SQLite file of one process, where a report
    is once put returns and which it leaves by remove only.  The file keeps the
    size it once had and uses it again.  One thread.

    Merging.  What waits of one subnet is one report (merge.h), so the spool
    grows with the hosts and not with the time.  A report that is held, because
    it is on its way, is left alone; the next one waits beside it.

    Times.  With each report goes the clock that its times are of: the boot of
    the machine and what the wall clock was ahead of CLOCK_BOOTTIME.  Together
    with what the hub's clock was ahead of it (sp_spool_note_hub), which is kept
    for each boot, this gives the hub's time of an event whatever was done to
    the wall clock since.  A report of an earlier boot in which no hub was met
    is weak: nobody knows how its clock went.  Its times are taken by that
    clock, but not before what the hub is known to have shown earlier, nor after
    the next boot; its hosts are marked old and it covers nothing.

    sqlite3.h is included in spool*.c alone.  */

#ifndef SP_SPOOL_H
#define SP_SPOOL_H

#include "lib/clock.h"
#include "scanner-proto/frames.h"

#define SP_SPOOL_DEFAULT_MOST (UINT64_C (256) * 1024 * 1024)

typedef struct sp_spool sp_spool_t;

/*  A report as it waits, all of its hosts in one struct.  */
typedef struct
{
    int64_t row;
    char *label;   /* who it came from, as given to put */
    char *subject; /* what reports of one sender about one subnet share */
    int64_t put; /* epoch ms */
    sp_report_t report;
    sp_whole_t *whole; /* what the report points to */
    char boot[SH_BOOT_TEXT];
    int64_t epoch; /* of its times: wall clock minus CLOCK_BOOTTIME */
    bool fixed;    /* 'report.off' is decided, for good */
} sp_spooled_t;

/*  Open or make the file (0600, WAL, synchronous FULL, exclusive), for 'most'
    bytes of frames; 'path' NULL: in memory, with the same manners.  A file that
    is corrupt or of another format is set aside as PATH.broken-TIME (not
    deleted), said in 'why' by way of the log, and a new one begun.  Another
    process that has it open, a directory that is missing or not writable:
    SH_E_EXISTS, SH_E_IO with a sentence.  */
sh_err_t sp_spool_open (sp_spool_t **out, const char *path, uint64_t most,
                        const sh_clock_t *clock, sh_why_t *why) SH_MUST_CHECK;
void sp_spool_close (sp_spool_t **self_p);

#define SP_EPOCH_HUB INT64_MIN /* the report's times are the hub's own */

/*  Durable when it returns SH_OK: one transaction, synced.  'epoch' is
    sh_clock_epoch of the clock by which the report's times were taken, or
    SP_EPOCH_HUB.  Where there is no room, reports of the label that takes most
    of it go, the oldest first and those that are held not, named in the log
    and counted.  '*row' (may be NULL) is its place.  SH_E_TOO_LARGE: over the
    limit by itself, or with what is held; SH_E_IO: disk full or failing (the
    text is logged), also when it is so full that removing would become
    impossible; SH_E_INTERNAL: the report breaks a limit of the protocol.  The
    report's own 'id', 'off', 'part', 'last' and 'parts' are not kept.  */
sh_err_t sp_spool_put (sp_spool_t *self, const char *label,
                       const sp_report_t *report, int64_t epoch, int64_t *row)
    SH_MUST_CHECK;

/*  The oldest report with a row above 'after' (0: the oldest of all) that is
    not held, nor waits behind an older one of the same subnet, which it would
    make come too late; SH_E_NOT_FOUND: none.  '*out' is new and the caller's.
    A row that cannot be read is removed, said aloud, and the next one taken; if
    it is the file that cannot be read, SH_E_IO.  */
sh_err_t sp_spool_next (sp_spool_t *self, int64_t after, sp_spooled_t **out)
    SH_MUST_CHECK;
/*  Its row alone, for whoever need not read all of it; SH_E_NOT_FOUND, SH_E_IO
    and SH_E_MEMORY as above.  */
sh_err_t sp_spool_peek (sp_spool_t *self, int64_t after, int64_t *row)
    SH_MUST_CHECK;
void sp_spooled_destroy (sp_spooled_t **self_p);

/*  A report that is on its way is held, and released when it is not any more:
    until then it is neither merged nor dropped nor found by next.  At most
    SP_SPOOL_HELD_MOST; SH_E_OVERLOAD.  */
#define SP_SPOOL_HELD_MOST 16
sh_err_t sp_spool_hold (sp_spool_t *self, int64_t row) SH_MUST_CHECK;
void sp_spool_release (sp_spool_t *self, int64_t row);

/*  The hub's clock is ahead of our wall clock by 'offset' ms: kept, for this
    boot's reports and for those that will be delivered after the next boot.
    SH_E_IO: not kept, but known as long as this process runs.  */
sh_err_t sp_spool_note_hub (sp_spool_t *self, int64_t offset) SH_MUST_CHECK;

/*  Decide the report's offset, once and for good, or take what was decided
    before: 'report.off' is valid afterwards.  The report of a weak one is
    rewritten, in the hub's times.  sp_spool_note_hub must have been called in
    this process.  SH_E_IO: decided, but not kept; SH_E_MEMORY: not decided.  */
sh_err_t sp_spool_fix (sp_spool_t *self, sp_spooled_t *one) SH_MUST_CHECK;

/*  Does anything wait, or is held, that this report would overtake?  */
bool sp_spool_waits (sp_spool_t *self, const char *label,
                     const sp_report_t *report);

/*  SH_E_NOT_FOUND: it is gone already; SH_E_IO as above: the file keeps the row
    until it can be written again, but this process does not see it any more.
 */
sh_err_t sp_spool_remove (sp_spool_t *self, int64_t row) SH_MUST_CHECK;

/*  Reports, and bytes of their frames, that wait; reports that had to go for
    want of room since it was opened.  */
uint64_t sp_spool_depth (const sp_spool_t *self);
uint64_t sp_spool_bytes (const sp_spool_t *self);
uint64_t sp_spool_dropped (const sp_spool_t *self);

/*  Name and version of the library, for --version; static.  */
const char *sp_spool_library (void);

#endif
