/* SPDX-License-Identifier: MPL-2.0 */
/*  A growing list of file names.  Zeros are an empty one.  */

#ifndef HUB_NAMES_H
#define HUB_NAMES_H

#include <stddef.h>

#include "lib/err.h"

typedef struct
{
    char **items; /* malloc'ed strings, 'count' of them */
    size_t count, room;
} hub_names_t;

/*  Append a copy; SH_E_MEMORY.  */
sh_err_t hub_names_add (hub_names_t *self, const char *name) SH_MUST_CHECK;

/*  Sort by bytes and drop doubles.  */
void hub_names_sort (hub_names_t *self);

/*  Free all and make it empty.  */
void hub_names_clear (hub_names_t *self);

#endif
