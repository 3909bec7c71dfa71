/* SPDX-License-Identifier: MPL-2.0 */
/*  A program run for its output: standard input is fed, standard output goes
    to a function, the beginning of standard error is kept.  Nothing blocks;
    the owner watches one descriptor and calls a step.  The child leads a
    session and process group of its own, so that a terminal's Ctrl-C reaches
    us and not it, and we stop exactly what we started.  */

#ifndef SC_CHILD_H
#define SC_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/clock.h"
#include "lib/err.h"

#define SC_CHILD_ERRORS 1024 /* bytes of standard error that are kept */
#define SC_CHILD_GRACE_MS 300 /* between SIGTERM and SIGKILL */

typedef struct sc_child sc_child_t;

typedef struct
{
    const char *program; /* absolute path */
    char *const *argv;   /* ends with NULL; used during the call only */
    char *input;         /* malloc'ed, becomes the child's; may be NULL */
    size_t input_size;
    /*  What comes after 'input', piece by piece, for more than should be held:
        write up to 'room' bytes, return how many; 0: that was all.  May be
        NULL.  */
    size_t (*feed) (void *context, char *data, size_t room);
    int64_t deadline;    /* ms from now; then it is stopped */
    void (*output) (void *context, const void *data, size_t size);
    void (*errors) (void *context, const void *data, size_t size); /* all of
                            standard error, besides what is kept; may be NULL */
    void *context;
    int good; /* the highest exit status that is no failure */
    const sh_clock_t *clock;
} sc_child_options_t;

/*  No shell, an environment of our own, no inherited descriptors.
    SH_E_NOT_FOUND if there is no such program, SH_E_PROBE, SH_E_MEMORY.
    'input' is taken in every case.  */
sh_err_t sc_child_start (sc_child_t **out, const sc_child_options_t *options,
                         sh_why_t *why) SH_MUST_CHECK;

/*  SIGTERM, after SC_CHILD_GRACE_MS SIGKILL, and reaped, if it still runs.  */
void sc_child_destroy (sc_child_t **self_p);

int sc_child_fd (const sc_child_t *self);
int sc_child_timeout (const sc_child_t *self);

/*  Move bytes, watch the deadline.  True when the child has been reaped and
    all its output was passed on.  */
bool sc_child_step (sc_child_t *self);

/*  After the end: did it exit with 0 to 'good'?  If not, a sentence in 'why':
    its deadline, its signal, or its exit status and the end of what it wrote
    to standard error, or advice if it wrote nothing.  */
bool sc_child_succeeded (const sc_child_t *self, sh_why_t *why);

/*  The beginning of what it wrote to standard error.  */
const char *sc_child_errors (const sc_child_t *self);

/*  The full path of a program: 'name' itself if it is absolute, else found
    on $PATH.  '*out' is malloc'ed.  SH_E_NOT_FOUND, SH_E_MEMORY.  */
sh_err_t sc_child_find (char **out, const char *name) SH_MUST_CHECK;

#endif
