/* SPDX-License-Identifier: MPL-2.0 */
/*  Host names that a provider's name server makes up for every address, such
    as ip-10-0-0-1.isp.example.  They say nothing that the address does not.  */

#ifndef SC_GENERATED_H
#define SC_GENERATED_H

#include <stdbool.h>

#include "lib/addr.h"

/*  Does the name spell this address?  For IPv4 the rule of the scanners that
    spoke HTTP: its four numbers, in either order, with hyphens between them
    stand anywhere in the name.  Beyond that, where no further digit adjoins:
    with dots or underscores, filled up to three digits with or without a
    separator, and as eight hexadecimal digits; for IPv6 its groups (short,
    filled up, or shortened as RFC 5952 does with '-' for ':') and its nibbles
    in either order.  */
bool sc_name_is_generated (const char *name, const sh_addr_t *ip);

#endif
