/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/deltas.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sort.h"

/*  What one call has at hand.  */
typedef struct
{
    hub_deltas_t *to;
    unsigned columns;
    const hub_row_t **rows; /* ascending by id */
    size_t row_count;
    sh_err_t rc; /* of the first item that could not be appended */
} gather_t;

const char *
hub_column_word (hub_column_t column)
{
    static const char *const words[HUB_COLUMN_COUNT]
        = { "lastSeen", "hostname", "mac",
            "state",    "lastScan", "lastDiscovery" };
    return words[column];
}

static int
s_compare_ids (const void *a, const void *b)
{
    const hub_row_t *const *one = a, *const *other = b;
    return ((*one)->id > (*other)->id) - ((*one)->id < (*other)->id);
}

static sh_err_t
s_index_rows (gather_t *self, const hub_rows_t *rows)
{
    self->rows = calloc (rows->count + 1, sizeof *self->rows);
    if (!self->rows)
        return SH_E_MEMORY;
    for (size_t i = 0; i < rows->count; i++)
        self->rows[i] = &rows->items[i];
    self->row_count = rows->count;
    sh_sort (self->rows, self->row_count, sizeof *self->rows, s_compare_ids);
    return SH_OK;
}

static const hub_row_t *
s_find_row (const gather_t *self, uint64_t id)
{
    const hub_row_t key = { .id = id }, *at = &key;
    const hub_row_t **found = bsearch (&at, self->rows, self->row_count,
                                       sizeof *self->rows, s_compare_ids);
    assert (found); /* it was planned on these rows */
    return *found;
}

static bool
s_wants (const gather_t *self, hub_column_t column)
{
    return self->columns & 1u << column;
}

static char *
s_copy (gather_t *self, const char *text)
{
    if (!text || !*text)
        return NULL;
    char *copy = strdup (text);
    if (!copy)
        self->rc = SH_E_MEMORY;
    return copy;
}

sh_err_t
hub_deltas_room (hub_deltas_t *self)
{
    if (self->count < self->room)
        return SH_OK;
    size_t room = self->room * 2 + 16;
    hub_delta_t *items = realloc (self->items, room * sizeof *items);
    if (!items)
        return SH_E_MEMORY;
    self->items = items;
    self->room = room;
    return SH_OK;
}

static void
s_append (gather_t *self, hub_delta_t item, const char *before,
          const char *after)
{
    hub_deltas_t *to = self->to;
    if (self->rc == SH_OK)
        self->rc = hub_deltas_room (to);
    if (self->rc != SH_OK)
        return;
    item.before = s_copy (self, before);
    item.after = s_copy (self, after);
    to->items[to->count++] = item;
}

static void
s_add_update (gather_t *self, hub_column_t column, uint64_t row,
              const char *before, const char *after)
{
    if (s_wants (self, column))
        s_append (self,
                  (hub_delta_t){ .column = column,
                                 .ip = s_find_row (self, row)->ip,
                                 .row = row },
                  before, after);
}

static void
s_add_texts (gather_t *self, hub_column_t column, const hub_text_t *texts,
             size_t count)
{
    for (size_t i = 0; i < count; i++)
        s_add_update (self, column, texts[i].row, texts[i].old, texts[i].fresh);
}

static void
s_add_tags (gather_t *self, const hub_tag_t *tags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char before[16], after[16];
        snprintf (before, sizeof before, "%d", tags[i].old);
        snprintf (after, sizeof after, "%d", tags[i].fresh);
        s_add_update (self, HUB_COLUMN_STATE, tags[i].row, before, after);
    }
}

static void
s_add_insert (gather_t *self, const hub_insert_t *insert)
{
    char state[16];
    hub_delta_t item = { .ip = insert->ip, .added = true };
    snprintf (state, sizeof state, "%d", HUB_TAG_USED);
    const struct
    {
        hub_column_t column;
        const char *text;
    } columns[] = {
        { HUB_COLUMN_LAST_SEEN, insert->wall.text },
        { HUB_COLUMN_HOSTNAME, insert->hostname },
        { HUB_COLUMN_MAC, insert->mac },
        { HUB_COLUMN_STATE, state },
    };
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        item.column = columns[i].column;
        s_append (self, item, NULL, columns[i].text);
    }
}

static void
s_add_subnet (gather_t *self, hub_column_t column, const hub_subnet_t *subnet,
              const char *before, const hub_changes_t *changes)
{
    if (s_wants (self, column))
        s_append (self,
                  (hub_delta_t){ .column = column, .ip = subnet->prefix.base },
                  before, changes->start.text);
}

static void
s_add_all (gather_t *self, const hub_changes_t *changes,
           const hub_subnet_t *subnet)
{
    for (size_t i = 0; i < changes->insert_count; i++)
        s_add_insert (self, &changes->inserts[i]);
    if (s_wants (self, HUB_COLUMN_LAST_SEEN))
        for (size_t i = 0; i < changes->seen_count; i++)
            s_add_update (self, HUB_COLUMN_LAST_SEEN, changes->seen[i].row,
                          s_find_row (self, changes->seen[i].row)->last_seen,
                          changes->seen[i].wall.text);
    s_add_texts (self, HUB_COLUMN_HOSTNAME, changes->names,
                 changes->name_count);
    s_add_texts (self, HUB_COLUMN_MAC, changes->macs, changes->mac_count);
    s_add_tags (self, changes->used, changes->used_count);
    s_add_tags (self, changes->offline, changes->offline_count);
    if (changes->set_last_scan)
        s_add_subnet (self, HUB_COLUMN_LAST_SCAN, subnet, subnet->last_scan,
                      changes);
    if (changes->set_last_discovery)
        s_add_subnet (self, HUB_COLUMN_LAST_DISCOVERY, subnet,
                      subnet->last_discovery, changes);
}

/*  Most reports move lastSeen only, and then nobody has to look for rows.  */
static bool
s_needs_rows (const gather_t *self, const hub_changes_t *changes)
{
    return changes->name_count + changes->mac_count + changes->used_count
               + changes->offline_count
               + (s_wants (self, HUB_COLUMN_LAST_SEEN) ? changes->seen_count
                                                      : 0)
           > 0;
}

static void
s_cut (hub_deltas_t *self, size_t count)
{
    while (self->count > count) {
        hub_delta_t *last = &self->items[--self->count];
        free (last->before);
        free (last->after);
    }
}

sh_err_t
hub_deltas_add (hub_deltas_t *self, const hub_changes_t *changes,
                const hub_subnet_t *subnet, const hub_rows_t *rows,
                unsigned columns)
{
    assert (self && changes && subnet && rows);
    gather_t gather = { .to = self, .columns = columns };
    size_t before = self->count;
    gather.rc = s_needs_rows (&gather, changes) ? s_index_rows (&gather, rows)
                                                : SH_OK;
    if (gather.rc == SH_OK)
        s_add_all (&gather, changes, subnet);
    if (gather.rc != SH_OK)
        s_cut (self, before);
    free (gather.rows);
    return gather.rc;
}

void
hub_deltas_clear (hub_deltas_t *self)
{
    assert (self);
    s_cut (self, 0);
    free (self->items);
    *self = (hub_deltas_t){ 0 };
}
