/* SPDX-License-Identifier: MPL-2.0 */
/*  One job of the built-in prober: whom to ask next and by which way, and whose
    answer counts.  Its owner has the sockets and wakes it.  Times are ns of one
    clock that never steps, but for those in the result.  */

#ifndef SC_INQUIRY_H
#define SC_INQUIRY_H

#include "scanner/builtin.h"
#include "scanner/pace.h"
#include "scanner/way.h"
#include "scanner/way_tcp.h"

/*  What all jobs share.  */
typedef struct
{
    sc_sockets_t sockets;
    sc_tcp_t *tcp;
    sc_pace_t pace;
    const sc_builtin_settings_t *settings;
} sc_means_t;

typedef struct sc_inquiry sc_inquiry_t;

/*  All is borrowed until it is destroyed.  SH_E_PROBE, SH_E_MEMORY.  */
sh_err_t sc_inquiry_new (sc_inquiry_t **out, sc_means_t *means,
                         const sc_job_t *job, const sh_clock_t *clock,
                         int64_t now, sh_why_t *why) SH_MUST_CHECK;
void sc_inquiry_destroy (sc_inquiry_t **self_p);

/*  Ask whom it is time to ask; at most some dozens at once.  True: it is over,
    and has its result.  Else '*due' is when to come again, unless an answer
    comes before.  */
bool sc_inquiry_work (sc_inquiry_t *self, int64_t now, int64_t *due);

/*  Somebody has answered somebody: true if that was news for this job.  */
bool sc_inquiry_take (sc_inquiry_t *self, const sc_reply_t *reply,
                      int64_t now);

/*  The same of TCP, where it is known who asked.  */
void sc_inquiry_take_tcp (sc_inquiry_t *self, const sh_addr_t *addr,
                          int64_t asked_at, int64_t now);

void sc_inquiry_progress (const sc_inquiry_t *self, int64_t now,
                          sc_progress_t *out);

/*  Borrowed.  */
sc_result_t *sc_inquiry_result (sc_inquiry_t *self);

#endif
