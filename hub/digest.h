/* SPDX-License-Identifier: MPL-2.0 */
/*  A registry's digest: one short text for all that is in force, so that the
    registries of two hubs can be compared.  The order of the entries and of
    their codes does not matter, nor how their files are called, nor which key
    one replaced.  Pure.  */

#ifndef HUB_DIGEST_H
#define HUB_DIGEST_H

#include <stdint.h>

#include "hub/principal.h"

#define HUB_DIGEST_TEXT 40 /* eight groups of four hexadecimal digits */
#define HUB_DIGEST_BYTES 32

typedef struct
{
    uint8_t (*items)[HUB_DIGEST_BYTES];
    size_t count, room;
    bool failed;
} hub_digest_t; /* zeros: nothing was added */

void hub_digest_add (hub_digest_t *self, const hub_principal_t *who);

/*  The text of all that was added; 'self' is zeros again.  False: memory was
    short, and there is no text.  */
bool hub_digest_end (hub_digest_t *self, char out[static HUB_DIGEST_TEXT]);

#endif
