/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/scan_settings.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
hub_scan_settings_init (hub_scan_settings_t *self)
{
    assert (self);
    *self = (hub_scan_settings_t){ .hub = { .check = HUB_SCAN_CHECK_S,
                                            .discover = HUB_SCAN_DISCOVER_S,
                                            .ipv6 = HUB_IPV6_STABLE } };
}

void
hub_scan_settings_clear (hub_scan_settings_t *self)
{
    assert (self);
    for (size_t i = 0; i < self->count; i++) {
        free (self->entries[i].agent);
        sh_ranges_clear (&self->entries[i].level.exclude);
    }
    free (self->entries);
    sh_ranges_clear (&self->hub.exclude);
    hub_scan_settings_init (self);
}

/*  From wide to narrow.  */
static int
s_compare (const void *a, const void *b)
{
    const hub_scan_entry_t *one = a, *other = b;
    if (one->kind != other->kind)
        return one->kind < other->kind ? -1 : 1;
    if (one->kind == HUB_LEVEL_AGENT)
        return strcmp (one->agent, other->agent);
    if (one->kind == HUB_LEVEL_PREFIX
        && one->prefix.length != other->prefix.length)
        return one->prefix.length < other->prefix.length ? -1 : 1;
    if (one->kind == HUB_LEVEL_PREFIX)
        return sh_addr_cmp (&one->prefix.base, &other->prefix.base);
    return one->subnet < other->subnet ? -1 : one->subnet > other->subnet;
}

void
hub_scan_settings_settle (hub_scan_settings_t *self)
{
    assert (self);
    sh_ranges_settle (&self->hub.exclude);
    for (size_t i = 0; i < self->count; i++)
        sh_ranges_settle (&self->entries[i].level.exclude);
    if (self->count > 1)
        qsort (self->entries, self->count, sizeof *self->entries, s_compare);
}

static bool
s_covers (const sh_prefix_t *wide, const sh_prefix_t *prefix)
{
    return wide->length <= prefix->length
           && sh_prefix_contains (wide, &prefix->base);
}

static bool
s_concerns (const hub_scan_entry_t *entry, const char *agent, uint64_t subnet,
            const sh_prefix_t *prefix)
{
    switch (entry->kind) {
    case HUB_LEVEL_AGENT:
        return agent && strcmp (entry->agent, agent) == 0;
    case HUB_LEVEL_PREFIX:
        return s_covers (&entry->prefix, prefix);
    case HUB_LEVEL_SUBNET:
        return entry->subnet == subnet;
    }
    return false;
}

static sh_err_t
s_narrow (hub_scan_rule_t *rule, const hub_scan_level_t *by,
          const sh_prefix_t *prefix)
{
    if (by->check)
        rule->check = by->check;
    if (by->discover)
        rule->discover = by->discover;
    if (by->rate)
        rule->rate = by->rate;
    if (by->ipv6 != HUB_IPV6_INHERIT)
        rule->ipv6 = by->ipv6;
    if (by->has_quiet) {
        memcpy (rule->quiet, by->quiet, sizeof rule->quiet);
        rule->quiet_count = by->quiet_count;
    }
    return sh_ranges_cut (&rule->skip, &by->exclude, prefix);
}

sh_err_t
hub_scan_rule_make (hub_scan_rule_t *out, const hub_scan_settings_t *self,
                    const char *agent, uint64_t subnet,
                    const sh_prefix_t *prefix)
{
    assert (out && self && prefix);
    hub_scan_rule_t rule = { 0 };
    sh_err_t rc = s_narrow (&rule, &self->hub, prefix);
    for (size_t i = 0; rc == SH_OK && i < self->count; i++)
        if (s_concerns (&self->entries[i], agent, subnet, prefix))
            rc = s_narrow (&rule, &self->entries[i].level, prefix);
    sh_ranges_settle (&rule.skip);
    if (rc == SH_OK)
        rc = sh_ranges_limit (&rule.skip, SP_SKIP_MOST, &rule.widened);
    if (rc == SH_OK)
        *out = rule;
    else
        hub_scan_rule_clear (&rule);
    return rc;
}

void
hub_scan_rule_clear (hub_scan_rule_t *self)
{
    assert (self);
    sh_ranges_clear (&self->skip);
    *self = (hub_scan_rule_t){ 0 };
}

/*  "06:30" at 'text': minutes since midnight, up to 24:00; -1 if it is none. */
static int
s_minutes (const char *text)
{
    static const char form[] = "dd:dd";
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9'
                           : text[i] != form[i])
            return -1;
    int hour = (text[0] - '0') * 10 + text[1] - '0';
    int minute = (text[3] - '0') * 10 + text[4] - '0';
    int all = hour * 60 + minute;
    return minute > 59 || all > SP_DAY_MINUTES ? -1 : all;
}

sh_err_t
hub_hours_parse (sp_hours_t *out, const char *text)
{
    assert (out && text);
    if (strlen (text) != sizeof "22:00-06:00" - 1 || text[5] != '-')
        return SH_E_SYNTAX;
    int from = s_minutes (text), to = s_minutes (text + 6);
    if (from < 0 || to < 0 || from == SP_DAY_MINUTES)
        return SH_E_SYNTAX;
    if (from == to)
        return SH_E_EXISTS;
    *out = (sp_hours_t){ (uint64_t) from, (uint64_t) to % SP_DAY_MINUTES };
    return SH_OK;
}

void
hub_hours_text (char out[static HUB_HOURS_TEXT], const sp_hours_t *hours)
{
    assert (out && hours);
    unsigned from = (unsigned) hours->from % SP_DAY_MINUTES;
    unsigned to = (unsigned) hours->to % SP_DAY_MINUTES;
    if (from == to)
        snprintf (out, HUB_HOURS_TEXT, "all day");
    else
        snprintf (out, HUB_HOURS_TEXT, "%02u:%02u-%02u:%02u", from / 60,
                  from % 60, to ? to / 60 : 24, to % 60);
}

const char *
hub_ipv6_word (int ipv6)
{
    static const char *const words[] = { "", "off", "stable", "all" };
    assert (ipv6 > HUB_IPV6_INHERIT && ipv6 <= HUB_IPV6_ALL);
    return words[ipv6];
}
