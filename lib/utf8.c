/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/utf8.h"

#include <assert.h>
#include <string.h>

/*  Overlong forms, surrogates and what is above U+10FFFF are all kept out by
    the range of the second byte.  */
size_t
sh_utf8_size (const void *text, size_t left)
{
    assert (text && left > 0);
    const uint8_t *at = text;
    uint8_t lead = at[0], low = 0x80, high = 0xbf;
    size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4 || size > left)
        return 0;

    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

size_t
sh_utf8_cut (const char *text, size_t most)
{
    assert (text);
    size_t size = strnlen (text, most + 1);
    if (size <= most)
        return size;
    size = most;
    while (size > 0 && ((unsigned char) text[size] & 0xc0) == 0x80)
        size--;
    return size;
}

void
sh_utf8_copy (char *out, size_t size, const char *text)
{
    assert (out && size > 0);
    size_t used = sh_utf8_cut (text, size - 1);
    memcpy (out, text, used);
    out[used] = '\0';
}

uint32_t
sh_utf8_number (const void *text, size_t size)
{
    assert (text && size > 0);
    const uint8_t *at = text;
    uint32_t number = size > 1 ? at[0] & 0x7fu >> size : at[0];
    for (size_t i = 1; i < size; i++)
        number = number << 6 | (at[i] & 0x3fu);
    return number;
}
