/* SPDX-License-Identifier: MPL-2.0 */
/*  The registry's directory as a list for people: every file that the hub
    would read, good or bad.  */

#ifndef CTL_ROSTER_H
#define CTL_ROSTER_H

#include <stddef.h>

#include "cli/ctl.h"
#include "hub/digest.h"
#include "hub/principal.h"
#include "lib/err.h"

typedef struct
{
    char *path;
    const char *file;    /* its last component, within 'path' */
    hub_principal_t who; /* of a bad file at most the key */
    sh_err_t bad;        /* SH_OK, or why the hub lets nobody in by it */
    sh_why_t why;
    bool retired; /* another key took its place: it lets nobody in */
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

/*  Mark the entries whose keys were replaced, by the hub's file of those.
    What cannot be read is the hub's alone to know.  */
void ctl_roster_mark_retired (ctl_roster_t *self, const char *path);

/*  The same for a command: the configured registry, if the hub would use it,
    and which keys were replaced, if that can be read; 0, or the status with a
    message printed.  */
int ctl_roster_load (ctl_roster_t *out, ctl_t *ctl);

/*  Does it let somebody in: is it good, not retired, and the only one with its
    key?  */
bool ctl_entry_in_force (const ctl_roster_t *self, const ctl_entry_t *entry);

/*  Was this key replaced by another one, as far as we may know?  */
bool ctl_key_is_retired (const ctl_t *ctl, const char *key);

/*  The document that holds a whole registry: this key with this version, the
    digest, and under "scanners" a list of what ctl_entry_json makes.  */
#define CTL_EXPORT_KEY "scanhub_registry"
#define CTL_EXPORT_VERSION 1

/*  The registry's digest, as the hub makes it; 0, or the status with a message
    printed.  */
int ctl_roster_digest (const ctl_roster_t *self,
                       char out[static HUB_DIGEST_TEXT]);

/*  A good entry for programs: name, key, fingerprint, kind, codes, and where
    they are said legacy_http and replaces.  NULL: no memory.  */
json_t *ctl_entry_json (const ctl_entry_t *entry);

/*  The first good entry of this name, that is not retired, from 'from' on, as
    ctl_roster_key.  */
const ctl_entry_t *ctl_roster_name (const ctl_roster_t *self, const char *name,
                                    const ctl_entry_t *from);

/*  The first entry with this key from 'from' on (NULL: from the beginning);
    NULL if there is none.  */
const ctl_entry_t *ctl_roster_key (const ctl_roster_t *self, const char *key,
                                   const ctl_entry_t *from);

#endif
