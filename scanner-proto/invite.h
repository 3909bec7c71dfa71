/* SPDX-License-Identifier: MPL-2.0 */
/*  An invitation: where a hub is and which key it has, in one word that can be
    sent to a site and pasted into a shell there.

        scanhub://HOST:PORT/KEY

    KEY is the hub's public key in Z85, with everything but letters, digits and
    . - _ ~ as %XX (RFC 3986), for Z85 has characters that mean something in a
    URI and to a shell.  An IPv6 address stands in brackets; without a PORT it
    is SP_DEFAULT_PORT.  It holds no secret.  */

#ifndef SP_INVITE_H
#define SP_INVITE_H

#include "lib/err.h"
#include "lib/keyfile.h"

#define SP_INVITE_MOST 512 /* bytes of one, with its NUL */

typedef struct
{
    char endpoint[300]; /* tcp://HOST:PORT */
    char key[SH_KEY_TEXT];
} sp_invite_t;

/*  The invitation as text.  'key' is valid; SH_E_SYNTAX for an endpoint that
    is not tcp://HOST:PORT.  */
sh_err_t sp_invite_print (char out[static SP_INVITE_MOST],
                          const char *endpoint, const char *key,
                          sh_why_t *why) SH_MUST_CHECK;

/*  SH_E_SYNTAX with a sentence that says which part is wrong.  */
sh_err_t sp_invite_parse (sp_invite_t *out, const char *text, sh_why_t *why)
    SH_MUST_CHECK;

#endif
