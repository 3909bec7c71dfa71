/* SPDX-License-Identifier: MPL-2.0 */
/*  Asking by TCP: whoever takes a connection, or refuses it, is there.  For
    machines that give no right to anything else.  A bounded number of
    connections is on its way at a time, those of all probes together; each is
    given up before it would be sent again, and is reset when it stands.  */

#ifndef SC_WAY_TCP_H
#define SC_WAY_TCP_H

#include "scanner/links.h"

#define SC_TCP_MOST 512 /* connections on their way */

typedef struct sc_tcp sc_tcp_t;

/*  SH_E_PROBE, SH_E_MEMORY.  */
sh_err_t sc_tcp_new (sc_tcp_t **out, sh_why_t *why) SH_MUST_CHECK;
void sc_tcp_destroy (sc_tcp_t **self_p);

/*  Readable when there may be an answer.  */
int sc_tcp_fd (const sc_tcp_t *self);

/*  Begin to connect.  'owner' is told of the answer, which may be there at once
    ('*up').  'links' tells who we are: a refusal by ourselves is a local error.
    Returns 0, the local error (errno), or EBUSY if as many are on their way as
    can be: ask again in some ms.  Times are ns of one clock.  */
int sc_tcp_ask (sc_tcp_t *self, const void *owner, const sh_addr_t *addr,
                uint16_t port, const sc_links_t *links, int64_t now, bool *up);

typedef void (sc_tcp_fn) (void *context, const void *owner,
                          const sh_addr_t *addr, int64_t asked_at);

/*  Tell who has answered, and give up what is too old.  */
void sc_tcp_receive (sc_tcp_t *self, int64_t now, sc_tcp_fn *take,
                     void *context);

/*  Close all connections of an owner.  */
void sc_tcp_forget (sc_tcp_t *self, const void *owner);

#endif
