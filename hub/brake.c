/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/brake.h"

#include <assert.h>

/*  Half of a prefix's addresses; beyond 64 bits: as many as can be said.  */
static uint64_t
s_half (const sh_prefix_t *prefix)
{
    unsigned all = prefix->base.family == 4 ? 32 : 128;
    unsigned bits = all - prefix->length;
    if (bits == 0)
        return 0;
    return bits > 64 ? UINT64_MAX : UINT64_C (1) << (bits - 1);
}

static uint64_t
s_new_most (const hub_facts_t *facts)
{
    const hub_limit_t *limit = &facts->policy.max_new;
    if (limit->kind == HUB_LIMIT_OFF)
        return UINT64_MAX;
    if (limit->kind == HUB_LIMIT_SET)
        return limit->most;
    uint64_t half = s_half (&facts->subnet->prefix);
    if (half < HUB_BRAKE_NEW_LEAST)
        return HUB_BRAKE_NEW_LEAST;
    return half < HUB_BRAKE_NEW_MOST ? half : HUB_BRAKE_NEW_MOST;
}

bool
hub_brake_stops_new (const hub_facts_t *facts, const hub_changes_t *changes)
{
    assert (facts && facts->subnet && changes);
    bool scanned = !sh_wall_is_never (facts->subnet->last_scan)
                   || !sh_wall_is_never (facts->subnet->last_discovery);
    return !facts->by_hand && scanned
           && changes->insert_count > s_new_most (facts);
}

bool
hub_brake_stops_offline (const hub_facts_t *facts, uint64_t known,
                         uint64_t going)
{
    assert (facts && going <= known);
    const hub_limit_t *limit = &facts->policy.max_offline;
    uint64_t percent = limit->kind == HUB_LIMIT_SET ? limit->most
                                                    : HUB_BRAKE_OFFLINE_PERCENT;
    return !facts->by_hand && limit->kind != HUB_LIMIT_OFF
           && going >= HUB_BRAKE_OFFLINE_LEAST
           && going * 100 > known * percent;
}

/*  The first closing part follows those with hosts; it is full if others come
    behind it.  */
bool
hub_brake_sees_a_part (const sp_report_t *report)
{
    assert (report && report->last);
    return report->part > report->parts
           || report->covered_count >= SP_RANGES_MOST;
}

void
hub_brake_hold (hub_changes_t *changes, bool all, hub_changes_t *held)
{
    assert (changes && held);
    *held = *changes;
    held->memory = NULL; /* it stays with 'changes' */
    changes->insert_count = 0;
    changes->name_count = changes->mac_count = 0;
    changes->used_count = changes->offline_count = 0;
    /*  They are told of in the log.  */
    for (size_t i = 0; i < changes->differ_count; i++)
        changes->differs[i].written = false;
    if (all) {
        changes->seen_count = changes->confirmed = 0;
        changes->set_last_scan = changes->set_last_discovery = false;
    } else {
        held->seen_count = 0;
        held->set_last_scan = held->set_last_discovery = false;
    }
}

uint64_t
hub_brake_weight (const hub_changes_t *changes)
{
    assert (changes);
    return (uint64_t) changes->insert_count + changes->name_count
           + changes->mac_count + changes->used_count
           + changes->offline_count;
}
