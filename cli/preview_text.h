/* SPDX-License-Identifier: MPL-2.0 */
/*  The hub's documents about held reports, as text for people.  */

#ifndef CTL_PREVIEW_TEXT_H
#define CTL_PREVIEW_TEXT_H

#include <jansson.h>
#include <stdint.h>

/*  The list; 'dropped' entries had to go for room; 'now' is epoch ms.  */
void ctl_preview_print_list (const json_t *list, int64_t dropped, int64_t now);

/*  One entry and its lines.  */
void ctl_preview_print (const json_t *entry, const json_t *lines, int64_t now);

/*  What applying one has done.  */
void ctl_preview_print_result (const json_t *result);

#endif
