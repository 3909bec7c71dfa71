/* SPDX-License-Identifier: MPL-2.0 */
/*  What the files that print a status share.  Of cli/status_print.c and
    status_lists.c.  */

#ifndef CTL_STATUS_WITHIN_H
#define CTL_STATUS_WITHIN_H

#include "cli/field.h"
#include "cli/status.h"
#include "cli/table.h"
#include "lib/span.h"

/*  A document on its way to people.  */
typedef struct
{
    const json_t *document;
    FILE *to;
    size_t most; /* rows of a table; 0: all */
    bool colour;
    int64_t now; /* epoch ms, the hub's */
    bool whole;  /* false: memory was short */
} ctl_status_t;

const json_t *ctl_status_part (const ctl_status_t *self, const char *key);

/*  "3 min"; "-" for a time that is not known.  */
const char *ctl_status_ago (const ctl_status_t *self, const json_t *object,
                            const char *key, char out[static SH_SPAN_TEXT]);

/*  The colour of its "grade".  */
sh_mark_t ctl_status_mark (const json_t *object);

/*  One line, wrapped.  */
void ctl_status_line (const ctl_status_t *self, sh_mark_t mark,
                      const char *format, ...) SH_PRINTF (3, 4);

void ctl_status_print_lists (ctl_status_t *self);

#endif
