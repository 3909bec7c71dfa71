/* SPDX-License-Identifier: MPL-2.0 */
/*  Any bytes as a key file, read for its public half and as a secret file.
    What is accepted must hold together, and take its own fields again.  */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/keyfile.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
s_require (bool holds)
{
    if (!holds)
        abort ();
}

static void
s_check (const sh_keyfile_t *key, bool secret)
{
    s_require (sh_key_valid (key->public_key));
    s_require (secret ? sh_key_valid (key->secret_key)
                      : key->secret_key[0] == '\0');
    s_require (key->field_count <= SH_KEYFILE_FIELDS);

    sh_keyfile_t *copy = NULL;
    s_require (sh_keyfile_from_public (&copy, key->public_key) == SH_OK);
    for (size_t i = 0; i < key->field_count; i++) {
        const sh_keyfield_t *field = &key->fields[i];
        s_require (sh_keyfile_get (key, field->name) != NULL);
        /*  Quotes and tabs can be read but not be added.  */
        bool plain = !strpbrk (field->value, "\"'\t");
        sh_err_t rc = sh_keyfile_add (copy, field->name, field->value);
        s_require (rc == (plain ? SH_OK : SH_E_SYNTAX));
    }
    sh_keyfile_destroy (&copy);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    for (int secret = 0; secret <= 1; secret++) {
        sh_keyfile_t *key = NULL;
        sh_why_t why = { "" };
        sh_err_t rc = sh_keyfile_parse (&key, (const char *) data, size,
                                        "fuzz", secret, &why);
        if (rc == SH_OK)
            s_check (key, secret);
        else
            s_require (rc == SH_E_SYNTAX && !key
                       && strncmp (why.text, "fuzz:", 5) == 0);
        sh_keyfile_destroy (&key);
    }
    return 0;
}
