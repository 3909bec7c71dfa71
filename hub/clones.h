/* SPDX-License-Identifier: MPL-2.0 */
/*  Is one key on two machines?  Both connect, and each new connection takes the
    session over from the other, which comes back: the addresses take turns,
    while the older connection still stands.  One machine that moves, behind a
    NAT that changes or to another network, does that once, and not there and
    back and there again within minutes.  Pure.  */

#ifndef HUB_CLONES_H
#define HUB_CLONES_H

#include <stdbool.h>
#include <stdint.h>

#define HUB_CLONE_ADDRESS 48 /* bytes of an address's text and its NUL */
#define HUB_CLONE_WINDOW_MS (15 * 60 * 1000) /* for the turns */
#define HUB_CLONE_TURNS 3
#define HUB_CLONE_AGAIN_MS (60 * 60 * 1000) /* from one warning to the next */

/*  What is remembered of one key; zeros to begin with.  */
typedef struct
{
    char older[HUB_CLONE_ADDRESS], newer[HUB_CLONE_ADDRESS];
    unsigned turns;    /* in a row between these two */
    int64_t begun;     /* mono ms of the first of them */
    int64_t warned;    /* mono ms; 0: never */
    int64_t seen;      /* mono ms of the last turn that shows it; 0: none */
    uint64_t times;    /* how many turns have shown it */
} hub_clones_t;

/*  A connection from 'newer' took the session over from one that 'older' still
    had; both are "ADDRESS PORT" or "ADDRESS".  True if it is time to say that
    there are two.  */
bool hub_clones_note (hub_clones_t *self, const char *older, const char *newer,
                      int64_t now);

/*  Are there two, as far as is known lately?  */
bool hub_clones_current (const hub_clones_t *self, int64_t now);

#endif
