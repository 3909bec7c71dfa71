/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/swarm_stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

int64_t
sw_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void
sw_samples_add (sw_samples_t *self, int64_t from, int64_t to)
{
    if (self->count == self->room) {
        size_t room = self->room ? 2 * self->room : 4096;
        double *items = reallocarray (self->items, room, sizeof *items);
        if (!items)
            abort (); /* a figure that leaves samples out would be wrong */
        self->items = items;
        self->room = room;
    }
    self->items[self->count++] = (double) (to - from) / 1000.0;
}

void
sw_stats_count (sw_stats_t *self, const sp_verdict_t *verdict)
{
    self->seen += verdict->seen;
    self->added += verdict->added;
    self->named += verdict->named;
    self->macs += verdict->macs;
    self->tagged += verdict->tagged;
    self->held += verdict->held;
    self->skipped += verdict->skipped;
    self->hosts_refused += verdict->refused_count;
    if (verdict->cause)
        snprintf (self->cause, sizeof self->cause, "%s", verdict->cause);
}

sw_outage_t *
sw_stats_outage (sw_stats_t *self)
{
    if (self->outage_count == 0)
        return NULL;
    sw_outage_t *last = &self->outages[self->outage_count - 1];
    return last->working ? NULL : last;
}

void
sw_stats_begin_outage (sw_stats_t *self)
{
    sw_outage_t *open = sw_stats_outage (self);
    if (open)
        open->back = 0;
    else if (self->outage_count < SW_OUTAGES_MOST)
        self->outages[self->outage_count++]
            = (sw_outage_t){ .lost = sw_now () };
}

static int
s_compare (const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

static double
s_quantile (const sw_samples_t *self, double share)
{
    size_t at = (size_t) (share * (double) self->count);
    return self->items[at < self->count ? at : self->count - 1];
}

static json_t *
s_quantiles (sw_samples_t *self)
{
    if (self->count == 0)
        return json_null ();
    qsort (self->items, self->count, sizeof *self->items, s_compare);
    return json_pack ("{s:f, s:f, s:f, s:f}", "p50", s_quantile (self, 0.5),
                      "p90", s_quantile (self, 0.9), "p99",
                      s_quantile (self, 0.99), "max", s_quantile (self, 1));
}

static double
s_seconds (int64_t us)
{
    return (double) us / 1e6;
}

/*  By CLOCK_MONOTONIC, so that who ended the hub can say when that was.  */
static json_t *
s_outages (const sw_stats_t *self)
{
    json_t *out = json_array ();
    for (size_t i = 0; i < self->outage_count; i++) {
        const sw_outage_t *one = &self->outages[i];
        json_array_append_new (
            out, json_pack ("{s:f, s:f, s:f}", "lost", s_seconds (one->lost),
                            "back", s_seconds (one->back), "working",
                            s_seconds (one->working)));
    }
    return out;
}

static json_t *
s_fields (const sw_stats_t *self)
{
    return json_pack (
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "seen",
        (json_int_t) self->seen, "added", (json_int_t) self->added, "named",
        (json_int_t) self->named, "macs", (json_int_t) self->macs, "tagged",
        (json_int_t) self->tagged, "held", (json_int_t) self->held, "skipped",
        (json_int_t) self->skipped, "hosts_refused",
        (json_int_t) self->hosts_refused);
}

static json_t *
s_counts (const sw_stats_t *self, uint64_t lost)
{
    return json_pack (
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "sent",
        (json_int_t) self->sent, "applied", (json_int_t) self->applied,
        "refused", (json_int_t) self->refused, "lost", (json_int_t) lost,
        "parts", (json_int_t) self->parts, "closings",
        (json_int_t) self->closings, "resent", (json_int_t) self->resent,
        "retried", (json_int_t) self->retried, "errors",
        (json_int_t) self->errors, "stray", (json_int_t) self->stray,
        "reconnects", (json_int_t) self->reconnects, "cause", self->cause);
}

/*  What the swarm itself took of the machine.  */
static double
s_cpu (void)
{
    struct rusage used;
    getrusage (RUSAGE_SELF, &used);
    return (double) (used.ru_utime.tv_sec + used.ru_stime.tv_sec)
           + s_seconds (used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

void
sw_stats_print (sw_stats_t *self, size_t scanners, size_t connected,
                uint64_t lost)
{
    double seconds = s_seconds (self->last_verdict - self->first_sent);
    json_t *all = json_pack (
        "{s:I, s:I, s:f, s:f, s:f, s:o, s:o, s:o, s:o}", "scanners",
        (json_int_t) scanners, "connected", (json_int_t) connected, "seconds",
        seconds, "rate",
        seconds > 0 ? (double) self->applied / seconds : 0.0, "cpu_s",
        s_cpu (), "latency_ms", s_quantiles (&self->latency), "closing_ms",
        s_quantiles (&self->closing), "connect_ms",
        s_quantiles (&self->connect), "outages", s_outages (self));
    json_object_update_new (all, s_counts (self, lost));
    json_object_update_new (all, s_fields (self));
    json_dumpf (all, stdout, JSON_REAL_PRECISION (12));
    putchar ('\n');
    json_decref (all);
}

void
sw_stats_clear (sw_stats_t *self)
{
    free (self->latency.items);
    free (self->closing.items);
    free (self->connect.items);
}
