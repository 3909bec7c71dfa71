/* SPDX-License-Identifier: MPL-2.0 */
/*  When a report is due, and by whom.  With a rate, the k-th of all is due at
    k / rate after the beginning and is scanner k % N's, whatever became of
    those before: one that cannot be sent at once is late and counts as late.
    In a closed loop one is due whenever a scanner has a place for it.  */

#ifndef SW_LOAD_H
#define SW_LOAD_H

#include "tests/bench/swarm_options.h"

typedef struct
{
    const sw_options_t *options;
    int64_t began; /* us; 0: not yet */
    uint64_t next; /* how many have become due, or were taken */
    bool ended;
} sw_load_t;

void sw_load_init (sw_load_t *self, const sw_options_t *options);
void sw_load_begin (sw_load_t *self, int64_t now);

/*  No more reports: it was told so, or it is time.  */
bool sw_load_over (const sw_load_t *self, int64_t now);
void sw_load_end (sw_load_t *self);

/*  With a rate: the scanner whose next report has become due; false: none.  */
bool sw_load_take_due (sw_load_t *self, int64_t now, uint64_t *scanner);
/*  When the 'nth' report of a scanner was due.  */
int64_t sw_load_due_of (const sw_load_t *self, uint64_t scanner, uint64_t nth);
/*  us until there is another one, or the end; 'most' at the most.  */
int64_t sw_load_wait (const sw_load_t *self, int64_t now, int64_t most);

/*  In a closed loop: may another one be begun now?  */
bool sw_load_take_place (sw_load_t *self, int64_t now);

#endif
