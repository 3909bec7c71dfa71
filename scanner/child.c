/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"

#define CHUNK 65536   /* bytes moved per step, so that beats are not late */
#define FEED 16384    /* bytes of input asked for at once */
#define TICK_MS 10    /* looking again for a child that closed its pipes */
#define LINGER_MS 200 /* waiting for pipes that a reaped child left open */
#define LOOK_MS 500   /* looking for a child that ended with its pipes held
                         open by another process */

struct sc_child
{
    sc_child_options_t options;
    pid_t pid;     /* 0 when reaped */
    int status;    /* of waitpid */
    int in, out, err, pollset; /* -1 when closed */
    size_t written;
    char errors[SC_CHILD_ERRORS];
    size_t errors_size;
    int64_t deadline;  /* mono ms */
    int64_t termed;    /* when SIGTERM was sent; 0: not yet */
    int64_t reaped;
    bool killed;
    bool starved; /* no memory for more input */
};

static void
s_close (int *fd)
{
    if (*fd >= 0)
        (void) close (*fd);
    *fd = -1;
}

/*  A pair of connected descriptors: ours does not block, none survives an
    exec.  Sockets rather than pipes, since send can do without SIGPIPE.  */
static sh_err_t
s_pair (int *ours, int *theirs)
{
    int ends[2];
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return SH_E_PROBE;
    *ours = ends[0];
    *theirs = ends[1];
    int flags = fcntl (*ours, F_GETFL);
    return fcntl (*ours, F_SETFL, flags | O_NONBLOCK) == 0 ? SH_OK
                                                           : SH_E_PROBE;
}

static sh_err_t
s_watch (sc_child_t *self, int fd, uint32_t events)
{
    struct epoll_event event = { .events = events, .data = { .fd = fd } };
    return epoll_ctl (self->pollset, EPOLL_CTL_ADD, fd, &event) == 0
               ? SH_OK
               : SH_E_PROBE;
}

static sh_err_t
s_open (sc_child_t *self, int theirs[3])
{
    sh_err_t rc = SH_OK;
    self->pollset = epoll_create1 (EPOLL_CLOEXEC);
    if (self->pollset < 0)
        rc = SH_E_PROBE;
    if (rc == SH_OK)
        rc = s_pair (&self->in, &theirs[0]);
    if (rc == SH_OK)
        rc = s_pair (&self->out, &theirs[1]);
    if (rc == SH_OK)
        rc = s_pair (&self->err, &theirs[2]);
    if (rc == SH_OK)
        rc = s_watch (self, self->in, EPOLLOUT);
    if (rc == SH_OK)
        rc = s_watch (self, self->out, EPOLLIN);
    if (rc == SH_OK)
        rc = s_watch (self, self->err, EPOLLIN);
    return rc;
}

/*  What we block or ignore, the child must not: nmap dies of SIGPIPE when we
    are gone, and that is as it should be.  */
static int
s_attributes (posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset (&none);
    sigfillset (&all);
    int rc = posix_spawnattr_setsigmask (attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault (attributes, &all);
    if (rc == 0)
        rc = posix_spawnattr_setflags (attributes,
                                       POSIX_SPAWN_SETSIGMASK
                                           | POSIX_SPAWN_SETSIGDEF
                                           | POSIX_SPAWN_SETSID);
    return rc;
}

static int
s_actions (posix_spawn_file_actions_t *actions, const int theirs[3])
{
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = posix_spawn_file_actions_adddup2 (actions, theirs[i], i);
    /* nmap also looks for its data files in the working directory */
    if (rc == 0)
        rc = posix_spawn_file_actions_addchdir_np (actions, "/");
#ifdef __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 34)
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np (actions, 3);
#endif
#endif
    return rc;
}

static int
s_spawn (sc_child_t *self, const int theirs[3])
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                         "/usr/bin:/sbin:/bin";
    static char locale[] = "LC_ALL=C";
    char *const environment[] = { path, locale, NULL };
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;

    int rc = posix_spawnattr_init (&attributes);
    if (rc != 0)
        return rc;
    rc = posix_spawn_file_actions_init (&actions);
    if (rc == 0) {
        rc = s_attributes (&attributes);
        if (rc == 0)
            rc = s_actions (&actions, theirs);
        if (rc == 0)
            rc = posix_spawn (&self->pid, self->options.program, &actions,
                              &attributes, self->options.argv, environment);
        (void) posix_spawn_file_actions_destroy (&actions);
    }
    (void) posix_spawnattr_destroy (&attributes);
    if (rc != 0)
        self->pid = 0;
    return rc;
}

sh_err_t
sc_child_start (sc_child_t **out, const sc_child_options_t *options,
                sh_why_t *why)
{
    sc_child_t *self = calloc (1, sizeof *self);
    if (!self) {
        free (options->input);
        return sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    }
    self->options = *options;
    self->in = self->out = self->err = self->pollset = -1;
    self->deadline = sh_clock_mono (options->clock) + options->deadline;
    int theirs[3] = { -1, -1, -1 };
    int error = 0;
    sh_err_t rc = s_open (self, theirs);
    if (rc != SH_OK)
        error = errno;
    else
        error = s_spawn (self, theirs);
    for (size_t i = 0; i < 3; i++)
        s_close (&theirs[i]);
    self->options.argv = NULL;
    if (error != 0) {
        rc = sh_fail (why, error == ENOENT ? SH_E_NOT_FOUND : SH_E_PROBE,
                      "cannot run %s: %s", options->program,
                      strerror (error));
        sc_child_destroy (&self);
        return rc;
    }
    *out = self;
    return SH_OK;
}

static void
s_reap (sc_child_t *self)
{
    if (self->pid > 0
        && waitpid (self->pid, &self->status, WNOHANG) == self->pid) {
        self->pid = 0;
        self->reaped = sh_clock_mono (self->options.clock);
    }
}

/*  The whole group, in case the program is a script around another.  */
static void
s_signal (const sc_child_t *self, int number)
{
    if (self->pid > 0)
        (void) kill (-self->pid, number);
}

void
sc_child_destroy (sc_child_t **self_p)
{
    sc_child_t *self = *self_p;
    if (!self)
        return;
    s_close (&self->in);
    s_close (&self->out);
    s_close (&self->err);
    s_close (&self->pollset);
    s_signal (self, SIGTERM);
    for (int i = 0; i < SC_CHILD_GRACE_MS / TICK_MS && self->pid > 0; i++) {
        (void) poll (NULL, 0, i == 0 ? 1 : TICK_MS);
        s_reap (self);
    }
    s_signal (self, SIGKILL);
    while (self->pid > 0 && waitpid (self->pid, &self->status, 0) < 0
           && errno == EINTR)
        ;
    free (self->options.input);
    free (self);
    *self_p = NULL;
}

int
sc_child_fd (const sc_child_t *self)
{
    return self->pollset;
}

int
sc_child_timeout (const sc_child_t *self)
{
    int64_t now = sh_clock_mono (self->options.clock);
    int64_t due = self->deadline;
    if (self->termed)
        due = self->killed ? now + TICK_MS : self->termed + SC_CHILD_GRACE_MS;
    if (self->pid == 0 || (self->out < 0 && self->err < 0))
        due = now + TICK_MS;
    int64_t left = due - now;
    return left < 0 ? 0 : left > LOOK_MS ? LOOK_MS : (int) left;
}

/*  What was fed and is written makes room for the next piece.  */
static void
s_refill (sc_child_t *self)
{
    sc_child_options_t *options = &self->options;
    if (!options->feed || self->written < options->input_size)
        return;
    free (options->input);
    self->written = options->input_size = 0;
    options->input = malloc (FEED);
    if (options->input)
        options->input_size
            = options->feed (options->context, options->input, FEED);
    else
        self->starved = true;
    if (options->input_size == 0)
        options->feed = NULL;
}

static void
s_write (sc_child_t *self)
{
    if (self->in < 0)
        return;
    s_refill (self);
    size_t left = self->options.input_size - self->written;
    ssize_t sent = 0;
    if (left)
        sent = send (self->in, self->options.input + self->written, left,
                     MSG_NOSIGNAL);
    if (sent > 0)
        self->written += (size_t) sent;
    bool later = sent < 0 && (errno == EAGAIN || errno == EINTR);
    bool all = !self->options.feed
               && self->written == self->options.input_size;
    if (all || (sent < 0 && !later))
        s_close (&self->in);
}

static void
s_keep_errors (sc_child_t *self, const char *data, size_t size)
{
    size_t room = sizeof self->errors - 1 - self->errors_size;
    if (size > room)
        size = room;
    memcpy (self->errors + self->errors_size, data, size);
    self->errors_size += size;
}

static void
s_read (sc_child_t *self, int *fd)
{
    char data[CHUNK];
    if (*fd < 0)
        return;
    ssize_t got = read (*fd, data, sizeof data);
    if (got > 0 && fd == &self->out)
        self->options.output (self->options.context, data, (size_t) got);
    else if (got > 0) {
        s_keep_errors (self, data, (size_t) got);
        if (self->options.errors)
            self->options.errors (self->options.context, data, (size_t) got);
    }
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        s_close (fd);
}

static void
s_watch_time (sc_child_t *self, int64_t now)
{
    if (self->pid == 0 || now < self->deadline)
        return;
    if (!self->termed) {
        s_signal (self, SIGTERM);
        self->termed = now;
    } else if (!self->killed && now >= self->termed + SC_CHILD_GRACE_MS) {
        s_signal (self, SIGKILL);
        self->killed = true;
    }
}

bool
sc_child_step (sc_child_t *self)
{
    int64_t now = sh_clock_mono (self->options.clock);
    s_watch_time (self, now);
    s_write (self);
    s_read (self, &self->err);
    s_read (self, &self->out);
    s_reap (self);
    if (self->pid > 0)
        return false;
    return (self->out < 0 && self->err < 0)
           || now >= self->reaped + LINGER_MS;
}

/*  The last line of standard error: what a program says before it exits.  */
static void
s_last_line (const sc_child_t *self, char *out, size_t size)
{
    char text[SC_CHILD_ERRORS];
    memcpy (text, self->errors, sizeof text);
    size_t end = self->errors_size;
    while (end && (text[end - 1] == '\n' || text[end - 1] == ' '))
        end--;
    text[end] = '\0';
    const char *line = strrchr (text, '\n');
    sh_escape (out, size, line ? line + 1 : text);
}

bool
sc_child_succeeded (const sc_child_t *self, sh_why_t *why)
{
    char said[160];
    s_last_line (self, said, sizeof said);
    if (self->termed)
        (void) sh_fail (why, SH_E_PROBE, "stopped at its deadline");
    else if (WIFSIGNALED (self->status))
        (void) sh_fail (why, SH_E_PROBE, "killed by signal %d (%s)",
                        WTERMSIG (self->status),
                        strsignal (WTERMSIG (self->status)));
    else if (self->starved)
        (void) sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
    else if (!WIFEXITED (self->status)
             || WEXITSTATUS (self->status) > self->options.good)
        (void) sh_fail (why, SH_E_PROBE, "exit status %d%s%s",
                        WEXITSTATUS (self->status), *said ? ": " : "; ",
                        *said ? said : "try it by hand");
    else
        return true;
    return false;
}

const char *
sc_child_errors (const sc_child_t *self)
{
    return self->errors;
}

static sh_err_t
s_try (char **out, const char *directory, size_t size, const char *name)
{
    char *path = NULL;
    if (asprintf (&path, "%.*s/%s", (int) size, directory, name) < 0)
        return SH_E_MEMORY;
    if (access (path, X_OK) != 0) {
        free (path);
        return SH_E_NOT_FOUND;
    }
    *out = path;
    return SH_OK;
}

sh_err_t
sc_child_find (char **out, const char *name)
{
    if (name[0] == '/')
        return s_try (out, "", 0, name + 1);
    if (strchr (name, '/'))
        return SH_E_NOT_FOUND;
    const char *path = getenv ("PATH");
    if (!path || !*path)
        path = "/usr/local/bin:/usr/bin:/bin";
    sh_err_t rc = SH_E_NOT_FOUND;
    while (rc == SH_E_NOT_FOUND && *path) {
        size_t size = strcspn (path, ":");
        /* a relative directory would be another one after our chdir */
        if (*path == '/')
            rc = s_try (out, path, size, name);
        path += size + (path[size] == ':');
    }
    return rc;
}
