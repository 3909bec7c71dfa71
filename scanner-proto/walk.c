/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/walk.h"

#include <assert.h>
#include <string.h>

#include "lib/utf8.h"
#include "scanner-proto/limits.h"

/*  What each first byte from 0xc0 to 0xdf means (msgpack specification,
    "Formats"): the kind, and how many bytes of number or length follow it.  */
static const struct
{
    sp_token_kind_t kind;
    uint8_t width;
    enum
    {
        FORM_ONLY,   /* nothing follows */
        FORM_NUMBER, /* an unsigned number follows */
        FORM_SIGNED, /* a number in two's complement follows */
        FORM_BYTES,  /* a length follows, then that many bytes */
        FORM_COUNT,  /* the number of elements follows */
        FORM_OPAQUE, /* so many bytes that are not looked at */
        FORM_EXT,
        FORM_UNUSED
    } form;
} s_forms[32] = {
    { SP_TOKEN_NIL, 0, FORM_ONLY },     { SP_TOKEN_NIL, 0, FORM_UNUSED },
    { SP_TOKEN_BOOL, 0, FORM_ONLY },    { SP_TOKEN_BOOL, 0, FORM_ONLY },
    { SP_TOKEN_BIN, 1, FORM_BYTES },    { SP_TOKEN_BIN, 2, FORM_BYTES },
    { SP_TOKEN_BIN, 4, FORM_BYTES },    { SP_TOKEN_NIL, 0, FORM_EXT },
    { SP_TOKEN_NIL, 0, FORM_EXT },      { SP_TOKEN_NIL, 0, FORM_EXT },
    { SP_TOKEN_FLOAT, 4, FORM_OPAQUE }, { SP_TOKEN_FLOAT, 8, FORM_OPAQUE },
    { SP_TOKEN_UINT, 1, FORM_NUMBER },  { SP_TOKEN_UINT, 2, FORM_NUMBER },
    { SP_TOKEN_UINT, 4, FORM_NUMBER },  { SP_TOKEN_UINT, 8, FORM_NUMBER },
    { SP_TOKEN_INT, 1, FORM_SIGNED },   { SP_TOKEN_INT, 2, FORM_SIGNED },
    { SP_TOKEN_INT, 4, FORM_SIGNED },   { SP_TOKEN_INT, 8, FORM_SIGNED },
    { SP_TOKEN_NIL, 0, FORM_EXT },      { SP_TOKEN_NIL, 0, FORM_EXT },
    { SP_TOKEN_NIL, 0, FORM_EXT },      { SP_TOKEN_NIL, 0, FORM_EXT },
    { SP_TOKEN_NIL, 0, FORM_EXT },      { SP_TOKEN_TEXT, 1, FORM_BYTES },
    { SP_TOKEN_TEXT, 2, FORM_BYTES },   { SP_TOKEN_TEXT, 4, FORM_BYTES },
    { SP_TOKEN_ARRAY, 2, FORM_COUNT },  { SP_TOKEN_ARRAY, 4, FORM_COUNT },
    { SP_TOKEN_MAP, 2, FORM_COUNT },    { SP_TOKEN_MAP, 4, FORM_COUNT },
};

static void
s_step (sh_bytes_t *rest, size_t size)
{
    rest->data += size;
    rest->size -= size;
}

static uint64_t
s_big_endian (const uint8_t *data, size_t width)
{
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | data[i];
    return number;
}

static const char *
s_take_bytes (sp_token_t *out, sh_bytes_t *rest, size_t size)
{
    if (size > rest->size)
        return "text or bytes are cut off";
    out->bytes = (sh_bytes_t){ rest->data, size };
    s_step (rest, size);
    return NULL;
}

/*  The sign bit decides the kind, so that readers see one form of 5 however
    wide the sender made it.  */
static void
s_set_signed (sp_token_t *out, uint64_t number, size_t width)
{
    unsigned bits = (unsigned) width * 8;
    if (!(number >> (bits - 1))) {
        out->kind = SP_TOKEN_UINT;
        out->number = number;
        return;
    }
    uint64_t rest = (bits == 64 ? 0 : UINT64_MAX << bits) | number;
    out->kind = SP_TOKEN_INT;
    out->negative = -(int64_t) (UINT64_MAX - rest) - 1;
}

static const char *
s_read_form (sp_token_t *out, sh_bytes_t *rest, uint8_t first)
{
    unsigned index = first - 0xc0u;
    size_t width = s_forms[index].width;
    if (s_forms[index].form == FORM_EXT)
        return "an extension type";
    if (s_forms[index].form == FORM_UNUSED)
        return "the byte 0xc1, which msgpack never uses";
    if (width > rest->size)
        return "cut off";

    uint64_t number = s_big_endian (rest->data, width);
    s_step (rest, width);
    out->kind = s_forms[index].kind;
    switch (s_forms[index].form) {
    case FORM_ONLY:
        out->number = first & 1;
        break;
    case FORM_SIGNED:
        s_set_signed (out, number, width);
        break;
    case FORM_BYTES:
        return s_take_bytes (out, rest, (size_t) number);
    default:
        out->number = number;
    }
    return NULL;
}

const char *
sp_token_read (sp_token_t *out, sh_bytes_t *rest)
{
    if (rest->size == 0)
        return "cut off";
    uint8_t first = rest->data[0];
    s_step (rest, 1);

    if (first < 0x80) {
        out->kind = SP_TOKEN_UINT;
        out->number = first;
    } else if (first < 0x90) {
        out->kind = SP_TOKEN_MAP;
        out->number = first & 0x0f;
    } else if (first < 0xa0) {
        out->kind = SP_TOKEN_ARRAY;
        out->number = first & 0x0f;
    } else if (first < 0xc0) {
        out->kind = SP_TOKEN_TEXT;
        return s_take_bytes (out, rest, first & 0x1f);
    } else if (first < 0xe0)
        return s_read_form (out, rest, first);
    else {
        out->kind = SP_TOKEN_INT;
        out->negative = (int64_t) first - 0x100;
    }
    return NULL;
}

/*  Are the eight bytes all ASCII and none of them NUL?  */
static bool
s_plain (const uint8_t *at)
{
    const uint64_t ones = UINT64_C (0x0101010101010101), high = ones << 7;
    uint64_t word;
    memcpy (&word, at, sizeof word);
    return ((word | (word - ones)) & high) == 0;
}

static bool
s_text_valid (sh_bytes_t text)
{
    size_t i = 0;
    while (i < text.size) {
        if (text.size - i >= 8 && s_plain (text.data + i))
            i += 8;
        else if (text.data[i] - 1u < 0x7f)
            i++;
        else {
            size_t size = sh_utf8_size (text.data + i, text.size - i);
            if (size == 0 || text.data[i] == '\0')
                return false;
            i += size;
        }
    }
    return true;
}

/*  Where the walker is: for each open array or map how many values are still
    to come, keys counted as values.  */
typedef struct
{
    struct
    {
        size_t left;
        bool map;
    } level[SP_DEPTH_MOST];
    size_t depth;
    size_t items;
    sh_bytes_t rest;
} s_walk_t;

static const char *
s_open (s_walk_t *self, const sp_token_t *token)
{
    bool map = token->kind == SP_TOKEN_MAP;
    if (self->depth == SP_DEPTH_MOST)
        return "nested too deeply";
    if (map && token->number > SP_MAP_KEYS_MOST)
        return "a map with too many keys";
    /* each element is at least one byte; the count is at most 2^32 - 1 */
    uint64_t left = map ? token->number * 2 : token->number;
    if (left > self->rest.size)
        return "an array or map claims more elements than bytes follow";

    self->level[self->depth].left = (size_t) left;
    self->level[self->depth].map = map;
    self->depth++;
    if (!map)
        self->items += (size_t) left;
    return NULL;
}

static const char *
s_value (s_walk_t *self, bool key)
{
    sp_token_t token = { 0 };
    const char *wrong = sp_token_read (&token, &self->rest);
    if (wrong)
        return wrong;
    if (key && token.kind != SP_TOKEN_TEXT)
        return "a map key that is not a text";
    if (key && token.bytes.size > SP_KEY_MOST)
        return "a map key that is too long";
    if (token.kind == SP_TOKEN_TEXT && !s_text_valid (token.bytes))
        return "a text that is not UTF-8 or contains NUL";
    if (token.kind == SP_TOKEN_ARRAY || token.kind == SP_TOKEN_MAP)
        return s_open (self, &token);
    return NULL;
}

static const char *
s_walk (s_walk_t *self)
{
    if (self->rest.size == 0)
        return "empty";
    uint8_t first = self->rest.data[0];
    if ((first & 0xf0) != 0x80 && first != 0xde && first != 0xdf)
        return "not a map";

    const char *wrong = s_value (self, false);
    while (!wrong && self->depth > 0) {
        size_t top = self->depth - 1;
        if (self->level[top].left == 0) {
            self->depth--;
            continue;
        }
        bool key = self->level[top].map && self->level[top].left % 2 == 0;
        self->level[top].left--;
        wrong = s_value (self, key);
    }
    if (!wrong && self->rest.size > 0)
        return "something follows the map";
    return wrong;
}

sh_err_t
sp_walk (sp_walk_t *out, sh_bytes_t frame, size_t most, sh_why_t *why)
{
    assert (out && (frame.data || frame.size == 0));
    if (frame.size > most)
        return sh_fail (why, SH_E_TOO_LARGE,
                        "frame of %zu bytes, the limit is %zu", frame.size,
                        most);

    s_walk_t walk = { .rest = frame };
    const char *wrong = s_walk (&walk);
    if (wrong)
        return sh_fail (why, SH_E_BAD_FRAME, "frame, up to byte %zu: %s",
                        frame.size - walk.rest.size, wrong);
    out->items = walk.items;
    return SH_OK;
}
