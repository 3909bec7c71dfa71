/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl preview: what the hub holds, and what is to become of it.  */

#include "cli/ctl.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/field.h"
#include "cli/patience.h"
#include "cli/preview_text.h"
#include "lib/clock.h"

#define FIRST_MS 10 /* to the first question how far it is, then longer, */
#define STEP_MS 300 /* but not longer than that */

/*  Which entries a command is about.  */
typedef struct
{
    bool json, all;
    const char *subnet;  /* an id or a network; NULL */
    json_t *list;        /* their entries */
} choice_t;

/*  Ask for a page and append what it has under 'key' to 'list'; 'last' is where
    the next one goes on.  */
static int
s_page (ctl_t *self, const char *request, const char *key, const char *number,
        json_t *list, int64_t *last, bool *more, json_t **whole)
{
    json_t *page = NULL;
    int status = ctl_ask_json (self, request, &page);
    if (status != 0)
        return status;
    const json_t *items = json_object_get (page, key);
    size_t count = json_array_size (items);
    for (size_t i = 0; i < count; i++)
        json_array_append (list, json_array_get (items, i));
    if (count > 0)
        *last = ctl_field_number (json_array_get (items, count - 1), number);
    *more = count > 0 && ctl_field_true (page, "more");
    if (whole && !*whole)
        *whole = json_incref (page);
    bool good = json_is_array (items);
    json_decref (page);
    return good ? 0 : ctl_not_understood ();
}

/*  All entries.  */
static int
s_entries (ctl_t *self, json_t **out, json_t **first)
{
    json_t *list = json_array ();
    int64_t last = 0;
    bool more = true;
    int status = 0;
    while (status == 0 && more) {
        char request[64];
        snprintf (request, sizeof request, "previews %" PRId64,
                  last);
        status = s_page (self, request, "previews", "number", list, &last,
                         &more, first);
    }
    *out = list;
    return status;
}

static bool
s_is_of (const json_t *entry, const char *subnet)
{
    char id[24];
    const char *cidr = ctl_field_text (entry, "cidr");
    snprintf (id, sizeof id, "%" PRId64,
              ctl_field_number (entry, "subnet"));
    return strcmp (id, subnet) == 0 || strcmp (cidr, subnet) == 0;
}

/*  The entries of a subnet only.  */
static void
s_filter (json_t *list, const char *subnet)
{
    for (size_t i = json_array_size (list); subnet && i-- > 0;)
        if (!s_is_of (json_array_get (list, i), subnet))
            json_array_remove (list, i);
}

/*  Not a word that no subnet can have: "nothing is held" would be wrong.  */
static bool
s_means_subnet (const char *word)
{
    sh_prefix_t prefix;
    return (*word && word[strspn (word, "0123456789")] == '\0')
           || sh_prefix_parse (&prefix, word) == SH_OK;
}

/*  Options of all these commands; -1: go on.  */
static int
s_options (const ctl_t *self, int argc, char **argv, choice_t *out)
{
    static const struct option options[]
        = { { "json", no_argument, NULL, 'j' },
            { "all", no_argument, NULL, 'a' },
            { "subnet", required_argument, NULL, 's' },
            { "help", no_argument, NULL, 'h' },
            { 0 } };
    int option;
    while ((option = getopt_long (argc, argv, "h", options, NULL)) != -1)
        switch (option) {
        case 'j':
            out->json = true;
            break;
        case 'a':
            out->all = true;
            break;
        case 's':
            out->subnet = optarg;
            if (s_means_subnet (optarg))
                break;
            return ctl_fail (EX_USAGE,
                             "'%s' is no subnet; name it by its id in phpIPAM, "
                             "or as 10.0.0.0/24", optarg);
        case 'h':
            ctl_usage_command (stdout, self->command);
            return 0;
        default:
            return ctl_misused (self);
        }
    return -1;
}

int
ctl_preview_list (ctl_t *self, int argc, char **argv)
{
    choice_t choice = { 0 };
    json_t *list = NULL, *first = NULL;
    int status = s_options (self, argc, argv, &choice);
    if (status >= 0)
        return status;
    if (optind != argc || choice.all)
        return ctl_misused (self);
    status = s_entries (self, &list, &first);
    s_filter (list, choice.subnet);
    if (status == 0 && choice.json)
        status = ctl_print_json (list);
    else if (status == 0)
        ctl_preview_print_list (list, ctl_field_number (first, "dropped"),
                                sh_clock_wall (sh_clock_system ()));
    json_decref (list);
    json_decref (first);
    return status;
}

static bool
s_is_number (const char *word)
{
    size_t size = strspn (word, "0123456789");
    return size > 0 && size < 19 && word[size] == '\0';
}

int
ctl_preview_show (ctl_t *self, int argc, char **argv)
{
    choice_t choice = { 0 };
    int status = s_options (self, argc, argv, &choice);
    if (status >= 0)
        return status;
    if (optind + 1 != argc || choice.all || choice.subnet
        || !s_is_number (argv[optind]))
        return ctl_misused (self);
    json_t *lines = json_array (), *first = NULL;
    int64_t last = 0;
    bool more = true;
    status = 0;
    while (status == 0 && more) {
        char request[64];
        snprintf (request, sizeof request, "preview %s %" PRId64,
                  argv[optind], last);
        status = s_page (self, request, "lines", "line", lines, &last, &more,
                         &first);
    }
    const json_t *entry = json_object_get (first, "preview");
    if (status == 0 && choice.json) {
        json_t *document = json_pack ("{s:O, s:O}", "preview", entry, "lines",
                                      lines);
        status = ctl_print_json (document);
        json_decref (document);
    } else if (status == 0)
        ctl_preview_print (entry, lines, sh_clock_wall (sh_clock_system ()));
    json_decref (lines);
    json_decref (first);
    return status;
}

/*  Whom 'apply' or 'drop' is about: numbers, or --subnet or --all of the list,
    in the order in which they came.  */
static int
s_choose (ctl_t *self, int argc, char **argv, choice_t *out)
{
    bool named = optind < argc;
    if (named == (out->all || out->subnet))
        return ctl_misused (self);
    if (!named) {
        int status = s_entries (self, &out->list, NULL);
        s_filter (out->list, out->subnet);
        if (status == 0 && json_array_size (out->list) == 0)
            return ctl_fail (1, "nothing is held%s",
                             out->subnet ? " of this subnet" : "");
        return status;
    }
    out->list = json_array ();
    for (int i = optind; i < argc; i++) {
        if (!s_is_number (argv[i]))
            return ctl_fail (EX_USAGE, "'%s' is no number of the list; see "
                                       "scanhubctl preview list", argv[i]);
        json_array_append_new (
            out->list, json_pack ("{s:I}", "number",
                                  (int64_t) strtoll (argv[i], NULL, 10)));
    }
    return 0;
}

static int
s_request (ctl_t *self, const char *word, int64_t number)
{
    char request[64], *answer = NULL;
    snprintf (request, sizeof request, "%s %" PRId64, word,
              number);
    int status = ctl_ask (self, request, &answer);
    free (answer);
    return status;
}

/*  Ask until it is over; '*out' is the result.  EX_TEMPFAIL: Ctrl-C.  */
static int
s_await (ctl_t *self, int64_t number, json_t **out)
{
    char request[64];
    long pause = FIRST_MS;
    snprintf (request, sizeof request, "applied %" PRId64,
              number);
    for (;;) {
        json_t *result = NULL;
        int status = ctl_ask_json (self, request, &result);
        if (status != 0)
            return status;
        const char *state = ctl_field_text (result, "state");
        if (*state && strcmp (state, "waiting") != 0
            && strcmp (state, "running") != 0) {
            *out = result;
            return 0;
        }
        json_decref (result);
        bool ended = ctl_patience_pause (pause);
        pause = pause * 2 < STEP_MS ? pause * 2 : STEP_MS;
        if (ended)
            return ctl_fail (EX_TEMPFAIL,
                             "%" PRId64 " is still being applied "
                             "by the hub; if it fails it stays in scanhubctl "
                             "preview list", number);
    }
}

static int
s_apply_one (ctl_t *self, int64_t number, bool json, json_t *results)
{
    json_t *result = NULL;
    int status = s_request (self, "apply", number);
    if (status == 0)
        status = s_await (self, number, &result);
    if (status != 0)
        return status;
    bool done = ctl_field_is (result, "state", "done");
    if (json)
        json_array_append (results, result);
    else if (done)
        ctl_preview_print_result (result);
    else
        ctl_fail (0, "%" PRId64 " was not applied: %s", number,
                  ctl_field_text (result, "failed"));
    json_decref (result);
    return done ? 0 : 1;
}

/*  One that fails does not keep the others from their turn; but when the hub
    cannot be asked, or Ctrl-C came, there is no sense in going on.  */
int
ctl_preview_apply (ctl_t *self, int argc, char **argv)
{
    choice_t choice = { 0 };
    int status = s_options (self, argc, argv, &choice);
    if (status >= 0)
        return status;
    status = s_choose (self, argc, argv, &choice);
    json_t *results = json_array ();
    ctl_patience_begin ();
    int failed = 0;
    size_t count = status == 0 ? json_array_size (choice.list) : 0;
    for (size_t i = 0; i < count && failed <= 1; i++) {
        int one = s_apply_one (
            self, ctl_field_number (json_array_get (choice.list, i), "number"),
            choice.json, results);
        failed = one > failed ? one : failed;
    }
    if (choice.json && status == 0)
        status = ctl_print_json (results);
    json_decref (results);
    json_decref (choice.list);
    return status ? status : failed;
}

int
ctl_preview_drop (ctl_t *self, int argc, char **argv)
{
    choice_t choice = { 0 };
    int status = s_options (self, argc, argv, &choice);
    if (status >= 0)
        return status;
    status = choice.json ? ctl_misused (self)
                         : s_choose (self, argc, argv, &choice);
    int failed = 0;
    size_t count = status == 0 ? json_array_size (choice.list) : 0;
    for (size_t i = 0; i < count && failed <= 1; i++) {
        int64_t number
            = ctl_field_number (json_array_get (choice.list, i), "number");
        int one = s_request (self, "drop", number);
        if (one == 0)
            printf ("number %" PRId64 " is dropped\n", number);
        failed = one > failed ? one : failed;
    }
    json_decref (choice.list);
    return status ? status : failed;
}
