/* SPDX-License-Identifier: MPL-2.0 */
#include "hub/digest.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*  One fact: what kind it is, whose key it is of, and a text with its NUL, so
    that no two facts are the same bytes.  */
static void
s_add (hub_digest_t *self, char kind, const char *key, const char *text)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 64;
        void *items = reallocarray (self->items, room, sizeof *self->items);
        if (!items) {
            self->failed = true;
            return;
        }
        self->items = items;
        self->room = room;
    }
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, HUB_DIGEST_BYTES);
    crypto_generichash_update (&state, (const uint8_t *) &kind, 1);
    crypto_generichash_update (&state, (const uint8_t *) key,
                               strlen (key) + 1);
    crypto_generichash_update (&state, (const uint8_t *) text,
                               strlen (text) + 1);
    crypto_generichash_final (&state, self->items[self->count++],
                              HUB_DIGEST_BYTES);
}

void
hub_digest_add (hub_digest_t *self, const hub_principal_t *who)
{
    assert (self && who);
    s_add (self, 'n', who->key, who->name);
    s_add (self, 'k', who->key,
           who->shim          ? "shim"
           : who->legacy_http ? "legacy_http"
                              : "scanner");
    for (size_t i = 0; i < who->code_count; i++)
        s_add (self, 'c', who->key, who->codes[i].text);
}

static int
s_compare (const void *a, const void *b)
{
    return memcmp (a, b, HUB_DIGEST_BYTES);
}

bool
hub_digest_end (hub_digest_t *self, char out[static HUB_DIGEST_TEXT])
{
    assert (self && out);
    uint8_t hash[HUB_DIGEST_BYTES];
    bool good = !self->failed;
    if (self->count > 1)
        qsort (self->items, self->count, sizeof *self->items, s_compare);
    crypto_generichash (hash, sizeof hash,
                        self->items ? self->items[0] : hash,
                        self->count * HUB_DIGEST_BYTES, NULL, 0);
    for (size_t i = 0; good && i < (HUB_DIGEST_TEXT) / 5; i++)
        snprintf (out + i * 5, 6, "%02x%02x%s", hash[2 * i], hash[2 * i + 1],
                  i + 1 < HUB_DIGEST_TEXT / 5 ? "-" : "");
    free (self->items);
    *self = (hub_digest_t){ 0 };
    return good;
}
