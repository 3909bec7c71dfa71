/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "scanner-proto/hub_keys.h"
#include "scanner-proto/limits.h"
#include "scanner-proto/spool.h"

#define DEFAULT_KEY SYSCONFDIR "/scanhub/scanner.cert"

/*  What can probe, and where its settings are.  */
static const struct
{
    const sc_engine_t *engine;
    size_t settings; /* offset in sc_config_t */
} s_engines[] = {
    { &sc_engine_builtin, offsetof (sc_config_t, builtin) },
    { &sc_engine_nmap, offsetof (sc_config_t, nmap) },
    { &sc_engine_fping, offsetof (sc_config_t, fping) },
};
#define ENGINES (sizeof s_engines / sizeof *s_engines)

static const char *const s_resolve[] = { "assigned", "never", NULL };
static const char *const s_names[] = { "fqdn", "short", NULL };

static sh_err_t s_bind_hub (void *target, const sh_yaml_t *node,
                            const char *path, sh_why_t *why);
static sh_err_t s_bind_key (void *target, const sh_yaml_t *node,
                            const char *path, sh_why_t *why);
static sh_err_t s_bind_code (void *target, const sh_yaml_t *node,
                             const char *path, sh_why_t *why);
static sh_err_t s_bind_engine (void *target, const sh_yaml_t *node,
                               const char *path, sh_why_t *why);
static sh_err_t s_bind_level (void *target, const sh_yaml_t *node,
                              const char *path, sh_why_t *why);
static sh_err_t s_bind_spool (void *target, const sh_yaml_t *node,
                              const char *path, sh_why_t *why);
static sh_err_t s_bind_hub_keys (void *target, const sh_yaml_t *node,
                                 const char *path, sh_why_t *why);
static sh_err_t s_bind_control (void *target, const sh_yaml_t *node,
                                const char *path, sh_why_t *why);
static sh_err_t s_bind_ports (void *target, const sh_yaml_t *node,
                              const char *path, sh_why_t *why);
static sh_err_t s_bind_program (void *target, const sh_yaml_t *node,
                                const char *path, sh_why_t *why);

#define AT(type, member) .offset = offsetof (type, member)

static const sh_config_field_t s_builtin_fields[] = {
    { .key = "rate", .kind = SH_CONFIG_UINT, .low = 1, .high = 1000000,
      AT (sc_builtin_settings_t, rate) },
    { .key = "tcp_ports", .kind = SH_CONFIG_CALL, .call = s_bind_ports },
    { 0 }
};

static const sh_config_field_t s_program_fields[] = {
    { .key = "program", .kind = SH_CONFIG_CALL, .call = s_bind_program },
    { .key = "rate", .kind = SH_CONFIG_UINT, .low = 1, .high = 1000000,
      AT (sc_program_t, rate) },
    { .key = "retries", .kind = SH_CONFIG_UINT, .low = 0, .high = 10,
      AT (sc_program_t, retries) },
    { .key = "deadline", .kind = SH_CONFIG_UINT, .low = 1, .high = 86400,
      AT (sc_program_t, deadline) },
    { 0 }
};

static const sh_config_field_t s_fields[] = {
    { .key = "hub", .kind = SH_CONFIG_CALL, .call = s_bind_hub },
    { .key = "hub_return", .kind = SH_CONFIG_UINT, .low = 1, .high = 86400,
      AT (sc_config_t, hub_return) },
    { .key = "key", .kind = SH_CONFIG_CALL, .call = s_bind_key },
    { .key = "code", .kind = SH_CONFIG_CALL, .call = s_bind_code },
    { .key = "engine", .kind = SH_CONFIG_CALL, .call = s_bind_engine },
    { .key = "builtin", .kind = SH_CONFIG_MAP, .fields = s_builtin_fields,
      AT (sc_config_t, builtin) },
    { .key = "nmap", .kind = SH_CONFIG_MAP, .fields = s_program_fields,
      AT (sc_config_t, nmap) },
    { .key = "fping", .kind = SH_CONFIG_MAP, .fields = s_program_fields,
      AT (sc_config_t, fping) },
    { .key = "resolve", .kind = SH_CONFIG_ENUM, .words = s_resolve,
      AT (sc_config_t, resolve) },
    { .key = "names", .kind = SH_CONFIG_ENUM, .words = s_names,
      AT (sc_config_t, names) },
    { .key = "interval", .kind = SH_CONFIG_UINT, .low = 1, .high = 604800,
      AT (sc_config_t, interval) },
    { .key = "spool", .kind = SH_CONFIG_CALL, .call = s_bind_spool },
    { .key = "spool_size", .kind = SH_CONFIG_UINT, .low = 1, .high = 65536,
      AT (sc_config_t, spool_size) },
    { .key = "hub_keys", .kind = SH_CONFIG_CALL, .call = s_bind_hub_keys },
    { .key = "control", .kind = SH_CONFIG_CALL, .call = s_bind_control },
    { .key = "log_level", .kind = SH_CONFIG_CALL, .call = s_bind_level },
    { 0 }
};

static sh_err_t
s_bind_hub (void *target, const sh_yaml_t *node, const char *path,
            sh_why_t *why)
{
    sc_config_t *self = target;
    return sp_hubs_bind (&self->hubs, node, path, why);
}

/*  A service manager starts us in another directory than people do.  */
static sh_err_t
s_bind_key (void *target, const sh_yaml_t *node, const char *path,
            sh_why_t *why)
{
    sc_config_t *self = target;
    sh_err_t rc = sh_config_str (&self->key, node, "key", path, why);
    if (rc == SH_OK && self->key[0] != '/')
        rc = sh_fail (why, SH_E_CONFIG, "%s:%d: 'key' must be an absolute path",
                      path, node->line);
    return rc;
}

/*  An absolute path, or the word none, which is NULL.  */
static sh_err_t
s_path_or_none (char **out, const sh_yaml_t *node, const char *key,
                const char *path, sh_why_t *why)
{
    sh_err_t rc = sh_config_str (out, node, key, path, why);
    if (rc != SH_OK)
        return rc;
    if (strcmp (*out, "none") == 0) {
        free (*out);
        *out = NULL;
    } else if ((*out)[0] != '/')
        rc = sh_fail (why, SH_E_CONFIG,
                      "%s:%d: '%s' must be an absolute path, or none", path,
                      node->line, key);
    return rc;
}

static sh_err_t
s_bind_spool (void *target, const sh_yaml_t *node, const char *path,
              sh_why_t *why)
{
    sc_config_t *self = target;
    return s_path_or_none (&self->spool, node, "spool", path, why);
}

static sh_err_t
s_bind_hub_keys (void *target, const sh_yaml_t *node, const char *path,
                 sh_why_t *why)
{
    sc_config_t *self = target;
    return s_path_or_none (&self->hub_keys, node, "hub_keys", path, why);
}

static sh_err_t
s_bind_control (void *target, const sh_yaml_t *node, const char *path,
                sh_why_t *why)
{
    sc_config_t *self = target;
    return s_path_or_none (&self->control, node, "control", path, why);
}

static sh_err_t
s_bind_code (void *target, const sh_yaml_t *node, const char *path,
             sh_why_t *why)
{
    sc_config_t *self = target;
    sh_err_t rc = sh_config_str (&self->code, node, "code", path, why);
    if (rc == SH_OK && (!*self->code || strlen (self->code) > SP_CODE_MOST))
        rc = sh_fail (why, SH_E_CONFIG, "%s:%d: 'code' has 1 to %d characters",
                      path, node->line, SP_CODE_MOST);
    return rc;
}

static sh_err_t
s_bind_engine (void *target, const sh_yaml_t *node, const char *path,
               sh_why_t *why)
{
    sc_config_t *self = target;
    const char *words[ENGINES + 1] = { NULL };
    for (size_t i = 0; i < ENGINES; i++)
        words[i] = s_engines[i].engine->name;
    return sh_config_word (&self->engine, node, "engine", words, path, why);
}

static sh_err_t
s_bind_level (void *target, const sh_yaml_t *node, const char *path,
              sh_why_t *why)
{
    sc_config_t *self = target;
    static const char *const words[]
        = { "error", "warning", "notice", "info", "debug", NULL };
    int word = 0;
    sh_err_t rc = sh_config_word (&word, node, "log_level", words, path, why);
    if (rc == SH_OK)
        self->log_level = SH_LOG_ERROR + word;
    return rc;
}

/*  One number or a list of them, instead of those that were there.  */
static sh_err_t
s_bind_ports (void *target, const sh_yaml_t *node, const char *path,
              sh_why_t *why)
{
    sc_builtin_settings_t *self = target;
    bool list = node->kind == SH_YAML_LIST;
    size_t count = list ? node->count : 1;
    if (count == 0 || count > SC_TCP_PORTS_MOST)
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'tcp_ports' has 1 to %d numbers", path,
                        node->line, SC_TCP_PORTS_MOST);
    for (size_t i = 0; i < count; i++) {
        uint32_t port = 0;
        sh_err_t rc = sh_config_uint (&port, list ? node->items[i] : node,
                                      "tcp_ports", 1, 65535, path, why);
        if (rc != SH_OK)
            return rc;
        self->tcp_ports[i] = (uint16_t) port;
    }
    self->tcp_port_count = count;
    return SH_OK;
}

static sh_err_t
s_bind_program (void *target, const sh_yaml_t *node, const char *path,
                sh_why_t *why)
{
    sc_program_t *self = target;
    sh_err_t rc
        = sh_config_str (&self->program, node, "program", path, why);
    if (rc == SH_OK
        && (!*self->program
            || (self->program[0] != '/' && strchr (self->program, '/'))))
        rc = sh_fail (why, SH_E_CONFIG,
                      "%s:%d: 'program' must be a name or an absolute path",
                      path, node->line);
    return rc;
}

static bool
s_default_program (sc_program_t *self, const char *name)
{
    *self = (sc_program_t){ .program = strdup (name),
                            .rate = 1000,
                            .retries = 1,
                            .deadline = 300 };
    return self->program != NULL;
}

static sh_err_t
s_new (sc_config_t **out, const char *path)
{
    sc_config_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->path = strdup (path);
    self->key = strdup (DEFAULT_KEY);
    sc_builtin_default (&self->builtin);
    bool programs = s_default_program (&self->nmap, "nmap")
                    && s_default_program (&self->fping, "fping");
    self->spool_size = SP_SPOOL_DEFAULT_MOST / (1024 * 1024);
    self->hub_return = 300;
    self->log_level = SH_LOG_INFO;
    sh_err_t rc = sh_config_state_path (&self->spool, "scanner.spool");
    if (rc == SH_OK)
        rc = sh_config_state_path (&self->hub_keys, "scanner.hubs");
    if (rc == SH_OK)
        rc = sh_config_path_in (&self->control, "RUNTIME_DIRECTORY",
                                RUNSTATEDIR "/scanhub", "scanner.sock");
    if (rc != SH_OK || !self->path || !self->key || !programs) {
        sc_config_destroy (&self);
        return SH_E_MEMORY;
    }
    *out = self;
    return SH_OK;
}

/*  Takes the tree over.  */
static sh_err_t
s_from_tree (sc_config_t **out, sh_yaml_t *tree, const char *path,
             sh_why_t *why)
{
    sc_config_t *self = NULL;
    sh_err_t rc = s_new (&self, path);
    if (rc != SH_OK)
        (void) sh_fail (why, rc, "%s", sh_err_text (rc));
    else
        rc = sh_config_bind (self, s_fields, tree, path, why);
    if (rc == SH_OK && self->hubs.count == 0)
        rc = sh_fail (why, SH_E_CONFIG,
                      "%s:1: no 'hub': it needs 'endpoint' and 'key'", path);
    sh_yaml_destroy (&tree);
    if (rc == SH_OK)
        *out = self;
    else
        sc_config_destroy (&self);
    return rc;
}

sh_err_t
sc_config_default (sc_config_t **out)
{
    return s_new (out, "");
}

int
sc_config_engine_index (const char *name)
{
    for (size_t i = 0; i < ENGINES; i++)
        if (strcmp (s_engines[i].engine->name, name) == 0)
            return (int) i;
    return -1;
}

sh_err_t
sc_config_load (sc_config_t **out, const char *path, sh_why_t *why)
{
    sh_yaml_t *tree = NULL;
    sh_err_t rc = sh_yaml_load (&tree, path, why);
    return rc == SH_OK ? s_from_tree (out, tree, path, why) : rc;
}

sh_err_t
sc_config_parse (sc_config_t **out, const char *text, size_t size,
                 const char *label, sh_why_t *why)
{
    sh_yaml_t *tree = NULL;
    sh_err_t rc = sh_yaml_parse (&tree, text, size, label, why);
    return rc == SH_OK ? s_from_tree (out, tree, label, why) : rc;
}

void
sc_config_destroy (sc_config_t **self_p)
{
    sc_config_t *self = *self_p;
    if (!self)
        return;
    sp_hubs_clear (&self->hubs);
    free (self->path);
    free (self->key);
    free (self->code);
    free (self->spool);
    free (self->hub_keys);
    free (self->control);
    free (self->nmap.program);
    free (self->fping.program);
    free (self);
    *self_p = NULL;
}

static bool
s_same_text (const char *a, const char *b)
{
    return a && b ? strcmp (a, b) == 0 : a == b;
}

/*  What only a restart can change, by the name that the file has for it; NULL:
    nothing of that is different.  */
static const char *
s_needs_restart (const sc_config_t *self, const sc_config_t *fresh)
{
    const struct
    {
        const char *key;
        bool same;
    } items[] = {
        { "hub", sp_hubs_equal (&self->hubs, &fresh->hubs) },
        { "hub_return", self->hub_return == fresh->hub_return },
        { "key", s_same_text (self->key, fresh->key) },
        { "code", s_same_text (self->code, fresh->code) },
        { "engine", self->engine == fresh->engine },
        { "spool", s_same_text (self->spool, fresh->spool) },
        { "spool_size", self->spool_size == fresh->spool_size },
        { "hub_keys", s_same_text (self->hub_keys, fresh->hub_keys) },
        { "control", s_same_text (self->control, fresh->control) },
    };
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        if (!items[i].same)
            return items[i].key;
    return NULL;
}

static void
s_trade (sc_program_t *a, sc_program_t *b)
{
    sc_program_t old = *a;
    *a = *b;
    *b = old;
}

sh_err_t
sc_config_adopt (sc_config_t *self, sc_config_t *fresh, sh_why_t *why)
{
    const char *key = s_needs_restart (self, fresh);
    if (key)
        return sh_fail (why, SH_E_CONFIG,
                        "'%s' changed, which takes a restart; nothing was "
                        "reloaded",
                        key);
    self->log_level = fresh->log_level;
    self->resolve = fresh->resolve;
    self->names = fresh->names;
    self->interval = fresh->interval;
    self->builtin = fresh->builtin;
    s_trade (&self->nmap, &fresh->nmap); /* the old ones go with 'fresh' */
    s_trade (&self->fping, &fresh->fping);
    return SH_OK;
}

sh_err_t
sc_config_take_hub_keys (sc_config_t *self, sh_why_t *why)
{
    sp_hub_keys_t *keys = NULL;
    sh_err_t rc = sp_hub_keys_new (&keys, self->hub_keys, why);
    for (size_t i = 0; rc == SH_OK && i < self->hubs.count; i++) {
        sp_hub_t *hub = &self->hubs.items[i];
        char *now = strdup (sp_hub_keys_now (keys, hub));
        if (!now) {
            rc = sh_fail (why, SH_E_MEMORY, "%s", sh_err_text (SH_E_MEMORY));
            break;
        }
        free (hub->public_key);
        hub->public_key = now;
    }
    sp_hub_keys_destroy (&keys);
    return rc;
}

const sc_engine_t *
sc_config_engine (const sc_config_t *self, const void **settings)
{
    assert (self->engine >= 0 && (size_t) self->engine < ENGINES);
    *settings = (const char *) self + s_engines[self->engine].settings;
    return s_engines[self->engine].engine;
}
