/* SPDX-License-Identifier: MPL-2.0 */
/*  The log, with stderr caught in a pipe and with the clocks of this file: the
    linker takes the sh_clock_system below and leaves out the library's.  */

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/log.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define STAMP "2026-07-01T10:00:00Z "
#define START INT64_C (1782900000000)

static int64_t s_wall = START;
static int64_t s_mono = 1000;

static int64_t
s_wall_ms (void *context)
{
    (void) context;
    return s_wall;
}

static int64_t
s_mono_ms (void *context)
{
    (void) context;
    return s_mono;
}

const sh_clock_t *
sh_clock_system (void)
{
    static const sh_clock_t clock = { s_wall_ms, s_mono_ms, NULL, NULL };
    return &clock;
}

static int s_saved = -1;
static int s_read = -1;
static char s_text[1 << 20];

static void
s_catch_on (int fds[2])
{
    fflush (stderr);
    s_saved = dup (STDERR_FILENO);
    assert_true (s_saved >= 0);
    assert_int_equal (dup2 (fds[1], STDERR_FILENO), STDERR_FILENO);
    close (fds[1]);
    s_read = fds[0];
    assert_int_equal (fcntl (s_read, F_SETFL, O_NONBLOCK), 0);
}

/*  From here on stderr goes into a pipe...  */
static void
s_catch (void)
{
    int fds[2];
    assert_int_equal (pipe (fds), 0);
    s_catch_on (fds);
}

/*  ...and until here; what was written.  */
static const char *
s_caught (void)
{
    dup2 (s_saved, STDERR_FILENO);
    close (s_saved);
    size_t size = 0;
    ssize_t got;
    while ((got = read (s_read, s_text + size, sizeof s_text - 1 - size)) > 0)
        size += (size_t) got;
    close (s_read);
    s_text[size] = '\0';
    return s_text;
}

/*  Every test begins outside of the windows of the ones before.  */
static int
s_setup (void **state)
{
    (void) state;
    s_mono += 120000;
    s_wall = START;
    unsetenv ("JOURNAL_STREAM");
    sh_log_set_level (SH_LOG_INFO);
    s_catch ();
    sh_log_flush ();
    s_caught ();
    return 0;
}

static size_t
s_lines (const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void
test_format (void **state)
{
    (void) state;
    s_catch ();
    sh_log (SH_LOG_WARNING, "report refused", SH_STR ("scanner", "site-a"),
            SH_INT ("subnet", 3), SH_INT ("low", INT64_MIN),
            SH_STR ("none", NULL));
    sh_log (SH_LOG_INFO, "no fields");
    sh_log_fields (SH_LOG_ERROR, "null fields", NULL);
    assert_string_equal (s_caught (),
                         STAMP "warning report refused scanner=site-a subnet=3 "
                               "low=-9223372036854775808 none=-\n"
                         STAMP "info no fields\n"
                         STAMP "error null fields\n");
}

static void
test_values (void **state)
{
    (void) state;
    static const struct
    {
        const char *value, *shown;
    } cases[] = {
        { "plain", "plain" },
        { "a/b:c-d_e.f", "a/b:c-d_e.f" },
        { "", "\"\"" },
        { "two words", "\"two words\"" },
        { "a=b", "\"a=b\"" },
        { "say \"x\"", "\"say \\x22x\\x22\"" },
        { "\"", "\"\\x22\"" },
        { "it's", "\"it's\"" },
        { "back\\slash", "back\\x5cslash" },
        { "a\nb", "a\\x0ab" },
        { "a\rb", "a\\x0db" },
        { "tab\t", "\"tab\\x09\"" },
        { "\x1b[31m", "\\x1b[31m" },
        { "m\xc3\xbcller", "m\\xc3\\xbcller" },
        { "\x7f\x80\xff", "\\x7f\\x80\\xff" },
        { "100%s%n", "100%s%n" },
        { "-", "-" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char expected[200];
        snprintf (expected, sizeof expected, STAMP "info value v=%s\n",
                  cases[i].shown);
        s_catch ();
        sh_log (SH_LOG_INFO, "value", SH_STR ("v", cases[i].value));
        assert_string_equal (s_caught (), expected);
    }
}

static void
test_levels (void **state)
{
    (void) state;
    s_catch ();
    sh_log (SH_LOG_DEBUG, "not at info");
    sh_log_set_level (SH_LOG_DEBUG);
    sh_log (SH_LOG_DEBUG, "a");
    sh_log_set_level (SH_LOG_ERROR);
    sh_log (SH_LOG_WARNING, "not at error");
    sh_log (SH_LOG_ERROR, "b");
    sh_log_set_level (SH_LOG_NOTICE);
    sh_log (SH_LOG_INFO, "not at notice");
    sh_log (SH_LOG_NOTICE, "c");
    assert_string_equal (s_caught (), STAMP "debug a\n" STAMP "error b\n" STAMP
                                            "notice c\n");
}

static void
test_level_parse (void **state)
{
    (void) state;
    static const char *const words[]
        = { "error", "warning", "notice", "info", "debug" };
    sh_level_t level = SH_LOG_ERROR;
    for (size_t i = 0; i < COUNT (words); i++) {
        assert_int_equal (sh_level_parse (&level, words[i]), SH_OK);
        assert_int_equal (level, (int) i + 3);
    }
    static const char *const bad[]
        = { "", "Error", "warn", "err", "debug ", "7", "crit" };
    for (size_t i = 0; i < COUNT (bad); i++)
        assert_int_equal (sh_level_parse (&level, bad[i]), SH_E_SYNTAX);
    assert_int_equal (level, SH_LOG_DEBUG);
}

static void
test_journal (void **state)
{
    (void) state;
    char stream[64];
    struct stat meta;
    s_catch ();
    assert_int_equal (fstat (STDERR_FILENO, &meta), 0);
    snprintf (stream, sizeof stream, "%ju:%ju", (uintmax_t) meta.st_dev,
              (uintmax_t) meta.st_ino);
    setenv ("JOURNAL_STREAM", stream, 1);
    sh_log (SH_LOG_ERROR, "in the journal", SH_INT ("n", 1));
    sh_log (SH_LOG_INFO, "in the journal", SH_INT ("n", 1));
    /*  Another file than the one that systemd connected.  */
    snprintf (stream, sizeof stream, "%ju:%ju", (uintmax_t) meta.st_dev,
              (uintmax_t) meta.st_ino + 1);
    setenv ("JOURNAL_STREAM", stream, 1);
    sh_log (SH_LOG_INFO, "elsewhere");
    setenv ("JOURNAL_STREAM", "rubbish", 1);
    sh_log (SH_LOG_INFO, "rubbish");
    assert_string_equal (s_caught (),
                         "<3>in the journal n=1\n<6>in the journal n=1\n" STAMP
                         "info elsewhere\n" STAMP "info rubbish\n");
}

static void
test_repeats (void **state)
{
    (void) state;
    s_catch ();
    for (int i = 0; i < 22; i++)
        sh_log (SH_LOG_WARNING, "again", SH_INT ("x", 1));
    assert_int_equal (s_lines (s_caught ()), 5);

    s_catch ();
    sh_log_flush ();
    sh_log_flush (); /* has nothing to add */
    assert_string_equal (s_caught (),
                         STAMP "warning held back 17 more of: again x=1\n");

    /*  The window is still open: more is held back, and counted anew.  */
    s_mono += 59999;
    s_catch ();
    sh_log (SH_LOG_WARNING, "again", SH_INT ("x", 1));
    sh_log (SH_LOG_WARNING, "again", SH_INT ("x", 1));
    assert_string_equal (s_caught (), "");

    /*  A new window tells what the old one held back, then writes again.  */
    s_mono += 1;
    s_catch ();
    for (int i = 0; i < 6; i++)
        sh_log (SH_LOG_WARNING, "again", SH_INT ("x", 1));
#define AGAIN STAMP "warning again x=1\n"
    assert_string_equal (s_caught (),
                         STAMP "warning held back 2 more of: again x=1\n" AGAIN
                             AGAIN AGAIN AGAIN AGAIN);
    s_catch ();
    sh_log_flush ();
    assert_string_equal (s_caught (),
                         STAMP "warning held back 1 more of: again x=1\n");
}

static void
test_repeats_apart (void **state)
{
    (void) state;
    /*  Another value, another text or another level is another line.  */
    s_catch ();
    for (int i = 0; i < 10; i++) {
        sh_log (SH_LOG_WARNING, "apart", SH_INT ("x", i));
        sh_log (SH_LOG_NOTICE, "apart", SH_INT ("x", 0));
        sh_log (SH_LOG_WARNING, "apart too", SH_INT ("x", 0));
    }
    assert_int_equal (s_lines (s_caught ()), 10 + 5 + 5);
    /*  Time passes between lines: five in any one minute are fine.  */
    s_catch ();
    for (int i = 0; i < 50; i++) {
        s_mono += 12000;
        sh_log (SH_LOG_INFO, "slow");
    }
    const char *text = s_caught ();
    assert_int_equal (s_lines (text), 50);
    assert_null (strstr (text, "more of: slow"));
}

static void
test_repeats_table (void **state)
{
    (void) state;
    s_catch ();
    for (int i = 0; i < 9; i++)
        sh_log (SH_LOG_INFO, "oldest");
    s_mono++;
    /*  More lines than there are slots push the oldest out: its count is
        told at that moment, and it starts afresh.  */
    for (int i = 0; i < 300; i++)
        sh_log (SH_LOG_INFO, "crowd", SH_INT ("i", i));
    sh_log (SH_LOG_INFO, "oldest");
    const char *text = s_caught ();
    assert_int_equal (s_lines (text), 5 + 1 + 300 + 1);
    assert_non_null (strstr (text, "info held back 4 more of: oldest\n"));
    assert_non_null (strstr (text, "crowd i=299\n" STAMP "info oldest\n"));
    s_catch ();
    sh_log_flush ();
    assert_string_equal (s_caught (), "");
}

static void
test_long (void **state)
{
    (void) state;
    static char big[20000];
    memset (big, 'a', sizeof big - 1);
    s_catch ();
    sh_log (SH_LOG_INFO, "long", SH_STR ("v", big), SH_INT ("after", 7));
    const char *text = s_caught ();
    /*  One value is cut and what comes behind it is still there.  */
    assert_true (strlen (text) < 1100);
    assert_non_null (strstr (text, "aaa... after=7\n"));

    s_catch ();
    sh_log (SH_LOG_INFO, big);
    text = s_caught ();
    assert_int_equal (strlen (text), 4096);
    assert_string_equal (text + 4096 - 6, "aa...\n");

    /*  A summary has a longer beginning and must not outgrow the line.  */
    s_catch ();
    for (int i = 0; i < 6; i++)
        sh_log (SH_LOG_INFO, big);
    sh_log_flush ();
    text = strstr (s_caught (), "held back");
    assert_non_null (text);
    assert_int_equal (strlen (text), 4096 - strlen (STAMP "info "));
    assert_int_equal (strlen (s_text) % 4096, 0);
}

/*  A socket that keeps messages apart shows each write(2) as one.  */
static void
test_one_write (void **state)
{
    (void) state;
    int fds[2];
    assert_int_equal (socketpair (AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    s_catch_on (fds);
    sh_log (SH_LOG_INFO, "whole", SH_STR ("a", "b c"), SH_INT ("d", 4));
    char packet[200] = "";
    ssize_t size = read (s_read, packet, sizeof packet - 1);
    s_caught ();
    assert_true (size > 0);
    assert_string_equal (packet, STAMP "info whole a=\"b c\" d=4\n");
}

static void *
s_chatter (void *context)
{
    for (int i = 0; i < 100; i++)
        sh_log (SH_LOG_INFO, "thread", SH_STR ("who", context),
                SH_INT ("i", i));
    return NULL;
}

static void
test_threads (void **state)
{
    (void) state;
    static char names[4][2] = { "a", "b", "c", "d" };
    pthread_t threads[4];
    s_catch ();
    for (int i = 0; i < 4; i++)
        assert_int_equal (
            pthread_create (&threads[i], NULL, s_chatter, names[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join (threads[i], NULL);
    char *text = s_text;
    s_caught ();
    assert_int_equal (s_lines (text), 400);
    for (char *line = text; *line; line = strchr (line, '\n') + 1)
        assert_int_equal (strncmp (line, STAMP "info thread who=", 37), 0);
}

static void
test_escape (void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        size_t size;
        const char *shown;
    } cases[] = {
        { "plain text", 32, "plain text" },
        { "a\nb\"\\", 32, "a\\x0ab\\x22\\x5c" },
        { NULL, 32, "-" },
        { "", 32, "" },
        { "abcdefg", 8, "abcdefg" },
        { "abcdefgh", 8, "abcd..." },
        { "abc\n", 8, "abc\\x0a" },
        { "abcd\n", 8, "abcd..." },
        { "\n\n", 8, "\\x0a..." },
        { "\n\n", 7, "..." },
        { "abcdef", 4, "..." },
        { "abcdef", 3, ".." },
        { "abcdef", 1, "" },
        { "ab", 3, "ab" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char out[33];
        memset (out, '!', sizeof out);
        sh_escape (out, cases[i].size, cases[i].text);
        assert_string_equal (out, cases[i].shown);
        assert_int_equal (out[cases[i].size], '!');
    }
    char untouched = '!';
    sh_escape (&untouched, 0, "abc");
    assert_int_equal (untouched, '!');
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup (test_format, s_setup),
        cmocka_unit_test_setup (test_values, s_setup),
        cmocka_unit_test_setup (test_levels, s_setup),
        cmocka_unit_test_setup (test_level_parse, s_setup),
        cmocka_unit_test_setup (test_journal, s_setup),
        cmocka_unit_test_setup (test_repeats, s_setup),
        cmocka_unit_test_setup (test_repeats_apart, s_setup),
        cmocka_unit_test_setup (test_repeats_table, s_setup),
        cmocka_unit_test_setup (test_long, s_setup),
        cmocka_unit_test_setup (test_one_write, s_setup),
        cmocka_unit_test_setup (test_threads, s_setup),
        cmocka_unit_test_setup (test_escape, s_setup),
    };
    return cmocka_run_group_tests_name ("log", tests, NULL, NULL);
}
