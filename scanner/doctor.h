/* SPDX-License-Identifier: MPL-2.0 */
/*  'scanhub-scanner doctor': is everything in order at this site, and if not,
    what is to be done?  Changes nothing.  */

#ifndef SC_DOCTOR_H
#define SC_DOCTOR_H

#include <stdbool.h>

#include "lib/clock.h"

typedef struct
{
    const char *config_path;
    bool json;
    const char *root; /* below which crontabs and the old agent's file are; ""
                         for the real ones */
    const sh_clock_t *clock;
} sc_doctor_options_t;

/*  The exit status: 0 good or warnings, 1 errors, 2 if it could not run.
    sh_signals_block must have been called.  */
int sc_doctor (const sc_doctor_options_t *options);

#endif
