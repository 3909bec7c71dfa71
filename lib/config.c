/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/secret.h"

#define SHOWN_MOST 64   /* of a value or a key in a message */
#define LISTED_MOST 240 /* of the known keys or words in a message */

static sh_err_t SH_PRINTF (4, 5)
s_refuse_at (sh_why_t *why, const char *path, int line, const char *format, ...)
{
    char text[448];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    return sh_fail (why, SH_E_CONFIG, "%s:%d: %s", path, line, text);
}

/*  A fault of a value.  */
#define s_refuse(why, path, node, ...) \
    s_refuse_at (why, path, (node)->line, __VA_ARGS__)

static sh_err_t
s_no_memory (sh_why_t *why, const char *path)
{
    return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
}

/*  Append 'item' to a list in a message.  Once one did not fit, the list ends
    in dots and stays as it is.  */
static void
s_list_add (char list[static LISTED_MOST], const char *item)
{
    static const char dots[] = ", ...";
    size_t used = strlen (list);
    const char *comma = used ? ", " : "";
    if (used >= 3 && strcmp (list + used - 3, "...") == 0)
        return;
    if (used + strlen (comma) + strlen (item) + sizeof dots <= LISTED_MOST)
        snprintf (list + used, LISTED_MOST - used, "%s%s", comma, item);
    else
        snprintf (list + used, LISTED_MOST - used, "%s", used ? dots : "...");
}

/*  What a value is, in the words of someone who writes YAML.  */
static const char *
s_kind (const sh_yaml_t *node)
{
    switch (node->kind) {
    case SH_YAML_NULL:
        return "empty";
    case SH_YAML_LIST:
        return "a list";
    case SH_YAML_MAP:
        return "a map";
    case SH_YAML_TEXT:
        break;
    }
    return "text";
}

/*  Digits only: 0x10, 1_000 and 010 mean different numbers to different
    readers of YAML.  */
static bool
s_number (uint32_t *out, const char *text)
{
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    uint32_t number = 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint32_t digit = (uint32_t) (*text - '0');
        if (number > (UINT32_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    return true;
}

sh_err_t
sh_config_uint (uint32_t *out, const sh_yaml_t *node, const char *key,
                uint32_t low, uint32_t high, const char *path, sh_why_t *why)
{
    assert (out && node && key && path);
    if (node->kind != SH_YAML_TEXT)
        return s_refuse (why, path, node,
                         "'%s' must be a number from %u to %u, not %s", key,
                         low, high, s_kind (node));
    uint32_t number;
    if (s_number (&number, node->text) && number >= low && number <= high) {
        *out = number;
        return SH_OK;
    }
    char shown[SHOWN_MOST];
    sh_escape (shown, sizeof shown, node->text);
    return s_refuse (why, path, node,
                     "'%s' must be a number from %u to %u, not '%s'", key, low,
                     high, shown);
}

/*  The value is not shown where it is wrong: it may be a password.  */
sh_err_t
sh_config_str (char **out, const sh_yaml_t *node, const char *key,
               const char *path, sh_why_t *why)
{
    assert (out && node && key && path);
    if (node->kind != SH_YAML_TEXT)
        return s_refuse (why, path, node, "'%s' must be text, not %s", key,
                         s_kind (node));
    char *text = strdup (node->text);
    if (!text)
        return s_no_memory (why, path);
    sh_secret_free (out);
    *out = text;
    return SH_OK;
}

sh_err_t
sh_config_word (int *out, const sh_yaml_t *node, const char *key,
                const char *const *words, const char *path, sh_why_t *why)
{
    assert (out && node && key && words && path);
    char known[LISTED_MOST] = "";
    for (int i = 0; words[i]; i++) {
        if (node->kind == SH_YAML_TEXT && strcmp (node->text, words[i]) == 0) {
            *out = i;
            return SH_OK;
        }
        s_list_add (known, words[i]);
    }
    if (node->kind != SH_YAML_TEXT)
        return s_refuse (why, path, node, "'%s' must be one of %s, not %s", key,
                         known, s_kind (node));
    char shown[SHOWN_MOST];
    sh_escape (shown, sizeof shown, node->text);
    return s_refuse (why, path, node, "'%s' must be one of %s, not '%s'", key,
                     known, shown);
}

sh_err_t
sh_config_bool (bool *out, const sh_yaml_t *node, const char *key,
                const char *path, sh_why_t *why)
{
    assert (out && node && key && path);
    static const char *const words[]
        = { "false", "true", "no", "yes", "off", "on" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (node->kind == SH_YAML_TEXT
            && strcasecmp (node->text, words[i]) == 0) {
            *out = i % 2 == 1;
            return SH_OK;
        }
    }
    char shown[SHOWN_MOST] = "";
    if (node->kind == SH_YAML_TEXT)
        sh_escape (shown, sizeof shown, node->text);
    const char *mark = shown[0] ? "'" : "";
    return s_refuse (why, path, node, "'%s' must be true or false, not %s%s%s",
                     key, mark, shown[0] ? shown : s_kind (node), mark);
}

static sh_err_t
s_bind_list (sh_strings_t *out, const sh_yaml_t *node, const char *key,
             const char *path, sh_why_t *why)
{
    bool single = node->kind == SH_YAML_TEXT;
    if (!single && node->kind != SH_YAML_LIST)
        return s_refuse (why, path, node,
                         "'%s' must be a text or a list of texts, not %s", key,
                         s_kind (node));
    size_t count = single ? 1 : node->count;
    sh_strings_t list = { calloc (count ? count : 1, sizeof *list.items), 0 };
    if (!list.items)
        return s_no_memory (why, path);

    sh_err_t rc = SH_OK;
    for (; list.count < count; list.count++) {
        const sh_yaml_t *item = single ? node : node->items[list.count];
        if (item->kind != SH_YAML_TEXT) {
            rc = s_refuse (why, path, item,
                           "'%s' must be a list of texts; this item is %s", key,
                           s_kind (item));
            break;
        }
        list.items[list.count] = strdup (item->text);
        if (!list.items[list.count]) {
            rc = s_no_memory (why, path);
            break;
        }
    }
    if (rc != SH_OK) {
        sh_strings_clear (&list);
        return rc;
    }
    sh_strings_clear (out);
    *out = list;
    return SH_OK;
}

static sh_err_t
s_bind_field (void *target, const sh_config_field_t *field,
              const sh_yaml_t *node, const char *path, sh_why_t *why)
{
    void *at = (char *) target + field->offset;
    const char *key = field->key;
    if (node->kind == SH_YAML_NULL)
        return SH_OK; /* 'key:' with nothing behind it is like no key */

    switch (field->kind) {
    case SH_CONFIG_STR:
        return sh_config_str (at, node, key, path, why);
    case SH_CONFIG_UINT:
        return sh_config_uint (at, node, key, field->low, field->high, path,
                               why);
    case SH_CONFIG_BOOL:
        return sh_config_bool (at, node, key, path, why);
    case SH_CONFIG_ENUM:
        return sh_config_word (at, node, key, field->words, path, why);
    case SH_CONFIG_LIST:
        return s_bind_list (at, node, key, path, why);
    case SH_CONFIG_MAP:
        if (node->kind != SH_YAML_MAP)
            return s_refuse (why, path, node, "'%s' must be a map, not %s",
                             key, s_kind (node));
        return sh_config_bind (at, field->fields, node, path, why);
    case SH_CONFIG_CALL:
        return field->call (target, node, path, why);
    }
    return sh_fail (why, SH_E_INTERNAL, "the field '%s' has no kind", key);
}

static sh_err_t
s_unknown (const sh_config_field_t *fields, const char *key, int line,
           const char *path, sh_why_t *why)
{
    char known[LISTED_MOST] = "";
    for (; fields->key; fields++)
        s_list_add (known, fields->key);
    char shown[SHOWN_MOST];
    sh_escape (shown, sizeof shown, key);
    return s_refuse_at (why, path, line, "unknown key '%s'; known here: %s",
                        shown, known);
}

sh_err_t
sh_config_bind (void *target, const sh_config_field_t *fields,
                const sh_yaml_t *map, const char *path, sh_why_t *why)
{
    assert (target && fields && map && path);
    if (map->kind == SH_YAML_NULL)
        return SH_OK;
    if (map->kind != SH_YAML_MAP)
        return s_refuse (why, path, map, "'key: value' lines are expected "
                                         "here, not %s",
                         s_kind (map));

    sh_err_t rc = SH_OK;
    for (size_t i = 0; rc == SH_OK && i < map->count; i++) {
        const sh_config_field_t *field = fields;
        while (field->key && strcmp (field->key, map->keys[i]) != 0)
            field++;
        if (field->key)
            rc = s_bind_field (target, field, map->items[i], path, why);
        else
            rc = s_unknown (fields, map->keys[i], map->key_lines[i], path, why);
    }
    return rc;
}

void
sh_strings_clear (sh_strings_t *self)
{
    assert (self);
    for (size_t i = 0; i < self->count; i++)
        sh_secret_free (&self->items[i]);
    free (self->items);
    *self = (sh_strings_t){ 0 };
}

/*  systemd's list of directories, of which the first is ours, or 'fallback'.
    '*out' is malloc'ed.  */
static sh_err_t
s_directory (char **out, const char *variable, const char *fallback)
{
    const char *list = getenv (variable);
    if (list && list[0] == '/')
        *out = strndup (list, strcspn (list, ":"));
    else
        *out = strdup (fallback);
    return *out ? SH_OK : SH_E_MEMORY;
}

sh_err_t
sh_config_path_in (char **out, const char *variable, const char *fallback,
                   const char *file)
{
    assert (out && variable && fallback && file);
    char *directory = NULL;
    sh_err_t rc = s_directory (&directory, variable, fallback);
    if (rc == SH_OK && asprintf (out, "%s/%s", directory, file) < 0)
        rc = SH_E_MEMORY;
    if (rc != SH_OK)
        *out = NULL;
    free (directory);
    return rc;
}

sh_err_t
sh_config_state_path (char **out, const char *file)
{
    return sh_config_path_in (out, "STATE_DIRECTORY",
                              LOCALSTATEDIR "/lib/scanhub", file);
}

/*  A unit cannot have an empty credential, but one that is an empty line.  */
static bool
s_has_text (const char *path)
{
    char start[2];
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno != ENOENT;
    ssize_t size = read (fd, start, sizeof start);
    close (fd);
    return size < 0 || size == 2 || (size == 1 && start[0] != '\n');
}

sh_err_t
sh_config_credential (char **out, const char *name)
{
    assert (out && name);
    const char *credentials = getenv ("CREDENTIALS_DIRECTORY");
    *out = NULL;
    if (!credentials)
        return SH_OK;
    if (asprintf (out, "%s/%s", credentials, name) < 0) {
        *out = NULL;
        return SH_E_MEMORY;
    }
    if (!s_has_text (*out)) {
        free (*out);
        *out = NULL;
    }
    return SH_OK;
}

sh_err_t
sh_config_beside (char **out, const char *path, const char *name)
{
    assert (out && path && name);
    const char *slash = strrchr (path, '/');
    int length;
    if (name[0] != '/') {
        sh_err_t rc = sh_config_credential (out, name);
        if (rc != SH_OK || *out)
            return rc;
    }
    if (name[0] == '/')
        length = asprintf (out, "%s", name);
    else
        length = asprintf (out, "%.*s%s",
                           slash ? (int) (slash - path + 1) : 0, path, name);
    if (length < 0)
        *out = NULL;
    return length < 0 ? SH_E_MEMORY : SH_OK;
}
