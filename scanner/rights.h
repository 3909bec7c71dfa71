/* SPDX-License-Identifier: MPL-2.0 */
/*  May this process, and what it starts, send raw packets?  */

#ifndef SC_RIGHTS_H
#define SC_RIGHTS_H

#include <stdbool.h>

/*  Is CAP_NET_RAW effective, so that a program started from here has it too?
    Root's programs get it anyway.  For other users it is made ambient here,
    since a capability from a file's attributes or from a service manager
    would otherwise end at the next exec.  */
bool sc_rights_raw (void);

#endif
