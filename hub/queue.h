/* SPDX-License-Identifier: MPL-2.0 */
/*  A bounded queue of jobs between threads.  The reader either blocks in take
    or polls the descriptor together with its sockets.  */

#ifndef HUB_QUEUE_H
#define HUB_QUEUE_H

#include "hub/job.h"

/*  Room for 'most' jobs and 'most_bytes' bytes of frames.  */
sh_err_t hub_queue_new (hub_queue_t **out, size_t most, size_t most_bytes)
    SH_MUST_CHECK;
/*  Also destroys the jobs that are left in it.  */
void hub_queue_destroy (hub_queue_t **self_p);

/*  Hand a job over; false (and the job stays the caller's) when the queue is
    full or closed.  */
bool hub_queue_put (hub_queue_t *self, hub_job_t *job) SH_MUST_CHECK;

/*  Take up to 'most' jobs, of one principal at most 'each' (0: any number) and
    nothing after a heavy one, so that nobody's burst keeps others waiting;
    those of one principal stay in order.  Wait up to 'timeout' ms (-1: for
    ever) for the first.  0 on a time-out, or at once when closed and empty.  */
size_t hub_queue_take (hub_queue_t *self, hub_job_t **jobs, size_t most,
                       size_t each, int timeout);

/*  Readable while jobs wait, and from close on.  */
int hub_queue_fd (const hub_queue_t *self);

/*  No more puts; take gives what is left.  */
void hub_queue_close (hub_queue_t *self);
bool hub_queue_done (hub_queue_t *self);
size_t hub_queue_depth (hub_queue_t *self);

#endif
