/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/pulse.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define BEATS_MOST 80 /* 64 workers, and the few others */
#define THREAD_NAME 16 /* the kernel's limit */
#define NEVER INT64_MAX

static const char *const s_words[]
    = { "has stood still", "has been at work", "has been in a database call" };
enum { IDLE, WORK, CALL };

struct hub_beat
{
    const hub_pulse_t *pulse;
    char name[32];
    _Atomic int64_t since, due; /* mono ms */
    atomic_int doing;
};

struct hub_pulse
{
    const sh_clock_t *clock;
    hub_beat_t beats[BEATS_MOST];
    atomic_size_t count;
};

sh_err_t
hub_pulse_new (hub_pulse_t **out, const sh_clock_t *clock)
{
    assert (out && clock);
    hub_pulse_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->clock = clock;
    *out = self;
    return SH_OK;
}

void
hub_pulse_destroy (hub_pulse_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

hub_beat_t *
hub_pulse_join (hub_pulse_t *self, const char *name, unsigned number)
{
    size_t count = self ? atomic_load (&self->count) : BEATS_MOST;
    if (count == BEATS_MOST)
        return NULL;
    hub_beat_t *beat = &self->beats[count];
    beat->pulse = self;
    if (number)
        snprintf (beat->name, sizeof beat->name, "%s %u", name, number);
    else
        snprintf (beat->name, sizeof beat->name, "%s", name);
    atomic_store (&beat->due, NEVER);
    atomic_store (&self->count, count + 1); /* main alone lets them join */
    return beat;
}

/*  'due' comes first: a look between the three may tell an old story, but not
    that of a thread that is stuck.  */
static void
s_say (hub_beat_t *self, int doing, int64_t most)
{
    if (!self)
        return;
    int64_t now = sh_clock_mono (self->pulse->clock);
    atomic_store (&self->due, now + most);
    atomic_store (&self->since, now);
    atomic_store (&self->doing, doing);
}

void
hub_beat_begin (const hub_beat_t *self)
{
    char name[THREAD_NAME];
    if (!self)
        return;
    snprintf (name, sizeof name, "%.*s", (int) sizeof name - 1, self->name);
    (void) prctl (PR_SET_NAME, name);
}

void
hub_beat_idle (hub_beat_t *self)
{
    s_say (self, IDLE, HUB_BEAT_MS);
}

void
hub_beat_work (hub_beat_t *self)
{
    s_say (self, WORK, HUB_BEAT_MS);
}

void
hub_beat_call (hub_beat_t *self, int64_t most)
{
    s_say (self, CALL, most);
}

void
hub_beat_leave (hub_beat_t *self)
{
    if (self)
        atomic_store (&self->due, NEVER);
}

bool
hub_pulse_alive (hub_pulse_t *self, int64_t now,
                 char text[static HUB_PULSE_TEXT])
{
    assert (self);
    size_t count = atomic_load (&self->count);
    for (size_t i = 0; i < count; i++) {
        hub_beat_t *beat = &self->beats[i];
        if (now <= atomic_load (&beat->due))
            continue;
        snprintf (text, HUB_PULSE_TEXT, "%s %s for %lld s", beat->name,
                  s_words[atomic_load (&beat->doing)],
                  (long long) (now - atomic_load (&beat->since)) / 1000);
        return false;
    }
    return true;
}
