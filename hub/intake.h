/* SPDX-License-Identifier: MPL-2.0 */
/*  intake: the one road from report bytes to changed rows.

    Every door ends here.  The caller has authenticated the peer; intake
    decodes a batch of waiting jobs, has hub/batch.h authorise, plan and apply
    the report parts among them, and answers each after the COMMIT.  */

#ifndef HUB_INTAKE_H
#define HUB_INTAKE_H

#include "hub/job.h"
#include "hub/journal.h"
#include "hub/live.h"
#include "hub/previews.h"
#include "hub/store.h"

typedef struct hub_intake hub_intake_t;

/*  May the principal speak for the code, now?  Asked when its report is
    looked at and once more right before COMMIT, for a key may be revoked in
    between.  SH_E_KEY_UNKNOWN, SH_E_CODE_DENIED, SH_E_CODE_HAS_KEY.  */
typedef sh_err_t (hub_intake_allows_fn) (void *context,
                                         const hub_principal_t *who,
                                         const char *code);

typedef struct
{
    hub_store_t *store; /* used by this intake only */
    hub_live_t *live;   /* settings that a reload may change */
    hub_journal_t *journal; /* borrowed; NULL: none is kept */
    hub_previews_t *previews; /* what is not written goes there */
    const sh_clock_t *clock;
    hub_intake_allows_fn *allows;
    void *allows_context;
    bool (*ended) (void *allows_context); /* the hub is stopping; or NULL */
} hub_intake_options_t;

bool hub_intake_ended (const hub_intake_options_t *options);

sh_err_t hub_intake_new (hub_intake_t **out,
                         const hub_intake_options_t *options) SH_MUST_CHECK;
void hub_intake_destroy (hub_intake_t **self_p);

#define HUB_BATCH_MOST 16

/*  Answer 1 to HUB_BATCH_MOST jobs: each gets its 'answer' in every case
    (but for HUB_JOB_TOUCH), unless memory ran out.  The jobs stay the
    caller's.  */
void hub_intake_batch (hub_intake_t *self, hub_job_t **jobs, size_t count);

/*  What nobody waits for, when the answers are on their way: last_access of the
    agents that showed life, and new hosts in phpIPAM's logs.  */
void hub_intake_after (hub_intake_t *self);

#endif
