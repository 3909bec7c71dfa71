/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl doctor: the hub's files.  */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "hub/registry.h"
#include "lib/keyfile.h"

#define SPACE_LEAST (UINT64_C (64) * 1024 * 1024) /* bytes left on a disk */

/*  May we, with the rights that count for opening?  */
static bool
s_denied (const char *path, int mode)
{
    return faccessat (AT_FDCWD, path, mode, AT_EACCESS) != 0
           && errno == EACCES;
}

/*  Without the secrets, for whoever may not read those.  */
static void
s_peek_config (ctl_doctor_t *self, const sh_why_t *secret)
{
    sh_why_t why;
    sh_err_t rc = hub_config_peek (&self->config, self->config_path, &why);
    if (rc == SH_OK && geteuid () != 0)
        sh_findings_warning (&self->found,
                             "%s; the database is not looked at: run this as "
                             "root, or as the hub's own user", secret->text);
    else if (rc == SH_OK)
        sh_findings_error (&self->found, "%s", secret->text);
    else if (s_denied (self->config_path, R_OK)) {
        self->denied = true;
        sh_findings_error (&self->found,
                           "%s; run this as root, or as the hub's own user",
                           why.text);
    } else
        sh_findings_error (&self->found, "%s", why.text);
}

void
ctl_check_config (ctl_doctor_t *self)
{
    sh_why_t why;
    struct stat meta;
    sh_err_t rc = hub_config_load (&self->config, self->config_path, &why);
    self->secrets = rc == SH_OK;
    if (rc != SH_OK)
        s_peek_config (self, &why);
    if (!self->config || stat (self->config_path, &meta) != 0)
        return;
    unsigned mode = meta.st_mode & 07777;
    if (mode & S_IWOTH)
        sh_findings_error (&self->found,
                           "everybody may change %s (mode %04o): chmod o-w %s",
                           self->config_path, mode, self->config_path);
    else if (self->secrets)
        sh_findings_good (&self->found, "%s, mode %04o, is valid",
                          self->config_path, mode);
}

static void
s_check_public (ctl_doctor_t *self)
{
    char *path = NULL;
    sh_keyfile_t *key = NULL;
    sh_why_t why;
    if (asprintf (&path, "%s.pub", self->config->key) < 0)
        return;
    sh_err_t rc = sh_keyfile_load (&key, path, false, &why);
    if (rc != SH_OK)
        sh_findings_warning (&self->found,
                             "%s; it is what scanners' administrators are "
                             "given, the hub does without", why.text);
    else if (*self->public_key
             && strcmp (self->public_key, key->public_key) != 0)
        sh_findings_error (&self->found,
                           "%s is not of the same key as %s: whoever gives it "
                           "to a scanner locks that out; the right one is %s",
                           path, self->config->key, self->public_key);
    if (rc == SH_OK && !*self->public_key)
        memcpy (self->public_key, key->public_key, sizeof self->public_key);
    sh_keyfile_destroy (&key);
    free (path);
}

void
ctl_check_key (ctl_doctor_t *self)
{
    sh_keyfile_t *key = NULL;
    sh_why_t why;
    const char *path = self->config->key;
    sh_err_t rc = sh_keyfile_load (&key, path, true, &why);
    if (rc == SH_OK) {
        char fingerprint[SH_FINGERPRINT_TEXT];
        memcpy (self->public_key, key->public_key, sizeof self->public_key);
        sh_key_fingerprint (fingerprint, key->public_key);
        sh_findings_good (&self->found, "%s is closed to others, fingerprint "
                                        "%s", path, fingerprint);
    } else if (geteuid () != 0 && s_denied (path, R_OK))
        sh_findings_warning (&self->found,
                             "%s cannot be looked at: run this as root, or as "
                             "the hub's own user", path);
    else if (rc == SH_E_NOT_FOUND)
        sh_findings_error (&self->found, "%s; make one: scanhubctl keygen %s",
                           why.text, path);
    else
        sh_findings_error (&self->found, "%s", why.text);
    sh_keyfile_destroy (&key);
    s_check_public (self);
}

/*  One entry: is it good, and the only one with its key?  */
static bool
s_check_entry (ctl_doctor_t *self, const ctl_entry_t *entry)
{
    const ctl_roster_t *all = &self->roster;
    if (entry->bad != SH_OK) {
        sh_findings_error (&self->found, "lets nobody in: %s",
                           entry->why.text);
        return false;
    }
    for (size_t i = 0; i < all->count; i++) {
        const ctl_entry_t *other = &all->items[i];
        if (other == entry || entry->retired || other->bad != SH_OK
            || strcmp (other->who.key, entry->who.key) != 0)
            continue;
        sh_findings_error (&self->found,
                           "lets nobody in: %s, for %s has the same key; "
                           "remove one of them", entry->path, other->file);
        return false;
    }
    return true;
}

void
ctl_check_registry (ctl_doctor_t *self)
{
    sh_why_t why;
    size_t good = 0;
    const char *directory = self->config->registry;
    sh_err_t rc = hub_registry_check (directory, &why);
    if (rc == SH_OK) {
        self->has_roster = true;
        rc = ctl_roster_read (&self->roster, directory, &why);
        ctl_roster_mark_retired (&self->roster, self->config->retired);
    }
    if (rc == SH_E_MODE && geteuid () != 0)
        sh_findings_warning (&self->found,
                             "%s; run this as root, or as the hub's own user",
                             why.text);
    else if (rc != SH_OK)
        sh_findings_error (&self->found, "%s", why.text);
    if (rc != SH_OK)
        return;
    for (size_t i = 0; i < self->roster.count; i++)
        good += s_check_entry (self, &self->roster.items[i]);
    if (self->roster.count == 0)
        sh_findings_warning (&self->found,
                             "no scanner is registered in %s; let one in by "
                             "scanhubctl scanner invite", directory);
    else if (good == self->roster.count)
        sh_findings_good (&self->found, "%zu key%s in %s", good,
                          good == 1 ? "" : "s", directory);
}

/*  The disk on which 'path' is or is to be; once for each disk.  */
static bool
s_check_disk (ctl_doctor_t *self, const char *path, const char *what,
              unsigned long *seen)
{
    struct statvfs disk;
    char *parent = strdup (path);
    char *slash = parent ? strrchr (parent, '/') : NULL;
    bool good = true;
    if (slash)
        *(slash == parent ? slash + 1 : slash) = '\0';
    if (slash && statvfs (parent, &disk) != 0) {
        good = false;
        sh_findings_error (&self->found,
                           "%s: %s; %s is to be there: install -d -m 0700 -o "
                           "scanhub %s", parent, strerror (errno), what,
                           parent);
    } else if (slash && disk.f_fsid != *seen) {
        uint64_t left = (uint64_t) disk.f_bavail * disk.f_frsize;
        *seen = disk.f_fsid;
        good = left >= SPACE_LEAST;
        if (!good)
            sh_findings_error (&self->found,
                               "%s: %llu MiB are left, where %s grows: make "
                               "room on that disk", parent,
                               (unsigned long long) (left >> 20), what);
    }
    free (parent);
    return good;
}

void
ctl_check_state (ctl_doctor_t *self)
{
    const hub_config_t *config = self->config;
    unsigned long seen = 0;
    bool good = s_check_disk (self, config->pauses, "the file of pauses",
                              &seen);
    good &= s_check_disk (self, config->previews, "the file of held reports",
                          &seen);
    good &= s_check_disk (self, config->retired, "the list of keys that were "
                          "replaced", &seen);
    if (config->journal)
        good &= s_check_disk (self, config->journal, "the journal", &seen);
    if (config->http_on && config->http.spool)
        good &= s_check_disk (self, config->http.spool,
                              "the spool of the HTTP door", &seen);
    if (good)
        sh_findings_good (&self->found, "their directories are there, with "
                                        "room on their disks");
}
