/* SPDX-License-Identifier: MPL-2.0 */
/*  The frame walker: looks at every byte of a frame from a stranger before
    anything is allocated.  Its tokens are also what the codec reads.  */

#ifndef SP_WALK_H
#define SP_WALK_H

#include <stddef.h>

#include "lib/bytes.h"
#include "lib/err.h"

typedef struct
{
    size_t items; /* elements of all arrays together */
} sp_walk_t;

/*  Is 'frame' exactly one msgpack map, of at most 'most' bytes, nested at
    most SP_DEPTH_MOST deep, every count covered by the bytes that follow,
    map keys short valid texts, all texts valid UTF-8 without NUL, no
    extension types, nothing behind it?  SH_E_TOO_LARGE, else SH_E_BAD_FRAME.
    'out' is set only on success.  */
sh_err_t sp_walk (sp_walk_t *out, sh_bytes_t frame, size_t most, sh_why_t *why)
    SH_MUST_CHECK;

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
const char *sp_token_read (sp_token_t *out, sh_bytes_t *rest) SH_MUST_CHECK;

#endif
