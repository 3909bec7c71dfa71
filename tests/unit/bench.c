/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/bench.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const sc_engine_t *const bench_engine = &sc_engine_builtin;

void
bench_long (void)
{
    const char *length = getenv ("SCANHUB_LONG");
    if (length && strcmp (length, "1") == 0)
        return;
    print_message ("takes long; ./check plays it, or SCANHUB_LONG=1\n");
    skip ();
}

int64_t
bench_now (void)
{
    return sh_clock_mono (sh_clock_system ());
}

const char *
bench_show (const sc_result_t *result)
{
    static char text[8192];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < result->count && used < sizeof text - 100; i++) {
        const sc_host_t *host = &result->hosts[i];
        char ip[SH_ADDR_TEXT];
        sh_addr_text (&host->ip, ip);
        used += (size_t) snprintf (text + used, sizeof text - used,
                                   "%s%s %s%s%s", i ? ", " : "", ip, host->how,
                                   *host->mac ? " " : "", host->mac);
    }
    return text;
}

bench_t *
bench_new (uint32_t rate)
{
    bench_t *self = calloc (1, sizeof *self);
    sh_why_t why = { "" };
    assert_non_null (self);
    sc_builtin_default (&self->settings);
    self->settings.rate = rate;
    assert_int_equal (bench_engine->open (&self->prober, &self->settings,
                                          sh_clock_system (), &why),
                      SH_OK);
    return self;
}

void
bench_start (bench_t *self, const char *text, sc_job_t job)
{
    size_t i = self->count++;
    sh_why_t why = { "" };
    if (*text)
        set_read (&self->ranges[i], text);
    job.ranges = &self->ranges[i];
    self->jobs[i] = job;
    self->wall = sh_clock_wall (sh_clock_system ());
    self->began = bench_now ();
    sh_err_t rc = bench_engine->start (&self->probes[i], self->prober,
                                       &self->jobs[i], sh_clock_system (),
                                       &why);
    if (rc != SH_OK)
        fail_msg ("%s", why.text);
}

void
bench_work (bench_t *self, int64_t most)
{
    int64_t until = bench_now () + most;
    for (;;) {
        struct pollfd items[9];
        size_t left = 0;
        for (size_t i = 0; i < self->count; i++) {
            left += !self->over[i];
            items[i] = (struct pollfd){
                .fd = self->over[i] ? -1 : bench_engine->fd (self->probes[i]),
                .events = POLLIN
            };
        }
        int64_t wait = until - bench_now ();
        if (left == 0 || wait <= 0)
            return;
        (void) poll (items, self->count, (int) wait);
        for (size_t i = 0; i < self->count; i++)
            if (items[i].revents && bench_engine->step (self->probes[i])) {
                self->over[i] = true;
                self->took[i] = bench_now () - self->began;
            }
    }
}

sc_result_t *
bench_result (bench_t *self, size_t i)
{
    assert_true (self->over[i]);
    sc_result_t *result = bench_engine->result (self->probes[i]);
    size_t before = result->count;
    sc_result_settle (result, &self->jobs[i], self->wall,
                      sh_clock_wall (sh_clock_system ()));
    /* none that was not asked for, none twice */
    assert_int_equal (result->count, before);
    return result;
}

void
bench_clear (bench_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        bench_engine->destroy (&self->probes[i]);
        assert_null (self->probes[i]);
        sh_ranges_clear (&self->ranges[i]);
    }
    bench_engine->close (&self->prober);
    assert_null (self->prober);
    free (self);
}

void
bench_expect (const char *text, sc_job_t job, const char *found)
{
    bench_t *bench = bench_new (1000);
    bench_start (bench, text, job);
    bench_work (bench, 20000);
    sc_result_t *result = bench_result (bench, 0);
    assert_string_equal (bench_show (result), found);
    assert_string_equal (result->text, "");
    assert_true (result->complete);
    assert_int_equal (result->missed.count, 0);
    bench_clear (bench);
}

bool
bench_begin (int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter (argv[1]);
    if (site_begin ())
        return true;
    printf ("1..0 # SKIP only root can make network namespaces\n");
    return false;
}

int
bench_end (void **state)
{
    (void) state;
    site_end ();
    return 0;
}
