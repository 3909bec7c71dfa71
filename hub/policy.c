/* SPDX-License-Identifier: MPL-2.0 */
#include "hub/policy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void
hub_policies_init (hub_policies_t *self)
{
    assert (self);
    *self = (hub_policies_t){ .hub = { .hostname = HUB_FIELD_AUTO,
                                       .mac = HUB_FIELD_AUTO,
                                       .tags = HUB_TAGS_PHPIPAM,
                                       .preview = HUB_PREVIEW_NO,
                                       .max_new = { HUB_LIMIT_DEFAULT, 0 },
                                       .max_offline
                                       = { HUB_LIMIT_DEFAULT, 0 },
                                       .seen_granularity
                                       = { HUB_LIMIT_SET, 0 } } };
}

void
hub_policies_clear (hub_policies_t *self)
{
    assert (self);
    for (size_t i = 0; i < self->count; i++)
        free (self->entries[i].agent);
    free (self->entries);
    hub_policies_init (self);
}

static void
s_narrow (hub_policy_t *policy, const hub_policy_t *by)
{
    if (by->hostname != HUB_FIELD_INHERIT)
        policy->hostname = by->hostname;
    if (by->mac != HUB_FIELD_INHERIT)
        policy->mac = by->mac;
    if (by->tags != HUB_TAGS_INHERIT)
        policy->tags = by->tags;
    if (by->preview != HUB_PREVIEW_INHERIT)
        policy->preview = by->preview;
    if (by->max_new.kind != HUB_LIMIT_INHERIT)
        policy->max_new = by->max_new;
    if (by->max_offline.kind != HUB_LIMIT_INHERIT)
        policy->max_offline = by->max_offline;
    if (by->seen_granularity.kind != HUB_LIMIT_INHERIT)
        policy->seen_granularity = by->seen_granularity;
}

hub_policy_t
hub_policy_for (const hub_policies_t *self, const char *agent, uint64_t subnet)
{
    assert (self);
    hub_policy_t policy = self->hub;
    for (size_t i = 0; agent && i < self->count; i++) {
        const hub_policy_entry_t *entry = &self->entries[i];
        if (entry->agent && strcmp (entry->agent, agent) == 0)
            s_narrow (&policy, &entry->policy);
    }
    for (size_t i = 0; subnet && i < self->count; i++) {
        const hub_policy_entry_t *entry = &self->entries[i];
        if (!entry->agent && entry->subnet == subnet)
            s_narrow (&policy, &entry->policy);
    }
    return policy;
}
