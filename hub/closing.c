/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/closing.h"

#include <assert.h>

#include "hub/hold.h"

/*  Rows that a closing part reads at once, and how often in one transaction,
    for which others of the same worker wait: half a /16.  */
#define SLICE_MOST 8192
#define SLICES_MOST 4

/*  The next covered rows, from range->first on, which moves behind them.
    Without a range there are none.  */
static sh_err_t
s_read_slice (hub_closing_t *self, hub_part_t *part, hub_range_t *range,
              bool *more)
{
    hub_store_t *store = self->writer->store;
    hub_changes_destroy (&part->changes);
    hub_rows_destroy (&part->rows);
    *more = false;
    if (!range)
        return hub_rows_none (&part->rows);
    sh_err_t rc = store->read_range (store, part->subnet_id, range,
                                     &part->rows, more);
    if (rc == SH_OK && *more) {
        range->first = part->rows->items[part->rows->count - 1].ip;
        *more = sh_addr_next (&range->first);
    }
    return rc;
}

/*  Before any of it is written: how many hosts of the subnet count as online,
    and how many would go.  '*whole' says that all of its rows fitted one slice,
    so that what was planned for it is the plan.  */
static sh_err_t
s_count (hub_closing_t *self, hub_part_t *part, hub_place_t *place,
         bool *whole)
{
    const sh_prefix_t *prefix = &part->subnet.prefix;
    hub_range_t range = { .first = place->next,
                          .last = sh_prefix_last (prefix),
                          .most = SLICE_MOST };
    bool more = true;
    sh_err_t rc = SH_OK;
    while (rc == SH_OK && more && part->slices < SLICES_MOST) {
        *whole = sh_addr_cmp (&range.first, &prefix->base) == 0;
        part->slices++;
        rc = s_read_slice (self, part, &range, &more);
        if (rc == SH_OK)
            rc = hub_writer_plan (self->writer, part);
        if (rc == SH_OK)
            rc = hub_hold_count (part, place);
    }
    *whole = *whole && !more;
    place->next = range.first;
    place->counted = !more;
    return rc;
}

static sh_err_t
s_write_slices (hub_closing_t *self, hub_part_t *part, hub_range_t *range,
                hub_place_t *place)
{
    sh_err_t rc = SH_OK;
    bool more = true;
    range->first = place->next;
    while (rc == SH_OK && more && part->slices < SLICES_MOST) {
        part->slices++;
        rc = s_read_slice (self, part, range, &more);
        if (rc == SH_OK)
            rc = hub_writer_plan (self->writer, part);
        if (rc == SH_OK)
            rc = hub_writer_apply (self->writer, part);
        if (rc == SH_OK)
            part->offline += part->changes->offline_count;
    }
    place->next = range->first;
    part->unfinished = rc == SH_OK && more;
    return rc;
}

/*  What is planned is decided on and written.  */
static sh_err_t
s_close_at_once (hub_closing_t *self, hub_part_t *part,
                 const hub_facts_t *facts, const hub_place_t *place)
{
    sh_err_t rc = hub_hold_closing (part, facts, place);
    if (rc == SH_OK)
        rc = hub_writer_apply (self->writer, part);
    if (rc == SH_OK)
        part->offline += part->changes->offline_count;
    return rc;
}

/*  Where it goes on, or else begins: with the whole subnet, if its rows are to
    be counted.  */
static void
s_place (hub_closing_t *self, const hub_part_t *part, const hub_facts_t *facts,
         const hub_range_t *range, hub_place_t *place)
{
    if (hub_unfinished_find (&self->unfinished, part->subnet_id, part->report,
                             place))
        return;
    bool counts = hub_hold_counts (facts);
    *place = (hub_place_t){ .next = counts ? part->subnet.prefix.base
                                           : range->first,
                            .counted = !counts };
}

/*  Nothing is covered: then only the times of the subnet change.  */
static sh_err_t
s_plan_without_rows (hub_closing_t *self, hub_part_t *part)
{
    bool more;
    sh_err_t rc = s_read_slice (self, part, NULL, &more);
    return rc == SH_OK ? hub_writer_plan (self->writer, part) : rc;
}

sh_err_t
hub_closing_take (hub_closing_t *self, hub_part_t *part)
{
    assert (self && part && part->report->last);
    hub_facts_t facts = hub_writer_facts (self->writer, part);
    hub_range_t range = { .most = SLICE_MOST };
    hub_place_t place = { .counted = true };
    bool whole = !hub_changes_range (&range, &facts);
    sh_err_t rc = SH_OK;
    if (whole)
        rc = s_plan_without_rows (self, part);
    else {
        s_place (self, part, &facts, &range, &place);
        if (!place.counted) {
            rc = s_count (self, part, &place, &whole);
            if (rc == SH_OK && place.counted)
                place.next = range.first;
        }
    }
    if (rc == SH_OK && !place.counted)
        part->unfinished = true;
    else if (rc == SH_OK && (whole || hub_hold_stops (&facts, &place)))
        rc = s_close_at_once (self, part, &facts, &place);
    else if (rc == SH_OK) {
        hub_deltas_clear (&part->kept);
        rc = s_write_slices (self, part, &range, &place);
    }
    part->place = place;
    return rc;
}

void
hub_closing_note (hub_closing_t *self, const hub_part_t *part)
{
    assert (self && part);
    if (part->unfinished)
        hub_unfinished_note (&self->unfinished, part->subnet_id, part->report,
                             &part->place);
    else if (part->report->last)
        hub_unfinished_forget (&self->unfinished, part->subnet_id,
                               part->report);
}
