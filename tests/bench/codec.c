/* SPDX-License-Identifier: MPL-2.0 */
/*  How fast the codec is: a report of a /24 with 254 hosts decoded (walked,
    checked, copied into a message) and encoded, beside what msgpack-c takes
    to unpack the same bytes without a look at what they mean.

    usage: codec [BLOCKS [MS]]         blocks of each in turns, as JSON
           codec TASK TIMES            one task so often, for a profiler

    Time is what the processor spent on it.  */

#include <inttypes.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scanner-proto/codec.h"

#define HOSTS 254
#define BLOCKS_MOST 1000
#define SEEN INT64_C (1790000000000)

/*  The report, and what becomes of it.  */
typedef struct
{
    sp_message_t message;
    sp_host_t hosts[HOSTS];
    uint8_t addresses[HOSTS][4];
    char macs[HOSTS][18], names[HOSTS][64];
    uint8_t *frame;
    size_t size;
} s_sample_t;

static void
s_must (bool fine, const char *what)
{
    if (!fine) {
        fprintf (stderr, "codec: %s\n", what);
        exit (1);
    }
}

/*  Every other host lies on the scanner's own link or has a name: the report
    of a routed site has fewer of these, that of a flat one more.  */
static void
s_draw_host (s_sample_t *self, unsigned i)
{
    const uint8_t address[4] = { 10, 1, 2, (uint8_t) (i + 1) };
    memcpy (self->addresses[i], address, sizeof address);
    sp_host_t *host = &self->hosts[i];
    host->ip = (sh_bytes_t){ self->addresses[i], 4 };
    host->seen = SEEN + (int64_t) i * 37;
    if (i % 2 == 0)
        return;
    snprintf (self->macs[i], sizeof self->macs[i], "52:54:00:1f:%02x:%02x",
              i * 7 % 256, i);
    snprintf (self->names[i], sizeof self->names[i],
              "ws-%03u.floor-%u.example.net", i, i % 9);
    host->mac = self->macs[i];
    host->name = self->names[i];
    host->how = "arp";
}

static void
s_draw (s_sample_t *self)
{
    static const uint8_t id[SP_REPORT_ID] = "0123456789abcde";
    self->message.type = SP_REPORT;
    self->message.u.report = (sp_report_t){
        .id = { id, sizeof id },
        .subnet = 1027,
        .cidr = "10.1.2.0/24",
        .kind = SP_KIND_BOTH,
        .started = SEEN - 1500,
        .finished = SEEN + 12000,
        .off = -340,
        .hosts = self->hosts,
        .host_count = HOSTS,
    };
    for (unsigned i = 0; i < HOSTS; i++)
        s_draw_host (self, i);
    s_must (sp_encode (&self->frame, &self->size, &self->message) == SH_OK,
            "the sample cannot be encoded");
}

static void
s_decode (const s_sample_t *self)
{
    sp_message_t *message = NULL;
    sh_why_t why;
    s_must (sp_decode (&message, (sh_bytes_t){ self->frame, self->size }, &why)
                    == SH_OK
                && message->u.report.host_count == HOSTS,
            "the sample cannot be decoded");
    sp_message_destroy (&message);
}

static void
s_encode (const s_sample_t *self)
{
    uint8_t *data = NULL;
    size_t size = 0;
    s_must (sp_encode (&data, &size, &self->message) == SH_OK
                && size == self->size,
            "the sample cannot be encoded");
    free (data);
}

/*  As msgpack-c's documentation does it.  */
static void
s_unpack (const s_sample_t *self)
{
    msgpack_unpacked result;
    size_t at = 0;
    msgpack_unpacked_init (&result);
    s_must (msgpack_unpack_next (&result, (const char *) self->frame,
                                 self->size, &at)
                    == MSGPACK_UNPACK_SUCCESS
                && result.data.type == MSGPACK_OBJECT_MAP,
            "the sample cannot be unpacked");
    msgpack_unpacked_destroy (&result);
}

static const struct
{
    const char *name;
    void (*run) (const s_sample_t *sample);
} s_tasks[] = {
    { "decode", s_decode },
    { "encode", s_encode },
    { "unpack", s_unpack },
};

#define TASKS (sizeof s_tasks / sizeof *s_tasks)

static double
s_spent (void)
{
    struct timespec spent;
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (double) spent.tv_sec + (double) spent.tv_nsec / 1e9;
}

/*  Reports a second.  */
static double
s_block (size_t task, const s_sample_t *sample, double seconds)
{
    double began = s_spent (), took;
    unsigned done = 0;
    do {
        for (int i = 0; i < 100; i++, done++)
            s_tasks[task].run (sample);
        took = s_spent () - began;
    } while (took < seconds);
    return done / took;
}

static void
s_measure (const s_sample_t *sample, unsigned blocks, double seconds)
{
    static double rates[TASKS][BLOCKS_MOST];
    for (size_t task = 0; task < TASKS; task++)
        s_block (task, sample, seconds / 4); /* to warm up */
    for (unsigned block = 0; block < blocks; block++)
        for (size_t i = 0; i < TASKS; i++) {
            size_t task = (i + block) % TASKS;
            rates[task][block] = s_block (task, sample, seconds);
        }

    printf ("{\"hosts\": %d, \"bytes\": %zu", HOSTS, sample->size);
    for (size_t task = 0; task < TASKS; task++) {
        printf (", \"%s\": [", s_tasks[task].name);
        for (unsigned block = 0; block < blocks; block++)
            printf ("%s%.0f", block ? ", " : "", rates[task][block]);
        putchar (']');
    }
    puts ("}");
}

static unsigned
s_number (const char *text, unsigned most)
{
    char *end;
    unsigned long number = strtoul (text, &end, 10);
    s_must (*end == '\0' && number > 0 && number <= most, 
            "usage: codec [BLOCKS [MS]] or codec decode|encode|unpack TIMES");
    return (unsigned) number;
}

int
main (int argc, char **argv)
{
    static s_sample_t sample;
    s_draw (&sample);
    for (size_t task = 0; task < TASKS && argc == 3; task++)
        if (strcmp (argv[1], s_tasks[task].name) == 0) {
            for (unsigned left = s_number (argv[2], 1u << 30); left; left--)
                s_tasks[task].run (&sample);
            free (sample.frame);
            return 0;
        }
    s_measure (&sample, argc > 1 ? s_number (argv[1], BLOCKS_MOST) : 7,
               (argc > 2 ? s_number (argv[2], 60000) : 150) / 1e3);
    free (sample.frame);
    return 0;
}
