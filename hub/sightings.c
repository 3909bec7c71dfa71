/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/sightings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*  Beyond this many ms no sum of time and offset overflows or is storable. */
#define TIME_SANE INT64_C (1000000000000000)

sh_err_t
hub_time_of (int64_t *out, int64_t scanner_ms, int64_t off, int64_t received)
{
    if (scanner_ms > TIME_SANE || scanner_ms < -TIME_SANE || off > TIME_SANE
        || off < -TIME_SANE)
        return SH_E_BAD_TIME;
    if (off < SP_OFFSET_IGNORED_MS && off > -SP_OFFSET_IGNORED_MS)
        off = 0;

    int64_t ms = scanner_ms + off;
    if (ms > received)
        ms = received;
    if (ms < 0)
        return SH_E_BAD_TIME;
    int64_t seconds = ms / 1000;
    if (seconds < SH_EPOCH_MIN || seconds > SH_EPOCH_MAX)
        return SH_E_BAD_TIME;
    *out = seconds;
    return SH_OK;
}

/*  What the hosts are checked against.  */
typedef struct
{
    const sp_report_t *report;
    const hub_subnet_t *subnet;
    int64_t received;
    sh_addr_t last; /* of the subnet */
    bool has_edges;
} terms_t;

static sh_err_t
s_check_address (sh_addr_t *out, const sp_host_t *host, const terms_t *terms)
{
    const hub_subnet_t *subnet = terms->subnet;
    const sh_addr_t *base = &subnet->prefix.base;
    if (sh_addr_from_bytes (out, host->ip) != SH_OK)
        return SH_E_HOST_ADDRESS;
    if (host->subnet && host->subnet != subnet->id)
        return SH_E_HOST_SUBNET;
    int from_base = sh_addr_cmp (out, base);
    int from_last = sh_addr_cmp (out, &terms->last);
    if (from_base < 0 || from_last > 0)
        return SH_E_HOST_OUTSIDE;
    if (!sh_addr_storable (out))
        return SH_E_HOST_UNSTORABLE;
    if (terms->has_edges && from_base == 0)
        return SH_E_HOST_NETWORK;
    if (terms->has_edges && from_last == 0)
        return SH_E_HOST_BROADCAST;
    return SH_OK;
}

static void
s_take_texts (hub_sightings_t *self, hub_sighting_t *one,
              const sp_host_t *host)
{
    if (host->name && *host->name) {
        char checked[SH_HOSTNAME_TEXT];
        if (sh_hostname_check (checked, host->name) == SH_OK) {
            one->name = host->name;
            one->name_size = strlen (checked);
        } else
            self->bad_names++;
    }
    if (host->mac && *host->mac
        && sh_mac_normalise (one->mac, host->mac) != SH_OK) {
        one->mac[0] = 0;
        self->bad_macs++;
    }
}

/*  qsort is not stable, so a sighting carries its place in the report.  */
typedef struct
{
    hub_sighting_t sighting;
    size_t rank;
} ranked_t;

/*  By address; of one address the one to keep comes last.  */
static int
s_compare_ranked (const void *a, const void *b)
{
    const ranked_t *x = a, *y = b;
    int order = sh_addr_cmp (&x->sighting.ip, &y->sighting.ip);
    if (order == 0)
        order = (x->sighting.seen > y->sighting.seen)
                - (x->sighting.seen < y->sighting.seen);
    if (order == 0)
        order = (x->rank > y->rank) - (x->rank < y->rank);
    return order;
}

/*  Most reports need no sorting.  */
static bool
s_ascends (const hub_sightings_t *self)
{
    for (size_t i = 1; i < self->count; i++)
        if (sh_addr_cmp (&self->items[i - 1].ip, &self->items[i].ip) >= 0)
            return false;
    return true;
}

static sh_err_t
s_keep_newest (hub_sightings_t *self)
{
    size_t count = self->count;
    if (s_ascends (self))
        return SH_OK;
    ranked_t *all = calloc (count, sizeof *all);
    if (!all)
        return SH_E_MEMORY;
    for (size_t i = 0; i < count; i++)
        all[i] = (ranked_t){ self->items[i], i };
    qsort (all, count, sizeof *all, s_compare_ranked);
    self->count = 0;
    for (size_t i = 0; i < count; i++) {
        bool superseded
            = i + 1 < count
              && sh_addr_cmp (&all[i].sighting.ip, &all[i + 1].sighting.ip) == 0;
        if (!superseded)
            self->items[self->count++] = all[i].sighting;
    }
    free (all);
    return SH_OK;
}

static void
s_take_host (hub_sightings_t *self, const sp_host_t *host,
             const terms_t *terms)
{
    int64_t off = terms->report->off, received = terms->received;
    hub_sighting_t one = { 0 };
    sh_err_t rc = s_check_address (&one.ip, host, terms);
    if (rc == SH_OK
        && (hub_time_of (&one.seen, host->seen, off, received) != SH_OK
            || (host->old
                && hub_time_of (&one.old, host->old, off, received)
                       != SH_OK)))
        rc = SH_E_HOST_TIME;
    if (rc != SH_OK) {
        self->refused[self->refused_count++]
            = (hub_refusal_t){ .ip = host->ip, .cause = rc };
        return;
    }
    s_take_texts (self, &one, host);
    self->items[self->count++] = one;
}

sh_err_t
hub_sightings_check (hub_sightings_t **out, const sp_report_t *report,
                     const hub_subnet_t *subnet, int64_t received)
{
    assert (out && report && subnet && subnet->has_prefix);
    const terms_t terms = {
        .report = report, .subnet = subnet, .received = received,
        .last = sh_prefix_last (&subnet->prefix),
        .has_edges = sh_prefix_has_edges (&subnet->prefix, subnet->pool),
    };
    size_t most = report->host_count ? report->host_count : 1;
    hub_sightings_t *self = calloc (1, sizeof *self);
    if (self) {
        self->items = malloc (most * sizeof *self->items);
        self->refused = malloc (most * sizeof *self->refused);
    }
    sh_err_t rc
        = self && self->items && self->refused ? SH_OK : SH_E_MEMORY;
    for (size_t i = 0; rc == SH_OK && i < report->host_count; i++)
        s_take_host (self, &report->hosts[i], &terms);
    if (rc == SH_OK)
        rc = s_keep_newest (self);
    if (rc == SH_OK)
        *out = self;
    else
        hub_sightings_destroy (&self);
    return rc;
}

void
hub_sightings_destroy (hub_sightings_t **self_p)
{
    hub_sightings_t *self = *self_p;
    if (!self)
        return;
    free (self->items);
    free (self->refused);
    free (self);
    *self_p = NULL;
}
