/* SPDX-License-Identifier: MPL-2.0 */
/*  May this agent's report touch this subnet?  Pure; the caller has read both
    rows inside the transaction that will write, the subnet's locked.  */

#ifndef HUB_AUTHORISE_H
#define HUB_AUTHORISE_H

#include "hub/rows.h"

/*  Is the agent one whose rows the hub writes (type mysql or api, never
    direct), and is its code byte by byte the one spoken for?
    SH_E_AGENT_UNKNOWN, SH_E_AGENT_TYPE.  */
sh_err_t hub_authorise_agent (const hub_agent_t *agent, const char *code)
    SH_MUST_CHECK;

/*  Assigned to the agent, no folder, a mask, no children, a flag on.  The
    first cause that applies, in this order: SH_E_SUBNET_NOT_ASSIGNED, FOLDER,
    MASK, PARENT, DISABLED.  */
sh_err_t hub_authorise_subnet (const hub_agent_t *agent,
                               const hub_subnet_t *subnet) SH_MUST_CHECK;

/*  Is the report about the network that phpIPAM has?  SH_E_CIDR_MISMATCH;
    SH_E_BAD_MESSAGE if 'cidr' is no prefix.  */
sh_err_t hub_authorise_cidr (const hub_subnet_t *subnet, const char *cidr)
    SH_MUST_CHECK;

#endif
