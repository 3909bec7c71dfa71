/* SPDX-License-Identifier: MPL-2.0 */
/*  What fping prints: on standard output a line about each target,

        10.0.0.1 is alive
        10.0.0.2 is unreachable

    and on standard error, among other things, which ones it could not ask:

        10.0.0.3: error while sending ping: Operation not permitted

    Only addresses that the job wants are taken; a line of any other form, or
    longer than all of these, says nothing.  */

#ifndef SC_FPING_TEXT_H
#define SC_FPING_TEXT_H

#include "scanner/prober.h"

typedef struct sc_fping_text sc_fping_text_t;

/*  Hosts are appended to 'result' (borrowed, like 'job'), at most as many as
    there are addresses in the job.  'clock' gives the time at which each was
    seen.  'canary' is an address that was asked besides and always answers,
    unless fping cannot hear.  SH_E_MEMORY.  */
sh_err_t sc_fping_text_new (sc_fping_text_t **out, sc_result_t *result,
                            const sc_job_t *job, const sh_addr_t *canary,
                            const sh_clock_t *clock) SH_MUST_CHECK;
void sc_fping_text_destroy (sc_fping_text_t **self_p);

/*  The next bytes of standard output, of standard error.  */
void sc_fping_text_feed (sc_fping_text_t *self, const void *data, size_t size);
void sc_fping_text_feed_errors (sc_fping_text_t *self, const void *data,
                                size_t size);

/*  Targets that are settled so far: alive, silent or not to be asked.  */
uint64_t sc_fping_text_done (const sc_fping_text_t *self);

/*  The end of both.  Puts what could not be asked into 'missed' of the result,
    and why into its 'text'.  SH_E_PROBE: of some addresses nothing was said, or
    not a single one could be asked, or nobody was heard, not even the canary;
    SH_E_MEMORY.  */
sh_err_t sc_fping_text_finish (sc_fping_text_t *self, sh_why_t *why)
    SH_MUST_CHECK;

#endif
