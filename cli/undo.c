/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl undo: the SQL that takes back what a report wrote.  It is
    printed and never run.  Each statement changes a row only if that still is
    what the report made of it, so what anybody wrote since stays.  Nothing
    that came from outside gets out of a literal, nor into a comment but names
    made safe.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/field.h"
#include "cli/journal.h"
#include "cli/when.h"
#include "lib/addr.h"

#define CHANGES_MOST INT64_C (10000000)
#define TIME_TEXT 32
#define DESCRIPTION "-- autodiscovered --" /* phpIPAM's, of new rows */

/*  A literal that is the same in every sql_mode and character set: in hex, if
    there is anything in it that might not be.  */
static void
s_literal (const char *text)
{
    bool plain = true;
    for (const char *at = text; *at; at++)
        plain &= *at >= ' ' && *at <= '~' && *at != '\'' && *at != '\\';
    if (plain) {
        printf ("'%s'", text);
        return;
    }
    printf ("CONVERT(X'");
    for (const char *at = text; *at; at++)
        printf ("%02X", (unsigned char) *at);
    printf ("' USING utf8mb4)");
}

/*  The value, byte by byte, whatever the column's collation; NULL is empty.  */
static void
s_and_is (const char *column, const char *value)
{
    if (!value) {
        printf ("\n  AND (%s IS NULL OR %s = '')", column, column);
        return;
    }
    printf ("\n  AND CAST(CONVERT(%s USING utf8mb4) AS BINARY) = CAST(",
            column);
    s_literal (value);
    printf (" AS BINARY)");
}

/*  What a statement is about, checked: the hub may be of any version.  */
typedef struct
{
    const json_t *item; /* the change, or the last of a new row */
    int64_t subnet, row;
    char ip[SH_ADDR_DECIMAL]; /* as phpIPAM has it */
    const char *column, *before, *after;
    bool added;
} change_t;

static bool
s_is_tag (const char *text)
{
    size_t sign = text && *text == '-';
    size_t digits = text ? strspn (text + sign, "0123456789") : 0;
    return digits > 0 && digits < 10 && text[sign + digits] == '\0';
}

static bool
s_take (change_t *out, const json_t *item)
{
    sh_addr_t addr;
    *out = (change_t){
        .item = item,
        .subnet = ctl_field_number (item, "subnet"),
        .row = ctl_field_number (item, "row"),
        .column = ctl_field_text (item, "column"),
        .before = ctl_field_text_or_null (item, "before"),
        .after = ctl_field_text_or_null (item, "after"),
        .added = ctl_field_true (item, "new_row"),
    };
    bool state = strcmp (out->column, "state") == 0;
    bool text = strcmp (out->column, "hostname") == 0
                || strcmp (out->column, "mac") == 0;
    if (sh_addr_parse (&addr, ctl_field_text (item, "ip")) != SH_OK
        || out->subnet <= 0)
        return false;
    sh_addr_decimal (&addr, out->ip);
    return out->added
           || (out->row > 0
               && (text
                   || (state && s_is_tag (out->before)
                       && s_is_tag (out->after))));
}

/*  The address too, for a row may have been moved to another.  */
static void
s_where (const change_t *one)
{
    printf ("WHERE subnetId = %" PRId64 " AND ip_addr = '%s'", one->subnet,
            one->ip);
}

static void
s_print_update (const change_t *one)
{
    bool state = strcmp (one->column, "state") == 0;
    printf ("UPDATE ipaddresses SET %s = ", one->column);
    if (!one->before)
        printf ("NULL");
    else if (state)
        printf ("%s", one->before);
    else
        s_literal (one->before);
    printf (", editDate = editDate\n  ");
    s_where (one);
    printf (" AND id = %" PRId64, one->row);
    if (state)
        printf ("\n  AND state = %s", one->after);
    else
        s_and_is (one->column, one->after);
    printf (";\n");
}

/*  Does it belong to the new row of 'one'?  */
static bool
s_is_same_row (const change_t *one, const change_t *other)
{
    return other->added && other->subnet == one->subnet
           && strcmp (other->ip, one->ip) == 0;
}

/*  All columns of a new row follow each other, from 'at' on; returns how many.
    The server sets editDate when anybody but the hub changes the row.  */
static size_t
s_print_delete (const json_t *list, size_t at, const change_t *first)
{
    const char *hostname = NULL, *mac = NULL;
    size_t count = 0;
    change_t one;
    for (; s_take (&one, json_array_get (list, at + count))
           && s_is_same_row (first, &one);
         count++)
        if (strcmp (one.column, "hostname") == 0)
            hostname = one.after;
        else if (strcmp (one.column, "mac") == 0)
            mac = one.after;
    printf ("DELETE FROM ipaddresses\n  ");
    s_where (first);
    printf (" AND editDate IS NULL\n  AND state IN (1, 2)");
    s_and_is ("description", DESCRIPTION);
    s_and_is ("hostname", hostname);
    s_and_is ("mac", mac);
    printf (";\n");
    return count;
}

/*  How many statements that are, printed or not.  */
typedef struct
{
    size_t rows, columns, skipped;
} tally_t;

static tally_t
s_walk (const json_t *list, bool print)
{
    tally_t tally = { 0 };
    change_t one, last = { 0 };
    for (size_t at = 0, some; at < json_array_size (list); at += some) {
        some = 1;
        if (!s_take (&one, json_array_get (list, at))) {
            tally.skipped++;
            continue;
        }
        if (!one.added)
            tally.columns++;
        else if (!s_is_same_row (&one, &last))
            tally.rows++;
        if (print && one.added)
            some = s_print_delete (list, at, &one);
        else if (print)
            s_print_update (&one);
        last = one;
    }
    return tally;
}

/*  Of what names consist of; for comments, which end with their line.  */
static void
s_print_safe (const char *text)
{
    for (; *text; text++)
        putchar (strchr ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                         "0123456789._:/ -", *text)
                     ? *text
                     : '?');
}

static void
s_print_header (const json_t *about, const tally_t *tally)
{
    char when[TIME_TEXT];
    ctl_time_text (when, sizeof when, ctl_field_number (about, "written"));
    printf ("-- Undo of report %" PRId64 " of scanner ",
            ctl_field_number (about, "report"));
    s_print_safe (ctl_field_text (about, "scanner"));
    printf ("\n-- about ");
    s_print_safe (ctl_field_text (about, "cidr"));
    printf (" (subnet %" PRId64 "), written until %s:\n",
            ctl_field_number (about, "subnet"), when);
    printf ("-- %zu new %s, and %zu %s of rows that were there.\n",
            tally->rows, tally->rows == 1 ? "row" : "rows", tally->columns,
            tally->columns == 1 ? "column" : "columns");
    printf (
        "-- Where more than one report is undone: the newest first.\n"
        "-- A row changes only if it still is what the report made of it:\n"
        "-- what persons, phpIPAM or later reports wrote since stays.\n"
        "-- lastSeen, lastScan and lastDiscovery are not taken back, and an\n"
        "-- empty text becomes NULL. The next scan makes new rows again,\n"
        "-- unless what made it find them has an end.\n"
        "-- The hub's account may not DELETE; run this with one that may.\n");
}

static int
s_print_sql (const json_t *document)
{
    const json_t *list = json_object_get (document, "changes");
    tally_t tally = s_walk (list, false);
    s_print_header (json_object_get (document, "about"), &tally);
    if (tally.rows + tally.columns == 0)
        printf ("-- So there is nothing to undo.\n");
    else {
        printf ("START TRANSACTION;\n");
        s_walk (list, true);
        printf ("COMMIT;\n");
    }
    if (tally.skipped > 0)
        return ctl_fail (EX_SOFTWARE, "%zu changes make no sense and were left "
                                      "out; is scanhubctl of another version "
                                      "than scanhubd?", tally.skipped);
    if (!ctl_field_true (json_object_get (document, "about"), "closed"))
        ctl_warn ("the report is not complete; more of it may be written");
    return 0;
}

static int
s_explain (const json_t *document, const char *number)
{
    tally_t tally = s_walk (json_object_get (document, "changes"), false);
    return ctl_fail (EX_USAGE,
                     "undo only prints SQL, with --sql: for report %s to "
                     "delete %zu new %s and to put back %zu %s, where they "
                     "still are as it left them",
                     number, tally.rows, tally.rows == 1 ? "row" : "rows",
                     tally.columns, tally.columns == 1 ? "column" : "columns");
}

int
ctl_undo (ctl_t *self, int argc, char **argv)
{
    static const struct option options[]
        = { { "sql", no_argument, NULL, 's' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    bool sql = false;
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            ctl_usage_command (stdout, self->command);
            return 0;
        }
        if (option != 's')
            return ctl_misused (self);
        sql = true;
    }
    if (optind != argc - 1)
        return ctl_miscounted (self, argc, argv, 1);
    const char *number = argv[optind];
    char head[64];
    json_t *document = NULL;
    size_t digits = strspn (number, "0123456789");
    if (digits == 0 || digits > 18 || number[digits])
        return ctl_fail (EX_USAGE, "a report is named by its number; see "
                                   "scanhubctl reports");
    snprintf (head, sizeof head, "report %s", number);
    int status = ctl_journal_pages (self, head, "", "changes", "change",
                                    CHANGES_MOST, &document);
    if (status == 0)
        status = sql ? s_print_sql (document) : s_explain (document, number);
    json_decref (document);
    return status;
}
