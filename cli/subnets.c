/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl subnets: what is scanned, how, and why something is not.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/span.h"

#define COLUMNS 80
#define INDENT 8
#define NETWORK_WIDTH 18
#define AGENT_WIDTH 16

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

/*  Break a sentence into lines that fit.  */
static void
s_print_wrapped (const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t size = strcspn (text, " ");
        if (column > 0 && column + 1 + size > COLUMNS) {
            putchar ('\n');
            column = 0;
        }
        if (column == 0)
            column = (size_t) printf ("%*s%.*s", INDENT, "", (int) size, text);
        else
            column += (size_t) printf (" %.*s", (int) size, text);
        text += size;
        text += *text == ' ';
    }
    putchar ('\n');
}

static void
s_every (char *out, size_t size, const char *word)
{
    if (word[0] >= '0' && word[0] <= '9')
        ctl_span_text (out, size, strtoll (word, NULL, 10));
    else
        snprintf (out, size, "%s", word);
}

/*  A name that is too long for its column moves what follows.  */
static void
s_print_line (const line_t *line)
{
    char check[32], discover[32], until[32];
    s_every (check, sizeof check, line->check);
    s_every (discover, sizeof discover, line->discover);
    bool sent = strcmp (line->cause, "sent") == 0;
    printf ("%6" PRIu64 "  %-*s  %-*s  %6s  %8s  ", line->id, NETWORK_WIDTH,
            line->network, AGENT_WIDTH, line->agent, check, discover);
    if (!sent)
        printf ("not scanned\n");
    else if (line->paused == 0)
        printf ("scanned\n");
    else if (line->paused < 0)
        printf ("paused\n");
    else {
        ctl_time_text (until, sizeof until, line->paused);
        printf ("paused\n%*suntil %s\n", INDENT, "", until);
    }
    if (!sent)
        s_print_wrapped (line->text);
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
            return ctl_fail (EX_SOFTWARE, "the hub's answer makes no sense; is "
                                          "scanhubctl of another version than "
                                          "scanhubd?");
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
        if (status == 0)
            printf ("%s%s", i ? "\n" : "", answer + strcspn (answer, "\n") + 1);
        else
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
