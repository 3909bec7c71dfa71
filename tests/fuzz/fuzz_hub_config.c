/* SPDX-License-Identifier: MPL-2.0 */
/*  Any bytes as scanhubd's file, its own or the old server's.  What is taken
    keeps what hub/config.h promises.  Files that it names are not read.  */

#include "hub/config.h"
#include "tests/fuzz/input.h"

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
