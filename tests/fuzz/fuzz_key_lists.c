/* SPDX-License-Identifier: MPL-2.0 */
/*  The files in which hub and scanner keep what they know of keys: those that
    were replaced, and those of hubs.  The first byte says which of them.  What
    is taken can be asked for.  */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hub/retired.h"
#include "scanner-proto/hub_keys.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
s_retired (char *text, size_t size)
{
    hub_retired_t *list = NULL;
    if (hub_retired_new (&list, NULL, NULL) != SH_OK)
        return;
    if (hub_retired_parse (list, text, size, NULL) == SH_OK) {
        char *again = hub_retired_text (list);
        for (size_t i = 0; i < hub_retired_count (list); i++)
            if (!hub_retired_has (list, hub_retired_key (list, i)))
                abort ();
        free (again);
    }
    hub_retired_destroy (&list);
}

static void
s_hubs (char *text, size_t size)
{
    char endpoint[] = "tcp://hub.example:5766";
    char key[] = "0000000000000000000000000000000000000001";
    const sp_hub_t hub = { .endpoint = endpoint, .public_key = key };
    sp_hub_keys_t *keys = NULL;
    if (sp_hub_keys_new (&keys, NULL, NULL) != SH_OK)
        return;
    if (sp_hub_keys_parse (keys, text, size, NULL) == SH_OK) {
        const char *next = sp_hub_keys_next (keys, &hub, NULL);
        if (!sh_key_valid (sp_hub_keys_now (keys, &hub))
            || (next && !sh_key_valid (next)))
            abort ();
        sp_hub_keys_turn (keys, &hub);
        (void) sp_hub_keys_learn (keys, &hub, key, 1);
    }
    sp_hub_keys_destroy (&keys);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = malloc (size);
    if (!text)
        return 0;
    memcpy (text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] & 1)
        s_retired (text, size - 1);
    else
        s_hubs (text, size - 1);
    free (text);
    return 0;
}
