/* SPDX-License-Identifier: MPL-2.0 */
/*  How often each of many things was counted.  Things are known by a hash of
    them that nobody can aim at who has not got the key, so that whoever chooses
    them cannot choose where they go.  Pure but for memory; how many there may
    be is for the caller to bound.  */

#ifndef SC_TALLY_H
#define SC_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "scanner/packets.h"

typedef struct
{
    uint64_t hash;
    uint32_t count; /* 0: a free place */
} sc_tally_item_t;

/*  All zero is empty.  */
typedef struct
{
    sc_tally_item_t *items; /* each at its hash, or in the next free place */
    size_t used, room;      /* 'room' is 0 or a power of two */
} sc_tally_t;

/*  How often it was added.  The key is the same for all of one tally.  */
uint32_t sc_tally_count (const sc_tally_t *self,
                         const uint8_t key[static SC_KEY_BYTES],
                         const void *data, size_t size);

/*  Once more.  SH_E_MEMORY.  */
sh_err_t sc_tally_add (sc_tally_t *self,
                       const uint8_t key[static SC_KEY_BYTES],
                       const void *data, size_t size) SH_MUST_CHECK;

void sc_tally_clear (sc_tally_t *self);

#endif
