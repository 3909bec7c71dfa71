/* SPDX-License-Identifier: MPL-2.0 */
/*  scanAgents.last_access of the agents that showed life: noted when a report
    is committed and written when its verdict is on its way, in a statement of
    their own, so that a row that many want delays nobody's report.  Belongs to
    one intake.  */

#ifndef HUB_TOUCHES_H
#define HUB_TOUCHES_H

#include "hub/intake.h"

#define HUB_TOUCHES_MOST (4 * HUB_BATCH_MOST)

/*  All zero to begin with.  */
typedef struct
{
    hub_agent_t agents[HUB_TOUCHES_MOST]; /* each once */
    size_t count;
    int64_t again; /* mono ms: not before */
} hub_touches_t;

/*  The agent is taken over: '*agent' is empty then.  */
void hub_touches_note (hub_touches_t *self, hub_agent_t *agent);

/*  Write what was noted, where it is due, and forget it.  After a lock was
    waited for in vain nothing is written for a minute.  */
void hub_touches_write (hub_touches_t *self,
                        const hub_intake_options_t *options);
void hub_touches_clear (hub_touches_t *self);

#endif
