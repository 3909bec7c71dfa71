/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/registry.h"

#include <assert.h>
#include <dirent.h>
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

#include "hub/registry_within.h"
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

/*  A change to one file of the directory.  */
typedef struct
{
    hub_entry_t *old;   /* NULL: the file is new */
    hub_entry_t *fresh; /* NULL: the file is gone */
    bool same;
    unsigned old_claims, fresh_claims; /* of their keys, before */
} change_t;

typedef struct
{
    change_t *items;
    size_t count;
    bool changed;
} changes_t;

static unsigned
s_claims (const hub_entries_t *entries, const char *key)
{
    const hub_entry_t *first = entries ? hub_entries_key (entries, key) : NULL;
    if (!first)
        return 0;
    return hub_entries_key_next (first) ? 2 : 1;
}

static void
s_log_bad (const hub_entry_t *entry)
{
    sh_log (SH_LOG_WARNING, "registry file lets nobody in",
            SH_STR ("file", entry->file), SH_STR ("why", entry->why));
}

/*  Say so when a key begins or ceases to be claimed by two files.  */
static void
s_log_claims (const hub_entries_t *now, unsigned before, const char *key)
{
    unsigned after = s_claims (now, key);
    const hub_entry_t *first = hub_entries_key (now, key);
    if (before < 2 && after == 2)
        sh_log (SH_LOG_WARNING,
                "two registry files claim one key, which lets nobody in",
                SH_STR ("key", key),
                SH_STR ("file", hub_entries_key_next (first)->file),
                SH_STR ("other", first->file),
                SH_STR ("remedy", "remove one of them"));
    else if (before == 2 && after == 1)
        sh_log (SH_LOG_NOTICE, "one registry file claims the key again",
                SH_STR ("key", key), SH_STR ("file", first->file),
                SH_STR ("scanner", first->who.name));
}

/*  Read one file.  '*out' is NULL if it is gone.  */
static sh_err_t
s_read_entry (const hub_registry_t *self, const char *file, hub_entry_t **out)
{
    char *path = NULL;
    hub_entry_t *entry = NULL;
    struct stat meta;
    sh_why_t why = { "" };
    *out = NULL;
    if (asprintf (&path, "%s/%s", self->directory, file) < 0)
        return SH_E_MEMORY;
    sh_err_t rc = SH_OK;
    if (lstat (path, &meta) != 0 && (errno == ENOENT || errno == ENOTDIR))
        goto out;
    rc = hub_entry_new (&entry, file);
    if (rc != SH_OK)
        goto out;

    /*  What is behind a symlink is looked at before it is read, so that a
        change in between shows at the next tick.  */
    entry->recheck = S_ISLNK (meta.st_mode);
    if (stat (path, &entry->target) != 0)
        memset (&entry->target, 0, sizeof entry->target);
    entry->bad = hub_registry_read_file (&entry->who, path, &why);
    if (entry->bad != SH_OK) {
        /*  Descriptors or rights may come back without an event.  */
        if (entry->bad == SH_E_IO || entry->bad == SH_E_MEMORY)
            entry->recheck = true;
        entry->why = strdup (why.text);
    }
    if (entry->bad == SH_E_NOT_FOUND && !entry->recheck)
        hub_entry_destroy (&entry); /* gone since lstat */
    *out = entry;
out:
    free (path);
    return rc;
}

/*  Read every file of the directory into 'entries'.  */
static sh_err_t
s_read_files (const hub_registry_t *self, hub_entries_t *entries,
              sh_why_t *why)
{
    DIR *directory = opendir (self->directory);
    sh_err_t rc = SH_OK;
    while (directory && rc == SH_OK) {
        errno = 0;
        const struct dirent *item = readdir (directory);
        if (!item)
            break;
        hub_entry_t *entry = NULL;
        /*  A name may come twice when the directory changes meanwhile.  */
        if (!hub_registry_is_entry (item->d_name)
            || hub_entries_file (entries, item->d_name))
            continue;
        rc = s_read_entry (self, item->d_name, &entry);
        if (entry)
            hub_entries_add (entries, &entry);
    }
    if (rc != SH_OK)
        rc = sh_fail (why, rc, "%s: out of memory", self->directory);
    else if (!directory || errno != 0)
        rc = sh_fail (why, SH_E_IO, "%s: cannot read: %s", self->directory,
                      strerror (errno));
    if (directory)
        closedir (directory);
    return rc;
}

/*  Watch what the path now leads to.  Its identity is taken before, so that a
    replacement in between is noticed at the next tick.  */
static sh_err_t
s_watch (hub_registry_t *self, sh_why_t *why)
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

static sh_err_t
s_read_all (hub_registry_t *self, hub_entries_t **out, sh_why_t *why)
{
    hub_entries_t *entries = NULL;
    sh_err_t rc = hub_registry_check (self->directory, why);
    if (rc == SH_OK)
        rc = s_watch (self, why);
    if (rc == SH_OK) {
        rc = hub_entries_new (&entries);
        if (rc != SH_OK)
            rc = sh_fail (why, rc, "%s: out of memory", self->directory);
    }
    if (rc == SH_OK)
        rc = s_read_files (self, entries, why);
    if (rc == SH_OK)
        *out = entries;
    else
        hub_entries_destroy (&entries);
    return rc;
}

/*  Comparison of the whole before and after.  */
typedef struct
{
    const hub_entries_t *old, *fresh;
    size_t entries, bad;
    bool changed;
} comparison_t;

static void
s_compare_fresh (hub_entry_t *entry, void *context)
{
    comparison_t *self = context;
    const hub_entry_t *old
        = self->old ? hub_entries_file (self->old, entry->file) : NULL;
    bool same = hub_entry_same (old, entry);
    self->entries++;
    self->bad += entry->bad != SH_OK;
    if (!same)
        self->changed = true;
    if (entry->bad != SH_OK && !same)
        s_log_bad (entry);
    /*  Once for each key: by the first of its files.  */
    if (entry->bad == SH_OK
        && hub_entries_key (self->fresh, entry->who.key) == entry)
        s_log_claims (self->fresh, s_claims (self->old, entry->who.key),
                      entry->who.key);
}

static void
s_compare_old (hub_entry_t *entry, void *context)
{
    comparison_t *self = context;
    if (!hub_entries_file (self->fresh, entry->file))
        self->changed = true;
}

/*  Put other entries (or NULL) in the place of the present ones.  */
static void
s_swap (hub_registry_t *self, hub_entries_t *fresh, bool changed)
{
    pthread_rwlock_wrlock (&self->lock);
    hub_entries_t *old = self->entries;
    self->entries = fresh;
    self->generation += changed;
    pthread_rwlock_unlock (&self->lock);
    hub_entries_destroy (&old);
}

/*  Take over what was read anew.  True if it is different.  */
static bool
s_take_over (hub_registry_t *self, hub_entries_t *fresh)
{
    comparison_t seen = { .old = self->entries, .fresh = fresh };
    if (!self->entries)
        seen.changed = true;
    hub_entries_each (fresh, s_compare_fresh, &seen);
    if (self->entries)
        hub_entries_each (self->entries, s_compare_old, &seen);
    if (seen.changed)
        sh_log (SH_LOG_INFO, "registry read",
                SH_STR ("directory", self->directory),
                SH_INT ("keys", hub_entries_size (fresh)),
                SH_INT ("files", seen.entries), SH_INT ("bad", seen.bad));
    s_swap (self, fresh, seen.changed);
    hub_names_clear (&self->late);
    self->missing = 0;
    self->again = false;
    return seen.changed;
}

/*  Nobody is in force any more until the directory can be read.  */
static bool
s_shut (hub_registry_t *self, const sh_why_t *why)
{
    self->again = true;
    if (!self->entries)
        return false;
    sh_log (SH_LOG_ERROR, "registry lost; nobody is let in until it is back",
            SH_STR ("directory", self->directory), SH_STR ("why", why->text));
    s_swap (self, NULL, true);
    return true;
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
    sh_err_t rc = s_read_all (self, &fresh, &why);
    if (rc != SH_OK)
        return s_shut (self, &why);
    return s_take_over (self, fresh);
}

static bool
s_is_moved (const struct stat *a, const struct stat *b)
{
    return a->st_dev != b->st_dev || a->st_ino != b->st_ino
           || a->st_size != b->st_size
           || a->st_ctim.tv_sec != b->st_ctim.tv_sec
           || a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}

/*  Was a file not read for want of descriptors or memory, and is it the very
    file that was read before?  Then nothing is known to have changed.  */
static bool
s_is_unread (const hub_entry_t *old, const hub_entry_t *fresh)
{
    return old && fresh && old->bad == SH_OK
           && (fresh->bad == SH_E_IO || fresh->bad == SH_E_MEMORY)
           && fresh->target.st_ino != 0
           && !s_is_moved (&old->target, &fresh->target);
}

/*  Read the named files and prepare the changes; what stays the same is left
    out but for what its symlink leads to.  */
static sh_err_t
s_prepare (const hub_registry_t *self, changes_t *out,
           const hub_names_t *names, bool *unread)
{
    out->items = calloc (names->count + 1, sizeof *out->items);
    sh_err_t rc = out->items ? SH_OK : SH_E_MEMORY;
    for (size_t i = 0; rc == SH_OK && i < names->count; i++) {
        change_t change = { 0 };
        rc = s_read_entry (self, names->items[i], &change.fresh);
        change.old = hub_entries_file (self->entries, names->items[i]);
        if (s_is_unread (change.old, change.fresh)) {
            hub_entry_destroy (&change.fresh);
            *unread = true;
            continue;
        }
        change.same = hub_entry_same (change.old, change.fresh);
        if (change.old)
            change.old_claims = s_claims (self->entries, change.old->who.key);
        if (change.fresh)
            change.fresh_claims
                = s_claims (self->entries, change.fresh->who.key);
        if (!change.same)
            out->changed = true;
        out->items[out->count++] = change;
    }
    return rc;
}

/*  All at once, so that a file that was renamed is always in force under one
    of its names.  */
static void
s_commit (hub_registry_t *self, const changes_t *changes)
{
    pthread_rwlock_wrlock (&self->lock);
    for (size_t i = 0; i < changes->count; i++) {
        if (changes->items[i].old)
            hub_entries_take (self->entries, changes->items[i].old);
    }
    for (size_t i = 0; i < changes->count; i++) {
        hub_entry_t *fresh = changes->items[i].fresh;
        if (fresh)
            hub_entries_add (self->entries, &fresh);
    }
    self->generation += changes->changed;
    pthread_rwlock_unlock (&self->lock);
}

static void
s_log_change (const change_t *change)
{
    const hub_entry_t *entry = change->fresh ? change->fresh : change->old;
    if (change->same)
        return;
    if (change->fresh && change->fresh->bad != SH_OK) {
        s_log_bad (change->fresh);
        return;
    }
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (fingerprint, entry->who.key);
    const char *text = "registry entry changed";
    if (!change->fresh)
        text = "registry entry removed";
    else if (!change->old)
        text = "registry entry added";
    sh_log (SH_LOG_INFO, text, SH_STR ("file", entry->file),
            SH_STR ("scanner", entry->who.name),
            SH_STR ("key", entry->who.key),
            SH_STR ("fingerprint", fingerprint),
            SH_INT ("codes", entry->who.code_count));
}

/*  Was there an earlier change to the same key, which said what there is to
    say about it?  */
static bool
s_is_told (const changes_t *changes, size_t at, const char *key)
{
    for (size_t i = 0; i < at; i++) {
        const change_t *change = &changes->items[i];
        if ((change->old && strcmp (change->old->who.key, key) == 0)
            || (change->fresh && strcmp (change->fresh->who.key, key) == 0))
            return true;
    }
    return false;
}

static void
s_log_changes (const hub_registry_t *self, const changes_t *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const change_t *change = &changes->items[i];
        s_log_change (change);
        const char *key = change->fresh ? change->fresh->who.key : "";
        const char *old_key = change->old ? change->old->who.key : "";
        if (s_claims (self->entries, key) != change->fresh_claims
            && !s_is_told (changes, i, key))
            s_log_claims (self->entries, change->fresh_claims, key);
        if (strcmp (key, old_key) != 0
            && s_claims (self->entries, old_key) != change->old_claims
            && !s_is_told (changes, i, old_key))
            s_log_claims (self->entries, change->old_claims, old_key);
    }
}

/*  Read the named files again.  Without memory to say what changed, nothing
    that may have changed can stay in force.  */
static bool
s_apply (hub_registry_t *self, hub_names_t *names)
{
    changes_t changes = { 0 };
    hub_names_sort (names);
    if (names->count == 0 || !self->entries)
        return false;
    bool unread = false;
    sh_err_t rc = s_prepare (self, &changes, names, &unread);
    /*  Once more at the next tick.  */
    for (size_t i = 0; unread && i < names->count; i++)
        if (hub_names_add (&self->late, names->items[i]) != SH_OK)
            self->again = true;
    if (rc == SH_OK) {
        s_commit (self, &changes);
        s_log_changes (self, &changes);
    }
    for (size_t i = 0; i < changes.count; i++) {
        if (rc == SH_OK)
            hub_entry_destroy (&changes.items[i].old);
        else
            hub_entry_destroy (&changes.items[i].fresh);
    }
    free (changes.items);
    if (rc == SH_OK)
        return changes.changed;
    const sh_why_t why = { "out of memory" };
    return s_shut (self, &why);
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
    if ((entry->bad != SH_OK || s_is_moved (&meta, &entry->target))
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
    bool changed = s_apply (self, &names);
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
    bool changed = whole ? s_reread (self) : s_apply (self, &names);
    if (tick && s_tick (self))
        changed = true;
    pthread_mutex_unlock (&self->work);
    hub_names_clear (&names);
    return changed;
}

sh_err_t
hub_registry_reload (hub_registry_t *self, sh_why_t *why)
{
    assert (self);
    hub_entries_t *fresh = NULL;
    pthread_mutex_lock (&self->work);
    sh_err_t rc = s_read_all (self, &fresh, why);
    if (rc == SH_OK)
        s_take_over (self, fresh);
    else
        self->again = true; /* for the next tick to decide about */
    pthread_mutex_unlock (&self->work);
    return rc;
}

static sh_err_t
s_open (hub_registry_t *self, sh_why_t *why)
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

sh_err_t
hub_registry_new (hub_registry_t **out, const char *directory, sh_why_t *why)
{
    assert (out && directory);
    hub_registry_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", directory);
    self->poll = self->notify = self->timer = self->wake = self->watch = -1;
    pthread_rwlockattr_t fair;
    pthread_rwlockattr_init (&fair);
    /*  Else a busy hub's readers could keep a revocation out for ever.  */
    pthread_rwlockattr_setkind_np (
        &fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init (&self->lock, &fair);
    pthread_rwlockattr_destroy (&fair);
    pthread_mutex_init (&self->work, NULL);

    self->directory = strdup (directory);
    hub_entries_t *entries = NULL;
    sh_err_t rc = SH_OK;
    if (!self->directory)
        rc = sh_fail (why, SH_E_MEMORY, "%s: out of memory", directory);
    if (rc == SH_OK)
        rc = hub_retired_new (&self->retired, NULL, why);
    if (rc == SH_OK)
        rc = s_open (self, why);
    if (rc == SH_OK)
        rc = s_read_all (self, &entries, why);
    if (rc == SH_OK) {
        s_take_over (self, entries);
        *out = self;
    }
    else
        hub_registry_destroy (&self);
    return rc;
}

void
hub_registry_destroy (hub_registry_t **self_p)
{
    assert (self_p);
    hub_registry_t *self = *self_p;
    if (!self)
        return;
    const int fds[] = { self->poll, self->notify, self->timer, self->wake };
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0)
            close (fds[i]);
    }
    hub_names_clear (&self->late);
    hub_entries_destroy (&self->entries);
    hub_retired_destroy (&self->retired);
    pthread_rwlock_destroy (&self->lock);
    pthread_mutex_destroy (&self->work);
    free (self->directory);
    free (self);
    *self_p = NULL;
}

int
hub_registry_fd (const hub_registry_t *self)
{
    assert (self);
    return self->poll;
}

const hub_entry_t *
hub_registry_in_force (const hub_registry_t *self, const char *key)
{
    if (!self->entries || hub_retired_has (self->retired, key))
        return NULL;
    return hub_entries_in_force (self->entries, key);
}

bool
hub_registry_find (hub_registry_t *self, const char *key, hub_principal_t *who)
{
    assert (self && key && who);
    pthread_rwlock_rdlock (&self->lock);
    const hub_entry_t *entry = hub_registry_in_force (self, key);
    bool found = entry && hub_principal_copy (who, &entry->who) == SH_OK;
    pthread_rwlock_unlock (&self->lock);
    return found;
}

bool
hub_registry_allows (hub_registry_t *self, const char *key, const char *code)
{
    assert (self && key && code);
    const char *listed = NULL;
    pthread_rwlock_rdlock (&self->lock);
    const hub_entry_t *entry = hub_registry_in_force (self, key);
    bool allowed
        = entry && hub_principal_code (&entry->who, code, &listed) == SH_OK;
    pthread_rwlock_unlock (&self->lock);
    return allowed;
}

bool
hub_registry_reserves (hub_registry_t *self, const char *code)
{
    assert (self && code);
    pthread_rwlock_rdlock (&self->lock);
    bool found = self->entries && hub_entries_reserve (self->entries, code);
    pthread_rwlock_unlock (&self->lock);
    return found;
}

size_t
hub_registry_scanners (hub_registry_t *self, const char *code,
                       hub_scanner_t *out, size_t most)
{
    assert (self && code && (out || most == 0));
    size_t count = 0;
    pthread_rwlock_rdlock (&self->lock);
    const hub_entry_t *one
        = self->entries ? hub_entries_code (self->entries, code) : NULL;
    for (; one; one = hub_entries_code_next (one)) {
        if (hub_registry_in_force (self, one->who.key) != one)
            continue;
        if (count < most) {
            memcpy (out[count].key, one->who.key, sizeof out[count].key);
            memcpy (out[count].name, one->who.name, sizeof out[count].name);
        }
        count++;
    }
    pthread_rwlock_unlock (&self->lock);
    return count;
}

typedef struct
{
    const hub_registry_t *registry;
    hub_key_t *items;
    size_t count, most;
} list_t;

static void
s_list_one (hub_entry_t *entry, void *context)
{
    list_t *list = context;
    if (list->count == list->most || entry->bad != SH_OK
        || hub_registry_in_force (list->registry, entry->who.key) != entry)
        return;
    hub_key_t *one = &list->items[list->count++];
    memcpy (one->key, entry->who.key, sizeof one->key);
    memcpy (one->name, entry->who.name, sizeof one->name);
    one->shim = entry->who.shim;
}

typedef struct
{
    const hub_registry_t *registry;
    size_t count;
} idle_t;

static void
s_count_idle (hub_entry_t *entry, void *context)
{
    idle_t *idle = context;
    idle->count += entry->bad != SH_OK
                   || s_claims (idle->registry->entries, entry->who.key) > 1;
}

size_t
hub_registry_idle (hub_registry_t *self)
{
    assert (self);
    idle_t idle = { .registry = self };
    pthread_rwlock_rdlock (&self->lock);
    if (self->entries)
        hub_entries_each (self->entries, s_count_idle, &idle);
    pthread_rwlock_unlock (&self->lock);
    return idle.count;
}

size_t
hub_registry_list (hub_registry_t *self, hub_key_t **out)
{
    assert (self && out);
    pthread_rwlock_rdlock (&self->lock);
    list_t list = { .registry = self };
    list.most = self->entries ? hub_entries_size (self->entries) : 0;
    if (list.most)
        list.items = calloc (list.most, sizeof *list.items);
    if (list.items)
        hub_entries_each (self->entries, s_list_one, &list);
    pthread_rwlock_unlock (&self->lock);
    *out = list.items;
    return list.count;
}

unsigned
hub_registry_claims (hub_registry_t *self, const char *key)
{
    assert (self && key);
    pthread_rwlock_rdlock (&self->lock);
    unsigned claims = s_claims (self->entries, key);
    pthread_rwlock_unlock (&self->lock);
    return claims;
}

size_t
hub_registry_size (hub_registry_t *self)
{
    assert (self);
    pthread_rwlock_rdlock (&self->lock);
    size_t size = self->entries ? hub_entries_size (self->entries) : 0;
    if (size > 0)
        size -= hub_registry_retired_held (self);
    pthread_rwlock_unlock (&self->lock);
    return size;
}

unsigned
hub_registry_generation (hub_registry_t *self)
{
    assert (self);
    pthread_rwlock_rdlock (&self->lock);
    unsigned generation = self->generation;
    pthread_rwlock_unlock (&self->lock);
    return generation;
}
