/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/registration.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/roster.h"
#include "hub/registry.h"
#include "lib/keyfile.h"

int
ctl_registration_check (const ctl_registration_t *self)
{
    if (!hub_registry_name_valid (self->name))
        return ctl_fail (EX_DATAERR,
                         "'%s' cannot be a scanner's name; take 1 to %d "
                         "letters, digits, '.', '_' and '-', beginning with a "
                         "letter, digit or '_'",
                         self->name, HUB_NAME_MOST);
    for (size_t i = 0; i < self->code_count; i++) {
        if (!hub_registry_code_valid (self->codes[i]))
            return ctl_fail (EX_DATAERR,
                             "'%s' cannot be a scanner code; copy the code "
                             "that phpIPAM shows under Scan agents: 1 to %d "
                             "of the characters A-Z a-z 0-9 - _ =",
                             self->codes[i], SP_CODE_MOST);
    }
    if (!sh_key_valid (self->public_key))
        return ctl_fail (EX_DATAERR,
                         "'%s' is no public key; a key is the 40 characters "
                         "that scanhubctl keygen prints behind public-key:",
                         self->public_key);
    if (self->shim && self->legacy_http)
        return ctl_fail (EX_USAGE,
                         "--legacy-http is for the entry of the scanner whose "
                         "code may come by other ways as well; %s a shim",
                         self->code_count > 1 ? "several --code make"
                                                 : "--shim makes");
    return 0;
}

/*  The entry as it will be written.  */
static int
s_make_entry (sh_keyfile_t **out, const ctl_registration_t *self)
{
    sh_keyfile_t *entry = NULL;
    sh_err_t rc = sh_keyfile_from_public (&entry, self->public_key);
    if (rc == SH_OK)
        rc = sh_keyfile_add (entry, "name", self->name);
    if (rc == SH_OK && self->shim)
        rc = sh_keyfile_add (entry, "kind", "shim");
    if (rc == SH_OK && self->legacy_http)
        rc = sh_keyfile_add (entry, "legacy_http", "true");
    if (rc == SH_OK && self->replaces)
        rc = sh_keyfile_add (entry, "replaces", self->replaces);
    for (size_t i = 0; rc == SH_OK && i < self->code_count; i++)
        rc = sh_keyfile_add (entry, "code", self->codes[i]);
    if (rc == SH_OK) {
        *out = entry;
        return 0;
    }
    sh_keyfile_destroy (&entry);
    if (rc == SH_E_TOO_LARGE)
        return ctl_fail (EX_DATAERR, "these are too many codes for one entry");
    return ctl_fail (EX_SOFTWARE, "cannot make the entry: %s",
                     sh_err_text (rc));
}

/*  Only the last component is made: a parent that is missing means that the
    path is wrong.  */
static int
s_make_directory (const char *directory)
{
    if (mkdir (directory, 0755) == 0) {
        chmod (directory, 0755); /* whatever the umask says */
        printf ("created the registry directory %s\n", directory);
        return 0;
    }
    int error = errno;
    if (error == EEXIST)
        return 0;
    return ctl_fail (error == EACCES ? EX_NOPERM : EX_CANTCREAT,
                     "%s: cannot create the registry directory: %s", directory,
                     strerror (error));
}

/*  Open and lock the directory, so that two who add at the same time see each
    other's entries.  Closing unlocks.  */
int
ctl_registry_lock (int *out, ctl_t *ctl)
{
    int status = ctl_config (ctl);
    if (status != 0)
        return status;
    sh_why_t why;
    const char *directory = ctl->config->registry;
    sh_err_t rc = hub_registry_check (directory, &why);
    if (rc != SH_OK)
        return ctl_fail_err (rc, &why);
    int fd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || access (directory, W_OK | X_OK) != 0) {
        int error = errno;
        if (fd >= 0)
            close (fd);
        return ctl_fail (EX_NOPERM,
                         "%s: cannot change the registry: %s; all keys stay as "
                         "they are; %s",
                         directory, strerror (error),
                         error == EROFS
                             ? "make the file system writable"
                             : "run this as root or as who owns that "
                               "directory");
    }
    if (flock (fd, LOCK_EX) != 0) {
        int error = errno;
        close (fd);
        return ctl_fail (EX_IOERR, "%s: cannot lock: %s", directory,
                         strerror (error));
    }
    *out = fd;
    return 0;
}

/*  A key that was replaced stays out of force whatever file has it.  */
static int
s_check_retired (const ctl_t *ctl, const char *key)
{
    if (!ctl_key_is_retired (ctl, key))
        return 0;
    return ctl_fail (EX_CANTCREAT,
                     "this key was replaced by another one and stays out of "
                     "force; make a new key at the site");
}

static int
s_check_taken (const ctl_roster_t *roster, const ctl_registration_t *self)
{
    assert (self->name && self->public_key);
    for (size_t i = 0; i < roster->count; i++) {
        const ctl_entry_t *entry = &roster->items[i];
        if (!self->replaces && !entry->retired
            && strcmp (entry->who.name, self->name) == 0)
            return ctl_fail (EX_CANTCREAT,
                             "there is a scanner '%s' already, in %s; revoke "
                             "it first, or choose another name; for another "
                             "key: scanhubctl scanner rotate",
                             self->name, entry->path);
        if (strcmp (entry->who.key, self->public_key) != 0)
            continue;
        if (entry->bad == SH_OK)
            return ctl_fail (EX_CANTCREAT,
                             "this key is scanner '%s' already, in %s; two "
                             "entries with one key would let neither in",
                             entry->who.name, entry->path);
        return ctl_fail (EX_CANTCREAT,
                         "this key is in %s already, which is not in order: "
                         "%s",
                         entry->path, entry->why.text);
    }
    return 0;
}

/*  What was found before the lock may be gone, or have a next key.  */
static int
s_check_replaced (const ctl_roster_t *roster, const ctl_registration_t *self)
{
    const ctl_entry_t *first = ctl_roster_name (roster, self->name, NULL);
    if (!self->replaces
        || (first && strcmp (first->who.key, self->replaces) == 0
            && (first + 1 == roster->items + roster->count
                || !ctl_roster_name (roster, self->name, first + 1))))
        return 0;
    return ctl_fail (EX_CANTCREAT,
                     "scanner '%s' was changed by somebody at the same time; "
                     "see scanhubctl scanner list",
                     self->name);
}

/*  Two who speak for one code: what comes of it depends on who they are.  */
static void
s_warn_code (const hub_principal_t *there, const ctl_registration_t *self,
             const char *code)
{
    if (!there->shim && !self->shim)
        ctl_warn ("scanner '%s' has the code %s too; both will speak for the "
                  "same scan agent in phpIPAM",
                  there->name, code);
    else if (!there->shim && !there->legacy_http)
        ctl_warn ("the hub will refuse the code %s from this shim, for scanner "
                  "'%s' has a key of its own and its entry does not say "
                  "legacy_http",
                  code, there->name);
    else if (!self->shim && !self->legacy_http)
        ctl_warn ("from now on the hub refuses the code %s from shim '%s' and "
                  "over HTTP; an entry made with --legacy-http lets both speak",
                  code, there->name);
}

static void
s_warn_codes (const ctl_roster_t *roster, const ctl_registration_t *self)
{
    for (size_t i = 0; i < roster->count; i++) {
        const hub_principal_t *who = &roster->items[i].who;
        if (strcmp (who->name, self->name) == 0)
            continue; /* its own, under the key that is replaced */
        for (size_t k = 0; k < self->code_count; k++) {
            for (size_t j = 0; j < who->code_count; j++) {
                if (strcmp (who->codes[j].text, self->codes[k]) == 0)
                    s_warn_code (who, self, self->codes[k]);
            }
        }
    }
}

/*  What phpIPAM says of the codes.  That the hub does not run, or has not read
    phpIPAM, was told already.  */
static void
s_tell_agents (const ctl_t *ctl, const ctl_registration_t *self)
{
    for (size_t i = 0; i < self->code_count; i++)
        ctl_tell_code (ctl, self->codes[i]);
}

/*  NAME.cert, or where that is the key that is replaced, a name that no other
    scanner's file has.  */
static char *
s_path (const char *directory, const ctl_registration_t *self,
        const char *fingerprint)
{
    char *path = NULL;
    struct stat meta;
    if (asprintf (&path, "%s/%s.cert", directory, self->name) < 0)
        return NULL;
    if (!self->replaces || lstat (path, &meta) != 0)
        return path;
    free (path);
    if (asprintf (&path, "%s/%s.%s.cert", directory, self->name, fingerprint)
        < 0)
        return NULL;
    return path;
}

static int
s_write (const sh_keyfile_t *entry, const ctl_registration_t *self,
         const char *directory)
{
    sh_why_t why;
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (fingerprint, entry->public_key);
    char *path = s_path (directory, self, fingerprint);
    if (!path)
        return ctl_fail (EX_OSERR, "out of memory");
    sh_err_t rc = sh_keyfile_save (entry, path, false, &why);
    int status = 0;
    if (rc == SH_E_EXISTS)
        status = ctl_fail (EX_CANTCREAT,
                           "%s exists already and stays as it is; choose "
                           "another name, or remove it",
                           path);
    else if (rc != SH_OK)
        status = ctl_fail_err (rc, &why);
    else
        ctl_say ("added %s: %s (key %s)", self->name, path, fingerprint);
    free (path);
    return status;
}

int
ctl_registration_write (ctl_t *ctl, const ctl_registration_t *self)
{
    sh_keyfile_t *entry = NULL;
    ctl_roster_t roster = { 0 };
    int lock = -1;
    int status = ctl_config (ctl);
    if (status == 0)
        status = s_make_entry (&entry, self);
    if (status == 0)
        status = s_make_directory (ctl->config->registry);
    if (status == 0)
        status = ctl_registry_lock (&lock, ctl);
    if (status == 0)
        status = ctl_roster_load (&roster, ctl);
    if (status == 0)
        status = s_check_retired (ctl, self->public_key);
    if (status == 0)
        status = s_check_taken (&roster, self);
    if (status == 0)
        status = s_check_replaced (&roster, self);
    if (status == 0)
        status = s_write (entry, self, ctl->config->registry);
    if (lock >= 0)
        close (lock);
    if (status == 0) {
        s_warn_codes (&roster, self);
        ctl_tell_force (ctl, entry->public_key, false);
        s_tell_agents (ctl, self);
    }
    ctl_roster_clear (&roster);
    sh_keyfile_destroy (&entry);
    return status;
}
