/* SPDX-License-Identifier: MPL-2.0 */
/*  What this process, and what it starts, may do beyond any other.  */

#ifndef SC_RIGHTS_H
#define SC_RIGHTS_H

#include <stdbool.h>

#include "lib/err.h"

/*  Has a program started from here CAP_NET_RAW, to send raw packets?  Root's
    programs get it anyway.  For other users it is made ambient here, since a
    capability from a file's attributes or from a service manager would
    otherwise end at the next exec.  */
bool sc_rights_raw (void);

/*  Give up all capabilities for good, before anything is read from the network
    and before there are threads.  What is left is what the prober's program
    needs when it starts: root's bounding set holds CAP_NET_RAW, another user
    keeps it as ambient, not in effect here, and can gain nothing by exec any
    more.  Without such a program ('child' is false) nothing is left, here or
    after an exec.  SH_E_INTERNAL.  */
sh_err_t sc_rights_reduce (bool child, sh_why_t *why) SH_MUST_CHECK;

#endif
