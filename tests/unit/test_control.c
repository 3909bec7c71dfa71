/* SPDX-License-Identifier: MPL-2.0 */
/*  The control socket: both ends, and clients that do not behave.  */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/control.h"
#include "lib/clock.h"

#define HUB "scanhubd"

static char s_dir[64];
static char s_path[100];

typedef struct
{
    sh_control_t *control;
    pthread_t thread;
    atomic_bool stop;
    char request[SH_CONTROL_REQUEST_MOST + 1];
    const char *answer; /* NULL: as large as possible */
} server_t;

static int
setup (void **state)
{
    (void) state;
    snprintf (s_dir, sizeof s_dir, "/tmp/test_control.XXXXXX");
    if (!mkdtemp (s_dir))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/control.sock", s_dir);
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    unlink (s_path);
    return rmdir (s_dir);
}

static void
answer_it (void *context, const char *request, char *answer, size_t size)
{
    server_t *self = context;
    snprintf (self->request, sizeof self->request, "%s", request);
    if (self->answer)
        snprintf (answer, size, "%s", self->answer);
    else {
        memset (answer, 'x', size);
        memcpy (answer, "ok ", 3);
    }
}

/*  A control socket at 'path' that answers as 'server' says.  */
static sh_err_t
serve_at (sh_control_t **out, const char *path, server_t *server,
          sh_why_t *why)
{
    const sh_control_options_t options
        = { .program = HUB, .answer = answer_it, .context = server };
    return sh_control_new (out, path, &options, why);
}

static void *
serve_on (void *context)
{
    server_t *self = context;
    while (!atomic_load (&self->stop)) {
        struct pollfd item
            = { .fd = sh_control_fd (self->control), .events = POLLIN };
        if (poll (&item, 1, 20) > 0)
            sh_control_serve (self->control);
    }
    return NULL;
}

static void
start (server_t *self)
{
    sh_why_t why = { "" };
    assert_int_equal (
        serve_at (&self->control, s_path, self, &why),
        SH_OK);
    assert_int_equal (pthread_create (&self->thread, NULL, serve_on, self),
                      0);
}

static void
stop (server_t *self)
{
    atomic_store (&self->stop, true);
    pthread_join (self->thread, NULL);
    sh_control_destroy (&self->control);
    assert_null (self->control);
}

static int
dial (void)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    memcpy (to.sun_path, s_path, strlen (s_path) + 1);
    int fd = socket (AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal (connect (fd, (struct sockaddr *) &to, sizeof to), 0);
    return fd;
}

static void
a_question_gets_its_answer (void **state)
{
    (void) state;
    server_t server = { .answer = "ok all is well\nsecond line" };
    char *answer = NULL;
    sh_why_t why = { "" };
    struct stat meta;
    start (&server);
    assert_int_equal (stat (s_path, &meta), 0);
    assert_int_equal (meta.st_mode & 07777, 0660);
    for (int i = 0; i < 20; i++) {
        assert_int_equal (
            sh_control_ask (&answer, s_path, HUB, "status now", 3000, &why),
            SH_OK);
        assert_string_equal (answer, "ok all is well\nsecond line\n");
        free (answer);
    }
    assert_string_equal (server.request, "status now");
    stop (&server);
    assert_int_equal (stat (s_path, &meta), -1);
}

static void
the_largest_answer_and_request_pass (void **state)
{
    (void) state;
    server_t server = { .answer = NULL };
    char *answer = NULL;
    char request[SH_CONTROL_REQUEST_MOST + 1];
    sh_why_t why = { "" };
    start (&server);
    memset (request, 'r', sizeof request);
    request[SH_CONTROL_REQUEST_MOST - 1] = '\0';
    assert_int_equal (sh_control_ask (&answer, s_path, HUB, request,
                                     3000, &why),
                      SH_OK);
    assert_int_equal (strlen (answer), SH_CONTROL_ANSWER_MOST);
    assert_int_equal (answer[SH_CONTROL_ANSWER_MOST - 1], '\n');
    assert_string_equal (server.request, request);
    free (answer);
    answer = NULL;
    request[SH_CONTROL_REQUEST_MOST - 1] = 'r';
    request[SH_CONTROL_REQUEST_MOST] = '\0';
    assert_int_equal (sh_control_ask (&answer, s_path, HUB, request,
                                     3000, &why),
                      SH_E_SYNTAX);
    assert_null (answer);
    stop (&server);
}

/*  Send raw bytes and read what comes back.  */
static void
send_raw (const char *bytes, size_t size, char *answer, size_t room)
{
    int fd = dial ();
    size_t got = 0;
    assert_true (send (fd, bytes, size, MSG_NOSIGNAL) > 0);
    for (;;) {
        ssize_t count = recv (fd, answer + got, room - 1 - got, 0);
        if (count <= 0)
            break;
        got += (size_t) count;
    }
    answer[got] = '\0';
    close (fd);
}

static void
odd_requests_never_reach_the_hub (void **state)
{
    (void) state;
    server_t server = { .answer = "ok" };
    char large[SH_CONTROL_REQUEST_MOST + 200], answer[256];
    start (&server);
    memset (large, 'a', sizeof large);
    send_raw (large, sizeof large, answer, sizeof answer);
    assert_true (strncmp (answer, "error ", 6) == 0);
    send_raw ("a\0b\n", 4, answer, sizeof answer);
    assert_true (strncmp (answer, "error ", 6) == 0);
    send_raw ("\x1b[31m\n", 6, answer, sizeof answer);
    assert_true (strncmp (answer, "error ", 6) == 0);
    send_raw ("\n", 1, answer, sizeof answer);
    assert_true (strncmp (answer, "error ", 6) == 0);
    assert_string_equal (server.request, "");
    send_raw ("fine\nand more", 13, answer, sizeof answer);
    assert_string_equal (answer, "ok\n");
    assert_string_equal (server.request, "fine");
    stop (&server);
}

static void
a_silent_client_is_cut_off (void **state)
{
    (void) state;
    server_t server = { .answer = "ok" };
    const sh_clock_t *clock = sh_clock_system ();
    char *answer = NULL;
    char byte;
    start (&server);
    int64_t began = sh_clock_mono (clock);
    int silent = dial ();
    assert_int_equal (send (silent, "half", 4, 0), 4);
    assert_int_equal (
        sh_control_ask (&answer, s_path, HUB, "ping", 5000, NULL), SH_OK);
    int64_t took = sh_clock_mono (clock) - began;
    assert_in_range (took, 1500, 3500);
    assert_true (recv (silent, &byte, 1, 0) <= 0);
    free (answer);
    close (silent);
    close (dial ()); /* one that says nothing and goes */
    assert_int_equal (
        sh_control_ask (&answer, s_path, HUB, "ping", 1000, NULL), SH_OK);
    free (answer);
    stop (&server);
}

static void
a_client_that_does_not_read_is_cut_off (void **state)
{
    (void) state;
    server_t server = { .answer = NULL };
    char *answer = NULL;
    start (&server);
    int fd = dial ();
    int small = 1;
    setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal (send (fd, "status\n", 7, 0), 7);
    assert_int_equal (
        sh_control_ask (&answer, s_path, HUB, "status", 6000, NULL), SH_OK);
    free (answer);
    close (fd);
    stop (&server);
}

static void
one_hub_at_a_time (void **state)
{
    (void) state;
    server_t server = { .answer = "ok" };
    sh_control_t *second = NULL;
    sh_why_t why = { "" };
    start (&server);
    assert_int_equal (
        serve_at (&second, s_path, &server, &why),
        SH_E_EXISTS);
    assert_non_null (strstr (why.text, "another scanhubd is running"));
    assert_null (second);
    assert_int_equal (access (s_path, F_OK), 0);
    stop (&server);
}

static void
a_stale_socket_is_replaced_and_a_file_is_not (void **state)
{
    (void) state;
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    sh_control_t *control = NULL;
    sh_why_t why = { "" };
    memcpy (at.sun_path, s_path, strlen (s_path) + 1);
    int fd = socket (AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal (bind (fd, (struct sockaddr *) &at, sizeof at), 0);
    close (fd); /* as a killed hub leaves it */
    server_t server = { .answer = "ok" };
    assert_int_equal (
        serve_at (&control, s_path, &server, &why), SH_OK);

    /*  What another hub put there since is not ours to remove.  */
    assert_int_equal (unlink (s_path), 0);
    fd = open (s_path, O_WRONLY | O_CREAT, 0600);
    close (fd);
    sh_control_destroy (&control);
    assert_int_equal (access (s_path, F_OK), 0);
    assert_int_equal (
        serve_at (&control, s_path, &server, &why),
        SH_E_EXISTS);
    assert_non_null (strstr (why.text, "is no socket"));
    assert_int_equal (access (s_path, F_OK), 0);
}

static void
paths_that_do_not_work_are_told (void **state)
{
    (void) state;
    char large[200];
    sh_control_t *control = NULL;
    char *answer = NULL;
    sh_why_t why = { "" };
    server_t server = { .answer = "ok" };
    memset (large, 'x', sizeof large - 1);
    large[0] = '/';
    large[sizeof large - 1] = '\0';
    assert_int_equal (
        serve_at (&control, large, &server, &why),
        SH_E_CONFIG);
    assert_non_null (strstr (why.text, "107"));
    assert_int_equal (sh_control_ask (&answer, large, HUB, "ping", 100, &why),
                      SH_E_CONFIG);
    assert_int_equal (serve_at (&control, "/nowhere/at/all", &server, &why),
                      SH_E_IO);
    assert_non_null (strstr (why.text, "/nowhere/at"));
    assert_null (control);
}

static void
no_hub_is_told (void **state)
{
    (void) state;
    char *answer = NULL;
    sh_why_t why = { "" };
    assert_int_equal (sh_control_ask (&answer, s_path, HUB, "ping", 100, &why),
                      SH_E_NOT_FOUND);
    assert_non_null (strstr (why.text, s_path));

    /*  Bound, but nobody takes the connection: no answer in time.  */
    sh_control_t *control = NULL;
    server_t server = { .answer = "ok" };
    assert_int_equal (
        serve_at (&control, s_path, &server, &why), SH_OK);
    assert_int_equal (sh_control_ask (&answer, s_path, HUB, "ping", 100, &why),
                      SH_E_TIMEOUT);
    sh_control_serve (control); /* who asked is gone: no harm */
    sh_control_destroy (&control);
    assert_null (answer);
}

#define CASE(f) cmocka_unit_test_setup_teardown (f, setup, teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        CASE (a_question_gets_its_answer),
        CASE (the_largest_answer_and_request_pass),
        CASE (odd_requests_never_reach_the_hub),
        CASE (a_silent_client_is_cut_off),
        CASE (a_client_that_does_not_read_is_cut_off),
        CASE (one_hub_at_a_time),
        CASE (a_stale_socket_is_replaced_and_a_file_is_not),
        CASE (paths_that_do_not_work_are_told),
        CASE (no_hub_is_told),
    };
    return cmocka_run_group_tests_name ("control", tests, NULL, NULL);
}
