/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/journal.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/log.h"

#define TOGETHER 256           /* records in a transaction */
/*  A transaction writes the same pages of the indexes however few records it
    has.  So after one with several there is a pause in which the next ones
    gather; where records come one by one they are written at once.  */
#define GATHER_MS 50
#define SEVERAL 4
#define WAIT_MS 1000
#define TRIM_EACH 1000         /* records */
#define TRIM_MS (60 * 1000)    /* or that long */
#define OPEN_AGAIN_MS (60 * 1000)
#define LEAVE_MS 2000          /* for what waits when the hub stops */

struct hub_journal
{
    hub_journal_limits_t limits;
    char *path; /* the limits' */
    const sh_clock_t *clock;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t wake;
    hub_record_t *first, **end;
    size_t bytes;
    bool stopping;
    hub_journal_status_t status;
    /*  Of the thread alone.  */
    hub_journal_file_t *file; /* NULL: not open */
    int64_t open_at;          /* mono ms: not before */
    int64_t trim_at;
    int64_t gather_until;
    uint64_t untrimmed; /* records since the last trim */
};

/*  Said once, until it works again.  */
static void
s_fail (hub_journal_t *self, const sh_why_t *why)
{
    pthread_mutex_lock (&self->lock);
    bool fresh = !self->status.failing;
    self->status.failing = true;
    self->status.error = *why;
    pthread_mutex_unlock (&self->lock);
    if (fresh)
        sh_log (SH_LOG_ERROR, "the journal cannot be written; reports are "
                              "taken all the same",
                SH_STR ("because", why->text),
                SH_STR ("remedy", "see scanhubd(8), the journal"));
}

static void
s_recover (hub_journal_t *self)
{
    uint64_t size = hub_journal_file_size (self->file);
    pthread_mutex_lock (&self->lock);
    bool was = self->status.failing;
    uint64_t dropped = self->status.dropped;
    self->status.failing = false;
    self->status.size = size;
    pthread_mutex_unlock (&self->lock);
    if (was)
        sh_log (SH_LOG_NOTICE, "the journal is written again",
                SH_INT ("records_dropped", dropped));
}

/*  A file that is broken or gone is closed; the next opening sets it aside, or
    makes another.  */
static bool
s_judge (hub_journal_t *self, sh_err_t rc, const sh_why_t *why)
{
    if (rc == SH_E_SYNTAX) {
        hub_journal_file_destroy (&self->file);
        self->open_at = 0;
    }
    if (rc != SH_OK)
        s_fail (self, why);
    return rc == SH_OK;
}

static bool
s_open (hub_journal_t *self)
{
    sh_why_t why = { "" };
    int64_t now = sh_clock_mono (self->clock);
    if (self->file || now < self->open_at)
        return self->file != NULL;
    sh_err_t rc = hub_journal_file_new (&self->file, &self->limits,
                                        self->clock, &why);
    self->open_at = now + OPEN_AGAIN_MS;
    if (rc == SH_OK)
        s_recover (self);
    return s_judge (self, rc, &why);
}

static void
s_trim (hub_journal_t *self)
{
    sh_why_t why = { "" };
    int64_t now = sh_clock_mono (self->clock);
    if (!self->file || (now < self->trim_at && self->untrimmed < TRIM_EACH))
        return;
    bool more = false;
    self->untrimmed = 0;
    (void) s_judge (self, hub_journal_file_trim (self->file, &more, &why),
                    &why);
    /*  Some at once, the rest when what has come in meanwhile is written.  */
    self->trim_at = more ? now : now + TRIM_MS;
}

static void
s_write (hub_journal_t *self, hub_record_t *first, size_t count)
{
    sh_why_t why = { "" };
    bool done = false;
    for (int attempt = 0; !done && attempt < 2 && s_open (self); attempt++) {
        sh_err_t rc = hub_journal_file_write (self->file, first, &why);
        done = s_judge (self, rc, &why);
        if (self->file && !done)
            break; /* not the file's fault: another try is as good later */
    }
    if (done)
        s_recover (self);
    self->untrimmed += done ? count : 0;
    pthread_mutex_lock (&self->lock);
    self->status.depth -= count;
    *(done ? &self->status.written : &self->status.dropped) += count;
    pthread_mutex_unlock (&self->lock);
}

/*  By the clock that nobody sets: by the other it would wait for an hour when
    the time of day goes back by one.  */
static void
s_init_wake (hub_journal_t *self)
{
    pthread_condattr_t how;
    pthread_condattr_init (&how);
    pthread_condattr_setclock (&how, CLOCK_MONOTONIC);
    pthread_cond_init (&self->wake, &how);
    pthread_condattr_destroy (&how);
}

/*  Under the lock: for so long at the most, or until the first record comes
    or the hub stops.  */
static void
s_wait (hub_journal_t *self, int64_t ms)
{
    struct timespec until;
    clock_gettime (CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait (&self->wake, &self->lock, &until);
}

/*  The next records, in a list of their own; waits for the first up to the next
    trim.  */
static hub_record_t *
s_take (hub_journal_t *self, size_t *count)
{
    pthread_mutex_lock (&self->lock);
    if (!self->first && !self->stopping)
        s_wait (self, WAIT_MS);
    int64_t pause = self->gather_until - sh_clock_mono (self->clock);
    if (self->first && !self->stopping && pause > 0)
        s_wait (self, pause);
    hub_record_t *first = self->first, **end = &self->first;
    for (*count = 0; *end && *count < TOGETHER; ++*count) {
        self->bytes -= (*end)->size;
        end = &(*end)->next;
    }
    self->first = *end;
    *end = NULL;
    if (!self->first)
        self->end = &self->first;
    pthread_mutex_unlock (&self->lock);
    return *count ? first : NULL;
}

static void
s_destroy_list (hub_record_t *at)
{
    while (at) {
        hub_record_t *next = at->next;
        hub_record_destroy (&at);
        at = next;
    }
}

static bool
s_is_stopping (hub_journal_t *self)
{
    pthread_mutex_lock (&self->lock);
    bool stopping = self->stopping;
    pthread_mutex_unlock (&self->lock);
    return stopping;
}

static void *
s_work (void *argument)
{
    hub_journal_t *self = argument;
    int64_t leave = 0;
    for (;;) {
        size_t count;
        hub_record_t *first = s_take (self, &count);
        if (first) {
            s_write (self, first, count);
            if (count >= SEVERAL)
                self->gather_until = sh_clock_mono (self->clock) + GATHER_MS;
        } else
            (void) s_open (self);
        s_destroy_list (first);
        if (!s_is_stopping (self)) {
            s_trim (self);
            continue;
        }
        int64_t now = sh_clock_mono (self->clock);
        leave = leave ? leave : now + LEAVE_MS;
        if (!first || now >= leave)
            break;
    }
    hub_journal_file_destroy (&self->file);
    return NULL;
}

sh_err_t
hub_journal_new (hub_journal_t **out, const hub_journal_limits_t *limits,
                 const sh_clock_t *clock)
{
    assert (out && limits && limits->path && clock);
    hub_journal_t *self = calloc (1, sizeof *self);
    char *path = strdup (limits->path);
    if (!self || !path) {
        free (self);
        free (path);
        return SH_E_MEMORY;
    }
    self->limits = *limits;
    self->limits.path = self->path = path;
    self->clock = clock;
    self->end = &self->first;
    pthread_mutex_init (&self->lock, NULL);
    s_init_wake (self);
    self->running
        = pthread_create (&self->thread, NULL, s_work, self) == 0;
    if (!self->running) {
        hub_journal_destroy (&self);
        return SH_E_IO;
    }
    *out = self;
    return SH_OK;
}

void
hub_journal_destroy (hub_journal_t **self_p)
{
    assert (self_p);
    hub_journal_t *self = *self_p;
    if (!self)
        return;
    pthread_mutex_lock (&self->lock);
    self->stopping = true;
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->lock);
    if (self->running)
        pthread_join (self->thread, NULL);
    if (self->status.depth > 0)
        sh_log (SH_LOG_WARNING, "records were not written to the journal any "
                                "more", SH_INT ("records", self->status.depth));
    s_destroy_list (self->first);
    pthread_cond_destroy (&self->wake);
    pthread_mutex_destroy (&self->lock);
    free (self->path);
    free (self);
    *self_p = NULL;
}

void
hub_journal_note (hub_journal_t *self, hub_record_t **record_p)
{
    assert (self && record_p);
    hub_record_t *record = *record_p;
    *record_p = NULL;
    pthread_mutex_lock (&self->lock);
    bool room = record && self->status.depth < HUB_JOURNAL_RECORDS
                && self->bytes + record->size <= HUB_JOURNAL_BYTES;
    if (room) {
        bool first = !self->first;
        record->next = NULL;
        *self->end = record;
        self->end = &record->next;
        self->bytes += record->size;
        self->status.depth++;
        if (first)
            pthread_cond_signal (&self->wake);
    } else
        self->status.dropped++;
    pthread_mutex_unlock (&self->lock);
    if (!room)
        hub_record_destroy (&record);
}

void
hub_journal_status (hub_journal_t *self, hub_journal_status_t *out)
{
    assert (self && out);
    pthread_mutex_lock (&self->lock);
    *out = self->status;
    pthread_mutex_unlock (&self->lock);
}
