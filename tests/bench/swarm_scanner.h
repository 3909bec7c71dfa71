/* SPDX-License-Identifier: MPL-2.0 */
/*  One scanner of a swarm: the client that scanhub-scanner has, and the reports
    that it has on their way.  A report without a verdict when the connection
    is lost is sent again in the next session, and after a 'retry' when it
    says.  */

#ifndef SW_SCANNER_H
#define SW_SCANNER_H

#include "scanner-proto/client.h"
#include "tests/bench/swarm_load.h"
#include "tests/bench/swarm_report.h"
#include "tests/bench/swarm_stats.h"

typedef enum
{
    SW_FREE,
    SW_WAITING, /* to be sent, at 'at' or when there is a session */
    SW_SENT     /* without a verdict */
} sw_state_t;

typedef struct
{
    sw_state_t state;
    sw_scan_t scan;
    bool closing;   /* the closing part is on its way */
    bool again;     /* it was sent before */
    int64_t at;     /* us: not before */
    int64_t due;    /* us: what latency counts from */
} sw_part_t;

/*  What the scanners of a swarm share.  */
typedef struct
{
    const sw_options_t *options;
    sw_load_t load;
    sw_report_t report;
    sw_stats_t stats;
    int epoll;
    size_t connected, proven; /* scanners; proven: see sw_outage_t */
    uint64_t open; /* reports begun or due, and not yet at their end */
    char trouble[256]; /* of the last session that ended */
} sw_swarm_t;

typedef struct
{
    sw_swarm_t *swarm;
    uint64_t number; /* among those of the swarm */
    sp_client_t *client;
    int64_t start;   /* us: not before */
    bool watched;    /* its sockets are in 'epoll' */
    bool up, known;  /* now; once */
    bool proven;
    uint64_t step, subnet, first, last; /* which it reports */
    uint64_t owed, begun; /* reports that are due and not begun; begun */
    int64_t retry;   /* us: the earliest of the parts that wait for a time */
    size_t on_way;
    sw_part_t parts[SW_WINDOW_MOST];
} sw_scanner_t;

/*  'number' is its place in the swarm, 'line' its line of the key file.  False:
    it is said why.  */
bool sw_scanner_init (sw_scanner_t *self, sw_swarm_t *swarm, uint64_t number,
                      const char *line);
void sw_scanner_clear (sw_scanner_t *self);

/*  Do all that can be done now.  False: interrupted.  */
bool sw_scanner_serve (sw_scanner_t *self);

/*  Is anything due by the clock?  'mono' is the client's.  */
bool sw_scanner_is_due (const sw_scanner_t *self, int64_t now, int64_t mono);

#endif
