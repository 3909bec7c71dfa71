/* SPDX-License-Identifier: MPL-2.0 */
/*  The engine that lets fping do the probing: ICMP echo, no MAC addresses, no
    names.  Every argument and every target is printed from parsed values, never
    taken from a message.  */

#ifndef SC_FPING_H
#define SC_FPING_H

#include "scanner/program.h"

typedef sc_program_t sc_fping_settings_t; /* 'rate' is at most */

/*  Its 'settings' are a sc_fping_settings_t.  */
extern const sc_engine_t sc_engine_fping;

#define SC_FPING_ARGS 8

/*  The command line, for tests.  Ends with NULL.  fping takes an interval, in
    steps of 0.01 ms; some are built to refuse less than 1 ms unless 'root'
    calls.  */
typedef struct
{
    const char *argv[SC_FPING_ARGS];
    char interval[16], retries[16];
} sc_fping_command_t;

void sc_fping_command (sc_fping_command_t *out,
                       const sc_fping_settings_t *settings,
                       const sc_job_t *job, bool root);

/*  Where the next target comes from.  All zero is the beginning.  */
typedef struct
{
    size_t range;
    sh_addr_t next; /* family 0: the range's first */
} sc_fping_cursor_t;

/*  Targets, one address a line, as many as fit into 'room' bytes (at least
    SH_ADDR_TEXT); how many bytes that are, 0 after the last.  */
size_t sc_fping_targets (sc_fping_cursor_t *self, const sh_ranges_t *ranges,
                         char *data, size_t room);

#endif
