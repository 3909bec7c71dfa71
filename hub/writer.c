/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/writer.h"

#include <assert.h>
#include <stdlib.h>

#include "hub/hold.h"

/*  All parts of a report count as one there.  */
static sp_report_t
s_whole (const sp_report_t *report)
{
    sp_report_t whole = *report;
    whole.part = 0;
    return whole;
}

/*  Policy, or phpIPAM's settings, may change in the middle of a report.  If its
    hosts were kept for preview, or their lastSeen was new enough as it was, their
    rows do not say that they answered, and its closing part would set them
    Offline.  */
static bool
s_was (const hub_unfinished_t *which, const hub_part_t *part)
{
    hub_place_t place;
    sp_report_t whole = s_whole (part->report);
    return part->report->last
           && hub_unfinished_find (which, part->subnet_id, &whole, &place);
}

/*  The same of a scan that began before the hub: what was noted then is
    gone, but what was kept is on disk.  */
static bool
s_was_kept (const hub_writer_t *self, const hub_part_t *part)
{
    const sp_report_t *report = part->report;
    int64_t start;
    return report->last && !part->job->by_hand
           && hub_time_of (&start, report->started, report->off,
                           part->job->received) == SH_OK
           && start < self->begun
           && hub_previews_has_report (self->previews, part->subnet_id,
                                       report->id.data);
}

hub_facts_t
hub_writer_facts (const hub_writer_t *self, const hub_part_t *part)
{
    assert (self && part && part->report);
    int64_t now = sh_clock_wall (self->clock) / 1000;
    hub_facts_t facts = {
        .report = part->report,
        .agent = &part->agent,
        .subnet = &part->subnet,
        .sightings = part->sightings,
        .rows = part->rows,
        .policy = hub_live_policy (self->live, part->agent.name,
                                   part->subnet_id),
        .zone = hub_live_zone (self->live, part->agent.db_offset, now),
        .received = part->job->received,
        .now = now,
        .begun = self->begun,
        .by_hand = part->job->by_hand,
    };
    if (s_was (&self->noted, part) || s_was_kept (self, part))
        facts.policy.preview = HUB_PREVIEW_YES;
    if (s_was (&self->spared, part))
        facts.policy.tags = HUB_TAGS_NEVER;
    return facts;
}

static sh_err_t
s_plan (hub_part_t *part, const hub_facts_t *facts)
{
    sh_err_t rc = hub_changes_plan (&part->changes, facts);
    return rc == SH_OK ? hub_hold_to_list (part) : rc;
}

sh_err_t
hub_writer_plan (hub_writer_t *self, hub_part_t *part)
{
    assert (self && part);
    hub_facts_t facts = hub_writer_facts (self, part);
    return s_plan (part, &facts);
}

sh_err_t
hub_writer_apply (hub_writer_t *self, hub_part_t *part)
{
    assert (self && part && part->changes);
    hub_store_t *store = self->store;
    if (part->no_texts)
        part->changes->name_count = part->changes->mac_count = 0;
    hub_changes_t changes = *part->changes;
    if (part->no_inserts != SH_OK)
        changes.insert_count = 0; /* they are counted as refused */
    if (part->held == HUB_HELD_PREVIEW)
        return SH_OK;
    sh_err_t rc = store->apply (store, &changes);
    if (rc == SH_OK && self->keeps_deltas)
        part->deltas_lost |= hub_deltas_add (&part->deltas, &changes,
                                             &part->subnet, part->rows,
                                             HUB_COLUMNS_BUT_TIMES)
                             != SH_OK;
    if (rc == SH_OK && part->job->by_hand)
        rc = hub_deltas_add (&part->job->done, &changes, &part->subnet,
                             part->rows, HUB_COLUMNS_BUT_TIMES);
    return rc;
}

static sh_err_t
s_read_rows (hub_writer_t *self, hub_part_t *part)
{
    hub_store_t *store = self->store;
    sh_err_t rc = hub_sightings_check (&part->sightings, part->report,
                                       &part->subnet, part->job->received);
    if (rc != SH_OK)
        return rc;
    size_t count = part->sightings->count;
    if (count == 0)
        return hub_rows_none (&part->rows);
    sh_addr_t *addrs = calloc (count, sizeof *addrs);
    if (!addrs)
        return SH_E_MEMORY;
    for (size_t i = 0; i < count; i++)
        addrs[i] = part->sightings->items[i].ip;
    rc = store->read_rows (store, part->subnet_id, addrs, count, &part->rows);
    free (addrs);
    return rc;
}

sh_err_t
hub_writer_take_hosts (hub_writer_t *self, hub_part_t *part)
{
    assert (self && part);
    sh_err_t rc = s_read_rows (self, part);
    if (rc != SH_OK)
        return rc;
    hub_facts_t facts = hub_writer_facts (self, part);
    rc = s_plan (part, &facts);
    if (rc == SH_OK)
        rc = hub_hold_hosts (part, &facts);
    if (rc == SH_OK)
        rc = hub_writer_apply (self, part);
    return rc;
}

void
hub_writer_note (hub_writer_t *self, const hub_part_t *part)
{
    assert (self && part);
    sp_report_t whole = s_whole (part->report);
    if (part->report->last)
        return;
    if (part->held == HUB_HELD_PREVIEW)
        hub_unfinished_note (&self->noted, part->subnet_id, &whole,
                             &part->place);
    if (part->changes->spared > 0)
        hub_unfinished_note (&self->spared, part->subnet_id, &whole,
                             &part->place);
}
