/* SPDX-License-Identifier: MPL-2.0 */
/*  Sorting what mostly is in order already, as what scanners and databases
    send.  */

#ifndef SH_SORT_H
#define SH_SORT_H

#include <stddef.h>

/*  qsort, but a list that does not descend anywhere is only looked through.  */
void sh_sort (void *items, size_t count, size_t size,
              int (*compare) (const void *a, const void *b));

#endif
