/* SPDX-License-Identifier: MPL-2.0 */
/*  What a scanner or shim was told about its hubs' keys: a hub that gets
    another key says so beforehand, over the connection that its present key
    has proved.  Kept in a file, so that who was away when the key changed still
    gets in.

    A hub is known by its endpoint and the key that the configuration has for
    it; when that is changed there, what was learnt before counts no more.  A
    new key is believed when a handshake with it has succeeded, and the former
    one is then of no use.  */

#ifndef SP_HUB_KEYS_H
#define SP_HUB_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/keyfile.h"
#include "scanner-proto/hubs.h"

typedef struct sp_hub_keys sp_hub_keys_t;

/*  With what the file 'path' has; a missing one is empty, NULL: in memory
    only.  SH_E_SYNTAX for a file that is no such list, SH_E_IO, SH_E_MEMORY.
    */
sh_err_t sp_hub_keys_new (sp_hub_keys_t **out, const char *path,
                          sh_why_t *why) SH_MUST_CHECK;
void sp_hub_keys_destroy (sp_hub_keys_t **self_p);

/*  Take the items of a file's text, which is written to.  SH_E_SYNTAX.  */
sh_err_t sp_hub_keys_parse (sp_hub_keys_t *self, char *text, size_t size,
                            sh_why_t *why) SH_MUST_CHECK;

/*  The key that this hub has now, as far as is known: the configured one, or
    the one that it has got since.  Borrowed until the next change.  */
const char *sp_hub_keys_now (const sp_hub_keys_t *self, const sp_hub_t *hub);

/*  The one that it announced, and when it is to be used (epoch ms); NULL if
    none is known.  */
const char *sp_hub_keys_next (const sp_hub_keys_t *self, const sp_hub_t *hub,
                              int64_t *at);

/*  The hub says that 'next' will be its key from 'at' (epoch ms) on; NULL:
    that there will be no other.  True if that is news.  Not being able to
    write the file is logged.  */
bool sp_hub_keys_learn (sp_hub_keys_t *self, const sp_hub_t *hub,
                        const char *next, int64_t at);

/*  The announced key has let us in: it is the hub's key now.  */
void sp_hub_keys_turn (sp_hub_keys_t *self, const sp_hub_t *hub);

#endif
