/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scanner revoke: whoever had the name's key gets in no more.  */

#include "cli/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/registration.h"
#include "cli/roster.h"
#include "hub/registry.h"

/*  Is the file NAME.cert?  */
static bool
s_is_file (const ctl_entry_t *entry, const char *name)
{
    size_t size = strlen (name);
    return strncmp (entry->file, name, size) == 0
           && strcmp (entry->file + size, ".cert") == 0;
}

/*  Mark what 'name' means: the entries of that name, and bad files that are
    called so; if there are none, the file that is called so.  Then every file
    with a key of one of them.  */
static size_t
s_mark (const ctl_roster_t *roster, const char *name, bool *marks)
{
    size_t count = 0;
    for (int by_file = 0; by_file < 2 && count == 0; by_file++) {
        for (size_t i = 0; i < roster->count; i++) {
            const ctl_entry_t *entry = &roster->items[i];
            marks[i] = by_file || entry->bad != SH_OK
                           ? s_is_file (entry, name)
                           : strcmp (entry->who.name, name) == 0;
            count += marks[i];
        }
    }
    /*  One pass is enough: what it adds has no key that was not marked.  */
    for (size_t i = 0; i < roster->count && count > 0; i++) {
        const char *key = roster->items[i].who.key;
        const ctl_entry_t *it = roster->items;
        if (!marks[i] || !key[0])
            continue;
        while ((it = ctl_roster_key (roster, key, it)) != NULL) {
            marks[it - roster->items] = true;
            if (++it == roster->items + roster->count)
                break;
        }
    }
    return count;
}

static int
s_remove (const ctl_entry_t *entry)
{
    char fingerprint[SH_FINGERPRINT_TEXT] = "unreadable";
    if (unlink (entry->path) != 0 && errno != ENOENT) {
        int error = errno;
        return ctl_fail (error == EACCES || error == EPERM ? EX_NOPERM
                                                           : EX_IOERR,
                         "%s: cannot remove: %s; its key stays in force",
                         entry->path, strerror (error));
    }
    if (entry->who.key[0])
        sh_key_fingerprint (fingerprint, entry->who.key);
    printf ("removed %s (key %s)\n", entry->path, fingerprint);
    return 0;
}

static int
s_remove_marked (const ctl_t *self, const ctl_roster_t *roster,
                 const bool *marks)
{
    int status = 0;
    for (size_t i = 0; i < roster->count; i++) {
        int rc = marks[i] ? s_remove (&roster->items[i]) : 0;
        if (rc != 0)
            status = rc;
    }
    if (status != 0)
        return status;
    for (size_t i = 0; i < roster->count; i++) {
        const char *key = roster->items[i].who.key;
        const ctl_entry_t *first
            = key[0] ? ctl_roster_key (roster, key, NULL) : NULL;
        if (!marks[i])
            continue;
        if (!first)
            ctl_warn ("%s had no readable key; if its key is in another file "
                      "it is still in force: see scanhubctl scanner list",
                      roster->items[i].path);
        else if (first == &roster->items[i])
            ctl_tell_force (self, key, true);
    }
    return 0;
}

/*  Under the lock, or a key that is just being added would stay.  */
static int
s_revoke (ctl_t *self, const char *name)
{
    ctl_roster_t roster = { 0 };
    const char *directory = self->config->registry;
    int lock = -1;
    int status = ctl_registry_lock (&lock, self);
    if (status == 0)
        status = ctl_roster_load (&roster, self);
    bool *marks = calloc (roster.count + 1, sizeof *marks);
    if (status == 0 && !marks)
        status = ctl_fail (EX_OSERR, "out of memory");
    else if (status == 0 && s_mark (&roster, name, marks) == 0)
        status = ctl_fail (EX_NOINPUT,
                           "there is no scanner '%s' in %s; see scanhubctl "
                           "scanner list",
                           name, directory);
    else if (status == 0)
        status = s_remove_marked (self, &roster, marks);
    if (lock >= 0)
        close (lock);
    free (marks);
    ctl_roster_clear (&roster);
    return status;
}

int
ctl_scanner_revoke (ctl_t *self, int argc, char **argv)
{
    int status = ctl_words (self, argc, argv, 1, NULL);
    if (status >= 0)
        return status;
    status = ctl_config (self);
    return status ? status : s_revoke (self, argv[optind]);
}
