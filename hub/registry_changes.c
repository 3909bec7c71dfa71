/* SPDX-License-Identifier: MPL-2.0 */
/*  Changes to single files of the registry: read, put in force all at once, and
    told.  */

#include "hub/registry_within.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

/*  A change to one file of the directory.  */
typedef struct
{
    hub_entry_t *old;   /* NULL: the file is new */
    hub_entry_t *fresh; /* NULL: the file is gone */
    bool same;
    unsigned old_claims, fresh_claims; /* of their keys, before */
} change_t;

typedef struct
{
    change_t *items;
    size_t count;
    bool changed;
} changes_t;

/*  Was a file not read for want of descriptors or memory, and is it the very
    file that was read before?  Then nothing is known to have changed.  */
static bool
s_is_unread (const hub_entry_t *old, const hub_entry_t *fresh)
{
    return old && fresh && old->bad == SH_OK
           && (fresh->bad == SH_E_IO || fresh->bad == SH_E_MEMORY)
           && fresh->target.st_ino != 0
           && !hub_registry_is_moved (&old->target, &fresh->target);
}

/*  Read the named files and prepare the changes; what stays the same is left
    out but for what its symlink leads to.  */
static sh_err_t
s_prepare (const hub_registry_t *self, changes_t *out,
           const hub_names_t *names, bool *unread)
{
    out->items = calloc (names->count + 1, sizeof *out->items);
    sh_err_t rc = out->items ? SH_OK : SH_E_MEMORY;
    for (size_t i = 0; rc == SH_OK && i < names->count; i++) {
        change_t change = { 0 };
        rc = hub_registry_read_entry (self, names->items[i], &change.fresh);
        change.old = hub_entries_file (self->entries, names->items[i]);
        if (s_is_unread (change.old, change.fresh)) {
            hub_entry_destroy (&change.fresh);
            *unread = true;
            continue;
        }
        change.same = hub_entry_same (change.old, change.fresh);
        if (change.old)
            change.old_claims
                = hub_entries_claims (self->entries, change.old->who.key);
        if (change.fresh)
            change.fresh_claims
                = hub_entries_claims (self->entries, change.fresh->who.key);
        if (!change.same)
            out->changed = true;
        out->items[out->count++] = change;
    }
    return rc;
}

/*  All at once, so that a file that was renamed is always in force under one
    of its names.  */
static void
s_commit (hub_registry_t *self, const changes_t *changes)
{
    pthread_rwlock_wrlock (&self->lock);
    for (size_t i = 0; i < changes->count; i++) {
        if (changes->items[i].old)
            hub_entries_take (self->entries, changes->items[i].old);
    }
    for (size_t i = 0; i < changes->count; i++) {
        hub_entry_t *fresh = changes->items[i].fresh;
        if (fresh)
            hub_entries_add (self->entries, &fresh);
    }
    self->generation += changes->changed;
    pthread_rwlock_unlock (&self->lock);
}

static void
s_log_change (const change_t *change)
{
    const hub_entry_t *entry = change->fresh ? change->fresh : change->old;
    if (change->same)
        return;
    if (change->fresh && change->fresh->bad != SH_OK) {
        hub_registry_log_bad (change->fresh);
        return;
    }
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (fingerprint, entry->who.key);
    const char *text = "registry entry changed";
    if (!change->fresh)
        text = "registry entry removed";
    else if (!change->old)
        text = "registry entry added";
    sh_log (SH_LOG_INFO, text, SH_STR ("file", entry->file),
            SH_STR ("scanner", entry->who.name),
            SH_STR ("key", entry->who.key),
            SH_STR ("fingerprint", fingerprint),
            SH_INT ("codes", entry->who.code_count));
}

/*  Was there an earlier change to the same key, which said what there is to
    say about it?  */
static bool
s_is_told (const changes_t *changes, size_t at, const char *key)
{
    for (size_t i = 0; i < at; i++) {
        const change_t *change = &changes->items[i];
        if ((change->old && strcmp (change->old->who.key, key) == 0)
            || (change->fresh && strcmp (change->fresh->who.key, key) == 0))
            return true;
    }
    return false;
}

static void
s_log_changes (const hub_registry_t *self, const changes_t *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const change_t *change = &changes->items[i];
        s_log_change (change);
        const char *key = change->fresh ? change->fresh->who.key : "";
        const char *old_key = change->old ? change->old->who.key : "";
        if (hub_entries_claims (self->entries, key) != change->fresh_claims
            && !s_is_told (changes, i, key))
            hub_registry_log_claims (self->entries, change->fresh_claims, key);
        if (strcmp (key, old_key) != 0
            && hub_entries_claims (self->entries, old_key) != change->old_claims
            && !s_is_told (changes, i, old_key))
            hub_registry_log_claims (self->entries, change->old_claims,
                                     old_key);
    }
}

bool
hub_registry_apply (hub_registry_t *self, hub_names_t *names)
{
    changes_t changes = { 0 };
    hub_names_sort (names);
    if (names->count == 0 || !self->entries)
        return false;
    bool unread = false;
    sh_err_t rc = s_prepare (self, &changes, names, &unread);
    /*  Once more at the next tick.  */
    for (size_t i = 0; unread && i < names->count; i++)
        if (hub_names_add (&self->late, names->items[i]) != SH_OK)
            self->again = true;
    if (rc == SH_OK) {
        s_commit (self, &changes);
        s_log_changes (self, &changes);
    }
    for (size_t i = 0; i < changes.count; i++) {
        if (rc == SH_OK)
            hub_entry_destroy (&changes.items[i].old);
        else
            hub_entry_destroy (&changes.items[i].fresh);
    }
    free (changes.items);
    if (rc == SH_OK)
        return changes.changed;
    const sh_why_t why = { "out of memory" };
    return hub_registry_shut (self, &why);
}
