/* SPDX-License-Identifier: MPL-2.0 */
/*  How often each name may do something: a bucket of tokens per name that
    fills again with time.  Bounded: with more names than room, the one that
    was used longest ago is forgotten, which can only be in its favour.  One
    thread.  */

#ifndef HUB_ALLOWANCE_H
#define HUB_ALLOWANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

typedef struct hub_allowance hub_allowance_t;

/*  'burst' at once, and one more every 'refill_ms'; for 'most' names.  */
sh_err_t hub_allowance_new (hub_allowance_t **out, size_t most, unsigned burst,
                            int64_t refill_ms) SH_MUST_CHECK;
void hub_allowance_destroy (hub_allowance_t **self_p);

/*  Take one at 'now' (mono ms); false when the name has none left.  */
bool hub_allowance_take (hub_allowance_t *self, const char *name, int64_t now);

#endif
