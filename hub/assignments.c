/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/assignments.h"

#include <assert.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scanner-proto/codec.h"

struct hub_assignments
{
    hub_plan_t *plan;
    uint8_t digest[crypto_generichash_BYTES_MIN]; /* over all of it */
    atomic_int references;
};

static void
s_hash_text (crypto_generichash_state *state, const char *text)
{
    /*  With its NUL, so that neighbouring texts cannot run together.  */
    const char *at = text ? text : "";
    crypto_generichash_update (state, (const unsigned char *) at,
                               strlen (at) + 1);
}

static void
s_hash_subnet (crypto_generichash_state *state, const hub_assigned_t *one)
{
    char cidr[SH_PREFIX_TEXT], line[SH_PREFIX_TEXT + 48];
    sh_prefix_text (&one->prefix, cidr);
    snprintf (line, sizeof line, "%llu %s %d%d%d%d",
              (unsigned long long) one->id, cidr, one->check, one->discover,
              one->resolve, one->pool);
    s_hash_text (state, line);
    s_hash_text (state, one->nameservers);
}

static void
s_digest (hub_assignments_t *self)
{
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, sizeof self->digest);
    const hub_plan_t *plan = self->plan;
    for (size_t i = 0; i < plan->agent_count; i++) {
        char line[48];
        snprintf (line, sizeof line, "%llu %d",
                  (unsigned long long) plan->agents[i].id,
                  plan->agents[i].eligible);
        s_hash_text (&state, line);
        s_hash_text (&state, plan->agents[i].name);
        s_hash_text (&state, plan->agents[i].code);
    }
    for (size_t i = 0; i < plan->subnet_count; i++) {
        char line[24];
        snprintf (line, sizeof line, "%llu",
                  (unsigned long long) plan->subnets[i].agent);
        s_hash_text (&state, line);
        s_hash_subnet (&state, &plan->subnets[i]);
    }
    crypto_generichash_final (&state, self->digest, sizeof self->digest);
}

sh_err_t
hub_assignments_new (hub_assignments_t **out, hub_plan_t **plan_p)
{
    assert (out && plan_p && *plan_p);
    hub_assignments_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->plan = *plan_p;
    *plan_p = NULL;
    atomic_init (&self->references, 1);
    s_digest (self);
    *out = self;
    return SH_OK;
}

hub_assignments_t *
hub_assignments_keep (hub_assignments_t *self)
{
    atomic_fetch_add (&self->references, 1);
    return self;
}

void
hub_assignments_release (hub_assignments_t **self_p)
{
    hub_assignments_t *self = *self_p;
    *self_p = NULL;
    if (self && atomic_fetch_sub (&self->references, 1) == 1) {
        hub_plan_destroy (&self->plan);
        free (self);
    }
}

bool
hub_assignments_equal (const hub_assignments_t *self,
                       const hub_assignments_t *other)
{
    return other
           && memcmp (self->digest, other->digest, sizeof self->digest) == 0;
}

sh_err_t
hub_assignments_agent (const hub_assignments_t *self, const char *code,
                       uint64_t *agent)
{
    for (size_t i = 0; i < self->plan->agent_count; i++) {
        const hub_known_agent_t *one = &self->plan->agents[i];
        if (strcmp (one->code, code) != 0)
            continue;
        if (!one->eligible)
            return SH_E_AGENT_TYPE;
        *agent = one->id;
        return SH_OK;
    }
    return SH_E_AGENT_UNKNOWN;
}

void
hub_assignments_revision (const hub_assignments_t *self, uint64_t agent,
                          uint8_t out[static SP_REVISION])
{
    uint8_t digest[crypto_generichash_BYTES_MIN];
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, sizeof digest);
    for (size_t i = 0; i < self->plan->subnet_count; i++)
        if (self->plan->subnets[i].agent == agent)
            s_hash_subnet (&state, &self->plan->subnets[i]);
    crypto_generichash_final (&state, digest, sizeof digest);
    memcpy (out, digest, SP_REVISION);
}

/*  Memory of one page's texts, which sp_encode only borrows.  */
typedef struct
{
    sp_subnet_t rows[SP_PAGE_SUBNETS_MOST];
    char cidrs[SP_PAGE_SUBNETS_MOST][SH_PREFIX_TEXT];
    const char *servers[SP_PAGE_SUBNETS_MOST][SP_NAMESERVERS_MOST];
    char texts[SP_PAGE_SUBNETS_MOST][SP_NAMESERVERS_MOST][SH_ADDR_TEXT];
} page_t;

/*  "10.0.0.53; 2001:db8::53": what is no address is left out, for a scanner
    must not be handed text from a form.  */
static size_t
s_read_nameservers (const char *list, const char **servers,
                    char texts[][SH_ADDR_TEXT])
{
    size_t count = 0;
    while (list && *list && count < SP_NAMESERVERS_MOST) {
        list += strspn (list, "; \t\r\n");
        size_t size = strcspn (list, "; \t\r\n");
        char one[SH_ADDR_TEXT];
        sh_addr_t addr;
        if (size > 0 && size < sizeof one) {
            memcpy (one, list, size);
            one[size] = 0;
            if (sh_addr_parse (&addr, one) == SH_OK) {
                sh_addr_text (&addr, texts[count]);
                servers[count] = texts[count];
                count++;
            }
        }
        list += size;
    }
    return count;
}

static void
s_fill_row (page_t *page, size_t at, const hub_assigned_t *one)
{
    sh_prefix_text (&one->prefix, page->cidrs[at]);
    page->rows[at] = (sp_subnet_t){
        .id = one->id,
        .cidr = page->cidrs[at],
        .discover = one->discover,
        .check = one->check,
        .resolve = one->resolve,
        .pool = one->pool,
        .nameservers = page->servers[at],
        .nameserver_count = s_read_nameservers (
            one->nameservers, page->servers[at], page->texts[at]),
    };
}

sh_err_t
hub_assignments_page (const hub_assignments_t *self, uint64_t agent,
                      uint64_t after, uint8_t **frame, size_t *size)
{
    page_t *page = calloc (1, sizeof *page);
    if (!page)
        return SH_E_MEMORY;
    uint8_t revision[SP_REVISION];
    hub_assignments_revision (self, agent, revision);
    size_t count = 0;
    bool more = false;
    for (size_t i = 0; i < self->plan->subnet_count && !more; i++) {
        const hub_assigned_t *one = &self->plan->subnets[i];
        if (one->agent != agent || one->id <= after)
            continue;
        more = count == SP_PAGE_SUBNETS_MOST;
        if (!more)
            s_fill_row (page, count++, one);
    }
    sp_message_t message = {
        .type = SP_ASSIGNMENTS_PAGE,
        .u.assignments_page = {
            .revision = { revision, sizeof revision },
            .more = more,
            .subnets = page->rows,
            .subnet_count = count,
        },
    };
    sh_err_t rc = sp_encode (frame, size, &message);
    free (page);
    return rc;
}
