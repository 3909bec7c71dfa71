/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/unfinished.h"

#include <string.h>

/*  Its place, or HUB_UNFINISHED_MOST.  */
static size_t
s_find (const hub_unfinished_t *self, uint64_t subnet,
        const sp_report_t *report)
{
    for (size_t i = 0; i < HUB_UNFINISHED_MOST; i++) {
        const hub_unfinished_item_t *one = &self->items[i];
        if (one->subnet == subnet && one->part == report->part
            && report->id.size == sizeof one->id
            && memcmp (one->id, report->id.data, sizeof one->id) == 0)
            return i;
    }
    return HUB_UNFINISHED_MOST;
}

bool
hub_unfinished_find (const hub_unfinished_t *self, uint64_t subnet,
                     const sp_report_t *report, hub_place_t *place)
{
    size_t at = subnet ? s_find (self, subnet, report) : HUB_UNFINISHED_MOST;
    if (at == HUB_UNFINISHED_MOST)
        return false;
    *place = self->items[at].place;
    return true;
}

void
hub_unfinished_note (hub_unfinished_t *self, uint64_t subnet,
                     const sp_report_t *report, const hub_place_t *place)
{
    if (!subnet || report->id.size != SP_REPORT_ID)
        return;
    hub_unfinished_item_t fresh
        = { .subnet = subnet, .part = report->part, .place = *place };
    memcpy (fresh.id, report->id.data, sizeof fresh.id);
    size_t at = s_find (self, subnet, report);
    if (at == HUB_UNFINISHED_MOST)
        at--; /* the oldest, or a free one */
    memmove (self->items + 1, self->items, at * sizeof *self->items);
    self->items[0] = fresh;
}

void
hub_unfinished_forget (hub_unfinished_t *self, uint64_t subnet,
                       const sp_report_t *report)
{
    size_t at = s_find (self, subnet, report);
    if (at == HUB_UNFINISHED_MOST)
        return;
    memmove (self->items + at, self->items + at + 1,
             (HUB_UNFINISHED_MOST - 1 - at) * sizeof *self->items);
    self->items[HUB_UNFINISHED_MOST - 1] = (hub_unfinished_item_t){ 0 };
}
