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
    const char *boot; /* which boot of the machine this is; NULL is "" */
} sh_clock_t;

#define SH_BOOT_TEXT 37 /* bytes of a boot's name, a UUID, and its NUL */

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

/*  A clock that nobody can set: its wall clock goes on from what 'of' showed at
    the time of the call, as 'of''s other clock goes.  For what has to be timed
    as a whole.  Both must outlive its use.  */
typedef struct
{
    sh_clock_t clock;
    const sh_clock_t *of;
    int64_t epoch;
} sh_held_clock_t;

void sh_clock_hold (sh_held_clock_t *out, const sh_clock_t *of);

/*  What the wall clock showed, or would have shown, when mono was 0.  It
    changes only when somebody sets the clock.  A time of the wall clock minus
    this is an age that no setting of the clock touches.  */
static inline int64_t
sh_clock_epoch (const sh_clock_t *self)
{
    return sh_clock_wall (self) - sh_clock_mono (self);
}

#endif
