/* SPDX-License-Identifier: MPL-2.0 */
/*  What is scanned, how, and why not.  */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hub/foreman.h"
#include "hub/health.h"
#include "hub/remarks.h"
#include "hub/requests_within.h"
#include "lib/span.h"

#define LINE_MOST 2048 /* bytes of a line about a subnet, and more */
#define SWEEP_MOST 65536 /* addresses: more are not swept with IPv6 */

bool
hub_requests_means_subnet (const char *word)
{
    sh_prefix_t prefix;
    return word[0] != '\0'
           && (word[strspn (word, "0123456789")] == '\0'
               || sh_prefix_parse (&prefix, word) == SH_OK);
}

static const hub_assignment_t *
s_find_id (const hub_assignments_t *all, const char *word, hub_reply_t *reply)
{
    const hub_assignment_t *one
        = strlen (word) < 19
              ? hub_assignments_find (all, strtoull (word, NULL, 10))
              : NULL;
    if (!one)
        hub_reply_only (reply,
                        "error phpIPAM has no subnet %s, or gives it to no "
                        "scan agent", word);
    return one;
}

static const hub_assignment_t *
s_find_network (const hub_assignments_t *all, const sh_prefix_t *prefix,
                const char *word, hub_reply_t *reply)
{
    size_t count, met = 0;
    const hub_assignment_t *found = NULL;
    const hub_assignment_t *items = hub_assignments_items (all, &count);
    hub_reply_only (reply, "error several subnets are %s; name one by its id:",
                    word);
    for (size_t i = 0; i < count; i++) {
        if (!sh_prefix_equal (&items[i].row->prefix, prefix))
            continue;
        found = &items[i];
        if (++met <= 20)
            hub_reply_add (reply, " %" PRIu64, found->row->id);
    }
    if (met == 0)
        hub_reply_only (reply,
                        "error phpIPAM has no subnet %s, or gives it to no "
                        "scan agent", word);
    return met == 1 ? found : NULL;
}

const hub_assignment_t *
hub_requests_find (const hub_assignments_t *all, const char *word,
                   hub_reply_t *reply)
{
    sh_prefix_t prefix;
    const hub_assignment_t *one = NULL;
    if (!all)
        hub_reply_only (reply, "error the hub has not read phpIPAM's subnets "
                               "yet; see scanhubctl ping");
    else if (sh_prefix_parse (&prefix, word) == SH_OK)
        one = s_find_network (all, &prefix, word, reply);
    else if (hub_requests_means_subnet (word))
        one = s_find_id (all, word, reply);
    else
        hub_reply_only (reply, "error a subnet is named by its id in phpIPAM "
                               "or by its network, such as 10.0.0.0/24");
    if (one)
        hub_reply_only (reply, "%s", "");
    return one;
}

/*  "off", "never" or seconds; "-" where no rule can be made (NULL).  */
static void
s_add_every (hub_reply_t *reply, bool on, const uint32_t *seconds)
{
    if (!on)
        hub_reply_add (reply, "\toff");
    else if (!seconds)
        hub_reply_add (reply, "\t-");
    else if (*seconds == HUB_SCAN_NEVER)
        hub_reply_add (reply, "\tnever");
    else
        hub_reply_add (reply, "\t%" PRIu32, *seconds);
}

static int64_t
s_paused (const hub_requests_t *self, const hub_assignment_t *one)
{
    return hub_pauses_of (self->pauses, one->row->id, one->row->agent,
                          hub_requests_wall ());
}

static void
s_add_line (const hub_requests_t *self, const hub_assignments_t *all,
            const hub_assignment_t *one, hub_reply_t *reply)
{
    char cidr[SH_PREFIX_TEXT] = "-", text[HUB_REMARK_TEXT];
    const hub_assigned_t *row = one->row;
    const hub_known_agent_t *agent
        = hub_assignments_agent_of (all, row->agent);
    sh_err_t cause = hub_assignments_unsent (all, one);
    int64_t until = s_paused (self, one);
    if (row->prefix.base.family)
        sh_prefix_text (&row->prefix, cidr);
    hub_reply_add (reply, "%" PRIu64 "\t%s\t", row->id, cidr);
    hub_reply_outside (reply, agent ? agent->name : "-");
    s_add_every (reply, row->check, one->rule ? &one->rule->check : NULL);
    s_add_every (reply, row->discover,
                 one->rule ? &one->rule->discover : NULL);
    hub_reply_add (reply, "\t%s\t%" PRId64 "\t%s\t",
                   cause == SH_OK ? "sent" : sh_err_word (cause),
                   until == HUB_PAUSE_NO_END ? -1 : until,
                   hub_health_is_ours (all, one) ? "ours" : "other");
    hub_remarks_unsent_text (text, all, one, cause);
    hub_reply_outside (reply, text);
    hub_reply_add (reply, "\n");
}

void
hub_requests_subnets (const hub_requests_t *self, const char *rest,
                      hub_reply_t *reply)
{
    uint64_t after = strtoull (rest, NULL, 10);
    size_t count = 0, i = 0;
    hub_assignments_t *all = hub_live_assignments (self->live);
    if (!all) {
        hub_requests_find (NULL, rest, reply);
        return;
    }
    const hub_assignment_t *items = hub_assignments_items (all, &count);
    hub_reply_add (reply, "ok\n");
    while (i < count && items[i].row->id <= after)
        i++;
    for (; i < count && hub_reply_room (reply) > LINE_MOST; i++)
        s_add_line (self, all, &items[i], reply);
    if (i < count)
        hub_reply_add (reply, "more\n");
    hub_assignments_release (&all);
}

static void
s_add_kind (hub_reply_t *reply, const char *name, bool on, uint32_t seconds)
{
    if (!on)
        hub_reply_add (reply, "%s: off in phpIPAM\n", name);
    else if (seconds == HUB_SCAN_NEVER)
        hub_reply_add (reply, "%s: on in phpIPAM, never by scanhub.yaml\n",
                       name);
    else
        hub_reply_add (reply, "%s: every %" PRIu32 " s\n", name, seconds);
}

static void
s_add_skip (hub_reply_t *reply, const sh_ranges_t *skip)
{
    hub_reply_add (reply, "excluded: %s", skip->count ? "" : "nothing");
    for (size_t i = 0; i < skip->count; i++) {
        char first[SH_ADDR_TEXT], last[SH_ADDR_TEXT];
        sh_addr_text (&skip->items[i].first, first);
        sh_addr_text (&skip->items[i].last, last);
        hub_reply_add (reply, "%s%s%s%s", i ? ", " : "", first,
                       strcmp (first, last) ? "-" : "",
                       strcmp (first, last) ? last : "");
    }
    hub_reply_add (reply, "\n");
}

/*  The site's clock is not known here; ours is a good guess in one zone.  */
static void
s_add_quiet (hub_reply_t *reply, const hub_scan_rule_t *rule)
{
    time_t now = (time_t) (hub_requests_wall () / 1000);
    struct tm parts = { 0 };
    hub_reply_add (reply, "quiet hours: %s", rule->quiet_count ? "" : "none");
    for (size_t i = 0; i < rule->quiet_count; i++) {
        char hours[HUB_HOURS_TEXT];
        hub_hours_text (hours, &rule->quiet[i]);
        hub_reply_add (reply, "%s%s", i ? ", " : "", hours);
    }
    if (rule->quiet_count && localtime_r (&now, &parts)
        && sp_hours_hold (rule->quiet, rule->quiet_count,
                          (unsigned) (parts.tm_hour * 60 + parts.tm_min)))
        hub_reply_add (reply, "; so now, if the site's clock shows %02d:%02d "
                              "as the hub's does",
                       parts.tm_hour, parts.tm_min);
    hub_reply_add (reply, "\n");
}

static void
s_add_rule (hub_reply_t *reply, const hub_assignment_t *one)
{
    const hub_scan_rule_t *rule = one->rule;
    const sh_prefix_t *prefix = &one->row->prefix;
    s_add_kind (reply, "check", one->row->check, rule->check);
    s_add_kind (reply, "discovery", one->row->discover, rule->discover);
    if (rule->rate)
        hub_reply_add (reply, "rate: %" PRIu32 " probes per second\n",
                       rule->rate);
    else
        hub_reply_add (reply, "rate: the site's own\n");
    s_add_skip (reply, &rule->skip);
    if (rule->widened)
        hub_reply_add (reply, "    more ranges than %d: the nearest were made "
                              "one\n", SP_SKIP_MOST);
    s_add_quiet (reply, rule);
    if (prefix->base.family == 6 && sh_prefix_count (prefix) > SWEEP_MOST)
        hub_reply_add (reply,
                       "IPv6: too large to be swept; neighbours that show "
                       "themselves are found: %s\n",
                       hub_ipv6_word (rule->ipv6));
}

static void
s_add_heard (hub_reply_t *reply, const char *seconds)
{
    char ago[SH_SPAN_TEXT];
    sh_span_about (ago, seconds ? strtoll (seconds, NULL, 10) : 0);
    hub_reply_add (reply, "not connected; last heard %s ago\n", ago);
}

/*  Which scanners could do it, and are they there?  */
static void
s_add_scanners (const hub_requests_t *self, const char *code,
                hub_reply_t *reply)
{
    hub_scanner_t scanners[HUB_REQUESTS_SCANNERS];
    size_t count = hub_registry_scanners (self->registry, code, scanners,
                                          HUB_REQUESTS_SCANNERS);
    if (count == 0)
        hub_reply_add (reply, "scanner: none; no key in the registry has this "
                              "agent's code: see scanhubctl scanner add\n");
    for (size_t i = 0; i < count && i < HUB_REQUESTS_SCANNERS; i++) {
        char command[16 + SH_KEY_TEXT];
        snprintf (command, sizeof command, "SEEN\n%.*s", SH_KEY_TEXT - 1,
                  scanners[i].key);
        char *seen = hub_requests_ask_router (self, command);
        char *rest = seen;
        const char *word = seen ? strsep (&rest, " \n") : "";
        hub_reply_add (reply, "scanner: %s, ", scanners[i].name);
        if (strcmp (word, "connected") == 0)
            hub_reply_add (reply, "connected\n");
        else if (strcmp (word, "old") == 0)
            hub_reply_add (reply, "connected, " HUB_FOREMAN_OLD "\n");
        else if (strcmp (word, "away") == 0)
            s_add_heard (reply, rest);
        else
            hub_reply_add (reply, "not connected since this hub started\n");
        zstr_free (&seen);
    }
}

static void
s_add_head (hub_reply_t *reply, const hub_assignment_t *one,
            const hub_known_agent_t *agent)
{
    char cidr[SH_PREFIX_TEXT] = "none that is usable";
    if (one->row->prefix.base.family)
        sh_prefix_text (&one->row->prefix, cidr);
    hub_reply_only (reply, "ok\nsubnet: %" PRIu64 "\nnetwork: %s\nagent: ",
                    one->row->id, cidr);
    if (agent)
        hub_reply_outside (reply, agent->name);
    else
        hub_reply_add (reply, one->row->agent ? "gone" : "none");
    hub_reply_add (reply, "\n");
}

void
hub_requests_subnet (const hub_requests_t *self, const char *rest,
                     hub_reply_t *reply)
{
    char text[HUB_REMARK_TEXT];
    hub_assignments_t *all = hub_live_assignments (self->live);
    const hub_assignment_t *one = hub_requests_find (all, rest, reply);
    if (one) {
        const hub_known_agent_t *agent
            = hub_assignments_agent_of (all, one->row->agent);
        sh_err_t cause = hub_assignments_unsent (all, one);
        int64_t until = s_paused (self, one);
        s_add_head (reply, one, agent);
        hub_remarks_unsent_text (text, all, one, cause);
        hub_reply_add (reply, "scanned: %s%s", cause ? "no: " : "yes", text);
        hub_reply_add (reply, "\npaused: %s", until ? "" : "no");
        if (until)
            hub_requests_add_until (reply, until);
        hub_reply_add (reply, "\n");
        if (one->rule)
            s_add_rule (reply, one);
        if (agent && agent->eligible && *agent->code)
            s_add_scanners (self, agent->code, reply);
    }
    hub_assignments_release (&all);
}
