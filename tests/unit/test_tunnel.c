/* SPDX-License-Identifier: MPL-2.0 */
/*  The road through a SOCKS proxy, with a proxy that is played here step by
    step; what a proxy can do wrong is in tests/integration/socks.py.  */

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "scanner-proto/tunnel.h"

#define MUCH (24 * 1024 * 1024) /* more than all the buffers on the way */

static int
s_listen (char *place, size_t room)
{
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    socklen_t length = sizeof addr;
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    assert_true (fd >= 0);
    assert_int_equal (bind (fd, (struct sockaddr *) &addr, length), 0);
    assert_int_equal (listen (fd, 5), 0);
    assert_int_equal (getsockname (fd, (struct sockaddr *) &addr, &length), 0);
    (void) snprintf (place, room, "127.0.0.1:%d", ntohs (addr.sin_port));
    return fd;
}

static int
s_connect (const sp_tunnel_t *tunnel)
{
    const char *name = sp_tunnel_endpoint (tunnel) + strlen ("ipc://@");
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    memcpy (addr.sun_path + 1, name, strlen (name));
    socklen_t length = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + 1
                                    + strlen (name));
    int fd = socket (AF_UNIX, SOCK_STREAM, 0);
    assert_true (fd >= 0);
    if (connect (fd, (struct sockaddr *) &addr, length) == 0)
        return fd;
    (void) close (fd);
    return -1;
}

static void
s_read (int fd, void *data, size_t size)
{
    assert_int_equal (recv (fd, data, size, MSG_WAITALL), (ssize_t) size);
}

/*  Up to the reply, which comes byte by byte.  */
static int
s_play_proxy (int listener, const char *host, const void *reply, size_t size)
{
    uint8_t data[300];
    int fd = accept (listener, NULL, NULL);
    assert_true (fd >= 0);
    s_read (fd, data, 3);
    assert_memory_equal (data, "\5\1\0", 3);
    assert_int_equal (send (fd, "\5", 1, 0), 1);
    (void) usleep (20000);
    assert_int_equal (send (fd, "\0", 1, 0), 1);
    s_read (fd, data, 5);
    assert_memory_equal (data, "\5\1\0\3", 4);
    assert_int_equal (data[4], strlen (host));
    s_read (fd, data, strlen (host) + 2);
    assert_memory_equal (data, host, strlen (host));
    assert_memory_equal (data + strlen (host), "\x16\x86", 2); /* 5766 */
    for (size_t i = 0; i < size; i++) {
        assert_int_equal (send (fd, (const uint8_t *) reply + i, 1, 0), 1);
        (void) usleep (2000);
    }
    return fd;
}

/*  The byte at a place.  */
static uint8_t
s_byte (size_t at)
{
    return (uint8_t) (at * 7 + at / 251);
}

/*  Until 'size' bytes have gone in at 'in' and come out at 'out', which begins
    late: all buffers fill up first.  */
static void
s_pass (int in, int out, size_t size)
{
    size_t sent = 0, got = 0;
    uint8_t data[10000] = { 0 };
    for (int idle = 0; sent < size && idle < 20;) {
        size_t n = size - sent < sizeof data ? size - sent : sizeof data;
        for (size_t i = 0; i < n; i++)
            data[i] = s_byte (sent + i);
        ssize_t done = send (in, data, n, MSG_DONTWAIT);
        sent += done > 0 ? (size_t) done : 0;
        idle = done > 0 ? 0 : idle + 1;
        if (done < 0)
            (void) usleep (5000);
    }
    assert_true (sent < size); /* it was held up, not piled up in memory */
    while (got < size) {
        size_t n = size - sent < sizeof data ? size - sent : sizeof data;
        for (size_t i = 0; i < n; i++)
            data[i] = s_byte (sent + i);
        ssize_t done = n ? send (in, data, n, MSG_DONTWAIT) : 0;
        sent += done > 0 ? (size_t) done : 0;
        done = recv (out, data, sizeof data, 0);
        assert_true (done > 0);
        bool same = true;
        for (ssize_t i = 0; i < done; i++)
            same &= data[i] == s_byte (got + (size_t) i);
        assert_true (same);
        got += (size_t) done;
    }
}

static void
test_carries (void **state)
{
    (void) state;
    static const char reply[] = "\5\0\0\3\4here\x12\x34";
    char place[40], text[256];
    int listener = s_listen (place, sizeof place);
    sp_tunnel_t *tunnel = NULL;
    sh_why_t why;
    assert_int_equal (
        sp_tunnel_new (&tunnel, place, "hub.example:5766", 5000, &why), SH_OK);
    assert_true (sp_tunnel_trouble (tunnel, text, sizeof text));
    assert_non_null (strstr (text, "does not answer"));
    int local = s_connect (tunnel);
    int remote = s_play_proxy (listener, "hub.example", reply,
                               sizeof reply - 1);
    /* what follows the reply is the target's */
    assert_int_equal (send (remote, "greeting", 8, 0), 8);
    s_read (local, text, 8);
    assert_memory_equal (text, "greeting", 8);
    assert_false (sp_tunnel_trouble (tunnel, text, sizeof text));
    s_pass (local, remote, MUCH);
    s_pass (remote, local, MUCH);

    /* released, it still carries; closed, the rest arrives before the end */
    sp_tunnel_release (&tunnel);
    assert_null (tunnel);
    assert_int_equal (send (local, "farewell", 8, 0), 8);
    (void) close (local);
    s_read (remote, text, 8);
    assert_memory_equal (text, "farewell", 8);
    assert_int_equal (recv (remote, text, 1, 0), 0);
    (void) close (remote);
    (void) close (listener);
}

/*  Whoever finds the name and comes first is shown out.  */
static void
test_stranger (void **state)
{
    (void) state;
    char place[40], byte;
    int listener = s_listen (place, sizeof place);
    sp_tunnel_t *tunnel = NULL;
    sh_why_t why;
    assert_int_equal (
        sp_tunnel_new (&tunnel, place, "hub.example:5766", 5000, &why), SH_OK);
    int ready[2], status = -1;
    assert_int_equal (pipe (ready), 0);
    pid_t child = fork ();
    if (child == 0) {
        int fd = s_connect (tunnel);
        (void) !write (ready[1], "x", 1);
        /* nothing comes, and it ends */
        _exit (fd >= 0 && recv (fd, &byte, 1, 0) <= 0 ? 0 : 1);
    }
    assert_int_equal (read (ready[0], &byte, 1), 1);
    int local = s_connect (tunnel);
    int remote = s_play_proxy (listener, "hub.example",
                               "\5\0\0\1\0\0\0\0\0\0", 10);
    assert_int_equal (send (remote, "y", 1, 0), 1);
    s_read (local, &byte, 1);
    assert_int_equal (byte, 'y');
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_int_equal (status, 0);
    sp_tunnel_release (&tunnel);
    (void) close (local);
    (void) close (remote);
    (void) close (listener);
    (void) close (ready[0]);
    (void) close (ready[1]);
}

/*  Released in the midst of an attempt, it leaves the proxy at once.  */
static void
test_release (void **state)
{
    (void) state;
    char place[40], data[3];
    int listener = s_listen (place, sizeof place);
    sp_tunnel_t *tunnel = NULL;
    sh_why_t why;
    assert_int_equal (
        sp_tunnel_new (&tunnel, place, "hub.example:5766", 60000, &why), SH_OK);
    int remote = accept (listener, NULL, NULL);
    s_read (remote, data, 3);
    sp_tunnel_release (&tunnel);
    sp_tunnel_release (&tunnel);
    struct pollfd item = { .fd = remote, .events = POLLIN };
    assert_int_equal (poll (&item, 1, 2000), 1);
    assert_int_equal (recv (remote, data, 1, 0), 0);
    (void) close (remote);
    (void) close (listener);
}

int
main (void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_carries),
        cmocka_unit_test (test_stranger),
        cmocka_unit_test (test_release),
    };
    cmocka_set_message_output (CM_OUTPUT_TAP);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
