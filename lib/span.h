/* SPDX-License-Identifier: MPL-2.0 */
/*  A span of time as people write and read it: a number and one unit.  */

#ifndef SH_SPAN_H
#define SH_SPAN_H

#include <stdint.h>

#include "lib/err.h"

#define SH_SPAN_TEXT 24 /* bytes of a span's text, with its NUL */

/*  "90 s", "5 min", "1 h", "7 d": exact, in the largest unit that is.  For what
    somebody has set.  */
void sh_span_text (char out[static SH_SPAN_TEXT], int64_t seconds);

/*  "90 s", "47 min", "30 h", "12 d": rounded, to two digits or three.  For what
    has passed or is left; a span below zero is "0 s".  */
void sh_span_about (char out[static SH_SPAN_TEXT], int64_t seconds);

/*  "90m", "24h", "7d": up to seven digits and one of s, m, h and d, to seconds.
    SH_E_SYNTAX.  */
sh_err_t sh_span_parse (int64_t *seconds, const char *text) SH_MUST_CHECK;

#endif
