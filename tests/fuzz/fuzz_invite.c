/* SPDX-License-Identifier: MPL-2.0 */
/*  An invitation: text that somebody
    pasted.  What is taken can be printed, and is the same when it is read
    again.  */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scanner-proto/invite.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    sp_invite_t invite, again;
    char text[SP_INVITE_MOST];
    char *input = strndup ((const char *) data, size);
    if (!input)
        return 0;
    if (sp_invite_parse (&invite, input, NULL) == SH_OK
        && (sp_invite_print (text, invite.endpoint, invite.key, NULL) != SH_OK
            || sp_invite_parse (&again, text, NULL) != SH_OK
            || strcmp (again.endpoint, invite.endpoint) != 0
            || strcmp (again.key, invite.key) != 0))
        abort ();
    free (input);
    return 0;
}
