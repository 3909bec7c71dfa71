/* SPDX-License-Identifier: MPL-2.0 */
/*  The section 'metrics' of scanhub.yaml.  Of hub/config.c.  */

#ifndef HUB_CONFIG_METRICS_H
#define HUB_CONFIG_METRICS_H

#include "hub/config.h"

/*  What binds a hub_metrics_config_t.  */
extern const sh_config_field_t hub_metrics_fields[];

/*  After binding: without a word in 'tree' the default address, 'off' is none
    at all, and every address has a port.  SH_E_CONFIG, SH_E_MEMORY.  */
sh_err_t hub_metrics_settle (hub_metrics_config_t *self, const sh_yaml_t *tree,
                             const char *path, sh_why_t *why) SH_MUST_CHECK;

#endif
