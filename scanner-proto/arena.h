/* SPDX-License-Identifier: MPL-2.0 */
/*  Memory that is given back as a whole: that of one decoded message.  It comes
    in blocks, of which the first is made to hold nearly all.  */

#ifndef SP_ARENA_H
#define SP_ARENA_H

#include <stddef.h>

typedef struct sp_block sp_block_t;

typedef struct
{
    sp_block_t *blocks; /* the newest first */
    char *at, *end;     /* what is free in it */
} sp_arena_t;

/*  'size' bytes, aligned for any object and not cleared, that live as long as
    the arena.  NULL if there is no memory.  */
void *sp_arena_take (sp_arena_t *self, size_t size);

/*  Frees all blocks; NULL is fine.  */
void sp_arena_free (sp_block_t *blocks);

#endif
