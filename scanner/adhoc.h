/* SPDX-License-Identifier: MPL-2.0 */
/*  A scan that somebody wants to see now, without a hub: 'probe' of the command
    line.  Hosts go to standard output as a table or as JSON, progress to
    standard error if that is a terminal.  */

#ifndef SC_ADHOC_H
#define SC_ADHOC_H

#include "scanner/config.h"

typedef struct
{
    const sc_config_t *config; /* engine and its settings */
    const char *cidr;          /* "10.0.0.0/24", or one address */
    bool json;
    bool names;          /* look them up at the system's servers */
    uint32_t rate;       /* probes per second; 0: the configuration's */
    sc_neighbours_t neighbours; /* of an IPv6 prefix too large to sweep */
    const sh_clock_t *clock;
} sc_adhoc_t;

/*  Returns the exit status: EX_TEMPFAIL if the scan was not complete, 128 + N
    after signal N (what was found until then is printed).
    sh_signals_block must have been called.  */
int sc_adhoc_run (const sc_adhoc_t *self);

/*  Name and version of the JSON library; static.  */
const char *sc_adhoc_library (void);

#endif
