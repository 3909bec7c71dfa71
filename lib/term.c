/* SPDX-License-Identifier: MPL-2.0 */

#include "lib/term.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
sh_term_colour (FILE *to)
{
    assert (to);
    const char *never = getenv ("NO_COLOR");
    const char *term = getenv ("TERM");
    return !(never && *never) && term && *term && strcmp (term, "dumb") != 0
           && isatty (fileno (to));
}

const char *
sh_term_on (sh_mark_t mark, bool colour)
{
    static const char *const codes[]
        = { "", "\033[32m", "\033[33m", "\033[31m", "\033[1m", "\033[2m" };
    return colour ? codes[mark] : "";
}

const char *
sh_term_off (sh_mark_t mark, bool colour)
{
    return colour && mark != SH_MARK_NONE ? "\033[0m" : "";
}
