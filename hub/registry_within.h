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

/*  The entry in force for a key, with the lock held; NULL: there is none.  */
const hub_entry_t *hub_registry_in_force (const hub_registry_t *self,
                                          const char *key);

/*  How many keys would be in force if they were not retired; with the lock
    held and entries there.  */
size_t hub_registry_retired_held (const hub_registry_t *self);

/*  Put on disk which keys were retired, and remove their files; with 'work'
    held.  What cannot be done is tried again at the next tick.  */
void hub_registry_settle_retired (hub_registry_t *self);

#endif
