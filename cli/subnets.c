/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl subnets: what is scanned, how, and why something is not.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/when.h"
#include "lib/span.h"
#include "lib/wrap.h"

#define INDENT 8
#define NETWORK_WIDTH 18
#define AGENT_WIDTH 16
#define INTERVALS (INDENT + NETWORK_WIDTH + 2 + AGENT_WIDTH)

/*  A line of the hub's answer, cut up; see hub/requests.c.  */
typedef struct
{
    uint64_t id;
    const char *network, *agent, *check, *discover, *cause;
    int64_t paused;
    bool ours;
    const char *text;
} line_t;

typedef struct
{
    const char *agent; /* NULL: of all */
    bool all;
    size_t printed, hidden;
    uint64_t last; /* the id of the last line */
    bool more;
} listing_t;

static bool
s_parse (line_t *out, char *line)
{
    const char *fields[9];
    for (size_t i = 0; i < 9; i++) {
        fields[i] = strsep (&line, "\t");
        if (!fields[i])
            return false;
    }
    *out = (line_t){ .id = strtoull (fields[0], NULL, 10),
                     .network = fields[1],
                     .agent = fields[2],
                     .check = fields[3],
                     .discover = fields[4],
                     .cause = fields[5],
                     .paused = strtoll (fields[6], NULL, 10),
                     .ours = strcmp (fields[7], "ours") == 0,
                     .text = fields[8] };
    return !line && out->id > 0;
}

static void
s_every (char out[static SH_SPAN_TEXT], const char *word)
{
    if (word[0] >= '0' && word[0] <= '9')
        sh_span_text (out, strtoll (word, NULL, 10));
    else
        snprintf (out, SH_SPAN_TEXT, "%s", word);
}

/*  The first three columns.  A long network takes room of the agent's name, and
    where both are too long the others move; if they would not fit then, they
    get a line of their own.  */
static void
s_print_head (const line_t *line, size_t behind)
{
    size_t network = sh_columns (line->network);
    size_t agent = sh_columns (line->agent);
    size_t wide = network > NETWORK_WIDTH ? network : NETWORK_WIDTH;
    size_t used = INDENT + wide + 2 + agent;
    printf ("%6" PRIu64 "  %s", line->id, line->network);
    if (used > SH_COLUMNS) {
        printf ("\n%*s", INDENT, "");
        used = INDENT + agent;
    } else
        printf ("%*s", (int) (wide - network + 2), "");
    fputs (line->agent, stdout);
    if (used < INTERVALS)
        printf ("%*s", (int) (INTERVALS - used), "");
    else if (used + behind > SH_COLUMNS)
        printf ("\n%*s", INTERVALS, "");
}

static void
s_print_line (const line_t *line)
{
    char check[SH_SPAN_TEXT], discover[SH_SPAN_TEXT], until[32], behind[128];
    s_every (check, line->check);
    s_every (discover, line->discover);
    bool sent = strcmp (line->cause, "sent") == 0;
    int size = snprintf (behind, sizeof behind, "  %6s  %8s  %s", check,
                         discover,
                         !sent                ? "not scanned"
                         : line->paused == 0 ? "scanned"
                                             : "paused");
    s_print_head (line, size > 0 ? (size_t) size : 0);
    printf ("%s\n", behind);
    if (sent && line->paused > 0) {
        ctl_time_text (until, sizeof until, line->paused);
        printf ("%*suntil %s\n", INDENT, "", until);
    }
    if (!sent)
        sh_wrap (stdout, INDENT, INDENT, line->text);
}

static bool
s_is_wanted (const listing_t *self, const line_t *line)
{
    if (self->agent)
        return strcmp (self->agent, line->agent) == 0;
    return self->all || line->ours;
}

static int
s_take_page (listing_t *self, char *answer)
{
    char *rest = NULL;
    strtok_r (answer, "\n", &rest); /* the "ok" */
    self->more = false;
    for (char *line; (line = strtok_r (NULL, "\n", &rest));) {
        line_t one;
        self->more = strcmp (line, "more") == 0;
        if (self->more)
            break;
        if (!s_parse (&one, line) || one.id <= self->last)
            return ctl_not_understood ();
        self->last = one.id;
        if (!s_is_wanted (self, &one)) {
            self->hidden++;
            continue;
        }
        if (self->printed++ == 0)
            printf ("%6s  %-*s  %-*s  %6s  %8s  STATE\n", "ID", NETWORK_WIDTH,
                    "NETWORK", AGENT_WIDTH, "AGENT", "CHECK", "DISCOVER");
        s_print_line (&one);
    }
    return 0;
}

static int
s_list (ctl_t *self, listing_t *listing)
{
    int status = 0;
    do {
        char request[64], *answer = NULL;
        snprintf (request, sizeof request, "subnets %" PRIu64, listing->last);
        status = ctl_ask (self, request, &answer);
        if (status == 0)
            status = s_take_page (listing, answer);
        free (answer);
    } while (status == 0 && listing->more);
    if (status != 0)
        return status;
    if (listing->printed == 0 && listing->agent)
        return ctl_fail (1, "scan agent '%s' has no subnet in phpIPAM, or is "
                            "not there", listing->agent);
    if (listing->printed == 0)
        printf ("phpIPAM gives no subnet to a scanner\n");
    if (listing->hidden > 0 && !listing->agent)
        printf ("%zu more are given to agents that are not for scanners: see "
                "--all\n", listing->hidden);
    return 0;
}

/*  One after the other, in full.  */
static int
s_show (ctl_t *self, int count, char **words)
{
    int worst = 0;
    for (int i = 0; i < count; i++) {
        char *request = NULL, *answer = NULL;
        if (asprintf (&request, "subnet %s", words[i]) < 0)
            return ctl_fail (EX_OSERR, "out of memory");
        int status = ctl_ask (self, request, &answer);
        if (status == 0) {
            fputs (i ? "\n" : "", stdout);
            sh_wrap_lines (stdout, answer + strcspn (answer, "\n") + 1);
        } else
            worst = status;
        free (answer);
        free (request);
    }
    return worst;
}

int
ctl_subnets (ctl_t *self, int argc, char **argv)
{
    static const struct option options[]
        = { { "agent", required_argument, NULL, 'a' },
            { "all", no_argument, NULL, 'A' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    listing_t listing = { 0 };
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            ctl_usage_command (stdout, self->command);
            return 0;
        }
        if (option == 'a')
            listing.agent = optarg;
        else if (option == 'A')
            listing.all = true;
        else
            return ctl_misused (self);
    }
    if (optind == argc)
        return s_list (self, &listing);
    if (listing.agent || listing.all)
        return ctl_misused (self);
    return s_show (self, argc - optind, argv + optind);
}
