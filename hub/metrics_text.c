/* SPDX-License-Identifier: MPL-2.0 */

#include "build-config.h"

#include "hub/metrics_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "hub/ceiling.h"
#include "hub/descriptors.h"

void
hub_metrics_head (FILE *to, const char *name, const char *type,
                  const char *help)
{
    fprintf (to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void
hub_metrics_label (FILE *to, const char *value)
{
    for (; *value; value++)
        if (*value == '\n')
            fputs ("\\n", to);
        else {
            if (*value == '"' || *value == '\\')
                putc ('\\', to);
            putc (*value, to);
        }
}

void
hub_metrics_single (FILE *to, const char *name, const char *type,
                    const char *help, double value)
{
    hub_metrics_head (to, name, type, help);
    fprintf (to, "%s %.15g\n", name, value);
}

static void
s_write_parts (FILE *to, hub_meters_t *meters)
{
    static const char name[] = "scanhub_report_parts_total";
    hub_metrics_head (to, name, "counter",
                      "Report parts by what became of them.");
    for (int door = 0; door < HUB_DOOR_COUNT; door++)
        for (int i = 0; i < SP_RESULT_COUNT; i++)
            fprintf (to, "%s{door=\"%s\",result=\"%s\"} %" PRIu64 "\n", name,
                     hub_door_word ((hub_door_t) door), sp_result_word (i),
                     hub_meters_parts (meters, (hub_door_t) door,
                                       (sp_result_t) i));
}

/*  Every cause is there from the start, so that the first one counts as an
    increase.  */
static void
s_write_refusals (FILE *to, hub_meters_t *meters)
{
    static const char name[] = "scanhub_report_refusals_total";
    static const char last[] = "scanhub_report_refusal_timestamp_seconds";
    hub_metrics_head (to, name, "counter",
                      "Report parts refused (final=\"true\") or put off, by "
                      "cause.");
    for (int i = SH_OK + 1; i < SH_ERR_COUNT; i++) {
        sh_class_t class = sh_err_class ((sh_err_t) i);
        bool final = class == SH_CLASS_PEER || class == SH_CLASS_DENIED;
        fprintf (to, "%s{cause=\"%s\",final=\"%s\"} %" PRIu64 "\n", name,
                 sh_err_word ((sh_err_t) i), final ? "true" : "false",
                 hub_meters_refusals (meters, (sh_err_t) i).count);
    }
    hub_metrics_head (to, last, "gauge",
                      "When a part was last refused or put off for a cause.");
    for (int i = SH_OK + 1; i < SH_ERR_COUNT; i++) {
        hub_refusals_t one = hub_meters_refusals (meters, (sh_err_t) i);
        if (one.count)
            fprintf (to, "%s{cause=\"%s\"} %.3f\n", last,
                     sh_err_word ((sh_err_t) i), (double) one.last / 1000);
    }
}

static void
s_write_handshakes (FILE *to, hub_meters_t *meters)
{
    static const char name[] = "scanhub_handshakes_refused_total";
    hub_metrics_head (to, name, "counter",
                      "Connections of scanners refused at the handshake.");
    for (int i = 0; i < HUB_HANDSHAKE_COUNT; i++)
        fprintf (to, "%s{reason=\"%s\"} %" PRIu64 "\n", name,
                 hub_handshake_word ((hub_handshake_t) i),
                 hub_meters_handshakes (meters, (hub_handshake_t) i));
}

/*  What happened to the hosts of applied reports.  */
static void
s_write_hosts (FILE *to, hub_live_t *live)
{
    static const struct
    {
        hub_count_t count;
        const char *outcome;
    } rows[] = {
        { HUB_COUNT_ROWS_SEEN, "seen" },
        { HUB_COUNT_ROWS_ADDED, "added" },
        { HUB_COUNT_ROWS_NAMED, "named" },
        { HUB_COUNT_ROWS_MACS, "mac_changed" },
        { HUB_COUNT_ROWS_TAGGED, "tagged" },
        { HUB_COUNT_ROWS_HELD, "held" },
        { HUB_COUNT_HOSTS_REFUSED, "refused" },
        { HUB_COUNT_NAMES_DROPPED, "name_dropped" },
        { HUB_COUNT_MACS_DROPPED, "mac_dropped" },
        { HUB_COUNT_MACS_DIFFER, "mac_differs" },
    };
    static const char name[] = "scanhub_hosts_total";
    hub_metrics_head (to, name, "counter",
                      "Hosts of reports by what happened; one host can count "
                      "in several.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        fprintf (to, "%s{outcome=\"%s\"} %" PRIu64 "\n", name, rows[i].outcome,
                 hub_live_counted (live, rows[i].count));
}

static void
s_write_times (FILE *to, hub_meters_t *meters, hub_time_t what,
               const char *name, const char *help)
{
    hub_times_t times = hub_meters_times (meters, what);
    uint64_t sum = 0;
    hub_metrics_head (to, name, "histogram", help);
    for (size_t i = 0; i + 1 < HUB_BUCKETS; i++) {
        sum += times.buckets[i];
        fprintf (to, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
                 hub_bucket_ms[i] / 1000.0, sum);
    }
    fprintf (to, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.3f\n%s_count %"
             PRIu64 "\n", name, times.count, name, times.seconds, name,
             times.count);
}

static void
s_write_workers (FILE *to, const hub_metrics_sources_t *self)
{
    static const char waiting[] = "scanhub_worker_waiting_jobs";
    static const char busy[] = "scanhub_worker_busy";
    size_t count = hub_pool_size (self->pool);
    hub_worker_state_t state;
    hub_metrics_head (to, waiting, "gauge", "Jobs that wait for a worker.");
    for (size_t i = 0; i < count; i++) {
        hub_pool_look (self->pool, i, &state);
        fprintf (to, "%s{worker=\"%zu\"} %zu\n", waiting, i, state.waiting);
    }
    hub_metrics_head (to, busy, "gauge", "Is a worker at work?");
    for (size_t i = 0; i < count; i++) {
        hub_pool_look (self->pool, i, &state);
        fprintf (to, "%s{worker=\"%zu\"} %d\n", busy, i, state.jobs > 0);
    }
}

/*  Gauges of the meters that are a number as it is.  */
static void
s_write_gauges (FILE *to, hub_meters_t *meters)
{
    static const struct
    {
        hub_gauge_t gauge;
        const char *name, *type, *help;
    } rows[] = {
        { HUB_GAUGE_JOBS_OUT, "scanhub_unanswered_jobs", "gauge",
          "Parts and questions of scanners that have no answer yet." },
        { HUB_GAUGE_ORDERS_OPEN, "scanhub_ordered_scans_open", "gauge",
          "Ordered scans that are not over." },
        { HUB_GAUGE_CEILING, "scanhub_memory_ceiling_bytes", "gauge",
          "Memory above which the door for scanners is closed and opened "
          "again." },
        { HUB_GAUGE_CLOSINGS, "scanhub_memory_ceiling_reached_total",
          "counter", "How often the door was closed for that." },
        { HUB_GAUGE_DOOR_OPEN, "scanhub_door_open", "gauge",
          "Is the door for scanners open?" },
        { HUB_GAUGE_HTTP_PENDING, "scanhub_http_pending_requests", "gauge",
          "Requests of HTTP clients that have no answer yet." },
        { HUB_GAUGE_HTTP_SPOOL, "scanhub_http_spool_reports", "gauge",
          "Reports of HTTP clients that wait on disk." },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        hub_metrics_single (to, rows[i].name, rows[i].type, rows[i].help,
                            (double) hub_meters_get (meters, rows[i].gauge));
}

static void
s_write_limits (FILE *to)
{
    hub_descriptors_t gauge;
    hub_descriptors_read (&gauge);
    hub_metrics_single (to, "scanhub_memory_bytes", "gauge",
                        "Resident memory of the process.",
                        (double) hub_memory_used ());
    hub_metrics_single (to, "scanhub_open_fds", "gauge",
                        "File descriptors that are open.",
                        (double) gauge.used);
    hub_metrics_single (to, "scanhub_max_fds", "gauge",
                        "The limit of file descriptors.",
                        (double) gauge.limit);
    hub_metrics_single (to, "scanhub_reserved_fds", "gauge",
                        "The last ones, which no connection gets.",
                        (double) gauge.reserve);
    hub_metrics_single (to, "scanhub_connections_turned_away_total", "counter",
                        "Connections closed for want of file descriptors.",
                        (double) gauge.turned_away);
}

static void
s_write_database (FILE *to, const hub_metrics_sources_t *self)
{
    char text[320];
    int64_t mono = sh_clock_mono (self->clock);
    bool up = hub_live_database (self->live, mono, text, sizeof text);
    hub_metrics_single (to, "scanhub_database_up", "gauge",
                        "Can reports be written, as far as is known?", up);
    hub_metrics_single (to, "scanhub_ready", "gauge",
                        "What /readyz says.",
                        hub_live_ready (self->live, mono, text, sizeof text));
    hub_metrics_single (
        to, "scanhub_assignments_read_timestamp_seconds", "gauge",
        "When phpIPAM's subnets were last read; 0: not yet.",
        (double) hub_meters_get (hub_live_meters (self->live),
                                 HUB_GAUGE_WATCHED) / 1000);
}

static void
s_write_journal (FILE *to, hub_journal_t *journal)
{
    hub_journal_status_t status = { .failing = false };
    if (journal)
        hub_journal_status (journal, &status);
    hub_metrics_single (to, "scanhub_journal_on", "gauge",
                        "Is there a journal?", journal != NULL);
    hub_metrics_single (to, "scanhub_journal_failing", "gauge",
                        "Can the journal not be written?", status.failing);
    hub_metrics_single (to, "scanhub_journal_records_total", "counter",
                        "Records written to the journal.",
                        (double) status.written);
    hub_metrics_single (to, "scanhub_journal_dropped_total", "counter",
                        "Records that the journal had no room for.",
                        (double) status.dropped);
    hub_metrics_single (to, "scanhub_journal_waiting_records", "gauge",
                        "Records that wait to be written.",
                        (double) status.depth);
    hub_metrics_single (to, "scanhub_journal_size_bytes", "gauge",
                        "Size of the journal's file.", (double) status.size);
}

static void
s_write_previews (FILE *to, hub_previews_t *previews)
{
    static const char held[] = "scanhub_held_reports";
    hub_previews_totals_t totals = { .previews = 0 };
    if (previews)
        hub_previews_totals (previews, &totals);
    hub_metrics_head (to, held, "gauge",
                      "Reports that wait for a person: under preview, or held "
                      "by the brake.");
    fprintf (to, "%s{reason=\"preview\"} %" PRIu64 "\n%s{reason=\"brake\"} %"
             PRIu64 "\n", held, totals.previews, held, totals.held);
    hub_metrics_single (to, "scanhub_held_changes", "gauge",
                        "Changes of rows in them.", (double) totals.changes);
    hub_metrics_single (to, "scanhub_held_dropped_total", "counter",
                        "Such reports that had to go for want of room.",
                        (double) totals.dropped);
}

static void
s_write_counters (FILE *to, hub_live_t *live)
{
    hub_metrics_single (to, "scanhub_bad_messages_total", "counter",
                        "Messages of scanners that make no sense.",
                        (double) hub_live_counted (live,
                                                   HUB_COUNT_MESSAGES_BAD));
    hub_metrics_single (to, "scanhub_duplicate_parts_total", "counter",
                        "Parts that came again while the first was at work.",
                        (double) hub_live_counted (live,
                                                   HUB_COUNT_DUPLICATES));
    hub_metrics_single (to, "scanhub_clones_told_total", "counter",
                        "Times that a key was seen on two machines.",
                        (double) hub_live_counted (live, HUB_COUNT_CLONES));
}

void
hub_metrics_write (FILE *to, const hub_metrics_sources_t *self)
{
    assert (to && self);
    hub_meters_t *meters = hub_live_meters (self->live);
    hub_metrics_head (to, "scanhub_build_info", "gauge",
                      "Which scanhubd it is.");
    fprintf (to, "scanhub_build_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
    hub_metrics_single (to, "scanhub_start_time_seconds", "gauge",
                        "When the hub was started.",
                        (double) self->started / 1000);
    s_write_database (to, self);
    s_write_parts (to, meters);
    s_write_refusals (to, meters);
    s_write_hosts (to, self->live);
    s_write_counters (to, self->live);
    s_write_times (to, meters, HUB_TIME_VERDICT, "scanhub_verdict_seconds",
                   "From a part's arrival to its verdict.");
    s_write_times (to, meters, HUB_TIME_TRANSACTION,
                   "scanhub_transaction_seconds",
                   "Transactions of reports in the database.");
    s_write_workers (to, self);
    s_write_gauges (to, meters);
    s_write_handshakes (to, meters);
    s_write_limits (to);
    s_write_journal (to, self->journal);
    s_write_previews (to, self->previews);
    hub_metrics_write_lists (to, self);
}
