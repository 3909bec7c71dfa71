/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/zpl.h"

#include <assert.h>
#include <string.h>

#include "lib/utf8.h"

#define INDENT 4
#define STRING(x) #x
#define NUMBER(x) STRING (x)

static bool
s_is_name_char (char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || (c && strchr ("$-_@.&+/", c));
}

static bool
s_is_blank (char c)
{
    return c == ' ' || c == '\t';
}

static sh_zpl_span_t
s_skip (sh_zpl_span_t span, size_t count)
{
    return (sh_zpl_span_t){ span.at + count, span.size - count };
}

static sh_zpl_span_t
s_trim_left (sh_zpl_span_t span)
{
    while (span.size > 0 && s_is_blank (span.at[0]))
        span = s_skip (span, 1);
    return span;
}

static sh_zpl_span_t
s_trim_right (sh_zpl_span_t span)
{
    while (span.size > 0 && s_is_blank (span.at[span.size - 1]))
        span.size--;
    return span;
}

/*  The C1 control characters are UTF-8, but no text.  */
static bool
s_is_c1 (sh_zpl_span_t span)
{
    return (unsigned char) span.at[0] == 0xc2
           && (unsigned char) span.at[1] < 0xa0;
}

static bool
s_is_text (sh_zpl_span_t span)
{
    while (span.size > 0) {
        char c = span.at[0];
        size_t size = sh_utf8_size (span.at, span.size);
        if (size == 0 || c == 0x7f || (c >= 0 && c < ' ' && c != '\t')
            || (size == 2 && s_is_c1 (span)))
            return false;
        span = s_skip (span, size);
    }
    return true;
}

/*  The rest of a line behind what was wanted: blanks and a comment.  */
static bool
s_is_rest (sh_zpl_span_t span)
{
    span = s_trim_left (span);
    return span.size == 0 || span.at[0] == '#';
}

/*  The value may stand in either quotes, or bare up to a comment.  */
static const char *
s_take_value (sh_zpl_span_t *value, sh_zpl_span_t rest)
{
    if (rest.size > 0 && (rest.at[0] == '"' || rest.at[0] == '\'')) {
        const char *end = memchr (rest.at + 1, rest.at[0], rest.size - 1);
        if (!end)
            return "the value's closing quote is missing";
        *value = (sh_zpl_span_t){ rest.at + 1, (size_t) (end - rest.at) - 1 };
        if (!s_is_rest (s_skip (rest, value->size + 2)))
            return "text behind the value's closing quote";
        return NULL;
    }

    const char *hash = rest.size > 0 ? memchr (rest.at, '#', rest.size) : NULL;
    if (hash && hash > rest.at && !s_is_blank (hash[-1]))
        return "a value that contains '#' needs quotes";
    if (hash)
        rest.size = (size_t) (hash - rest.at);
    *value = s_trim_right (rest);
    for (size_t i = 0; i < value->size; i++) {
        if (value->at[i] == '"' || value->at[i] == '\'')
            return "a quote within a value without quotes";
    }
    return NULL;
}

static size_t
s_name_size (sh_zpl_span_t line)
{
    size_t size = 0;
    while (size < line.size && s_is_name_char (line.at[size]))
        size++;
    return size;
}

static bool
s_has_bare_slash (sh_zpl_span_t name)
{
    return name.at[0] == '/' || name.at[name.size - 1] == '/';
}

/*  Take a line apart; a blank or comment line leaves an empty name.  */
static const char *
s_split (sh_zpl_line_t *out, sh_zpl_span_t line)
{
    *out = (sh_zpl_line_t){ 0 };
    if (s_is_rest (line))
        return NULL;

    size_t indent = 0;
    while (line.at[indent] == ' ') /* there is another character: not rest */
        indent++;
    if (line.at[indent] == '\t' || indent % INDENT != 0)
        return "indent with four spaces";
    out->level = (unsigned) (indent / INDENT);

    line = s_skip (line, indent);
    out->name = (sh_zpl_span_t){ line.at, s_name_size (line) };
    if (out->name.size == 0)
        return "a name is expected here";
    if (s_has_bare_slash (out->name))
        return "a name cannot begin or end with '/'";

    line = s_trim_left (s_skip (line, out->name.size));
    if (line.size > 0 && line.at[0] == '=') {
        out->has_value = true;
        line = s_trim_left (s_skip (line, 1));
        return s_take_value (&out->value, line);
    }
    if (!s_is_rest (line))
        return "'=' is expected behind the name";
    return NULL;
}

const char *
sh_zpl_read (sh_zpl_line_t *out, sh_zpl_span_t *rest)
{
    assert (out && rest && rest->size > 0);
    const char *end = memchr (rest->at, '\n', rest->size);
    size_t size = end ? (size_t) (end - rest->at) : rest->size;
    sh_zpl_span_t line = { rest->at, size };
    *rest = s_skip (*rest, end ? size + 1 : size);
    if (line.size > 0 && line.at[line.size - 1] == '\r')
        line.size--;
    if (line.size > SH_ZPL_LINE_MOST)
        return "the line is longer than " NUMBER (SH_ZPL_LINE_MOST) " bytes";
    if (!s_is_text (line))
        return "control characters or bytes that are not UTF-8";
    return s_split (out, line);
}

bool
sh_zpl_equals (sh_zpl_span_t span, const char *text)
{
    /*  What is not there has no address, and memcmp wants one.  */
    return span.size == strlen (text)
           && (span.size == 0 || memcmp (span.at, text, span.size) == 0);
}

/*  A tab is a control byte too, and trimming would lose it.  */
bool
sh_zpl_can_write (sh_zpl_span_t name, sh_zpl_span_t value)
{
    if (name.size == 0 || s_name_size (name) < name.size
        || s_has_bare_slash (name) || !s_is_text (value))
        return false;
    for (size_t i = 0; i < value.size; i++)
        if (strchr ("\"'\t", value.at[i]))
            return false;
    return true;
}
