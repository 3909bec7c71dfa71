/* SPDX-License-Identifier: MPL-2.0 */
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "scanner-proto/reader_within.h"

static void
s_path_text (char *out, size_t size, const sp_path_t *path)
{
    if (path->up)
        s_path_text (out, size, path->up);
    size_t used = strlen (out);
    if (!path->key || used + 1 >= size)
        return;
    used += (size_t) snprintf (out + used, size - used, "%s%s",
                               path->up ? "." : ": ", path->key);
    if (path->index != SIZE_MAX && used < size)
        snprintf (out + used, size - used, "[%zu]", path->index);
}

void
sp_reader_fault (sp_reader_t *self, sh_err_t rc, const sp_path_t *path,
                 const char *what)
{
    if (self->rc)
        return;
    char where[160];
    snprintf (where, sizeof where, "%s", self->type);
    s_path_text (where, sizeof where, path);
    self->rc = sh_fail (self->why, rc, "%s: %s", where, what);
    self->rest.size = 0;
}

bool
sp_reader_bad (sp_reader_t *self, const sp_path_t *path, const char *what)
{
    sp_reader_fault (self, SH_E_BAD_MESSAGE, path, what);
    return false;
}

static void
s_read_uint (sp_reader_t *self, uint64_t *out, const sp_token_t *token,
             const sp_field_t *field, const sp_path_t *path)
{
    if (token->kind != SP_TOKEN_UINT && token->kind != SP_TOKEN_INT)
        sp_reader_bad (self, path, "not an integer");
    else if (token->kind == SP_TOKEN_INT)
        sp_reader_bad (self, path, "negative");
    else if (token->number > field->most)
        sp_reader_bad (self, path, "too great a number");
    else
        *out = token->number;
}

static void
s_read_int (sp_reader_t *self, int64_t *out, const sp_token_t *token,
            const sp_path_t *path)
{
    if (token->kind == SP_TOKEN_UINT && token->number <= SP_INT_MOST)
        *out = (int64_t) token->number;
    else if (token->kind == SP_TOKEN_INT && token->negative >= -SP_INT_MOST)
        *out = token->negative;
    else if (token->kind == SP_TOKEN_UINT || token->kind == SP_TOKEN_INT)
        sp_reader_bad (self, path, "out of range");
    else
        sp_reader_bad (self, path, "not an integer");
}

void
sp_reader_text (sp_reader_t *self, const char **out, const sp_token_t *token,
                uint64_t most, const sp_path_t *path)
{
    if (token->kind != SP_TOKEN_TEXT)
        sp_reader_bad (self, path, "not a text");
    else if (token->bytes.size > most)
        sp_reader_bad (self, path, "too long a text");
    else
        *out = (const char *) sp_reader_keep (self, token->bytes, true);
}

static void
s_read_bin (sp_reader_t *self, sh_bytes_t *out, const sp_token_t *token,
            const sp_field_t *field, const sp_path_t *path)
{
    if (token->kind != SP_TOKEN_BIN)
        sp_reader_bad (self, path, "not bytes (msgpack bin)");
    else if (!sp_field_fits (field, token->bytes.size))
        sp_reader_bad (self, path, "not of the right size");
    else {
        out->data = sp_reader_keep (self, token->bytes, false);
        out->size = token->bytes.size;
    }
}

static void
s_read_word (sp_reader_t *self, int *out, const sp_token_t *token,
             const sp_field_t *field, const sp_path_t *path)
{
    if (token->kind != SP_TOKEN_TEXT) {
        sp_reader_bad (self, path, "not a text");
        return;
    }
    *out = (int) field->least;
    for (int i = 0; i < (int) field->most; i++) {
        if (sp_key_is (token->bytes, field->word (i)))
            *out = i;
    }
    if (*out < (int) field->most)
        return;

    char text[64], safe[64], what[96];
    snprintf (text, sizeof text, "%.*s", (int) token->bytes.size,
              (const char *) token->bytes.data);
    sh_escape (safe, sizeof safe, text);
    snprintf (what, sizeof what, "unknown word '%s'", safe);
    sp_reader_bad (self, path, what);
}

void
sp_reader_value (sp_reader_t *self, void *at, const sp_token_t *token,
                 const sp_field_t *field, const sp_path_t *path)
{
    switch (field->kind) {
    case SP_FIELD_UINT:
        s_read_uint (self, at, token, field, path);
        break;
    case SP_FIELD_INT:
        s_read_int (self, at, token, path);
        break;
    case SP_FIELD_BOOL:
        if (token->kind == SP_TOKEN_BOOL)
            *(bool *) at = token->number != 0;
        else
            sp_reader_bad (self, path, "neither true nor false");
        break;
    case SP_FIELD_TEXT:
        sp_reader_text (self, at, token, field->most, path);
        break;
    case SP_FIELD_BIN:
    case SP_FIELD_ADDRESS:
        s_read_bin (self, at, token, field, path);
        break;
    case SP_FIELD_WORD:
        s_read_word (self, at, token, field, path);
        break;
    default:
        assert (false); /* an array, or for peeking */
    }
}
