/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/coverage.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/*  Ascending by subnet: a new one comes seldom, and is looked for often.  */
struct hub_coverage
{
    pthread_mutex_t lock;
    hub_subnet_state_t *items;
    size_t count, room, most;
};

sh_err_t
hub_coverage_new (hub_coverage_t **out, size_t most)
{
    assert (out && most > 0);
    hub_coverage_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->most = most;
    pthread_mutex_init (&self->lock, NULL);
    *out = self;
    return SH_OK;
}

void
hub_coverage_destroy (hub_coverage_t **self_p)
{
    hub_coverage_t *self = *self_p;
    if (!self)
        return;
    free (self->items);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

/*  Where the subnet is, or would be.  */
static size_t
s_place (const hub_coverage_t *self, uint64_t subnet)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->items[middle].subnet < subnet)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
s_forget_oldest (hub_coverage_t *self)
{
    size_t oldest = 0;
    for (size_t i = 1; i < self->count; i++)
        if (self->items[i].reported < self->items[oldest].reported)
            oldest = i;
    self->count--;
    memmove (&self->items[oldest], &self->items[oldest + 1],
             (self->count - oldest) * sizeof *self->items);
}

static bool
s_make_room (hub_coverage_t *self)
{
    if (self->count == self->most)
        s_forget_oldest (self);
    if (self->count < self->room)
        return true;
    size_t room = self->room ? self->room * 2 : 64;
    hub_subnet_state_t *items = realloc (self->items, room * sizeof *items);
    if (!items)
        return false;
    self->items = items;
    self->room = room;
    return true;
}

/*  NULL: no memory.  */
static hub_subnet_state_t *
s_item (hub_coverage_t *self, uint64_t subnet)
{
    size_t at = s_place (self, subnet);
    if (at < self->count && self->items[at].subnet == subnet)
        return &self->items[at];
    if (!s_make_room (self))
        return NULL;
    at = s_place (self, subnet); /* the oldest may have been in front of it */
    memmove (&self->items[at + 1], &self->items[at],
             (self->count - at) * sizeof *self->items);
    self->count++;
    self->items[at] = (hub_subnet_state_t){ .subnet = subnet };
    return &self->items[at];
}

/*  A scan is written, or kept for preview, when its closing part is.  */
static void
s_note_scan (hub_subnet_state_t *item, const sp_report_t *report)
{
    int64_t begun = report->started + report->off;
    if (report->kind != SP_KIND_CHECK && begun > item->discovered)
        item->discovered = begun;
    if (report->kind != SP_KIND_DISCOVER && begun > item->checked)
        item->checked = begun;
}

void
hub_coverage_report (hub_coverage_t *self, const hub_principal_t *who,
                     const sp_report_t *report, uint64_t subnet,
                     sp_result_t result, sh_err_t cause, int64_t now)
{
    assert (self && who && report);
    if (subnet == 0)
        return;
    pthread_mutex_lock (&self->lock);
    hub_subnet_state_t *item = s_item (self, subnet);
    if (item) {
        memcpy (item->scanner, who->name, sizeof item->scanner);
        item->reported = now;
        item->result = result;
        item->cause = cause;
        if (report->last && (result == SP_APPLIED || result == SP_NOTED))
            s_note_scan (item, report);
    }
    pthread_mutex_unlock (&self->lock);
}

bool
hub_coverage_find (hub_coverage_t *self, uint64_t subnet,
                   hub_subnet_state_t *out)
{
    pthread_mutex_lock (&self->lock);
    size_t at = s_place (self, subnet);
    bool found = at < self->count && self->items[at].subnet == subnet;
    if (found)
        *out = self->items[at];
    pthread_mutex_unlock (&self->lock);
    return found;
}
