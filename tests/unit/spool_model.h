/* SPDX-License-Identifier: MPL-2.0 */
/*  A spool and beside it what must be in it: random puts and removes, then a
    comparison.  For tests over powerfs; all that calls sp_spool_* is here.
    Needs -Wl,--wrap=sh_log_fields: what the spool logs is judged, too.  */

#ifndef TESTS_SPOOL_MODEL_H
#define TESTS_SPOOL_MODEL_H

#include "scanner-proto/spool.h"

enum { MODEL_REPORTS = 40, MODEL_GROUPS = 3, MODEL_HOSTS = 24 };

/*  A host of a subnet of which several reports are put: the number of the
    report whose sighting must be there at least (-1: none need be), and of the
    latest that may be.  */
typedef struct
{
    int must, may;
} model_host_t;

/*  What is known of the report with a number.  */
typedef enum
{
    MODEL_NONE,    /* not put yet */
    MODEL_MAYBE,   /* put or remove did not say SH_OK: there or not, whole */
    MODEL_THERE,   /* put said SH_OK */
    MODEL_GONE     /* remove said SH_OK */
} model_state_t;

typedef struct
{
    char dir[64], path[80];
    sp_spool_t *spool; /* NULL: not open */
    model_state_t reports[MODEL_REPORTS];
    size_t used;      /* numbers given out */
    uint32_t random;
    size_t big;       /* hosts of the largest reports */
    bool merged;      /* reports are of MODEL_GROUPS subnets only */
    model_host_t hosts[MODEL_GROUPS][MODEL_HOSTS];
    bool tell_losses; /* do not fail on a loss, count it */
    size_t losses;
    char fault[256];  /* the first thing that was wrong; "" for none */
    unsigned logged;  /* errors that the spool logged since the last look */
} model_t;

/*  Make the directory; 'seed' says what the run will be.  */
void model_init (model_t *self, uint32_t seed, size_t big);
/*  From now on: few subnets, so that the spool merges what waits.  */
void model_merge (model_t *self);
/*  Close and remove all.  */
void model_end (model_t *self);

/*  Each of these is false after an error of the spool, which is right if it is
    SH_E_IO or SH_E_MEMORY and was said, and else a fault.  */
bool model_open (model_t *self);
void model_close (model_t *self);
bool model_step (model_t *self); /* put, remove, look, or close and open */
bool model_drain (model_t *self); /* remove all */

/*  It goes on as if nothing had been: so many steps, then all is there after it
    was opened again, and can be removed.  Else a fault.  */
void model_go_on (model_t *self, int steps);

/*  Compare.  'reopened': from now on it is clear what became of reports that
    were unclear.  */
bool model_check (model_t *self, bool reopened);

/*  Empty the directory.  */
void model_wipe (const model_t *self);

#endif
