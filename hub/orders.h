/* SPDX-License-Identifier: MPL-2.0 */
/*  Scans that somebody ordered, from the order to an hour after their end.  An
    order belongs to the key that it went to: nobody else's words about it
    count.  Bounded; knows no sockets.  Times are mono ms.  Belongs to the
    router's thread.  */

#ifndef HUB_ORDERS_H
#define HUB_ORDERS_H

#include "hub/principal.h"
#include "lib/addr.h"
#include "scanner-proto/message.h"

#define HUB_ORDERS_MOST 256
#define HUB_ORDER_NAME 10 /* bytes of "s" and eight digits and the NUL */
#define HUB_ORDER_TEXT 256
#define HUB_ORDER_KEPT_MS 3600000   /* after its end */
#define HUB_ORDER_ANSWER_MS 30000   /* until the scanner must say a word */
#define HUB_ORDER_GREETED_MS 15000  /* the same in a session after the first */
#define HUB_ORDER_AWAY_MS 600000    /* the scanner has no session */
#define HUB_ORDER_CANCEL_MS 120000  /* to end it, when it is to be cancelled */
#define HUB_ORDER_LONGEST_MS 86400000 /* from the order on, whatever is said */

typedef enum
{
    HUB_ORDER_SENT, /* and no word about it yet */
    HUB_ORDER_WAITING,
    HUB_ORDER_PROBING,
    HUB_ORDER_REPORTING,
    HUB_ORDER_DONE, /* from here on it is over */
    HUB_ORDER_FAILED,
    HUB_ORDER_CANCELLED,
    HUB_ORDER_LOST /* what became of it cannot be known; a word of the scanner
                      brings it back, see hub_orders_take */
} hub_order_state_t;

typedef struct
{
    uint8_t id[SP_ORDER_ID];
    char name[HUB_ORDER_NAME]; /* for people: s1f00c3a9 */
    char key[SH_KEY_TEXT];     /* of the scanner */
    char scanner[HUB_NAME_MOST + 1];
    uint64_t subnet;
    char cidr[SH_PREFIX_TEXT];
    int kind; /* sp_kind_t */
    hub_order_state_t state;
    hub_order_state_t reached; /* when it was lost */
    bool expired;   /* lost by a limit: only a word that ends it counts */
    int64_t cancel; /* since when somebody wants it to end; 0: nobody */
    int64_t ordered, heard, ended; /* 'heard': the last word; 0: none */
    int64_t away;    /* since when the scanner has no session; 0: it has one */
    int64_t greeted; /* a new session began, and no word since; 0: not so */
    uint64_t done, total, up, rate; /* as sp_progress_t */
    bool complete;
    uint64_t seen, added, refused;
    char cause[32];            /* a word of lib/err.h; "" */
    char text[HUB_ORDER_TEXT]; /* the peer's or ours; "" */
} hub_order_t;

typedef struct hub_orders hub_orders_t;

sh_err_t hub_orders_new (hub_orders_t **out) SH_MUST_CHECK;
void hub_orders_destroy (hub_orders_t **self_p);

/*  A new order; of 'what' key, scanner, subnet, cidr and kind are looked at.
    '*out' is the orders'.  SH_E_SCAN_RUNNING: '*out' is the one that is open
    for this subnet.  SH_E_OVERLOAD: as many are open as there can be.
    SH_E_MEMORY.  */
sh_err_t hub_orders_open (hub_orders_t *self, const hub_order_t *what,
                          int64_t now, hub_order_t **out) SH_MUST_CHECK;

/*  By its name; the one that is open for a subnet; NULL.  */
hub_order_t *hub_orders_find (hub_orders_t *self, const char *name);
hub_order_t *hub_orders_of (hub_orders_t *self, uint64_t subnet);

/*  The order at a place, latest first; NULL behind the last.  Valid until the
    next 'open' or 'expire'.  */
hub_order_t *hub_orders_at (hub_orders_t *self, size_t at);

bool hub_order_is_open (const hub_order_t *self);

/*  It is over, for a reason of the hub's; from LOST a word of the scanner may
    bring it back.  */
void hub_order_end (hub_order_t *self, hub_order_state_t state, int64_t now,
                    sh_err_t cause, const char *text);

/*  It is lost for good: the scanner can say how it ended, but not that it goes
    on.  Nothing of it is in the way of another order any more.  */
void hub_order_expire (hub_order_t *self, int64_t now, sh_err_t cause,
                       const char *text);

/*  A word of the scanner with this key.  NULL if it does not count: there is no
    such order, that is over, or the word would take it back to an earlier
    state.  One that is lost goes on by a word, unless that was by a limit or
    another order of the subnet is open; how it ended counts in any case.  */
hub_order_t *hub_orders_take (hub_orders_t *self, const char *key,
                              const sp_progress_t *word, int64_t now);

/*  Forget what has been over for long, and end what is overdue.  */
void hub_orders_expire (hub_orders_t *self, int64_t now);

/*  "sent", "waiting", ...  */
const char *hub_order_word (hub_order_state_t state);

#endif
