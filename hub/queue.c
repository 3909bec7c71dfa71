/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/queue.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
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

static size_t
s_take_waiting (hub_queue_t *self, hub_job_t **jobs, size_t most)
{
    size_t taken = 0;
    while (taken < most && self->count) {
        hub_job_t *job = self->ring[self->first];
        self->first = (self->first + 1) % self->room;
        self->count--;
        self->bytes -= job->frame_size;
        jobs[taken++] = job;
    }
    if (self->count == 0 && !self->closed) {
        uint64_t value;
        ssize_t ignored = read (self->fd, &value, sizeof value);
        (void) ignored;
    }
    return taken;
}

size_t
hub_queue_take (hub_queue_t *self, hub_job_t **jobs, size_t most, int timeout)
{
    struct pollfd ready = { .fd = self->fd, .events = POLLIN };
    int rc = poll (&ready, 1, timeout);
    if (rc <= 0 && !(rc < 0 && errno == EINTR))
        return 0;
    pthread_mutex_lock (&self->lock);
    size_t taken = s_take_waiting (self, jobs, most);
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
