/* SPDX-License-Identifier: MPL-2.0 */
#include "shim/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/log.h"
#include "lib/secret.h"

#define DEFAULT_KEY SYSCONFDIR "/scanhub/shim.cert"
#define FILE_MOST (256 * 1024) /* as lib/yaml.h */

static sh_err_t
s_bind_hub (void *target, const sh_yaml_t *node, const char *path,
            sh_why_t *why)
{
    sm_config_t *self = target;
    return sp_hubs_bind (&self->hubs, node, path, why);
}

static sh_err_t
s_bind_level (void *target, const sh_yaml_t *node, const char *path,
              sh_why_t *why)
{
    sm_config_t *self = target;
    sh_level_t level;
    if (node->kind != SH_YAML_TEXT
        || sh_level_parse (&level, node->text) != SH_OK)
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'log_level' must be error, warning, notice, "
                        "info or debug", path, node->line);
    self->log_level = (int) level;
    return SH_OK;
}

#define AT(member) .offset = offsetof (sm_config_t, member)

static const sh_config_field_t s_fields[] = {
    { .key = "hub", .kind = SH_CONFIG_CALL, .call = s_bind_hub },
    { .key = "key", .kind = SH_CONFIG_STR, AT (key) },
    { .key = "hub_keys", .kind = SH_CONFIG_STR, AT (hub_keys) },
    { .key = "http", .kind = SH_CONFIG_MAP, .fields = sh_http_fields,
      AT (http) },
    { .key = "log_level", .kind = SH_CONFIG_CALL, .call = s_bind_level },
    { 0 }
};

static sh_err_t
s_settle_http (sm_config_t *self, const sh_yaml_t *tree, const char *path,
               sh_why_t *why)
{
    static const sh_yaml_t none = { .kind = SH_YAML_MAP, .line = 1 };
    const sh_yaml_t *map = sh_yaml_get (tree, "http");
    sh_http_source_t from = {
        .path = path,
        .map = map && map->kind == SH_YAML_MAP ? map : &none,
        .section = "http.",
        .listen = "listen",
        .cert = "cert",
        .key = "key",
        .plain_ok = "plain_ok",
        .tokens = "tokens",
        .port = SH_HTTP_PORT,
    };
    return sh_http_settle (&self->http, &from, why);
}

/*  Before token files are read, what is there stands in the file itself.  */
static sh_err_t
s_check_mode (const sm_config_t *self, const struct stat *meta, sh_why_t *why)
{
    bool secret = false;
    for (size_t i = 0; i < self->http.token_count; i++)
        secret = secret || self->http.tokens[i].token;
    if (!secret
        || sh_secret_check_mode (self->path, meta->st_mode, NULL) == SH_OK)
        return SH_OK;
    return sh_fail (why, SH_E_MODE,
                    "%s: has a token in it and is open to group or others; "
                    "chmod 0600 it, or use token_file", self->path);
}

/*  The tree of the very file whose mode 'meta' tells.  */
static sh_err_t
s_read (sh_yaml_t **out, struct stat *meta, const char *path, sh_why_t *why)
{
    char *text = NULL;
    size_t size = 0;
    sh_err_t rc = sh_file_read (&text, &size, meta, path, FILE_MOST, why);
    if (rc == SH_E_TOO_LARGE)
        return sh_fail (why, SH_E_CONFIG,
                        "%s: larger than %d bytes; is it the right file?",
                        path, FILE_MOST);
    if (rc == SH_E_NOT_FOUND)
        return sh_fail (why, rc,
                        "%s: there is no such file; write one as in shim.yaml(5), "
                        "or name another one by --config FILE", path);
    if (rc != SH_OK)
        return rc;
    rc = sh_yaml_parse (out, text, size, path, why);
    sh_secret_wipe (text, size);
    free (text);
    return rc;
}

static sh_err_t
s_bind (sm_config_t *self, const sh_yaml_t *tree, const struct stat *meta,
        const char *path, sh_why_t *why)
{
    self->path = strdup (path);
    self->key = strdup (DEFAULT_KEY);
    self->log_level = SH_LOG_INFO;
    if (!self->path || !self->key
        || sh_config_state_path (&self->hub_keys, "shim.hubs") != SH_OK)
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    sh_err_t rc = sh_config_bind (self, s_fields, tree, path, why);
    if (rc == SH_OK && self->hubs.count == 0)
        rc = sh_fail (why, SH_E_CONFIG,
                      "%s:1: no 'hub': it needs 'endpoint' and 'key'", path);
    if (rc == SH_OK)
        rc = s_check_mode (self, meta, why);
    if (rc == SH_OK)
        rc = s_settle_http (self, tree, path, why);
    return rc;
}

sh_err_t
sm_config_load (sm_config_t **out, const char *path, sh_why_t *why)
{
    sh_yaml_t *tree = NULL;
    struct stat meta;
    sh_err_t rc = s_read (&tree, &meta, path, why);
    if (rc != SH_OK)
        return rc;
    sm_config_t *self = calloc (1, sizeof *self);
    rc = self ? s_bind (self, tree, &meta, path, why) : SH_E_MEMORY;
    sh_yaml_destroy (&tree);
    if (rc == SH_OK)
        *out = self;
    else
        sm_config_destroy (&self);
    return rc;
}

sh_err_t
sm_config_prepare (const sm_config_t *self, sh_why_t *why)
{
    assert (self);
    return sh_file_make_parent (self->http.spool, "the spool", why);
}

void
sm_config_destroy (sm_config_t **self_p)
{
    sm_config_t *self = *self_p;
    if (!self)
        return;
    sp_hubs_clear (&self->hubs);
    sh_http_clear (&self->http);
    free (self->path);
    free (self->key);
    free (self->hub_keys);
    free (self);
    *self_p = NULL;
}
