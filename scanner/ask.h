/* SPDX-License-Identifier: MPL-2.0 */
/*  The questions to the hub, answered in pages.  They wait for a session, ask
    again where the hub says 'later' or a session ended, and give up when
    'patience' is over without an answer, or sooner if 'once' and there is no
    hope.  */

#ifndef SC_ASK_H
#define SC_ASK_H

#include "scanner/link.h"
#include "scanner/plan.h"
#include "scanner/scan.h"

typedef struct
{
    sc_link_t *link;
    const char *code; /* 'for', or NULL */
    int64_t patience; /* ms without an answer */
    bool once;
} sc_ask_t;

/*  All assignments.  On success 'out' (empty before) holds them and the link
    knows their revision.  Rows that cannot be read are told and left out.
    Errors: the hub's cause, what the connection died of, SH_E_TIMEOUT,
    SH_E_BAD_MESSAGE, SH_E_INTERRUPTED, SH_E_MEMORY.  */
sh_err_t sc_ask_assignments (const sc_ask_t *self, sc_plan_t *out,
                             sc_tell_t *tell, sh_why_t *why) SH_MUST_CHECK;

/*  The known addresses of a subnet, added to 'scan'.  The same errors.  */
sh_err_t sc_ask_targets (const sc_ask_t *self, uint64_t subnet,
                         sc_scan_t *scan, sh_why_t *why) SH_MUST_CHECK;

#endif
