/* SPDX-License-Identifier: MPL-2.0 */
/*  The engine nmap: how it is called, nmap itself on the loopback network, and
    scripts that play a broken one.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scanner/nmap.h"
#include "tests/unit/programs.h"
#include "tests/unit/sets.h"

static void
test_edges_of_families (void **state)
{
    (void) state;
    sh_ranges_t set = { 0 };
    assert_int_equal (set_add (&set, "255.255.255.254", "255.255.255.255"),
                      SH_OK);
    char *text = NULL;
    size_t size = 0;
    assert_int_equal (sc_nmap_targets (&text, &size, &set), SH_OK);
    assert_string_equal (text, "255.255.255.254/31\n");
    free (text);
    sh_ranges_clear (&set);
}

static void
test_targets (void **state)
{
    (void) state;
    static const struct
    {
        const char *first, *last, *lines;
    } table[] = {
        { "10.0.0.0", "10.0.255.255", "10.0.0.0/16\n" },
        { "10.0.0.5", "10.0.0.5", "10.0.0.5/32\n" },
        { "10.0.0.1", "10.0.0.6",
          "10.0.0.1/32\n10.0.0.2/31\n10.0.0.4/31\n10.0.0.6/32\n" },
        { "0.0.0.0", "255.255.255.255", "0.0.0.0/0\n" },
        { "2001:db8::1", "2001:db8::3", "2001:db8::1/128\n2001:db8::2/127\n" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sh_ranges_t set = { 0 };
        char *text = NULL;
        size_t size = 0;
        assert_int_equal (set_add (&set, table[i].first, table[i].last), SH_OK);
        assert_int_equal (sc_nmap_targets (&text, &size, &set), SH_OK);
        assert_string_equal (text, table[i].lines);
        assert_int_equal (size, strlen (text));
        free (text);
        sh_ranges_clear (&set);
    }
}

static const char *
s_words (const sc_job_t *job, bool privileged)
{
    static const sc_nmap_settings_t settings = { .rate = 1000, .retries = 1 };
    sc_nmap_command_t command;
    assert_int_equal (sc_nmap_command (&command, &settings, job, privileged),
                      SH_OK);
    const char *line = program_words (command.argv);
    sc_nmap_command_clear (&command);
    return line;
}

static void
test_nmap_command (void **state)
{
    (void) state;
    sh_ranges_t four = { 0 }, six = { 0 };
    assert_int_equal (set_add (&four, "10.0.0.1", "10.0.0.2"), SH_OK);
    assert_int_equal (set_add (&six, "2001:db8::1", "2001:db8::2"), SH_OK);
    sc_job_t job = { .ranges = &four };
    assert_string_equal (s_words (&job, true),
                         "nmap --privileged -sn -PE --max-retries 1 "
                         "--min-rate 1000 -n --no-stylesheet -oX - -iL -");
    assert_string_equal (s_words (&job, false),
                         "nmap --unprivileged -sn --max-retries 1 "
                         "--min-rate 1000 -n --no-stylesheet -oX - -iL -");
    job.ranges = &six;
    assert_string_equal (s_words (&job, true),
                         "nmap --privileged -sn -6 -PE --max-retries 1 "
                         "--min-rate 1000 -n --no-stylesheet -oX - -iL -");
    sh_ranges_clear (&four);
    sh_ranges_clear (&six);
}

static sh_err_t
s_probe (sc_result_t *out, const char *program, const char *range,
         sh_why_t *why)
{
    return program_run (out, &sc_engine_nmap, program, range, 60, why);
}

static void
test_nmap_loopback (void **state)
{
    (void) state;
    program_need (&sc_engine_nmap);
    sc_result_t result = { 0 };
    sh_why_t why = { 0 };
    int64_t begin = sh_clock_wall (sh_clock_system ());
    if (s_probe (&result, "nmap", "127.0.0.1-127.0.0.14", &why) != SH_OK)
        fail_msg ("%s", why.text);
    if (!result.complete)
        fail_msg ("%s", result.text);
    assert_int_equal (result.count, 14);
    for (size_t i = 0; i < result.count; i++) {
        assert_int_equal (result.hosts[i].ip.bytes[0], 127);
        assert_true (result.hosts[i].seen >= begin);
        assert_null (result.hosts[i].name);
    }
    sc_result_clear (&result);
}

static void
test_nmap_v6 (void **state)
{
    (void) state;
    program_need (&sc_engine_nmap);
    program_need_v6 ();
    sc_result_t result = { 0 };
    sh_why_t why = { 0 };
    assert_int_equal (s_probe (&result, "nmap", "::1", &why), SH_OK);
    if (!result.complete)
        fail_msg ("%s", result.text);
    assert_int_equal (result.count, 1);
    assert_int_equal (result.hosts[0].ip.family, 6);
    sc_result_clear (&result);
}

static void
test_nmap_missing (void **state)
{
    (void) state;
    sc_result_t result = { 0 };
    sh_why_t why = { 0 };
    assert_int_equal (s_probe (&result, "/no/such/nmap", "127.0.0.1", &why),
                      SH_E_NOT_FOUND);
    assert_non_null (strstr (why.text, "apt-get install nmap"));
}

/*  What a broken run of nmap looks like, played by a script: found hosts are
    kept, and it is never complete.  */
static void
test_nmap_broken (void **state)
{
    (void) state;
#define START                                                                  \
    "#!/bin/sh\ncat >/dev/null\necho '<nmaprun><host><status state=\"up\"/>"   \
    "<address addr=\"127.0.0.1\" addrtype=\"ipv4\"/></host>'\n"
#define END                                                                    \
    "echo '<runstats><finished exit=\"success\"/><hosts total=\"2\"/>"         \
    "</runstats></nmaprun>'\n"
    static const program_run_t table[] = {
        { START END, "", true },
        { START "kill -KILL $$\n", "killed by signal 9", false },
        { START "sleep 60\n", "stopped at its deadline", false },
        { START "echo gone >&2; exit 1\n", "exit status 1: gone", false },
        { START "exit 0\n", "ends early", false },
        { START END "exit 1\n", "nmap: exit status 1; try it by hand", false },
        { START END
          "echo 'sendto in send_ip_packet_sd: sendto(4) => No' >&2\n",
          "could not send", false },
    };
    program_expect (&sc_engine_nmap, "127.0.0.1-127.0.0.2", table,
                    sizeof table / sizeof *table);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_edges_of_families),
        cmocka_unit_test (test_targets),
        cmocka_unit_test (test_nmap_command),
        cmocka_unit_test (test_nmap_loopback),
        cmocka_unit_test (test_nmap_v6),
        cmocka_unit_test (test_nmap_missing),
        cmocka_unit_test (test_nmap_broken),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
