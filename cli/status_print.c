/* SPDX-License-Identifier: MPL-2.0 */

#include "cli/status_within.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/table.h"
#include "lib/span.h"
#include "lib/text.h"
#include "lib/wrap.h"

#define LINE_MOST 1200

const json_t *
ctl_status_part (const ctl_status_t *self, const char *key)
{
    return json_object_get (self->document, key);
}

/*  "3 min ago"; "-" for a time that is not known.  */
const char *
ctl_status_ago (const ctl_status_t *self, const json_t *object,
                const char *key, char out[static SH_SPAN_TEXT])
{
    int64_t at = ctl_field_number (object, key);
    snprintf (out, SH_SPAN_TEXT, "-");
    if (at)
        sh_span_about (out, (self->now - at) / 1000);
    return out;
}

static void
s_date (char out[static 32], int64_t ms)
{
    time_t seconds = (time_t) (ms / 1000);
    struct tm parts;
    snprintf (out, 32, "?");
    if (localtime_r (&seconds, &parts))
        strftime (out, 32, "%Y-%m-%d %H:%M", &parts);
}

sh_mark_t
ctl_status_mark (const json_t *object)
{
    const char *grade = ctl_field_text (object, "grade");
    return strcmp (grade, "error") == 0     ? SH_MARK_ERROR
           : strcmp (grade, "warning") == 0 ? SH_MARK_WARNING
                                            : SH_MARK_NONE;
}

void
ctl_status_line (const ctl_status_t *self, sh_mark_t mark, const char *format,
                 ...)
{
    char text[LINE_MOST];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    fputs (sh_term_on (mark, self->colour), self->to);
    sh_wrap (self->to, 0, 4, text);
    fputs (sh_term_off (mark, self->colour), self->to);
}

bool
ctl_status_works (const json_t *document)
{
    return ctl_field_true (document, "works");
}

/*  The answer to the question that brings people here.  */
static void
s_print_head (const ctl_status_t *self)
{
    const json_t *scanners = ctl_status_part (self, "scanner_sums"), *one;
    const json_t *problems = ctl_status_part (self, "problems");
    bool works = ctl_status_works (self->document);
    int64_t subnets
        = ctl_field_number (ctl_status_part (self, "subnet_sums"), "scanned");
    int64_t http = ctl_field_number (scanners, "http");
    char by_http[40] = "";
    if (http)
        snprintf (by_http, sizeof by_http, ", %" PRId64 " by HTTP", http);
    ctl_status_line (self, works ? SH_MARK_GOOD : SH_MARK_ERROR,
                     "%s: %" PRId64 " of %" PRId64
                     " scanner%s connected%s, %" PRId64 " subnet%s to scan",
                     !works ? "NOT WORKING"
                     : json_array_size (problems) ? "OK, with warnings" : "OK",
                     ctl_field_number (scanners, "connected"),
                     ctl_field_number (scanners, "known"),
                     ctl_field_number (scanners, "known") == 1 ? "" : "s",
                     by_http, subnets, subnets == 1 ? "" : "s");
    size_t i;
    json_array_foreach (problems, i, one)
        ctl_status_line (self, ctl_status_mark (one), "%s: %s",
                         ctl_field_text (one, "grade"),
                         ctl_field_text (one, "text"));
}

static const char *
s_plural (const json_t *object, const char *key)
{
    return sh_text_s ((uint64_t) ctl_field_number (object, key));
}

static void
s_print_hub (const ctl_status_t *self)
{
    const json_t *hub = ctl_status_part (self, "hub");
    const json_t *registry = ctl_status_part (self, "registry");
    const json_t *database = ctl_status_part (self, "database"), *one;
    char up[SH_SPAN_TEXT], listen[LINE_MOST / 2] = "";
    size_t i, used = 0;
    json_array_foreach (json_object_get (hub, "listen"), i, one)
        if (used < sizeof listen)
            used += (size_t) snprintf (listen + used, sizeof listen - used,
                                      " %s", json_string_value (one));
    putc ('\n', self->to);
    ctl_status_line (self, SH_MARK_NONE,
                     "hub: scanhubd %s, pid %" PRId64 ", up for %s, at%s",
                     ctl_field_text (hub, "version"),
                     ctl_field_number (hub, "pid"),
                     ctl_status_ago (self, hub, "since", up), listen);
    ctl_status_line (self, SH_MARK_NONE, "key: %s",
                     ctl_field_text (hub, "key"));
    ctl_status_line (self, SH_MARK_NONE, "database: %s%s",
                     ctl_field_true (database, "usable") ? "" : "NOT USABLE: ",
                     ctl_field_text (database, "text"));
    ctl_status_line (self, SH_MARK_NONE,
                     "registry: %" PRId64 " key%s in %s%s%s",
                     ctl_field_number (registry, "keys"),
                     s_plural (registry, "keys"),
                     ctl_field_text (registry, "path"),
                     *ctl_field_text (registry, "digest") ? ", digest " : "",
                     ctl_field_text (registry, "digest"));
}

static void
s_print_work (const ctl_status_t *self)
{
    const json_t *queues = ctl_status_part (self, "queues"), *one;
    size_t i, busy = 0, count = 0;
    int64_t longest = 0;
    json_array_foreach (ctl_status_part (self, "workers"), i, one) {
        count++;
        busy += ctl_field_number (one, "jobs") > 0;
        if (ctl_field_number (one, "busy_ms") > longest)
            longest = ctl_field_number (one, "busy_ms");
    }
    ctl_status_line (
        self, SH_MARK_NONE,
        "workers: %zu, %zu at work (the longest for %" PRId64 " ms), %" PRId64
        " job%s waiting; %" PRId64 " ordered scan%s open",
        count, busy, longest, ctl_field_number (queues, "waiting"),
        s_plural (queues, "waiting"), ctl_field_number (queues, "orders_open"),
        s_plural (queues, "orders_open"));
}

static void
s_print_limits (const ctl_status_t *self)
{
    const json_t *memory = ctl_status_part (self, "memory");
    const json_t *files = ctl_status_part (self, "descriptors");
    ctl_status_line (
        self, SH_MARK_NONE,
        "memory: %" PRId64 " MiB, ceiling %" PRId64 " MiB, reached %" PRId64
        " time%s; descriptors: %" PRId64 " of %" PRId64 ", %" PRId64
        " of them kept from connections, %" PRId64 " connection%s turned away",
        ctl_field_number (memory, "bytes") >> 20,
        ctl_field_number (memory, "ceiling") >> 20,
        ctl_field_number (memory, "closings"), s_plural (memory, "closings"),
        ctl_field_number (files, "used"), ctl_field_number (files, "limit"),
        ctl_field_number (files, "reserve"),
        ctl_field_number (files, "turned_away"),
        s_plural (files, "turned_away"));
}

/*  Where reports and what became of them are kept.  */
static void
s_print_stores (const ctl_status_t *self)
{
    const json_t *http = ctl_status_part (self, "http");
    const json_t *previews = ctl_status_part (self, "previews");
    const json_t *journal = ctl_status_part (self, "journal");
    if (json_is_object (http))
        ctl_status_line (self, SH_MARK_NONE,
                         "http: %" PRId64 " request%s at work, %" PRId64
                         " report%s in the spool",
                         ctl_field_number (http, "pending"),
                         s_plural (http, "pending"),
                         ctl_field_number (http, "spool"),
                         s_plural (http, "spool"));
    if (json_is_object (journal))
        ctl_status_line (self, SH_MARK_NONE,
                         "journal: %" PRId64 " record%s written, %" PRId64
                         " dropped; its file has %" PRId64 " KiB",
                         ctl_field_number (journal, "written"),
                         s_plural (journal, "written"),
                         ctl_field_number (journal, "dropped"),
                         ctl_field_number (journal, "bytes") >> 10);
    if (ctl_field_number (previews, "previews")
        || ctl_field_number (previews, "held"))
        ctl_status_line (self, SH_MARK_NONE,
                         "previews: %" PRId64 " report%s kept, %" PRId64
                         " held by the brake, %" PRId64 " change%s in all",
                         ctl_field_number (previews, "previews"),
                         s_plural (previews, "previews"),
                         ctl_field_number (previews, "held"),
                         ctl_field_number (previews, "changes"),
                         s_plural (previews, "changes"));
}

static void
s_print_refusals (ctl_status_t *self)
{
    static const char *const titles[]
        = { "REFUSED BECAUSE", ">TIMES", "SINCE", "LAST" };
    const json_t *one;
    size_t i;
    ctl_table_t *table = ctl_table_new (titles, 4);
    if (!table) {
        self->whole = false;
        return;
    }
    json_array_foreach (ctl_status_part (self, "refusals"), i, one) {
        char first[32], last[SH_SPAN_TEXT];
        s_date (first, ctl_field_number (one, "first"));
        ctl_table_add (table, "%s%s", ctl_field_text (one, "cause"),
                       ctl_field_true (one, "for_good") ? "" : " (put off)");
        ctl_table_add (table, "%" PRId64, ctl_field_number (one, "count"));
        ctl_table_add (table, "%s", first);
        ctl_table_add (table, "%s ago",
                       ctl_status_ago (self, one, "last", last));
        if (ctl_field_true (one, "for_good"))
            ctl_table_mark (table, SH_MARK_WARNING);
    }
    if (ctl_table_rows (table) > 0)
        putc ('\n', self->to);
    self->whole = ctl_table_print_in (table, self->to, self->colour)
                  && self->whole;
    ctl_table_destroy (&table);
}

static void
s_print_agents (const ctl_status_t *self)
{
    const json_t *one;
    size_t i;
    json_array_foreach (ctl_status_part (self, "agents_silent"), i, one) {
        char last[64] = "was never heard of", by[32];
        int64_t heard = ctl_field_number (one, "last_access");
        int64_t deleted = ctl_field_number (one, "deleted_by");
        s_date (by, heard);
        if (heard)
            snprintf (last, sizeof last, "is silent: last access %s", by);
        s_date (by, deleted);
        if (i == 0)
            putc ('\n', self->to);
        ctl_status_line (
            self, heard ? SH_MARK_ERROR : SH_MARK_WARNING,
            "agent %s %s, %" PRId64 " subnet%s%s%s",
            ctl_field_text (one, "name"), last,
            ctl_field_number (one, "subnets"),
            ctl_field_number (one, "subnets") == 1 ? "" : "s",
            deleted ? "; by remove_offline_addresses.php all of its "
                      "addresses are deleted by "
                    : "",
            deleted ? by : "");
    }
}

static void
s_print_pauses (const ctl_status_t *self)
{
    const json_t *pauses = ctl_status_part (self, "pauses"), *one;
    size_t i;
    json_array_foreach (json_object_get (pauses, "list"), i, one) {
        char until[32] = "scanhubctl resume";
        const char *name = ctl_field_text (one, "name");
        if (ctl_field_number (one, "until"))
            s_date (until, ctl_field_number (one, "until"));
        if (i == 0)
            putc ('\n', self->to);
        ctl_status_line (
            self, SH_MARK_NONE, "paused: %s %" PRId64 "%s%s, until %s",
            ctl_field_text (one, "kind"), ctl_field_number (one, "id"),
            *name ? ", " : "", name, until);
    }
    json_array_foreach (ctl_status_part (self, "splits"), i, one)
        ctl_status_line (self, SH_MARK_WARNING,
                         "subnet %" PRId64 ", %s, IS NOT SCANNED: %s",
                         ctl_field_number (one, "subnet"),
                         ctl_field_text (one, "network"),
                         ctl_field_text (one, "text"));
}

bool
ctl_status_print (const json_t *document, size_t most, FILE *to,
                  bool colour)
{
    ctl_status_t self = { .document = document,
                          .to = to,
                          .most = most,
                          .colour = colour,
                          .whole = true };
    self.now = ctl_field_number (ctl_status_part (&self, "hub"), "now");
    s_print_head (&self);
    s_print_hub (&self);
    s_print_work (&self);
    s_print_limits (&self);
    s_print_stores (&self);
    ctl_status_print_lists (&self);
    s_print_agents (&self);
    s_print_refusals (&self);
    s_print_pauses (&self);
    return self.whole;
}
