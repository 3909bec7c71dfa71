/* SPDX-License-Identifier: MPL-2.0 */

#include "cli/preview_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/field.h"
#include "cli/table.h"
#include "cli/when.h"
#include "lib/err.h"
#include "lib/span.h"
#include "lib/wrap.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define INDENT 11 /* of what follows a label */

static const char *
s_reason (const char *word)
{
    static const struct
    {
        const char *word, *text;
    } reasons[] = {
        { "preview", "policy: preview" },
        { "new", "more new addresses at once than max_new" },
        { "offline", "more hosts going Offline at once than max_offline" },
    };
    for (size_t i = 0; i < COUNT (reasons); i++)
        if (strcmp (reasons[i].word, word) == 0)
            return reasons[i].text;
    return word;
}

static void
s_age (char out[static SH_SPAN_TEXT], const json_t *entry, int64_t now)
{
    sh_span_about (out, (now - ctl_field_number (entry, "received")) / 1000);
}

static void
s_add_entry (ctl_table_t *table, const json_t *entry, int64_t now)
{
    char age[SH_SPAN_TEXT];
    const char *failed = ctl_field_text (entry, "failed");
    const char *reason = ctl_field_text (entry, "reason");
    s_age (age, entry, now);
    ctl_table_add (table, "%s", ctl_field_text (entry, "cidr"));
    ctl_table_add (table, "%" PRId64, ctl_field_number (entry, "number"));
    ctl_table_add (table, "%s", reason);
    ctl_table_add (table, "%s", ctl_field_text (entry, "kind"));
    ctl_table_add (table, "%s", age);
    ctl_table_add (table, "%" PRId64, ctl_field_number (entry, "changes"));
    ctl_table_add (table, "%s%s%s", ctl_field_text (entry, "scanner"),
                   *failed ? "; not applied: " : "", failed);
    if (*failed)
        ctl_table_mark (table, SH_MARK_ERROR);
    else if (strcmp (reason, "preview") != 0)
        ctl_table_mark (table, SH_MARK_WARNING);
}

void
ctl_preview_print_list (const json_t *list, int64_t dropped, int64_t now)
{
    static const char *const titles[] = { "NETWORK", ">N", "WHY", "KIND",
                                          ">AGE", ">CHANGES", "SCANNER" };
    ctl_table_t *table = ctl_table_new (titles, COUNT (titles));
    for (size_t i = 0; table && i < json_array_size (list); i++)
        s_add_entry (table, json_array_get (list, i), now);
    if (json_array_size (list) == 0)
        printf ("nothing is held\n");
    if (!table || !ctl_table_print (table, stdout))
        printf ("(no memory for the list)\n");
    if (dropped > 0)
        printf ("%" PRId64 " more had to go since the hub's start, for room\n",
                dropped);
    ctl_table_destroy (&table);
}

/*  A tag of phpIPAM's stock by its name.  */
static const char *
s_tag (char *room, size_t size, const char *id)
{
    static const char *const names[]
        = { NULL, "Offline", "Used", "Reserved", "DHCP" };
    unsigned long number = strtoul (id, NULL, 10);
    if (number > 0 && number < COUNT (names))
        return names[number];
    snprintf (room, size, "tag %s", id);
    return room;
}

/*  "hostname old -> new"; of a new row what is empty is not told.  */
static void
s_add_change (char *out, size_t size, const json_t *line)
{
    char room[2][32];
    size_t used = strlen (out);
    const char *column = ctl_field_text (line, "column");
    const char *before = ctl_field_text (line, "before");
    const char *after = ctl_field_text (line, "after");
    bool added = ctl_field_is (line, "action", "insert");
    if (added && !*after)
        return;
    if (strcmp (column, "state") == 0) {
        before = *before ? s_tag (room[0], sizeof room[0], before) : before;
        after = s_tag (room[1], sizeof room[1], after);
    }
    if (ctl_field_is (line, "action", "refuse"))
        snprintf (out + used, size - used, "%s: %s", after,
                  sh_err_text (sh_err_from_word (after)));
    else
        snprintf (out + used, size - used, "%s%s %s%s%s", used ? ", " : "",
                  column, added ? "" : *before ? before : "(empty)",
                  added ? "" : " -> ", *after ? after : "(empty)");
}

static bool
s_are_of_one_row (const json_t *a, const json_t *b)
{
    return ctl_field_is (a, "address", ctl_field_text (b, "address"))
           && ctl_field_is (a, "action", "insert")
           && ctl_field_is (b, "action", "insert");
}

static void
s_print_lines (const json_t *lines)
{
    static const char *const titles[] = { "", "address", "change" };
    ctl_table_t *table = ctl_table_new (titles, COUNT (titles));
    size_t count = json_array_size (lines);
    for (size_t i = 0, next; table && i < count; i = next) {
        const json_t *line = json_array_get (lines, i);
        char text[2048] = "";
        for (next = i; next < count; next++) {
            const json_t *one = json_array_get (lines, next);
            if (next > i && !s_are_of_one_row (line, one))
                break;
            s_add_change (text, sizeof text, one);
        }
        ctl_table_add (table, "%s", ctl_field_text (line, "action"));
        ctl_table_add (table, "%s", ctl_field_text (line, "address"));
        ctl_table_add (table, "%s", text);
    }
    if (!table || !ctl_table_print (table, stdout))
        printf ("(no memory for the list)\n");
    ctl_table_destroy (&table);
}

static void SH_PRINTF (2, 3)
s_print (const char *label, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    int used = printf ("%-*s", INDENT, label);
    sh_wrap_at (stdout, used > 0 ? (size_t) used : 0, INDENT, text);
}

void
ctl_preview_print (const json_t *entry, const json_t *lines, int64_t now)
{
    char age[SH_SPAN_TEXT], when[32];
    int64_t number = ctl_field_number (entry, "number");
    int64_t parts = ctl_field_number (entry, "parts");
    s_age (age, entry, now);
    ctl_time_text (when, sizeof when, ctl_field_number (entry, "started"));
    s_print ("held:", "%" PRId64 ", %s of subnet %" PRId64 ", %s", number,
             ctl_field_text (entry, "kind"),
             ctl_field_number (entry, "subnet"),
             ctl_field_text (entry, "cidr"));
    s_print ("because:", "%s", s_reason (ctl_field_text (entry, "reason")));
    s_print ("scanner:", "%s%s, for agent %s",
             ctl_field_text (entry, "scanner"),
             ctl_field_is (entry, "door", "http") ? " (HTTP)" : "",
             ctl_field_text (entry, "agent"));
    s_print ("scanned:", "%s, received %s ago", when, age);
    s_print ("changes:", "%" PRId64 " beside times, in %" PRId64 " part%s",
             ctl_field_number (entry, "changes"), parts,
             parts == 1 ? "" : "s");
    if (*ctl_field_text (entry, "failed"))
        s_print ("failed:", "%s", ctl_field_text (entry, "failed"));
    if (json_array_size (lines) > 0)
        printf ("\n");
    s_print_lines (lines);
    printf ("\nto write it:  scanhubctl preview apply %" PRId64
            "\nto forget it: scanhubctl preview drop %" PRId64 "\n",
            number, number);
}

static void
s_print_differs (const json_t *result)
{
    static const char *const titles[] = { "address", "column", "change" };
    const json_t *list = json_object_get (result, "differs");
    ctl_table_t *table = ctl_table_new (titles, COUNT (titles));
    for (size_t i = 0; table && i < json_array_size (list); i++) {
        const json_t *one = json_array_get (list, i);
        bool listed = json_is_string (json_object_get (one, "listed"));
        bool made = json_is_string (json_object_get (one, "made"));
        ctl_table_add (table, "%s", ctl_field_text (one, "address"));
        ctl_table_add (table, "%s", ctl_field_text (one, "column"));
        if (!made)
            ctl_table_add (table, "not made: %s; it is so already, or was "
                                  "changed meanwhile",
                           ctl_field_text (one, "listed"));
        else
            ctl_table_add (table, "%s, listed was %s",
                           ctl_field_text (one, "made"),
                           listed ? ctl_field_text (one, "listed") : "nothing");
    }
    (void) (table && ctl_table_print (table, stdout));
    ctl_table_destroy (&table);
}

void
ctl_preview_print_result (const json_t *result)
{
    char text[512];
    int64_t differing = ctl_field_number (result, "differing");
    size_t named = json_array_size (json_object_get (result, "differs"));
    snprintf (text, sizeof text,
              "number %" PRId64 " is applied: %" PRId64 " new, %" PRId64
              " names, %" PRId64 " MACs, %" PRId64 " tags, %" PRId64
              " refused; %s",
              ctl_field_number (result, "number"),
              ctl_field_number (result, "added"),
              ctl_field_number (result, "named"),
              ctl_field_number (result, "macs"),
              ctl_field_number (result, "tagged"),
              ctl_field_number (result, "refused"),
              differing ? "other than listed:" : "as listed");
    sh_wrap (stdout, 0, 4, text);
    s_print_differs (result);
    if ((uint64_t) differing > named)
        printf ("... and %" PRId64 " more\n", differing - (int64_t) named);
}
