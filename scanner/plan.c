/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/plan.h"

#include <stdlib.h>

#include "lib/log.h"

sh_err_t
sc_subnet_read (sc_subnet_t *out, const sp_subnet_t *row, sh_why_t *why)
{
    sc_subnet_t self = { .id = row->id,
                         .discover = row->discover,
                         .check = row->check,
                         .resolve = row->resolve,
                         .pool = row->pool };
    if (!row->cidr || sh_prefix_parse (&self.prefix, row->cidr) != SH_OK) {
        char text[64];
        sh_escape (text, sizeof text, row->cidr ? row->cidr : "");
        return sh_fail (why, SH_E_BAD_MESSAGE,
                        "subnet %llu: '%s' is not a network",
                        (unsigned long long) row->id, text);
    }
    for (size_t i = 0; i < row->nameserver_count; i++) {
        if (self.nameserver_count < SP_NAMESERVERS_MOST
            && sh_addr_parse (&self.nameservers[self.nameserver_count],
                              row->nameservers[i])
                   == SH_OK)
            self.nameserver_count++;
        else
            self.bad_nameservers++;
    }
    *out = self;
    return SH_OK;
}

void
sc_known_clear (sc_known_t *self)
{
    free (self->items);
    *self = (sc_known_t){ 0 };
}

void
sc_plan_clear (sc_plan_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        sc_known_clear (&self->items[i].known);
    free (self->items);
    *self = (sc_plan_t){ 0 };
}

sh_err_t
sc_plan_add (sc_plan_t *self, const sc_subnet_t *subnet)
{
    if (self->count && subnet->id <= self->items[self->count - 1].id)
        return SH_E_BAD_MESSAGE;
    if (self->count == SC_SUBNETS_MOST)
        return SH_E_TOO_LARGE;
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 16;
        sc_subnet_t *items = reallocarray (self->items, room, sizeof *items);
        if (!items)
            return SH_E_MEMORY;
        self->items = items;
        self->room = room;
    }
    self->items[self->count++] = *subnet;
    return SH_OK;
}

static bool
s_same (const sc_subnet_t *a, const sc_subnet_t *b)
{
    if (a->id != b->id || !sh_prefix_equal (&a->prefix, &b->prefix)
        || a->discover != b->discover || a->check != b->check
        || a->resolve != b->resolve || a->pool != b->pool
        || a->nameserver_count != b->nameserver_count)
        return false;
    for (size_t i = 0; i < a->nameserver_count; i++) {
        if (sh_addr_cmp (&a->nameservers[i], &b->nameservers[i]) != 0)
            return false;
    }
    return true;
}

void
sc_plan_adopt (sc_plan_t *self, sc_plan_t *fresh, int64_t now)
{
    size_t old = 0;
    for (size_t i = 0; i < fresh->count; i++) {
        sc_subnet_t *subnet = &fresh->items[i];
        while (old < self->count && self->items[old].id < subnet->id)
            old++;
        bool same
            = old < self->count && s_same (&self->items[old], subnet);
        subnet->due = same ? self->items[old].due : now;
        if (same) {
            subnet->known = self->items[old].known;
            self->items[old].known = (sc_known_t){ 0 };
        }
    }
    sc_plan_clear (self);
    *self = *fresh;
    *fresh = (sc_plan_t){ 0 };
}

static sc_subnet_t *
s_first (const sc_plan_t *self)
{
    sc_subnet_t *first = NULL;
    for (size_t i = 0; i < self->count; i++) {
        if (self->items[i].due != SC_NEVER
            && (!first || self->items[i].due < first->due))
            first = &self->items[i];
    }
    return first;
}

sc_subnet_t *
sc_plan_next (sc_plan_t *self, int64_t now)
{
    sc_subnet_t *first = s_first (self);
    return first && first->due <= now ? first : NULL;
}

int
sc_plan_timeout (const sc_plan_t *self, int64_t now)
{
    const sc_subnet_t *first = s_first (self);
    if (!first)
        return -1;
    int64_t left = first->due - now;
    return left < 0 ? 0 : left > 3600000 ? 3600000 : (int) left;
}
