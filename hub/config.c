/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/config_database.h"
#include "hub/config_legacy.h"
#include "hub/config_metrics.h"
#include "hub/config_policy.h"
#include "hub/config_scan.h"
#include "lib/file.h"
#include "lib/http_config.h"
#include "lib/secret.h"
#include "scanner-proto/limits.h"

#define FILE_MOST (256 * 1024) /* as lib/yaml.h */
#define SHOWN_MOST 64          /* of a value in a message */
#define WORKERS_MOST 64
#define JOURNAL_DAYS_MOST 3650
#define JOURNAL_SIZE_LEAST 8 /* MiB */
#define JOURNAL_SIZE_MOST (64 * 1024)
#define PATH_MOST 512 /* of a path that systemd made */
#define CEILING_LEAST 64 /* MiB */
#define CEILING_MOST (1024 * 1024)
#define STRING(x) #x
#define NUMBER(x) STRING (x)

static const char *const s_log_words[] = { "none", "events", NULL };

static sh_err_t
s_bind_log_level (void *target, const sh_yaml_t *node, const char *path,
                  sh_why_t *why)
{
    hub_config_t *self = target;
    sh_level_t level;
    if (node->kind != SH_YAML_TEXT
        || sh_level_parse (&level, node->text) != SH_OK)
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'log_level' must be one of error, warning, "
                        "notice, info, debug",
                        path, node->line);
    self->log_level = (int) level;
    return SH_OK;
}

static sh_err_t
s_bind_http (void *target, const sh_yaml_t *node, const char *path,
             sh_why_t *why)
{
    hub_config_t *self = target;
    if (node->kind != SH_YAML_MAP)
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'http' must be a map, with listen and so on "
                        "indented under it",
                        path, node->line);
    return sh_config_bind (&self->http, sh_http_fields, node, path, why);
}

#define HUB(m) offsetof (hub_config_t, m)

static const sh_config_field_t s_hub_fields[] = {
    { .key = "listen", .kind = SH_CONFIG_LIST, .offset = HUB (listen) },
    { .key = "key", .kind = SH_CONFIG_STR, .offset = HUB (key) },
    { .key = "registry", .kind = SH_CONFIG_STR, .offset = HUB (registry) },
    { .key = "control", .kind = SH_CONFIG_STR, .offset = HUB (control) },
    { .key = "pauses", .kind = SH_CONFIG_STR, .offset = HUB (pauses) },
    { .key = "retired", .kind = SH_CONFIG_STR, .offset = HUB (retired) },
    { .key = "journal", .kind = SH_CONFIG_STR, .offset = HUB (journal) },
    { .key = "journal_days",
      .kind = SH_CONFIG_UINT,
      .offset = HUB (journal_days),
      .low = 1,
      .high = JOURNAL_DAYS_MOST },
    { .key = "journal_size",
      .kind = SH_CONFIG_UINT,
      .offset = HUB (journal_size),
      .low = JOURNAL_SIZE_LEAST,
      .high = JOURNAL_SIZE_MOST },
    { .key = "previews", .kind = SH_CONFIG_STR, .offset = HUB (previews) },
    { .key = "workers",
      .kind = SH_CONFIG_UINT,
      .offset = HUB (workers),
      .low = 1,
      .high = WORKERS_MOST },
    { .key = "memory_ceiling",
      .kind = SH_CONFIG_UINT,
      .offset = HUB (memory_ceiling),
      .low = CEILING_LEAST,
      .high = CEILING_MOST },
    { 0 },
};

static const sh_config_field_t s_fields[] = {
    { .key = "hub", .kind = SH_CONFIG_MAP, .fields = s_hub_fields },
    { .key = "database",
      .kind = SH_CONFIG_MAP,
      .offset = HUB (database),
      .fields = hub_database_fields },
    { .key = "http", .kind = SH_CONFIG_CALL, .call = s_bind_http },
    { .key = "metrics",
      .kind = SH_CONFIG_MAP,
      .offset = HUB (metrics),
      .fields = hub_metrics_fields },
    { .key = "phpipam_timezone",
      .kind = SH_CONFIG_STR,
      .offset = HUB (timezone) },
    { .key = "phpipam_log",
      .kind = SH_CONFIG_ENUM,
      .offset = HUB (phpipam_log),
      .words = s_log_words },
    { .key = "policy",
      .kind = SH_CONFIG_MAP,
      .offset = HUB (policies),
      .fields = hub_policy_fields },
    { .key = "scan",
      .kind = SH_CONFIG_MAP,
      .offset = HUB (scan),
      .fields = hub_scan_fields },
    { .key = "log_level", .kind = SH_CONFIG_CALL, .call = s_bind_log_level },
    { 0 },
};

static sh_err_t
s_defaults (hub_config_t *self, const char *path)
{
    hub_database_config_t *database = &self->database;
    hub_policies_init (&self->policies);
    hub_scan_settings_init (&self->scan);
    self->log_level = SH_LOG_INFO;
    self->workers = 2;
    self->journal_days = 90;
    self->journal_size = 256;
    self->http_port = SH_HTTP_PORT;
    database->port = 3306;
    database->tls = HUB_TLS_DEFAULT;

    self->path = strdup (path);
    self->listen.items = calloc (1, sizeof *self->listen.items);
    if (self->listen.items) {
        self->listen.items[0]
            = strdup ("tcp://[::]:" NUMBER (SP_DEFAULT_PORT));
        self->listen.count = 1;
    }
    self->key = strdup (SYSCONFDIR "/scanhub/hub.cert");
    self->registry = strdup (SYSCONFDIR "/scanhub/scanners");
    self->control = strdup (RUNSTATEDIR "/scanhub/control.sock");
    self->timezone = strdup ("auto");
    database->host = strdup ("127.0.0.1");
    database->name = strdup ("phpipam");
    database->user = strdup ("scanhub");
    bool whole = self->path && self->listen.items && self->listen.items[0]
                 && self->key && self->registry && self->control
                 && self->timezone && database->host && database->name
                 && database->user;
    sh_err_t rc = whole ? SH_OK : SH_E_MEMORY;
    if (rc == SH_OK)
        rc = sh_config_state_path (&self->pauses, "pauses");
    if (rc == SH_OK)
        rc = sh_config_state_path (&self->retired, "retired");
    if (rc == SH_OK)
        rc = sh_config_state_path (&self->journal, "journal.db");
    if (rc == SH_OK)
        rc = sh_config_state_path (&self->previews, "previews.db");
    if (rc == SH_OK)
        rc = sh_config_state_path (&self->http.spool, SH_HTTP_SPOOL);
    return rc;
}

/*  tcp://ADDRESS:PORT; the address itself is libzmq's to judge.  A port of *
    is any free one.  */
static bool
s_is_endpoint (const char *text)
{
    static const char scheme[] = "tcp://";
    if (strncmp (text, scheme, sizeof scheme - 1) != 0)
        return false;
    const char *address = text + sizeof scheme - 1;
    const char *colon = strrchr (address, ':');
    if (!colon || colon == address)
        return false;
    const char *port = colon + 1;
    size_t digits = strspn (port, "0123456789");
    if (strcmp (port, "*") == 0)
        return true;
    return digits > 0 && digits <= 5 && port[digits] == '\0' && port[0] != '0'
           && strtoul (port, NULL, 10) <= 65535;
}

static sh_err_t
s_check_listen (const hub_config_t *self, sh_why_t *why)
{
    if (self->listen.count == 0)
        return sh_fail (why, SH_E_CONFIG, "%s: hub.listen is an empty list",
                        self->path);
    for (size_t i = 0; i < self->listen.count; i++) {
        if (s_is_endpoint (self->listen.items[i]))
            continue;
        char shown[SHOWN_MOST];
        sh_escape (shown, sizeof shown, self->listen.items[i]);
        return sh_fail (why, SH_E_CONFIG,
                        "%s: hub.listen: '%s' is not of the form "
                        "tcp://ADDRESS:PORT",
                        self->path, shown);
    }
    return SH_OK;
}

/*  A setting that may be off is NULL then.  */
static void
s_settle_off (char **setting)
{
    if (strcmp (*setting, "off") != 0)
        return;
    free (*setting);
    *setting = NULL;
}

static sh_err_t
s_check_paths (const hub_config_t *self, sh_why_t *why)
{
    const struct
    {
        const char *key, *value;
    } paths[] = {
        { "hub.key", self->key },
        { "hub.registry", self->registry },
        { "hub.control", self->control },
        { "hub.pauses", self->pauses },
        { "hub.retired", self->retired },
        { "hub.journal", self->journal },
        { "hub.previews", self->previews },
        { "database.socket", self->database.socket },
        { "database.tls_ca", self->database.tls_ca },
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (paths[i].value && paths[i].value[0] != '/')
            return sh_fail (why, SH_E_CONFIG,
                            "%s: %s must be a path that begins with /",
                            self->path, paths[i].key);
    }
    return SH_OK;
}

static sh_err_t
s_check_texts (const hub_config_t *self, sh_why_t *why)
{
    const struct
    {
        const char *key, *value;
    } texts[] = {
        { "database.host", self->database.host },
        { "database.name", self->database.name },
        { "database.user", self->database.user },
        { "phpipam_timezone", self->timezone },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].value[0] == '\0')
            return sh_fail (why, SH_E_CONFIG, "%s: %s is empty", self->path,
                            texts[i].key);
    }
    if (self->database.password && self->database.password_file)
        return sh_fail (why, SH_E_CONFIG,
                        "%s: database.password and database.password_file "
                        "exclude each other; keep the latter",
                        self->path);
    return SH_OK;
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
                        "%s: there is no such file; copy scanhub.yaml.example "
                        "there, or name another one by --config FILE", path);
    if (rc != SH_OK)
        return rc;
    rc = sh_yaml_parse (out, text, size, path, why);
    sh_secret_wipe (text, size);
    free (text);
    return rc;
}

/*  Before password and token files are read.  */
static bool
s_has_secret (const hub_config_t *self)
{
    if (self->database.password && self->database.password[0] != '\0')
        return true;
    for (size_t i = 0; i < self->http.token_count; i++) {
        if (self->http.tokens[i].token)
            return true;
    }
    return false;
}

static sh_err_t
s_check_mode (const hub_config_t *self, const struct stat *meta, bool peek,
              sh_why_t *why)
{
    if (!s_has_secret (self)
        || sh_secret_check_mode (self->path, meta->st_mode, NULL) == SH_OK)
        return SH_OK;
    if (!self->legacy)
        return sh_fail (why, SH_E_MODE,
                        "%s: has a password or token in it and is open to "
                        "group or others; chmod 0600 it, or use password_file "
                        "and token_file",
                        self->path);
    if (!peek)
        sh_log (SH_LOG_WARNING,
                "the file has the database's password in it and is open to "
                "group or others",
                SH_STR ("file", self->path), SH_STR ("remedy", "chmod 0600"));
    return SH_OK;
}

/*  'http:' with nothing behind it is the section, with its defaults.  */
static sh_err_t
s_bind (hub_config_t *self, const sh_yaml_t *tree, bool peek, sh_why_t *why)
{
    self->legacy = hub_legacy_recognise (tree);
    if (self->legacy)
        return hub_legacy_bind (self, s_fields, tree, peek, why);
    self->http_on = sh_yaml_get (tree, "http") != NULL;
    return sh_config_bind (self, s_fields, tree, self->path, why);
}

static sh_err_t
s_settle_http (hub_config_t *self, const sh_yaml_t *tree, bool peek,
               sh_why_t *why)
{
    if (!self->http_on)
        return SH_OK;
    if (self->legacy) {
        const sh_http_source_t legacy = hub_legacy_source (self, tree, peek);
        return sh_http_settle (&self->http, &legacy, why);
    }
    const sh_http_source_t own = { .path = self->path,
                                    .map = sh_yaml_get (tree, "http"),
                                    .section = "http.",
                                    .listen = "listen",
                                    .cert = "cert",
                                    .key = "key",
                                    .plain_ok = "plain_ok",
                                    .tokens = "tokens",
                                    .port = self->http_port,
                                    .peek = peek };
    return sh_http_settle (&self->http, &own, why);
}

static sh_err_t
s_take (hub_config_t *self, const sh_yaml_t *tree, const struct stat *meta,
        bool peek, sh_why_t *why)
{
    sh_err_t rc = s_bind (self, tree, peek, why);
    if (rc == SH_OK)
        rc = s_check_listen (self, why);
    if (rc == SH_OK) {
        s_settle_off (&self->journal);
        rc = s_check_paths (self, why);
    }
    if (rc == SH_OK)
        rc = s_check_texts (self, why);
    if (rc == SH_OK)
        rc = s_check_mode (self, meta, peek, why);
    if (rc == SH_OK)
        rc = hub_database_settle_password (&self->database, self->path, peek,
                                           why);
    if (rc == SH_OK)
        rc = s_settle_http (self, tree, peek, why);
    if (rc == SH_OK)
        rc = hub_metrics_settle (&self->metrics, tree, self->path, why);
    if (rc != SH_OK)
        return rc;
    hub_scan_settings_settle (&self->scan);
    hub_database_settle_tls (&self->database, self->legacy, peek);
    if (self->legacy && !peek)
        hub_legacy_announce (self, tree);
    return SH_OK;
}

static sh_err_t
s_load (hub_config_t **out, const char *path, bool peek, sh_why_t *why)
{
    sh_yaml_t *tree = NULL;
    struct stat meta;
    hub_config_t *self = calloc (1, sizeof *self);
    if (!self || s_defaults (self, path) != SH_OK) {
        hub_config_destroy (&self);
        return sh_fail (why, SH_E_MEMORY, "%s: out of memory", path);
    }
    sh_err_t rc = s_read (&tree, &meta, path, why);
    if (rc == SH_OK)
        rc = s_take (self, tree, &meta, peek, why);
    if (rc == SH_OK)
        *out = self;
    else
        hub_config_destroy (&self);
    sh_yaml_destroy (&tree);
    return rc;
}

/*  systemd's copy of the old server's file, which only root may read.  */
static const char *
s_credential (void)
{
    static char path[PATH_MOST];
    char *found = NULL;
    if (sh_config_credential (&found, "scan_server.yaml") != SH_OK || !found)
        return NULL;
    snprintf (path, sizeof path, "%s", found);
    free (found);
    return path;
}

static bool
s_is_there (const char *path)
{
    struct stat meta;
    return stat (path, &meta) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/*  A file that cannot be looked at counts as there: whoever may not read the
    one shall be told so, not get the other.  */
const char *
hub_config_default (void)
{
    static const char own[] = SYSCONFDIR "/scanhub/scanhub.yaml";
    static const char old[] = "/etc/phpipam/scan_server.yaml";
    if (s_is_there (own))
        return own;
    const char *credential = s_credential ();
    if (credential)
        return credential;
    return s_is_there (old) ? old : own;
}

sh_err_t
hub_config_load (hub_config_t **out, const char *path, sh_why_t *why)
{
    assert (out && path);
    return s_load (out, path, false, why);
}

sh_err_t
hub_config_peek (hub_config_t **out, const char *path, sh_why_t *why)
{
    assert (out && path);
    return s_load (out, path, true, why);
}

void
hub_config_destroy (hub_config_t **self_p)
{
    assert (self_p);
    hub_config_t *self = *self_p;
    if (!self)
        return;
    hub_database_config_t *database = &self->database;
    sh_secret_free (&database->password);
    char *const texts[] = { self->path,         self->key,
                            self->registry,     self->control,
                            self->pauses,       self->journal,
                            self->previews,
                            self->retired,
                            self->timezone,     database->host,
                            database->socket,   database->name,
                            database->user,     database->password_file,
                            database->tls_ca };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free (texts[i]);
    sh_strings_clear (&self->listen);
    sh_http_clear (&self->http);
    sh_strings_clear (&self->metrics.listen);
    hub_policies_clear (&self->policies);
    hub_scan_settings_clear (&self->scan);
    free (self);
    *self_p = NULL;
}
