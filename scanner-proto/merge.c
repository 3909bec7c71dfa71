/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/merge.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*  A time that overflows is none that a clock ever showed.  */
static int64_t
s_shift (int64_t time, int64_t delta)
{
    int64_t sum;
    return __builtin_add_overflow (time, delta, &sum) ? time : sum;
}

/*  By address; of one address the base's entry first, then by time, the latest
    first.  */
typedef struct
{
    sp_host_t host;
    bool base;
} entry_t;

static int
s_compare_ip (sh_bytes_t a, sh_bytes_t b)
{
    if (a.size != b.size)
        return a.size < b.size ? -1 : 1;
    return a.size ? memcmp (a.data, b.data, a.size) : 0;
}

static int
s_compare (const void *a, const void *b)
{
    const entry_t *x = a, *y = b;
    int order = s_compare_ip (x->host.ip, y->host.ip);
    if (order == 0)
        order = (x->base < y->base) - (x->base > y->base);
    if (order == 0)
        order = (x->host.seen < y->host.seen) - (x->host.seen > y->host.seen);
    return order;
}

/*  One host of two sightings: the later one's time; that it was found by the
    base's own scan, or a later one, is not forgotten.  */
static void
s_unite (sp_host_t *host, const sp_host_t *other)
{
    bool old = host->old && other->old;
    if (other->seen > host->seen) {
        sp_host_t later = *other;
        later.old = old ? later.old : 0;
        later.mac = later.mac ? later.mac : host->mac;
        later.name = later.name ? later.name : host->name;
        *host = later;
        return;
    }
    host->old = old ? host->old : 0;
    host->mac = host->mac ? host->mac : other->mac;
    host->name = host->name ? host->name : other->name;
}

static void
s_take (entry_t *all, size_t *count, const sp_report_t *from, bool base,
        int64_t delta, bool old)
{
    for (size_t i = 0; i < from->host_count; i++) {
        entry_t *one = &all[(*count)++];
        one->host = from->hosts[i];
        one->host.seen = s_shift (one->host.seen, delta);
        if (one->host.old || old)
            one->host.old = s_shift (
                one->host.old ? one->host.old : from->started, delta);
        one->base = base;
    }
}

static sh_err_t
s_merge_hosts (sp_merged_t *out, const sp_report_t *newer,
               const sp_report_t *older, int64_t delta, bool newer_is_base)
{
    size_t most = newer->host_count + older->host_count, count = 0;
    entry_t *all = calloc (most + 1, sizeof *all);
    out->hosts = calloc (most + 1, sizeof *out->hosts);
    if (!all || !out->hosts) {
        free (all);
        return SH_E_MEMORY;
    }
    s_take (all, &count, newer, newer_is_base, 0, false);
    s_take (all, &count, older, !newer_is_base, delta, newer_is_base);
    qsort (all, count, sizeof *all, s_compare);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept
            && s_compare_ip (out->hosts[kept - 1].ip, all[i].host.ip) == 0)
            s_unite (&out->hosts[kept - 1], &all[i].host);
        else
            out->hosts[kept++] = all[i].host;
    }
    free (all);
    out->report.hosts = kept ? out->hosts : NULL;
    out->report.host_count = kept;
    return SH_OK;
}

sh_err_t
sp_merge (sp_merged_t *out, const sp_report_t *newer, const sp_report_t *older,
          int64_t delta, bool newest)
{
    assert (out && newer && older);
    bool newer_is_base = newest || newer->complete || !older->complete;
    const sp_report_t *base = newer_is_base ? newer : older;
    sp_merged_t merged = { .report = *base };
    merged.report.hint = newer->hint ? newer->hint : older->hint;
    if (!newer_is_base) {
        merged.report.started = s_shift (older->started, delta);
        merged.report.finished = s_shift (older->finished, delta);
    }
    sh_err_t rc = s_merge_hosts (&merged, newer, older, delta, newer_is_base);
    if (rc == SH_OK)
        *out = merged;
    else
        sp_merged_clear (&merged);
    return rc;
}

void
sp_merged_clear (sp_merged_t *self)
{
    free (self->hosts);
    *self = (sp_merged_t){ 0 };
}
