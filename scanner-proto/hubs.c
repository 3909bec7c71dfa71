/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/hubs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/keyfile.h"
#include "lib/log.h"
#include "lib/text.h"
#include "scanner-proto/limits.h"

#define AT(member) .offset = offsetof (sp_hub_t, member)

static const sh_config_field_t s_fields[] = {
    { .key = "endpoint", .kind = SH_CONFIG_STR, AT (endpoint) },
    { .key = "key", .kind = SH_CONFIG_STR, AT (public_key) },
    { .key = "socks", .kind = SH_CONFIG_STR, AT (socks) },
    { 0 }
};

/*  HOST:PORT with a port from 1 to 65535.  */
static bool
s_place_valid (const char *host)
{
    const char *colon = strrchr (host, ':');
    if (strlen (host) > 264 || !colon || colon == host
        || strspn (host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789.-_:[]%")
               != strlen (host))
        return false;
    size_t digits = strspn (colon + 1, "0123456789");
    if (digits == 0 || digits > 5 || colon[1 + digits] != '\0')
        return false;
    long port = strtol (colon + 1, NULL, 10);
    return port > 0 && port < 65536;
}

/*  What ZeroMQ takes for an endpoint is only found out by connecting, and
    libzmq resolves host names later still, so the form is checked here.  A port
    is asked for, because ZeroMQ has no default for one.  */
static bool
s_endpoint_valid (const char *text)
{
    return text && strncmp (text, "tcp://", 6) == 0 && s_place_valid (text + 6);
}

/*  The same for a proxy.  Of an IPv6 address without brackets the last group
    would be taken for a port.  */
static bool
s_socks_valid (const char *text)
{
    return s_place_valid (text)
           && (text[0] == '[' || strchr (text, ':') == strrchr (text, ':'));
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
    if (!s_endpoint_valid (hub->endpoint))
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'endpoint' must be tcp://HOST:PORT, usually "
                        "with port %d",
                        path, node->line, SP_DEFAULT_PORT);
    if (!hub->public_key || !sh_key_valid (hub->public_key))
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'key' must be the hub's public key, 40 "
                        "characters in quotes",
                        path, node->line);
    if (hub->socks && !s_socks_valid (hub->socks))
        return sh_fail (why, SH_E_CONFIG,
                        "%s:%d: 'socks' must be the HOST:PORT of a SOCKS5 "
                        "proxy, usually with port 1080, an IPv6 address in "
                        "brackets",
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

sh_err_t
sp_hub_check (const sp_hub_t *self, sh_why_t *why)
{
    char safe[100];
    sh_escape (safe, sizeof safe, self->endpoint ? self->endpoint : "");
    if (!s_endpoint_valid (self->endpoint))
        return sh_fail (why, SH_E_SYNTAX,
                        "'%s' is not an endpoint such as tcp://hub.example:%d",
                        safe, SP_DEFAULT_PORT);
    if (!self->public_key || !sh_key_valid (self->public_key))
        return sh_fail (why, SH_E_SYNTAX,
                        "the public key of the hub %s is not 40 characters of "
                        "Z85",
                        safe);
    if (self->socks && !s_socks_valid (self->socks))
        return sh_fail (why, SH_E_SYNTAX,
                        "the SOCKS proxy of the hub %s is not HOST:PORT", safe);
    return SH_OK;
}

bool
sp_hubs_copy (sp_hubs_t *self, const sp_hub_t *items, size_t count)
{
    assert (self && items && count <= SP_HUBS_MOST);
    *self = (sp_hubs_t){ 0 };
    bool whole = true;
    for (; self->count < count && whole; self->count++) {
        sp_hub_t *hub = &self->items[self->count];
        hub->endpoint = strdup (items[self->count].endpoint);
        hub->public_key = strdup (items[self->count].public_key);
        whole = hub->endpoint && hub->public_key;
        if (whole && items[self->count].socks) {
            hub->socks = strdup (items[self->count].socks);
            whole = hub->socks != NULL;
        }
    }
    if (!whole)
        sp_hubs_clear (self);
    return whole;
}

void
sp_hubs_clear (sp_hubs_t *self)
{
    for (size_t i = 0; i < SP_HUBS_MOST; i++) {
        free (self->items[i].endpoint);
        free (self->items[i].public_key);
        free (self->items[i].socks);
    }
    *self = (sp_hubs_t){ 0 };
}

const char *
sp_hub_doubt (const char *endpoint)
{
    assert (endpoint);
    const char *host = strstr (endpoint, "://");
    host = host ? host + 3 : endpoint;
    size_t size = strcspn (host, ":");
    bool address = *host == '[' || strspn (host, "0123456789.") >= size;
    return address ? "" : "does this machine know that name, ";
}

bool
sp_hubs_equal (const sp_hubs_t *a, const sp_hubs_t *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!sh_text_same (a->items[i].endpoint, b->items[i].endpoint)
            || !sh_text_same (a->items[i].public_key, b->items[i].public_key)
            || !sh_text_same (a->items[i].socks, b->items[i].socks))
            return false;
    }
    return true;
}
