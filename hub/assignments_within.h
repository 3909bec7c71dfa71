/* SPDX-License-Identifier: MPL-2.0 */
/*  What the two files of hub/assignments.h share.  */

#ifndef HUB_ASSIGNMENTS_WITHIN_H
#define HUB_ASSIGNMENTS_WITHIN_H

#include <sodium.h>
#include <stdatomic.h>

#include "hub/assignments.h"

/*  What phpIPAM says, shared by the pictures that are made of it under one
    setting after the other.  */
typedef struct
{
    hub_plan_t *plan;
    atomic_int references;
} hub_source_t;

struct hub_assignments
{
    hub_source_t *source;
    const hub_plan_t *plan; /* the source's */
    hub_assignment_t *items; /* one for each subnet of the plan */
    hub_scan_rule_t *rules;  /* likewise; NULL: there are no settings */
    uint8_t digest[crypto_generichash_BYTES_MIN]; /* over all of it */
    atomic_int references;
};

/*  Is it on the agent's list?  */
bool hub_assignment_is_sent (const hub_assignment_t *one, uint64_t agent);

#endif
