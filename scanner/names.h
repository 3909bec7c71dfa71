/* SPDX-License-Identifier: MPL-2.0 */
/*  The names of hosts that answered, asked from DNS by their addresses (PTR).
    Works in the background of the owner's event loop as a probe does: a
    descriptor to watch, a step to call, nothing blocks.

    What name servers say is hostile until checked: only a name that the hub
    takes (lib/hostname.h) and that does not just spell the address
    (scanner/generated.h) becomes a host's.  */

#ifndef SC_NAMES_H
#define SC_NAMES_H

#include "scanner/prober.h"

#define SC_NAMES_AT_ONCE 64 /* questions under way */
#define SC_NAMES_SILENT 16  /* unanswered in a row: the server is given up */

typedef enum
{
    SC_NAMES_FQDN,
    SC_NAMES_SHORT /* only the first label */
} sc_names_form_t;

/*  All zero: whole names, and the defaults.  */
typedef struct
{
    int form;             /* sc_names_form_t */
    uint32_t timeout;     /* ms for an answer; 0: 2000 */
    uint32_t tries;       /* of each server; 0: 2 */
    uint32_t deadline;    /* ms for all; 0: 30000 */
    uint16_t port;        /* of every server; 0: 53 */
    const char *resolv_conf; /* NULL: /etc/resolv.conf */
} sc_names_options_t;

typedef struct sc_names sc_names_t;

/*  Begin to look up the hosts of 'result' that have no name yet; their names
    are put there (malloc'ed).  The 'servers' are asked in this order: the next
    one where one is silent, or does not know for a fault of its own.  None: the
    system's hosts file, then its servers.  'result' and 'clock' are borrowed
    until the end, and no host is added to or taken from 'result' meanwhile;
    'servers' (at most SP_NAMESERVERS_MOST) and 'options' are not kept.
    SH_E_MEMORY, SH_E_IO.  */
sh_err_t sc_names_start (sc_names_t **out, sc_result_t *result,
                         const sh_addr_t *servers, size_t count,
                         const sc_names_options_t *options,
                         const sh_clock_t *clock, sh_why_t *why)
    SH_MUST_CHECK;

/*  A descriptor that is readable when a step is due.  */
int sc_names_fd (const sc_names_t *self);

/*  ms until a step is due in any case.  */
int sc_names_timeout (const sc_names_t *self);

/*  Do what can be done without waiting.  True: all is known that will be.  */
bool sc_names_step (sc_names_t *self);

/*  When it is over: "" or a sentence on why names may be missing; borrowed.  */
const char *sc_names_note (const sc_names_t *self);

/*  At any time; '*self_p' becomes NULL; NULL is fine.  */
void sc_names_destroy (sc_names_t **self_p);

#endif
