/* SPDX-License-Identifier: MPL-2.0 */
/*  Texts that may be missing, and words that may be many.  */

#ifndef SH_TEXT_H
#define SH_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*  Are both the same, or both NULL?  */
static inline bool
sh_text_same (const char *a, const char *b)
{
    return a == b || (a && b && strcmp (a, b) == 0);
}

/*  What makes a word of so many: "1 key", "2 keys".  */
static inline const char *
sh_text_s (uint64_t count)
{
    return count == 1 ? "" : "s";
}

#endif
