/* SPDX-License-Identifier: MPL-2.0 */
/*  The old scan server's variables file as a configuration of the hub.  For
    hub/config*.c only; the keys are in hub/config.h.  */

#ifndef HUB_CONFIG_LEGACY_H
#define HUB_CONFIG_LEGACY_H

#include "hub/config.h"
#include "lib/http_config.h"

#define HUB_LEGACY_KEY "nofusscomputing_phpipam_scan_server"

/*  Is it the old server's file?  */
bool hub_legacy_recognise (const sh_yaml_t *tree);

/*  Take such a file over a config that has our own defaults.  'ours' are the
    keys of our own file, which must not stand beside the legacy one.  Keys that
    nobody knows are warned about, but not with 'peek'.  SH_E_CONFIG with
    file:line, SH_E_MEMORY.  */
sh_err_t hub_legacy_bind (hub_config_t *self, const sh_config_field_t *ours,
                          const sh_yaml_t *tree, bool peek, sh_why_t *why)
    SH_MUST_CHECK;

/*  What the HTTP settings are called in such a file.  */
sh_http_source_t hub_legacy_source (const hub_config_t *self,
                                     const sh_yaml_t *tree, bool peek);

/*  Say where HTTP listens if the file does not.  */
void hub_legacy_announce (const hub_config_t *self, const sh_yaml_t *tree);

#endif
