/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl why: which reports wrote what of an address.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/field.h"
#include "cli/journal.h"
#include "cli/table.h"
#include "cli/when.h"
#include "lib/addr.h"
#include "lib/wrap.h"

#define CHANGES_MOST 10000
#define TIME_TEXT 32
#define WHAT_TEXT 1024

/*  phpIPAM's stock tags have names that people know.  */
static const char *
s_shown (const char *column, const char *value)
{
    static const char *const tags[]
        = { NULL, "Offline", "Used", "Reserved", "DHCP" };
    if (!value)
        return "nothing";
    if (strcmp (column, "state") != 0 || value[0] < '1' || value[0] > '4'
        || value[1])
        return value;
    return tags[value[0] - '0'];
}

/*  How many items from 'at' on are columns of the same new row.  */
static size_t
s_new_columns (const json_t *list, size_t at)
{
    const json_t *first = json_array_get (list, at);
    size_t count = 0;
    for (; at + count < json_array_size (list); count++) {
        const json_t *one = json_array_get (list, at + count);
        if (!ctl_field_true (one, "new_row")
            || ctl_field_number (one, "report")
                   != ctl_field_number (first, "report")
            || ctl_field_number (one, "subnet")
                   != ctl_field_number (first, "subnet"))
            break;
    }
    return count;
}

static const char *
s_title (const char *column)
{
    return strcmp (column, "state") == 0 ? "tag" : column;
}

/*  One change, or all columns of one new row, which are in the list in reverse.
    Returns how many items that were.  */
static size_t
s_what (char out[static WHAT_TEXT], const json_t *list, size_t at)
{
    const json_t *one = json_array_get (list, at);
    const char *column = ctl_field_text (one, "column");
    size_t count = s_new_columns (list, at);
    if (count == 0) {
        snprintf (out, WHAT_TEXT, "%s: %s -> %s", s_title (column),
                  s_shown (column, ctl_field_text_or_null (one, "before")),
                  s_shown (column, ctl_field_text_or_null (one, "after")));
        return 1;
    }
    size_t used = (size_t) snprintf (out, WHAT_TEXT, "new row:");
    for (size_t i = count; i-- > 0;) {
        one = json_array_get (list, at + i);
        column = ctl_field_text (one, "column");
        int more = snprintf (
            out + used, WHAT_TEXT - used, " %s %s%s", s_title (column),
            s_shown (column, ctl_field_text_or_null (one, "after")),
            i ? "," : "");
        if (more > 0 && used + (size_t) more < WHAT_TEXT)
            used += (size_t) more;
    }
    return count;
}

static int
s_print_table (const json_t *list)
{
    static const char *const titles[]
        = { "WRITTEN", ">REPORT", "SCANNER", ">SUBNET", "WHAT" };
    char when[TIME_TEXT], what[WHAT_TEXT];
    ctl_table_t *table = ctl_table_new (titles, 5);
    for (size_t at = 0, some; table && at < json_array_size (list);
         at += some) {
        const json_t *one = json_array_get (list, at);
        some = s_what (what, list, at);
        ctl_time_text (when, sizeof when, ctl_field_number (one, "at"));
        ctl_table_add (table, "%s", when);
        ctl_table_add (table, "%" PRId64, ctl_field_number (one, "report"));
        ctl_table_add (table, "%s", ctl_field_text (one, "scanner"));
        ctl_table_add (table, "%" PRId64, ctl_field_number (one, "subnet"));
        ctl_table_add (table, "%s", what);
    }
    bool whole = table && ctl_table_print (table, stdout);
    ctl_table_destroy (&table);
    return whole ? 0 : ctl_fail (EX_OSERR, "out of memory");
}

static int
s_print (const json_t *document, const char *ip)
{
    const json_t *list = json_object_get (document, "changes");
    char begin[TIME_TEXT], text[256];
    int status = 0;
    ctl_journal_begin (begin, sizeof begin, document);
    if (json_array_size (list) == 0)
        snprintf (text, sizeof text,
                  "No report has changed anything of %s since %s, which is as "
                  "far as the journal goes back. A row of it is older, or a "
                  "person or phpIPAM itself wrote it.", ip, begin);
    else {
        status = s_print_table (list);
        snprintf (text, sizeof text,
                  "The journal goes back to %s. What persons or phpIPAM itself "
                  "wrote is not in it, nor that reports moved lastSeen.",
                  begin);
    }
    sh_wrap (stdout, 0, 0, text);
    return status;
}

int
ctl_why (ctl_t *self, int argc, char **argv)
{
    bool json = false;
    sh_addr_t addr;
    char ip[SH_ADDR_TEXT], head[SH_ADDR_TEXT + 8];
    json_t *document = NULL;
    int status = ctl_words (self, argc, argv, 1, &json);
    if (status >= 0)
        return status;
    if (sh_addr_parse (&addr, argv[optind]) != SH_OK)
        return ctl_fail (EX_USAGE, "'%s' is no IPv4 or IPv6 address",
                         argv[optind]);
    sh_addr_text (&addr, ip);
    snprintf (head, sizeof head, "why %s", ip);
    status = ctl_journal_pages (self, head, "", "changes", "change",
                                CHANGES_MOST, &document);
    if (status == 0)
        status = json ? ctl_print_json (document) : s_print (document, ip);
    json_decref (document);
    return status;
}
