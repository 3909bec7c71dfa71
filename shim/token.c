/* SPDX-License-Identifier: MPL-2.0 */
#include "shim/token.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HASH_BYTES crypto_generichash_BYTES

typedef struct
{
    sm_principal_t who;
    unsigned char hash[HASH_BYTES];
} entry_t;

struct sm_tokens
{
    unsigned char key[crypto_generichash_KEYBYTES];
    entry_t *entries[SM_TOKENS_MOST]; /* pointers, for principals are lent */
    size_t size;
};

sh_err_t
sm_tokens_new (sm_tokens_t **out)
{
    assert (out);
    if (sodium_init () < 0)
        return SH_E_INTERNAL;
    sm_tokens_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    /*  A key of this process alone: nobody can prepare two tokens whose
        hashes begin alike.  */
    randombytes_buf (self->key, sizeof self->key);
    *out = self;
    return SH_OK;
}

static void
s_entry_destroy (entry_t *entry)
{
    if (!entry)
        return;
    for (size_t i = 0; i < entry->who.code_count; i++)
        free (entry->who.codes[i]);
    free (entry->who.codes);
    sodium_memzero (entry->hash, sizeof entry->hash);
    free (entry);
}

void
sm_tokens_destroy (sm_tokens_t **self_p)
{
    assert (self_p);
    sm_tokens_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->size; i++)
        s_entry_destroy (self->entries[i]);
    sodium_memzero (self->key, sizeof self->key);
    free (self);
    *self_p = NULL;
}

static bool
s_sendable (const char *token)
{
    size_t size = strnlen (token, SM_TOKEN_MOST + 1);
    if (size == 0 || size > SM_TOKEN_MOST)
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char) token[i];
        if (c <= ' ' || c == 0x7f)
            return false;
    }
    return true;
}

static void
s_hash (const sm_tokens_t *self, unsigned char out[static HASH_BYTES],
        const char *token)
{
    int rc = crypto_generichash (out, HASH_BYTES,
                                 (const unsigned char *) token, strlen (token),
                                 self->key, sizeof self->key);
    assert (rc == 0); /* it fails on wrong sizes of hash and key only */
    (void) rc;
}

static const entry_t *
s_find (const sm_tokens_t *self, const unsigned char hash[static HASH_BYTES])
{
    const entry_t *found = NULL;
    for (size_t i = 0; i < self->size; i++)
        if (sodium_memcmp (self->entries[i]->hash, hash, HASH_BYTES) == 0)
            found = self->entries[i];
    return found;
}

static bool
s_copy_codes (sm_principal_t *who, const char *const *codes, size_t count)
{
    if (count == 0)
        return true;
    who->codes = calloc (count, sizeof *who->codes);
    if (!who->codes)
        return false;
    for (size_t i = 0; i < count; i++) {
        who->codes[i] = strdup (codes[i]);
        if (!who->codes[i])
            return false;
        who->code_count++;
    }
    return true;
}

sh_err_t
sm_tokens_add (sm_tokens_t *self, const char *label, const char *token,
               const char *const *codes, size_t code_count)
{
    assert (self && label && token && (codes || code_count == 0));
    size_t label_size = strlen (label);
    if (label_size > SM_TOKEN_LABEL || !s_sendable (token))
        return SH_E_SYNTAX;
    if (self->size == SM_TOKENS_MOST)
        return SH_E_TOO_LARGE;

    entry_t *entry = calloc (1, sizeof *entry);
    if (!entry)
        return SH_E_MEMORY;
    memcpy (entry->who.label, label, label_size + 1);
    s_hash (self, entry->hash, token);
    sh_err_t rc = SH_OK;
    if (s_find (self, entry->hash))
        rc = SH_E_EXISTS;
    else if (!s_copy_codes (&entry->who, codes, code_count))
        rc = SH_E_MEMORY;
    if (rc == SH_OK)
        self->entries[self->size++] = entry;
    else
        s_entry_destroy (entry);
    return rc;
}

const sm_principal_t *
sm_tokens_find (const sm_tokens_t *self, const char *token)
{
    assert (self && token);
    if (!s_sendable (token))
        return NULL;
    unsigned char hash[HASH_BYTES];
    s_hash (self, hash, token);
    const entry_t *entry = s_find (self, hash);
    sodium_memzero (hash, sizeof hash);
    return entry ? &entry->who : NULL;
}

size_t
sm_tokens_size (const sm_tokens_t *self)
{
    assert (self);
    return self->size;
}
