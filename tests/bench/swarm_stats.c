/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/swarm_stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

int64_t
sw_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

double
sw_cpu (void)
{
    struct rusage used;
    getrusage (RUSAGE_SELF, &used);
    return (double) (used.ru_utime.tv_sec + used.ru_stime.tv_sec)
           + (double) (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
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
        self->cause = sh_err_from_word (verdict->cause);
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

static double
s_seconds (int64_t us)
{
    return (double) us / 1e6;
}

static void
s_print_times (const char *name, latencies_t *times)
{
    printf (", \"%s\": ", name);
    latencies_print (times, stdout);
}

/*  By CLOCK_MONOTONIC, so that who ended the hub can say when that was.  */
static void
s_print_outages (const sw_stats_t *self)
{
    printf (", \"outages\": [");
    for (size_t i = 0; i < self->outage_count; i++) {
        const sw_outage_t *one = &self->outages[i];
        printf ("%s{\"lost\": %.3f, \"back\": %.3f, \"working\": %.3f}",
                i ? ", " : "", s_seconds (one->lost), s_seconds (one->back),
                s_seconds (one->working));
    }
    printf ("]");
}

static void
s_print_counts (const sw_stats_t *self, uint64_t lost)
{
    const struct
    {
        const char *name;
        uint64_t value;
    } counts[] = {
        { "sent", self->sent },
        { "applied", self->applied },
        { "refused", self->refused },
        { "lost", lost },
        { "parts", self->parts },
        { "closings", self->closings },
        { "resent", self->resent },
        { "retried", self->retried },
        { "errors", self->errors },
        { "stray", self->stray },
        { "reconnects", self->reconnects },
        { "seen", self->seen },
        { "added", self->added },
        { "named", self->named },
        { "macs", self->macs },
        { "tagged", self->tagged },
        { "held", self->held },
        { "skipped", self->skipped },
        { "hosts_refused", self->hosts_refused },
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        printf (", \"%s\": %" PRIu64, counts[i].name, counts[i].value);
}

void
sw_stats_print (sw_stats_t *self, size_t scanners, size_t connected,
                uint64_t lost)
{
    double seconds = s_seconds (self->last_verdict - self->first_sent);
    printf ("{\"scanners\": %zu, \"connected\": %zu, \"seconds\": %.6f, "
            "\"rate\": %.3f, \"cpu_s\": %.3f",
            scanners, connected, seconds,
            seconds > 0 ? (double) self->applied / seconds : 0.0, sw_cpu ());
    s_print_counts (self, lost);
    s_print_times ("latency_ms", &self->latency);
    s_print_times ("closing_ms", &self->closing);
    s_print_times ("connect_ms", &self->connect);
    s_print_outages (self);
    printf (", \"cause\": \"%s\"}\n",
            self->cause ? sh_err_word (self->cause) : "");
}

void
sw_stats_clear (sw_stats_t *self)
{
    latencies_clear (&self->latency);
    latencies_clear (&self->closing);
    latencies_clear (&self->connect);
}
