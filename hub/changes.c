/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/changes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sort.h"

/*  State of one planning run: the facts, what follows from them once for all
    hosts, and the changes so far.  */
typedef struct
{
    const hub_facts_t *facts;
    hub_changes_t *to;
    char *text; /* next free byte of the changes' text memory */
    /*  The wall clock of the last host, for its neighbours were seen in the
        same second; and what lastSeen is new enough for it.  */
    bool has_wall;
    int64_t epoch;
    sh_wall_t wall, enough;
    bool late_insert; /* the report is older than lastDiscovery */
    bool late_tags;   /* the report is older than lastScan */
} planner_t;

/*  Is a time before the stored one?  One in the future is wrong by definition
    and counts as none.  */
static bool
s_is_before (const planner_t *self, const char *time, const char *stored)
{
    if (sh_wall_is_never (stored) || strcmp (stored, self->to->limit.text) > 0)
        return false;
    return strcmp (time, stored) < 0;
}

/*  Seconds by which lastSeen may stay behind.  */
static int64_t
s_granularity (const hub_facts_t *facts)
{
    const hub_limit_t *limit = &facts->policy.seen_granularity;
    return limit->kind == HUB_LIMIT_SET ? (int64_t) limit->most : 0;
}

static const sh_wall_t *
s_wall_at (planner_t *self, int64_t epoch)
{
    int64_t granularity = s_granularity (self->facts);
    if (self->has_wall && self->epoch == epoch)
        return &self->wall;
    sh_wall_at (&self->wall, self->facts->zone, epoch);
    self->enough = self->wall;
    if (granularity > 0)
        sh_wall_at (&self->enough, self->facts->zone, epoch - granularity);
    self->has_wall = true;
    self->epoch = epoch;
    return &self->wall;
}

/*  Has a scan been written already that began after the one that made this
    sighting?  Equal is not after: two scans may begin in one second, and a host
    that is lost is worse than one that somebody has to delete twice.  */
static bool
s_is_overtaken (const planner_t *self, const hub_sighting_t *one, bool late,
                const char *stored)
{
    if (self->facts->by_hand)
        return false;
    if (!one->old)
        return late;
    sh_wall_t began;
    sh_wall_at (&began, self->facts->zone, one->old);
    return s_is_before (self, began.text, stored);
}

static bool
s_discovered_since (const planner_t *self, const hub_sighting_t *one)
{
    return s_is_overtaken (self, one, self->late_insert,
                           self->facts->subnet->last_discovery);
}

static bool
s_scanned_since (const planner_t *self, const hub_sighting_t *one)
{
    return s_is_overtaken (self, one, self->late_tags,
                           self->facts->subnet->last_scan);
}

static const char *
s_keep_text (planner_t *self, const char *text, size_t size)
{
    char *kept = self->text;
    memcpy (kept, text, size);
    kept[size] = 0;
    self->text += size + 1;
    return kept;
}

bool
hub_tag_when_seen (const hub_agent_t *agent, const hub_row_t *row, int *fresh)
{
    if (!agent->update_tags || !row->has_state || row->state == HUB_TAG_USED
        || !hub_agent_updates_tag (agent, row->state)
        || sh_wall_is_never (row->last_seen))
        return false;
    *fresh = HUB_TAG_USED;
    return true;
}

bool
hub_tag_when_silent (const hub_agent_t *agent, const hub_row_t *row,
                     int *fresh)
{
    if (!agent->update_tags || !row->has_state
        || row->state == HUB_TAG_OFFLINE || row->state == HUB_TAG_RESERVED
        || !hub_agent_updates_tag (agent, row->state)
        || sh_wall_is_never (row->last_seen))
        return false;
    *fresh = HUB_TAG_OFFLINE;
    return true;
}

/*  May a text field of this row be replaced (not only filled)?  */
static bool
s_may_follow (int policy, const hub_row_t *row, hub_ground_t *ground)
{
    if (policy == HUB_FIELD_FOLLOW)
        *ground = HUB_GROUND_POLICY;
    else if (policy == HUB_FIELD_AUTO && row->autodiscovered)
        *ground = HUB_GROUND_MADE;
    else if (policy == HUB_FIELD_AUTO && row->has_state
             && row->state == HUB_TAG_DHCP)
        *ground = HUB_GROUND_DHCP;
    else
        return false;
    return true;
}

/*  Put a field's change into 'list' if policy and row allow it.  Returns
    false if the row has another value that stays.  */
static bool
s_plan_text (planner_t *self, hub_text_t *list, size_t *count, int policy,
             const hub_row_t *row, const char *stored, const char *fresh,
             size_t fresh_size)
{
    if (policy == HUB_FIELD_NEVER)
        return *stored == 0;
    hub_ground_t ground = HUB_GROUND_POLICY;
    bool follow = *stored != 0;
    if (follow && !s_may_follow (policy, row, &ground))
        return false;
    list[(*count)++] = (hub_text_t){
        .row = row->id,
        .old = s_keep_text (self, stored, strlen (stored)),
        .fresh = s_keep_text (self, fresh, fresh_size),
        .follow = follow,
        .ground = ground,
    };
    return true;
}

static void
s_plan_name (planner_t *self, const hub_row_t *row, const hub_sighting_t *one)
{
    hub_changes_t *to = self->to;
    char fresh[SH_HOSTNAME_TEXT];
    if (!one->name || sh_hostname_check (fresh, one->name) != SH_OK)
        return;
    if (*row->hostname && sh_hostname_same (row->hostname, fresh))
        return;
    s_plan_text (self, to->names, &to->name_count, self->facts->policy.hostname,
                 row, row->hostname, fresh, strlen (fresh));
}

static void
s_plan_mac (planner_t *self, const hub_row_t *row, const hub_sighting_t *one)
{
    hub_changes_t *to = self->to;
    if (!*one->mac)
        return;
    char stored[SH_MAC_TEXT];
    if (*row->mac && sh_mac_normalise (stored, row->mac) == SH_OK
        && strcmp (stored, one->mac) == 0)
        return;
    bool fine = s_plan_text (self, to->macs, &to->mac_count,
                             self->facts->policy.mac, row, row->mac, one->mac,
                             strlen (one->mac));
    if (*row->mac)
        to->differs[to->differ_count++] = (hub_differs_t){
            .row = row->id,
            .ip = row->ip,
            .stored = s_keep_text (self, row->mac, strlen (row->mac)),
            .reported = s_keep_text (self, one->mac, strlen (one->mac)),
            .written = fine,
        };
}

/*  Are there tags that scans of the subnet may change?  */
static bool
s_has_tags (const planner_t *self)
{
    return self->facts->subnet->check
           && self->facts->policy.tags == HUB_TAGS_PHPIPAM;
}

/*  Need the lastSeen of a row that has one not move, though it could?  Where
    scans set tags to Offline it has to tell that the host answered in this
    one.  */
static bool
s_is_spared (planner_t *self, const hub_row_t *row)
{
    bool before = strcmp (row->last_seen, self->to->start.text) < 0;
    if (strcmp (row->last_seen, self->enough.text) <= 0
        || (before && self->facts->agent->update_tags && s_has_tags (self)))
        return false;
    self->to->spared += before;
    return true;
}

static void
s_plan_existing (planner_t *self, const hub_row_t *row,
                 const hub_sighting_t *one)
{
    const hub_facts_t *facts = self->facts;
    hub_changes_t *to = self->to;
    if (row->excluded) {
        to->skipped++;
        return;
    }
    to->confirmed++;

    const sh_wall_t *wall = s_wall_at (self, one->seen);
    bool never = sh_wall_is_never (row->last_seen);
    bool future = !never && strcmp (row->last_seen, to->limit.text) > 0;
    int order = never || future ? 1 : strcmp (wall->text, row->last_seen);
    if (order > 0 && (never || future || !s_is_spared (self, row)))
        to->seen[to->seen_count++] = (hub_seen_t){ row->id, *wall };

    /*  A report of old may move lastSeen, but what it knew of name, MAC and
        tag has been overtaken.  */
    if (!s_discovered_since (self, one) && !s_scanned_since (self, one)
        && order >= 0) {
        s_plan_name (self, row, one);
        s_plan_mac (self, row, one);
    }
    /*  Only a sighting that is news changes the tag: a part that is sent
        twice finds its own lastSeen and must not make the second sighting of
        a row that had never been seen.  One of an earlier scan never does: the
        report's own scan looked again.  Where a person applies what was held
        from a report, its lastSeen has been written already.  */
    int fresh;
    bool news = order > 0 || (order == 0 && facts->by_hand);
    if (!one->old && !self->late_tags && news && s_has_tags (self)
        && hub_tag_when_seen (facts->agent, row, &fresh))
        to->used[to->used_count++]
            = (hub_tag_t){ row->id, row->state, fresh };
}

static void
s_plan_new (planner_t *self, const hub_sighting_t *one)
{
    const hub_facts_t *facts = self->facts;
    hub_changes_t *to = self->to;
    if (!facts->subnet->discover || facts->report->kind == SP_KIND_CHECK
        || s_discovered_since (self, one)) {
        to->skipped++;
        return;
    }
    hub_insert_t *row = &to->inserts[to->insert_count++];
    *row = (hub_insert_t){ .ip = one->ip,
                           .wall = *s_wall_at (self, one->seen) };
    if (one->name)
        row->hostname = s_keep_text (self, one->name, one->name_size);
    if (*one->mac)
        row->mac = s_keep_text (self, one->mac, strlen (one->mac));
}

static void
s_plan_hosts (planner_t *self)
{
    const hub_facts_t *facts = self->facts;
    size_t at = 0;
    for (size_t i = 0; i < facts->sightings->count; i++) {
        const hub_sighting_t *one = &facts->sightings->items[i];
        const hub_row_t *row = hub_rows_next (facts->rows, &at, &one->ip);
        if (row)
            s_plan_existing (self, row, one);
        else
            s_plan_new (self, one);
    }
}

typedef struct
{
    sh_addr_t first, last;
} range_t;

static int
s_compare_range (const void *a, const void *b)
{
    const range_t *x = a, *y = b;
    return sh_addr_cmp (&x->first, &y->first);
}

/*  The covered ranges in ascending order of their first address, so that one
    pass over the rows meets each range once however many a peer sends.  */
static range_t *
s_sorted_ranges (const sp_report_t *report, size_t *count)
{
    range_t *all = calloc (report->covered_count + 1, sizeof *all);
    *count = 0;
    for (size_t i = 0; all && i < report->covered_count; i++) {
        range_t *one = &all[*count];
        if (sh_addr_from_bytes (&one->first, report->covered[i].first) == SH_OK
            && sh_addr_from_bytes (&one->last, report->covered[i].last)
                   == SH_OK)
            ++*count;
    }
    if (all)
        qsort (all, *count, sizeof *all, s_compare_range);
    return all;
}

/*  A scan that found nobody says nothing about anybody: a pulled cable is not
    254 dead hosts (phpIPAM's rule for fping).  */
static bool
s_tells_silence (const planner_t *self)
{
    const hub_facts_t *facts = self->facts;
    return facts->report->complete && facts->report->up > 0
           && s_has_tags (self) && !self->late_tags;
}

static sh_err_t
s_plan_silent (planner_t *self)
{
    const hub_facts_t *facts = self->facts;
    const sp_report_t *report = facts->report;
    hub_changes_t *to = self->to;
    if (!s_tells_silence (self))
        return SH_OK;
    size_t range_count, next = 0;
    range_t *ranges = s_sorted_ranges (report, &range_count);
    if (!ranges)
        return SH_E_MEMORY;

    /*  'reach' is the highest end of the ranges that begin at or before the
        row; ranges may overlap.  */
    sh_addr_t reach = { 0 };
    for (size_t i = 0; i < facts->rows->count; i++) {
        const hub_row_t *row = &facts->rows->items[i];
        for (; next < range_count
               && sh_addr_cmp (&ranges[next].first, &row->ip) <= 0;
             next++)
            if (sh_addr_cmp (&ranges[next].last, &reach) > 0)
                reach = ranges[next].last;
        int fresh;
        if (row->excluded || !hub_tag_when_silent (facts->agent, row, &fresh))
            continue;
        bool covered = sh_addr_cmp (&row->ip, &reach) <= 0;
        to->known++;
        to->known_covered += covered;
        if (covered && strcmp (row->last_seen, to->silent.text) < 0)
            to->offline[to->offline_count++]
                = (hub_tag_t){ row->id, row->state, fresh };
    }
    free (ranges);
    return SH_OK;
}

/*  Forward only, or back from a future that cannot be.  */
static bool
s_moves (const planner_t *self, const char *stored)
{
    return sh_wall_is_never (stored)
           || strcmp (stored, self->to->limit.text) > 0
           || strcmp (self->to->start.text, stored) > 0;
}

static void
s_plan_subnet (planner_t *self)
{
    const hub_subnet_t *subnet = self->facts->subnet;
    int kind = self->facts->report->kind;
    self->to->set_last_scan = subnet->check && kind != SP_KIND_DISCOVER
                              && s_moves (self, subnet->last_scan);
    self->to->set_last_discovery = subnet->discover && kind != SP_KIND_CHECK
                                   && s_moves (self, subnet->last_discovery);
}

static int
s_compare_seen (const void *a, const void *b)
{
    const hub_seen_t *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

static int
s_compare_text (const void *a, const void *b)
{
    const hub_text_t *x = a, *y = b;
    int order = (x->follow > y->follow) - (x->follow < y->follow);
    if (order == 0)
        order = (x->ground > y->ground) - (x->ground < y->ground);
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

static int
s_compare_tag (const void *a, const void *b)
{
    const hub_tag_t *x = a, *y = b;
    int order = (x->old > y->old) - (x->old < y->old);
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

/*  The store groups neighbours into one statement, and rows are always
    touched in the same order, which keeps two writers from deadlocking.  */
static void
s_sort (hub_changes_t *self)
{
    sh_sort (self->seen, self->seen_count, sizeof *self->seen, s_compare_seen);
    sh_sort (self->names, self->name_count, sizeof *self->names,
             s_compare_text);
    sh_sort (self->macs, self->mac_count, sizeof *self->macs, s_compare_text);
    sh_sort (self->used, self->used_count, sizeof *self->used, s_compare_tag);
    sh_sort (self->offline, self->offline_count, sizeof *self->offline,
             s_compare_tag);
}

/*  Bytes of text that the plan may have to keep.  */
static size_t
s_text_most (const hub_facts_t *facts)
{
    size_t size = 1;
    if (facts->sightings)
        size += facts->sightings->count * (SH_HOSTNAME_TEXT + 2 * SH_MAC_TEXT);
    for (size_t i = 0; i < facts->rows->count; i++)
        size += strlen (facts->rows->items[i].hostname)
                + 2 * strlen (facts->rows->items[i].mac) + 3;
    return size;
}

/*  One list after the other in one block; the last is the texts.  */
static sh_err_t
s_allocate (planner_t *self)
{
    const hub_facts_t *facts = self->facts;
    hub_changes_t *to = self->to;
    size_t hosts = facts->sightings ? facts->sightings->count : 0;
    size_t silent = facts->report->last ? facts->rows->count : 0;
    size_t per_host = sizeof (hub_seen_t) + 2 * sizeof (hub_text_t)
                      + sizeof (hub_tag_t) + sizeof (hub_insert_t)
                      + sizeof (hub_differs_t);
    char *at = malloc (hosts * per_host + silent * sizeof (hub_tag_t)
                       + s_text_most (facts));
    if (!at)
        return SH_E_MEMORY;
    to->memory = at;

    /*  Every list's element holds a 64-bit member, or pointers, so each list
        ends aligned for the next.  */
    to->names = (void *) at;
    to->macs = to->names + hosts;
    to->differs = (void *) (to->macs + hosts);
    to->inserts = (void *) (to->differs + hosts);
    to->seen = (void *) (to->inserts + hosts);
    to->used = (void *) (to->seen + hosts);
    to->offline = to->used + hosts;
    self->text = (char *) (to->offline + silent);
    return SH_OK;
}

/*  The earliest text that a clock may have shown from 'start' to now.  When
    clocks went back in between, a host seen after that has a text from before
    the scan's start; taking the whole step off is at worst too cautious.  So is
    the granularity where the scan began before the hub: which rows were spared
    in it was known to the hub before (hub/writer.c), if to anybody.  */
static void
s_silent_below (sh_wall_t *out, const hub_facts_t *facts, int64_t start)
{
    if (start < facts->begun && !facts->by_hand)
        start -= s_granularity (facts);
    int then = sh_zone_offset (facts->zone, start);
    int now = sh_zone_offset (facts->zone, facts->now);
    sh_wall_at (out, SH_ZONE_UTC, start + (now < then ? now : then));
}

/*  The scan's times, and what has been written since.  */
static sh_err_t
s_place_in_time (planner_t *self)
{
    const hub_facts_t *facts = self->facts;
    hub_changes_t *to = self->to;
    int64_t start;
    sh_err_t rc = hub_time_of (&start, facts->report->started,
                               facts->report->off, facts->received);
    if (rc != SH_OK)
        return rc;
    sh_wall_latest (&to->limit, facts->zone, facts->now + HUB_FUTURE_S);
    sh_wall_at (&to->start, facts->zone, start);
    s_silent_below (&to->silent, facts, start);
    self->late_insert
        = !facts->by_hand
          && s_is_before (self, to->start.text, facts->subnet->last_discovery);
    self->late_tags
        = !facts->by_hand
          && s_is_before (self, to->start.text, facts->subnet->last_scan);
    return SH_OK;
}

/*  From the first covered address to the last, as far as they are the
    subnet's.  */
static bool
s_reach (hub_range_t *out, const sp_report_t *report, const sh_prefix_t *prefix)
{
    sh_addr_t base = prefix->base, end = sh_prefix_last (prefix);
    bool any = false;
    for (size_t i = 0; i < report->covered_count; i++) {
        sh_addr_t first, last;
        if (sh_addr_from_bytes (&first, report->covered[i].first) != SH_OK
            || sh_addr_from_bytes (&last, report->covered[i].last) != SH_OK)
            continue;
        /*  Where it was all of the other family, this leaves it empty.  */
        if (sh_addr_cmp (&first, &base) < 0)
            first = base;
        if (sh_addr_cmp (&last, &end) > 0)
            last = end;
        if (sh_addr_cmp (&first, &last) > 0)
            continue;
        if (!any || sh_addr_cmp (&first, &out->first) < 0)
            out->first = first;
        if (!any || sh_addr_cmp (&last, &out->last) > 0)
            out->last = last;
        any = true;
    }
    return any;
}

bool
hub_changes_range (hub_range_t *out, const hub_facts_t *facts)
{
    assert (out && facts && facts->report && facts->agent && facts->subnet);
    hub_changes_t to = { 0 };
    planner_t planner = { .facts = facts, .to = &to };
    return facts->agent->update_tags && facts->subnet->has_prefix
           && s_place_in_time (&planner) == SH_OK && s_tells_silence (&planner)
           && s_reach (out, facts->report, &facts->subnet->prefix);
}

sh_err_t
hub_changes_plan (hub_changes_t **out, const hub_facts_t *facts)
{
    assert (out && facts && facts->report && facts->agent && facts->subnet);
    assert (facts->rows && (facts->sightings || facts->report->last));
    hub_changes_t *to = calloc (1, sizeof *to);
    planner_t planner = { .facts = facts, .to = to };
    sh_err_t rc = to ? s_place_in_time (&planner) : SH_E_MEMORY;
    if (rc == SH_OK)
        rc = s_allocate (&planner);
    if (rc != SH_OK) {
        hub_changes_destroy (&to);
        return rc;
    }
    to->subnet = facts->subnet->id;
    to->agent_name = facts->agent->name;

    if (facts->report->last) {
        rc = s_plan_silent (&planner);
        s_plan_subnet (&planner);
    } else
        s_plan_hosts (&planner);
    if (rc != SH_OK) {
        hub_changes_destroy (&to);
        return rc;
    }
    s_sort (to);
    *out = to;
    return SH_OK;
}

void
hub_changes_note (const hub_changes_t *self, const hub_insert_t *row,
                  char *out, size_t size)
{
    snprintf (out, size, "This host was autodiscovered on %s by agent %s",
              row->wall.text, self->agent_name ? self->agent_name : "");
}

void
hub_changes_destroy (hub_changes_t **self_p)
{
    hub_changes_t *self = *self_p;
    if (!self)
        return;
    free (self->memory);
    free (self);
    *self_p = NULL;
}
