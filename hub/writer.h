/* SPDX-License-Identifier: MPL-2.0 */
/*  What a report part changes: planned from the rows that there are, and
    applied, inside a transaction that others begin and end, while its subnet is
    locked and its sender authorised.  Belongs to one intake.  */

#ifndef HUB_WRITER_H
#define HUB_WRITER_H

#include "hub/part.h"
#include "hub/store.h"
#include "hub/unfinished.h"

typedef struct
{
    hub_store_t *store;      /* all borrowed */
    hub_live_t *live;
    const sh_clock_t *clock;
    hub_previews_t *previews;
    int64_t begun;           /* epoch seconds; the two below were empty then */
    bool keeps_deltas;       /* a journal wants to know what was changed */
    hub_unfinished_t noted;  /* reports whose hosts were kept for preview */
    hub_unfinished_t spared; /* and of which hosts kept an older lastSeen */
} hub_writer_t;

/*  What the rules are told of a part: what is in it, and what of the settings
    counts now.  It borrows from the part.  */
hub_facts_t hub_writer_facts (const hub_writer_t *self,
                              const hub_part_t *part);

/*  Plan part->changes for part->rows.  SH_E_MEMORY.  */
sh_err_t hub_writer_plan (hub_writer_t *self, hub_part_t *part) SH_MUST_CHECK;

/*  Write part->changes, but for what the table does not take; nothing of a part
    under preview.  SH_E_MEMORY, or the store's.  */
sh_err_t hub_writer_apply (hub_writer_t *self, hub_part_t *part)
    SH_MUST_CHECK;

/*  All of that for a part with hosts: read the rows they have, plan, hold what
    is to be held, apply.  For closing parts see hub/closing.h.  SH_E_MEMORY, a
    host's fault, or the store's.  */
sh_err_t hub_writer_take_hosts (hub_writer_t *self, hub_part_t *part)
    SH_MUST_CHECK;

/*  After COMMIT: remember what the rows do not say of a report's hosts.  */
void hub_writer_note (hub_writer_t *self, const hub_part_t *part);

#endif
