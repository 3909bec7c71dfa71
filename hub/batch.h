/* SPDX-License-Identifier: MPL-2.0 */
/*  batch: a worker's batch of report parts, in one transaction if that goes
    well, else each in one of its own; and what the batch learns of the database
    on its way, so that nobody waits for what others have waited for in vain.
    Belongs to one intake.  */

#ifndef HUB_BATCH_H
#define HUB_BATCH_H

#include "hub/closing.h"
#include "hub/intake.h"
#include "hub/writer.h"

typedef struct
{
    const hub_intake_options_t *options; /* borrowed */
    hub_writer_t writer;
    hub_closing_t closing; /* uses 'writer' */
    /*  Of the last transaction: it could not begin, for there is no
        connection to be had.  */
    bool no_begin;
    /*  How many jobs of this batch have waited in vain, and what the others are
        told without a try, or SH_OK.  */
    int vain;
    sh_err_t all;
} hub_batch_t;

/*  All zero to begin with; it must stay where it is then.  */
void hub_batch_init (hub_batch_t *self, const hub_intake_options_t *options);

/*  Another batch: forget what the last one learned.  */
void hub_batch_reset (hub_batch_t *self);

/*  Take parts that were opened without a fault through the database: afterwards
    'rc' of each says what became of it.  */
void hub_batch_take (hub_batch_t *self, hub_part_t **parts, size_t count);

/*  Begin a transaction, for questions too.  The store's errors.  */
sh_err_t hub_batch_begin (hub_batch_t *self) SH_MUST_CHECK;

/*  Will 'rc', which became of a job that began at 'begun' (mono ms), happen to
    the others of the batch as well?  Then 'all' is set.  */
void hub_batch_learn (hub_batch_t *self, sh_err_t rc, int64_t begun);

/*  Does the error end the transaction, rather than only one part?  */
bool hub_batch_ends (sh_err_t rc);

#endif
