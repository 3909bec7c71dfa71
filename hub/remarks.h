/* SPDX-License-Identifier: MPL-2.0 */
/*  What an administrator is to know of new assignments without having asked:
    a subnet whose children took its place without an agent, which phpIPAM's
    split does silently, and excluded ranges that were too many.  Each is said
    when it appears and when it changes, not with every look.  */

#ifndef HUB_REMARKS_H
#define HUB_REMARKS_H

#include "hub/assignments.h"

/*  Log what 'fresh' has and 'old' (may be NULL) had not.  */
void hub_remarks_tell (const hub_assignments_t *fresh,
                       const hub_assignments_t *old);

/*  Has it children without an agent, although phpIPAM has it scanned by one
    that comes to a hub?  */
bool hub_remarks_split (const hub_assignments_t *all,
                        const hub_assignment_t *one);

#define HUB_REMARK_TEXT 512

/*  Whom the settings name and phpIPAM does not have, as sentences with "; "
    between them: "scan: agents: 'x' is no scan agent in phpIPAM".  "" if all
    are there.  'settings' may be NULL.  */
void hub_remarks_strangers (char *out, size_t size,
                            const hub_assignments_t *all,
                            const hub_scan_settings_t *settings);

/*  How that came, and what to do.  */
void hub_remarks_split_text (char out[static HUB_REMARK_TEXT],
                             const hub_assignment_t *one);

/*  Why it is on no scanner's list, as a sentence that says what to do; 'cause'
    is what hub_assignments_unsent says.  "" for SH_OK.  */
void hub_remarks_unsent_text (char out[static HUB_REMARK_TEXT],
                              const hub_assignments_t *all,
                              const hub_assignment_t *one, sh_err_t cause);

#endif
