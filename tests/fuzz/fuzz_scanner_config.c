/* SPDX-License-Identifier: MPL-2.0 */
/*  Any bytes as scanhub-scanner's file.  */

#include "lib/keyfile.h"
#include "scanner/config.h"
#include "tests/fuzz/input.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    sc_config_t *config = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sc_config_parse (&config, (const char *) data, size, "fuzz",
                                   &why);
    if (rc != SH_OK) {
        fuzz_require (rc == SH_E_CONFIG && !config
                      && strncmp (why.text, "fuzz:", 5) == 0);
        return 0;
    }
    fuzz_require (config->hubs.count >= 1 && config->hubs.count <= SP_HUBS_MOST
                  && config->key);
    for (size_t i = 0; i < config->hubs.count; i++)
        fuzz_require (config->hubs.items[i].endpoint
                      && sh_key_valid (config->hubs.items[i].public_key));
    const void *settings = NULL;
    fuzz_require (sc_config_engine (config, &settings) && settings);
    sc_config_destroy (&config);
    return 0;
}
