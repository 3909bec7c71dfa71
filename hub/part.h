/* SPDX-License-Identifier: MPL-2.0 */
/*  One report part on its way through intake: the decoded message and what
    was read and planned for it.  Belongs to intake.  */

#ifndef HUB_PART_H
#define HUB_PART_H

#include "hub/changes.h"
#include "hub/deltas.h"
#include "hub/job.h"
#include "hub/live.h"
#include "hub/previews.h"
#include "hub/unfinished.h"
#include "scanner-proto/codec.h"

typedef struct
{
    hub_job_t *job; /* borrowed */
    sp_message_t *message;
    const sp_report_t *report; /* inside 'message' */
    const char *code;          /* inside 'job' */
    uint64_t subnet_id;        /* 0 until known */

    /*  Of the transaction at hand; dropped by hub_part_reset.  */
    bool has_agent;
    hub_agent_t agent;
    hub_subnet_t subnet;
    hub_sightings_t *sightings;
    hub_rows_t *rows;
    hub_changes_t *changes;
    size_t offline;  /* rows that a closing part set to Offline */
    hub_deltas_t deltas; /* what was changed, for the journal */
    bool deltas_lost;    /* there was no memory for some of them */
    int slices;      /* of rows that were read for it, see closing.h */
    bool unfinished; /* other rows are left for when it comes again, */
    hub_place_t place; /* from here on */

    hub_held_t held; /* why some or all of it is not written */
    hub_deltas_t kept; /* what is not */
    uint64_t held_changes; /* how many changes that is, as in a verdict */

    /*  Set when the table could not take a new row: new rows are refused for
        this cause, the rest is applied.  */
    sh_err_t no_inserts;
    bool no_texts; /* the same for names and MACs of rows that exist */

    sp_result_t result; /* of the verdict, when that has been made */

    bool may_not_speak; /* 'rc' says that the code is not the sender's */
    sh_err_t rc;        /* what became of it */
    sh_why_t why;
} hub_part_t;

/*  Decode the job's frame and find the code it speaks for.  A failure is in
    'rc'.  */
void hub_part_open (hub_part_t *self, hub_job_t *job);

/*  Forget what the last transaction read.  */
void hub_part_reset (hub_part_t *self);
void hub_part_close (hub_part_t *self);

/*  Write job->answer and 'result': the verdict that 'rc' and the changes amount
    to.  */
void hub_part_answer (hub_part_t *self);

/*  Why it was not applied as a whole, or SH_OK.  */
sh_err_t hub_part_cause (const hub_part_t *self);

/*  How many ms a part that is put off for this cause should stay away.  */
uint64_t hub_part_delay (sh_err_t rc);

/*  Add it to the counters, and log a refusal: one line with scanner, subnet
    and cause.  */
void hub_part_account (const hub_part_t *self, hub_live_t *live);

#endif
