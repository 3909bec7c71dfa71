/* SPDX-License-Identifier: MPL-2.0 */
/*  The 'hub' entry of a configuration file: which hubs to connect to, in order
    of preference.

        hub:                              (or a list of such maps)
          endpoint: tcp://hub.example:5766
          key: '40 characters of Z85'
          socks: proxy.example:1080       (only where there is a proxy)

    A scanner stays with one hub; which one, and when, is scanner-proto/rota.
*/

#ifndef SP_HUBS_H
#define SP_HUBS_H

#include "lib/config.h"

#define SP_HUBS_MOST 16

typedef struct
{
    char *endpoint;
    char *public_key; /* the hub's, Z85 */
    char *socks;      /* HOST:PORT of a SOCKS5 proxy; NULL: none */
} sp_hub_t;

typedef struct
{
    sp_hub_t items[SP_HUBS_MOST];
    size_t count;
} sp_hubs_t;

/*  Add what the entry names.  SH_E_CONFIG with file and line; what was added
    until then stays the caller's to clear.  */
sh_err_t sp_hubs_bind (sp_hubs_t *self, const sh_yaml_t *node,
                       const char *path, sh_why_t *why) SH_MUST_CHECK;
void sp_hubs_clear (sp_hubs_t *self);

/*  SH_E_SYNTAX with a sentence for an endpoint, key or proxy that could not be
    used; each may be NULL.  */
sh_err_t sp_hub_check (const sp_hub_t *self, sh_why_t *why) SH_MUST_CHECK;

/*  Make 'self' a copy of up to SP_HUBS_MOST checked hubs; the caller clears
    it.  False without memory.  */
bool sp_hubs_copy (sp_hubs_t *self, const sp_hub_t *items, size_t count)
    SH_MUST_CHECK;

/*  "does this machine know that name, " for an endpoint with a name in it, else
    "": for messages about a hub that does not answer.  */
const char *sp_hub_doubt (const char *endpoint);

/*  The same hubs in the same order?  */
bool sp_hubs_equal (const sp_hubs_t *a, const sp_hubs_t *b);

#endif
