/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/applier.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/applied.h"
#include "hub/applier_within.h"
#include "lib/log.h"

const char *
hub_apply_word (hub_apply_state_t state)
{
    static const char *const words[]
        = { "waiting", "running", "done", "failed" };
    assert (state <= HUB_APPLY_FAILED);
    return words[state];
}

/*  The place of the latest run of an entry, or HUB_APPLIER_MOST.  */
static size_t
s_find (const hub_applier_t *self, uint64_t number)
{
    size_t found = HUB_APPLIER_MOST;
    for (size_t i = 0; i < HUB_APPLIER_MOST; i++)
        if (self->turns[i] && self->items[i].number == number
            && (found == HUB_APPLIER_MOST
                || self->turns[i] > self->turns[found]))
            found = i;
    return found;
}

static bool
s_is_open (const hub_apply_t *one)
{
    return one->state == HUB_APPLY_WAITING || one->state == HUB_APPLY_RUNNING;
}

/*  Free, or else the oldest result; HUB_APPLIER_MOST: all are open.  */
static size_t
s_room (const hub_applier_t *self)
{
    size_t found = HUB_APPLIER_MOST;
    for (size_t i = 0; i < HUB_APPLIER_MOST; i++)
        if ((!self->turns[i] || !s_is_open (&self->items[i]))
            && (found == HUB_APPLIER_MOST
                || self->turns[i] < self->turns[found]))
            found = i;
    return found;
}

/*  The next one that waits, now running; HUB_APPLIER_MOST: the hub ends.  */
static size_t
s_next (hub_applier_t *self, hub_apply_t *out)
{
    size_t found = HUB_APPLIER_MOST;
    pthread_mutex_lock (&self->lock);
    while (!self->stopping && found == HUB_APPLIER_MOST) {
        for (size_t i = 0; i < HUB_APPLIER_MOST; i++)
            if (self->turns[i] && self->items[i].state == HUB_APPLY_WAITING
                && (found == HUB_APPLIER_MOST
                    || self->turns[i] < self->turns[found]))
                found = i;
        if (found == HUB_APPLIER_MOST)
            pthread_cond_wait (&self->wake, &self->lock);
    }
    if (self->stopping)
        found = HUB_APPLIER_MOST;
    else {
        self->items[found].state = HUB_APPLY_RUNNING;
        *out = self->items[found];
    }
    pthread_mutex_unlock (&self->lock);
    return found;
}

static void *
s_work (void *argument)
{
    hub_applier_t *self = argument;
    hub_apply_t *one = malloc (sizeof *one);
    size_t at;
    while (one && (at = s_next (self, one)) < HUB_APPLIER_MOST)
        hub_applier_work (self, at, one);
    free (one);
    return NULL;
}

sh_err_t
hub_applier_new (hub_applier_t **out, hub_previews_t *previews,
                 hub_pool_t *pool, hub_registry_t *registry,
                 const sh_clock_t *clock)
{
    assert (out && previews && pool && registry && clock);
    hub_applier_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->previews = previews;
    self->pool = pool;
    self->registry = registry;
    self->clock = clock;
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->wake, NULL);
    sh_err_t rc = hub_queue_new (&self->home, HUB_APPLIER_MOST, SIZE_MAX);
    if (rc == SH_OK) {
        self->running = pthread_create (&self->thread, NULL, s_work, self) == 0;
        rc = self->running ? SH_OK : SH_E_IO;
    }
    if (rc != SH_OK)
        hub_applier_destroy (&self);
    else
        *out = self;
    return rc;
}

void
hub_applier_stop (hub_applier_t *self)
{
    if (!self || !self->running)
        return;
    pthread_mutex_lock (&self->lock);
    self->stopping = true;
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->lock);
    pthread_join (self->thread, NULL);
    self->running = false;
}

void
hub_applier_destroy (hub_applier_t **self_p)
{
    hub_applier_t *self = *self_p;
    if (!self)
        return;
    hub_applier_stop (self);
    hub_queue_destroy (&self->home);
    for (size_t i = 0; i < HUB_APPLIER_MOST; i++)
        hub_applied_forget (&self->items[i]);
    pthread_cond_destroy (&self->wake);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

/*  Under the lock.  */
static sh_err_t
s_enter (hub_applier_t *self, const hub_preview_t *entry, sh_why_t *why)
{
    size_t at = s_find (self, entry->number);
    if (at < HUB_APPLIER_MOST && s_is_open (&self->items[at]))
        return sh_fail (why, SH_E_EXISTS,
                        "held report %llu is being applied already",
                        (unsigned long long) entry->number);
    at = s_room (self);
    if (at == HUB_APPLIER_MOST)
        return sh_fail (why, SH_E_OVERLOAD,
                        "%d held reports are being applied; try again later",
                        HUB_APPLIER_MOST);
    hub_applied_forget (&self->items[at]);
    self->items[at] = (hub_apply_t){ .number = entry->number,
                                     .parts = entry->parts,
                                     .subnet = entry->subnet };
    self->turns[at] = ++self->turn;
    pthread_cond_signal (&self->wake);
    return SH_OK;
}

sh_err_t
hub_applier_start (hub_applier_t *self, uint64_t number, sh_why_t *why)
{
    assert (self);
    hub_preview_t entry;
    if (number > 0)
        hub_previews_shown (self->previews, number);
    sh_err_t rc = hub_previews_find (self->previews, number, &entry, why);
    if (rc != SH_OK)
        return rc;
    pthread_mutex_lock (&self->lock);
    rc = s_enter (self, &entry, why);
    pthread_mutex_unlock (&self->lock);
    return rc;
}

/*  Under the lock, or it might be started in between.  */
sh_err_t
hub_applier_drop (hub_applier_t *self, uint64_t number, sh_why_t *why)
{
    assert (self);
    pthread_mutex_lock (&self->lock);
    size_t at = s_find (self, number);
    sh_err_t rc;
    if (at < HUB_APPLIER_MOST && s_is_open (&self->items[at]))
        rc = sh_fail (why, SH_E_EXISTS, "held report %llu is being applied",
                      (unsigned long long) number);
    else
        rc = hub_previews_drop (self->previews, number, NULL, why);
    pthread_mutex_unlock (&self->lock);
    if (rc == SH_OK)
        sh_log (SH_LOG_NOTICE, "held report dropped",
                SH_INT ("number", number));
    return rc;
}

bool
hub_applier_look (hub_applier_t *self, uint64_t number,
                  void (*see) (void *context, const hub_apply_t *one),
                  void *context)
{
    assert (self && see);
    pthread_mutex_lock (&self->lock);
    size_t at = s_find (self, number);
    if (at < HUB_APPLIER_MOST)
        see (context, &self->items[at]);
    pthread_mutex_unlock (&self->lock);
    return at < HUB_APPLIER_MOST;
}
