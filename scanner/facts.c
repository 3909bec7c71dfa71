/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/facts.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build-config.h"
#include "lib/clean.h"
#include "lib/control.h"
#include "scanner/ask.h"

#define SERVICE "'scanhub-scanner run'"
#define SERVICE_MS 5000
#define HUB_MS 15000

void
sc_facts_clear (sc_facts_t *self)
{
    assert (self);
    sc_plan_clear (&self->plan);
    *self = (sc_facts_t){ 0 };
}

static json_t *
s_subnet (const sc_subnet_t *subnet)
{
    char text[SH_PREFIX_TEXT];
    json_t *servers = json_array ();
    for (size_t i = 0; i < subnet->nameserver_count; i++) {
        char server[SH_ADDR_TEXT];
        sh_addr_text (&subnet->nameservers[i], server);
        (void) json_array_append_new (servers, json_string (server));
    }
    sh_prefix_text (&subnet->prefix, text);
    return json_pack ("{s:I, s:s, s:b, s:o}", "id", (json_int_t) subnet->id,
                      "network", text, "names", subnet->resolve, "servers",
                      servers);
}

void
sc_facts_write (const sc_facts_t *self, const sc_plan_t *plan, char *answer,
                size_t size)
{
    assert (self && plan && answer && size > 64);
    char why[sizeof self->why];
    size_t count = plan->count < SC_FACTS_SUBNETS ? plan->count
                                                  : SC_FACTS_SUBNETS;
    json_t *subnets = json_array ();
    for (size_t i = 0; i < count; i++)
        (void) json_array_append_new (subnets, s_subnet (&plan->items[i]));
    sh_clean (why, sizeof why, self->why);
    json_t *root = json_pack (
        "{s:b, s:s, s:s, s:I, s:I, s:o, s:I}", "connected", self->connected,
        "hub", self->hub, "why", why, "offset", (json_int_t) self->offset,
        "waiting", (json_int_t) self->waiting, "subnets", subnets, "more",
        (json_int_t) (plan->count - count));
    size_t room = size - 4; /* "ok " and the NUL */
    size_t used = root ? json_dumpb (root, answer + 3, room, JSON_COMPACT) : 0;
    json_decref (root);
    if (used == 0 || used > room) {
        (void) snprintf (answer, size, "error no room for the answer");
        return;
    }
    memcpy (answer, "ok ", 3);
    answer[3 + used] = '\0';
}

static sh_err_t
s_read_subnet (sc_facts_t *out, json_t *item)
{
    sc_subnet_t subnet = { 0 };
    json_int_t id;
    const char *network;
    int names;
    json_t *servers, *server;
    size_t i;
    if (json_unpack (item, "{s:I, s:s, s:b, s:o}", "id", &id, "network",
                     &network, "names", &names, "servers", &servers) != 0
        || id <= 0 || sh_prefix_parse (&subnet.prefix, network) != SH_OK)
        return SH_E_SYNTAX;
    subnet.id = (uint64_t) id;
    subnet.resolve = names;
    json_array_foreach (servers, i, server)
        if (subnet.nameserver_count < SP_NAMESERVERS_MOST
            && json_is_string (server)
            && sh_addr_parse (&subnet.nameservers[subnet.nameserver_count],
                              json_string_value (server)) == SH_OK)
            subnet.nameserver_count++;
    return sc_plan_add (&out->plan, &subnet);
}

sh_err_t
sc_facts_read (sc_facts_t *out, const char *answer)
{
    assert (out && answer);
    json_int_t offset, waiting, more;
    const char *hub, *why;
    int connected;
    json_t *subnets, *item;
    size_t i;
    sh_err_t rc = SH_E_SYNTAX;
    *out = (sc_facts_t){ 0 };
    json_t *root = strncmp (answer, "ok {", 4) == 0
                       ? json_loads (answer + 3, JSON_REJECT_DUPLICATES, NULL)
                       : NULL;
    if (root && json_unpack (root, "{s:b, s:s, s:s, s:I, s:I, s:o, s:I}",
                             "connected", &connected, "hub", &hub, "why", &why,
                             "offset", &offset, "waiting", &waiting, "subnets",
                             &subnets, "more", &more) == 0) {
        rc = SH_OK;
        out->connected = connected;
        (void) snprintf (out->hub, sizeof out->hub, "%s", hub);
        (void) snprintf (out->why, sizeof out->why, "%s", why);
        out->offset = offset;
        out->waiting = (uint64_t) waiting;
        out->more = (size_t) more;
        json_array_foreach (subnets, i, item)
            if (rc == SH_OK)
                rc = s_read_subnet (out, item);
    }
    json_decref (root);
    return rc;
}

sh_err_t
sc_facts_of_service (sc_facts_t *out, const sc_config_t *config, sh_why_t *why)
{
    assert (out && config && config->control);
    char *answer = NULL;
    *out = (sc_facts_t){ 0 };
    sh_err_t rc = sh_control_ask (&answer, config->control, SERVICE,
                                  SC_FACTS_REQUEST, SERVICE_MS, why);
    if (rc == SH_OK) {
        rc = sc_facts_read (out, answer);
        if (rc != SH_OK)
            (void) sh_fail (why, rc, "the service's answer is not understood; "
                                     "restart it after an upgrade");
    }
    free (answer);
    return rc;
}

/*  Until the hub has told all that it assigns.  */
static sh_err_t
s_ask_all (sc_facts_t *out, sc_link_t *link, sc_ask_t *ask, sc_tell_t *tell,
           sh_why_t *why)
{
    sh_err_t asked = SH_OK, rc = SH_OK;
    sc_ask_assignments (ask, &out->plan, tell, HUB_MS);
    while (!sc_ask_step (ask, &asked, why)) {
        const sp_event_t *event;
        rc = sc_link_wait (link, sc_ask_timeout (ask), &event);
        if (rc != SH_OK)
            return sh_fail (why, rc, "interrupted");
        (void) sc_ask_take (ask, event);
    }
    sp_client_t *client = sc_link_client (link);
    out->connected = sp_client_is_up (client);
    out->offset = out->connected ? sp_client_offset (client) : 0;
    (void) snprintf (out->hub, sizeof out->hub, "%s",
                     sp_client_endpoint (client));
    return asked;
}

sh_err_t
sc_facts_of_hub (sc_facts_t *out, const sc_config_t *config,
                 const sh_clock_t *clock, sh_why_t *why)
{
    assert (out && config && clock);
    sc_tell_t tell = { .once = true, .silent = true };
    sc_link_t *link = NULL;
    sc_ask_t *ask = NULL;
    *out = (sc_facts_t){ 0 };
    sh_err_t rc = sc_link_new (&link, config,
                               "scanhub-scanner " PACKAGE_VERSION, &tell,
                               clock, why);
    if (rc == SH_OK)
        rc = sc_ask_new (&ask, link, config->code, true);
    if (rc == SH_OK)
        rc = s_ask_all (out, link, ask, &tell, why);
    sc_ask_destroy (&ask);
    sc_link_destroy (&link);
    return rc;
}
