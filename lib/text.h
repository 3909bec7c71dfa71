/* SPDX-License-Identifier: MPL-2.0 */
/*  Texts that may be missing.  */

#ifndef SH_TEXT_H
#define SH_TEXT_H

#include <stdbool.h>
#include <string.h>

/*  Are both the same, or both NULL?  */
static inline bool
sh_text_same (const char *a, const char *b)
{
    return a == b || (a && b && strcmp (a, b) == 0);
}

#endif
