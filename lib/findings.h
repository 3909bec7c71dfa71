/* SPDX-License-Identifier: MPL-2.0 */
/*  What a doctor found, in the order in which it looked: for each check one
    line or several, each good, a warning or an error with the sentence that
    says what to do.  For people within 80 columns, or as JSON.  Owns its
    texts; words and titles of checks are borrowed.  */

#ifndef SH_FINDINGS_H
#define SH_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/err.h"

typedef enum
{
    SH_FINDING_GOOD,
    SH_FINDING_WARNING, /* it works, but somebody should look at it */
    SH_FINDING_ERROR    /* it does not work */
} sh_grade_t;

#define SH_FINDING_TEXT 1500  /* bytes of a sentence; longer ones are cut */
#define SH_FINDINGS_EACH 40   /* of one check; more are counted */

typedef struct
{
    sh_grade_t grade;
    const char *word, *title; /* of the check */
    char *text;
} sh_finding_t;

typedef struct
{
    sh_finding_t *items;
    size_t count, room;
    size_t of_check, left_out; /* of the check that is at work */
    sh_grade_t left_grade;     /* the worst that was left out */
    size_t grades[SH_FINDING_ERROR + 1]; /* how many of each */
    const char *word, *title;
    bool incomplete; /* memory was short */
} sh_findings_t;

/*  All zeros is an empty list.  */
void sh_findings_clear (sh_findings_t *self);

/*  What is found from now on belongs to this check: a word for programs, and
    a title for people.  */
void sh_findings_begin (sh_findings_t *self, const char *word,
                        const char *title);

/*  Add one.  What would trouble a terminal (control characters, marks of
    direction, bytes that are no UTF-8) becomes '?'.  */
void sh_findings_good (sh_findings_t *self, const char *format, ...)
    SH_PRINTF (2, 3);
void sh_findings_warning (sh_findings_t *self, const char *format, ...)
    SH_PRINTF (2, 3);
void sh_findings_error (sh_findings_t *self, const char *format, ...)
    SH_PRINTF (2, 3);

/*  Say how many were left out of the check that was at work last; before
    printing, and called by begin.  */
void sh_findings_end (sh_findings_t *self);

/*  The worst grade; GOOD of an empty list.  */
sh_grade_t sh_findings_worst (const sh_findings_t *self);

/*  Print one for people; the title only where the one before was of another
    check.  */
void sh_findings_print (const sh_findings_t *self, size_t index, FILE *to);

/*  The last line: how many of each.  */
void sh_findings_print_sum (const sh_findings_t *self, FILE *to);

/*  All of it for programs, one document: {"result": WORST, "good": N,
    "warnings": N, "errors": N, "findings": [{"check", "title", "result",
    "text"}]}.  SH_E_MEMORY, SH_E_IO.  */
sh_err_t sh_findings_print_json (const sh_findings_t *self, FILE *to)
    SH_MUST_CHECK;

/*  0 good or warnings, 1 errors, 2 where the list is not whole.  */
int sh_findings_status (const sh_findings_t *self);

#endif
