/* SPDX-License-Identifier: MPL-2.0 */
/*  This machine's addresses and the links that they are on: which addresses are
    our own, and which are so near that they are asked on their link and not by
    way of the kernel, whose table of neighbours a large network would fill.  */

#ifndef SC_LINKS_H
#define SC_LINKS_H

#include "lib/addr.h"

typedef struct
{
    sh_addr_t addr;     /* ours */
    sh_prefix_t prefix; /* that is connected by it */
    int index;          /* of the interface */
    uint8_t mac[6];     /* zero: it has none */
    bool asks;          /* neighbours can be asked by ARP or discovery */
    bool running;       /* up and with a carrier */
} sc_own_t;

typedef struct
{
    sc_own_t *items;
    size_t count, room;
} sc_links_t;

/*  Those of interfaces that are up, as they are now; the caller clears them.
    SH_E_PROBE, SH_E_MEMORY.  */
sh_err_t sc_links_read (sc_links_t *out, sh_why_t *why) SH_MUST_CHECK;

/*  SH_E_MEMORY.  */
sh_err_t sc_links_add (sc_links_t *self, const sc_own_t *own) SH_MUST_CHECK;

void sc_links_clear (sc_links_t *self);

/*  The entry whose address this is, or NULL.  */
const sc_own_t *sc_links_own (const sc_links_t *self, const sh_addr_t *addr);

/*  The entry by which the address is connected, so that it can be asked: of the
    longest prefix, and of several such, one that is running.  NULL: it is
    elsewhere.  */
const sc_own_t *sc_links_to (const sc_links_t *self, const sh_addr_t *addr);

/*  Does that interface run?  */
bool sc_links_run (const sc_links_t *self, int index);

#endif
