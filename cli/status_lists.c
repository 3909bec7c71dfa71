/* SPDX-License-Identifier: MPL-2.0 */
/*  The tables of scanners and of subnets.  */

#include "cli/status_within.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"

#define VERSION_TEXT 13 /* bytes of what a table shows of it, and its NUL */
#define SPOOL_MOST 999999 /* more is shown as more than that */

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
    sh_mark_t mark = ctl_status_mark (item);
    const char *state = ctl_field_text (item, "state");
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
        snprintf (span, sizeof span, "%.1f s", (double)llabs (ms) / 1000);
    else
        sh_span_about (span, llabs (ms) / 1000);
    snprintf (out, SH_SPAN_TEXT, "%s%.20s",
              ms < 0   ? "-"
              : ms > 0 ? "+"
                       : "",
              span);
}

/*  "scanhub-scanner 0.2.0" is for a table the number.  A scanner can say what
    it likes.  */
static void
s_version (char out[static VERSION_TEXT], const json_t *scanner)
{
    const char *text = ctl_field_text (scanner, "version");
    const char *blank = strrchr (text, ' ');
    sh_clean (out, VERSION_TEXT, blank ? blank + 1 : *text ? text : "-");
}

static void
s_add_scanner (const ctl_status_t *self, ctl_table_t *table, const json_t *one)
{
    char heard[SH_SPAN_TEXT] = "-", report[SH_SPAN_TEXT], skew[SH_SPAN_TEXT];
    char version[VERSION_TEXT];
    const json_t *silent = json_object_get (one, "silent_ms");
    const json_t *spool = json_object_get (one, "spool");
    const char *address = ctl_field_text (one, "peer");
    if (json_is_integer (silent))
        sh_span_about (heard, json_integer_value (silent) / 1000);
    s_clock (skew, one);
    ctl_table_add (table, "%s", ctl_field_text (one, "name"));
    ctl_table_add (table, "%s", ctl_field_text (one, "state"));
    ctl_table_add (table, "%s", heard);
    ctl_table_add (table, "%s",
                   ctl_status_ago (self, one, "last_report", report));
    ctl_table_add (table, "%s", skew);
    if (json_is_integer (spool) && json_integer_value (spool) > SPOOL_MOST)
        ctl_table_add (table, ">%d", SPOOL_MOST);
    else if (json_is_integer (spool))
        ctl_table_add (table, "%" PRId64, ctl_field_number (one, "spool"));
    else
        ctl_table_add (table, "-");
    s_version (version, one);
    ctl_table_add (table, "%s", version);
    ctl_table_add (table, "%.*s", (int) strcspn (address, " "),
                   *address ? address : "-");
    ctl_table_mark (table, ctl_status_mark (one));
}

static void
s_add_subnet (const ctl_status_t *self, ctl_table_t *table, const json_t *one)
{
    char report[SH_SPAN_TEXT], due[SH_SPAN_TEXT + 4] = "-";
    const char *scanner = ctl_field_text (one, "scanner");
    const char *state = ctl_field_text (one, "state");
    int64_t at = ctl_field_number (one, "due");
    if (at > self->now) {
        memcpy (due, "in ", 4);
        sh_span_about (due + 3, (at - self->now) / 1000);
    } else if (at)
        snprintf (due, sizeof due, "now");
    ctl_table_add (table, "%" PRId64, ctl_field_number (one, "subnet"));
    ctl_table_add (table, "%s", ctl_field_text (one, "network"));
    ctl_table_add (table, "%s",
                   strcmp (state, "unsent") == 0 ? "not scanned" : state);
    ctl_table_add (table, "%s",
                   ctl_status_ago (self, one, "last_report", report));
    ctl_table_add (table, "%s",
                   *ctl_field_text (one, "last_result")
                       ? ctl_field_text (one, "last_result")
                       : "-");
    ctl_table_add (table, "%s", due);
    ctl_table_add (table, "%s",
                   *scanner ? scanner : ctl_field_text (one, "agent"));
    ctl_table_mark (table, ctl_status_mark (one));
}

/*  What is wrong with the rows that were shown, or why one is not scanned.  */
static void
s_print_remarks (const ctl_status_t *self, const ranked_t *items, size_t shown,
                 const char *name)
{
    for (size_t i = 0; i < shown; i++) {
        const json_t *item = items[i].item;
        const char *text = ctl_field_text (item, "text");
        if (!*text)
            continue;
        if (json_is_string (json_object_get (item, name)))
            ctl_status_line (self, ctl_status_mark (item), "  %s: %s",
                             ctl_field_text (item, name), text);
        else
            ctl_status_line (self, ctl_status_mark (item),
                             "  subnet %" PRId64 ": %s",
                             ctl_field_number (item, name), text);
    }
}

static void
s_print_list (ctl_status_t *self, const char *key, const char *name,
              const char *const *titles, size_t columns,
              void (*add) (const ctl_status_t *, ctl_table_t *,
                           const json_t *))
{
    size_t count;
    ranked_t *items = s_ranked (ctl_status_part (self, key), &count);
    ctl_table_t *table = ctl_table_new (titles, columns);
    size_t shown = self->most && count > self->most ? self->most : count;
    if (!items || !table)
        self->whole = false;
    else if (count > 0) {
        for (size_t i = 0; i < shown; i++)
            add (self, table, items[i].item);
        putc ('\n', self->to);
        self->whole = ctl_table_print_in (table, self->to, self->colour)
                      && self->whole;
        if (shown < count)
            fprintf (self->to, "... and %zu more (--all)\n", count - shown);
        s_print_remarks (self, items, shown, name);
    }
    ctl_table_destroy (&table);
    free (items);
}

void
ctl_status_print_lists (ctl_status_t *self)
{
    static const char *const scanners[]
        = { "SCANNER", "STATE",  ">HEARD",  ">REPORT",
            ">CLOCK",  ">SPOOL", "VERSION", "ADDRESS" };
    static const char *const subnets[]
        = { ">SUBNET", "NETWORK", "STATE",  ">REPORT",
            "RESULT",  "DUE",     "SCANNER" };
    s_print_list (self, "scanners", "name", scanners, 8, s_add_scanner);
    s_print_list (self, "subnets", "subnet", subnets, 7, s_add_subnet);
}
