/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/sets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

sh_addr_t
set_ip (const char *text)
{
    sh_addr_t ip;
    assert_int_equal (sh_addr_parse (&ip, text), SH_OK);
    return ip;
}

sh_err_t
set_add (sc_ranges_t *self, const char *first, const char *last)
{
    sh_addr_t a = set_ip (first), b = set_ip (last);
    return sc_ranges_add (self, &a, &b);
}

void
set_read (sc_ranges_t *out, const char *text)
{
    *out = (sc_ranges_t){ 0 };
    char *copy = strdup (text), *rest = copy, *word;
    while ((word = strsep (&rest, " ")) != NULL) {
        char *dash = strchr (word, '-');
        if (dash)
            *dash = '\0';
        if (*word)
            assert_int_equal (set_add (out, word, dash ? dash + 1 : word),
                              SH_OK);
    }
    free (copy);
}

const char *
set_show (const sc_ranges_t *self)
{
    static char text[4096];
    text[0] = '\0';
    for (size_t i = 0; i < self->count; i++) {
        char first[SH_ADDR_TEXT], last[SH_ADDR_TEXT];
        sh_addr_text (&self->items[i].first, first);
        sh_addr_text (&self->items[i].last, last);
        size_t used = strlen (text);
        (void) snprintf (text + used, sizeof text - used, "%s%s-%s",
                         i ? " " : "", first, last);
    }
    return text;
}
