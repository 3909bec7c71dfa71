/* SPDX-License-Identifier: MPL-2.0 */
/*  The registry's entries in memory: what each file of the directory says,
    found by file, by key and by code in a time that does not grow with their
    number.  Not thread-safe by itself; but unlike czmq's zhashx, looking up
    changes nothing, so that readers can share a lock.  */

#ifndef HUB_ENTRIES_H
#define HUB_ENTRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "hub/principal.h"

typedef struct hub_entry hub_entry_t;

/*  A place in one of the indexes.  */
typedef struct hub_link hub_link_t;

struct hub_link
{
    hub_link_t *next;
    const char *text; /* borrowed from the entry; NULL: not in the index */
    uint64_t hash;
    hub_entry_t *entry;
};

/*  One file.  */
struct hub_entry
{
    char *file;          /* its name in the directory */
    hub_principal_t who; /* zeros in a bad file */
    sh_err_t bad;        /* SH_OK, or why the file lets nobody in */
    char *why;           /* the same for people; NULL if good */
    bool recheck; /* changes to it may cause no inotify event */
    struct stat target; /* with recheck: what was found behind the name */
    hub_link_t by_file, by_key, by_code;
};

typedef struct hub_entries hub_entries_t;

sh_err_t hub_entries_new (hub_entries_t **out) SH_MUST_CHECK;
void hub_entries_destroy (hub_entries_t **self_p);

/*  An entry with nothing but its file's name; SH_E_MEMORY.  */
sh_err_t hub_entry_new (hub_entry_t **out, const char *file) SH_MUST_CHECK;
void hub_entry_destroy (hub_entry_t **self_p);

/*  Do two entries (either may be NULL) say the same, faults included?  */
bool hub_entry_same (const hub_entry_t *a, const hub_entry_t *b);

/*  Put an entry in; a file has at most one.  It becomes the entries' and must
    not be changed.  Cannot fail.  */
void hub_entries_add (hub_entries_t *self, hub_entry_t **entry_p);

/*  Take an entry out again: it becomes the caller's.  */
void hub_entries_take (hub_entries_t *self, hub_entry_t *entry);

/*  By file name; NULL if there is none.  */
hub_entry_t *hub_entries_file (const hub_entries_t *self, const char *file);

/*  The good entries with a key: the first, then 'next' until NULL.  */
hub_entry_t *hub_entries_key (const hub_entries_t *self, const char *key);
hub_entry_t *hub_entries_key_next (const hub_entry_t *entry);

/*  How many good files have the key: 0, 1, or 2 for more.  'self' may be
    NULL.  */
unsigned hub_entries_claims (const hub_entries_t *self, const char *key);

/*  The entry that is in force for a key: the only one that has it, or NULL. */
hub_entry_t *hub_entries_in_force (const hub_entries_t *self, const char *key);

/*  Is there a good entry of a scanner with this code that keeps it to itself
    (does not say legacy_http)?  */
bool hub_entries_reserve (const hub_entries_t *self, const char *code);

/*  The good entries of scanners (not of shims) with a code: the first, then
    'next' until NULL.  */
hub_entry_t *hub_entries_code (const hub_entries_t *self, const char *code);
hub_entry_t *hub_entries_code_next (const hub_entry_t *entry);

/*  How many keys are in force.  */
size_t hub_entries_size (const hub_entries_t *self);

/*  How many entries have 'recheck' set.  */
size_t hub_entries_rechecks (const hub_entries_t *self);

/*  Call 'fn' for each entry; it must not add or take.  */
void hub_entries_each (const hub_entries_t *self,
                       void (*fn) (hub_entry_t *entry, void *context),
                       void *context);

#endif
