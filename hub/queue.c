/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/queue.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*  The eventfd is readable exactly while the ring is not empty (or the queue
    is closed), so that a reader may block in poll as well as in take.  */
struct hub_queue
{
    pthread_mutex_t lock;
    hub_job_t **ring;
    size_t room, first, count;
    size_t bytes, bytes_most;
    bool closed;
    int fd;
};

sh_err_t
hub_queue_new (hub_queue_t **out, size_t most, size_t most_bytes)
{
    hub_queue_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    self->ring = calloc (most, sizeof *self->ring);
    self->room = most;
    self->bytes_most = most_bytes;
    pthread_mutex_init (&self->lock, NULL);
    if (self->fd < 0 || !self->ring) {
        sh_err_t rc = self->fd < 0 ? SH_E_IO : SH_E_MEMORY;
        hub_queue_destroy (&self);
        return rc;
    }
    *out = self;
    return SH_OK;
}

void
hub_queue_destroy (hub_queue_t **self_p)
{
    hub_queue_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        hub_job_destroy (&self->ring[(self->first + i) % self->room]);
    if (self->fd >= 0)
        close (self->fd);
    pthread_mutex_destroy (&self->lock);
    free (self->ring);
    free (self);
    *self_p = NULL;
}

static void
s_raise (hub_queue_t *self)
{
    uint64_t one = 1;
    /*  Fails only when the counter is full, and then it is readable.  */
    ssize_t ignored = write (self->fd, &one, sizeof one);
    (void) ignored;
}

bool
hub_queue_put (hub_queue_t *self, hub_job_t *job)
{
    pthread_mutex_lock (&self->lock);
    /*  One job always fits an empty queue, however large its frame.  */
    bool fits = !self->closed && self->count < self->room
                && (self->count == 0
                    || self->bytes + job->frame_size <= self->bytes_most);
    if (fits) {
        self->ring[(self->first + self->count) % self->room] = job;
        self->bytes += job->frame_size;
        if (self->count++ == 0)
            s_raise (self);
    }
    pthread_mutex_unlock (&self->lock);
    return fits;
}

static bool
s_is_same (const hub_job_t *a, const hub_job_t *b)
{
    return a->who.door == b->who.door && strcmp (a->who.key, b->who.key) == 0
           && strcmp (a->who.name, b->who.name) == 0;
}

/*  Has the batch as many of this principal as it may have?  A heavy one is its
    last there.  */
static bool
s_has_enough (hub_job_t *const *jobs, size_t taken, const hub_job_t *job,
              size_t each)
{
    size_t same = 0;
    for (size_t i = 0; each && i < taken; i++)
        if (s_is_same (jobs[i], job))
            same += jobs[i]->heavy ? each : 1;
    return each && same >= each;
}

/*  Jobs that are passed over close ranks behind the ones that were taken.  */
static size_t
s_take_waiting (hub_queue_t *self, hub_job_t **jobs, size_t most, size_t each)
{
    size_t taken = 0, kept = 0, looked = 0;
    for (; looked < self->count && taken < most; looked++) {
        hub_job_t *job = self->ring[(self->first + looked) % self->room];
        if (s_has_enough (jobs, taken, job, each))
            self->ring[(self->first + kept++) % self->room] = job;
        else {
            jobs[taken++] = job;
            self->bytes -= job->frame_size;
        }
    }
    /*  The kept ones stand at the front; move them up to the rest.  */
    for (size_t i = 0; taken && i < kept; i++)
        self->ring[(self->first + looked - 1 - i) % self->room]
            = self->ring[(self->first + kept - 1 - i) % self->room];
    self->first = (self->first + taken) % self->room;
    self->count -= taken;
    if (self->count == 0 && !self->closed) {
        uint64_t value;
        ssize_t ignored = read (self->fd, &value, sizeof value);
        (void) ignored;
    }
    return taken;
}

size_t
hub_queue_take (hub_queue_t *self, hub_job_t **jobs, size_t most, size_t each,
                int timeout)
{
    struct pollfd ready = { .fd = self->fd, .events = POLLIN };
    int rc = poll (&ready, 1, timeout);
    if (rc <= 0 && !(rc < 0 && errno == EINTR))
        return 0;
    pthread_mutex_lock (&self->lock);
    size_t taken = s_take_waiting (self, jobs, most, each);
    pthread_mutex_unlock (&self->lock);
    return taken;
}

int
hub_queue_fd (const hub_queue_t *self)
{
    return self->fd;
}

void
hub_queue_close (hub_queue_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->closed = true;
    s_raise (self);
    pthread_mutex_unlock (&self->lock);
}

bool
hub_queue_done (hub_queue_t *self)
{
    pthread_mutex_lock (&self->lock);
    bool done = self->closed && self->count == 0;
    pthread_mutex_unlock (&self->lock);
    return done;
}

size_t
hub_queue_depth (hub_queue_t *self)
{
    pthread_mutex_lock (&self->lock);
    size_t depth = self->count;
    pthread_mutex_unlock (&self->lock);
    return depth;
}
