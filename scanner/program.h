/* SPDX-License-Identifier: MPL-2.0 */
/*  What an engine that runs somebody else's program is told.  */

#ifndef SC_PROGRAM_H
#define SC_PROGRAM_H

#include "scanner/prober.h"

typedef struct
{
    char *program;     /* name or absolute path; malloc'ed */
    uint32_t rate;     /* packets per second; the engine says how strictly */
    uint32_t retries;  /* of an unanswered probe */
    uint32_t deadline; /* seconds for one job; what ran longer is incomplete */
} sc_program_t;

#endif
