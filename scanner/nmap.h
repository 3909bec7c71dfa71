/* SPDX-License-Identifier: MPL-2.0 */
/*  The engine that lets nmap do the probing: -sn, its XML on standard
    output, targets on standard input.  Every argument and every target is
    printed from parsed values, never taken from a message.  */

#ifndef SC_NMAP_H
#define SC_NMAP_H

#include "scanner/program.h"

typedef sc_program_t sc_nmap_settings_t; /* 'rate' is at least */

/*  Its 'settings' are a sc_nmap_settings_t.  */
extern const sc_engine_t sc_engine_nmap;

#define SC_NMAP_ARGS 24

/*  The command line, for tests.  Ends with NULL.  'text' is malloc'ed and
    holds the arguments that had to be printed.  */
typedef struct
{
    const char *argv[SC_NMAP_ARGS];
    char *text;
} sc_nmap_command_t;

sh_err_t sc_nmap_command (sc_nmap_command_t *out,
                          const sc_nmap_settings_t *settings,
                          const sc_job_t *job, bool privileged) SH_MUST_CHECK;
void sc_nmap_command_clear (sc_nmap_command_t *self);

/*  The targets, one prefix or address a line, as few as there can be.
    '*text' is malloc'ed and ends with a NUL beyond '*size'.  */
sh_err_t sc_nmap_targets (char **text, size_t *size,
                          const sh_ranges_t *ranges) SH_MUST_CHECK;

#endif
