/* SPDX-License-Identifier: MPL-2.0 */
/*  Scans that somebody ordered by way of the hub, and what the hub was told of
    each: at once, once a second while there is news, and at the end.  An order
    whose end could not be told stays until it can be.  */

#ifndef SC_ORDER_H
#define SC_ORDER_H

#include "scanner-proto/client.h"
#include "scanner-proto/delivery.h"

#define SC_ORDERS_MOST 16
#define SC_ORDER_TEXT 256

typedef struct
{
    bool used;
    bool begun; /* a scan is under way for it */
    /*  Of its report in the outbox, and of a later one of the same subnet,
        which may have taken it in; 0: none.  */
    uint64_t ticket, later;
    uint8_t id[SP_ORDER_ID];
    uint64_t subnet;
    int kind;               /* sp_kind_t */
    sp_progress_t progress; /* its texts are the two below */
    char cause[32], text[SC_ORDER_TEXT];
    bool news;    /* the hub does not know the progress yet */
    int64_t told; /* mono ms; 0: never */
} sc_order_t;

/*  All zero is none.  */
typedef struct
{
    sc_order_t items[SC_ORDERS_MOST];
} sc_orders_t;

/*  Take an order, to wait for its turn.  An id that is there already is the
    same order.  NULL: too many.  */
sc_order_t *sc_orders_add (sc_orders_t *self, const sp_scan_t *scan);

/*  The order with an id, unless it is at its end; or NULL.  */
sc_order_t *sc_orders_find (sc_orders_t *self, sh_bytes_t id);

/*  The next one after 'after' (NULL: the first) that waits for its turn, or
    NULL.  */
sc_order_t *sc_orders_next (sc_orders_t *self, const sc_order_t *after);

/*  Is there one that waits for its turn at this subnet?  */
bool sc_orders_wait_for (const sc_orders_t *self, uint64_t subnet);

/*  A report of the subnet was put into the outbox.  */
void sc_orders_reported (sc_orders_t *self, uint64_t subnet, uint64_t ticket);

/*  The report with this ticket has reached the hub: an order's end, if it is
    one's.  */
void sc_orders_delivered (sc_orders_t *self, uint64_t ticket,
                          const sp_delivery_sum_t *sum);

/*  How far it is.  */
void sc_order_set (sc_order_t *self, int state, uint64_t done, uint64_t total,
                   uint64_t up, uint64_t rate);

/*  It is over; 'err' may be SH_OK, 'text' NULL.  Counts may be set in
    'progress' before.  */
void sc_order_end (sc_order_t *self, int state, sh_err_t err,
                   const char *text);

/*  A new session does not know how far they are.  */
void sc_orders_renew (sc_orders_t *self);

/*  Tell the hub what is due.  */
void sc_orders_tell (sc_orders_t *self, sp_client_t *client, int64_t now);

/*  ms until something is to be told; -1: nothing is.  Without a session nothing
    can be; the next one is told everything.  */
int sc_orders_timeout (const sc_orders_t *self, int64_t now);

/*  The report with the ticket 'old' has the ticket 'now' from now on.  */
void sc_orders_moved (sc_orders_t *self, uint64_t old, uint64_t now);

/*  Say no to an order that is not taken.  */
void sc_orders_refuse (sp_client_t *client, const sp_scan_t *scan,
                       sh_err_t err);

#endif
