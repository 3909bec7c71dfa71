/* SPDX-License-Identifier: MPL-2.0 */
/*  Text for people in lines that fit a terminal of 80 columns.  A column is a
    character of UTF-8.  */

#ifndef SH_WRAP_H
#define SH_WRAP_H

#include <stddef.h>
#include <stdio.h>

#define SH_COLUMNS 80

/*  How many columns a text takes.  */
size_t sh_columns (const char *text);

/*  Print one line and its end; broken at spaces if it is too long.  'first'
    spaces go before it, and 'rest' before what follows the first break.  */
void sh_wrap (FILE *to, size_t first, size_t rest, const char *line);

/*  The same where 'column' columns of the line have been printed already.  */
void sh_wrap_at (FILE *to, size_t column, size_t rest, const char *line);

/*  The same for several lines, each with its end; what follows a break is
    indented by 4.  */
void sh_wrap_lines (FILE *to, const char *text);

/*  One line, and its end: as sh_wrap_lines on a terminal, whole elsewhere,
    where programs look for what it says.  */
void sh_wrap_terminal (FILE *to, const char *line);

#endif
