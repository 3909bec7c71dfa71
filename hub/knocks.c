/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/knocks.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/hash.h"

#define SOURCE_BYTES 8 /* the /64 of an IPv6 address */

typedef struct
{
    uint8_t family; /* 4, 6, or 0: something else */
    uint8_t bytes[SOURCE_BYTES];
} source_t;

typedef struct
{
    hub_knock_t knock;
    source_t source;
} place_t;

typedef struct
{
    char key[SH_KEY_TEXT];
    int64_t until;
} rejected_t;

struct hub_knocks
{
    pthread_mutex_t lock;
    size_t most, each, count;
    place_t *places;  /* the first 'count' are taken, in no order */
    uint64_t *hashes; /* of their keys: to be gone through instead of those */
    bool rejects;     /* there is, or was, somebody in the next one */
    rejected_t rejected[HUB_REJECTED_MOST];
};

sh_err_t
hub_knocks_new (hub_knocks_t **out, size_t most, size_t each)
{
    assert (out && most > 0 && each > 0);
    hub_knocks_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    pthread_mutex_init (&self->lock, NULL);
    self->places = calloc (most, sizeof *self->places);
    self->hashes = calloc (most, sizeof *self->hashes);
    if (!self->places || !self->hashes) {
        hub_knocks_destroy (&self);
        return SH_E_MEMORY;
    }
    self->most = most;
    self->each = each;
    *out = self;
    return SH_OK;
}

void
hub_knocks_destroy (hub_knocks_t **self_p)
{
    hub_knocks_t *self = *self_p;
    if (!self)
        return;
    pthread_mutex_destroy (&self->lock);
    free (self->hashes);
    free (self->places);
    free (self);
    *self_p = NULL;
}

/*  A socket that listens on [::] shows IPv4 addresses as ::ffff:a.b.c.d.  */
static source_t
s_source (const char *address)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    source_t source = { 0 };
    sh_addr_t addr;
    if (sh_addr_parse (&addr, address) != SH_OK)
        return source;
    bool is_mapped = addr.family == 6
                     && memcmp (addr.bytes, mapped, sizeof mapped) == 0;
    source.family = is_mapped ? 4 : addr.family;
    if (source.family == 4)
        memcpy (source.bytes, addr.bytes + (is_mapped ? sizeof mapped : 0), 4);
    else
        memcpy (source.bytes, addr.bytes, SOURCE_BYTES);
    return source;
}

static bool
s_same (const source_t *a, const source_t *b)
{
    return a->family == b->family
           && memcmp (a->bytes, b->bytes, SOURCE_BYTES) == 0;
}

static uint64_t
s_hash (const char *key)
{
    return sh_hash (SH_HASH, key, strlen (key));
}

static place_t *
s_find (hub_knocks_t *self, const char *key)
{
    uint64_t hash = s_hash (key);
    for (size_t i = 0; i < self->count; i++)
        if (self->hashes[i] == hash
            && strcmp (self->places[i].knock.key, key) == 0)
            return &self->places[i];
    return NULL;
}

/*  A place for a new key of this source: where the source has all that it may
    have, its oldest; else a free one; else the oldest of all.  */
static place_t *
s_room (hub_knocks_t *self, const source_t *source)
{
    place_t *oldest = NULL, *its_oldest = NULL;
    size_t its_count = 0;
    if (self->count < self->most && self->count < self->each)
        return &self->places[self->count++];
    for (size_t i = 0; i < self->count; i++) {
        place_t *one = &self->places[i];
        if (!oldest || one->knock.last < oldest->knock.last)
            oldest = one;
        if (!s_same (&one->source, source))
            continue;
        its_count++;
        if (!its_oldest || one->knock.last < its_oldest->knock.last)
            its_oldest = one;
    }
    if (its_count >= self->each)
        return its_oldest;
    return self->count < self->most ? &self->places[self->count++] : oldest;
}

static bool
s_is_rejected (const hub_knocks_t *self, const char *key, int64_t now)
{
    for (size_t i = 0; self->rejects && i < HUB_REJECTED_MOST; i++)
        if (self->rejected[i].until > now
            && strcmp (self->rejected[i].key, key) == 0)
            return true;
    return false;
}

static void
s_note (hub_knocks_t *self, const char *key, const char *address, int64_t now)
{
    source_t source = s_source (address);
    place_t *place = s_find (self, key);
    if (!place) {
        place = s_room (self, &source);
        place->knock = (hub_knock_t){ .first = now };
        snprintf (place->knock.key, sizeof place->knock.key, "%s", key);
        self->hashes[place - self->places] = s_hash (place->knock.key);
    }
    place->source = source;
    place->knock.last = now;
    place->knock.count++;
    snprintf (place->knock.address, sizeof place->knock.address, "%s",
              address);
}

void
hub_knocks_note (hub_knocks_t *self, const char *key, const char *address,
                 int64_t now)
{
    assert (self && key && address);
    pthread_mutex_lock (&self->lock);
    if (!s_is_rejected (self, key, now))
        s_note (self, key, address, now);
    pthread_mutex_unlock (&self->lock);
}

static void
s_forget (hub_knocks_t *self, const char *key)
{
    place_t *place = s_find (self, key);
    if (!place)
        return;
    *place = self->places[--self->count];
    self->hashes[place - self->places] = self->hashes[self->count];
}

void
hub_knocks_reject (hub_knocks_t *self, const char *key, int64_t until)
{
    assert (self && key);
    pthread_mutex_lock (&self->lock);
    rejected_t *place = &self->rejected[0];
    for (size_t i = 0; i < HUB_REJECTED_MOST; i++) {
        rejected_t *one = &self->rejected[i];
        if (strcmp (one->key, key) == 0) {
            place = one;
            break;
        }
        if (one->until < place->until)
            place = one;
    }
    snprintf (place->key, sizeof place->key, "%s", key);
    place->until = until;
    self->rejects = true;
    s_forget (self, key);
    pthread_mutex_unlock (&self->lock);
}

void
hub_knocks_forget (hub_knocks_t *self, const char *key)
{
    pthread_mutex_lock (&self->lock);
    s_forget (self, key);
    pthread_mutex_unlock (&self->lock);
}

void
hub_knocks_clear (hub_knocks_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->count = 0;
    pthread_mutex_unlock (&self->lock);
}

uint64_t
hub_knocks_count (hub_knocks_t *self, const char *key)
{
    pthread_mutex_lock (&self->lock);
    const place_t *place = s_find (self, key);
    uint64_t count = place ? place->knock.count : 0;
    pthread_mutex_unlock (&self->lock);
    return count;
}

static int
s_later_first (const void *a, const void *b)
{
    const hub_knock_t *x = a, *y = b;
    return (x->last < y->last) - (x->last > y->last);
}

size_t
hub_knocks_list (hub_knocks_t *self, hub_knock_t *out, size_t most)
{
    assert (self && out);
    hub_knock_t *all = calloc (self->most, sizeof *all);
    if (!all)
        return 0;
    pthread_mutex_lock (&self->lock);
    size_t count = self->count;
    for (size_t i = 0; i < count; i++)
        all[i] = self->places[i].knock;
    pthread_mutex_unlock (&self->lock);
    qsort (all, count, sizeof *all, s_later_first);
    if (count > most)
        count = most;
    memcpy (out, all, count * sizeof *all);
    free (all);
    return count;
}
