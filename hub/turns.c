/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/turns.h"

#include <assert.h>

/*  A worker that is at a batch for so long is stuck, or was: how long it took
    says nothing about the next one.  */
#define STUCK_MS 1000
#define LEAST_MS 10
/*  Of an estimate, how much the newest batch weighs.  */
#define SHARE 8

void
hub_turns_begin (hub_turns_t *self, int64_t now)
{
    assert (self);
    atomic_store (&self->since, now);
}

void
hub_turns_end (hub_turns_t *self, size_t jobs, int64_t now)
{
    assert (self && jobs > 0);
    int64_t ms = now - atomic_load (&self->since);
    atomic_store (&self->since, 0);
    if (ms >= STUCK_MS)
        return;
    self->busy += ms * 1000 - self->busy / SHARE;
    self->jobs += (int64_t) jobs * 1000 - self->jobs / SHARE;
    int64_t pace = self->busy * 1000 / self->jobs;
    atomic_store (&self->pace, pace > 0 ? pace : 1);
}

/*  Scanners wait for up to half as long again, in the mean a quarter.  */
static int64_t
s_told (int64_t us)
{
    int64_t ms = us * 4 / 5 / 1000;
    return ms < LEAST_MS            ? LEAST_MS
           : ms > HUB_TURNS_MOST_MS ? HUB_TURNS_MOST_MS
                                    : ms;
}

int64_t
hub_turns_give (hub_turns_t *self, size_t waiting, int64_t now)
{
    assert (self);
    int64_t pace = atomic_load (&self->pace);
    int64_t since = atomic_load (&self->since);
    if (pace == 0 || (since && now - since >= STUCK_MS))
        return HUB_TURNS_STUCK_MS;
    /*  When half of what waits is done there is room again, and still enough
        to do.  */
    int64_t first = now * 1000 + (int64_t) waiting * pace / 2;
    if (self->taken < first)
        self->taken = first;
    int64_t told = s_told (self->taken - now * 1000);
    if (told < HUB_TURNS_MOST_MS)
        self->taken += pace;
    return told;
}
