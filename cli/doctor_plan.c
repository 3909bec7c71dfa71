/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubctl doctor: what phpIPAM says about agents, subnets and addresses,
    and what does not fit.  */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/doctor.h"
#include "hub/remarks.h"
#include "hub/store.h"
#include "lib/clock.h"
#include "lib/span.h"
#include "lib/text.h"

#define DAY 86400
#define SILENT_ERROR (3 * DAY)

/*  All that phpIPAM assigns, by the same functions as the hub.  */
static bool
s_read_plan (ctl_doctor_t *self)
{
    hub_store_t *store = NULL;
    hub_plan_t *plan = NULL;
    const hub_terms_t terms = { .settings = &self->config->scan,
                                .now = self->now * 1000 };
    sh_err_t rc = hub_store_mariadb_new (&store, &self->config->database,
                                         sh_clock_system ());
    if (rc == SH_OK)
        rc = store->read_plan (store, &plan);
    if (rc == SH_OK)
        rc = hub_assignments_new (&self->all, &plan, &terms);
    if (rc != SH_OK)
        sh_findings_error (&self->found, "cannot be read: %s",
                           store ? store->describe (store)
                                 : sh_err_text (rc));
    if (store)
        store->destroy (&store);
    return rc == SH_OK;
}

/*  Has some key in force this code?  */
static bool
s_has_key (const ctl_doctor_t *self, const char *code)
{
    for (size_t i = 0; i < self->roster.count; i++) {
        const ctl_entry_t *entry = &self->roster.items[i];
        bool counts = ctl_entry_in_force (&self->roster, entry);
        for (size_t j = 0; counts && j < entry->who.code_count; j++)
            if (strcmp (entry->who.codes[j].text, code) == 0)
                return true;
    }
    return false;
}

static size_t
s_subnets_of (const ctl_doctor_t *self, uint64_t agent)
{
    size_t count, sent = 0;
    const hub_assignment_t *items = hub_assignments_items (self->all, &count);
    for (size_t i = 0; i < count; i++)
        sent += items[i].row->agent == agent
                && hub_assignments_unsent (self->all, &items[i]) == SH_OK;
    return sent;
}

/*  Agents that no key speaks for.  */
static size_t
s_check_keyless (ctl_doctor_t *self)
{
    size_t count, fine = 0;
    const hub_known_agent_t *agents = hub_assignments_agents (self->all,
                                                              &count);
    for (size_t i = 0; i < count; i++) {
        const hub_known_agent_t *one = &agents[i];
        if (!one->eligible)
            continue;
        if (!*one->code)
            sh_findings_warning (&self->found,
                                 "'%s' has no code in phpIPAM, so no scanner "
                                 "can speak for it: give it one there",
                                 one->name);
        else if (self->has_roster && !s_has_key (self, one->code)
                 && !self->config->http_on)
            sh_findings_warning (&self->found,
                                 "'%s' has %zu subnet%s to scan and no key: "
                                 "scanhubctl scanner invite, and approve with "
                                 "--code %s; or take the agent out of phpIPAM",
                                 one->name, s_subnets_of (self, one->id),
                                 sh_text_s (s_subnets_of (self, one->id)),
                                 one->code);
        else
            fine++;
    }
    return fine;
}

/*  What is wrong with a code of the registry; "" if nothing is.  */
static void
s_judge_code (const ctl_doctor_t *self, const char *code, char *out,
              size_t size)
{
    size_t count;
    const hub_known_agent_t *agents = hub_assignments_agents (self->all,
                                                              &count);
    snprintf (out, size, "no scan agent in phpIPAM has its code %s: create "
                         "one there with that code, or revoke the key", code);
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp (agents[i].code, code) != 0)
            continue;
        if (strcmp (agents[i].code, code) != 0)
            snprintf (out, size, "its code %s is that of '%s' but for capital "
                                 "letters, which count: register it anew",
                      code, agents[i].name);
        else if (!agents[i].eligible)
            snprintf (out, size, "its agent '%s' is not of type mysql or api "
                                 "in phpIPAM: change that there",
                      agents[i].name);
        else
            out[0] = '\0';
    }
}

static void
s_check_agentless (ctl_doctor_t *self)
{
    char text[400];
    for (size_t i = 0; i < self->roster.count; i++) {
        const ctl_entry_t *entry = &self->roster.items[i];
        bool counts = ctl_entry_in_force (&self->roster, entry);
        for (size_t j = 0; counts && j < entry->who.code_count; j++) {
            s_judge_code (self, entry->who.codes[j].text, text, sizeof text);
            if (*text)
                sh_findings_warning (&self->found, "key '%s': %s",
                                     entry->who.name, text);
        }
    }
}

void
ctl_check_agents (ctl_doctor_t *self)
{
    if (!s_read_plan (self))
        return;
    size_t fine = s_check_keyless (self);
    s_check_agentless (self);
    if (self->found.of_check == 0)
        sh_findings_good (&self->found, "%zu for scanners in phpIPAM%s", fine,
                          !self->has_roster       ? ""
                          : self->config->http_on ? ", by key or over HTTP"
                                                  : ", each with a key");
}

/*  Is that a reason which somebody should do something about?  What is off, a
    folder, a parent or 'never' is as somebody wanted it; agents that are gone
    or direct are another check's.  */
static bool
s_is_remarkable (const ctl_doctor_t *self, const hub_assignment_t *one,
                 sh_err_t cause)
{
    bool on = one->row->check || one->row->discover;
    const hub_known_agent_t *agent
        = hub_assignments_agent_of (self->all, one->row->agent);
    switch (cause) {
    case SH_E_SUBNET_PARENT:
        return hub_remarks_split (self->all, one);
    case SH_E_SUBNET_MASK:
    case SH_E_NOT_FOUND:
        return on && agent && agent->eligible;
    default:
        return false;
    }
}

void
ctl_check_subnets (ctl_doctor_t *self)
{
    size_t count, sent = 0;
    if (!self->all)
        return;
    const hub_assignment_t *items = hub_assignments_items (self->all, &count);
    for (size_t i = 0; i < count; i++) {
        char text[HUB_REMARK_TEXT], network[SH_PREFIX_TEXT] = "no network";
        sh_err_t cause = hub_assignments_unsent (self->all, &items[i]);
        sent += cause == SH_OK;
        if (!s_is_remarkable (self, &items[i], cause))
            continue;
        if (items[i].row->prefix.length > 0)
            sh_prefix_text (&items[i].row->prefix, network);
        hub_remarks_unsent_text (text, self->all, &items[i], cause);
        sh_findings_warning (&self->found, "%" PRIu64 " (%s): %s",
                             items[i].row->id, network, text);
    }
    sh_findings_good (&self->found,
                      "%zu to scan; 'scanhubctl subnets' lists all, and says "
                      "why others are not", sent);
}

typedef struct
{
    ctl_doctor_t *doctor;
    ctl_names_t none, gone, direct;
    bool cron; /* phpIPAM's own agent has been at work */
} unscanned_t;

static void
s_take_unscanned (void *context, const hub_survey_subnet_t *one)
{
    unscanned_t *self = context;
    ctl_names_t *list = one->kind == HUB_SURVEY_NO_AGENT     ? &self->none
                        : one->kind == HUB_SURVEY_AGENT_GONE ? &self->gone
                                                             : &self->direct;
    ctl_names_add (list, "%s", one->network);
}

static void
s_take_direct (void *context, const hub_survey_agent_t *agent)
{
    unscanned_t *self = context;
    self->cron |= agent->direct && agent->known && agent->silent < DAY;
}

void
ctl_check_unscanned (ctl_doctor_t *self)
{
    sh_wall_t now;
    unscanned_t all = { .doctor = self };
    sh_wall_at (&now, self->zone, self->now);
    sh_err_t rc = hub_survey_unscanned (self->survey, s_take_unscanned, &all);
    if (rc == SH_OK)
        rc = hub_survey_agents (self->survey, now.text, s_take_direct, &all);
    if (rc != SH_OK) {
        sh_findings_warning (&self->found, "cannot be told: %s",
                             hub_survey_trouble (self->survey));
        return;
    }
    if (all.none.count > 0)
        sh_findings_warning (&self->found,
                             "host check or discovery is on, but there is no "
                             "scan agent, so nobody scans: %s; choose one in "
                             "phpIPAM", ctl_names_text (&all.none));
    if (all.gone.count > 0)
        sh_findings_warning (&self->found,
                             "the scan agent is no longer in phpIPAM, so "
                             "nobody scans: %s; choose another there",
                             ctl_names_text (&all.gone));
    if (all.direct.count > 0 && !all.cron)
        sh_findings_warning (&self->found,
                             "phpIPAM's own agent (direct) is to scan, and its "
                             "cron has not for a day: %s; choose a scanner's "
                             "agent, or set up phpIPAM's cron",
                             ctl_names_text (&all.direct));
    else if (all.none.count + all.gone.count == 0)
        sh_findings_good (&self->found, "none that has host check or "
                                        "discovery on");
}

static void
s_take_silent (void *context, const hub_survey_agent_t *agent)
{
    ctl_doctor_t *self = context;
    char span[SH_SPAN_TEXT];
    const hub_known_agent_t *known
        = hub_assignments_agent_of (self->all, agent->id);
    size_t subnets = s_subnets_of (self, agent->id);
    if (agent->direct || !known || !known->eligible || subnets == 0
        || (agent->known && agent->silent < DAY))
        return;
    if (!agent->known) {
        sh_findings_warning (&self->found,
                             "'%s' has %zu subnet%s to scan and was never "
                             "heard of: set up its scanner", known->name,
                             subnets, sh_text_s (subnets));
        return;
    }
    sh_span_about (span, agent->silent);
    (agent->silent < SILENT_ERROR ? sh_findings_warning : sh_findings_error) (
        &self->found,
        "'%s' was last heard of %s ago, at %s: see to that scanner; where "
        "phpIPAM's clean-up script runs, it deletes what was seen then from "
        "%s on", known->name, span, agent->last, agent->cleaned);
}

void
ctl_check_silent (ctl_doctor_t *self)
{
    sh_wall_t now;
    if (!self->all)
        return;
    sh_wall_at (&now, self->zone, self->now);
    sh_err_t rc = hub_survey_agents (self->survey, now.text, s_take_silent,
                                     self);
    if (rc != SH_OK)
        sh_findings_warning (&self->found, "cannot be told: %s",
                             hub_survey_trouble (self->survey));
    else if (self->found.of_check == 0)
        sh_findings_good (&self->found, "none for a day");
}

void
ctl_check_future (ctl_doctor_t *self)
{
    const hub_survey_seen_t *seen = &self->seen;
    if (!self->has_seen)
        return;
    if (seen->future > 0)
        sh_findings_warning (
            &self->found,
            "%" PRIu64 " of %" PRIu64 " addresses: lastSeen lies in the "
            "future, such as %s (%s), and counts as online until then; a "
            "sighting sets it right, and if they are hours ahead, "
            "phpipam_timezone is not phpIPAM's zone",
            seen->future, seen->rows, seen->example, seen->example_seen);
    else
        sh_findings_good (&self->found,
                          "no lastSeen among %s%" PRIu64 " address%s",
                          seen->whole ? "" : "the first ", seen->rows,
                          seen->rows == 1 ? "" : "es");
}

static void
s_take_name (void *context, const hub_survey_subnet_t *one)
{
    ctl_names_add (context, "%s", one->network);
}

void
ctl_check_powerdns (ctl_doctor_t *self)
{
    ctl_names_t names = { .count = 0 };
    bool granted = false;
    sh_err_t rc = hub_survey_powerdns (self->survey, &granted, s_take_name,
                                       &names);
    if (rc != SH_OK)
        sh_findings_warning (&self->found, "cannot be told: %s",
                             hub_survey_trouble (self->survey));
    else if (!granted)
        sh_findings_warning (&self->found,
                             "cannot be looked at; to know whether phpIPAM "
                             "keeps records for a subnet: GRANT SELECT "
                             "(DNSrecords) ON %s.subnets TO %s;",
                             self->config->database.name,
                             self->server.account);
    else if (names.count > 0)
        sh_findings_warning (&self->found,
                             "DNS records are on for %s: phpIPAM makes none "
                             "for addresses that scanners find; save such an "
                             "address in phpIPAM to have them made",
                             ctl_names_text (&names));
    else
        sh_findings_good (&self->found, "no subnet of a scanner has DNS "
                                        "records on");
}
