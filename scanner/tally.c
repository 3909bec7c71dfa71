/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/tally.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256

static uint64_t
s_hash (const uint8_t *key, const void *data, size_t size)
{
    uint64_t hash;
    uint8_t bytes[crypto_shorthash_BYTES];
    (void) crypto_shorthash (bytes, data, size, key);
    _Static_assert (sizeof bytes == sizeof hash, "hash");
    memcpy (&hash, bytes, sizeof hash);
    return hash;
}

/*  Its place, or the free one where it would go.  There is one: at most half of
    them are taken.  */
static sc_tally_item_t *
s_find (const sc_tally_t *self, uint64_t hash)
{
    size_t at = (size_t) hash & (self->room - 1);
    while (self->items[at].count && self->items[at].hash != hash)
        at = (at + 1) & (self->room - 1);
    return &self->items[at];
}

static sh_err_t
s_grow (sc_tally_t *self)
{
    if (self->used * 2 < self->room)
        return SH_OK;
    sc_tally_t more = { .room = self->room ? self->room * 2 : FIRST_ROOM };
    more.items = calloc (more.room, sizeof *more.items);
    if (!more.items)
        return SH_E_MEMORY;
    for (size_t i = 0; i < self->room; i++)
        if (self->items[i].count)
            *s_find (&more, self->items[i].hash) = self->items[i];
    more.used = self->used;
    free (self->items);
    *self = more;
    return SH_OK;
}

uint32_t
sc_tally_count (const sc_tally_t *self, const uint8_t key[static SC_KEY_BYTES],
                const void *data, size_t size)
{
    return self->room ? s_find (self, s_hash (key, data, size))->count : 0;
}

sh_err_t
sc_tally_add (sc_tally_t *self, const uint8_t key[static SC_KEY_BYTES],
              const void *data, size_t size)
{
    sh_err_t rc = s_grow (self);
    if (rc != SH_OK)
        return rc;
    uint64_t hash = s_hash (key, data, size);
    sc_tally_item_t *item = s_find (self, hash);
    self->used += item->count == 0;
    item->hash = hash;
    if (item->count < UINT32_MAX)
        item->count++;
    return SH_OK;
}

void
sc_tally_clear (sc_tally_t *self)
{
    free (self->items);
    *self = (sc_tally_t){ 0 };
}
