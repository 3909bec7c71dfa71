/* SPDX-License-Identifier: MPL-2.0 */

#include "lib/wrap.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define INDENT 4

static size_t
s_columns (const char *text, size_t size)
{
    size_t columns = 0;
    for (size_t i = 0; i < size; i++)
        columns += ((unsigned char) text[i] & 0xc0) != 0x80;
    return columns;
}

size_t
sh_columns (const char *text)
{
    assert (text);
    return s_columns (text, strlen (text));
}

static void
s_wrap (FILE *to, size_t first, size_t rest, const char *line, size_t size)
{
    const char *end = line + size;
    size_t column = first;
    bool begun = false; /* a word is on this line */
    while (line < end) {
        size_t length = strcspn (line, " \n");
        size_t width = s_columns (line, length);
        if (begun && column + 1 + width > SH_COLUMNS) {
            fprintf (to, "\n%*s", (int) rest, "");
            column = rest;
        } else if (begun) {
            fputc (' ', to);
            column++;
        }
        fwrite (line, 1, length, to);
        column += width;
        begun = true;
        line += length + 1;
    }
    fputc ('\n', to);
}

void
sh_wrap (FILE *to, size_t first, size_t rest, const char *line)
{
    assert (to && line);
    fprintf (to, "%*s", (int) first, "");
    s_wrap (to, first, rest, line, strcspn (line, "\n"));
}

void
sh_wrap_at (FILE *to, size_t column, size_t rest, const char *line)
{
    assert (to && line);
    s_wrap (to, column, rest, line, strcspn (line, "\n"));
}

void
sh_wrap_lines (FILE *to, const char *text)
{
    assert (to && text);
    while (*text) {
        size_t size = strcspn (text, "\n");
        s_wrap (to, 0, INDENT, text, size);
        text += size;
        text += *text == '\n';
    }
}

void
sh_wrap_terminal (FILE *to, const char *line)
{
    assert (to && line);
    if (isatty (fileno (to)))
        sh_wrap (to, 0, INDENT, line);
    else
        fprintf (to, "%s\n", line);
}
