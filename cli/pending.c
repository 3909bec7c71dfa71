/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scanner pending and reject: unknown keys that knocked at the
    running hub's door, and what becomes of them.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/knocked.h"
#include "cli/when.h"
#include "cli/table.h"

static int
s_print (const ctl_knocked_t *items, size_t count)
{
    static const char *const titles[]
        = { "FINGERPRINT", "ADDRESS", ">KNOCKS", "FIRST", "LAST" };
    ctl_table_t *table = ctl_table_new (titles, 5);
    for (size_t i = 0; table && i < count; i++) {
        char first[32], last[32];
        ctl_time_text (first, sizeof first, items[i].first);
        ctl_time_text (last, sizeof last, items[i].last);
        ctl_table_add (table, "%s", items[i].fingerprint);
        ctl_table_add (table, "%s", items[i].address);
        ctl_table_add (table, "%" PRIu64, items[i].count);
        ctl_table_add (table, "%.16s", first); /* without the seconds */
        ctl_table_add (table, "%.16s", last);
    }
    bool whole = table && ctl_table_print (table, stdout);
    ctl_table_destroy (&table);
    if (!whole)
        return ctl_fail (EX_OSERR, "out of memory");
    if (count == 0)
        printf ("no unknown key has knocked\n");
    else
        printf ("\nTo let one in whose fingerprint its owner has confirmed, or "
                "not:\n"
                "  scanhubctl scanner approve FINGERPRINT NAME --code CODE\n"
                "  scanhubctl scanner reject FINGERPRINT\n");
    return 0;
}

static int
s_print_json (const ctl_knocked_t *items, size_t count)
{
    json_t *all = json_array ();
    for (size_t i = 0; i < count; i++) {
        const ctl_knocked_t *one = &items[i];
        json_array_append_new (
            all, json_pack ("{s:s, s:s, s:s, s:I, s:I, s:I}", "fingerprint",
                            one->fingerprint, "key", one->key, "address",
                            one->address, "knocks", (json_int_t) one->count,
                            "first", (json_int_t) one->first, "last",
                            (json_int_t) one->last));
    }
    int status = ctl_print_json (all);
    json_decref (all);
    return status;
}

int
ctl_scanner_pending (ctl_t *self, int argc, char **argv)
{
    ctl_knocked_t *items = NULL;
    size_t count = 0;
    bool json = false;
    int status = ctl_words (self, argc, argv, 0, &json);
    if (status >= 0)
        return status;
    status = ctl_knocked_list (self, &items, &count);
    if (status == 0)
        status = json ? s_print_json (items, count) : s_print (items, count);
    free (items);
    return status;
}

int
ctl_scanner_reject (ctl_t *self, int argc, char **argv)
{
    char key[SH_KEY_TEXT], request[SH_KEY_TEXT + 16];
    char *answer = NULL;
    int status = ctl_words (self, argc, argv, 1, NULL);
    if (status >= 0)
        return status;
    const char *fingerprint = argv[optind];
    status = ctl_knocked_find (self, fingerprint, key);
    if (status != 0)
        return status;
    snprintf (request, sizeof request, "reject %s", key);
    status = ctl_ask (self, request, &answer);
    if (status == 0)
        printf ("rejected %s; it stays out, and for a day it is not listed "
                "again\n",
                fingerprint);
    free (answer);
    return status;
}
