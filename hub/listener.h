/* SPDX-License-Identifier: MPL-2.0 */
/*  The ROUTER socket that scanners connect to: bounded, protected by CURVE and
    ZAP, and only then bound.  */

#ifndef HUB_LISTENER_H
#define HUB_LISTENER_H

#include <czmq.h>

#include "lib/config.h"

/*  The ZAP actor must be running.  '*out' belongs to the calling thread.
    SH_E_IO, SH_E_CONFIG with a sentence for the operator.  */
sh_err_t hub_listener_open (zsock_t **out, const sh_strings_t *endpoints,
                            const char *secret_key, sh_why_t *why)
    SH_MUST_CHECK;

#endif
