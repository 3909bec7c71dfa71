/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhub-shim's configuration file, see shim.yaml(5):

        hub:
          endpoint: tcp://hub.example:5766
          key: '40 characters of Z85'     (hub: may be a list of such maps)
        key: /etc/scanhub/shim.cert
        hub_keys: /var/lib/scanhub/shim.hubs
        http: {...}                       (see lib/http_config.h)
        log_level: info
*/

#ifndef SM_CONFIG_H
#define SM_CONFIG_H

#include "lib/http_config.h"
#include "scanner-proto/hubs.h"

typedef struct
{
    char *path; /* the file it came from */
    sp_hubs_t hubs;
    char *key; /* path of our secret certificate */
    char *hub_keys; /* path: what hubs said about their keys */
    sh_http_config_t http;
    int log_level; /* sh_level_t */
} sm_config_t;

/*  SH_E_CONFIG with file and line, SH_E_MODE, SH_E_NOT_FOUND, SH_E_IO,
    SH_E_MEMORY.  The caller destroys it.  */
sh_err_t sm_config_load (sm_config_t **out, const char *path, sh_why_t *why)
    SH_MUST_CHECK;
/*  Make the spool's directory, if only that is missing, before the spool is
    opened.  SH_E_IO with what to do.  */
sh_err_t sm_config_prepare (const sm_config_t *self, sh_why_t *why)
    SH_MUST_CHECK;
void sm_config_destroy (sm_config_t **self_p);

#endif
