/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/swarm_load.h"

#define SECOND 1000000

void
sw_load_init (sw_load_t *self, const sw_options_t *options)
{
    *self = (sw_load_t){ .options = options };
}

void
sw_load_begin (sw_load_t *self, int64_t now)
{
    self->began = now;
}

void
sw_load_end (sw_load_t *self)
{
    self->ended = true;
}

static int64_t
s_end (const sw_load_t *self)
{
    double seconds = self->options->seconds;
    return seconds > 0 ? self->began + (int64_t) (seconds * SECOND) : INT64_MAX;
}

bool
sw_load_over (const sw_load_t *self, int64_t now)
{
    uint64_t most = self->options->reports;
    return self->ended
           || (self->began && (now >= s_end (self)
                               || (most && self->next >= most)));
}

static int64_t
s_due (const sw_load_t *self, uint64_t number)
{
    return self->began
           + (int64_t) ((double) number * SECOND / self->options->rate);
}

bool
sw_load_take_due (sw_load_t *self, int64_t now, uint64_t *scanner)
{
    if (!self->began || self->options->rate <= 0 || sw_load_over (self, now)
        || now < s_due (self, self->next))
        return false;
    *scanner = self->next++ % self->options->scanners;
    return true;
}

int64_t
sw_load_due_of (const sw_load_t *self, uint64_t scanner, uint64_t nth)
{
    return s_due (self, scanner + self->options->scanners * nth);
}

int64_t
sw_load_wait (const sw_load_t *self, int64_t now, int64_t most)
{
    if (!self->began || sw_load_over (self, now))
        return most;
    int64_t until = s_end (self);
    if (self->options->rate > 0 && s_due (self, self->next) < until)
        until = s_due (self, self->next);
    int64_t wait = until > now ? until - now : 0;
    return wait < most ? wait : most;
}

bool
sw_load_take_place (sw_load_t *self, int64_t now)
{
    if (!self->began || self->options->idle || self->options->rate > 0
        || sw_load_over (self, now))
        return false;
    self->next++;
    return true;
}
