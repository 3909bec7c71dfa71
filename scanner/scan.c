/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sc_scan
{
    sc_subnet_t subnet;
    char cidr[SH_PREFIX_TEXT];
    sc_target_t *targets;
    size_t count, room;
    size_t strays; /* left out */
    sh_addr_t last; /* of what was added, in the prefix or not */
    int kind;       /* as wanted, sp_kind_t */
    sh_ranges_t ranges;
    sh_ranges_t known; /* those of 'targets' that may be probed */
    sh_ranges_t skip;  /* what must not, in the prefix */
    sh_ranges_t covered;
    sc_job_t job;
    char note[512];
    sc_result_t result;
    sp_report_t report;
};

sh_err_t
sc_scan_new (sc_scan_t **out, const sc_subnet_t *subnet, int kind,
             const char *code)
{
    sc_scan_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    if (sc_subnet_copy (&self->subnet, subnet) != SH_OK) {
        free (self);
        return SH_E_MEMORY;
    }
    sh_prefix_text (&subnet->prefix, self->cidr);
    self->kind = kind;
    self->report.subnet = subnet->id;
    self->report.cidr = self->cidr;
    self->report.code = code;
    self->job = (sc_job_t){
        .ranges = &self->ranges,
        .known = &self->known,
        .skip = &self->skip,
        .prefix = subnet->prefix,
        .rate = subnet->rate,
    };
    *out = self;
    return SH_OK;
}

void
sc_scan_destroy (sc_scan_t **self_p)
{
    sc_scan_t *self = *self_p;
    if (!self)
        return;
    free (self->targets);
    free (self->report.hosts);
    free (self->report.covered);
    sh_ranges_clear (&self->ranges);
    sh_ranges_clear (&self->known);
    sh_ranges_clear (&self->skip);
    sh_ranges_clear (&self->covered);
    sc_subnet_clear (&self->subnet);
    sc_result_clear (&self->result);
    free (self);
    *self_p = NULL;
}

static sh_err_t
s_append (sc_scan_t *self, const sc_target_t *target)
{
    if (self->count == SC_TARGETS_MOST)
        return SH_E_TOO_LARGE;
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 256;
        sc_target_t *targets
            = reallocarray (self->targets, room, sizeof *targets);
        if (!targets)
            return SH_E_MEMORY;
        self->targets = targets;
        self->room = room;
    }
    self->targets[self->count++] = *target;
    return SH_OK;
}

sh_err_t
sc_scan_add (sc_scan_t *self, const sp_target_t *target, sh_why_t *why)
{
    sc_target_t item = { .exclude = target->exclude };
    if (sh_addr_from_bytes (&item.ip, target->ip) != SH_OK)
        return sh_fail (why, SH_E_BAD_MESSAGE, "a target is no address");
    if (self->last.family && sh_addr_cmp (&item.ip, &self->last) <= 0)
        return sh_fail (why, SH_E_BAD_MESSAGE,
                        "the targets are not in ascending order");
    self->last = item.ip;
    if (!sh_prefix_contains (&self->subnet.prefix, &item.ip)) {
        if (++self->strays > SC_STRAYS_MOST)
            return sh_fail (why, SH_E_BAD_MESSAGE,
                            "the hub names more than %d addresses outside of "
                            "%s",
                            SC_STRAYS_MOST, self->cidr);
        return SH_OK;
    }
    sh_err_t rc = s_append (self, &item);
    if (rc == SH_E_TOO_LARGE)
        return sh_fail (why, rc, "the hub names more than %d addresses in %s",
                        SC_TARGETS_MOST, self->cidr);
    return rc == SH_OK ? rc : sh_fail (why, rc, "%s", sh_err_text (rc));
}

sh_err_t
sc_scan_use (sc_scan_t *self, const sc_known_t *known)
{
    self->count = 0;
    sh_err_t rc = SH_OK;
    for (size_t i = 0; i < known->count && rc == SH_OK; i++)
        rc = s_append (self, &known->items[i]);
    return rc;
}

void
sc_scan_remember (sc_scan_t *self, sc_known_t *known)
{
    sc_known_clear (known);
    *known = (sc_known_t){ .items = self->targets,
                           .count = self->count,
                           .valid = true };
    self->targets = NULL;
    self->count = self->room = 0;
}

sh_bytes_t
sc_scan_last (const sc_scan_t *self)
{
    if (self->last.family == 0)
        return (sh_bytes_t){ 0 };
    return sh_addr_bytes (&self->last);
}

/*  The first and last address that may be a host's.  False if there is
    none.  */
static bool
s_bounds (const sc_scan_t *self, sh_addr_t *first, sh_addr_t *last)
{
    *first = self->subnet.prefix.base;
    *last = sh_prefix_last (&self->subnet.prefix);
    if (!sh_prefix_has_edges (&self->subnet.prefix, self->subnet.pool))
        return true;
    return sh_addr_next (first) && sh_addr_previous (last)
           && sh_addr_cmp (first, last) <= 0;
}

/*  Those of the known addresses that are excluded, or those that are not.  */
static sh_err_t
s_gather (const sc_scan_t *self, bool excluded, sh_ranges_t *out)
{
    sh_err_t rc = SH_OK;
    for (size_t i = 0; i < self->count && rc == SH_OK; i++)
        if (self->targets[i].exclude == excluded)
            rc = sh_ranges_add (out, &self->targets[i].ip,
                                &self->targets[i].ip);
    return rc;
}

/*  'skip' is everything that must not be probed: the prefix without what the
    hub's file skips and phpIPAM excludes, taken away from the prefix.  */
static sh_err_t
s_plan_skip (sc_scan_t *self)
{
    const sh_prefix_t *prefix = &self->subnet.prefix;
    sh_addr_t last = sh_prefix_last (prefix);
    sh_ranges_t allowed = { 0 }, excluded = { 0 };
    sh_err_t rc = sh_ranges_add (&allowed, &prefix->base, &last);
    if (rc == SH_OK)
        rc = s_gather (self, true, &excluded);
    if (rc == SH_OK)
        rc = sh_ranges_subtract (&allowed, &self->subnet.skip);
    if (rc == SH_OK)
        rc = sh_ranges_subtract (&allowed, &excluded);
    if (rc == SH_OK)
        rc = sh_ranges_add (&self->skip, &prefix->base, &last);
    if (rc == SH_OK)
        rc = sh_ranges_subtract (&self->skip, &allowed);
    sh_ranges_clear (&allowed);
    sh_ranges_clear (&excluded);
    return rc;
}

/*  The edges are no hosts and count as known all the same, if phpIPAM has a row
    for one.  */
static sh_err_t
s_cut_edges (const sc_scan_t *self, sh_ranges_t *ranges)
{
    sh_addr_t first, last;
    sh_ranges_t edges = { 0 };
    const sh_prefix_t *prefix = &self->subnet.prefix;
    sh_addr_t end = sh_prefix_last (prefix);
    if (!sh_prefix_has_edges (prefix, self->subnet.pool))
        return SH_OK;
    sh_err_t rc = sh_ranges_add (&edges, &prefix->base, &end);
    sh_ranges_t inner = { 0 };
    if (rc == SH_OK && s_bounds (self, &first, &last))
        rc = sh_ranges_add (&inner, &first, &last);
    if (rc == SH_OK)
        rc = sh_ranges_subtract (&edges, &inner);
    if (rc == SH_OK)
        rc = sh_ranges_subtract (ranges, &edges);
    sh_ranges_clear (&inner);
    sh_ranges_clear (&edges);
    return rc;
}

static sh_err_t
s_plan_known (sc_scan_t *self)
{
    sh_err_t rc = s_gather (self, false, &self->known);
    if (rc == SH_OK)
        rc = s_cut_edges (self, &self->known);
    if (rc == SH_OK)
        rc = sh_ranges_subtract (&self->known, &self->skip);
    return rc;
}

static sh_err_t
s_plan_sweep (sc_scan_t *self)
{
    sh_addr_t first, last;
    if (!s_bounds (self, &first, &last))
        return SH_OK;
    sh_err_t rc = sh_ranges_add (&self->ranges, &first, &last);
    if (rc == SH_OK)
        rc = sh_ranges_subtract (&self->ranges, &self->skip);
    return rc;
}

/*  A prefix that is too large to be swept.  Of IPv6 that is the normal one, and
    hosts are found as neighbours.  */
static int
s_plan_large (sc_scan_t *self)
{
    const sc_subnet_t *subnet = &self->subnet;
    if (subnet->prefix.base.family == 6) {
        self->job.neighbours = subnet->neighbours;
        return subnet->check ? SP_KIND_BOTH : SP_KIND_DISCOVER;
    }
    (void) snprintf (self->note, sizeof self->note,
                     "more than %d addresses: not swept, only known ones are "
                     "checked",
                     SC_SWEEP_MOST);
    return SP_KIND_CHECK;
}

sh_err_t
sc_scan_plan (sc_scan_t *self)
{
    const sh_prefix_t *prefix = &self->subnet.prefix;
    bool large = sh_prefix_count (prefix) > SC_SWEEP_MOST;
    bool sweep = self->kind != SP_KIND_CHECK && !large;
    self->report.kind = self->kind;
    if (self->kind != SP_KIND_CHECK && large)
        self->report.kind = s_plan_large (self);
    sh_err_t rc = s_plan_skip (self);
    if (rc == SH_OK)
        rc = s_plan_known (self);
    if (rc == SH_OK)
        rc = sweep ? s_plan_sweep (self)
                   : sh_ranges_copy (&self->ranges, &self->known);
    return rc;
}

const sc_subnet_t *
sc_scan_subnet (const sc_scan_t *self)
{
    return &self->subnet;
}

const sc_job_t *
sc_scan_job (const sc_scan_t *self)
{
    return &self->job;
}

const char *
sc_scan_note (const sc_scan_t *self)
{
    return self->note;
}

static const char *
s_text (const char *text)
{
    return text && *text ? text : NULL;
}

static sh_err_t
s_report_hosts (sc_scan_t *self)
{
    const sc_result_t *result = &self->result;
    if (result->count == 0)
        return SH_OK;
    sp_host_t *hosts = calloc (result->count, sizeof *hosts);
    if (!hosts)
        return SH_E_MEMORY;
    for (size_t i = 0; i < result->count; i++) {
        const sc_host_t *host = &result->hosts[i];
        hosts[i] = (sp_host_t){ .ip = sh_addr_bytes (&host->ip),
                                .seen = host->seen,
                                .mac = s_text (host->mac),
                                .name = s_text (host->name),
                                .how = s_text (host->how) };
    }
    self->report.hosts = hosts;
    self->report.host_count = result->count;
    return SH_OK;
}

static sh_err_t
s_report_covered (sc_scan_t *self)
{
    if (!self->result.complete)
        return SH_OK;
    sh_err_t rc = sh_ranges_copy (&self->covered, &self->ranges);
    if (rc == SH_OK)
        rc = sh_ranges_subtract (&self->covered, &self->result.missed);
    if (rc != SH_OK || self->covered.count == 0)
        return rc;
    sp_range_t *covered = calloc (self->covered.count, sizeof *covered);
    if (!covered)
        return SH_E_MEMORY;
    for (size_t i = 0; i < self->covered.count; i++) {
        const sh_range_t *range = &self->covered.items[i];
        covered[i] = (sp_range_t){ .first = sh_addr_bytes (&range->first),
                                   .last = sh_addr_bytes (&range->last) };
    }
    self->report.covered = covered;
    self->report.covered_count = self->covered.count;
    return SH_OK;
}

/*  What a scan says that ran to its end and missed nothing takes nothing from
    what it found.  */
static void
s_add_note (sc_scan_t *self)
{
    const sc_result_t *result = &self->result;
    size_t used = strlen (self->note);
    if (*result->text && !sc_scan_trouble (self))
        (void) snprintf (self->note + used, sizeof self->note - used, "%s%s",
                         used ? "; " : "", result->text);
}

sh_err_t
sc_scan_finish (sc_scan_t *self, sc_result_t *result, int64_t started,
                int64_t finished)
{
    if (finished < started) /* the clock was set back in between */
        finished = started;
    sc_result_clear (&self->result);
    self->result = *result;
    *result = (sc_result_t){ 0 };
    sc_result_settle (&self->result, &self->job, started, finished);
    self->report.started = started;
    self->report.finished = finished;
    self->report.last = true;
    self->report.complete = self->result.complete;
    self->report.up = self->result.count;
    s_add_note (self);
    sh_err_t rc = s_report_hosts (self);
    if (rc == SH_OK)
        rc = s_report_covered (self);
    return rc;
}

const sp_report_t *
sc_scan_report (const sc_scan_t *self)
{
    return &self->report;
}

const char *
sc_scan_cidr (const sc_scan_t *self)
{
    return self->cidr;
}

const char *
sc_scan_trouble (const sc_scan_t *self)
{
    bool trouble = !self->result.complete || self->result.missed.count;
    return trouble ? self->result.text : NULL;
}

int
sc_scan_kind (const sc_scan_t *self)
{
    return self->kind;
}
