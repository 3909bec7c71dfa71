/* SPDX-License-Identifier: MPL-2.0 */
/*  The ZAP actor (RFC 27): libzmq asks it at every CURVE handshake whether
    the key may connect.  200 with the key as User-Id, else 400: a 300 would
    be retried by libzmq and look like a wrong hub key.  It also follows the
    registry's directory, so a new key is in force when its file is.

    libzmq fails open: with no handler on inproc://zeromq.zap.01 every key is
    accepted.  So start it (zactor_new returns when it has signalled ready)
    before any CURVE socket is bound and destroy it after the last is gone.

        zactor_t *zap = zactor_new (hub_zap_actor, &(hub_zap_args_t){...});

    zactor_new returns NULL never; a handler that cannot bind (another one
    runs in this process) leaves 'failed' set before it signals.
    Commands on its pipe: "RELOAD" reads the whole registry and answers with
    one string, "" or the error.  "$TERM" ends it.  */

#ifndef HUB_ZAP_H
#define HUB_ZAP_H

#include <czmq.h>

#include "hub/knocks.h"
#include "hub/meters.h"
#include "hub/pulse.h"
#include "hub/putoff.h"
#include "hub/registry.h"

typedef struct
{
    hub_registry_t *registry; /* this and the next outlive the actor */
    /*  Each may be NULL: unknown keys are noted there, by the epoch; so are
        those that are let in, by mono; those that are put off are not let
        in.  */
    hub_knocks_t *pending, *admitted;
    hub_putoff_t *putoff;
    hub_beat_t *beat; /* may be NULL */
    hub_meters_t *meters; /* counts those that are refused; or NULL */
    bool failed; /* out */
} hub_zap_args_t;

void hub_zap_actor (zsock_t *pipe, void *args);

/*  Make 'socket' (a zsock_t, or libzmq's own) a CURVE server with the secret
    key, in the ZAP domain, with domain enforcement, and read all of it back.
    zsock_set_zap_enforce_domain is a silent no-op in stock builds, so the raw
    option is used.  SH_E_CONFIG means: do not bind, the socket would be
    open.  */
sh_err_t hub_zap_protect (void *socket, const char *secret_key, sh_why_t *why)
    SH_MUST_CHECK;

#endif
