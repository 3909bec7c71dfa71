/* SPDX-License-Identifier: MPL-2.0 */
/*  One more entry for the registry: what is checked, written and said when a
    key is let in, whichever command it comes from.  The directory is locked
    meanwhile, so that two who do it at once see each other's entries.  */

#ifndef CTL_REGISTRATION_H
#define CTL_REGISTRATION_H

#include "cli/ctl.h"

/*  All of it is borrowed.  */
typedef struct
{
    const char *name;
    const char **codes;
    size_t code_count;
    const char *public_key;
    bool shim;        /* as asked for, or because of several codes */
    bool legacy_http;
    const char *replaces; /* the key of the same scanner whose place this one
                             takes; NULL: it is a new scanner */
} ctl_registration_t;

/*  Check what was asked for; 0, or the status with a message printed.  */
int ctl_registration_check (const ctl_registration_t *self);

/*  Write the entry and tell whether the running hub has taken it up; 0, or the
    status with a message printed and nothing written.  */
int ctl_registration_write (ctl_t *ctl, const ctl_registration_t *self);

/*  Lock the registry's directory for a change; closing '*out' unlocks it.  0,
    or the status with a message printed.  */
int ctl_registry_lock (int *out, ctl_t *ctl);

#endif
