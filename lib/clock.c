/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static char s_boot[SH_BOOT_TEXT];
static sh_clock_t s_system;
static pthread_once_t s_once = PTHREAD_ONCE_INIT;

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

/*  Without a /proc every start of the program counts as a boot of its own,
    because nothing tells whether the two clocks still belong together.  */
static void
s_init (void)
{
    int fd = open ("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read (fd, s_boot, sizeof s_boot - 1) : -1;
    if (fd >= 0)
        (void) close (fd);
    if (size <= 0)
        (void) snprintf (s_boot, sizeof s_boot, "%ld-%lld", (long) getpid (),
                         (long long) s_mono_ms (NULL));
    s_system = (sh_clock_t){ s_wall_ms, s_mono_ms, NULL, s_boot };
}

const sh_clock_t *
sh_clock_system (void)
{
    (void) pthread_once (&s_once, s_init);
    return &s_system;
}

static int64_t
s_held_wall_ms (void *context)
{
    const sh_held_clock_t *self = context;
    return self->epoch + sh_clock_mono (self->of);
}

static int64_t
s_held_mono_ms (void *context)
{
    const sh_held_clock_t *self = context;
    return sh_clock_mono (self->of);
}

void
sh_clock_hold (sh_held_clock_t *out, const sh_clock_t *of)
{
    out->of = of;
    out->epoch = sh_clock_epoch (of);
    out->clock = (sh_clock_t){ s_held_wall_ms, s_held_mono_ms, out, of->boot };
}
