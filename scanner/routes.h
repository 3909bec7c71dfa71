/* SPDX-License-Identifier: MPL-2.0 */
/*  The way that a packet to an address takes out of this machine now, and
    whether it leaves it at all: the kernel tells nobody of what it drops for
    want of a carrier, or while the next hop's hardware address is unknown.  */

#ifndef SC_ROUTES_H
#define SC_ROUTES_H

#include "scanner/links.h"

typedef struct
{
    int fd; /* of rtnetlink */
    uint32_t sequence;
} sc_routes_t;

typedef enum
{
    SC_ROUTE_WORKS,      /* or nothing speaks against it */
    SC_ROUTE_NONE,       /* there is none */
    SC_ROUTE_NO_CARRIER, /* the interface that it goes by has none */
    SC_ROUTE_NO_GATEWAY  /* the gateway answers neither ARP nor discovery */
} sc_route_t;

/*  SH_E_PROBE.  */
sh_err_t sc_routes_open (sc_routes_t *out, sh_why_t *why) SH_MUST_CHECK;
void sc_routes_close (sc_routes_t *self);

/*  'links' are those of this moment.  Waits for nothing.  That a neighbour
    itself does not answer is no matter of the way to it.  Before Linux 5.0
    nothing is known of gateways.  */
sc_route_t sc_routes_to (sc_routes_t *self, const sc_links_t *links,
                         const sh_addr_t *addr);

#endif
