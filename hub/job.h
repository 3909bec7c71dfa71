/* SPDX-License-Identifier: MPL-2.0 */
/*  A job is one request on its way from a door to a worker and back.  Doors
    make it, the pool carries it, intake answers it; nobody else looks inside.
    It has one owner at any time: whoever holds the pointer.  */

#ifndef HUB_JOB_H
#define HUB_JOB_H

#include "hub/deltas.h"
#include "hub/principal.h"
#include "lib/bytes.h"
#include "scanner-proto/limits.h"

typedef struct hub_queue hub_queue_t;

typedef enum
{
    HUB_JOB_REPORT,  /* 'frame' is a report part; the answer a verdict */
    HUB_JOB_TARGETS, /* 'frame' is a targets request; the answer a page */
    HUB_JOB_TOUCH    /* move last_access for the principal's codes; no frame,
                        no answer */
} hub_job_kind_t;

#define HUB_ROUTE_MOST 255

typedef struct
{
    hub_job_kind_t kind;
    hub_principal_t who; /* owned */
    uint8_t *frame;      /* owned; a frame that sp_peek accepted */
    size_t frame_size;
    int64_t received; /* epoch ms */
    int64_t taken;    /* the same by mono; 0: it is not timed */
    uint64_t shard;   /* jobs of one shard are worked in order */
    /*  Of a report part, for its way home: which one it is.  */
    uint8_t report[SP_REPORT_ID];
    size_t report_size;
    uint64_t part;
    bool heavy; /* targets, or a closing part: may look at a whole subnet */

    hub_queue_t *home; /* where the answered job goes; the door's */
    uint8_t route[HUB_ROUTE_MOST]; /* the door's own: who to answer */
    size_t route_size;

    bool by_hand;      /* a held report that a person applies */
    /*  If 'by_hand'; both owned.  */
    hub_deltas_t done;   /* what was written */
    hub_deltas_t listed; /* what the person saw, as hub_hold_sort orders it;
                            'after' is NULL */
    bool listed_all;     /* and nothing else may be written, but times */

    uint8_t *answer; /* owned; an encoded message, or NULL */
    size_t answer_size;
} hub_job_t;

/*  A deep copy of 'who' and 'frame' is taken.  SH_E_MEMORY.  */
sh_err_t hub_job_new (hub_job_t **out, hub_job_kind_t kind,
                      const hub_principal_t *who, sh_bytes_t frame)
    SH_MUST_CHECK;
void hub_job_destroy (hub_job_t **self_p);

/*  The shard of a report about a subnet, or, with 'subnet' 0, about a network
    (text) of an agent's (its code): through whichever door it came, all reports
    about one network have one.  */
uint64_t hub_job_shard (uint64_t subnet, sh_bytes_t code, sh_bytes_t cidr);

#endif
