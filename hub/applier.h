/* SPDX-License-Identifier: MPL-2.0 */
/*  The applier takes held reports (hub/previews.h) the whole road once more,
    because a person said so: authorisation, rules, transaction, as jobs in the
    workers' queues.  A thread of its own waits for them, one entry after the
    other, so that nobody else does.  What was written is compared with what was
    listed.  An entry leaves the file when all of it is applied; else it stays
    there with the reason.  Thread-safe.  */

#ifndef HUB_APPLIER_H
#define HUB_APPLIER_H

#include "hub/pool.h"
#include "hub/previews.h"
#include "hub/registry.h"
#include "lib/clock.h"

#define HUB_APPLIER_MOST 256   /* results that are remembered, or wait */
#define HUB_APPLIER_DIFFERS 64 /* differences that are named of each */

typedef enum
{
    HUB_APPLY_WAITING,
    HUB_APPLY_RUNNING,
    HUB_APPLY_DONE,
    HUB_APPLY_FAILED
} hub_apply_state_t;

/*  A column of which something else was written than was listed; NULL: nothing
    was, or was listed.  */
typedef struct
{
    char address[SH_ADDR_TEXT];
    const char *column; /* static */
    char *listed, *made; /* owned; "" for an emptied column */
    bool was_listed, was_made;
} hub_apply_differs_t;

typedef struct
{
    uint64_t number;
    uint64_t subnet;
    hub_apply_state_t state;
    uint64_t parts, done;
    uint64_t seen, added, named, macs, tagged, refused; /* of the verdicts */
    uint64_t as_listed, differing;
    hub_apply_differs_t differs[HUB_APPLIER_DIFFERS]; /* the first of them */
    size_t differ_count;
    char failed[512]; /* why, if FAILED */
} hub_apply_t;

typedef struct hub_applier hub_applier_t;

/*  All of it is borrowed.  SH_E_MEMORY, SH_E_IO: no thread.  */
sh_err_t hub_applier_new (hub_applier_t **out, hub_previews_t *previews,
                          hub_pool_t *pool, hub_registry_t *registry,
                          const sh_clock_t *clock) SH_MUST_CHECK;

/*  End the thread; what it is at stays in the file.  Before the pool goes.  */
void hub_applier_stop (hub_applier_t *self);

/*  After the pool has gone, for a job may still come home.  */
void hub_applier_destroy (hub_applier_t **self_p);

/*  Have an entry applied.  SH_E_EXISTS: that is under way; SH_E_OVERLOAD: so
    are very many others; SH_E_NOT_FOUND, SH_E_IO.  */
sh_err_t hub_applier_start (hub_applier_t *self, uint64_t number,
                            sh_why_t *why) SH_MUST_CHECK;

/*  Drop an entry; SH_E_EXISTS: it is being applied.  */
sh_err_t hub_applier_drop (hub_applier_t *self, uint64_t number,
                           sh_why_t *why) SH_MUST_CHECK;

/*  Show how far an entry is, or what became of it; false: nothing is known of
    it.  'see' must not call back.  */
bool hub_applier_look (hub_applier_t *self, uint64_t number,
                       void (*see) (void *context, const hub_apply_t *one),
                       void *context);

/*  "waiting", "running", "done", "failed".  */
const char *hub_apply_word (hub_apply_state_t state);

#endif
