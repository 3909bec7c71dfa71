/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/mac.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define DIGITS 12

static const char s_hex[] = "0123456789abcdef";

static int
s_digit (char c)
{
    if (c >= 'A' && c <= 'F')
        c = (char) (c - 'A' + 'a');
    const char *at = c ? strchr (s_hex, c) : NULL;
    return at ? (int) (at - s_hex) : -1;
}

/*  Take twelve digits with 'mark' after every 'group' of them (none if group
    is 12); the text must end there.  */
static bool
s_collect (int digits[static DIGITS], const char *text, int group, char mark)
{
    for (int i = 0; i < DIGITS; i++) {
        if (i > 0 && i % group == 0 && *text++ != mark)
            return false;
        digits[i] = s_digit (*text);
        if (digits[i] < 0)
            return false;
        text++;
    }
    return *text == '\0';
}

sh_err_t
sh_mac_normalise (char out[static SH_MAC_TEXT], const char *text)
{
    assert (text);
    int digits[DIGITS];
    if (!s_collect (digits, text, 2, ':') && !s_collect (digits, text, 2, '-')
        && !s_collect (digits, text, 4, '.')
        && !s_collect (digits, text, DIGITS, '\0'))
        return SH_E_SYNTAX;

    int any = 0;
    for (int i = 0; i < DIGITS; i++)
        any |= digits[i];
    /*  The group bit, the lowest of the first byte, covers broadcast too.  */
    if (any == 0 || (digits[1] & 1) != 0)
        return SH_E_SYNTAX;

    char *to = out;
    for (int i = 0; i < DIGITS; i++) {
        if (i > 0 && i % 2 == 0)
            *to++ = ':';
        *to++ = s_hex[digits[i]];
    }
    *to = '\0';
    return SH_OK;
}
