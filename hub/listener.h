/* SPDX-License-Identifier: MPL-2.0 */
/*  The ROUTER socket that scanners connect to: bounded, protected by CURVE and
    ZAP, and only then bound.  When the hub's memory is above its ceiling it is
    closed, which gives back all that peers have made it hold, and after a pause
    opened again, in just the same way.  Those whose connections held most are
    put off.  Belongs to the router's thread.  */

#ifndef HUB_LISTENER_H
#define HUB_LISTENER_H

#include <czmq.h>

#include "hub/knocks.h"
#include "hub/meters.h"
#include "hub/putoff.h"
#include "hub/greetings.h"
#include "hub/sessions.h"
#include "lib/config.h"

typedef struct
{
    const sh_strings_t *endpoints;
    const char *secret_key; /* copied */
    uint32_t ceiling;       /* MiB; 0: by the number of keys */
    size_t keys;            /* in the registry */
    hub_putoff_t *putoff;   /* shared with the ZAP actor */
    hub_knocks_t *admitted; /* likewise: who was let in from where */
} hub_listener_options_t;

typedef struct hub_listener hub_listener_t;

/*  The ZAP actor must be running.  What 'options' point to outlives it.
    SH_E_IO, SH_E_CONFIG, SH_E_MEMORY with a sentence for the operator.  */
sh_err_t hub_listener_new (hub_listener_t **out,
                           const hub_listener_options_t *options,
                           sh_why_t *why) SH_MUST_CHECK;
void hub_listener_destroy (hub_listener_t **self_p);

/*  The socket, raw; NULL while it is closed.  */
void *hub_listener_handle (const hub_listener_t *self);

/*  Look at the memory, and open the socket again if it is time; call it at
    least every hub_listener_patience ms ('now': mono ms).  If the socket has to
    be closed, all connections of 'sessions' are gone.  */
void hub_listener_watch (hub_listener_t *self, hub_sessions_t *sessions,
                         int64_t now);
int hub_listener_patience (const hub_listener_t *self);

/*  The hub has another key: all connections are closed, and those that come
    when the socket is open again meet that one.  */
void hub_listener_rekey (hub_listener_t *self, const char *secret_key,
                         hub_sessions_t *sessions, int64_t now);

/*  Where to note who says hello.  */
hub_greetings_t *hub_listener_greetings (hub_listener_t *self);

/*  How it is with memory: into the gauges.  */
void hub_listener_measure (const hub_listener_t *self, hub_meters_t *meters);

#endif
