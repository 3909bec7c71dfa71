/* SPDX-License-Identifier: MPL-2.0 */
/*  Closing parts.  One may concern more rows than memory holds, and takes more
    time than others should wait: so it is counted and written slice by slice,
    and if some are left after a few, the scanner is told to send it again, and
    it goes on there then.  Belongs to one intake.  */

#ifndef HUB_CLOSING_H
#define HUB_CLOSING_H

#include "hub/writer.h"

typedef struct
{
    hub_writer_t *writer; /* borrowed */
    hub_unfinished_t unfinished;
} hub_closing_t;

/*  Count, decide and write, or as much of that as fits into one transaction;
    part->unfinished says that more is left.  Where hub_writer_take_hosts is for
    other parts.  SH_E_MEMORY, or the store's.  */
sh_err_t hub_closing_take (hub_closing_t *self, hub_part_t *part)
    SH_MUST_CHECK;

/*  After COMMIT: remember how far it is.  */
void hub_closing_note (hub_closing_t *self, const hub_part_t *part);

#endif
