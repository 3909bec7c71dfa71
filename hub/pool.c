/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "hub/intake.h"
#include "hub/turns.h"

/*  What may wait for one worker.  The door answers "overloaded" beyond, and
    the scanner keeps the report: better there than in our memory.  */
#define QUEUE_JOBS 64
#define QUEUE_BYTES (8 * 1024 * 1024)
/*  And for all of them, in frames; many workers have less each.  A part of
    the largest size always fits an empty queue.  */
#define QUEUES_BYTES (64 * 1024 * 1024)
/*  last_access can wait, reports should not be turned away for it: with five
    hundred scanners that connect at once it would fill the queues.  */
#define QUEUE_TOUCHES 16
#define WAIT_MS 1000
#define EACH 4 /* jobs of one principal in a batch */

typedef struct
{
    hub_pool_t *pool;
    hub_queue_t *queue;
    hub_store_t *store;
    hub_intake_t *intake;
    hub_beat_t *beat;
    pthread_t thread;
    bool running;
    hub_turns_t turns;
    /*  For those who look.  */
    _Atomic size_t jobs;
    _Atomic int64_t since;
} worker_t;

struct hub_pool
{
    hub_pool_options_t options;
    worker_t *workers;
    size_t count;
    atomic_bool stopping;
};

/*  A token was checked by its door when the request came in; a key is looked
    up again.  Whoever speaks for others must not speak for a scanner that has
    a key: that would put the code, which is no secret, in the key's place.  */
static sh_err_t
s_allows (void *context, const hub_principal_t *who, const char *code)
{
    hub_pool_t *self = context;
    if (who->door == HUB_DOOR_CURVE
        && !hub_registry_allows (self->options.registry, who->key, code))
        return SH_E_KEY_UNKNOWN;
    if ((who->door != HUB_DOOR_CURVE || who->shim)
        && hub_registry_reserves (self->options.registry, code))
        return SH_E_CODE_HAS_KEY;
    return SH_OK;
}

static bool
s_ended (void *context)
{
    hub_pool_t *self = context;
    return atomic_load (&self->stopping);
}

static void
s_send_home (hub_job_t *job)
{
    if (!job->home || !hub_queue_put (job->home, job))
        hub_job_destroy (&job);
}

static void *
s_work (void *argument)
{
    worker_t *self = argument;
    hub_job_t *jobs[HUB_BATCH_MOST];
    hub_beat_begin (self->beat);
    while (!hub_queue_done (self->queue)) {
        hub_beat_idle (self->beat);
        size_t count
            = hub_queue_take (self->queue, jobs, HUB_BATCH_MOST, EACH,
                              WAIT_MS);
        hub_beat_work (self->beat);
        if (count) {
            int64_t now = sh_clock_mono (self->pool->options.clock);
            hub_turns_begin (&self->turns, now);
            atomic_store (&self->since, now);
            atomic_store (&self->jobs, count);
        }
        if (count && !atomic_load (&self->pool->stopping))
            hub_intake_batch (self->intake, jobs, count);
        for (size_t i = 0; i < count; i++)
            s_send_home (jobs[i]);
        hub_intake_after (self->intake);
        if (count)
            hub_turns_end (&self->turns, count,
                           sh_clock_mono (self->pool->options.clock));
        atomic_store (&self->jobs, 0);
    }
    hub_beat_leave (self->beat);
    return NULL;
}

static sh_err_t
s_prepare (hub_pool_t *self, worker_t *worker)
{
    const hub_pool_options_t *its = &self->options;
    const hub_config_t *config = its->config;
    size_t share = QUEUES_BYTES / config->workers;
    worker->pool = self;
    worker->beat = hub_pulse_join (its->pulse, "worker",
                                   (unsigned) (worker - self->workers) + 1);
    sh_err_t rc = hub_queue_new (&worker->queue, QUEUE_JOBS,
                                 share < QUEUE_BYTES ? share : QUEUE_BYTES);
    if (rc == SH_OK)
        rc = hub_store_mariadb_new (&worker->store, &config->database,
                                    its->clock);
    if (rc == SH_OK)
        worker->store->set_beat (worker->store, worker->beat);
    hub_intake_options_t options = {
        .store = worker->store,
        .live = its->live,
        .journal = its->journal,
        .previews = its->previews,
        .clock = its->clock,
        .allows = s_allows,
        .allows_context = self,
        .ended = s_ended,
    };
    if (rc == SH_OK)
        rc = hub_intake_new (&worker->intake, &options);
    return rc;
}

sh_err_t
hub_pool_new (hub_pool_t **out, const hub_pool_options_t *options)
{
    assert (out && options && options->config && options->registry);
    assert (options->live && options->previews && options->clock);
    uint32_t count = options->config->workers;
    hub_pool_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->options = *options;
    atomic_init (&self->stopping, false);
    self->workers = calloc (count, sizeof *self->workers);
    sh_err_t rc = self->workers ? SH_OK : SH_E_MEMORY;

    /*  All stores before the first thread: the connector's library is
        initialised by the first one.  */
    for (; rc == SH_OK && self->count < count; self->count++)
        rc = s_prepare (self, &self->workers[self->count]);
    for (size_t i = 0; rc == SH_OK && i < self->count; i++) {
        worker_t *worker = &self->workers[i];
        worker->running
            = pthread_create (&worker->thread, NULL, s_work, worker) == 0;
        if (!worker->running)
            rc = SH_E_IO;
    }
    if (rc != SH_OK) {
        hub_pool_destroy (&self);
        return rc;
    }
    *out = self;
    return SH_OK;
}

void
hub_pool_destroy (hub_pool_t **self_p)
{
    hub_pool_t *self = *self_p;
    if (!self)
        return;
    atomic_store (&self->stopping, true);
    for (size_t i = 0; i < self->count; i++)
        if (self->workers[i].queue)
            hub_queue_close (self->workers[i].queue);
    for (size_t i = 0; i < self->count; i++) {
        worker_t *worker = &self->workers[i];
        if (worker->running)
            pthread_join (worker->thread, NULL);
        hub_intake_destroy (&worker->intake);
        if (worker->store)
            worker->store->destroy (&worker->store);
        hub_queue_destroy (&worker->queue);
    }
    free (self->workers);
    free (self);
    *self_p = NULL;
}

/*  Fibonacci hashing: neighbouring subnet ids go to different workers.  */
static worker_t *
s_worker_of (hub_pool_t *self, uint64_t shard)
{
    uint64_t hash = shard * UINT64_C (0x9e3779b97f4a7c15);
    return &self->workers[(hash >> 32) % self->count];
}

int64_t
hub_pool_turn (hub_pool_t *self, uint64_t shard)
{
    worker_t *worker = s_worker_of (self, shard);
    return hub_turns_give (&worker->turns, hub_queue_depth (worker->queue),
                           sh_clock_mono (self->options.clock));
}

bool
hub_pool_submit (hub_pool_t *self, hub_job_t *job)
{
    worker_t *worker = s_worker_of (self, job->shard);
    if (job->kind == HUB_JOB_TOUCH
        && hub_queue_depth (worker->queue) >= QUEUE_TOUCHES)
        return false;
    return hub_queue_put (worker->queue, job);
}

size_t
hub_pool_depth (hub_pool_t *self)
{
    size_t depth = 0;
    for (size_t i = 0; i < self->count; i++)
        depth += hub_queue_depth (self->workers[i].queue);
    return depth;
}

size_t
hub_pool_size (const hub_pool_t *self)
{
    return self->count;
}

void
hub_pool_look (hub_pool_t *self, size_t at, hub_worker_state_t *out)
{
    assert (self && at < self->count && out);
    worker_t *worker = &self->workers[at];
    *out = (hub_worker_state_t){
        .waiting = hub_queue_depth (worker->queue),
        .jobs = atomic_load (&worker->jobs),
        .since = atomic_load (&worker->since),
    };
}
