/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/listen.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

bool
sh_addr_is_loopback (const sh_addr_t *addr)
{
    assert (addr);
    static const uint8_t one[16] = { [15] = 1 };
    if (addr->family == 4)
        return addr->bytes[0] == 127;
    return addr->family == 6 && memcmp (addr->bytes, one, sizeof one) == 0;
}

/*  0 to 65535; 0 is any free port.  */
static bool
s_is_port (const char *text)
{
    size_t digits = strspn (text, "0123456789");
    return digits > 0 && digits <= 5 && text[digits] == '\0'
           && (text[0] != '0' || digits == 1)
           && strtoul (text, NULL, 10) <= UINT16_MAX;
}

/*  An address with its port, taken apart.  */
typedef struct
{
    sh_addr_t addr;
    const char *port; /* within the text; NULL: it names none */
} endpoint_t;

static bool
s_parse_host (sh_addr_t *out, const char *text, size_t size)
{
    char host[SH_ADDR_TEXT];
    if (size >= sizeof host)
        return false;
    memcpy (host, text, size);
    host[size] = '\0';
    return sh_addr_parse (out, host) == SH_OK;
}

/*  "[::1]" or "[::1]:5000".  */
static bool
s_parse_bracketed (endpoint_t *out, const char *text)
{
    const char *end = strchr (text, ']');
    if (!end || !s_parse_host (&out->addr, text + 1, (size_t) (end - text - 1))
        || out->addr.family != 6)
        return false;
    out->port = end[1] == ':' ? end + 2 : NULL;
    return out->port ? s_is_port (out->port) : end[1] == '\0';
}

/*  IPv6 without brackets is taken where no end of it can be meant as a port,
    because [::] without quotes is a list in YAML.  */
static bool
s_parse_endpoint (endpoint_t *out, const char *text)
{
    *out = (endpoint_t){ 0 };
    if (text[0] == '[')
        return s_parse_bracketed (out, text);
    const char *colon = strrchr (text, ':');
    bool with_port
        = colon && s_is_port (colon + 1)
          && s_parse_host (&out->addr, text, (size_t) (colon - text));
    if (with_port) {
        out->port = colon + 1;
        return out->addr.family == 4;
    }
    return s_parse_host (&out->addr, text, strlen (text));
}

sh_err_t
sh_listen_settle (char **item, uint32_t port, sh_addr_t *addr)
{
    assert (item && *item && addr);
    endpoint_t endpoint;
    char host[SH_ADDR_TEXT], *text = NULL;
    if (!s_parse_endpoint (&endpoint, *item))
        return SH_E_CONFIG;
    bool six = endpoint.addr.family == 6;
    sh_addr_text (&endpoint.addr, host);
    unsigned long its
        = endpoint.port ? strtoul (endpoint.port, NULL, 10) : port;
    if (asprintf (&text, "%s%s%s:%lu", six ? "[" : "", host, six ? "]" : "",
                  its)
        < 0)
        return SH_E_MEMORY;
    free (*item);
    *item = text;
    *addr = endpoint.addr;
    return SH_OK;
}

/*  1 to 5 digits up to 65535.  */
static bool
s_parse_port (uint16_t *out, const char *text)
{
    unsigned long port = 0;
    size_t size = strlen (text);
    if (size == 0 || size > 5 || strspn (text, "0123456789") != size)
        return false;
    for (const char *at = text; *at; at++)
        port = port * 10 + (unsigned long) (*at - '0');
    *out = (uint16_t) port;
    return port <= UINT16_MAX;
}

static bool
s_parse_one (sh_listener_t *out, const char *text)
{
    char host[SH_ADDR_TEXT];
    const char *colon = strrchr (text, ':');
    if (!colon)
        return false;
    size_t size = (size_t) (colon - text);
    bool brackets = size > 2 && text[0] == '[' && text[size - 1] == ']';
    if (brackets) {
        text++;
        size -= 2;
    }
    if (size >= sizeof host)
        return false;
    memcpy (host, text, size);
    host[size] = '\0';
    return sh_addr_parse (&out->addr, host) == SH_OK
           && (out->addr.family == 6) == brackets
           && s_parse_port (&out->port, colon + 1);
}

sh_err_t
sh_listeners_parse (sh_listeners_t *out, const sh_strings_t *texts,
                    const char *setting, sh_why_t *why)
{
    assert (out && texts);
    if (texts->count == 0)
        return sh_fail (why, SH_E_CONFIG,
                        "%s names no address to listen on", setting);
    sh_listeners_t self = { calloc (texts->count, sizeof *self.items), 0 };
    if (!self.items)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    sh_err_t rc = SH_OK;
    for (size_t i = 0; rc == SH_OK && i < texts->count; i++) {
        sh_listener_t *item = &self.items[i];
        item->fd = -1;
        item->text = strdup (texts->items[i]);
        self.count++;
        if (!item->text)
            rc = sh_fail (why, SH_E_MEMORY, "out of memory");
        else if (!s_parse_one (item, item->text))
            rc = sh_fail (why, SH_E_CONFIG,
                          "%s: '%s' is not an address with a port, "
                          "such as 127.0.0.1:5000 or [::1]:5000",
                          setting, item->text);
    }
    if (rc == SH_OK)
        *out = self;
    else
        sh_listeners_clear (&self);
    return rc;
}

void
sh_listeners_clear (sh_listeners_t *self)
{
    assert (self);
    for (size_t i = 0; i < self->count; i++) {
        if (self->items[i].fd >= 0)
            close (self->items[i].fd);
        free (self->items[i].text);
    }
    free (self->items);
    *self = (sh_listeners_t){ 0 };
}

static socklen_t
s_sockaddr (struct sockaddr_storage *out, const sh_addr_t *addr, uint16_t port)
{
    memset (out, 0, sizeof *out);
    if (addr->family == 4) {
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_port = htons (port) };
        memcpy (&in.sin_addr, addr->bytes, sizeof in.sin_addr);
        memcpy (out, &in, sizeof in);
        return sizeof in;
    }
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                .sin6_port = htons (port) };
    memcpy (&in6.sin6_addr, addr->bytes, sizeof in6.sin6_addr);
    memcpy (out, &in6, sizeof in6);
    return sizeof in6;
}

/*  The port that the kernel chose, for port 0.  */
static bool
s_learn_port (sh_listener_t *self, int fd)
{
    struct sockaddr_storage bound = { 0 };
    socklen_t size = sizeof bound;
    if (getsockname (fd, (struct sockaddr *) &bound, &size) != 0)
        return false;
    if (bound.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy (&in, &bound, sizeof in);
        self->port = ntohs (in.sin_port);
    }
    else {
        struct sockaddr_in6 in6;
        memcpy (&in6, &bound, sizeof in6);
        self->port = ntohs (in6.sin6_port);
    }
    return true;
}

/*  False with errno.  */
static bool
s_bind_one (sh_listener_t *self)
{
    struct sockaddr_storage addr;
    socklen_t size = s_sockaddr (&addr, &self->addr, self->port);
    int on = 1;
    int fd = socket (addr.ss_family,
                     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool good
        = setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0
          && (self->addr.family == 4
              || setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on)
                     == 0)
          && bind (fd, (struct sockaddr *) &addr, size) == 0
          && listen (fd, BACKLOG) == 0 && s_learn_port (self, fd);
    if (good) {
        self->fd = fd;
        return true;
    }
    int error = errno;
    close (fd);
    errno = error;
    return false;
}

/*  The default names ::1, and there are machines without IPv6.  */
static bool
s_may_leave_out (const sh_listener_t *self, int error)
{
    return self->addr.family == 6 && sh_addr_is_loopback (&self->addr)
           && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
}

sh_err_t
sh_listeners_bind (sh_listeners_t *self, const char *taken, sh_why_t *why)
{
    assert (self);
    size_t left_out = 0;
    for (size_t i = 0; i < self->count; i++) {
        sh_listener_t *item = &self->items[i];
        if (s_bind_one (item))
            continue;
        int error = errno;
        if (s_may_leave_out (item, error) && ++left_out < self->count) {
            sh_log (SH_LOG_WARNING,
                    "http: this machine has no IPv6; not listening there",
                    SH_STR ("address", item->text));
            item->port = 0;
            continue;
        }
        bool named = error == EADDRINUSE && taken;
        return sh_fail (why, SH_E_IO, "cannot listen on %s: %s%s%s%s",
                        item->text, strerror (error), named ? " (" : "",
                        named ? taken : "", named ? ")" : "");
    }
    return SH_OK;
}

const sh_listener_t *
sh_listeners_open (const sh_listeners_t *self)
{
    assert (self);
    for (size_t i = 0; i < self->count; i++)
        if (!sh_addr_is_loopback (&self->items[i].addr))
            return &self->items[i];
    return NULL;
}
