/* SPDX-License-Identifier: MPL-2.0 */
/*  What applying a held report has written, beside what the list said that it
    would.  Belongs to hub/applier.  */

#ifndef HUB_APPLIED_H
#define HUB_APPLIED_H

#include "hub/applier.h"

/*  All that was written of one entry; all zero is nothing.  */
typedef struct
{
    hub_deltas_t *lists; /* as the workers gave them */
    size_t count;
    bool lost; /* there was no memory for some of it */
} hub_applied_t;

/*  Take a list over.  */
void hub_applied_take (hub_applied_t *self, hub_deltas_t *deltas);
void hub_applied_clear (hub_applied_t *self);

/*  Compare with the lines of the entry, but for times.  SH_E_MEMORY,
    SH_E_IO.  */
sh_err_t hub_applied_compare (const hub_applied_t *self, hub_apply_t *one,
                              hub_previews_t *previews, sh_why_t *why)
    SH_MUST_CHECK;

/*  Append a line of an entry as the delta that it was; NULL: it is about a time
    or none, or '*rc' is SH_E_MEMORY.  */
hub_delta_t *hub_applied_list (hub_deltas_t *to, const hub_preview_line_t *line,
                               bool added, sh_err_t *rc);

/*  Free what a result owns.  */
void hub_applied_forget (hub_apply_t *one);

#endif
