/* SPDX-License-Identifier: MPL-2.0 */
/*  What this scanner has to scan, and when.  Assignments as the hub sent
    them, read into values; the plan owns them.  */

#ifndef SC_PLAN_H
#define SC_PLAN_H

#include "lib/addr.h"
#include "scanner-proto/message.h"

#define SC_SUBNETS_MOST 65536 /* assignments of one scanner */
#define SC_NEVER INT64_MAX

/*  The addresses of a subnet that phpIPAM knew when the hub was asked last, for
    scans while there is no hub.  */
typedef struct
{
    sh_addr_t ip;
    bool exclude; /* not to be probed */
} sc_target_t;

typedef struct
{
    sc_target_t *items; /* ascending; malloc'ed */
    size_t count;
    bool valid; /* false: never asked */
} sc_known_t;

typedef struct
{
    uint64_t id;
    sh_prefix_t prefix;
    bool discover, check, resolve, pool;
    sh_addr_t nameservers[SP_NAMESERVERS_MOST];
    size_t nameserver_count;
    size_t bad_nameservers; /* texts that are no addresses, left out */
    int64_t due;            /* mono ms; SC_NEVER: not again */
    sc_known_t known;       /* the plan's */
} sc_subnet_t;

void sc_known_clear (sc_known_t *self);

/*  All zero is the empty plan.  */
typedef struct
{
    sc_subnet_t *items; /* ascending by id */
    size_t count, room;
} sc_plan_t;

/*  Read a row of an assignments page.  SH_E_BAD_MESSAGE: its network is
    none.  */
sh_err_t sc_subnet_read (sc_subnet_t *out, const sp_subnet_t *row,
                         sh_why_t *why) SH_MUST_CHECK;

void sc_plan_clear (sc_plan_t *self);

/*  Append; ids must ascend (SH_E_BAD_MESSAGE).  SH_E_TOO_LARGE,
    SH_E_MEMORY.  */
sh_err_t sc_plan_add (sc_plan_t *self, const sc_subnet_t *subnet)
    SH_MUST_CHECK;

/*  Make 'fresh' the plan and leave it empty.  Subnets that were there before,
    and the same, keep their time and known addresses; new and changed ones are
    due at 'now'.  */
void sc_plan_adopt (sc_plan_t *self, sc_plan_t *fresh, int64_t now);

/*  The subnet that has been due for longest, or NULL.  */
sc_subnet_t *sc_plan_next (sc_plan_t *self, int64_t now);

/*  ms until something is due; -1: nothing will be.  */
int sc_plan_timeout (const sc_plan_t *self, int64_t now);

#endif
