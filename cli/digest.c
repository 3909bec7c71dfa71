/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl digest: what happened, as a text for a mail.  Nothing happened:
    nothing is printed, and cron sends no mail.  */

#include "cli/ctl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/field.h"
#include "cli/journal.h"
#include "cli/table.h"
#include "cli/when.h"
#include "lib/clock.h"

#define SHOWN_MOST 200 /* of a kind */
#define DAY_MS (INT64_C (24) * 3600 * 1000)
#define TIME_TEXT 32

static void
s_add_change (ctl_table_t *table, const char *key, const json_t *one)
{
    char when[TIME_TEXT];
    const char *before = ctl_field_text (one, "before");
    ctl_time_text (when, sizeof when, ctl_field_number (one, "at"));
    ctl_table_add (table, "  %s", ctl_field_text (one, "ip"));
    ctl_table_add (table, "%s", ctl_field_text (one, "cidr"));
    ctl_table_add (table, "%s", ctl_field_text (one, "scanner"));
    if (strcmp (key, "mac") == 0)
        ctl_table_add (table, "%s, %s -> %s", when, before,
                       ctl_field_text (one, "after"));
    else
        ctl_table_add (table, "%s", when);
}

static void
s_add_silent (ctl_table_t *table, const json_t *one)
{
    char when[TIME_TEXT];
    int64_t last = ctl_field_number (one, "last");
    if (last > 0)
        ctl_time_text (when, sizeof when, last);
    else
        snprintf (when, sizeof when, "none is known");
    ctl_table_add (table, "  %s", ctl_field_text (one, "cidr"));
    ctl_table_add (table, "%" PRId64, ctl_field_number (one, "subnet"));
    ctl_table_add (table, "%s", ctl_field_text (one, "agent"));
    ctl_table_add (table, "%s", when);
}

/*  One section, if there is anything in it.  */
static bool
s_section (const json_t *document, const char *key, const char *title)
{
    static const char *const changes[]
        = { "  ADDRESS", "NETWORK", "SCANNER", "WRITTEN" };
    static const char *const silent[]
        = { "  NETWORK", ">SUBNET", "AGENT", "LAST REPORT" };
    const json_t *list = json_object_get (document, key);
    bool changed = strcmp (key, "silent") != 0;
    size_t count = json_array_size (list);
    int64_t all = changed ? ctl_field_number (
                      json_object_get (document, "counts"), key)
                          : (int64_t) count;
    if (count == 0)
        return true;
    printf ("\n%s: %" PRId64 "\n", title, all);
    ctl_table_t *table = ctl_table_new (changed ? changes : silent, 4);
    for (size_t i = 0; table && i < count && i < SHOWN_MOST; i++)
        if (changed)
            s_add_change (table, key, json_array_get (list, i));
        else
            s_add_silent (table, json_array_get (list, i));
    bool whole = table && ctl_table_print (table, stdout);
    ctl_table_destroy (&table);
    if (all > SHOWN_MOST)
        printf ("  ... and %" PRId64 " more\n", all - SHOWN_MOST);
    return whole;
}

static int
s_print (const json_t *document, int64_t since, int64_t now)
{
    static const struct
    {
        const char *key, *title;
    } sections[] = {
        { "new", "New addresses" },
        { "offline", "Gone (tag Offline)" },
        { "mac", "Another MAC" },
        { "silent", "Silent subnets (scanned, but no report came)" },
    };
    char from[TIME_TEXT], to[TIME_TEXT];
    bool any = false, whole = true;
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        any |= json_array_size (json_object_get (document, sections[i].key))
               > 0;
    if (!any)
        return 0;
    int64_t begin = ctl_field_number (document, "begin");
    ctl_time_text (from, sizeof from, since > begin ? since : begin);
    ctl_time_text (to, sizeof to, now);
    printf ("Scanhub, from %s to %s\n", from, to);
    if (begin > since)
        printf ("(the journal does not go back any further)\n");
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        whole &= s_section (document, sections[i].key, sections[i].title);
    return whole ? 0 : ctl_fail (EX_OSERR, "out of memory");
}

int
ctl_digest (ctl_t *self, int argc, char **argv)
{
    int64_t now = sh_clock_wall (sh_clock_system ());
    ctl_choice_t choice = { .since = now - DAY_MS };
    char request[64];
    json_t *document = NULL;
    int status = ctl_choice_read (&choice, self, "tj", argc, argv);
    if (status >= 0)
        return status;
    snprintf (request, sizeof request, "digest %" PRId64, choice.since);
    status = ctl_ask_json (self, request, &document);
    if (status == 0)
        status = choice.json ? ctl_print_json (document)
                             : s_print (document, choice.since, now);
    json_decref (document);
    return status;
}
