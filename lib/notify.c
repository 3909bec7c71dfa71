/* SPDX-License-Identifier: MPL-2.0 */

#include "lib/notify.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"

#define TEXT_MOST 512
#define SEND_S 1 /* a manager that reads nothing must not hold us up */

static void
s_complain (const char *what, const char *because)
{
    sh_log (SH_LOG_WARNING, what, SH_STR ("because", because),
            SH_STR ("remedy", "see sd_notify(3); run it by systemd, or "
                              "without NOTIFY_SOCKET"));
}

static bool
s_address (sh_notify_t *self, const char *name)
{
    size_t size = strlen (name);
    self->address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if ((name[0] != '/' && name[0] != '@') || size < 2
        || size >= sizeof self->address.sun_path)
        return false;
    memcpy (self->address.sun_path, name, size);
    if (name[0] == '@')
        self->address.sun_path[0] = '\0';
    /*  An abstract name ends where its length says, without a NUL.  */
    self->size = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + size
                              + (name[0] == '/'));
    return true;
}

static void
s_connect (sh_notify_t *self, const char *name)
{
    const struct timeval patience = { .tv_sec = SEND_S };
    if (!s_address (self, name)) {
        s_complain ("NOTIFY_SOCKET is no name of a unix socket", name);
        return;
    }
    self->fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (self->fd < 0
        || setsockopt (self->fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
                       sizeof patience)
               != 0)
        s_complain ("no socket to tell the service manager by",
                    strerror (errno));
}

/*  ms of the watchdog, or 0.  */
static int64_t
s_watchdog (void)
{
    const char *text = getenv ("WATCHDOG_USEC");
    const char *pid = getenv ("WATCHDOG_PID");
    char *end = NULL;
    if (!text || (pid && strtol (pid, NULL, 10) != (long) getpid ()))
        return 0;
    long long usec = strtoll (text, &end, 10);
    if (*end || usec < 1000) {
        s_complain ("WATCHDOG_USEC is no time in microseconds", text);
        return 0;
    }
    return usec / 1000;
}

void
sh_notify_open (sh_notify_t *self)
{
    assert (self);
    *self = (sh_notify_t) SH_NOTIFY_NONE;
    const char *name = getenv ("NOTIFY_SOCKET");
    if (name && *name)
        s_connect (self, name);
    int64_t watchdog = self->fd >= 0 ? s_watchdog () : 0;
    self->every = watchdog > 0 && watchdog < 4 ? 1 : watchdog / 4;
    unsetenv ("NOTIFY_SOCKET");
    unsetenv ("WATCHDOG_USEC");
    unsetenv ("WATCHDOG_PID");
}

void
sh_notify_close (sh_notify_t *self)
{
    assert (self);
    if (self->fd >= 0)
        close (self->fd);
    *self = (sh_notify_t) SH_NOTIFY_NONE;
}

static void
s_send (const sh_notify_t *self, const char *text)
{
    if (self->fd < 0)
        return;
    if (sendto (self->fd, text, strlen (text), MSG_NOSIGNAL,
                (const struct sockaddr *) &self->address, self->size)
        < 0)
        s_complain ("the service manager was not told", strerror (errno));
}

/*  'state' and, unless it is NULL, a status behind it.  */
static void
s_tell (const sh_notify_t *self, const char *state, const char *status)
{
    char text[TEXT_MOST];
    int size = snprintf (text, sizeof text, "%s", state);
    if (status) {
        char *from = text + size;
        snprintf (from, sizeof text - (size_t) size, "%sSTATUS=%s",
                  *state ? "\n" : "", status);
        for (char *at = from + (*state != '\0'); *at; at++)
            if ((unsigned char) *at < ' ')
                *at = ' ';
    }
    s_send (self, text);
}

void
sh_notify_ready (const sh_notify_t *self, const char *status)
{
    s_tell (self, "READY=1", status);
}

/*  systemd wants to know when, to tell this reload from an earlier one.  */
void
sh_notify_reloading (const sh_notify_t *self)
{
    struct timespec now = { 0 };
    char text[64];
    clock_gettime (CLOCK_MONOTONIC, &now);
    snprintf (text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
              (long long) now.tv_sec * 1000000 + now.tv_nsec / 1000);
    s_send (self, text);
}

void
sh_notify_stopping (const sh_notify_t *self)
{
    s_tell (self, "STOPPING=1", NULL);
}

void
sh_notify_status (const sh_notify_t *self, const char *status)
{
    s_tell (self, "", status);
}

int
sh_notify_patience (const sh_notify_t *self, int64_t now)
{
    if (self->every == 0)
        return -1;
    int64_t left = self->next - now;
    if (left <= 0)
        return 0;
    return left < self->every ? (int) left : (int) self->every;
}

bool
sh_notify_due (sh_notify_t *self, int64_t now)
{
    if (self->every == 0 || now < self->next)
        return false;
    self->next = now + self->every;
    return true;
}

void
sh_notify_alive (const sh_notify_t *self)
{
    s_send (self, "WATCHDOG=1");
}
