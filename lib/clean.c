/* SPDX-License-Identifier: MPL-2.0 */

#include "lib/clean.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/utf8.h"

/*  Does a terminal do something at it, or show what follows in another order
    or place?  */
static bool
s_is_control (uint32_t value)
{
    static const struct
    {
        uint32_t first, last;
    } ranges[] = {
        { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0x61c, 0x61c },
        { 0x200e, 0x200f }, { 0x2028, 0x202e }, { 0x2066, 0x2069 },
        { 0xfeff, 0xfeff },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (value >= ranges[i].first && value <= ranges[i].last)
            return true;
    return false;
}

void
sh_clean (char *out, size_t size, const char *text)
{
    assert (out && size > 0 && text);
    size_t used = 0, left = strlen (text);
    while (left > 0) {
        size_t taken = sh_utf8_size (text, left);
        bool shown = taken > 0 && !s_is_control (sh_utf8_number (text, taken));
        size_t needs = shown ? taken : 1;
        if (used + needs >= size)
            break;
        if (shown)
            memcpy (&out[used], text, taken);
        else
            out[used] = '?';
        used += needs;
        taken += taken == 0;
        text += taken;
        left -= taken;
    }
    out[used] = '\0';
}
