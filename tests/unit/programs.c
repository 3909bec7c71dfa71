/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/programs.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/sets.h"

void
program_need (const sc_engine_t *engine)
{
    sc_program_t settings = { .program = strdup (engine->name) };
    sh_why_t why = { "" };
    sh_err_t rc = engine->check (&settings, &why);
    free (settings.program);
    if (rc == SH_OK && !*why.text)
        return;
    print_message ("skipped: %s\n", why.text);
    skip ();
}

void
program_need_v6 (void)
{
    if (access ("/proc/net/if_inet6", R_OK) == 0)
        return;
    print_message ("skipped: no IPv6 here\n");
    skip ();
}

static void
s_finish (sc_result_t *out, const sc_engine_t *engine, sc_probe_t *probe)
{
    while (!engine->step (probe)) {
        struct pollfd item = { .fd = engine->fd (probe), .events = POLLIN };
        (void) poll (&item, 1, engine->timeout (probe));
    }
    sc_result_t *result = engine->result (probe);
    *out = *result;
    *result = (sc_result_t){ 0 };
}

sh_err_t
program_run (sc_result_t *out, const sc_engine_t *engine, const char *program,
             const char *range, uint32_t deadline, sh_why_t *why)
{
    sh_ranges_t ranges;
    set_read (&ranges, range);
    sc_program_t settings = { .program = strdup (program),
                              .rate = 1000,
                              .retries = 1,
                              .deadline = deadline };
    sc_job_t job = { .ranges = &ranges };
    sc_prober_t *prober = NULL;
    sc_probe_t *probe = NULL;
    sh_err_t rc = engine->open (&prober, &settings, sh_clock_system (), why);
    if (rc == SH_OK)
        rc = engine->start (&probe, prober, &job, sh_clock_system (), why);
    if (rc == SH_OK)
        s_finish (out, engine, probe);
    engine->destroy (&probe);
    assert_null (probe);
    if (prober)
        engine->close (&prober);
    assert_null (prober);
    free (settings.program);
    sh_ranges_clear (&ranges);
    return rc;
}

sh_err_t
program_play (sc_result_t *out, const sc_engine_t *engine, const char *script,
              const char *range, uint32_t deadline, sh_why_t *why)
{
    char path[] = "/tmp/test_program-XXXXXX";
    int fd = mkstemp (path);
    assert_true (fd >= 0);
    assert_int_equal (write (fd, script, strlen (script)), strlen (script));
    assert_int_equal (fchmod (fd, 0700), 0);
    assert_int_equal (close (fd), 0);
    sh_err_t rc = program_run (out, engine, path, range, deadline, why);
    (void) unlink (path);
    return rc;
}

const char *
program_words (const char *const *argv)
{
    static char line[1024];
    line[0] = '\0';
    for (size_t i = 0; argv[i]; i++) {
        size_t used = strlen (line);
        (void) snprintf (line + used, sizeof line - used, "%s%s",
                         i ? " " : "", argv[i]);
    }
    return line;
}

void
program_expect (const sc_engine_t *engine, const char *range,
                const program_run_t *runs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sc_result_t result = { 0 };
        sh_why_t why = { "" };
        if (program_play (&result, engine, runs[i].script, range, 1, &why)
            != SH_OK)
            fail_msg ("%s", why.text);
        assert_int_equal (result.count, 1);
        assert_int_equal (result.complete, runs[i].complete);
        if (!strstr (result.text, runs[i].text)
            || (!*runs[i].text && *result.text))
            fail_msg ("'%s' is not in '%s'", runs[i].text, result.text);
        sc_result_clear (&result);
    }
}
