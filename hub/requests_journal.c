/* SPDX-License-Identifier: MPL-2.0 */
/*  What the journal knows: reports, what they changed, refusals.  */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "hub/requests_journal.h"
#include "lib/clean.h"

#define PAGE_REPORTS 500
#define PAGE_CHANGES 1000
/*  Beside what a page is about.  What a person typed may grow sixfold in
    JSON.  */
#define PAGE_BYTES (SH_CONTROL_ANSWER_MOST - 16384)
#define WORDS_MOST 4

typedef struct
{
    json_t *list;
    size_t most;
    bool more;    /* there were others */
    size_t bytes; /* of it as text */
} page_t;

void
hub_requests_put_text (json_t *object, const char *key, const char *text)
{
    char clean[SP_LONG_TEXT_MOST + 1];
    sh_clean (clean, sizeof clean, text);
    (void) json_object_set_new (object, key, json_string (clean));
}

void
hub_requests_put_number (json_t *object, const char *key, int64_t number)
{
    (void) json_object_set_new (object, key, json_integer (number));
}

hub_journal_reader_t *
hub_requests_open_journal (const hub_requests_t *self, hub_reply_t *reply)
{
    hub_journal_reader_t *reader = NULL;
    sh_why_t why = { "" };
    if (!self->journal) {
        hub_reply_only (reply, "error the hub keeps no journal: hub.journal "
                               "is off in %s", self->config->path);
        return NULL;
    }
    if (hub_journal_reader_new (&reader, self->config->journal,
                                sh_clock_system (), &why)
        != SH_OK) {
        hub_journal_status_t status;
        hub_journal_status (self->journal, &status);
        hub_reply_only (reply, "error %s",
                        status.failing ? status.error.text : why.text);
    }
    return reader;
}

bool
hub_requests_told (sh_err_t rc, const sh_why_t *why, hub_reply_t *reply)
{
    if (rc != SH_OK)
        hub_reply_only (reply, "error %s", why->text);
    return rc == SH_OK;
}

static json_t *
s_report (const hub_told_report_t *one)
{
    const struct
    {
        const char *key;
        int64_t number;
    } numbers[] = {
        { "report", one->number },     { "subnet", one->subnet },
        { "started", one->started },   { "finished", one->finished },
        { "received", one->received }, { "written", one->written },
        { "parts", one->parts },       { "seen", one->seen },
        { "new", one->added },         { "named", one->named },
        { "macs", one->macs },         { "tagged", one->tagged },
        { "offline", one->offline },   { "refused", one->refused },
        { "held", one->held },
    };
    const char *kind = sp_kind_word (one->kind);
    const char *result = sp_result_word (one->result);
    json_t *out = json_object ();
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        hub_requests_put_number (out, numbers[i].key, numbers[i].number);
    hub_requests_put_text (out, "scanner", one->scanner);
    hub_requests_put_text (out, "door",
                           one->door == HUB_DOOR_HTTP ? "http" : "curve");
    hub_requests_put_text (out, "code", one->code);
    hub_requests_put_text (out, "agent", one->agent);
    hub_requests_put_text (out, "cidr", one->cidr);
    hub_requests_put_text (out, "kind", kind ? kind : "");
    hub_requests_put_text (out, "result", result ? result : "");
    (void) json_object_set_new (out, "closed", json_boolean (one->closed));
    if (*one->cause) {
        hub_requests_put_text (out, "cause", one->cause);
        hub_requests_put_text (out, "text",
                               sh_err_text (sh_err_from_word (one->cause)));
    }
    return out;
}

static bool
s_take (page_t *page, json_t *item)
{
    size_t count = json_array_size (page->list);
    page->bytes += json_dumpb (item, NULL, 0, JSON_COMPACT) + 1;
    page->more = count >= page->most
                 || (count > 0 && page->bytes > PAGE_BYTES);
    if (page->more || json_array_append_new (page->list, item) != 0) {
        if (page->more)
            json_decref (item);
        return false;
    }
    return true;
}

static bool
s_take_report (void *context, const hub_told_report_t *one)
{
    return s_take (context, s_report (one));
}

/*  What was written is told as it is, for somebody may want to undo it.  */
json_t *
hub_requests_change (const hub_told_change_t *one)
{
    char ip[SH_ADDR_TEXT];
    json_t *out = json_object ();
    sh_addr_text (&one->ip, ip);
    hub_requests_put_number (out, "change", one->number);
    hub_requests_put_number (out, "report", one->report);
    hub_requests_put_number (out, "at", one->at);
    hub_requests_put_number (out, "subnet", one->subnet);
    hub_requests_put_number (out, "row", one->address);
    hub_requests_put_text (out, "cidr", one->cidr);
    hub_requests_put_text (out, "ip", ip);
    hub_requests_put_text (out, "scanner", one->scanner);
    hub_requests_put_text (out, "agent", one->agent);
    hub_requests_put_text (out, "column",
                           hub_column_word ((hub_column_t) one->column));
    (void) json_object_set_new (out, "new_row", json_boolean (one->added));
    if (one->before)
        (void) json_object_set_new (out, "before", json_string (one->before));
    if (one->after)
        (void) json_object_set_new (out, "after", json_string (one->after));
    return out;
}

static bool
s_take_change (void *context, const hub_told_change_t *one)
{
    return s_take (context, hub_requests_change (one));
}

/*  Words with a space between them; false if there are not so many.  */
static bool
s_split (const char *rest, char words[][SH_CONTROL_REQUEST_MOST], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = strcspn (rest, " ");
        if (size == 0 || size >= SH_CONTROL_REQUEST_MOST)
            return false;
        memcpy (words[i], rest, size);
        words[i][size] = '\0';
        rest += size + (rest[size] == ' ');
    }
    return *rest == '\0';
}

static int64_t
s_number (const char *word)
{
    return strspn (word, "0123456789") == strlen (word) && strlen (word) < 19
               ? strtoll (word, NULL, 10)
               : 0;
}

static bool
s_is_none (const char *word)
{
    return strcmp (word, "-") == 0;
}

/*  A subnet that phpIPAM gives to nobody any more is still known by its id.  */
static bool
s_take_subnet (const hub_requests_t *self, const char *word, int64_t *id,
               hub_reply_t *reply)
{
    *id = s_number (word);
    if (*id > 0 || s_is_none (word))
        return true;
    hub_assignments_t *all = hub_live_assignments (self->live);
    const hub_assignment_t *one = hub_requests_find (all, word, reply);
    if (one)
        *id = (int64_t) one->row->id;
    hub_assignments_release (&all);
    return one != NULL;
}

/*  The document that all answers are: what is in 'page' under 'name', and how
    far the journal goes back.  */
static void
s_answer (hub_journal_reader_t *reader, const char *name, page_t *page,
          json_t *more, hub_reply_t *reply)
{
    int64_t begin = 0;
    sh_why_t why = { "" };
    bool told = hub_requests_told (hub_journal_begin (reader, &begin, &why),
                                   &why, reply);
    json_t *out = more ? more : json_object ();
    (void) json_object_set (out, name, page->list);
    (void) json_object_set_new (out, "more", json_boolean (page->more));
    hub_requests_put_number (out, "begin", begin);
    if (told)
        hub_reply_json (reply, out);
    else
        json_decref (out);
}

void
hub_requests_reports (const hub_requests_t *self, const char *rest,
                      hub_reply_t *reply)
{
    char words[WORDS_MOST][SH_CONTROL_REQUEST_MOST];
    hub_journal_filter_t filter = { .most = PAGE_REPORTS + 1 };
    if (!s_split (rest, words, 4)) {
        hub_reply_only (reply, "error reports takes four words");
        return;
    }
    filter.before = s_number (words[0]);
    filter.since = s_number (words[1]);
    filter.scanner = s_is_none (words[3]) ? NULL : words[3];
    if (!s_take_subnet (self, words[2], &filter.subnet, reply))
        return;
    hub_journal_reader_t *reader = hub_requests_open_journal (self, reply);
    if (!reader)
        return;
    page_t page = { json_array (), PAGE_REPORTS, false, 0 };
    sh_why_t why = { "" };
    if (hub_requests_told (hub_journal_reports (reader, &filter, s_take_report,
                                                &page, &why),
                           &why, reply))
        s_answer (reader, "reports", &page, NULL, reply);
    json_decref (page.list);
    hub_journal_reader_destroy (&reader);
}

static bool
s_keep_report (void *context, const hub_told_report_t *one)
{
    json_t *out = context;
    (void) json_object_set_new (out, "about", s_report (one));
    return true;
}

void
hub_requests_report (const hub_requests_t *self, const char *rest,
                     hub_reply_t *reply)
{
    char words[WORDS_MOST][SH_CONTROL_REQUEST_MOST];
    sh_why_t why = { "" };
    if (!s_split (rest, words, 2)) {
        hub_reply_only (reply, "error report takes two numbers");
        return;
    }
    hub_journal_reader_t *reader = hub_requests_open_journal (self, reply);
    if (!reader)
        return;
    int64_t number = s_number (words[0]);
    page_t page = { json_array (), PAGE_CHANGES, false, 0 };
    json_t *out = json_object ();
    sh_err_t rc
        = hub_journal_report (reader, number, s_keep_report, out, &why);
    if (rc == SH_OK)
        rc = hub_journal_changes_of (reader, number, s_number (words[1]),
                                     s_take_change, &page, &why);
    if (hub_requests_told (rc, &why, reply))
        s_answer (reader, "changes", &page, out, reply);
    else
        json_decref (out);
    json_decref (page.list);
    hub_journal_reader_destroy (&reader);
}

void
hub_requests_why (const hub_requests_t *self, const char *rest,
                  hub_reply_t *reply)
{
    char words[WORDS_MOST][SH_CONTROL_REQUEST_MOST];
    sh_why_t why = { "" };
    sh_addr_t ip;
    if (!s_split (rest, words, 2) || sh_addr_parse (&ip, words[0]) != SH_OK) {
        hub_reply_only (reply, "error that is no IPv4 or IPv6 address");
        return;
    }
    hub_journal_reader_t *reader = hub_requests_open_journal (self, reply);
    if (!reader)
        return;
    page_t page = { json_array (), PAGE_CHANGES, false, 0 };
    sh_err_t rc = hub_journal_changes_at (reader, &ip, s_number (words[1]),
                                          s_take_change, &page, &why);
    if (hub_requests_told (rc, &why, reply))
        s_answer (reader, "changes", &page, NULL, reply);
    json_decref (page.list);
    hub_journal_reader_destroy (&reader);
}

static bool
s_take_refusal (void *context, const hub_told_refusal_t *one)
{
    json_t *item = json_object ();
    sh_err_t cause = sh_err_from_word (one->cause);
    hub_requests_put_text (item, "cause", one->cause);
    hub_requests_put_text (item, "text", sh_err_text (cause));
    hub_requests_put_text (item, "of", one->host ? "host" : "part");
    (void) json_object_set_new (
        item, "for_now",
        json_boolean (!one->host && sh_err_class (cause) != SH_CLASS_PEER
                      && sh_err_class (cause) != SH_CLASS_DENIED));
    hub_requests_put_text (item, "scanner", one->scanner);
    hub_requests_put_number (item, "subnet", one->subnet);
    hub_requests_put_number (item, "count", one->count);
    hub_requests_put_number (item, "first", one->first);
    hub_requests_put_number (item, "last", one->last);
    return s_take (context, item);
}

void
hub_requests_refusals (const hub_requests_t *self, const char *rest,
                       hub_reply_t *reply)
{
    char words[WORDS_MOST][SH_CONTROL_REQUEST_MOST];
    hub_journal_filter_t filter = { .most = PAGE_REPORTS };
    sh_why_t why = { "" };
    if (!s_split (rest, words, 3)) {
        hub_reply_only (reply, "error refusals takes three words");
        return;
    }
    filter.since = s_number (words[0]);
    filter.scanner = s_is_none (words[2]) ? NULL : words[2];
    if (!s_take_subnet (self, words[1], &filter.subnet, reply))
        return;
    hub_journal_reader_t *reader = hub_requests_open_journal (self, reply);
    if (!reader)
        return;
    page_t page = { json_array (), PAGE_REPORTS, false, 0 };
    if (hub_requests_told (hub_journal_refusals (reader, &filter,
                                                 s_take_refusal, &page, &why),
                           &why, reply))
        s_answer (reader, "refusals", &page, NULL, reply);
    json_decref (page.list);
    hub_journal_reader_destroy (&reader);
}
