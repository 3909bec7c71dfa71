/* SPDX-License-Identifier: MPL-2.0 */
/*  sweep: sessions that the hub ends, because their key was revoked or their
    scanner fell silent.  Belongs to the router's thread.  */

#ifndef HUB_SWEEP_H
#define HUB_SWEEP_H

#include "hub/live.h"
#include "hub/registry.h"
#include "hub/speech.h"
#include "lib/clock.h"

typedef struct
{
    const hub_speech_t *speech; /* all borrowed */
    hub_registry_t *registry;
    hub_live_t *live;
    const sh_clock_t *clock;
    unsigned generation; /* of the registry, when sessions were checked */
} hub_sweep_t;

/*  When the registry has changed: of keys that were revoked, at once and not
    with their next message.  */
void hub_sweep_revoked (hub_sweep_t *self);

/*  Once a second, at 'now' (mono ms).  The roster learns who is there.  */
void hub_sweep_silent (hub_sweep_t *self, int64_t now);

#endif
