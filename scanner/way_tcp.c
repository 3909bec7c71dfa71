/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/way_tcp.h"

#include <errno.h>
#include <time.h> /* which the next one needs and does not include */

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEP INT64_C (950000000)  /* ns; after 1 s the kernel sends again */
#define LEAST INT64_C (500000000) /* before that none has to make room */

typedef struct
{
    int fd; /* -1: free */
    const void *owner;
    sh_addr_t addr;
    int64_t asked_at;
} attempt_t;

/*  A ring: attempts begin in order, so the oldest is the next to be given
    up.  */
struct sc_tcp
{
    int epoll;
    size_t first, count;
    attempt_t attempts[SC_TCP_MOST];
};

sh_err_t
sc_tcp_new (sc_tcp_t **out, sh_why_t *why)
{
    sc_tcp_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    self->epoll = epoll_create1 (EPOLL_CLOEXEC);
    if (self->epoll < 0) {
        sh_err_t rc = sh_fail (why, SH_E_PROBE, "epoll: %s", strerror (errno));
        free (self);
        return rc;
    }
    for (size_t i = 0; i < SC_TCP_MOST; i++)
        self->attempts[i].fd = -1;
    *out = self;
    return SH_OK;
}

static void
s_end (attempt_t *attempt)
{
    if (attempt->fd >= 0)
        (void) close (attempt->fd);
    attempt->fd = -1;
}

void
sc_tcp_destroy (sc_tcp_t **self_p)
{
    sc_tcp_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < SC_TCP_MOST; i++)
        s_end (&self->attempts[i]);
    (void) close (self->epoll);
    free (self);
    *self_p = NULL;
}

int
sc_tcp_fd (const sc_tcp_t *self)
{
    return self->epoll;
}

/*  Whose ICMP error has come instead of an answer?  Family 0: nobody's.  */
static sh_addr_t
s_read_error (int fd, uint8_t family)
{
    sh_addr_t who = { 0 };
    union
    {
        struct cmsghdr align;
        uint8_t bytes[256];
    } control;
    struct msghdr message
        = { .msg_control = &control, .msg_controllen = sizeof control };
    if (recvmsg (fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return who;
    for (struct cmsghdr *at = CMSG_FIRSTHDR (&message); at;
         at = CMSG_NXTHDR (&message, at)) {
        bool is_error
            = (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR)
              || (at->cmsg_level == IPPROTO_IPV6
                  && at->cmsg_type == IPV6_RECVERR);
        struct
        {
            struct sock_extended_err error;
            union
            {
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
            } from; /* SO_EE_OFFENDER */
        } told = { 0 };
        size_t size = at->cmsg_len - CMSG_LEN (0);
        if (!is_error || size > sizeof told)
            continue;
        memcpy (&told, CMSG_DATA (at), size);
        who.family = family;
        if (family == 4)
            memcpy (who.bytes, &told.from.in.sin_addr, 4);
        else
            memcpy (who.bytes, &told.from.in6.sin6_addr, 16);
    }
    return who;
}

/*  Of a connection that was refused: by the host itself, and not by somebody
    who says that it cannot be reached?  */
static bool
s_is_refused_by (int fd, const sh_addr_t *addr)
{
    sh_addr_t who = s_read_error (fd, addr->family);
    return !who.family || sh_addr_cmp (&who, addr) == 0;
}

static int
s_connect (int fd, const sh_addr_t *addr, uint16_t port)
{
    struct sockaddr_in to4
        = { .sin_family = AF_INET, .sin_port = htons (port) };
    struct sockaddr_in6 to6
        = { .sin6_family = AF_INET6, .sin6_port = htons (port) };
    memcpy (&to4.sin_addr, addr->bytes, 4);
    memcpy (&to6.sin6_addr, addr->bytes, 16);
    int rc = addr->family == 4
                 ? connect (fd, (struct sockaddr *) &to4, sizeof to4)
                 : connect (fd, (struct sockaddr *) &to6, sizeof to6);
    return rc == 0 ? 0 : errno;
}

static int
s_open (const sh_addr_t *addr)
{
    struct linger reset = { .l_onoff = 1 };
    int on = 1;
    int fd = socket (addr->family == 4 ? AF_INET : AF_INET6,
                     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt (fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0
        && setsockopt (fd, addr->family == 4 ? IPPROTO_IP : IPPROTO_IPV6,
                       addr->family == 4 ? IP_RECVERR : IPV6_RECVERR, &on,
                       sizeof on)
               == 0)
        return fd;
    int error = errno;
    (void) close (fd);
    return -error;
}

/*  The local error; EINPROGRESS; 0 if the host has answered, or somebody in its
    place ('*up').  */
static int
s_begin (int fd, const sh_addr_t *addr, uint16_t port,
         const sc_links_t *links, bool *up)
{
    int error = s_connect (fd, addr, port);
    *up = error == 0;
    if (error != EINPROGRESS && error != ECONNREFUSED)
        return error;
    sh_addr_t who = s_read_error (fd, addr->family);
    bool itself = !who.family || sh_addr_cmp (&who, addr) == 0;
    if (!itself && sc_links_own (links, &who))
        return EACCES; /* a firewall of our own */
    *up = error == ECONNREFUSED && itself;
    return error == ECONNREFUSED ? 0 : error;
}

/*  Room for one more, if need be the oldest's.  */
static bool
s_make_room (sc_tcp_t *self, int64_t now)
{
    while (self->count) {
        attempt_t *oldest = &self->attempts[self->first];
        bool full = self->count == SC_TCP_MOST;
        int64_t age = now - oldest->asked_at;
        if (oldest->fd >= 0 && age < (full ? LEAST : KEEP))
            return !full;
        s_end (oldest);
        self->first = (self->first + 1) % SC_TCP_MOST;
        self->count--;
    }
    return true;
}

int
sc_tcp_ask (sc_tcp_t *self, const void *owner, const sh_addr_t *addr,
            uint16_t port, const sc_links_t *links, int64_t now, bool *up)
{
    *up = false;
    if (!s_make_room (self, now))
        return EBUSY;
    int fd = s_open (addr);
    if ((fd == -EMFILE || fd == -ENFILE) && self->count)
        return EBUSY; /* we have them, and give them back */
    if (fd < 0)
        return -fd;
    int error = s_begin (fd, addr, port, links, up);
    size_t place = (self->first + self->count) % SC_TCP_MOST;
    struct epoll_event event
        = { .events = EPOLLOUT, .data = { .u32 = (uint32_t) place } };
    if (error == EINPROGRESS
        && epoll_ctl (self->epoll, EPOLL_CTL_ADD, fd, &event) == 0) {
        self->attempts[place] = (attempt_t){
            .fd = fd, .owner = owner, .addr = *addr, .asked_at = now
        };
        self->count++;
        return 0;
    }
    error = error == EINPROGRESS ? errno : error;
    (void) close (fd);
    return error;
}

void
sc_tcp_receive (sc_tcp_t *self, int64_t now, sc_tcp_fn *take, void *context)
{
    struct epoll_event events[64];
    int count;
    do {
        count = epoll_wait (self->epoll, events, 64, 0);
        for (int i = 0; i < count; i++) {
            attempt_t *attempt = &self->attempts[events[i].data.u32];
            int error = 0;
            socklen_t size = sizeof error;
            if (attempt->fd < 0
                || getsockopt (attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size)
                       != 0)
                continue;
            if (error == 0
                || (error == ECONNREFUSED
                    && s_is_refused_by (attempt->fd, &attempt->addr)))
                take (context, attempt->owner, &attempt->addr,
                      attempt->asked_at);
            s_end (attempt);
        }
    } while (count == 64);
    (void) s_make_room (self, now);
}

void
sc_tcp_forget (sc_tcp_t *self, const void *owner)
{
    for (size_t i = 0; i < SC_TCP_MOST; i++)
        if (self->attempts[i].owner == owner)
            s_end (&self->attempts[i]);
}
