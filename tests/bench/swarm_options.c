/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/swarm_options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/err.h"
#include "scanner-proto/limits.h"

static const char s_help[]
    =     "usage: scanhub-swarm --endpoint E --server-key Z85 --keys FILE "
    "[OPTION...]\n"
    "Many scanners in one process, as load for a hub; prints a JSON object.\n"
    "  --endpoint E      tcp://HOST:PORT\n"
    "  --server-key Z85  the hub's public key\n"
    "  --keys FILE       a scanner per line: PUBLIC SECRET CODE\n"
    "  --first N         begin with line N, from 0 on (0)\n"
    "  --scanners N      so many, at most 1500 (1)\n"
    "  --subnets N       there are subnets 1 to N (4000); scanner n\n"
    "  --agents N        reports those k with k % N == n % N (16), in turn,\n"
    "  --from-subnet K, --to-subnet L   and of these K to L\n"
    "  --once            each of them once, and end (with --window)\n"
    "  --prefix P        they are networks of this length, 16 to 30 (24)\n"
    "  --hosts A-B       which hosts of a subnet answer (all)\n"
    "  --spread S        they were seen over S seconds (0)\n"
    "  --closing         a report has its closing part, too\n"
    "  --window W        W parts on their way per scanner, always (1)\n"
    "  --rate R          instead: R reports a second over all scanners\n"
    "  --period S        instead: a report per scanner and S seconds\n"
    "  --idle            instead: no reports\n"
    "  --reports N       end after so many reports\n"
    "  --seconds S       end after so many seconds, or at SIGTERM\n"
    "  --ramp S          begin to connect over S seconds (0)\n"
    "  --patience S      for all to connect and for the last verdict (60)\n";

typedef struct
{
    const char *name;
    uint64_t *number; /* from 'least' to 'most' */
    uint64_t least, most;
    double *seconds; /* or a rate; above 0 */
    char **text;
    bool *flag;
} s_option_t;

static int SH_PRINTF (1, 2)
s_wrong (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    fprintf (stderr, "scanhub-swarm: ");
    vfprintf (stderr, format, args);
    fprintf (stderr, "; --help tells what there is\n");
    va_end (args);
    return EX_USAGE;
}

static bool
s_number (uint64_t *out, const char *text, char stop, uint64_t least,
          uint64_t most)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull (text, &end, 10);
    if (errno || end == text || *end != stop || *text == '-' || value < least
        || value > most)
        return false;
    *out = value;
    return true;
}

static bool
s_seconds (double *out, const char *text)
{
    char *end = NULL;
    double value = strtod (text, &end);
    if (end == text || *end || !isfinite (value) || value < 0 || value > 1e9)
        return false;
    *out = value;
    return true;
}

static bool
s_hosts (sw_options_t *out, const char *text)
{
    const char *dash = strchr (text, '-');
    return dash && s_number (&out->host_first, text, '-', 1, 65534)
           && s_number (&out->host_last, dash + 1, '\0', out->host_first,
                        65534);
}

static bool
s_take (sw_options_t *out, const s_option_t *option, char *value)
{
    if (option->flag)
        return *option->flag = true;
    if (option->text) {
        *option->text = value;
        return true;
    }
    if (option->seconds)
        return s_seconds (option->seconds, value);
    if (option->number)
        return s_number (option->number, value, '\0', option->least,
                         option->most);
    return s_hosts (out, value);
}

static int
s_refuse (const s_option_t *option, const char *value)
{
    if (option->number)
        return s_wrong ("--%s %s is not a number from %" PRIu64 " to %" PRIu64,
                        option->name, value, option->least, option->most);
    if (option->seconds)
        return s_wrong ("--%s %s is not a number from 0 on", option->name,
                        value);
    return s_wrong ("--%s %s is not A-B, as in 1-254", option->name, value);
}

/*  What one option cannot tell by itself.  */
static int
s_check (sw_options_t *self)
{
    if (!self->endpoint || !self->server_key || !self->keys)
        return s_wrong ("--endpoint, --server-key and --keys are needed");
    if (self->idle + (self->rate > 0) + (self->period > 0)
            + (self->window > 0) > 1)
        return s_wrong ("--idle, --window, --rate and --period exclude each "
                        "other");
    if (!self->window)
        self->window = self->rate > 0 || self->period > 0 ? SP_WINDOW : 1;
    if (self->period > 0)
        self->rate = (double) self->scanners / self->period;
    uint64_t hosts = (UINT64_C (1) << (32 - self->prefix)) - 2;
    if (!self->host_last)
        self->host_last = hosts;
    if (self->host_last > hosts
        || self->subnets >= UINT64_C (1) << (self->prefix - 8))
        return s_wrong ("so many hosts or subnets of this --prefix there are "
                        "not in 10.0.0.0/8");
    if (!self->to || self->to > self->subnets)
        self->to = self->subnets;
    if (self->from > self->to)
        return s_wrong ("there is no subnet from --from-subnet %" PRIu64
                        " to %" PRIu64, self->from, self->to);
    if (self->once && (self->idle || self->rate > 0 || self->reports
                       || self->scanners != self->agents))
        return s_wrong ("--once goes with --window and a scanner per agent");
    if (self->once)
        self->reports = self->to - self->from + 1;
    return -1;
}

int
sw_options_parse (sw_options_t *out, int argc, char **argv)
{
    *out = (sw_options_t){ .scanners = 1, .subnets = 4000, .agents = 16,
                           .from = 1, .prefix = 24, .host_first = 1,
                           .patience = 60 };
    const s_option_t options[] = {
        { "endpoint", .text = &out->endpoint },
        { "server-key", .text = &out->server_key },
        { "keys", .text = &out->keys },
        { "first", .number = &out->first, .least = 0, .most = 10000000 },
        { "scanners", .number = &out->scanners, .least = 1,
          .most = SW_SCANNERS_MOST },
        { "subnets", .number = &out->subnets, .least = 1, .most = 65000 },
        { "agents", .number = &out->agents, .least = 1, .most = 10000000 },
        { "from-subnet", .number = &out->from, .least = 1, .most = 65000 },
        { "to-subnet", .number = &out->to, .least = 1, .most = 65000 },
        { "prefix", .number = &out->prefix, .least = 16, .most = 30 },
        { .name = "hosts" },
        { "spread", .seconds = &out->spread },
        { "closing", .flag = &out->closing },
        { "once", .flag = &out->once },
        { "window", .number = &out->window, .least = 1,
          .most = SW_WINDOW_MOST },
        { "rate", .seconds = &out->rate },
        { "period", .seconds = &out->period },
        { "idle", .flag = &out->idle },
        { "reports", .number = &out->reports, .least = 1, .most = 1000000000 },
        { "seconds", .seconds = &out->seconds },
        { "ramp", .seconds = &out->ramp },
        { "patience", .seconds = &out->patience },
    };
    enum { COUNT = sizeof options / sizeof *options };
    struct option longs[COUNT + 2] = { { "help", no_argument, NULL, 'h' } };
    for (int i = 0; i < COUNT; i++)
        longs[i + 1] = (struct option){
            options[i].name, options[i].flag ? no_argument : required_argument,
            NULL, 256 + i
        };
    int got;
    while ((got = getopt_long (argc, argv, "h", longs, NULL)) != -1) {
        if (got == 'h') {
            fputs (s_help, stdout);
            return EX_OK;
        }
        if (got < 256)
            return EX_USAGE; /* getopt has said why */
        if (!s_take (out, &options[got - 256], optarg))
            return s_refuse (&options[got - 256], optarg);
    }
    if (optind < argc)
        return s_wrong ("what is '%s'", argv[optind]);
    return s_check (out);
}
