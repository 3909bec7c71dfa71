/* SPDX-License-Identifier: MPL-2.0 */

#include "lib/findings.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"
#include "lib/term.h"
#include "lib/wrap.h"

#define GRADE_WIDTH 9  /* "warning" and a gap */
#define TITLE_WIDTH 15 /* with its gap */

static const struct
{
    const char *word;
    sh_mark_t mark;
} s_grades[] = {
    [SH_FINDING_GOOD] = { "good", SH_MARK_GOOD },
    [SH_FINDING_WARNING] = { "warning", SH_MARK_WARNING },
    [SH_FINDING_ERROR] = { "error", SH_MARK_ERROR },
};

void
sh_findings_clear (sh_findings_t *self)
{
    assert (self);
    for (size_t i = 0; i < self->count; i++)
        free (self->items[i].text);
    free (self->items);
    *self = (sh_findings_t){ 0 };
}

/*  Add the text, which becomes the list's.  */
static void
s_append (sh_findings_t *self, sh_grade_t grade, char *text)
{
    if (text && self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 64;
        sh_finding_t *items = realloc (self->items, room * sizeof *items);
        if (items) {
            self->items = items;
            self->room = room;
        }
    }
    if (!text || self->count == self->room) {
        self->incomplete = true;
        free (text);
        return;
    }
    self->items[self->count++] = (sh_finding_t){
        .grade = grade,
        .word = self->word,
        .title = self->title,
        .text = text,
    };
}

static void SH_PRINTF (3, 0)
s_add (sh_findings_t *self, sh_grade_t grade, const char *format, va_list args)
{
    assert (self && self->word && format);
    char text[SH_FINDING_TEXT], shown[SH_FINDING_TEXT];
    self->grades[grade]++;
    if (self->of_check++ >= SH_FINDINGS_EACH) {
        self->left_out++;
        if (grade > self->left_grade)
            self->left_grade = grade;
        return;
    }
    vsnprintf (text, sizeof text, format, args);
    sh_clean (shown, sizeof shown, text);
    s_append (self, grade, strdup (shown));
}

void
sh_findings_good (sh_findings_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_add (self, SH_FINDING_GOOD, format, args);
    va_end (args);
}

void
sh_findings_warning (sh_findings_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_add (self, SH_FINDING_WARNING, format, args);
    va_end (args);
}

void
sh_findings_error (sh_findings_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_add (self, SH_FINDING_ERROR, format, args);
    va_end (args);
}

void
sh_findings_end (sh_findings_t *self)
{
    assert (self);
    char *text = NULL;
    if (self->left_out > 0) {
        if (asprintf (&text, "and %zu more of this kind", self->left_out) < 0)
            text = NULL;
        /*  They are in the counts already.  */
        s_append (self, self->left_grade, text);
    }
    self->left_out = self->of_check = 0;
    self->left_grade = SH_FINDING_GOOD;
}

void
sh_findings_begin (sh_findings_t *self, const char *word, const char *title)
{
    assert (self && word && title);
    sh_findings_end (self);
    self->word = word;
    self->title = title;
}

sh_grade_t
sh_findings_worst (const sh_findings_t *self)
{
    assert (self);
    for (int grade = SH_FINDING_ERROR; grade > SH_FINDING_GOOD; grade--)
        if (self->grades[grade] > 0)
            return (sh_grade_t) grade;
    return SH_FINDING_GOOD;
}

void
sh_findings_print (const sh_findings_t *self, size_t index, FILE *to)
{
    assert (self && index < self->count && to);
    const sh_finding_t *one = &self->items[index];
    const char *word = s_grades[one->grade].word;
    sh_mark_t mark = s_grades[one->grade].mark;
    bool colour = sh_term_colour (to);
    bool goes_on = index > 0 && self->items[index - 1].word == one->word;
    fprintf (to, "%s%s%s%*s", sh_term_on (mark, colour), word,
             sh_term_off (mark, colour), (int) (GRADE_WIDTH - strlen (word)),
             "");
    fprintf (to, "%-*s ", TITLE_WIDTH - 1, goes_on ? "" : one->title);
    sh_wrap_at (to, GRADE_WIDTH + TITLE_WIDTH, GRADE_WIDTH + TITLE_WIDTH,
                one->text);
}

void
sh_findings_print_sum (const sh_findings_t *self, FILE *to)
{
    assert (self && to);
    size_t warnings = self->grades[SH_FINDING_WARNING];
    size_t errors = self->grades[SH_FINDING_ERROR];
    fprintf (to, "\n%zu good, %zu warning%s, %zu error%s\n",
             self->grades[SH_FINDING_GOOD], warnings,
             warnings == 1 ? "" : "s", errors, errors == 1 ? "" : "s");
}

static json_t *
s_item (const sh_finding_t *one)
{
    return json_pack ("{s:s, s:s, s:s, s:s}", "check", one->word, "title",
                      one->title, "result", s_grades[one->grade].word, "text",
                      one->text);
}

sh_err_t
sh_findings_print_json (const sh_findings_t *self, FILE *to)
{
    assert (self && to);
    json_t *items = json_array ();
    for (size_t i = 0; items && i < self->count; i++)
        if (json_array_append_new (items, s_item (&self->items[i])) != 0) {
            json_decref (items);
            items = NULL;
        }
    if (!items)
        return SH_E_MEMORY;
    json_t *root = json_pack (
        "{s:s, s:I, s:I, s:I, s:o}", "result",
        s_grades[sh_findings_worst (self)].word, "good",
        (json_int_t) self->grades[SH_FINDING_GOOD], "warnings",
        (json_int_t) self->grades[SH_FINDING_WARNING], "errors",
        (json_int_t) self->grades[SH_FINDING_ERROR], "findings", items);
    if (!root)
        return SH_E_MEMORY;
    int rc = json_dumpf (root, to, JSON_INDENT (2));
    json_decref (root);
    return rc == 0 && fputc ('\n', to) != EOF ? SH_OK : SH_E_IO;
}

int
sh_findings_status (const sh_findings_t *self)
{
    assert (self);
    if (self->incomplete)
        return 2;
    return sh_findings_worst (self) == SH_FINDING_ERROR ? 1 : 0;
}
