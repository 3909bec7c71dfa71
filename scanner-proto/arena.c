/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/arena.h"

#include <assert.h>
#include <stdlib.h>

#define ALIGN 16
#define BLOCK_LEAST 4096 /* bytes, of all but the first */

struct sp_block
{
    _Alignas (ALIGN) sp_block_t *next;
    _Alignas (ALIGN) char bytes[];
};

void *
sp_arena_take (sp_arena_t *self, size_t size)
{
    assert (self);
    size = (size + ALIGN - 1) & ~(size_t) (ALIGN - 1);
    if (!self->blocks || size > (size_t) (self->end - self->at)) {
        size_t room = self->blocks && size < BLOCK_LEAST ? BLOCK_LEAST : size;
        sp_block_t *block = malloc (sizeof *block + room);
        if (!block)
            return NULL;
        block->next = self->blocks;
        self->blocks = block;
        self->at = block->bytes;
        self->end = block->bytes + room;
    }
    void *taken = self->at;
    self->at += size;
    return taken;
}

void
sp_arena_free (sp_block_t *blocks)
{
    while (blocks) {
        sp_block_t *next = blocks->next;
        free (blocks);
        blocks = next;
    }
}
