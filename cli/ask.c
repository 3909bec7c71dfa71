/* SPDX-License-Identifier: MPL-2.0 */
/*  The commands that ask the running hub over its control socket.  */


#include "cli/ctl.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "lib/wrap.h"
#include "lib/clock.h"
#include "lib/control.h"

#define HUB "scanhubd"
#define ASK_MS 30000  /* a reload reads a registry of any size */
#define PING_MS 5000
#define WAIT_MS 200   /* between two pings */
#define WAIT_MOST 86400
#define FORCE_MS 3000 /* for the hub to take up a change of its registry */
#define FORCE_STEP_MS 50

static void
s_pause (long ms)
{
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep (&time, NULL);
}

static bool
s_is_ok (const char *answer)
{
    return strncmp (answer, "ok", 2) == 0
           && (answer[2] == '\0' || answer[2] == ' ' || answer[2] == '\n');
}

/*  What an answer says, without the "error" and without the line end.  */
static const char *
s_reason (char *answer)
{
    static const char prefix[] = "error ";
    answer[strcspn (answer, "\n")] = '\0';
    if (strncmp (answer, prefix, sizeof prefix - 1) == 0)
        return answer + sizeof prefix - 1;
    return answer;
}

static int
s_fail_ask (sh_err_t rc, const sh_why_t *why)
{
    if (rc == SH_E_NOT_FOUND)
        return ctl_fail (EX_UNAVAILABLE, "%s", why->text);
    return ctl_fail_err (rc, why);
}

int
ctl_words (const ctl_t *self, int argc, char **argv, int words, bool *json)
{
    static const struct option options[]
        = { { "help", no_argument, NULL, 'h' },
            { "json", no_argument, NULL, 'j' },
            { 0 } };
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            ctl_usage_command (stdout, self->command);
            return 0;
        }
        if (option != 'j' || !json)
            return ctl_misused (self);
        *json = true;
    }
    return argc - optind == words ? -1
                                  : ctl_miscounted (self, argc, argv, words);
}

int
ctl_ask (ctl_t *self, const char *request, char **answer)
{
    int status = ctl_config (self);
    if (status != 0)
        return status;
    sh_why_t why;
    sh_err_t rc = sh_control_ask (answer, self->config->control, HUB, request,
                                  ASK_MS, &why);
    if (rc != SH_OK)
        return s_fail_ask (rc, &why);
    if (s_is_ok (*answer))
        return 0;
    ctl_fail (1, "%s", s_reason (*answer));
    free (*answer);
    *answer = NULL;
    return 1;
}

int
ctl_not_understood (void)
{
    return ctl_fail (EX_SOFTWARE, "the hub's answer makes no sense; is "
                                  "scanhubctl of another version than "
                                  "scanhubd?");
}

int
ctl_ask_json (ctl_t *self, const char *request, json_t **out)
{
    char *answer = NULL;
    int status = ctl_ask (self, request, &answer);
    if (status != 0)
        return status;
    *out = json_loads (answer + strcspn (answer, " "), JSON_REJECT_DUPLICATES,
                       NULL);
    free (answer);
    return *out ? 0 : ctl_not_understood ();
}

int
ctl_print_json (const json_t *document)
{
    if (json_dumpf (document, stdout, JSON_INDENT (2)) != 0)
        return ctl_fail (EX_IOERR, "cannot write the document");
    putchar ('\n');
    return 0;
}

/*  Ask and print the answer: the whole of it and 0 if it is ok, else the
    reason and 1.  */
static int
s_relay (ctl_t *self, const char *request, int argc, char **argv)
{
    char *answer = NULL;
    int status = ctl_words (self, argc, argv, 0, NULL);
    if (status >= 0)
        return status;
    status = ctl_ask (self, request, &answer);
    if (status == 0)
        sh_wrap_lines (stdout, answer);
    free (answer);
    return status;
}

int
ctl_reload (ctl_t *self, int argc, char **argv)
{
    /*  With words behind it, it is misused, or --help.  */
    int status = argc > 1 ? 0 : ctl_config_of_reload (self);
    if (status != 0)
        return status;
    return s_relay (self, "reload", argc, argv);
}

/*  One ping.  'last' is the try after which the reason is printed.  */
static int
s_ping (const ctl_t *self, bool last)
{
    char *answer = NULL;
    sh_why_t why;
    sh_err_t rc = sh_control_ask (&answer, self->config->control, HUB, "ping",
                                  PING_MS, &why);
    bool waiting_helps = rc == SH_E_NOT_FOUND || rc == SH_E_TIMEOUT
                         || rc == SH_E_IO; /* it may be starting anew */
    if (rc != SH_OK)
        return waiting_helps && !last ? EX_TEMPFAIL : s_fail_ask (rc, &why);

    int status = 0;
    if (s_is_ok (answer))
        fputs (answer, stdout);
    else if (last)
        status = ctl_fail (EX_TEMPFAIL, "the hub says: %s", s_reason (answer));
    else
        status = EX_TEMPFAIL;
    free (answer);
    return status;
}

/*  Digits only, up to WAIT_MOST.  */
static bool
s_seconds (long *out, const char *text)
{
    size_t size = strspn (text, "0123456789");
    if (size == 0 || size > 5 || text[size] != '\0')
        return false;
    *out = strtol (text, NULL, 10);
    return *out <= WAIT_MOST;
}

int
ctl_ping (ctl_t *self, int argc, char **argv)
{
    static const struct option options[]
        = { { "wait", required_argument, NULL, 'w' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    long seconds = 0;
    int option;
    while ((option = getopt_long (argc, argv, "w:h", options, NULL)) != -1) {
        if (option == 'h') {
            ctl_usage_command (stdout, self->command);
            return 0;
        }
        if (option != 'w')
            return ctl_misused (self);
        if (!s_seconds (&seconds, optarg))
            return ctl_fail (EX_USAGE, "--wait takes seconds, 0 to %d",
                             WAIT_MOST);
    }
    if (optind != argc)
        return ctl_miscounted (self, argc, argv, 0);
    int status = ctl_config (self);
    if (status != 0)
        return status;

    const sh_clock_t *clock = sh_clock_system ();
    int64_t deadline = sh_clock_mono (clock) + seconds * 1000;
    for (;;) {
        bool last = sh_clock_mono (clock) + WAIT_MS >= deadline;
        status = s_ping (self, last);
        if (last || status != EX_TEMPFAIL)
            return status;
        s_pause (WAIT_MS);
    }
}

#define NOT_IN_FORCE "error not in force"

/*  Is it one of the two answers that there are about a key?  */
static bool
s_is_force (const char *answer)
{
    return s_is_ok (answer)
           || strncmp (answer, NOT_IN_FORCE, sizeof NOT_IN_FORCE - 1) == 0;
}

/*  Ask until the key is in force as wanted.  '*answer' is the last one.  */
static sh_err_t
s_ask_force (const ctl_t *self, const char *key, bool gone, char **answer,
             sh_why_t *why)
{
    char *request = NULL;
    const sh_clock_t *clock = sh_clock_system ();
    int64_t deadline = sh_clock_mono (clock) + FORCE_MS;
    if (asprintf (&request, "key %s", key) < 0)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    sh_err_t rc;
    for (;;) {
        rc = sh_control_ask (answer, self->config->control, HUB, request,
                             FORCE_MS, why);
        if (rc != SH_OK || !s_is_force (*answer)
            || s_is_ok (*answer) != gone
            || sh_clock_mono (clock) >= deadline)
            break;
        free (*answer);
        *answer = NULL;
        s_pause (FORCE_STEP_MS);
    }
    free (request);
    return rc;
}

/*  Which hub was it that said so?  With several on one database or registry,
    the others answer at sockets of their own.  */
static void
s_tell_hub (const ctl_t *self)
{
    char *answer = NULL;
    sh_why_t why;
    const char *which = "";
    if (sh_control_ask (&answer, self->config->control, HUB, "hub", FORCE_MS,
                        &why)
            == SH_OK
        && strncmp (answer, "ok ", 3) == 0) {
        answer[strcspn (answer, "\n")] = '\0';
        which = answer + 3;
    }
    ctl_say ("asked: the hub at %s%s%s", self->config->control,
             *which ? ", " : "", which);
    free (answer);
}

void
ctl_tell_force (const ctl_t *self, const char *key, bool gone)
{
    char *answer = NULL;
    sh_why_t why;
    sh_err_t rc = s_ask_force (self, key, gone, &answer, &why);
    if (rc == SH_E_NOT_FOUND)
        ctl_say ("the hub is not running (nobody answers at %s); that counts as "
                 "soon as it starts",
                 self->config->control);
    else if (rc != SH_OK)
        ctl_warn ("cannot ask the hub whether that is in force: %s", why.text);
    else if (s_is_force (answer) && s_is_ok (answer) != gone) {
        printf ("in force: the running hub lets it in %s\n",
                gone ? "no longer" : "from now on");
        s_tell_hub (self);
    } else
        ctl_warn ("the running hub has not taken that up; it says: %s",
                  s_reason (answer));
    free (answer);
}

void
ctl_tell_code (const ctl_t *self, const char *code)
{
    char *answer = NULL, *request = NULL;
    sh_why_t why;
    if (asprintf (&request, "code %s", code) < 0)
        return;
    sh_err_t rc = sh_control_ask (&answer, self->config->control, HUB, request,
                                  FORCE_MS, &why);
    if (rc == SH_OK && strncmp (answer, "ok ", 3) == 0) {
        answer[strcspn (answer, "\n")] = '\0';
        ctl_say ("scan agent: %s", answer + 3);
    } else if (rc == SH_OK && !s_is_ok (answer))
        ctl_warn ("%s", s_reason (answer));
    free (answer);
    free (request);
}
