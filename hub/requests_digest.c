/* SPDX-License-Identifier: MPL-2.0 */
/*  What is worth a mail: what is new, gone or has another MAC, and from whom
    nothing came.  */

#include <stdlib.h>
#include <string.h>

#include "hub/health.h"
#include "hub/requests_journal.h"
#include "hub/silence.h"

#define LIST_MOST 1000 /* of a kind; the rest is only counted */
#define LIST_BYTES (SH_CONTROL_ANSWER_MOST / 6) /* and of these five kinds */

enum
{
    NEW,
    OFFLINE,
    MAC,
    KINDS
};

typedef struct
{
    json_t *lists[KINDS];
    int64_t counts[KINDS];
    size_t bytes[KINDS];
} news_t;

/*  Is there room in the list for one more?  Else it is not taken.  '*bytes' is
    what the list has as text.  */
static bool
s_append (json_t *list, json_t *item, size_t *bytes)
{
    size_t size = *bytes + json_dumpb (item, NULL, 0, JSON_COMPACT) + 1;
    bool room = json_array_size (list) < LIST_MOST && size <= LIST_BYTES;
    if (room && json_array_append (list, item) == 0)
        *bytes = size;
    json_decref (item);
    return room;
}

static bool
s_take (void *context, const hub_told_change_t *one)
{
    news_t *self = context;
    int kind = one->added                         ? NEW
               : one->column == HUB_COLUMN_STATE ? OFFLINE
                                                 : MAC;
    if (self->counts[kind]++ < LIST_MOST)
        (void) s_append (self->lists[kind], hub_requests_change (one),
                         &self->bytes[kind]);
    return true;
}

/*  How long it is from report to report.  */
static int64_t
s_interval_ms (const hub_assignment_t *one)
{
    int64_t check = one->check ? one->rule->check : 0;
    int64_t discover = one->discover ? one->rule->discover : 0;
    int64_t least = check == 0                          ? discover
                    : discover == 0 || check < discover ? check
                                                        : discover;
    return least * 1000;
}

/*  What is asked of each agent and each subnet, and what came of it.  */
typedef struct
{
    hub_journal_reader_t *reader;
    const hub_assignments_t *all;
    int64_t since, begin, now;
    hub_last_access_t *known; /* ascending by id */
    size_t known_count;
    json_t *agents, *subnets;
    size_t agent_bytes, subnet_bytes;
} silence_t;

static bool
s_is_silent (const silence_t *self, const hub_last_access_t *agent)
{
    return agent->last_access > 0 && agent->last_access * 1000 < self->since;
}

/*  An agent from which nothing came is told once, not by each subnet.  */
static bool
s_agent_is_silent (const silence_t *self, uint64_t agent)
{
    for (size_t i = 0; i < self->known_count; i++)
        if (self->known[i].agent == agent)
            return s_is_silent (self, &self->known[i]);
    return false;
}

/*  phpIPAM's clean-up concerns subnets with host checks.  */
static void
s_look_at_agent (silence_t *self, const hub_last_access_t *agent)
{
    size_t count = 0, sent = 0, checked = 0;
    const hub_assignment_t *items
        = self->all ? hub_assignments_items (self->all, &count) : NULL;
    for (size_t i = 0; i < count; i++)
        if (items[i].row->agent == agent->agent
            && hub_assignments_unsent (self->all, &items[i]) == SH_OK) {
            sent++;
            checked += items[i].check;
        }
    if (sent == 0)
        return;
    json_t *item = json_object ();
    hub_requests_put_text (item, "agent", agent->name);
    hub_requests_put_number (item, "last", agent->last_access * 1000);
    hub_requests_put_number (
        item, "deleted_by",
        checked ? hub_health_deleted_by (agent) * 1000 : 0);
    (void) s_append (self->agents, item, &self->agent_bytes);
}

static void
s_add (silence_t *self, const hub_assignment_t *one, int64_t last)
{
    char cidr[SH_PREFIX_TEXT];
    const hub_known_agent_t *agent
        = hub_assignments_agent_of (self->all, one->row->agent);
    json_t *item = json_object ();
    sh_prefix_text (&one->row->prefix, cidr);
    hub_requests_put_number (item, "subnet", (int64_t) one->row->id);
    hub_requests_put_text (item, "cidr", cidr);
    hub_requests_put_text (item, "agent", agent ? agent->name : "");
    hub_requests_put_number (item, "last", last);
    (void) s_append (self->subnets, item, &self->subnet_bytes);
}

/*  A subnet that is scanned, and of which nothing came since; twice its
    interval at the least, for a scan takes its time.  Where the journal does
    not reach back so far, it cannot be told.  */
static sh_err_t
s_look (silence_t *self, const hub_assignment_t *one, sh_why_t *why)
{
    int64_t last = 0;
    if (one->paused || !one->rule
        || hub_assignments_unsent (self->all, one) != SH_OK
        || s_agent_is_silent (self, one->row->agent))
        return SH_OK;
    int64_t since = self->now - 2 * s_interval_ms (one);
    if (since > self->since)
        since = self->since;
    sh_err_t rc = hub_journal_last_of_subnet (self->reader, one->row->id,
                                              &last, why);
    if (rc == SH_OK && last < since && (last > 0 || self->begin < since))
        s_add (self, one, last);
    return rc;
}

static sh_err_t
s_look_all (silence_t *self, sh_why_t *why)
{
    size_t count = 0;
    const hub_assignment_t *items
        = self->all ? hub_assignments_items (self->all, &count) : NULL;
    sh_err_t rc = SH_OK;
    for (size_t i = 0; i < self->known_count; i++)
        if (s_is_silent (self, &self->known[i]))
            s_look_at_agent (self, &self->known[i]);
    for (size_t i = 0; rc == SH_OK && i < count
                       && json_array_size (self->subnets) < LIST_MOST;
         i++)
        rc = s_look (self, &items[i], why);
    return rc;
}

static void
s_answer (const silence_t *silence, news_t *news, hub_reply_t *reply)
{
    static const char *const words[KINDS] = { "new", "offline", "mac" };
    json_t *out = json_object (), *counts = json_object ();
    for (int i = 0; i < KINDS; i++) {
        (void) json_object_set (out, words[i], news->lists[i]);
        hub_requests_put_number (counts, words[i], news->counts[i]);
    }
    (void) json_object_set (out, "silent_agents", silence->agents);
    (void) json_object_set (out, "silent_subnets", silence->subnets);
    (void) json_object_set_new (out, "counts", counts);
    hub_requests_put_number (out, "since", silence->since);
    hub_requests_put_number (out, "begin", silence->begin);
    hub_reply_json (reply, out);
}

void
hub_requests_digest (const hub_requests_t *self, const char *rest,
                     hub_reply_t *reply)
{
    sh_why_t why = { "" };
    hub_journal_reader_t *reader = hub_requests_open_journal (self, reply);
    if (!reader)
        return;
    hub_assignments_t *all = hub_live_assignments (self->live);
    silence_t silence = { .reader = reader,
                          .all = all,
                          .since = strtoll (rest, NULL, 10),
                          .now = hub_requests_wall (),
                          .agents = json_array (),
                          .subnets = json_array () };
    silence.known_count = hub_silence_list (hub_live_silence (self->live),
                                            &silence.known);
    news_t news = { .lists = { json_array (), json_array (), json_array () } };
    sh_err_t rc = hub_journal_begin (reader, &silence.begin, &why);
    if (rc == SH_OK)
        rc = hub_journal_news (reader, silence.since, s_take, &news, &why);
    if (rc == SH_OK)
        rc = s_look_all (&silence, &why);
    if (hub_requests_told (rc, &why, reply))
        s_answer (&silence, &news, reply);
    for (int i = 0; i < KINDS; i++)
        json_decref (news.lists[i]);
    json_decref (silence.agents);
    json_decref (silence.subnets);
    free (silence.known);
    hub_assignments_release (&all);
    hub_journal_reader_destroy (&reader);
}
