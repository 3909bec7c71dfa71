/* SPDX-License-Identifier: MPL-2.0 */
/*  The pulse: is every thread of the hub alive?  Before it does something that
    may take its time, each says until when it will have said the next thing; one
    that is over that time is stuck.  A call to the database has a time of its
    own, so a server that does not answer is no reason to end the hub.

    Main feeds systemd's watchdog by it, and /livez tells it.  Each beat belongs
    to one thread; the pulse owns them all and outlives the threads.  */

#ifndef HUB_PULSE_H
#define HUB_PULSE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/clock.h"
#include "lib/err.h"

typedef struct hub_pulse hub_pulse_t;
typedef struct hub_beat hub_beat_t;

#define HUB_BEAT_MS 30000 /* for all that is no call to somebody else */
#define HUB_PULSE_TEXT 128

sh_err_t hub_pulse_new (hub_pulse_t **out, const sh_clock_t *clock)
    SH_MUST_CHECK;
void hub_pulse_destroy (hub_pulse_t **self_p);

/*  A beat for one thread, which begins with its first word.  NULL, which all of
    these take, for a NULL pulse and where there is no room.  */
hub_beat_t *hub_pulse_join (hub_pulse_t *self, const char *name,
                            unsigned number);

/*  The thread's first word, which also names it for ps(1) and top(1).  */
void hub_beat_begin (const hub_beat_t *self);

/*  I wait for something to do, I have something to do, I call the database and
    it must have answered after 'most' ms, I end.  The thread's own; calls and
    work may follow each other in any order.  */
void hub_beat_idle (hub_beat_t *self);
void hub_beat_work (hub_beat_t *self);
void hub_beat_call (hub_beat_t *self, int64_t most);
void hub_beat_leave (hub_beat_t *self);

/*  Any thread.  Where one is stuck, 'text' says which one and what it is
    at.  */
bool hub_pulse_alive (hub_pulse_t *self, int64_t now,
                      char text[static HUB_PULSE_TEXT]);

#endif
