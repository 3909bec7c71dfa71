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
s_when_or (char out[static TIME_TEXT], const json_t *one, const char *key,
           const char *without)
{
    int64_t when = ctl_field_number (one, key);
    if (when > 0)
        ctl_time_text (out, TIME_TEXT, when);
    else
        snprintf (out, TIME_TEXT, "%s", without);
}

static void
s_add_agent (ctl_table_t *table, const char *key, const json_t *one)
{
    char when[TIME_TEXT];
    (void) key;
    ctl_table_add (table, "  %s", ctl_field_text (one, "agent"));
    s_when_or (when, one, "last", "never");
    ctl_table_add (table, "%s", when);
    s_when_or (when, one, "deleted_by", "-");
    ctl_table_add (table, "%s", when);
}

static void
s_add_subnet (ctl_table_t *table, const char *key, const json_t *one)
{
    char when[TIME_TEXT];
    (void) key;
    ctl_table_add (table, "  %s", ctl_field_text (one, "cidr"));
    ctl_table_add (table, "%" PRId64, ctl_field_number (one, "subnet"));
    ctl_table_add (table, "%s", ctl_field_text (one, "agent"));
    s_when_or (when, one, "last", "none is known");
    ctl_table_add (table, "%s", when);
}

static const char *const s_changes[]
    = { "  ADDRESS", "NETWORK", "SCANNER", "WRITTEN" };
static const char *const s_agents[]
    = { "  AGENT", "LAST ACCESS", "PHPIPAM'S CLEAN-UP WOULD DELETE ON" };
static const char *const s_subnets[]
    = { "  NETWORK", ">SUBNET", "AGENT", "LAST REPORT" };

/*  One kind of news: a list of the document, how it is called, its columns.  */
static const struct section
{
    const char *key, *title;
    const char *const *columns;
    size_t column_count;
    void (*add) (ctl_table_t *table, const char *key, const json_t *one);
} s_sections[] = {
    { "new", "New addresses", s_changes, 4, s_add_change },
    { "offline", "Gone (tag Offline)", s_changes, 4, s_add_change },
    { "mac", "Another MAC", s_changes, 4, s_add_change },
    { "silent_agents", "Silent scan agents", s_agents, 3, s_add_agent },
    { "silent_subnets", "Silent subnets (scanned, but no report came)",
      s_subnets, 4, s_add_subnet },
};
#define SECTIONS (sizeof s_sections / sizeof *s_sections)

/*  False: memory was short.  */
static bool
s_print_section (const json_t *document, const struct section *section)
{
    const json_t *list = json_object_get (document, section->key);
    int64_t all = ctl_field_number (json_object_get (document, "counts"),
                                    section->key);
    int64_t count = (int64_t) json_array_size (list);
    if (count == 0)
        return true;
    all = all > count ? all : count;
    printf ("\n%s: %" PRId64 "\n", section->title, all);
    ctl_table_t *table
        = ctl_table_new (section->columns, section->column_count);
    for (int64_t i = 0; table && i < count && i < SHOWN_MOST; i++)
        section->add (table, section->key,
                      json_array_get (list, (size_t) i));
    bool whole = table && ctl_table_print (table, stdout);
    ctl_table_destroy (&table);
    if (all > SHOWN_MOST)
        printf ("  ... and %" PRId64 " more\n", all - SHOWN_MOST);
    return whole;
}

static int
s_print (const json_t *document, int64_t since, int64_t now)
{
    char from[TIME_TEXT], to[TIME_TEXT];
    bool any = false, whole = true;
    for (size_t i = 0; i < SECTIONS; i++)
        any |= json_array_size (
                   json_object_get (document, s_sections[i].key)) > 0;
    if (!any)
        return 0;
    int64_t begin = ctl_field_number (document, "begin");
    ctl_time_text (from, sizeof from, since > begin ? since : begin);
    ctl_time_text (to, sizeof to, now);
    printf ("Scanhub, from %s to %s\n", from, to);
    if (begin > since)
        printf ("(the journal does not go back any further)\n");
    for (size_t i = 0; i < SECTIONS; i++)
        whole &= s_print_section (document, &s_sections[i]);
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
