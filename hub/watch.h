/* SPDX-License-Identifier: MPL-2.0 */
/*  The watcher: a thread with a database connection of its own that reads the
    assignments every five seconds and whenever it is poked, puts them into
    hub_live_t, says when the database comes and goes, and in which zone
    phpIPAM's times are.  */

#ifndef HUB_WATCH_H
#define HUB_WATCH_H

#include "hub/live.h"
#include "hub/pulse.h"
#include "hub/store.h"

typedef struct hub_watch hub_watch_t;

/*  'store' becomes the watcher's.  'looked' (an eventfd of the router) is
    written to after every look, whatever came of it.  'beat' may be NULL.
    SH_E_MEMORY, SH_E_IO.  */
sh_err_t hub_watch_new (hub_watch_t **out, hub_store_t **store_p,
                        hub_live_t *live, hub_beat_t *beat,
                        const sh_clock_t *clock, int looked) SH_MUST_CHECK;
/*  Stops and joins the thread.  */
void hub_watch_destroy (hub_watch_t **self_p);

/*  Look now, not in five seconds.  Any thread.  */
void hub_watch_poke (hub_watch_t *self);

/*  When the last look that is over began (mono ms); 0 before the first.  */
int64_t hub_watch_began (hub_watch_t *self);

#define HUB_WATCH_MS 5000

#endif
