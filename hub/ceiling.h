/* SPDX-License-Identifier: MPL-2.0 */
/*  The hub's memory and its ceiling.  libzmq keeps the frames of a message
    until its last one is there, however many come, and there is no option that
    bounds it; nor can it drop a single peer.  So above the ceiling the router
    closes its socket, by which all of that is given back, and opens it anew.
    This module says when, and for how long; plain values, one thread.  */

#ifndef HUB_CEILING_H
#define HUB_CEILING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct
{
    uint64_t most;  /* bytes */
    int64_t rest;   /* mono ms; before it nothing is done */
    int64_t last;   /* mono ms of the last time that it was reached */
    unsigned times; /* in a row */
} hub_ceiling_t;

/*  A ceiling of 'mib'; of 0, one that fits a hub with so many keys: 512 MiB or
    256 MiB and one for each key, but no more than half of what the machine
    has.  */
void hub_ceiling_init (hub_ceiling_t *self, uint32_t mib, size_t keys);

/*  Is this memory too much now ('now': mono ms)?  */
bool hub_ceiling_reached (const hub_ceiling_t *self, uint64_t memory,
                          int64_t now);

/*  It was reached, and the socket is closed.  How long it stays closed, in ms:
    a quarter of a second, and twice as long each time that it happens again
    within ten minutes, up to eight seconds.  */
int64_t hub_ceiling_pause (hub_ceiling_t *self, int64_t now);

/*  Closing did not help, the memory is the hub's own: leave it at that for a
    minute.  */
void hub_ceiling_rest (hub_ceiling_t *self, int64_t now);

/*  This process's resident memory in bytes; 0 if that cannot be told.  */
uint64_t hub_memory_used (void);

/*  Give back to the system what was freed.  */
void hub_memory_trim (void);

#endif
