/* SPDX-License-Identifier: MPL-2.0 */
/*  The HTTP door's certificate and key, read and checked before use.  */

#ifndef SM_HTTP_TLS_H
#define SM_HTTP_TLS_H

#include <stdint.h>

#include "lib/err.h"

/*  TLS 1.2 and later.  */
#define SM_TLS_PRIORITY                                                        \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

typedef struct
{
    char *cert; /* PEM, the server's own first, then its chain */
    char *key;  /* PEM, not encrypted */
} sm_tls_t;

/*  Read both files.  SH_E_MODE when group or others may read the key; else
    SH_E_CONFIG with a sentence that names the file: unreadable, no PEM, or the
    key of another certificate.  A certificate that is not valid at 'now'
    (epoch ms) is only warned about, for the clock may be what is wrong.  */
sh_err_t sm_tls_load (sm_tls_t *out, const char *cert, const char *key,
                      int64_t now, sh_why_t *why) SH_MUST_CHECK;
/*  Wipes the key; fine when empty.  */
void sm_tls_clear (sm_tls_t *self);

#endif
