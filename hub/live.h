/* SPDX-License-Identifier: MPL-2.0 */
/*  What the hub's threads share: the settings that a reload swaps while they
    work, the newest plan of assignments, and what is known of the hub's work
    (counters, meters, roster, coverage, silence).  Thread-safe.  */

#ifndef HUB_LIVE_H
#define HUB_LIVE_H

#include "hub/assignments.h"
#include "hub/coverage.h"
#include "hub/meters.h"
#include "hub/policy.h"
#include "hub/principal.h"
#include "hub/roster.h"
#include "hub/silence.h"
#include "lib/walltime.h"

typedef enum
{
    HUB_COUNT_PARTS_APPLIED,
    HUB_COUNT_PARTS_REFUSED,
    HUB_COUNT_PARTS_RETRY,
    HUB_COUNT_PARTS_NOTED,
    HUB_COUNT_ROWS_SEEN,
    HUB_COUNT_ROWS_ADDED,
    HUB_COUNT_ROWS_NAMED,
    HUB_COUNT_ROWS_MACS,
    HUB_COUNT_ROWS_TAGGED,
    HUB_COUNT_ROWS_HELD,
    HUB_COUNT_HOSTS_REFUSED,
    HUB_COUNT_NAMES_DROPPED,
    HUB_COUNT_MACS_DROPPED,
    HUB_COUNT_MACS_DIFFER,
    HUB_COUNT_MESSAGES_BAD,
    HUB_COUNT_DUPLICATES,
    HUB_COUNT_CLONES,
    HUB_COUNT_COUNT
} hub_count_t;

typedef enum
{
    HUB_ZONE_AUTO, /* ask the database session each time */
    HUB_ZONE_UTC,
    HUB_ZONE_LOCAL /* the process's, which main has set */
} hub_zone_mode_t;

typedef struct hub_live hub_live_t;

sh_err_t hub_live_new (hub_live_t **out, hub_zone_mode_t zone) SH_MUST_CHECK;
void hub_live_destroy (hub_live_t **self_p);

/*  Swap the policies in; they become the live's ('*policies_p' is NULLed).  */
void hub_live_set_policies (hub_live_t *self, hub_policies_t **policies_p);
hub_policy_t hub_live_policy (hub_live_t *self, const char *agent,
                              uint64_t subnet);

/*  phpIPAM's zone, given the database session's offset.  */
sh_zone_t hub_live_zone (const hub_live_t *self, int db_offset, int64_t now);

/*  Are new hosts told in phpIPAM's logs (phpipam_log: events)?  */
void hub_live_set_events (hub_live_t *self, bool on);
bool hub_live_events (hub_live_t *self);

/*  The list of pauses, borrowed; before there are other threads.  */
void hub_live_set_pauses (hub_live_t *self, hub_pauses_t *pauses);

/*  Swap the settings of scans in, as above.  They count from the next 'plan' or
    'renew' on.  */
void hub_live_set_scan (hub_live_t *self, hub_scan_settings_t **settings_p);

#define HUB_STRANGERS_TEXT 1024

/*  Whom those settings name and phpIPAM does not have, see hub/remarks.h; "" if
    that is not known yet.  */
void hub_live_strangers (hub_live_t *self,
                         char out[static HUB_STRANGERS_TEXT]);

/*  Make assignments of a plan, which is taken over, or anew of the plan that
    they were made of last; they become the newest if they differ, and what
    is remarkable about them is logged.  Without memory all stays as it was.
    'now' (epoch ms) decides which pauses are over.  */
void hub_live_plan (hub_live_t *self, hub_plan_t **plan_p, int64_t now);
void hub_live_renew (hub_live_t *self, int64_t now);

/*  The newest assignments; NULL before the first.  The caller releases what
    it gets by hub_assignments_release.  */
hub_assignments_t *hub_live_assignments (hub_live_t *self);

/*  The revision of a principal's assignments; false while there is none:
    nothing read yet, several codes, or no such agent.  */
bool hub_live_revision (hub_live_t *self, const hub_principal_t *who,
                        uint8_t out[static SP_REVISION]);

/*  The encoded page of assignments that a principal asks for, for the code
    'wanted' (NULL: its own).  '*frame' is malloc'ed.  Errors: those of
    hub_principal_code, hub_assignments_agent, and SH_E_NOT_READY.  */
sh_err_t hub_live_page (hub_live_t *self, const hub_principal_t *who,
                        const char *wanted, uint64_t after, uint8_t **frame,
                        size_t *size) SH_MUST_CHECK;

/*  What the watcher knows of the database: is it in reach, and if not,
    why.  */
void hub_live_set_database (hub_live_t *self, bool up, const char *text);
/*  What keeps reports from being written, although the watcher may read: told
    by 'who' (an address, nothing more), until 'until' (mono ms) or until the
    same one tells NULL.  The newest trouble counts.  */
void hub_live_set_trouble (hub_live_t *self, const void *who,
                           const char *text, int64_t until);
/*  Can reports be written, as far as is known; 'text' says what the database
    is, or why not.  'now' is mono ms.  */
bool hub_live_database (hub_live_t *self, int64_t now, char *text,
                        size_t size);

/*  The same, and phpIPAM's subnets have been read: what ping and /readyz
    say.  */
bool hub_live_ready (hub_live_t *self, int64_t now, char *text, size_t size);

void hub_live_count (hub_live_t *self, hub_count_t which, uint64_t more);
uint64_t hub_live_counted (hub_live_t *self, hub_count_t which);
const char *hub_count_word (hub_count_t which);

/*  Of the live; each locks for itself.  */
hub_meters_t *hub_live_meters (hub_live_t *self);
hub_roster_t *hub_live_roster (hub_live_t *self);
hub_coverage_t *hub_live_coverage (hub_live_t *self);
hub_silence_t *hub_live_silence (hub_live_t *self);

/*  What became of a report part.  */
typedef struct
{
    const hub_principal_t *who;
    const char *code;          /* that it speaks for; NULL: not known */
    const sp_report_t *report; /* NULL: it was not understood */
    uint64_t subnet;           /* 0: not known */
    sp_result_t result;
    sh_err_t cause; /* SH_OK if it was applied */
} hub_outcome_t;

/*  Put it into meters, roster and coverage.  Only what phpIPAM knows is
    remembered, a subnet of the sender's and a code of an agent, so that nobody
    fills them with inventions.  'now' is epoch ms, 'mono' the other clock.  */
void hub_live_outcome (hub_live_t *self, const hub_outcome_t *outcome,
                       int64_t now, int64_t mono);

#endif
