/* SPDX-License-Identifier: MPL-2.0 */
/*  The journal: what reports did, kept in a file for people (scanhubctl
    reports, why, undo, refusals, digest).  An actor of its own writes it, after
    the COMMIT: noting never waits and never fails, and what finds no room in
    the queue, or cannot be written, is dropped and counted.  Thread-safe.  */

#ifndef HUB_JOURNAL_H
#define HUB_JOURNAL_H

#include "hub/journal_file.h"

#define HUB_JOURNAL_RECORDS 8192 /* that wait; and in bytes: */
#define HUB_JOURNAL_BYTES (32 * 1024 * 1024)

typedef struct hub_journal hub_journal_t;

typedef struct
{
    uint64_t written, dropped; /* records, since the start */
    uint64_t depth;            /* that wait, or are being written */
    uint64_t size;             /* bytes in the file */
    bool failing;              /* it cannot be written, because: */
    sh_why_t error;            /* the last one, also when it is over; or "" */
} hub_journal_status_t;

/*  'limits' are copied; the file is opened by the actor, and if that fails
    tried again once a minute.  SH_E_MEMORY, SH_E_IO: no thread.  */
sh_err_t hub_journal_new (hub_journal_t **out,
                          const hub_journal_limits_t *limits,
                          const sh_clock_t *clock) SH_MUST_CHECK;
/*  What waits is written, as far as that takes two seconds.  */
void hub_journal_destroy (hub_journal_t **self_p);

/*  Hand a record over; '*record_p' is NULL afterwards.  A NULL record counts as
    one that was dropped: there was no memory for it.  */
void hub_journal_note (hub_journal_t *self, hub_record_t **record_p);

void hub_journal_status (hub_journal_t *self, hub_journal_status_t *out);

#endif
