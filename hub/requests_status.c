/* SPDX-License-Identifier: MPL-2.0 */
/*  What 'scanhubctl status' shows, as a document: the hub itself, and what is
    wrong with anything.  The lists of scanners and of subnets have pages of
    their own.  Nothing here asks another thread.  */

#include "build-config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub/census.h"
#include "hub/remarks.h"
#include "hub/requests_status.h"
#include "lib/clean.h"

#define LISTED_MOST 50 /* of pauses, of splits and of agents */

json_t *
hub_status_text (const char *text)
{
    char shown[1024];
    sh_clean (shown, sizeof shown, text ? text : "");
    return json_string (shown);
}

json_t *
hub_status_number (uint64_t value)
{
    return json_integer ((json_int_t) value);
}

json_t *
hub_status_time (int64_t ms)
{
    return ms ? json_integer (ms) : json_null ();
}

static json_t *
s_strings (const sh_strings_t *list)
{
    json_t *array = json_array ();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new (array, hub_status_text (list->items[i]));
    return array;
}

static json_t *
s_hub (const hub_requests_t *self, const hub_health_times_t *times)
{
    char key[SH_KEY_TEXT], fingerprint[SH_FINGERPRINT_TEXT];
    hub_keychange_now (self->key, key, NULL);
    sh_key_fingerprint (fingerprint, key);
    return json_pack ("{s:s, s:I, s:I, s:I, s:s, s:o, s:o}", "version",
                      PACKAGE_VERSION, "pid", (json_int_t) getpid (), "since",
                      (json_int_t) times->started, "now",
                      (json_int_t) times->now, "key", fingerprint, "listen",
                      s_strings (&self->config->listen), "metrics",
                      s_strings (&self->config->metrics.listen));
}

static json_t *
s_database (const hub_requests_t *self, const hub_health_times_t *times)
{
    char text[320];
    bool usable = hub_live_database (self->live, times->mono, text,
                                     sizeof text);
    hub_assignments_t *all = hub_live_assignments (self->live);
    bool read = all != NULL;
    hub_assignments_release (&all);
    int64_t looked = (int64_t) hub_meters_get (hub_live_meters (self->live),
                                               HUB_GAUGE_WATCHED);
    return json_pack ("{s:b, s:o, s:b, s:o}", "usable", usable, "text",
                      hub_status_text (text), "assignments_read", read,
                      "looked", hub_status_time (looked));
}

/*  A pause of a subnet that phpIPAM has no more still has its id.  */
static json_t *
s_pause (const hub_assignments_t *all, const hub_pause_t *one)
{
    char text[SH_PREFIX_TEXT] = "";
    bool agent = one->kind == HUB_PAUSE_AGENT;
    const hub_known_agent_t *its
        = all && agent ? hub_assignments_agent_of (all, one->id) : NULL;
    const hub_assignment_t *subnet
        = all && !agent ? hub_assignments_find (all, one->id) : NULL;
    if (subnet && subnet->row->prefix.base.family)
        sh_prefix_text (&subnet->row->prefix, text);
    return json_pack ("{s:s, s:o, s:o, s:o}", "kind",
                      agent ? "agent" : "subnet", "id",
                      hub_status_number (one->id), "name",
                      hub_status_text (its ? its->name : text), "until",
                      one->until == HUB_PAUSE_NO_END
                          ? json_null ()
                          : json_integer (one->until));
}

static json_t *
s_pauses (const hub_requests_t *self, const hub_assignments_t *all,
          int64_t now)
{
    json_t *array = json_array ();
    hub_pause_t *list = calloc (HUB_PAUSES_MOST, sizeof *list);
    size_t count = list ? hub_pauses_list (self->pauses, list,
                                           HUB_PAUSES_MOST, now)
                        : 0;
    for (size_t i = 0; i < count && i < LISTED_MOST; i++)
        json_array_append_new (array, s_pause (all, &list[i]));
    free (list);
    return json_pack ("{s:o, s:o}", "count", hub_status_number (count),
                      "list", array);
}

static json_t *
s_splits (const hub_assignments_t *all)
{
    size_t count = 0, splits = 0;
    json_t *array = json_array ();
    const hub_assignment_t *items
        = all ? hub_assignments_items (all, &count) : NULL;
    for (size_t i = 0; i < count && splits < LISTED_MOST; i++) {
        char cidr[SH_PREFIX_TEXT], text[HUB_REMARK_TEXT];
        if (!hub_remarks_split (all, &items[i]))
            continue;
        splits++;
        sh_prefix_text (&items[i].row->prefix, cidr);
        hub_remarks_split_text (text, &items[i]);
        json_array_append_new (
            array, json_pack ("{s:o, s:s, s:o}", "subnet",
                              hub_status_number (items[i].row->id), "network",
                              cidr, "text", hub_status_text (text)));
    }
    return array;
}

static void
s_sum_scanners (const hub_requests_t *self, const hub_health_times_t *times,
                hub_status_sums_t *sums)
{
    hub_scanner_state_t *list;
    size_t count = hub_census_take (self->registry,
                                    hub_live_roster (self->live), &list);
    for (size_t i = 0; i < count; i++) {
        hub_health_t health;
        bool http = list[i].door == HUB_DOOR_HTTP;
        sums->http += http;
        sums->known += !http;
        hub_health_scanner (&health, &list[i], times);
        sums->connected += list[i].connected;
        sums->scanners_wrong += health.grade == SH_FINDING_ERROR;
        sums->warned += health.grade == SH_FINDING_WARNING;
    }
    free (list);
}

static void
s_sum_subnets (const hub_requests_t *self, const hub_assignments_t *all,
               const hub_health_times_t *times, hub_status_sums_t *sums)
{
    size_t count = 0;
    const hub_assignment_t *items
        = all ? hub_assignments_items (all, &count) : NULL;
    for (size_t i = 0; i < count; i++) {
        hub_health_t health;
        if (!hub_health_is_ours (all, &items[i]))
            continue;
        hub_status_judge (self, all, &items[i], times, &health, NULL);
        bool unsent = strcmp (health.state, "unsent") == 0;
        sums->unsent += unsent;
        sums->scanned += !unsent;
        sums->paused += !unsent && items[i].paused;
        sums->late += strcmp (health.state, "late") == 0;
        sums->refused += strcmp (health.state, "refused") == 0;
    }
}

static json_t *
s_sums (const hub_status_sums_t *sums)
{
    return json_pack (
        "{s:{s:o, s:o, s:o, s:o, s:o}, s:{s:o, s:o, s:o, s:o, s:o}}",
        "scanners", "known", hub_status_number (sums->known), "http",
        hub_status_number (sums->http), "connected",
        hub_status_number (sums->connected), "wrong",
        hub_status_number (sums->scanners_wrong), "warned",
        hub_status_number (sums->warned), "subnets", "scanned",
        hub_status_number (sums->scanned), "paused",
        hub_status_number (sums->paused), "unsent",
        hub_status_number (sums->unsent), "late",
        hub_status_number (sums->late), "refused",
        hub_status_number (sums->refused));
}

/*  Has this hub heard of one of the agent's subnets since its start?  What the
    watcher has read may be some seconds old.  */
static bool
s_is_heard (const hub_requests_t *self, const hub_assignments_t *all,
            uint64_t agent)
{
    size_t count = 0;
    hub_subnet_state_t state;
    const hub_assignment_t *items
        = all ? hub_assignments_items (all, &count) : NULL;
    for (size_t i = 0; i < count; i++)
        if (items[i].row->agent == agent
            && hub_coverage_find (hub_live_coverage (self->live),
                                  items[i].row->id, &state))
            return true;
    return false;
}

/*  An agent with subnets that nobody has heard of for a day; else NULL.
    phpIPAM deletes only addresses of subnets with host checks.  */
static json_t *
s_agent (const hub_requests_t *self, const hub_assignments_t *all,
         const hub_last_access_t *agent)
{
    size_t checked;
    size_t subnets = hub_health_subnets_of (all, agent->agent, &checked);
    if (subnets == 0 || s_is_heard (self, all, agent->agent))
        return NULL;
    int64_t by = checked ? hub_health_deleted_by (agent) : 0;
    return json_pack ("{s:o, s:o, s:o, s:o, s:o}", "agent",
                      hub_status_number (agent->agent), "name",
                      hub_status_text (agent->name), "last_access",
                      hub_status_time (agent->last_access * 1000), "subnets",
                      hub_status_number (subnets), "deleted_by",
                      hub_status_time (by * 1000));
}

static json_t *
s_agents (const hub_requests_t *self, const hub_assignments_t *all,
          int64_t now, hub_status_sums_t *sums)
{
    json_t *array = json_array ();
    hub_last_access_t *list;
    size_t count = hub_silence_list (hub_live_silence (self->live), &list);
    for (size_t i = 0; i < count; i++) {
        json_t *one = hub_health_is_silent (&list[i], now / 1000)
                          ? s_agent (self, all, &list[i])
                          : NULL;
        sums->agents_silent += one && list[i].last_access;
        sums->agents_never += one && !list[i].last_access;
        if (one && json_array_size (array) < LISTED_MOST)
            json_array_append_new (array, one);
        else
            json_decref (one);
    }
    free (list);
    return array;
}

hub_health_times_t
hub_status_times (const hub_requests_t *self)
{
    const sh_clock_t *clock = sh_clock_system ();
    return (hub_health_times_t){ .started = self->started,
                                 .now = sh_clock_wall (clock),
                                 .mono = sh_clock_mono (clock) };
}

bool
hub_status_judge (const hub_requests_t *self, const hub_assignments_t *all,
                  const hub_assignment_t *one,
                  const hub_health_times_t *times, hub_health_t *health,
                  hub_subnet_state_t *state)
{
    hub_subnet_state_t room = { 0 };
    bool known = hub_coverage_find (hub_live_coverage (self->live),
                                    one->row->id, &room);
    hub_health_subnet (health, one, hub_assignments_unsent (all, one),
                       known ? &room : NULL, times);
    if (state)
        *state = room;
    return known;
}

static json_t *
s_registry (const hub_requests_t *self)
{
    char digest[HUB_DIGEST_TEXT];
    bool whole = hub_registry_digest (self->registry, digest);
    return json_pack ("{s:o, s:o, s:o}", "keys",
                      hub_status_number (hub_registry_size (self->registry)),
                      "path", hub_status_text (self->config->registry),
                      "digest", whole ? json_string (digest) : json_null ());
}

void
hub_requests_status (const hub_requests_t *self, const char *rest,
                     hub_reply_t *reply)
{
    (void) rest;
    hub_health_times_t times = hub_status_times (self);
    hub_assignments_t *all = hub_live_assignments (self->live);
    hub_status_sums_t sums = { 0 };
    s_sum_scanners (self, &times, &sums);
    s_sum_subnets (self, all, &times, &sums);
    json_t *document = json_object ();
    json_object_set_new (document, "hub", s_hub (self, &times));
    json_object_set_new (document, "database", s_database (self, &times));
    json_object_set_new (document, "registry", s_registry (self));
    json_object_set_new (document, "agents_silent",
                         s_agents (self, all, times.now, &sums));
    json_t *lists = s_sums (&sums);
    json_object_update (document, lists);
    json_decref (lists);
    json_object_set_new (document, "splits", s_splits (all));
    json_object_set_new (document, "pauses", s_pauses (self, all, times.now));
    hub_status_numbers (self, &times, document);
    json_t *problems = hub_status_problems (self, &sums, &times);
    json_object_set_new (document, "works",
                         json_boolean (hub_status_works (problems)));
    json_object_set_new (document, "problems", problems);
    hub_assignments_release (&all);
    hub_reply_json (reply, document);
}
