/* SPDX-License-Identifier: MPL-2.0 */
/*  Text in UTF-8: what a character is, and where a text may be cut.  What of
    a stranger's text may be shown is lib/clean's.  */

#ifndef SH_UTF8_H
#define SH_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*  How many bytes the character at the start has, of which 'left' can be read
    (1 or more); 0 if it is none (Unicode, table 3-7: no overlong forms,
    surrogates or what is above U+10FFFF).  */
size_t sh_utf8_size (const void *text, size_t left);

/*  The character's number in Unicode; 'size' is what sh_utf8_size has found,
    and not 0.  */
uint32_t sh_utf8_number (const void *text, size_t size);

/*  How many bytes of the text are at most 'most' and do not end within a
    character.  */
size_t sh_utf8_cut (const char *text, size_t most);

/*  As much of the text as fits into 'size' bytes (1 or more) with a NUL, cut
    between two characters.  */
void sh_utf8_copy (char *out, size_t size, const char *text);

#endif
