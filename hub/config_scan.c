/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/config_scan.h"

#include <stdlib.h>
#include <string.h>

#include "hub/config_policy.h"
#include "hub/scan_settings.h"
#include "lib/log.h"

#define SHOWN_MOST 64  /* of a value in a message */
#define EVERY_LEAST 10 /* seconds from scan to scan */

static const char *const s_kinds[] = { [SH_YAML_NULL] = "nothing",
                                       [SH_YAML_TEXT] = "a text",
                                       [SH_YAML_LIST] = "a list",
                                       [SH_YAML_MAP] = "a map" };

static const char *const s_ipv6_words[] = { "off", "stable", "all", NULL };

/*  All of these get a hub_scan_level_t, or a hub_scan_settings_t, which begins
    with one.  */
_Static_assert (offsetof (hub_scan_settings_t, hub) == 0,
                "a hub_scan_settings_t must begin with the hub's level");

static sh_err_t
s_every (uint32_t *out, const sh_yaml_t *node, const char *key,
         const char *path, sh_why_t *why)
{
    if (node->kind == SH_YAML_TEXT && strcmp (node->text, "never") == 0) {
        *out = HUB_SCAN_NEVER;
        return SH_OK;
    }
    if (sh_config_uint (out, node, key, EVERY_LEAST, SP_EVERY_MOST, path, NULL)
        == SH_OK)
        return SH_OK;
    char shown[SHOWN_MOST];
    sh_escape (shown, sizeof shown,
               node->kind == SH_YAML_TEXT ? node->text : "");
    const char *quote = node->kind == SH_YAML_TEXT ? "'" : "";
    return sh_fail (why, SH_E_CONFIG,
                    "%s:%d: '%s' must be seconds from %d to %d, or never, not "
                    "%s%s%s",
                    path, node->line, key, EVERY_LEAST, SP_EVERY_MOST, quote,
                    *quote ? shown : s_kinds[node->kind], quote);
}

static sh_err_t
s_bind_check (void *target, const sh_yaml_t *node, const char *path,
              sh_why_t *why)
{
    hub_scan_level_t *level = target;
    return s_every (&level->check, node, "check", path, why);
}

static sh_err_t
s_bind_discover (void *target, const sh_yaml_t *node, const char *path,
                 sh_why_t *why)
{
    hub_scan_level_t *level = target;
    return s_every (&level->discover, node, "discover", path, why);
}

static sh_err_t
s_bind_ipv6 (void *target, const sh_yaml_t *node, const char *path,
             sh_why_t *why)
{
    hub_scan_level_t *level = target;
    int index = 0;
    sh_err_t rc = sh_config_word (&index, node, "ipv6_discover", s_ipv6_words,
                                  path, why);
    if (rc == SH_OK)
        level->ipv6 = index + 1; /* the enum begins with INHERIT */
    return rc;
}

/*  Hand each text of a list, or the only one, to 'take'.  */
static sh_err_t
s_each_text (hub_scan_level_t *level, const sh_yaml_t *node, const char *key,
             sh_err_t (*take) (hub_scan_level_t *level, const char *text),
             const char *form, const char *path, sh_why_t *why)
{
    bool single = node->kind == SH_YAML_TEXT;
    if (!single && node->kind != SH_YAML_LIST)
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: '%s' must be a list of texts such as %s", path,
                        node->line, key, form);
    for (size_t i = 0; i < (single ? 1 : node->count); i++) {
        const sh_yaml_t *item = single ? node : node->items[i];
        const char *text = item->kind == SH_YAML_TEXT ? item->text : "";
        sh_err_t rc = take (level, text);
        if (rc == SH_E_MEMORY)
            return sh_fail (why, rc, "%s: out of memory", path);
        if (rc == SH_E_TOO_LARGE)
            return sh_fail (why, SH_E_CONFIG,
                            "%s:%d: '%s' can have at most %d items", path,
                            item->line, key, SP_QUIET_MOST);
        if (rc == SH_OK)
            continue;
        char shown[SHOWN_MOST];
        sh_escape (shown, sizeof shown, text);
        if (rc == SH_E_EXISTS)
            return sh_fail (why, SH_E_CONFIG,
                            "%s:%d: '%s' in '%s' ends when it begins; write "
                            "00:00-24:00 for the whole day",
                            path, item->line, shown, key);
        return sh_fail (why, SH_E_CONFIG, "%s:%d: '%s' in '%s' is not %s",
                        path, item->line, shown, key, form);
    }
    return SH_OK;
}

static sh_err_t
s_take_exclude (hub_scan_level_t *level, const char *text)
{
    sh_range_t one;
    sh_err_t rc = sh_range_parse (&one, text);
    return rc == SH_OK ? sh_ranges_append (&level->exclude, &one) : rc;
}

static sh_err_t
s_bind_exclude (void *target, const sh_yaml_t *node, const char *path,
                sh_why_t *why)
{
    return s_each_text (target, node, "exclude", s_take_exclude,
                        "10.0.0.7, 10.0.0.1-10.0.0.9 or 10.0.0.0/28 (whose "
                        "host bits are 0)",
                        path, why);
}

static sh_err_t
s_take_quiet (hub_scan_level_t *level, const char *text)
{
    sp_hours_t hours;
    sh_err_t rc = hub_hours_parse (&hours, text);
    if (rc != SH_OK)
        return rc;
    if (level->quiet_count == SP_QUIET_MOST)
        return SH_E_TOO_LARGE;
    level->quiet[level->quiet_count++] = hours;
    return SH_OK;
}

static sh_err_t
s_bind_quiet (void *target, const sh_yaml_t *node, const char *path,
              sh_why_t *why)
{
    hub_scan_level_t *level = target;
    level->has_quiet = true;
    return s_each_text (level, node, "quiet", s_take_quiet,
                        "'22:00-06:00' (hours and minutes, two digits each)",
                        path, why);
}

#define LEVEL_FIELDS                                                           \
    { .key = "check", .kind = SH_CONFIG_CALL, .call = s_bind_check },          \
        { .key = "discover",                                                   \
          .kind = SH_CONFIG_CALL,                                              \
          .call = s_bind_discover },                                           \
        { .key = "rate",                                                       \
          .kind = SH_CONFIG_UINT,                                              \
          .offset = offsetof (hub_scan_level_t, rate),                         \
          .low = 1,                                                            \
          .high = SP_RATE_MOST },                                              \
        { .key = "ipv6_discover",                                              \
          .kind = SH_CONFIG_CALL,                                              \
          .call = s_bind_ipv6 },                                               \
        { .key = "exclude", .kind = SH_CONFIG_CALL, .call = s_bind_exclude },  \
        { .key = "quiet", .kind = SH_CONFIG_CALL, .call = s_bind_quiet }

static const sh_config_field_t s_entry_fields[] = {
    LEVEL_FIELDS,
    { 0 },
};

static const struct
{
    const char *section, *keys, *key;
} s_names[] = {
    [HUB_LEVEL_AGENT] = { "agents", "agents' names", "agent's name" },
    [HUB_LEVEL_PREFIX]
    = { "prefixes", "prefixes", "prefix such as 10.0.0.0/8 (whose host bits "
                                "are 0)" },
    [HUB_LEVEL_SUBNET] = { "subnets", "subnet ids", "subnet id" },
};

/*  Whom the entry is about.  */
static sh_err_t
s_name_entry (hub_scan_entry_t *entry, const char *key)
{
    switch (entry->kind) {
    case HUB_LEVEL_AGENT:
        if (key[0] == '\0')
            return SH_E_SYNTAX;
        entry->agent = strdup (key);
        return entry->agent ? SH_OK : SH_E_MEMORY;
    case HUB_LEVEL_PREFIX:
        return sh_prefix_parse (&entry->prefix, key);
    case HUB_LEVEL_SUBNET:
        return hub_config_subnet_id (&entry->subnet, key) ? SH_OK
                                                          : SH_E_SYNTAX;
    }
    return SH_E_INTERNAL;
}

/*  Append an entry for the map's item 'at'.  */
static sh_err_t
s_bind_entry (hub_scan_settings_t *self, const sh_yaml_t *map, size_t at,
              hub_level_t kind, const char *path, sh_why_t *why)
{
    hub_scan_entry_t entry = { .kind = kind };
    hub_scan_entry_t *entries = reallocarray (self->entries, self->count + 1,
                                              sizeof *entries);
    if (!entries)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    self->entries = entries;
    sh_err_t rc = s_name_entry (&entry, map->keys[at]);
    if (rc == SH_E_MEMORY)
        return sh_fail (why, rc, "%s: out of memory", path);
    if (rc != SH_OK) {
        char shown[SHOWN_MOST];
        sh_escape (shown, sizeof shown, map->keys[at]);
        return sh_fail (why, SH_E_CONFIG, "%s:%d: '%s' is no %s", path,
                        map->key_lines[at], shown, s_names[kind].key);
    }
    entries[self->count] = entry;
    return sh_config_bind (&entries[self->count++].level, s_entry_fields,
                           map->items[at], path, why);
}

static sh_err_t
s_bind_entries (hub_scan_settings_t *self, const sh_yaml_t *node,
                hub_level_t kind, const char *path, sh_why_t *why)
{
    if (node->kind != SH_YAML_MAP)
        return sh_fail (why, SH_E_CONFIG, "%s:%d: '%s' must be a map of %s",
                        path, node->line, s_names[kind].section,
                        s_names[kind].keys);
    sh_err_t rc = SH_OK;
    for (size_t i = 0; rc == SH_OK && i < node->count; i++)
        rc = s_bind_entry (self, node, i, kind, path, why);
    return rc;
}

static sh_err_t
s_bind_agents (void *target, const sh_yaml_t *node, const char *path,
               sh_why_t *why)
{
    return s_bind_entries (target, node, HUB_LEVEL_AGENT, path, why);
}

static sh_err_t
s_bind_prefixes (void *target, const sh_yaml_t *node, const char *path,
                 sh_why_t *why)
{
    return s_bind_entries (target, node, HUB_LEVEL_PREFIX, path, why);
}

static sh_err_t
s_bind_subnets (void *target, const sh_yaml_t *node, const char *path,
                sh_why_t *why)
{
    return s_bind_entries (target, node, HUB_LEVEL_SUBNET, path, why);
}

const sh_config_field_t hub_scan_fields[] = {
    LEVEL_FIELDS,
    { .key = "agents", .kind = SH_CONFIG_CALL, .call = s_bind_agents },
    { .key = "prefixes", .kind = SH_CONFIG_CALL, .call = s_bind_prefixes },
    { .key = "subnets", .kind = SH_CONFIG_CALL, .call = s_bind_subnets },
    { 0 },
};
