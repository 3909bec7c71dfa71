/* SPDX-License-Identifier: MPL-2.0 */
/*  A table for people: columns as wide as what is in them, within 80 columns.
    What is too long goes on: the first cell on a line of its own above the
    others, the last one on further lines below itself.  Cells are copied.  */

#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/err.h"
#include "lib/term.h"

typedef struct ctl_table ctl_table_t;

/*  'titles' are borrowed; one that begins with '>' (not shown) has its cells
    set to the right.  NULL: no memory.  */
ctl_table_t *ctl_table_new (const char *const *titles, size_t columns);
void ctl_table_destroy (ctl_table_t **self_p);

/*  The next cell, row after row; printf's format.  Control characters become
    '?'.  */
void ctl_table_add (ctl_table_t *self, const char *format, ...)
    SH_PRINTF (2, 3);

/*  The row that the last cell belongs to has this colour.  */
void ctl_table_mark (ctl_table_t *self, sh_mark_t mark);

/*  How many rows have been begun.  */
size_t ctl_table_rows (const ctl_table_t *self);

/*  Print titles and rows, nothing if there are no rows.  False: memory was
    short and rows are missing.  */
bool ctl_table_print (const ctl_table_t *self, FILE *to);

/*  The same where 'to' is not what tells whether there is colour.  */
bool ctl_table_print_in (const ctl_table_t *self, FILE *to, bool colour);

#endif
