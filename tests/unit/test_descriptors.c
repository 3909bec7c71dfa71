/* SPDX-License-Identifier: MPL-2.0 */
/*  The reserve of descriptors: accept and accept4 turn away who would get one
    of it, and the control socket's own accept does not.  Each case is a process
    of its own, for limits go down for ever.  */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/descriptors.h"

enum { LIMIT = 128, RESERVE = 16 };

/*  A listening socket; 'address' is where.  */
static int
s_listen (struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    *address = (struct sockaddr_in){ .sin_family = AF_INET };
    address->sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    if (fd < 0 || bind (fd, (struct sockaddr *) address, size) != 0
        || listen (fd, 64) != 0
        || getsockname (fd, (struct sockaddr *) address, &size) != 0)
        return -1;
    return fd;
}

static int
s_connect (const struct sockaddr_in *address)
{
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    return fd >= 0
                   && connect (fd, (const struct sockaddr *) address,
                               sizeof *address)
                          == 0
               ? fd : -1;
}

/*  Open descriptors until the next one would be 'number'.  */
static void
s_fill (int number)
{
    int fd = -1;
    while (fd < number - 1)
        fd = open ("/dev/null", O_RDONLY);
}

/*  Has the other end been closed?  */
static int
s_is_closed (int fd)
{
    char byte;
    ssize_t count = recv (fd, &byte, 1, 0);
    return count == 0 || (count < 0 && errno == ECONNRESET);
}

#define CHECK(what)                                                            \
    do {                                                                       \
        if (!(what))                                                           \
            return __LINE__ % 256;                                             \
    } while (0)

static int
s_before_start (void)
{
    struct sockaddr_in address;
    hub_descriptors_t gauge;
    int listener = s_listen (&address);
    CHECK (listener >= 0);
    int clients[] = { s_connect (&address), s_connect (&address) };
    s_fill (LIMIT - 1);
    CHECK (clients[0] >= 0 && clients[1] >= 0);
    CHECK (accept (listener, NULL, NULL) == LIMIT - 1);
    CHECK (accept4 (listener, NULL, NULL, 0) < 0 && errno == EMFILE);
    hub_descriptors_read (&gauge);
    CHECK (gauge.limit == 0 && gauge.turned_away == 0);
    return 0;
}

static int
s_with_a_reserve (void)
{
    struct sockaddr_in address;
    hub_descriptors_t gauge;
    int listener = s_listen (&address);
    CHECK (listener >= 0);
    hub_descriptors_start ();
    int clients[5];
    for (int i = 0; i < 5; i++)
        clients[i] = s_connect (&address);
    CHECK (clients[4] >= 0);
    s_fill (LIMIT - RESERVE - 2);
    CHECK (accept (listener, NULL, NULL) == LIMIT - RESERVE - 2);
    CHECK (accept4 (listener, NULL, NULL, SOCK_CLOEXEC)
           == LIMIT - RESERVE - 1);
    CHECK (accept4 (listener, NULL, NULL, 0) < 0 && errno == ECONNABORTED);
    CHECK (accept (listener, NULL, NULL) < 0 && errno == ECONNABORTED);
    CHECK (s_is_closed (clients[2]) && s_is_closed (clients[3]));
    CHECK (hub_descriptors_accept (listener) == LIMIT - RESERVE);
    hub_descriptors_read (&gauge);
    CHECK (gauge.limit == LIMIT && gauge.reserve == RESERVE);
    CHECK (gauge.turned_away == 2);
    CHECK (gauge.used >= LIMIT - RESERVE + 1); /* and what was inherited */
    hub_descriptors_watch (1000);
    /*  An error of accept's own stays what it is.  */
    CHECK (accept (STDIN_FILENO, NULL, NULL) < 0 && errno == ENOTSOCK);
    return 0;
}

/*  With very many there are more than the hub will use, and a reserve that
    does not grow with them; with few the limit is what there is.  */
static int
s_with_many (void)
{
    hub_descriptors_t gauge;
    hub_descriptors_start ();
    hub_descriptors_read (&gauge);
    CHECK (gauge.limit == 16384 && gauge.reserve == 128);
    return 0;
}

/*  In a child with a limit.  */
static void
s_play (int (*play) (void), rlim_t most)
{
    pid_t child = fork ();
    assert_true (child >= 0);
    if (child == 0) {
        const struct rlimit limit = { most, most };
        close (STDIN_FILENO);
        int null = open ("/dev/null", O_RDONLY);
        if (null != STDIN_FILENO
            || setrlimit (RLIMIT_NOFILE, &limit) != 0)
            _exit (255);
        _exit (play ());
    }
    int status = 0;
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), 0); /* else the line, mod 256 */
}

static void
test_before_start (void **state)
{
    (void) state;
    s_play (s_before_start, LIMIT);
}

static void
test_with_a_reserve (void **state)
{
    (void) state;
    s_play (s_with_a_reserve, LIMIT);
}

static void
test_with_many (void **state)
{
    (void) state;
    struct rlimit limit;
    assert_int_equal (getrlimit (RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < 20000)
        skip ();
    s_play (s_with_many, 20000);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_before_start),
        cmocka_unit_test (test_with_a_reserve),
        cmocka_unit_test (test_with_many),
    };
    return cmocka_run_group_tests_name ("descriptors", tests, NULL, NULL);
}
