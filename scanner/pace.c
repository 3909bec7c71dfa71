/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/pace.h"

#define SECOND INT64_C (1000000000)
#define CATCH_UP (SECOND / 100)

/*  Rounded so that the pace is never above the rate.  */
static int64_t
s_interval (const sc_pace_t *self)
{
    return (SECOND + self->rate - 1) / self->rate;
}

/*  How far back a time may lie: at a slow pace not at all, or one that came
    late would be followed by another at once.  */
static int64_t
s_slack (const sc_pace_t *self)
{
    return s_interval (self) < CATCH_UP ? CATCH_UP : 0;
}

void
sc_pace_set (sc_pace_t *self, uint32_t rate, int64_t now)
{
    self->rate = rate == 0 ? 1 : rate > SC_PACE_MOST ? SC_PACE_MOST : rate;
    self->edition++;
    self->next = now;
}

/*  xorshift: good enough to keep probes from a beat.  */
static int64_t
s_jitter (sc_pace_t *self)
{
    uint64_t x = self->chance ? self->chance : 88172645463325252u;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    self->chance = x;
    return (int64_t) (x % (uint64_t) (s_interval (self) / 2 + 1));
}

static void
s_give (sc_pace_t *self, sc_slot_t *slot, int64_t now)
{
    int64_t earliest = now - s_slack (self);
    int64_t at = self->next > earliest ? self->next : earliest;
    self->next = at + s_interval (self);
    *slot = (sc_slot_t){ .at = at + s_jitter (self),
                         .given = at,
                         .edition = self->edition,
                         .held = true };
}

/*  One that was given for a time long gone must not be used now, together with
    those of all others that stood still as long.  */
static bool
s_is_void (const sc_pace_t *self, const sc_slot_t *slot, int64_t now)
{
    return !slot->held || slot->edition != self->edition
           || slot->given < now - CATCH_UP - s_interval (self);
}

int64_t
sc_pace_due (sc_pace_t *self, sc_slot_t *slot, int64_t now)
{
    if (s_is_void (self, slot, now))
        s_give (self, slot, now);
    return slot->at;
}

bool
sc_pace_take (sc_pace_t *self, sc_slot_t *slot, int64_t now)
{
    if (sc_pace_due (self, slot, now) > now)
        return false;
    slot->held = false;
    return true;
}
