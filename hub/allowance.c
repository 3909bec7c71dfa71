/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/allowance.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

#define WAYS 4 /* places where a name may stand */
#define NAME_MOST 64

typedef struct
{
    char name[NAME_MOST + 1];
    int64_t used;  /* last */
    int64_t since; /* up to when 'left' is counted */
    unsigned left;
} bucket_t;

struct hub_allowance
{
    size_t sets;
    unsigned burst;
    int64_t refill_ms;
    bucket_t *buckets; /* WAYS for each set */
};

sh_err_t
hub_allowance_new (hub_allowance_t **out, size_t most, unsigned burst,
                   int64_t refill_ms)
{
    assert (out && most > 0 && burst > 0 && refill_ms > 0);
    hub_allowance_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->sets = (most + WAYS - 1) / WAYS;
    self->burst = burst;
    self->refill_ms = refill_ms;
    self->buckets = calloc (self->sets * WAYS, sizeof *self->buckets);
    if (!self->buckets) {
        hub_allowance_destroy (&self);
        return SH_E_MEMORY;
    }
    *out = self;
    return SH_OK;
}

void
hub_allowance_destroy (hub_allowance_t **self_p)
{
    if (*self_p) {
        free ((*self_p)->buckets);
        free (*self_p);
        *self_p = NULL;
    }
}

static size_t
s_hash (const char *name)
{
    uint64_t hash = sh_hash (SH_HASH, name, strlen (name));
    return (size_t) (hash ^ (hash >> 32));
}

/*  The name's bucket, or the one of its set that was used longest ago.  */
static bucket_t *
s_find (hub_allowance_t *self, const char *name, int64_t now)
{
    bucket_t *set = &self->buckets[s_hash (name) % self->sets * WAYS];
    bucket_t *oldest = set;
    for (bucket_t *one = set; one < set + WAYS; one++) {
        if (strncmp (one->name, name, NAME_MOST) == 0)
            return one;
        if (one->used < oldest->used)
            oldest = one;
    }
    *oldest = (bucket_t){ .since = now, .left = self->burst };
    snprintf (oldest->name, sizeof oldest->name, "%s", name);
    return oldest;
}

bool
hub_allowance_take (hub_allowance_t *self, const char *name, int64_t now)
{
    assert (self && name);
    bucket_t *bucket = s_find (self, name, now);
    bucket->used = now;
    int64_t more = (now - bucket->since) / self->refill_ms;
    if (more > 0) {
        bucket->since += more * self->refill_ms;
        bucket->left = more >= self->burst - bucket->left
                           ? self->burst
                           : bucket->left + (unsigned) more;
    }
    if (bucket->left == 0)
        return false;
    bucket->left--;
    return true;
}
