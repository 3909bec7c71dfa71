/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/hostname.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define LABEL_MOST 63
#define NAME_MOST (SH_HOSTNAME_TEXT - 1)

/*  ctype.h depends on the locale; these two must not.  */
static bool
s_is_digit (char c)
{
    return c >= '0' && c <= '9';
}

static char
s_lower (char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static bool
s_is_name_char (char c)
{
    char lower = s_lower (c);
    return (lower >= 'a' && lower <= 'z') || s_is_digit (c) || c == '-'
           || c == '_';
}

/*  The name's length without its trailing dot.  */
static size_t
s_length (const char *text)
{
    size_t length = strlen (text);
    return length > 0 && text[length - 1] == '.' ? length - 1 : length;
}

static bool
s_label_ok (const char *label, size_t length)
{
    if (length < 1 || length > LABEL_MOST)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!s_is_name_char (label[i]))
            return false;
    }
    return label[0] != '-' && label[length - 1] != '-';
}

/*  Four numbers up to 255.  Leading zeros count as well: whoever reads
    '010.0.0.1' back takes it for an address.  */
static bool
s_is_ipv4 (const char *text, size_t length)
{
    size_t at = 0;
    for (int part = 0; part < 4; part++) {
        if (part > 0 && (at >= length || text[at++] != '.'))
            return false;
        unsigned value = 0;
        size_t digits = 0;
        for (; at < length && s_is_digit (text[at]) && digits < 3; digits++)
            value = value * 10 + (unsigned) (text[at++] - '0');
        if (digits == 0 || value > 255)
            return false;
    }
    return at == length;
}

sh_err_t
sh_hostname_check (char out[static SH_HOSTNAME_TEXT], const char *text)
{
    assert (text);
    size_t length = s_length (text);
    if (length < 1 || length > NAME_MOST || s_is_ipv4 (text, length))
        return SH_E_SYNTAX;

    size_t label = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && text[i] != '.')
            continue;
        if (!s_label_ok (text + label, i - label))
            return SH_E_SYNTAX;
        label = i + 1;
    }
    memcpy (out, text, length);
    out[length] = '\0';
    return SH_OK;
}

bool
sh_hostname_same (const char *a, const char *b)
{
    assert (a && b);
    size_t a_length = s_length (a);
    size_t b_length = s_length (b);
    if (a_length > b_length) {
        const char *text = a;
        size_t length = a_length;
        a = b, a_length = b_length;
        b = text, b_length = length;
    }
    for (size_t i = 0; i < a_length; i++) {
        if (s_lower (a[i]) != s_lower (b[i]))
            return false;
    }
    if (a_length == b_length)
        return true;
    /*  The shorter one begins the longer one; it must be all of the first
        label, and no more than that.  */
    return a_length > 0 && b[a_length] == '.' && !memchr (a, '.', a_length);
}
