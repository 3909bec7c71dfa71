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
#include "scanner-proto/limits.h"

#define LOOK_MS 250       /* between two looks at the memory */
#define LOOK_SOON_MS 50   /* from half of the ceiling on */
#define AGAIN_MS 250      /* between two tries to open */
#define GIVEN_BACK_MS 3000 /* in which closing gives its memory back */
#define ADMITTED_MOST 1024 /* looked at, for whose a connection may be */
#define MANY_CONNECTIONS 16 /* of one key since the socket was opened */

_Static_assert (HUB_HOLDERS_MOST + ADMITTED_MOST <= HUB_PUTOFF_MOST,
                "whom one closing puts off has room");

struct hub_listener
{
    hub_listener_options_t options;
    void *handle; /* NULL while closed */
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
    /*  Not zsock_new, which asserts that there is a descriptor left.  */
    void *handle = zmq_socket (zsys_init (), ZMQ_ROUTER);
    if (!handle)
        return sh_fail (why, SH_E_IO, "no socket: %s", zmq_strerror (errno));
    sh_err_t rc = SH_OK;
    if (!s_set_options (handle))
        rc = sh_fail (why, SH_E_IO, "socket option: %s", zmq_strerror (errno));
    if (rc == SH_OK)
        rc = hub_zap_protect (handle, self->options.secret_key, why);
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
    hub_ceiling_init (&self->ceiling, options->ceiling, options->keys);
    sh_err_t rc = s_open (self, why);
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
    free (self);
    *self_p = NULL;
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
hub_listener_status (const hub_listener_t *self, char *out, size_t size)
{
    const uint64_t mib = 1024 * 1024;
    snprintf (out, size,
              "memory: %llu MiB, ceiling %llu MiB, reached %u times%s",
              (unsigned long long) (hub_memory_used () / mib),
              (unsigned long long) (self->ceiling.most / mib), self->closings,
              self->handle ? "" : "; the door is closed for a moment");
}

static void
s_put_off (hub_listener_t *self, const char *because,
           const hub_holder_t *holder, const char *key, int64_t now)
{
    int64_t length = hub_putoff_key (self->options.putoff, key, now);
    if (length == 0)
        return;
    sh_log (SH_LOG_WARNING, "a key is put off; is it a scanner of yours?",
            SH_STR ("because", because),
            SH_STR ("scanner", *holder->name ? holder->name : NULL),
            SH_STR ("key", key), SH_STR ("peer", holder->address),
            SH_INT ("held_mib", holder->held >> 20),
            SH_INT ("seconds", length / 1000));
}

/*  A connection that never sent a whole message: whoever was let in from its
    address, and has no session, may be the one.  */
static void
s_put_off_address (hub_listener_t *self, const hub_holder_t *holder,
                   hub_sessions_t *sessions, const hub_knock_t *knocks,
                   size_t count, int64_t now)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp (knocks[i].address, holder->address) == 0
            && !hub_sessions_find (sessions, knocks[i].key))
            s_put_off (self, "it has a connection from where memory is held",
                       holder, knocks[i].key, now);
}

/*  No connection sent much.  What is held may be answers that nobody takes, and
    for much of that it takes many connections.  */
static void
s_put_off_busiest (hub_listener_t *self, const hub_knock_t *knocks,
                   size_t count, int64_t now)
{
    const hub_knock_t *busiest = NULL;
    for (size_t i = 0; i < count; i++)
        if (!busiest || knocks[i].count > busiest->count)
            busiest = &knocks[i];
    if (!busiest || busiest->count < MANY_CONNECTIONS)
        return;
    hub_holder_t holder = { .held = 0 };
    memcpy (holder.address, busiest->address, sizeof holder.address);
    s_put_off (self, "it connected more often than any other", &holder,
               busiest->key, now);
}

static void
s_put_off_all (hub_listener_t *self, hub_sessions_t *sessions, int64_t now)
{
    hub_holder_t holders[HUB_HOLDERS_MOST];
    size_t count
        = hub_holders_find (holders, self->options.endpoints, sessions);
    hub_knock_t *knocks = calloc (ADMITTED_MOST, sizeof *knocks);
    size_t knock_count = knocks ? hub_knocks_list (self->options.admitted,
                                                   knocks, ADMITTED_MOST)
                                : 0;
    for (size_t i = 0; i < count; i++) {
        if (*holders[i].key)
            s_put_off (self, "its connections hold memory", &holders[i],
                       holders[i].key, now);
        else
            s_put_off_address (self, &holders[i], sessions, knocks,
                               knock_count, now);
    }
    if (count == 0)
        s_put_off_busiest (self, knocks, knock_count, now);
    free (knocks);
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
    hub_knocks_clear (self->options.admitted);
    hub_sessions_close_all (sessions);
    int at_once = 0;
    zmq_setsockopt (self->handle, ZMQ_LINGER, &at_once, sizeof at_once);
    zmq_close (self->handle);
    self->handle = NULL;
    self->closed = now;
    self->reopen = now + hub_ceiling_pause (&self->ceiling, now);
}

/*  libzmq closes in threads of its own: for a moment the port is still taken,
    and the memory is given back piece by piece.  */
static void
s_reopen (hub_listener_t *self, int64_t now)
{
    sh_why_t why = { "" };
    self->reopen = now + AGAIN_MS;
    hub_memory_trim ();
    bool high = hub_ceiling_reached (&self->ceiling, hub_memory_used (), now);
    if (high && now - self->closed < GIVEN_BACK_MS)
        return;
    if (s_open (self, &why) != SH_OK) {
        sh_log (now - self->closed < GIVEN_BACK_MS ? SH_LOG_DEBUG
                                                   : SH_LOG_ERROR,
                "cannot listen again yet", SH_STR ("because", why.text));
        return;
    }
    self->memory = hub_memory_used ();
    self->next_look = 0;
    if (!high)
        return;
    hub_ceiling_rest (&self->ceiling, now);
    sh_log (SH_LOG_ERROR, "memory stays above its ceiling, and no connection "
                          "holds it; raise hub.memory_ceiling",
            SH_INT ("memory_mib", self->memory >> 20),
            SH_INT ("ceiling_mib", self->ceiling.most >> 20));
}

bool
hub_listener_watch (hub_listener_t *self, hub_sessions_t *sessions,
                    int64_t now)
{
    if (!self->handle) {
        if (now >= self->reopen)
            s_reopen (self, now);
        return false;
    }
    if (now < self->next_look)
        return false;
    self->memory = hub_memory_used ();
    self->next_look = now + hub_listener_patience (self);
    if (!hub_ceiling_reached (&self->ceiling, self->memory, now))
        return false;
    s_close (self, sessions, now);
    return true;
}
