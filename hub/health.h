/* SPDX-License-Identifier: MPL-2.0 */
/*  Is it working, and if not, why?  Judges what the hub knows of one scanner,
    of one subnet and of itself, so that 'scanhubctl status', /metrics and
    doctor cannot disagree.  Pure.  */

#ifndef HUB_HEALTH_H
#define HUB_HEALTH_H

#include "hub/assignments.h"
#include "hub/coverage.h"
#include "hub/roster.h"
#include "hub/silence.h"
#include "lib/findings.h"

#define HUB_HEALTH_TEXT 512
#define HUB_AWAY_MS (15 * 60 * 1000)  /* a scanner away that long is missed */
#define HUB_RECENT_MS (60 * 60 * 1000) /* trouble that long ago is over */
#define HUB_SKEW_MS 60000 /* a clock that far off is worth a word */

typedef struct
{
    sh_grade_t grade;
    const char *state;          /* one word for programs; static */
    char text[HUB_HEALTH_TEXT]; /* what to do; "" if there is nothing */
} hub_health_t;

typedef struct
{
    int64_t started; /* epoch ms of the hub's start */
    int64_t now;     /* epoch ms */
    int64_t mono;
} hub_health_times_t;

/*  States: connected, shim (fine, without a session of its own), away, never,
    missing, refused, clone, skewed, backlog.  */
void hub_health_scanner (hub_health_t *out, const hub_scanner_state_t *state,
                         const hub_health_times_t *times);

/*  When its next scan is due, epoch ms; 0: never, or it is not known.  */
int64_t hub_health_due (const hub_assignment_t *one,
                        const hub_subnet_state_t *state);

/*  'unsent' is what hub_assignments_unsent says, 'state' NULL without a report
    since the start.  States: scanned, waiting (no report yet, and none is
    late), paused, unsent, late, refused.  */
void hub_health_subnet (hub_health_t *out, const hub_assignment_t *one,
                        sh_err_t unsent, const hub_subnet_state_t *state,
                        const hub_health_times_t *times);

/*  Is a subnet of a scanner's kind, be it that its agent is gone; not of
    phpIPAM's own?  */
bool hub_health_is_ours (const hub_assignments_t *all,
                         const hub_assignment_t *one);

/*  How many subnets an agent ('all' may be NULL) has to scan, and how many of
    them have host checks on in phpIPAM.  */
size_t hub_health_subnets_of (const hub_assignments_t *all, uint64_t agent,
                              size_t *checked);

/*  When phpIPAM's clean-up has deleted the last of the addresses of an agent
    that stays silent, epoch s; 0: it never had any access.  */
int64_t hub_health_deleted_by (const hub_last_access_t *agent);
bool hub_health_is_silent (const hub_last_access_t *agent, int64_t now_s);

#endif
