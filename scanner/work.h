/* SPDX-License-Identifier: MPL-2.0 */
/*  One scan under way, from the decision to make it until the hub has applied
    its report:

        asking     for the addresses that phpIPAM knows
        probing
        naming     looking up the names of those that answered
        reporting  the report is in the outbox

    The owner moves it on; this is what it holds meanwhile.  */

#ifndef SC_WORK_H
#define SC_WORK_H

#include "scanner/link.h"
#include "scanner/names.h"
#include "scanner/order.h"
#include "scanner/scan.h"

typedef enum
{
    SC_WORK_ASKING,
    SC_WORK_PROBING,
    SC_WORK_NAMING,
    SC_WORK_REPORTING
} sc_work_state_t;

/*  What a scan needs; borrowed.  */
typedef struct
{
    const sc_config_t *config; /* are names wanted, and in which form? */
    const sc_engine_t *engine;
    sc_prober_t *prober;
    sc_link_t *link; /* which watches the probe's descriptor */
    const sh_clock_t *clock;
} sc_tools_t;

typedef struct
{
    sc_work_state_t state;
    const sc_tools_t *tools;
    sc_scan_t *scan;
    bool ordered;
    uint8_t order[SP_ORDER_ID]; /* if ordered */
    int64_t begin; /* mono ms: when probing began; before: asking */
    int64_t until; /* mono ms: patience with the hub, while reporting */
    uint64_t ticket; /* in the outbox, while reporting; 0: none */
    bool durable;    /* and it is there on disk */
    int64_t took;    /* ms that probing took */
    /*  While probing.  */
    sc_probe_t *probe;
    sh_held_clock_t held; /* of all times of the scan */
    int64_t started;      /* wall ms */
    /*  And after.  */
    int64_t finished; /* wall ms */
    sc_result_t result;
    sc_names_t *names;
    char note[256]; /* "" or why names may be missing */
} sc_work_t;

/*  A scan of 'subnet' (copied).  SH_E_MEMORY.  */
sh_err_t sc_work_new (sc_work_t **out, const sc_tools_t *tools,
                      const sc_subnet_t *subnet, int kind, const char *code)
    SH_MUST_CHECK;

/*  Ends the probe, if there is one.  */
void sc_work_destroy (sc_work_t **self_p);

/*  Plan the scan and begin to probe.  An error means that there was no scan
    at all.  */
sh_err_t sc_work_probe (sc_work_t *self, sh_why_t *why) SH_MUST_CHECK;

/*  While probing or naming: do what is due.  True: it is over, and the scan
    has its report, or '*rc' says why not (SH_E_MEMORY).  */
bool sc_work_step (sc_work_t *self, sh_err_t *rc);

/*  ms until a step is due in any case; -1: never.  */
int sc_work_timeout (const sc_work_t *self);

void sc_work_progress (const sc_work_t *self, sc_progress_t *out);

/*  The clock's epoch that the report's times are of, for the outbox.  */
int64_t sc_work_epoch (const sc_work_t *self);

#endif
