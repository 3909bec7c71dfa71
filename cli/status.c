/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl status: is it working, and if not, why?  */

#include "cli/status.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cli/ctl.h"
#include "cli/field.h"
#include "lib/term.h"
#include "lib/text.h"

#define ROWS_MOST 20   /* of each table, without --all */
#define ROWS_LEAST 3   /* on a small terminal */
#define OTHER_LINES 24 /* that stand around the tables, about */
#define SECONDS 2
#define SECONDS_MOST 3600
#define PAGES_MOST 1000 /* no hub has so many */

typedef struct
{
    bool json, all, watch;
    long seconds;
} options_t;

static volatile sig_atomic_t s_ended;

static void
s_end (int number)
{
    (void) number;
    s_ended = 1;
}

/*  Get one page after the other and make one list of them.  'key' is that of
    the list; with 'id' the next page is asked for behind the last item's, else
    by the number of items so far.  */
static int
s_take_pages (ctl_t *ctl, json_t *document, const char *request,
              const char *key, const char *id)
{
    json_t *whole = json_array ();
    int64_t after = 0;
    bool more = true;
    int status = 0;
    for (int i = 0; status == 0 && more && i < PAGES_MOST; i++) {
        char text[64];
        json_t *page = NULL;
        snprintf (text, sizeof text, "%s %" PRId64, request, after);
        status = ctl_ask_json (ctl, text, &page);
        json_t *list = json_object_get (page, key);
        size_t size = json_array_size (list);
        more = size > 0 && ctl_field_true (page, "more");
        json_array_extend (whole, list);
        after = id && size > 0
                    ? ctl_field_number (json_array_get (list, size - 1), id)
                    : (int64_t) json_array_size (whole);
        json_decref (page);
    }
    json_object_set_new (document, request, whole);
    return status;
}

static int
s_take (ctl_t *ctl, json_t **document)
{
    int status = ctl_ask_json (ctl, "status", document);
    if (status != 0)
        return status;
    /*  The sums stand where the lists will.  */
    json_object_set (*document, "scanner_sums",
                     json_object_get (*document, "scanners"));
    json_object_set (*document, "subnet_sums",
                     json_object_get (*document, "subnets"));
    json_object_del (*document, "subnets");
    status = s_take_pages (ctl, *document, "scanners", "scanners", NULL);
    if (status == 0)
        status = s_take_pages (ctl, *document, "coverage", "subnets",
                               "subnet");
    json_object_set (*document, "subnets",
                     json_object_get (*document, "coverage"));
    json_object_del (*document, "coverage");
    return status;
}

/*  Lines of the terminal that is to show it in place; 0: there is none.  */
static size_t
s_height (const options_t *options)
{
    struct winsize size;
    return options->watch && ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0
               ? size.ws_row
               : 0;
}

static size_t
s_rows (const options_t *options)
{
    size_t height = s_height (options);
    if (options->all)
        return 0;
    if (height == 0)
        return ROWS_MOST;
    size_t left = height > OTHER_LINES ? (height - OTHER_LINES) / 2 : 0;
    return left < ROWS_LEAST ? ROWS_LEAST
                             : left > ROWS_MOST ? ROWS_MOST : left;
}

/*  As much of a text as there is room for, from its first line on, which has
    the answer: what does not fit would push that off the screen.  */
static void
s_print_top (const char *text, size_t height, bool colour)
{
    size_t lines = 0, left = 0;
    const char *end = text;
    for (; *end && lines + 1 < height; lines++) {
        end += strcspn (end, "\n");
        end += *end == '\n';
    }
    for (const char *at = end; *at && height > 2; at++)
        left += *at == '\n';
    if (left > 0) { /* the last line is for saying so */
        for (end--; end > text && end[-1] != '\n';)
            end--;
        left++;
    }
    fwrite (text, 1, (size_t) (end - text), stdout);
    fputs (sh_term_off (SH_MARK_HEADING, colour), stdout);
    if (left > 0)
        printf ("... and %zu line%s more, for which this window is too low",
                left, sh_text_s (left));
}

static bool
s_print (const json_t *document, const options_t *options)
{
    const size_t height = s_height (options);
    const bool colour = sh_term_colour (stdout);
    char *text = NULL;
    size_t size = 0;
    if (height == 0)
        return ctl_status_print (document, s_rows (options), stdout, colour);
    FILE *to = open_memstream (&text, &size);
    bool whole = to && ctl_status_print (document, s_rows (options), to, colour);
    if (to && fclose (to) == 0)
        s_print_top (text, height, colour);
    free (text);
    return whole;
}

static int
s_show (ctl_t *ctl, const options_t *options)
{
    json_t *document = NULL;
    int status = s_take (ctl, &document);
    if (status == 0 && options->json)
        status = ctl_print_json (document);
    else if (status == 0 && !s_print (document, options))
        status = ctl_fail (EX_OSERR, "out of memory");
    if (status == 0 && !ctl_status_works (document))
        status = 1;
    json_decref (document);
    return status;
}

/*  On the terminal's other screen, so that what was there comes back.  */
static int
s_watch (ctl_t *ctl, const options_t *options)
{
    const bool terminal = isatty (STDOUT_FILENO);
    /*  What is being printed is printed to its end, for a write that is cut
        short looks like a failure; a second signal ends us at once.  */
    const struct sigaction action
        = { .sa_handler = s_end, .sa_flags = SA_RESTART | (int) SA_RESETHAND };
    const struct timespec time = { options->seconds, 0 };
    int status = 0;
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
    sigaction (SIGHUP, &action, NULL);
    if (terminal)
        fputs ("\033[?1049h\033[?25l", stdout);
    for (bool first = true; !s_ended; first = false) {
        fputs (terminal ? "\033[H\033[J" : first ? "" : "\n", stdout);
        status = s_show (ctl, options);
        if (fflush (stdout) != 0 || s_ended)
            break;
        nanosleep (&time, NULL);
    }
    if (terminal)
        fputs ("\033[?25h\033[?1049l", stdout);
    fflush (stdout);
    return status;
}

/*  -1: go on.  */
static int
s_parse (ctl_t *ctl, int argc, char **argv, options_t *out)
{
    static const struct option options[]
        = { { "json", no_argument, NULL, 'j' },
            { "all", no_argument, NULL, 'a' },
            { "watch", optional_argument, NULL, 'w' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    const char *seconds = NULL;
    int option;
    while ((option = getopt_long (argc, argv, "jaw::h", options, NULL)) != -1)
        switch (option) {
        case 'j':
            out->json = true;
            break;
        case 'a':
            out->all = true;
            break;
        case 'w':
            out->watch = true;
            seconds = optarg;
            break;
        case 'h':
            ctl_usage_command (stdout, ctl->command);
            return 0;
        default:
            return ctl_misused (ctl);
        }
    if (out->watch && !seconds && optind + 1 == argc)
        seconds = argv[optind++];
    if (optind != argc)
        return ctl_miscounted (ctl, argc, argv, 0);
    if (!seconds)
        return -1;
    size_t digits = strspn (seconds, "0123456789");
    out->seconds = digits < 6 ? strtol (seconds, NULL, 10) : 0;
    if (seconds[digits] != '\0' || out->seconds < 1
        || out->seconds > SECONDS_MOST)
        return ctl_fail (EX_USAGE, "--watch takes seconds, 1 to %d",
                         SECONDS_MOST);
    return -1;
}

int
ctl_status (ctl_t *self, int argc, char **argv)
{
    options_t options = { .seconds = SECONDS };
    int status = s_parse (self, argc, argv, &options);
    if (status >= 0)
        return status;
    return options.watch ? s_watch (self, &options)
                         : s_show (self, &options);
}
