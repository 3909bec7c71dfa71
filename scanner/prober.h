/* SPDX-License-Identifier: MPL-2.0 */
/*  The seam for engines: whatever can find out which addresses answer.  An
    engine takes a job, works in the background of the owner's event loop (a
    descriptor to watch, a step to call, nothing blocks) and fills a result.
    A probe can be destroyed at any time and then leaves nothing behind: no
    process, no file, no descriptor.  */

#ifndef SC_PROBER_H
#define SC_PROBER_H

#include "lib/clock.h"
#include "scanner-proto/limits.h"
#include "scanner/ranges.h"

#define SC_MAC_TEXT 32 /* bytes for a MAC in any usual spelling and its NUL */
#define SC_HOW_TEXT 16 /* bytes for a word such as 'echo' and its NUL */

typedef struct
{
    uint32_t rate;     /* packets per second, at least */
    uint32_t retries;  /* of an unanswered probe */
    uint32_t deadline; /* seconds for one job; what ran longer is incomplete */
} sc_limits_t;

/*  What to probe.  Borrowed, and must outlive the probe.  */
typedef struct
{
    const sc_ranges_t *ranges; /* one family; never anything else is probed */
    bool resolve;              /* look up the names of what answered */
    const sh_addr_t *nameservers; /* where; none: the system's */
    size_t nameserver_count;
    sc_limits_t limits;
} sc_job_t;

typedef struct
{
    sh_addr_t ip;
    int64_t seen;           /* ms since the epoch, our clock */
    char mac[SC_MAC_TEXT];  /* "" if unknown */
    char how[SC_HOW_TEXT];  /* what answered: arp, nd, echo, tcp, ... */
    char *name;             /* NULL if unknown; malloc'ed */
} sc_host_t;

/*  What was found.  'complete' means that every address of the job was
    probed to the end; if not, 'text' is a sentence that says why.  */
typedef struct
{
    sc_host_t *hosts;
    size_t count, room;
    bool complete;
    char text[256];
} sc_result_t;

/*  An engine's own struct begins with this one.  */
typedef struct sc_probe sc_probe_t;

typedef struct
{
    const char *name;

    /*  Can the engine work here?  SH_E_NOT_FOUND or SH_E_PROBE with a
        sentence.  On SH_OK 'note' is "" or a sentence on what will be
        missing.  */
    sh_err_t (*check) (const void *settings, sh_why_t *note);

    /*  Begin.  'settings' (of the engine's own type), 'job' and 'clock' are
        borrowed until the probe is destroyed.  */
    sh_err_t (*start) (sc_probe_t **out, const void *settings,
                       const sc_job_t *job, const sh_clock_t *clock,
                       sh_why_t *why);

    /*  A descriptor that is readable when a step is due.  */
    int (*fd) (const sc_probe_t *self);

    /*  ms until a step is due in any case; -1: never.  */
    int (*timeout) (const sc_probe_t *self);

    /*  Do what can be done without waiting.  True: the probe is over and
        has its result.  */
    bool (*step) (sc_probe_t *self);

    /*  The result so far; borrowed.  */
    sc_result_t *(*result) (sc_probe_t *self);

    /*  '*self_p' becomes NULL; NULL is fine.  Takes at most half a second,
        when something has to be stopped.  */
    void (*destroy) (sc_probe_t **self_p);
} sc_engine_t;

struct sc_probe
{
    const sc_engine_t *engine;
};

/*  Append a host; 'host->name' then belongs to the result, also after an
    error (SH_E_MEMORY).  */
sh_err_t sc_result_add (sc_result_t *self, const sc_host_t *host)
    SH_MUST_CHECK;

/*  Bring a result in order: hosts that the job did not ask for are dropped,
    the rest is sorted, each address once (the latest sighting stays), and
    every 'seen' lies within the scan.  */
void sc_result_settle (sc_result_t *self, const sc_ranges_t *asked,
                       int64_t started, int64_t finished);

void sc_result_clear (sc_result_t *self);

#endif
