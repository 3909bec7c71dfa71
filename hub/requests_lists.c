/* SPDX-License-Identifier: MPL-2.0 */
/*  The lists of 'scanhubctl status', in pages: scanners and subnets, each with
    how it is and what to do.  */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/census.h"
#include "hub/remarks.h"
#include "hub/requests_status.h"

#define PAGE 500 /* items; each takes less than 2,000 bytes */

static const char *
s_grade_word (sh_grade_t grade)
{
    static const char *const words[] = { "good", "warning", "error" };
    return words[grade];
}

static json_t *
s_health (const hub_health_t *health)
{
    return json_pack ("{s:s, s:s, s:o}", "grade", s_grade_word (health->grade),
                      "state", health->state, "text",
                      *health->text ? hub_status_text (health->text)
                                    : json_null ());
}

/*  A document of its own and what belongs to it, in one object.  */
static json_t *
s_join (json_t *object, json_t *more)
{
    if (object && more)
        json_object_update (object, more);
    json_decref (more);
    return object;
}

static json_t *
s_results (const hub_scanner_state_t *one)
{
    json_t *results = json_object ();
    for (int i = 0; i < SP_RESULT_COUNT; i++)
        json_object_set_new (results, sp_result_word (i),
                             hub_status_number (one->results[i]));
    return results;
}

static json_t *
s_reports (const hub_scanner_state_t *one)
{
    return json_pack (
        "{s:o, s:o, s:o, s:o, s:o, s:o}", "last_report",
        hub_status_time (one->reported), "subnet",
        one->subnet ? hub_status_number (one->subnet) : json_null (),
        "last_result",
        one->reported ? json_string (sp_result_word ((int) one->result))
                      : json_null (),
        "results", s_results (one), "last_refusal",
        hub_status_time (one->refused), "cause",
        one->refused ? json_string (sh_err_word (one->cause)) : json_null ());
}

static json_t *
s_clones (const hub_scanner_state_t *one)
{
    if (!one->clones.times)
        return json_null ();
    return json_pack ("{s:s, s:s, s:o}", "one", one->clones.older, "other",
                      one->clones.newer, "times",
                      hub_status_number (one->clones.times));
}

/*  A socket that listens on [::] shows IPv4 addresses as ::ffff:a.b.c.d.  */
static json_t *
s_peer (const char *peer)
{
    static const char mapped[] = "::ffff:";
    const size_t size = sizeof mapped - 1;
    if (!*peer)
        return json_null ();
    return hub_status_text (
        strncmp (peer, mapped, size) == 0 && strchr (peer, '.') ? peer + size
                                                                : peer);
}

static json_t *
s_scanner (const hub_scanner_state_t *one, const hub_health_times_t *times)
{
    char fingerprint[SH_FINGERPRINT_TEXT] = "";
    bool curve = one->door == HUB_DOOR_CURVE;
    bool heard = one->heard >= 0;
    hub_health_t health;
    hub_health_scanner (&health, one, times);
    if (curve)
        sh_key_fingerprint (fingerprint, one->key);
    json_t *object = json_pack (
        "{s:o, s:s, s:b, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o}",
        "name", hub_status_text (one->name), "door", hub_door_word (one->door),
        "shim", one->shim, "code",
        curve ? json_null () : hub_status_text (one->code), "key",
        curve ? json_string (fingerprint) : json_null (), "connected",
        one->connected, "since", hub_status_time (one->since), "silent_ms",
        heard ? json_integer (times->mono - one->heard) : json_null (), "peer",
        s_peer (one->peer), "version",
        *one->version ? hub_status_text (one->version) : json_null (),
        "skew_ms", curve && heard ? json_integer (one->skew) : json_null (),
        "spool", one->told ? hub_status_number (one->spool) : json_null (),
        "running", one->told ? hub_status_number (one->running) : json_null (),
        "clones", s_clones (one));
    return s_join (s_join (object, s_reports (one)), s_health (&health));
}

/*  "scanners FROM": by name, from the FROM-th on.  */
void
hub_requests_scanners (const hub_requests_t *self, const char *rest,
                       hub_reply_t *reply)
{
    hub_health_times_t times = hub_status_times (self);
    hub_scanner_state_t *list;
    json_t *array = json_array ();
    size_t count = hub_census_take (self->registry,
                                    hub_live_roster (self->live), &list);
    size_t at = strtoul (rest, NULL, 10);
    for (size_t i = 0; i < PAGE && at < count; i++, at++)
        json_array_append_new (array, s_scanner (&list[at], &times));
    free (list);
    hub_reply_json (reply, json_pack ("{s:o, s:b}", "scanners", array, "more",
                                      at < count));
}

static json_t *
s_every (bool on, const hub_scan_rule_t *rule, bool check)
{
    uint32_t every = check ? HUB_SCAN_CHECK_S : HUB_SCAN_DISCOVER_S;
    if (rule)
        every = check ? rule->check : rule->discover;
    return on && every != HUB_SCAN_NEVER ? hub_status_number (every)
                                         : json_null ();
}

static json_t *
s_subnet (const hub_requests_t *self, const hub_assignments_t *all,
          const hub_assignment_t *one, const hub_health_times_t *times)
{
    char cidr[SH_PREFIX_TEXT] = "-";
    hub_health_t health;
    hub_subnet_state_t state;
    const hub_known_agent_t *agent
        = hub_assignments_agent_of (all, one->row->agent);
    bool known = hub_status_judge (self, all, one, times, &health, &state);
    sh_err_t unsent = hub_assignments_unsent (all, one);
    char text[HUB_REMARK_TEXT];
    if (unsent != SH_OK) {
        hub_remarks_unsent_text (text, all, one, unsent);
        snprintf (health.text, sizeof health.text, "%s", text);
    }
    if (one->row->prefix.base.family)
        sh_prefix_text (&one->row->prefix, cidr);
    json_t *object = json_pack (
        "{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "subnet", hub_status_number (one->row->id), "network", cidr, "agent",
        agent ? hub_status_text (agent->name) : json_null (), "check_s",
        s_every (one->check, one->rule, true), "discover_s",
        s_every (one->discover, one->rule, false), "last_report",
        hub_status_time (state.reported), "last_result",
        known ? json_string (sp_result_word ((int) state.result)) : json_null (),
        "cause",
        known && state.cause ? json_string (sh_err_word (state.cause))
                             : json_null (),
        "scanner", known ? hub_status_text (state.scanner) : json_null (),
        "last_check", hub_status_time (state.checked), "last_discovery",
        hub_status_time (state.discovered), "due",
        hub_status_time (hub_health_due (one, known ? &state : NULL)));
    return s_join (object, s_health (&health));
}

/*  "coverage AFTER": subnets of scanners with an id above AFTER.  */
void
hub_requests_coverage (const hub_requests_t *self, const char *rest,
                       hub_reply_t *reply)
{
    size_t count = 0, i = 0;
    uint64_t after = strtoull (rest, NULL, 10);
    hub_health_times_t times = hub_status_times (self);
    json_t *array = json_array ();
    hub_assignments_t *all = hub_live_assignments (self->live);
    const hub_assignment_t *items
        = all ? hub_assignments_items (all, &count) : NULL;
    for (; i < count && json_array_size (array) < PAGE; i++)
        if (items[i].row->id > after && hub_health_is_ours (all, &items[i]))
            json_array_append_new (array,
                                   s_subnet (self, all, &items[i], &times));
    hub_assignments_release (&all);
    hub_reply_json (reply, json_pack ("{s:o, s:b}", "subnets", array, "more",
                                      i < count));
}
