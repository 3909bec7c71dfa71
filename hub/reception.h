/* SPDX-License-Identifier: MPL-2.0 */
/*  reception: a scanner says hello.  Its session is opened or taken over, and
    it is welcomed and told what the hub has to say.  Belongs to the router's
    thread.  */

#ifndef HUB_RECEPTION_H
#define HUB_RECEPTION_H

#include "hub/foreman.h"
#include "hub/keychange.h"
#include "hub/letter.h"
#include "hub/live.h"
#include "hub/registry.h"

typedef struct
{
    const hub_speech_t *speech; /* all borrowed */
    const hub_foreman_t *foreman;
    hub_keychange_t *key;
    hub_registry_t *registry;
    hub_live_t *live;
    const sh_clock_t *clock;
} hub_reception_t;

/*  The letter is a hello of a key that is in force.  */
void hub_reception_greet (const hub_reception_t *self,
                          const hub_letter_t *letter);

#endif
