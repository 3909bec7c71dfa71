/* SPDX-License-Identifier: MPL-2.0 */
/*  What is held, and what somebody wants done with it.  Applying waits for
    workers, so it is only begun here; scanhubctl asks how far it is.  */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hub/requests_within.h"
#include "lib/clean.h"

/*  In one answer, also with the longest texts.  */
#define ENTRIES_MOST 300
#define LINES_MOST 500

/*  A number and nothing else, or, if 'second' is wanted, two with a space.  */
static bool
s_numbers (const char *rest, uint64_t *first, uint64_t *second)
{
    char *end;
    if (*rest < '0' || *rest > '9')
        return false;
    *first = strtoull (rest, &end, 10);
    if (!second)
        return *end == '\0';
    if (*end != ' ' || end[1] < '0' || end[1] > '9')
        return false;
    *second = strtoull (end + 1, &end, 10);
    return *end == '\0';
}

static void
s_fail (hub_reply_t *reply, sh_err_t rc, const sh_why_t *why)
{
    hub_reply_only (reply, "error %s", *why->text ? why->text
                                                  : sh_err_text (rc));
}

/*  Names come from phpIPAM and from peers; a file may have been tampered
    with.  */
static json_t *
s_text (const char *text)
{
    char clean[1024];
    if (!text)
        return json_null ();
    sh_clean (clean, sizeof clean, text);
    return json_string (clean);
}

static json_t *
s_number (uint64_t value)
{
    return json_integer ((json_int_t) value);
}

static json_t *
s_entry (const hub_preview_t *one)
{
    return json_pack (
        "{s:o, s:s, s:o, s:o, s:s, s:I, s:I, s:o, s:o, s:o, s:s, s:o, s:o,"
        " s:o, s:o}",
        "number", s_number (one->number), "reason",
        hub_held_word (one->reason), "subnet", s_number (one->subnet), "cidr",
        s_text (one->cidr), "kind", sp_kind_word (one->kind), "started",
        (json_int_t) one->started, "received", (json_int_t) one->received,
        "scanner", s_text (one->name), "agent", s_text (one->agent), "code",
        s_text (one->code), "door",
        one->door == HUB_DOOR_HTTP ? "http" : "curve", "parts",
        s_number (one->parts), "changes", s_number (one->changes), "lines",
        s_number (one->listed), "failed",
        *one->failed ? s_text (one->failed) : json_null ());
}

void
hub_requests_previews (const hub_requests_t *self, const char *rest,
                       hub_reply_t *reply)
{
    uint64_t after;
    size_t count = 0;
    sh_why_t why = { "" };
    hub_previews_totals_t totals;
    if (!s_numbers (rest, &after, NULL)) {
        hub_reply_add (reply, "error previews takes a number");
        return;
    }
    hub_preview_t *all = calloc (ENTRIES_MOST, sizeof *all);
    sh_err_t rc = all ? hub_previews_list (self->previews, after, 0, all,
                                           ENTRIES_MOST, &count, &why)
                      : SH_E_MEMORY;
    json_t *list = json_array ();
    for (size_t i = 0; i < count; i++)
        json_array_append_new (list, s_entry (&all[i]));
    free (all);
    hub_previews_totals (self->previews, &totals);
    if (rc != SH_OK) {
        json_decref (list);
        s_fail (reply, rc, &why);
        return;
    }
    hub_reply_json (reply,
                    json_pack ("{s:o, s:b, s:o}", "previews", list, "more",
                               (int) (count == ENTRIES_MOST), "dropped",
                               s_number (totals.dropped)));
}

static void
s_see_line (void *context, const hub_preview_line_t *line)
{
    json_array_append_new (
        context,
        json_pack ("{s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "line",
                   s_number (line->row), "part", s_number (line->part),
                   "action", line->action, "address", s_text (line->address),
                   "column", *line->column ? s_text (line->column)
                                           : json_null (),
                   "before", s_text (line->before), "after",
                   s_text (line->after)));
}

void
hub_requests_preview (const hub_requests_t *self, const char *rest,
                      hub_reply_t *reply)
{
    uint64_t number, after;
    hub_preview_t one;
    sh_why_t why = { "" };
    bool more = false;
    if (!s_numbers (rest, &number, &after)) {
        hub_reply_add (reply, "error preview takes two numbers");
        return;
    }
    json_t *lines = json_array ();
    if (number > 0)
        hub_previews_shown (self->previews, number);
    sh_err_t rc = hub_previews_find (self->previews, number, &one, &why);
    if (rc == SH_OK)
        rc = hub_previews_lines (self->previews, number, HUB_PREVIEW_ALL,
                                 after, LINES_MOST, s_see_line, lines, &more,
                                 &why);
    if (rc != SH_OK) {
        json_decref (lines);
        s_fail (reply, rc, &why);
        return;
    }
    hub_reply_json (reply, json_pack ("{s:o, s:o, s:b}", "preview",
                                      s_entry (&one), "lines", lines, "more",
                                      (int) more));
}

void
hub_requests_apply (const hub_requests_t *self, const char *rest,
                    hub_reply_t *reply)
{
    uint64_t number;
    sh_why_t why = { "" };
    if (!s_numbers (rest, &number, NULL)) {
        hub_reply_add (reply, "error apply takes a number");
        return;
    }
    sh_err_t rc = hub_applier_start (self->applier, number, &why);
    if (rc == SH_OK)
        hub_reply_add (reply, "ok %" PRIu64, number);
    else
        s_fail (reply, rc, &why);
}

static json_t *
s_differs (const hub_apply_t *one)
{
    json_t *list = json_array ();
    for (size_t i = 0; i < one->differ_count; i++) {
        const hub_apply_differs_t *it = &one->differs[i];
        json_array_append_new (
            list, json_pack ("{s:s, s:s, s:o, s:o}", "address", it->address,
                             "column", it->column, "listed",
                             it->was_listed ? s_text (it->listed)
                                            : json_null (),
                             "made", it->was_made ? s_text (it->made)
                                                  : json_null ()));
    }
    return list;
}

static void
s_see_result (void *context, const hub_apply_t *one)
{
    json_t **out = context;
    *out = json_pack (
        "{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
        " s:o, s:o}",
        "number", s_number (one->number), "subnet", s_number (one->subnet),
        "state", hub_apply_word (one->state), "parts", s_number (one->parts),
        "done", s_number (one->done), "seen", s_number (one->seen), "added",
        s_number (one->added), "named", s_number (one->named), "macs",
        s_number (one->macs), "tagged", s_number (one->tagged), "refused",
        s_number (one->refused), "as_listed", s_number (one->as_listed),
        "differing", s_number (one->differing), "differs", s_differs (one),
        "failed", *one->failed ? s_text (one->failed) : json_null ());
}

void
hub_requests_applied (const hub_requests_t *self, const char *rest,
                      hub_reply_t *reply)
{
    uint64_t number;
    json_t *document = NULL;
    if (!s_numbers (rest, &number, NULL))
        hub_reply_add (reply, "error applied takes a number");
    else if (!hub_applier_look (self->applier, number, s_see_result,
                                &document))
        hub_reply_add (reply,
                       "error nothing is known of applying %" PRIu64 "; if it "
                       "is not in scanhubctl preview list, it was applied or "
                       "dropped", number);
    else
        hub_reply_json (reply, document);
}

void
hub_requests_drop (const hub_requests_t *self, const char *rest,
                   hub_reply_t *reply)
{
    uint64_t number;
    sh_why_t why = { "" };
    if (!s_numbers (rest, &number, NULL)) {
        hub_reply_add (reply, "error drop takes a number");
        return;
    }
    sh_err_t rc = hub_applier_drop (self->applier, number, &why);
    if (rc == SH_OK)
        hub_reply_add (reply, "ok %" PRIu64 " dropped", number);
    else
        s_fail (reply, rc, &why);
}
