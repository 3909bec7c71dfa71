/* SPDX-License-Identifier: MPL-2.0 */
/*  Everybody who reports to this hub: the registry's keys in force, heard or
    not, and those who came by HTTP; with what the roster knows of each.  */

#ifndef HUB_CENSUS_H
#define HUB_CENSUS_H

#include "hub/knocks.h"
#include "hub/registry.h"
#include "hub/roster.h"

/*  Ascending by name, malloc'ed; how many.  Of one that was never heard all but
    'key', 'name', 'shim' and 'heard' (-1) is zero. 0 with '*out' NULL if there
    is nobody, or no memory.  */
size_t hub_census_take (hub_registry_t *registry, hub_roster_t *roster,
                        hub_scanner_state_t **out);

/*  How many unknown keys have knocked that are not in the registry by now.  */
size_t hub_census_pending (hub_registry_t *registry, hub_knocks_t *pending);

#endif
