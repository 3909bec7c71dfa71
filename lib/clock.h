/* SPDX-License-Identifier: MPL-2.0 */
/*  The two clocks, as a struct of functions so that tests bring their own.  */

#ifndef SH_CLOCK_H
#define SH_CLOCK_H

#include <stdint.h>

typedef struct
{
    int64_t (*wall_ms) (void *context); /* ms since the Unix epoch */
    int64_t (*mono_ms) (void *context); /* ms, CLOCK_BOOTTIME, never steps */
    void *context;
} sh_clock_t;

/*  The machine's own clocks; static.  */
const sh_clock_t *sh_clock_system (void);

static inline int64_t
sh_clock_wall (const sh_clock_t *self)
{
    return self->wall_ms (self->context);
}

static inline int64_t
sh_clock_mono (const sh_clock_t *self)
{
    return self->mono_ms (self->context);
}

#endif
