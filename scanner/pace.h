/* SPDX-License-Identifier: MPL-2.0 */
/*  How often something may be sent: times are given out one after the other,
    each to one taker, so that those who share a pace take turns.  Whoever comes
    late may catch up on at most 10 ms, so that no burst leaves us after the
    machine was busy.  Pure: times are ns of one clock that never steps.  */

#ifndef SC_PACE_H
#define SC_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define SC_PACE_MOST 1000000 /* per second */

typedef struct
{
    int64_t next;     /* the first time that nobody has */
    uint32_t rate;    /* per second */
    uint32_t edition; /* of the rate: times of an older one are void */
    uint64_t chance;  /* for jitter */
} sc_pace_t;

/*  A taker's next time; all zero: it has none.  */
typedef struct
{
    int64_t at;    /* when it may send */
    int64_t given; /* the same without jitter */
    uint32_t edition;
    bool held;
} sc_slot_t;

/*  Begin, or go on at another rate from 'now' on.  0 counts as 1, and more than
    SC_PACE_MOST as that.  */
void sc_pace_set (sc_pace_t *self, uint32_t rate, int64_t now);

/*  The time from which on the taker may send; it stays its own until it is used
    up, or is too old.  */
int64_t sc_pace_due (sc_pace_t *self, sc_slot_t *slot, int64_t now);

/*  May the taker send now?  If so, its time is used up.  */
bool sc_pace_take (sc_pace_t *self, sc_slot_t *slot, int64_t now);

#endif
