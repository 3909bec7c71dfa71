/* SPDX-License-Identifier: MPL-2.0 */
/*  Reading a frame that has been walked (walk.h) into structs, as tables say
    (shapes.h).  Belongs to the codec, whose arena it fills.  */

#ifndef SP_READER_H
#define SP_READER_H

#include "scanner-proto/shapes.h"
#include "scanner-proto/walk.h"

/*  Where a reader or writer is, for messages: a chain from the innermost map
    to the message.  */
typedef struct sp_path sp_path_t;

struct sp_path
{
    const sp_path_t *up;
    const char *key; /* NULL: the map itself */
    size_t index;    /* in the array 'key'; SIZE_MAX: not an array's element */
};

/*  The reading cursor.  The first fault sticks in 'rc' and ends all reading:
    'rest' is empty from then on.  */
typedef struct
{
    sh_bytes_t rest;
    sh_err_t rc;
    sh_why_t *why;
    const char *type;
    uint8_t *structs, *structs_end; /* of the arena; aligned */
    uint8_t *texts, *texts_end;     /* of the arena; NULL: borrow bytes from
                                       the frame (no texts are read then) */
} sp_reader_t;

/*  The next token; nil after a fault.  The frame has been walked, so one that
    does not come is our fault.  */
sp_token_t sp_reader_next (sp_reader_t *self, const sp_path_t *path);

/*  Pass over one value.  */
void sp_reader_skip (sp_reader_t *self, const sp_path_t *path);

/*  Read a map into the struct at 'target', which is zeroed.  */
void sp_reader_map (sp_reader_t *self, char *target, const sp_shape_t *shape,
                    const sp_path_t *up);

bool sp_key_is (sh_bytes_t bytes, const char *key);

#endif
