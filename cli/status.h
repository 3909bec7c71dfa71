/* SPDX-License-Identifier: MPL-2.0 */
/*  The document of 'scanhubctl status' for people: first whether it works, and
    if not, why; then everything else, the worst first.  */

#ifndef CTL_STATUS_H
#define CTL_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

/*  'most' rows of each table at the most; 0: all.  False: memory was
    short.  */
bool ctl_status_print (const json_t *document, size_t most, FILE *to,
                       bool colour);

/*  Does it work, as far as the document says?  */
bool ctl_status_works (const json_t *document);

#endif
