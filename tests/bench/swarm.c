/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhub-swarm: up to 1,500 scanners in one thread, as load for a hub.  Each
    is
    the client that scanhub-scanner has, with its CURVE session, beats, back-off
    and resends; what they report is made up (swarm_report.h).  */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "lib/log.h"
#include "lib/signals.h"
#include "tests/bench/swarm_scanner.h"

#define TICK 20000 /* us between two looks at the clients' timers */
#define AT_ONCE 256 /* events */

typedef struct
{
    sw_swarm_t swarm;
    sw_options_t options;
    sw_scanner_t *scanners;
    int signals;
    bool told; /* that all are connected */
} s_run_t;

/*  Each session has three sockets of ZeroMQ and one of TCP.  */
static bool
s_raise_limits (void)
{
    struct rlimit files;
    if (getrlimit (RLIMIT_NOFILE, &files))
        return false;
    files.rlim_cur = files.rlim_max;
    zsys_handler_set (NULL);
    zsys_set_max_sockets (0); /* as many as there can be */
    return setrlimit (RLIMIT_NOFILE, &files) == 0;
}

static bool
s_read_keys (s_run_t *self)
{
    const sw_options_t *options = &self->options;
    char line[256];
    FILE *file = fopen (options->keys, "re");
    if (!file) {
        fprintf (stderr, "scanhub-swarm: %s: %s\n", options->keys,
                 strerror (errno));
        return false;
    }
    bool good = true;
    uint64_t number = 0, last = options->first + options->scanners;
    for (; good && number < last && fgets (line, sizeof line, file); number++)
        if (number >= options->first) {
            uint64_t at = number - options->first;
            good = sw_scanner_init (&self->scanners[at], &self->swarm, at,
                                    line);
        }
    fclose (file);
    if (good && number < last)
        fprintf (stderr, "scanhub-swarm: %s has only %" PRIu64 " lines\n",
                 options->keys, number);
    return good && number == last;
}

static bool
s_open (s_run_t *self)
{
    struct epoll_event event = { .events = EPOLLIN };
    sh_signals_block ();
    self->signals = sh_signals_open ();
    self->swarm.epoll = epoll_create1 (EPOLL_CLOEXEC);
    self->scanners = calloc (self->options.scanners, sizeof *self->scanners);
    if (!s_raise_limits () || self->signals < 0 || self->swarm.epoll < 0
        || !self->scanners
        || epoll_ctl (self->swarm.epoll, EPOLL_CTL_ADD, self->signals,
                      &event)) {
        fprintf (stderr, "scanhub-swarm: %s\n", strerror (errno));
        return false;
    }
    self->swarm.options = &self->options;
    self->swarm.stats.began = sw_now ();
    sw_load_init (&self->swarm.load, &self->options);
    sw_report_init (&self->swarm.report, &self->options);
    return s_read_keys (self);
}

static void
s_close (s_run_t *self)
{
    for (uint64_t i = 0; self->scanners && i < self->options.scanners; i++)
        sw_scanner_clear (&self->scanners[i]);
    free (self->scanners);
    sw_stats_clear (&self->swarm.stats);
    zsys_shutdown ();
}

/*  The load begins when all are there.  */
static bool
s_begin_load (s_run_t *self, int64_t now)
{
    sw_swarm_t *swarm = &self->swarm;
    if (self->told)
        return true;
    if (swarm->connected == self->options.scanners) {
        printf ("connected %zu\n", swarm->connected);
        fflush (stdout);
        self->told = true;
        sw_load_begin (&swarm->load, now);
        for (uint64_t i = 0; i < self->options.scanners; i++)
            if (!sw_scanner_serve (&self->scanners[i]))
                return false;
        return true;
    }
    double waited = (double) (now - swarm->stats.began) / 1e6;
    if (waited < self->options.patience + self->options.ramp)
        return true;
    fprintf (stderr, "scanhub-swarm: %zu of %" PRIu64 " scanners connected in "
             "%.0f s: %s\n", swarm->connected, self->options.scanners, waited,
             swarm->trouble);
    return false;
}

static bool
s_serve_due (s_run_t *self, int64_t now)
{
    uint64_t at;
    while (sw_load_take_due (&self->swarm.load, now, &at)) {
        self->scanners[at].owed++;
        self->swarm.open++;
        if (!sw_scanner_serve (&self->scanners[at]))
            return false;
    }
    return true;
}

static bool
s_serve_timers (s_run_t *self, int64_t now)
{
    int64_t mono = sh_clock_mono (sh_clock_system ());
    for (uint64_t i = 0; i < self->options.scanners; i++)
        if (sw_scanner_is_due (&self->scanners[i], now, mono)
            && !sw_scanner_serve (&self->scanners[i]))
            return false;
    return true;
}

static bool
s_serve_events (s_run_t *self, int64_t wait)
{
    struct epoll_event events[AT_ONCE];
    int count = epoll_wait (self->swarm.epoll, events, AT_ONCE,
                            (int) ((wait + 999) / 1000));
    for (int i = 0; i < count; i++) {
        if (!events[i].data.ptr) {
            (void) sh_signals_read (self->signals);
            sw_load_end (&self->swarm.load);
        } else if (!sw_scanner_serve (events[i].data.ptr))
            return false;
    }
    return count >= 0 || errno == EINTR;
}

/*  Until all reports are at their end, or there is no more patience.  */
static bool
s_run (s_run_t *self)
{
    int64_t tick = 0, over = 0;
    for (;;) {
        int64_t now = sw_now ();
        if (!s_begin_load (self, now) || !s_serve_due (self, now))
            return false;
        if (now >= tick) {
            if (!s_serve_timers (self, now))
                return false;
            tick = now + TICK;
        }
        if (!over && sw_load_over (&self->swarm.load, now))
            over = now;
        if (over && (self->swarm.open == 0
                     || now > over + (int64_t) (self->options.patience * 1e6)))
            return true;
        int64_t wait = tick > now ? tick - now : 0;
        if (!s_serve_events (self, sw_load_wait (&self->swarm.load, now, wait)))
            return false;
    }
}

int
main (int argc, char **argv)
{
    s_run_t run = { .signals = -1 };
    int status = sw_options_parse (&run.options, argc, argv);
    if (status >= 0)
        return status;
    sh_log_set_level (SH_LOG_ERROR);
    bool good = s_open (&run) && s_run (&run);
    if (good)
        sw_stats_print (&run.swarm.stats, run.options.scanners,
                        run.swarm.connected, run.swarm.open);
    s_close (&run);
    return good ? EX_OK : EX_SOFTWARE;
}
