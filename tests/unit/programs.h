/* SPDX-License-Identifier: MPL-2.0 */
/*  Engines that run a program, at work: the true one, or a script in its
    place.  */

#ifndef TESTS_PROGRAMS_H
#define TESTS_PROGRAMS_H

#include "scanner/program.h"

/*  Skips the test if the program is not there or could not do all.  */
void program_need (const sc_engine_t *engine);

/*  Skips the test on a machine without IPv6.  */
void program_need_v6 (void);

/*  Run the engine on one range to the end, with 'program' as the program's name
    or path; the caller clears the result.  */
sh_err_t program_run (sc_result_t *out, const sc_engine_t *engine,
                      const char *program, const char *range,
                      uint32_t deadline, sh_why_t *why) SH_MUST_CHECK;

/*  The same with a script.  */
sh_err_t program_play (sc_result_t *out, const sc_engine_t *engine,
                       const char *script, const char *range,
                       uint32_t deadline, sh_why_t *why) SH_MUST_CHECK;

/*  The command line, for looking at; valid until the next call.  */
const char *program_words (const char *const *argv);

/*  A run that a script plays, and what becomes of it.  */
typedef struct
{
    const char *script;
    const char *text; /* a part of the result's */
    bool complete;
} program_run_t;

/*  Each run finds one host of the range, and keeps it however it ends.  */
void program_expect (const sc_engine_t *engine, const char *range,
                     const program_run_t *runs, size_t count);

#endif
