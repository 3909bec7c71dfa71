/* SPDX-License-Identifier: MPL-2.0 */
/*  What is wrong with the hub, in sentences that say what to do: the first
    lines of 'scanhubctl status'.  */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/census.h"
#include "hub/descriptors.h"
#include "hub/requests_status.h"
#include "lib/span.h"
#include "lib/text.h"

#define TEXT_MOST 768
#define FRESH_MS (10 * 60 * 1000) /* older ones may have been mended */

static void SH_PRINTF (4, 5)
s_add (json_t *list, const char *what, sh_grade_t grade, const char *format,
       ...)
{
    char text[TEXT_MOST];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    json_array_append_new (
        list, json_pack ("{s:s, s:s, s:o}", "grade",
                         grade == SH_FINDING_ERROR ? "error" : "warning",
                         "what", what, "text", hub_status_text (text)));
}

bool
hub_status_works (const json_t *problems)
{
    size_t i;
    const json_t *one;
    json_array_foreach (problems, i, one)
        if (strcmp (json_string_value (json_object_get (one, "grade")),
                    "error") == 0)
            return false;
    return true;
}

static void
s_add_database (json_t *list, const hub_requests_t *self,
                const hub_health_times_t *times)
{
    char text[320];
    hub_assignments_t *all = hub_live_assignments (self->live);
    if (!hub_live_database (self->live, times->mono, text, sizeof text))
        s_add (list, "database", SH_FINDING_ERROR,
               "the database cannot be used: %s", text);
    else if (!all)
        s_add (list, "database", SH_FINDING_ERROR,
               "phpIPAM's subnets have not been read yet; wait a moment");
    hub_assignments_release (&all);
}

static void
s_add_lists (json_t *list, const hub_requests_t *self,
             const hub_status_sums_t *sums)
{
    if (sums->known + sums->http == 0 && !self->http)
        s_add (list, "scanners", SH_FINDING_WARNING,
               "no scanner is registered: scanhubctl scanner invite shows what "
               "a site has to run");
    if (sums->scanners_wrong)
        s_add (list, "scanners", SH_FINDING_ERROR,
               "something is wrong with %zu of %zu scanner%s; see below",
               sums->scanners_wrong, sums->known + sums->http,
               sh_text_s (sums->known + sums->http));
    if (sums->refused)
        s_add (list, "subnets", SH_FINDING_ERROR,
               "reports about %zu subnet%s are refused; see below",
               sums->refused, sh_text_s (sums->refused));
    if (sums->late)
        s_add (list, "subnets", SH_FINDING_ERROR,
               "%zu of %zu subnet%s %s not scanned in time; see below",
               sums->late, sums->scanned, sh_text_s (sums->scanned),
               sums->late == 1 ? "is" : "are");
    if (sums->agents_silent)
        s_add (list, "agents", SH_FINDING_ERROR,
               "silent for over a day: %zu scan agent%s; phpIPAM's clean-up "
               "script deletes what nobody has seen for 7 days",
               sums->agents_silent, sh_text_s (sums->agents_silent));
    if (sums->agents_never)
        s_add (list, "agents", SH_FINDING_WARNING,
               "never heard of yet: %zu scan agent%s with subnets in phpIPAM",
               sums->agents_never, sh_text_s (sums->agents_never));
    if (sums->warned)
        s_add (list, "scanners", SH_FINDING_WARNING,
               "%zu of %zu scanner%s %s something to look at; see below",
               sums->warned, sums->known + sums->http,
               sh_text_s (sums->known + sums->http),
               sums->warned == 1 ? "has" : "have");
}

/*  Has it a code that is no scan agent's?  */
static bool
s_is_agentless (const hub_requests_t *self, const hub_assignments_t *all,
                const char *key)
{
    uint64_t agent;
    hub_principal_t who = { 0 };
    if (!hub_registry_find (self->registry, key, &who))
        return false;
    bool agentless = false;
    for (size_t i = 0; i < who.code_count && !agentless; i++)
        agentless = hub_assignments_agent (all, who.codes[i].text, &agent)
                    != SH_OK;
    hub_principal_clear (&who);
    return agentless;
}

/*  They are connected, and nothing is scanned.  */
static void
s_add_agentless (json_t *list, const hub_requests_t *self)
{
    hub_key_t *keys = NULL;
    hub_assignments_t *all = hub_live_assignments (self->live);
    size_t count = all ? hub_registry_list (self->registry, &keys) : 0;
    size_t found = 0;
    const char *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!s_is_agentless (self, all, keys[i].key))
            continue;
        found++;
        first = first ? first : keys[i].name;
    }
    if (found)
        s_add (list, "codes", SH_FINDING_WARNING,
               "%zu scanner%s, '%s'%s a code that no scan agent for scanners "
               "in phpIPAM has, so nothing is scanned for it; see scanhubctl "
               "doctor", found, sh_text_s (found), first,
               found == 1 ? ", has" : " among them, have");
    hub_assignments_release (&all);
    free (keys);
}

/*  Those of no scanner that the lists show: the sender may be an HTTP client
    whose code phpIPAM does not know.  */
static void
s_add_refusals (json_t *list, const hub_requests_t *self,
                const hub_health_times_t *times)
{
    for (int i = SH_OK + 1; i < SH_ERR_COUNT; i++) {
        char span[SH_SPAN_TEXT];
        hub_refusals_t one = hub_meters_refusals (
            hub_live_meters (self->live), (sh_err_t) i);
        sh_class_t class = sh_err_class ((sh_err_t) i);
        bool never = class == SH_CLASS_PEER || class == SH_CLASS_DENIED;
        if (one.count == 0 || !never || times->now - one.last >= HUB_RECENT_MS)
            continue;
        sh_span_about (span, (times->now - one.last) / 1000);
        s_add (list, "refusals",
               times->now - one.last < FRESH_MS ? SH_FINDING_ERROR
                                                : SH_FINDING_WARNING,
               "%llu report part%s refused (%s), the last %s ago: %s",
               (unsigned long long) one.count,
               sh_text_s ((size_t) one.count), sh_err_word ((sh_err_t) i),
               span, sh_err_text ((sh_err_t) i));
    }
}

static void
s_add_limits (json_t *list, const hub_requests_t *self)
{
    hub_meters_t *meters = hub_live_meters (self->live);
    hub_descriptors_t gauge;
    hub_descriptors_read (&gauge);
    if (hub_meters_get (meters, HUB_GAUGE_DOOR_OPEN) == 0)
        s_add (list, "memory", SH_FINDING_ERROR,
               "the door for scanners is closed for a moment, for memory is "
               "above its ceiling; see the log for who filled it");
    if (gauge.turned_away && gauge.used + gauge.reserve * 2 >= gauge.limit)
        s_add (list, "descriptors", SH_FINDING_ERROR,
               "connections are turned away for want of file descriptors: "
               "raise LimitNOFILE, or see who connects");
    uint64_t spool = hub_meters_get (meters, HUB_GAUGE_HTTP_SPOOL);
    if (self->http && spool)
        s_add (list, "http", SH_FINDING_WARNING,
               "%llu report%s of HTTP clients wait%s in the spool",
               (unsigned long long) spool, sh_text_s (spool),
               spool == 1 ? "s" : "");
    hub_journal_status_t journal = { .failing = false };
    if (self->journal)
        hub_journal_status (self->journal, &journal);
    if (journal.failing)
        s_add (list, "journal", SH_FINDING_WARNING,
               "the journal cannot be written: %s", journal.error.text);
    size_t idle = hub_registry_idle (self->registry);
    if (idle)
        s_add (list, "registry", SH_FINDING_WARNING,
               "%zu file%s of the registry let%s nobody in; see scanhubctl "
               "scanner list", idle, sh_text_s (idle), idle == 1 ? "s" : "");
    size_t pending = hub_census_pending (self->registry, self->pending);
    if (pending)
        s_add (list, "pending", SH_FINDING_WARNING,
               "%zu unknown key%s knocked; see scanhubctl scanner pending",
               pending, pending == 1 ? " has" : "s have");
}

/*  What is under preview waits by the administrator's own wish.  */
static void
s_add_held (json_t *list, const hub_requests_t *self)
{
    hub_previews_totals_t totals;
    hub_previews_totals (self->previews, &totals);
    if (*totals.trouble)
        s_add (list, "held", SH_FINDING_WARNING,
               "reports cannot be held, so those that would be wait at their "
               "scanners: %s", totals.trouble);
    if (totals.held)
        s_add (list, "held", SH_FINDING_WARNING,
               "%llu report%s held, for %s would change very much at once: "
               "scanhubctl preview list",
               (unsigned long long) totals.held,
               totals.held == 1 ? " is" : "s are",
               totals.held == 1 ? "it" : "they");
}

json_t *
hub_status_problems (const hub_requests_t *self,
                     const hub_status_sums_t *sums,
                     const hub_health_times_t *times)
{
    json_t *list = json_array ();
    s_add_database (list, self, times);
    s_add_refusals (list, self, times);
    s_add_lists (list, self, sums);
    s_add_agentless (list, self);
    s_add_limits (list, self);
    s_add_held (list, self);
    return list;
}
