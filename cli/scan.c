/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl scan and orders: have a subnet scanned now, and watch.  */

#include "cli/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/order.h"
#include "cli/patience.h"
#include "lib/clock.h"
#include "lib/span.h"
#include "lib/wrap.h"
#include "scanner-proto/message.h"

#define STEP_MS 300      /* between two questions */
#define ANSWER_MS 15000  /* for the scanner to say that it has taken it */
#define LINE_S 5         /* between two lines where no terminal is */
#define WIDTH 79
#define INDENT 11 /* of what is said of an order */

typedef struct
{
    const char *subnet;
    const char *kind;
    bool watch, cancel;
} wanted_t;

/*  The hub's line about an order; 'order' points into '*answer'.  */
static int
s_look (ctl_t *self, const char *name, char **answer, ctl_order_t *order)
{
    char request[64];
    snprintf (request, sizeof request, "order %s", name);
    int status = ctl_ask (self, request, answer);
    if (status != 0)
        return status == 1 ? EX_TEMPFAIL : status;
    if (ctl_order_parse (order, *answer + 3) == SH_OK)
        return 0;
    free (*answer);
    *answer = NULL;
    return ctl_not_understood ();
}

static int
s_status_of (const ctl_order_t *order)
{
    if (strcmp (order->state, "done") == 0)
        return 0;
    return strcmp (order->state, "lost") == 0 ? EX_TEMPFAIL : 1;
}

static int
s_finish (const ctl_order_t *order)
{
    char text[1024];
    ctl_order_verdict (text, sizeof text, order);
    int status = s_status_of (order);
    if (status == 0)
        printf ("%s\n", text);
    else
        ctl_fail (0, "%s", text);
    return status;
}

/*  One line that is written over on a terminal, else one now and then.  */
static void
s_show (const ctl_order_t *order, bool terminal, int64_t *next)
{
    char text[WIDTH + 1];
    ctl_order_progress (text, sizeof text, order);
    int64_t now = sh_clock_mono (sh_clock_system ());
    if (terminal)
        printf ("\r%-*s", WIDTH, text);
    else if (now >= *next) {
        *next = now + LINE_S * 1000;
        printf ("%s\n", text);
    }
    fflush (stdout);
}

/*  Ctrl-C came; 'cancelled': the scan is to end anyway.  */
static int
s_stop_watching (const char *name, bool terminal, bool cancelled)
{
    printf ("%s", terminal ? "\n" : "");
    if (cancelled)
        printf ("order %s is still to be cancelled; see scanhubctl orders\n",
                name);
    else
        printf ("the scan goes on; to end it: scanhubctl scan --cancel %s\n",
                name);
    return EX_TEMPFAIL;
}

static int
s_watch (ctl_t *self, const char *name)
{
    bool terminal = isatty (STDOUT_FILENO) == 1;
    int64_t next = 0;
    for (;;) {
        char *answer = NULL;
        ctl_order_t order;
        int status = s_look (self, name, &answer, &order);
        if (status != 0)
            return status;
        if (!ctl_order_is_over (&order))
            s_show (&order, terminal, &next);
        else {
            if (terminal)
                printf ("\r%*s\r", WIDTH, "");
            status = s_finish (&order);
            free (answer);
            return status;
        }
        bool cancelled = order.cancel;
        free (answer);
        if (ctl_patience_pause (STEP_MS))
            return s_stop_watching (name, terminal, cancelled);
    }
}

/*  Until the scanner has said a word.  */
static int
s_confirm (ctl_t *self, const char *name)
{
    int64_t end = sh_clock_mono (sh_clock_system ()) + ANSWER_MS;
    for (;;) {
        char *answer = NULL, text[256];
        ctl_order_t order;
        int status = s_look (self, name, &answer, &order);
        if (status != 0)
            return status;
        bool over = ctl_order_is_over (&order);
        bool answered = ctl_order_is_answered (&order);
        if (over)
            status = s_finish (&order);
        else if (answered) {
            ctl_order_progress (text, sizeof text, &order);
            printf ("order %s: %s has taken it: %s\n", order.name,
                    order.scanner, text);
        }
        free (answer);
        if (over || answered)
            return status;
        if (sh_clock_mono (sh_clock_system ()) >= end)
            return ctl_fail (EX_TEMPFAIL,
                             "order %s is with the scanner, which has not "
                             "answered for %d s; see scanhubctl orders",
                             name, ANSWER_MS / 1000);
        if (ctl_patience_pause (STEP_MS))
            return EX_TEMPFAIL;
    }
}

/*  The second word of "ok WORD ...".  */
static bool
s_name_of (char *out, size_t size, const char *answer)
{
    const char *at = answer + 3;
    size_t length = strcspn (at, " \n");
    if (length == 0 || length >= size)
        return false;
    memcpy (out, at, length);
    out[length] = '\0';
    return true;
}

static int
s_order (ctl_t *self, const wanted_t *wanted)
{
    char *request = NULL, *answer = NULL, name[64];
    if (asprintf (&request, "scan %s %s", wanted->kind, wanted->subnet) < 0)
        return ctl_fail (EX_OSERR, "out of memory");
    int status = ctl_ask (self, request, &answer);
    free (request);
    if (status != 0)
        return status;
    bool good = s_name_of (name, sizeof name, answer);
    free (answer);
    if (!good)
        return ctl_not_understood ();
    if (!wanted->watch)
        return s_confirm (self, name);
    printf ("order %s\n", name);
    return s_watch (self, name);
}

static int
s_cancel (ctl_t *self, const wanted_t *wanted)
{
    char *request = NULL, *answer = NULL;
    if (asprintf (&request, "cancel %s", wanted->subnet) < 0)
        return ctl_fail (EX_OSERR, "out of memory");
    int status = ctl_ask (self, request, &answer);
    char name[64];
    if (status == 0 && wanted->watch && s_name_of (name, sizeof name, answer))
        status = s_watch (self, name);
    else if (status == 0)
        printf ("order %s", answer + 3);
    free (answer);
    free (request);
    return status;
}

int
ctl_scan (ctl_t *self, int argc, char **argv)
{
    static const struct option options[]
        = { { "kind", required_argument, NULL, 'k' },
            { "watch", no_argument, NULL, 'w' },
            { "cancel", no_argument, NULL, 'c' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    wanted_t wanted = { .kind = "both" };
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'h':
            ctl_usage_command (stdout, self->command);
            return 0;
        case 'k':
            if (sp_kind_of (optarg) == SP_KIND_COUNT)
                return ctl_fail (EX_USAGE,
                                 "--kind is discover, check or both");
            wanted.kind = optarg;
            break;
        case 'w':
            wanted.watch = true;
            break;
        case 'c':
            wanted.cancel = true;
            break;
        default:
            return ctl_misused (self);
        }
    }
    if (optind + 1 != argc)
        return ctl_miscounted (self, argc, argv, 1);
    wanted.subnet = argv[optind];
    ctl_patience_begin ();
    return wanted.cancel ? s_cancel (self, &wanted) : s_order (self, &wanted);
}

static int
s_print_order (char *line)
{
    ctl_order_t order;
    char text[1024];
    if (ctl_order_parse (&order, line) != SH_OK)
        return ctl_not_understood ();
    if (ctl_order_is_over (&order))
        ctl_order_verdict (text, sizeof text, &order);
    else
        ctl_order_progress (text, sizeof text, &order);
    char head[512], age[SH_SPAN_TEXT];
    sh_span_about (age, order.age);
    snprintf (head, sizeof head, "%s  subnet %llu, %s, %s by %s, %s ago",
              order.name, (unsigned long long) order.subnet, order.network,
              order.kind, order.scanner, age);
    sh_wrap (stdout, 0, INDENT, head);
    sh_wrap (stdout, INDENT, INDENT, text);
    return 0;
}

int
ctl_orders (ctl_t *self, int argc, char **argv)
{
    char *answer = NULL, *rest = NULL;
    int status = ctl_words (self, argc, argv, 0, NULL);
    if (status >= 0)
        return status;
    status = ctl_ask (self, "orders", &answer);
    if (status == 0) {
        size_t count = 0;
        strtok_r (answer, "\n", &rest);
        for (char *line; status == 0 && (line = strtok_r (NULL, "\n", &rest));
             count++)
            status = s_print_order (line);
        if (count == 0)
            printf ("no scan was ordered in the last hour\n");
    }
    free (answer);
    return status;
}
