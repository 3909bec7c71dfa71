/* SPDX-License-Identifier: MPL-2.0 */
/*  What scanners are told of their assignments: pages of them, when they have
    asked, and that they changed, when they have not.  Belongs to the router's
    thread.  */

#ifndef HUB_NOTICES_H
#define HUB_NOTICES_H

#include "hub/live.h"
#include "hub/registry.h"
#include "hub/speech.h"

typedef struct
{
    const hub_speech_t *speech;
    hub_registry_t *registry;
    hub_live_t *live;
} hub_notices_t;

/*  Answer the sessions that have waited for a page since before 'until' (mono
    ms).  */
void hub_notices_answer_waiting (const hub_notices_t *self, int64_t until);

/*  What the hub says of its next key: NULL, that there is none.  */
void hub_notices_push_hub_key (const hub_notices_t *self, const char *next,
                               int64_t at, unsigned generation);

/*  Tell every session whose assignments are others than it was told last.  */
void hub_notices_push_revisions (const hub_notices_t *self);

#endif
