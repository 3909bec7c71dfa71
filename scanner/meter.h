/* SPDX-License-Identifier: MPL-2.0 */
/*  How often something happened in the last second.  Times are ns.  */

#ifndef SC_METER_H
#define SC_METER_H

#include <stdint.h>

#define SC_METER_TENTH INT64_C (100000000)
#define SC_METER_TENTHS 10

typedef struct
{
    struct
    {
        int64_t tenth; /* of a second, since the clock began */
        uint32_t count;
    } tenths[SC_METER_TENTHS];
} sc_meter_t;

static inline void
sc_meter_count (sc_meter_t *self, int64_t now)
{
    int64_t tenth = now / SC_METER_TENTH;
    int64_t place = tenth % SC_METER_TENTHS;
    if (self->tenths[place].tenth != tenth) {
        self->tenths[place].tenth = tenth;
        self->tenths[place].count = 0;
    }
    self->tenths[place].count++;
}

static inline uint64_t
sc_meter_read (const sc_meter_t *self, int64_t now)
{
    uint64_t sum = 0;
    for (int i = 0; i < SC_METER_TENTHS; i++)
        if (self->tenths[i].tenth > now / SC_METER_TENTH - SC_METER_TENTHS)
            sum += self->tenths[i].count;
    return sum;
}

#endif
