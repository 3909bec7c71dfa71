/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl pause and resume.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/when.h"
#include "lib/clock.h"

/*  Whom a request is about: what the control socket would not take as %XX.
    '*out' is malloc'ed; NULL: no memory.  */
static char *
s_encode (const char *text)
{
    char *out = malloc (3 * strlen (text) + 1), *at = out;
    for (; out && *text; text++) {
        unsigned char byte = (unsigned char) *text;
        if (byte < ' ' || byte > '~' || byte == '%')
            at += snprintf (at, sizeof "%XX", "%%%02x", byte);
        else
            *at++ = (char) byte;
    }
    if (out)
        *at = '\0';
    return out;
}

static int
s_ask (ctl_t *self, const char *before, const char *whom)
{
    char *request = NULL, *answer = NULL, *encoded = s_encode (whom);
    if (!encoded || asprintf (&request, "%s %s", before, encoded) < 0) {
        free (encoded);
        return ctl_fail (EX_OSERR, "out of memory");
    }
    int status = ctl_ask (self, request, &answer);
    if (status == 0)
        fputs (answer + 3, stdout);
    free (answer);
    free (request);
    free (encoded);
    return status;
}

int
ctl_pause (ctl_t *self, int argc, char **argv)
{
    static const struct option options[]
        = { { "until", required_argument, NULL, 'u' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    char request[64] = "pause -";
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1) {
        int64_t until;
        if (option == 'h') {
            ctl_usage_command (stdout, self->command);
            return 0;
        }
        if (option != 'u')
            return ctl_misused (self);
        int64_t now = sh_clock_wall (sh_clock_system ());
        if (ctl_until_parse (&until, optarg, now) != SH_OK)
            return ctl_fail (EX_USAGE,
                             "--until takes a span such as 90m, 8h or 2d, a "
                             "time such as 06:00, or a day and time such as "
                             "'2026-11-30 06:00'");
        if (until <= now)
            return ctl_fail (EX_USAGE, "--until %s is over already", optarg);
        snprintf (request, sizeof request, "pause %" PRId64, until);
    }
    if (optind + 1 != argc)
        return ctl_miscounted (self, argc, argv, 1);
    return s_ask (self, request, argv[optind]);
}

int
ctl_resume (ctl_t *self, int argc, char **argv)
{
    int status = ctl_words (self, argc, argv, 1, NULL);
    if (status >= 0)
        return status;
    return s_ask (self, "resume", argv[optind]);
}
