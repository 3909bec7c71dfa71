/* SPDX-License-Identifier: MPL-2.0 */
/*  What a scanner or shim has to deliver: reports go to disk first (the spool),
    then on their way to the hub, several at a time, and leave when the last of
    their parts has its verdict.  Owns no socket and never blocks; driven by the
    owner of the client.

    Where the spool cannot be used (none could be opened, the disk is full), a
    report waits in memory, if the owner allows that, and is lost when the
    program ends before the hub has it.  */

#ifndef SP_OUTBOX_H
#define SP_OUTBOX_H

#include "scanner-proto/delivery.h"
#include "scanner-proto/spool.h"

typedef struct sp_outbox sp_outbox_t;

/*  A report that left: applied, noted or refused.  Borrowed during the call. */
typedef struct
{
    uint64_t ticket; /* as put told */
    const char *label;
    const sp_report_t *report;
    const sp_delivery_sum_t *sum;
    bool refused;
} sp_outbox_end_t;

typedef struct
{
    sp_spool_t *spool; /* borrowed; NULL: none */
    bool in_memory;    /* go on without, rather than fail */
    const sh_clock_t *clock;
    void (*ended) (void *context, const sp_outbox_end_t *end);
    /*  A report that waited in memory is on disk now, under another ticket.
        May be NULL.  */
    void (*moved) (void *context, uint64_t old, uint64_t now);
    void *context;
} sp_outbox_options_t;

/*  The way out, as sp_outlet_t, but told whose report it is.  */
typedef struct
{
    sh_err_t (*send) (void *context, const char *label,
                      const sp_message_t *part);
    void *context;
    bool up;
    int64_t offset;
} sp_outbox_way_t;

sh_err_t sp_outbox_new (sp_outbox_t **out, const sp_outbox_options_t *options)
    SH_MUST_CHECK;
/*  What waits in memory is put into the spool, if that works now.  */
void sp_outbox_destroy (sp_outbox_t **self_p);

/*  A spool (borrowed) for an outbox that had none.  */
void sp_outbox_use (sp_outbox_t *self, sp_spool_t *spool);

/*  On disk when it returns SH_OK and 'durable' is true.  'epoch' as
    sp_spool_put; '*ticket' (may be NULL) names the report in 'ended', unless a
    later one takes it in.  Errors as sp_spool_put.  */
sh_err_t sp_outbox_put (sp_outbox_t *self, const char *label,
                        const sp_report_t *report, int64_t epoch,
                        uint64_t *ticket, bool *durable) SH_MUST_CHECK;

/*  Would this report overtake one of the same sender and subnet?  Then it has
    to be put as well, for the hub takes what comes later for an old story.  */
bool sp_outbox_waits (sp_outbox_t *self, const char *label,
                      const sp_report_t *report);

/*  Send what may be sent now; 'ended' may be called.  Call after every event
    and when the time-out has passed.  */
void sp_outbox_push (sp_outbox_t *self, const sp_outbox_way_t *way);

/*  Show it an event of the client.  True if it was a verdict for us.  */
bool sp_outbox_take (sp_outbox_t *self, const sp_event_t *event);

/*  ms until a push has something to do; -1: only after an event.  */
int sp_outbox_timeout (const sp_outbox_t *self);

/*  Reports that wait or are on their way; parts that got a good verdict so
    far.  */
uint64_t sp_outbox_depth (const sp_outbox_t *self);
uint64_t sp_outbox_progress (const sp_outbox_t *self);

/*  What the last 'retry' said, for people; "" if there was none.  */
const char *sp_outbox_put_off (const sp_outbox_t *self);

#endif
