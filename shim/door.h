/* SPDX-License-Identifier: MPL-2.0 */
/*  The shim itself: takes what the HTTP listener hands over, sends it to the
    hub as a report like any other, and answers when the verdicts are in.
    What the hub does not answer in time goes into the spool, and from there
    to the hub when it can.  The same in scanhubd (whose courier puts jobs
    into the hub's own pool) and in scanhub-shim (whose courier is a CURVE
    client).  One thread; everything happens inside sm_door_step.  */

#ifndef SM_DOOR_H
#define SM_DOOR_H

#include "scanner-proto/outbox.h"
#include "shim/http.h"

/*  The way to the hub.  */
typedef struct
{
    void *context;
    /*  Like sp_client_wait: events of the link, or OTHER when the descriptor
        'other' is readable.  */
    sh_err_t (*wait) (void *context, int other, int timeout,
                      sp_event_t *event);
    /*  Send a part that 'label' (a token's) vouches for.  */
    sh_err_t (*send) (void *context, const char *label,
                      const sp_message_t *part);
    bool (*is_up) (void *context);
    int64_t (*offset) (void *context); /* hub's clock minus ours, ms */
} sm_courier_t;

typedef struct
{
    bool refusals_as_status; /* 403 and 422 instead of 200 */
    sm_courier_t courier;
    sp_spool_t *spool; /* NULL: none could be opened; then 503 */
    const sh_clock_t *clock;
} sm_door_options_t;

#define SM_VERDICT_MS 10000 /* without a verdict: spool it */
#define SM_PENDING_MOST 128

typedef struct sm_door sm_door_t;

/*  'spool' stays the caller's and outlives the door.  */
sh_err_t sm_door_new (sm_door_t **out, const sm_door_options_t *options)
    SH_MUST_CHECK;
/*  What is unanswered is spooled, or answered 503.  Call before the HTTP
    listener is destroyed.  */
void sm_door_destroy (sm_door_t **self_p);

/*  The sm_http_fn: 'context' is the door.  */
void sm_door_take (void *context, sm_request_t *request);

/*  Work for at most about 'timeout' ms.  'http' is the listener that calls
    sm_door_take.  SH_E_INTERRUPTED as sp_client_wait.  */
sh_err_t sm_door_step (sm_door_t *self, sm_http_t *http, int timeout)
    SH_MUST_CHECK;

/*  After a reload.  */
void sm_door_set_refusals (sm_door_t *self, bool as_status);

/*  For status lines.  */
size_t sm_door_pending (const sm_door_t *self);

#endif
