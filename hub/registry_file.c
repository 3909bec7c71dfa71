/* SPDX-License-Identifier: MPL-2.0 */
/*  The registry's rules about its directory and one file in it; registry.c
    keeps what was read and follows changes.  */

#include "hub/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/secret.h"

#define SUFFIX ".cert"
#define SUFFIX_SIZE (sizeof SUFFIX - 1)

static const char s_alphanumeric[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "abcdefghijklmnopqrstuvwxyz"
                                     "0123456789";

bool
hub_registry_name_valid (const char *name)
{
    size_t size = name ? strlen (name) : 0;
    if (size < 1 || size > HUB_NAME_MOST || name[0] == '.' || name[0] == '-')
        return false;
    for (; *name; name++) {
        if (!strchr (s_alphanumeric, *name) && !strchr ("._-", *name))
            return false;
    }
    return true;
}

bool
hub_registry_code_valid (const char *code)
{
    size_t size = code ? strlen (code) : 0;
    if (size < 1 || size > SP_CODE_MOST)
        return false;
    for (; *code; code++) {
        if (!strchr (s_alphanumeric, *code) && !strchr ("-_=", *code))
            return false;
    }
    return true;
}

bool
hub_registry_is_entry (const char *file)
{
    assert (file);
    size_t size = strlen (file);
    return file[0] != '.' && size > SUFFIX_SIZE
           && strcmp (file + size - SUFFIX_SIZE, SUFFIX) == 0;
}

sh_err_t
hub_registry_check (const char *directory, sh_why_t *why)
{
    assert (directory);
    struct stat meta;
    if (stat (directory, &meta) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return sh_fail (why, SH_E_CONFIG,
                            "%s: there is no such registry directory; create "
                            "it: install -d -m 0755 %s",
                            directory, directory);
        return sh_fail (why, errno == EACCES ? SH_E_MODE : SH_E_IO,
                        "%s: cannot examine: %s%s", directory,
                        strerror (errno),
                        errno == EACCES
                            ? "; run this as root, or as the hub's own user"
                            : "");
    }
    if (!S_ISDIR (meta.st_mode))
        return sh_fail (why, SH_E_CONFIG,
                        "%s: the registry must be a directory", directory);
    if (meta.st_mode & S_IWOTH)
        return sh_fail (why, SH_E_CONFIG,
                        "%s: everybody may put keys into this registry; "
                        "chmod o-w it",
                        directory);
    return SH_OK;
}

/*  The name, when the file itself says none.  */
static sh_err_t
s_take_name (hub_principal_t *who, const char *name, size_t size,
             const char *path, sh_why_t *why)
{
    if (size <= HUB_NAME_MOST) {
        memcpy (who->name, name, size);
        who->name[size] = '\0';
    }
    if (size > HUB_NAME_MOST || !hub_registry_name_valid (who->name))
        return sh_fail (why, SH_E_SYNTAX,
                        "%s: the scanner's name must be 1 to %d letters, "
                        "digits, '.', '_' or '-', beginning with a letter, "
                        "digit or '_'",
                        path, HUB_NAME_MOST);
    return SH_OK;
}

static sh_err_t
s_take_file_name (hub_principal_t *who, const char *path, sh_why_t *why)
{
    const char *slash = strrchr (path, '/');
    const char *file = slash ? slash + 1 : path;
    size_t size = strlen (file);
    if (size > SUFFIX_SIZE
        && strcmp (file + size - SUFFIX_SIZE, SUFFIX) == 0)
        size -= SUFFIX_SIZE;
    return s_take_name (who, file, size, path, why);
}

static sh_err_t
s_take_code (hub_principal_t *who, const char *code, const char *path,
             sh_why_t *why)
{
    if (!hub_registry_code_valid (code))
        return sh_fail (why, SH_E_SYNTAX,
                        "%s: a code must be 1 to %d of phpIPAM's characters "
                        "A-Z a-z 0-9 - _ =",
                        path, SP_CODE_MOST);
    /*  The same code twice is one code, else a scanner would look like a
        shim.  */
    for (size_t i = 0; i < who->code_count; i++) {
        if (strcmp (who->codes[i].text, code) == 0)
            return SH_OK;
    }
    memcpy (who->codes[who->code_count++].text, code, strlen (code) + 1);
    return SH_OK;
}

static sh_err_t
s_take_choice (bool *out, const sh_keyfield_t *field, const char *yes,
               const char *no, const char *path, sh_why_t *why)
{
    *out = strcmp (field->value, yes) == 0;
    if (*out || strcmp (field->value, no) == 0)
        return SH_OK;
    return sh_fail (why, SH_E_SYNTAX, "%s: %s must be \"%s\" or \"%s\"", path,
                    field->name, yes, no);
}

static sh_err_t
s_take_replaces (hub_principal_t *who, const char *key, const char *path,
                 sh_why_t *why)
{
    if (!sh_key_valid (key) || strcmp (key, who->key) == 0 || who->replaces[0])
        return sh_fail (why, SH_E_SYNTAX,
                        "%s: replaces must be one other public key, of 40 "
                        "characters",
                        path);
    memcpy (who->replaces, key, sizeof who->replaces);
    return SH_OK;
}

static sh_err_t
s_take_fields (hub_principal_t *who, const sh_keyfile_t *key, const char *path,
               sh_why_t *why)
{
    sh_err_t rc = SH_OK;
    for (size_t i = 0; rc == SH_OK && i < key->field_count; i++) {
        const sh_keyfield_t *field = &key->fields[i];
        if (strcmp (field->name, "code") == 0)
            rc = s_take_code (who, field->value, path, why);
        else if (strcmp (field->name, "name") == 0 && who->name[0])
            rc = sh_fail (why, SH_E_SYNTAX, "%s: a second name", path);
        else if (strcmp (field->name, "name") == 0)
            rc = s_take_name (who, field->value, strlen (field->value), path,
                              why);
        else if (strcmp (field->name, "kind") == 0)
            rc = s_take_choice (&who->shim, field, "shim", "scanner", path,
                                why);
        else if (strcmp (field->name, "replaces") == 0)
            rc = s_take_replaces (who, field->value, path, why);
        else if (strcmp (field->name, "legacy_http") == 0)
            rc = s_take_choice (&who->legacy_http, field, "true", "false",
                                path, why);
    }
    /*  Nobody but a shim speaks for several.  */
    if (who->code_count > 1)
        who->shim = true;
    if (rc == SH_OK && who->code_count == 0)
        rc = sh_fail (why, SH_E_SYNTAX,
                      "%s: names no scanner code; put a line code = \"...\" "
                      "under metadata",
                      path);
    if (rc == SH_OK && !who->name[0])
        rc = s_take_file_name (who, path, why);
    return rc;
}

static sh_err_t
s_from_key (hub_principal_t *out, const sh_keyfile_t *key, const char *path,
            sh_why_t *why)
{
    hub_principal_t who = { .door = HUB_DOOR_CURVE };
    memcpy (who.key, key->public_key, sizeof who.key);
    who.codes = calloc (key->field_count + 1, sizeof *who.codes);
    sh_err_t rc = SH_OK;
    if (!who.codes)
        rc = sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    if (rc == SH_OK)
        rc = s_take_fields (&who, key, path, why);
    if (rc == SH_OK)
        *out = who;
    else
        hub_principal_clear (&who);
    return rc;
}

sh_err_t
hub_registry_read_file (hub_principal_t *out, const char *path, sh_why_t *why)
{
    assert (out && path);
    char *text = NULL;
    size_t size = 0;
    struct stat meta;
    sh_keyfile_t *key = NULL;
    sh_err_t rc
        = sh_file_read (&text, &size, &meta, path, SH_KEYFILE_MOST, why);
    if (rc != SH_OK)
        return rc;

    if (meta.st_mode & S_IWOTH)
        rc = sh_fail (why, SH_E_MODE,
                      "%s: everybody may write to it; chmod o-w it", path);
    if (rc == SH_OK)
        rc = sh_keyfile_parse (&key, text, size, path, false, why);
    if (rc == SH_OK)
        rc = s_from_key (out, key, path, why);
    sh_keyfile_destroy (&key);
    sh_secret_wipe (text, size); /* it may be a secret file by mistake */
    free (text);
    return rc;
}
