/* SPDX-License-Identifier: MPL-2.0 */
/*  What this scanner has to scan, and when.  Assignments as the hub sent
    them, read into values; the plan owns them.

    There are two kinds of scan, as phpIPAM knows them: a check looks at known
    addresses, a discovery at all of them.  Each subnet has a place of its own
    in the interval of each kind, so that they do not all come at once; where
    both are due, the discovery does the check's work, too.  */

#ifndef SC_PLAN_H
#define SC_PLAN_H

#include "lib/addr.h"
#include "scanner-proto/message.h"
#include "scanner/prober.h"
#include "lib/ranges.h"

#define SC_SUBNETS_MOST 65536 /* assignments of one scanner */
#define SC_NEVER INT64_MAX
#define SC_CHECK_S 300     /* from one check to the next, where ... */
#define SC_DISCOVER_S 3600 /* ... the hub says nothing */

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
    uint32_t check_s, discover_s;
    uint32_t rate; /* probes per second; 0: the site's */
    sc_neighbours_t neighbours;
    bool paused;
    sh_ranges_t skip; /* never probed */
    sp_hours_t quiet[SP_QUIET_MOST];
    size_t quiet_count;
    /*  The plan's own.  */
    int64_t check_due, discover_due; /* mono ms; SC_NEVER */
    bool busy;                       /* a scan of it is under way */
    sc_known_t known;
} sc_subnet_t;

void sc_known_clear (sc_known_t *self);

/*  All zero is the empty plan.  */
typedef struct
{
    sc_subnet_t *items; /* ascending by id */
    size_t count, room;
    uint32_t interval; /* seconds for both kinds, whatever the hub says; 0:
                          what the hub says */
} sc_plan_t;

/*  The moment at which something is decided.  */
typedef struct
{
    int64_t now; /* mono ms */
    int minute;  /* of the day, by the clock on the wall */
    bool hub;    /* can be asked: else only subnets whose addresses are known */
} sc_moment_t;

/*  A scan that is due.  */
typedef struct
{
    sc_subnet_t *subnet;
    int kind; /* sp_kind_t: CHECK; DISCOVER, or BOTH if it is a check as well */
} sc_due_t;

/*  Read a row of an assignments page.  SH_E_BAD_MESSAGE: its network is
    none, or what is to be skipped does not ascend; SH_E_MEMORY.  */
sh_err_t sc_subnet_read (sc_subnet_t *out, const sp_subnet_t *row,
                         sh_why_t *why) SH_MUST_CHECK;
void sc_subnet_clear (sc_subnet_t *self);

/*  A copy with ranges of its own, and without known addresses.
    SH_E_MEMORY.  */
sh_err_t sc_subnet_copy (sc_subnet_t *out, const sc_subnet_t *from)
    SH_MUST_CHECK;

/*  Is it, as far as a scan under way is concerned, the same assignment?  When
    it is scanned, and whether it is paused, does not count.  */
bool sc_subnet_same (const sc_subnet_t *a, const sc_subnet_t *b);

/*  Is 'minute' of the day one of its quiet ones?  */
bool sc_subnet_is_quiet (const sc_subnet_t *self, int minute);

/*  The kind of scan that 'wanted' comes to: BOTH is whatever is assigned.
    False if there is nothing of it.  */
bool sc_subnet_kind (const sc_subnet_t *self, int wanted, int *kind);

void sc_plan_clear (sc_plan_t *self);

/*  Append; the subnet becomes the plan's, also after an error; ids must ascend
    (SH_E_BAD_MESSAGE).  SH_E_TOO_LARGE, SH_E_MEMORY.  */
sh_err_t sc_plan_add (sc_plan_t *self, sc_subnet_t *subnet) SH_MUST_CHECK;

/*  Make 'fresh' the plan and leave it empty.  Subnets that were there before,
    and the same, keep their times and known addresses; new and changed ones are
    due at once, or if they are many one after the other.  A scan under way
    stays known, also of a subnet that has changed.  */
void sc_plan_adopt (sc_plan_t *self, sc_plan_t *fresh, int64_t now);

/*  Other intervals for both kinds, see sc_plan_t.  */
void sc_plan_set_interval (sc_plan_t *self, uint32_t interval, int64_t now);

/*  The subnet with an id, or NULL.  */
sc_subnet_t *sc_plan_find (sc_plan_t *self, uint64_t id);

/*  What has been due for longest and may begin: false if nothing may.  */
bool sc_plan_next (sc_plan_t *self, const sc_moment_t *at, sc_due_t *due);

/*  A scan of 'kind' that began at 'begin' is over, with or without success: set
    when the next one is due, never before 'now'.  */
void sc_plan_done (sc_plan_t *self, sc_subnet_t *subnet, int kind,
                   int64_t begin, int64_t now);

/*  The same after trouble that may be over soon, in 'pause' ms.  */
void sc_plan_again (sc_subnet_t *subnet, int kind, int64_t now, int64_t pause);

/*  ms until it is worth to look for something due; -1: nothing will be.  What
    is due and may not begin is looked at again after a second.  */
int sc_plan_timeout (const sc_plan_t *self, const sc_moment_t *at);

#endif
