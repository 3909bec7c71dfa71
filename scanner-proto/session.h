/* SPDX-License-Identifier: MPL-2.0 */
/*  One connection to a hub: a DEALER with CURVE, and its monitor.  It connects
    once; libzmq's own reconnecting is off, because a hub does not know the
    socket any more after that.  Both sockets belong to the calling thread.  */

#ifndef SP_SESSION_H
#define SP_SESSION_H

#include <stdint.h>
#include <zmq.h>

#include "lib/bytes.h"
#include "lib/err.h"
#include "scanner-proto/hubs.h"

#define SP_CONNECT_MS 5000   /* for TCP to connect */
#define SP_HANDSHAKE_MS 5000 /* for ZMTP and CURVE after that */
/*  Through a proxy both times are one, of which it may take the first.  */

/*  What the monitor tells.  All but NOTHING and SECURED are the end.  */
typedef enum
{
    SP_LINK_NOTHING,      /* no news of importance, or none at all */
    SP_LINK_SECURED,      /* the handshake succeeded: say hello */
    SP_LINK_LOST,         /* an established connection ended */
    SP_LINK_NO_TCP,       /* nobody listens there */
    SP_LINK_NO_HANDSHAKE, /* TCP connected, then closed in the handshake */
    SP_LINK_SILENT,       /* TCP connected, then nothing in SP_HANDSHAKE_MS */
    SP_LINK_KEY_REFUSED   /* ZAP status 400 */
} sp_link_t;

typedef struct sp_session sp_session_t;

/*  Begin to connect to 'hub' with our keys in Z85, in CZMQ's context.
    SH_E_SYNTAX if ZeroMQ does not take a key or the endpoint, SH_E_IO,
    SH_E_MEMORY.  */
sh_err_t sp_session_new (sp_session_t **out, const sp_hub_t *hub,
                         const char *public_key, const char *secret_key,
                         sh_why_t *why) SH_MUST_CHECK;

/*  What was sent shortly before still leaves, in the background.  */
void sp_session_destroy (sp_session_t **self_p);

/*  The two sockets to poll for reading.  */
void *sp_session_socket (const sp_session_t *self);
void *sp_session_monitor (const sp_session_t *self);

/*  Take one event from the monitor.  False if there was none.  */
bool sp_session_news (sp_session_t *self, sp_link_t *link);

/*  Did the monitor tell anything yet?  Nothing for long after 'new' means that
    the host's name does not resolve, of which libzmq says nothing at all.  */
bool sp_session_has_news (const sp_session_t *self);

/*  Is the hub's SOCKS proxy what stands between us and the hub?  Then 'out'
    becomes a sentence on it.  */
bool sp_session_proxy_trouble (const sp_session_t *self, char *out,
                               size_t size);

/*  Send one frame without waiting.  SH_E_DISCONNECTED if there is no peer that
    could take it.  */
sh_err_t sp_session_send (sp_session_t *self, sh_bytes_t frame) SH_MUST_CHECK;

/*  Receive one frame without waiting into an initialised message; messages of
    more than one frame are dropped whole.  False if there was none, or one
    that was dropped.  */
bool sp_session_receive (sp_session_t *self, zmq_msg_t *frame);

#endif
