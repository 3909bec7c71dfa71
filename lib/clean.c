/* SPDX-License-Identifier: MPL-2.0 */

#include "lib/clean.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*  The character of UTF-8 at 'text', and how many bytes it has; false where
    there is none, and then it is one byte.  */
static bool
s_character (const char *text, uint32_t *value, size_t *size)
{
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    uint32_t first = (unsigned char) text[0];
    size_t more = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2
                : first < 0xf5 ? 3 : 0;
    *size = 1;
    *value = more > 0 ? first & (0x3fu >> more) : first;
    if (more == 0)
        return first < 0x80;
    for (size_t i = 1; i <= more; i++) {
        if (((unsigned char) text[i] & 0xc0) != 0x80)
            return false;
        *value = *value << 6 | ((unsigned char) text[i] & 0x3f);
    }
    if (*value < least[more] || *value > 0x10ffff
        || (*value >= 0xd800 && *value <= 0xdfff))
        return false;
    *size = more + 1;
    return true;
}

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
    size_t used = 0;
    while (*text) {
        size_t taken;
        uint32_t value;
        bool shown = s_character (text, &value, &taken)
                     && !s_is_control (value);
        size_t needs = shown ? taken : 1;
        if (used + needs >= size)
            break;
        if (shown)
            memcpy (&out[used], text, taken);
        else
            out[used] = '?';
        used += needs;
        text += taken;
    }
    out[used] = '\0';
}
