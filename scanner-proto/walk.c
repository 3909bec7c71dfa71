/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/walk.h"

#include <assert.h>

#include "scanner-proto/limits.h"

/*  Where the walker is: for each open array or map how many values are still
    to come, keys counted as values.  */
typedef struct
{
    struct
    {
        size_t left;
        bool map;
    } level[SP_DEPTH_MOST];
    size_t depth;
    sh_bytes_t rest;
} s_walk_t;

static const char *
s_open (s_walk_t *self, const sp_token_t *token)
{
    bool map = token->kind == SP_TOKEN_MAP;
    if (self->depth == SP_DEPTH_MOST)
        return "nested too deeply";
    if (map && token->number > SP_MAP_KEYS_MOST)
        return "a map with too many keys";
    /* each element is at least one byte; the count is at most 2^32 - 1 */
    uint64_t left = map ? token->number * 2 : token->number;
    if (left > self->rest.size)
        return "an array or map claims more elements than bytes follow";

    self->level[self->depth].left = (size_t) left;
    self->level[self->depth].map = map;
    self->depth++;
    return NULL;
}

/*  Most values are passed over without a token's being made of them.  */
static bool
s_usual (s_walk_t *self, bool key)
{
    sh_bytes_t rest = self->rest, bytes;
    uint64_t number;
    bool taken = sp_take_text (&bytes, &rest);
    if (taken)
        taken = (!key || bytes.size <= SP_KEY_MOST)
                && sp_text_valid (bytes, bytes.size + rest.size);
    else
        taken = !key
                && (sp_take_number (&number, &rest)
                    || sp_take_bin (&bytes, &rest));
    if (taken)
        self->rest = rest;
    return taken;
}

static const char *
s_value (s_walk_t *self, bool key)
{
    sp_token_t token = { 0 };
    if (s_usual (self, key))
        return NULL;
    const char *wrong = sp_token_read (&token, &self->rest);
    if (wrong)
        return wrong;
    if (key && token.kind != SP_TOKEN_TEXT)
        return "a map key that is not a text";
    if (key && token.bytes.size > SP_KEY_MOST)
        return "a map key that is too long";
    if (token.kind == SP_TOKEN_TEXT
        && !sp_text_valid (token.bytes, token.bytes.size))
        return "a text that is not UTF-8 or contains NUL";
    if (token.kind == SP_TOKEN_ARRAY || token.kind == SP_TOKEN_MAP)
        return s_open (self, &token);
    return NULL;
}

/*  One value, and all that is in it.  */
static const char *
s_values (s_walk_t *self)
{
    size_t outside = self->depth;
    const char *wrong = s_value (self, false);
    while (!wrong && self->depth > outside) {
        size_t top = self->depth - 1;
        if (self->level[top].left == 0) {
            self->depth--;
            continue;
        }
        bool key = self->level[top].map && self->level[top].left % 2 == 0;
        self->level[top].left--;
        wrong = s_value (self, key);
    }
    return wrong;
}

static const char *
s_walk (s_walk_t *self)
{
    if (self->rest.size == 0)
        return "empty";
    uint8_t first = self->rest.data[0];
    if ((first & 0xf0) != 0x80 && first != 0xde && first != 0xdf)
        return "not a map";

    const char *wrong = s_values (self);
    if (!wrong && self->rest.size > 0)
        return "something follows the map";
    return wrong;
}

const char *
sp_walk_value (sh_bytes_t *rest, size_t depth)
{
    assert (rest && depth <= SP_DEPTH_MOST);
    s_walk_t walk = { .rest = *rest, .depth = depth };
    const char *wrong = s_values (&walk);
    *rest = walk.rest;
    return wrong;
}

sh_err_t
sp_walk (sh_bytes_t frame, size_t most, sh_why_t *why)
{
    assert (frame.data || frame.size == 0);
    if (frame.size > most)
        return sh_fail (why, SH_E_TOO_LARGE,
                        "frame of %zu bytes, the limit is %zu", frame.size,
                        most);

    s_walk_t walk = { .rest = frame };
    const char *wrong = s_walk (&walk);
    if (wrong)
        return sh_fail (why, SH_E_BAD_FRAME, "frame, up to byte %zu: %s",
                        frame.size - walk.rest.size, wrong);
    return SH_OK;
}
