/* SPDX-License-Identifier: MPL-2.0 */
/*  The engine that runs fping: its command line and targets, what is made of
    its lines, and fping itself on the loopback network.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scanner/config.h"
#include "scanner/fping_text.h"
#include "tests/unit/programs.h"
#include "tests/unit/sets.h"

/* command line and targets */

static const char *
s_words (const sc_job_t *job, uint32_t rate, bool root)
{
    sc_fping_settings_t settings = { .rate = rate, .retries = 1 };
    sc_fping_command_t command;
    sc_fping_command (&command, &settings, job, root);
    return program_words (command.argv);
}

/*  Never faster than told, and never below what fping takes.  */
static void
test_command (void **state)
{
    (void) state;
    sh_ranges_t four, six;
    set_read (&four, "10.0.0.1-10.0.0.2");
    set_read (&six, "2001:db8::1-2001:db8::2");
    sc_job_t job = { .ranges = &four };
    assert_string_equal (s_words (&job, 1000, false), "fping -4 -r 1 -i 1.00");
    assert_string_equal (s_words (&job, 5000, true), "fping -4 -r 1 -i 0.20");
    assert_string_equal (s_words (&job, 5000, false), "fping -4 -r 1 -i 1.00");
    assert_string_equal (s_words (&job, 3000, true), "fping -4 -r 1 -i 0.34");
    assert_string_equal (s_words (&job, 1000000, true),
                         "fping -4 -r 1 -i 0.01");
    assert_string_equal (s_words (&job, 1, true), "fping -4 -r 1 -i 1000.00");
    job = (sc_job_t){ .ranges = &six, .rate = 50 };
    assert_string_equal (s_words (&job, 1000, true), "fping -6 -r 1 -i 20.00");
    sh_ranges_clear (&four);
    sh_ranges_clear (&six);
}

static void
test_targets (void **state)
{
    (void) state;
    sh_ranges_t set;
    set_read (&set, "10.0.0.254-10.0.1.1 255.255.255.254-255.255.255.255");
    char all[256] = "", data[SH_ADDR_TEXT + 4];
    sc_fping_cursor_t cursor = { 0 };
    size_t pieces = 0, size;
    while ((size = sc_fping_targets (&cursor, &set, data, sizeof data)) > 0) {
        (void) snprintf (all + strlen (all), sizeof all - strlen (all), "%.*s",
                         (int) size, data);
        pieces++;
    }
    assert_string_equal (all, "10.0.0.254\n10.0.0.255\n10.0.1.0\n10.0.1.1\n"
                              "255.255.255.254\n255.255.255.255\n");
    assert_in_range (pieces, 2, 6);
    assert_int_equal (sc_fping_targets (&cursor, &set, data, sizeof data), 0);
    sh_ranges_clear (&set);
    set_read (&set, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe-"
                    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    cursor = (sc_fping_cursor_t){ 0 };
    char two[2 * SH_ADDR_TEXT];
    size = sc_fping_targets (&cursor, &set, two, sizeof two);
    assert_int_equal (size, 80);
    assert_int_equal (sc_fping_targets (&cursor, &set, two, sizeof two), 0);
    sh_ranges_clear (&set);
}

/* lines */

typedef struct
{
    const char *output, *errors;
    const char *hosts;  /* last bytes of those found */
    const char *missed;
    const char *text;   /* of the result if whole, else of the error */
    bool whole;
} lines_t;

#define ALIVE(n) "10.0.0." #n " is alive\n"
#define SILENT(n) "10.0.0." #n " is unreachable\n"
#define UNSENT(n) "10.0.0." #n ": error while sending ping: No buffer\n"
#define CANARY "127.0.0.1 is alive\n"

static void
s_check_lines (const lines_t *row, size_t piece)
{
    sh_ranges_t ranges;
    set_read (&ranges, "10.0.0.1-10.0.0.3");
    sc_job_t job = { .ranges = &ranges };
    sc_result_t result = { 0 };
    sc_fping_text_t *text = NULL;
    sh_addr_t canary = set_ip ("127.0.0.1");
    assert_int_equal (sc_fping_text_new (&text, &result, &job, &canary,
                                         sh_clock_system ()),
                      SH_OK);
    for (size_t at = 0; at < strlen (row->output); at += piece)
        sc_fping_text_feed (text, row->output + at,
                            strnlen (row->output + at, piece));
    sc_fping_text_feed_errors (text, row->errors, strlen (row->errors));
    sh_why_t why = { "" };
    sh_err_t rc = sc_fping_text_finish (text, &why);
    assert_int_equal (rc, row->whole ? SH_OK : SH_E_PROBE);
    const char *said = row->whole ? result.text : why.text;
    if (*row->text ? !strstr (said, row->text) : *said)
        fail_msg ("'%s' is not in '%s'", row->text, said);
    char hosts[64] = "";
    for (size_t i = 0; i < result.count; i++) {
        assert_string_equal (result.hosts[i].how, "echo");
        (void) snprintf (hosts + strlen (hosts), sizeof hosts - strlen (hosts),
                         "%u ", result.hosts[i].ip.bytes[3]);
    }
    assert_string_equal (hosts, row->hosts);
    assert_string_equal (set_show (&result.missed), row->missed);
    sc_fping_text_destroy (&text);
    sc_result_clear (&result);
    sh_ranges_clear (&ranges);
}

static void
test_lines (void **state)
{
    (void) state;
    static const lines_t table[] = {
        { CANARY ALIVE (2) SILENT (1) SILENT (3), "", "2 ", "", "", true },
        /* a reply from another of the host's addresses */
        { CANARY "10.0.0.2 is alive [<- 10.9.9.9]\n" SILENT (1) SILENT (3), "",
          "2 ", "", "", true },
        { CANARY SILENT (1) SILENT (2) SILENT (3), "", "", "", "", true },
        /* one that answers is proof enough */
        { ALIVE (1) SILENT (2) SILENT (3), "", "1 ", "", "", true },
        { "127.0.0.1 is unreachable\n" SILENT (1) SILENT (2) SILENT (3), "", "",
          "", "not even this machine's own", false },
        { CANARY ALIVE (1) SILENT (2), "", "1 ", "", "ended before", false },
        /* a line without its end is none */
        { CANARY ALIVE (1) SILENT (2) "10.0.0.3 is unreachable", "", "1 ", "",
          "ended before", false },
        { CANARY SILENT (1) SILENT (2) SILENT (3), UNSENT (3) UNSENT (2), "",
          "10.0.0.2-10.0.0.3", "2 addresses could not be asked: No buffer",
          true },
        /* the note before it has no line of its own */
        { CANARY SILENT (1) SILENT (2) SILENT (3),
          " [<- 10.0.0.9]" UNSENT (1) " [<- 10.0.0.9]\n", "",
          "10.0.0.1-10.0.0.1", "1 address could not", true },
        /* not sent once, answered another time; and said twice */
        { CANARY ALIVE (2) SILENT (1) SILENT (3),
          UNSENT (2) UNSENT (3) UNSENT (3), "2 ", "10.0.0.3-10.0.0.3",
          "1 address could not be asked", true },
        { CANARY SILENT (1) SILENT (2) SILENT (3),
          UNSENT (1) UNSENT (2) UNSENT (3), "", "10.0.0.1-10.0.0.3",
          "fping could not send: No buffer", false },
        { CANARY SILENT (1) SILENT (2) SILENT (3),
          "10.0.0.1: error while sending ping: \n", "", "10.0.0.1-10.0.0.1",
          "1 address could not be asked: no reason given", true },
        /* of others, and of remote machines */
        { CANARY ALIVE (1) SILENT (2) SILENT (3) ALIVE (4) "::1 is alive\n",
          UNSENT (4) "ICMP Host Unreachable from 10.0.0.9 for ICMP Echo sent "
                     "to 10.0.0.2\n",
          "1 ", "", "", true },
        /* what is no line of fping's */
        { CANARY "10.0.0.1  is alive\n10.0.0.1 is alive!\n 10.0.0.1 is alive\n"
                 "x 10.0.0.1 is alive\n10.0.0.01 is alive\n10.0.0.1 is\n\n"
                 "10.0.0.1 is alive (1 ms)\n" SILENT (1) SILENT (2) SILENT (3),
          "10.0.0.1 error while sending ping: x\n", "", "", "", true },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        s_check_lines (&table[i], 1);
        s_check_lines (&table[i], 7);
        s_check_lines (&table[i], 4096);
    }
}

/*  Nobody was asked, so nothing went wrong with them.  */
static void
test_nothing_asked (void **state)
{
    (void) state;
    static const struct
    {
        const char *output, *text;
        sh_err_t rc;
    } table[] = { { CANARY, "", SH_OK },
                  { "", "fping hears no answers", SH_E_PROBE } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sh_ranges_t none = { 0 };
        sc_job_t job = { .ranges = &none };
        sc_result_t result = { 0 };
        sc_fping_text_t *text = NULL;
        sh_addr_t canary = set_ip ("127.0.0.1");
        sh_why_t why = { "" };
        assert_int_equal (sc_fping_text_new (&text, &result, &job, &canary,
                                             sh_clock_system ()),
                          SH_OK);
        sc_fping_text_feed (text, table[i].output, strlen (table[i].output));
        assert_int_equal (sc_fping_text_finish (text, &why), table[i].rc);
        assert_ptr_equal (strstr (why.text, table[i].text), why.text);
        assert_string_equal (result.text, "");
        sc_fping_text_destroy (&text);
        sc_result_clear (&result);
    }
}

/*  However long a line is and whatever is in it, the next one counts.  */
static void
test_hostile_lines (void **state)
{
    (void) state;
    static char line[100000];
    memset (line, 'x', sizeof line);
    static const char begin[] = "10.0.0.1 is alive",
                      end[] = "\n10.0.0.2 is alive\n10.0.0.3 is alive";
    memcpy (line, begin, sizeof begin - 1);
    memcpy (line + sizeof line - sizeof end, end, sizeof end);
    sh_ranges_t ranges;
    set_read (&ranges, "10.0.0.1-10.0.0.3");
    sc_job_t job = { .ranges = &ranges };
    sc_result_t result = { 0 };
    sc_fping_text_t *text = NULL;
    sh_addr_t canary = set_ip ("127.0.0.1");
    assert_int_equal (sc_fping_text_new (&text, &result, &job, &canary,
                                         sh_clock_system ()),
                      SH_OK);
    sc_fping_text_feed (text, line, sizeof line);
    sc_fping_text_feed (text, "\n", 1); /* behind a NUL */
    assert_int_equal (result.count, 1);
    assert_int_equal (result.hosts[0].ip.bytes[3], 2);
    for (size_t i = 0; i < 1000; i++)
        sc_fping_text_feed (text, ALIVE (3), strlen (ALIVE (3)));
    assert_int_equal (result.count, 3); /* as many as were asked */
    sc_fping_text_destroy (&text);
    sc_result_clear (&result);
    sh_ranges_clear (&ranges);
}

/* fping itself */

static sh_err_t
s_probe (sc_result_t *out, const char *program, const char *range,
         sh_why_t *why)
{
    return program_run (out, &sc_engine_fping, program, range, 60, why);
}

static void
test_loopback (void **state)
{
    (void) state;
    program_need (&sc_engine_fping);
    sc_result_t result = { 0 };
    sh_why_t why = { "" };
    int64_t begin = sh_clock_wall (sh_clock_system ());
    if (s_probe (&result, "fping", "127.0.0.1-127.0.0.14", &why) != SH_OK)
        fail_msg ("%s", why.text);
    if (!result.complete)
        fail_msg ("%s", result.text);
    assert_string_equal (result.text, "");
    sh_ranges_t ranges;
    set_read (&ranges, "127.0.0.1-127.0.0.14");
    sc_job_t job = { .ranges = &ranges };
    sc_result_settle (&result, &job, begin,
                      sh_clock_wall (sh_clock_system ()));
    assert_int_equal (result.count, 14);
    for (size_t i = 0; i < result.count; i++)
        assert_int_equal (result.hosts[i].ip.bytes[3], i + 1);
    sh_ranges_clear (&ranges);
    sc_result_clear (&result);
}

static void
test_v6 (void **state)
{
    (void) state;
    program_need (&sc_engine_fping);
    program_need_v6 ();
    sc_result_t result = { 0 };
    sh_why_t why = { "" };
    assert_int_equal (s_probe (&result, "fping", "::1", &why), SH_OK);
    if (!result.complete)
        fail_msg ("%s", result.text);
    assert_int_equal (result.count, 1);
    assert_int_equal (result.hosts[0].ip.family, 6);
    sc_result_clear (&result);
}

/*  No machine may be asked for 255.255.255.255 without saying that a broadcast
    is meant: an error of our own, not a silent host.  */
static void
test_local_error (void **state)
{
    (void) state;
    program_need (&sc_engine_fping);
    sc_result_t result = { 0 };
    sh_why_t why = { "" };
    assert_int_equal (s_probe (&result, "fping", "255.255.255.255", &why),
                      SH_OK);
    assert_false (result.complete);
    assert_int_equal (result.count, 0);
    assert_string_equal (set_show (&result.missed),
                         "255.255.255.255-255.255.255.255");
    assert_non_null (strstr (result.text, "fping could not send: "));
    sc_result_clear (&result);
}

static void
test_missing (void **state)
{
    (void) state;
    sc_result_t result = { 0 };
    sh_why_t why = { "" };
    assert_int_equal (s_probe (&result, "/no/such/fping", "127.0.0.1", &why),
                      SH_E_NOT_FOUND);
    assert_non_null (strstr (why.text, "apt-get install fping"));
}

/*  Runs that the real one cannot be made to have, played by a script: hosts
    that were found are kept.  */
static void
test_broken (void **state)
{
    (void) state;
#define START                                                                  \
    "#!/bin/sh\ncat >/dev/null\necho 127.0.0.1 is alive\n"                     \
    "echo 10.0.0.1 is alive\n"
#define END "echo 10.0.0.2 is unreachable\n"
    static const program_run_t table[] = {
        { START END "exit 0\n", "", true },
        { START END "exit 1\n", "", true },
        { START END "echo no luck >&2; exit 2\n",
          "fping: exit status 2: no luck", false },
        { START END "exit 4\n", "fping: exit status 4; try it by hand", false },
        { START "exit 0\n", "ended before all addresses", false },
        { START END "kill -KILL $$\n", "killed by signal 9", false },
        { START "sleep 60\n", "stopped at its deadline", false },
        /* gone before it has read all targets */
        { "#!/bin/sh\necho 10.0.0.1 is alive\nexit 3\n", "exit status 3",
          false },
    };
    program_expect (&sc_engine_fping, "10.0.0.1-10.0.0.2", table,
                    sizeof table / sizeof *table);
}

/*  All targets reach it, in order, however many pieces that takes.  */
static void
test_all_targets (void **state)
{
    (void) state;
    sc_result_t result = { 0 };
    sh_why_t why = { "" };
    assert_int_equal (program_play (&result, &sc_engine_fping,
                                    "#!/bin/sh\nsed 's/$/ is alive/'\n",
                                    "10.1.0.0-10.1.255.255", 60, &why),
                      SH_OK);
    if (!result.complete)
        fail_msg ("%s", result.text);
    assert_int_equal (result.count, 65536);
    for (unsigned i = 0; i < 65536; i++)
        if (result.hosts[i].ip.bytes[2] * 256u + result.hosts[i].ip.bytes[3]
            != i)
            fail_msg ("host %u is another one", i);
    sc_result_clear (&result);
}

/* configuration */

static void
test_config (void **state)
{
    (void) state;
    static const char text[]
        = "hub: {endpoint: 'tcp://h:5766', key: "
          "'0123456789012345678901234567890123456789'}\n"
          "engine: fping\nfping: {program: /opt/fping, rate: 50, retries: 2, "
          "deadline: 9}\n";
    sc_config_t *config = NULL;
    sh_why_t why = { "" };
    if (sc_config_parse (&config, text, sizeof text - 1, "x.yaml", &why)
        != SH_OK)
        fail_msg ("%s", why.text);
    const void *settings;
    assert_ptr_equal (sc_config_engine (config, &settings), &sc_engine_fping);
    assert_ptr_equal (settings, &config->fping);
    assert_string_equal (config->fping.program, "/opt/fping");
    assert_int_equal (config->fping.rate, 50);
    assert_int_equal (config->fping.retries, 2);
    assert_int_equal (config->fping.deadline, 9);
    sc_config_destroy (&config);
    assert_int_equal (sc_config_default (&config), SH_OK);
    assert_string_equal (config->fping.program, "fping");
    assert_int_equal (config->fping.rate, 1000);
    int index = sc_config_engine_index ("fping");
    assert_true (index >= 0);
    config->engine = index;
    assert_ptr_equal (sc_config_engine (config, &settings), &sc_engine_fping);
    assert_int_equal (sc_config_engine_index ("ping"), -1);
    sc_config_destroy (&config);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_command),
        cmocka_unit_test (test_targets),
        cmocka_unit_test (test_lines),
        cmocka_unit_test (test_nothing_asked),
        cmocka_unit_test (test_hostile_lines),
        cmocka_unit_test (test_loopback),
        cmocka_unit_test (test_v6),
        cmocka_unit_test (test_local_error),
        cmocka_unit_test (test_missing),
        cmocka_unit_test (test_broken),
        cmocka_unit_test (test_all_targets),
        cmocka_unit_test (test_config),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
