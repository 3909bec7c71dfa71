/* SPDX-License-Identifier: MPL-2.0 */
/*  Any bytes as scanhubd's file, its own or the old server's.  What is taken
    keeps what hub/config.h promises.  Files that it names are not read.  */

#include "hub/config.h"
#include "tests/fuzz/input.h"

static void
s_check_level (const hub_scan_level_t *level)
{
    fuzz_require (level->quiet_count <= SP_QUIET_MOST);
    fuzz_require (level->quiet_count == 0 || level->has_quiet);
    fuzz_require (level->rate <= SP_RATE_MOST);
    for (size_t i = 0; i < level->quiet_count; i++)
        fuzz_require (level->quiet[i].from < SP_DAY_MINUTES
                      && level->quiet[i].to < SP_DAY_MINUTES);
    for (size_t i = 0; i < level->exclude.count; i++) {
        const sh_range_t *one = &level->exclude.items[i];
        fuzz_require (one->first.family == one->last.family
                      && sh_addr_cmp (&one->first, &one->last) <= 0);
        fuzz_require (i == 0
                      || sh_addr_cmp (&one[-1].last, &one->first) < 0);
    }
}

/*  And what comes of it for a subnet can be sent.  */
static void
s_check_scan (const hub_scan_settings_t *scan)
{
    static const char *const cidrs[]
        = { "10.0.0.0/8", "10.1.2.0/24", "2001:db8::/32" };
    s_check_level (&scan->hub);
    for (size_t i = 0; i < scan->count; i++)
        s_check_level (&scan->entries[i].level);
    for (size_t i = 0; i < sizeof cidrs / sizeof *cidrs; i++) {
        sh_prefix_t prefix;
        hub_scan_rule_t rule;
        fuzz_require (sh_prefix_parse (&prefix, cidrs[i]) == SH_OK);
        fuzz_require (hub_scan_rule_make (&rule, scan, "site-a", 7, &prefix)
                      == SH_OK);
        fuzz_require (rule.check && rule.discover && rule.ipv6);
        fuzz_require (rule.skip.count <= SP_SKIP_MOST);
        for (size_t j = 0; j < rule.skip.count; j++)
            fuzz_require (
                sh_prefix_contains (&prefix, &rule.skip.items[j].first)
                && sh_prefix_contains (&prefix, &rule.skip.items[j].last));
        hub_scan_rule_clear (&rule);
    }
}

static void
s_check (const hub_config_t *config)
{
    const hub_database_config_t *database = &config->database;
    fuzz_require (config->listen.count >= 1 && config->key && config->registry
                  && config->control && config->timezone);
    fuzz_require (config->workers >= 1 && config->workers <= 64);
    fuzz_require (config->key[0] == '/' && config->registry[0] == '/');
    fuzz_require (database->name && database->user && database->password);
    fuzz_require (database->tls >= HUB_TLS_OFF
                  && database->tls < HUB_TLS_DEFAULT);
    fuzz_require (database->port >= 1 && database->port <= 65535);
    fuzz_require (config->policies.hub.hostname != HUB_FIELD_INHERIT
                  && config->policies.hub.mac != HUB_FIELD_INHERIT
                  && config->policies.hub.tags != HUB_TAGS_INHERIT);
    s_check_scan (&config->scan);
    if (config->http_on)
        fuzz_require (config->http.listen.count >= 1
                      && config->http.trusted_proxies.count >= 1);
    fuzz_require (!hub_config_needs_restart (config, config));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    const char *path = fuzz_file (data, size);
    hub_config_t *config = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = hub_config_peek (&config, path, &why);
    if (rc == SH_OK)
        s_check (config);
    else
        fuzz_require (!config && rc == SH_E_CONFIG
                      && strncmp (why.text, path, strlen (path)) == 0);
    hub_config_destroy (&config);
    return 0;
}
