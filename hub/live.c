/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/live.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/remarks.h"
#include "lib/log.h"

struct hub_live
{
    hub_zone_mode_t zone; /* never changes */
    hub_pauses_t *pauses; /* borrowed; NULL: none */
    pthread_mutex_t making; /* of assignments; before 'lock', if both */
    hub_scan_settings_t *scan; /* NULL: no settings; under 'making' */
    char strangers[HUB_STRANGERS_TEXT]; /* as they were logged; likewise */
    pthread_mutex_t lock; /* for what follows */
    hub_policies_t *policies;
    hub_assignments_t *assignments;
    bool database_up;
    char database_text[320];
    const void *trouble_of; /* NULL: none */
    char trouble[320];
    int64_t trouble_until;
    _Atomic uint64_t counts[HUB_COUNT_COUNT];
    /*  Never change; each has a lock of its own.  */
    hub_meters_t *meters;
    hub_roster_t *roster;
    hub_coverage_t *coverage;
    hub_silence_t *silence;
    atomic_bool events; /* new hosts are told in phpIPAM's logs */
};

static const char *const s_words[HUB_COUNT_COUNT] = {
    [HUB_COUNT_PARTS_APPLIED] = "parts_applied",
    [HUB_COUNT_PARTS_REFUSED] = "parts_refused",
    [HUB_COUNT_PARTS_RETRY] = "parts_retry",
    [HUB_COUNT_PARTS_NOTED] = "parts_noted",
    [HUB_COUNT_ROWS_SEEN] = "rows_seen",
    [HUB_COUNT_ROWS_ADDED] = "rows_added",
    [HUB_COUNT_ROWS_NAMED] = "rows_named",
    [HUB_COUNT_ROWS_MACS] = "rows_mac_changed",
    [HUB_COUNT_ROWS_TAGGED] = "rows_tagged",
    [HUB_COUNT_ROWS_HELD] = "rows_held",
    [HUB_COUNT_HOSTS_REFUSED] = "hosts_refused",
    [HUB_COUNT_NAMES_DROPPED] = "names_dropped",
    [HUB_COUNT_MACS_DROPPED] = "macs_dropped",
    [HUB_COUNT_MACS_DIFFER] = "macs_differing",
    [HUB_COUNT_MESSAGES_BAD] = "messages_bad",
    [HUB_COUNT_DUPLICATES] = "duplicates_dropped",
    [HUB_COUNT_CLONES] = "clones_told",
};

sh_err_t
hub_live_new (hub_live_t **out, hub_zone_mode_t zone)
{
    hub_live_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->zone = zone;
    pthread_mutex_init (&self->making, NULL);
    pthread_mutex_init (&self->lock, NULL);
    snprintf (self->database_text, sizeof self->database_text,
              "not connected yet");
    sh_err_t rc = hub_meters_new (&self->meters);
    if (rc == SH_OK)
        rc = hub_roster_new (&self->roster, HUB_ROSTER_MOST);
    if (rc == SH_OK)
        rc = hub_coverage_new (&self->coverage, HUB_COVERAGE_MOST);
    if (rc == SH_OK)
        rc = hub_silence_new (&self->silence);
    if (rc != SH_OK) {
        hub_live_destroy (&self);
        return rc;
    }
    *out = self;
    return SH_OK;
}

static void
s_destroy_policies (hub_policies_t *policies)
{
    if (policies) {
        hub_policies_clear (policies);
        free (policies);
    }
}

static void
s_destroy_scan (hub_scan_settings_t *settings)
{
    if (settings) {
        hub_scan_settings_clear (settings);
        free (settings);
    }
}

void
hub_live_destroy (hub_live_t **self_p)
{
    hub_live_t *self = *self_p;
    if (!self)
        return;
    s_destroy_policies (self->policies);
    s_destroy_scan (self->scan);
    hub_assignments_release (&self->assignments);
    hub_silence_destroy (&self->silence);
    hub_coverage_destroy (&self->coverage);
    hub_roster_destroy (&self->roster);
    hub_meters_destroy (&self->meters);
    pthread_mutex_destroy (&self->lock);
    pthread_mutex_destroy (&self->making);
    free (self);
    *self_p = NULL;
}

void
hub_live_set_policies (hub_live_t *self, hub_policies_t **policies_p)
{
    pthread_mutex_lock (&self->lock);
    hub_policies_t *old = self->policies;
    self->policies = *policies_p;
    pthread_mutex_unlock (&self->lock);
    *policies_p = NULL;
    s_destroy_policies (old);
}

hub_policy_t
hub_live_policy (hub_live_t *self, const char *agent, uint64_t subnet)
{
    pthread_mutex_lock (&self->lock);
    assert (self->policies);
    hub_policy_t policy = hub_policy_for (self->policies, agent, subnet);
    pthread_mutex_unlock (&self->lock);
    return policy;
}

sh_zone_t
hub_live_zone (const hub_live_t *self, int db_offset, int64_t now)
{
    if (self->zone == HUB_ZONE_AUTO)
        return sh_zone_guess (db_offset, now);
    return self->zone == HUB_ZONE_UTC ? SH_ZONE_UTC : SH_ZONE_LOCAL;
}

void
hub_live_set_scan (hub_live_t *self, hub_scan_settings_t **settings_p)
{
    pthread_mutex_lock (&self->making);
    hub_scan_settings_t *old = self->scan;
    self->scan = *settings_p;
    self->strangers[0] = '\0'; /* to be said once more */
    pthread_mutex_unlock (&self->making);
    *settings_p = NULL;
    s_destroy_scan (old);
}

void
hub_live_set_events (hub_live_t *self, bool on)
{
    atomic_store (&self->events, on);
}

bool
hub_live_events (hub_live_t *self)
{
    return atomic_load (&self->events);
}

void
hub_live_set_pauses (hub_live_t *self, hub_pauses_t *pauses)
{
    self->pauses = pauses;
}

/*  What phpIPAM does not have of what the settings name is said when it
    changes.  Under 'making'.  */
static void
s_look_for_strangers (hub_live_t *self, const hub_assignments_t *fresh)
{
    char text[HUB_STRANGERS_TEXT];
    hub_remarks_strangers (text, sizeof text, fresh, self->scan);
    if (strcmp (text, self->strangers) == 0)
        return;
    memcpy (self->strangers, text, sizeof text);
    if (*text)
        sh_log (SH_LOG_WARNING, "settings that concern nobody",
                SH_STR ("because", text));
}

void
hub_live_strangers (hub_live_t *self, char out[static HUB_STRANGERS_TEXT])
{
    pthread_mutex_lock (&self->making);
    memcpy (out, self->strangers, sizeof self->strangers);
    pthread_mutex_unlock (&self->making);
}

/*  'fresh' becomes the newest, or is released if it is no other.  Who makes
    them is alone, so the log has the order in which they came.  */
static void
s_take (hub_live_t *self, hub_assignments_t *fresh)
{
    hub_assignments_t *old = hub_live_assignments (self);
    s_look_for_strangers (self, fresh);
    if (hub_assignments_equal (fresh, old)) {
        hub_assignments_release (&fresh);
        hub_assignments_release (&old);
        return;
    }
    hub_remarks_tell (fresh, old);
    hub_assignments_release (&old);
    pthread_mutex_lock (&self->lock);
    old = self->assignments;
    self->assignments = fresh;
    pthread_mutex_unlock (&self->lock);
    hub_assignments_release (&old);
}

void
hub_live_plan (hub_live_t *self, hub_plan_t **plan_p, int64_t now)
{
    hub_assignments_t *fresh = NULL;
    pthread_mutex_lock (&self->making);
    const hub_terms_t terms = { self->scan, self->pauses, now };
    if (hub_assignments_new (&fresh, plan_p, &terms) == SH_OK)
        s_take (self, fresh);
    pthread_mutex_unlock (&self->making);
    hub_plan_destroy (plan_p);
}

void
hub_live_renew (hub_live_t *self, int64_t now)
{
    hub_assignments_t *fresh = NULL;
    pthread_mutex_lock (&self->making);
    const hub_terms_t terms = { self->scan, self->pauses, now };
    hub_assignments_t *old = hub_live_assignments (self);
    if (old && hub_assignments_renew (&fresh, old, &terms) == SH_OK)
        s_take (self, fresh);
    pthread_mutex_unlock (&self->making);
    hub_assignments_release (&old);
}

hub_assignments_t *
hub_live_assignments (hub_live_t *self)
{
    pthread_mutex_lock (&self->lock);
    hub_assignments_t *newest = self->assignments;
    if (newest)
        hub_assignments_keep (newest);
    pthread_mutex_unlock (&self->lock);
    return newest;
}

void
hub_live_set_database (hub_live_t *self, bool up, const char *text)
{
    pthread_mutex_lock (&self->lock);
    self->database_up = up;
    snprintf (self->database_text, sizeof self->database_text, "%s", text);
    pthread_mutex_unlock (&self->lock);
}

void
hub_live_set_trouble (hub_live_t *self, const void *who, const char *text,
                      int64_t until)
{
    pthread_mutex_lock (&self->lock);
    if (text) {
        self->trouble_of = who;
        self->trouble_until = until;
        snprintf (self->trouble, sizeof self->trouble, "%s", text);
    } else if (self->trouble_of == who)
        self->trouble_of = NULL;
    pthread_mutex_unlock (&self->lock);
}

bool
hub_live_database (hub_live_t *self, int64_t now, char *text, size_t size)
{
    pthread_mutex_lock (&self->lock);
    bool troubled = self->trouble_of && now < self->trouble_until;
    bool good = self->database_up && !troubled;
    /*  What the watcher says is newer.  */
    snprintf (text, size, "%s",
              good || !self->database_up ? self->database_text
                                         : self->trouble);
    pthread_mutex_unlock (&self->lock);
    return good;
}

bool
hub_live_ready (hub_live_t *self, int64_t now, char *text, size_t size)
{
    bool up = hub_live_database (self, now, text, size);
    hub_assignments_t *all = hub_live_assignments (self);
    bool ready = up && all;
    hub_assignments_release (&all);
    return ready;
}

void
hub_live_count (hub_live_t *self, hub_count_t which, uint64_t more)
{
    if (more)
        atomic_fetch_add (&self->counts[which], more);
}

uint64_t
hub_live_counted (hub_live_t *self, hub_count_t which)
{
    return atomic_load (&self->counts[which]);
}

const char *
hub_count_word (hub_count_t which)
{
    assert (which < HUB_COUNT_COUNT);
    return s_words[which];
}

hub_meters_t *
hub_live_meters (hub_live_t *self)
{
    return self->meters;
}

hub_roster_t *
hub_live_roster (hub_live_t *self)
{
    return self->roster;
}

hub_coverage_t *
hub_live_coverage (hub_live_t *self)
{
    return self->coverage;
}

hub_silence_t *
hub_live_silence (hub_live_t *self)
{
    return self->silence;
}

/*  Has phpIPAM an agent with this code; and is the subnet its own?  */
static bool
s_is_known (hub_live_t *self, const hub_outcome_t *outcome, bool *its_own)
{
    uint64_t agent = 0;
    hub_assignments_t *all = hub_live_assignments (self);
    bool known = all && outcome->code
                 && hub_assignments_agent (all, outcome->code, &agent)
                        == SH_OK;
    const hub_assignment_t *one
        = known ? hub_assignments_find (all, outcome->subnet) : NULL;
    *its_own = one && one->row->agent == agent;
    hub_assignments_release (&all);
    return known;
}

void
hub_live_outcome (hub_live_t *self, const hub_outcome_t *outcome, int64_t now,
                  int64_t mono)
{
    const hub_principal_t *who = outcome->who;
    bool its_own, known = s_is_known (self, outcome, &its_own);
    hub_meters_part (self->meters, who->door, outcome->result, outcome->cause,
                     now);
    if (known || who->door == HUB_DOOR_CURVE)
        hub_roster_report (self->roster, who, outcome->code, outcome->subnet,
                           outcome->result, outcome->cause, now, mono);
    if (its_own && outcome->report)
        hub_coverage_report (self->coverage, who, outcome->report,
                             outcome->subnet, outcome->result, outcome->cause,
                             now);
}

bool
hub_live_revision (hub_live_t *self, const hub_principal_t *who,
                   uint8_t out[static SP_REVISION])
{
    const char *code;
    uint64_t agent;
    hub_assignments_t *all = hub_live_assignments (self);
    bool known = all && hub_principal_code (who, NULL, &code) == SH_OK
                 && hub_assignments_agent (all, code, &agent) == SH_OK;
    if (known)
        hub_assignments_revision (all, agent, out);
    hub_assignments_release (&all);
    return known;
}

sh_err_t
hub_live_page (hub_live_t *self, const hub_principal_t *who, const char *wanted,
               uint64_t after, uint8_t **frame, size_t *size)
{
    const char *code = NULL;
    uint64_t agent = 0;
    sh_err_t rc = hub_principal_code (who, wanted, &code);
    if (rc != SH_OK)
        return rc;
    hub_assignments_t *all = hub_live_assignments (self);
    rc = all ? hub_assignments_agent (all, code, &agent) : SH_E_NOT_READY;
    if (rc == SH_OK)
        rc = hub_assignments_page (all, agent, after, frame, size);
    hub_assignments_release (&all);
    return rc;
}
