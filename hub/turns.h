/* SPDX-License-Identifier: MPL-2.0 */
/*  turns: when a part that found no room in a worker's queue should come
    back: as soon as there will be room, one after the other, so that the
    worker always has something to do and nobody asks in vain.

    The worker says how it gets on; the rest belongs to one thread, the one that
    turns parts away.  */

#ifndef HUB_TURNS_H
#define HUB_TURNS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*  Nobody is sent away for longer; and for how long if nobody can say, for the
    worker is stuck.  */
#define HUB_TURNS_MOST_MS 10000
#define HUB_TURNS_STUCK_MS 2000

/*  All zero to begin with.  */
typedef struct
{
    int64_t busy, jobs; /* us and thousandths, the latest weigh most */
    _Atomic int64_t pace;  /* us that a job takes; 0: not known */
    _Atomic int64_t since; /* mono ms: at a batch since then; 0: at none */
    int64_t taken; /* mono us: turns before this are given away */
} hub_turns_t;

/*  The worker's: it begins with a batch, and is done with its 'jobs'.  */
void hub_turns_begin (hub_turns_t *self, int64_t now);
void hub_turns_end (hub_turns_t *self, size_t jobs, int64_t now);

/*  For how many ms the next one should stay away, of which half as much again
    may come on top (docs/protocol.md); 'waiting' are in the queue.  */
int64_t hub_turns_give (hub_turns_t *self, size_t waiting, int64_t now);

#endif
