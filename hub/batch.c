/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/batch.h"

#include <assert.h>
#include <sodium.h>
#include <time.h>

#include "hub/authorise.h"

#define ATTEMPTS 4          /* of one part alone, when the database is busy */
#define PATIENCE_MS 4000    /* no further attempt after that */
#define VAIN_MS 1000        /* a part that failed after that has waited */
#define VAIN_MOST 2         /* of a batch; the others are not tried */

void
hub_batch_init (hub_batch_t *self, const hub_intake_options_t *options)
{
    assert (self && options);
    self->options = options;
    self->writer.store = options->store;
    self->writer.live = options->live;
    self->writer.clock = options->clock;
    self->writer.previews = options->previews;
    self->writer.begun = sh_clock_wall (options->clock) / 1000;
    self->writer.keeps_deltas = options->journal != NULL;
    self->closing.writer = &self->writer;
}

bool
hub_batch_ends (sh_err_t rc)
{
    sh_class_t class = sh_err_class (rc);
    return class == SH_CLASS_RETRY || class == SH_CLASS_OURS;
}

static sh_err_t
s_take_agent (hub_part_t *part, const hub_asked_t *asked)
{
    sh_err_t rc = asked->rc;
    if (rc == SH_OK)
        rc = hub_agent_copy (&part->agent, &asked->agent);
    part->has_agent = rc == SH_OK;
    return rc;
}

/*  Who is speaking: one question for all of the batch.  An agent that is not
    there is its parts' business.  */
static sh_err_t
s_read_agents (hub_batch_t *self, hub_part_t **parts, size_t count)
{
    hub_store_t *store = self->options->store;
    hub_asked_t asked[HUB_BATCH_MOST];
    size_t asked_count = 0;
    for (size_t i = 0; i < count; i++)
        if (hub_asked_find (asked, asked_count, parts[i]->code)
            == asked_count)
            asked[asked_count++].code = parts[i]->code;
    sh_err_t rc = store->read_agents (store, asked, asked_count);
    if (rc != SH_OK)
        return rc;
    for (size_t i = 0; i < count; i++)
        parts[i]->rc = s_take_agent (
            parts[i],
            &asked[hub_asked_find (asked, asked_count, parts[i]->code)]);
    for (size_t i = 0; i < asked_count; i++)
        if (asked[i].rc == SH_OK)
            hub_agent_clear (&asked[i].agent);
    return SH_OK;
}

/*  May it speak here, and about which row of subnets?  No lock is taken yet:
    those come in ascending id over the whole batch.  */
static sh_err_t
s_identify (hub_batch_t *self, hub_part_t *part)
{
    hub_store_t *store = self->options->store;
    if (part->agent.maintenance)
        return SH_E_MAINTENANCE;
    sh_err_t rc = hub_authorise_agent (&part->agent, part->code);
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

/*  With its subnet locked, for as long as the transaction lasts.  */
static sh_err_t
s_work (hub_batch_t *self, hub_part_t *part)
{
    sh_err_t rc = hub_authorise_subnet (&part->agent, &part->subnet);
    if (rc == SH_OK)
        rc = hub_authorise_cidr (&part->subnet, part->report->cidr);
    if (rc == SH_OK && part->report->last)
        rc = hub_closing_take (&self->closing, part);
    else if (rc == SH_OK)
        rc = hub_writer_take_hosts (&self->writer, part);
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

/*  The subnets of the ordered parts, each once.  */
static sh_err_t
s_lock_subnets (hub_batch_t *self, hub_part_t **parts, size_t count)
{
    hub_store_t *store = self->options->store;
    uint64_t ids[HUB_BATCH_MOST];
    hub_subnet_t subnets[HUB_BATCH_MOST];
    size_t some = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        if (parts[i]->rc == SH_OK
            && (some == 0 || ids[some - 1] != parts[i]->subnet_id))
            ids[some++] = parts[i]->subnet_id;
    if (some == 0)
        return SH_OK;
    sh_err_t rc = store->lock_subnets (store, ids, some, subnets);
    for (size_t i = 0; rc == SH_OK && i < count; i++) {
        if (parts[i]->rc != SH_OK)
            continue;
        at += ids[at] != parts[i]->subnet_id;
        parts[i]->subnet = subnets[at];
        if (subnets[at].id == 0)
            parts[i]->rc = SH_E_SUBNET_UNKNOWN;
    }
    return rc;
}

/*  A closing part moves the times of its subnet, by which those behind it are
    judged: they look again.  */
static sh_err_t
s_work_in_order (hub_batch_t *self, hub_part_t **parts, size_t count)
{
    hub_store_t *store = self->options->store;
    uint64_t closed = 0;
    for (size_t i = 0; i < count; i++) {
        hub_part_t *part = parts[i];
        if (part->rc == SH_OK && part->subnet_id == closed)
            part->rc = store->read_subnet (store, closed, &part->subnet);
        if (part->rc == SH_OK)
            part->rc = s_work (self, part);
        if (hub_batch_ends (part->rc))
            return part->rc;
        if (part->rc == SH_OK && part->report->last)
            closed = part->subnet_id;
    }
    return SH_OK;
}

/*  A key that was revoked while its report waited writes nothing, not even
    last_access, whatever else is wrong with the report.  */
static sh_err_t
s_check_speakers (hub_batch_t *self, hub_part_t **parts, size_t count)
{
    sh_err_t undo = SH_OK;
    for (size_t i = 0; i < count; i++) {
        sh_err_t rc = self->options->allows (self->options->allows_context,
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
s_work_all (hub_batch_t *self, hub_part_t **parts, size_t count)
{
    sh_err_t rc = s_read_agents (self, parts, count);
    for (size_t i = 0; rc == SH_OK && i < count; i++) {
        if (parts[i]->rc == SH_OK)
            parts[i]->rc = s_identify (self, parts[i]);
        if (hub_batch_ends (parts[i]->rc))
            rc = parts[i]->rc;
    }
    s_order (parts, count);
    if (rc == SH_OK)
        rc = s_lock_subnets (self, parts, count);
    if (rc == SH_OK)
        rc = s_work_in_order (self, parts, count);
    return rc == SH_OK ? s_check_speakers (self, parts, count) : rc;
}

sh_err_t
hub_batch_begin (hub_batch_t *self)
{
    assert (self);
    sh_err_t rc = self->options->store->begin (self->options->store);
    self->no_begin = rc != SH_OK;
    return rc;
}

/*  When several have waited in vain it is not their subnets' locks but a
    table's, or the server is stuck.  */
void
hub_batch_learn (hub_batch_t *self, sh_err_t rc, int64_t begun)
{
    assert (self);
    if (rc == SH_E_MAINTENANCE
        || (self->no_begin && hub_batch_ends (rc))) {
        self->all = rc;
        return;
    }
    bool waited = sh_clock_mono (self->options->clock) - begun >= VAIN_MS;
    if (waited && sh_err_class (rc) == SH_CLASS_RETRY
        && ++self->vain >= VAIN_MOST)
        self->all = rc;
}

static sh_err_t
s_transact (hub_batch_t *self, hub_part_t **parts, size_t count)
{
    hub_store_t *store = self->options->store;
    for (size_t i = 0; i < count; i++) {
        hub_part_reset (parts[i]);
        hub_deltas_clear (&parts[i]->job->done);
    }
    int64_t begun = sh_clock_mono (self->options->clock);
    sh_err_t rc = hub_batch_begin (self);
    if (rc != SH_OK)
        return rc;
    rc = s_work_all (self, parts, count);
    if (rc == SH_OK)
        rc = store->commit (store);
    if (rc != SH_OK)
        store->rollback (store);
    hub_meters_time (hub_live_meters (self->options->live),
                     HUB_TIME_TRANSACTION,
                     sh_clock_mono (self->options->clock) - begun);
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
s_take_alone (hub_batch_t *self, hub_part_t *part)
{
    int64_t begun = sh_clock_mono (self->options->clock);
    sh_err_t rc = SH_OK;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (attempt)
            s_pause (attempt);
        rc = s_transact (self, &part, 1);
        if (rc != SH_E_DB_BUSY && rc != SH_E_HOST_UNIQUE)
            break;
        if (sh_clock_mono (self->options->clock) - begun >= PATIENCE_MS)
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
s_take_each (hub_batch_t *self, hub_part_t **parts, size_t count)
{
    uint64_t stuck = 0;
    for (size_t i = 0; i < count; i++) {
        hub_part_t *part = parts[i];
        int64_t begun = sh_clock_mono (self->options->clock);
        hub_part_reset (part);
        if (hub_intake_ended (self->options))
            part->rc = SH_E_STOPPING;
        else if (self->all != SH_OK)
            part->rc = self->all;
        else if (part->subnet_id && part->subnet_id == stuck)
            part->rc = SH_E_DB_BUSY;
        else {
            s_take_alone (self, part);
            hub_batch_learn (self, part->rc, begun);
        }
        if (part->rc == SH_E_DB_BUSY)
            stuck = part->subnet_id;
    }
}

void
hub_batch_reset (hub_batch_t *self)
{
    assert (self);
    self->vain = 0;
    self->all = SH_OK;
}

void
hub_batch_take (hub_batch_t *self, hub_part_t **parts, size_t count)
{
    assert (self && (parts || count == 0) && count <= HUB_BATCH_MOST);
    if (count > 1 && self->all == SH_OK
        && s_transact (self, parts, count) == SH_OK)
        return;
    s_take_each (self, parts, count);
}
