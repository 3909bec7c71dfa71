/* SPDX-License-Identifier: MPL-2.0 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hub/census.h"
#include "hub/health.h"
#include "hub/metrics_text.h"
#include "lib/clean.h"

#define STATES_MOST 16

/*  How many are in each state, as the states come.  */
typedef struct
{
    const char *words[STATES_MOST];
    size_t counts[STATES_MOST];
} states_t;

static void
s_count (states_t *self, const char *word)
{
    for (size_t i = 0; i < STATES_MOST; i++) {
        if (!self->words[i])
            self->words[i] = word;
        if (strcmp (self->words[i], word) == 0) {
            self->counts[i]++;
            return;
        }
    }
}

static void
s_write_states (FILE *to, const states_t *self, const char *name,
                const char *help)
{
    hub_metrics_head (to, name, "gauge", help);
    for (size_t i = 0; i < STATES_MOST && self->words[i]; i++)
        fprintf (to, "%s{state=\"%s\"} %zu\n", name, self->words[i],
                 self->counts[i]);
}

typedef struct
{
    const hub_scanner_state_t *items; /* scanners with a key, by name */
    size_t count;
    hub_health_times_t times;
} scanners_t;

static double
s_last_seen (const hub_scanner_state_t *one, const hub_health_times_t *times)
{
    return one->heard < 0
               ? 0
               : (double) (times->now - (times->mono - one->heard)) / 1000;
}

static double
s_connected (const hub_scanner_state_t *one, const hub_health_times_t *times)
{
    (void) times;
    return one->connected;
}

static double
s_skew (const hub_scanner_state_t *one, const hub_health_times_t *times)
{
    (void) times;
    return 0.0 - (double) one->skew / 1000;
}

static double
s_spool (const hub_scanner_state_t *one, const hub_health_times_t *times)
{
    (void) times;
    return (double) one->spool;
}

static double
s_cloned (const hub_scanner_state_t *one, const hub_health_times_t *times)
{
    return hub_clones_current (&one->clones, times->mono);
}

/*  Two keys never have one name, so the series are each other's equals.  */
static void
s_write_scanners (FILE *to, const scanners_t *self)
{
    static const struct
    {
        const char *name, *help;
        double (*value) (const hub_scanner_state_t *one,
                         const hub_health_times_t *times);
    } rows[] = {
        { "scanhub_scanner_connected", "Is a scanner connected?",
          s_connected },
        { "scanhub_scanner_last_seen_timestamp_seconds",
          "A scanner's last word; 0: none since the hub's start.",
          s_last_seen },
        { "scanhub_scanner_clock_skew_seconds",
          "How much a scanner's clock is fast.", s_skew },
        { "scanhub_scanner_spool_reports",
          "Reports that wait at the site, by its last beat.", s_spool },
        { "scanhub_scanner_cloned",
          "Was its key seen on two machines within the last hour?",
          s_cloned },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hub_metrics_head (to, rows[i].name, "gauge", rows[i].help);
        for (size_t at = 0; at < self->count && at < HUB_METRICS_NAMES; at++) {
            const hub_scanner_state_t *one = &self->items[at];
            if (at > 0 && strcmp (one->name, one[-1].name) == 0)
                continue;
            fprintf (to, "%s{scanner=\"", rows[i].name);
            hub_metrics_label (to, one->name);
            fprintf (to, "\"} %.15g\n", rows[i].value (one, &self->times));
        }
    }
    hub_metrics_single (to, "scanhub_scanners_unlisted", "gauge",
                        "Scanners beyond those that have series of their own.",
                        self->count > HUB_METRICS_NAMES
                            ? (double) (self->count - HUB_METRICS_NAMES)
                            : 0);
}

/*  Those of the HTTP door count by state only: their labels are few, and their
    codes are nobody's business.  */
static void
s_write_census (FILE *to, const hub_metrics_sources_t *self,
                const hub_health_times_t *times)
{
    hub_scanner_state_t *list;
    states_t states = { .counts = { 0 } };
    size_t count = hub_census_take (self->registry,
                                    hub_live_roster (self->live), &list);
    scanners_t scanners = { .items = list, .times = *times };
    for (size_t i = 0; i < count; i++) {
        hub_health_t health;
        hub_health_scanner (&health, &list[i], times);
        s_count (&states, health.state);
        if (list[i].door == HUB_DOOR_CURVE)
            list[scanners.count++] = list[i];
    }
    s_write_states (to, &states, "scanhub_scanners",
                    "Scanners and HTTP clients by state.");
    s_write_scanners (to, &scanners);
    free (list);
}

static void
s_write_subnets (FILE *to, const hub_metrics_sources_t *self,
                 const hub_assignments_t *all,
                 const hub_health_times_t *times)
{
    states_t states = { .counts = { 0 } };
    size_t count = 0;
    const hub_assignment_t *items
        = all ? hub_assignments_items (all, &count) : NULL;
    for (size_t i = 0; i < count; i++) {
        hub_subnet_state_t state;
        hub_health_t health;
        if (!hub_health_is_ours (all, &items[i]))
            continue;
        bool known = hub_coverage_find (hub_live_coverage (self->live),
                                        items[i].row->id, &state);
        hub_health_subnet (&health, &items[i],
                           hub_assignments_unsent (all, &items[i]),
                           known ? &state : NULL, times);
        s_count (&states, health.state);
    }
    s_write_states (to, &states, "scanhub_subnets",
                    "Subnets of scanners by state.");
}

typedef struct
{
    const hub_last_access_t *agent;
    int64_t deleted_by; /* epoch s; 0: nothing is */
} agent_t;

static void
s_write_agent_times (FILE *to, const agent_t *list, size_t count,
                     const char *name, const char *help, bool deleted)
{
    hub_metrics_head (to, name, "gauge", help);
    for (size_t i = 0; i < count; i++) {
        char shown[HUB_SILENCE_NAME];
        int64_t at = deleted ? list[i].deleted_by : list[i].agent->last_access;
        if (at == 0)
            continue;
        sh_clean (shown, sizeof shown, list[i].agent->name);
        fprintf (to, "%s{agent_id=\"%" PRIu64 "\",agent=\"", name,
                 list[i].agent->agent);
        hub_metrics_label (to, shown);
        fprintf (to, "\"} %" PRId64 "\n", at);
    }
}

/*  Agents that have subnets to scan.  */
static void
s_write_agents (FILE *to, const hub_metrics_sources_t *self,
                const hub_assignments_t *all)
{
    hub_last_access_t *list;
    size_t count = hub_silence_list (hub_live_silence (self->live), &list);
    agent_t *agents = calloc (HUB_METRICS_NAMES, sizeof *agents);
    size_t shown = 0;
    for (size_t i = 0; agents && i < count && shown < HUB_METRICS_NAMES; i++) {
        size_t checked;
        if (hub_health_subnets_of (all, list[i].agent, &checked) == 0)
            continue;
        agents[shown++] = (agent_t){
            .agent = &list[i],
            .deleted_by = checked ? hub_health_deleted_by (&list[i]) : 0,
        };
    }
    s_write_agent_times (to, agents, shown,
                         "scanhub_agent_last_access_timestamp_seconds",
                         "scanAgents.last_access of agents with subnets.",
                         false);
    s_write_agent_times (to, agents, shown,
                         "scanhub_agent_deletion_timestamp_seconds",
                         "When remove_offline_addresses.php has deleted the "
                         "last of an agent's addresses, if it stays silent.",
                         true);
    free (agents);
    free (list);
}

/*  Two hubs with one registry have one digest.  */
static void
s_write_registry (FILE *to, hub_registry_t *registry)
{
    char digest[HUB_DIGEST_TEXT];
    hub_metrics_single (to, "scanhub_registry_keys", "gauge",
                        "Keys that are let in.",
                        (double) hub_registry_size (registry));
    hub_metrics_head (to, "scanhub_registry_info", "gauge",
                      "A digest of all that is in force.");
    if (hub_registry_digest (registry, digest))
        fprintf (to, "scanhub_registry_info{digest=\"%s\"} 1\n", digest);
}

void
hub_metrics_write_lists (FILE *to, const hub_metrics_sources_t *self)
{
    const hub_health_times_t times = {
        .started = self->started,
        .now = sh_clock_wall (self->clock),
        .mono = sh_clock_mono (self->clock),
    };
    hub_assignments_t *all = hub_live_assignments (self->live);
    s_write_registry (to, self->registry);
    hub_metrics_single (to, "scanhub_pending_keys", "gauge",
                        "Unknown keys that knocked and wait for an answer.",
                        (double) hub_census_pending (self->registry,
                                                     self->pending));
    s_write_census (to, self, &times);
    s_write_subnets (to, self, all, &times);
    s_write_agents (to, self, all);
    hub_assignments_release (&all);
}
