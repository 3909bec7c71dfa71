/* SPDX-License-Identifier: MPL-2.0 */
/*  What engines share that run somebody else's program: a prober that only
    knows its settings, and probes of one child each.  An engine adds how its
    program is called and what is made of the output (sc_program_kind_t); most
    of its sc_engine_t are functions from here.  */

#ifndef SC_PROGRAM_H
#define SC_PROGRAM_H

#include "scanner/child.h"
#include "scanner/prober.h"

/*  What such an engine is told: its 'settings'.  */
typedef struct
{
    char *program;     /* name or absolute path; malloc'ed */
    uint32_t rate;     /* packets per second; the engine says how strictly */
    uint32_t retries;  /* of an unanswered probe */
    uint32_t deadline; /* seconds for one job; what ran longer is incomplete */
} sc_program_t;

typedef struct sc_program_kind sc_program_kind_t;

/*  An engine's own probe begins with this.  */
typedef struct
{
    sc_probe_t base;
    const sc_program_kind_t *kind;
    const sc_program_t *settings; /* these three are borrowed */
    const sc_job_t *job;
    const sh_clock_t *clock;
    sc_child_t *child;
    sc_result_t result;
} sc_program_probe_t;

struct sc_program_kind
{
    const sc_engine_t *engine;
    size_t size; /* of its probe, which is zeroed before it is filled */

    /*  Start the child.  'options' has all that is the same for every program:
        path, deadline, clock, the probe as its context.  */
    sh_err_t (*launch) (sc_program_probe_t *self, sc_child_options_t *options,
                        sh_why_t *why) SH_MUST_CHECK;

    /*  After the child's end, however it ended: is its output whole?  If not, a
        sentence in 'why'.  */
    sh_err_t (*judge) (sc_program_probe_t *self, sh_why_t *why) SH_MUST_CHECK;

    /*  Free what 'launch' made, if it came to that.  */
    void (*forget) (sc_program_probe_t *self);
};

/*  Where the program is, '*out' is malloc'ed.  SH_E_NOT_FOUND: a sentence on
    how to install it; SH_E_MEMORY.  */
sh_err_t sc_program_find (char **out, const sc_engine_t *engine,
                          const sc_program_t *settings, sh_why_t *why)
    SH_MUST_CHECK;

/*  Does the job ask for IPv6 addresses?  */
bool sc_program_is_v6 (const sc_job_t *job);

/*  For an engine's 'open'.  The program opens its own sockets; what we keep is
    the right to.  */
sh_err_t sc_program_open (sc_prober_t **out, const sc_program_kind_t *kind,
                          const sc_program_t *settings, sh_why_t *why)
    SH_MUST_CHECK;

/*  The functions of sc_engine_t.  */
void sc_program_close (sc_prober_t **self_p);
void sc_program_adopt (sc_prober_t *self, const void *settings);
sh_err_t sc_program_start (sc_probe_t **out, sc_prober_t *prober,
                           const sc_job_t *job, const sh_clock_t *clock,
                           sh_why_t *why) SH_MUST_CHECK;
int sc_program_fd (const sc_probe_t *probe);
int sc_program_timeout (const sc_probe_t *probe);
bool sc_program_step (sc_probe_t *probe);
sc_result_t *sc_program_result (sc_probe_t *probe);
void sc_program_destroy (sc_probe_t **self_p);

/*  All of such an engine's sc_engine_t but its name, check, open and
    progress.  */
#define SC_PROGRAM_ENGINE                                                      \
    .at_once = 1, .close = sc_program_close, .adopt = sc_program_adopt,        \
    .start = sc_program_start, .fd = sc_program_fd,                            \
    .timeout = sc_program_timeout, .step = sc_program_step,                    \
    .result = sc_program_result, .destroy = sc_program_destroy

#endif
