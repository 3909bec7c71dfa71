/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scanner rename: another name for a scanner.  Each of its files
    is replaced in one step, so that its key is in force all the while and its
    session goes on.  */

#include "cli/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/registration.h"
#include "cli/roster.h"
#include "hub/registry.h"

/*  A scanner and its next key, of which a run that was killed has renamed one:
    until the other has that name too, the next key puts none out of force.  */
static bool
s_is_pair (const ctl_entry_t *one, const ctl_entry_t *other)
{
    return strcmp (one->who.replaces, other->who.key) == 0
           || strcmp (other->who.replaces, one->who.key) == 0;
}

static int
s_check (const ctl_roster_t *roster, const char *old, const char *fresh)
{
    if (!hub_registry_name_valid (fresh))
        return ctl_fail (EX_DATAERR,
                         "'%s' cannot be a scanner's name; take 1 to %d "
                         "letters, digits, '.', '_' and '-', beginning with a "
                         "letter, digit or '_'",
                         fresh, HUB_NAME_MOST);
    if (!ctl_roster_name (roster, old, NULL))
        return ctl_fail (EX_NOINPUT,
                         "there is no scanner '%s'; see scanhubctl scanner "
                         "list",
                         old);
    const ctl_entry_t *there = ctl_roster_name (roster, fresh, NULL);
    if (there && !s_is_pair (ctl_roster_name (roster, old, NULL), there))
        return ctl_fail (EX_CANTCREAT, "there is a scanner '%s' already",
                         fresh);
    return 0;
}

/*  A link's target is somebody else's to change.  */
static int
s_check_file (const ctl_entry_t *entry)
{
    struct stat meta;
    if (lstat (entry->path, &meta) == 0 && S_ISREG (meta.st_mode))
        return 0;
    return ctl_fail (EX_DATAERR,
                     "%s is a link; write the name into the file that it leads "
                     "to",
                     entry->path);
}

/*  OLD.cert becomes NEW.cert, if nothing is called so; for the hub it is the
    name inside that counts.  */
static void
s_rename_file (const ctl_t *self, const ctl_entry_t *entry, const char *old,
               const char *fresh)
{
    char *path = NULL;
    struct stat meta;
    if (strncmp (entry->file, old, strlen (old)) != 0
        || asprintf (&path, "%s/%s%s", self->config->registry, fresh,
                     entry->file + strlen (old))
               < 0)
        return;
    if (lstat (path, &meta) == 0 || rename (entry->path, path) != 0)
        ctl_warn ("%s is called so still", entry->path);
    free (path);
}

static int
s_write_name (const ctl_entry_t *entry, const char *fresh)
{
    sh_keyfile_t *key = NULL;
    sh_why_t why;
    sh_err_t rc = sh_keyfile_load (&key, entry->path, false, &why);
    if (rc == SH_OK)
        rc = sh_keyfile_set (key, "name", fresh);
    if (rc == SH_OK)
        rc = sh_keyfile_replace (key, entry->path, &why);
    sh_keyfile_destroy (&key);
    return rc == SH_OK ? 0 : ctl_fail_err (rc, &why);
}

static int
s_rename_all (ctl_t *self, const ctl_roster_t *roster, const char *old,
              const char *fresh)
{
    int status = 0;
    for (int step = 0; step < 2 && status == 0; step++)
        for (size_t i = 0; status == 0 && i < roster->count; i++) {
            const ctl_entry_t *entry = &roster->items[i];
            if (entry->bad != SH_OK || strcmp (entry->who.name, old) != 0)
                continue;
            status = step == 0 ? s_check_file (entry)
                               : s_write_name (entry, fresh);
            if (step == 1 && status == 0)
                s_rename_file (self, entry, old, fresh);
        }
    return status;
}

int
ctl_scanner_rename (ctl_t *self, int argc, char **argv)
{
    ctl_roster_t roster = { 0 };
    int lock = -1;
    int status = ctl_words (self, argc, argv, 2, NULL);
    if (status >= 0)
        return status;
    const char *old = argv[optind], *fresh = argv[optind + 1];
    status = ctl_registry_lock (&lock, self);
    if (status == 0)
        status = ctl_roster_load (&roster, self);
    if (status == 0)
        status = s_check (&roster, old, fresh);
    if (status == 0)
        status = s_rename_all (self, &roster, old, fresh);
    if (status == 0)
        printf ("%s is %s now; its key and its session stay\n", old, fresh);
    if (lock >= 0)
        close (lock);
    ctl_roster_clear (&roster);
    return status;
}
