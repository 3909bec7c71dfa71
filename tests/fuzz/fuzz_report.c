/* SPDX-License-Identifier: MPL-2.0 */
/*  What was decoded can be encoded, and that decodes to the same: the second
    and third frame are equal byte for byte.  Peek and the walker agree with
    decode.  */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scanner-proto/codec.h"
#include "scanner-proto/walk.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
s_check_again (const uint8_t *data, size_t size)
{
    sp_message_t *message = NULL;
    uint8_t *again = NULL;
    size_t again_size;
    if (sp_decode (&message, (sh_bytes_t){ data, size }, NULL) != SH_OK
        || sp_encode (&again, &again_size, message) != SH_OK
        || again_size != size || memcmp (again, data, size) != 0)
        abort ();
    free (again);
    sp_message_destroy (&message);
}

/*  A NUL inside ends the decoded text.  */
static bool
s_is (sh_bytes_t bytes, const char *text)
{
    size_t size = text ? strlen (text) : 0;
    return bytes.size >= size
           && (size == 0 || memcmp (bytes.data, text, size) == 0);
}

static void
s_check_peek (sh_bytes_t frame, const sp_message_t *message)
{
    sp_peek_t peek;
    if (sp_peek (&peek, frame, NULL) != SH_OK || peek.type != message->type)
        abort ();
    if (peek.type == SP_REPORT
        && (peek.subnet != message->u.report.subnet
            || peek.part != message->u.report.part
            || memcmp (peek.id.data, message->u.report.id.data, SP_REPORT_ID)
            || !s_is (peek.code, message->u.report.code)
            || !s_is (peek.cidr, message->u.report.cidr)))
        abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    sp_message_t *message = NULL;
    sh_why_t why;
    sh_bytes_t frame = { data, size };
    sh_err_t walked = sp_walk (frame, SP_FRAME_MOST, NULL);
    sh_err_t decoded = sp_decode (&message, frame, &why);
    if ((walked == SH_E_BAD_FRAME) != (decoded == SH_E_BAD_FRAME))
        abort ();
    if (decoded != SH_OK)
        return 0;
    s_check_peek (frame, message);

    /* Unknown keys are gone and numbers are at their shortest, so nothing gets
       longer, but a verdict's unknown word, which becomes 'retry'.  */
    uint8_t *encoded = NULL;
    size_t encoded_size;
    if (sp_encode (&encoded, &encoded_size, message) != SH_OK
        || (encoded_size > size && message->type != SP_VERDICT))
        abort ();
    s_check_again (encoded, encoded_size);
    free (encoded);
    sp_message_destroy (&message);
    return 0;
}
