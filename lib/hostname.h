/* SPDX-License-Identifier: MPL-2.0 */
/*  Host names that may enter the database: RFC 1123 letters, digits and
    hyphens, plus the underscore that real networks use.  Names are data from
    strangers, so anything else is refused, never repaired.  */

#ifndef SH_HOSTNAME_H
#define SH_HOSTNAME_H

#include <stdbool.h>

#include "lib/err.h"

#define SH_HOSTNAME_TEXT 254

/*  Check a name and drop one trailing dot.  1 to 253 characters, labels of 1
    to 63, no label begins or ends with a hyphen; letter case is kept.  A name
    that is only an IPv4 address is refused.  SH_E_SYNTAX.  */
sh_err_t sh_hostname_check (char out[static SH_HOSTNAME_TEXT],
                            const char *text) SH_MUST_CHECK;

/*  Do two names mean the same machine for the purpose of not overwriting one
    by the other?  Letter case and one trailing dot do not count, and a bare
    first label equals the full name ('printer', 'printer.site.example').  */
bool sh_hostname_same (const char *a, const char *b);

#endif
