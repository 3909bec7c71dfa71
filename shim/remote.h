/* SPDX-License-Identifier: MPL-2.0 */
/*  The shim of a remote site: HTTP in, CURVE to the hub out.  */

#ifndef SM_REMOTE_H
#define SM_REMOTE_H

#include "lib/keyfile.h"
#include "shim/config.h"

/*  Serve until SIGTERM or SIGINT; SIGHUP reads the configuration again, all or
    nothing (hubs, key, listen and spool take a restart).  sh_signals_block must
    have been called, and no thread be running.  SH_OK after a signal, else why
    it could not start.  */
sh_err_t sm_remote_run (sm_config_t *config, const sh_keyfile_t *key,
                        const char *version, sh_why_t *why) SH_MUST_CHECK;

#endif
