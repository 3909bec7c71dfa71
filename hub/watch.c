/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/watch.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"

#define AGAIN_MS 1000
#define REST_MS 50 /* from one look's begin to the next at the least */

struct hub_watch
{
    hub_store_t *store;
    hub_live_t *live;
    hub_beat_t *beat;
    const sh_clock_t *clock;
    int looked; /* the router's eventfd */
    int wake;   /* our own: look now, or stop */
    atomic_bool stopping;
    _Atomic int64_t began;
    pthread_t thread;
    bool running;
    /*  Of the thread alone.  */
    bool was_up, was_down;
    bool zone_told;
    sh_zone_t zone;
};

static void
s_raise (int fd)
{
    uint64_t one = 1;
    ssize_t ignored = write (fd, &one, sizeof one);
    (void) ignored;
}

/*  Hours of difference are the commonest trouble of all with phpIPAM, so the
    zone is said with an example that the administrator can compare.  */
static void
s_tell_zone (hub_watch_t *self, const hub_plan_t *plan)
{
    int64_t now = sh_clock_wall (self->clock) / 1000;
    sh_zone_t zone = hub_live_zone (self->live, plan->db_offset, now);
    if (self->zone_told && zone == self->zone)
        return;
    self->zone_told = true;
    self->zone = zone;
    sh_wall_t wall;
    sh_wall_at (&wall, zone, now);
    sh_log (SH_LOG_NOTICE, "times are written as phpIPAM's wall clock",
            SH_STR ("zone", zone == SH_ZONE_UTC ? "UTC" : tzname[0]),
            SH_INT ("offset_s", sh_zone_offset (zone, now)),
            SH_STR ("now", wall.text),
            SH_INT ("database_offset_s", plan->db_offset),
            SH_STR ("newest_lastSeen", plan->sample_seen),
            SH_STR ("to_change", "phpipam_timezone in scanhub.yaml(5)"));
}

static void
s_tell_database (hub_watch_t *self, bool up, const char *text)
{
    hub_live_set_database (self->live, up, text);
    if (up)
        hub_meters_set (hub_live_meters (self->live), HUB_GAUGE_WATCHED,
                        (uint64_t) sh_clock_wall (self->clock));
    if (up && !self->was_up)
        sh_log (SH_LOG_NOTICE, "database is in reach",
                SH_STR ("database", text));
    if (!up && !self->was_down)
        sh_log (SH_LOG_WARNING,
                "the database cannot be used, trying again every 5 s",
                SH_STR ("because", text));
    self->was_up = up;
    self->was_down = !up;
}

/*  A table that was altered under the read is read again at once; a lock that
    was waited for in vain is trouble.  */
static sh_err_t
s_read_plan (hub_watch_t *self, hub_plan_t **plan)
{
    int64_t begun = sh_clock_mono (self->clock);
    sh_err_t rc = self->store->read_plan (self->store, plan);
    if (rc == SH_E_DB_BUSY && sh_clock_mono (self->clock) - begun < AGAIN_MS)
        rc = self->store->read_plan (self->store, plan);
    return rc;
}

/*  While phpIPAM is in maintenance mode its tables may be on their way, so what
    is known stays; but pauses end, and settings change, all the same.  */
static void
s_take_plan (hub_watch_t *self, hub_plan_t **plan_p)
{
    int64_t now = sh_clock_wall (self->clock);
    hub_assignments_t *old = hub_live_assignments (self->live);
    bool keep = old && (*plan_p)->maintenance;
    hub_assignments_release (&old);
    if (keep) {
        hub_plan_destroy (plan_p);
        hub_live_renew (self->live, now);
    } else
        hub_live_plan (self->live, plan_p, now);
}

static void
s_look (hub_watch_t *self)
{
    hub_plan_t *plan = NULL;
    sh_err_t rc = s_read_plan (self, &plan);
    if (rc == SH_OK && plan->maintenance)
        rc = SH_E_MAINTENANCE;
    s_tell_database (self, rc == SH_OK,
                     rc == SH_E_MAINTENANCE
                         ? sh_err_text (rc)
                         : self->store->describe (self->store));
    if (!plan) {
        hub_live_renew (self->live, sh_clock_wall (self->clock));
        return;
    }
    s_tell_zone (self, plan);
    hub_silence_note (hub_live_silence (self->live), plan, self->zone);
    s_take_plan (self, &plan);
}

/*  However often it is poked, the database gets some rest.  */
static void
s_rest (const hub_watch_t *self, int64_t until)
{
    int64_t left = until - sh_clock_mono (self->clock);
    if (left > 0)
        poll (NULL, 0, (int) left);
}

static void *
s_watch (void *argument)
{
    hub_watch_t *self = argument;
    hub_beat_begin (self->beat);
    while (!atomic_load (&self->stopping)) {
        int64_t began = sh_clock_mono (self->clock);
        hub_beat_work (self->beat);
        s_look (self);
        hub_beat_idle (self->beat);
        atomic_store (&self->began, began);
        s_raise (self->looked);
        s_rest (self, began + REST_MS);
        struct pollfd item = { .fd = self->wake, .events = POLLIN };
        if (poll (&item, 1, HUB_WATCH_MS) > 0) {
            uint64_t value;
            ssize_t ignored = read (self->wake, &value, sizeof value);
            (void) ignored;
        }
    }
    hub_beat_leave (self->beat);
    return NULL;
}

sh_err_t
hub_watch_new (hub_watch_t **out, hub_store_t **store_p, hub_live_t *live,
               hub_beat_t *beat, const sh_clock_t *clock, int looked)
{
    assert (out && store_p && *store_p && live && clock);
    hub_watch_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->store = *store_p;
    *store_p = NULL;
    self->store->set_beat (self->store, beat);
    self->beat = beat;
    self->live = live;
    self->clock = clock;
    self->looked = looked;
    atomic_init (&self->stopping, false);
    atomic_init (&self->began, 0);
    self->wake = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    self->running = self->wake >= 0
                    && pthread_create (&self->thread, NULL, s_watch, self) == 0;
    if (!self->running) {
        hub_watch_destroy (&self);
        return SH_E_IO;
    }
    *out = self;
    return SH_OK;
}

void
hub_watch_destroy (hub_watch_t **self_p)
{
    hub_watch_t *self = *self_p;
    if (!self)
        return;
    atomic_store (&self->stopping, true);
    if (self->running) {
        s_raise (self->wake);
        pthread_join (self->thread, NULL);
    }
    if (self->wake >= 0)
        close (self->wake);
    self->store->destroy (&self->store);
    free (self);
    *self_p = NULL;
}

void
hub_watch_poke (hub_watch_t *self)
{
    s_raise (self->wake);
}

int64_t
hub_watch_began (hub_watch_t *self)
{
    return atomic_load (&self->began);
}
