/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/config_legacy.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/config_database.h"
#include "lib/keyfile.h"
#include "scanner-proto/limits.h"

#define LISTED_MOST 160 /* of keys in a message */
#define STRING(x) #x
#define NUMBER(x) STRING (x)

/*  Null or '' is no token.  */
static sh_err_t
s_bind_auth_token (void *target, const sh_yaml_t *node, const char *path,
                   sh_why_t *why)
{
    hub_config_t *self = target;
    if (node->kind != SH_YAML_TEXT)
        return sh_fail (why, SH_E_CONFIG, "%s:%d: 'auth_token' must be text",
                        path, node->line);
    if (node->text[0] == '\0')
        return SH_OK;
    return sh_http_add_token (&self->http, "auth_token", node->text, path,
                               node->line, why);
}

#define HUB(m) offsetof (hub_config_t, m)

static const sh_config_field_t s_fields[] = {
    { .key = "mysql_host",
      .kind = SH_CONFIG_STR,
      .offset = HUB (database.host) },
    { .key = "mysql_port",
      .kind = SH_CONFIG_UINT,
      .offset = HUB (database.port),
      .low = 1,
      .high = 65535 },
    { .key = "mysql_user",
      .kind = SH_CONFIG_STR,
      .offset = HUB (database.user) },
    { .key = "mysql_password",
      .kind = SH_CONFIG_STR,
      .offset = HUB (database.password) },
    { .key = "mysql_tls",
      .kind = SH_CONFIG_ENUM,
      .offset = HUB (database.tls),
      .words = hub_tls_words },
    { .key = "phpipam_timezone",
      .kind = SH_CONFIG_STR,
      .offset = HUB (timezone) },
    { .key = "http_port",
      .kind = SH_CONFIG_UINT,
      .offset = HUB (http_port),
      .low = 1,
      .high = 65535 },
    { .key = "http_listen",
      .kind = SH_CONFIG_LIST,
      .offset = HUB (http.listen) },
    { .key = "http_cert", .kind = SH_CONFIG_STR, .offset = HUB (http.cert) },
    { .key = "http_key", .kind = SH_CONFIG_STR, .offset = HUB (http.key) },
    { .key = "http_plain_ok",
      .kind = SH_CONFIG_BOOL,
      .offset = HUB (http.plain_ok) },
    { .key = "auth_token",
      .kind = SH_CONFIG_CALL,
      .call = s_bind_auth_token },
    { 0 },
};

static bool
s_has_field (const sh_config_field_t *fields, const char *key)
{
    while (fields->key && strcmp (fields->key, key) != 0)
        fields++;
    return fields->key != NULL;
}

bool
hub_legacy_recognise (const sh_yaml_t *tree)
{
    return sh_yaml_get (tree, HUB_LEGACY_KEY) != NULL;
}

/*  What such a file leaves out is another than in our own: all that is made at
    the first start lies together.  */
static sh_err_t
s_defaults (hub_config_t *self)
{
    static const char endpoint[] = "tcp://*:" NUMBER (SP_DEFAULT_PORT);
    char *const old[]
        = { self->key, self->registry, self->control, self->listen.items[0] };
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        free (old[i]);
    self->key = self->registry = self->control = NULL;
    self->listen.items[0] = strdup (endpoint);
    self->listen.count = self->listen.items[0] ? 1 : 0;
    self->database.tls = HUB_TLS_PREFERRED;
    self->http_on = true;
    sh_err_t rc = sh_config_state_path (&self->key, "hub.cert");
    if (rc == SH_OK)
        rc = sh_config_state_path (&self->registry, "scanners");
    if (rc == SH_OK)
        rc = sh_config_path_in (&self->control, "RUNTIME_DIRECTORY",
                                RUNSTATEDIR "/scanhub", "control.sock");
    return self->listen.count == 1 ? rc : SH_E_MEMORY;
}

/*  The file's other keys: ours would leave open which of the two counts;
    anything else may be for other programs.  */
static sh_err_t
s_check_others (const hub_config_t *self, const sh_config_field_t *ours,
                const sh_yaml_t *tree, bool peek, sh_why_t *why)
{
    for (size_t i = 0; i < tree->count; i++) {
        const char *key = tree->keys[i];
        if (s_has_field (ours, key))
            return sh_fail (why, SH_E_CONFIG,
                            "%s:%d: '%s' belongs to scanhub.yaml and '%s' to "
                            "the old server's file; keep one of the two here",
                            self->path, tree->key_lines[i], key,
                            HUB_LEGACY_KEY);
        if (!peek && strcmp (key, HUB_LEGACY_KEY) != 0)
            sh_log (SH_LOG_WARNING, "a key that is not for the hub; ignored",
                    SH_STR ("file", self->path),
                    SH_INT ("line", tree->key_lines[i]), SH_STR ("key", key));
    }
    return SH_OK;
}

/*  Key by key, because an unknown one is no error here.  */
static sh_err_t
s_bind_keys (hub_config_t *self, const sh_yaml_t *map, bool peek,
             sh_why_t *why)
{
    sh_err_t rc = SH_OK;
    for (size_t i = 0; rc == SH_OK && i < map->count; i++) {
        const sh_yaml_t one = { .kind = SH_YAML_MAP,
                                .line = map->line,
                                .keys = &map->keys[i],
                                .key_lines = &map->key_lines[i],
                                .items = &map->items[i],
                                .count = 1 };
        if (s_has_field (s_fields, map->keys[i]))
            rc = sh_config_bind (self, s_fields, &one, self->path, why);
        else if (!peek)
            sh_log (SH_LOG_WARNING,
                    "an unknown key under " HUB_LEGACY_KEY "; ignored",
                    SH_STR ("file", self->path),
                    SH_INT ("line", map->key_lines[i]),
                    SH_STR ("key", map->keys[i]));
    }
    return rc;
}

/*  A password may be '', if it says so.  */
static bool
s_is_missing (const sh_yaml_t *map, const char *key)
{
    const sh_yaml_t *node = sh_yaml_get (map, key);
    if (!node || node->kind == SH_YAML_NULL)
        return true;
    return node->text && node->text[0] == '\0'
           && strcmp (key, "mysql_password") != 0;
}

static sh_err_t
s_check_mandatory (const hub_config_t *self, const sh_yaml_t *map,
                   sh_why_t *why)
{
    static const char *const keys[]
        = { "mysql_host", "mysql_user", "mysql_password" };
    char missing[LISTED_MOST] = "";
    size_t used = 0, count = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (!s_is_missing (map, keys[i]))
            continue;
        used += (size_t) snprintf (missing + used, sizeof missing - used,
                                   "%s'%s'", count ? ", " : "", keys[i]);
        count++;
    }
    if (count == 0)
        return SH_OK;
    return sh_fail (why, SH_E_CONFIG,
                    "%s:%d: %s %s missing or empty under '%s' and mandatory",
                    self->path, map->line, missing, count == 1 ? "is" : "are",
                    HUB_LEGACY_KEY);
}

sh_err_t
hub_legacy_bind (hub_config_t *self, const sh_config_field_t *ours,
                 const sh_yaml_t *tree, bool peek, sh_why_t *why)
{
    assert (self && ours && tree);
    const sh_yaml_t *map = sh_yaml_get (tree, HUB_LEGACY_KEY);
    assert (map);
    if (map->kind != SH_YAML_MAP && map->kind != SH_YAML_NULL)
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: '%s' must be a map, with mysql_host and so on "
                        "indented under it",
                        self->path, map->line, HUB_LEGACY_KEY);
    sh_err_t rc = s_defaults (self);
    if (rc != SH_OK)
        return sh_fail (why, rc, "%s: out of memory", self->path);
    rc = s_check_others (self, ours, tree, peek, why);
    if (rc == SH_OK)
        rc = s_bind_keys (self, map, peek, why);
    if (rc == SH_OK)
        rc = s_check_mandatory (self, map, why);
    return rc;
}

sh_http_source_t
hub_legacy_source (const hub_config_t *self, const sh_yaml_t *tree, bool peek)
{
    assert (self && tree);
    return (sh_http_source_t){ .path = self->path,
                                .map = sh_yaml_get (tree, HUB_LEGACY_KEY),
                                .section = "",
                                .listen = "http_listen",
                                .cert = "http_cert",
                                .key = "http_key",
                                .plain_ok = "http_plain_ok",
                                .tokens = "auth_token",
                                .port = self->http_port,
                                .peek = peek };
}

void
hub_legacy_announce (const hub_config_t *self, const sh_yaml_t *tree)
{
    assert (self && tree);
    const sh_yaml_t *map = sh_yaml_get (tree, HUB_LEGACY_KEY);
    const sh_yaml_t *listen = sh_yaml_get (map, "http_listen");
    if (listen && listen->kind != SH_YAML_NULL)
        return;
    assert (self->http.listen.count == 2);
    sh_log (SH_LOG_NOTICE,
            "HTTP for scanners and proxies on this machine only; for others "
            "set auth_token and 'http_listen: 0.0.0.0' in the file, with "
            "http_cert and http_key, or with 'http_plain_ok: true' where "
            "something else encrypts",
            SH_STR ("listen", self->http.listen.items[0]),
            SH_STR ("and", self->http.listen.items[1]),
            SH_STR ("file", self->path));
}

/*  Make a directory and those that lead to it; what is there stays as it is.
    '*made': the last one was not there.  */
static sh_err_t
s_make_path (char *path, mode_t mode, bool *made, sh_why_t *why)
{
    *made = false;
    for (char *at = strchr (path + 1, '/'); at; at = strchr (at + 1, '/')) {
        *at = '\0';
        int rc = mkdir (path, 0755);
        int error = errno;
        *at = '/';
        if (rc != 0 && error != EEXIST)
            return sh_fail (why, SH_E_IO, "%s: cannot create: %s", path,
                            strerror (error));
    }
    struct stat meta;
    *made = mkdir (path, mode) == 0;
    if (*made && chmod (path, mode) != 0) /* whatever the umask says */
        return sh_fail (why, SH_E_IO, "%s: cannot set its mode: %s", path,
                        strerror (errno));
    if (!*made && errno != EEXIST)
        return sh_fail (why, SH_E_IO, "%s: cannot create: %s", path,
                        strerror (errno));
    if (stat (path, &meta) != 0 || !S_ISDIR (meta.st_mode))
        return sh_fail (why, SH_E_IO, "%s: is there, but no directory", path);
    return SH_OK;
}

/*  The directory 'path', or the one that the file 'path' is to be in.  */
static sh_err_t
s_make_directory (const char *path, bool parent, mode_t mode, sh_why_t *why)
{
    bool made = false;
    char *copy = strdup (path);
    if (!copy)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    char *slash = strrchr (copy, '/');
    if (parent && slash)
        *slash = '\0';
    sh_err_t rc = *copy ? s_make_path (copy, mode, &made, why) : SH_OK;
    if (rc == SH_OK && made)
        sh_log (SH_LOG_NOTICE, "first start: made a directory",
                SH_STR ("directory", copy));
    free (copy);
    return rc;
}

/*  The public half goes beside it, for whoever sets up scanners.  One that is
    there already belongs to a secret that is gone.  */
static sh_err_t
s_save_key (const sh_keyfile_t *pair, const char *path, sh_why_t *why)
{
    char *public_path = NULL;
    if (asprintf (&public_path, "%s.pub", path) < 0)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    sh_err_t rc = sh_keyfile_save (pair, path, true, why);
    if (rc == SH_OK) {
        unlink (public_path);
        rc = sh_keyfile_save (pair, public_path, false, why);
    }
    if (rc == SH_OK)
        sh_log (SH_LOG_NOTICE, "first start: made the hub's key",
                SH_STR ("file", path), SH_STR ("public", public_path),
                SH_STR ("public_key", pair->public_key));
    free (public_path);
    return rc == SH_E_EXISTS ? SH_OK : rc; /* another one was faster */
}

static sh_err_t
s_make_key (const char *path, sh_why_t *why)
{
    struct stat meta;
    sh_keyfile_t *pair = NULL;
    if (lstat (path, &meta) == 0)
        return SH_OK;
    if (errno != ENOENT)
        return sh_fail (why, SH_E_IO, "%s: cannot examine: %s", path,
                        strerror (errno));
    sh_err_t rc = sh_keyfile_generate (&pair);
    if (rc == SH_OK)
        rc = s_save_key (pair, path, why);
    else
        rc = sh_fail (why, rc, "cannot make a key pair: %s", sh_err_text (rc));
    sh_keyfile_destroy (&pair);
    return rc;
}

sh_err_t
hub_config_prepare (hub_config_t *self, sh_why_t *why)
{
    assert (self);
    if (!self->legacy)
        return SH_OK;
    sh_err_t rc = s_make_directory (self->key, true, 0700, why);
    if (rc == SH_OK)
        rc = s_make_directory (self->registry, false, 0755, why);
    if (rc == SH_OK)
        rc = s_make_directory (self->control, true, 0755, why);
    if (rc == SH_OK)
        rc = s_make_key (self->key, why);
    return rc;
}
