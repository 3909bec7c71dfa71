/* SPDX-License-Identifier: MPL-2.0 */
#include "shim/http_conn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/listen.h"
#include "lib/log.h"

#define NEVER INT64_MAX
#define SINK 16384  /* bytes dropped at once */
#define SINK_ROUNDS 8

/*  A connection that the library has done with and the client has not.  */
struct sm_linger
{
    sm_linger_t *next;
    int fd;
    size_t left; /* bytes that are still read */
    int64_t deadline;
    sh_addr_t peer;
};

static int64_t
s_now (const sm_conns_t *self)
{
    return sh_clock_mono (self->clock);
}

/*  A prefix, or an address as the prefix that holds just it.  */
static bool
s_parse_spared (sh_prefix_t *out, const char *text)
{
    sh_addr_t addr;
    if (sh_prefix_parse (out, text) == SH_OK)
        return true;
    if (sh_addr_parse (&addr, text) != SH_OK)
        return false;
    out->base = addr;
    out->length = addr.family == 4 ? 32 : 128;
    return true;
}

sh_err_t
sm_conns_spare (sm_conns_t *self, const sh_strings_t *trusted, sh_why_t *why)
{
    assert (self && trusted);
    char v4[] = "127.0.0.0/8", v6[] = "::1/128";
    char *loopback[] = { v4, v6 };
    const sh_strings_t none = { loopback, 2 };
    const sh_strings_t *from = trusted->count > 0 ? trusted : &none;
    sh_prefix_t *spared = calloc (from->count, sizeof *spared);
    if (!spared)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    for (size_t i = 0; i < from->count; i++) {
        if (s_parse_spared (&spared[i], from->items[i]))
            continue;
        free (spared);
        return sh_fail (why, SH_E_CONFIG,
                        "trusted_proxies: '%s' is neither an address nor a "
                        "prefix such as 10.0.0.0/8",
                        from->items[i]);
    }
    free (self->spared);
    self->spared = spared;
    self->spared_count = from->count;
    return SH_OK;
}

sh_err_t
sm_conns_init (sm_conns_t *self, const sh_clock_t *clock, int epoll,
               const sh_strings_t *trusted, sh_why_t *why)
{
    assert (self && clock);
    *self = (sm_conns_t){ .clock = clock, .epoll = epoll, .next = NEVER };
    return sm_conns_spare (self, trusted, why);
}

static void
s_linger_end (sm_conns_t *self, sm_linger_t *linger)
{
    sm_linger_t **at = &self->lingers;
    while (*at != linger)
        at = &(*at)->next;
    *at = linger->next;
    self->linger_count--;
    close (linger->fd); /* the last duplicate: this takes it out of epoll */
    free (linger);
}

void
sm_conns_clear (sm_conns_t *self)
{
    assert (self && !self->first);
    while (self->lingers)
        s_linger_end (self, self->lingers);
    free (self->spared);
    *self = (sm_conns_t){ .next = NEVER };
}

static bool
s_peer (sh_addr_t *out, const struct sockaddr *peer)
{
    if (peer && peer->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy (&in, peer, sizeof in);
        sh_bytes_t bytes = { (const uint8_t *) &in.sin_addr, 4 };
        return sh_addr_from_bytes (out, bytes) == SH_OK;
    }
    if (peer && peer->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy (&in6, peer, sizeof in6);
        sh_bytes_t bytes = { (const uint8_t *) &in6.sin6_addr, 16 };
        return sh_addr_from_bytes (out, bytes) == SH_OK;
    }
    return false;
}

/*  One host usually has a whole /64 to choose IPv6 addresses from.  */
static bool
s_same_peer (const sh_addr_t *a, const sh_addr_t *b)
{
    return a->family == b->family
           && memcmp (a->bytes, b->bytes, a->family == 4 ? 4 : 8) == 0;
}

static bool
s_is_spared (const sm_conns_t *self, const sh_addr_t *peer)
{
    for (size_t i = 0; i < self->spared_count; i++)
        if (sh_prefix_contains (&self->spared[i], peer))
            return true;
    return false;
}

bool
sm_conns_admits (const sm_conns_t *self, const struct sockaddr *peer)
{
    assert (self);
    sh_addr_t addr;
    if (!s_peer (&addr, peer))
        return false;
    const char *why = NULL;
    size_t count = 0;
    if (self->count >= SM_CONNECTIONS_MOST + SM_CONNECTIONS_SLACK)
        why = "http: all connections are busy; a client was turned away";
    else if (!s_is_spared (self, &addr)) {
        for (sm_conn_t *conn = self->first; conn; conn = conn->next)
            count += s_same_peer (&conn->peer, &addr);
        for (sm_linger_t *one = self->lingers; one; one = one->next)
            count += s_same_peer (&one->peer, &addr);
        if (count >= SM_CONNECTIONS_PER_ADDRESS)
            why = "http: too many connections from one address";
    }
    if (!why)
        return true;
    char text[SH_ADDR_TEXT];
    sh_addr_text (&addr, text);
    sh_log (SH_LOG_WARNING, why, SH_STR ("peer", text));
    return false;
}

static void
s_set_deadline (sm_conn_t *conn, int64_t deadline)
{
    conn->deadline = deadline;
    if (deadline < conn->conns->next)
        conn->conns->next = deadline;
}

static void
s_shut (sm_conn_t *conn)
{
    sm_conn_stage (conn, SM_STAGE_OVER);
    shutdown (conn->fd, SHUT_RDWR);
}

static void
s_make_room (sm_conns_t *self, const sm_conn_t *newest)
{
    for (sm_conn_t *conn = self->first; conn; conn = conn->next) {
        if (conn->stage != SM_STAGE_HEADERS || conn == newest)
            continue;
        sh_log (SH_LOG_WARNING, "http: too many connections; the oldest that "
                                "had sent no request was closed");
        s_shut (conn);
        return;
    }
}

sm_conn_t *
sm_conns_add (sm_conns_t *self, int fd, const struct sockaddr *peer)
{
    assert (self && fd >= 0);
    sm_conn_t *conn = calloc (1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->conns = self;
    conn->fd = fd;
    conn->spare = -1;
    conn->accepted = s_now (self);
    if (s_peer (&conn->peer, peer))
        sh_addr_text (&conn->peer, conn->peer_text);
    conn->prev = self->last;
    if (self->last)
        self->last->next = conn;
    else
        self->first = conn;
    self->last = conn;
    self->count++;
    sm_conn_stage (conn, SM_STAGE_HEADERS);
    if (self->count > SM_CONNECTIONS_MOST)
        s_make_room (self, conn);
    return conn;
}

/*  From the library's connection to ours.  */
static void
s_start_linger (sm_conn_t *conn)
{
    sm_conns_t *self = conn->conns;
    sm_linger_t *linger = malloc (sizeof *linger);
    if (!linger) {
        close (conn->spare);
        return;
    }
    *linger = (sm_linger_t){ .next = self->lingers,
                             .fd = conn->spare,
                             .left = SM_DISCARD_MOST,
                             .deadline = s_now (self) + SM_DISCARD_MS,
                             .peer = conn->peer };
    self->lingers = linger;
    self->linger_count++;
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP,
                                 .data.ptr = linger };
    /*  The end of the answer, which the duplicate would hold back.  */
    shutdown (linger->fd, SHUT_WR);
    if (epoll_ctl (self->epoll, EPOLL_CTL_ADD, linger->fd, &event) != 0)
        s_linger_end (self, linger);
    else if (linger->deadline < self->next)
        self->next = linger->deadline;
}

void
sm_conns_remove (sm_conn_t *conn)
{
    assert (conn);
    sm_conns_t *self = conn->conns;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        self->first = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    else
        self->last = conn->prev;
    self->count--;
    self->progress++;
    if (conn->spare >= 0)
        s_start_linger (conn);
    free (conn);
}

void
sm_conn_stage (sm_conn_t *conn, sm_stage_t stage)
{
    assert (conn);
    conn->stage = stage;
    conn->conns->progress++;
    if (stage == SM_STAGE_HEADERS)
        s_set_deadline (conn, conn->accepted + SM_HEADERS_MS);
    else if (stage == SM_STAGE_BODY)
        s_set_deadline (conn, conn->accepted + SM_REQUEST_MS);
    else if (stage == SM_STAGE_ANSWER)
        s_set_deadline (conn, s_now (conn->conns) + SM_ANSWER_MS);
    else
        s_set_deadline (conn, NEVER);
}

void
sm_conn_hurry (sm_conn_t *conn, int64_t ms)
{
    assert (conn);
    int64_t deadline = s_now (conn->conns) + ms;
    if (deadline < conn->deadline)
        s_set_deadline (conn, deadline);
}

/*  The oldest linger had the most time.  */
static void
s_end_oldest (sm_conns_t *self)
{
    sm_linger_t *oldest = self->lingers;
    while (oldest->next)
        oldest = oldest->next;
    s_linger_end (self, oldest);
}

void
sm_conn_linger (sm_conn_t *conn)
{
    assert (conn);
    if (conn->spare >= 0)
        return;
    while (conn->conns->linger_count >= SM_LINGERS_MOST)
        s_end_oldest (conn->conns);
    conn->spare = fcntl (conn->fd, F_DUPFD_CLOEXEC, 0);
}

static void
s_expire (sm_conn_t *conn)
{
    if (conn->stage == SM_STAGE_BODY && conn->request)
        conn->conns->late (conn->request);
    s_shut (conn);
}

/*  All that is late; and when the next will be.  */
static void
s_check_deadlines (sm_conns_t *self, int64_t now)
{
    self->next = NEVER;
    for (sm_conn_t *conn = self->first; conn; conn = conn->next) {
        if (conn->deadline <= now)
            s_expire (conn);
        else if (conn->deadline < self->next)
            self->next = conn->deadline;
    }
    for (sm_linger_t *one = self->lingers, *next; one; one = next) {
        next = one->next;
        if (one->deadline <= now)
            s_linger_end (self, one);
        else if (one->deadline < self->next)
            self->next = one->deadline;
    }
}

static void
s_drain (sm_conns_t *self, sm_linger_t *linger)
{
    char sink[SINK];
    for (int i = 0; i < SINK_ROUNDS; i++) {
        ssize_t got = recv (linger->fd, sink, sizeof sink, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0 || (size_t) got > linger->left) {
            s_linger_end (self, linger);
            return;
        }
        linger->left -= (size_t) got;
    }
}

void
sm_conns_run (sm_conns_t *self)
{
    assert (self);
    struct epoll_event events[64];
    int count = 0;
    if (self->lingers)
        count = epoll_wait (self->epoll, events, 64, 0);
    for (int i = 0; i < count; i++)
        if (events[i].data.ptr)
            s_drain (self, events[i].data.ptr);
    int64_t now = s_now (self);
    if (now >= self->next)
        s_check_deadlines (self, now);
}

int64_t
sm_conns_timeout (const sm_conns_t *self)
{
    assert (self);
    if (self->next == NEVER)
        return -1;
    int64_t left = self->next - s_now (self);
    return left > 0 ? left : 0;
}
