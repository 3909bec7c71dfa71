/* SPDX-License-Identifier: MPL-2.0 */
/*  The registry's part in the rotation of a scanner's key: two files of one
    scanner, of which the newer says which key it replaces.  Both are good
    until the newer one is used; from then on the older one is not.  */

#include "hub/registry_within.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub/digest.h"
#include "lib/file.h"
#include "lib/log.h"

sh_err_t
hub_registry_keep_retired (hub_registry_t *self, const char *path,
                           sh_why_t *why)
{
    assert (self && path);
    hub_retired_t *fresh = NULL;
    sh_err_t rc = hub_retired_new (&fresh, path, why);
    if (rc != SH_OK)
        return rc;
    pthread_rwlock_wrlock (&self->lock);
    hub_retired_t *old = self->retired;
    self->retired = fresh;
    self->generation++;
    pthread_rwlock_unlock (&self->lock);
    hub_retired_destroy (&old);
    return SH_OK;
}

/*  The entry that the one of 'key' replaces, if both are of one scanner.  */
static const hub_entry_t *
s_replaced (const hub_registry_t *self, const char *key)
{
    const hub_entry_t *fresh = hub_registry_in_force (self, key);
    if (!fresh || !fresh->who.replaces[0])
        return NULL;
    const hub_entry_t *old = hub_registry_in_force (self, fresh->who.replaces);
    return old && old != fresh && strcmp (old->who.name, fresh->who.name) == 0
               ? old
               : NULL;
}

bool
hub_registry_used (hub_registry_t *self, const char *key)
{
    assert (self && key);
    char old_key[SH_KEY_TEXT] = "", name[HUB_NAME_MOST + 1];
    pthread_rwlock_rdlock (&self->lock);
    bool any = s_replaced (self, key) != NULL;
    pthread_rwlock_unlock (&self->lock);
    if (!any)
        return false;
    pthread_rwlock_wrlock (&self->lock);
    const hub_entry_t *old = s_replaced (self, key);
    if (old) {
        memcpy (old_key, old->who.key, sizeof old_key);
        memcpy (name, old->who.name, sizeof name);
        hub_retired_add (self->retired, old_key);
        self->generation++;
    }
    pthread_rwlock_unlock (&self->lock);
    if (!old)
        return false;
    const uint64_t one = 1;
    ssize_t ignored = write (self->wake, &one, sizeof one);
    (void) ignored;
    char former[SH_FINGERPRINT_TEXT], now[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (former, old_key);
    sh_key_fingerprint (now, key);
    sh_log (SH_LOG_NOTICE, "a scanner uses its next key: the former one is out "
                           "of force",
            SH_STR ("scanner", name), SH_STR ("fingerprint", now),
            SH_STR ("former", former));
    return true;
}

bool
hub_registry_is_retired (hub_registry_t *self, const char *key)
{
    assert (self && key);
    pthread_rwlock_rdlock (&self->lock);
    bool retired = hub_retired_has (self->retired, key);
    pthread_rwlock_unlock (&self->lock);
    return retired;
}

size_t
hub_registry_retired_held (const hub_registry_t *self)
{
    size_t count = 0;
    for (size_t i = 0; i < hub_retired_count (self->retired); i++)
        count += hub_entries_in_force (self->entries,
                                       hub_retired_key (self->retired, i))
                 != NULL;
    return count;
}

/*  The files of retired keys, as names.  */
static void
s_find_retired (hub_entry_t *entry, void *context)
{
    void **both = context;
    const hub_registry_t *self = both[0];
    if (entry->bad != SH_OK || !hub_retired_has (self->retired, entry->who.key))
        return;
    if (hub_names_add (both[1], entry->file) != SH_OK)
        return; /* it is out of force all the same */
}

static void
s_remove (const hub_registry_t *self, const char *file)
{
    char *path = NULL;
    if (asprintf (&path, "%s/%s", self->directory, file) < 0)
        return;
    if (unlink (path) != 0 && errno != ENOENT)
        sh_log (SH_LOG_NOTICE, "the file of a replaced key cannot be removed; "
                               "it lets nobody in, but should go",
                SH_STR ("because", strerror (errno)),
                SH_STR ("remedy", "remove it by hand"), SH_STR ("file", path));
    free (path);
}

/*  The list first: a crash in between leaves a file that lets nobody in.  */
void
hub_registry_settle_retired (hub_registry_t *self)
{
    sh_why_t why = { "" };
    hub_names_t names = { 0 };
    void *both[] = { self, &names };
    pthread_rwlock_rdlock (&self->lock);
    const char *path = hub_retired_path (self->retired);
    char *text = hub_retired_text (self->retired);
    if (self->entries)
        hub_entries_each (self->entries, s_find_retired, both);
    pthread_rwlock_unlock (&self->lock);
    sh_err_t rc = SH_E_MEMORY;
    if (text)
        rc = path ? sh_file_write (path, text, strlen (text), 0644, true, &why)
                  : SH_OK;
    free (text);
    self->unsaved = rc != SH_OK;
    if (rc != SH_OK && !self->unsaved_told)
        sh_log (SH_LOG_ERROR, "that a key was replaced cannot be written down, "
                              "and would be forgotten at a restart",
                SH_STR ("because", why.text));
    else if (rc == SH_OK && self->unsaved_told)
        sh_log (SH_LOG_NOTICE, "that a key was replaced is written down now");
    self->unsaved_told = rc != SH_OK;
    for (size_t i = 0; i < names.count; i++)
        s_remove (self, names.items[i]);
    hub_names_clear (&names);
}

static void
s_add_to_digest (hub_entry_t *entry, void *context)
{
    void **both = context;
    const hub_registry_t *self = both[0];
    if (entry->bad == SH_OK
        && hub_registry_in_force (self, entry->who.key) == entry)
        hub_digest_add (both[1], &entry->who);
}

bool
hub_registry_digest (hub_registry_t *self, char out[static HUB_DIGEST_TEXT])
{
    assert (self && out);
    hub_digest_t digest = { 0 };
    void *both[] = { self, &digest };
    pthread_rwlock_rdlock (&self->lock);
    if (self->entries)
        hub_entries_each (self->entries, s_add_to_digest, both);
    pthread_rwlock_unlock (&self->lock);
    return hub_digest_end (&digest, out);
}
