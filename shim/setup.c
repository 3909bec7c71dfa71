/* SPDX-License-Identifier: MPL-2.0 */

#include "shim/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>

#include "lib/log.h"

static sh_err_t
s_add_tokens (sm_tokens_t *tokens, const sh_http_config_t *config,
              sh_why_t *why)
{
    if (config->token_count == 0) {
        sh_log (SH_LOG_WARNING,
                "no HTTP token is configured: whoever reaches the port from "
                "this host may report",
                SH_STR ("remedy", "set http.tokens, or auth_token in the "
                                  "legacy file"));
        return sm_tokens_add (tokens, "no-token", SM_NO_TOKEN, NULL, 0);
    }
    sh_err_t rc = SH_OK;
    for (size_t i = 0; rc == SH_OK && i < config->token_count; i++) {
        const sh_http_token_t *one = &config->tokens[i];
        rc = sm_tokens_add (tokens, one->label, one->token,
                            (const char *const *) one->codes.items,
                            one->codes.count);
        if (rc != SH_OK)
            rc = sh_fail (why, SH_E_CONFIG, "http token '%s': %s", one->label,
                          rc == SH_E_EXISTS
                              ? "the same token is there twice"
                              : "not a token that a header can carry");
    }
    return rc;
}

static sh_err_t
s_prepare (sm_tokens_t **tokens, sm_http_config_t *http,
           const sh_http_config_t *config, sh_why_t *why)
{
    *http = (sm_http_config_t){
        .listen = config->listen,
        .cert = config->cert,
        .key = config->key,
        .plain_ok = config->plain_ok,
        .trusted_proxies = config->trusted_proxies,
    };
    sh_err_t rc = sm_tokens_new (tokens);
    if (rc == SH_OK)
        rc = s_add_tokens (*tokens, config, why);
    return rc;
}

/*  With the ports as bound; an address that was left out has none.  */
static void
s_announce (const sm_http_t *http, const sh_http_config_t *config)
{
    size_t count = config->listen.count;
    uint16_t *ports = calloc (count, sizeof *ports);
    if (!ports)
        return;
    sm_http_ports (http, ports, count);
    for (size_t i = 0; i < count; i++) {
        const char *text = config->listen.items[i];
        const char *colon = strrchr (text, ':');
        char endpoint[80];
        if (ports[i] == 0 || !colon)
            continue;
        snprintf (endpoint, sizeof endpoint, "%s://%.*s:%u",
                  config->cert ? "https" : "http", (int) (colon - text), text,
                  ports[i]);
        sh_log (SH_LOG_NOTICE, "listening for legacy scanners",
                SH_STR ("endpoint", endpoint));
    }
    free (ports);
}

sh_err_t
sm_setup_open (sm_http_t **out, const sh_http_config_t *config,
               const sh_clock_t *clock, sm_http_fn *fn, void *context,
               sh_why_t *why)
{
    sm_tokens_t *tokens = NULL;
    sm_http_config_t http;
    sh_err_t rc = s_prepare (&tokens, &http, config, why);
    if (rc == SH_OK)
        rc = sm_http_new (out, &http, &tokens, clock, fn, context, why);
    if (rc == SH_OK)
        s_announce (*out, config);
    sm_tokens_destroy (&tokens);
    return rc;
}

sh_err_t
sm_setup_reload (sm_http_t *self, const sh_http_config_t *config, sh_why_t *why)
{
    sm_tokens_t *tokens = NULL;
    sm_http_config_t http;
    sh_err_t rc = s_prepare (&tokens, &http, config, why);
    if (rc == SH_OK)
        rc = sm_http_reload (self, &http, &tokens, why);
    sm_tokens_destroy (&tokens);
    return rc;
}

void
sm_setup_close (sm_http_t **http_p)
{
    if (*http_p)
        sm_http_refuse (*http_p);
    for (int i = 0; *http_p && i < 20; i++) {
        sm_http_run (*http_p);
        poll (NULL, 0, 10);
    }
    sm_http_destroy (http_p);
}
