/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scanner list: the registry as a table, and what is wrong with
    it.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <string.h>
#include <sysexits.h>

#include "cli/roster.h"
#include "hub/registry.h"

/*  The widths make 80 columns; a longer name gets a line of its own.  */
#define NAME_WIDTH 16
#define KIND_WIDTH 7

static void
s_print_entry (const ctl_entry_t *entry)
{
    char fingerprint[SH_FINGERPRINT_TEXT];
    const hub_principal_t *who = &entry->who;
    const char *name = who->name;
    sh_key_fingerprint (fingerprint, who->key);
    if (strlen (name) > NAME_WIDTH) {
        printf ("%s\n", name);
        name = "";
    }
    printf ("%-*s  %-*s  %-*s  %s\n", NAME_WIDTH, name, KIND_WIDTH,
            who->shim ? "shim" : "scanner", SP_CODE_MOST, who->codes[0].text,
            fingerprint);
    for (size_t i = 1; i < who->code_count; i++)
        printf ("%-*s  %s\n", NAME_WIDTH + 2 + KIND_WIDTH, "",
                who->codes[i].text);
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

/*  Print one entry, or what is wrong with it; true if it is fine.  */
static bool
s_show (const ctl_roster_t *roster, const ctl_entry_t *entry)
{
    if (entry->bad != SH_OK) {
        ctl_warn ("lets nobody in: %s", entry->why.text);
        return false;
    }
    const ctl_entry_t *rival = s_rival (roster, entry);
    if (rival) {
        ctl_warn ("lets nobody in: %s: %s has the same key; remove one of "
                  "them",
                  entry->path, rival->file);
        return false;
    }
    s_print_entry (entry);
    return true;
}

static int
s_list (const char *directory)
{
    ctl_roster_t roster = { 0 };
    sh_why_t why;
    sh_err_t rc = hub_registry_check (directory, &why);
    if (rc == SH_OK)
        rc = ctl_roster_read (&roster, directory, &why);
    int status = rc == SH_OK ? 0 : ctl_fail_err (rc, &why);
    if (rc == SH_OK && roster.count == 0)
        printf ("no scanner is registered in %s\n", directory);
    else if (rc == SH_OK)
        printf ("%-*s  %-*s  %-*s  %s\n", NAME_WIDTH, "NAME", KIND_WIDTH,
                "KIND", SP_CODE_MOST, "CODE", "FINGERPRINT");
    for (size_t i = 0; rc == SH_OK && i < roster.count; i++) {
        if (!s_show (&roster, &roster.items[i]))
            status = 1;
    }
    ctl_roster_clear (&roster);
    return status;
}

int
ctl_scanner_list (ctl_t *self, int argc, char **argv)
{
    static const struct option options[]
        = { { "help", no_argument, NULL, 'h' }, { 0 } };
    int option = getopt_long (argc, argv, "h", options, NULL);
    if (option == 'h') {
        ctl_usage_command (stdout, self->command);
        return 0;
    }
    if (option != -1 || optind != argc)
        return ctl_misused (self);
    int status = ctl_config (self);
    return status ? status : s_list (self->config->registry);
}
