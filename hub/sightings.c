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

static sh_err_t
s_check_address (sh_addr_t *out, const sp_host_t *host,
                 const hub_subnet_t *subnet)
{
    if (sh_addr_from_bytes (out, host->ip) != SH_OK)
        return SH_E_HOST_ADDRESS;
    if (host->subnet && host->subnet != subnet->id)
        return SH_E_HOST_SUBNET;
    if (!sh_prefix_contains (&subnet->prefix, out))
        return SH_E_HOST_OUTSIDE;
    if (!sh_addr_storable (out))
        return SH_E_HOST_UNSTORABLE;
    if (sh_prefix_has_edges (&subnet->prefix, subnet->pool)) {
        sh_addr_t last = sh_prefix_last (&subnet->prefix);
        if (sh_addr_cmp (out, &subnet->prefix.base) == 0)
            return SH_E_HOST_NETWORK;
        if (sh_addr_cmp (out, &last) == 0)
            return SH_E_HOST_BROADCAST;
    }
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

static void
s_keep_newest (hub_sightings_t *self, ranked_t *all, size_t count)
{
    qsort (all, count, sizeof *all, s_compare_ranked);
    for (size_t i = 0; i < count; i++) {
        bool superseded
            = i + 1 < count
              && sh_addr_cmp (&all[i].sighting.ip, &all[i + 1].sighting.ip) == 0;
        if (!superseded)
            self->items[self->count++] = all[i].sighting;
    }
}

static void
s_take_host (hub_sightings_t *self, ranked_t *all, size_t *count,
             const sp_report_t *report, size_t index,
             const hub_subnet_t *subnet, int64_t received)
{
    const sp_host_t *host = &report->hosts[index];
    hub_sighting_t one = { 0 };
    sh_err_t rc = s_check_address (&one.ip, host, subnet);
    if (rc == SH_OK
        && (hub_time_of (&one.seen, host->seen, report->off, received) != SH_OK
            || (host->old
                && hub_time_of (&one.old, host->old, report->off, received)
                       != SH_OK)))
        rc = SH_E_HOST_TIME;
    if (rc != SH_OK) {
        self->refused[self->refused_count++]
            = (hub_refusal_t){ .ip = host->ip, .cause = rc };
        return;
    }
    s_take_texts (self, &one, host);
    all[*count].sighting = one;
    all[*count].rank = index;
    ++*count;
}

sh_err_t
hub_sightings_check (hub_sightings_t **out, const sp_report_t *report,
                     const hub_subnet_t *subnet, int64_t received)
{
    assert (out && report && subnet && subnet->has_prefix);
    size_t most = report->host_count ? report->host_count : 1;
    hub_sightings_t *self = calloc (1, sizeof *self);
    ranked_t *all = calloc (most, sizeof *all);
    if (self) {
        self->items = calloc (most, sizeof *self->items);
        self->refused = calloc (most, sizeof *self->refused);
    }
    if (!self || !all || !self->items || !self->refused) {
        free (all);
        hub_sightings_destroy (&self);
        return SH_E_MEMORY;
    }

    size_t count = 0;
    for (size_t i = 0; i < report->host_count; i++)
        s_take_host (self, all, &count, report, i, subnet, received);
    s_keep_newest (self, all, count);
    free (all);
    *out = self;
    return SH_OK;
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
