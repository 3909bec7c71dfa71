/* SPDX-License-Identifier: MPL-2.0 */
#include "hub/entries.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "lib/text.h"

#define SLOTS_FIRST 64 /* a power of two */

/*  A chained hash table whose links live in the entries.  One text may occur
    several times.  */
typedef struct
{
    hub_link_t **slots;
    size_t mask; /* slots minus one */
    size_t count;
} index_t;

struct hub_entries
{
    index_t files;
    index_t keys;
    index_t codes; /* of scanners, not shims: each has one */
    size_t in_force;
    size_t rechecks;
};

/*  This hash will do: the texts that are stored are the administrator's, and a
    stranger's key is only looked up.  */
static uint64_t
s_hash (const char *text)
{
    uint64_t hash = sh_hash (SH_HASH, text, strlen (text));
    return hash ^ (hash >> 32);
}

static sh_err_t
s_index_init (index_t *self)
{
    self->slots = calloc (SLOTS_FIRST, sizeof *self->slots);
    if (!self->slots)
        return SH_E_MEMORY;
    self->mask = SLOTS_FIRST - 1;
    return SH_OK;
}

/*  Without memory for more slots the chains get longer, which is no error.  */
static void
s_index_grow (index_t *self)
{
    size_t size = (self->mask + 1) * 2;
    hub_link_t **slots = calloc (size, sizeof *slots);
    if (!slots)
        return;
    for (size_t i = 0; i <= self->mask; i++) {
        hub_link_t *link = self->slots[i];
        while (link) {
            hub_link_t *next = link->next;
            hub_link_t **slot = &slots[link->hash & (size - 1)];
            link->next = *slot;
            *slot = link;
            link = next;
        }
    }
    free (self->slots);
    self->slots = slots;
    self->mask = size - 1;
}

static void
s_index_add (index_t *self, hub_link_t *link, hub_entry_t *entry,
             const char *text)
{
    assert (!link->text);
    if (self->count > self->mask)
        s_index_grow (self);
    uint64_t hash = s_hash (text);
    hub_link_t **slot = &self->slots[hash & self->mask];
    *link = (hub_link_t){
        .next = *slot, .text = text, .hash = hash, .entry = entry
    };
    *slot = link;
    self->count++;
}

static void
s_index_take (index_t *self, hub_link_t *link)
{
    if (!link->text)
        return;
    hub_link_t **at = &self->slots[link->hash & self->mask];
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    *link = (hub_link_t){ 0 };
    self->count--;
}

/*  The first link from 'link' on with this text.  */
static hub_link_t *
s_match (hub_link_t *link, uint64_t hash, const char *text)
{
    while (link && (link->hash != hash || strcmp (link->text, text) != 0))
        link = link->next;
    return link;
}

static hub_link_t *
s_index_find (const index_t *self, const char *text)
{
    uint64_t hash = s_hash (text);
    return s_match (self->slots[hash & self->mask], hash, text);
}

sh_err_t
hub_entries_new (hub_entries_t **out)
{
    assert (out);
    hub_entries_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    sh_err_t rc = s_index_init (&self->files);
    if (rc == SH_OK)
        rc = s_index_init (&self->keys);
    if (rc == SH_OK)
        rc = s_index_init (&self->codes);
    if (rc == SH_OK)
        *out = self;
    else
        hub_entries_destroy (&self);
    return rc;
}

void
hub_entries_destroy (hub_entries_t **self_p)
{
    assert (self_p);
    hub_entries_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; self->files.slots && i <= self->files.mask; i++) {
        hub_link_t *link = self->files.slots[i];
        while (link) {
            hub_entry_t *entry = link->entry;
            link = link->next;
            hub_entry_destroy (&entry);
        }
    }
    free (self->files.slots);
    free (self->keys.slots);
    free (self->codes.slots);
    free (self);
    *self_p = NULL;
}

sh_err_t
hub_entry_new (hub_entry_t **out, const char *file)
{
    assert (out && file);
    hub_entry_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->file = strdup (file);
    if (!self->file) {
        free (self);
        return SH_E_MEMORY;
    }
    *out = self;
    return SH_OK;
}

void
hub_entry_destroy (hub_entry_t **self_p)
{
    assert (self_p);
    hub_entry_t *self = *self_p;
    if (!self)
        return;
    hub_principal_clear (&self->who);
    free (self->why);
    free (self->file);
    free (self);
    *self_p = NULL;
}

bool
hub_entry_same (const hub_entry_t *a, const hub_entry_t *b)
{
    if (!a || !b)
        return a == b;
    if (a->bad != b->bad || !sh_text_same (a->why, b->why)
        || strcmp (a->who.key, b->who.key) != 0
        || strcmp (a->who.name, b->who.name) != 0
        || strcmp (a->who.replaces, b->who.replaces) != 0
        || a->who.shim != b->who.shim
        || a->who.legacy_http != b->who.legacy_http
        || a->who.code_count != b->who.code_count)
        return false;
    for (size_t i = 0; i < a->who.code_count; i++) {
        if (strcmp (a->who.codes[i].text, b->who.codes[i].text) != 0)
            return false;
    }
    return true;
}

/*  0, 1 or 2, which stands for more.  */
static unsigned
s_claims (const hub_entries_t *self, const char *key)
{
    hub_entry_t *first = hub_entries_key (self, key);
    if (!first)
        return 0;
    return hub_entries_key_next (first) ? 2 : 1;
}

void
hub_entries_add (hub_entries_t *self, hub_entry_t **entry_p)
{
    assert (self && entry_p && *entry_p);
    hub_entry_t *entry = *entry_p;
    *entry_p = NULL;
    assert (!hub_entries_file (self, entry->file));
    s_index_add (&self->files, &entry->by_file, entry, entry->file);
    self->rechecks += entry->recheck;
    if (entry->bad != SH_OK)
        return;

    unsigned before = s_claims (self, entry->who.key);
    s_index_add (&self->keys, &entry->by_key, entry, entry->who.key);
    if (before == 0)
        self->in_force++;
    else if (before == 1)
        self->in_force--;
    if (!entry->who.shim)
        s_index_add (&self->codes, &entry->by_code, entry,
                     entry->who.codes[0].text);
}

void
hub_entries_take (hub_entries_t *self, hub_entry_t *entry)
{
    assert (self && entry && entry->by_file.text);
    s_index_take (&self->files, &entry->by_file);
    s_index_take (&self->codes, &entry->by_code);
    self->rechecks -= entry->recheck;
    if (!entry->by_key.text)
        return;
    s_index_take (&self->keys, &entry->by_key);
    unsigned after = s_claims (self, entry->who.key);
    if (after == 0)
        self->in_force--;
    else if (after == 1)
        self->in_force++;
}

hub_entry_t *
hub_entries_file (const hub_entries_t *self, const char *file)
{
    assert (self && file);
    hub_link_t *link = s_index_find (&self->files, file);
    return link ? link->entry : NULL;
}

hub_entry_t *
hub_entries_key (const hub_entries_t *self, const char *key)
{
    assert (self && key);
    hub_link_t *link = s_index_find (&self->keys, key);
    return link ? link->entry : NULL;
}

hub_entry_t *
hub_entries_key_next (const hub_entry_t *entry)
{
    assert (entry);
    const hub_link_t *link = &entry->by_key;
    hub_link_t *next = s_match (link->next, link->hash, link->text);
    return next ? next->entry : NULL;
}

hub_entry_t *
hub_entries_in_force (const hub_entries_t *self, const char *key)
{
    hub_entry_t *entry = hub_entries_key (self, key);
    return entry && !hub_entries_key_next (entry) ? entry : NULL;
}

bool
hub_entries_reserve (const hub_entries_t *self, const char *code)
{
    assert (self && code);
    hub_link_t *link = s_index_find (&self->codes, code);
    while (link && link->entry->who.legacy_http)
        link = s_match (link->next, link->hash, link->text);
    return link != NULL;
}

hub_entry_t *
hub_entries_code (const hub_entries_t *self, const char *code)
{
    assert (self && code);
    const hub_link_t *link = s_index_find (&self->codes, code);
    return link ? link->entry : NULL;
}

hub_entry_t *
hub_entries_code_next (const hub_entry_t *entry)
{
    assert (entry);
    const hub_link_t *link = s_match (entry->by_code.next, entry->by_code.hash,
                                      entry->by_code.text);
    return link ? link->entry : NULL;
}

size_t
hub_entries_size (const hub_entries_t *self)
{
    assert (self);
    return self->in_force;
}

size_t
hub_entries_rechecks (const hub_entries_t *self)
{
    assert (self);
    return self->rechecks;
}

void
hub_entries_each (const hub_entries_t *self,
                  void (*fn) (hub_entry_t *entry, void *context),
                  void *context)
{
    assert (self && fn);
    for (size_t i = 0; i <= self->files.mask; i++) {
        hub_link_t *link = self->files.slots[i];
        for (; link; link = link->next)
            fn (link->entry, context);
    }
}

unsigned
hub_entries_claims (const hub_entries_t *self, const char *key)
{
    const hub_entry_t *first = self ? hub_entries_key (self, key) : NULL;
    if (!first)
        return 0;
    return hub_entries_key_next (first) ? 2 : 1;
}
