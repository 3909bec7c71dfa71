/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/own_key.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/file.h"

sh_err_t
sc_own_key_ensure (sh_keyfile_t **out, const char *path, bool *made,
                   sh_why_t *why)
{
    assert (out && path && made);
    sh_keyfile_t *key = NULL;
    *made = false;
    sh_err_t rc = sh_keyfile_load (out, path, true, why);
    if (rc != SH_E_NOT_FOUND)
        return rc;
    rc = sh_keyfile_generate (&key);
    if (rc != SH_OK)
        return sh_fail (why, rc, "cannot make a key pair: %s",
                        sh_err_text (rc));
    rc = sh_keyfile_save (key, path, true, why);
    if (rc != SH_OK) {
        sh_keyfile_destroy (&key);
        return rc;
    }
    *made = true;
    *out = key;
    return SH_OK;
}

char *
sc_own_key_next_path (const char *path)
{
    char *next = NULL;
    return asprintf (&next, "%s.next", path) < 0 ? NULL : next;
}

sh_err_t
sc_own_key_next (sh_keyfile_t **out, const char *path, sh_why_t *why)
{
    assert (out && path);
    char *next = sc_own_key_next_path (path);
    if (!next)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    sh_err_t rc = sh_keyfile_load (out, next, true, why);
    free (next);
    return rc;
}

sh_err_t
sc_own_key_turn (const char *path, sh_why_t *why)
{
    assert (path);
    char *next = sc_own_key_next_path (path);
    if (!next)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    sh_err_t rc = sh_file_rename (next, path, why);
    free (next);
    return rc;
}
