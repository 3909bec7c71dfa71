/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/codec.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "scanner-proto/reader.h"
#include "scanner-proto/walk.h"

/*  The two fields that all messages have, in any order and place.  */
typedef struct
{
    bool has_version, has_type, twice;
    sp_token_t version, type;
} s_head_t;

/*  Of a frame that has been walked.  */
static void
s_find_head (s_head_t *out, sh_bytes_t frame)
{
    sp_token_t map = { 0 }, key = { 0 };
    const char *wrong = sp_token_read (&map, &frame);
    for (uint64_t i = 0; i < map.number && !wrong; i++) {
        wrong = sp_token_read (&key, &frame);
        sh_bytes_t value = frame;
        if (!wrong)
            wrong = sp_walk_value (&frame, 1);
        bool is_version = sp_key_is (key.bytes, "v");
        if (wrong || (!is_version && !sp_key_is (key.bytes, "t")))
            continue;
        bool *has = is_version ? &out->has_version : &out->has_type;
        out->twice |= *has;
        *has = true;
        wrong = sp_token_read (is_version ? &out->version : &out->type, &value);
    }
    assert (!wrong);
}

/*  The type that the word says; SP_TYPE_COUNT: none.  */
static sp_type_t
s_type_of (sh_bytes_t word)
{
    unsigned at = 0;
    while (at < SP_TYPE_COUNT && !sp_key_is (word, sp_type_word (at)))
        at++;
    return (sp_type_t) at;
}

static sh_err_t
s_judge_type (sp_type_t *out, const sp_token_t *token, sh_why_t *why)
{
    if (token->kind != SP_TOKEN_TEXT)
        return sh_fail (why, SH_E_BAD_MESSAGE, "message: t: not a text");
    *out = s_type_of (token->bytes);
    if (*out < SP_TYPE_COUNT)
        return SH_OK;
    char text[64], safe[64];
    snprintf (text, sizeof text, "%.*s", (int) token->bytes.size,
              (const char *) token->bytes.data);
    sh_escape (safe, sizeof safe, text);
    return sh_fail (why, SH_E_UNKNOWN_TYPE, "message: unknown type '%s'", safe);
}

static sh_err_t
s_read_head (sp_type_t *out, sh_bytes_t frame, sh_why_t *why)
{
    s_head_t head = { 0 };
    s_find_head (&head, frame);
    if (!head.has_version)
        return sh_fail (why, SH_E_BAD_MESSAGE, "message: v: missing");
    if (head.version.kind != SP_TOKEN_UINT && head.version.kind != SP_TOKEN_INT)
        return sh_fail (why, SH_E_BAD_MESSAGE, "message: v: not an integer");
    if (head.version.kind == SP_TOKEN_INT || head.version.number != SP_VERSION)
        return sh_fail (why, SH_E_BAD_VERSION,
                        "message: not of version %d of the protocol",
                        SP_VERSION);
    if (head.twice)
        return sh_fail (why, SH_E_BAD_MESSAGE, "message: v or t: given twice");
    if (!head.has_type)
        return sh_fail (why, SH_E_BAD_MESSAGE, "message: t: missing");
    return s_judge_type (out, &head.type, why);
}

/*  All that can be said of a frame without its type's own fields, in the order
    in which it is to be said.  */
static sh_err_t
s_judge (sp_type_t *type, sh_bytes_t frame, sh_why_t *why)
{
    sh_err_t rc = sp_walk (frame, SP_FRAME_MOST, why);
    if (rc == SH_OK)
        rc = s_read_head (type, frame, why);
    if (rc == SH_OK && *type == SP_REPORT && frame.size > SP_PART_BYTES_MOST)
        rc = sh_fail (why, SH_E_TOO_LARGE,
                      "report: a part of %zu bytes, the limit is %d",
                      frame.size, SP_PART_BYTES_MOST);
    return rc;
}

/*  A frame that begins as it should, and is not too large, needs no judgement
    before it is read.  False: nothing has been read.  */
static bool
s_read_usual_head (sp_reader_t *reader, sp_type_t *type)
{
    static const uint8_t usual[] = { 0xa1, 'v', SP_VERSION, 0xa1, 't' };
    sh_bytes_t rest = reader->rest, word;
    sp_token_t map = { 0 };
    if (rest.size > SP_PART_BYTES_MOST || sp_token_read (&map, &rest)
        || map.kind != SP_TOKEN_MAP || map.number < 2
        || map.number > SP_MAP_KEYS_MOST || rest.size < sizeof usual
        || memcmp (rest.data, usual, sizeof usual) != 0)
        return false;
    sp_step (&rest, sizeof usual);
    if (!sp_take_text (&word, &rest))
        return false;
    *type = s_type_of (word);
    if (*type == SP_TYPE_COUNT)
        return false;
    reader->rest = rest;
    reader->pairs = map.number - 2;
    reader->headed = true;
    return true;
}

/*  What decode and peek have in common: a reader behind the head, or at the
    first pair if the head is somewhere.  */
static sh_err_t
s_begin (sp_reader_t *reader, sp_type_t *type, sh_bytes_t frame, sh_why_t *why)
{
    assert (frame.data || frame.size == 0);
    *reader = (sp_reader_t){ .rest = frame, .why = why, .frame = frame.data };
    if (!s_read_usual_head (reader, type)) {
        sh_err_t rc = s_judge (type, frame, why);
        if (rc)
            return rc;
        sp_token_t map;
        if (sp_token_read (&map, &reader->rest))
            return SH_E_INTERNAL; /* it has been walked */
        reader->pairs = map.number;
    }
    reader->type = sp_type_word (*type);
    return SH_OK;
}

/*  What is wrong with a frame that could not be read: the reader's fault, if no
    other comes before it.  */
static sh_err_t
s_first_fault (sh_err_t rc, sh_bytes_t frame, sh_why_t *why)
{
    sp_type_t type;
    if (rc == SH_OK || rc == SH_E_MEMORY)
        return rc;
    sh_err_t before = s_judge (&type, frame, why);
    return before ? before : rc;
}

/*  The message and, in the same block, the frame's copy.  */
static sp_message_t *
s_new_message (sp_reader_t *reader, sp_type_t type, sh_bytes_t frame)
{
    sp_message_t *self
        = sp_arena_take (&reader->arena, sizeof *self + frame.size + 1);
    if (!self)
        return NULL;
    memset (self, 0, sizeof *self);
    self->type = type;
    reader->copy = (uint8_t *) (self + 1);
    memcpy (reader->copy, frame.data, frame.size);
    return self;
}

sh_err_t
sp_decode (sp_message_t **out, sh_bytes_t frame, sh_why_t *why)
{
    assert (out);
    sp_type_t type;
    sp_reader_t reader;
    sh_err_t rc = s_begin (&reader, &type, frame, why);
    if (rc)
        return rc;
    sp_message_t *self = s_new_message (&reader, type, frame);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s: no memory for %zu bytes",
                        reader.type, frame.size);

    sp_reader_message (&reader, &self->u, sp_shapes[type]);
    rc = reader.rc;
    if (rc == SH_OK && type == SP_REPORT)
        rc = sp_check_report (&self->u.report, why);
    rc = s_first_fault (rc, frame, why);
    self->arena = reader.arena.blocks;
    if (rc == SH_OK)
        *out = self;
    else
        sp_message_destroy (&self);
    return rc;
}

void
sp_message_destroy (sp_message_t **self_p)
{
    assert (self_p);
    if (*self_p) {
        sp_arena_free ((*self_p)->arena); /* the message itself is in there */
        *self_p = NULL;
    }
}

sh_err_t
sp_peek (sp_peek_t *out, sh_bytes_t frame, sh_why_t *why)
{
    assert (out);
    static const sp_shape_t nothing = { NULL, 0, 0 };
    sp_peek_t peek = { 0 };
    sp_reader_t reader;
    sh_err_t rc = s_begin (&reader, &peek.type, frame, why);
    if (rc)
        return rc;

    const sp_shape_t *shape = peek.type == SP_REPORT    ? &sp_shape_peek_report
                              : peek.type == SP_TARGETS ? &sp_shape_peek_targets
                                                        : &nothing;
    sp_reader_message (&reader, &peek, shape);
    rc = s_first_fault (reader.rc, frame, why);
    if (rc == SH_OK)
        *out = peek;
    return rc;
}
