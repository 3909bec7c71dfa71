/* SPDX-License-Identifier: MPL-2.0 */

#include "cli/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wrap.h"

#define GAP 2        /* between two columns */
#define LAST_LEAST 20 /* columns that are left for the last one */
#define COLUMNS_MOST 16

struct ctl_table
{
    const char *const *titles;
    size_t columns;
    char **cells; /* row after row */
    size_t count, room;
    sh_mark_t *marks; /* of rows; as many as there is room for */
    bool incomplete;
};

ctl_table_t *
ctl_table_new (const char *const *titles, size_t columns)
{
    assert (titles && columns > 0 && columns <= COLUMNS_MOST);
    ctl_table_t *self = calloc (1, sizeof *self);
    if (self)
        *self = (ctl_table_t){ .titles = titles, .columns = columns };
    return self;
}

void
ctl_table_destroy (ctl_table_t **self_p)
{
    assert (self_p);
    ctl_table_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        free (self->cells[i]);
    free (self->cells);
    free (self->marks);
    free (self);
    *self_p = NULL;
}

/*  Room for another cell.  */
static bool
s_grow (ctl_table_t *self)
{
    if (self->count < self->room)
        return true;
    size_t rows = self->room / self->columns * 2 + 16;
    char **cells
        = realloc (self->cells, rows * self->columns * sizeof *cells);
    if (cells)
        self->cells = cells;
    sh_mark_t *marks = realloc (self->marks, rows * sizeof *marks);
    if (marks)
        self->marks = marks;
    if (cells && marks)
        self->room = rows * self->columns;
    return cells && marks;
}

void
ctl_table_add (ctl_table_t *self, const char *format, ...)
{
    assert (self && format);
    char *text = NULL;
    va_list args;
    va_start (args, format);
    int size = vasprintf (&text, format, args);
    va_end (args);
    if (size < 0 || !s_grow (self)) {
        self->incomplete = true;
        if (size >= 0)
            free (text);
        return;
    }
    for (char *at = text; *at; at++)
        if ((unsigned char) *at < ' ' || *at == 0x7f)
            *at = '?';
    if (self->count % self->columns == 0)
        self->marks[self->count / self->columns] = SH_MARK_NONE;
    self->cells[self->count++] = text;
}

void
ctl_table_mark (ctl_table_t *self, sh_mark_t mark)
{
    assert (self);
    if (self->count > 0)
        self->marks[(self->count - 1) / self->columns] = mark;
}

size_t
ctl_table_rows (const ctl_table_t *self)
{
    assert (self);
    return (self->count + self->columns - 1) / self->columns;
}

static const char *
s_title (const ctl_table_t *self, size_t column)
{
    const char *title = self->titles[column];
    return title + (*title == '>');
}

/*  As wide as the widest cell; the first column gives way where the others
    would leave too little for the last one.  */
static void
s_measure (const ctl_table_t *self, size_t widths[static COLUMNS_MOST])
{
    size_t sum = 0;
    for (size_t i = 0; i < self->columns; i++)
        widths[i] = sh_columns (s_title (self, i));
    for (size_t i = 0; i < self->count; i++) {
        size_t width = sh_columns (self->cells[i]);
        if (width > widths[i % self->columns])
            widths[i % self->columns] = width;
    }
    for (size_t i = 0; i + 1 < self->columns; i++)
        sum += widths[i] + GAP;
    size_t last = widths[self->columns - 1];
    size_t most = SH_COLUMNS - (last < LAST_LEAST ? last : LAST_LEAST);
    if (self->columns > 1 && sum > most) {
        size_t over = sum - most, title = sh_columns (s_title (self, 0));
        widths[0] = widths[0] > title + over ? widths[0] - over : title;
    }
}

/*  One cell with the blanks before it.  Those behind it are '*owed' until there
    is a text again, so that no line ends with any.  */
static void
s_print_cell (const ctl_table_t *self, FILE *to, size_t column,
              const char *text, size_t width, int *owed)
{
    size_t size = sh_columns (text);
    int blanks = (int) (size < width ? width - size : 0);
    bool right = self->titles[column][0] == '>';
    *owed += right ? blanks : 0;
    if (*text) {
        fprintf (to, "%*s%s", *owed, "", text);
        *owed = 0;
    }
    *owed += (right ? 0 : blanks) + GAP;
}

/*  A row's last cell may take several lines, each below its first.  */
static void
s_print_last (const ctl_table_t *self, FILE *to, size_t at, const char *text,
              size_t width, int owed)
{
    if (at + sh_columns (text) <= SH_COLUMNS) {
        s_print_cell (self, to, self->columns - 1, text, width, &owed);
        putc ('\n', to);
        return;
    }
    fprintf (to, "%*s", owed, "");
    sh_wrap_at (to, at, at, text);
}

static void
s_print_row (const ctl_table_t *self, FILE *to, char *const *cells,
             size_t count, const size_t *widths)
{
    size_t at = 0;
    int owed = 0;
    for (size_t i = 0; i < self->columns; i++) {
        const char *text = i < count ? cells[i] : "";
        if (i + 1 == self->columns) {
            s_print_last (self, to, at, text, widths[i], owed);
            break;
        }
        if (i == 0 && sh_columns (text) > widths[0]) {
            fprintf (to, "%s\n", text);
            text = "";
        }
        s_print_cell (self, to, i, text, widths[i], &owed);
        at += widths[i] + GAP;
    }
}

static void
s_print_titles (const ctl_table_t *self, FILE *to, const size_t *widths)
{
    int owed = 0;
    for (size_t i = 0; i < self->columns; i++)
        s_print_cell (self, to, i, s_title (self, i), widths[i], &owed);
    putc ('\n', to);
}

bool
ctl_table_print (const ctl_table_t *self, FILE *to)
{
    return ctl_table_print_in (self, to, sh_term_colour (to));
}

bool
ctl_table_print_in (const ctl_table_t *self, FILE *to, bool colour)
{
    assert (self && to);
    size_t widths[COLUMNS_MOST];
    if (self->count == 0)
        return !self->incomplete;
    s_measure (self, widths);
    fputs (sh_term_on (SH_MARK_HEADING, colour), to);
    s_print_titles (self, to, widths);
    fputs (sh_term_off (SH_MARK_HEADING, colour), to);
    for (size_t at = 0; at < self->count; at += self->columns) {
        sh_mark_t mark = self->marks[at / self->columns];
        size_t left = self->count - at;
        fputs (sh_term_on (mark, colour), to);
        s_print_row (self, to, &self->cells[at],
                     left < self->columns ? left : self->columns, widths);
        fputs (sh_term_off (mark, colour), to);
    }
    return !self->incomplete;
}
