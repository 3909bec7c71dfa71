/* SPDX-License-Identifier: MPL-2.0 */
/*  In the place of http_door.c when configured with --disable-shim.  */

#include "hub/http_door.h"

void
hub_http_door_actor (zsock_t *pipe, void *arguments)
{
    hub_http_door_args_t *args = arguments;
    args->err = sh_fail (&args->why, SH_E_CONFIG,
                         "%s: this scanhubd was built without the HTTP door "
                         "(--disable-shim); remove the 'http' section",
                         args->config->path);
    zsock_signal (pipe, 0);
    char *command = zstr_recv (pipe);
    zstr_free (&command);
}
