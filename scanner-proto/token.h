/* SPDX-License-Identifier: MPL-2.0 */
/*  The tokens of msgpack, for the walker and the reader alike.  Inline, and in
    words of eight bytes where eight can be read, for a report has some two
    thousand tokens.  */

#ifndef SP_TOKEN_H
#define SP_TOKEN_H

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "lib/bytes.h"

typedef enum
{
    SP_TOKEN_NIL,
    SP_TOKEN_BOOL,
    SP_TOKEN_UINT, /* any integer that is not negative */
    SP_TOKEN_INT,  /* a negative one */
    SP_TOKEN_FLOAT,
    SP_TOKEN_TEXT,
    SP_TOKEN_BIN,
    SP_TOKEN_ARRAY,
    SP_TOKEN_MAP
} sp_token_kind_t;

typedef struct
{
    sp_token_kind_t kind;
    uint64_t number;  /* BOOL: 0 or 1; UINT; ARRAY, MAP: elements, pairs */
    int64_t negative; /* INT */
    sh_bytes_t bytes; /* TEXT, BIN: borrowed from the frame, not checked */
} sp_token_t;

/*  Read the one token at the beginning of 'rest' and step over it; the
    elements of an array or map follow as tokens of their own and their number
    is not checked here.  NULL, or what is wrong as static text.  */
static inline const char *sp_token_read (sp_token_t *out, sh_bytes_t *rest);

/*  Is it UTF-8 without NUL?  'room': bytes that can be read from its first one
    on, the text's own at least.  */
static inline bool sp_text_valid (sh_bytes_t text, size_t room);

/*  For the two above: a token with a first byte from 0xc0 to 0xdf, which has
    been stepped over, and a text that is short or not plain ASCII.  */
const char *sp_token_read_wide (sp_token_t *out, sh_bytes_t *rest,
                                uint8_t first);
bool sp_text_valid_slowly (sh_bytes_t text);

static inline void
sp_step (sh_bytes_t *rest, size_t size)
{
    rest->data += size;
    rest->size -= size;
}

#define SP_BLANKS UINT64_C (0x2020202020202020)

/*  Eight bytes as they are in memory.  */
static inline uint64_t
sp_word (const void *at)
{
    uint64_t word;
    memcpy (&word, at, sizeof word);
    return word;
}

/*  All ones in the first 'count' bytes (0 to 16, all from 8 on) of such a
    word.  */
static inline uint64_t
sp_word_mask (size_t count)
{
    static const uint8_t ones[24]
        = { 255, 255, 255, 255, 255, 255, 255, 255,
            255, 255, 255, 255, 255, 255, 255, 255 };
    return sp_word (ones + 16 - count);
}

/*  Are the eight bytes all ASCII and none of them NUL?  */
static inline bool
sp_word_plain (uint64_t word)
{
    const uint64_t ones = UINT64_C (0x0101010101010101), high = ones << 7;
    return ((word | (word - ones)) & high) == 0;
}

static inline const char *
sp_token_take_bytes (sp_token_t *out, sh_bytes_t *rest, size_t size)
{
    if (size > rest->size)
        return "text or bytes are cut off";
    out->bytes = (sh_bytes_t){ rest->data, size };
    sp_step (rest, size);
    return NULL;
}

static inline const char *
sp_token_read (sp_token_t *out, sh_bytes_t *rest)
{
    if (rest->size == 0)
        return "cut off";
    uint8_t first = rest->data[0];
    sp_step (rest, 1);

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
        return sp_token_take_bytes (out, rest, first & 0x1f);
    } else if (first < 0xe0)
        return sp_token_read_wide (out, rest, first);
    else {
        out->kind = SP_TOKEN_INT;
        out->negative = (int64_t) first - 0x100;
    }
    return NULL;
}

/*  The forms that nearly all values have: an integer of one byte or of eight,
    a text and bytes of up to 255.  False: it is none of these, or cut off, and
    nothing has been read.  */
static inline bool
sp_take_number (uint64_t *out, sh_bytes_t *rest)
{
    if (rest->size < 9)
        return false;
    uint8_t first = rest->data[0];
    if (first < 0x80) {
        *out = first;
        sp_step (rest, 1);
        return true;
    }
    if (first != 0xcf)
        return false;
    *out = be64toh (sp_word (rest->data + 1));
    sp_step (rest, 9);
    return true;
}

static inline bool
sp_take_bytes (sh_bytes_t *out, sh_bytes_t *rest, size_t head, size_t size)
{
    if (size > rest->size - head)
        return false;
    *out = (sh_bytes_t){ rest->data + head, size };
    sp_step (rest, head + size);
    return true;
}

static inline bool
sp_take_text (sh_bytes_t *out, sh_bytes_t *rest)
{
    if (rest->size < 2)
        return false;
    uint8_t first = rest->data[0];
    if ((first & 0xe0) == 0xa0)
        return sp_take_bytes (out, rest, 1, first & 0x1f);
    return first == 0xd9 && sp_take_bytes (out, rest, 2, rest->data[1]);
}

static inline bool
sp_take_bin (sh_bytes_t *out, sh_bytes_t *rest)
{
    return rest->size >= 2 && rest->data[0] == 0xc4
           && sp_take_bytes (out, rest, 2, rest->data[1]);
}

/*  A map of up to fifteen pairs.  */
static inline bool
sp_take_map (uint64_t *pairs, sh_bytes_t *rest)
{
    if (rest->size == 0 || (rest->data[0] & 0xf0) != 0x80)
        return false;
    *pairs = rest->data[0] & 0x0f;
    sp_step (rest, 1);
    return true;
}

/*  The last word overlaps the one before it.  */
static inline bool
sp_text_valid (sh_bytes_t text, size_t room)
{
    const uint8_t *at = text.data;
    if (text.size < 8) {
        uint64_t mask = sp_word_mask (text.size);
        if (room >= 8
            && sp_word_plain ((sp_word (at) & mask) | (~mask & SP_BLANKS)))
            return true;
        return sp_text_valid_slowly (text);
    }
    for (const uint8_t *last = at + text.size - 8; at < last; at += 8) {
        if (!sp_word_plain (sp_word (at)))
            return sp_text_valid_slowly (text);
    }
    return sp_word_plain (sp_word (text.data + text.size - 8))
           || sp_text_valid_slowly (text);
}

#endif
