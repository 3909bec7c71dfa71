/* SPDX-License-Identifier: MPL-2.0 */
/*  The walker and the token reader must agree on where a frame ends.  */

#include <stdint.h>
#include <stdlib.h>

#include "scanner-proto/limits.h"
#include "scanner-proto/walk.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/*  Step over the one value that a walked frame is.  */
static void
s_step_over (sh_bytes_t rest)
{
    for (uint64_t left = 1; left > 0; left--) {
        sp_token_t token;
        if (sp_token_read (&token, &rest) != NULL)
            abort ();
        if (token.kind == SP_TOKEN_ARRAY)
            left += token.number;
        else if (token.kind == SP_TOKEN_MAP)
            left += token.number * 2;
    }
    if (rest.size != 0)
        abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    sh_why_t why;
    sh_bytes_t frame = { data, size };
    if (sp_walk (frame, SP_FRAME_MOST, &why) == SH_OK)
        s_step_over (frame);
    return 0;
}
