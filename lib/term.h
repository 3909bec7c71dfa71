/* SPDX-License-Identifier: MPL-2.0 */
/*  What a terminal shows in colour, and whether it is one that wants any.  */

#ifndef SH_TERM_H
#define SH_TERM_H

#include <stdbool.h>
#include <stdio.h>

typedef enum
{
    SH_MARK_NONE,
    SH_MARK_GOOD,    /* green */
    SH_MARK_WARNING, /* yellow */
    SH_MARK_ERROR,   /* red */
    SH_MARK_HEADING, /* bold */
    SH_MARK_FAINT
} sh_mark_t;

/*  Colour only where 'to' is a terminal that is not "dumb", and NO_COLOR is
    not set to anything (https://no-color.org).  */
bool sh_term_colour (FILE *to);

/*  What switches a mark on, and what switches all of them off; "" without
    'colour'.  */
const char *sh_term_on (sh_mark_t mark, bool colour);
const char *sh_term_off (sh_mark_t mark, bool colour);

#endif
