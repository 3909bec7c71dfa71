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
set_add (sh_ranges_t *self, const char *first, const char *last)
{
    sh_addr_t a = set_ip (first), b = set_ip (last);
    return sh_ranges_add (self, &a, &b);
}

sh_prefix_t
set_prefix (const char *text)
{
    sh_prefix_t prefix;
    if (sh_prefix_parse (&prefix, text) != SH_OK)
        fail_msg ("%s", text);
    return prefix;
}

void
set_append (sh_ranges_t *self, const char *texts)
{
    char *copy = strdup (texts), *rest = copy, *word;
    while ((word = strsep (&rest, " ")) != NULL) {
        sh_range_t one;
        if (!*word)
            continue;
        if (sh_range_parse (&one, word) != SH_OK)
            fail_msg ("%s", word);
        assert_int_equal (sh_ranges_append (self, &one), SH_OK);
    }
    free (copy);
}

void
set_read (sh_ranges_t *out, const char *text)
{
    *out = (sh_ranges_t){ 0 };
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
set_show (const sh_ranges_t *self)
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
