/* SPDX-License-Identifier: MPL-2.0 */
/*  A bench for the built-in prober: one prober and the jobs that are at work in
    it, on the links of site.h.  What does not go as it should fails the
    test.  */

#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

#include <string.h>

#include "scanner/builtin.h"
#include "tests/unit/sets.h"
#include "tests/unit/site.h"

#define BENCH_SAYS(text, part)                                                 \
    do {                                                                       \
        if (!strstr (text, part))                                              \
            fail_msg ("'%s' is not in '%s'", part, text);                      \
    } while (0)

/*  A prober, and jobs at work in it.  */
typedef struct
{
    sc_builtin_settings_t settings;
    sc_prober_t *prober;
    sc_probe_t *probes[9];
    sc_job_t jobs[9];
    sh_ranges_t ranges[9];
    bool over[9];
    int64_t took[9]; /* ms */
    size_t count;
    int64_t began, wall;
} bench_t;

extern const sc_engine_t *const bench_engine;

/*  For a test that takes seconds: skips it unless SCANHUB_LONG is 1.  "make
    check" has a shorter relative elsewhere.  */
void bench_long (void);

int64_t bench_now (void);

bench_t *bench_new (uint32_t rate);

/*  'job' without its ranges, which are those in 'text' ("": none).  */
void bench_start (bench_t *self, const char *text, sc_job_t job);

/*  Let them work until all are over, or for so many ms.  */
void bench_work (bench_t *self, int64_t most);

/*  The result of one that is over, in order.  */
sc_result_t *bench_result (bench_t *self, size_t i);

/*  "10.0.0.1 arp aa:..., 10.0.0.2 echo" of a result; valid until the next
    call.  */
const char *bench_show (const sc_result_t *result);

void bench_clear (bench_t *self);

/*  One job that runs to its end, and what it finds.  */
void bench_expect (const char *text, sc_job_t job, const char *found);

/*  Make the site, and have only those tests played whose names match argv[1].
    False, with the reason in TAP, where there can be none.  */
bool bench_begin (int argc, char **argv);

/*  For cmocka_run_group_tests: the site is gone.  */
int bench_end (void **state);

#endif
