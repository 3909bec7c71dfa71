/* SPDX-License-Identifier: MPL-2.0 */
/*  How long each of many things took, and what half, 90 and 99 of a hundred of
    them took at most.  Belongs to one thread; those of several are added up
    when the threads have ended.  */

#ifndef BENCH_LATENCIES_H
#define BENCH_LATENCIES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct
{
    int64_t *items; /* ns; owned */
    size_t count, room;
} latencies_t;

/*  Ends the program when there is no memory: a figure with gaps is none.  */
void latencies_add (latencies_t *self, int64_t ns);
void latencies_take (latencies_t *self, const latencies_t *more);

/*  As a JSON object of milliseconds, {"p50": ...}; null if there are none.  */
void latencies_print (latencies_t *self, FILE *out);

void latencies_clear (latencies_t *self);

#endif
