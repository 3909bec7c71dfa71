/* SPDX-License-Identifier: MPL-2.0 */
/*  The reports of a swarm: subnet k is the k-th network of its size in
    10.0.0.0/8, its hosts answer by their numbers in it.  A report with more
    hosts than a part may have comes in several.  The messages point into this
    struct and hold until the next one is filled in.  */

#ifndef SW_REPORT_H
#define SW_REPORT_H

#include "scanner-proto/message.h"
#include "tests/bench/swarm_options.h"

/*  What tells one report from another, and what a resend must not change.  */
typedef struct
{
    uint8_t id[SP_REPORT_ID];
    uint64_t subnet;
    uint64_t part; /* the last one is the closing part */
    int64_t finished; /* wall clock, ms */
    int64_t off;
} sw_scan_t;

typedef struct
{
    unsigned bits;         /* of an address, within its subnet */
    uint64_t first_host, count;
    uint64_t parts;        /* with hosts */
    int64_t spread;        /* ms */
    uint8_t ips[SP_PART_HOSTS_MOST][4];
    sp_host_t hosts[SP_PART_HOSTS_MOST];
    sp_range_t covered;
    uint8_t first[4], last[4];
    char cidr[SP_CIDR_MOST + 1];
    sp_message_t message;
} sw_report_t;

void sw_report_init (sw_report_t *self, const sw_options_t *options);

/*  The scan's present part.  */
const sp_message_t *sw_report_fill (sw_report_t *self, const sw_scan_t *scan);

#endif
