/* SPDX-License-Identifier: MPL-2.0 */
/*  The questions to the hub, answered in pages: one question at a time, put
    while everything else goes on.  It waits for a session, is asked again where
    the hub says 'later' or a session ended, and is given up when 'patience' is
    over without an answer, or sooner if 'once' and there is no hope.

        begin - (take each event, step when one is due) - until step says that
        it is over  */

#ifndef SC_ASK_H
#define SC_ASK_H

#include "scanner/link.h"
#include "scanner/plan.h"
#include "scanner/scan.h"

typedef struct sc_ask sc_ask_t;

/*  'link' and 'code' (the 'for' of the questions, or NULL) are borrowed.
    SH_E_MEMORY.  */
sh_err_t sc_ask_new (sc_ask_t **out, sc_link_t *link, const char *code,
                     bool once) SH_MUST_CHECK;
void sc_ask_destroy (sc_ask_t **self_p);

/*  Is there no question?  */
bool sc_ask_is_idle (const sc_ask_t *self);

/*  Ask for all assignments.  'out' (empty, borrowed) holds them in the end, and
    the link knows their revision.  Rows that cannot be read are told and left
    out.  'patience' is ms without an answer.  */
void sc_ask_assignments (sc_ask_t *self, sc_plan_t *out, sc_tell_t *tell,
                         int64_t patience);

/*  Ask for the known addresses of a subnet, which are added to 'scan'
    (borrowed).  */
void sc_ask_targets (sc_ask_t *self, uint64_t subnet, sc_scan_t *scan,
                     int64_t patience);

/*  What the link brought may be the answer: true if it was of use.  */
bool sc_ask_take (sc_ask_t *self, const sp_event_t *event);

/*  Do what is due.  True: the question is over and nothing borrowed any more.
    '*rc' then is SH_OK, the hub's cause, what the connection died of,
    SH_E_TIMEOUT, SH_E_BAD_MESSAGE, SH_E_MEMORY, with a sentence in 'why'.  */
bool sc_ask_step (sc_ask_t *self, sh_err_t *rc, sh_why_t *why);

/*  ms until a step is due; -1: none is.  */
int sc_ask_timeout (const sc_ask_t *self);

/*  Nobody wants the answer any more.  */
void sc_ask_cancel (sc_ask_t *self);

#endif
