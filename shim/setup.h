/* SPDX-License-Identifier: MPL-2.0 */
/*  From the configuration's 'http' section to a listener with its tokens; the
    same for scanhubd and scanhub-shim.  */

#ifndef SM_SETUP_H
#define SM_SETUP_H

#include "lib/http_config.h"
#include "shim/http.h"

/*  As sm_http_new.  Without any token the public "no-token-set" is accepted,
    on loopback only, with a warning.  */
sh_err_t sm_setup_open (sm_http_t **out, const sh_http_config_t *config,
                        const sh_clock_t *clock, sm_http_fn *fn, void *context,
                        sh_why_t *why) SH_MUST_CHECK;

/*  Let the answers that were just given reach their clients, for a fraction of
    a second, then destroy.  What comes in meanwhile gets 503: whoever took
    requests may be gone.  */
void sm_setup_close (sm_http_t **http_p);

/*  As sm_http_reload.  */
sh_err_t sm_setup_reload (sm_http_t *http, const sh_http_config_t *config,
                          sh_why_t *why) SH_MUST_CHECK;

#endif
