/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
s_take_sender (hub_record_t *self, const hub_part_t *part)
{
    const hub_principal_t *who = &part->job->who;
    self->door = who->door;
    snprintf (self->scanner, sizeof self->scanner, "%s", who->name);
    snprintf (self->source, sizeof self->source, "%s",
              *who->key ? who->key : "http");
    if (part->code)
        snprintf (self->code, sizeof self->code, "%s", part->code);
    if (part->has_agent && part->agent.name)
        self->agent = strdup (part->agent.name);
}

/*  The scan's times by the hub's clock, as they are written.  */
static void
s_take_report (hub_record_t *self, const hub_part_t *part)
{
    const sp_report_t *report = part->report;
    sh_prefix_t prefix;
    if (!report || report->id.size != sizeof self->id)
        return;
    self->has_report = true;
    memcpy (self->id, report->id.data, sizeof self->id);
    self->part = report->part;
    self->last = report->last;
    self->kind = report->kind;
    self->subnet = part->subnet_id;
    if (sh_prefix_parse (&prefix, report->cidr) == SH_OK)
        sh_prefix_text (&prefix, self->cidr);
    int64_t off = report->off;
    if (off > -SP_OFFSET_IGNORED_MS && off < SP_OFFSET_IGNORED_MS)
        off = 0;
    self->started = report->started + off;
    self->finished = report->finished + off;
}

static void
s_refuse (hub_record_t *self, sh_err_t cause, uint64_t count)
{
    size_t at = 0;
    while (at < self->cause_count && self->causes[at].cause != cause)
        at++;
    if (at == HUB_RECORD_CAUSES || count == 0)
        return;
    if (at == self->cause_count)
        self->causes[self->cause_count++] = (hub_cause_t){ cause, 0 };
    self->causes[at].count += count;
    self->refused += count;
}

static void
s_take_changes (hub_record_t *self, const hub_part_t *part)
{
    const hub_changes_t *changes = part->changes;
    self->named = part->no_texts ? 0 : changes->name_count;
    self->macs = part->no_texts ? 0 : changes->mac_count;
    self->tagged = changes->used_count;
    self->offline = part->offline;
    self->held = part->held_changes;
    if (part->no_inserts == SH_OK)
        self->added = changes->insert_count;
    else
        s_refuse (self, part->no_inserts, changes->insert_count);
}

/*  Of a preview nothing was written.  */
static void
s_take_outcome (hub_record_t *self, hub_part_t *part)
{
    self->seen = part->changes->confirmed;
    self->held = part->held_changes;
    if (part->held == HUB_HELD_PREVIEW)
        self->result = SP_NOTED;
    else
        s_take_changes (self, part);
    for (size_t i = 0; part->sightings && i < part->sightings->refused_count;
         i++)
        s_refuse (self, part->sightings->refused[i].cause, 1);
    self->deltas = part->deltas;
    part->deltas = (hub_deltas_t){ 0 };
}

static void
s_take_verdict (hub_record_t *self, hub_part_t *part)
{
    sh_err_t cause = part->rc;
    if (cause == SH_OK && part->unfinished)
        cause = SH_E_UNFINISHED;
    sh_class_t class = sh_err_class (cause);
    self->cause = cause;
    self->result = cause == SH_OK && part->held == HUB_HELD_PREVIEW
                       ? SP_NOTED
                   : cause == SH_OK ? SP_APPLIED
                   : class == SH_CLASS_PEER || class == SH_CLASS_DENIED
                       ? SP_REFUSED
                       : SP_RETRY;
    if (part->rc == SH_OK)
        s_take_outcome (self, part);
}

static size_t
s_size (const hub_record_t *self)
{
    size_t size = sizeof *self + self->deltas.room * sizeof (hub_delta_t);
    for (size_t i = 0; i < self->deltas.count; i++) {
        const hub_delta_t *one = &self->deltas.items[i];
        size += (one->before ? strlen (one->before) + 17 : 0)
                + (one->after ? strlen (one->after) + 17 : 0);
    }
    return size;
}

hub_record_t *
hub_record_new (hub_part_t *part, int64_t now)
{
    assert (part && part->job);
    hub_record_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->received = part->job->received;
    self->written = now;
    s_take_sender (self, part);
    s_take_report (self, part);
    s_take_verdict (self, part);
    self->size = s_size (self);
    return self;
}

void
hub_record_destroy (hub_record_t **self_p)
{
    assert (self_p);
    hub_record_t *self = *self_p;
    if (!self)
        return;
    hub_deltas_clear (&self->deltas);
    free (self->agent);
    free (self);
    *self_p = NULL;
}
