/* SPDX-License-Identifier: MPL-2.0 */
/*  The road to a hub by way of a SOCKS proxy: a Unix socket in this process, to
    which libzmq connects instead of the hub, and a thread that connects to the
    proxy and carries bytes between the two.  What it carries is CURVE, which
    neither it nor the proxy can read or change.

    Not ZMQ_SOCKS_PROXY: with it libzmq (4.3.4 at least) aborts the process when
    a socket is closed whose proxy did not answer or refused, and tells nobody
    which of the two it was.  */

#ifndef SP_TUNNEL_H
#define SP_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define SP_TUNNEL_TEXT 64 /* bytes for its endpoint and the NUL */

typedef struct sp_tunnel sp_tunnel_t;

/*  Begin to connect to 'target' through 'proxy' (both HOST:PORT, copied); given
    up after 'timeout' ms.  SH_E_MEMORY, SH_E_IO.  */
sh_err_t sp_tunnel_new (sp_tunnel_t **out, const char *proxy,
                        const char *target, int timeout, sh_why_t *why)
    SH_MUST_CHECK;

/*  An attempt ends; a tunnel in use lasts until libzmq closes its end, so that
    what it has still to send arrives.  */
void sp_tunnel_release (sp_tunnel_t **self_p);

/*  For zmq_connect, once; of another process nobody gets in.  */
const char *sp_tunnel_endpoint (const sp_tunnel_t *self);

/*  Why the target is not reached, or not yet.  False: it was.  */
bool sp_tunnel_trouble (sp_tunnel_t *self, char *out, size_t size);

#endif
