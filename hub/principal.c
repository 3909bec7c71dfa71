/* SPDX-License-Identifier: MPL-2.0 */
#include "hub/principal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

sh_err_t
hub_principal_copy (hub_principal_t *to, const hub_principal_t *from)
{
    assert (to && from);
    hub_principal_t copy = *from;
    copy.codes = NULL;
    if (from->code_count > 0) {
        copy.codes = calloc (from->code_count, sizeof *copy.codes);
        if (!copy.codes)
            return SH_E_MEMORY;
        memcpy (copy.codes, from->codes,
                from->code_count * sizeof *copy.codes);
    }
    *to = copy;
    return SH_OK;
}

void
hub_principal_clear (hub_principal_t *self)
{
    assert (self);
    free (self->codes);
    memset (self, 0, sizeof *self);
}

sh_err_t
hub_principal_code (const hub_principal_t *self, const char *wanted,
                    const char **code)
{
    assert (self && code);
    if (!wanted) {
        if (self->code_count != 1)
            return SH_E_CODE_MISSING;
        *code = self->codes[0].text;
        return SH_OK;
    }
    for (size_t i = 0; i < self->code_count; i++) {
        if (strcmp (self->codes[i].text, wanted) == 0) {
            *code = self->codes[i].text;
            return SH_OK;
        }
    }
    return SH_E_CODE_DENIED;
}
