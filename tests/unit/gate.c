/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000

static int64_t
s_real_ms (void)
{
    return sh_clock_mono (sh_clock_system ());
}

static int64_t
s_wall_ms (void *context)
{
    const gate_t *self = context;
    return (int64_t) time (NULL) * 1000 + self->extra;
}

static int64_t
s_mono_ms (void *context)
{
    const gate_t *self = context;
    return self->mono;
}

/*  One door at a time: the clock's place is static.  */
const sh_clock_t *
gate_clock (gate_t *self)
{
    static sh_clock_t clock;
    clock = (sh_clock_t){ s_wall_ms, s_mono_ms, self, NULL };
    return &clock;
}

void
gate_config (sm_http_config_t *out, const char *listen)
{
    *out = (sm_http_config_t){ 0 };
    out->listen.items = calloc (1, sizeof *out->listen.items);
    assert_non_null (out->listen.items);
    out->listen.items[0] = strdup (listen ? listen : "127.0.0.1:0");
    assert_non_null (out->listen.items[0]);
    out->listen.count = 1;
}

void
gate_config_clear (sm_http_config_t *config)
{
    sh_strings_clear (&config->listen);
    sh_strings_clear (&config->trusted_proxies);
    free (config->cert);
    free (config->key);
    *config = (sm_http_config_t){ 0 };
}

sm_tokens_t *
gate_tokens (const char *label, const char *token)
{
    sm_tokens_t *tokens = NULL;
    assert_int_equal (sm_tokens_new (&tokens), SH_OK);
    assert_int_equal (sm_tokens_add (tokens, label, token, NULL, 0), SH_OK);
    return tokens;
}

static void
s_serve (void *context, sm_request_t *request)
{
    gate_t *self = context;
    self->calls++;
    const char *body = sm_request_body (request, &self->size);
    free (self->body);
    self->body = malloc (self->size + 1);
    assert_non_null (self->body);
    memcpy (self->body, body, self->size);
    self->body[self->size] = '\0';
    snprintf (self->path, sizeof self->path, "%s", sm_request_path (request));
    snprintf (self->label, sizeof self->label, "%s",
              sm_request_who (request)->label);
    snprintf (self->peer, sizeof self->peer, "%s", sm_request_peer (request));
    self->wants_json = sm_request_wants_json (request);
    if (!self->hold) {
        sm_request_answer (request, 200, "text/plain; charset=utf-8",
                           self->path);
        return;
    }
    assert_true (self->held_count < 16);
    self->held[self->held_count++] = request;
}

void
gate_open (gate_t *self, const sm_http_config_t *config)
{
    sm_http_config_t own;
    *self = (gate_t){ .mono = 1000000 };
    gate_config (&own, NULL);
    sm_tokens_t *tokens = gate_tokens ("test", GATE_TOKEN);
    sh_why_t why = { "" };
    if (sm_http_new (&self->http, config ? config : &own, &tokens,
                     gate_clock (self), s_serve, self, &why)
        != SH_OK)
        fail_msg ("%s", why.text);
    assert_null (tokens);
    gate_config_clear (&own);
    assert_true (sm_http_ports (self->http, &self->port, 1) >= 1);
}

void
gate_close (gate_t *self)
{
    sm_http_destroy (&self->http);
    sm_http_destroy (&self->http);
    free (self->body);
    self->body = NULL;
}

void
gate_pump (gate_t *self, int ms)
{
    int64_t until = s_real_ms () + ms;
    do {
        struct pollfd fd = { .fd = sm_http_fd (self->http), .events = POLLIN };
        int timeout = sm_http_timeout (self->http);
        if (timeout < 0 || timeout > 2)
            timeout = ms > 0 ? 2 : 0;
        poll (&fd, 1, timeout);
        sm_http_run (self->http);
    } while (s_real_ms () < until);
}

void
gate_wait (gate_t *self, int64_t ms)
{
    self->mono += ms;
    gate_pump (self, 20);
}

void
gate_connect (gate_t *self, gate_client_t *client)
{
    *client = (gate_client_t){ .fd = -1 };
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons (self->port) };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                .sin6_port = htons (self->port),
                                .sin6_addr = in6addr_loopback };
    in.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    client->fd = socket (self->six ? AF_INET6 : AF_INET,
                         SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true (client->fd >= 0);
    int on = 1; /* or half a request would wait for the other half */
    setsockopt (client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int rc = self->six ? connect (client->fd, (struct sockaddr *) &in6,
                                  sizeof in6)
                       : connect (client->fd, (struct sockaddr *) &in,
                                  sizeof in);
    assert_int_equal (rc, 0);
    assert_int_equal (fcntl (client->fd, F_SETFL, O_NONBLOCK), 0);
}

void
gate_send (gate_t *self, gate_client_t *client, const char *data, size_t size)
{
    int64_t until = s_real_ms () + PATIENCE_MS;
    while (size > 0) {
        assert_true (s_real_ms () < until);
        ssize_t sent = send (client->fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return;
        if (sent > 0) {
            data += sent;
            size -= (size_t) sent;
        }
        gate_pump (self, 0);
    }
}

/*  What there is; true while more may come.  */
static bool
s_read_some (gate_client_t *client)
{
    while (!client->closed) {
        size_t room = sizeof client->text - 1 - client->size;
        ssize_t got = recv (client->fd, client->text + client->size, room, 0);
        if (got < 0 && errno == EAGAIN)
            break;
        if (got <= 0)
            client->closed = true;
        else
            client->size += (size_t) got;
    }
    client->text[client->size] = '\0';
    return !client->closed;
}

const char *
gate_receive (gate_t *self, gate_client_t *client)
{
    int64_t until = s_real_ms () + PATIENCE_MS;
    while (s_read_some (client)) {
        assert_true (s_real_ms () < until);
        gate_pump (self, 1);
    }
    return client->text;
}

const char *
gate_peek (gate_t *self, gate_client_t *client)
{
    gate_pump (self, 20);
    s_read_some (client);
    return client->text;
}

void
gate_hang_up (gate_client_t *client)
{
    close (client->fd);
    client->fd = -1;
}

const char *
gate_ask_bytes (gate_t *self, gate_client_t *client, const char *request,
                size_t size)
{
    gate_connect (self, client);
    gate_send (self, client, request, size);
    const char *answer = gate_receive (self, client);
    gate_hang_up (client);
    gate_pump (self, 0);
    return answer;
}

const char *
gate_ask (gate_t *self, gate_client_t *client, const char *request)
{
    return gate_ask_bytes (self, client, request, strlen (request));
}

unsigned
gate_status (const char *answer)
{
    unsigned status = 0;
    if (sscanf (answer, "HTTP/1.%*1[01] %3u", &status) != 1)
        return 0;
    return status;
}

const char *
gate_content (const char *answer)
{
    const char *at = strstr (answer, "\r\n\r\n");
    return at ? at + 4 : "";
}
