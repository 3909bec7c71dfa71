/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl reports and refusals: what came in, and what of it did not get
    in, and why.  */

#include "cli/ctl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cli/field.h"
#include "cli/journal.h"
#include "cli/table.h"
#include "cli/when.h"

#define REPORTS 20 /* without --limit */
#define TIME_TEXT 32
#define WHAT_TEXT 512

static void SH_PRINTF (2, 3)
s_add (char what[static WHAT_TEXT], const char *format, ...)
{
    size_t used = strlen (what);
    va_list args;
    va_start (args, format);
    vsnprintf (what + used, WHAT_TEXT - used, format, args);
    va_end (args);
}

/*  "both: 12 seen, 3 new", or why not.  */
static void
s_what (char out[static WHAT_TEXT], const json_t *report)
{
    static const struct
    {
        const char *key, *text;
    } counts[] = {
        { "new", "new" },         { "named", "named" },
        { "macs", "MAC" },        { "tagged", "back" },
        { "offline", "offline" }, { "refused", "refused" },
        { "held", "held at first" },
    };
    const char *result = ctl_field_text (report, "result");
    out[0] = '\0';
    bool late = strcmp (result, "retry") == 0;
    if (late || strcmp (result, "refused") == 0)
        s_add (out, "%s, %s", late ? "put off" : result,
               ctl_field_text (report, "cause"));
    if (strcmp (result, "noted") == 0)
        s_add (out, "preview only");
    if (*out && ctl_field_number (report, "parts") == 0)
        return;
    s_add (out, "%s", *out ? "; " : "");
    s_add (out, "%s: %" PRId64 " seen", ctl_field_text (report, "kind"),
           ctl_field_number (report, "seen"));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        int64_t count = ctl_field_number (report, counts[i].key);
        if (count > 0)
            s_add (out, ", %" PRId64 " %s", count, counts[i].text);
    }
    if (strcmp (result, "applied") == 0 && !ctl_field_true (report, "closed"))
        s_add (out, "; more of it is to come");
}

static sh_mark_t
s_mark (const json_t *one)
{
    const char *result = ctl_field_text (one, "result");
    return strcmp (result, "refused") == 0 ? SH_MARK_ERROR
           : strcmp (result, "retry") == 0 || ctl_field_number (one, "held")
               ? SH_MARK_WARNING
               : SH_MARK_NONE;
}

static int
s_print_table (ctl_table_t *table)
{
    bool whole = table && ctl_table_print (table, stdout);
    ctl_table_destroy (&table);
    return whole ? 0 : ctl_fail (71, "out of memory");
}

static int
s_print_reports (const json_t *document)
{
    static const char *const titles[]
        = { ">REPORT", "WRITTEN", "SCANNER", "NETWORK", "WHAT" };
    const json_t *list = json_object_get (document, "reports");
    char when[TIME_TEXT], what[WHAT_TEXT];
    ctl_journal_begin (when, sizeof when, document);
    if (json_array_size (list) == 0) {
        ctl_say ("no such report since %s, which is as far as the journal goes "
                 "back", when);
        return 0;
    }
    ctl_table_t *table = ctl_table_new (titles, 5);
    for (size_t i = 0; table && i < json_array_size (list); i++) {
        const json_t *one = json_array_get (list, i);
        const char *cidr = ctl_field_text (one, "cidr");
        ctl_time_text (when, sizeof when, ctl_field_number (one, "written"));
        s_what (what, one);
        ctl_table_add (table, "%" PRId64, ctl_field_number (one, "report"));
        ctl_table_add (table, "%s", when);
        ctl_table_add (table, "%s", ctl_field_text (one, "scanner"));
        ctl_table_add (table, "%s", *cidr ? cidr : "-");
        ctl_table_add (table, "%s", what);
        ctl_table_mark (table, s_mark (one));
    }
    return s_print_table (table);
}

int
ctl_reports (ctl_t *self, int argc, char **argv)
{
    ctl_choice_t choice = { .scanner = "-", .subnet = "-", .limit = REPORTS };
    char tail[256];
    json_t *document = NULL;
    int status = ctl_choice_read (&choice, self, "nstlj", argc, argv);
    if (status >= 0)
        return status;
    snprintf (tail, sizeof tail, " %" PRId64 " %s %s", choice.since,
              choice.subnet, choice.scanner);
    status = ctl_journal_pages (self, "reports", tail, "reports", "report",
                                choice.limit, &document);
    if (status == 0)
        status = choice.json ? ctl_print_json (document)
                             : s_print_reports (document);
    json_decref (document);
    return status;
}

static int
s_print_refusals (const json_t *document)
{
    static const char *const titles[]
        = { ">TIMES", "LAST", "SCANNER", ">SUBNET", "WHAT, AND WHAT TO DO" };
    const json_t *list = json_object_get (document, "refusals");
    char when[TIME_TEXT];
    ctl_journal_begin (when, sizeof when, document);
    if (json_array_size (list) == 0) {
        printf ("nothing was refused or put off\n");
        return 0;
    }
    ctl_table_t *table = ctl_table_new (titles, 5);
    for (size_t i = 0; table && i < json_array_size (list); i++) {
        const json_t *one = json_array_get (list, i);
        bool host = ctl_field_is (one, "of", "host");
        bool later = ctl_field_true (one, "for_now");
        ctl_time_text (when, sizeof when, ctl_field_number (one, "last"));
        ctl_table_add (table, "%" PRId64, ctl_field_number (one, "count"));
        ctl_table_add (table, "%s", when);
        ctl_table_add (table, "%s", ctl_field_text (one, "scanner"));
        ctl_table_add (table, "%" PRId64, ctl_field_number (one, "subnet"));
        ctl_table_add (table, "%s%s: %s",
                       host    ? "host, "
                       : later ? "put off, "
                               : "",
                       ctl_field_text (one, "cause"),
                       ctl_field_text (one, "text"));
        ctl_table_mark (table, later ? SH_MARK_WARNING : SH_MARK_ERROR);
    }
    return s_print_table (table);
}

int
ctl_refusals (ctl_t *self, int argc, char **argv)
{
    ctl_choice_t choice = { .scanner = "-", .subnet = "-" };
    char request[256];
    json_t *document = NULL;
    int status = ctl_choice_read (&choice, self, "nstj", argc, argv);
    if (status >= 0)
        return status;
    snprintf (request, sizeof request, "refusals %" PRId64 " %s %s",
              choice.since, choice.subnet, choice.scanner);
    status = ctl_ask_json (self, request, &document);
    if (status == 0)
        status = choice.json ? ctl_print_json (document)
                             : s_print_refusals (document);
    json_decref (document);
    return status;
}
