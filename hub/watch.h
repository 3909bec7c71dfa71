/* SPDX-License-Identifier: MPL-2.0 */
/*  The watcher: a thread with a database connection of its own that reads the
    assignments every five seconds, puts them into hub_live_t, says when the
    database comes and goes, and in which zone phpIPAM's times are.  */

#ifndef HUB_WATCH_H
#define HUB_WATCH_H

#include "hub/live.h"
#include "hub/store.h"

typedef struct hub_watch hub_watch_t;

/*  'store' becomes the watcher's.  'changed' (an eventfd of the router) is
    written to when the assignments changed.  SH_E_MEMORY, SH_E_IO.  */
sh_err_t hub_watch_new (hub_watch_t **out, hub_store_t **store_p,
                        hub_live_t *live, const sh_clock_t *clock,
                        int changed) SH_MUST_CHECK;
/*  Stops and joins the thread.  */
void hub_watch_destroy (hub_watch_t **self_p);

/*  Read now, not in five seconds.  */
void hub_watch_poke (hub_watch_t *self);

#define HUB_WATCH_MS 5000

#endif
