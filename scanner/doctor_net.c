/* SPDX-License-Identifier: MPL-2.0 */
/*  'scanhub-scanner doctor': what this machine may send, where it can reach,
    and who answers for names.  */

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "scanner/doctor_within.h"
#include "scanner/prober.h"
#include "scanner/resolver.h"
#include "scanner/routes.h"

#define SERVERS_MOST 16
#define ANSWER_MS 2000
#define PORT 53

void
sc_check_rights (sc_doctor_t *self)
{
    const void *settings;
    sh_why_t why = { "" };
    const sc_engine_t *engine = sc_config_engine (self->config, &settings);
    sh_err_t rc = engine->check (settings, &why);
    if (rc != SH_OK)
        sh_findings_error (&self->found, "%s: %s", engine->name, why.text);
    else if (*why.text)
        sh_findings_warning (&self->found,
                             "%s, as the user who runs this: %s",
                             engine->name, why.text);
    else
        sh_findings_good (&self->found, "%s has all that it uses",
                          engine->name);
}

void
sc_check_links (sc_doctor_t *self)
{
    sh_why_t why = { "" };
    size_t shown = 0;
    if (sc_links_read (&self->links, &why) != SH_OK) {
        sh_findings_error (&self->found, "%s", why.text);
        return;
    }
    for (size_t i = 0; i < self->links.count; i++) {
        const sc_own_t *own = &self->links.items[i];
        char addr[SH_ADDR_TEXT], name[IF_NAMESIZE] = "?";
        (void) if_indextoname ((unsigned) own->index, name);
        if (strcmp (name, "lo") == 0)
            continue;
        shown++;
        sh_addr_text (&own->addr, addr);
        if (own->running)
            sh_findings_good (&self->found, "%s has %s/%u", name, addr,
                              own->prefix.length);
        else
            sh_findings_warning (&self->found, "%s (%s/%u) has no carrier: "
                                               "what is sent there is lost",
                                 name, addr, own->prefix.length);
    }
    if (shown == 0)
        sh_findings_warning (&self->found, "none but the loopback has an "
                                           "address");
}

/*  An address that a host of the subnet could have.  */
static sh_addr_t
s_some_host (const sh_prefix_t *prefix)
{
    sh_addr_t addr = prefix->base;
    if (sh_prefix_has_edges (prefix, false))
        (void) sh_addr_next (&addr);
    return addr;
}

void
sc_check_ways (sc_doctor_t *self)
{
    static const char *const reasons[] = {
        [SC_ROUTE_NONE] = "this machine has no route there: add one, or give "
                          "the subnet to another scanner",
        [SC_ROUTE_NO_CARRIER] = "the interface of its route has no carrier: "
                                "look at the cable",
        [SC_ROUTE_NO_GATEWAY] = "its gateway does not answer: is it up, and "
                                "the route right?",
    };
    sc_routes_t routes;
    sh_why_t why = { "" };
    size_t near = 0, beyond = 0;
    if (!self->has_facts || self->facts.plan.count == 0)
        return;
    if (sc_routes_open (&routes, &why) != SH_OK) {
        sh_findings_warning (&self->found, "%s", why.text);
        return;
    }
    for (size_t i = 0; i < self->facts.plan.count; i++) {
        const sh_prefix_t *prefix = &self->facts.plan.items[i].prefix;
        const sh_addr_t addr = s_some_host (prefix);
        char text[SH_PREFIX_TEXT];
        sh_prefix_text (prefix, text);
        sc_route_t route = sc_routes_to (&routes, &self->links, &addr);
        bool on_link = sc_links_to (&self->links, &addr) != NULL;
        near += route == SC_ROUTE_WORKS && on_link;
        beyond += route == SC_ROUTE_WORKS && !on_link;
        if (route != SC_ROUTE_WORKS)
            sh_findings_error (&self->found, "%s: %s", text, reasons[route]);
    }
    sc_routes_close (&routes);
    if (near + beyond > 0)
        sh_findings_good (&self->found,
                          "%zu subnet%s on links of this machine, %zu through "
                          "gateways", near, near == 1 ? "" : "s", beyond);
}

/*  A server that is asked one question.  */
typedef struct
{
    char text[SH_ADDR_TEXT]; /* "": those of the system */
    sh_addr_t about;
    sc_resolver_t *resolver;
    bool over;
    sc_answer_t answer;
} server_t;

typedef struct
{
    server_t items[SERVERS_MOST];
    size_t count;
} servers_t;

static void
s_add_server (servers_t *self, const char *text, const sh_prefix_t *prefix)
{
    for (size_t i = 0; i < self->count; i++)
        if (strcmp (self->items[i].text, text) == 0)
            return;
    if (self->count == SERVERS_MOST)
        return;
    server_t *one = &self->items[self->count++];
    (void) snprintf (one->text, sizeof one->text, "%s", text);
    one->about = s_some_host (prefix);
}

/*  Those that the subnets' names would be asked of.  */
static void
s_collect (servers_t *self, const sc_facts_t *facts)
{
    for (size_t i = 0; i < facts->plan.count; i++) {
        const sc_subnet_t *subnet = &facts->plan.items[i];
        if (!subnet->resolve)
            continue;
        if (subnet->nameserver_count == 0)
            s_add_server (self, "", &subnet->prefix);
        for (size_t k = 0; k < subnet->nameserver_count; k++) {
            char text[SH_ADDR_TEXT];
            sh_addr_text (&subnet->nameservers[k], text);
            s_add_server (self, text, &subnet->prefix);
        }
    }
}

static void
s_answered (void *context, sc_answer_t answer, const char *const *names)
{
    (void) names;
    server_t *one = context;
    one->over = true;
    one->answer = answer;
}

static bool
s_all_over (const servers_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        if (!self->items[i].over)
            return false;
    return true;
}

static void
s_work (servers_t *self, int pollset, const sh_clock_t *clock)
{
    int64_t end = sh_clock_mono (clock) + 2 * ANSWER_MS;
    while (!s_all_over (self) && sh_clock_mono (clock) < end) {
        struct epoll_event events[SERVERS_MOST];
        int count = epoll_wait (pollset, events, SERVERS_MOST, 50);
        for (int i = 0; i < count; i++)
            sc_resolver_work (
                self->items[events[i].data.u64 >> 32].resolver,
                (int) (uint32_t) events[i].data.u64, events[i].events);
        for (size_t i = 0; i < self->count; i++)
            if (self->items[i].resolver)
                sc_resolver_work (self->items[i].resolver, -1, 0);
    }
}

/*  Ask all of them at the same time.  */
static sh_err_t
s_ask (servers_t *self, const sh_clock_t *clock, sh_why_t *why)
{
    int pollset = epoll_create1 (EPOLL_CLOEXEC);
    sh_err_t rc = pollset < 0 ? sh_fail (why, SH_E_IO, "epoll: %s",
                                         strerror (errno))
                              : SH_OK;
    for (size_t i = 0; i < self->count && rc == SH_OK; i++) {
        server_t *one = &self->items[i];
        const sc_resolver_options_t options
            = { .server = *one->text ? one->text : NULL,
                .port = PORT,
                .timeout = ANSWER_MS,
                .pollset = pollset,
                .id = (uint32_t) i };
        one->answer = SC_ANSWER_SILENCE;
        rc = sc_resolver_new (&one->resolver, &options, why);
        if (rc == SH_OK)
            sc_resolver_ask (one->resolver, &one->about, s_answered, one);
    }
    if (rc == SH_OK)
        s_work (self, pollset, clock);
    for (size_t i = 0; i < self->count; i++) {
        server_t *one = &self->items[i];
        sc_answer_t answer = one->answer;
        sc_resolver_destroy (&one->resolver); /* ends what is not over */
        one->answer = answer;
    }
    if (pollset >= 0)
        (void) close (pollset);
    return rc;
}

void
sc_check_names (sc_doctor_t *self)
{
    servers_t servers = { .count = 0 };
    sh_why_t why = { "" };
    if (self->config->resolve == SC_RESOLVE_NEVER) {
        sh_findings_good (&self->found, "not asked, 'resolve' is never");
        return;
    }
    s_collect (&servers, &self->facts);
    if (servers.count == 0)
        return;
    if (s_ask (&servers, self->options->clock, &why) != SH_OK) {
        sh_findings_warning (&self->found, "%s", why.text);
        return;
    }
    for (size_t i = 0; i < servers.count; i++) {
        const server_t *one = &servers.items[i];
        const char *name = *one->text ? one->text
                                      : "the system's (/etc/resolv.conf)";
        if (one->answer == SC_ANSWER_NAMES || one->answer == SC_ANSWER_NONE)
            sh_findings_good (&self->found, "%s answers", name);
        else if (one->answer == SC_ANSWER_FAULT)
            sh_findings_warning (&self->found,
                                 "%s refuses to say who has an address: let it "
                                 "answer this machine", name);
        else
            sh_findings_warning (&self->found,
                                 "%s does not answer, so hosts get no names: "
                                 "choose another in phpIPAM, or let this "
                                 "machine reach its port 53", name);
    }
}
