/* SPDX-License-Identifier: MPL-2.0 */
/*  The section 'policy' of scanhub.yaml.  Of hub/config.c.  */

#ifndef HUB_CONFIG_POLICY_H
#define HUB_CONFIG_POLICY_H

#include <stdbool.h>

#include "lib/config.h"

/*  What binds a hub_policies_t.  */
extern const sh_config_field_t hub_policy_fields[];

/*  A key that is the id of a subnet: subnets.id is a 32-bit column, and 0 is no
    id.  */
bool hub_config_subnet_id (uint64_t *out, const char *text);

#endif
