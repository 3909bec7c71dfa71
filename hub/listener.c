/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/listener.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/ceiling.h"
#include "hub/holders.h"
#include "hub/zap.h"
#include "lib/log.h"
#include "lib/secret.h"
#include "scanner-proto/limits.h"

#define LOOK_MS 250       /* between two looks at the memory */
#define LOOK_SOON_MS 50   /* from half of the ceiling on */
#define AGAIN_MS 250      /* between two tries to open */
#define GIVEN_BACK_MS 3000 /* in which closing gives its memory back */
#define MANY_CONNECTIONS 16 /* of one key since the socket was opened */

#ifndef ZMQ_ZERO_COPY_RECV
#define ZMQ_ZERO_COPY_RECV 10
#endif

_Static_assert (HUB_HOLDERS_MOST + HUB_ADMITTED_MOST <= HUB_PUTOFF_MOST,
                "whom one closing puts off has room");

struct hub_listener
{
    hub_listener_options_t options; /* but for the next one */
    char secret_key[SH_KEY_TEXT];
    void *handle; /* NULL while closed */
    hub_greetings_t *greetings;
    hub_ceiling_t ceiling;
    uint64_t memory;   /* at the last look */
    int64_t next_look; /* mono ms */
    int64_t closed;    /* mono ms */
    int64_t reopen;    /* mono ms */
    unsigned closings;
};

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
    int64_t most = SP_PART_BYTES_MOST + SP_CURVE_AROUND;
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

static sh_err_t
s_open (hub_listener_t *self, sh_why_t *why)
{
    /*  A ROUTER numbers its connections from rand () on, and aborts when a peer
        has claimed the next number as its own routing id.  So it must not be
        possible to guess where the numbers begin.  */
    srand (randombytes_random ());
    /*  Else each connection has a buffer of 18 KB instead of 8, of which small
        messages, which are copied anyway when they are decrypted, keep all as
        long as they live.  A libzmq that does not know this is none the
        worse.  */
    zmq_ctx_set (zsys_init (), ZMQ_ZERO_COPY_RECV, 0);
    /*  Not zsock_new, which asserts that there is a descriptor left.  */
    void *handle = zmq_socket (zsys_init (), ZMQ_ROUTER);
    if (!handle)
        return sh_fail (why, SH_E_IO, "no socket: %s", zmq_strerror (errno));
    sh_err_t rc = SH_OK;
    if (!s_set_options (handle))
        rc = sh_fail (why, SH_E_IO, "socket option: %s", zmq_strerror (errno));
    if (rc == SH_OK)
        rc = hub_zap_protect (handle, self->secret_key, why);
    /*  Not when the last one was closed: libzmq lets go of it later.  */
    hub_knocks_clear (self->options.admitted);
    hub_greetings_clear (self->greetings);
    const sh_strings_t *endpoints = self->options.endpoints;
    for (size_t i = 0; rc == SH_OK && i < endpoints->count; i++)
        rc = s_bind (handle, endpoints->items[i], why);
    if (rc != SH_OK) {
        zmq_close (handle);
        return rc;
    }
    self->handle = handle;
    return SH_OK;
}

sh_err_t
hub_listener_new (hub_listener_t **out, const hub_listener_options_t *options,
                  sh_why_t *why)
{
    assert (out && options && options->endpoints && options->secret_key
            && options->putoff && options->admitted);
    hub_listener_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    self->options = *options;
    snprintf (self->secret_key, sizeof self->secret_key, "%s",
              options->secret_key);
    hub_ceiling_init (&self->ceiling, options->ceiling, options->keys);
    sh_err_t rc = hub_greetings_new (&self->greetings);
    if (rc != SH_OK)
        (void) sh_fail (why, rc, "out of memory");
    else
        rc = s_open (self, why);
    if (rc == SH_OK)
        *out = self;
    else
        hub_listener_destroy (&self);
    return rc;
}

void
hub_listener_destroy (hub_listener_t **self_p)
{
    hub_listener_t *self = *self_p;
    if (!self)
        return;
    if (self->handle)
        zmq_close (self->handle);
    hub_greetings_destroy (&self->greetings);
    sh_secret_wipe (self->secret_key, sizeof self->secret_key);
    free (self);
    *self_p = NULL;
}

hub_greetings_t *
hub_listener_greetings (hub_listener_t *self)
{
    return self->greetings;
}

void *
hub_listener_handle (const hub_listener_t *self)
{
    return self->handle;
}

int
hub_listener_patience (const hub_listener_t *self)
{
    return self->memory > self->ceiling.most / 2 ? LOOK_SOON_MS : LOOK_MS;
}

void
hub_listener_measure (const hub_listener_t *self, hub_meters_t *meters)
{
    hub_meters_set (meters, HUB_GAUGE_CEILING, self->ceiling.most);
    hub_meters_set (meters, HUB_GAUGE_CLOSINGS, self->closings);
    hub_meters_set (meters, HUB_GAUGE_DOOR_OPEN, self->handle != NULL);
}

/*  True if it is put off now.  That of a key with several holders is no reason
    for a longer time.  */
static bool
s_put_off (hub_listener_t *self, const char *because,
           const hub_holder_t *holder, const char *key, int64_t now)
{
    if (hub_putoff_left (self->options.putoff, key, now) > 0)
        return true;
    int64_t length = hub_putoff_key (self->options.putoff, key, now);
    if (length == 0)
        return false;
    sh_log (SH_LOG_WARNING, "a key is put off; is it a scanner of yours?",
            SH_STR ("because", because),
            SH_STR ("scanner", *holder->name ? holder->name : NULL),
            SH_STR ("key", key), SH_STR ("peer", holder->address),
            SH_INT ("held_mib", holder->held >> 20),
            SH_INT ("seconds", length / 1000));
    return true;
}

/*  Those that were let in since the ROUTER was opened, the latest first.  */
typedef struct
{
    hub_knock_t *items;
    size_t count;
} admitted_t;

/*  Connections that never said hello are of those that were let in more often
    than they did; the latest of them, until there are enough for all these
    connections.  'address' NULL: any.  */
static bool
s_put_off_lacking (hub_listener_t *self, const hub_holder_t *holder,
                   const char *address, const admitted_t *admitted,
                   int64_t now)
{
    bool any = false;
    uint64_t left = holder->connections;
    for (size_t i = 0; i < admitted->count && left > 0; i++) {
        const hub_knock_t *one = &admitted->items[i];
        uint64_t lacking = hub_greetings_lacking (self->greetings, one);
        if (lacking == 0 || (address && strcmp (one->address, address) != 0))
            continue;
        left -= lacking < left ? lacking : left;
        any |= s_put_off (self, "it was let in from where memory is held",
                          holder, one->key, now);
    }
    return any;
}

/*  A key that was let in from elsewhere since then is known by that address
    only.  */
static bool
s_put_off_address (hub_listener_t *self, const hub_holder_t *holder,
                   const admitted_t *admitted, int64_t now)
{
    return s_put_off_lacking (self, holder, holder->address, admitted, now)
           || s_put_off_lacking (self, holder, NULL, admitted, now);
}

/*  No connection sent much, or nobody knows whose it is.  What is held may be
    answers that nobody takes, and for much of that it takes many
    connections.  */
static void
s_put_off_busiest (hub_listener_t *self, const admitted_t *admitted,
                   int64_t now)
{
    const hub_knock_t *busiest = NULL;
    for (size_t i = 0; i < admitted->count; i++)
        if (!busiest || admitted->items[i].count > busiest->count)
            busiest = &admitted->items[i];
    if (!busiest || busiest->count < MANY_CONNECTIONS)
        return;
    hub_holder_t holder = { .held = 0 };
    memcpy (holder.address, busiest->address, sizeof holder.address);
    s_put_off (self, "it connected more often than any other", &holder,
               busiest->key, now);
}

static void
s_list_admitted (hub_listener_t *self, admitted_t *out)
{
    out->items = calloc (HUB_ADMITTED_MOST, sizeof *out->items);
    out->count = out->items ? hub_knocks_list (self->options.admitted,
                                               out->items, HUB_ADMITTED_MOST)
                            : 0;
}

static void
s_put_off_all (hub_listener_t *self, hub_sessions_t *sessions, int64_t now)
{
    hub_holder_t holders[HUB_HOLDERS_MOST];
    size_t count = hub_holders_find (holders, self->options.endpoints,
                                     sessions, self->greetings);
    admitted_t admitted;
    s_list_admitted (self, &admitted);
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any |= *holders[i].key
                   ? s_put_off (self, "its connections hold memory",
                                &holders[i], holders[i].key, now)
                   : s_put_off_address (self, &holders[i], &admitted, now);
    if (!any)
        s_put_off_busiest (self, &admitted, now);
    free (admitted.items);
}

static void
s_shut (hub_listener_t *self, hub_sessions_t *sessions, int64_t now)
{
    hub_sessions_close_all (sessions);
    int at_once = 0;
    zmq_setsockopt (self->handle, ZMQ_LINGER, &at_once, sizeof at_once);
    zmq_close (self->handle);
    self->handle = NULL;
    self->closed = now;
}

static void
s_close (hub_listener_t *self, hub_sessions_t *sessions, int64_t now)
{
    sh_log (SH_LOG_ERROR, "memory is above its ceiling: all connections are "
                          "closed, scanners come back and send again",
            SH_INT ("memory_mib", self->memory >> 20),
            SH_INT ("ceiling_mib", self->ceiling.most >> 20),
            SH_INT ("scanners", hub_sessions_size (sessions)),
            SH_INT ("number", ++self->closings));
    s_put_off_all (self, sessions, now);
    s_shut (self, sessions, now);
    self->reopen = now + hub_ceiling_pause (&self->ceiling, now);
}

void
hub_listener_rekey (hub_listener_t *self, const char *secret_key,
                    hub_sessions_t *sessions, int64_t now)
{
    assert (self && secret_key && sessions);
    snprintf (self->secret_key, sizeof self->secret_key, "%s", secret_key);
    if (!self->handle)
        return; /* it opens with this one */
    s_shut (self, sessions, now);
    self->reopen = now + AGAIN_MS;
}

/*  libzmq closes in threads of its own: for a moment the port is still taken,
    and the memory is given back piece by piece.  */
static void
s_reopen (hub_listener_t *self, int64_t now)
{
    sh_why_t why = { "" };
    self->reopen = now + AGAIN_MS;
    hub_memory_trim ();
    self->memory = hub_memory_used ();
    bool high = hub_ceiling_reached (&self->ceiling, self->memory, now);
    if (high && now - self->closed < GIVEN_BACK_MS)
        return;
    if (s_open (self, &why) != SH_OK) {
        sh_log (now - self->closed < GIVEN_BACK_MS ? SH_LOG_DEBUG
                                                   : SH_LOG_ERROR,
                "cannot listen again yet", SH_STR ("because", why.text));
        return;
    }
    self->next_look = 0;
    if (!high)
        return;
    hub_ceiling_rest (&self->ceiling, now);
    sh_log (SH_LOG_ERROR, "memory stays above its ceiling, and no connection "
                          "holds it; raise hub.memory_ceiling",
            SH_INT ("memory_mib", self->memory >> 20),
            SH_INT ("ceiling_mib", self->ceiling.most >> 20));
}

void
hub_listener_watch (hub_listener_t *self, hub_sessions_t *sessions,
                    int64_t now)
{
    if (!self->handle) {
        if (now >= self->reopen)
            s_reopen (self, now);
        return;
    }
    if (now < self->next_look)
        return;
    self->memory = hub_memory_used ();
    self->next_look = now + hub_listener_patience (self);
    if (hub_ceiling_reached (&self->ceiling, self->memory, now))
        s_close (self, sessions, now);
}
