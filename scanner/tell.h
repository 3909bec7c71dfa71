/* SPDX-License-Identifier: MPL-2.0 */
/*  What the operator gets to see: lines on standard output for 'once', log
    lines for 'run'; and the exit status that sums up what went wrong.  Texts
    from the hub are escaped here.  */

#ifndef SC_TELL_H
#define SC_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include "scanner-proto/delivery.h"
#include "scanner/scan.h"

typedef struct
{
    bool once;
    bool silent; /* with 'once': say nothing, somebody else will */
    int exit_status; /* the highest so far */
    uint64_t subnets, up, seen, added, refused;
    uint64_t failed, kept; /* subnets without an outcome; of these, kept */
    int64_t begin; /* mono ms */
    char last[256]; /* what 'once' complained of last, not to say it twice */
} sc_tell_t;

/*  What became of one subnet.  */
typedef struct
{
    const char *cidr;
    uint64_t up;
    const char *note;             /* "" or how it was planned otherwise */
    const char *incomplete;       /* why, or NULL */
    const sp_delivery_sum_t *sum; /* NULL: nothing was delivered */
    int64_t took;                 /* ms; 0: an earlier scan's report */
} sc_outcome_t;

/*  The exit status (sysexits.h) for an error.  */
int sc_exit_status (sh_err_t err);

void sc_tell_up (sc_tell_t *self, const sp_welcome_t *welcome,
                 const char *endpoint);
void sc_tell_down (sc_tell_t *self, const sp_event_t *event);

/*  A remark that changes nothing; 'what' is what it is about, or NULL.  */
void sc_tell_note (sc_tell_t *self, const char *what, const char *text);

/*  Something failed; 'text' is a sentence, the error's own one if NULL.  */
void sc_tell_trouble (sc_tell_t *self, const char *what, sh_err_t err,
                      const char *text);

/*  A scan has been made into a report that waits for delivery, 'durable' if it
    does so on disk.  For the log: 'once' tells all in the outcome.  */
void sc_tell_kept (sc_tell_t *self, const sp_report_t *report,
                   const sc_outcome_t *outcome, bool durable);

void sc_tell_outcome (sc_tell_t *self, const sc_outcome_t *outcome);

/*  The closing line of 'once'.  */
void sc_tell_total (sc_tell_t *self, int64_t now);

#endif
