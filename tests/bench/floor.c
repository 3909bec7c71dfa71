/* SPDX-License-Identifier: MPL-2.0 */
/*  The floor that the hub is measured by: so many connections, each of which
    applies one report after the other to phpIPAM's tables, one COMMIT each,
    and does nothing else.  The tables are those of tests/bench/estate.py.

    Prints one JSON object.  A report that met a deadlock or waited for a lock
    in vain is counted and taken again; any other error ends the run.  */

#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mysql.h>
#include <mysqld_error.h>

#include "tests/bench/floor_report.h"
#include "tests/bench/latencies.h"

#define CONNECTIONS_MOST 256
#define NS INT64_C (1000000000)

typedef struct
{
    floor_options_t report;
    unsigned connections;
    uint64_t reports; /* 0: until the time is over */
    int64_t length;   /* ns; 0: until the reports are done */
    uint64_t from, to, step; /* subnets, over and over */
} options_t;

typedef struct
{
    const options_t *options;
    atomic_uint_fast64_t next; /* report */
    atomic_bool broken;
    pthread_barrier_t start;
    int64_t began, deadline;
} run_t;

typedef struct
{
    run_t *run;
    pthread_t thread;
    floor_report_t report;
    latencies_t latencies;
    uint64_t done, deadlocks, timeouts;
    int64_t ended;
} connection_t;

static int64_t
s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS + now.tv_nsec;
}

/*  Until it is committed; false: it cannot be.  */
static bool
s_take (connection_t *self, uint64_t subnet)
{
    for (;;) {
        unsigned number = floor_report_apply (&self->report, subnet);
        if (number == 0)
            return true;
        if (number == ER_LOCK_DEADLOCK)
            self->deadlocks++;
        else if (number == ER_LOCK_WAIT_TIMEOUT)
            self->timeouts++;
        else {
            fprintf (stderr, "floor: subnet %llu: error %u: %s\n",
                     (unsigned long long) subnet, number,
                     self->report.error);
            return false;
        }
    }
}

static void *
s_work (void *argument)
{
    connection_t *self = argument;
    run_t *run = self->run;
    const options_t *options = run->options;
    mysql_thread_init ();
    pthread_barrier_wait (&run->start);
    self->ended = s_now ();
    while (!atomic_load (&run->broken)) {
        uint64_t number = atomic_fetch_add (&run->next, 1);
        int64_t begun = self->ended;
        if ((options->reports && number >= options->reports)
            || (run->deadline && begun >= run->deadline))
            break;
        uint64_t span = (options->to - options->from) / options->step + 1;
        if (!s_take (self,
                     options->from + number % span * options->step)) {
            atomic_store (&run->broken, true);
            break;
        }
        self->ended = s_now ();
        latencies_add (&self->latencies, self->ended - begun);
        self->done++;
    }
    mysql_thread_end ();
    return NULL;
}

static void
s_print (const run_t *run, const connection_t *connections)
{
    connection_t sum = { .ended = run->began };
    unsigned count = run->options->connections;
    for (unsigned i = 0; i < count; i++) {
        const connection_t *one = &connections[i];
        latencies_take (&sum.latencies, &one->latencies);
        sum.done += one->done;
        sum.deadlocks += one->deadlocks;
        sum.timeouts += one->timeouts;
        sum.report.read += one->report.read;
        sum.report.updated += one->report.updated;
        sum.report.inserted += one->report.inserted;
        if (one->ended > sum.ended)
            sum.ended = one->ended;
    }
    double seconds = (double) (sum.ended - run->began) / NS;
    printf ("{\"connections\": %u, \"reports\": %llu, \"seconds\": %.4f, "
            "\"rate\": %.2f, \"deadlocks\": %llu, \"timeouts\": %llu, "
            "\"rows_read\": %llu, \"rows_updated\": %llu, "
            "\"rows_inserted\": %llu, \"latency_ms\": ",
            count, (unsigned long long) sum.done, seconds,
            seconds > 0 ? (double) sum.done / seconds : 0,
            (unsigned long long) sum.deadlocks,
            (unsigned long long) sum.timeouts,
            (unsigned long long) sum.report.read,
            (unsigned long long) sum.report.updated,
            (unsigned long long) sum.report.inserted);
    latencies_print (&sum.latencies, stdout);
    puts ("}");
    latencies_clear (&sum.latencies);
}

/*  All connect first, then all begin at once.  */
static bool
s_run (const options_t *options)
{
    static connection_t connections[CONNECTIONS_MOST];
    run_t run = { .options = options };
    unsigned count = options->connections;
    pthread_barrier_init (&run.start, NULL, count + 1);
    bool good = true;
    for (unsigned i = 0; good && i < count; i++) {
        connections[i].run = &run;
        good = floor_report_init (&connections[i].report, &options->report);
    }
    for (unsigned i = 0; good && i < count; i++)
        if (pthread_create (&connections[i].thread, NULL, s_work,
                            &connections[i]) != 0) {
            perror ("floor: pthread_create");
            exit (1); /* the others wait for it */
        }
    if (good) {
        run.began = s_now ();
        run.deadline = options->length ? run.began + options->length : 0;
        pthread_barrier_wait (&run.start);
        for (unsigned i = 0; i < count; i++)
            pthread_join (connections[i].thread, NULL);
        good = !run.broken;
    }
    if (good)
        s_print (&run, connections);
    for (unsigned i = 0; i < count; i++) {
        floor_report_clear (&connections[i].report);
        latencies_clear (&connections[i].latencies);
    }
    pthread_barrier_destroy (&run.start);
    return good;
}

static const char s_usage[]
    = "usage: floor --socket PATH --user NAME --password-file FILE\n"
      "    --database NAME --subnets N --agents N [--connections N]\n"
      "    [--from-subnet K] [--to-subnet L] [--step N] [--hosts A-B]\n"
      "    [--known N] [--mode new|unchanged|read|commit]\n"
      "    [--closing] --reports N and/or --seconds S\n";

static void
s_misuse (const char *what)
{
    fprintf (stderr, "floor: %s\n%s", what, s_usage);
    exit (64);
}

static const char *
s_read_password (const char *path)
{
    static char text[256];
    FILE *file = fopen (path, "r");
    if (!file || !fgets (text, sizeof text, file))
        s_misuse ("the password cannot be read");
    fclose (file);
    text[strcspn (text, "\n")] = 0;
    return text;
}

static uint64_t
s_count (const char *text)
{
    char *end;
    uint64_t value = strtoull (text, &end, 10);
    if (*end || end == text || value == 0)
        s_misuse ("a number above 0 is missing");
    return value;
}

static floor_mode_t
s_mode (const char *word)
{
    static const char *const words[]
        = { "new", "unchanged", "read", "commit" };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp (word, words[i]) == 0)
            return (floor_mode_t) i;
    s_misuse ("there is no such mode");
    return FLOOR_NEW;
}

static void
s_option (options_t *self, int name, const char *value)
{
    floor_options_t *report = &self->report;
    switch (name) {
    case 's': report->socket = value; break;
    case 'u': report->user = value; break;
    case 'p': report->password = s_read_password (value); break;
    case 'd': report->database = value; break;
    case 'c': self->connections = (unsigned) s_count (value); break;
    case 'n': self->reports = s_count (value); break;
    case 't': self->length = (int64_t) (strtod (value, NULL) * NS); break;
    case 'F': self->from = s_count (value); break;
    case 'T': case 'S': self->to = s_count (value); break;
    case 'e': self->step = s_count (value); break;
    case 'k': report->known = (unsigned) s_count (value); break;
    case 'a': report->agents = (unsigned) s_count (value); break;
    case 'm': report->mode = s_mode (value); break;
    case 'C': report->closing = true; break;
    case 'h':
        if (sscanf (value, "%u-%u", &report->first, &report->last) != 2)
            s_misuse ("hosts are given as A-B");
        break;
    case 'H':
        fputs (s_usage, stdout);
        exit (0);
    default: s_misuse ("there is no such option");
    }
}

static void
s_check (const options_t *self)
{
    const floor_options_t *report = &self->report;
    if (!report->socket || !report->user || !report->password
        || !report->database)
        s_misuse ("the database is not named");
    if (self->connections > CONNECTIONS_MOST)
        s_misuse ("too many connections");
    if (!self->reports && self->length <= 0)
        s_misuse ("neither reports nor seconds");
    if (self->to < self->from)
        s_misuse ("no subnets");
    if (report->first < 1 || report->last > 254 || report->last < report->first
        || report->known < report->first || report->known > 254)
        s_misuse ("no such hosts");
}

int
main (int argc, char **argv)
{
    static const struct option names[] = {
        { "socket", required_argument, NULL, 's' },
        { "user", required_argument, NULL, 'u' },
        { "password-file", required_argument, NULL, 'p' },
        { "database", required_argument, NULL, 'd' },
        { "connections", required_argument, NULL, 'c' },
        { "reports", required_argument, NULL, 'n' },
        { "seconds", required_argument, NULL, 't' },
        { "subnets", required_argument, NULL, 'S' },
        { "from-subnet", required_argument, NULL, 'F' },
        { "to-subnet", required_argument, NULL, 'T' },
        { "step", required_argument, NULL, 'e' },
        { "hosts", required_argument, NULL, 'h' },
        { "known", required_argument, NULL, 'k' },
        { "agents", required_argument, NULL, 'a' },
        { "mode", required_argument, NULL, 'm' },
        { "closing", no_argument, NULL, 'C' },
        { "help", no_argument, NULL, 'H' },
        { NULL, 0, NULL, 0 },
    };
    options_t options = {
        .connections = 1,
        .from = 1,
        .step = 1,
        .report = { .first = 1, .last = 254, .known = 250, .agents = 1 },
    };
    int name;
    while ((name = getopt_long (argc, argv, "", names, NULL)) != -1)
        s_option (&options, name, optarg);
    if (optind < argc)
        s_misuse ("what is that last word?");
    s_check (&options);
    mysql_library_init (0, NULL, NULL);
    bool good = s_run (&options);
    mysql_library_end ();
    return good ? 0 : 1;
}
