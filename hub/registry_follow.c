/* SPDX-License-Identifier: MPL-2.0 */
/*  The registry follows its directory: what inotify tells, and once a second
    what it does not.  */

#include "hub/registry_within.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

#define TICK_MS 1000 /* between two looks at what inotify does not tell */
#define GRACE_MS 900 /* for a directory that is not there: somebody may just
                        be replacing it */
#define LATE_MS 100  /* from the creation of a file to its first reading */
#define EVENT_BYTES 65536
#define EVENT_ROUNDS 16 /* of one call, so that handshakes get their turn */

/*  CREATE is needed for link(2) and symlink(2), which close nothing.  */
#define WATCH_MASK                                                             \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE      \
     | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

sh_err_t
hub_registry_watch (hub_registry_t *self, sh_why_t *why)
{
    struct stat meta;
    int watch = -1;
    if (stat (self->directory, &meta) == 0)
        watch = inotify_add_watch (self->notify, self->directory, WATCH_MASK);
    if (watch < 0)
        return sh_fail (why, SH_E_IO, "%s: cannot watch: %s", self->directory,
                        strerror (errno));
    if (self->watch >= 0 && self->watch != watch)
        inotify_rm_watch (self->notify, self->watch);
    self->watch = watch;
    self->watched = meta;
    return SH_OK;
}

/*  Is there no directory, but was one a moment ago?  */
static bool
s_in_grace (hub_registry_t *self)
{
    struct stat meta;
    if (stat (self->directory, &meta) == 0
        || (errno != ENOENT && errno != ENOTDIR)) {
        self->missing = 0;
        return false;
    }
    int64_t now = sh_clock_mono (sh_clock_system ());
    if (self->missing == 0)
        self->missing = now;
    return now - self->missing < GRACE_MS;
}

/*  Is the directory still the one that we watch and may use?  */
static bool
s_is_sound (const hub_registry_t *self)
{
    struct stat meta;
    return stat (self->directory, &meta) == 0
           && meta.st_dev == self->watched.st_dev
           && meta.st_ino == self->watched.st_ino
           && (meta.st_mode & S_IWOTH) == 0
           && access (self->directory, R_OK | X_OK) == 0;
}

/*  Read everything because something happened to the directory.  */
static bool
s_reread (hub_registry_t *self)
{
    if (s_in_grace (self))
        return false;
    /*  Without a free descriptor nothing can be read; that is no reason to put
        everybody out.  */
    int probe = open ("/dev/null", O_RDONLY | O_CLOEXEC);
    if (probe < 0) {
        sh_log (SH_LOG_ERROR, "registry not read: no free descriptor",
                SH_STR ("remedy", "raise the limit of open files"));
        self->again = true;
        return false;
    }
    close (probe);
    hub_entries_t *fresh = NULL;
    sh_why_t why;
    sh_err_t rc = hub_registry_read_all (self, &fresh, &why);
    if (rc != SH_OK)
        return hub_registry_shut (self, &why);
    return hub_registry_take_over (self, fresh);
}

/*  Arm the timer: first after 'ms', then at every tick.  */
static int
s_arm (const hub_registry_t *self, long ms)
{
    const struct itimerspec when
        = { .it_interval = { .tv_sec = TICK_MS / 1000 },
            .it_value = { ms / 1000, ms % 1000 * 1000000 } };
    return timerfd_settime (self->timer, 0, &when, NULL);
}

/*  One event: a name for 'names', or something that needs a whole reading
    (true).  */
static bool
s_take_event (hub_registry_t *self, const struct inotify_event *event,
              hub_names_t *names)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    if (event->wd != self->watch)
        return false; /* of a directory that was replaced */
    if (event->mask
        & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT))
        return true;
    if (event->len == 0)
        return !s_is_sound (self); /* the directory's own mode */
    if (!hub_registry_is_entry (event->name))
        return false;
    if (!(event->mask & IN_CREATE))
        return hub_names_add (names, event->name) != SH_OK;

    /*  Whoever is writing the file closes it in a moment, and that is another
        event; a link is whole now, and no event follows.  */
    if (self->late.count == 0)
        s_arm (self, LATE_MS);
    return hub_names_add (&self->late, event->name) != SH_OK;
}

/*  All events that wait.  True: read everything.  */
static bool
s_take_events (hub_registry_t *self, hub_names_t *names)
{
    _Alignas (struct inotify_event) char buffer[EVENT_BYTES];
    bool whole = false;
    for (int round = 0; round < EVENT_ROUNDS; round++) {
        ssize_t size = read (self->notify, buffer, sizeof buffer);
        if (size <= 0)
            break;
        for (const char *at = buffer; at < buffer + size;) {
            const struct inotify_event *event = (const void *) at;
            if (s_take_event (self, event, names))
                whole = true;
            at += sizeof *event + event->len;
        }
    }
    return whole;
}

typedef struct
{
    hub_registry_t *registry;
    hub_names_t *names;
} recheck_t;

static void
s_recheck (hub_entry_t *entry, void *context)
{
    recheck_t *self = context;
    char *path = NULL;
    struct stat meta;
    if (!entry->recheck)
        return;
    if (asprintf (&path, "%s/%s", self->registry->directory, entry->file) < 0) {
        self->registry->again = true;
        return;
    }
    if (stat (path, &meta) != 0)
        memset (&meta, 0, sizeof meta);
    if ((entry->bad != SH_OK || hub_registry_is_moved (&meta, &entry->target))
        && hub_names_add (self->names, entry->file) != SH_OK)
        self->registry->again = true;
    free (path);
}

/*  Once a second: is it still the directory that we watch, and what about the
    files that inotify does not tell of?  */
static bool
s_tick (hub_registry_t *self)
{
    if (self->again || self->missing || !s_is_sound (self))
        return s_reread (self);

    hub_names_t names = self->late;
    self->late = (hub_names_t){ 0 };
    if (hub_entries_rechecks (self->entries) > 0) {
        recheck_t context = { self, &names };
        hub_entries_each (self->entries, s_recheck, &context);
    }
    bool changed = hub_registry_apply (self, &names);
    hub_names_clear (&names);
    return changed;
}

bool
hub_registry_follow (hub_registry_t *self)
{
    assert (self);
    hub_names_t names = { 0 };
    uint64_t ticks = 0;
    pthread_mutex_lock (&self->work);
    bool tick = read (self->timer, &ticks, sizeof ticks) == sizeof ticks;
    if (read (self->wake, &ticks, sizeof ticks) == sizeof ticks)
        self->unsaved = true;
    if (self->unsaved)
        hub_registry_settle_retired (self);
    bool whole = s_take_events (self, &names);
    bool changed = whole ? s_reread (self) : hub_registry_apply (self, &names);
    if (tick && s_tick (self))
        changed = true;
    pthread_mutex_unlock (&self->work);
    hub_names_clear (&names);
    return changed;
}

sh_err_t
hub_registry_open (hub_registry_t *self, sh_why_t *why)
{
    self->poll = epoll_create1 (EPOLL_CLOEXEC);
    self->notify = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
    self->timer
        = timerfd_create (CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    self->wake = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event in = { .events = EPOLLIN };
    if (self->poll < 0 || self->notify < 0 || self->timer < 0
        || self->wake < 0
        || epoll_ctl (self->poll, EPOLL_CTL_ADD, self->wake, &in) != 0
        || epoll_ctl (self->poll, EPOLL_CTL_ADD, self->notify, &in) != 0
        || epoll_ctl (self->poll, EPOLL_CTL_ADD, self->timer, &in) != 0
        || s_arm (self, TICK_MS) != 0)
        return sh_fail (why, SH_E_IO, "%s: cannot be followed: %s",
                        self->directory, strerror (errno));
    return SH_OK;
}
