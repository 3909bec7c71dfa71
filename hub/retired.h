/* SPDX-License-Identifier: MPL-2.0 */
/*  Keys that were replaced by others of the same scanner.  They are out of
    force for good, also when their file could not be removed from the registry
    or is put there again, so they are written to a file of the hub's own: one
    key on a line.  Bounded: the oldest of HUB_RETIRED_MOST gives way.  Not
    thread-safe by itself; looking up changes nothing.  */

#ifndef HUB_RETIRED_H
#define HUB_RETIRED_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#define HUB_RETIRED_MOST 4096

typedef struct hub_retired hub_retired_t;

/*  With the keys of the file 'path', which may be missing; NULL: in memory
    only.  SH_E_CONFIG for a file that is no such list, SH_E_IO, SH_E_MEMORY.
    */
sh_err_t hub_retired_new (hub_retired_t **out, const char *path,
                          sh_why_t *why) SH_MUST_CHECK;
void hub_retired_destroy (hub_retired_t **self_p);

/*  Add the keys of a file's text, which is written to.  SH_E_CONFIG.  */
sh_err_t hub_retired_parse (hub_retired_t *self, char *text, size_t size,
                            sh_why_t *why) SH_MUST_CHECK;

bool hub_retired_has (const hub_retired_t *self, const char *key);
size_t hub_retired_count (const hub_retired_t *self);
const char *hub_retired_key (const hub_retired_t *self, size_t at);

/*  In memory; a key that is there already stays where it is.  */
void hub_retired_add (hub_retired_t *self, const char *key);

/*  The list as the file's text, malloc'ed; NULL: no memory.  It is written by
    sh_file_write to hub_retired_path, which is NULL where there is no file.
    */
char *hub_retired_text (const hub_retired_t *self);
const char *hub_retired_path (const hub_retired_t *self);

#endif
