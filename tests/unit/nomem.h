/* SPDX-License-Identifier: MPL-2.0 */
/*  Memory that runs out at the n-th allocation, for what is linked statically,
    so for all of our own code.  Programs with it are linked with NOMEM_WRAP
    (tests/module.am).  The log is off in them, for it keeps what it has said.  */

#ifndef TESTS_NOMEM_H
#define TESTS_NOMEM_H

#include <stdbool.h>
#include <stddef.h>

#include "scanner-proto/message.h"

/*  Something that allocates: does it, frees what it got, and returns its
    result.  If that is an error it must have left its outputs as they were,
    which it checks itself.  */
typedef sh_err_t (nomem_fn) (void);

/*  Run it with the first allocation failing, with the second, ... until none
    fails any more; then all of it again with each failing and all after it.
    Fails the test if anything but SH_E_MEMORY comes of it or memory leaks.
    Returns the number of allocations.  */
unsigned nomem_try (const char *name, nomem_fn *run);
/*  The same for what may do without the memory.  */
unsigned nomem_try_lenient (const char *name, nomem_fn *run);

/*  For tests of another form: fail the n-th from now on (0: none), once or
    with all after it; has that happened?  */
void nomem_fail_at (unsigned n, bool on);
bool nomem_is_hit (void);
/*  There is memory again; nomem_is_hit stays.  */
void nomem_lift (void);
/*  Blocks taken since nomem_count_from_here and not given back.  */
void nomem_count_from_here (void);
size_t nomem_live (void);

/*  What an output that has to stay as it was is set to.  */
#define NOMEM_UNTOUCHED ((void *) nomem_dir)

/*  A directory for the files of the program, made by the setup of its group
    of tests and removed with them by the teardown.  */
extern char nomem_dir[64];
int nomem_setup (void **state);
int nomem_teardown (void **state);

/*  A report of many hosts, so that buffers have to grow; static.  The names
    and times are good ones at noon.  */
enum { NOMEM_HOSTS = 300 };
#define NOMEM_NOON INT64_C (1780315200) /* 2026-06-01 12:00:00 UTC */
sp_report_t nomem_report (void);

#endif
