/* SPDX-License-Identifier: MPL-2.0 */
/*  Where the HTTP door listens: addresses read, judged and bound before
    libmicrohttpd sees them, so that a fault is a sentence.  */

#ifndef SM_HTTP_LISTEN_H
#define SM_HTTP_LISTEN_H

#include "lib/addr.h"
#include "lib/config.h"

typedef struct
{
    char *text; /* as configured */
    sh_addr_t addr;
    uint16_t port; /* as bound; 0 until then, or when it was left out */
    int fd;        /* non-blocking; -1 until bound, or when left out */
} sm_listener_t;

typedef struct
{
    sm_listener_t *items;
    size_t count;
} sm_listeners_t;

/*  Read "127.0.0.1:5000", "[::1]:5000"; port 0 takes a free one.  At least one;
    SH_E_CONFIG.  On an error nothing is left to clear.  */
sh_err_t sm_listeners_parse (sm_listeners_t *out, const sh_strings_t *texts,
                             sh_why_t *why) SH_MUST_CHECK;
/*  Bind and listen.  "[::1]" is left out with a warning on a machine without
    IPv6, unless it is the only one.  SH_E_IO.  */
sh_err_t sm_listeners_bind (sm_listeners_t *self, sh_why_t *why) SH_MUST_CHECK;
/*  Close and free; fine when empty.  */
void sm_listeners_clear (sm_listeners_t *self);

/*  The first that is not of this machine alone, or NULL.  */
const sm_listener_t *sm_listeners_open (const sm_listeners_t *self);

bool sm_addr_is_loopback (const sh_addr_t *addr);

#endif
