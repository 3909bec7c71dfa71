/* SPDX-License-Identifier: MPL-2.0 */
/*  The workers: threads with a database connection each.  Jobs of one shard
    (one subnet) go to one worker, in order.  */

#ifndef HUB_POOL_H
#define HUB_POOL_H

#include "hub/config.h"
#include "hub/journal.h"
#include "hub/live.h"
#include "hub/previews.h"
#include "hub/pulse.h"
#include "hub/queue.h"
#include "hub/registry.h"
#include "lib/clock.h"

typedef struct hub_pool hub_pool_t;

/*  All of it is borrowed and outlives the pool.  */
typedef struct
{
    const hub_config_t *config;
    hub_registry_t *registry;
    hub_live_t *live;
    hub_pulse_t *pulse;     /* each worker has a beat in it; or NULL */
    hub_journal_t *journal; /* what was done; NULL: none is kept */
    hub_previews_t *previews; /* what is held */
    const sh_clock_t *clock;
} hub_pool_options_t;

/*  Starts config->workers threads.  */
sh_err_t hub_pool_new (hub_pool_t **out, const hub_pool_options_t *options)
    SH_MUST_CHECK;
/*  Ends the threads after the job at hand; jobs still queued are destroyed
    unanswered, so drain first.  */
void hub_pool_destroy (hub_pool_t **self_p);

/*  Hand a job over; it comes back through job->home.  False (and the job
    stays the caller's) when its worker has too much to do, which for a
    HUB_JOB_TOUCH is the case sooner.  */
bool hub_pool_submit (hub_pool_t *self, hub_job_t *job) SH_MUST_CHECK;

/*  In how many ms a job of that shard that found no room should come again
    (hub/turns.h).  The router's thread alone may ask.  */
int64_t hub_pool_turn (hub_pool_t *self, uint64_t shard);

size_t hub_pool_depth (hub_pool_t *self);

/*  How it is with one worker.  */
typedef struct
{
    size_t waiting; /* jobs */
    size_t jobs;    /* that it has in hand; 0: it waits for some */
    int64_t since;  /* mono ms since when it has them */
} hub_worker_state_t;

size_t hub_pool_size (const hub_pool_t *self);
void hub_pool_look (hub_pool_t *self, size_t at, hub_worker_state_t *out);

#endif
