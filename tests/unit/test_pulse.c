/* SPDX-License-Identifier: MPL-2.0 */
/*  hub/pulse.h: who is stuck and who only waits for the database; and
    lib/notify.h: what the service manager hears, on a socket of our own.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hub/pulse.h"
#include "lib/notify.h"

static int64_t s_now; /* of the tests' clock */

static int64_t
s_clock (void *context)
{
    (void) context;
    return s_now;
}

static const sh_clock_t s_time = { .wall_ms = s_clock, .mono_ms = s_clock };

static hub_pulse_t *
s_new (void)
{
    hub_pulse_t *pulse = NULL;
    s_now = 1000000;
    assert_int_equal (hub_pulse_new (&pulse, &s_time), SH_OK);
    return pulse;
}

static void
s_assert_alive (hub_pulse_t *pulse, const char *because)
{
    char text[HUB_PULSE_TEXT] = "";
    bool alive = hub_pulse_alive (pulse, s_now, text);
    assert_string_equal (text, because);
    assert_int_equal (alive, *because == '\0');
}

static void
test_silent_is_stuck (void **state)
{
    (void) state;
    hub_pulse_t *pulse = s_new ();
    hub_beat_t *one = hub_pulse_join (pulse, "authentication", 0);
    hub_beat_t *two = hub_pulse_join (pulse, "worker", 1);
    s_assert_alive (pulse, ""); /* neither has begun */
    hub_beat_idle (one);
    hub_beat_work (two);
    s_now += HUB_BEAT_MS;
    s_assert_alive (pulse, "");
    hub_beat_work (two);
    s_now += 1;
    s_assert_alive (pulse, "authentication has stood still for 30 s");
    hub_beat_idle (one);
    s_assert_alive (pulse, "");
    s_now += HUB_BEAT_MS;
    hub_beat_idle (one);
    s_assert_alive (pulse, "worker 1 has been at work for 30 s");
    hub_pulse_destroy (&pulse);
    assert_null (pulse);
}

static void
test_call_has_its_own_time (void **state)
{
    (void) state;
    hub_pulse_t *pulse = s_new ();
    hub_beat_t *beat = hub_pulse_join (pulse, "worker", 7);
    hub_beat_call (beat, 90000);
    s_now += 90000;
    s_assert_alive (pulse, "");
    s_now += 1000;
    s_assert_alive (pulse, "worker 7 has been in a database call for 91 s");
    hub_beat_work (beat); /* it came back after all */
    s_assert_alive (pulse, "");
    hub_pulse_destroy (&pulse);
}

static void
test_who_left_is_not_missed (void **state)
{
    (void) state;
    hub_pulse_t *pulse = s_new ();
    hub_beat_t *beat = hub_pulse_join (pulse, "router", 0);
    hub_beat_work (beat);
    hub_beat_leave (beat);
    s_now += 10 * HUB_BEAT_MS;
    s_assert_alive (pulse, "");
    hub_pulse_destroy (&pulse);
}

static void
test_no_pulse_no_room (void **state)
{
    (void) state;
    hub_beat_t *none = hub_pulse_join (NULL, "nobody", 0);
    assert_null (none);
    hub_beat_idle (none);
    hub_beat_work (none);
    hub_beat_call (none, 1);
    hub_beat_leave (none);
    hub_pulse_t *pulse = s_new ();
    size_t count = 0;
    while (count < 1000 && hub_pulse_join (pulse, "worker", 1))
        count++;
    assert_in_range (count, 64 + 8, 999);
    hub_pulse_destroy (&pulse);
}

/*  A thread that waits for a lock that nobody gives back is found, whatever the
    others do.  */
typedef struct
{
    hub_beat_t *beat;
    pthread_mutex_t lock;
} stuck_t;

static void *
s_wait_for_lock (void *argument)
{
    stuck_t *self = argument;
    hub_beat_work (self->beat);
    pthread_mutex_lock (&self->lock);
    pthread_mutex_unlock (&self->lock);
    hub_beat_leave (self->beat);
    return NULL;
}

static void
test_stuck_lock (void **state)
{
    (void) state;
    hub_pulse_t *pulse = NULL;
    assert_int_equal (hub_pulse_new (&pulse, sh_clock_system ()), SH_OK);
    stuck_t stuck = { hub_pulse_join (pulse, "worker", 2),
                      PTHREAD_MUTEX_INITIALIZER };
    pthread_t thread;
    char text[HUB_PULSE_TEXT] = "";
    pthread_mutex_lock (&stuck.lock);
    assert_int_equal (
        pthread_create (&thread, NULL, s_wait_for_lock, &stuck), 0);
    int64_t later = sh_clock_mono (sh_clock_system ()) + 2 * HUB_BEAT_MS;
    for (int i = 0; i < 5000 && hub_pulse_alive (pulse, later, text); i++)
        usleep (1000);
    assert_non_null (strstr (text, "worker 2 has been at work for "));
    pthread_mutex_unlock (&stuck.lock);
    pthread_join (thread, NULL);
    assert_true (hub_pulse_alive (pulse, later, text));
    hub_pulse_destroy (&pulse);
}

/*  A socket as the service manager has one; its name is in NOTIFY_SOCKET.  */
static int
s_manager (const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t size = strlen (name);
    memcpy (address.sun_path, name, size);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true (fd >= 0);
    assert_int_equal (
        bind (fd, (struct sockaddr *) &address,
              (socklen_t) (offsetof (struct sockaddr_un, sun_path) + size)),
        0);
    setenv ("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void
s_assert_heard (int fd, const char *wanted)
{
    char text[1024] = "";
    ssize_t size = recv (fd, text, sizeof text - 1, 0);
    if (!wanted)
        assert_int_equal (size, -1);
    else
        assert_string_equal (text, wanted);
}

static void
s_play (const char *name)
{
    sh_notify_t notify;
    int fd = s_manager (name);
    sh_notify_open (&notify);
    assert_null (getenv ("NOTIFY_SOCKET"));
    sh_notify_ready (&notify, "takes reports");
    s_assert_heard (fd, "READY=1\nSTATUS=takes reports");
    sh_notify_ready (&notify, NULL);
    s_assert_heard (fd, "READY=1");
    sh_notify_status (&notify, "two\nlines\tof text");
    s_assert_heard (fd, "STATUS=two lines of text");
    sh_notify_stopping (&notify);
    s_assert_heard (fd, "STOPPING=1");
    char text[128] = "";
    long long usec = 0;
    sh_notify_reloading (&notify);
    assert_true (recv (fd, text, sizeof text - 1, 0) > 0);
    assert_int_equal (
        sscanf (text, "RELOADING=1\nMONOTONIC_USEC=%lld", &usec), 1);
    assert_true (usec > 0);
    /*  Nobody asked for signs of life.  */
    assert_false (sh_notify_due (&notify, INT64_MAX));
    assert_int_equal (sh_notify_patience (&notify, 0), -1);
    sh_notify_close (&notify);
    sh_notify_ready (&notify, NULL);
    s_assert_heard (fd, NULL);
    close (fd);
}

static void
test_notify_path (void **state)
{
    (void) state;
    char directory[] = "/tmp/scanhub-notify.XXXXXX";
    char name[64];
    assert_non_null (mkdtemp (directory));
    snprintf (name, sizeof name, "%s/socket", directory);
    s_play (name);
    unlink (name);
    rmdir (directory);
}

static void
test_notify_abstract (void **state)
{
    (void) state;
    char name[64];
    snprintf (name, sizeof name, "@scanhub-notify-%d", (int) getpid ());
    s_play (name);
}

static void
test_notify_nobody (void **state)
{
    (void) state;
    char long_name[200];
    memset (long_name, 'x', sizeof long_name);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    const char *const names[]
        = { NULL, "", "relative", "vsock:2:1", "/", "@", long_name };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sh_notify_t notify;
        if (names[i])
            setenv ("NOTIFY_SOCKET", names[i], 1);
        setenv ("WATCHDOG_USEC", "1000000", 1);
        sh_notify_open (&notify);
        assert_int_equal (notify.fd, -1);
        assert_int_equal (notify.every, 0);
        sh_notify_ready (&notify, "into the wind");
        sh_notify_close (&notify);
    }
}

/*  Who has no such socket any more goes on all the same.  */
static void
test_notify_gone (void **state)
{
    (void) state;
    sh_notify_t notify;
    int fd = s_manager ("@scanhub-notify-gone");
    sh_notify_open (&notify);
    close (fd);
    sh_notify_ready (&notify, "is anybody there?");
    sh_notify_close (&notify);
}

static void
s_assert_every (const char *usec, const char *pid, int64_t every)
{
    sh_notify_t notify;
    int fd = s_manager ("@scanhub-notify-watchdog");
    setenv ("WATCHDOG_USEC", usec, 1);
    if (pid)
        setenv ("WATCHDOG_PID", pid, 1);
    sh_notify_open (&notify);
    assert_int_equal (notify.every, every);
    assert_null (getenv ("WATCHDOG_USEC"));
    assert_null (getenv ("WATCHDOG_PID"));
    sh_notify_close (&notify);
    close (fd);
}

static void
test_watchdog_environment (void **state)
{
    (void) state;
    char pid[24];
    snprintf (pid, sizeof pid, "%d", (int) getpid ());
    s_assert_every ("60000000", NULL, 15000);
    s_assert_every ("60000000", pid, 15000);
    s_assert_every ("60000000", "1", 0);
    s_assert_every ("0", NULL, 0);
    s_assert_every ("-5", NULL, 0);
    s_assert_every ("soon", NULL, 0);
    s_assert_every ("1000", NULL, 1);
}

static void
test_watchdog_pace (void **state)
{
    (void) state;
    sh_notify_t notify;
    int fd = s_manager ("@scanhub-notify-pace");
    setenv ("WATCHDOG_USEC", "60000000", 1);
    sh_notify_open (&notify);
    assert_int_equal (sh_notify_patience (&notify, 100000), 0);
    assert_true (sh_notify_due (&notify, 100000));
    sh_notify_alive (&notify);
    s_assert_heard (fd, "WATCHDOG=1");
    assert_false (sh_notify_due (&notify, 114999));
    assert_int_equal (sh_notify_patience (&notify, 114999), 1);
    assert_true (sh_notify_due (&notify, 115000));
    assert_int_equal (sh_notify_patience (&notify, 115000), 15000);
    s_assert_heard (fd, NULL); /* it was due, but nobody said alive */
    sh_notify_close (&notify);
    close (fd);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_silent_is_stuck),
        cmocka_unit_test (test_call_has_its_own_time),
        cmocka_unit_test (test_who_left_is_not_missed),
        cmocka_unit_test (test_no_pulse_no_room),
        cmocka_unit_test (test_stuck_lock),
        cmocka_unit_test (test_notify_path),
        cmocka_unit_test (test_notify_abstract),
        cmocka_unit_test (test_notify_nobody),
        cmocka_unit_test (test_notify_gone),
        cmocka_unit_test (test_watchdog_environment),
        cmocka_unit_test (test_watchdog_pace),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
