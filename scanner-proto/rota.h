/* SPDX-License-Identifier: MPL-2.0 */
/*  Which hub of the list is used, and when: how long to wait after a failure,
    when to move on to the next hub, and when to look whether one that stands
    before it in the list is there again.  Pure: times are the caller's
    monotonic milliseconds, random numbers are the caller's too.  */

#ifndef SP_ROTA_H
#define SP_ROTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define SP_RETURN_MS 300000       /* until the first look at preferred hubs */
#define SP_RETURN_MOST_MS 1800000 /* the longest time between two looks */
#define SP_ROTA_FAILURES 3 /* in a row on one hub before the next is tried */
#define SP_ROTA_UNSERVED_MS 60000 /* of verdicts that say only "later" */

typedef enum
{
    SP_ROTA_LOST,   /* may work again in a moment */
    SP_ROTA_DENIED, /* an administrator has to act */
    SP_ROTA_LEAVING /* sp_rota_verdict said so */
} sp_rota_end_t;

typedef struct
{
    size_t count;      /* hubs in the list, at least 1 */
    size_t at;         /* the one in use */
    unsigned failures; /* in a row */
    unsigned here;     /* of these, on this hub */
    int64_t return_ms; /* until the first look */
    size_t look_at;    /* the preferred hub that is looked at next */
    int64_t look_due;  /* SP_ROTA_NEVER: none */
    unsigned looks;    /* rounds in a row that led to no lasting session */
    bool returned;     /* to the hub in use */
    bool served;       /* a hub has taken us once: until then one failure is
                          enough to try the next */
    int64_t unserved_since; /* first of the "later" verdicts; 0: none */
    unsigned unserved; /* times in a row that this made us leave a hub */
} sp_rota_t;

#define SP_ROTA_NEVER INT64_MAX

/*  Begin with the first of 'count' hubs; 'return_ms' 0: SP_RETURN_MS.  */
void sp_rota_init (sp_rota_t *self, size_t count, int64_t return_ms);

/*  A session or an attempt has ended; 'steady': it had held for a while, which
    wipes the slate.  Returns ms until the next attempt, on the hub 'at'.  */
int sp_rota_end (sp_rota_t *self, sp_rota_end_t why, bool steady,
                 uint32_t random);

/*  A verdict came in: 'cause' of one that says "later", SH_OK for any other.
    True when the hub in use is to be left for another one: it is going, or for
    SP_ROTA_UNSERVED_MS (longer if the others were no better) its database has
    been out of its reach.  A busy database or hub is no reason, nor is a fault
    in the database, which all hubs share.  Never true with one hub.  */
bool sp_rota_verdict (sp_rota_t *self, sh_err_t cause, int64_t now);

/*  May it be for this that a hub is left?  */
bool sp_rota_is_leaving (sh_err_t cause);

/*  The hub in use has taken us: from now on preferred ones are looked at.  */
void sp_rota_up (sp_rota_t *self, int64_t now, uint32_t random);

/*  The hub 'look_at' does not take us.  The next preferred one is due at once;
    after the last of them the time to the next round is twice as long.  */
void sp_rota_look_failed (sp_rota_t *self, int64_t now, uint32_t random);

/*  The hub 'look_at' takes us: it is the one in use.  */
void sp_rota_return (sp_rota_t *self);

/*  ms to wait after 'failures' failures in a row (the first is 0): twice as
    long each time up to 'most', between half of that and all of it as 'random'
    says, and never under 200.  */
int sp_backoff (unsigned failures, int most, uint32_t random);

#endif
