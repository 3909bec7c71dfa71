/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/applied.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 1024 /* lines that are read at once */

/*  A column that was written, and whether the list has it too.  */
typedef struct
{
    char address[SH_ADDR_TEXT];
    const hub_delta_t *delta;
    bool listed;
} written_t;

typedef struct
{
    written_t *items; /* ascending by address and column */
    size_t count;
    hub_apply_t *one;
    uint64_t last; /* line that was looked at */
    sh_err_t rc;
} compare_t;

void
hub_applied_take (hub_applied_t *self, hub_deltas_t *deltas)
{
    if (deltas->count == 0)
        return;
    hub_deltas_t *lists
        = realloc (self->lists, (self->count + 1) * sizeof *lists);
    if (!lists) {
        self->lost = true;
        return;
    }
    self->lists = lists;
    lists[self->count++] = *deltas;
    *deltas = (hub_deltas_t){ 0 };
}

void
hub_applied_clear (hub_applied_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        hub_deltas_clear (&self->lists[i]);
    free (self->lists);
    *self = (hub_applied_t){ 0 };
}

void
hub_applied_forget (hub_apply_t *one)
{
    for (size_t i = 0; i < one->differ_count; i++) {
        free (one->differs[i].listed);
        free (one->differs[i].made);
    }
    one->differ_count = 0;
}

static int
s_order (const char *address, const char *column, const written_t *other)
{
    int order = strcmp (address, other->address);
    return order ? order
                 : strcmp (column, hub_column_word (other->delta->column));
}

static int
s_compare (const void *a, const void *b)
{
    const written_t *x = a, *y = b;
    return s_order (x->address, hub_column_word (x->delta->column), y);
}

static bool
s_is_time (hub_column_t column)
{
    return !(HUB_COLUMNS_BUT_TIMES & 1u << column);
}

static sh_err_t
s_gather (compare_t *self, const hub_applied_t *made)
{
    size_t most = 1;
    for (size_t i = 0; i < made->count; i++)
        most += made->lists[i].count;
    self->items = calloc (most, sizeof *self->items);
    if (!self->items || made->lost)
        return SH_E_MEMORY;
    for (size_t i = 0; i < made->count; i++)
        for (size_t j = 0; j < made->lists[i].count; j++) {
            const hub_delta_t *delta = &made->lists[i].items[j];
            if (s_is_time (delta->column))
                continue;
            written_t *one = &self->items[self->count++];
            one->delta = delta;
            sh_addr_text (&delta->ip, one->address);
        }
    qsort (self->items, self->count, sizeof *self->items, s_compare);
    return SH_OK;
}

static written_t *
s_find (const compare_t *self, const char *address, const char *column)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = s_order (address, column, &self->items[middle]);
        if (order == 0)
            return &self->items[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/*  The column of a line; false: it is a time, or none.  */
static bool
s_column (const char *word, hub_column_t *out)
{
    for (int i = 0; i < HUB_COLUMN_COUNT; i++)
        if (!s_is_time ((hub_column_t) i)
            && strcmp (hub_column_word ((hub_column_t) i), word) == 0) {
            *out = (hub_column_t) i;
            return true;
        }
    return false;
}

hub_delta_t *
hub_applied_list (hub_deltas_t *to, const hub_preview_line_t *line, bool added,
                  sh_err_t *rc)
{
    hub_delta_t one = { .added = added };
    if (!s_column (line->column, &one.column)
        || sh_addr_parse (&one.ip, line->address) != SH_OK)
        return NULL;
    *rc = hub_deltas_room (to);
    if (*rc != SH_OK)
        return NULL;
    one.before = line->before ? strdup (line->before) : NULL;
    if (line->before && !one.before) {
        *rc = SH_E_MEMORY;
        return NULL;
    }
    to->items[to->count] = one;
    return &to->items[to->count++];
}

static void
s_differs (compare_t *self, const char *address, const char *column,
           const char *listed, const char *made)
{
    hub_apply_t *to = self->one;
    to->differing++;
    if (to->differ_count == HUB_APPLIER_DIFFERS)
        return;
    hub_apply_differs_t *one = &to->differs[to->differ_count];
    *one = (hub_apply_differs_t){ .column = column,
                                  .was_listed = listed != NULL,
                                  .was_made = made != NULL };
    snprintf (one->address, sizeof one->address, "%s", address);
    one->listed = strdup (listed ? listed : "");
    one->made = strdup (made ? made : "");
    to->differ_count++;
    if (!one->listed || !one->made)
        self->rc = SH_E_MEMORY;
}

static const char *
s_text (const char *text)
{
    return text ? text : "";
}

/*  Of a new row the tag alone speaks where all of it is missing: its other
    columns would say the same.  */
static void
s_see (void *context, const hub_preview_line_t *line)
{
    compare_t *self = context;
    hub_column_t which;
    self->last = line->row;
    if (!s_column (line->column, &which))
        return;
    const char *column = hub_column_word (which);
    written_t *made = s_find (self, line->address, column);
    if (made) {
        made->listed = true;
        if (strcmp (s_text (line->after), s_text (made->delta->after)) == 0)
            self->one->as_listed++;
        else
            s_differs (self, line->address, column, s_text (line->after),
                       s_text (made->delta->after));
    } else if (strcmp (line->action, "insert") != 0
               || which == HUB_COLUMN_STATE)
        s_differs (self, line->address, column, s_text (line->after), NULL);
}

sh_err_t
hub_applied_compare (const hub_applied_t *self, hub_apply_t *one,
                     hub_previews_t *previews, sh_why_t *why)
{
    assert (self && one && previews);
    compare_t compare = { .one = one };
    bool more = true;
    sh_err_t rc = s_gather (&compare, self);
    while (rc == SH_OK && more) {
        rc = hub_previews_lines (previews, one->number, HUB_PREVIEW_ALL,
                                 compare.last, PAGE, s_see, &compare, &more,
                                 why);
        if (rc == SH_OK)
            rc = compare.rc;
    }
    for (size_t i = 0; rc == SH_OK && i < compare.count; i++)
        if (!compare.items[i].listed)
            s_differs (&compare, compare.items[i].address,
                       hub_column_word (compare.items[i].delta->column), NULL,
                       s_text (compare.items[i].delta->after));
    free (compare.items);
    return rc;
}
