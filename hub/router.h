/* SPDX-License-Identifier: MPL-2.0 */
/*  The CURVE door: an actor that owns the ROUTER socket and the sessions of
    the scanners.  It checks the key of every message against the registry,
    answers what needs no database itself, and hands reports and targets to
    the pool.

    zactor_new returns when the socket is bound, or with 'err' set.  Commands
    on its pipe: "DRAIN" stops taking reports and answers "DRAINED" when no
    job is out or after ten seconds; HUB_ROUTER_TOLD answers with how many
    scanners are connected, and how many of them know the hub's next key; those
    of hub/foreman.h answer as is said there; "$TERM" ends it.  What it has to
    say of itself it puts into the live's meters and roster.  */

#ifndef HUB_ROUTER_H
#define HUB_ROUTER_H

#include <czmq.h>

#include "hub/keychange.h"
#include "hub/knocks.h"
#include "hub/pool.h"
#include "hub/pulse.h"
#include "hub/putoff.h"
#include "hub/watch.h"

#define HUB_ROUTER_TOLD "TOLD"

typedef struct
{
    const hub_config_t *config;
    hub_keychange_t *key;
    hub_registry_t *registry;
    hub_pool_t *pool;
    hub_live_t *live;
    const sh_clock_t *clock;
    hub_watch_t *watch;
    int looked; /* eventfd: the watcher has looked at the assignments */
    hub_putoff_t *putoff;   /* these two are shared with the ZAP actor */
    hub_knocks_t *admitted;
    hub_beat_t *beat;  /* may be NULL */
    hub_queue_t *home; /* where answered jobs come back to; outlives the pool */
    sh_err_t err;  /* out, set before the actor signals */
    sh_why_t why;  /* out */
} hub_router_args_t;

void hub_router_actor (zsock_t *pipe, void *args);

#endif
