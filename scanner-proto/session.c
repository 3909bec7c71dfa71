/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/session.h"

#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "scanner-proto/limits.h"
#include "scanner-proto/tunnel.h"

/*  libzmq tells a handshake that timed out like one that the peer broke off.
    The time tells them apart, but that is when we read of the two events.  */
#define READ_MS 500

struct sp_session
{
    sp_tunnel_t *tunnel; /* NULL: none */
    int handshake;       /* ms */
    void *socket, *monitor;
    bool told;      /* the monitor said something */
    bool connected; /* TCP */
    bool secured;   /* handshake */
    int64_t since;  /* when 'connected' was told */
};

typedef struct
{
    int name, value;
} s_option_t;

static const s_option_t s_options[] = {
    { ZMQ_RECONNECT_IVL, -1 }, /* see the header */
    { ZMQ_IMMEDIATE, 1 },      /* no queueing while nobody is connected */
    { ZMQ_LINGER, 200 },
    { ZMQ_RCVHWM, 100 },
    { ZMQ_IPV6, 1 },
    { ZMQ_CONNECT_TIMEOUT, SP_CONNECT_MS },
    { ZMQ_HEARTBEAT_IVL, 10000 },
    { ZMQ_HEARTBEAT_TIMEOUT, 30000 },
};

static sh_err_t
s_set_options (void *socket, int handshake, sh_why_t *why)
{
    int64_t most = SP_FRAME_MOST + SP_CURVE_AROUND;
    int rc = zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &most, sizeof most);
    if (rc == 0)
        rc = zmq_setsockopt (socket, ZMQ_HANDSHAKE_IVL, &handshake,
                             sizeof handshake);
    for (size_t i = 0; rc == 0 && i < sizeof s_options / sizeof *s_options; i++)
        rc = zmq_setsockopt (socket, s_options[i].name, &s_options[i].value,
                             sizeof s_options[i].value);
    if (rc)
        return sh_fail (why, SH_E_IO, "socket option: %s",
                        zmq_strerror (zmq_errno ()));
    return SH_OK;
}

static sh_err_t
s_set_keys (void *socket, const char *hub_key, const char *public_key,
            const char *secret_key, sh_why_t *why)
{
    if (zmq_setsockopt (socket, ZMQ_CURVE_SERVERKEY, hub_key, strlen (hub_key)))
        return sh_fail (why, SH_E_SYNTAX, "the hub's public key is not a key");
    if (zmq_setsockopt (socket, ZMQ_CURVE_PUBLICKEY, public_key,
                        strlen (public_key))
        || zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, secret_key,
                           strlen (secret_key)))
        return sh_fail (why, SH_E_SYNTAX, "our own key pair is not one");
    return SH_OK;
}

/*  The monitor's name is random: that of a session just destroyed may still
    be in use, and so may be another client's.  */
static sh_err_t
s_start_monitor (sp_session_t *self, void *context, sh_why_t *why)
{
    uint8_t random[12];
    char hex[2 * sizeof random + 1], name[64];
    randombytes_buf (random, sizeof random);
    sodium_bin2hex (hex, sizeof hex, random, sizeof random);
    snprintf (name, sizeof name, "inproc://sp-monitor-%s", hex);

    int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_DELAYED
                 | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED
                 | ZMQ_EVENT_HANDSHAKE_SUCCEEDED
                 | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
                 | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
                 | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    self->monitor = zmq_socket (context, ZMQ_PAIR);
    if (!self->monitor || zmq_socket_monitor (self->socket, name, events)
        || zmq_connect (self->monitor, name))
        return sh_fail (why, SH_E_IO, "socket monitor: %s",
                        zmq_strerror (zmq_errno ()));
    return SH_OK;
}

static sh_err_t
s_connect (const sp_session_t *self, const char *endpoint, sh_why_t *why)
{
    const char *place
        = self->tunnel ? sp_tunnel_endpoint (self->tunnel) : endpoint;
    if (zmq_connect (self->socket, place) == 0)
        return SH_OK;
    int error = zmq_errno ();
    sh_err_t rc = error == EINVAL || error == EPROTONOSUPPORT ? SH_E_SYNTAX
                                                              : SH_E_IO;
    return sh_fail (why, rc, "%s: %s", endpoint, zmq_strerror (error));
}

static sh_err_t
s_open_tunnel (sp_session_t *self, const sp_hub_t *hub, sh_why_t *why)
{
    static const char scheme[] = "tcp://";
    self->handshake = SP_HANDSHAKE_MS;
    if (!hub->socks)
        return SH_OK;
    self->handshake += SP_CONNECT_MS;
    assert (strncmp (hub->endpoint, scheme, sizeof scheme - 1) == 0);
    return sp_tunnel_new (&self->tunnel, hub->socks,
                          hub->endpoint + sizeof scheme - 1, SP_CONNECT_MS,
                          why);
}

sh_err_t
sp_session_new (sp_session_t **out, const sp_hub_t *hub,
                const char *public_key, const char *secret_key, sh_why_t *why)
{
    assert (out && hub && public_key && secret_key);
    void *context = zsys_init ();
    sp_session_t *self = calloc (1, sizeof *self);
    if (!self || !context) {
        free (self);
        return sh_fail (why, SH_E_MEMORY, "no memory for a session");
    }
    sh_err_t rc = s_open_tunnel (self, hub, why);
    self->socket = zmq_socket (context, ZMQ_DEALER);
    if (rc == SH_OK && !self->socket)
        rc = sh_fail (why, SH_E_IO, "socket: %s", zmq_strerror (zmq_errno ()));
    if (rc == SH_OK)
        rc = s_set_options (self->socket, self->handshake, why);
    if (rc == SH_OK)
        rc = s_set_keys (self->socket, hub->public_key, public_key, secret_key,
                         why);
    if (rc == SH_OK)
        rc = s_start_monitor (self, context, why);
    if (rc == SH_OK)
        rc = s_connect (self, hub->endpoint, why);
    if (rc == SH_OK)
        *out = self;
    else
        sp_session_destroy (&self);
    return rc;
}

void
sp_session_destroy (sp_session_t **self_p)
{
    assert (self_p);
    sp_session_t *self = *self_p;
    if (!self)
        return;
    if (self->socket) {
        zmq_socket_monitor (self->socket, NULL, 0);
        zmq_close (self->socket);
    }
    if (self->monitor)
        zmq_close (self->monitor);
    sp_tunnel_release (&self->tunnel);
    free (self);
    *self_p = NULL;
}

void *
sp_session_socket (const sp_session_t *self)
{
    return self->socket;
}

void *
sp_session_monitor (const sp_session_t *self)
{
    return self->monitor;
}

bool
sp_session_has_news (const sp_session_t *self)
{
    return self->told;
}

bool
sp_session_proxy_trouble (const sp_session_t *self, char *out, size_t size)
{
    return self->tunnel && sp_tunnel_trouble (self->tunnel, out, size);
}

/*  libzmq waits in real time, whatever clock the client has.  */
static int64_t
s_now (void)
{
    return sh_clock_mono (sh_clock_system ());
}

static sp_link_t
s_no_handshake (const sp_session_t *self)
{
    bool silent = self->connected
                  && s_now () - self->since >= self->handshake - READ_MS;
    return silent ? SP_LINK_SILENT : SP_LINK_NO_HANDSHAKE;
}

static sp_link_t
s_judge (sp_session_t *self, unsigned event, uint32_t value)
{
    switch (event) {
    case ZMQ_EVENT_CONNECTED:
        self->connected = true;
        self->since = s_now ();
        return SP_LINK_NOTHING;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        self->secured = true;
        return SP_LINK_SECURED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return value == 400 ? SP_LINK_KEY_REFUSED : SP_LINK_NO_HANDSHAKE;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return SP_LINK_NO_HANDSHAKE;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return s_no_handshake (self);
    case ZMQ_EVENT_DISCONNECTED:
        return self->secured ? SP_LINK_LOST : s_no_handshake (self);
    case ZMQ_EVENT_CLOSED:
        return self->connected ? SP_LINK_NOTHING : SP_LINK_NO_TCP;
    case ZMQ_EVENT_MONITOR_STOPPED:
        return SP_LINK_LOST;
    default:
        return SP_LINK_NOTHING;
    }
}

/*  Two frames: 16 bits of event and 32 of value in the machine's order, then
    the endpoint.  */
bool
sp_session_news (sp_session_t *self, sp_link_t *link)
{
    assert (self && link);
    uint8_t head[6];
    char endpoint[8];
    int size = zmq_recv (self->monitor, head, sizeof head, ZMQ_DONTWAIT);
    if (size != (int) sizeof head)
        return false;
    zmq_recv (self->monitor, endpoint, sizeof endpoint, ZMQ_DONTWAIT);

    uint16_t event;
    uint32_t value;
    memcpy (&event, head, sizeof event);
    memcpy (&value, head + sizeof event, sizeof value);
    self->told = true;
    *link = s_judge (self, event, value);
    return true;
}

/*  libzmq skips its internal commands now and then to save time, and may not
    have seen yet that a peer is there; asking for the events makes it look.  */
static bool
s_can_send (sp_session_t *self)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt (self->socket, ZMQ_EVENTS, &events, &size) == 0
           && (events & ZMQ_POLLOUT);
}

sh_err_t
sp_session_send (sp_session_t *self, sh_bytes_t frame)
{
    assert (self && frame.data);
    if (zmq_send (self->socket, frame.data, frame.size, ZMQ_DONTWAIT) >= 0)
        return SH_OK;
    if (zmq_errno () == EAGAIN && s_can_send (self)
        && zmq_send (self->socket, frame.data, frame.size, ZMQ_DONTWAIT) >= 0)
        return SH_OK;
    return SH_E_DISCONNECTED;
}

bool
sp_session_receive (sp_session_t *self, zmq_msg_t *frame)
{
    assert (self && frame);
    if (zmq_msg_recv (frame, self->socket, ZMQ_DONTWAIT) < 0)
        return false;
    bool whole = !zmq_msg_more (frame);
    /* the parts of one message arrive together */
    for (bool more = !whole; more; more = zmq_msg_more (frame)) {
        if (zmq_msg_recv (frame, self->socket, ZMQ_DONTWAIT) < 0)
            return false;
    }
    return whole;
}
