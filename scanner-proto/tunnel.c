/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/tunnel.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "scanner-proto/socks.h"

#define SCHEME "ipc://@"
#define LOCAL_MS 1000 /* libzmq connects at once, or not at all */
#define FLUSH_MS 2000 /* for what is under way when one end has closed */
#define BUFFER 16384

/*  Has two owners, the session and the thread, and the last one frees it: the
    thread may be held up by the look-up of a name.  */
struct sp_tunnel
{
    char *proxy, *target;
    int timeout;
    int listener; /* the thread's */
    int wake;     /* readable: the session has no more use for it */
    char endpoint[SP_TUNNEL_TEXT];
    pthread_mutex_t mutex; /* guards the rest */
    int owners;
    char trouble[256]; /* "" once the target is reached */
};

/*  One direction.  */
typedef struct
{
    int from, to;
    size_t begin, end; /* of what is in 'data' */
    bool ended;        /* nothing more comes */
    uint8_t data[BUFFER];
} flow_t;

static void
s_close (int fd)
{
    if (fd >= 0)
        (void) close (fd);
}

static void
s_free (sp_tunnel_t *self)
{
    s_close (self->listener);
    s_close (self->wake);
    pthread_mutex_destroy (&self->mutex);
    free (self->proxy);
    free (self->target);
    free (self);
}

static void
s_unref (sp_tunnel_t *self)
{
    pthread_mutex_lock (&self->mutex);
    bool last = --self->owners == 0;
    pthread_mutex_unlock (&self->mutex);
    if (last)
        s_free (self);
}

static void
s_set_trouble (sp_tunnel_t *self, const char *text)
{
    pthread_mutex_lock (&self->mutex);
    (void) snprintf (self->trouble, sizeof self->trouble, "%.*s",
                     (int) sizeof self->trouble - 1, text);
    pthread_mutex_unlock (&self->mutex);
}

/*  The other end is this process's libzmq, else it is nobody's.  */
static bool
s_is_ours (int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0
           && peer.pid == getpid ();
}

/*  -1 if it does not come, or is not wanted any more.  */
static int
s_accept (const sp_tunnel_t *self)
{
    struct pollfd items[] = { { .fd = self->listener, .events = POLLIN },
                              { .fd = self->wake, .events = POLLIN } };
    while (poll (items, 2, LOCAL_MS) > 0 && !items[1].revents) {
        int fd = accept4 (self->listener, NULL, NULL,
                          SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0 && s_is_ours (fd))
            return fd;
        s_close (fd);
    }
    return -1;
}

/*  Move what can be moved without waiting.  */
static void
s_flow (flow_t *self)
{
    if (!self->ended && self->end == 0) {
        ssize_t got = recv (self->from, self->data, BUFFER, 0);
        if (got > 0)
            self->end = (size_t) got;
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            self->ended = true;
    }
    if (self->begin == self->end)
        return;
    ssize_t sent = send (self->to, self->data + self->begin,
                         self->end - self->begin, MSG_NOSIGNAL);
    if (sent > 0)
        self->begin += (size_t) sent;
    else if (errno != EAGAIN && errno != EINTR) {
        self->ended = true;
        self->begin = self->end;
    }
    if (self->begin == self->end)
        self->begin = self->end = 0;
}

/*  Wait until a flow can go on; false if none does any more.  'flows[0]' comes
    from libzmq, whose end may close while what it sent is stuck: '*hung'.  */
static bool
s_wait (const flow_t flows[2], bool *hung)
{
    struct pollfd items[2]
        = { { .fd = flows[0].from }, { .fd = flows[1].from } };
    for (int i = 0; i < 2; i++) {
        if (flows[i].end)
            items[!i].events |= POLLOUT; /* the other's 'from' is its 'to' */
        else if (!flows[i].ended)
            items[i].events |= POLLIN;
    }
    /* poll tells of a hang-up unasked, again and again */
    if (!items[0].events && *hung)
        items[0].fd = -1;
    if (!items[1].events)
        items[1].fd = -1;
    bool ending = *hung || flows[0].ended || flows[1].ended;
    int count = poll (items, 2, ending ? FLUSH_MS : -1);
    *hung |= count > 0 && (items[0].revents & (POLLHUP | POLLERR));
    return count > 0 || (count < 0 && errno == EINTR);
}

/*  Until one end closes and what came from there is delivered.  */
static void
s_carry (int local, int remote)
{
    flow_t *flows = calloc (2, sizeof *flows);
    if (!flows)
        return;
    flows[0].from = flows[1].to = local;
    flows[0].to = flows[1].from = remote;
    bool over = false, hung = false;
    while (!over && s_wait (flows, &hung)) {
        for (int i = 0; i < 2; i++) {
            s_flow (&flows[i]);
            over |= flows[i].ended && !flows[i].end;
        }
    }
    free (flows);
}

static void *
s_run (void *context)
{
    sp_tunnel_t *self = context;
    sh_why_t why = { "" };
    int remote = -1;
    sh_err_t rc = sp_socks_open (&remote, self->proxy, self->target,
                                 self->timeout, self->wake, &why);
    s_set_trouble (self, rc == SH_OK ? "" : why.text);
    /* also after an error: that it is closed again is the news of it */
    int local = s_accept (self);
    if (local >= 0 && remote >= 0)
        s_carry (local, remote);
    s_close (local);
    s_close (remote);
    s_unref (self);
    return NULL;
}

/*  An abstract name that nobody can guess; it is gone with the socket.  */
static sh_err_t
s_listen (sp_tunnel_t *self, sh_why_t *why)
{
    uint8_t random[16];
    char hex[2 * sizeof random + 1];
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    randombytes_buf (random, sizeof random);
    sodium_bin2hex (hex, sizeof hex, random, sizeof random);
    int size = snprintf (self->endpoint, sizeof self->endpoint,
                         SCHEME "sp-tunnel-%s", hex);
    /* the '@' stands for a NUL */
    size_t name = (size_t) size - (sizeof SCHEME - 1);
    memcpy (addr.sun_path + 1, self->endpoint + sizeof SCHEME - 1, name);
    socklen_t length
        = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + 1 + name);
    self->wake = eventfd (0, EFD_CLOEXEC);
    self->listener
        = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->wake < 0 || self->listener < 0
        || bind (self->listener, (struct sockaddr *) &addr, length) != 0
        || listen (self->listener, 2) != 0)
        return sh_fail (why, SH_E_IO, "a socket for the SOCKS proxy: %s",
                        strerror (errno));
    return SH_OK;
}

/*  Signals are the other threads' business.  */
static sh_err_t
s_launch (sp_tunnel_t *self, sh_why_t *why)
{
    pthread_t thread;
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    self->owners = 2;
    int error = pthread_create (&thread, NULL, s_run, self);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    if (error) {
        self->owners = 1;
        return sh_fail (why, SH_E_IO, "a thread for the SOCKS proxy: %s",
                        strerror (error));
    }
    pthread_detach (thread);
    return SH_OK;
}

sh_err_t
sp_tunnel_new (sp_tunnel_t **out, const char *proxy, const char *target,
               int timeout, sh_why_t *why)
{
    assert (out && proxy && target);
    sp_tunnel_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    self->owners = 1;
    self->listener = self->wake = -1;
    self->timeout = timeout;
    pthread_mutex_init (&self->mutex, NULL);
    self->proxy = strdup (proxy);
    self->target = strdup (target);
    (void) snprintf (self->trouble, sizeof self->trouble,
                     "the SOCKS proxy %.80s does not answer", proxy);
    sh_err_t rc = SH_OK;
    if (!self->proxy || !self->target)
        rc = sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    if (rc == SH_OK)
        rc = s_listen (self, why);
    if (rc == SH_OK)
        rc = s_launch (self, why);
    if (rc == SH_OK)
        *out = self;
    else
        s_unref (self);
    return rc;
}

void
sp_tunnel_release (sp_tunnel_t **self_p)
{
    sp_tunnel_t *self = *self_p;
    if (!self)
        return;
    uint64_t one = 1;
    ssize_t written = write (self->wake, &one, sizeof one);
    assert (written == sizeof one); /* the first one always fits */
    s_unref (self);
    *self_p = NULL;
}

const char *
sp_tunnel_endpoint (const sp_tunnel_t *self)
{
    return self->endpoint;
}

bool
sp_tunnel_trouble (sp_tunnel_t *self, char *out, size_t size)
{
    pthread_mutex_lock (&self->mutex);
    (void) snprintf (out, size, "%s", self->trouble);
    pthread_mutex_unlock (&self->mutex);
    return *out != '\0';
}
