/* SPDX-License-Identifier: MPL-2.0 */
/*  The scanner at work: ask what is to be scanned, scan it subnet by subnet,
    deliver, say what came of it.  Once, or for ever.  */

#ifndef SC_RUN_H
#define SC_RUN_H

#include "scanner/config.h"

typedef struct
{
    sc_config_t *config; /* changes when it is read again */
    const char *version; /* program and version */
    bool once;           /* every subnet once, then return */
    uint32_t wait;       /* 'once': seconds to wait for the hub, each time */
    const sh_clock_t *clock;
} sc_run_options_t;

/*  Returns the exit status.  sh_signals_block must have been called.  */
int sc_run (const sc_run_options_t *options);

/*  Ask the service that runs on this machine how it is, and print that.
    Returns the exit status.  */
int sc_run_status (const sc_config_t *config);

#endif
