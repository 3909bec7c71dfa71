/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/remarks.h"

#include <stdio.h>
#include <string.h>

#include "lib/log.h"

#define LINES_MOST 20 /* of one kind, at one time */
#define STRANGERS_MOST 5

bool
hub_remarks_split (const hub_assignments_t *all, const hub_assignment_t *one)
{
    const hub_assigned_t *row = one->row;
    const hub_known_agent_t *agent
        = hub_assignments_agent_of (all, row->agent);
    return one->strays > 0 && row->unsent == SH_E_SUBNET_PARENT
           && (row->check || row->discover) && agent && agent->eligible;
}

void
hub_remarks_split_text (char out[static HUB_REMARK_TEXT],
                        const hub_assignment_t *one)
{
    snprintf (out, HUB_REMARK_TEXT,
              "phpIPAM scans no subnet that has children, and %zu of its %zu "
              "child subnets %s no scan agent, as after a split; set scan "
              "agent, host check and discovery for those in phpIPAM",
              one->strays, one->children, one->strays == 1 ? "has" : "have");
}

/*  Of one without an agent: whose child it is.  */
static void
s_stray_text (char *out, const hub_assignments_t *all,
              const hub_assignment_t *one)
{
    const hub_assignment_t *master
        = hub_assignments_find (all, one->row->master);
    const hub_known_agent_t *agent
        = master ? hub_assignments_agent_of (all, master->row->agent) : NULL;
    snprintf (out, HUB_REMARK_TEXT,
              "it has no scan agent in phpIPAM; the subnet above it, %llu, has "
              "%s%s%s, but a child does not inherit that",
              (unsigned long long) one->row->master,
              agent ? "'" : "one", agent ? agent->name : "", agent ? "'" : "");
}

void
hub_remarks_unsent_text (char out[static HUB_REMARK_TEXT],
                         const hub_assignments_t *all,
                         const hub_assignment_t *one, sh_err_t cause)
{
    static const struct
    {
        sh_err_t cause;
        const char *text;
    } texts[] = {
        { SH_OK, "" },
        { SH_E_AGENT_UNKNOWN,
          "its scan agent is no longer in phpIPAM; choose another there" },
        { SH_E_AGENT_TYPE,
          "its scan agent is not of type mysql or api in phpIPAM, so no "
          "scanner can take it" },
        { SH_E_NOT_FOUND,
          "its scan agent has no code in phpIPAM; give it one" },
        { SH_E_SUBNET_FOLDER, "it is a folder in phpIPAM" },
        { SH_E_SUBNET_MASK,
          "it has no usable network and mask in phpIPAM" },
        { SH_E_SUBNET_DISABLED,
          "neither host check nor discovery is on for it in phpIPAM" },
        { SH_E_CONFIG,
          "scanhub.yaml says never to all that phpIPAM has on for it: see "
          "check and discover in its section scan" },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].cause == cause) {
            snprintf (out, HUB_REMARK_TEXT, "%s", texts[i].text);
            return;
        }
    if (cause == SH_E_SUBNET_NOT_ASSIGNED)
        s_stray_text (out, all, one);
    else if (hub_remarks_split (all, one))
        hub_remarks_split_text (out, one);
    else
        snprintf (out, HUB_REMARK_TEXT,
                  "it has child subnets in phpIPAM, and those are scanned in "
                  "its place where they have a scan agent");
}

static bool
s_is_stranger (const hub_assignments_t *all, const hub_scan_entry_t *entry)
{
    size_t count;
    const hub_known_agent_t *agents = hub_assignments_agents (all, &count);
    if (entry->kind == HUB_LEVEL_SUBNET)
        return !hub_assignments_find (all, entry->subnet);
    for (size_t i = 0; i < count && entry->kind == HUB_LEVEL_AGENT; i++)
        if (strcmp (agents[i].name, entry->agent) == 0)
            return false;
    return entry->kind == HUB_LEVEL_AGENT;
}

static void
s_stranger_text (char *out, size_t size, const hub_scan_entry_t *entry)
{
    char shown[128];
    if (entry->kind == HUB_LEVEL_SUBNET)
        snprintf (out, size,
                  "scan: subnets: %llu is no subnet in phpIPAM, or has no scan "
                  "agent there", (unsigned long long) entry->subnet);
    else {
        sh_escape (shown, sizeof shown, entry->agent);
        snprintf (out, size,
                  "scan: agents: '%s' is no scan agent in phpIPAM", shown);
    }
}

void
hub_remarks_strangers (char *out, size_t size, const hub_assignments_t *all,
                       const hub_scan_settings_t *settings)
{
    size_t used = 0, met = 0;
    out[0] = '\0';
    for (size_t i = 0; settings && i < settings->count; i++) {
        char text[256];
        if (!s_is_stranger (all, &settings->entries[i])
            || ++met > STRANGERS_MOST)
            continue;
        s_stranger_text (text, sizeof text, &settings->entries[i]);
        int more = snprintf (out + used, size - used, "%s%s",
                             used ? "; " : "", text);
        used += more > 0 && (size_t) more < size - used ? (size_t) more : 0;
        out[used] = '\0';
    }
    if (met > STRANGERS_MOST)
        snprintf (out + used, size - used, "; and %zu more",
                  met - STRANGERS_MOST);
}

static void
s_tell_split (const hub_assignments_t *all, const hub_assignment_t *one)
{
    char cidr[SH_PREFIX_TEXT], text[HUB_REMARK_TEXT];
    sh_prefix_text (&one->row->prefix, cidr);
    hub_remarks_split_text (text, one);
    sh_log (SH_LOG_WARNING, "a subnet is not scanned any more",
            SH_INT ("subnet", one->row->id), SH_STR ("network", cidr),
            SH_STR ("agent",
                    hub_assignments_agent_of (all, one->row->agent)->name),
            SH_STR ("because", text));
}

static void
s_tell_widened (const hub_assignment_t *one)
{
    char cidr[SH_PREFIX_TEXT];
    sh_prefix_text (&one->row->prefix, cidr);
    sh_log (SH_LOG_WARNING,
            "too many excluded ranges in a subnet: those nearest to each other "
            "were made one, and what is between them is not probed either",
            SH_INT ("subnet", one->row->id), SH_STR ("network", cidr),
            SH_INT ("most", SP_SKIP_MOST),
            SH_STR ("remedy", "fewer, wider ranges in scan.exclude of "
                              "scanhub.yaml"));
}

static bool
s_is_widened (const hub_assignment_t *one)
{
    return one->rule && one->rule->widened;
}

/*  Was the same true of it before?  */
static bool
s_was_split (const hub_assignments_t *old, const hub_assignment_t *one)
{
    const hub_assignment_t *then
        = old ? hub_assignments_find (old, one->row->id) : NULL;
    return then && hub_remarks_split (old, then)
           && then->strays == one->strays && then->children == one->children;
}

static bool
s_was_widened (const hub_assignments_t *old, const hub_assignment_t *one)
{
    const hub_assignment_t *then
        = old ? hub_assignments_find (old, one->row->id) : NULL;
    return then && s_is_widened (then);
}

static void
s_tell_rest (const char *what, size_t count)
{
    if (count > LINES_MOST)
        sh_log (SH_LOG_WARNING, what, SH_INT ("more", count - LINES_MOST),
                SH_STR ("see", "scanhubctl subnets"));
}

void
hub_remarks_tell (const hub_assignments_t *fresh, const hub_assignments_t *old)
{
    size_t count, splits = 0, widened = 0;
    const hub_assignment_t *items = hub_assignments_items (fresh, &count);
    for (size_t i = 0; i < count; i++) {
        const hub_assignment_t *one = &items[i];
        if (hub_remarks_split (fresh, one) && !s_was_split (old, one)
            && ++splits <= LINES_MOST)
            s_tell_split (fresh, one);
        if (s_is_widened (one) && !s_was_widened (old, one)
            && ++widened <= LINES_MOST)
            s_tell_widened (one);
    }
    s_tell_rest ("more subnets are not scanned any more", splits);
    s_tell_rest ("more subnets have too many excluded ranges", widened);
}
