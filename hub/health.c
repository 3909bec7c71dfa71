/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/health.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/span.h"

#define LATE_LEAST_MS (10 * 60 * 1000)        /* after it was due */
#define QUIET_MS (INT64_C (24) * 3600 * 1000) /* what quiet hours can add */

static void SH_PRINTF (4, 5)
s_say (hub_health_t *out, sh_grade_t grade, const char *state,
       const char *format, ...)
{
    va_list args;
    out->grade = grade;
    out->state = state;
    va_start (args, format);
    vsnprintf (out->text, sizeof out->text, format, args);
    va_end (args);
}

static void
s_good (hub_health_t *out, const char *state)
{
    *out = (hub_health_t){ SH_FINDING_GOOD, state, "" };
}

/*  Of one that has no connection: a scanner that cron starts has none most of
    the time, so only time tells.  */
static bool
s_is_missed (hub_health_t *out, const hub_scanner_state_t *state,
             const hub_health_times_t *times)
{
    char span[SH_SPAN_TEXT];
    int64_t up = times->now - times->started;
    if (state->heard < 0 && up >= HUB_AWAY_MS) {
        sh_span_about (span, up / 1000);
        s_say (out, SH_FINDING_ERROR, "missing",
               "not heard since this hub started %s ago; at the site: "
               "scanhub-scanner status", span);
        return true;
    }
    if (state->heard >= 0 && times->mono - state->heard >= HUB_AWAY_MS) {
        sh_span_about (span, (times->mono - state->heard) / 1000);
        s_say (out, SH_FINDING_ERROR, "missing",
               "last heard %s ago; at the site: scanhub-scanner status", span);
        return true;
    }
    s_good (out, state->heard < 0 ? "never" : "away");
    return false;
}

static bool
s_is_clone (hub_health_t *out, const hub_scanner_state_t *state,
            const hub_health_times_t *times)
{
    const hub_clones_t *clones = &state->clones;
    if (!hub_clones_current (clones, times->mono))
        return false;
    s_say (out, SH_FINDING_ERROR, "clone",
           "its key is used on two machines, %s and %s; give the second a key "
           "of its own, or revoke this one", clones->older, clones->newer);
    return true;
}

static bool
s_is_refused (hub_health_t *out, const hub_scanner_state_t *state,
              const hub_health_times_t *times)
{
    if (!state->refused || times->now - state->refused >= HUB_RECENT_MS
        || state->refused < state->reported)
        return false;
    sh_class_t class = sh_err_class (state->cause);
    bool never = class == SH_CLASS_PEER || class == SH_CLASS_DENIED;
    s_say (out, never ? SH_FINDING_ERROR : SH_FINDING_WARNING, "refused",
           "its last report was %s (%s): %s",
           never ? "refused" : "put off", sh_err_word (state->cause),
           sh_err_text (state->cause));
    return true;
}

void
hub_health_scanner (hub_health_t *out, const hub_scanner_state_t *state,
                    const hub_health_times_t *times)
{
    assert (out && state && times);
    char span[SH_SPAN_TEXT];
    bool curve = state->door == HUB_DOOR_CURVE;
    if (s_is_clone (out, state, times) || s_is_refused (out, state, times))
        return;
    if (curve && !state->connected && s_is_missed (out, state, times))
        return;
    if (curve && state->heard >= 0 && llabs (state->skew) >= HUB_SKEW_MS) {
        sh_span_about (span, (llabs (state->skew) + 500) / 1000);
        s_say (out, SH_FINDING_WARNING, "skewed",
               "its clock is %s %s; times are corrected, but set it right",
               span, state->skew > 0 ? "slow" : "fast");
    } else if (state->connected && state->told && state->spool > 0)
        s_say (out, SH_FINDING_WARNING, "backlog",
               "%llu report%s at the site",
               (unsigned long long) state->spool,
               state->spool == 1 ? " waits" : "s wait");
    else if (state->connected || !curve)
        s_good (out, curve ? "connected" : "http");
}

static int64_t
s_due (bool on, uint32_t every, int64_t begun)
{
    return on && begun && every != HUB_SCAN_NEVER
               ? begun + (int64_t) every * 1000
               : 0;
}

static uint32_t
s_every (const hub_assignment_t *one, bool check)
{
    if (!one->rule)
        return check ? HUB_SCAN_CHECK_S : HUB_SCAN_DISCOVER_S;
    return check ? one->rule->check : one->rule->discover;
}

int64_t
hub_health_due (const hub_assignment_t *one, const hub_subnet_state_t *state)
{
    if (!state)
        return 0;
    int64_t check = s_due (one->check, s_every (one, true), state->checked);
    int64_t discover
        = s_due (one->discover, s_every (one, false), state->discovered);
    if (!check || !discover)
        return check ? check : discover;
    return check < discover ? check : discover;
}

/*  As long again as its interval, and where there are quiet hours the rest of
    the day.  */
static int64_t
s_patience (const hub_assignment_t *one)
{
    int64_t check = one->check ? s_every (one, true) : HUB_SCAN_NEVER;
    int64_t discover = one->discover ? s_every (one, false) : HUB_SCAN_NEVER;
    int64_t every = (check < discover ? check : discover) * 1000;
    int64_t most = every > LATE_LEAST_MS ? every : LATE_LEAST_MS;
    return most + (one->rule && one->rule->quiet_count ? QUIET_MS : 0);
}

static bool
s_is_late (hub_health_t *out, const hub_assignment_t *one,
           const hub_subnet_state_t *state, const hub_health_times_t *times)
{
    char span[SH_SPAN_TEXT];
    int64_t due = hub_health_due (one, state);
    int64_t since = due ? due : times->started + s_patience (one);
    if (times->now - since <= s_patience (one))
        return false;
    sh_span_about (span, (times->now - (due ? due : times->started)) / 1000);
    if (due)
        s_say (out, SH_FINDING_ERROR, "late",
               "its scan was due %s ago; is its scanner there?", span);
    else
        s_say (out, SH_FINDING_ERROR, "late",
               "no scan of it in the %s since this hub started; is its scanner "
               "there?", span);
    return true;
}

void
hub_health_subnet (hub_health_t *out, const hub_assignment_t *one,
                   sh_err_t unsent, const hub_subnet_state_t *state,
                   const hub_health_times_t *times)
{
    assert (out && one && times);
    bool recent = state && state->cause != SH_OK
                  && times->now - state->reported < HUB_RECENT_MS;
    sh_class_t class = recent ? sh_err_class (state->cause) : SH_CLASS_NONE;
    if (unsent != SH_OK)
        s_say (out, SH_FINDING_GOOD, "unsent", "%s", sh_err_text (unsent));
    else if (class == SH_CLASS_PEER || class == SH_CLASS_DENIED)
        s_say (out, SH_FINDING_ERROR, "refused",
               "its last report was refused (%s): %s",
               sh_err_word (state->cause), sh_err_text (state->cause));
    else if (one->paused)
        s_good (out, "paused");
    else if (!s_is_late (out, one, state, times))
        s_good (out, state ? "scanned" : "waiting");
}

bool
hub_health_is_ours (const hub_assignments_t *all, const hub_assignment_t *one)
{
    const hub_assignment_t *whose = one;
    if (one->row->agent == 0)
        whose = hub_assignments_find (all, one->row->master);
    return !whose
           || hub_assignments_unsent (all, whose) != SH_E_AGENT_TYPE;
}

size_t
hub_health_subnets_of (const hub_assignments_t *all, uint64_t agent,
                       size_t *checked)
{
    size_t count = 0, subnets = 0;
    const hub_assignment_t *items
        = all ? hub_assignments_items (all, &count) : NULL;
    *checked = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].row->agent != agent
            || hub_assignments_unsent (all, &items[i]) != SH_OK)
            continue;
        subnets++;
        *checked += items[i].row->check;
    }
    return subnets;
}

int64_t
hub_health_deleted_by (const hub_last_access_t *agent)
{
    return agent->last_access ? agent->last_access + HUB_CLEANED_S : 0;
}

bool
hub_health_is_silent (const hub_last_access_t *agent, int64_t now_s)
{
    return now_s - agent->last_access >= HUB_SILENT_S;
}
