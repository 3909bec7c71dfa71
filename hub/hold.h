/* SPDX-License-Identifier: MPL-2.0 */
/*  What of a planned part is written and what is held, by preview and brake;
    and the keeping of what is held.  Between intake and hub/previews.h.  */

#ifndef HUB_HOLD_H
#define HUB_HOLD_H

#include "hub/part.h"

/*  After a part with hosts was planned: take out of its changes what is to be
    held, and note it in the part.  SH_E_MEMORY.  */
sh_err_t hub_hold_hosts (hub_part_t *part, const hub_facts_t *facts)
    SH_MUST_CHECK;

/*  Must the rows of its subnet be counted before a closing part is written?  */
bool hub_hold_counts (const hub_facts_t *facts);

/*  Add a slice of rows, for which the part was planned, to the count.
    SH_E_MEMORY.  */
sh_err_t hub_hold_count (hub_part_t *part, hub_place_t *place) SH_MUST_CHECK;

/*  After the count: is it to be held?  */
bool hub_hold_stops (const hub_facts_t *facts, const hub_place_t *place);

/*  After the count, or where there was nothing to count: the same for a closing
    part as hub_hold_hosts.  */
sh_err_t hub_hold_closing (hub_part_t *part, const hub_facts_t *facts,
                           const hub_place_t *place) SH_MUST_CHECK;

/*  Of a report that a person applies: leave out what was not listed, and what
    does not stand any more as it was listed, for somebody has changed it since.
    SH_E_MEMORY.  */
sh_err_t hub_hold_to_list (hub_part_t *part) SH_MUST_CHECK;
void hub_hold_sort (hub_deltas_t *listed);

/*  After COMMIT: keep what is held, and say so.  What cannot be kept must come
    again: the error, with part->why set.  */
sh_err_t hub_hold_keep (hub_part_t *part, hub_previews_t *previews)
    SH_MUST_CHECK;

#endif
