/* SPDX-License-Identifier: MPL-2.0 */
/*  Any bytes as a file of the registry, which decides who may connect and for
    which codes.  What is accepted holds together: nobody without a key or a
    code, and several codes only for a shim.  */

#include "hub/registry.h"
#include "lib/keyfile.h"
#include "tests/fuzz/input.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    const char *path = fuzz_file (data, size);
    hub_principal_t who = { 0 };
    sh_why_t why = { "" };
    sh_err_t rc = hub_registry_read_file (&who, path, &why);
    if (rc != SH_OK) {
        fuzz_require (rc == SH_E_SYNTAX || rc == SH_E_TOO_LARGE);
        fuzz_require (strncmp (why.text, path, strlen (path)) == 0
                      && !who.codes);
        return 0;
    }
    fuzz_require (who.door == HUB_DOOR_CURVE && sh_key_valid (who.key)
                  && hub_registry_name_valid (who.name));
    fuzz_require (who.code_count >= 1 && (who.code_count == 1 || who.shim));
    for (size_t i = 0; i < who.code_count; i++) {
        fuzz_require (hub_registry_code_valid (who.codes[i].text));
        for (size_t k = 0; k < i; k++)
            fuzz_require (strcmp (who.codes[i].text, who.codes[k].text) != 0);
    }
    hub_principal_clear (&who);
    return 0;
}
