/* SPDX-License-Identifier: MPL-2.0 */
/*  When phpIPAM's scan agents were last alive, by scanAgents.last_access.  The
    assignments do not have it, for a picture of them must not change with
    every minute.  Filled by the watcher at each look; thread-safe.

    It matters because phpIPAM's remove_offline_addresses.php deletes every
    address of a subnet with host checks that was not seen for seven days,
    whether anybody looked for it or not.  */

#ifndef HUB_SILENCE_H
#define HUB_SILENCE_H

#include "hub/rows.h"

#define HUB_SILENT_S 86400          /* an agent that long is silent */
#define HUB_CLEANED_S (7 * 86400)   /* phpIPAM's removed_addresses_timelimit */
#define HUB_SILENCE_NAME 129        /* bytes of scanAgents.name and a NUL */

typedef struct
{
    uint64_t agent; /* scanAgents.id */
    char name[HUB_SILENCE_NAME];
    int64_t last_access; /* epoch s; 0: never */
} hub_last_access_t;

typedef struct hub_silence hub_silence_t;

sh_err_t hub_silence_new (hub_silence_t **out) SH_MUST_CHECK;
void hub_silence_destroy (hub_silence_t **self_p);

/*  What a look at phpIPAM has found; 'zone' is that of its times.  Agents that
    cannot be asked for (no code, or of phpIPAM's own type) are left out.
    Without memory the last look's stay.  */
void hub_silence_note (hub_silence_t *self, const hub_plan_t *plan,
                       sh_zone_t zone);

/*  A copy, ascending by id, malloc'ed; how many.  0 with '*out' NULL if there
    are none, or no memory.  */
size_t hub_silence_list (hub_silence_t *self, hub_last_access_t **out);

#endif
