/* SPDX-License-Identifier: MPL-2.0 */

#include "cli/journal.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/field.h"
#include "cli/when.h"
#include "lib/clock.h"
#include "lib/control.h"
#include "lib/span.h"

#define LIMIT_MOST 100000
#define WORD_MOST 64 /* of a request's line, which has 256 bytes */

static int
s_since (int64_t *out, const char *text)
{
    int64_t seconds;
    int64_t now = sh_clock_wall (sh_clock_system ());
    if (sh_span_parse (&seconds, text) != SH_OK || seconds == 0)
        return ctl_fail (EX_USAGE, "--since takes a span such as 90m, 24h or "
                                   "7d");
    *out = seconds * 1000 < now ? now - seconds * 1000 : 1;
    return -1;
}

static int
s_limit (int64_t *out, const char *text)
{
    size_t digits = strspn (text, "0123456789");
    *out = digits > 0 && digits < 8 && !text[digits] ? strtol (text, NULL, 10)
                                                      : 0;
    if (*out < 1 || *out > LIMIT_MOST)
        return ctl_fail (EX_USAGE, "--limit takes a number, 1 to %d",
                         LIMIT_MOST);
    return -1;
}

/*  It becomes one word of the request.  */
static int
s_word (const char **out, const char *option, const char *text)
{
    size_t size = strlen (text);
    if (size == 0 || size > WORD_MOST || strpbrk (text, " \t\r\n"))
        return ctl_fail (EX_USAGE, "--%s takes one word of at most %d "
                                   "characters", option, WORD_MOST);
    *out = text;
    return -1;
}

static int
s_take (ctl_choice_t *out, const ctl_t *self, int option)
{
    switch (option) {
    case 'n':
        return s_word (&out->scanner, "scanner", optarg);
    case 's':
        return s_word (&out->subnet, "subnet", optarg);
    case 't':
        return s_since (&out->since, optarg);
    case 'l':
        return s_limit (&out->limit, optarg);
    case 'j':
        out->json = true;
        return -1;
    case 'h':
        ctl_usage_command (stdout, self->command);
        return 0;
    default:
        return ctl_misused (self);
    }
}

int
ctl_choice_read (ctl_choice_t *out, const ctl_t *self, const char *letters,
                 int argc, char **argv)
{
    static const struct option options[]
        = { { "scanner", required_argument, NULL, 'n' },
            { "subnet", required_argument, NULL, 's' },
            { "since", required_argument, NULL, 't' },
            { "limit", required_argument, NULL, 'l' },
            { "json", no_argument, NULL, 'j' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    assert (out && self && letters);
    int option, status = -1;
    while (status < 0
           && (option = getopt_long (argc, argv, "h", options, NULL)) != -1)
        status = option == 'h' || strchr (letters, option)
                     ? s_take (out, self, option)
                     : ctl_misused (self);
    return status < 0 && optind != argc
               ? ctl_miscounted (self, argc, argv, 0)
               : status;
}

/*  What a page has, behind what there is.  Returns whether more is wanted, and
    then after which number.  */
static bool
s_append (json_t *all, json_t *page, const char *name, const char *key,
          int64_t most, int64_t *before)
{
    json_t *list = json_object_get (all, name);
    json_t *fresh = json_object_get (page, name);
    bool more = ctl_field_true (page, "more") && json_array_size (fresh) > 0;
    for (size_t i = 0; i < json_array_size (fresh); i++) {
        json_t *one = json_array_get (fresh, i);
        if ((int64_t) json_array_size (list) < most)
            (void) json_array_append (list, one);
        else
            more = false;
        *before = ctl_field_number (one, key);
    }
    return more && (int64_t) json_array_size (list) < most;
}

int
ctl_journal_pages (ctl_t *self, const char *head, const char *tail,
                   const char *name, const char *key, int64_t most,
                   json_t **out)
{
    assert (self && head && tail && name && key && out);
    json_t *all = json_object ();
    int64_t before = 0;
    bool more = true;
    int status = 0;
    (void) json_object_set_new (all, name, json_array ());
    while (status == 0 && more) {
        char request[SH_CONTROL_REQUEST_MOST + 1];
        json_t *page = NULL;
        snprintf (request, sizeof request, "%s %lld%s", head,
                  (long long) before, tail);
        status = ctl_ask_json (self, request, &page);
        if (status != 0)
            break;
        more = s_append (all, page, name, key, most, &before);
        (void) json_object_update_missing (all, page);
        json_decref (page);
    }
    (void) json_object_del (all, "more");
    if (status == 0)
        *out = all;
    else
        json_decref (all);
    return status;
}

void
ctl_journal_begin (char *out, size_t size, const json_t *document)
{
    ctl_time_text (out, size, ctl_field_number (document, "begin"));
}
