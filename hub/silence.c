/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/silence.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hub_silence
{
    pthread_mutex_t lock;
    hub_last_access_t *items;
    size_t count;
};

sh_err_t
hub_silence_new (hub_silence_t **out)
{
    assert (out);
    hub_silence_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    pthread_mutex_init (&self->lock, NULL);
    *out = self;
    return SH_OK;
}

void
hub_silence_destroy (hub_silence_t **self_p)
{
    hub_silence_t *self = *self_p;
    if (!self)
        return;
    free (self->items);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

void
hub_silence_note (hub_silence_t *self, const hub_plan_t *plan, sh_zone_t zone)
{
    assert (self && plan);
    size_t count = 0;
    hub_last_access_t *items = calloc (plan->agent_count + 1, sizeof *items);
    if (!items)
        return;
    for (size_t i = 0; i < plan->agent_count; i++) {
        const hub_known_agent_t *agent = &plan->agents[i];
        if (!agent->eligible || !*agent->code)
            continue;
        hub_last_access_t *item = &items[count++];
        item->agent = agent->id;
        snprintf (item->name, sizeof item->name, "%s", agent->name);
        if (!sh_wall_epoch (&item->last_access, zone, agent->last_access))
            item->last_access = 0;
    }
    pthread_mutex_lock (&self->lock);
    hub_last_access_t *old = self->items;
    self->items = items;
    self->count = count;
    pthread_mutex_unlock (&self->lock);
    free (old);
}

size_t
hub_silence_list (hub_silence_t *self, hub_last_access_t **out)
{
    pthread_mutex_lock (&self->lock);
    size_t count = self->count;
    *out = count ? calloc (count, sizeof **out) : NULL;
    if (*out)
        memcpy (*out, self->items, count * sizeof **out);
    else
        count = 0;
    pthread_mutex_unlock (&self->lock);
    return count;
}
