/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/hold.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/brake.h"
#include "lib/log.h"

/*  Note that 'held' is not written.  */
static sh_err_t
s_hold (hub_part_t *part, hub_held_t why, const hub_changes_t *held)
{
    part->held = why;
    return hub_deltas_add (&part->kept, held, &part->subnet, part->rows,
                           why == HUB_HELD_PREVIEW ? HUB_COLUMNS_ALL
                                                   : HUB_COLUMNS_BUT_TIMES);
}

static bool
s_is_preview (const hub_facts_t *facts)
{
    return facts->policy.preview == HUB_PREVIEW_YES && !facts->by_hand;
}

sh_err_t
hub_hold_hosts (hub_part_t *part, const hub_facts_t *facts)
{
    assert (part && facts && part->changes && part->rows);
    bool preview = s_is_preview (facts);
    if (!preview && !hub_brake_stops_new (facts, part->changes))
        return SH_OK;
    hub_changes_t held;
    hub_brake_hold (part->changes, preview, &held);
    part->held_changes = hub_brake_weight (&held);
    return s_hold (part, preview ? HUB_HELD_PREVIEW : HUB_HELD_NEW, &held);
}

bool
hub_hold_counts (const hub_facts_t *facts)
{
    return s_is_preview (facts)
           || (facts->policy.max_offline.kind != HUB_LIMIT_OFF
               && !facts->by_hand);
}

/*  What would go is listed as it is met: which of it is held is known in the
    end.  */
sh_err_t
hub_hold_count (hub_part_t *part, hub_place_t *place)
{
    const hub_changes_t *changes = part->changes;
    hub_changes_t going = { .offline = changes->offline,
                            .offline_count = changes->offline_count };
    place->known += hub_brake_sees_a_part (part->report)
                        ? changes->known_covered
                        : changes->known;
    place->going += changes->offline_count;
    return hub_deltas_add (&part->kept, &going, &part->subnet, part->rows,
                           HUB_COLUMNS_BUT_TIMES);
}

bool
hub_hold_stops (const hub_facts_t *facts, const hub_place_t *place)
{
    return s_is_preview (facts)
           || hub_brake_stops_offline (facts, place->known, place->going);
}

sh_err_t
hub_hold_closing (hub_part_t *part, const hub_facts_t *facts,
                  const hub_place_t *place)
{
    assert (part && facts && part->changes && part->rows);
    bool preview = s_is_preview (facts);
    if (!hub_hold_stops (facts, place)) {
        hub_deltas_clear (&part->kept);
        return SH_OK;
    }
    hub_changes_t held;
    hub_brake_hold (part->changes, preview, &held);
    held.offline_count = 0; /* they are listed already */
    part->held_changes = place->going;
    return s_hold (part, preview ? HUB_HELD_PREVIEW : HUB_HELD_OFFLINE, &held);
}

static int
s_order (const void *a, const void *b)
{
    const hub_delta_t *x = a, *y = b;
    int order = sh_addr_cmp (&x->ip, &y->ip);
    return order ? order : (x->column > y->column) - (x->column < y->column);
}

void
hub_hold_sort (hub_deltas_t *listed)
{
    assert (listed);
    if (listed->count > 0)
        qsort (listed->items, listed->count, sizeof *listed->items, s_order);
}

/*  Of a new row the tag's line speaks for all.  */
static bool
s_is_listed (const hub_job_t *job, const hub_delta_t *one)
{
    const hub_deltas_t *listed = &job->listed;
    const hub_delta_t *found
        = listed->count ? bsearch (one, listed->items, listed->count,
                                   sizeof *listed->items, s_order)
                        : NULL;
    if (!found)
        return !job->listed_all;
    return found->added == one->added
           && strcmp (found->before ? found->before : "",
                      one->before ? one->before : "") == 0;
}

/*  Take the elements about a row out of a list; their first member is its
    id.  */
#define DROP(list, count, row_id)                                              \
    do {                                                                       \
        size_t kept_ = 0;                                                      \
        for (size_t i_ = 0; i_ < (count); i_++)                                \
            if ((list)[i_].row != (row_id))                                    \
                (list)[kept_++] = (list)[i_];                                  \
        (count) = kept_;                                                       \
    } while (0)

static void
s_drop_insert (hub_changes_t *changes, const sh_addr_t *ip)
{
    size_t kept = 0;
    for (size_t i = 0; i < changes->insert_count; i++)
        if (sh_addr_cmp (&changes->inserts[i].ip, ip) != 0)
            changes->inserts[kept++] = changes->inserts[i];
    changes->insert_count = kept;
}

static void
s_drop (hub_changes_t *changes, const hub_delta_t *one)
{
    if (one->added)
        s_drop_insert (changes, &one->ip);
    else if (one->column == HUB_COLUMN_HOSTNAME)
        DROP (changes->names, changes->name_count, one->row);
    else if (one->column == HUB_COLUMN_MAC)
        DROP (changes->macs, changes->mac_count, one->row);
    else {
        DROP (changes->used, changes->used_count, one->row);
        DROP (changes->offline, changes->offline_count, one->row);
    }
}

sh_err_t
hub_hold_to_list (hub_part_t *part)
{
    assert (part && part->changes && part->rows);
    hub_deltas_t planned = { 0 };
    if (!part->job->by_hand)
        return SH_OK;
    sh_err_t rc = hub_deltas_add (&planned, part->changes, &part->subnet,
                                  part->rows, HUB_COLUMNS_BUT_TIMES);
    for (size_t i = 0; rc == SH_OK && i < planned.count; i++) {
        const hub_delta_t *one = &planned.items[i];
        bool speaks = !one->added || one->column == HUB_COLUMN_STATE;
        if (speaks && !s_is_listed (part->job, one))
            s_drop (part->changes, one);
    }
    hub_deltas_clear (&planned);
    return rc;
}

/*  A person has to decide, so it is a warning; where the same comes again with
    the next scan, it was one already.  */
static void
s_tell (const hub_part_t *part, uint64_t number, bool again)
{
    char remedy[96];
    if (part->held == HUB_HELD_PREVIEW)
        return;
    snprintf (remedy, sizeof remedy, "scanhubctl preview show %llu; then apply "
                                     "or drop it",
              (unsigned long long) number);
    sh_log (again ? SH_LOG_NOTICE : SH_LOG_WARNING,
            part->held == HUB_HELD_NEW
                ? "held back: more new addresses at once than max_new"
                : "held back: more hosts going Offline at once than "
                  "max_offline",
            SH_STR ("scanner", part->job->who.name),
            SH_INT ("subnet", part->subnet_id),
            SH_STR ("cidr", part->report->cidr),
            SH_INT ("changes", part->held_changes), SH_INT ("number", number),
            SH_STR ("remedy", remedy));
}

sh_err_t
hub_hold_keep (hub_part_t *part, hub_previews_t *previews)
{
    assert (part && part->rc == SH_OK && previews);
    if (part->held == HUB_HELD_NOT || part->unfinished)
        return SH_OK;
    const hub_keep_t one = {
        .reason = part->held,
        .who = &part->job->who,
        .code = part->code,
        .agent = &part->agent,
        .subnet = &part->subnet,
        .report = part->report,
        .frame = { part->job->frame, part->job->frame_size },
        .received = part->job->received,
        .deltas = &part->kept,
        .sightings = part->held == HUB_HELD_PREVIEW ? part->sightings : NULL,
        .changes = part->held_changes,
        .silent = part->held == HUB_HELD_PREVIEW && part->report->last
                      ? part->changes->silent.text
                      : NULL,
    };
    uint64_t number;
    bool again;
    sh_err_t rc = hub_previews_put (previews, &one, &number, &again,
                                    &part->why);
    if (rc == SH_OK)
        s_tell (part, number, again);
    return rc;
}
