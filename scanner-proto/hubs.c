/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/hubs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/keyfile.h"
#include "scanner-proto/limits.h"

#define AT(member) .offset = offsetof (sp_hub_t, member)

static const sh_config_field_t s_fields[] = {
    { .key = "endpoint", .kind = SH_CONFIG_STR, AT (endpoint) },
    { .key = "key", .kind = SH_CONFIG_STR, AT (public_key) },
    { 0 }
};

/*  A port is asked for, because ZeroMQ has no default for one.  */
static bool
s_endpoint_usable (const char *text)
{
    if (!text || strncmp (text, "tcp://", 6) != 0)
        return false;
    const char *colon = strrchr (text + 6, ':');
    return colon && colon > text + 6 && colon[1] != '\0'
           && strspn (colon + 1, "0123456789") == strlen (colon + 1);
}

/*  The examples hold a key of zeros, which is well-formed.  */
static bool
s_is_example (const char *key)
{
    return strspn (key, "0") == strlen (key);
}

static sh_err_t
s_add (sp_hubs_t *self, const sh_yaml_t *node, const char *path, sh_why_t *why)
{
    if (node->kind != SH_YAML_MAP)
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'hub' is a map with 'endpoint' and 'key', or "
                        "a list of such maps",
                        path, node->line);
    if (self->count == SP_HUBS_MOST)
        return sh_fail (why, SH_E_CONFIG, "%s:%d: more than %d hubs", path,
                        node->line, SP_HUBS_MOST);
    sp_hub_t *hub = &self->items[self->count++];
    sh_err_t rc = sh_config_bind (hub, s_fields, node, path, why);
    if (rc != SH_OK)
        return rc;
    if (!s_endpoint_usable (hub->endpoint))
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'endpoint' must be tcp://HOST:PORT, usually "
                        "with port %d",
                        path, node->line, SP_DEFAULT_PORT);
    if (!hub->public_key || !sh_key_valid (hub->public_key))
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'key' must be the hub's public key, 40 "
                        "characters in quotes",
                        path, node->line);
    if (s_is_example (hub->public_key))
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'key' is still the example's; put the hub's "
                        "public key there: on the hub, 'scanhubd -t' prints it",
                        path, node->line);
    return SH_OK;
}

sh_err_t
sp_hubs_bind (sp_hubs_t *self, const sh_yaml_t *node, const char *path,
              sh_why_t *why)
{
    assert (self && node);
    if (node->kind != SH_YAML_LIST)
        return s_add (self, node, path, why);
    sh_err_t rc = SH_OK;
    for (size_t i = 0; i < node->count && rc == SH_OK; i++)
        rc = s_add (self, node->items[i], path, why);
    return rc;
}

void
sp_hubs_clear (sp_hubs_t *self)
{
    for (size_t i = 0; i < SP_HUBS_MOST; i++) {
        free (self->items[i].endpoint);
        free (self->items[i].public_key);
    }
    *self = (sp_hubs_t){ 0 };
}
