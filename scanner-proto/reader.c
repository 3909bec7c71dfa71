/* SPDX-License-Identifier: MPL-2.0 */
#include <string.h>

#include "scanner-proto/reader_within.h"
#include "scanner-proto/walk.h"

/*  What msgpack does not allow.  */
static void
s_no_frame (sp_reader_t *self, const sp_path_t *path, const char *wrong)
{
    if (wrong)
        sp_reader_fault (self, SH_E_BAD_FRAME, path, wrong);
}

/*  The next token; nil after a fault.  A text in it is valid.  */
static sp_token_t
s_next (sp_reader_t *self, const sp_path_t *path)
{
    static const sp_token_t nil = { .kind = SP_TOKEN_NIL };
    sp_token_t token = nil;
    if (self->rc)
        return nil;
    const char *wrong = sp_token_read (&token, &self->rest);
    if (!wrong && token.kind == SP_TOKEN_TEXT
        && !sp_text_valid (token.bytes, token.bytes.size))
        wrong = "a text that is not UTF-8 or contains NUL";
    s_no_frame (self, path, wrong);
    return wrong ? nil : token;
}

/*  Pass over one value in the map that 'path' leads to.  */
static void
s_skip (sp_reader_t *self, const sp_path_t *path)
{
    size_t depth = 0;
    for (const sp_path_t *at = path; at; at = at->up)
        depth += at->index == SIZE_MAX ? 1 : 2;
    if (!self->rc)
        s_no_frame (self, path, sp_walk_value (&self->rest, depth));
}

bool
sp_key_is (sh_bytes_t bytes, const char *key)
{
    size_t size = strlen (key);
    return bytes.size == size && memcmp (bytes.data, key, size) == 0;
}

/*  Set pointer and count of an array; true if there is anything to read.  Each
    element has a byte at least, which bounds what a short frame can ask for.  */
static bool
s_read_array (sp_reader_t *self, char *target, const sp_token_t *token,
              const sp_field_t *field, size_t size, char **items,
              const sp_path_t *path)
{
    if (token->kind != SP_TOKEN_ARRAY)
        return sp_reader_bad (self, path, "not an array");
    if (token->number > field->most)
        return sp_reader_bad (self, path, "too many elements");
    if (token->number > self->rest.size)
        return sp_reader_bad (self, path, "more elements than bytes follow");
    size_t count = (size_t) token->number;
    if (count == 0)
        return false;
    void *array = sp_arena_take (&self->arena, count * size);
    if (!array) {
        sp_reader_fault (self, SH_E_MEMORY, path, "no memory");
        return false;
    }
    memset (array, 0, count * size);
    /* the member is some pointer to object; all have one form */
    memcpy (target + field->offset, &array, sizeof array);
    memcpy (target + field->count_offset, &count, sizeof count);
    *items = array;
    return true;
}

/*  A bit for each field that must be there.  */
static uint32_t
s_required (const sp_shape_t *shape)
{
    uint32_t required = 0;
    assert (shape->count < 32);
    for (size_t at = 0; at < shape->count; at++)
        required |= (uint32_t) !shape->fields[at].optional << at;
    return required;
}

static void s_read_pairs (sp_reader_t *self, char *target,
                          const sp_shape_t *shape, uint32_t required,
                          uint64_t pairs, sp_path_t *path);

static void
s_read_map (sp_reader_t *self, char *target, const sp_shape_t *shape,
            uint32_t required, const sp_path_t *up)
{
    sp_path_t path = { up, NULL, SIZE_MAX };
    uint64_t pairs;
    if (!sp_take_map (&pairs, &self->rest)) {
        sp_token_t token = s_next (self, &path);
        if (token.kind != SP_TOKEN_MAP)
            sp_reader_bad (self, &path, "not a map");
        else if (token.number > SP_MAP_KEYS_MOST)
            sp_reader_bad (self, &path, "too many keys");
        pairs = token.number;
    }
    if (!self->rc)
        s_read_pairs (self, target, shape, required, pairs, &path);
}

static void
s_read_maps (sp_reader_t *self, char *target, const sp_token_t *token,
             const sp_field_t *field, sp_path_t *path)
{
    char *items;
    size_t size = field->shape->size;
    if (!s_read_array (self, target, token, field, size, &items, path))
        return;
    uint32_t required = s_required (field->shape);
    for (size_t i = 0; i < token->number && !self->rc; i++) {
        path->index = i;
        s_read_map (self, items + i * size, field->shape, required, path);
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
        sp_token_t text = s_next (self, path);
        sp_reader_text (self, (const char **) (void *) (items + i * size),
                        &text, SP_TEXT_MOST, path);
    }
    path->index = SIZE_MAX;
}

/*  Of a field that is for peeking a wrong value is sp_decode's to tell, by the
    verdict on its part.  */
static void
s_read_peeked (sp_reader_t *self, void *at, const sp_field_t *field,
               const sp_path_t *path)
{
    sh_bytes_t rest = self->rest;
    sp_token_t token = { .kind = SP_TOKEN_NIL };
    s_skip (self, path);
    if (self->rc || sp_token_read (&token, &rest))
        return;
    if (field->kind == SP_FIELD_FLAG && token.kind == SP_TOKEN_BOOL)
        *(bool *) at = token.number != 0;
    else if (field->kind == SP_FIELD_SPAN && token.kind == SP_TOKEN_TEXT
             && token.bytes.size <= field->most)
        *(sh_bytes_t *) at = token.bytes;
}

/*  Read one value.  False if it is nil, which counts as absent.  */
static bool
s_read_field (sp_reader_t *self, char *target, const sp_field_t *field,
              sp_path_t *path)
{
    void *at = target + field->offset;
    if (field->kind == SP_FIELD_SPAN || field->kind == SP_FIELD_FLAG) {
        s_read_peeked (self, at, field, path);
        return true;
    }
    sp_token_t token = s_next (self, path);
    if (token.kind == SP_TOKEN_NIL)
        return false;
    if (field->kind == SP_FIELD_MAPS)
        s_read_maps (self, target, &token, field, path);
    else if (field->kind == SP_FIELD_TEXTS)
        s_read_texts (self, target, &token, field, path);
    else
        sp_reader_value (self, at, &token, field, path);
    return true;
}

/*  A value in the form that nearly all have, and right.  False: nothing has
    been read; s_read_field is to read it, or to say what is wrong.  */
static inline bool
s_read_usual (sp_reader_t *self, sh_bytes_t *rest, char *target,
              const sp_field_t *field)
{
    void *at = target + field->offset;
    sh_bytes_t after = *rest, bytes;
    uint64_t number;
    if (field->kind == SP_FIELD_TEXT) {
        if (!sp_take_text (&bytes, &after) || bytes.size > field->most
            || !sp_text_valid (bytes, bytes.size + after.size))
            return false;
        *(const char **) at = (const char *) sp_reader_keep (self, bytes, true);
    } else if (field->kind == SP_FIELD_UINT || field->kind == SP_FIELD_INT) {
        if (!sp_take_number (&number, &after) || number > field->most)
            return false;
        memcpy (at, &number, sizeof number); /* both have this form */
    } else if (field->kind == SP_FIELD_BIN || field->kind == SP_FIELD_ADDRESS) {
        if (!sp_take_bin (&bytes, &after) || !sp_field_fits (field, bytes.size))
            return false;
        bytes.data = sp_reader_keep (self, bytes, false);
        *(sh_bytes_t *) at = bytes;
    } else
        return false;
    *rest = after;
    return true;
}

/*  Step over the field's key if it is the next one, in the usual form.  */
static inline bool
s_take_key (sh_bytes_t *rest, const sp_field_t *field)
{
    size_t size = field->key_size;
    if (rest->size <= sizeof field->key || rest->data[0] != (0xa0 | size)
        || ((sp_word (rest->data + 1) ^ sp_word (field->key))
            & sp_word_mask (size)) != 0
        || (size > 8
            && memcmp (rest->data + 9, field->key + 8, size - 8) != 0))
        return false;
    sp_step (rest, 1 + size);
    return true;
}

/*  Which field the next key means; 'count': none.  */
static size_t
s_read_key (sp_reader_t *self, const sp_shape_t *shape, const sp_path_t *path)
{
    size_t at = 0;
    for (; at < shape->count; at++) {
        if (s_take_key (&self->rest, &shape->fields[at]))
            return at;
    }
    sp_token_t key = s_next (self, path);
    if (key.kind != SP_TOKEN_TEXT || key.bytes.size > SP_KEY_MOST)
        s_no_frame (self, path, "a map key that is too long, or not a text");
    else if (self->headed && !path->up
             && (sp_key_is (key.bytes, "v") || sp_key_is (key.bytes, "t")))
        sp_reader_bad (self, path, "v or t: given twice");
    else {
        at = 0;
        while (at < shape->count
               && !sp_key_is (key.bytes, shape->fields[at].key))
            at++;
    }
    return at;
}

static void
s_find_missing (sp_reader_t *self, const sp_shape_t *shape, uint32_t missing,
                sp_path_t *path)
{
    for (size_t at = 0; at < shape->count; at++) {
        path->key = shape->fields[at].key;
        if (missing & UINT32_C (1) << at)
            sp_reader_bad (self, path, "missing");
    }
}

/*  Read one pair.  Returns the field that its key means, or 'count' if it is
    none that is known.  */
static size_t
s_read_pair (sp_reader_t *self, char *target, const sp_shape_t *shape,
             uint32_t *known, uint32_t *present, sp_path_t *path)
{
    size_t at = s_read_key (self, shape, path);
    if (at == shape->count) {
        s_skip (self, path);
        return at;
    }
    const sp_field_t *field = &shape->fields[at];
    uint32_t bit = UINT32_C (1) << at;
    path->key = field->key;
    if (*known & bit && field->kind < SP_FIELD_SPAN)
        sp_reader_bad (self, path, "given twice");
    else if (s_read_field (self, target, field, path))
        *present |= bit;
    *known |= bit;
    path->key = NULL;
    return at;
}

/*  Senders keep the order of the table, as good as always, so that each key is
    looked for behind the one before it.  */
static void
s_read_pairs (sp_reader_t *self, char *target, const sp_shape_t *shape,
              uint32_t required, uint64_t pairs, sp_path_t *path)
{
    uint32_t known = 0, present = 0;
    sh_bytes_t rest = self->rest;
    size_t at = 0;
    for (; pairs > 0 && !self->rc; pairs--) {
        sh_bytes_t before = rest;
        while (at < shape->count && !s_take_key (&rest, &shape->fields[at]))
            at++;
        uint32_t bit = UINT32_C (1) << at;
        if (at < shape->count && !(known & bit)
            && s_read_usual (self, &rest, target, &shape->fields[at])) {
            known |= bit;
            present |= bit;
        } else {
            self->rest = before;
            at = s_read_pair (self, target, shape, &known, &present, path);
            rest = self->rest;
        }
        at = at < shape->count ? at + 1 : 0;
    }
    self->rest = rest;
    if (!self->rc && required & ~present)
        s_find_missing (self, shape, required & ~present, path);
}

void
sp_reader_message (sp_reader_t *self, void *target, const sp_shape_t *shape)
{
    assert (self && target && shape);
    sp_path_t path = { NULL, NULL, SIZE_MAX };
    s_read_pairs (self, target, shape, s_required (shape), self->pairs, &path);
    if (!self->rc && self->rest.size > 0)
        s_no_frame (self, &path, "something follows the map");
}
