/* SPDX-License-Identifier: MPL-2.0 */
/*  The foreman hands ordered scans to the scanners' sessions and listens to
    what becomes of them.  It answers the main thread, which asks for those who
    run scanhubctl.  Belongs to the router's thread.  */

#ifndef HUB_FOREMAN_H
#define HUB_FOREMAN_H

#include "hub/orders.h"
#include "hub/speech.h"
#include "lib/clock.h"

/*  What is to be said of a scanner whose hello has no 'orders'.  */
#define HUB_FOREMAN_OLD                                                        \
    "takes no orders: it is older than 0.2, or was started by "                \
    "'scanhub-scanner once' and not 'run'"

typedef struct
{
    const hub_speech_t *speech;
    hub_orders_t *orders;
    const sh_clock_t *clock;
} hub_foreman_t;

/*  A command of the main thread, of words with a line end between them:

        SCAN SUBNET KIND CIDR KEY NAME [KEY NAME ...]
                the scanners that may do it.  "ok ORDER NAME", or "error ..."
        ORDER NAME   "ok " and the line that is described below, or "error ..."
        CANCEL NAME or SUBNET    "ok ORDER ...", or "error ..."
        ORDERS       "ok", then such a line for each order, latest first
        SEEN KEY [KEY ...]   for each of them a line: "connected ADDRESS PORT",
                     "old ADDRESS PORT" (it takes no orders), "away SECONDS"
                     since its last word, or "unknown"

    A line about an order is its name and words key=value: state, subnet,
    network, scanner, kind, done, total, up, rate, complete (0, 1), seen, added,
    refused, age and silent (seconds since the order, and since the scanner's
    last word; -1: none), away (0, 1), cancel (0, 1), cause, and at last text=
    up to the line's end.

    The answer is malloc'ed; NULL: no memory, or no command of these.  */
char *hub_foreman_answer (const hub_foreman_t *self, char *command);

/*  The scanner with this key says something about an order.  */
void hub_foreman_hear (const hub_foreman_t *self, const hub_principal_t *who,
                       const sp_progress_t *word);

/*  The scanner with this key has a new session.  */
void hub_foreman_greet (const hub_foreman_t *self, hub_session_t *session);

/*  Once a second: see who is away, and end what is overdue.  */
void hub_foreman_watch (const hub_foreman_t *self);

/*  How many orders are open.  */
size_t hub_foreman_open (const hub_foreman_t *self);

#endif
