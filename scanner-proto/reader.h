/* SPDX-License-Identifier: MPL-2.0 */
/*  Reading a frame into structs, as tables say (shapes.h), in one pass.
    Belongs to the codec.  */

#ifndef SP_READER_H
#define SP_READER_H

#include "scanner-proto/arena.h"
#include "scanner-proto/shapes.h"

/*  The reading cursor.  The first fault sticks in 'rc' and ends all reading:
    'rest' is empty from then on.  */
typedef struct
{
    sh_bytes_t rest;
    sh_err_t rc;
    sh_why_t *why;
    const char *type;
    uint64_t pairs; /* of the outermost map, still to come */
    bool headed;    /* 'v' and 't' are behind 'rest', and not to come again */
    const uint8_t *frame;
    uint8_t *copy; /* of the frame, with a byte behind it: in there are the
                      message's texts and bytes.  NULL: in the frame itself;
                      then no texts can be read */
    sp_arena_t arena; /* for arrays */
} sp_reader_t;

/*  Read the outermost map into the struct at 'target', which is zeroed.  All
    that is read is checked as sp_walk does, so that what could be read without
    a fault is a frame; a fault need not be the first that sp_walk would
    find.  */
void sp_reader_message (sp_reader_t *self, void *target,
                        const sp_shape_t *shape);

bool sp_key_is (sh_bytes_t bytes, const char *key);

#endif
