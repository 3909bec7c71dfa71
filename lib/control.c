/* SPDX-License-Identifier: MPL-2.0 */

#include "lib/control.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/owner.h"

#define SERVE_MS 2000 /* for one client, from accept to the answer's end */
#define SOCKET_MODE 0660
#define BACKLOG 16

struct sh_control
{
    int fd;
    char *path;
    struct stat bound; /* the socket file, to know it again */
    sh_control_options_t options;
};

static int64_t
s_now (void)
{
    return sh_clock_mono (sh_clock_system ());
}

static sh_err_t
s_address (struct sockaddr_un *out, const char *path, sh_why_t *why)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    size_t size = strlen (path);
    if (size == 0 || size >= sizeof out->sun_path)
        return sh_fail (why, SH_E_CONFIG,
                        "%s: a socket's path can have at most %zu bytes, this "
                        "one has %zu",
                        path, sizeof out->sun_path - 1, size);
    memcpy (out->sun_path, path, size + 1);
    return SH_OK;
}

/*  Wait until 'fd' is ready, at most until 'deadline'.  */
static bool
s_wait (int fd, short events, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - s_now ();
        struct pollfd item = { .fd = fd, .events = events };
        int count = poll (&item, 1, left > 0 ? (int) left : 0);
        if (count > 0)
            return true;
        if (count == 0 || errno != EINTR)
            return false;
    }
}

static sh_err_t
s_send (int fd, const char *text, size_t size, int64_t deadline)
{
    while (size > 0) {
        ssize_t count = send (fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) {
            text += count;
            size -= (size_t) count;
        }
        else if (errno != EAGAIN && errno != EINTR)
            return SH_E_IO;
        else if (!s_wait (fd, POLLOUT, deadline))
            return SH_E_TIMEOUT;
    }
    return SH_OK;
}

/*  Read until the other end is done, 'room' is full or, with 'line', a line
    has come.  '*size' is what is there in every case.  */
static sh_err_t
s_receive (int fd, char *at, size_t room, bool line, size_t *size,
           int64_t deadline)
{
    *size = 0;
    /*  Of 'at' only what recv has filled is looked at: '*size' bytes.  */
    // cppcheck-suppress uninitvar
    while (*size < room && !(line && memchr (at, '\n', *size))) {
        ssize_t count = recv (fd, at + *size, room - *size, MSG_DONTWAIT);
        if (count > 0)
            *size += (size_t) count;
        else if (count == 0)
            break;
        else if (errno == ECONNRESET && *size > 0)
            break; /* it closed without reading all of what we sent */
        else if (errno != EAGAIN && errno != EINTR)
            return SH_E_IO;
        else if (!s_wait (fd, POLLIN, deadline))
            return SH_E_TIMEOUT;
    }
    return SH_OK;
}

/*  Remove the socket file of a program that is dead.  */
static sh_err_t
s_clear_stale (const char *path, const struct sockaddr_un *address,
               const char *program, sh_why_t *why)
{
    struct stat meta;
    if (lstat (path, &meta) != 0)
        return SH_OK; /* nothing there; if it is worse, bind says so */
    if (!S_ISSOCK (meta.st_mode))
        return sh_fail (why, SH_E_EXISTS,
                        "%s: is there and is no socket; remove it, or set "
                        "'control' to another path",
                        path);
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return sh_fail (why, SH_E_IO, "%s: no socket: %s", path,
                        strerror (errno));
    int rc = connect (fd, (const struct sockaddr *) address, sizeof *address);
    bool dead = rc != 0 && (errno == ECONNREFUSED || errno == ENOENT);
    close (fd);
    if (!dead)
        return sh_fail (why, SH_E_EXISTS,
                        "%s: another %s is running and answers there", path,
                        program);
    if (unlink (path) != 0 && errno != ENOENT)
        return sh_fail (why, SH_E_IO, "%s: cannot remove the old socket: %s",
                        path, strerror (errno));
    return SH_OK;
}

/*  The mode is set before the file appears, so that it is never wider.  */
static sh_err_t
s_bind (sh_control_t *self, const struct sockaddr_un *address, sh_why_t *why)
{
    self->fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->fd >= 0 && fchmod (self->fd, SOCKET_MODE) == 0
        && bind (self->fd, (const struct sockaddr *) address, sizeof *address)
               == 0
        && chmod (self->path, SOCKET_MODE) == 0
        && sh_owner_share (self->path, SH_OWNER_NAME, NULL) == SH_OK
        && lstat (self->path, &self->bound) == 0
        && listen (self->fd, BACKLOG) == 0)
        return SH_OK;
    return sh_fail (why, SH_E_IO, "%s: cannot make the control socket: %s",
                    self->path, strerror (errno));
}

/*  The directory that the socket lies in, locked: of two that start at the
    same moment, each would take the other's socket for a stale one.  */
static sh_err_t
s_lock_directory (int *out, const char *path, sh_why_t *why)
{
    const char *slash = strrchr (path, '/');
    char *directory = slash ? strndup (path, (size_t) (slash - path) + 1)
                            : strdup (".");
    if (!directory)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    int fd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    sh_err_t rc = SH_OK;
    if (fd < 0 || flock (fd, LOCK_EX) != 0)
        rc = sh_fail (why, SH_E_IO,
                      "%s: cannot make the control socket in there: %s",
                      directory, strerror (errno));
    if (rc == SH_OK)
        *out = fd;
    else if (fd >= 0)
        close (fd);
    free (directory);
    return rc;
}

sh_err_t
sh_control_new (sh_control_t **out, const char *path,
                const sh_control_options_t *options, sh_why_t *why)
{
    assert (out && path && options->program && options->answer);
    struct sockaddr_un address;
    int lock = -1;
    sh_control_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    self->fd = -1;
    self->options = *options;
    self->path = strdup (path);
    sh_err_t rc = SH_OK;
    if (!self->path)
        rc = sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    if (rc == SH_OK)
        rc = s_address (&address, path, why);
    if (rc == SH_OK)
        rc = s_lock_directory (&lock, path, why);
    if (rc == SH_OK)
        rc = s_clear_stale (path, &address, options->program, why);
    if (rc == SH_OK)
        rc = s_bind (self, &address, why);
    if (lock >= 0)
        close (lock);
    if (rc == SH_OK)
        *out = self;
    else
        sh_control_destroy (&self);
    return rc;
}

void
sh_control_destroy (sh_control_t **self_p)
{
    assert (self_p);
    sh_control_t *self = *self_p;
    struct stat meta;
    if (!self)
        return;
    /*  Only our own file: one that was started since may have put its socket
        there.  */
    if (self->bound.st_ino != 0 && lstat (self->path, &meta) == 0
        && meta.st_ino == self->bound.st_ino
        && meta.st_dev == self->bound.st_dev)
        unlink (self->path);
    if (self->fd >= 0)
        close (self->fd);
    free (self->path);
    free (self);
    *self_p = NULL;
}

int
sh_control_fd (const sh_control_t *self)
{
    assert (self);
    return self->fd;
}

/*  Make a C string of a request of 'size' bytes; false if it is none.  */
static bool
s_is_request (char *request, size_t size)
{
    char *end = memchr (request, '\n', size);
    if (!end || end == request)
        return false;
    *end = '\0';
    for (const char *at = request; at < end; at++) {
        if (*at < ' ' || *at > '~')
            return false;
    }
    return true;
}

static void
s_serve_client (sh_control_t *self, int fd, char *answer)
{
    char request[SH_CONTROL_REQUEST_MOST + 1];
    size_t size = 0;
    int64_t deadline = s_now ()
                       + (self->options.patience ? self->options.patience
                                                 : SERVE_MS);
    if (s_receive (fd, request, sizeof request, true, &size, deadline)
            != SH_OK
        || size == 0)
        return;
    if (s_is_request (request, size))
        self->options.answer (self->options.context, request, answer,
                              SH_CONTROL_ANSWER_MOST);
    else
        snprintf (answer, SH_CONTROL_ANSWER_MOST,
                  "error a request is one line of at most %d printable "
                  "characters",
                  SH_CONTROL_REQUEST_MOST);
    answer[SH_CONTROL_ANSWER_MOST - 1] = '\0';

    size = strlen (answer);
    if (size > 0 && answer[size - 1] != '\n')
        answer[size++] = '\n'; /* there is one byte more than it may fill */
    if (s_send (fd, answer, size, deadline) != SH_OK)
        sh_log (SH_LOG_INFO, "control client did not take its answer");
}

void
sh_control_serve (sh_control_t *self)
{
    assert (self);
    int fd = self->options.accept
                 ? self->options.accept (self->fd)
                 : accept4 (self->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return; /* it went away, or there is no descriptor for it now */
    char *answer = calloc (1, SH_CONTROL_ANSWER_MOST + 1);
    if (answer)
        s_serve_client (self, fd, answer);
    free (answer);
    close (fd);
}

/*  Tell who may use the socket.  */
static sh_err_t
s_fail_rights (const char *path, sh_why_t *why)
{
    struct stat meta;
    if (stat (path, &meta) != 0)
        return sh_fail (why, SH_E_MODE,
                        "%s: permission denied by a directory above it; run "
                        "this as root or as its user",
                        path);
    char group[SH_GROUP_TEXT];
    sh_owner_group (group, meta.st_gid);
    return sh_fail (why, SH_E_MODE,
                    "%s: permission denied: its mode is %04o and its group is "
                    "%s; run this as root or as a member of that group",
                    path, (unsigned) meta.st_mode & 07777, group);
}

static sh_err_t
s_connect (int *out, const char *path, const char *program, sh_why_t *why)
{
    struct sockaddr_un address;
    sh_err_t rc = s_address (&address, path, why);
    if (rc != SH_OK)
        return rc;
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0
        && connect (fd, (const struct sockaddr *) &address, sizeof address)
               == 0) {
        *out = fd;
        return SH_OK;
    }
    int error = errno;
    if (fd >= 0)
        close (fd);
    if (error == ENOENT || error == ENOTDIR || error == ECONNREFUSED)
        return sh_fail (why, SH_E_NOT_FOUND,
                        "%s: nobody answers there; is %s running?", path,
                        program);
    if (error == EACCES || error == EPERM)
        return s_fail_rights (path, why);
    if (error == EAGAIN)
        return sh_fail (why, SH_E_TIMEOUT,
                        "%s: %s has too many requests waiting", path, program);
    return sh_fail (why, SH_E_IO, "%s: cannot connect: %s", path,
                    strerror (error));
}

static sh_err_t
s_check_answer (sh_err_t rc, size_t size, const char *path, sh_why_t *why)
{
    if (rc == SH_E_TIMEOUT)
        return sh_fail (why, rc, "%s: no answer came in time", path);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s: the connection broke: %s", path,
                        strerror (errno));
    if (size == 0)
        return sh_fail (why, SH_E_IO, "%s: the answer is empty", path);
    if (size > SH_CONTROL_ANSWER_MOST)
        return sh_fail (why, SH_E_IO, "%s: the answer is too long", path);
    return SH_OK;
}

sh_err_t
sh_control_ask (char **answer, const char *path, const char *program,
                const char *request, int timeout, sh_why_t *why)
{
    assert (answer && path && program && request);
    int fd = -1;
    size_t size = 0;
    char *line = NULL;
    int64_t deadline = s_now () + timeout;
    char *text = calloc (1, SH_CONTROL_ANSWER_MOST + 2);
    int length = asprintf (&line, "%s\n", request);
    if (length < 0)
        line = NULL;
    sh_err_t rc = SH_OK;
    if (!text || !line)
        rc = sh_fail (why, SH_E_MEMORY, "out of memory");
    else if (length > SH_CONTROL_REQUEST_MOST)
        rc = sh_fail (why, SH_E_SYNTAX, "the request is too long");
    if (rc == SH_OK)
        rc = s_connect (&fd, path, program, why);
    if (rc == SH_OK) {
        rc = s_send (fd, line, (size_t) length, deadline);
        if (rc == SH_OK)
            rc = s_receive (fd, text, SH_CONTROL_ANSWER_MOST + 1, false,
                            &size, deadline);
        rc = s_check_answer (rc, size, path, why);
    }
    if (rc == SH_OK) {
        *answer = text;
        text = NULL;
    }
    if (fd >= 0)
        close (fd);
    free (line);
    free (text);
    return rc;
}
