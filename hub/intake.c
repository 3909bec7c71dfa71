/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/intake.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hub/authorise.h"
#include "hub/events.h"
#include "hub/hold.h"
#include "hub/page.h"
#include "hub/part.h"
#include "lib/log.h"

/*  Rows that a closing part reads at once, and how often in one transaction,
    for which others of the same worker wait: half a /16.  */
#define SLICE_MOST 8192
#define SLICES_MOST 4
#define ATTEMPTS 4          /* of one part alone, when the database is busy */
#define PATIENCE_MS 4000    /* no further attempt after that */
#define VAIN_MS 1000        /* a part that failed after that has waited */
#define VAIN_MOST 2         /* of a batch; the others are not tried */
#define TOUCH_AFTER_S 5     /* last_access is a hot row: not more often */
#define TOUCH_PAUSE_MS 60000 /* without last_access, when its row was locked */
#define ALIVE_MOST (4 * HUB_BATCH_MOST)
#define TROUBLE_MS 5000     /* readiness remembers a part that is overdue */
#define DIFFERS_ROOM 8192   /* MACs that were told already, about so many */

struct hub_intake
{
    hub_intake_options_t options;
    /*  Hashes of (row, MAC) pairs that were logged; a colliding pair takes
        its place and the first may be told once more.  */
    uint64_t told[DIFFERS_ROOM];
    /*  Of the last transaction: it could not begin, for there is no
        connection to be had.  */
    bool no_begin;
    /*  Of the jobs at hand: how many have waited in vain, and what the others
        are told without a try, or SH_OK.  */
    int vain;
    sh_err_t all;
    hub_unfinished_t unfinished;
    hub_unfinished_t noted; /* reports whose hosts were kept for preview */
    /*  Agents that showed life, for hub_intake_after.  */
    hub_agent_t alive[ALIVE_MOST];
    size_t alive_count;
    hub_events_t events; /* likewise */
    int64_t touch_again; /* mono ms; no last_access is written before */
};

sh_err_t
hub_intake_new (hub_intake_t **out, const hub_intake_options_t *options)
{
    assert (out && options && options->store && options->live);
    assert (options->clock && options->allows && options->previews);
    hub_intake_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->options = *options;
    *out = self;
    return SH_OK;
}

void
hub_intake_destroy (hub_intake_t **self_p)
{
    hub_intake_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->alive_count; i++)
        hub_agent_clear (&self->alive[i]);
    hub_events_clear (&self->events);
    free (self);
    *self_p = NULL;
}

static int64_t
s_now (const hub_intake_t *self)
{
    return sh_clock_wall (self->options.clock) / 1000;
}

/*  Does the error end the transaction, rather than only this part?  */
static bool
s_ends_transaction (sh_err_t rc)
{
    sh_class_t class = sh_err_class (rc);
    return class == SH_CLASS_RETRY || class == SH_CLASS_OURS;
}

/*  Who is speaking, and about which row of subnets.  No lock is taken yet:
    those come in ascending id over the whole batch.  */
static sh_err_t
s_identify (hub_intake_t *self, hub_part_t *part)
{
    hub_store_t *store = self->options.store;
    sh_err_t rc = store->read_agent (store, part->code, &part->agent);
    if (rc != SH_OK)
        return rc;
    part->has_agent = true;
    if (part->agent.maintenance)
        return SH_E_MAINTENANCE;
    rc = hub_authorise_agent (&part->agent, part->code);
    if (rc != SH_OK)
        return rc;
    if (part->report->subnet)
        return SH_OK;
    sh_prefix_t prefix;
    if (sh_prefix_parse (&prefix, part->report->cidr) != SH_OK)
        return sh_fail (&part->why, SH_E_BAD_MESSAGE,
                        "report: cidr: not a network");
    return store->find_subnet (store, part->agent.id, &prefix,
                               part->report->hint, &part->subnet_id);
}

static sh_err_t
s_read_rows (hub_intake_t *self, hub_part_t *part)
{
    hub_store_t *store = self->options.store;
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

/*  All parts of a report count as one there.  */
static sp_report_t
s_whole (const sp_report_t *report)
{
    sp_report_t whole = *report;
    whole.part = 0;
    return whole;
}

/*  Policy may change in the middle of a report.  If its hosts were kept for
    preview, their rows do not say that they answered, and its closing part
    would set them Offline.  */
static bool
s_was_noted (const hub_intake_t *self, const hub_part_t *part)
{
    hub_place_t place;
    sp_report_t whole = s_whole (part->report);
    return part->report->last
           && hub_unfinished_find (&self->noted, part->subnet_id, &whole,
                                   &place);
}

static hub_facts_t
s_facts (const hub_intake_t *self, const hub_part_t *part)
{
    int64_t now = s_now (self);
    hub_facts_t facts = {
        .report = part->report,
        .agent = &part->agent,
        .subnet = &part->subnet,
        .sightings = part->sightings,
        .rows = part->rows,
        .policy = hub_live_policy (self->options.live, part->agent.name,
                                   part->subnet_id),
        .zone = hub_live_zone (self->options.live, part->agent.db_offset, now),
        .received = part->job->received,
        .now = now,
        .by_hand = part->job->by_hand,
    };
    if (s_was_noted (self, part))
        facts.policy.preview = HUB_PREVIEW_YES;
    return facts;
}

static sh_err_t
s_plan (hub_intake_t *self, hub_part_t *part)
{
    hub_facts_t facts = s_facts (self, part);
    sh_err_t rc = hub_changes_plan (&part->changes, &facts);
    return rc == SH_OK ? hub_hold_to_list (part) : rc;
}

/*  And what of it is held.  */
static sh_err_t
s_plan_hosts (hub_intake_t *self, hub_part_t *part)
{
    hub_facts_t facts = s_facts (self, part);
    sh_err_t rc = s_plan (self, part);
    return rc == SH_OK ? hub_hold_hosts (part, &facts) : rc;
}

static sh_err_t
s_apply (hub_intake_t *self, hub_part_t *part)
{
    hub_store_t *store = self->options.store;
    if (part->no_texts)
        part->changes->name_count = part->changes->mac_count = 0;
    hub_changes_t changes = *part->changes;
    if (part->no_inserts != SH_OK)
        changes.insert_count = 0; /* they are counted as refused */
    if (part->held == HUB_HELD_PREVIEW)
        return SH_OK;
    sh_err_t rc = store->apply (store, &changes);
    if (rc == SH_OK && self->options.journal)
        part->deltas_lost |= hub_deltas_add (&part->deltas, &changes,
                                             &part->subnet, part->rows,
                                             HUB_COLUMNS_BUT_TIMES)
                             != SH_OK;
    if (rc == SH_OK && part->job->by_hand)
        rc = hub_deltas_add (&part->job->done, &changes, &part->subnet,
                             part->rows, HUB_COLUMNS_BUT_TIMES);
    return rc;
}

/*  The next covered rows, from range->first on, which moves behind them.
    Without a range there are none.  */
static sh_err_t
s_read_slice (hub_intake_t *self, hub_part_t *part, hub_range_t *range,
              bool *more)
{
    hub_store_t *store = self->options.store;
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
s_count (hub_intake_t *self, hub_part_t *part, hub_place_t *place, bool *whole)
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
            rc = s_plan (self, part);
        if (rc == SH_OK)
            rc = hub_hold_count (part, place);
    }
    *whole = *whole && !more;
    place->next = range.first;
    place->counted = !more;
    return rc;
}

/*  Slices of covered rows; if some are left after a few, the scanner is told to
    send the part again.  */
static sh_err_t
s_write_slices (hub_intake_t *self, hub_part_t *part, hub_range_t *range,
                hub_place_t *place)
{
    sh_err_t rc = SH_OK;
    bool more = true;
    range->first = place->next;
    while (rc == SH_OK && more && part->slices < SLICES_MOST) {
        part->slices++;
        rc = s_read_slice (self, part, range, &more);
        if (rc == SH_OK)
            rc = s_plan (self, part);
        if (rc == SH_OK)
            rc = s_apply (self, part);
        if (rc == SH_OK)
            part->offline += part->changes->offline_count;
    }
    place->next = range->first;
    part->unfinished = rc == SH_OK && more;
    return rc;
}

/*  What is planned is decided on and written.  */
static sh_err_t
s_close_at_once (hub_intake_t *self, hub_part_t *part, const hub_facts_t *facts,
                 const hub_place_t *place)
{
    sh_err_t rc = hub_hold_closing (part, facts, place);
    if (rc == SH_OK)
        rc = s_apply (self, part);
    if (rc == SH_OK)
        part->offline += part->changes->offline_count;
    return rc;
}

/*  Where it goes on, or else begins: with the whole subnet, if its rows are to
    be counted.  */
static void
s_place (hub_intake_t *self, const hub_part_t *part, const hub_facts_t *facts,
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

/*  A closing part may concern more rows than memory holds, and takes more time
    than others should wait.  So slice by slice, and if some are left after a
    few, the scanner is told to send it again; it goes on there then.  */
static sh_err_t
s_close (hub_intake_t *self, hub_part_t *part)
{
    hub_facts_t facts = s_facts (self, part);
    hub_range_t range = { .most = SLICE_MOST };
    hub_place_t place = { .counted = true };
    bool more, whole = !hub_changes_range (&range, &facts);
    sh_err_t rc = SH_OK;
    if (whole) {
        rc = s_read_slice (self, part, NULL, &more);
        if (rc == SH_OK)
            rc = s_plan (self, part);
    } else {
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

/*  The road itself, inside a transaction that the caller began and will end:
    lock and authorise, read, plan, apply.  */
static sh_err_t
s_work (hub_intake_t *self, hub_part_t *part)
{
    hub_store_t *store = self->options.store;
    sh_err_t rc = store->lock_subnet (store, part->subnet_id, &part->subnet);
    if (rc == SH_OK)
        rc = hub_authorise_subnet (&part->agent, &part->subnet);
    if (rc == SH_OK)
        rc = hub_authorise_cidr (&part->subnet, part->report->cidr);
    if (rc == SH_OK && part->report->last)
        return s_close (self, part);
    if (rc == SH_OK)
        rc = s_read_rows (self, part);
    if (rc == SH_OK)
        rc = s_plan_hosts (self, part);
    if (rc == SH_OK)
        rc = s_apply (self, part);
    return rc;
}

/*  Ascending by subnet; parts of one subnet in the order they came.  A batch
    is at most HUB_BATCH_MOST long, so insertion sort it is.  */
static void
s_order (hub_part_t **parts, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        hub_part_t *one = parts[i];
        size_t at = i;
        for (; at > 0 && parts[at - 1]->subnet_id > one->subnet_id; at--)
            parts[at] = parts[at - 1];
        parts[at] = one;
    }
}

/*  A key that was revoked while its report waited writes nothing, not even
    last_access, whatever else is wrong with the report.  */
static sh_err_t
s_check_speakers (hub_intake_t *self, hub_part_t **parts, size_t count)
{
    sh_err_t undo = SH_OK;
    for (size_t i = 0; i < count; i++) {
        sh_err_t rc = self->options.allows (self->options.allows_context,
                                            &parts[i]->job->who,
                                            parts[i]->code);
        if (rc == SH_OK)
            continue;
        if (parts[i]->rc == SH_OK)
            undo = rc; /* its changes */
        parts[i]->rc = rc;
        parts[i]->may_not_speak = true;
    }
    return undo;
}

/*  Everything between BEGIN and COMMIT.  Refusals stay with their parts;
    anything else is returned and means ROLLBACK.  */
static sh_err_t
s_work_all (hub_intake_t *self, hub_part_t **parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        parts[i]->rc = s_identify (self, parts[i]);
        if (s_ends_transaction (parts[i]->rc))
            return parts[i]->rc;
    }
    s_order (parts, count);
    for (size_t i = 0; i < count; i++) {
        if (parts[i]->rc == SH_OK)
            parts[i]->rc = s_work (self, parts[i]);
        if (s_ends_transaction (parts[i]->rc))
            return parts[i]->rc;
    }
    return s_check_speakers (self, parts, count);
}

static sh_err_t
s_begin (hub_intake_t *self)
{
    sh_err_t rc = self->options.store->begin (self->options.store);
    self->no_begin = rc != SH_OK;
    return rc;
}

/*  Will what became of a job that began at 'begun' happen to the others of its
    batch as well?  Without a connection, or while phpIPAM is in maintenance
    mode; and when several have waited in vain it is not their subnets' locks
    but a table's, or the server is stuck.  */
static void
s_learn_from (hub_intake_t *self, sh_err_t rc, int64_t begun)
{
    if (rc == SH_E_MAINTENANCE
        || (self->no_begin && s_ends_transaction (rc))) {
        self->all = rc;
        return;
    }
    bool waited = sh_clock_mono (self->options.clock) - begun >= VAIN_MS;
    if (waited && sh_err_class (rc) == SH_CLASS_RETRY
        && ++self->vain >= VAIN_MOST)
        self->all = rc;
}

static sh_err_t
s_transact (hub_intake_t *self, hub_part_t **parts, size_t count)
{
    hub_store_t *store = self->options.store;
    for (size_t i = 0; i < count; i++) {
        hub_part_reset (parts[i]);
        hub_deltas_clear (&parts[i]->job->done);
    }
    int64_t begun = sh_clock_mono (self->options.clock);
    sh_err_t rc = s_begin (self);
    if (rc != SH_OK)
        return rc;
    rc = s_work_all (self, parts, count);
    if (rc == SH_OK)
        rc = store->commit (store);
    if (rc != SH_OK)
        store->rollback (store);
    hub_meters_time (hub_live_meters (self->options.live),
                     HUB_TIME_TRANSACTION,
                     sh_clock_mono (self->options.clock) - begun);
    return rc;
}

static void
s_pause (int attempt)
{
    long ms = (long) randombytes_uniform (40) + 20L * attempt;
    struct timespec time = { .tv_nsec = ms * 1000000L };
    nanosleep (&time, NULL);
}

/*  What can be left out so that the rest is applied: new rows or texts that
    the table does not take.  False if nothing more can.  */
static bool
s_do_without (hub_part_t *part, sh_err_t rc)
{
    if (rc == SH_E_HOST_UPDATE && !part->no_texts) {
        part->no_texts = true;
        return true;
    }
    if ((rc != SH_E_HOST_COLUMN && rc != SH_E_HOST_TEXT
         && rc != SH_E_HOST_UNIQUE)
        || part->no_inserts != SH_OK)
        return false;
    part->no_inserts = rc;
    return true;
}

/*  One part in a transaction of its own, until it is clear what becomes of
    it.  A row that another writer inserted first (1062) is found by reading
    again; if that does not help, it was another unique key.  */
static void
s_take_alone (hub_intake_t *self, hub_part_t *part)
{
    int64_t begun = sh_clock_mono (self->options.clock);
    sh_err_t rc = SH_OK;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (attempt)
            s_pause (attempt);
        rc = s_transact (self, &part, 1);
        if (rc != SH_E_DB_BUSY && rc != SH_E_HOST_UNIQUE)
            break;
        if (sh_clock_mono (self->options.clock) - begun >= PATIENCE_MS)
            break;
    }
    while (rc != SH_OK && s_do_without (part, rc))
        rc = s_transact (self, &part, 1);
    if (rc != SH_OK)
        part->rc = rc;
}

/*  Each part alone, but nobody waits for what others have waited for in vain:
    a lock that somebody holds on a subnet holds up all of its parts.  */
static void
s_take_each (hub_intake_t *self, hub_part_t **parts, size_t count)
{
    uint64_t stuck = 0;
    for (size_t i = 0; i < count; i++) {
        hub_part_t *part = parts[i];
        int64_t begun = sh_clock_mono (self->options.clock);
        hub_part_reset (part);
        if (self->options.ended
            && self->options.ended (self->options.allows_context))
            part->rc = SH_E_STOPPING;
        else if (self->all != SH_OK)
            part->rc = self->all;
        else if (part->subnet_id && part->subnet_id == stuck)
            part->rc = SH_E_DB_BUSY;
        else {
            s_take_alone (self, part);
            s_learn_from (self, part->rc, begun);
        }
        if (part->rc == SH_E_DB_BUSY)
            stuck = part->subnet_id;
    }
}

/*  Say once per row and MAC that another MAC answers for an address.  */
static void
s_tell_differing (hub_intake_t *self, const hub_part_t *part)
{
    for (size_t i = 0; i < part->changes->differ_count; i++) {
        const hub_differs_t *one = &part->changes->differs[i];
        uint64_t hash = one->row * UINT64_C (0x9e3779b97f4a7c15);
        for (const char *at = one->reported; *at; at++)
            hash = (hash ^ (uint8_t) *at) * UINT64_C (0x100000001b3);
        uint64_t *told = &self->told[hash % DIFFERS_ROOM];
        if (*told == hash)
            continue;
        *told = hash;
        char address[SH_ADDR_TEXT];
        sh_addr_text (&one->ip, address);
        hub_live_count (self->options.live, HUB_COUNT_MACS_DIFFER, 1);
        sh_log (SH_LOG_NOTICE, "another MAC answers for an address",
                SH_STR ("scanner", part->job->who.name),
                SH_INT ("subnet", part->subnet_id), SH_STR ("ip", address),
                SH_STR ("stored", one->stored),
                SH_STR ("reported", one->reported),
                SH_STR ("written", one->written ? "yes" : "no"));
    }
}

/*  The agent is taken over.  Once per agent, for all parts of a batch read the
    same last_access; where there is no room, it can wait for the next one.  */
static void
s_note_alive (hub_intake_t *self, hub_agent_t *agent)
{
    bool due = self->alive_count < ALIVE_MOST;
    for (size_t i = 0; due && i < self->alive_count; i++)
        due = self->alive[i].id != agent->id;
    if (due)
        self->alive[self->alive_count++] = *agent;
    else
        hub_agent_clear (agent);
    *agent = (hub_agent_t){ 0 };
}

/*  Move scanAgents.last_access, apart from the report's transaction.  */
static sh_err_t
s_touch (hub_intake_t *self, const hub_agent_t *agent)
{
    hub_store_t *store = self->options.store;
    int64_t now = s_now (self);
    sh_zone_t zone
        = hub_live_zone (self->options.live, agent->db_offset, now);
    sh_wall_t wall, recent, limit;
    sh_wall_at (&wall, zone, now);
    sh_wall_at (&recent, zone, now - TOUCH_AFTER_S);
    sh_wall_latest (&limit, zone, now + HUB_FUTURE_S);
    if (!sh_wall_is_never (agent->last_access)
        && strcmp (agent->last_access, recent.text) >= 0
        && strcmp (agent->last_access, limit.text) <= 0)
        return SH_OK;
    sh_err_t rc = store->touch_agent (store, agent->id, wall.text, limit.text);
    if (rc != SH_OK)
        sh_log (SH_LOG_NOTICE, "last_access not written",
                SH_STR ("agent", agent->name),
                SH_STR ("cause", sh_err_word (rc)));
    return rc;
}

/*  The database's own words, for causes that are its own.  */
static const char *
s_because (hub_store_t *store, sh_err_t rc)
{
    bool its_own = rc == SH_E_DB_DOWN || rc == SH_E_DB_BUSY
                   || rc == SH_E_DB_RIGHTS || rc == SH_E_DB_SCHEMA
                   || rc == SH_E_DB;
    return its_own ? store->describe (store) : sh_err_text (rc);
}

/*  What keeps reports from being written is said by readiness as well, also
    where the watcher's reads go well: until a part is written, or nobody comes
    back with one.  A subnet's lock that is held too long is everyday life, and
    maintenance mode is the watcher's to tell.  */
static void
s_tell_trouble (hub_intake_t *self, const hub_part_t *part)
{
    hub_live_t *live = self->options.live;
    if (part->rc == SH_OK)
        hub_live_set_trouble (live, self, NULL, 0);
    if (!s_ends_transaction (part->rc) || part->rc == SH_E_STOPPING
        || part->rc == SH_E_MAINTENANCE
        || (part->rc == SH_E_DB_BUSY && self->all != SH_E_DB_BUSY))
        return;
    char text[320];
    snprintf (text, sizeof text, "reports cannot be written: %s",
              s_because (self->options.store, part->rc));
    /*  Without a connection the watcher soon knows better.  */
    int64_t delay = self->no_begin ? 0 : (int64_t) hub_part_delay (part->rc);
    hub_live_set_trouble (live, self, text,
                          sh_clock_mono (self->options.clock) + delay
                              + delay / 2 + TROUBLE_MS);
}

/*  Only now, for it may have been rolled back.  */
static void
s_note_place (hub_intake_t *self, const hub_part_t *part)
{
    if (part->unfinished)
        hub_unfinished_note (&self->unfinished, part->subnet_id, part->report,
                             &part->place);
    else if (part->report->last)
        hub_unfinished_forget (&self->unfinished, part->subnet_id,
                               part->report);
    sp_report_t whole = s_whole (part->report);
    if (part->held == HUB_HELD_PREVIEW && !part->report->last)
        hub_unfinished_note (&self->noted, part->subnet_id, &whole,
                             &part->place);
}

/*  Only now, for only what was committed is to be found there.  */
static void
s_keep (hub_intake_t *self, hub_part_t *part)
{
    hub_journal_t *journal = self->options.journal;
    if (!journal)
        return;
    hub_record_t *record = hub_record_new (
        part, sh_clock_wall (self->options.clock));
    hub_journal_note (journal, &record);
    if (part->deltas_lost)
        hub_journal_note (journal, &record); /* NULL: told as dropped */
}

/*  For hub_intake_after.  */
static void
s_note_events (hub_intake_t *self, const hub_part_t *part)
{
    if (part->rc != SH_OK || part->held == HUB_HELD_PREVIEW
        || !hub_live_events (self->options.live))
        return;
    sh_wall_t wall;
    int64_t now = s_now (self);
    sh_wall_at (&wall, hub_live_zone (self->options.live,
                                      part->agent.db_offset, now),
                now);
    hub_events_note (&self->events, part, &wall);
}

static void
s_tell_outcome (hub_intake_t *self, const hub_part_t *part)
{
    const sh_clock_t *clock = self->options.clock;
    const hub_outcome_t outcome = {
        .who = &part->job->who,
        .code = part->code,
        .report = part->report,
        .subnet = part->subnet_id,
        .result = part->result,
        .cause = hub_part_cause (part),
    };
    int64_t mono = sh_clock_mono (clock);
    hub_live_outcome (self->options.live, &outcome, sh_clock_wall (clock),
                      mono);
    if (part->job->taken)
        hub_meters_time (hub_live_meters (self->options.live),
                         HUB_TIME_VERDICT, mono - part->job->taken);
}

static void
s_finish (hub_intake_t *self, hub_part_t *part)
{
    s_tell_trouble (self, part);
    if (part->rc == SH_OK)
        part->rc = hub_hold_keep (part, self->options.previews);
    if (part->rc == SH_OK) {
        s_tell_differing (self, part);
        s_note_place (self, part);
    }
    hub_part_account (part, self->options.live);
    hub_part_answer (part);
    s_note_events (self, part);
    s_keep (self, part);
    s_tell_outcome (self, part);
}

/*  A report that came to an end, even a refused one, shows that its agent is
    alive.  */
static bool
s_shows_life (const hub_part_t *part)
{
    return part->has_agent && !s_ends_transaction (part->rc)
           && !part->may_not_speak && !part->job->by_hand
           && hub_authorise_agent (&part->agent, part->code) == SH_OK;
}

static void
s_take_reports (hub_intake_t *self, hub_part_t *parts, size_t count)
{
    hub_part_t *sound[HUB_BATCH_MOST];
    size_t sound_count = 0;
    for (size_t i = 0; i < count; i++)
        if (parts[i].rc == SH_OK)
            sound[sound_count++] = &parts[i];

    if (sound_count > 1 && self->all == SH_OK
        && s_transact (self, sound, sound_count) == SH_OK)
        sound_count = 0;
    s_take_each (self, sound, sound_count);
    for (size_t i = 0; i < count; i++) {
        s_finish (self, &parts[i]);
        if (s_shows_life (&parts[i])) {
            s_note_alive (self, &parts[i].agent);
            parts[i].has_agent = false;
        }
    }
}

/*  Known addresses of a subnet, for the scanner it is assigned to.  */
static sh_err_t
s_read_targets (hub_intake_t *self, const hub_job_t *job,
                const sp_targets_t *ask, const char *code, hub_rows_t **rows,
                bool *more)
{
    hub_store_t *store = self->options.store;
    hub_agent_t agent = { 0 };
    hub_subnet_t subnet;
    sh_err_t rc = s_begin (self);
    if (rc != SH_OK)
        return rc;
    rc = store->read_agent (store, code, &agent);
    if (rc == SH_OK)
        rc = hub_authorise_agent (&agent, code);
    if (rc == SH_OK)
        rc = store->read_subnet (store, ask->subnet, &subnet);
    if (rc == SH_OK)
        rc = hub_authorise_subnet (&agent, &subnet);
    if (rc == SH_OK)
        rc = hub_page_read (store, ask, &subnet, rows, more);
    sh_err_t allowed = self->options.allows (self->options.allows_context,
                                             &job->who, code);
    if (allowed != SH_OK)
        rc = allowed;
    store->rollback (store);
    hub_agent_clear (&agent);
    return rc;
}

static void
s_take_targets (hub_intake_t *self, hub_job_t *job)
{
    sp_message_t *message = NULL;
    hub_rows_t *rows = NULL;
    bool more = false;
    const char *code = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sp_decode (
        &message, (sh_bytes_t){ job->frame, job->frame_size }, &why);
    if (rc == SH_OK && message->type != SP_TARGETS)
        rc = SH_E_BAD_MESSAGE;
    if (rc == SH_OK)
        rc = hub_principal_code (&job->who, message->u.targets.code, &code);
    if (rc == SH_OK)
        rc = self->all;
    if (rc == SH_OK) {
        int64_t begun = sh_clock_mono (self->options.clock);
        rc = s_read_targets (self, job, &message->u.targets, code, &rows,
                             &more);
        s_learn_from (self, rc, begun);
    }
    if (rc == SH_OK)
        rc = hub_page_answer (&message->u.targets, rows, more, job);
    if (rc != SH_OK) {
        sh_log (SH_LOG_NOTICE, "targets refused",
                SH_STR ("scanner", job->who.name),
                SH_STR ("cause", sh_err_word (rc)),
                SH_STR ("why", *why.text ? why.text : sh_err_text (rc)));
        sp_message_t answer = {
            .type = SP_ERROR,
            .u.error = {
                .cause = sh_err_word (rc),
                .text = *why.text ? why.text : sh_err_text (rc),
            },
        };
        rc = sp_encode (&job->answer, &job->answer_size, &answer);
        if (rc != SH_OK)
            sh_log (SH_LOG_ERROR, "an answer could not be encoded");
    }
    hub_rows_destroy (&rows);
    sp_message_destroy (&message);
}

/*  A connected scanner is an agent that is alive, reports or not.  */
static void
s_take_touch (hub_intake_t *self, const hub_job_t *job)
{
    hub_store_t *store = self->options.store;
    for (size_t i = 0; i < job->who.code_count && self->all == SH_OK; i++) {
        const char *code = job->who.codes[i].text;
        hub_agent_t agent = { 0 };
        int64_t begun = sh_clock_mono (self->options.clock);
        sh_err_t rc = s_begin (self);
        if (rc != SH_OK) {
            s_learn_from (self, rc, begun);
            return;
        }
        rc = store->read_agent (store, code, &agent);
        bool allowed = self->options.allows (self->options.allows_context,
                                             &job->who, code) == SH_OK;
        store->rollback (store);
        if (rc == SH_OK && allowed && !agent.maintenance
            && hub_authorise_agent (&agent, code) == SH_OK)
            s_note_alive (self, &agent);
        s_learn_from (self, rc, begun);
        if (rc == SH_OK)
            hub_agent_clear (&agent);
    }
}

void
hub_intake_batch (hub_intake_t *self, hub_job_t **jobs, size_t count)
{
    assert (self && jobs && count > 0 && count <= HUB_BATCH_MOST);
    hub_part_t parts[HUB_BATCH_MOST];
    size_t part_count = 0;
    self->vain = 0;
    self->all = SH_OK;
    for (size_t i = 0; i < count; i++)
        if (jobs[i]->kind == HUB_JOB_REPORT)
            hub_part_open (&parts[part_count++], jobs[i]);
        else if (jobs[i]->kind == HUB_JOB_TARGETS)
            s_take_targets (self, jobs[i]);
        else
            s_take_touch (self, jobs[i]);
    if (part_count)
        s_take_reports (self, parts, part_count);
    for (size_t i = 0; i < part_count; i++)
        hub_part_close (&parts[i]);
}

static bool
s_may_touch (const hub_intake_t *self)
{
    bool ended = self->options.ended
                 && self->options.ended (self->options.allows_context);
    return !ended
           && sh_clock_mono (self->options.clock) >= self->touch_again;
}

/*  A row that is locked costs the whole patience of the connection, in which
    the next jobs wait.  So not again soon, for any agent: it may well be the
    table that is locked.  */
void
hub_intake_after (hub_intake_t *self)
{
    assert (self);
    for (size_t i = 0; i < self->alive_count; i++) {
        if (s_may_touch (self)
            && s_touch (self, &self->alive[i]) == SH_E_DB_BUSY)
            self->touch_again
                = sh_clock_mono (self->options.clock) + TOUCH_PAUSE_MS;
        hub_agent_clear (&self->alive[i]);
    }
    self->alive_count = 0;
    if (!self->options.ended
        || !self->options.ended (self->options.allows_context))
        hub_events_write (&self->events, self->options.store,
                          self->options.clock);
}
