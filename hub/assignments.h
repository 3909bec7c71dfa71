/* SPDX-License-Identifier: MPL-2.0 */
/*  One picture of everything that phpIPAM assigns, made of a hub_plan_t;
    shared between threads, never changed, freed with its last reference.  */

#ifndef HUB_ASSIGNMENTS_H
#define HUB_ASSIGNMENTS_H

#include "hub/rows.h"
#include "scanner-proto/message.h"

typedef struct hub_assignments hub_assignments_t;

/*  Takes the plan over ('*plan_p' is NULLed).  One reference is the
    caller's.  SH_E_MEMORY.  */
sh_err_t hub_assignments_new (hub_assignments_t **out, hub_plan_t **plan_p)
    SH_MUST_CHECK;
hub_assignments_t *hub_assignments_keep (hub_assignments_t *self);
void hub_assignments_release (hub_assignments_t **self_p);

/*  The agent of a code: SH_E_AGENT_UNKNOWN, SH_E_AGENT_TYPE.  */
sh_err_t hub_assignments_agent (const hub_assignments_t *self,
                                const char *code, uint64_t *agent)
    SH_MUST_CHECK;

/*  A hash over the content of the agent's assignments, the same on every hub
    (an agent without any has one too).  */
void hub_assignments_revision (const hub_assignments_t *self, uint64_t agent,
                               uint8_t out[static SP_REVISION]);

/*  The page of the agent's subnets with an id above 'after'.  '*frame' is an
    encoded message, malloc'ed.  */
sh_err_t hub_assignments_page (const hub_assignments_t *self, uint64_t agent,
                               uint64_t after, uint8_t **frame, size_t *size)
    SH_MUST_CHECK;

/*  Any difference to 'other' (may be NULL)?  */
bool hub_assignments_equal (const hub_assignments_t *self,
                            const hub_assignments_t *other);

#endif
