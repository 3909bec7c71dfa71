/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/ceiling.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB (1024 * 1024)
#ifdef __SANITIZE_ADDRESS__ /* which keeps what was freed for a while */
#define DEFAULT_LEAST 2048
#else
#define DEFAULT_LEAST 512
#endif
#define DEFAULT_BASE 256
#define PAUSE_MS 250
#define PAUSE_DOUBLED_MOST 5 /* times: 8 s */
#define IN_A_ROW_MS 600000
#define REST_MS 60000

static uint64_t
s_default (size_t keys)
{
    uint64_t most = DEFAULT_BASE + (uint64_t) keys;
    long pages = sysconf (_SC_PHYS_PAGES), page = sysconf (_SC_PAGESIZE);
    if (most < DEFAULT_LEAST)
        most = DEFAULT_LEAST;
    if (pages > 0 && page > 0) {
        uint64_t half = (uint64_t) pages * (uint64_t) page / 2 / MIB;
        if (most > half)
            most = half;
    }
    return most;
}

void
hub_ceiling_init (hub_ceiling_t *self, uint32_t mib, size_t keys)
{
    *self = (hub_ceiling_t){ .most = (mib ? mib : s_default (keys)) * MIB };
}

bool
hub_ceiling_reached (const hub_ceiling_t *self, uint64_t memory, int64_t now)
{
    return memory > self->most && now >= self->rest;
}

int64_t
hub_ceiling_pause (hub_ceiling_t *self, int64_t now)
{
    if (now - self->last > IN_A_ROW_MS)
        self->times = 0;
    unsigned doubled = self->times < PAUSE_DOUBLED_MOST ? self->times
                                                        : PAUSE_DOUBLED_MOST;
    self->times++;
    self->last = now;
    return (int64_t) PAUSE_MS << doubled;
}

void
hub_ceiling_rest (hub_ceiling_t *self, int64_t now)
{
    self->rest = now + REST_MS;
}

uint64_t
hub_memory_used (void)
{
    char text[128];
    FILE *file = fopen ("/proc/self/statm", "re");
    if (!file)
        return 0;
    /*  The size in pages, then what is resident of it.  */
    const char *behind = fgets (text, sizeof text, file) ? strchr (text, ' ')
                                                         : NULL;
    fclose (file);
    uint64_t pages = behind ? strtoull (behind, NULL, 10) : 0;
    return pages * (uint64_t) sysconf (_SC_PAGESIZE);
}

void
hub_memory_trim (void)
{
#ifdef __GLIBC__
    malloc_trim (0);
#endif
}
