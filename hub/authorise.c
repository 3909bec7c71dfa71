/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/authorise.h"

#include <assert.h>
#include <string.h>

sh_err_t
hub_authorise_agent (const hub_agent_t *agent, const char *code)
{
    assert (agent && code);
    /*  The column's collation ignores letter case and trailing blanks; a key
        must not.  */
    if (!agent->code || !*code || strcmp (agent->code, code) != 0)
        return SH_E_AGENT_UNKNOWN;
    if (!agent->eligible)
        return SH_E_AGENT_TYPE;
    return SH_OK;
}

sh_err_t
hub_authorise_subnet (const hub_agent_t *agent, const hub_subnet_t *subnet)
{
    assert (agent && subnet);
    if (agent->id == 0 || subnet->agent != agent->id)
        return SH_E_SUBNET_NOT_ASSIGNED;
    if (subnet->folder)
        return SH_E_SUBNET_FOLDER;
    if (!subnet->has_prefix || subnet->prefix.length == 0)
        return SH_E_SUBNET_MASK;
    if (subnet->parent)
        return SH_E_SUBNET_PARENT;
    if (!subnet->check && !subnet->discover)
        return SH_E_SUBNET_DISABLED;
    return SH_OK;
}

sh_err_t
hub_authorise_cidr (const hub_subnet_t *subnet, const char *cidr)
{
    assert (subnet && cidr);
    sh_prefix_t stated;
    if (sh_prefix_parse (&stated, cidr) != SH_OK)
        return SH_E_BAD_MESSAGE;
    if (!sh_prefix_equal (&stated, &subnet->prefix))
        return SH_E_CIDR_MISMATCH;
    return SH_OK;
}
