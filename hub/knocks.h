/* SPDX-License-Identifier: MPL-2.0 */
/*  Who came to the door: keys with the address they came from, how often and
    when.  One list has the unknown keys, for 'scanhubctl scanner pending';
    another those that were let in, to tell whose a connection may be.

    Bounded: a full list forgets the key that has not knocked for longest, and
    an address has only so many places, so that one stranger with ever new keys
    drives out himself alone.  IPv6 addresses count by their /64, for a single
    host may have all of that.  Thread-safe.  */

#ifndef HUB_KNOCKS_H
#define HUB_KNOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/keyfile.h"

#define HUB_PENDING_KEYS 256   /* unknown keys that are remembered */
#define HUB_ADMITTED_MOST 1024 /* keys that were let in, to be remembered */
#define HUB_REJECTED_MOST 256  /* keys that are not noted */
#define HUB_KNOCK_ADDRESS 48 /* bytes of an address's text and its NUL */

typedef struct
{
    char key[SH_KEY_TEXT];
    char address[HUB_KNOCK_ADDRESS]; /* of the last time */
    int64_t first, last; /* ms by the list's clock */
    uint64_t count;
} hub_knock_t;

typedef struct hub_knocks hub_knocks_t;

/*  Room for 'most' keys, of one address at most 'each'.  */
sh_err_t hub_knocks_new (hub_knocks_t **out, size_t most, size_t each)
    SH_MUST_CHECK;
void hub_knocks_destroy (hub_knocks_t **self_p);

/*  'now' is ms by the list's one clock: the epoch for what people are shown,
    mono where a clock that is set back must not make the newest knock look like
    the oldest.  A longer address is cut.  */
void hub_knocks_note (hub_knocks_t *self, const char *key, const char *address,
                      int64_t now);
void hub_knocks_forget (hub_knocks_t *self, const char *key);

/*  Forget the key, and do not note it until 'until' (by the list's clock).  Of
    HUB_REJECTED_MOST such keys the one whose time is over first gives way.  */
void hub_knocks_reject (hub_knocks_t *self, const char *key, int64_t until);
void hub_knocks_clear (hub_knocks_t *self);

/*  How often the key has knocked; 0 if it is not in the list.  */
uint64_t hub_knocks_count (hub_knocks_t *self, const char *key);

/*  Copy up to 'most' to 'out', who knocked last first; how many.  */
size_t hub_knocks_list (hub_knocks_t *self, hub_knock_t *out, size_t most);

#endif
