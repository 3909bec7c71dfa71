/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/registry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub/registry_within.h"

sh_err_t
hub_registry_reload (hub_registry_t *self, sh_why_t *why)
{
    assert (self);
    hub_entries_t *fresh = NULL;
    pthread_mutex_lock (&self->work);
    sh_err_t rc = hub_registry_read_all (self, &fresh, why);
    if (rc == SH_OK)
        hub_registry_take_over (self, fresh);
    else
        self->again = true; /* for the next tick to decide about */
    pthread_mutex_unlock (&self->work);
    return rc;
}

sh_err_t
hub_registry_new (hub_registry_t **out, const char *directory, sh_why_t *why)
{
    assert (out && directory);
    hub_registry_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", directory);
    self->poll = self->notify = self->timer = self->wake = self->watch = -1;
    pthread_rwlockattr_t fair;
    pthread_rwlockattr_init (&fair);
    /*  Else a busy hub's readers could keep a revocation out for ever.  */
    pthread_rwlockattr_setkind_np (
        &fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init (&self->lock, &fair);
    pthread_rwlockattr_destroy (&fair);
    pthread_mutex_init (&self->work, NULL);

    self->directory = strdup (directory);
    hub_entries_t *entries = NULL;
    sh_err_t rc = SH_OK;
    if (!self->directory)
        rc = sh_fail (why, SH_E_MEMORY, "%s: out of memory", directory);
    if (rc == SH_OK)
        rc = hub_retired_new (&self->retired, NULL, why);
    if (rc == SH_OK)
        rc = hub_registry_open (self, why);
    if (rc == SH_OK)
        rc = hub_registry_read_all (self, &entries, why);
    if (rc == SH_OK) {
        hub_registry_take_over (self, entries);
        *out = self;
    }
    else
        hub_registry_destroy (&self);
    return rc;
}

void
hub_registry_destroy (hub_registry_t **self_p)
{
    assert (self_p);
    hub_registry_t *self = *self_p;
    if (!self)
        return;
    const int fds[] = { self->poll, self->notify, self->timer, self->wake };
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0)
            close (fds[i]);
    }
    hub_names_clear (&self->late);
    hub_entries_destroy (&self->entries);
    hub_retired_destroy (&self->retired);
    pthread_rwlock_destroy (&self->lock);
    pthread_mutex_destroy (&self->work);
    free (self->directory);
    free (self);
    *self_p = NULL;
}

int
hub_registry_fd (const hub_registry_t *self)
{
    assert (self);
    return self->poll;
}

const hub_entry_t *
hub_registry_in_force (const hub_registry_t *self, const char *key)
{
    if (!self->entries || hub_retired_has (self->retired, key))
        return NULL;
    return hub_entries_in_force (self->entries, key);
}

bool
hub_registry_find (hub_registry_t *self, const char *key, hub_principal_t *who)
{
    assert (self && key && who);
    pthread_rwlock_rdlock (&self->lock);
    const hub_entry_t *entry = hub_registry_in_force (self, key);
    bool found = entry && hub_principal_copy (who, &entry->who) == SH_OK;
    pthread_rwlock_unlock (&self->lock);
    return found;
}

bool
hub_registry_allows (hub_registry_t *self, const char *key, const char *code)
{
    assert (self && key && code);
    const char *listed = NULL;
    pthread_rwlock_rdlock (&self->lock);
    const hub_entry_t *entry = hub_registry_in_force (self, key);
    bool allowed
        = entry && hub_principal_code (&entry->who, code, &listed) == SH_OK;
    pthread_rwlock_unlock (&self->lock);
    return allowed;
}

bool
hub_registry_reserves (hub_registry_t *self, const char *code)
{
    assert (self && code);
    pthread_rwlock_rdlock (&self->lock);
    bool found = self->entries && hub_entries_reserve (self->entries, code);
    pthread_rwlock_unlock (&self->lock);
    return found;
}

size_t
hub_registry_scanners (hub_registry_t *self, const char *code,
                       hub_scanner_t *out, size_t most)
{
    assert (self && code && (out || most == 0));
    size_t count = 0;
    pthread_rwlock_rdlock (&self->lock);
    const hub_entry_t *one
        = self->entries ? hub_entries_code (self->entries, code) : NULL;
    for (; one; one = hub_entries_code_next (one)) {
        if (hub_registry_in_force (self, one->who.key) != one)
            continue;
        if (count < most) {
            memcpy (out[count].key, one->who.key, sizeof out[count].key);
            memcpy (out[count].name, one->who.name, sizeof out[count].name);
        }
        count++;
    }
    pthread_rwlock_unlock (&self->lock);
    return count;
}

typedef struct
{
    const hub_registry_t *registry;
    hub_key_t *items;
    size_t count, most;
} list_t;

static void
s_list_one (hub_entry_t *entry, void *context)
{
    list_t *list = context;
    if (list->count == list->most || entry->bad != SH_OK
        || hub_registry_in_force (list->registry, entry->who.key) != entry)
        return;
    hub_key_t *one = &list->items[list->count++];
    memcpy (one->key, entry->who.key, sizeof one->key);
    memcpy (one->name, entry->who.name, sizeof one->name);
    one->shim = entry->who.shim;
}

typedef struct
{
    const hub_registry_t *registry;
    size_t count;
} idle_t;

static void
s_count_idle (hub_entry_t *entry, void *context)
{
    idle_t *idle = context;
    idle->count += entry->bad != SH_OK
                   || hub_entries_claims (idle->registry->entries,
                                          entry->who.key)
                          > 1;
}

size_t
hub_registry_idle (hub_registry_t *self)
{
    assert (self);
    idle_t idle = { .registry = self };
    pthread_rwlock_rdlock (&self->lock);
    if (self->entries)
        hub_entries_each (self->entries, s_count_idle, &idle);
    pthread_rwlock_unlock (&self->lock);
    return idle.count;
}

size_t
hub_registry_list (hub_registry_t *self, hub_key_t **out)
{
    assert (self && out);
    pthread_rwlock_rdlock (&self->lock);
    list_t list = { .registry = self };
    list.most = self->entries ? hub_entries_size (self->entries) : 0;
    if (list.most)
        list.items = calloc (list.most, sizeof *list.items);
    if (list.items)
        hub_entries_each (self->entries, s_list_one, &list);
    pthread_rwlock_unlock (&self->lock);
    *out = list.items;
    return list.count;
}

unsigned
hub_registry_claims (hub_registry_t *self, const char *key)
{
    assert (self && key);
    pthread_rwlock_rdlock (&self->lock);
    unsigned claims = hub_entries_claims (self->entries, key);
    pthread_rwlock_unlock (&self->lock);
    return claims;
}

size_t
hub_registry_size (hub_registry_t *self)
{
    assert (self);
    pthread_rwlock_rdlock (&self->lock);
    size_t size = self->entries ? hub_entries_size (self->entries) : 0;
    if (size > 0)
        size -= hub_registry_retired_held (self);
    pthread_rwlock_unlock (&self->lock);
    return size;
}

unsigned
hub_registry_generation (hub_registry_t *self)
{
    assert (self);
    pthread_rwlock_rdlock (&self->lock);
    unsigned generation = self->generation;
    pthread_rwlock_unlock (&self->lock);
    return generation;
}
