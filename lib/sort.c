/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/sort.h"

#include <stdlib.h>

void
sh_sort (void *items, size_t count, size_t size,
         int (*compare) (const void *a, const void *b))
{
    const char *one = items;
    for (size_t i = 1; i < count; i++, one += size)
        if (compare (one, one + size) > 0) {
            qsort (items, count, size, compare);
            return;
        }
}
