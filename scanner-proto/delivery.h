/* SPDX-License-Identifier: MPL-2.0 */
/*  One report on its way: cuts the result of a scan into parts, sends them
    through a client, counts verdicts, resends what a lost session or a
    'retry' left unanswered, and sends the closing part only when every other
    one is applied or noted.  Driven by the owner of the client: it never
    blocks and owns no socket.  */

#ifndef SP_DELIVERY_H
#define SP_DELIVERY_H

#include "scanner-proto/client.h"
#include "scanner-proto/outlet.h"

typedef struct sp_delivery sp_delivery_t;

typedef enum
{
    SP_DELIVERY_RUNNING,
    SP_DELIVERY_DONE,   /* all parts and the closing part applied or noted */
    SP_DELIVERY_REFUSED /* a part was refused; nothing more will be sent */
} sp_delivery_state_t;

/*  What came of it: sums over all parts, up to UINT64_MAX; of a refusal the
    cause.  */
typedef struct
{
    uint64_t parts; /* of the report, closing ones included */
    uint64_t resent;
    uint64_t seen, added, named, macs, tagged, held, skipped, refused;
    uint64_t bad_names, bad_macs;
    uint64_t noted; /* parts that were only noted */
    /* why single hosts were refused: the first cause that is not the
       scanner's own fault, or else the first; "" if the hub names none */
    char host_cause[SP_TEXT_MOST + 1];
    bool host_causes; /* there was another one as well */
    char cause[SP_TEXT_MOST + 1];
    char text[SP_LONG_TEXT_MOST + 1];
} sp_delivery_sum_t;

/*  'report' is a whole scan in one struct: any number of hosts, the closing
    fields set, 'part', 'last', 'off' and 'id' ignored (an id is drawn here).
    It is borrowed and must outlive the delivery.  A report that is not
    'complete' covers nothing, whatever it says.  SH_E_TOO_LARGE: more than
    SP_PARTS_MOST parts.  */
sh_err_t sp_delivery_new (sp_delivery_t **out, const sp_report_t *report,
                          const sh_clock_t *clock) SH_MUST_CHECK;
void sp_delivery_destroy (sp_delivery_t **self_p);

/*  Before the first push: the clock offset, which is then not taken from the
    outlet, and how many parts may be unanswered at a time (1 to SP_WINDOW).  */
void sp_delivery_settle (sp_delivery_t *self, int64_t off, size_t window);

/*  Send what may be sent now.  Call after every event and when
    sp_delivery_timeout has passed.  The clock offset is fixed by the first
    call that finds the outlet up.  SH_OK also while nothing can be sent;
    SH_E_INTERNAL: the report breaks a limit and can never be sent;
    SH_E_MEMORY.  */
sh_err_t sp_delivery_push (sp_delivery_t *self, const sp_outlet_t *outlet)
    SH_MUST_CHECK;

/*  Show it an event of the client: DOWN makes unanswered parts due again, a
    verdict for this report is taken.  True if the event was for us.  */
bool sp_delivery_take (sp_delivery_t *self, const sp_event_t *event);

/*  ms until a push has something to do; -1: only after an event.  */
int sp_delivery_timeout (const sp_delivery_t *self);

/*  No part is on its way: what is not done waits to be sent.  */
bool sp_delivery_is_idle (const sp_delivery_t *self);
/*  Until when the last part that was told 'later' has to wait, mono ms; 0: none
    was.  */
int64_t sp_delivery_later (const sp_delivery_t *self);

sp_delivery_state_t sp_delivery_state (const sp_delivery_t *self);
const sp_delivery_sum_t *sp_delivery_sum (const sp_delivery_t *self);

/*  The 16 bytes of the report's id.  */
sh_bytes_t sp_delivery_id (const sp_delivery_t *self);

#endif
