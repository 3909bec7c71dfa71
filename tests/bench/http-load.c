/* SPDX-License-Identifier: MPL-2.0 */
/*  http-load: requests as fast as they are answered, each over a connection of
    its own.  So many clients, each a thread, send the requests of their FILEs
    byte by byte and in turns; where one has nineteen '@', the time of day goes
    ("2026-01-31 12:00:00", UTC).  An answer counts if TEXT is in it.  Prints a
    JSON object.  */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/latencies.h"

#define REQUEST_MOST (1024 * 1024)
#define ANSWER_MOST 8192
#define CLIENTS_MOST 512
#define STAMP "@@@@@@@@@@@@@@@@@@@"
#define PATIENCE_S 20

/*  A file, and where the time of day goes in it.  */
typedef struct
{
    char *text;
    size_t size;
    size_t *stamps, stamp_count;
} s_request_t;

typedef struct
{
    struct sockaddr_in server;
    const char *expected;
    s_request_t *requests;
    size_t request_count, clients;
    int64_t end; /* CLOCK_MONOTONIC, ns */
} s_load_t;

typedef struct
{
    const s_load_t *load;
    size_t number;
    pthread_t thread;
    latencies_t latencies; /* of the answers that count */
    unsigned others;
    char other[120]; /* the first of these, for people */
} s_client_t;

static void
s_must (bool fine, const char *what)
{
    if (!fine) {
        fprintf (stderr, "http-load: %s\n", what);
        exit (EX_OSERR);
    }
}

static int64_t
s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C (1000000000) + now.tv_nsec;
}

static void
s_read_request (s_request_t *out, const char *path)
{
    const size_t stamp = sizeof STAMP - 1;
    FILE *file = fopen (path, "rb");
    out->text = malloc (REQUEST_MOST + 1);
    out->stamps = malloc (REQUEST_MOST / stamp * sizeof *out->stamps);
    s_must (file && out->text && out->stamps, path);
    out->size = fread (out->text, 1, REQUEST_MOST, file);
    out->text[out->size] = '\0';
    fclose (file);
    char *at = out->text;
    while ((at = strstr (at, STAMP)) != NULL) {
        out->stamps[out->stamp_count++] = (size_t) (at - out->text);
        at += stamp;
    }
}

/*  Each request belongs to one client, so this is no race.  */
static void
s_set_time (s_request_t *request)
{
    char text[sizeof STAMP];
    time_t now = time (NULL);
    struct tm utc;
    gmtime_r (&now, &utc);
    strftime (text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
    for (size_t i = 0; i < request->stamp_count; i++)
        memcpy (request->text + request->stamps[i], text, sizeof text - 1);
}

static bool
s_send (int fd, const s_request_t *request)
{
    for (size_t sent = 0; sent < request->size;) {
        ssize_t now = send (fd, request->text + sent, request->size - sent,
                            MSG_NOSIGNAL);
        if (now <= 0)
            return false;
        sent += (size_t) now;
    }
    return true;
}

/*  All until the server closes, as a text.  A refusal may come before it has
    read all, so that a failure to send does not matter.  */
static void
s_exchange (const s_load_t *load, const s_request_t *request,
            char answer[static ANSWER_MOST])
{
    const struct timeval patience = { .tv_sec = PATIENCE_S };
    size_t size = 0;
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    s_must (fd >= 0, "no socket");
    setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect (fd, (const struct sockaddr *) &load->server,
                 sizeof load->server)
        == 0) {
        (void) s_send (fd, request);
        ssize_t got;
        while ((got = recv (fd, answer + size, ANSWER_MOST - 1 - size, 0)) > 0)
            size += (size_t) got;
    }
    answer[size] = '\0';
    close (fd);
}

static void *
s_run_client (void *argument)
{
    s_client_t *self = argument;
    const s_load_t *load = self->load;
    char answer[ANSWER_MOST];
    size_t at = self->number;
    for (int64_t begin; (begin = s_now ()) < load->end;) {
        s_request_t *request = &load->requests[at];
        s_set_time (request);
        s_exchange (load, request, answer);
        if (strstr (answer, load->expected))
            latencies_add (&self->latencies, s_now () - begin);
        else if (self->others++ == 0)
            snprintf (self->other, sizeof self->other, "%.100s", answer);
        at += load->clients;
        if (at >= load->request_count)
            at = self->number;
    }
    return NULL;
}

static void
s_measure (s_load_t *load, double seconds)
{
    static s_client_t clients[CLIENTS_MOST];
    latencies_t all = { 0 };
    unsigned others = 0;
    int64_t began = s_now ();
    load->end = began + (int64_t) (seconds * 1e9);
    for (size_t i = 0; i < load->clients; i++) {
        clients[i] = (s_client_t){ .load = load, .number = i };
        s_must (pthread_create (&clients[i].thread, NULL, s_run_client,
                                &clients[i])
                    == 0,
                "no thread");
    }
    for (size_t i = 0; i < load->clients; i++) {
        pthread_join (clients[i].thread, NULL);
        latencies_take (&all, &clients[i].latencies);
        if (clients[i].others && others == 0)
            fprintf (stderr, "http-load: unexpected: %s\n", clients[i].other);
        others += clients[i].others;
        latencies_clear (&clients[i].latencies);
    }
    double took = (double) (s_now () - began) / 1e9;
    printf ("{\"answered\": %zu, \"others\": %u, \"seconds\": %.3f, "
            "\"rate\": %.1f, \"latency_ms\": ",
            all.count, others, took, (double) all.count / took);
    latencies_print (&all, stdout);
    puts ("}");
    latencies_clear (&all);
}

int
main (int argc, char **argv)
{
    if (argc < 6) {
        fprintf (stderr,
                 "usage: http-load PORT TEXT CLIENTS SECONDS FILE...\n");
        return EX_USAGE;
    }
    s_load_t load = {
        .server = { .sin_family = AF_INET,
                    .sin_port = htons ((uint16_t) atoi (argv[1])),
                    .sin_addr.s_addr = htonl (INADDR_LOOPBACK) },
        .expected = argv[2],
        .clients = (size_t) atoi (argv[3]),
        .request_count = (size_t) argc - 5,
    };
    s_must (load.clients > 0 && load.clients <= load.request_count
                && load.clients <= CLIENTS_MOST,
            "as many files as clients are needed at least");
    load.requests = calloc (load.request_count, sizeof *load.requests);
    s_must (load.requests != NULL, "no memory");
    for (size_t i = 0; i < load.request_count; i++)
        s_read_request (&load.requests[i], argv[i + 5]);
    s_measure (&load, atof (argv[4]));
    for (size_t i = 0; i < load.request_count; i++) {
        free (load.requests[i].text);
        free (load.requests[i].stamps);
    }
    free (load.requests);
    return EX_OK;
}
