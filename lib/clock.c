/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t
s_read_ms (clockid_t id)
{
    struct timespec now = { 0 };
    clock_gettime (id, &now); /* cannot fail for the two ids used here */
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t
s_wall_ms (void *context)
{
    (void) context;
    return s_read_ms (CLOCK_REALTIME);
}

/*  BOOTTIME rather than MONOTONIC: a laptop that slept has aged.  */
static int64_t
s_mono_ms (void *context)
{
    (void) context;
    return s_read_ms (CLOCK_BOOTTIME);
}

const sh_clock_t *
sh_clock_system (void)
{
    static const sh_clock_t clock = { s_wall_ms, s_mono_ms, NULL };
    return &clock;
}
