/* SPDX-License-Identifier: MPL-2.0 */
/*  The section 'scan' of scanhub.yaml.  Of hub/config.c.  */

#ifndef HUB_CONFIG_SCAN_H
#define HUB_CONFIG_SCAN_H

#include "lib/config.h"

/*  What binds a hub_scan_settings_t, which is to be settled then.  */
extern const sh_config_field_t hub_scan_fields[];

#endif
