/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/span.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MOST 7 /* some 27000 years of days */

static const struct
{
    char letter;
    const char *unit;
    int64_t seconds;
} s_units[] = {
    { 'd', "d", 86400 },
    { 'h', "h", 3600 },
    { 'm', "min", 60 },
    { 's', "s", 1 },
};

#define UNITS (sizeof s_units / sizeof *s_units)

static void
s_print (char *out, int64_t seconds, size_t unit)
{
    snprintf (out, SH_SPAN_TEXT, "%" PRId64 " %s",
              seconds / s_units[unit].seconds, s_units[unit].unit);
}

void
sh_span_text (char out[static SH_SPAN_TEXT], int64_t seconds)
{
    size_t i = 0;
    while (i < UNITS - 1
           && (seconds == 0 || seconds % s_units[i].seconds != 0))
        i++;
    s_print (out, seconds, i);
}

/*  From two of a unit on: "1 h" would hide too much of 89 minutes.  */
void
sh_span_about (char out[static SH_SPAN_TEXT], int64_t seconds)
{
    size_t i = 0;
    if (seconds < 0)
        seconds = 0;
    while (i < UNITS - 1 && seconds < 2 * s_units[i].seconds)
        i++;
    s_print (out, seconds + s_units[i].seconds / 2, i);
}

sh_err_t
sh_span_parse (int64_t *seconds, const char *text)
{
    assert (seconds && text);
    size_t digits = strspn (text, "0123456789");
    if (digits == 0 || digits > DIGITS_MOST || strlen (text) != digits + 1)
        return SH_E_SYNTAX;
    for (size_t i = 0; i < UNITS; i++)
        if (s_units[i].letter == text[digits]) {
            *seconds = strtoll (text, NULL, 10) * s_units[i].seconds;
            return SH_OK;
        }
    return SH_E_SYNTAX;
}
