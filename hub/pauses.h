/* SPDX-License-Identifier: MPL-2.0 */
/*  Which subnets, and which agents with all of theirs, are not scanned for now.
    Kept in a file, so that a restart of the hub does not end a pause; each
    change is on disk before it counts.  The file is text, a line for each:

        scanhub-pauses 1
        subnet 7 until 1790000000000
        agent 2 until -

    with ids of phpIPAM's and times in epoch ms.  Thread-safe.  */

#ifndef HUB_PAUSES_H
#define HUB_PAUSES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define HUB_PAUSES_MOST 4096
#define HUB_PAUSE_NO_END INT64_MAX

typedef enum
{
    HUB_PAUSE_AGENT,
    HUB_PAUSE_SUBNET
} hub_pause_kind_t;

typedef struct
{
    hub_pause_kind_t kind;
    uint64_t id;   /* scanAgents.id or subnets.id */
    int64_t until; /* epoch ms, or NO_END */
} hub_pause_t;

typedef struct hub_pauses hub_pauses_t;

/*  Read the file, of which none is none.  One that is not as above is
    SH_E_CONFIG: the why names file and line, for what cannot be read is not to
    be lost silently.  SH_E_IO, SH_E_MEMORY.  */
sh_err_t hub_pauses_new (hub_pauses_t **out, const char *path, sh_why_t *why)
    SH_MUST_CHECK;
void hub_pauses_destroy (hub_pauses_t **self_p);

/*  Pause, or give a pause another end.  Those whose end is before 'now' (epoch
    ms) are left out of the file.  SH_E_TOO_LARGE: there are too many, or its
    end is after SP_TIME_MOST_MS; SH_E_IO, SH_E_MEMORY: nothing has changed.  */
sh_err_t hub_pauses_put (hub_pauses_t *self, const hub_pause_t *one,
                         int64_t now, sh_why_t *why) SH_MUST_CHECK;

/*  End a pause.  '*was': there was one.  Errors as above.  */
sh_err_t hub_pauses_end (hub_pauses_t *self, hub_pause_kind_t kind,
                         uint64_t id, int64_t now, bool *was, sh_why_t *why)
    SH_MUST_CHECK;

/*  Until when is a subnet of an agent paused, by itself or with all of the
    agent's, whichever is longer: 0 if it is not, NO_END.  */
int64_t hub_pauses_of (hub_pauses_t *self, uint64_t subnet, uint64_t agent,
                       int64_t now);

/*  Those in force, agents first; how many.  'out' has room for 'most'.  */
size_t hub_pauses_list (hub_pauses_t *self, hub_pause_t *out, size_t most,
                        int64_t now);

#endif
