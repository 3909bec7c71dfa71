/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/assignments_within.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
s_hash_text (crypto_generichash_state *state, const char *text)
{
    /*  With its NUL, so that neighbouring texts cannot run together.  */
    const char *at = text ? text : "";
    crypto_generichash_update (state, (const unsigned char *) at,
                               strlen (at) + 1);
}

static void
s_hash_rule (crypto_generichash_state *state, const hub_scan_rule_t *rule)
{
    char line[64];
    snprintf (line, sizeof line, "%u %u %u %d %zu %zu", rule->check,
              rule->discover, rule->rate, rule->ipv6, rule->quiet_count,
              rule->skip.count);
    s_hash_text (state, line);
    for (size_t i = 0; i < rule->quiet_count; i++) {
        snprintf (line, sizeof line, "%u %u", (unsigned) rule->quiet[i].from,
                  (unsigned) rule->quiet[i].to);
        s_hash_text (state, line);
    }
    for (size_t i = 0; i < rule->skip.count; i++) {
        const sh_range_t *one = &rule->skip.items[i];
        sh_bytes_t first = sh_addr_bytes (&one->first);
        sh_bytes_t last = sh_addr_bytes (&one->last);
        crypto_generichash_update (state, first.data, first.size);
        crypto_generichash_update (state, last.data, last.size);
    }
}

static void
s_hash_one (crypto_generichash_state *state, const hub_assignment_t *one)
{
    const hub_assigned_t *row = one->row;
    char cidr[SH_PREFIX_TEXT], line[SH_PREFIX_TEXT + 48];
    sh_prefix_text (&row->prefix, cidr);
    snprintf (line, sizeof line, "%llu %s %d%d%d%d",
              (unsigned long long) row->id, cidr, one->check, one->discover,
              row->resolve, row->pool);
    s_hash_text (state, line);
    s_hash_text (state, row->nameservers);
    if (one->rule)
        s_hash_rule (state, one->rule);
    if (one->paused)
        s_hash_text (state, "paused");
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
        const hub_assigned_t *row = &plan->subnets[i];
        char line[64];
        snprintf (line, sizeof line, "%llu %llu %s",
                  (unsigned long long) row->agent,
                  (unsigned long long) row->master,
                  sh_err_word (row->unsent));
        s_hash_text (&state, line);
        s_hash_one (&state, &self->items[i]);
    }
    crypto_generichash_final (&state, self->digest, sizeof self->digest);
}

/*  Where the subnet is among the plan's.  */
static bool
s_find (const hub_assignments_t *self, uint64_t subnet, size_t *at)
{
    size_t low = 0, high = self->plan->subnet_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->plan->subnets[middle].id < subnet)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return low < self->plan->subnet_count
           && self->plan->subnets[low].id == subnet;
}

const hub_known_agent_t *
hub_assignments_agent_of (const hub_assignments_t *self, uint64_t agent)
{
    for (size_t i = 0; i < self->plan->agent_count; i++)
        if (self->plan->agents[i].id == agent)
            return &self->plan->agents[i];
    return NULL;
}

/*  What the settings leave of what phpIPAM has on.  */
static void
s_apply_rule (hub_assignment_t *one)
{
    one->check = one->row->check
                 && (!one->rule || one->rule->check != HUB_SCAN_NEVER);
    one->discover = one->row->discover
                    && (!one->rule || one->rule->discover != HUB_SCAN_NEVER);
}

/*  Each child tells its master.  */
static void
s_count_children (hub_assignments_t *self)
{
    for (size_t i = 0; i < self->plan->subnet_count; i++) {
        const hub_assigned_t *row = &self->plan->subnets[i];
        size_t at;
        if (!row->master || !s_find (self, row->master, &at))
            continue;
        self->items[at].children++;
        self->items[at].strays += row->agent == 0;
    }
}

static sh_err_t
s_make_rule (hub_assignments_t *self, size_t at, const hub_terms_t *terms)
{
    const hub_assigned_t *row = &self->plan->subnets[at];
    const hub_known_agent_t *agent
        = hub_assignments_agent_of (self, row->agent);
    if (row->prefix.base.family == 0)
        return SH_OK;
    self->items[at].rule = &self->rules[at];
    return hub_scan_rule_make (&self->rules[at], terms->settings,
                               agent ? agent->name : NULL, row->id,
                               &row->prefix);
}

static sh_err_t
s_make_items (hub_assignments_t *self, const hub_terms_t *terms)
{
    const hub_plan_t *plan = self->plan;
    self->items = calloc (plan->subnet_count + 1, sizeof *self->items);
    if (terms && terms->settings)
        self->rules = calloc (plan->subnet_count + 1, sizeof *self->rules);
    if (!self->items || (terms && terms->settings && !self->rules))
        return SH_E_MEMORY;
    sh_err_t rc = SH_OK;
    for (size_t i = 0; rc == SH_OK && i < plan->subnet_count; i++) {
        hub_assignment_t *one = &self->items[i];
        one->row = &plan->subnets[i];
        if (self->rules)
            rc = s_make_rule (self, i, terms);
        s_apply_rule (one);
        one->paused = terms && terms->pauses
                      && hub_pauses_of (terms->pauses, one->row->id,
                                        one->row->agent, terms->now) != 0;
    }
    s_count_children (self);
    return rc;
}

static void
s_free (hub_assignments_t *self)
{
    for (size_t i = 0; self->rules && i < self->plan->subnet_count; i++)
        hub_scan_rule_clear (&self->rules[i]);
    free (self->rules);
    free (self->items);
    free (self);
}

static sh_err_t
s_make (hub_assignments_t **out, hub_source_t *source, const hub_terms_t *terms)
{
    hub_assignments_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->source = source;
    self->plan = source->plan;
    atomic_init (&self->references, 1);
    if (s_make_items (self, terms) != SH_OK) {
        s_free (self);
        return SH_E_MEMORY;
    }
    s_digest (self);
    *out = self;
    return SH_OK;
}

sh_err_t
hub_assignments_new (hub_assignments_t **out, hub_plan_t **plan_p,
                     const hub_terms_t *terms)
{
    assert (out && plan_p && *plan_p);
    hub_source_t *source = calloc (1, sizeof *source);
    if (!source)
        return SH_E_MEMORY;
    source->plan = *plan_p;
    atomic_init (&source->references, 1);
    sh_err_t rc = s_make (out, source, terms);
    if (rc == SH_OK)
        *plan_p = NULL;
    else
        free (source);
    return rc;
}

sh_err_t
hub_assignments_renew (hub_assignments_t **out, const hub_assignments_t *old,
                       const hub_terms_t *terms)
{
    assert (out && old);
    sh_err_t rc = s_make (out, old->source, terms);
    if (rc == SH_OK)
        atomic_fetch_add (&old->source->references, 1);
    return rc;
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
    if (!self || atomic_fetch_sub (&self->references, 1) != 1)
        return;
    hub_source_t *source = self->source;
    s_free (self);
    if (atomic_fetch_sub (&source->references, 1) == 1) {
        hub_plan_destroy (&source->plan);
        free (source);
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
        if (*code == '\0' || strcmp (one->code, code) != 0)
            continue;
        if (!one->eligible)
            return SH_E_AGENT_TYPE;
        *agent = one->id;
        return SH_OK;
    }
    return SH_E_AGENT_UNKNOWN;
}

const hub_known_agent_t *
hub_assignments_agents (const hub_assignments_t *self, size_t *count)
{
    *count = self->plan->agent_count;
    return self->plan->agents;
}

const hub_assignment_t *
hub_assignments_items (const hub_assignments_t *self, size_t *count)
{
    *count = self->plan->subnet_count;
    return self->items;
}

const hub_assignment_t *
hub_assignments_find (const hub_assignments_t *self, uint64_t subnet)
{
    size_t at;
    return s_find (self, subnet, &at) ? &self->items[at] : NULL;
}

sh_err_t
hub_assignments_unsent (const hub_assignments_t *self,
                        const hub_assignment_t *one)
{
    const hub_known_agent_t *agent
        = hub_assignments_agent_of (self, one->row->agent);
    if (one->row->agent == 0)
        return SH_E_SUBNET_NOT_ASSIGNED;
    if (!agent)
        return SH_E_AGENT_UNKNOWN;
    if (!agent->eligible)
        return SH_E_AGENT_TYPE;
    if (*agent->code == '\0')
        return SH_E_NOT_FOUND;
    if (one->row->unsent != SH_OK)
        return one->row->unsent;
    return one->check || one->discover ? SH_OK : SH_E_CONFIG;
}

bool
hub_assignment_is_sent (const hub_assignment_t *one, uint64_t agent)
{
    return one->row->agent == agent && one->row->unsent == SH_OK
           && (one->check || one->discover);
}

void
hub_assignments_revision (const hub_assignments_t *self, uint64_t agent,
                          uint8_t out[static SP_REVISION])
{
    uint8_t digest[crypto_generichash_BYTES_MIN];
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, sizeof digest);
    for (size_t i = 0; i < self->plan->subnet_count; i++)
        if (hub_assignment_is_sent (&self->items[i], agent))
            s_hash_one (&state, &self->items[i]);
    crypto_generichash_final (&state, digest, sizeof digest);
    memcpy (out, digest, SP_REVISION);
}
