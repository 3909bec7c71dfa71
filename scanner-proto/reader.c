/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/reader.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"

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

static void
s_fault (sp_reader_t *self, sh_err_t rc, const sp_path_t *path,
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

static bool
s_bad (sp_reader_t *self, const sp_path_t *path, const char *what)
{
    s_fault (self, SH_E_BAD_MESSAGE, path, what);
    return false;
}

sp_token_t
sp_reader_next (sp_reader_t *self, const sp_path_t *path)
{
    sp_token_t token = { .kind = SP_TOKEN_NIL };
    if (!self->rc) {
        const char *wrong = sp_token_read (&token, &self->rest);
        if (wrong)
            s_fault (self, SH_E_INTERNAL, path, wrong);
    }
    return token;
}

static uint64_t
s_inside (const sp_token_t *token)
{
    if (token->kind == SP_TOKEN_ARRAY)
        return token->number;
    return token->kind == SP_TOKEN_MAP ? token->number * 2 : 0;
}

static void
s_skip_some (sp_reader_t *self, uint64_t values, const sp_path_t *path)
{
    for (; values > 0 && !self->rc; values--) {
        sp_token_t token = sp_reader_next (self, path);
        values += s_inside (&token);
    }
}

void
sp_reader_skip (sp_reader_t *self, const sp_path_t *path)
{
    s_skip_some (self, 1, path);
}

bool
sp_key_is (sh_bytes_t bytes, const char *key)
{
    size_t size = strlen (key);
    return bytes.size == size && memcmp (bytes.data, key, size) == 0;
}

static void *
s_take_structs (sp_reader_t *self, size_t count, size_t size,
                const sp_path_t *path)
{
    size_t bytes = (count * size + 7) & ~(size_t) 7;
    if (bytes > (size_t) (self->structs_end - self->structs)) {
        s_fault (self, SH_E_INTERNAL, path, "the arena is too small");
        return NULL;
    }
    void *at = self->structs;
    self->structs += bytes;
    memset (at, 0, bytes);
    return at;
}

/*  Copy into the arena, with a NUL behind it if 'text'.  Both are smaller
    there than in the frame, where a text has a byte of header at least.  */
static const uint8_t *
s_keep (sp_reader_t *self, sh_bytes_t bytes, bool text, const sp_path_t *path)
{
    if (!self->texts)
        return bytes.data;
    size_t size = bytes.size + (text ? 1 : 0);
    if (size > (size_t) (self->texts_end - self->texts)) {
        s_fault (self, SH_E_INTERNAL, path, "the arena is too small");
        return NULL;
    }
    uint8_t *at = self->texts;
    memcpy (at, bytes.data, bytes.size);
    if (text)
        at[bytes.size] = '\0';
    self->texts += size;
    return at;
}

static void
s_read_uint (sp_reader_t *self, uint64_t *out, const sp_token_t *token,
             const sp_field_t *field, const sp_path_t *path)
{
    if (token->kind != SP_TOKEN_UINT && token->kind != SP_TOKEN_INT)
        s_bad (self, path, "not an integer");
    else if (token->kind == SP_TOKEN_INT)
        s_bad (self, path, "negative");
    else if (token->number > field->most)
        s_bad (self, path, "too great a number");
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
        s_bad (self, path, "out of range");
    else
        s_bad (self, path, "not an integer");
}

static void
s_read_text (sp_reader_t *self, const char **out, const sp_token_t *token,
             uint64_t most, const sp_path_t *path)
{
    if (token->kind != SP_TOKEN_TEXT)
        s_bad (self, path, "not a text");
    else if (token->bytes.size > most)
        s_bad (self, path, "too long a text");
    else
        *out = (const char *) s_keep (self, token->bytes, true, path);
}

static void
s_read_bin (sp_reader_t *self, sh_bytes_t *out, const sp_token_t *token,
            const sp_field_t *field, const sp_path_t *path)
{
    if (token->kind != SP_TOKEN_BIN)
        s_bad (self, path, "not bytes (msgpack bin)");
    else if (!sp_field_fits (field, token->bytes.size))
        s_bad (self, path, "not of the right size");
    else {
        out->data = s_keep (self, token->bytes, false, path);
        out->size = token->bytes.size;
    }
}

/*  A wrong value is for sp_decode to tell, by the verdict on its part.  */
static void
s_read_span (sp_reader_t *self, sh_bytes_t *out, const sp_token_t *token,
             uint64_t most, const sp_path_t *path)
{
    if (token->kind == SP_TOKEN_TEXT && token->bytes.size <= most)
        *out = token->bytes;
    s_skip_some (self, s_inside (token), path);
}

static void
s_read_flag (sp_reader_t *self, bool *out, const sp_token_t *token,
             const sp_path_t *path)
{
    if (token->kind == SP_TOKEN_BOOL)
        *out = token->number != 0;
    s_skip_some (self, s_inside (token), path);
}

static void
s_read_word (sp_reader_t *self, int *out, const sp_token_t *token,
             const sp_field_t *field, const sp_path_t *path)
{
    if (token->kind != SP_TOKEN_TEXT) {
        s_bad (self, path, "not a text");
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
    s_bad (self, path, what);
}

/*  Set pointer and count of an array; true if there is anything to read.  */
static bool
s_read_array (sp_reader_t *self, char *target, const sp_token_t *token,
              const sp_field_t *field, size_t size, char **items,
              const sp_path_t *path)
{
    if (token->kind != SP_TOKEN_ARRAY)
        return s_bad (self, path, "not an array");
    if (token->number > field->most)
        return s_bad (self, path, "too many elements");
    size_t count = (size_t) token->number;
    if (count == 0)
        return false;
    void *array = s_take_structs (self, count, size, path);
    if (!array)
        return false;
    /* the member is some pointer to object; all have one form */
    memcpy (target + field->offset, &array, sizeof array);
    memcpy (target + field->count_offset, &count, sizeof count);
    *items = array;
    return true;
}

static void
s_read_maps (sp_reader_t *self, char *target, const sp_token_t *token,
             const sp_field_t *field, sp_path_t *path)
{
    char *items;
    size_t size = field->shape->size;
    if (!s_read_array (self, target, token, field, size, &items, path))
        return;
    for (size_t i = 0; i < token->number && !self->rc; i++) {
        path->index = i;
        sp_reader_map (self, items + i * size, field->shape, path);
    }
    path->index = SIZE_MAX;
}

static void
s_read_texts (sp_reader_t *self, char *target, const sp_token_t *token,
              const sp_field_t *field, sp_path_t *path)
{
    char *items;
    size_t size = sizeof (const char *);
    if (!s_read_array (self, target, token, field, size, &items, path))
        return;
    for (size_t i = 0; i < token->number && !self->rc; i++) {
        path->index = i;
        sp_token_t text = sp_reader_next (self, path);
        s_read_text (self, (const char **) (void *) (items + i * size), &text,
                     SP_TEXT_MOST, path);
    }
    path->index = SIZE_MAX;
}

/*  Read one value.  False if it is nil, which counts as absent.  */
static bool
s_read_field (sp_reader_t *self, char *target, const sp_field_t *field,
              sp_path_t *path)
{
    sp_token_t token = sp_reader_next (self, path);
    void *at = target + field->offset;
    if (token.kind == SP_TOKEN_NIL)
        return false;

    switch (field->kind) {
    case SP_FIELD_UINT:
        s_read_uint (self, at, &token, field, path);
        break;
    case SP_FIELD_INT:
        s_read_int (self, at, &token, path);
        break;
    case SP_FIELD_BOOL:
        if (token.kind == SP_TOKEN_BOOL)
            *(bool *) at = token.number != 0;
        else
            s_bad (self, path, "neither true nor false");
        break;
    case SP_FIELD_TEXT:
        s_read_text (self, at, &token, field->most, path);
        break;
    case SP_FIELD_BIN:
    case SP_FIELD_ADDRESS:
        s_read_bin (self, at, &token, field, path);
        break;
    case SP_FIELD_WORD:
        s_read_word (self, at, &token, field, path);
        break;
    case SP_FIELD_MAPS:
        s_read_maps (self, target, &token, field, path);
        break;
    case SP_FIELD_TEXTS:
        s_read_texts (self, target, &token, field, path);
        break;
    case SP_FIELD_SPAN:
        s_read_span (self, at, &token, field->most, path);
        break;
    case SP_FIELD_FLAG:
        s_read_flag (self, at, &token, path);
        break;
    }
    return true;
}

/*  The index of 'key', or 'count'.  Senders keep the order of the table, as
    good as always, so the search begins behind the last hit.  */
static size_t
s_find (const sp_shape_t *shape, sh_bytes_t key, size_t hint)
{
    for (size_t i = 0; i < shape->count; i++) {
        size_t at = hint + i;
        if (at >= shape->count)
            at -= shape->count;
        if (sp_key_is (key, shape->fields[at].key))
            return at;
    }
    return shape->count;
}

static void
s_read_pairs (sp_reader_t *self, char *target, const sp_shape_t *shape,
              uint64_t pairs, sp_path_t *path)
{
    uint32_t known = 0, present = 0;
    size_t hint = 0;
    for (uint64_t i = 0; i < pairs && !self->rc; i++) {
        sp_token_t key = sp_reader_next (self, path);
        size_t at = s_find (shape, key.bytes, hint);
        if (at == shape->count) {
            sp_reader_skip (self, path);
            continue;
        }
        uint32_t bit = UINT32_C (1) << at;
        path->key = shape->fields[at].key;
        if (known & bit && shape->fields[at].kind < SP_FIELD_SPAN)
            s_bad (self, path, "given twice");
        else if (s_read_field (self, target, &shape->fields[at], path))
            present |= bit;
        known |= bit;
        path->key = NULL;
        hint = at + 1 < shape->count ? at + 1 : 0;
    }
    for (size_t at = 0; at < shape->count && !self->rc; at++) {
        path->key = shape->fields[at].key;
        if (!shape->fields[at].optional && !(present & UINT32_C (1) << at))
            s_bad (self, path, "missing");
    }
}

void
sp_reader_map (sp_reader_t *self, char *target, const sp_shape_t *shape,
               const sp_path_t *up)
{
    assert (shape->count <= 32);
    sp_path_t path = { up, NULL, SIZE_MAX };
    sp_token_t token = sp_reader_next (self, &path);
    if (token.kind == SP_TOKEN_MAP)
        s_read_pairs (self, target, shape, token.number, &path);
    else
        s_bad (self, &path, "not a map");
}
