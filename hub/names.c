/* SPDX-License-Identifier: MPL-2.0 */
#include "hub/names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 16

sh_err_t
hub_names_add (hub_names_t *self, const char *name)
{
    assert (self && name);
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : ROOM_FIRST;
        char **items = realloc (self->items, room * sizeof *items);
        if (!items)
            return SH_E_MEMORY;
        self->items = items;
        self->room = room;
    }
    char *copy = strdup (name);
    if (!copy)
        return SH_E_MEMORY;
    self->items[self->count++] = copy;
    return SH_OK;
}

static int
s_compare (const void *a, const void *b)
{
    return strcmp (*(char *const *) a, *(char *const *) b);
}

void
hub_names_sort (hub_names_t *self)
{
    assert (self);
    if (self->count < 2)
        return;
    qsort (self->items, self->count, sizeof *self->items, s_compare);
    size_t kept = 1;
    for (size_t i = 1; i < self->count; i++) {
        if (strcmp (self->items[i], self->items[kept - 1]) == 0)
            free (self->items[i]);
        else
            self->items[kept++] = self->items[i];
    }
    self->count = kept;
}

void
hub_names_clear (hub_names_t *self)
{
    assert (self);
    for (size_t i = 0; i < self->count; i++)
        free (self->items[i]);
    free (self->items);
    *self = (hub_names_t){ 0 };
}
