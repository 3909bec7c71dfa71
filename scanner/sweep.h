/* SPDX-License-Identifier: MPL-2.0 */
/*  Which address is to be asked next, and which have answered: passes over a
    set of addresses, each over those that are still silent.  Pure: nothing is
    sent here, and times are ns of one clock that never steps.

    An address is kept as a few bits at its index in the set, so that a large
    set costs little.  The order of asking jumps about in the set, so that no
    part of the network gets all probes at once.

        turn - (ask) - asked or failed - turn - ...
        answer, whenever somebody has                                      */

#ifndef SC_SWEEP_H
#define SC_SWEEP_H

#include "lib/ranges.h"

#define SC_SWEEP_COUNT_MOST (1 << 20) /* addresses of one sweep */
#define SC_SWEEP_PASSES_MOST 16

typedef struct sc_sweep sc_sweep_t;

typedef struct
{
    const sh_ranges_t *ranges; /* borrowed */
    const sh_ranges_t *known;  /* these get 'more' passes; borrowed, or NULL */
    uint32_t passes;           /* at least 1 */
    uint32_t more;   /* of known ones; at least as many */
    bool thorough;   /* these of all, while the last of 'passes' and each
                        further one still finds somebody new */
    uint32_t chance; /* where to begin */
} sc_sweep_options_t;

/*  SH_E_TOO_LARGE, SH_E_MEMORY.  */
sh_err_t sc_sweep_new (sc_sweep_t **out, const sc_sweep_options_t *options)
    SH_MUST_CHECK;
void sc_sweep_destroy (sc_sweep_t **self_p);

typedef enum
{
    SC_TURN_ASK,  /* 'addr' may be asked now */
    SC_TURN_WAIT, /* nothing to be done before 'due', or an answer */
    SC_TURN_OVER  /* who is silent now counts as silent */
} sc_turn_t;

/*  What is to be done; 'addr', or 'due' of WAIT.  Changes nothing that could be
    seen: it is the same until something is asked or answered, or time goes
    by.  */
sc_turn_t sc_sweep_turn (sc_sweep_t *self, int64_t now, sh_addr_t *addr,
                         int64_t *due);

/*  After ASK: the address was asked, or a local error kept it from being.  */
void sc_sweep_asked (sc_sweep_t *self, int64_t now);
void sc_sweep_failed (sc_sweep_t *self);

/*  What was asked of this address did not get there.  Unless it answers or is
    asked once more, it was not asked.  */
void sc_sweep_unask (sc_sweep_t *self, const sh_addr_t *addr);

/*  The pass that is on, from 1.  */
uint32_t sc_sweep_pass (const sc_sweep_t *self);

/*  Was this address asked, so that it may answer?  */
bool sc_sweep_expects (const sc_sweep_t *self, const sh_addr_t *addr);

/*  It has answered; 'asked_at' is when the probe that it answers was sent, -1
    if that is not known.  False if it has before, or is not in the set.  */
bool sc_sweep_answer (sc_sweep_t *self, const sh_addr_t *addr,
                      int64_t asked_at, int64_t now);

/*  What was said of silence does not count for an address for which 'unsure'
    holds: it was not asked after all.  */
typedef bool (sc_sweep_unsure_fn) (void *context, const sh_addr_t *addr);

/*  Add the addresses that are silent and were not once asked.  'unsure' may be
    NULL.  SH_E_MEMORY.  */
sh_err_t sc_sweep_missed (const sc_sweep_t *self, sh_ranges_t *out,
                          sc_sweep_unsure_fn *unsure, void *context)
    SH_MUST_CHECK;

uint64_t sc_sweep_count (const sc_sweep_t *self); /* addresses in all */
uint64_t sc_sweep_up (const sc_sweep_t *self);
uint64_t sc_sweep_done (const sc_sweep_t *self); /* an estimate */

#endif
