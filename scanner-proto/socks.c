/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/socks.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"

#define HOST_MOST 255 /* its length is a byte */
#define VERSION 5
#define NO_AUTHENTICATION 0
#define CONNECT 1

/*  Of an address.  */
enum
{
    TYPE_IPV4 = 1,
    TYPE_NAME = 3,
    TYPE_IPV6 = 4
};

typedef struct
{
    const char *proxy, *target;
    int fd, wake;
    int64_t end; /* mono ms, real time */
    sh_why_t *why;
} dialogue_t;

typedef struct
{
    char host[HOST_MOST + 1]; /* without brackets */
    const char *port;         /* borrowed */
} place_t;

static int64_t
s_now (void)
{
    return sh_clock_mono (sh_clock_system ());
}

static sh_err_t
s_split (place_t *out, const char *text, sh_why_t *why)
{
    const char *colon = strrchr (text, ':');
    size_t size = colon ? (size_t) (colon - text) : 0;
    if (size > 2 && text[0] == '[' && text[size - 1] == ']') {
        text++;
        size -= 2;
    }
    if (size == 0 || size > HOST_MOST)
        return sh_fail (why, SH_E_SYNTAX, "'%.80s' is not HOST:PORT", text);
    memcpy (out->host, text, size);
    out->host[size] = '\0';
    out->port = colon + 1;
    return SH_OK;
}

static sh_err_t
s_silent (const dialogue_t *self)
{
    return sh_fail (self->why, SH_E_TIMEOUT,
                    "the SOCKS proxy %.80s does not answer", self->proxy);
}

static sh_err_t
s_wait (const dialogue_t *self, short events)
{
    struct pollfd items[] = { { .fd = self->fd, .events = events },
                              { .fd = self->wake, .events = POLLIN } };
    for (;;) {
        int64_t left = self->end - s_now ();
        if (left <= 0)
            return s_silent (self);
        int count = poll (items, 2, (int) left);
        if (count < 0 && errno != EINTR)
            return sh_fail (self->why, SH_E_IO, "poll: %s", strerror (errno));
        if (count > 0 && items[1].revents)
            return sh_fail (self->why, SH_E_INTERRUPTED, "%s",
                            sh_err_text (SH_E_INTERRUPTED));
        if (count > 0)
            return SH_OK;
    }
}

static sh_err_t
s_broken (const dialogue_t *self)
{
    return sh_fail (self->why, SH_E_DISCONNECTED,
                    "the SOCKS proxy %.80s ends the connection; is it a SOCKS5 "
                    "proxy?",
                    self->proxy);
}

static sh_err_t
s_send (const dialogue_t *self, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send (self->fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return s_broken (self);
        if (sent > 0) {
            data += sent;
            size -= (size_t) sent;
            continue;
        }
        sh_err_t rc = s_wait (self, POLLOUT);
        if (rc != SH_OK)
            return rc;
    }
    return SH_OK;
}

/*  Exactly that much: what follows is the target's.  */
static sh_err_t
s_receive (const dialogue_t *self, uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t got = recv (self->fd, data, size, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return s_broken (self);
        if (got > 0) {
            data += got;
            size -= (size_t) got;
            continue;
        }
        sh_err_t rc = s_wait (self, POLLIN);
        if (rc != SH_OK)
            return rc;
    }
    return SH_OK;
}

static sh_err_t
s_unreachable (const dialogue_t *self, int error)
{
    return sh_fail (self->why, SH_E_DISCONNECTED,
                    "the SOCKS proxy %.80s does not answer: %s", self->proxy,
                    strerror (error));
}

/*  One address of the proxy; 'self->fd' is closed again after an error.  */
static sh_err_t
s_try (dialogue_t *self, const struct addrinfo *addr)
{
    int one = 1, error = 0;
    socklen_t length = sizeof error;
    self->fd = socket (addr->ai_family,
                       SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->fd < 0)
        return s_unreachable (self, errno);
    /* ZMTP's handshake is a ping-pong of small packets */
    (void) setsockopt (self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    sh_err_t rc = SH_OK;
    if (connect (self->fd, addr->ai_addr, addr->ai_addrlen) != 0) {
        if (errno != EINPROGRESS)
            rc = s_unreachable (self, errno);
        else
            rc = s_wait (self, POLLOUT);
        if (rc == SH_OK
            && (getsockopt (self->fd, SOL_SOCKET, SO_ERROR, &error, &length)
                || error))
            rc = s_unreachable (self, error);
    }
    if (rc != SH_OK) {
        (void) close (self->fd);
        self->fd = -1;
    }
    return rc;
}

static sh_err_t
s_connect (dialogue_t *self)
{
    place_t place;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV };
    struct addrinfo *list = NULL;
    sh_err_t rc = s_split (&place, self->proxy, self->why);
    if (rc != SH_OK)
        return rc;
    int error = getaddrinfo (place.host, place.port, &hints, &list);
    if (error)
        return sh_fail (self->why, SH_E_DISCONNECTED,
                        "the name of the SOCKS proxy %.80s cannot be "
                        "resolved: %s",
                        self->proxy, gai_strerror (error));
    rc = SH_E_DISCONNECTED;
    for (const struct addrinfo *at = list;
         at && rc != SH_OK && rc != SH_E_INTERRUPTED && rc != SH_E_TIMEOUT;
         at = at->ai_next)
        rc = s_try (self, at);
    freeaddrinfo (list);
    return rc;
}

static sh_err_t
s_greet (const dialogue_t *self)
{
    static const uint8_t greeting[] = { VERSION, 1, NO_AUTHENTICATION };
    uint8_t choice[2];
    sh_err_t rc = s_send (self, greeting, sizeof greeting);
    if (rc == SH_OK)
        rc = s_receive (self, choice, sizeof choice);
    if (rc != SH_OK)
        return rc;
    if (choice[0] != VERSION)
        return sh_fail (self->why, SH_E_DISCONNECTED,
                        "%.80s is no SOCKS5 proxy", self->proxy);
    if (choice[1] != NO_AUTHENTICATION)
        return sh_fail (self->why, SH_E_DISCONNECTED,
                        "the SOCKS proxy %.80s asks for authentication, which "
                        "there is none of here; let this machine in without",
                        self->proxy);
    return SH_OK;
}

static sh_err_t
s_request (const dialogue_t *self)
{
    place_t place;
    uint8_t text[7 + HOST_MOST] = { VERSION, CONNECT, 0 };
    size_t size = 4;
    sh_err_t rc = s_split (&place, self->target, self->why);
    if (rc != SH_OK)
        return rc;
    if (inet_pton (AF_INET, place.host, text + size) == 1) {
        text[3] = TYPE_IPV4;
        size += 4;
    } else if (inet_pton (AF_INET6, place.host, text + size) == 1) {
        text[3] = TYPE_IPV6;
        size += 16;
    } else {
        size_t length = strlen (place.host);
        text[3] = TYPE_NAME;
        text[size++] = (uint8_t) length;
        memcpy (text + size, place.host, length);
        size += length;
    }
    unsigned long port = strtoul (place.port, NULL, 10);
    text[size++] = (uint8_t) (port >> 8);
    text[size++] = (uint8_t) port;
    return s_send (self, text, size);
}

static sh_err_t
s_refused (const dialogue_t *self, unsigned code)
{
    static const char *const texts[]
        = { NULL, "a failure of its own", "its rules do not allow it",
            "the network is unreachable", "the host is unreachable",
            "the connection was refused", "the time to live expired",
            "it does not know the command",
            "it does not know the kind of address" };
    const char *text = code < sizeof texts / sizeof *texts
                           ? texts[code]
                           : "an unknown reason";
    return sh_fail (self->why, SH_E_DISCONNECTED,
                    "the SOCKS proxy %.60s does not connect us to %.80s: %s "
                    "(%u)",
                    self->proxy, self->target, text, code);
}

/*  Version, code, a reserved byte, and the address that the proxy used, of
    which nothing is wanted.  */
static sh_err_t
s_reply (const dialogue_t *self)
{
    uint8_t head[4], rest[HOST_MOST + 2];
    sh_err_t rc = s_receive (self, head, 2);
    if (rc == SH_E_TIMEOUT)
        return sh_fail (self->why, rc,
                        "the SOCKS proxy %.60s does not get through to %.80s",
                        self->proxy, self->target);
    if (rc == SH_OK && head[0] == VERSION && head[1] != 0)
        return s_refused (self, head[1]);
    if (rc == SH_OK)
        rc = s_receive (self, head + 2, 2);
    if (rc != SH_OK)
        return rc;
    size_t size = head[3] == TYPE_IPV4 ? 4 : 16;
    if (head[0] != VERSION
        || (head[3] != TYPE_IPV4 && head[3] != TYPE_NAME
            && head[3] != TYPE_IPV6))
        return sh_fail (self->why, SH_E_DISCONNECTED,
                        "the SOCKS proxy %.80s answers nonsense", self->proxy);
    if (head[3] == TYPE_NAME) {
        rc = s_receive (self, rest, 1);
        size = rest[0];
    }
    return rc == SH_OK ? s_receive (self, rest, size + 2) : rc;
}

sh_err_t
sp_socks_open (int *out, const char *proxy, const char *target, int timeout,
               int wake, sh_why_t *why)
{
    assert (out && proxy && target && why);
    dialogue_t self = { .proxy = proxy,
                        .target = target,
                        .fd = -1,
                        .wake = wake,
                        .end = s_now () + timeout,
                        .why = why };
    sh_err_t rc = s_connect (&self);
    if (rc == SH_OK)
        rc = s_greet (&self);
    if (rc == SH_OK)
        rc = s_request (&self);
    if (rc == SH_OK)
        rc = s_reply (&self);
    if (rc == SH_OK)
        *out = self.fd;
    else if (self.fd >= 0)
        (void) close (self.fd);
    return rc;
}
