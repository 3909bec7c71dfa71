/* SPDX-License-Identifier: MPL-2.0 */
/*  The registry reads its directory, and says what it found there.  */

#include "hub/registry_within.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

void
hub_registry_log_bad (const hub_entry_t *entry)
{
    sh_log (SH_LOG_WARNING, "registry file lets nobody in",
            SH_STR ("file", entry->file), SH_STR ("why", entry->why));
}

void
hub_registry_log_claims (const hub_entries_t *now, unsigned before,
                         const char *key)
{
    unsigned after = hub_entries_claims (now, key);
    const hub_entry_t *first = hub_entries_key (now, key);
    if (before < 2 && after == 2)
        sh_log (SH_LOG_WARNING,
                "two registry files claim one key, which lets nobody in",
                SH_STR ("key", key),
                SH_STR ("file", hub_entries_key_next (first)->file),
                SH_STR ("other", first->file),
                SH_STR ("remedy", "remove one of them"));
    else if (before == 2 && after == 1)
        sh_log (SH_LOG_NOTICE, "one registry file claims the key again",
                SH_STR ("key", key), SH_STR ("file", first->file),
                SH_STR ("scanner", first->who.name));
}

sh_err_t
hub_registry_read_entry (const hub_registry_t *self, const char *file,
                         hub_entry_t **out)
{
    char *path = NULL;
    hub_entry_t *entry = NULL;
    struct stat meta;
    sh_why_t why = { "" };
    *out = NULL;
    if (asprintf (&path, "%s/%s", self->directory, file) < 0)
        return SH_E_MEMORY;
    sh_err_t rc = SH_OK;
    if (lstat (path, &meta) != 0 && (errno == ENOENT || errno == ENOTDIR))
        goto out;
    rc = hub_entry_new (&entry, file);
    if (rc != SH_OK)
        goto out;

    /*  What is behind a symlink is looked at before it is read, so that a
        change in between shows at the next tick.  */
    entry->recheck = S_ISLNK (meta.st_mode);
    if (stat (path, &entry->target) != 0)
        memset (&entry->target, 0, sizeof entry->target);
    entry->bad = hub_registry_read_file (&entry->who, path, &why);
    if (entry->bad != SH_OK) {
        /*  Descriptors or rights may come back without an event.  */
        if (entry->bad == SH_E_IO || entry->bad == SH_E_MEMORY)
            entry->recheck = true;
        entry->why = strdup (why.text);
    }
    if (entry->bad == SH_E_NOT_FOUND && !entry->recheck)
        hub_entry_destroy (&entry); /* gone since lstat */
    *out = entry;
out:
    free (path);
    return rc;
}

/*  Read every file of the directory into 'entries'.  */
static sh_err_t
s_read_files (const hub_registry_t *self, hub_entries_t *entries,
              sh_why_t *why)
{
    DIR *directory = opendir (self->directory);
    sh_err_t rc = SH_OK;
    while (directory && rc == SH_OK) {
        errno = 0;
        const struct dirent *item = readdir (directory);
        if (!item)
            break;
        hub_entry_t *entry = NULL;
        /*  A name may come twice when the directory changes meanwhile.  */
        if (!hub_registry_is_entry (item->d_name)
            || hub_entries_file (entries, item->d_name))
            continue;
        rc = hub_registry_read_entry (self, item->d_name, &entry);
        if (entry)
            hub_entries_add (entries, &entry);
    }
    if (rc != SH_OK)
        rc = sh_fail (why, rc, "%s: out of memory", self->directory);
    else if (!directory || errno != 0)
        rc = sh_fail (why, SH_E_IO, "%s: cannot read: %s", self->directory,
                      strerror (errno));
    if (directory)
        closedir (directory);
    return rc;
}

sh_err_t
hub_registry_read_all (hub_registry_t *self, hub_entries_t **out,
                       sh_why_t *why)
{
    hub_entries_t *entries = NULL;
    sh_err_t rc = hub_registry_check (self->directory, why);
    if (rc == SH_OK)
        rc = hub_registry_watch (self, why);
    if (rc == SH_OK) {
        rc = hub_entries_new (&entries);
        if (rc != SH_OK)
            rc = sh_fail (why, rc, "%s: out of memory", self->directory);
    }
    if (rc == SH_OK)
        rc = s_read_files (self, entries, why);
    if (rc == SH_OK)
        *out = entries;
    else
        hub_entries_destroy (&entries);
    return rc;
}

/*  Comparison of the whole before and after.  */
typedef struct
{
    const hub_entries_t *old, *fresh;
    size_t entries, bad;
    bool changed;
} comparison_t;

static void
s_compare_fresh (hub_entry_t *entry, void *context)
{
    comparison_t *self = context;
    const hub_entry_t *old
        = self->old ? hub_entries_file (self->old, entry->file) : NULL;
    bool same = hub_entry_same (old, entry);
    self->entries++;
    self->bad += entry->bad != SH_OK;
    if (!same)
        self->changed = true;
    if (entry->bad != SH_OK && !same)
        hub_registry_log_bad (entry);
    /*  Once for each key: by the first of its files.  */
    if (entry->bad == SH_OK
        && hub_entries_key (self->fresh, entry->who.key) == entry)
        hub_registry_log_claims (self->fresh,
                                 hub_entries_claims (self->old,
                                                     entry->who.key),
                                 entry->who.key);
}

static void
s_compare_old (hub_entry_t *entry, void *context)
{
    comparison_t *self = context;
    if (!hub_entries_file (self->fresh, entry->file))
        self->changed = true;
}

/*  Put other entries (or NULL) in the place of the present ones.  */
static void
s_swap (hub_registry_t *self, hub_entries_t *fresh, bool changed)
{
    pthread_rwlock_wrlock (&self->lock);
    hub_entries_t *old = self->entries;
    self->entries = fresh;
    self->generation += changed;
    pthread_rwlock_unlock (&self->lock);
    hub_entries_destroy (&old);
}

bool
hub_registry_take_over (hub_registry_t *self, hub_entries_t *fresh)
{
    comparison_t seen = { .old = self->entries, .fresh = fresh };
    if (!self->entries)
        seen.changed = true;
    hub_entries_each (fresh, s_compare_fresh, &seen);
    if (self->entries)
        hub_entries_each (self->entries, s_compare_old, &seen);
    if (seen.changed)
        sh_log (SH_LOG_INFO, "registry read",
                SH_STR ("directory", self->directory),
                SH_INT ("keys", hub_entries_size (fresh)),
                SH_INT ("files", seen.entries), SH_INT ("bad", seen.bad));
    s_swap (self, fresh, seen.changed);
    hub_names_clear (&self->late);
    self->missing = 0;
    self->again = false;
    return seen.changed;
}

bool
hub_registry_shut (hub_registry_t *self, const sh_why_t *why)
{
    self->again = true;
    if (!self->entries)
        return false;
    sh_log (SH_LOG_ERROR, "registry lost; nobody is let in until it is back",
            SH_STR ("directory", self->directory), SH_STR ("why", why->text));
    s_swap (self, NULL, true);
    return true;
}

bool
hub_registry_is_moved (const struct stat *a, const struct stat *b)
{
    return a->st_dev != b->st_dev || a->st_ino != b->st_ino
           || a->st_size != b->st_size
           || a->st_ctim.tv_sec != b->st_ctim.tv_sec
           || a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}
