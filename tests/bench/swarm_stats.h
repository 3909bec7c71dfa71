/* SPDX-License-Identifier: MPL-2.0 */
/*  What came of a swarm's reports: counts, latencies, and how long the scanners
    were away when the hub was.  Times are microseconds of CLOCK_MONOTONIC.  */

#ifndef SW_STATS_H
#define SW_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "scanner-proto/message.h"
#include "tests/bench/latencies.h"

#define SW_OUTAGES_MOST 64

/*  From the first connection lost while all were there until all were back, and
    until each had a verdict that applied something after its return.  */
typedef struct
{
    int64_t lost, back, working; /* 0: not yet */
} sw_outage_t;

typedef struct
{
    /*  Reports; a report with a closing part is applied when that is.  */
    uint64_t sent, applied, refused;
    uint64_t parts, resent, retried, closings;
    uint64_t errors, stray; /* messages: 'error', verdicts without a part */
    uint64_t connects, reconnects;
    /*  Sums over the verdicts.  */
    uint64_t seen, added, named, macs, tagged, held, skipped, hosts_refused;
    int64_t began, first_sent, last_verdict;
    latencies_t latency, closing, connect;
    sw_outage_t outages[SW_OUTAGES_MOST];
    size_t outage_count;
    sh_err_t cause; /* of the last verdict that refused or put off */
} sw_stats_t;

int64_t sw_now (void); /* us, CLOCK_MONOTONIC */
double sw_cpu (void);  /* seconds that this process took of the machine */

void sw_stats_count (sw_stats_t *self, const sp_verdict_t *verdict);

/*  The outage under way, or NULL.  */
sw_outage_t *sw_stats_outage (sw_stats_t *self);
void sw_stats_begin_outage (sw_stats_t *self);

/*  A JSON object on a line of its own.  */
void sw_stats_print (sw_stats_t *self, size_t scanners, size_t connected,
                     uint64_t lost);
void sw_stats_clear (sw_stats_t *self);

#endif
