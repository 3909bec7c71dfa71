/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scanner list and show: the registry as a table, one scanner of
    it, and what is wrong with it.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <string.h>
#include <sysexits.h>

#include "cli/roster.h"
#include "cli/table.h"
#include "hub/registry.h"

static void
s_add_row (ctl_table_t *table, const ctl_roster_t *roster,
           const ctl_entry_t *entry)
{
    char fingerprint[SH_FINGERPRINT_TEXT];
    const hub_principal_t *who = &entry->who;
    sh_key_fingerprint (fingerprint, who->key);
    const ctl_entry_t *old = who->replaces[0]
                                 ? ctl_roster_key (roster, who->replaces, NULL)
                                 : NULL;
    for (size_t i = 0; i < who->code_count; i++) {
        ctl_table_add (table, "%s", i == 0 ? who->name : "");
        ctl_table_add (table, "%s",
                       i > 0                 ? ""
                       : who->shim           ? "shim"
                       : old && !old->retired ? "next"
                                             : "scanner");
        ctl_table_add (table, "%s", who->codes[i].text);
        ctl_table_add (table, "%s", i == 0 ? fingerprint : "");
    }
}

/*  Another good entry with the same key, or NULL.  */
static const ctl_entry_t *
s_rival (const ctl_roster_t *roster, const ctl_entry_t *entry)
{
    const ctl_entry_t *it = ctl_roster_key (roster, entry->who.key, NULL);
    while (it && (it == entry || it->bad != SH_OK))
        it = it + 1 < roster->items + roster->count
                 ? ctl_roster_key (roster, entry->who.key, it + 1)
                 : NULL;
    return it;
}

/*  Say why an entry lets nobody in; true if it does let somebody in.  */
static bool
s_judge (const ctl_roster_t *roster, const ctl_entry_t *entry)
{
    if (entry->bad != SH_OK) {
        ctl_warn ("lets nobody in: %s", entry->why.text);
        return false;
    }
    const ctl_entry_t *rival = s_rival (roster, entry);
    if (rival)
        ctl_warn ("lets nobody in: %s: %s has the same key; remove one of "
                  "them",
                  entry->path, rival->file);
    else if (entry->retired)
        ctl_warn ("lets nobody in: %s: scanner '%s' has another key by now; "
                  "remove the file",
                  entry->path, entry->who.name);
    return !rival && !entry->retired;
}

static int
s_print (const ctl_roster_t *roster, const char *directory)
{
    static const char *const titles[]
        = { "NAME", "KIND", "CODE", "FINGERPRINT" };
    ctl_table_t *table = ctl_table_new (titles, 4);
    char digest[HUB_DIGEST_TEXT];
    int status = ctl_roster_digest (roster, digest);
    bool good = true;
    for (size_t i = 0; table && i < roster->count; i++) {
        if (s_judge (roster, &roster->items[i]))
            s_add_row (table, roster, &roster->items[i]);
        else
            good = false;
    }
    if (roster->count == 0)
        printf ("no scanner is registered in %s\n", directory);
    bool whole = table && ctl_table_print (table, stdout);
    ctl_table_destroy (&table);
    if (!whole)
        return ctl_fail (EX_OSERR, "out of memory");
    if (status == 0 && roster->count > 0)
        printf ("\ndigest: %s\n", digest);
    return status ? status : !good;
}

static int
s_print_json (const ctl_roster_t *roster)
{
    char digest[HUB_DIGEST_TEXT];
    int status = ctl_roster_digest (roster, digest);
    json_t *all = json_array ();
    for (size_t i = 0; status == 0 && i < roster->count; i++) {
        const ctl_entry_t *entry = &roster->items[i];
        json_t *one = entry->bad == SH_OK ? ctl_entry_json (entry)
                                          : json_object ();
        json_object_set_new (one, "file", json_string (entry->file));
        json_object_set_new (one, "in_force",
                             json_boolean (ctl_entry_in_force (roster,
                                                               entry)));
        if (entry->bad != SH_OK)
            json_object_set_new (one, "why", json_string (entry->why.text));
        json_array_append_new (all, one);
    }
    if (status == 0) {
        json_t *document
            = json_pack ("{s:s, s:O}", "digest", digest, "scanners", all);
        status = ctl_print_json (document);
        json_decref (document);
    }
    json_decref (all);
    return status;
}

int
ctl_scanner_list (ctl_t *self, int argc, char **argv)
{
    ctl_roster_t roster = { 0 };
    bool json = false;
    int status = ctl_words (self, argc, argv, 0, &json);
    if (status >= 0)
        return status;
    status = ctl_roster_load (&roster, self);
    if (status == 0)
        status = json ? s_print_json (&roster)
                      : s_print (&roster, self->config->registry);
    ctl_roster_clear (&roster);
    return status;
}

/*  One entry, as a list of what is said about it.  */
static void
s_print_entry (const ctl_t *self, const ctl_roster_t *roster,
               const ctl_entry_t *entry)
{
    const hub_principal_t *who = &entry->who;
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (fingerprint, who->key);
    printf ("name:         %s\nkind:         %s\n", who->name,
            who->shim ? "shim" : "scanner");
    for (size_t i = 0; i < who->code_count; i++)
        printf ("code:         %s\n", who->codes[i].text);
    printf ("fingerprint:  %s\npublic-key:   %s\nfile:         %s\n",
            fingerprint, who->key, entry->path);
    if (who->legacy_http)
        printf ("legacy_http:  true, others may speak for its code as well\n");
    if (who->replaces[0]) {
        sh_key_fingerprint (fingerprint, who->replaces);
        printf ("replaces:     %s, as soon as it is used\n", fingerprint);
    }
    if (!ctl_entry_in_force (roster, entry))
        printf ("in force:     no; see scanhubctl scanner list\n");
    else
        ctl_tell_force (self, who->key, false);
}

int
ctl_scanner_show (ctl_t *self, int argc, char **argv)
{
    ctl_roster_t roster = { 0 };
    size_t count = 0;
    int status = ctl_words (self, argc, argv, 1, NULL);
    if (status >= 0)
        return status;
    const char *name = argv[optind];
    status = ctl_roster_load (&roster, self);
    for (size_t i = 0; status == 0 && i < roster.count; i++) {
        const ctl_entry_t *entry = &roster.items[i];
        if (entry->bad != SH_OK || strcmp (entry->who.name, name) != 0)
            continue;
        if (count++ > 0)
            printf ("\n");
        s_print_entry (self, &roster, entry);
    }
    if (status == 0 && count == 0)
        status = ctl_fail (EX_NOINPUT,
                           "there is no scanner '%s'; see scanhubctl scanner "
                           "list",
                           name);
    ctl_roster_clear (&roster);
    return status;
}
