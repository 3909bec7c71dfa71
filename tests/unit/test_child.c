/* SPDX-License-Identifier: MPL-2.0 */
/*  Somebody else's program as a child of ours.  */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scanner/child.h"

typedef struct
{
    char data[262144];
    size_t size;
} sink_t;

static void
s_collect (void *context, const void *data, size_t size)
{
    sink_t *sink = context;
    assert_true (size <= sizeof sink->data - sink->size);
    memcpy (sink->data + sink->size, data, size);
    sink->size += size;
}

static sc_child_t *
s_start (const char *script, sink_t *sink, char *input, int64_t deadline)
{
    char shell[] = "sh", flag[] = "-c", *text = strdup (script);
    char *argv[] = { shell, flag, text, NULL };
    sc_child_options_t options = { .program = "/bin/sh",
                                   .argv = argv,
                                   .input = input,
                                   .input_size = input ? strlen (input) : 0,
                                   .deadline = deadline,
                                   .output = s_collect,
                                   .context = sink,
                                   .clock = sh_clock_system () };
    sc_child_t *child = NULL;
    sh_why_t why = { 0 };
    if (sc_child_start (&child, &options, &why) != SH_OK)
        fail_msg ("%s", why.text);
    free (text);
    return child;
}

static void
s_wait_child (sc_child_t *child)
{
    while (!sc_child_step (child)) {
        struct pollfd item = { .fd = sc_child_fd (child), .events = POLLIN };
        (void) poll (&item, 1, sc_child_timeout (child));
    }
}

/*  More than a pipe holds, both ways at once.  */
static void
test_child_cat (void **state)
{
    (void) state;
    size_t size = 250000;
    char *input = malloc (size + 1);
    assert_non_null (input);
    for (size_t i = 0; i < size; i++)
        input[i] = (char) ('a' + i % 23);
    input[size] = '\0';
    char *copy = strdup (input);
    static sink_t sink;
    sink.size = 0;
    sc_child_t *child = s_start ("cat; echo said >&2", &sink, input, 20000);
    s_wait_child (child);
    sh_why_t why = { 0 };
    assert_true (sc_child_succeeded (child, &why));
    assert_string_equal (sc_child_errors (child), "said\n");
    assert_int_equal (sink.size, size);
    assert_memory_equal (sink.data, copy, size);
    free (copy);
    sc_child_destroy (&child);
    sc_child_destroy (&child);
}

static void
test_child_ends (void **state)
{
    (void) state;
    static const char *const table[][2] = {
        { "echo first >&2; echo no luck >&2; exit 3",
          "exit status 3: no luck" },
        { "kill -KILL $$", "killed by signal 9" },
        { "sleep 60", "stopped at its deadline" },
        { "trap '' TERM; sleep 60 & wait; sleep 60",
          "stopped at its deadline" },
        /* somebody else holds the pipe */
        { "setsid sleep 2 & exit 4", "exit status 4" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        static sink_t sink;
        sink.size = 0;
        bool sleeps = strstr (table[i][0], "sleep 60") != NULL;
        int64_t begin = sh_clock_mono (sh_clock_system ());
        sc_child_t *child
            = s_start (table[i][0], &sink, NULL, sleeps ? 200 : 20000);
        s_wait_child (child);
        sh_why_t why = { 0 };
        assert_false (sc_child_succeeded (child, &why));
        if (!strstr (why.text, table[i][1]))
            fail_msg ("'%s' is not in '%s'", table[i][1], why.text);
        assert_in_range (sh_clock_mono (sh_clock_system ()) - begin, 0, 1800);
        sc_child_destroy (&child);
    }
}

/*  Is the process gone, or a zombie that nobody reaps?  The signal that ends it
    may take a moment.  */
static bool
s_is_dead (int pid)
{
    char path[64], text[256] = "";
    (void) snprintf (path, sizeof path, "/proc/%d/stat", pid);
    for (int tries = 0; tries < 200; tries++) {
        FILE *stat = fopen (path, "r");
        if (!stat)
            return true;
        bool zombie = fgets (text, sizeof text, stat)
                      && strstr (text, ") Z ") != NULL;
        (void) fclose (stat);
        if (zombie)
            return true;
        (void) poll (NULL, 0, 5);
    }
    return false;
}

/*  Destroyed while it runs: the whole group is gone, also one that does not
    want to.  */
static void
test_child_destroy (void **state)
{
    (void) state;
    static sink_t sink;
    sink.size = 0;
    sc_child_t *child = s_start ("trap '' TERM; sleep 60 & echo $$ $!; wait; "
                                 "wait; sleep 60",
                                 &sink, strdup ("unread"), 20000);
    while (!memchr (sink.data, '\n', sink.size)) {
        assert_false (sc_child_step (child));
        (void) poll (NULL, 0, 5);
    }
    sink.data[sink.size] = '\0';
    int shell = 0, sleeper = 0;
    assert_int_equal (sscanf (sink.data, "%d %d", &shell, &sleeper), 2);
    assert_int_equal (kill (shell, 0), 0);
    int64_t begin = sh_clock_mono (sh_clock_system ());
    sc_child_destroy (&child);
    assert_null (child);
    assert_in_range (sh_clock_mono (sh_clock_system ()) - begin, 0, 900);
    assert_int_equal (kill (shell, 0), -1);
    assert_int_equal (errno, ESRCH);
    assert_true (s_is_dead (sleeper));
}

/*  No descriptor, no variable and no blocked signal is inherited.  */
static void
test_child_inherits_nothing (void **state)
{
    (void) state;
    int leak = dup (1);
    assert_true (leak > 2);
    assert_int_equal (setenv ("NMAP_PRIVILEGED", "1", 1), 0);
    static sink_t sink;
    sink.size = 0;
    char script[256];
    (void) snprintf (script, sizeof script,
                     "test -e /proc/self/fd/%d && echo leaked; pwd; "
                     "echo ${NMAP_PRIVILEGED-unset} $LC_ALL; "
                     "grep SigBlk /proc/self/status",
                     leak);
    sc_child_t *child = s_start (script, &sink, NULL, 20000);
    s_wait_child (child);
    assert_int_equal (unsetenv ("NMAP_PRIVILEGED"), 0);
    sink.data[sink.size] = '\0';
    assert_string_equal (sink.data,
                         "/\nunset C\nSigBlk:\t0000000000000000\n");
    sc_child_destroy (&child);
    (void) close (leak);
}

static void
test_child_find (void **state)
{
    (void) state;
    char *path = NULL;
    assert_int_equal (sc_child_find (&path, "sh"), SH_OK);
    assert_int_equal (path[0], '/');
    free (path);
    path = NULL;
    assert_int_equal (sc_child_find (&path, "/bin/sh"), SH_OK);
    assert_string_equal (path, "/bin/sh");
    free (path);
    path = NULL;
    assert_int_equal (sc_child_find (&path, "no-such-program"),
                      SH_E_NOT_FOUND);
    assert_int_equal (sc_child_find (&path, "/no/such/program"),
                      SH_E_NOT_FOUND);
    assert_int_equal (sc_child_find (&path, "bin/sh"), SH_E_NOT_FOUND);
    assert_null (path);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_child_cat),
        cmocka_unit_test (test_child_ends),
        cmocka_unit_test (test_child_destroy),
        cmocka_unit_test (test_child_inherits_nothing),
        cmocka_unit_test (test_child_find),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
