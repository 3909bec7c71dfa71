/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/meters.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

/*  A report of a local database takes a few ms, a call to the database ends
    after ten seconds.  */
const unsigned hub_bucket_ms[HUB_BUCKETS - 1]
    = { 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000 };

typedef struct
{
    _Atomic uint64_t count;
    _Atomic int64_t first, last;
} refusals_t;

typedef struct
{
    _Atomic uint64_t buckets[HUB_BUCKETS];
    _Atomic uint64_t ms; /* the sum */
} times_t;

struct hub_meters
{
    _Atomic uint64_t parts[HUB_DOOR_COUNT][SP_RESULT_COUNT];
    refusals_t refusals[SH_ERR_COUNT];
    _Atomic uint64_t handshakes[HUB_HANDSHAKE_COUNT];
    times_t times[HUB_TIME_COUNT];
    _Atomic uint64_t gauges[HUB_GAUGE_COUNT];
};

sh_err_t
hub_meters_new (hub_meters_t **out)
{
    assert (out);
    hub_meters_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    *out = self;
    return SH_OK;
}

void
hub_meters_destroy (hub_meters_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

void
hub_meters_part (hub_meters_t *self, hub_door_t door, sp_result_t result,
                 sh_err_t cause, int64_t now)
{
    assert (door < HUB_DOOR_COUNT && result < SP_RESULT_COUNT);
    assert (cause < SH_ERR_COUNT);
    atomic_fetch_add (&self->parts[door][result], 1);
    if (cause == SH_OK)
        return;
    refusals_t *one = &self->refusals[cause];
    int64_t never = 0;
    atomic_compare_exchange_strong (&one->first, &never, now);
    atomic_store (&one->last, now);
    atomic_fetch_add (&one->count, 1);
}

uint64_t
hub_meters_parts (hub_meters_t *self, hub_door_t door, sp_result_t result)
{
    return atomic_load (&self->parts[door][result]);
}

hub_refusals_t
hub_meters_refusals (hub_meters_t *self, sh_err_t cause)
{
    refusals_t *one = &self->refusals[cause];
    return (hub_refusals_t){ .count = atomic_load (&one->count),
                             .first = atomic_load (&one->first),
                             .last = atomic_load (&one->last) };
}

void
hub_meters_handshake (hub_meters_t *self, hub_handshake_t why)
{
    assert (why < HUB_HANDSHAKE_COUNT);
    atomic_fetch_add (&self->handshakes[why], 1);
}

uint64_t
hub_meters_handshakes (hub_meters_t *self, hub_handshake_t why)
{
    return atomic_load (&self->handshakes[why]);
}

void
hub_meters_time (hub_meters_t *self, hub_time_t what, int64_t ms)
{
    times_t *one = &self->times[what];
    size_t at = 0;
    if (ms < 0)
        ms = 0;
    while (at + 1 < HUB_BUCKETS && ms > (int64_t) hub_bucket_ms[at])
        at++;
    atomic_fetch_add (&one->ms, (uint64_t) ms);
    atomic_fetch_add (&one->buckets[at], 1);
}

/*  The count is that of the buckets, so that they agree whatever comes in
    meanwhile.  */
hub_times_t
hub_meters_times (hub_meters_t *self, hub_time_t what)
{
    times_t *one = &self->times[what];
    hub_times_t times = { 0 };
    for (size_t i = 0; i < HUB_BUCKETS; i++) {
        times.buckets[i] = atomic_load (&one->buckets[i]);
        times.count += times.buckets[i];
    }
    times.seconds = (double) atomic_load (&one->ms) / 1000;
    return times;
}

void
hub_meters_set (hub_meters_t *self, hub_gauge_t which, uint64_t value)
{
    atomic_store (&self->gauges[which], value);
}

uint64_t
hub_meters_get (hub_meters_t *self, hub_gauge_t which)
{
    return atomic_load (&self->gauges[which]);
}

const char *
hub_door_word (hub_door_t door)
{
    return door == HUB_DOOR_HTTP ? "http" : "curve";
}

const char *
hub_handshake_word (hub_handshake_t why)
{
    static const char *const words[HUB_HANDSHAKE_COUNT] = {
        [HUB_HANDSHAKE_UNKNOWN] = "unknown_key",
        [HUB_HANDSHAKE_TWICE] = "key_claimed_twice",
        [HUB_HANDSHAKE_OFTEN] = "too_often",
        [HUB_HANDSHAKE_PUT_OFF] = "put_off",
        [HUB_HANDSHAKE_MALFORMED] = "malformed",
    };
    assert (why < HUB_HANDSHAKE_COUNT);
    return words[why];
}
