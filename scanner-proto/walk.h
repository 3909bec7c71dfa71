/* SPDX-License-Identifier: MPL-2.0 */
/*  The frame walker: whether the bytes of a stranger are a frame at all.  The
    codec has it pass over what it does not know, and say what is wrong with a
    frame that it could not read.  */

#ifndef SP_WALK_H
#define SP_WALK_H

#include "lib/err.h"
#include "scanner-proto/token.h"

/*  Is 'frame' exactly one msgpack map, of at most 'most' bytes, nested at
    most SP_DEPTH_MOST deep, every count covered by the bytes that follow,
    map keys short valid texts, all texts valid UTF-8 without NUL, no
    extension types, nothing behind it?  SH_E_TOO_LARGE, else
    SH_E_BAD_FRAME.  */
sh_err_t sp_walk (sh_bytes_t frame, size_t most, sh_why_t *why) SH_MUST_CHECK;

/*  The same for one value inside a frame, in so many open arrays and maps:
    NULL, and 'rest' is behind it, or what is wrong as static text.  */
const char *sp_walk_value (sh_bytes_t *rest, size_t depth) SH_MUST_CHECK;

#endif
