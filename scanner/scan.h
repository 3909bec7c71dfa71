/* SPDX-License-Identifier: MPL-2.0 */
/*  One scan of one subnet, from the assignment to the report: which addresses
    are to be probed, and what the hub is told about them.  Pure: what runs
    the engine and talks to the hub is elsewhere.

        new - add (every known address), or use - plan - [probe, names] -
        finish - report  */

#ifndef SC_SCAN_H
#define SC_SCAN_H

#include "scanner/plan.h"
#include "scanner/prober.h"

#define SC_SWEEP_MOST 65536       /* addresses of a prefix that is swept */
#define SC_TARGETS_MOST (1 << 20) /* known addresses of one subnet */
#define SC_STRAYS_MOST 1024       /* of these, outside of its network */

typedef struct sc_scan sc_scan_t;

/*  'subnet' is copied; 'kind' is sp_kind_t, one that it has; 'code' (may be
    NULL) is borrowed.  SH_E_MEMORY.  */
sh_err_t sc_scan_new (sc_scan_t **out, const sc_subnet_t *subnet, int kind,
                      const char *code) SH_MUST_CHECK;
void sc_scan_destroy (sc_scan_t **self_p);

/*  A known address, in ascending order (SH_E_BAD_MESSAGE).  phpIPAM may hold
    some outside of the subnet, from before it was resized; they are left out,
    and more than SC_STRAYS_MOST are SH_E_BAD_MESSAGE.  SH_E_TOO_LARGE,
    SH_E_MEMORY.  */
sh_err_t sc_scan_add (sc_scan_t *self, const sp_target_t *target,
                      sh_why_t *why) SH_MUST_CHECK;

/*  Instead of adding: what was known when the hub was asked last.
    SH_E_MEMORY.  */
sh_err_t sc_scan_use (sc_scan_t *self, const sc_known_t *known) SH_MUST_CHECK;

/*  After planning: hand the known addresses over, for a later use.  */
void sc_scan_remember (sc_scan_t *self, sc_known_t *known);

/*  The last address that was added, for the next question; size 0: none.  */
sh_bytes_t sc_scan_last (const sc_scan_t *self);

/*  Decide what to probe.  A discovery: everything in the prefix but network and
    broadcast (unless it is a pool).  A check, or a prefix of more than
    SC_SWEEP_MOST addresses: the known ones, and of IPv6 the link's neighbours.
    Never what is excluded in phpIPAM or skipped by the hub's file.  */
sh_err_t sc_scan_plan (sc_scan_t *self) SH_MUST_CHECK;

/*  Its own copy of the assignment, without known addresses; borrowed.  */
const sc_subnet_t *sc_scan_subnet (const sc_scan_t *self);

/*  What an engine is to do; borrowed.  There may be no addresses in it.  */
const sc_job_t *sc_scan_job (const sc_scan_t *self);

/*  "" or a sentence on what was planned otherwise than assigned and, after
    sc_scan_finish, on answers that a complete scan left out.  */
const char *sc_scan_note (const sc_scan_t *self);

/*  Take the result over (it is left empty) and make the report.  Times in ms
    since the epoch.  A result that is not complete covers nothing; what it
    missed is not covered.  */
sh_err_t sc_scan_finish (sc_scan_t *self, sc_result_t *result,
                         int64_t started, int64_t finished) SH_MUST_CHECK;

/*  Borrowed; valid after sc_scan_finish until the scan is destroyed.  */
const sp_report_t *sc_scan_report (const sc_scan_t *self);

/*  Why it is not complete, or why addresses were missed; or NULL.  */
const char *sc_scan_trouble (const sc_scan_t *self);

/*  The kind that was wanted, sp_kind_t; the report's may be another one, where
    a prefix is too large to be swept.  */
int sc_scan_kind (const sc_scan_t *self);

/*  The network in text.  */
const char *sc_scan_cidr (const sc_scan_t *self);

#endif
