/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/config_database.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/log.h"
#include "lib/secret.h"
#include "lib/text.h"

const char *const hub_tls_words[]
    = { "off", "preferred", "required", "verify-full", NULL };

#define DATABASE(m) offsetof (hub_database_config_t, m)

const sh_config_field_t hub_database_fields[] = {
    { .key = "host", .kind = SH_CONFIG_STR, .offset = DATABASE (host) },
    { .key = "port",
      .kind = SH_CONFIG_UINT,
      .offset = DATABASE (port),
      .low = 1,
      .high = 65535 },
    { .key = "socket", .kind = SH_CONFIG_STR, .offset = DATABASE (socket) },
    { .key = "name", .kind = SH_CONFIG_STR, .offset = DATABASE (name) },
    { .key = "user", .kind = SH_CONFIG_STR, .offset = DATABASE (user) },
    { .key = "password",
      .kind = SH_CONFIG_STR,
      .offset = DATABASE (password) },
    { .key = "password_file",
      .kind = SH_CONFIG_STR,
      .offset = DATABASE (password_file) },
    { .key = "tls",
      .kind = SH_CONFIG_ENUM,
      .offset = DATABASE (tls),
      .words = hub_tls_words },
    { .key = "tls_ca", .kind = SH_CONFIG_STR, .offset = DATABASE (tls_ca) },
    { 0 },
};

/*  Does the way to the database stay on this machine?  */
static bool
s_is_local (const hub_database_config_t *self)
{
    sh_addr_t addr;
    if (self->socket || strcmp (self->host, "localhost") == 0)
        return true;
    if (sh_addr_parse (&addr, self->host) != SH_OK)
        return false;
    if (addr.family == 4)
        return addr.bytes[0] == 127;
    static const uint8_t loopback[16] = { [15] = 1 };
    return memcmp (addr.bytes, loopback, sizeof loopback) == 0;
}

void
hub_database_settle_tls (hub_database_config_t *self, bool legacy, bool quiet)
{
    assert (self);
    bool local = s_is_local (self);
    if (self->tls == HUB_TLS_DEFAULT)
        self->tls = local ? HUB_TLS_OFF : HUB_TLS_VERIFY_FULL;
    if (!local && !quiet
        && (self->tls == HUB_TLS_OFF || self->tls == HUB_TLS_PREFERRED))
        sh_log (SH_LOG_WARNING,
                "whoever is between here and the database can read and change "
                "all that goes there",
                SH_STR ("host", self->host),
                SH_STR ("tls", hub_tls_words[self->tls]),
                SH_STR ("remedy", legacy ? "mysql_tls: verify-full"
                                         : "database: tls: verify-full"));
}

sh_err_t
hub_database_settle_password (hub_database_config_t *self, const char *file,
                              bool peek, sh_why_t *why)
{
    assert (self && file);
    char *path = NULL;
    sh_err_t rc = SH_OK;
    if (self->password_file && !peek) {
        rc = sh_config_beside (&path, file, self->password_file);
        if (rc == SH_OK) {
            rc = sh_secret_read (&self->password, path, why);
            free (path);
            return rc;
        }
    }
    else if (!self->password) {
        self->password = strdup ("");
        if (!self->password)
            rc = SH_E_MEMORY;
    }
    if (rc == SH_E_MEMORY)
        return sh_fail (why, rc, "%s: out of memory", file);
    return rc;
}

bool
hub_database_same (const hub_database_config_t *a,
                   const hub_database_config_t *b)
{
    assert (a && b);
    return sh_text_same (a->host, b->host) && a->port == b->port
           && sh_text_same (a->socket, b->socket)
           && sh_text_same (a->name, b->name) && sh_text_same (a->user, b->user)
           && sh_text_same (a->password, b->password) && a->tls == b->tls
           && sh_text_same (a->tls_ca, b->tls_ca);
}
