/* SPDX-License-Identifier: MPL-2.0 */
/*  Text from outside in UTF-8, such as a name in phpIPAM, made fit for a
    terminal and for JSON.  */

#ifndef SH_CLEAN_H
#define SH_CLEAN_H

#include <stddef.h>

/*  Copy 'text' to 'out' with a '?' for each control character, each mark of
    direction or of a line, and each byte that is no UTF-8.  Cut off between two
    characters to fit 'size' bytes, which are at least 1.  */
void sh_clean (char *out, size_t size, const char *text);

#endif
