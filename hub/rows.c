/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/rows.h"

#include <stdlib.h>
#include <string.h>

void
hub_agent_clear (hub_agent_t *self)
{
    free (self->name);
    free (self->code);
    memset (self, 0, sizeof *self);
}

size_t
hub_asked_find (const hub_asked_t *asked, size_t count, const char *code)
{
    size_t at = 0;
    while (at < count && strcmp (asked[at].code, code) != 0)
        at++;
    return at;
}

sh_err_t
hub_agent_copy (hub_agent_t *out, const hub_agent_t *from)
{
    hub_agent_t copy = *from;
    copy.name = strdup (from->name);
    copy.code = strdup (from->code);
    if (!copy.name || !copy.code) {
        hub_agent_clear (&copy);
        return SH_E_MEMORY;
    }
    *out = copy;
    return SH_OK;
}

bool
hub_agent_updates_tag (const hub_agent_t *self, int tag)
{
    for (size_t i = 0; i < self->tag_count; i++)
        if (self->tags[i] == tag)
            return true;
    return false;
}

void
hub_rows_destroy (hub_rows_t **self_p)
{
    hub_rows_t *self = *self_p;
    if (!self)
        return;
    free (self->items);
    free (self->memory);
    free (self);
    *self_p = NULL;
}

sh_err_t
hub_rows_none (hub_rows_t **out)
{
    hub_rows_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    *out = self;
    return SH_OK;
}

const hub_row_t *
hub_rows_next (const hub_rows_t *self, size_t *at, const sh_addr_t *ip)
{
    int order = 1;
    while (*at < self->count
           && (order = sh_addr_cmp (&self->items[*at].ip, ip)) < 0)
        ++*at;
    return *at < self->count && order == 0 ? &self->items[*at] : NULL;
}

void
hub_plan_destroy (hub_plan_t **self_p)
{
    hub_plan_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->agent_count; i++) {
        free (self->agents[i].name);
        free (self->agents[i].code);
    }
    for (size_t i = 0; i < self->subnet_count; i++)
        free (self->subnets[i].nameservers);
    free (self->agents);
    free (self->subnets);
    free (self);
    *self_p = NULL;
}
