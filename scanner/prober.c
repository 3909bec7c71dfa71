/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/prober.h"

#include <stdlib.h>

sh_err_t
sc_result_add (sc_result_t *self, const sc_host_t *host)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 64;
        sc_host_t *hosts = reallocarray (self->hosts, room, sizeof *hosts);
        if (!hosts) {
            free (host->name);
            return SH_E_MEMORY;
        }
        self->hosts = hosts;
        self->room = room;
    }
    self->hosts[self->count++] = *host;
    return SH_OK;
}

static int
s_compare (const void *a, const void *b)
{
    const sc_host_t *one = a, *two = b;
    int order = sh_addr_cmp (&one->ip, &two->ip);
    if (order == 0)
        order = (one->seen > two->seen) - (one->seen < two->seen);
    return order;
}

/*  Keep 'host' as the next one, or instead of the same address before.  */
static void
s_keep (sc_result_t *self, size_t *kept, const sc_host_t *host)
{
    if (*kept && sh_addr_cmp (&self->hosts[*kept - 1].ip, &host->ip) == 0) {
        (*kept)--;
#ifndef __clang_analyzer__ /* which takes the names of two copies for one */
        free (self->hosts[*kept].name);
#endif
    }
    self->hosts[(*kept)++] = *host;
}

bool
sc_job_wants (const sc_job_t *self, const sh_addr_t *addr)
{
    if (sh_ranges_contain (self->ranges, addr))
        return true;
    return self->neighbours != SC_NEIGHBOURS_NONE
           && sh_prefix_contains (&self->prefix, addr)
           && !(self->skip && sh_ranges_contain (self->skip, addr));
}

bool
sc_job_is_empty (const sc_job_t *self, const sc_engine_t *engine)
{
    bool seeks = engine->seeks && self->neighbours != SC_NEIGHBOURS_NONE;
    return self->ranges->count == 0 && !seeks;
}

void
sc_result_settle (sc_result_t *self, const sc_job_t *job, int64_t started,
                  int64_t finished)
{
    if (self->count)
        qsort (self->hosts, self->count, sizeof *self->hosts, s_compare);
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        sc_host_t host = self->hosts[i];
        if (!sc_job_wants (job, &host.ip)) {
            free (host.name);
            continue;
        }
        if (host.seen < started)
            host.seen = started;
        if (host.seen > finished)
            host.seen = finished;
        s_keep (self, &kept, &host);
    }
    self->count = kept;
}

void
sc_result_clear (sc_result_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free (self->hosts[i].name);
    free (self->hosts);
    sh_ranges_clear (&self->missed);
    *self = (sc_result_t){ 0 };
}
