/* SPDX-License-Identifier: MPL-2.0 */
/*  Which hosts of a report part may be written at all: each address checked
    against the subnet, times brought to the hub's clock, names and MACs
    checked.  Pure; knows no database.  */

#ifndef HUB_SIGHTINGS_H
#define HUB_SIGHTINGS_H

#include "hub/rows.h"
#include "lib/hostname.h"
#include "lib/mac.h"
#include "scanner-proto/message.h"

typedef struct
{
    sh_addr_t ip;
    int64_t seen;          /* epoch seconds by the hub's clock */
    char mac[SH_MAC_TEXT]; /* normalised; "" for none */
    const char *name;      /* borrowed from the report; NULL for none */
    size_t name_size;      /* without a trailing dot */
    int64_t old;           /* 0, or the begin (epoch seconds by the hub's clock)
                              of the earlier scan that found it */
} hub_sighting_t;

typedef struct
{
    sh_bytes_t ip; /* as the peer sent it; borrowed from the report */
    sh_err_t cause;
} hub_refusal_t;

typedef struct
{
    hub_sighting_t *items; /* ascending by address, each address once */
    size_t count;
    hub_refusal_t *refused;
    size_t refused_count;
    size_t bad_names, bad_macs; /* dropped values; their hosts stayed */
} hub_sightings_t;

/*  A scanner's time in ms as epoch seconds of the hub: plus 'off' (ignored
    below SP_OFFSET_IGNORED_MS), floored, at most 'received' (epoch ms of the
    hub).  SH_E_BAD_TIME outside of what can be stored.  */
sh_err_t hub_time_of (int64_t *out, int64_t scanner_ms, int64_t off,
                      int64_t received) SH_MUST_CHECK;

/*  '*out' is new and the caller's; it borrows from 'report'.  A bad host is
    refused by itself; of one address twice the newest counts, of equals the
    last.  Only SH_E_MEMORY fails.  */
sh_err_t hub_sightings_check (hub_sightings_t **out, const sp_report_t *report,
                              const hub_subnet_t *subnet, int64_t received)
    SH_MUST_CHECK;
void hub_sightings_destroy (hub_sightings_t **self_p);

#endif
