/* SPDX-License-Identifier: MPL-2.0 */
/*  What a scanner knows by its hub, for whoever looks after it: told by the
    service that runs here, over its control socket, or asked from the hub where
    none runs.  A second session with the key would end the service's.  */

#ifndef SC_FACTS_H
#define SC_FACTS_H

#include "scanner/config.h"
#include "scanner/plan.h"

#define SC_FACTS_REQUEST "facts" /* on the control socket */
#define SC_FACTS_SUBNETS 2000    /* that are told; an answer has an end */

typedef struct
{
    bool connected;
    char hub[128];    /* the endpoint */
    char why[256];    /* if not connected */
    int64_t offset;   /* ms: the hub's clock minus ours */
    uint64_t waiting; /* reports */
    sc_plan_t plan;   /* of each subnet what there is to know of names, and
                         its network */
    size_t more;      /* subnets that were left out */
} sc_facts_t;

void sc_facts_clear (sc_facts_t *self);

/*  Write them as the answer to the request: "ok " and a JSON document in one
    line.  'plan' stands for the facts' own.  */
void sc_facts_write (const sc_facts_t *self, const sc_plan_t *plan,
                     char *answer, size_t size);

/*  Read such an answer.  SH_E_SYNTAX, SH_E_MEMORY; the caller clears 'out' in
    every case.  */
sh_err_t sc_facts_read (sc_facts_t *out, const char *answer) SH_MUST_CHECK;

/*  Ask the service.  The errors of sh_control_ask, SH_E_SYNTAX for an answer
    of another version.  */
sh_err_t sc_facts_of_service (sc_facts_t *out, const sc_config_t *config,
                              sh_why_t *why) SH_MUST_CHECK;

/*  Ask the hub, in a session of our own, for 15 seconds at most.
    sh_signals_block must have been called.  */
sh_err_t sc_facts_of_hub (sc_facts_t *out, const sc_config_t *config,
                          const sh_clock_t *clock, sh_why_t *why)
    SH_MUST_CHECK;

#endif
