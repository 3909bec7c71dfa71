/* SPDX-License-Identifier: MPL-2.0 */
/*  Any bytes as scanhub-shim's file.  Token files that it names are looked for
    beside it or by their path, as in the program.  */

#include "lib/keyfile.h"
#include "shim/config.h"
#include "tests/fuzz/input.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    const char *path = fuzz_file (data, size);
    sm_config_t *config = NULL;
    sh_why_t why = { "" };
    if (sm_config_load (&config, path, &why) != SH_OK) {
        fuzz_require (!config && why.text[0]);
        return 0;
    }
    fuzz_require (config->hubs.count >= 1 && config->key && config->http.spool
                  && config->http.spool[0] == '/');
    for (size_t i = 0; i < config->hubs.count; i++)
        fuzz_require (sh_key_valid (config->hubs.items[i].public_key));
    fuzz_require (config->http.listen.count >= 1
                  && config->http.trusted_proxies.count >= 1
                  && !config->http.cert == !config->http.key);
    for (size_t i = 0; i < config->http.token_count; i++)
        fuzz_require (config->http.tokens[i].label
                      && config->http.tokens[i].token
                      && config->http.tokens[i].token[0]);
    sm_config_destroy (&config);
    return 0;
}
