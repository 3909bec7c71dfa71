/* SPDX-License-Identifier: MPL-2.0 */

#include "cli/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/table.h"
#include "lib/span.h"
#include "lib/wrap.h"

#define LINE_MOST 1200

typedef struct
{
    const json_t *document;
    FILE *to;
    size_t most; /* 0: all */
    bool colour;
    int64_t now; /* epoch ms, the hub's */
    bool whole;
} print_t;

/*  Values of the document; what is not there is 0 or "".  */

static int64_t
s_number (const json_t *object, const char *key)
{
    return json_integer_value (json_object_get (object, key));
}

static const char *
s_text (const json_t *object, const char *key)
{
    const char *text = json_string_value (json_object_get (object, key));
    return text ? text : "";
}

static bool
s_is_true (const json_t *object, const char *key)
{
    return json_is_true (json_object_get (object, key));
}

static const json_t *
s_part (const print_t *self, const char *key)
{
    return json_object_get (self->document, key);
}

/*  "3 min ago"; "-" for a time that is not known.  */
static const char *
s_ago (const print_t *self, const json_t *object, const char *key,
       char out[static SH_SPAN_TEXT])
{
    int64_t at = s_number (object, key);
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

static sh_mark_t
s_mark (const json_t *object)
{
    const char *grade = s_text (object, "grade");
    return strcmp (grade, "error") == 0     ? SH_MARK_ERROR
           : strcmp (grade, "warning") == 0 ? SH_MARK_WARNING
                                            : SH_MARK_NONE;
}

static void SH_PRINTF (3, 4)
s_line (const print_t *self, sh_mark_t mark, const char *format, ...)
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
    return s_is_true (document, "works");
}

/*  The answer to the question that brings people here.  */
static void
s_print_head (const print_t *self)
{
    const json_t *scanners = s_part (self, "scanner_sums"), *one;
    bool works = ctl_status_works (self->document);
    int64_t subnets = s_number (s_part (self, "subnet_sums"), "scanned");
    int64_t http = s_number (scanners, "http");
    char by_http[40] = "";
    if (http)
        snprintf (by_http, sizeof by_http, ", %" PRId64 " by HTTP", http);
    s_line (self, works ? SH_MARK_GOOD : SH_MARK_ERROR,
            "%s: %" PRId64 " of %" PRId64 " scanner%s connected%s, %" PRId64
            " subnet%s scanned",
            works ? "OK" : "NOT WORKING", s_number (scanners, "connected"),
            s_number (scanners, "known"),
            s_number (scanners, "known") == 1 ? "" : "s", by_http, subnets, subnets == 1 ? "" : "s");
    size_t i;
    json_array_foreach (s_part (self, "problems"), i, one)
        s_line (self, s_mark (one), "%s: %s", s_text (one, "grade"),
                s_text (one, "text"));
}

static void
s_print_hub (const print_t *self)
{
    const json_t *hub = s_part (self, "hub");
    const json_t *registry = s_part (self, "registry");
    const json_t *database = s_part (self, "database"), *one;
    char up[SH_SPAN_TEXT], listen[LINE_MOST / 2] = "";
    size_t i, used = 0;
    json_array_foreach (json_object_get (hub, "listen"), i, one)
        if (used < sizeof listen)
            used += (size_t) snprintf (listen + used, sizeof listen - used,
                                       " %s", json_string_value (one));
    putc ('\n', self->to);
    s_line (self, SH_MARK_NONE,
            "hub: scanhubd %s, pid %" PRId64 ", up for %s, at%s",
            s_text (hub, "version"), s_number (hub, "pid"),
            s_ago (self, hub, "since", up), listen);
    s_line (self, SH_MARK_NONE, "key: %s", s_text (hub, "key"));
    s_line (self, SH_MARK_NONE, "database: %s%s",
            s_is_true (database, "usable") ? "" : "NOT USABLE: ",
            s_text (database, "text"));
    s_line (self, SH_MARK_NONE, "registry: %" PRId64 " keys in %s%s%s",
            s_number (registry, "keys"), s_text (registry, "path"),
            *s_text (registry, "digest") ? ", digest " : "",
            s_text (registry, "digest"));
}

static void
s_print_work (const print_t *self)
{
    const json_t *queues = s_part (self, "queues"), *one;
    const json_t *memory = s_part (self, "memory");
    const json_t *files = s_part (self, "descriptors");
    const json_t *http = s_part (self, "http");
    const json_t *previews = s_part (self, "previews");
    size_t i, busy = 0, count = 0;
    int64_t longest = 0;
    json_array_foreach (s_part (self, "workers"), i, one) {
        count++;
        busy += s_number (one, "jobs") > 0;
        if (s_number (one, "busy_ms") > longest)
            longest = s_number (one, "busy_ms");
    }
    s_line (self, SH_MARK_NONE,
            "workers: %zu, %zu at work (the longest for %" PRId64 " ms), %"
            PRId64 " jobs wait; %" PRId64 " ordered scans open",
            count, busy, longest, s_number (queues, "waiting"),
            s_number (queues, "orders_open"));
    s_line (self, SH_MARK_NONE,
            "memory: %" PRId64 " MiB, ceiling %" PRId64 " MiB, reached %"
            PRId64 " times; descriptors: %" PRId64 " of %" PRId64 ", %" PRId64
            " of them kept from connections, %" PRId64
            " connections turned away",
            s_number (memory, "bytes") >> 20, s_number (memory, "ceiling") >> 20,
            s_number (memory, "closings"), s_number (files, "used"),
            s_number (files, "limit"), s_number (files, "reserve"),
            s_number (files, "turned_away"));
    if (json_is_object (http))
        s_line (self, SH_MARK_NONE,
                "http: %" PRId64 " requests at work, %" PRId64
                " reports in the spool",
                s_number (http, "pending"), s_number (http, "spool"));
    if (s_number (previews, "previews") || s_number (previews, "held"))
        s_line (self, SH_MARK_NONE,
                "previews: %" PRId64 " reports kept, %" PRId64
                " held by the brake, %" PRId64 " changes in all",
                s_number (previews, "previews"), s_number (previews, "held"),
                s_number (previews, "changes"));
}

/*  The worst first, else by name or id, as the hub sent them.  */
typedef struct
{
    const json_t *item;
    int rank;
    size_t at;
} ranked_t;

static int
s_compare (const void *a, const void *b)
{
    const ranked_t *one = a, *other = b;
    if (one->rank != other->rank)
        return one->rank < other->rank ? -1 : 1;
    return one->at < other->at ? -1 : one->at > other->at;
}

static int
s_rank (const json_t *item)
{
    static const char *const last[] = { "unsent", "paused" };
    sh_mark_t mark = s_mark (item);
    const char *state = s_text (item, "state");
    for (size_t i = 0; i < 2; i++)
        if (strcmp (state, last[i]) == 0)
            return 4 - (int) i;
    return mark == SH_MARK_ERROR ? 0 : mark == SH_MARK_WARNING ? 1 : 2;
}

static ranked_t *
s_ranked (const json_t *list, size_t *count)
{
    *count = json_array_size (list);
    ranked_t *items = calloc (*count + 1, sizeof *items);
    for (size_t i = 0; items && i < *count; i++) {
        const json_t *item = json_array_get (list, i);
        items[i] = (ranked_t){ item, s_rank (item), i };
    }
    if (items)
        qsort (items, *count, sizeof *items, s_compare);
    return items;
}

/*  "+1.5 s": its clock is that much fast.  */
static void
s_clock (char out[static SH_SPAN_TEXT], const json_t *scanner)
{
    const json_t *skew = json_object_get (scanner, "skew_ms");
    int64_t ms = -json_integer_value (skew);
    char span[SH_SPAN_TEXT];
    snprintf (out, SH_SPAN_TEXT, "-");
    if (!json_is_integer (skew))
        return;
    if (llabs (ms) < 50)
        ms = 0;
    if (llabs (ms) < 100000)
        snprintf (span, sizeof span, "%.1f s", (double) llabs (ms) / 1000);
    else
        sh_span_about (span, llabs (ms) / 1000);
    snprintf (out, SH_SPAN_TEXT, "%s%.20s", ms < 0 ? "-" : ms > 0 ? "+" : "", span);
}

/*  "scanhub-scanner 0.2.0" is for a table the number.  */
static const char *
s_version (const json_t *scanner)
{
    const char *text = s_text (scanner, "version");
    const char *blank = strrchr (text, ' ');
    return blank ? blank + 1 : *text ? text : "-";
}

static void
s_add_scanner (const print_t *self, ctl_table_t *table, const json_t *one)
{
    char heard[SH_SPAN_TEXT] = "-", report[SH_SPAN_TEXT], skew[SH_SPAN_TEXT];
    const json_t *silent = json_object_get (one, "silent_ms");
    const json_t *spool = json_object_get (one, "spool");
    const char *address = s_text (one, "peer");
    if (json_is_integer (silent))
        sh_span_about (heard, json_integer_value (silent) / 1000);
    s_clock (skew, one);
    ctl_table_add (table, "%s", s_text (one, "name"));
    ctl_table_add (table, "%s", s_text (one, "state"));
    ctl_table_add (table, "%s", heard);
    ctl_table_add (table, "%s", s_ago (self, one, "last_report", report));
    ctl_table_add (table, "%s", skew);
    if (json_is_integer (spool))
        ctl_table_add (table, "%" PRId64, s_number (one, "spool"));
    else
        ctl_table_add (table, "-");
    ctl_table_add (table, "%s", s_version (one));
    ctl_table_add (table, "%.*s", (int) strcspn (address, " "),
                   *address ? address : "-");
    ctl_table_mark (table, s_mark (one));
}

static void
s_add_subnet (const print_t *self, ctl_table_t *table, const json_t *one)
{
    char report[SH_SPAN_TEXT], due[SH_SPAN_TEXT + 4] = "-";
    const char *scanner = s_text (one, "scanner");
    int64_t at = s_number (one, "due");
    if (at > self->now) {
        memcpy (due, "in ", 4);
        sh_span_about (due + 3, (at - self->now) / 1000);
    } else if (at)
        snprintf (due, sizeof due, "now");
    ctl_table_add (table, "%" PRId64, s_number (one, "subnet"));
    ctl_table_add (table, "%s", s_text (one, "network"));
    ctl_table_add (table, "%s", s_text (one, "state"));
    ctl_table_add (table, "%s", s_ago (self, one, "last_report", report));
    ctl_table_add (table, "%s", *s_text (one, "last_result")
                                    ? s_text (one, "last_result") : "-");
    ctl_table_add (table, "%s", due);
    ctl_table_add (table, "%s", *scanner ? scanner : s_text (one, "agent"));
    ctl_table_mark (table, s_mark (one));
}

/*  What is wrong with the rows that were shown.  */
static void
s_print_remarks (const print_t *self, const ranked_t *items, size_t shown,
                 const char *name)
{
    for (size_t i = 0; i < shown; i++) {
        const json_t *item = items[i].item;
        const char *text = s_text (item, "text");
        if (!*text || s_mark (item) == SH_MARK_NONE)
            continue;
        if (json_is_string (json_object_get (item, name)))
            s_line (self, s_mark (item), "  %s: %s", s_text (item, name),
                    text);
        else
            s_line (self, s_mark (item), "  subnet %" PRId64 ": %s",
                    s_number (item, name), text);
    }
}

static void
s_print_list (print_t *self, const char *key, const char *name,
              const char *const *titles, size_t columns,
              void (*add) (const print_t *, ctl_table_t *, const json_t *))
{
    size_t count;
    ranked_t *items = s_ranked (s_part (self, key), &count);
    ctl_table_t *table = ctl_table_new (titles, columns);
    size_t shown = self->most && count > self->most ? self->most : count;
    if (!items || !table)
        self->whole = false;
    else if (count > 0) {
        for (size_t i = 0; i < shown; i++)
            add (self, table, items[i].item);
        putc ('\n', self->to);
        self->whole = ctl_table_print (table, self->to) && self->whole;
        if (shown < count)
            fprintf (self->to, "... and %zu more (--all)\n", count - shown);
        s_print_remarks (self, items, shown, name);
    }
    ctl_table_destroy (&table);
    free (items);
}

static void
s_print_refusals (print_t *self)
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
    json_array_foreach (s_part (self, "refusals"), i, one) {
        char first[32], last[SH_SPAN_TEXT];
        s_date (first, s_number (one, "first"));
        ctl_table_add (table, "%s%s", s_text (one, "cause"),
                       s_is_true (one, "for_good") ? "" : " (put off)");
        ctl_table_add (table, "%" PRId64, s_number (one, "count"));
        ctl_table_add (table, "%s", first);
        ctl_table_add (table, "%s ago", s_ago (self, one, "last", last));
        if (s_is_true (one, "for_good"))
            ctl_table_mark (table, SH_MARK_WARNING);
    }
    if (ctl_table_rows (table) > 0)
        putc ('\n', self->to);
    self->whole = ctl_table_print (table, self->to) && self->whole;
    ctl_table_destroy (&table);
}

static void
s_print_agents (const print_t *self)
{
    const json_t *one;
    size_t i;
    json_array_foreach (s_part (self, "agents_silent"), i, one) {
        char last[32] = "never", by[32];
        int64_t deleted = s_number (one, "deleted_by");
        if (s_number (one, "last_access"))
            s_date (last, s_number (one, "last_access"));
        s_date (by, deleted);
        if (i == 0)
            putc ('\n', self->to);
        s_line (self, SH_MARK_ERROR,
                "agent %s is silent: last access %s, %" PRId64 " subnet%s%s%s",
                s_text (one, "name"), last, s_number (one, "subnets"),
                s_number (one, "subnets") == 1 ? "" : "s",
                deleted ? "; by remove_offline_addresses.php all of its "
                          "addresses are deleted by " : "",
                deleted ? by : "");
    }
}

static void
s_print_pauses (const print_t *self)
{
    const json_t *pauses = s_part (self, "pauses"), *one;
    size_t i;
    json_array_foreach (json_object_get (pauses, "list"), i, one) {
        char until[32] = "scanhubctl resume";
        const char *name = s_text (one, "name");
        if (s_number (one, "until"))
            s_date (until, s_number (one, "until"));
        if (i == 0)
            putc ('\n', self->to);
        s_line (self, SH_MARK_NONE, "paused: %s %" PRId64 "%s%s, until %s",
                s_text (one, "kind"), s_number (one, "id"), *name ? ", " : "",
                name, until);
    }
    json_array_foreach (s_part (self, "splits"), i, one)
        s_line (self, SH_MARK_WARNING,
                "subnet %" PRId64 ", %s, IS NOT SCANNED: %s",
                s_number (one, "subnet"), s_text (one, "network"),
                s_text (one, "text"));
}

bool
ctl_status_print (const json_t *document, size_t most, FILE *to)
{
    static const char *const scanners[]
        = { "SCANNER", "STATE", ">HEARD", ">REPORT", ">CLOCK", ">SPOOL",
            "VERSION", "ADDRESS" };
    static const char *const subnets[]
        = { ">SUBNET", "NETWORK", "STATE", ">REPORT", "RESULT", "DUE",
            "SCANNER" };
    print_t self = { .document = document,
                     .to = to,
                     .most = most,
                     .colour = sh_term_colour (to),
                     .whole = true };
    self.now = s_number (s_part (&self, "hub"), "now");
    s_print_head (&self);
    s_print_hub (&self);
    s_print_work (&self);
    s_print_list (&self, "scanners", "name", scanners, 8, s_add_scanner);
    s_print_list (&self, "subnets", "subnet", subnets, 7, s_add_subnet);
    s_print_agents (&self);
    s_print_refusals (&self);
    s_print_pauses (&self);
    return self.whole;
}
