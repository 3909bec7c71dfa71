/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/generated.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DECIMAL "0123456789"
#define HEXADECIMAL "0123456789abcdefABCDEF"
#define SPELLING 80 /* bytes for 32 nibbles with separators, and more */

/*  Is 'text' in 'name', and does none of 'digits' adjoin it?  Letter case does
    not count.  */
static bool
s_has (const char *name, const char *text, const char *digits)
{
    size_t length = strlen (text);
    for (const char *at = name; strlen (at) >= length; at++) {
        if (strncasecmp (at, text, length) != 0)
            continue;
        bool before = at > name && strchr (digits, at[-1]);
        bool after = at[length] && strchr (digits, at[length]);
        if (!before && !after)
            return true;
    }
    return false;
}

/*  Print 'count' numbers as 'format' has them, in either order.  */
static void
s_spell (char out[static SPELLING], const char *format, const unsigned *numbers,
         size_t count, const char *separator, bool backwards)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        int size = snprintf (out + used, SPELLING - used, "%s",
                             i ? separator : "");
        used += (size_t) size;
        /* the formats are those of the two tables below */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        size = snprintf (out + used, SPELLING - used, format,
                         numbers[backwards ? count - 1 - i : i]);
#pragma GCC diagnostic pop
        used += (size_t) size;
        assert (used < SPELLING);
    }
}

typedef struct
{
    const char *format, *separators; /* each its own; '0' is none */
    bool either_order;
} form_t;

static bool
s_has_form (const char *name, const form_t *form, const unsigned *numbers,
            size_t count, const char *digits)
{
    for (const char *at = form->separators; *at; at++) {
        const char separator[2] = { *at == '0' ? '\0' : *at, '\0' };
        int orders = form->either_order ? 2 : 1;
        for (int order = 0; order < orders; order++) {
            char text[SPELLING];
            s_spell (text, form->format, numbers, count, separator,
                     order == 1);
            if (s_has (name, text, digits))
                return true;
        }
    }
    return false;
}

static bool
s_spells_ipv4 (const char *name, const uint8_t *bytes)
{
    static const form_t plain = { "%u", "._", true },
                        filled = { "%03u", "-._0", true },
                        hexadecimal = { "%02x", "0", false },
                        old = { "%u", "-", true };
    const unsigned numbers[]
        = { bytes[0], bytes[1], bytes[2], bytes[3] };
    return s_has_form (name, &old, numbers, 4, "")
           || s_has_form (name, &plain, numbers, 4, DECIMAL)
           || s_has_form (name, &filled, numbers, 4, DECIMAL)
           || s_has_form (name, &hexadecimal, numbers, 4, HEXADECIMAL);
}

static bool
s_spells_ipv6 (const char *name, const sh_addr_t *ip)
{
    static const form_t plain = { "%x", "-._", false },
                        filled = { "%04x", "-._0", false },
                        nibbles = { "%x", "-.0", true };
    unsigned groups[8], digits[32];
    for (size_t i = 0; i < 16; i++) {
        digits[2 * i] = ip->bytes[i] >> 4;
        digits[2 * i + 1] = ip->bytes[i] & 15;
    }
    for (size_t i = 0; i < 8; i++)
        groups[i] = (unsigned) ip->bytes[2 * i] << 8 | ip->bytes[2 * i + 1];
    char text[SH_ADDR_TEXT];
    sh_addr_text (ip, text);
    for (char *at = text; (at = strchr (at, ':')) != NULL;)
        *at = '-';
    return s_has_form (name, &plain, groups, 8, HEXADECIMAL)
           || s_has_form (name, &filled, groups, 8, HEXADECIMAL)
           || s_has_form (name, &nibbles, digits, 32, HEXADECIMAL)
           || s_has (name, text, HEXADECIMAL);
}

bool
sc_name_is_generated (const char *name, const sh_addr_t *ip)
{
    assert (name && ip);
    return ip->family == 4 ? s_spells_ipv4 (name, ip->bytes)
                           : s_spells_ipv6 (name, ip);
}
