/* SPDX-License-Identifier: MPL-2.0 */
/*  What the files of hub/applier.h share.  */

#ifndef HUB_APPLIER_WITHIN_H
#define HUB_APPLIER_WITHIN_H

#include <pthread.h>

#include "hub/applier.h"

struct hub_applier
{
    hub_previews_t *previews;
    hub_pool_t *pool;
    hub_registry_t *registry;
    const sh_clock_t *clock;
    hub_queue_t *home;
    pthread_t thread;
    bool running;

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t wake;
    bool stopping;
    /*  Those that wait are worked in their order; the oldest result gives way
        to a new one.  */
    hub_apply_t items[HUB_APPLIER_MOST];
    uint64_t turns[HUB_APPLIER_MOST]; /* order of starting; 0: free */
    uint64_t turn;
};

/*  Take the entry at this place, which is running, to its end; 'one' is a copy
    that is shown from time to time.  */
void hub_applier_work (hub_applier_t *self, size_t at, hub_apply_t *one);

#endif
