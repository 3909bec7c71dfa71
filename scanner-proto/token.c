/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/token.h"

#include <assert.h>

#include "lib/utf8.h"

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

static uint64_t
s_big_endian (const uint8_t *data, size_t width)
{
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | data[i];
    return number;
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

const char *
sp_token_read_wide (sp_token_t *out, sh_bytes_t *rest, uint8_t first)
{
    assert (first >= 0xc0 && first < 0xe0);
    unsigned index = first - 0xc0u;
    size_t width = s_forms[index].width;
    if (s_forms[index].form == FORM_EXT)
        return "an extension type";
    if (s_forms[index].form == FORM_UNUSED)
        return "the byte 0xc1, which msgpack never uses";
    if (width > rest->size)
        return "cut off";

    uint64_t number = s_big_endian (rest->data, width);
    sp_step (rest, width);
    out->kind = s_forms[index].kind;
    switch (s_forms[index].form) {
    case FORM_ONLY:
        out->number = first & 1;
        break;
    case FORM_SIGNED:
        s_set_signed (out, number, width);
        break;
    case FORM_BYTES:
        return sp_token_take_bytes (out, rest, (size_t) number);
    default:
        out->number = number;
    }
    return NULL;
}

bool
sp_text_valid_slowly (sh_bytes_t text)
{
    size_t i = 0;
    while (i < text.size) {
        if (text.size - i >= 8 && sp_word_plain (sp_word (text.data + i)))
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
