/* SPDX-License-Identifier: MPL-2.0 */
/*  The registry's directory as a list for people: every file that the hub
    would read, good or bad.  */

#ifndef CTL_ROSTER_H
#define CTL_ROSTER_H

#include <stddef.h>

#include "cli/ctl.h"
#include "hub/principal.h"
#include "lib/err.h"

typedef struct
{
    char *path;
    const char *file;    /* its last component, within 'path' */
    hub_principal_t who; /* of a bad file at most the key */
    sh_err_t bad;        /* SH_OK, or why the hub lets nobody in by it */
    sh_why_t why;
} ctl_entry_t;

typedef struct
{
    ctl_entry_t *items; /* by name, bad ones last by file */
    size_t count;
} ctl_roster_t;

/*  Read the directory.  SH_E_IO, SH_E_MEMORY; 'out' is the caller's to clear
    in every case.  */
sh_err_t ctl_roster_read (ctl_roster_t *out, const char *directory,
                          sh_why_t *why) SH_MUST_CHECK;
void ctl_roster_clear (ctl_roster_t *self);

/*  The same for a command: the configured registry, if the hub would use it; 0,
    or the status with a message printed.  */
int ctl_roster_load (ctl_roster_t *out, ctl_t *ctl);

/*  The first good entry of this name from 'from' on, as ctl_roster_key.  */
const ctl_entry_t *ctl_roster_name (const ctl_roster_t *self, const char *name,
                                    const ctl_entry_t *from);

/*  The first entry with this key from 'from' on (NULL: from the beginning);
    NULL if there is none.  */
const ctl_entry_t *ctl_roster_key (const ctl_roster_t *self, const char *key,
                                   const ctl_entry_t *from);

#endif
