/* SPDX-License-Identifier: MPL-2.0 */
/*  The seam for engines: whatever can find out which addresses answer.

        engine   what it is: a table of functions
        prober   one of it at work in this program: its settings, the sockets
                 that took a right to open, the pace that all probes share
        probe    one job of it: which addresses answer

    A probe works in the background of the owner's event loop (a descriptor to
    watch, a step to call, nothing blocks) and fills a result.  It can be
    destroyed at any time and then leaves nothing behind: no process, no file,
    no descriptor.  */

#ifndef SC_PROBER_H
#define SC_PROBER_H

#include "lib/clock.h"
#include "lib/ranges.h"

#define SC_MAC_TEXT 32 /* bytes for a MAC in any usual spelling and its NUL */
#define SC_HOW_TEXT 16 /* bytes for a word such as 'echo' and its NUL */

/*  Which of a link's IPv6 neighbours count as found.  */
typedef enum
{
    SC_NEIGHBOURS_NONE,   /* nobody is looked for */
    SC_NEIGHBOURS_STABLE, /* whose address is made from the MAC, or was given */
    SC_NEIGHBOURS_ALL     /* also of random ones, which may be temporary */
} sc_neighbours_t;

/*  What to probe.  Borrowed, and must outlive the probe.  */
typedef struct
{
    const sh_ranges_t *ranges; /* one family; never anything else is probed */
    /*  Of these, the addresses that phpIPAM knows, or NULL: they are asked more
        often before they count as silent.  */
    const sh_ranges_t *known;
    /*  Unless NONE: find hosts of this IPv6 prefix on a link of ours, by asking
        all of them.  Addresses that are found need not be in 'ranges', but are
        never in 'skip' (may be NULL).  */
    sc_neighbours_t neighbours;
    sh_prefix_t prefix;
    const sh_ranges_t *skip;
    uint32_t rate; /* probes per second; 0: the prober's own pace */
} sc_job_t;

typedef struct
{
    sh_addr_t ip;
    int64_t seen;           /* ms since the epoch, our clock */
    char mac[SC_MAC_TEXT];  /* "" if unknown */
    char how[SC_HOW_TEXT];  /* what answered: arp, nd, echo, tcp, ... */
    char *name;             /* NULL if unknown; malloc'ed; see names.h */
} sc_host_t;

/*  What was found.  'complete' means that the job ran to its end; if not,
    'text' is a sentence that says why.  Of the addresses in 'missed' nothing
    is known, although it ran to its end: a local error (no buffer, no right,
    no route) kept them from being asked.  'text' then says which error.  Of one
    that missed nothing it is "", or says which answers were left out.  */
typedef struct
{
    sc_host_t *hosts;
    size_t count, room;
    sh_ranges_t missed; /* within the job's ranges */
    bool complete;
    char text[256];
} sc_result_t;

/*  How far a probe is.  */
typedef struct
{
    uint64_t done, total; /* addresses settled, and in all */
    uint64_t up;
    uint64_t rate; /* probes per second, over about the last second */
} sc_progress_t;

/*  An engine's own structs begin with these.  */
typedef struct sc_engine sc_engine_t;

typedef struct
{
    const sc_engine_t *engine;
} sc_prober_t;

typedef struct
{
    const sc_engine_t *engine;
} sc_probe_t;

struct sc_engine
{
    const char *name;
    size_t at_once; /* probes that one prober can have at the same time */
    bool seeks;     /* it can look for neighbours; others leave that out */
    bool alone;     /* starts no program, which would need rights of its own */

    /*  Can the engine work here?  SH_E_NOT_FOUND or SH_E_PROBE with a
        sentence.  On SH_OK 'note' is "" or a sentence on what will be
        missing.  */
    sh_err_t (*check) (const void *settings, sh_why_t *note) SH_MUST_CHECK;

    /*  Open what takes a right to open, while we have it.  'settings' (of the
        engine's own type) and 'clock' are borrowed until 'close'.  The same
        errors as 'check'.  */
    sh_err_t (*open) (sc_prober_t **out, const void *settings,
                      const sh_clock_t *clock, sh_why_t *why) SH_MUST_CHECK;

    /*  When no probe of it is left.  '*self_p' becomes NULL.  */
    void (*close) (sc_prober_t **self_p);

    /*  Settings with other numbers, in force from the next probe on (a pace at
        once); borrowed.  */
    void (*adopt) (sc_prober_t *self, const void *settings);

    /*  Begin.  'job' is borrowed until the probe is destroyed; so is 'clock',
        of which the times in the result are (the prober's own may be set
        meanwhile).  */
    sh_err_t (*start) (sc_probe_t **out, sc_prober_t *prober,
                       const sc_job_t *job, const sh_clock_t *clock,
                       sh_why_t *why) SH_MUST_CHECK;

    /*  A descriptor that is readable when a step is due.  */
    int (*fd) (const sc_probe_t *self);

    /*  ms until a step is due in any case; -1: never.  */
    int (*timeout) (const sc_probe_t *self);

    /*  Do what can be done without waiting.  True: the probe is over and
        has its result.  */
    bool (*step) (sc_probe_t *self);

    void (*progress) (const sc_probe_t *self, sc_progress_t *out);

    /*  The result so far; borrowed.  */
    sc_result_t *(*result) (sc_probe_t *self);

    /*  '*self_p' becomes NULL; NULL is fine.  Takes at most half a second,
        when something has to be stopped.  */
    void (*destroy) (sc_probe_t **self_p);
};

/*  Append a host; 'host->name' then belongs to the result, also after an
    error (SH_E_MEMORY).  */
sh_err_t sc_result_add (sc_result_t *self, const sc_host_t *host)
    SH_MUST_CHECK;

/*  May the job's answer hold this address: one that was asked for, or a
    neighbour that was looked for?  */
bool sc_job_wants (const sc_job_t *self, const sh_addr_t *addr);

/*  Is there nothing in it for the engine to do?  It is not started then.  */
bool sc_job_is_empty (const sc_job_t *self, const sc_engine_t *engine);

/*  Bring a result in order: hosts that the job did not ask for are dropped,
    the rest is sorted, each address once (the latest sighting stays), and
    every 'seen' lies within the scan.  */
void sc_result_settle (sc_result_t *self, const sc_job_t *job,
                       int64_t started, int64_t finished);

void sc_result_clear (sc_result_t *self);

#endif
