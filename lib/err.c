/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct
{
    sh_class_t class;
    const char *word;
    const char *text;
} s_table[] = {
#define X(name, class, word, sentence) { SH_CLASS_##class, word, sentence },
    SH_ERR_TABLE (X)
#undef X
};

/*  A number outside of the enum is a fault of ours that must not turn into a
    read beyond the table while it is being reported.  */
static size_t
s_index (sh_err_t err)
{
    return (size_t) err < SH_ERR_COUNT ? (size_t) err : SH_E_INTERNAL;
}

sh_class_t
sh_err_class (sh_err_t err)
{
    return s_table[s_index (err)].class;
}

const char *
sh_err_word (sh_err_t err)
{
    return s_table[s_index (err)].word;
}

const char *
sh_err_text (sh_err_t err)
{
    return s_table[s_index (err)].text;
}

sh_err_t
sh_err_from_word (const char *word)
{
    for (size_t i = 0; word && i < SH_ERR_COUNT; i++) {
        if (strcmp (s_table[i].word, word) == 0)
            return (sh_err_t) i;
    }
    return SH_E_INTERNAL;
}

#undef sh_fail /* see the header */

sh_err_t
sh_fail (sh_why_t *why, sh_err_t err, const char *format, ...)
{
    assert (format);
    if (!why)
        return err;

    va_list args;
    va_start (args, format);
    int length = vsnprintf (why->text, sizeof why->text, format, args);
    va_end (args);
    if (length < 0)
        why->text[0] = '\0';
    else if ((size_t) length >= sizeof why->text)
        memcpy (why->text + sizeof why->text - 4, "...", 4);
    return err;
}
