/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scanner rotate: another key for a scanner, beside the one that
    it has until it uses the new one.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/knocked.h"
#include "cli/registration.h"
#include "cli/roster.h"

/*  The entry whose place the new key takes: of two, one of which replaces the
    other, nobody could say which.  */
static int
s_find (const ctl_roster_t *roster, const char *name, const ctl_entry_t **out)
{
    const ctl_entry_t *first = ctl_roster_name (roster, name, NULL);
    const ctl_entry_t *end = roster->items + roster->count;
    if (!first)
        return ctl_fail (EX_NOINPUT,
                         "there is no scanner '%s'; see scanhubctl scanner "
                         "list",
                         name);
    if (first + 1 < end && ctl_roster_name (roster, name, first + 1))
        return ctl_fail (EX_CANTCREAT,
                         "scanner '%s' has two keys already: the next one was "
                         "not used yet; if it never will be, remove its file "
                         "(scanhubctl scanner show %s)",
                         name, name);
    *out = first;
    return 0;
}

static int
s_rotate (ctl_t *self, const char *name, const char *fingerprint,
          const char *key)
{
    char knocked[SH_KEY_TEXT];
    ctl_roster_t roster = { 0 };
    const ctl_entry_t *entry = NULL;
    int status = ctl_config (self);
    if (status == 0 && fingerprint) {
        status = ctl_knocked_find (self, fingerprint, knocked);
        key = knocked;
    }
    if (status == 0)
        status = ctl_roster_load (&roster, self);
    if (status == 0)
        status = s_find (&roster, name, &entry);
    const char **codes
        = entry ? calloc (entry->who.code_count, sizeof *codes) : NULL;
    if (status == 0 && !codes)
        status = ctl_fail (EX_OSERR, "out of memory");
    if (status == 0) {
        for (size_t i = 0; i < entry->who.code_count; i++)
            codes[i] = entry->who.codes[i].text;
        const ctl_registration_t what
            = { .name = name,
                .codes = codes,
                .code_count = entry->who.code_count,
                .public_key = key,
                .shim = entry->who.shim,
                .legacy_http = entry->who.legacy_http,
                .replaces = entry->who.key };
        status = ctl_registration_check (&what);
        if (status == 0)
            status = ctl_registration_write (self, &what);
    }
    if (status == 0)
        printf ("both keys are good until the scanner uses the new one\n");
    free (codes);
    ctl_roster_clear (&roster);
    return status;
}

int
ctl_scanner_rotate (ctl_t *self, int argc, char **argv)
{
    static const struct option options[]
        = { { "public-key", required_argument, NULL, 'k' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    const char *key = NULL;
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            ctl_usage_command (stdout, self->command);
            return 0;
        }
        if (option != 'k')
            return ctl_misused (self);
        key = optarg;
    }
    if (argc - optind != (key ? 1 : 2))
        return ctl_miscounted (self, argc, argv, key ? 1 : 2);
    return s_rotate (self, argv[optind], key ? NULL : argv[optind + 1], key);
}
