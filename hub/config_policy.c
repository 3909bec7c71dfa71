/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/config_policy.h"

#include <stdlib.h>
#include <string.h>

#include "hub/policy.h"
#include "lib/log.h"

#define SHOWN_MOST 64 /* of a value in a message */

static const char *const s_field_words[]
    = { "never", "fill", "follow", "auto", NULL };
static const char *const s_tags_words[] = { "never", "phpipam", NULL };

/*  The words begin with the enum's second value: the first is INHERIT.  */
static sh_err_t
s_policy_word (int *out, const sh_yaml_t *node, const char *key,
               const char *const *words, const char *path, sh_why_t *why)
{
    int index = 0;
    sh_err_t rc = sh_config_word (&index, node, key, words, path, why);
    if (rc == SH_OK)
        *out = index + 1;
    return rc;
}

/*  A number, or 'off'.  */
static sh_err_t
s_limit (hub_limit_t *out, const sh_yaml_t *node, const char *key,
         uint32_t high, const char *path, sh_why_t *why)
{
    hub_limit_t limit = { HUB_LIMIT_SET, 0 };
    if (node->kind == SH_YAML_TEXT && strcmp (node->text, "off") == 0)
        limit.kind = HUB_LIMIT_OFF;
    else if (sh_config_uint (&limit.most, node, key, 0, high, path, NULL)
             != SH_OK)
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: '%s' must be a number from 0 to %u, or off",
                        path, node->line, key, high);
    *out = limit;
    return SH_OK;
}

/*  These get a hub_policy_t, or a hub_policies_t, which begins with
    one.  */
static sh_err_t
s_bind_hostname (void *target, const sh_yaml_t *node, const char *path,
                 sh_why_t *why)
{
    hub_policy_t *policy = target;
    return s_policy_word (&policy->hostname, node, "hostname", s_field_words,
                          path, why);
}

static sh_err_t
s_bind_mac (void *target, const sh_yaml_t *node, const char *path,
            sh_why_t *why)
{
    hub_policy_t *policy = target;
    return s_policy_word (&policy->mac, node, "mac", s_field_words, path, why);
}

static sh_err_t
s_bind_tags (void *target, const sh_yaml_t *node, const char *path,
             sh_why_t *why)
{
    hub_policy_t *policy = target;
    return s_policy_word (&policy->tags, node, "tags", s_tags_words, path,
                          why);
}

static sh_err_t
s_bind_preview (void *target, const sh_yaml_t *node, const char *path,
                sh_why_t *why)
{
    hub_policy_t *policy = target;
    bool on = false;
    sh_err_t rc = sh_config_bool (&on, node, "preview", path, why);
    if (rc == SH_OK)
        policy->preview = on ? HUB_PREVIEW_YES : HUB_PREVIEW_NO;
    return rc;
}

static sh_err_t
s_bind_max_new (void *target, const sh_yaml_t *node, const char *path,
                sh_why_t *why)
{
    hub_policy_t *policy = target;
    return s_limit (&policy->max_new, node, "max_new", UINT32_MAX, path, why);
}

static sh_err_t
s_bind_max_offline (void *target, const sh_yaml_t *node, const char *path,
                    sh_why_t *why)
{
    hub_policy_t *policy = target;
    return s_limit (&policy->max_offline, node, "max_offline", 100, path, why);
}

static sh_err_t
s_bind_seen_granularity (void *target, const sh_yaml_t *node, const char *path,
                         sh_why_t *why)
{
    hub_policy_t *policy = target;
    return s_limit (&policy->seen_granularity, node, "seen_granularity",
                    HUB_GRANULARITY_MOST, path, why);
}

_Static_assert (offsetof (hub_policies_t, hub) == 0,
                "a hub_policies_t must begin with the hub's policy");

static const sh_config_field_t s_entry_fields[] = {
    { .key = "hostname", .kind = SH_CONFIG_CALL, .call = s_bind_hostname },
    { .key = "mac", .kind = SH_CONFIG_CALL, .call = s_bind_mac },
    { .key = "tags", .kind = SH_CONFIG_CALL, .call = s_bind_tags },
    { .key = "preview", .kind = SH_CONFIG_CALL, .call = s_bind_preview },
    { .key = "max_new", .kind = SH_CONFIG_CALL, .call = s_bind_max_new },
    { .key = "max_offline",
      .kind = SH_CONFIG_CALL,
      .call = s_bind_max_offline },
    { .key = "seen_granularity",
      .kind = SH_CONFIG_CALL,
      .call = s_bind_seen_granularity },
    { 0 },
};

bool
hub_config_subnet_id (uint64_t *out, const char *text)
{
    uint64_t id = 0;
    if (text[0] < '1' || text[0] > '9')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        id = id * 10 + (uint64_t) (*text - '0');
        if (id > UINT32_MAX)
            return false;
    }
    *out = id;
    return true;
}

/*  Append an entry for the map's item 'at'.  */
static sh_err_t
s_bind_entry (hub_policies_t *self, const sh_yaml_t *map, size_t at,
              bool by_agent, const char *path, sh_why_t *why)
{
    const char *key = map->keys[at];
    const sh_yaml_t *item = map->items[at];
    hub_policy_entry_t entry = { 0 };
    if (by_agent ? key[0] == '\0'
                 : !hub_config_subnet_id (&entry.subnet, key)) {
        char shown[SHOWN_MOST];
        sh_escape (shown, sizeof shown, key);
        return sh_fail (why, SH_E_CONFIG, "%s:%d: '%s' is no %s", path,
                        item->line, shown,
                        by_agent ? "agent's name" : "subnet id");
    }
    hub_policy_entry_t *entries
        = realloc (self->entries, (self->count + 1) * sizeof *entries);
    if (!entries)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    self->entries = entries;
    if (by_agent) {
        entry.agent = strdup (key);
        if (!entry.agent)
            return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    }
    entries[self->count] = entry;
    return sh_config_bind (&entries[self->count++].policy, s_entry_fields,
                           item, path, why);
}

static sh_err_t
s_bind_entries (hub_policies_t *self, const sh_yaml_t *node, bool by_agent,
                const char *path, sh_why_t *why)
{
    if (node->kind != SH_YAML_MAP)
        return sh_fail (why, SH_E_CONFIG, "%s:%d: '%s' must be a map of %s",
                        path, node->line, by_agent ? "agents" : "subnets",
                        by_agent ? "agents' names" : "subnet ids");
    sh_err_t rc = SH_OK;
    for (size_t i = 0; rc == SH_OK && i < node->count; i++)
        rc = s_bind_entry (self, node, i, by_agent, path, why);
    return rc;
}

static sh_err_t
s_bind_agents (void *target, const sh_yaml_t *node, const char *path,
               sh_why_t *why)
{
    return s_bind_entries (target, node, true, path, why);
}

static sh_err_t
s_bind_subnets (void *target, const sh_yaml_t *node, const char *path,
                sh_why_t *why)
{
    return s_bind_entries (target, node, false, path, why);
}

const sh_config_field_t hub_policy_fields[] = {
    { .key = "hostname", .kind = SH_CONFIG_CALL, .call = s_bind_hostname },
    { .key = "mac", .kind = SH_CONFIG_CALL, .call = s_bind_mac },
    { .key = "tags", .kind = SH_CONFIG_CALL, .call = s_bind_tags },
    { .key = "preview", .kind = SH_CONFIG_CALL, .call = s_bind_preview },
    { .key = "max_new", .kind = SH_CONFIG_CALL, .call = s_bind_max_new },
    { .key = "max_offline",
      .kind = SH_CONFIG_CALL,
      .call = s_bind_max_offline },
    { .key = "seen_granularity",
      .kind = SH_CONFIG_CALL,
      .call = s_bind_seen_granularity },
    { .key = "agents", .kind = SH_CONFIG_CALL, .call = s_bind_agents },
    { .key = "subnets", .kind = SH_CONFIG_CALL, .call = s_bind_subnets },
    { 0 },
};
