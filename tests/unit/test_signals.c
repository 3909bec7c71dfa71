/* SPDX-License-Identifier: MPL-2.0 */
/*  Signals are read from a descriptor, or end the program again.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/signals.h"

/*  The tests' own program keeps its signals: this is played by a child.  */
static int
s_play (int (*play) (void))
{
    int status = 0;
    pid_t child = fork ();
    assert_true (child >= 0);
    if (child == 0)
        _exit (play ());
    assert_int_equal (waitpid (child, &status, 0), child);
    return status;
}

static int
s_read_all (void)
{
    static const int all[] = { SIGHUP, SIGINT, SIGTERM };
    sh_signals_block ();
    int fd = sh_signals_open ();
    if (fd < 0 || sh_signals_read (fd) != 0)
        return 1;
    for (int i = 0; i < 3; i++) {
        struct pollfd item = { .fd = fd, .events = POLLIN };
        (void) raise (all[i]);
        if (poll (&item, 1, 0) != 1 || sh_signals_read (fd) != all[i]
            || sh_signals_read (fd) != 0)
            return 2 + i;
    }
    return 0;
}

static int
s_unblock (void)
{
    sh_signals_block ();
    (void) raise (SIGTERM);
    sh_signals_unblock ();
    return 1;
}

static void
test_each_is_read_once (void **state)
{
    (void) state;
    assert_int_equal (s_play (s_read_all), 0);
}

static void
test_unblocked_it_ends_the_program (void **state)
{
    (void) state;
    int status = s_play (s_unblock);
    assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGTERM);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_each_is_read_once),
        cmocka_unit_test (test_unblocked_it_ends_the_program),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
