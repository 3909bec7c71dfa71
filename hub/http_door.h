/* SPDX-License-Identifier: MPL-2.0 */
/*  The HTTP door inside scanhubd: an actor that runs the shim (shim/door.h)
    with the hub's own pool as its way to the database.  Behind the door a
    report takes the same road as one that came over CURVE.

    zactor_new returns when the door listens, or with 'err' set.  Commands on
    its pipe: "RELOAD" takes tokens, certificate and the like from
    args->fresh and answers with one string, "" or the error; "STATUS" answers
    with one string for people; "$TERM" ends it, spooling what is unanswered.

    Built without the shim, it only says so.  */

#ifndef HUB_HTTP_DOOR_H
#define HUB_HTTP_DOOR_H

#include <czmq.h>

#include "hub/pool.h"
#include "hub/pulse.h"

typedef struct
{
    const hub_config_t *config;
    hub_pool_t *pool;
    const sh_clock_t *clock;
    hub_beat_t *beat;  /* may be NULL */
    hub_meters_t *meters; /* where its gauges go */
    hub_queue_t *home; /* where answered jobs come back to; outlives the pool */
    const hub_config_t *fresh; /* for "RELOAD"; main waits for the answer */
    sh_err_t err; /* out, set before the actor signals */
    sh_why_t why; /* out */
} hub_http_door_args_t;

void hub_http_door_actor (zsock_t *pipe, void *args);

#endif
