/* SPDX-License-Identifier: MPL-2.0 */
/*  What the reader's files share: reader.c reads maps and arrays, and single
    values in their usual form; reader_value.c reads those in any form and says
    what is wrong with them.  */

#ifndef SP_READER_WITHIN_H
#define SP_READER_WITHIN_H

#include <assert.h>

#include "scanner-proto/reader.h"
#include "scanner-proto/token.h"

/*  Where the reader is, for messages: a chain from the innermost map to the
    message.  */
typedef struct sp_path sp_path_t;

struct sp_path
{
    const sp_path_t *up;
    const char *key; /* NULL: the map itself */
    size_t index;    /* in the array 'key'; SIZE_MAX: not an array's element */
};

/*  The first fault counts.  The second returns false.  */
void sp_reader_fault (sp_reader_t *self, sh_err_t rc, const sp_path_t *path,
                      const char *what);
bool sp_reader_bad (sp_reader_t *self, const sp_path_t *path, const char *what);

/*  Read into 'at' what the token says; the field is no array, and none for
    peeking.  */
void sp_reader_value (sp_reader_t *self, void *at, const sp_token_t *token,
                      const sp_field_t *field, const sp_path_t *path);
void sp_reader_text (sp_reader_t *self, const char **out,
                     const sp_token_t *token, uint64_t most,
                     const sp_path_t *path);

/*  Where bytes of the frame are kept.  A NUL behind a text falls on the first
    byte of the token that follows, which nobody reads in the copy.  */
static inline const uint8_t *
sp_reader_keep (sp_reader_t *self, sh_bytes_t bytes, bool text)
{
    assert (self->copy || !text);
    if (!self->copy)
        return bytes.data;
    uint8_t *at = self->copy + (bytes.data - self->frame);
    if (text)
        at[bytes.size] = '\0';
    return at;
}

#endif
