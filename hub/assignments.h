/* SPDX-License-Identifier: MPL-2.0 */
/*  One picture of everything that phpIPAM assigns, made of a hub_plan_t and of
    the terms that the hub adds; shared between threads, never changed, freed
    with its last reference.  */

#ifndef HUB_ASSIGNMENTS_H
#define HUB_ASSIGNMENTS_H

#include "hub/pauses.h"
#include "hub/rows.h"
#include "hub/scan_settings.h"
#include "scanner-proto/message.h"

typedef struct hub_assignments hub_assignments_t;

/*  What the hub has to say about what phpIPAM assigns; borrowed.  */
typedef struct
{
    const hub_scan_settings_t *settings; /* settled; NULL: no word about it */
    hub_pauses_t *pauses;                /* NULL: nothing is paused */
    int64_t now;                         /* epoch ms */
} hub_terms_t;

/*  A subnet as it stands.  Borrowed from the hub_assignments_t.  */
typedef struct
{
    const hub_assigned_t *row;
    const hub_scan_rule_t *rule; /* NULL: there are no settings */
    bool check, discover; /* what the settings leave of what phpIPAM has on */
    bool paused;
    size_t children;      /* those that are known, see hub_plan_t */
    size_t strays;        /* of these, with no agent */
} hub_assignment_t;

/*  Takes the plan over ('*plan_p' is NULLed).  'terms' (may be NULL) are needed
    during the call only.  One reference is the caller's.  SH_E_MEMORY.  */
sh_err_t hub_assignments_new (hub_assignments_t **out, hub_plan_t **plan_p,
                              const hub_terms_t *terms) SH_MUST_CHECK;
/*  What phpIPAM says as 'old' has it, under other terms.  SH_E_MEMORY.  */
sh_err_t hub_assignments_renew (hub_assignments_t **out,
                                const hub_assignments_t *old,
                                const hub_terms_t *terms) SH_MUST_CHECK;
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

/*  All subnets that are known, ascending by id; and one of them by its id, or
    NULL.  */
const hub_assignment_t *hub_assignments_items (const hub_assignments_t *self,
                                               size_t *count);
const hub_assignment_t *hub_assignments_find (const hub_assignments_t *self,
                                              uint64_t subnet);

/*  All agents; and one by its id, or NULL.  */
const hub_known_agent_t *hub_assignments_agents (
    const hub_assignments_t *self, size_t *count);
const hub_known_agent_t *hub_assignments_agent_of (
    const hub_assignments_t *self, uint64_t agent);

/*  Why a subnet is on no scanner's list: what hub_authorise_subnet and
    hub_authorise_agent say of it, SH_E_NOT_FOUND if its agent has no code,
    SH_E_CONFIG if the settings say never to all that is on in phpIPAM; SH_OK:
    it is on its agent's.  */
sh_err_t hub_assignments_unsent (const hub_assignments_t *self,
                                 const hub_assignment_t *one);

/*  Any difference to 'other' (may be NULL)?  */
bool hub_assignments_equal (const hub_assignments_t *self,
                            const hub_assignments_t *other);

#endif
