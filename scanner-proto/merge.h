/* SPDX-License-Identifier: MPL-2.0 */
/*  Two undelivered reports of one subnet become one, so that what waits for
    a hub grows with the hosts and not with the time.  Pure.  */

#ifndef SP_MERGE_H
#define SP_MERGE_H

#include "scanner-proto/message.h"

typedef struct
{
    sp_report_t report; /* borrows texts, addresses and ranges from both */
    sp_host_t *hosts;
} sp_merged_t;

/*  'newer' and 'older' are whole reports of one subnet and kind, the second
    put before the first; 'delta' (ms) brings times of the older one to the
    clock of the newer.  The result, in the newer one's times, is the newest
    complete scan of the two (the newer, if none is), and with it:

    - of an older scan the hosts that it lacks, with the times at which they
      were seen, marked old: they are no part of what the scan found;
    - of a newer scan that was broken off, all hosts;
    - for a host of both, the later sighting; a name or MAC that it lacks is
      taken from the other.

    With 'newest' the newer scan is what the result is, complete or not: where
    a report of another kind came between, an older start would make the hosts
    of now an old story.  SH_E_MEMORY.  The caller clears 'out' on success.  */
sh_err_t sp_merge (sp_merged_t *out, const sp_report_t *newer,
                   const sp_report_t *older, int64_t delta, bool newest)
    SH_MUST_CHECK;
void sp_merged_clear (sp_merged_t *self);

#endif
