/* SPDX-License-Identifier: MPL-2.0 */
/*  48-bit hardware addresses as phpIPAM shows them: lower case, colons.  */

#ifndef SH_MAC_H
#define SH_MAC_H

#include "lib/err.h"

#define SH_MAC_TEXT 18

/*  Normalise the spellings that phpIPAM's own pages accept (pairs separated
    by ':' or '-', Cisco's 'aabb.ccdd.eeff', or twelve digits) to
    'aa:bb:cc:dd:ee:ff'.  SH_E_SYNTAX for anything else, and for addresses
    that no interface has: all-zero, broadcast and multicast (the group bit).
    EUI-64 is refused: phpIPAM's column holds 20 characters.  */
sh_err_t sh_mac_normalise (char out[static SH_MAC_TEXT], const char *text)
    SH_MUST_CHECK;

#endif
