/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/spool_model.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"

#define NOW INT64_C (1795347954321)
#define HOSTS_MOST 400
#define SAY(...) s_fault (self, __VA_ARGS__)

static unsigned s_log_errors, s_log_losses;

/*  The spool's log lines: every failure is said, and nothing is ever thrown
    away or set aside, whatever the disk does.  */
void __wrap_sh_log_fields (sh_level_t level, const char *text,
                           const sh_field_t *fields);
void
__wrap_sh_log_fields (sh_level_t level, const char *text,
                      const sh_field_t *fields)
{
    (void) fields;
    s_log_errors += level == SH_LOG_ERROR;
    s_log_losses += strstr (text, "set aside") || strstr (text, "dropped");
}

static void SH_PRINTF (2, 3)
s_fault (model_t *self, const char *format, ...)
{
    if (*self->fault)
        return;
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (self->fault, sizeof self->fault, format, arguments);
    va_end (arguments);
}

static uint32_t
s_random (uint32_t *seed)
{
    *seed = *seed * UINT32_C (1664525) + UINT32_C (1013904223);
    return *seed >> 8;
}

static int64_t
s_clock_ms (void *context)
{
    (void) context;
    return NOW;
}

static const sh_clock_t s_clock = { s_clock_ms, s_clock_ms, NULL, "boot" };

/*  Is the host in the report of a number, where subnets are shared?  */
static bool
s_has_host (size_t number, size_t host)
{
    return (number * 7 + host * 5) % 3 != 0;
}

/*  A report of such a subnet: the later, the higher all of its times.  */
static sp_report_t
s_shared_report (size_t number)
{
    static uint8_t addrs[MODEL_HOSTS][4];
    static sp_host_t hosts[MODEL_HOSTS];
    static char cidr[32];
    static sp_range_t range;
    int64_t at = NOW + (int64_t) number * 1000;
    size_t count = 0, group = number % MODEL_GROUPS;
    for (size_t i = 0; i < MODEL_HOSTS; i++) {
        uint8_t addr[4] = { 10, (uint8_t) group, 0, (uint8_t) (i + 1) };
        memcpy (addrs[i], addr, 4);
        if (s_has_host (number, i))
            hosts[count++] = (sp_host_t){ .ip = { addrs[i], 4 }, .seen = at };
    }
    range = (sp_range_t){ { addrs[0], 4 }, { addrs[MODEL_HOSTS - 1], 4 } };
    snprintf (cidr, sizeof cidr, "10.%zu.0.0/24", group);
    return (sp_report_t){ .code = "siteA", .subnet = group + 1, .cidr = cidr,
                          .kind = SP_KIND_BOTH, .started = at, .finished = at,
                          .hosts = hosts, .host_count = count,
                          .complete = true, .up = count, .covered = &range,
                          .covered_count = 1 };
}

/*  The report of a number, the same each time; valid until the next call.  Each
    is of a subnet of its own, so that the spool has nothing to merge.  */
static sp_report_t
s_report (const model_t *self, size_t number)
{
    if (self->merged)
        return s_shared_report (number);
    static uint8_t addrs[HOSTS_MOST][4];
    static sp_host_t hosts[HOSTS_MOST];
    static char names[HOSTS_MOST][240], cidr[32];
    static sp_range_t range;
    uint32_t random = (uint32_t) number + 77;
    size_t count = 1 + s_random (&random) % 12;
    if (s_random (&random) % (self->big > 100 ? 2 : 4) == 0)
        count = self->big;
    for (size_t i = 0; i < count; i++) {
        uint8_t addr[4] = { 10, (uint8_t) number, (uint8_t) (i / 250),
                            (uint8_t) (i % 250 + 1) };
        memcpy (addrs[i], addr, 4);
        memset (names[i], 'a' + (int) ((number + i) % 26), sizeof names[0] - 1);
        names[i][20 + s_random (&random) % 200] = '\0';
        hosts[i] = (sp_host_t){ .ip = { addrs[i], 4 },
                                .seen = NOW - 5000 + (int64_t) i,
                                .name = names[i], .how = "arp" };
    }
    snprintf (cidr, sizeof cidr, "10.%zu.0.0/16", number);
    range = (sp_range_t){ { addrs[0], 4 }, { addrs[count - 1], 4 } };
    return (sp_report_t){ .code = "siteA", .subnet = number + 1, .cidr = cidr,
                          .kind = SP_KIND_BOTH, .started = NOW - 9000,
                          .finished = NOW - 1000, .hosts = hosts,
                          .host_count = count, .complete = true, .up = count,
                          .covered = &range, .covered_count = 1 };
}

/*  The calls of the spool itself.  */

static sh_err_t
s_spool_open (model_t *self, sh_why_t *why)
{
    return sp_spool_open (&self->spool, self->path, SP_SPOOL_DEFAULT_MOST,
                          &s_clock, why);
}

static sh_err_t
s_spool_put (model_t *self, const sp_report_t *report)
{
    return sp_spool_put (self->spool, "model", report,
                         sh_clock_epoch (&s_clock), NULL);
}

static sh_err_t
s_spool_next (model_t *self, int64_t after, sp_spooled_t **out)
{
    return sp_spool_next (self->spool, after, out);
}

static sh_err_t
s_spool_remove (model_t *self, int64_t row)
{
    return sp_spool_remove (self->spool, row);
}

/*  An error of the spool: is it one that may be, and was it said?  */
static bool
s_ok (model_t *self, sh_err_t rc, const char *doing)
{
    if (s_log_losses) {
        SAY ("%s: a report was dropped, or the file set aside", doing);
        s_log_losses = 0;
    }
    if (rc == SH_OK)
        return true;
    if (rc != SH_E_IO && rc != SH_E_MEMORY)
        SAY ("%s: %s", doing, sh_err_word (rc));
    if (rc == SH_E_IO && s_log_errors == self->logged)
        SAY ("%s: failed silently", doing);
    self->logged = s_log_errors;
    return false;
}

bool
model_open (model_t *self)
{
    sh_why_t why = { "" };
    sh_err_t rc = s_spool_open (self, &why);
    if (rc != SH_OK && self->spool)
        SAY ("open: failed and gave something");
    if (rc != SH_OK && strlen (why.text) < strlen (self->path) + 10)
        SAY ("open: no sentence: '%s'", why.text);
    s_log_errors++; /* the sentence counts */
    return s_ok (self, rc, "open");
}

void
model_close (model_t *self)
{
    sp_spool_close (&self->spool);
}

static bool
s_same_text (const char *a, const char *b)
{
    return a && b ? strcmp (a, b) == 0 : a == b;
}

static bool
s_same_bytes (sh_bytes_t a, sh_bytes_t b)
{
    return a.size == b.size && memcmp (a.data, b.data, a.size) == 0;
}

static bool
s_same_host (const sp_host_t *a, const sp_host_t *b)
{
    return s_same_bytes (a->ip, b->ip) && a->seen == b->seen
           && s_same_text (a->name, b->name) && s_same_text (a->how, b->how)
           && s_same_text (a->mac, b->mac) && a->subnet == b->subnet;
}

static bool
s_same_report (const sp_report_t *a, const sp_report_t *b)
{
    bool same = s_same_text (a->code, b->code) && a->subnet == b->subnet
                && s_same_text (a->cidr, b->cidr) && a->kind == b->kind
                && a->started == b->started && a->finished == b->finished
                && a->off == b->off && a->complete == b->complete
                && a->up == b->up && a->host_count == b->host_count
                && a->covered_count == b->covered_count;
    for (size_t i = 0; same && i < a->host_count; i++)
        same = s_same_host (&a->hosts[i], &b->hosts[i]);
    for (size_t i = 0; same && i < a->covered_count; i++)
        same = s_same_bytes (a->covered[i].first, b->covered[i].first)
               && s_same_bytes (a->covered[i].last, b->covered[i].last);
    return same;
}

static size_t
s_number_at (int64_t time)
{
    return (size_t) ((time - NOW) / 1000);
}

/*  One host of a merged report whose newest part is the report 'newest'.  */
static void
s_look_at_host (model_t *self, size_t group, const sp_host_t *host,
                size_t newest, model_host_t *found)
{
    size_t number = s_number_at (host->seen);
    size_t at = (size_t) host->ip.data[3] - 1;
    if (at >= MODEL_HOSTS || host->ip.data[1] != group
        || number % MODEL_GROUPS != group || !s_has_host (number, at)) {
        SAY ("a host that no report has");
        return;
    }
    const model_host_t *known = &self->hosts[group][at];
    if ((int) number > known->may)
        SAY ("a host of report %zu, which was removed", number);
    if ((host->old != 0) != (number != newest))
        SAY ("a host of report %zu marked wrongly beside %zu", number, newest);
    if (found[at].must >= 0)
        SAY ("a host is there twice");
    found[at] = (model_host_t){ (int) number, (int) number };
}

/*  Judge what waits of a subnet ('report' NULL: nothing does).  */
static void
s_look_at_merged (model_t *self, size_t group, const sp_report_t *report,
                  bool reopened)
{
    model_host_t found[MODEL_HOSTS];
    for (size_t i = 0; i < MODEL_HOSTS; i++)
        found[i] = (model_host_t){ -1, -1 };
    size_t newest = report ? s_number_at (report->started) : 0;
    for (size_t i = 0; report && i < report->host_count; i++)
        s_look_at_host (self, group, &report->hosts[i], newest, found);
    for (size_t i = 0; i < MODEL_HOSTS; i++) {
        model_host_t *known = &self->hosts[group][i];
        if (found[i].must < known->must)
            SAY ("a host of report %d is lost", known->must);
        if (report && s_has_host (newest, i)
            && found[i].must != (int) newest)
            SAY ("only a part of report %zu", newest);
        if (reopened)
            *known = found[i];
    }
}

static void
s_expect_hosts (model_t *self, size_t number, bool sure)
{
    for (size_t i = 0; i < MODEL_HOSTS; i++) {
        model_host_t *known = &self->hosts[number % MODEL_GROUPS][i];
        if (!s_has_host (number, i))
            continue;
        known->may = (int) number;
        if (sure)
            known->must = (int) number;
    }
}

static void
s_expect_no_hosts (model_t *self, size_t group, bool sure)
{
    for (size_t i = 0; i < MODEL_HOSTS; i++) {
        self->hosts[group][i].must = -1;
        if (sure)
            self->hosts[group][i].may = -1;
    }
}

void
model_merge (model_t *self)
{
    self->merged = true;
    for (size_t i = 0; i < MODEL_GROUPS; i++)
        s_expect_no_hosts (self, i, true);
}

/*  Judge one report that is in the spool.  */
static void
s_look_at (model_t *self, const sp_spooled_t *spooled, bool *found,
           bool reopened)
{
    size_t group = (size_t) spooled->report.subnet - 1;
    if (self->merged && group < MODEL_GROUPS) {
        if (found[group])
            SAY ("two reports of subnet %zu", group);
        found[group] = true;
        s_look_at_merged (self, group, &spooled->report, reopened);
        return;
    }
    size_t number = (size_t) spooled->report.subnet - 1;
    if (number >= self->used || self->reports[number] == MODEL_NONE) {
        SAY ("report %zu was never put", number);
        return;
    }
    sp_report_t right = s_report (self, number);
    if (!s_same_report (&spooled->report, &right)
        || strcmp (spooled->label, "model") != 0 || spooled->put != NOW)
        SAY ("report %zu has changed", number);
    if (found[number])
        SAY ("report %zu is there twice", number);
    found[number] = true;
    if (self->reports[number] == MODEL_GONE) {
        if (!self->tell_losses)
            SAY ("report %zu was removed and is back", number);
        self->losses++;
    }
}

/*  Go through all of it.  */
static bool
s_list (model_t *self, bool *found, bool reopened)
{
    int64_t after = 0;
    size_t depth = 0;
    for (;;) {
        sp_spooled_t *spooled = NULL;
        sh_err_t rc = s_spool_next (self, after, &spooled);
        if (rc == SH_E_NOT_FOUND)
            break;
        if (!s_ok (self, rc, "next"))
            return false;
        s_look_at (self, spooled, found, reopened);
        if (spooled->row <= after)
            SAY ("row %lld after %lld", (long long) spooled->row,
                 (long long) after);
        after = spooled->row;
        sp_spooled_destroy (&spooled);
        depth++;
    }
    if (!s_ok (self, SH_OK, "next"))
        return false;
    if (sp_spool_depth (self->spool) != depth)
        SAY ("depth is %llu with %zu reports",
             (unsigned long long) sp_spool_depth (self->spool), depth);
    if ((sp_spool_bytes (self->spool) == 0) != (depth == 0))
        SAY ("%llu bytes in %zu reports",
             (unsigned long long) sp_spool_bytes (self->spool), depth);
    return true;
}

bool
model_check (model_t *self, bool reopened)
{
    bool found[MODEL_REPORTS] = { false };
    if (!s_list (self, found, reopened))
        return false;
    for (size_t i = 0; self->merged && i < MODEL_GROUPS; i++)
        if (!found[i])
            s_look_at_merged (self, i, NULL, reopened);
    for (size_t i = 0; !self->merged && i < self->used; i++) {
        model_state_t *known = &self->reports[i];
        if (*known == MODEL_THERE && !found[i]) {
            if (!self->tell_losses)
                SAY ("report %zu is lost", i);
            self->losses++;
        }
        if (reopened)
            *known = found[i] ? MODEL_THERE : MODEL_GONE;
    }
    return true;
}

static bool
s_put (model_t *self)
{
    if (self->used == MODEL_REPORTS)
        return true;
    size_t number = self->used++;
    sp_report_t report = s_report (self, number);
    self->reports[number] = MODEL_MAYBE;
    if (self->merged)
        s_expect_hosts (self, number, false);
    if (!s_ok (self, s_spool_put (self, &report), "put"))
        return false;
    self->reports[number] = MODEL_THERE;
    if (self->merged)
        s_expect_hosts (self, number, true);
    return true;
}

static bool
s_remove_row (model_t *self, size_t number, int64_t row)
{
    model_state_t *known = &self->reports[number];
    bool sure = *known == MODEL_THERE && !self->merged;
    *known = MODEL_MAYBE;
    if (self->merged)
        s_expect_no_hosts (self, number, false);
    sh_err_t rc = s_spool_remove (self, row);
    if (rc == SH_E_NOT_FOUND && !sure)
        return true;
    if (!s_ok (self, rc, "remove"))
        return false;
    *known = MODEL_GONE;
    if (self->merged)
        s_expect_no_hosts (self, number, true);
    return true;
}

/*  Remove the first, or the one after it.  */
static bool
s_remove (model_t *self, bool second)
{
    sp_spooled_t *spooled = NULL;
    int64_t after = 0;
    int left = second ? 2 : 1;
    do {
        sp_spooled_destroy (&spooled);
        sh_err_t rc = s_spool_next (self, after, &spooled);
        if (rc == SH_E_NOT_FOUND)
            return true;
        if (!s_ok (self, rc, "next"))
            return false;
        after = spooled->row;
    } while (--left > 0);
    size_t number = (size_t) spooled->report.subnet - 1;
    sp_spooled_destroy (&spooled);
    if (number >= (self->merged ? MODEL_GROUPS : self->used)) {
        SAY ("report %zu was never put", number);
        return false;
    }
    return s_remove_row (self, number, after);
}

bool
model_drain (model_t *self)
{
    while (sp_spool_depth (self->spool) > 0)
        if (!s_remove (self, false) || *self->fault)
            return false;
    return model_check (self, false);
}

bool
model_step (model_t *self)
{
    uint32_t what = s_random (&self->random) % 16;
    if (!self->spool)
        return model_open (self) && model_check (self, true);
    if (what < 8)
        return s_put (self);
    if (what < 13)
        return s_remove (self, what % 2);
    if (what < 15)
        return model_check (self, false);
    model_close (self);
    return model_open (self) && model_check (self, true);
}

void
model_go_on (model_t *self, int steps)
{
    bool good = *self->fault == '\0';
    if (good && !self->spool)
        good = model_open (self) && model_check (self, true);
    for (int i = 0; good && i < steps; i++)
        good = model_step (self);
    model_close (self);
    good = good && model_open (self) && model_check (self, true)
           && model_drain (self);
    if (!good && !*self->fault)
        snprintf (self->fault, sizeof self->fault, "it does not go on");
}

void
model_init (model_t *self, uint32_t seed, size_t big)
{
    *self = (model_t){ .random = seed, .big = big };
    /*  In memory where that is possible: thousands of files are made.  */
    const char *where = access ("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf (self->dir, sizeof self->dir, "%s/scanhub-power-XXXXXX", where);
    if (!mkdtemp (self->dir))
        SAY ("no directory");
    snprintf (self->path, sizeof self->path, "%s/spool", self->dir);
    s_log_errors = s_log_losses = 0;
}

void
model_wipe (const model_t *self)
{
    DIR *dir = opendir (self->dir);
    for (struct dirent *entry; dir && (entry = readdir (dir));)
        unlinkat (dirfd (dir), entry->d_name, 0);
    if (dir)
        closedir (dir);
}

void
model_end (model_t *self)
{
    model_close (self);
    model_wipe (self);
    rmdir (self->dir);
}
