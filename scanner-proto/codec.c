/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/codec.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "scanner-proto/reader.h"

/*  The two fields that all messages have, in any order and place.  */
typedef struct
{
    bool has_version, has_type, twice;
    sp_token_t version, type;
} s_head_t;

static void
s_find_head (s_head_t *out, sp_reader_t *reader, const sp_path_t *path)
{
    sp_token_t map = sp_reader_next (reader, path);
    for (uint64_t i = 0; i < map.number && !reader->rc; i++) {
        sp_token_t key = sp_reader_next (reader, path);
        bool is_version = sp_key_is (key.bytes, "v");
        if (!is_version && !sp_key_is (key.bytes, "t")) {
            sp_reader_skip (reader, path);
            continue;
        }
        bool *has = is_version ? &out->has_version : &out->has_type;
        out->twice |= *has;
        *has = true;
        sh_bytes_t before = reader->rest;
        *(is_version ? &out->version : &out->type)
            = sp_reader_next (reader, path);
        reader->rest = before;
        sp_reader_skip (reader, path);
    }
}

static sh_err_t
s_judge_type (sp_type_t *out, const sp_token_t *token, sh_why_t *why)
{
    if (token->kind != SP_TOKEN_TEXT)
        return sh_fail (why, SH_E_BAD_MESSAGE, "message: t: not a text");
    for (unsigned at = 0; at < SP_TYPE_COUNT; at++) {
        sp_type_t type = (sp_type_t) at;
        if (sp_key_is (token->bytes, sp_type_word (type))) {
            *out = type;
            return SH_OK;
        }
    }
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
    sp_path_t path = { NULL, NULL, SIZE_MAX };
    sp_reader_t reader = { .rest = frame, .why = why, .type = "message" };
    s_find_head (&head, &reader, &path);
    if (reader.rc)
        return reader.rc;

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

/*  What decode and peek have in common: all that can be said of a frame
    without its type's own fields.  */
static sh_err_t
s_open (sp_type_t *type, sp_walk_t *walk, sh_bytes_t frame, sh_why_t *why)
{
    sh_err_t rc = sp_walk (walk, frame, SP_FRAME_MOST, why);
    if (rc == SH_OK)
        rc = s_read_head (type, frame, why);
    if (rc == SH_OK && *type == SP_REPORT && frame.size > SP_PART_BYTES_MOST)
        rc = sh_fail (why, SH_E_TOO_LARGE,
                      "report: a part of %zu bytes, the limit is %d",
                      frame.size, SP_PART_BYTES_MOST);
    return rc;
}

/*  One block: the message, its arrays, its texts.  */
static sp_message_t *
s_new_message (sp_reader_t *reader, sp_type_t type, size_t items, size_t texts)
{
    size_t most = sp_shapes[type].items_most;
    size_t head = (sizeof (sp_message_t) + 7) & ~(size_t) 7;
    size_t structs = (items < most ? items : most) * sp_shapes[type].item_size;
    structs = (structs + 7) & ~(size_t) 7;

    uint8_t *block = malloc (head + structs + texts);
    if (!block)
        return NULL;
    reader->structs = block + head;
    reader->structs_end = reader->texts = reader->structs + structs;
    reader->texts_end = reader->texts + texts;

    sp_message_t *self = (sp_message_t *) (void *) block;
    memset (self, 0, sizeof *self);
    self->type = type;
    self->arena = block;
    return self;
}

sh_err_t
sp_decode (sp_message_t **out, sh_bytes_t frame, sh_why_t *why)
{
    assert (out);
    sp_type_t type;
    sp_walk_t walk;
    sh_err_t rc = s_open (&type, &walk, frame, why);
    if (rc)
        return rc;

    sp_reader_t reader
        = { .rest = frame, .why = why, .type = sp_type_word (type) };
    sp_message_t *self = s_new_message (&reader, type, walk.items, frame.size);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "%s: no memory for %zu bytes",
                        reader.type, frame.size);

    sp_reader_map (&reader, (char *) &self->u, sp_shapes[type].shape, NULL);
    rc = reader.rc;
    if (rc == SH_OK && type == SP_REPORT)
        rc = sp_check_report (&self->u.report, why);
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
        free ((*self_p)->arena); /* the message itself is in there */
        *self_p = NULL;
    }
}

sh_err_t
sp_peek (sp_peek_t *out, sh_bytes_t frame, sh_why_t *why)
{
    assert (out);
    sp_walk_t walk;
    sp_peek_t peek = { 0 };
    sh_err_t rc = s_open (&peek.type, &walk, frame, why);
    if (rc)
        return rc;

    sp_reader_t reader
        = { .rest = frame, .why = why, .type = sp_type_word (peek.type) };
    if (peek.type == SP_REPORT)
        sp_reader_map (&reader, (char *) &peek, &sp_shape_peek_report, NULL);
    else if (peek.type == SP_TARGETS)
        sp_reader_map (&reader, (char *) &peek, &sp_shape_peek_targets, NULL);
    if (reader.rc == SH_OK)
        *out = peek;
    return reader.rc;
}
