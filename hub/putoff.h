/* SPDX-License-Identifier: MPL-2.0 */
/*  Keys that are kept out for a while, though they are in the registry,
    because they filled the hub's memory.  Half a minute at first, twice as long
    each time that they do it again within the hour, up to an hour.  Bounded:
    the one whose time is over first is forgotten, but never for another that
    would be over no later.  Thread-safe.  */

#ifndef HUB_PUTOFF_H
#define HUB_PUTOFF_H

#include <stdint.h>

#include "lib/keyfile.h"

#define HUB_PUTOFF_MOST 2048 /* keys; more than one closing can put off */

typedef struct hub_putoff hub_putoff_t;

sh_err_t hub_putoff_new (hub_putoff_t **out) SH_MUST_CHECK;
void hub_putoff_destroy (hub_putoff_t **self_p);

/*  Keep the key out from 'now' (mono ms) on; for how many ms.  0: there is no
    room, for so many others have to wait at least as long; name the worst
    first.  */
int64_t hub_putoff_key (hub_putoff_t *self, const char *key, int64_t now);

/*  How many ms it has to wait; 0: it may come in.  */
int64_t hub_putoff_left (hub_putoff_t *self, const char *key, int64_t now);

#endif
