/* SPDX-License-Identifier: MPL-2.0 */
/*  The HTTP door as its clients see it, over loopback.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/http_conn.h"
#include "shim/legacy.h"
#include "tests/unit/gate.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define HOST "Host: 127.0.0.1:5000\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST
#define MISSING "401: Missing authorization token"
#define SCHEME "Only Bearer type is accepted"
#define INVALID "Invalid authorization token"
#define NOT_POST "405: Method Not Allowed"

static gate_t s_gate;
static gate_client_t s_client;

static int
setup (void **state)
{
    gate_open (&s_gate, NULL);
    *state = &s_gate;
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    gate_close (&s_gate);
    return 0;
}

typedef struct
{
    const char *request;
    unsigned status;
    const char *content; /* NULL: one line, whatever it says */
} row_t;

static void
s_check_rows (const row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned calls = s_gate.calls;
        const char *answer
            = gate_ask (&s_gate, &s_client, rows[i].request);
        if (gate_status (answer) != rows[i].status)
            fail_msg ("row %zu: %.60s...: got: %s", i, rows[i].request,
                      answer);
        const char *content = gate_content (answer);
        if (rows[i].content)
            assert_string_equal (content, rows[i].content);
        else
            assert_true (*content && !strchr (content, '\n'));
        assert_non_null (strstr (answer, "\r\nConnection: close\r\n"));
        assert_non_null (strstr (
            answer, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
        assert_int_equal (s_gate.calls - calls, rows[i].status == 200);
    }
}

static void
who_asks_comes_first (void **state)
{
    (void) state;
    static const row_t rows[] = {
        { POST "Content-Length: 2\r\n\r\n{}", 401, MISSING },
        { "GET / HTTP/1.1\r\n" HOST "\r\n", 401, MISSING },
        { "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 401, MISSING },
        { "DELETE /x HTTP/1.0\r\n\r\n", 401, MISSING },
        /* two words, the first not exactly Bearer */
        { POST "Authorization: Basic czNjcmV0\r\n\r\n", 401, SCHEME },
        { POST "Authorization: bearer s3cret\r\n\r\n", 401, SCHEME },
        { POST "Authorization: BEARER s3cret\r\n\r\n", 401, SCHEME },
        { POST "Authorization: Bearer: s3cret\r\n\r\n", 401, SCHEME },
        { "GET / HTTP/1.1\r\n" HOST "Authorization: Basic x\r\n\r\n", 401,
          SCHEME },
        /* wrong, empty, oddly spaced */
        { POST "Authorization: Bearer other\r\n\r\n", 401, INVALID },
        { POST "Authorization: Bearer S3CRET\r\n\r\n", 401, INVALID },
        { POST "Authorization: Bearer s3cre\r\n\r\n", 401, INVALID },
        { POST "Authorization: Bearer no-token-set\r\n\r\n", 401, INVALID },
        { POST "Authorization: Bearer  s3cret\r\n\r\n", 401, INVALID },
        { POST "Authorization: Bearer s3cret x\r\n\r\n", 401, INVALID },
        { POST "Authorization: Basic a b\r\n\r\n", 401, INVALID },
        { POST "Authorization: Bearer\ts3cret\r\n\r\n", 401, INVALID },
        { POST "Authorization: Bearer\r\n\r\n", 401, INVALID },
        { POST "Authorization: Bearer \r\n\r\n", 401, INVALID },
        { POST "Authorization: s3cret\r\n\r\n", 401, INVALID },
        { POST "Authorization:\r\n\r\n", 401, INVALID },
        { "GET / HTTP/1.1\r\n" HOST "Authorization: Bearer x\r\n\r\n", 401,
          INVALID },
        /* before method, framing and size */
        { POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 401,
          MISSING },
        { POST "Authorization: Bearer x\r\nContent-Length: 9999999\r\n\r\n",
          401, INVALID },
    };
    s_check_rows (rows, COUNT (rows));
}

static void
other_methods_are_not_allowed (void **state)
{
    (void) state;
    static const row_t rows[] = {
        { "GET / HTTP/1.1\r\n" HOST GATE_AUTH "\r\n", 405, NOT_POST },
        { "PUT /x HTTP/1.1\r\n" HOST GATE_AUTH "Content-Length: 2\r\n\r\n{}",
          405, NOT_POST },
        { "DELETE / HTTP/1.1\r\n" HOST GATE_AUTH "\r\n", 405, NOT_POST },
        { "post / HTTP/1.1\r\n" HOST GATE_AUTH "\r\n", 405, NOT_POST },
        { "BREW / HTTP/1.1\r\n" HOST GATE_AUTH "\r\n", 405, NOT_POST },
        /* before framing and size */
        { "GET / HTTP/1.1\r\n" HOST GATE_AUTH "Content-Length: 1\r\n"
          "Content-Length: 1\r\n\r\nx", 405, NOT_POST },
        { "GET / HTTP/1.1\r\n" HOST GATE_AUTH
          "Content-Length: 9999999\r\n\r\n", 405, NOT_POST },
    };
    s_check_rows (rows, COUNT (rows));
    const char *answer = gate_ask (&s_gate, &s_client, rows[0].request);
    assert_non_null (strstr (answer, "\r\nAllow: POST\r\n"));
    answer = gate_ask (&s_gate, &s_client,
                       "HEAD / HTTP/1.1\r\n" HOST GATE_AUTH "\r\n");
    assert_int_equal (gate_status (answer), 405);
    assert_string_equal (gate_content (answer), "");
}

static void
framing_that_can_be_misread_is_refused (void **state)
{
    (void) state;
#define CHUNKED "Transfer-Encoding: chunked\r\n"
    static const row_t rows[] = {
        { POST GATE_AUTH "Content-Length: 2\r\n" CHUNKED
          "\r\n2\r\n{}\r\n0\r\n\r\n", 400, NULL },
        { POST GATE_AUTH CHUNKED "Content-Length: 2\r\n\r\n{}", 400, NULL },
        { POST GATE_AUTH "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
          400, NULL },
        { POST GATE_AUTH "Content-Length: 2\r\ncontent-length: 4\r\n\r\n{}",
          400, NULL },
        { POST GATE_AUTH GATE_AUTH "Content-Length: 2\r\n\r\n{}", 400, NULL },
        { POST GATE_AUTH "authorization: Bearer other\r\n\r\n", 400, NULL },
        { POST GATE_AUTH CHUNKED CHUNKED "\r\n0\r\n\r\n", 400, NULL },
        { POST GATE_AUTH "Transfer-Encoding: gzip, chunked\r\n\r\n", 400,
          NULL },
        { POST GATE_AUTH "Transfer-Encoding: identity\r\n\r\n", 400, NULL },
        { "POST / HTTP/1.0\r\n" GATE_AUTH CHUNKED "\r\n0\r\n\r\n", 400, NULL },
        { POST GATE_AUTH "X: a\x01z\r\nContent-Length: 0\r\n\r\n", 400, NULL },
    };
    s_check_rows (rows, COUNT (rows));
    /*  What the library refuses by itself, in its own words.  */
    static const char *const lengths[]
        = { "2, 2", "+2", "-2", "0x2", "two", "99999999999999999999999" };
    for (size_t i = 0; i < COUNT (lengths); i++) {
        char request[256];
        snprintf (request, sizeof request,
                  POST GATE_AUTH "Content-Length: %s\r\n\r\n{}", lengths[i]);
        const char *answer = gate_ask (&s_gate, &s_client, request);
        unsigned status = gate_status (answer);
        assert_true (status == 400 || status == 413);
    }
    assert_int_equal (s_gate.calls, 0);
}

static void
a_report_comes_in_whichever_way (void **state)
{
    (void) state;
    static const struct
    {
        const char *request, *path, *body;
    } rows[] = {
        { POST GATE_AUTH "Content-Length: 2\r\n\r\n{}", "", "{}" },
        { "POST /endpoint HTTP/1.1\r\n" HOST GATE_AUTH
          "Content-Length: 2\r\n\r\n{}", "endpoint", "{}" },
        { "POST //a/b%20c?x=y HTTP/1.1\r\n" HOST GATE_AUTH
          "Content-Length: 2\r\n\r\n{}", "/a/b c", "{}" },
        { POST GATE_AUTH "Content-Type: text/html\r\n"
          "Content-Length: 1\r\n\r\n<", "", "<" },
        { POST GATE_AUTH CHUNKED "\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n"
          "Authorization: Bearer other\r\n\r\n", "", "abc" },
        { "POST / HTTP/1.0\r\n" GATE_AUTH "Content-Length: 3\r\n\r\n[1]", "",
          "[1]" },
        { "POST / HTTP/1.0\r\n" GATE_AUTH "\r\n", "", "" },
        { POST GATE_AUTH "Content-Length: 0\r\n\r\n", "", "" },
        { POST GATE_AUTH "\r\n", "", "" },
        { POST "Authorization: \t Bearer s3cret \t\r\n\r\n", "", "" },
        { POST GATE_AUTH "Connection: keep-alive\r\n"
          "Content-Length: 1\r\n\r\n1", "", "1" },
        { POST "AUTHORIZATION: Bearer s3cret\r\nCONTENT-LENGTH: 1\r\n\r\n1",
          "", "1" },
    };
    for (size_t i = 0; i < COUNT (rows); i++) {
        const char *answer = gate_ask (&s_gate, &s_client, rows[i].request);
        assert_int_equal (gate_status (answer), 200);
        assert_string_equal (gate_content (answer), rows[i].path);
        assert_non_null (strstr (answer, "\r\nConnection: close\r\n"));
        assert_string_equal (s_gate.body, rows[i].body);
        assert_string_equal (s_gate.label, "test");
        assert_string_equal (s_gate.peer, "127.0.0.1");
        assert_false (s_gate.wants_json);
    }
    assert_int_equal (s_gate.calls, COUNT (rows));
}

/*  The exact headers of the scanner that people run, in pieces.  */
static void
the_old_scanner_is_served (void **state)
{
    (void) state;
    static const char request[]
        = "POST / HTTP/1.1\r\nAccept-Encoding: identity\r\n"
          "Content-Type: application/json\r\nContent-Length: 73\r\n"
          "Host: 127.0.0.1:5000\r\n"
          "User-Agent: nfc-phpipam-scan-agent/0.4.0\r\n" GATE_AUTH
          "Connection: close\r\n\r\n"
          "{\"code\": \"a\", \"scan\": {\"subnet\": \"10.0.0.0/24\", "
          "\"results\": [], \"tz\": \"\"}}";
    size_t size = sizeof request - 1;
    const char *body = strstr (request, "{\"code\"");
    assert_int_equal (strlen (body), 73);
    gate_connect (&s_gate, &s_client);
    for (size_t at = 0; at < size; at += 7)
        gate_send (&s_gate, &s_client, request + at,
                   size - at < 7 ? size - at : 7);
    const char *answer = gate_receive (&s_gate, &s_client);
    assert_int_equal (gate_status (answer), 200);
    assert_string_equal (s_gate.body, body);
    gate_hang_up (&s_client);
}

static void
a_client_may_ask_before_it_sends (void **state)
{
    (void) state;
    static const char expect[]
        = POST GATE_AUTH "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    gate_connect (&s_gate, &s_client);
    gate_send (&s_gate, &s_client, expect, sizeof expect - 1);
    assert_int_equal (gate_status (gate_peek (&s_gate, &s_client)), 100);
    gate_send (&s_gate, &s_client, "{}", 2);
    const char *answer = gate_receive (&s_gate, &s_client);
    assert_int_equal (gate_status (gate_content (answer)), 200);
    assert_string_equal (s_gate.body, "{}");
    gate_hang_up (&s_client);

    /*  Who would be refused is told so at once.  */
    static const row_t rows[] = {
        { POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", 401,
          MISSING },
        { POST GATE_AUTH "Expect: 100-continue\r\nContent-Length: 2000000"
          "\r\n\r\n", 413, "Maximum request body size 1048576 exceeded, "
          "actual body size 2000000" },
    };
    s_check_rows (rows, COUNT (rows));
}

static void
who_reads_json_can_say_so (void **state)
{
    (void) state;
    static const struct
    {
        const char *accept;
        bool json;
    } rows[] = {
        { "application/json", true },
        { "text/html, Application/JSON;q=0.5", true },
        { "*/*", false },
        { "application/jsonx, text/json", false },
        { "application/*", false },
    };
    for (size_t i = 0; i < COUNT (rows); i++) {
        char request[256];
        snprintf (request, sizeof request,
                  POST GATE_AUTH "Accept: %s\r\nContent-Length: 0\r\n\r\n",
                  rows[i].accept);
        gate_ask (&s_gate, &s_client, request);
        assert_int_equal (s_gate.wants_json, rows[i].json);
    }
    assert_int_equal (s_gate.calls, COUNT (rows));
}

/*  'head' and then 'size' bytes of body.  */
static const char *
s_ask_large (const char *head, size_t size)
{
    size_t start = strlen (head);
    char *request = malloc (start + size);
    assert_non_null (request);
    memcpy (request, head, start);
    memset (request + start, 'x', size);
    const char *answer
        = gate_ask_bytes (&s_gate, &s_client, request, start + size);
    free (request);
    return answer;
}

static void
a_body_has_its_limit (void **state)
{
    (void) state;
    char head[256];
    snprintf (head, sizeof head, POST GATE_AUTH "Content-Length: %d\r\n\r\n",
              SM_BODY_MOST);
    const char *answer = s_ask_large (head, SM_BODY_MOST);
    assert_int_equal (gate_status (answer), 200);
    assert_int_equal (s_gate.size, SM_BODY_MOST);
    assert_int_equal (strspn (s_gate.body, "x"), SM_BODY_MOST);

    static const unsigned sizes[] = { SM_BODY_MOST + 1, 5000000, 8300000 };
    for (size_t i = 0; i < COUNT (sizes); i++) {
        char text[128];
        snprintf (head, sizeof head,
                  POST GATE_AUTH "Content-Length: %u\r\n\r\n", sizes[i]);
        snprintf (text, sizeof text,
                  "Maximum request body size 1048576 exceeded, actual body "
                  "size %u",
                  sizes[i]);
        answer = s_ask_large (head, sizes[i]);
        assert_int_equal (gate_status (answer), 413);
        assert_string_equal (gate_content (answer), text);
    }
    assert_int_equal (s_gate.calls, 1);
}

/*  A refusal that does not need the body: still the client can send all of it
    before it reads.  */
static void
a_refused_client_gets_to_read_why (void **state)
{
    (void) state;
    const char *answer
        = s_ask_large (POST "Content-Length: 4000000\r\n\r\n", 4000000);
    assert_int_equal (gate_status (answer), 401);
    assert_string_equal (gate_content (answer), MISSING);
    answer = s_ask_large ("PUT / HTTP/1.1\r\n" GATE_AUTH
                          "Content-Length: 4000000\r\n\r\n", 4000000);
    assert_int_equal (gate_status (answer), 405);
    answer = s_ask_large (POST GATE_AUTH "Content-Length: 4000000\r\n" CHUNKED
                          "\r\n", 4000000);
    assert_int_equal (gate_status (answer), 400);
}

/*  Send 'chunks' chunks of 64 KiB; the client stays open.  */
static void
s_send_chunks (size_t chunks)
{
    static const char head[] = POST GATE_AUTH CHUNKED "\r\n";
    size_t size = 65536;
    char *chunk = malloc (size + 9);
    assert_non_null (chunk);
    memcpy (chunk, "10000\r\n", 7);
    memset (chunk + 7, 'x', size);
    memcpy (chunk + 7 + size, "\r\n", 2);
    gate_connect (&s_gate, &s_client);
    gate_send (&s_gate, &s_client, head, sizeof head - 1);
    for (size_t i = 0; i < chunks; i++)
        gate_send (&s_gate, &s_client, chunk, size + 9);
    free (chunk);
}

static void
a_chunked_body_has_it_too (void **state)
{
    (void) state;
    s_send_chunks (16);
    gate_send (&s_gate, &s_client, "0\r\n\r\n", 5);
    assert_int_equal (gate_status (gate_receive (&s_gate, &s_client)), 200);
    assert_int_equal (s_gate.size, SM_BODY_MOST);
    gate_hang_up (&s_client);

    s_send_chunks (32);
    gate_send (&s_gate, &s_client, "0\r\n\r\n", 5);
    const char *answer = gate_receive (&s_gate, &s_client);
    assert_int_equal (gate_status (answer), 413);
    assert_string_equal (gate_content (answer),
                         "Maximum request body size 1048576 exceeded, actual "
                         "body size 2097152");
    gate_hang_up (&s_client);

    /*  Without an end: the answer comes after SM_DISCARD_MOST.  */
    s_send_chunks (140);
    answer = gate_receive (&s_gate, &s_client);
    assert_int_equal (gate_status (answer), 413);
    assert_non_null (strstr (answer, "\r\nConnection: close\r\n"));
    gate_hang_up (&s_client);
    assert_int_equal (s_gate.calls, 1);
}

static void
too_much_of_a_body_has_a_deadline (void **state)
{
    (void) state;
    s_send_chunks (17);
    assert_string_equal (gate_peek (&s_gate, &s_client), "");
    gate_wait (&s_gate, SM_DISCARD_MS - 1);
    assert_string_equal (gate_peek (&s_gate, &s_client), "");
    gate_wait (&s_gate, 1);
    const char *answer = gate_receive (&s_gate, &s_client);
    assert_int_equal (gate_status (answer), 413);
    assert_string_equal (gate_content (answer),
                         "Maximum request body size 1048576 exceeded, actual "
                         "body size 1114112");
    gate_hang_up (&s_client);
}

/*  Many large reports at a time, each within its own limit.  */
static void
all_bodies_have_a_limit_together (void **state)
{
    (void) state;
    static const char head[] = POST GATE_AUTH "Content-Length: 600000\r\n\r\n";
    static int fds[SM_BODIES_MOST / SM_BODY_MOST + 1];
    static char half[540000]; /* the buffer has grown to SM_BODY_MOST then */
    for (size_t i = 0; i < COUNT (fds); i++) {
        gate_connect (&s_gate, &s_client);
        fds[i] = s_client.fd;
        gate_send (&s_gate, &s_client, head, sizeof head - 1);
        gate_send (&s_gate, &s_client, half, sizeof half);
        gate_pump (&s_gate, 5); /* what is in the sockets comes in */
    }
    /*  The last was one too many in the middle of its body; it is told so at
        the end.  */
    gate_send (&s_gate, &s_client, half, 600000 - sizeof half);
    assert_int_equal (gate_status (gate_receive (&s_gate, &s_client)), 503);
    static const row_t full[] = {
        { POST GATE_AUTH "Content-Length: 2000\r\n\r\n", 503, NULL },
        { POST GATE_AUTH "Content-Length: 0\r\n\r\n", 200, "" },
    };
    static const row_t again[] = {
        { POST GATE_AUTH "Content-Length: 2\r\n\r\n{}", 200, "" },
    };
    s_check_rows (full, COUNT (full));
    close (fds[0]);
    gate_pump (&s_gate, 20);
    s_check_rows (again, 1);
    for (size_t i = 1; i < COUNT (fds); i++)
        close (fds[i]);
    gate_pump (&s_gate, 20);
    assert_int_equal (gate_status (s_ask_large (head, 600000)), 200);
}

static void
an_answer_can_come_later (void **state)
{
    (void) state;
    static const char request[]
        = "POST /later HTTP/1.1\r\n" HOST GATE_AUTH
          "Content-Length: 5\r\n\r\nhello";
    static gate_client_t clients[3];
    s_gate.hold = true;
    for (size_t i = 0; i < COUNT (clients); i++) {
        gate_connect (&s_gate, &clients[i]);
        gate_send (&s_gate, &clients[i], request, sizeof request - 1);
    }
    gate_pump (&s_gate, 20);
    assert_int_equal (s_gate.held_count, 3);
    /*  Waiting for us has no deadline, and costs nothing.  */
    gate_wait (&s_gate, 10 * SM_REQUEST_MS);
    for (size_t i = 0; i < COUNT (clients); i++)
        assert_string_equal (gate_peek (&s_gate, &clients[i]), "");

    size_t size;
    assert_string_equal (sm_request_body (s_gate.held[1], &size), "hello");
    assert_int_equal (size, 5);
    assert_string_equal (sm_request_path (s_gate.held[1]), "later");
    sm_request_answer (s_gate.held[1], 422, "application/json", "{\"b\":2}");
    sm_request_answer (s_gate.held[0], 200, "text/plain", "");
    sm_request_answer (s_gate.held[2], 503, "text/plain", "later");
    unsigned waiting = 0;
    for (size_t i = 0; i < COUNT (clients); i++) {
        const char *answer = gate_receive (&s_gate, &clients[i]);
        waiting += gate_status (answer);
        if (gate_status (answer) == 422) {
            assert_string_equal (gate_content (answer), "{\"b\":2}");
            assert_non_null (
                strstr (answer, "\r\nContent-Type: application/json\r\n"));
        }
        gate_hang_up (&clients[i]);
    }
    assert_int_equal (waiting, 200 + 422 + 503);
}

static void
a_client_may_be_gone_before (void **state)
{
    (void) state;
    static const char request[]
        = POST GATE_AUTH "Content-Length: 5\r\n\r\nhello";
    s_gate.hold = true;
    for (int i = 0; i < 4; i++) {
        struct linger reset = { .l_onoff = 1, .l_linger = 0 };
        gate_connect (&s_gate, &s_client);
        gate_send (&s_gate, &s_client, request, sizeof request - 1);
        gate_pump (&s_gate, 20);
        if (i % 2) /* gone with a reset */
            setsockopt (s_client.fd, SOL_SOCKET, SO_LINGER, &reset,
                        sizeof reset);
        gate_hang_up (&s_client);
        gate_pump (&s_gate, 20);
    }
    assert_int_equal (s_gate.held_count, 4);
    for (size_t i = 0; i < 4; i++) {
        sm_request_answer (s_gate.held[i], 200, "text/plain", "nobody hears");
        gate_pump (&s_gate, 5);
    }
    s_gate.hold = false;
    const char *answer = gate_ask (&s_gate, &s_client, request);
    assert_int_equal (gate_status (answer), 200);
}

static void
half_a_request_is_none (void **state)
{
    (void) state;
    static const char request[]
        = POST GATE_AUTH "Content-Length: 50\r\n\r\nhello";
    static const size_t sizes[] = { 0, 3, 30, sizeof request - 1 };
    for (size_t i = 0; i < COUNT (sizes); i++) {
        gate_connect (&s_gate, &s_client);
        gate_send (&s_gate, &s_client, request, sizes[i]);
        gate_pump (&s_gate, 10);
        gate_hang_up (&s_client);
        gate_pump (&s_gate, 10);
    }
    assert_int_equal (s_gate.calls, 0);
}

static void
the_door_closes_with_an_answer (void **state)
{
    (void) state;
    static const char request[]
        = POST GATE_AUTH "Content-Length: 5\r\n\r\nhello";
    static gate_client_t half, idle;
    s_gate.hold = true;
    gate_connect (&s_gate, &s_client);
    gate_send (&s_gate, &s_client, request, sizeof request - 1);
    gate_connect (&s_gate, &half);
    gate_send (&s_gate, &half, request, sizeof request - 3);
    gate_connect (&s_gate, &idle);
    gate_pump (&s_gate, 20);
    assert_int_equal (s_gate.held_count, 1);
    sm_http_destroy (&s_gate.http);
    assert_null (s_gate.http);

    char text[1024];
    ssize_t got = recv (s_client.fd, text, sizeof text - 1, 0);
    assert_true (got > 0);
    text[got] = '\0';
    assert_int_equal (gate_status (text), 503);
    assert_int_equal (recv (idle.fd, text, sizeof text, 0), 0);
    /*  Its holder can still read it, and has to let go of it.  */
    size_t size;
    assert_string_equal (sm_request_body (s_gate.held[0], &size), "hello");
    assert_string_equal (sm_request_who (s_gate.held[0])->label, "test");
    sm_request_answer (s_gate.held[0], 200, "text/plain", "too late");
    gate_hang_up (&s_client);
    gate_hang_up (&half);
    gate_hang_up (&idle);
}

static void
headers_have_a_deadline (void **state)
{
    (void) state;
    static const char head[] = POST GATE_AUTH "X-Long: ";
    static gate_client_t idle;
    gate_connect (&s_gate, &idle);
    gate_connect (&s_gate, &s_client);
    gate_send (&s_gate, &s_client, head, sizeof head - 1);
    for (int i = 0; i < 4; i++) { /* a byte a second */
        gate_wait (&s_gate, 1000);
        gate_send (&s_gate, &s_client, "x", 1);
    }
    gate_wait (&s_gate, 999);
    gate_peek (&s_gate, &s_client);
    gate_peek (&s_gate, &idle);
    assert_false (s_client.closed);
    assert_false (idle.closed);
    assert_true (sm_http_timeout (s_gate.http) <= 1);
    gate_wait (&s_gate, 1);
    assert_string_equal (gate_receive (&s_gate, &s_client), "");
    assert_string_equal (gate_receive (&s_gate, &idle), "");
    gate_hang_up (&s_client);
    gate_hang_up (&idle);
}

static void
a_request_has_a_deadline (void **state)
{
    (void) state;
    static const char head[] = POST GATE_AUTH "Content-Length: 100\r\n\r\n";
    gate_connect (&s_gate, &s_client);
    gate_send (&s_gate, &s_client, head, sizeof head - 1);
    for (int i = 0; i < 29; i++) {
        gate_wait (&s_gate, 1000);
        gate_send (&s_gate, &s_client, "x", 1);
    }
    assert_string_equal (gate_peek (&s_gate, &s_client), "");
    assert_false (s_client.closed);
    gate_wait (&s_gate, 1000);
    const char *answer = gate_receive (&s_gate, &s_client);
    assert_int_equal (gate_status (answer), 408);
    assert_int_equal (s_gate.calls, 0);
    gate_hang_up (&s_client);
}

static void
an_answer_has_a_deadline (void **state)
{
    (void) state;
    /*  So much that it does not fit into the sockets' buffers.  */
    size_t size = 64 << 20;
    char *text = malloc (size + 1);
    assert_non_null (text);
    memset (text, 'x', size);
    text[size] = '\0';
    s_gate.hold = true;
    gate_connect (&s_gate, &s_client);
    gate_send (&s_gate, &s_client, POST GATE_AUTH "\r\n",
               strlen (POST GATE_AUTH "\r\n"));
    gate_pump (&s_gate, 20);
    assert_int_equal (s_gate.held_count, 1);
    sm_request_answer (s_gate.held[0], 200, "text/plain", text);
    free (text);
    gate_pump (&s_gate, 50);
    gate_wait (&s_gate, SM_ANSWER_MS);
    /*  The connection is gone: the client comes to its end too early.  */
    size_t got = 0;
    for (int i = 0; i < 100000; i++) {
        ssize_t count = recv (s_client.fd, s_client.text, GATE_ANSWER, 0);
        if (count == 0)
            break;
        got += count > 0 ? (size_t) count : 0;
        gate_pump (&s_gate, 0);
    }
    assert_true (got > 0 && got < size);
    gate_hang_up (&s_client);
}

static void
one_address_has_its_limit (void **state)
{
    (void) state;
    static gate_client_t clients[SM_CONNECTIONS_PER_ADDRESS];
    sm_http_config_t config;
    gate_close (&s_gate);
    gate_config (&config, NULL);
    config.trusted_proxies.items = calloc (1, sizeof (char *));
    config.trusted_proxies.items[0] = strdup ("192.0.2.1");
    config.trusted_proxies.count = 1;
    gate_open (&s_gate, &config);
    for (size_t i = 0; i < COUNT (clients); i++)
        gate_connect (&s_gate, &clients[i]);
    gate_pump (&s_gate, 20);
    assert_string_equal (gate_ask (&s_gate, &s_client, POST GATE_AUTH "\r\n"),
                         "");
    for (size_t i = 0; i < COUNT (clients); i++) {
        gate_peek (&s_gate, &clients[i]);
        assert_false (clients[i].closed);
    }
    /*  One goes, one may come.  */
    gate_hang_up (&clients[0]);
    gate_pump (&s_gate, 20);
    const char *answer
        = gate_ask (&s_gate, &s_client, POST GATE_AUTH "\r\n");
    assert_int_equal (gate_status (answer), 200);

    /*  Loopback is spared when nothing else is said.  */
    sh_why_t why;
    sm_tokens_t *tokens = gate_tokens ("test", GATE_TOKEN);
    sh_strings_clear (&config.trusted_proxies);
    assert_int_equal (sm_http_reload (s_gate.http, &config, &tokens, &why),
                      SH_OK);
    gate_connect (&s_gate, &clients[0]);
    answer = gate_ask (&s_gate, &s_client, POST GATE_AUTH "\r\n");
    assert_int_equal (gate_status (answer), 200);
    for (size_t i = 0; i < COUNT (clients); i++)
        gate_hang_up (&clients[i]);
    gate_config_clear (&config);
}

/*  As many as the machine allows, up to 10,000.  */
static size_t
s_flood_size (void)
{
    struct rlimit limit;
    assert_int_equal (getrlimit (RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal (setrlimit (RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 2000 + 2 * SM_CONNECTIONS_MOST)
        return 0;
    size_t size = limit.rlim_cur - 2 * SM_CONNECTIONS_MOST - 500;
    return size > 10000 ? 10000 : size;
}

static void
idle_clients_keep_nobody_out (void **state)
{
    (void) state;
    size_t size = s_flood_size ();
    if (size == 0) {
        print_message ("# too few descriptors on this machine\n");
        skip ();
    }
    static int fds[10000];
    for (size_t i = 0; i < size; i++) {
        gate_connect (&s_gate, &s_client);
        fds[i] = s_client.fd;
        if (i % 4 == 0) /* or the kernel's queue would fill */
            gate_pump (&s_gate, 0);
    }
    /*  No time passes for the door: they are still within their deadline.  */
    const char *answer
        = gate_ask (&s_gate, &s_client, POST GATE_AUTH "\r\n");
    assert_int_equal (gate_status (answer), 200);
    gate_pump (&s_gate, 100);
    size_t open = 0;
    for (size_t i = 0; i < size; i++) {
        char byte;
        open += recv (fds[i], &byte, 1, 0) < 0;
    }
    assert_true (open > 0);
    assert_true (open <= SM_CONNECTIONS_MOST + SM_CONNECTIONS_SLACK);
    gate_wait (&s_gate, SM_HEADERS_MS);
    for (size_t i = 0; i < size; i++) {
        char byte;
        assert_int_equal (recv (fds[i], &byte, 1, 0), 0);
        close (fds[i]);
    }
}

static sh_err_t
s_try (const char *listen, const char *token, bool plain_ok, sh_why_t *why)
{
    sm_http_config_t config;
    sm_http_t *http = NULL;
    sm_tokens_t *tokens = gate_tokens ("x", token);
    gate_config (&config, listen);
    config.plain_ok = plain_ok;
    why->text[0] = '\0';
    sh_err_t rc = sm_http_new (&http, &config, &tokens, gate_clock (&s_gate),
                               (sm_http_fn *) abort, NULL, why);
    if (rc != SH_OK)
        assert_null (http);
    sm_http_destroy (&http);
    sm_tokens_destroy (&tokens);
    gate_config_clear (&config);
    return rc;
}

static void
addresses_are_judged (void **state)
{
    (void) state;
    sh_why_t why;
    static const char *const odd[]
        = { "",          "127.0.0.1",     "127.0.0.1:",       "127.0.0.1:65536",
            "::1:5000",  "[127.0.0.1]:1", "localhost:5000",   "127.0.0.1:5x",
            ":5000",     "[::1]",         "127.0.0.1:-1",     "*:5000",
            "[::1]:x:1", "[]:5000",       "127.0.0.1:000080", "[::1:5000" };
    for (size_t i = 0; i < COUNT (odd); i++) {
        assert_int_equal (s_try (odd[i], "t", true, &why), SH_E_CONFIG);
        assert_non_null (strstr (why.text, "http_listen"));
    }
    char taken[64];
    snprintf (taken, sizeof taken, "127.0.0.1:%u", (unsigned) s_gate.port);
    assert_int_equal (s_try (taken, "t", false, &why), SH_E_IO);
    char expected[160];
    snprintf (expected, sizeof expected,
              "cannot listen on %s: Address already in use (is the old scan "
              "server still running?)",
              taken);
    assert_string_equal (why.text, expected);
    assert_int_equal (s_try ("192.0.2.1:0", "t", true, &why), SH_E_IO);
    assert_non_null (strstr (why.text, "cannot listen on 192.0.2.1:0: "));
}

static void
tokens_stay_on_this_machine (void **state)
{
    (void) state;
    sh_why_t why;
    assert_int_equal (s_try ("127.0.0.1:0", SM_NO_TOKEN, false, &why), SH_OK);
    assert_int_equal (s_try ("127.9.9.9:0", "t", false, &why), SH_OK);
    assert_int_equal (s_try ("0.0.0.0:0", "t", false, &why), SH_E_CONFIG);
    assert_non_null (strstr (why.text, "http_cert"));
    assert_non_null (strstr (why.text, "http_key"));
    assert_non_null (strstr (why.text, "http_plain_ok"));
    assert_int_equal (s_try ("[::]:0", "t", false, &why), SH_E_CONFIG);
    assert_int_equal (s_try ("0.0.0.0:0", "t", true, &why), SH_OK);
    assert_int_equal (s_try ("0.0.0.0:0", SM_NO_TOKEN, true, &why),
                      SH_E_CONFIG);
    assert_non_null (strstr (why.text, SM_NO_TOKEN));
}

static void
trusted_proxies_are_read (void **state)
{
    (void) state;
    sh_why_t why;
    sm_http_config_t config;
    sm_http_t *http = NULL;
    sm_tokens_t *tokens = gate_tokens ("x", "t");
    gate_config (&config, NULL);
    config.trusted_proxies.items = calloc (1, sizeof (char *));
    config.trusted_proxies.items[0] = strdup ("10.0.0.1/8");
    config.trusted_proxies.count = 1;
    assert_int_equal (sm_http_new (&http, &config, &tokens,
                                   gate_clock (&s_gate),
                                   (sm_http_fn *) abort, NULL, &why),
                      SH_E_CONFIG);
    assert_non_null (strstr (why.text, "trusted_proxies: '10.0.0.1/8'"));
    assert_non_null (tokens); /* still ours */
    sm_tokens_destroy (&tokens);
    gate_config_clear (&config);
}

static void
several_addresses_are_one_door (void **state)
{
    (void) state;
    uint16_t ports[3] = { 0 };
    sm_http_config_t config;
    gate_close (&s_gate);
    gate_config (&config, NULL);
    sh_strings_clear (&config.listen);
    config.listen.items = calloc (3, sizeof (char *));
    config.listen.items[0] = strdup ("127.0.0.1:0");
    config.listen.items[1] = strdup ("[::1]:0");
    config.listen.items[2] = strdup ("127.0.0.1:0");
    config.listen.count = 3;
    gate_open (&s_gate, &config);
    assert_int_equal (sm_http_ports (s_gate.http, ports, 3), 3);
    assert_int_equal (sm_http_ports (s_gate.http, NULL, 0), 3);
    assert_true (ports[0] && ports[2] && ports[0] != ports[2]);
    for (int i = 0; i < 3; i++) {
        s_gate.port = ports[i];
        s_gate.six = i == 1;
        if (ports[i] == 0) /* a machine without IPv6 */
            continue;
        assert_int_equal (gate_status (gate_ask (&s_gate, &s_client,
                                                 POST GATE_AUTH "\r\n")),
                          200);
        assert_string_equal (s_gate.peer, i == 1 ? "::1" : "127.0.0.1");
    }
    gate_config_clear (&config);
}

static void
a_reload_swaps_the_tokens (void **state)
{
    (void) state;
    static const char request[] = POST GATE_AUTH "\r\n";
    sh_why_t why;
    sm_http_config_t config;
    sm_tokens_t *tokens = gate_tokens ("new", "other");
    gate_config (&config, NULL);
    s_gate.hold = true;
    static gate_client_t waiting;
    gate_connect (&s_gate, &waiting);
    gate_send (&s_gate, &waiting, request, sizeof request - 1);
    gate_pump (&s_gate, 20);
    assert_int_equal (sm_http_reload (s_gate.http, &config, &tokens, &why),
                      SH_OK);
    assert_null (tokens);
    s_gate.hold = false;
    assert_int_equal (gate_status (gate_ask (&s_gate, &s_client, request)),
                      401);
    assert_int_equal (
        gate_status (gate_ask (&s_gate, &s_client,
                               POST "Authorization: Bearer other\r\n\r\n")),
        200);
    assert_string_equal (s_gate.label, "new");
    /*  The one that came before is still who it was.  */
    assert_string_equal (sm_request_who (s_gate.held[0])->label, "test");
    sm_request_answer (s_gate.held[0], 200, "text/plain", "done");
    assert_int_equal (gate_status (gate_receive (&s_gate, &waiting)), 200);
    gate_hang_up (&waiting);

    /*  A bad configuration changes nothing.  */
    tokens = gate_tokens ("third", "third");
    config.cert = strdup ("/nonexistent");
    assert_int_equal (sm_http_reload (s_gate.http, &config, &tokens, &why),
                      SH_E_CONFIG);
    assert_non_null (tokens);
    sm_tokens_destroy (&tokens);
    assert_int_equal (
        gate_status (gate_ask (&s_gate, &s_client,
                               POST "Authorization: Bearer other\r\n\r\n")),
        200);
    gate_config_clear (&config);
}

static void
garbage_does_no_harm (void **state)
{
    (void) state;
    static const char *const garbage[]
        = { "\r\n\r\n\r\n", "\x16\x03\x01\x02\x01\x01\xfc\x03\x03",
            "GET\r\n\r\n", "POST / HTTP/9.9\r\n\r\n", "a: b\r\n\r\n",
            "POST / HTTP/1.1\r\n: x\r\n\r\n",
            "POST / HTTP/1.1\r\nNo colon here\r\n\r\n",
            "POST %00%zz%ff HTTP/1.1\r\n" GATE_AUTH "\r\n",
            POST GATE_AUTH CHUNKED "\r\nzz\r\n",
            POST GATE_AUTH CHUNKED "\r\nffffffffffffffffff\r\n",
            POST GATE_AUTH CHUNKED "\r\n-1\r\n" };
    for (size_t i = 0; i < COUNT (garbage); i++) {
        gate_connect (&s_gate, &s_client);
        gate_send (&s_gate, &s_client, garbage[i], strlen (garbage[i]));
        gate_peek (&s_gate, &s_client);
        unsigned status = gate_status (s_client.text);
        if (strstr (garbage[i], "%00"))
            assert_true (status == 200 || status == 400);
        else
            assert_int_not_equal (status, 200);
        gate_hang_up (&s_client);
    }
    char *large = malloc (40000);
    assert_non_null (large);
    memset (large, 'x', 40000);
    memcpy (large, "POST / HTTP/1.1\r\nX: ", 20);
    gate_connect (&s_gate, &s_client);
    gate_send (&s_gate, &s_client, large, 40000);
    assert_int_not_equal (gate_status (gate_receive (&s_gate, &s_client)),
                          200);
    gate_hang_up (&s_client);
    free (large);
    assert_int_equal (gate_status (gate_ask (&s_gate, &s_client,
                                             POST GATE_AUTH "\r\n")),
                      200);
}

#define CASE(f) cmocka_unit_test_setup_teardown (f, setup, teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        CASE (who_asks_comes_first),
        CASE (other_methods_are_not_allowed),
        CASE (framing_that_can_be_misread_is_refused),
        CASE (a_report_comes_in_whichever_way),
        CASE (the_old_scanner_is_served),
        CASE (a_client_may_ask_before_it_sends),
        CASE (who_reads_json_can_say_so),
        CASE (a_body_has_its_limit),
        CASE (a_refused_client_gets_to_read_why),
        CASE (a_chunked_body_has_it_too),
        CASE (too_much_of_a_body_has_a_deadline),
        CASE (all_bodies_have_a_limit_together),
        CASE (an_answer_can_come_later),
        CASE (a_client_may_be_gone_before),
        CASE (half_a_request_is_none),
        CASE (the_door_closes_with_an_answer),
        CASE (headers_have_a_deadline),
        CASE (a_request_has_a_deadline),
        CASE (an_answer_has_a_deadline),
        CASE (one_address_has_its_limit),
        CASE (idle_clients_keep_nobody_out),
        CASE (addresses_are_judged),
        CASE (tokens_stay_on_this_machine),
        CASE (trusted_proxies_are_read),
        CASE (several_addresses_are_one_door),
        CASE (a_reload_swaps_the_tokens),
        CASE (garbage_does_no_harm),
    };
    return cmocka_run_group_tests_name ("http", tests, NULL, NULL);
}
