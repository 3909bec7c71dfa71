/* SPDX-License-Identifier: MPL-2.0 */
/*  What the files behind 'scanhubctl status' share: small JSON values, and
    what is judged in more than one of them.  Of hub/requests_status.c,
    requests_lists.c and requests_problems.c.  */

#ifndef HUB_REQUESTS_STATUS_H
#define HUB_REQUESTS_STATUS_H

#include <jansson.h>

#include "hub/health.h"
#include "hub/requests_within.h"

/*  Any text, made clean; a count; epoch ms, null for 0.  */
json_t *hub_status_text (const char *text);
json_t *hub_status_number (uint64_t value);
json_t *hub_status_time (int64_t ms);

hub_health_times_t hub_status_times (const hub_requests_t *self);

/*  Judge a subnet.  'state' (may be NULL) gets what is known of its reports,
    all zeros if nothing is; true: something is.  */
bool hub_status_judge (const hub_requests_t *self,
                       const hub_assignments_t *all,
                       const hub_assignment_t *one,
                       const hub_health_times_t *times, hub_health_t *health,
                       hub_subnet_state_t *state);

/*  How it is with everything that has a list.  */
typedef struct
{
    size_t connected, known, http, scanners_wrong, warned;
    size_t scanned, paused, unsent, late, refused;
    size_t agents_silent, agents_never;
} hub_status_sums_t;

/*  Add queues, limits, counters and causes to a document.  */
void hub_status_numbers (const hub_requests_t *self,
                         const hub_health_times_t *times, json_t *document);

/*  What is wrong, the worst first: [{"grade", "what", "text"}].  */
json_t *hub_status_problems (const hub_requests_t *self,
                             const hub_status_sums_t *sums,
                             const hub_health_times_t *times);
/*  None of them is an error.  */
bool hub_status_works (const json_t *problems);

#endif
