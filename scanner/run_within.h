/* SPDX-License-Identifier: MPL-2.0 */
/*  What the files of the scanner at work share: run.c is its life, run_scans.c
    the scans, run_orders.c those that somebody ordered, run_status.c what it
    tells of itself.  */

#ifndef SC_RUN_WITHIN_H
#define SC_RUN_WITHIN_H

#include "lib/control.h"
#include "lib/notify.h"
#include "scanner/ask.h"
#include "scanner/order.h"
#include "scanner/run.h"
#include "scanner/tell.h"
#include "scanner/work.h"

#define SC_WORKS_MOST 16
#define SC_PAUSE_MS 5000 /* of 'run', after trouble with the hub */

typedef struct
{
    const sc_run_options_t *options;
    sc_config_t *config; /* the options' */
    bool once;
    const sh_clock_t *clock;
    sc_tools_t tools;
    sc_link_t *link;
    sp_spool_t *spool; /* NULL: none */
    sp_outbox_t *outbox;
    sh_control_t *control; /* NULL: none */
    sh_notify_t notify; /* of 'run' */
    sc_tell_t tell;
    sc_plan_t plan;
    sc_work_t *works[SC_WORKS_MOST];
    sc_orders_t orders;
    int64_t patience; /* ms, with the hub */
    /*  The question at hand: for the assignments, which 'fresh' takes, or for
        the known addresses of one of the works.  */
    sc_ask_t *ask;
    sc_plan_t fresh;
    int64_t refresh_at; /* mono ms: assignments are not asked for before */
    int64_t ask_at;     /* nor known addresses, where old ones will do */
    int64_t spool_at;   /* mono ms: the spool is tried again; 0: not wanted */
    int64_t look_at;    /* mono ms: next look at what has changed by itself */
    int64_t plan_at;    /* mono ms: nothing of the plan is due before; it can
                           have very many subnets */
    int64_t since;      /* mono ms: the session began or ended; 0: never */
} sc_running_t;

static inline int64_t
sc_running_now (const sc_running_t *self)
{
    return sh_clock_mono (self->clock);
}

/*  This moment, for the plan.  */
sc_moment_t sc_running_moment (const sc_running_t *self);

/*  How many scans are in a state.  */
size_t sc_running_count (const sc_running_t *self, sc_work_state_t state);

/*  May another scan begin?  */
bool sc_running_has_room (const sc_running_t *self);

/*  Begin what is due or ordered, as far as there is room.  */
void sc_running_begin (sc_running_t *self);

/*  The question for a scan's known addresses is over.  */
void sc_running_answered (sc_running_t *self, sh_err_t rc,
                          const sh_why_t *why);

/*  Move the scans on.  */
void sc_running_step (sc_running_t *self);

/*  The assignments are new, or quiet hours may have begun: what must not go on
    is dropped.  */
void sc_running_review (sc_running_t *self);

/*  The scan of an order, or NULL.  */
sc_work_t *sc_running_find (sc_running_t *self, const uint8_t *order);

/*  A scan is dropped, without a report.  The subnet's turn comes after 'pause'
    ms (-1: as if it had been scanned).  */
void sc_running_drop (sc_running_t *self, sc_work_t *work, int64_t pause);

/*  A report has reached the hub: the outbox calls it.  */
void sc_running_ended (void *context, const sp_outbox_end_t *end);

/*  A report has another ticket now: likewise.  */
void sc_running_moved (void *context, uint64_t old, uint64_t now);

/*  The order of a scan, or NULL.  */
sc_order_t *sc_running_order (sc_running_t *self, const sc_work_t *work);

/*  What the link brought may be an order, or take one back: true if something
    came of it.  */
bool sc_running_take (sc_running_t *self, const sp_event_t *event);

/*  The next order whose turn it is, with the subnet and kind that it comes to.
    One whose subnet is not known yet waits.  False, and nothing is set, if
    there is none.  Those that cannot be met any more end.  */
bool sc_running_next_order (sc_running_t *self, sc_due_t *due,
                            sc_order_t **order);

/*  Tell the hub how far they are.  */
void sc_running_tell_orders (sc_running_t *self);

/*  The answer to 'status' and 'facts' (scanner/facts.h) on the control
    socket.  */
void sc_running_answer (void *context, const char *request, char *answer,
                        size_t size);

#endif
