/* SPDX-License-Identifier: MPL-2.0 */
/*  What the files of hub/registry.h share.  */

#ifndef HUB_REGISTRY_WITHIN_H
#define HUB_REGISTRY_WITHIN_H

#include <pthread.h>
#include <sys/stat.h>

#include "hub/entries.h"
#include "hub/names.h"
#include "hub/registry.h"
#include "hub/retired.h"

struct hub_registry
{
    char *directory;

    pthread_rwlock_t lock;  /* these three; written with 'work' held as well */
    hub_entries_t *entries; /* NULL: the directory was lost */
    unsigned generation;
    hub_retired_t *retired; /* keys out of force, whatever a file says */

    pthread_mutex_t work; /* the rest, and the reading of files */
    int poll;             /* an epoll of the three below */
    int notify;
    int timer;
    int wake; /* eventfd: keys were retired, and that is not on disk yet */
    int watch;           /* the directory's, in 'notify' */
    struct stat watched; /* the directory that is watched */
    int64_t missing;     /* since when it is not there (mono_ms), or 0 */
    bool unsaved;        /* the same, until it is done */
    bool unsaved_told;   /* that it cannot be done is in the log */
    bool again;          /* something is owed: read it all at the next tick */
    hub_names_t late;    /* files that were created and not yet read */
};

/*  The functions below are in the file that is named, and called with 'work'
    held, or before other threads know of the registry.

    hub/registry_read.c: read one file; '*out' is NULL if it is gone.
    SH_E_MEMORY.  */
sh_err_t hub_registry_read_entry (const hub_registry_t *self, const char *file,
                                  hub_entry_t **out) SH_MUST_CHECK;

/*  Watch and read the whole directory; '*out' is the caller's.  */
sh_err_t hub_registry_read_all (hub_registry_t *self, hub_entries_t **out,
                                sh_why_t *why) SH_MUST_CHECK;

/*  Put what was read in force.  True if it is different.  */
bool hub_registry_take_over (hub_registry_t *self, hub_entries_t *fresh);

/*  Nobody is in force any more until the directory can be read.  True if
    somebody was.  */
bool hub_registry_shut (hub_registry_t *self, const sh_why_t *why);

/*  Is it another file, or was it changed?  */
bool hub_registry_is_moved (const struct stat *a, const struct stat *b);

void hub_registry_log_bad (const hub_entry_t *entry);
/*  Say so when a key began or ceased to be claimed by two files; 'before' is
    hub_entries_claims as it was.  */
void hub_registry_log_claims (const hub_entries_t *now, unsigned before,
                              const char *key);

/*  hub/registry_changes.c: read the named files again and put them in force.
    True if anything changed.  Without memory to say what, nothing that may have
    changed can stay in force.  */
bool hub_registry_apply (hub_registry_t *self, hub_names_t *names);

/*  hub/registry_follow.c: the descriptors.  SH_E_IO.  */
sh_err_t hub_registry_open (hub_registry_t *self, sh_why_t *why)
    SH_MUST_CHECK;

/*  Watch what the path now leads to.  Its identity is taken before, so that a
    replacement in between is noticed at the next tick.  SH_E_IO.  */
sh_err_t hub_registry_watch (hub_registry_t *self, sh_why_t *why)
    SH_MUST_CHECK;

/*  hub/registry.c: the entry in force for a key, with the lock held; NULL:
    there is none.  */
const hub_entry_t *hub_registry_in_force (const hub_registry_t *self,
                                          const char *key);

/*  hub/registry_rotation.c: how many keys would be in force if they were not
    retired; with the lock held and entries there.  */
size_t hub_registry_retired_held (const hub_registry_t *self);

/*  Put on disk which keys were retired, and remove their files; with 'work'
    held.  What cannot be done is tried again at the next tick.  */
void hub_registry_settle_retired (hub_registry_t *self);

#endif
