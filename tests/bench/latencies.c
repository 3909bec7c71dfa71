/* SPDX-License-Identifier: MPL-2.0 */

#include "tests/bench/latencies.h"

#include <stdlib.h>
#include <string.h>

static void
s_make_room (latencies_t *self, size_t more)
{
    size_t room = self->room ? self->room : 4096;
    while (room - self->count < more)
        room *= 2;
    if (room == self->room)
        return;
    self->items = reallocarray (self->items, room, sizeof *self->items);
    if (!self->items) {
        fputs ("out of memory\n", stderr);
        exit (1);
    }
    self->room = room;
}

void
latencies_add (latencies_t *self, int64_t ns)
{
    s_make_room (self, 1);
    self->items[self->count++] = ns;
}

void
latencies_take (latencies_t *self, const latencies_t *more)
{
    if (more->count == 0)
        return;
    s_make_room (self, more->count);
    memcpy (self->items + self->count, more->items,
            more->count * sizeof *more->items);
    self->count += more->count;
}

static int
s_compare (const void *a, const void *b)
{
    int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
    return (x > y) - (x < y);
}

/*  What 'share' per cent of them took at most.  */
static double
s_at (const latencies_t *self, size_t share)
{
    size_t rank = (self->count * share + 99) / 100;
    return (double) self->items[rank ? rank - 1 : 0] / 1e6;
}

void
latencies_print (latencies_t *self, FILE *out)
{
    if (self->count == 0) {
        fputs ("null", out);
        return;
    }
    qsort (self->items, self->count, sizeof *self->items, s_compare);
    fprintf (out,
             "{\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f}",
             s_at (self, 50), s_at (self, 90), s_at (self, 99),
             s_at (self, 100));
}

void
latencies_clear (latencies_t *self)
{
    free (self->items);
    *self = (latencies_t){ 0 };
}
