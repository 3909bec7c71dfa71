/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/listener.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "hub/zap.h"
#include "lib/log.h"
#include "scanner-proto/limits.h"

static bool
s_set_int (void *handle, int option, int value)
{
    return zmq_setsockopt (handle, option, &value, sizeof value) == 0;
}

/*  Before bind, or it does not apply.  Bounds what a peer can make libzmq hold:
    a frame of MAXMSGSIZE even before the handshake, RCVHWM of them for each
    connection after it.  No ZMTP heartbeats from our side: with a peer that
    floods under another's routing id and vanishes, libzmq 4.3.4's heartbeat
    timer finds a dead engine and aborts the process.  Scanners send them, and
    TCP's keep-alive finds those that are gone.  */
static bool
s_set_options (void *handle)
{
    int64_t most = SP_PART_BYTES_MOST;
    return zmq_setsockopt (handle, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0
           && s_set_int (handle, ZMQ_HANDSHAKE_IVL, 5000)
           && s_set_int (handle, ZMQ_TCP_KEEPALIVE, 1)
           && s_set_int (handle, ZMQ_TCP_KEEPALIVE_IDLE, 30)
           && s_set_int (handle, ZMQ_TCP_KEEPALIVE_INTVL, 10)
           && s_set_int (handle, ZMQ_TCP_KEEPALIVE_CNT, 3)
           && s_set_int (handle, ZMQ_RCVHWM, 8)
           && s_set_int (handle, ZMQ_SNDHWM, 64)
           && s_set_int (handle, ZMQ_BACKLOG, 1024)
           && s_set_int (handle, ZMQ_IPV6, 1)
           && s_set_int (handle, ZMQ_ROUTER_MANDATORY, 1)
           && s_set_int (handle, ZMQ_LINGER, 500);
}

static sh_err_t
s_bind (void *handle, const char *endpoint, sh_why_t *why)
{
    if (zmq_bind (handle, endpoint) < 0)
        return sh_fail (why, SH_E_IO, "cannot listen on %s: %s%s", endpoint,
                        zmq_strerror (errno),
                        errno == EADDRINUSE
                            ? " (is another scanhubd running?)" : "");
    sh_log (SH_LOG_NOTICE, "listening for scanners",
            SH_STR ("endpoint", endpoint));
    return SH_OK;
}

sh_err_t
hub_listener_open (zsock_t **out, const sh_strings_t *endpoints,
                   const char *secret_key, sh_why_t *why)
{
    assert (out && endpoints && secret_key);
    /*  A ROUTER numbers its connections from rand () on, and aborts when a peer
        has claimed the next number as its own routing id.  So it must not be
        possible to guess where the numbers begin.  */
    srand (randombytes_random ());
    zsock_t *self = zsock_new (ZMQ_ROUTER);
    if (!self)
        return sh_fail (why, SH_E_IO, "no socket: %s", strerror (errno));
    void *handle = zsock_resolve (self);
    sh_err_t rc = SH_OK;
    if (!s_set_options (handle))
        rc = sh_fail (why, SH_E_IO, "socket option: %s", zmq_strerror (errno));
    if (rc == SH_OK)
        rc = hub_zap_protect (self, secret_key, why);
    for (size_t i = 0; rc == SH_OK && i < endpoints->count; i++)
        rc = s_bind (handle, endpoints->items[i], why);
    if (rc == SH_OK)
        *out = self;
    else
        zsock_destroy (&self);
    return rc;
}
