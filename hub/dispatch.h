/* SPDX-License-Identifier: MPL-2.0 */
/*  dispatch: the jobs that the router hands to the workers, and their answers
    when they come back.  Belongs to the router's thread.  */

#ifndef HUB_DISPATCH_H
#define HUB_DISPATCH_H

#include "hub/letter.h"
#include "hub/live.h"
#include "hub/pool.h"
#include "hub/registry.h"
#include "lib/clock.h"

typedef struct
{
    const hub_speech_t *speech; /* all borrowed */
    hub_pool_t *pool;
    hub_queue_t *home; /* where answered jobs come back to */
    hub_registry_t *registry;
    hub_live_t *live;
    const sh_clock_t *clock;
    bool closed;      /* the hub is stopping: nothing more is taken */
    size_t out;       /* jobs that wait for their answer */
    int64_t returned; /* mono ms of the last job that came back */
} hub_dispatch_t;

/*  Make a job of the letter and hand it over.  What finds no room is answered:
    the sender keeps it for later.  */
void hub_dispatch_submit (hub_dispatch_t *self, const hub_letter_t *letter,
                          hub_job_kind_t kind);

/*  Several times a second, at 'now' (mono ms): have last_access written for the
    agents of scanners that were heard, once a minute each.  When many are due
    at once, as after a restart, some wait: those that were written longest ago
    come first, and reports have room.  */
void hub_dispatch_touch_due (hub_dispatch_t *self, int64_t now);

/*  Send the answers of jobs that have come back.  */
void hub_dispatch_take_back (hub_dispatch_t *self);

/*  Is no job out, and the last answer some time ago?  libzmq drops what it has
    not yet written when a socket is closed, even with a LINGER.  */
bool hub_dispatch_is_quiet (const hub_dispatch_t *self);

#endif
