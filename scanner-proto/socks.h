/* SPDX-License-Identifier: MPL-2.0 */
/*  A TCP connection by way of a SOCKS5 proxy (RFC 1928) that asks for no
    authentication.  The proxy resolves the target's name.  */

#ifndef SP_SOCKS_H
#define SP_SOCKS_H

#include <stdint.h>

#include "lib/err.h"

/*  Connect to 'target' through 'proxy', both HOST:PORT, an IPv6 address in
    brackets.  Waits for up to 'timeout' ms, and for the look-up of the proxy's
    own name besides, but not once 'wake' is readable.  '*out' becomes a
    non-blocking descriptor on which the next byte is the target's.
    SH_E_DISCONNECTED, SH_E_TIMEOUT, SH_E_INTERRUPTED, SH_E_SYNTAX, each with a
    sentence.  */
sh_err_t sp_socks_open (int *out, const char *proxy, const char *target,
                        int timeout, int wake, sh_why_t *why) SH_MUST_CHECK;

#endif
