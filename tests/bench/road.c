/* SPDX-License-Identifier: MPL-2.0 */
/*  usage: road MODE REPORTS

    The road of so many reports through the hub, in one process and without a
    server: what the router looks up of a frame, decoding, the checks, the plan,
    the statements, the verdict and the journal, in batches of HUB_BATCH_MOST.
    For callgrind, which counts instructions (tests/integration/instructions.py):
    they do not depend on how busy the machine is.  What libmariadb and libzmq do
    with sockets is not in it.  MODE is one of

      fresh      reports of 254 hosts, of which 250 have rows and 4 do not
      unchanged  reports of 250 hosts that have rows
      closing    the closing parts of such reports
      decode     only decode such a report (254 hosts) as often
      encode     only encode it as often

    Prints one JSON object.  "optimised" is 0 where the count would say nothing:
    without the compiler's optimisation, or with sanitizers.  */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub/intake.h"
#include "hub/store.h"
#include "lib/log.h"
#include "lib/walltime.h"
#include "scanner-proto/codec.h"
#include "tests/bench/road_database.h"
#include "build-config.h"

#if defined __OPTIMIZE__ && !defined SCANHUB_SANITIZED
#define OPTIMISED 1
#else
#define OPTIMISED 0
#endif
#define HOSTS 254

typedef enum
{
    MODE_FRESH,
    MODE_UNCHANGED,
    MODE_CLOSING,
    MODE_DECODE,
    MODE_ENCODE,
    MODES
} road_mode_t;

static const char *const s_modes[MODES]
    = { "fresh", "unchanged", "closing", "decode", "encode" };

typedef struct
{
    sp_host_t hosts[HOSTS];
    uint8_t ips[HOSTS][4];
    uint8_t id[SP_REPORT_ID];
    uint8_t first[4], last[4]; /* covered */
    sp_range_t covered;
    char cidr[32];
    sp_message_t message;
} report_t;

typedef struct
{
    uint8_t *data;
    size_t size;
} frame_t;

typedef struct
{
    hub_store_t *store;
    hub_live_t *live;
    hub_previews_t *previews;
    hub_journal_t *journal;
    hub_intake_t *intake;
    hub_code_t code;
    hub_principal_t who;
    char directory[32];
    char journal_path[64];
    size_t applied;
} hub_t;

/*  A new report of a subnet: the hosts from .1 on, just seen.  */
static const sp_message_t *
s_report (report_t *self, uint64_t number, size_t hosts)
{
    unsigned subnet = (unsigned) (number % ROAD_SUBNETS) + 1;
    int64_t now = sh_clock_wall (sh_clock_system ());
    memcpy (self->id, &number, sizeof number);
    snprintf (self->cidr, sizeof self->cidr, "10.0.%u.0/24", subnet);
    for (size_t i = 0; i < hosts; i++) {
        uint8_t ip[4] = { 10, 0, (uint8_t) subnet, (uint8_t) (i + 1) };
        memcpy (self->ips[i], ip, sizeof ip);
        self->hosts[i] = (sp_host_t){ .ip = { self->ips[i], 4 },
                                      .seen = now - 1000, .how = "echo" };
    }
    self->message = (sp_message_t){
        .type = SP_REPORT,
        .u.report = { .id = { self->id, sizeof self->id },
                      .subnet = subnet,
                      .cidr = self->cidr,
                      .kind = SP_KIND_BOTH,
                      .started = now - 60000,
                      .finished = now,
                      .hosts = self->hosts,
                      .host_count = hosts },
    };
    return &self->message;
}

/*  Its closing part: all of the subnet was looked at.  */
static const sp_message_t *
s_closing (report_t *self, uint64_t number)
{
    sp_report_t *report = &self->message.u.report;
    s_report (self, number, 0);
    uint8_t ip[4] = { 10, 0, (uint8_t) report->subnet, 1 };
    memcpy (self->first, ip, sizeof ip);
    ip[3] = HOSTS;
    memcpy (self->last, ip, sizeof ip);
    self->covered = (sp_range_t){ { self->first, 4 }, { self->last, 4 } };
    report->part = report->parts = 1;
    report->last = report->complete = true;
    report->up = ROAD_ROWS;
    report->covered = &self->covered;
    report->covered_count = 1;
    return &self->message;
}

static void
s_must (bool true_so_far, const char *what)
{
    if (true_so_far)
        return;
    fprintf (stderr, "road: %s\n", what);
    exit (1);
}

static sh_err_t
s_allows (void *context, const hub_principal_t *who, const char *code)
{
    (void) context, (void) who, (void) code;
    return SH_OK;
}

/*  The machine's time of day, so many ms ago.  */
static int64_t
s_wall_ago (void *ago)
{
    return sh_clock_wall (sh_clock_system ()) - *(const int64_t *) ago;
}

/*  The hub has been up for an hour: of scans from before its start it has more
    to find out.  */
static void
s_open (hub_t *self)
{
    static int64_t ago = 3600000;
    static sh_clock_t of_hub = { .wall_ms = s_wall_ago, .context = &ago };
    of_hub.mono_ms = sh_clock_system ()->mono_ms;
    static char host[] = "localhost";
    static const hub_database_config_t database
        = { .host = host, .tls = HUB_TLS_OFF };
    const sh_clock_t *clock = sh_clock_system ();
    hub_policies_t *policies = calloc (1, sizeof *policies);
    s_must (policies != NULL, "no memory");
    hub_policies_init (policies);
    snprintf (self->directory, sizeof self->directory, "/tmp/road.XXXXXX");
    s_must (mkdtemp (self->directory) != NULL, "no directory in /tmp");
    snprintf (self->journal_path, sizeof self->journal_path, "%s/journal",
              self->directory);
    const hub_journal_limits_t limits = { self->journal_path, INT64_C (1) << 40,
                                          UINT64_C (1) << 30 };
    sh_err_t rc = hub_live_new (&self->live, HUB_ZONE_UTC);
    s_must (rc == SH_OK, "no memory");
    hub_live_set_policies (self->live, &policies);
    rc = hub_store_mariadb_new (&self->store, &database, clock);
    if (rc == SH_OK)
        rc = hub_previews_new (&self->previews, NULL, clock);
    if (rc == SH_OK)
        rc = hub_journal_new (&self->journal, &limits, clock);
    const hub_intake_options_t options
        = { .store = self->store, .live = self->live,
            .journal = self->journal, .previews = self->previews,
            .clock = &of_hub, .allows = s_allows };
    if (rc == SH_OK)
        rc = hub_intake_new (&self->intake, &options);
    ago = 0;
    s_must (rc == SH_OK, sh_err_text (rc));
    snprintf (self->code.text, sizeof self->code.text, "%s", ROAD_CODE);
    self->who = (hub_principal_t){ .codes = &self->code, .code_count = 1 };
    snprintf (self->who.name, sizeof self->who.name, "site");
}

static void
s_close (hub_t *self)
{
    static const char *const files[] = { "", "-wal", "-shm" };
    hub_intake_destroy (&self->intake);
    hub_journal_destroy (&self->journal);
    hub_previews_destroy (&self->previews);
    self->store->destroy (&self->store);
    hub_live_destroy (&self->live);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[80];
        snprintf (path, sizeof path, "%s%s", self->journal_path, files[i]);
        unlink (path);
    }
    rmdir (self->directory);
}

/*  As the router does it.  */
static hub_job_t *
s_job (const hub_t *self, const frame_t *its)
{
    sh_bytes_t frame = { its->data, its->size };
    sp_peek_t peek;
    hub_job_t *job = NULL;
    s_must (sp_peek (&peek, frame, NULL) == SH_OK
                && hub_job_new (&job, HUB_JOB_REPORT, &self->who, frame)
                       == SH_OK,
            "no job");
    job->received = job->taken = sh_clock_wall (sh_clock_system ());
    return job;
}

static void
s_batch (hub_t *self, const frame_t *frames, size_t count)
{
    hub_job_t *jobs[HUB_BATCH_MOST];
    for (size_t i = 0; i < count; i++)
        jobs[i] = s_job (self, &frames[i]);
    hub_intake_batch (self->intake, jobs, count);
    hub_intake_after (self->intake);
    for (size_t i = 0; i < count; i++)
        hub_job_destroy (&jobs[i]);
    self->applied += count;
}

static frame_t
s_frame (const sp_message_t *message)
{
    frame_t frame;
    s_must (sp_encode (&frame.data, &frame.size, message) == SH_OK,
            "not encoded");
    return frame;
}

/*  The frames are the same over and over: what encodes them is not counted. */
static void
s_play (size_t count, road_mode_t mode)
{
    hub_t hub = { 0 };
    static report_t report;
    frame_t frames[HUB_BATCH_MOST];
    for (size_t i = 0; i < HUB_BATCH_MOST; i++)
        frames[i] = s_frame (
            mode == MODE_CLOSING
                ? s_closing (&report, i)
                : s_report (&report, i,
                            mode == MODE_FRESH ? HOSTS : ROAD_ROWS));
    s_open (&hub);
    while (hub.applied < count) {
        size_t some = count - hub.applied;
        s_batch (&hub, frames, some < HUB_BATCH_MOST ? some : HUB_BATCH_MOST);
    }
    s_must (hub_live_counted (hub.live, HUB_COUNT_PARTS_APPLIED) == count,
            "not all were applied");
    printf ("{\"optimised\": %d, \"reports\": %zu, \"added\": %llu, "
            "\"statements\": %zu, \"bytes\": %zu, \"rows\": %zu}\n",
            OPTIMISED, count,
            (unsigned long long) hub_live_counted (hub.live,
                                                   HUB_COUNT_ROWS_ADDED),
            road_counts.statements, road_counts.bytes, road_counts.rows);
    s_close (&hub);
    for (size_t i = 0; i < HUB_BATCH_MOST; i++)
        free (frames[i].data);
}

static void
s_decode (size_t count)
{
    static report_t report;
    frame_t frame = s_frame (s_report (&report, 0, HOSTS));
    sh_bytes_t bytes = { frame.data, frame.size };
    for (size_t i = 0; i < count; i++) {
        sp_message_t *message = NULL;
        s_must (sp_decode (&message, bytes, NULL) == SH_OK, "not decoded");
        sp_message_destroy (&message);
    }
    printf ("{\"optimised\": %d, \"reports\": %zu, \"bytes\": %zu}\n",
            OPTIMISED, count, frame.size);
    free (frame.data);
}

static void
s_encode (size_t count)
{
    static report_t report;
    size_t bytes = 0;
    const sp_message_t *message = s_report (&report, 0, HOSTS);
    for (size_t i = 0; i < count; i++) {
        frame_t frame = s_frame (message);
        bytes = frame.size;
        free (frame.data);
    }
    printf ("{\"optimised\": %d, \"reports\": %zu, \"bytes\": %zu}\n",
            OPTIMISED, count, bytes);
}

int
main (int argc, char **argv)
{
    size_t mode = 0, count = argc == 3 ? strtoul (argv[2], NULL, 10) : 0;
    while (mode < MODES && argc == 3 && strcmp (s_modes[mode], argv[1]) != 0)
        mode++;
    if (count == 0 || mode == MODES) {
        fputs ("usage: road fresh|unchanged|closing|decode|encode REPORTS\n",
               stderr);
        return 64;
    }
    sh_wall_t seen = { "2026-01-01 00:00:00" };
    if (mode == MODE_CLOSING) /* in the scan that is closed */
        sh_wall_at (&seen, SH_ZONE_UTC,
                    sh_clock_wall (sh_clock_system ()) / 1000);
    road_database_fill (seen.text);
    if (mode == MODE_DECODE)
        s_decode (count);
    else if (mode == MODE_ENCODE)
        s_encode (count);
    else
        s_play (count, (road_mode_t) mode);
    return 0;
}
