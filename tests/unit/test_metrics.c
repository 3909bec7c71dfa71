/* SPDX-License-Identifier: MPL-2.0 */
/*  The text of /metrics: one that the parser below takes, whatever is in
    it.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "hub/metrics.h"

static char *
s_label (const char *value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream (&text, &size);
    assert_non_null (to);
    hub_metrics_label (to, value);
    fclose (to);
    return text;
}

static void
test_labels_are_escaped (void **state)
{
    (void) state;
    static const struct
    {
        const char *value, *text;
    } cases[] = {
        { "", "" },
        { "site-a", "site-a" },
        { "a\"b", "a\\\"b" },
        { "a\\b", "a\\\\b" },
        { "a\nb", "a\\nb" },
        { "\"} 1\nx", "\\\"} 1\\nx" },
        { "B\xc3\xbcro", "B\xc3\xbcro" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = s_label (cases[i].value);
        assert_string_equal (text, cases[i].text);
        free (text);
    }
}

static void
test_a_single_series (void **state)
{
    (void) state;
    static const struct
    {
        double value;
        const char *last;
    } cases[] = {
        { 0, "scanhub_x 0\n" },
        { 1, "scanhub_x 1\n" },
        { 1790000000.123, "scanhub_x 1790000000.123\n" },
        { 9007199254740991.0, "scanhub_x 9.00719925474099e+15\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream (&text, &size);
        assert_non_null (to);
        hub_metrics_single (to, "scanhub_x", "gauge", "What.", cases[i].value);
        fclose (to);
        assert_non_null (strstr (text, "# HELP scanhub_x What.\n"
                                       "# TYPE scanhub_x gauge\n"));
        assert_non_null (strstr (text, cases[i].last));
        free (text);
    }
}

static int64_t s_now = 1000;

static int64_t
s_time (void *context)
{
    (void) context;
    return s_now;
}

static const sh_clock_t s_clock = { .wall_ms = s_time, .mono_ms = s_time };

/*  A connected socket to a port of loopback; or one that is bound to a free
    port, which '*port' becomes.  */
static int
s_socket (uint16_t *port, bool listening)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t size = sizeof in;
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    in.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    in.sin_port = htons (listening ? 0 : *port);
    assert_true (fd >= 0);
    if (!listening) {
        assert_int_equal (connect (fd, (struct sockaddr *) &in, size), 0);
        return fd;
    }
    assert_int_equal (bind (fd, (struct sockaddr *) &in, size), 0);
    assert_int_equal (getsockname (fd, (struct sockaddr *) &in, &size), 0);
    *port = ntohs (in.sin_port);
    return fd;
}

static void
s_assert_answer (uint16_t port, const char *status, const char *body)
{
    static const char request[] = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    char answer[2048];
    size_t used = 0;
    ssize_t size;
    int fd = s_socket (&port, false);
    assert_int_equal (write (fd, request, sizeof request - 1),
                      sizeof request - 1);
    while ((size = read (fd, answer + used, sizeof answer - 1 - used)) > 0)
        used += (size_t) size;
    close (fd);
    answer[used] = '\0';
    if (!strstr (answer, status) || !strstr (answer, body))
        fail_msg ("wanted %s and %s: %s", status, body, answer);
}

static void
test_livez_tells_of_a_thread_that_is_stuck (void **state)
{
    (void) state;
    uint16_t port = 0;
    char address[32], *items[] = { address };
    hub_metrics_t *metrics = NULL;
    hub_metrics_sources_t sources = { .clock = &s_clock };
    sh_why_t why = { "" };
    assert_int_equal (hub_pulse_new (&sources.pulse, &s_clock), SH_OK);
    hub_beat_t *beat = hub_pulse_join (sources.pulse, "worker", 3);
    hub_beat_work (beat);
    close (s_socket (&port, true));
    snprintf (address, sizeof address, "127.0.0.1:%u", port);
    const hub_metrics_config_t config = { .listen = { items, 1 } };
    assert_int_equal (hub_metrics_new (&metrics, &config, &sources, &why),
                      SH_OK);
    if (metrics) { /* NULL: built without */
        s_assert_answer (port, "HTTP/1.1 200 ", "alive\n");
        s_now += HUB_BEAT_MS + 1000;
        s_assert_answer (port, "HTTP/1.1 503 ", "worker");
        hub_beat_idle (beat);
        s_assert_answer (port, "HTTP/1.1 200 ", "alive\n");
        hub_metrics_destroy (&metrics);
    }
    hub_pulse_destroy (&sources.pulse);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_labels_are_escaped),
        cmocka_unit_test (test_a_single_series),
        cmocka_unit_test (test_livez_tells_of_a_thread_that_is_stuck),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
