/* SPDX-License-Identifier: MPL-2.0 */
/*  Looking for the hosts of an IPv6 prefix on a link of ours, where nobody
    could ask every address: all of them are called, a few times, and who
    answers is one.  Pure but for memory: what is sent is sent by the
    caller.  */

#ifndef SC_NEIGHBOURS_H
#define SC_NEIGHBOURS_H

#include "scanner/links.h"
#include "scanner/packets.h"
#include "scanner/prober.h"
#include "scanner/tally.h"

#define SC_NEIGHBOURS_MOST 65536 /* of one job; further ones are left out */
/*  Addresses that one machine has: more than any host needs, and far too few
    for one to fill phpIPAM with hosts that are none.  */
#define SC_NEIGHBOURS_OF_MAC 32
#define SC_CALL_LINKS_MOST 8     /* links that one prefix is called on */

typedef struct
{
    const sc_job_t *job;
    const sc_own_t *links[SC_CALL_LINKS_MOST]; /* borrowed */
    size_t link_count;
    uint32_t made;   /* calls so far */
    int64_t last;    /* when, ns; 0: none yet */
    const uint8_t *key; /* of SC_KEY_BYTES, for the hashes; borrowed */
    sc_tally_t seen;    /* addresses that were found */
    sc_tally_t macs;    /* how many of these each machine has */
    uint64_t crowded;   /* answers left out, for their MAC has too many, ... */
    uint64_t beyond;    /* ... or for there are too many in all */
    uint8_t crowd[SC_MAC_BYTES]; /* the first of such MACs */
    bool others;        /* it is not the only one */
} sc_search_t;

/*  The links on which the job's neighbours are, none if it looks for none.
    'key' is random and secret.  All are borrowed.  */
void sc_search_begin (sc_search_t *self, const sc_job_t *job,
                      const sc_links_t *links,
                      const uint8_t key[static SC_KEY_BYTES]);
void sc_search_clear (sc_search_t *self);

/*  When the next call is due, or the search over; 'now' if it is so.  Times are
    ns.  */
int64_t sc_search_due (const sc_search_t *self, int64_t now);
bool sc_search_is_over (const sc_search_t *self, int64_t now);

/*  The call to be made next, after which sc_search_called counts it.  */
const sc_own_t *sc_search_next (const sc_search_t *self, sc_call_t *call);
void sc_search_called (sc_search_t *self, int64_t now);

/*  Does it count that 'addr' has answered to 'to' from 'mac' on a link?  */
bool sc_search_takes (const sc_search_t *self, const sh_addr_t *addr,
                      const sh_addr_t *to, int link,
                      const uint8_t mac[static SC_MAC_BYTES]);

/*  Is it new?  If so it is not the next time.  SH_E_TOO_LARGE when there are
    too many, in all or of that MAC: then it is left out, and counted as such;
    SH_E_MEMORY.  */
sh_err_t sc_search_note (sc_search_t *self, const sh_addr_t *addr,
                         const uint8_t mac[static SC_MAC_BYTES], bool *is_new)
    SH_MUST_CHECK;

/*  A sentence on what was left out, of up to 'room' bytes with its NUL; "" if
    nothing was.  */
void sc_search_text (const sc_search_t *self, char *text, size_t room);

/*  Is the address made from the MAC (RFC 4291, appendix A), or so short that
    somebody has given it?  */
bool sc_is_stable (const sh_addr_t *addr,
                   const uint8_t mac[static SC_MAC_BYTES]);

#endif
