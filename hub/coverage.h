/* SPDX-License-Identifier: MPL-2.0 */
/*  What became of each subnet's reports since the hub's start: the last
    verdict, and when its last scans began that were written.  Filled by the
    workers, read by 'scanhubctl status' and /metrics.  Bounded: a full one
    forgets the subnet whose last verdict is oldest.  Thread-safe.  */

#ifndef HUB_COVERAGE_H
#define HUB_COVERAGE_H

#include "hub/principal.h"
#include "scanner-proto/message.h"

#define HUB_COVERAGE_MOST 65536

typedef struct
{
    uint64_t subnet;
    char scanner[HUB_NAME_MOST + 1]; /* whose the last verdict was */
    int64_t reported;                /* epoch ms of that */
    sp_result_t result;
    sh_err_t cause;
    int64_t checked, discovered; /* epoch ms by the hub's clock: the begin of
                                    the last scan that was written to its end;
                                    0: none */
} hub_subnet_state_t;

typedef struct hub_coverage hub_coverage_t;

sh_err_t hub_coverage_new (hub_coverage_t **out, size_t most) SH_MUST_CHECK;
void hub_coverage_destroy (hub_coverage_t **self_p);

/*  A part of 'report' has a verdict; 'who' sent it.  */
void hub_coverage_report (hub_coverage_t *self, const hub_principal_t *who,
                          const sp_report_t *report, uint64_t subnet,
                          sp_result_t result, sh_err_t cause, int64_t now);

/*  False: nothing is known of it.  */
bool hub_coverage_find (hub_coverage_t *self, uint64_t subnet,
                        hub_subnet_state_t *out);

#endif
