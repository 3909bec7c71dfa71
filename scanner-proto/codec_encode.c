/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/codec.h"

#include <assert.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "scanner-proto/shapes.h"
#include "scanner-proto/token.h"

#define ROOM_LEAST 4096 /* bytes that a frame begins with */
#define VALUE_MOST 64   /* of a pair without the bytes of a text or bin */

/*  A key is written in one piece of its field's room, and a number or head has
    nine bytes at most.  */
static_assert (VALUE_MOST >= 1 + sizeof ((sp_field_t *) 0)->key + 9,
               "a reserve takes a key and the head of its value");

/*  Encoding.  A value out of its limits is our own fault; like the reader's,
    the first fault sticks.  */
typedef struct
{
    uint8_t *data, *at, *end;
    sh_err_t rc;
} s_writer_t;

static void
s_refuse_unless (s_writer_t *self, bool fine)
{
    if (!fine && !self->rc)
        self->rc = SH_E_INTERNAL;
}

static void
s_grow (s_writer_t *self, size_t size)
{
    size_t used = (size_t) (self->at - self->data);
    size_t room = (size_t) (self->end - self->data) * 2;
    if (room < used + size + ROOM_LEAST)
        room = used + size + ROOM_LEAST;
    uint8_t *data = realloc (self->data, room);
    if (!data) {
        self->rc = self->rc ? self->rc : SH_E_MEMORY;
        return;
    }
    self->data = data;
    self->at = data + used;
    self->end = data + room;
}

/*  See to it that so many bytes can be written.  */
static inline void
s_reserve (s_writer_t *self, size_t size)
{
    if (size > (size_t) (self->end - self->at))
        s_grow (self, size);
}

static inline int
s_append (s_writer_t *self, const void *data, size_t size)
{
    memcpy (self->at, data, size);
    self->at += size;
    return 0;
}

/*  msgpack-c's own packing, made for our buffer: it calls no function for each
    byte of head.  There must be room.  */
#define msgpack_pack_inline_func(name) static inline int s_pack##name
#define msgpack_pack_inline_func_cint(name) static inline int s_pack##name
#define msgpack_pack_inline_func_fixint(name) static inline int s_pack_fix##name
#define msgpack_pack_user s_writer_t *
#define msgpack_pack_append_buffer(user, bytes, size)                          \
    return s_append (user, bytes, size)
#include <msgpack/pack_template.h>

/*  Copy a text and see whether it is valid, which with plain ASCII is one walk
    in words; the last one overlaps the one before it.  */
static inline bool
s_copy_text (uint8_t *to, sh_bytes_t text)
{
    bool plain = true;
    if (text.size < 8) {
        memcpy (to, text.data, text.size);
        return sp_text_valid (text, text.size);
    }
    for (size_t at = 0; at < text.size; at += 8) {
        size_t here = at + 8 <= text.size ? at : text.size - 8;
        uint64_t word = sp_word (text.data + here);
        memcpy (to + here, &word, sizeof word);
        plain &= sp_word_plain (word);
    }
    return plain || sp_text_valid (text, text.size);
}

static void
s_write_text (s_writer_t *self, const char *text, uint64_t most)
{
    size_t size = text ? strlen (text) : 0;
    s_refuse_unless (self, text && size <= most);
    s_reserve (self, size + VALUE_MOST);
    if (self->rc)
        return;
    s_pack_str (self, size);
    bool valid
        = s_copy_text (self->at, (sh_bytes_t){ (const uint8_t *) text, size });
    self->at += size;
    s_refuse_unless (self, valid);
}

/*  Keys are ours and valid.  False: there is no room for key and value.  */
static inline bool
s_write_key (s_writer_t *self, const sp_field_t *field)
{
    s_reserve (self, VALUE_MOST);
    if (self->rc)
        return false;
    s_pack_str (self, field->key_size);
    memcpy (self->at, field->key, sizeof field->key);
    self->at += field->key_size;
    return true;
}

static void
s_write_bin (s_writer_t *self, sh_bytes_t bytes, const sp_field_t *field)
{
    s_refuse_unless (self, sp_field_fits (field, bytes.size));
    s_reserve (self, bytes.size + VALUE_MOST);
    if (self->rc)
        return;
    s_pack_bin (self, bytes.size);
    if (bytes.size > 0)
        s_append (self, bytes.data, bytes.size);
}

static void s_write_map (s_writer_t *self, const char *source,
                         const sp_shape_t *shape);

static void
s_write_items (s_writer_t *self, const char *items, size_t count,
               const sp_field_t *field)
{
    s_refuse_unless (self, count <= field->most && (items || count == 0));
    if (self->rc)
        return;
    s_pack_array (self, count);
    for (size_t i = 0; i < count && !self->rc; i++) {
        if (field->kind == SP_FIELD_TEXTS) {
            const char *text;
            memcpy (&text, items + i * sizeof text, sizeof text);
            s_write_text (self, text, SP_TEXT_MOST);
        } else
            s_write_map (self, items + i * field->shape->size, field->shape);
    }
}

/*  These return false if there is nothing to write: an optional field that is
    zero, false, NULL or empty is left out.  */
static inline bool
s_write_number (s_writer_t *self, uint64_t number, const sp_field_t *field)
{
    if (number == 0 && field->optional)
        return false;
    s_refuse_unless (self, number <= field->most);
    if (s_write_key (self, field))
        s_pack_uint64 (self, number);
    return true;
}

static inline bool
s_write_signed (s_writer_t *self, int64_t number, const sp_field_t *field)
{
    if (number == 0 && field->optional)
        return false;
    s_refuse_unless (self, number >= -SP_INT_MOST && number <= SP_INT_MOST);
    if (s_write_key (self, field))
        s_pack_int64 (self, number);
    return true;
}

static bool
s_write_bool (s_writer_t *self, bool yes, const sp_field_t *field)
{
    if (!yes && field->optional)
        return false;
    if (s_write_key (self, field))
        (void) (yes ? s_pack_true (self) : s_pack_false (self));
    return true;
}

static bool
s_write_word (s_writer_t *self, int index, const sp_field_t *field)
{
    if (s_write_key (self, field))
        s_write_text (self, field->word (index), SP_TEXT_MOST);
    return true;
}

static bool
s_write_array (s_writer_t *self, const char *source, const sp_field_t *field)
{
    const void *items;
    size_t count;
    memcpy (&items, source + field->offset, sizeof items);
    memcpy (&count, source + field->count_offset, sizeof count);
    if (count == 0 && field->optional)
        return false;
    if (s_write_key (self, field))
        s_write_items (self, items, count, field);
    return true;
}

static inline bool
s_write_bytes (s_writer_t *self, sh_bytes_t bytes, const sp_field_t *field)
{
    if (bytes.size == 0 && field->optional)
        return false;
    if (s_write_key (self, field))
        s_write_bin (self, bytes, field);
    return true;
}

static inline bool
s_write_string (s_writer_t *self, const char *text, const sp_field_t *field)
{
    if (!text && field->optional)
        return false;
    if (s_write_key (self, field))
        s_write_text (self, text, field->most);
    return true;
}

/*  In the order in which reports have most of them.  */
static inline bool
s_write_field (s_writer_t *self, const char *source, const sp_field_t *field)
{
    const void *at = source + field->offset;
    if (field->kind == SP_FIELD_TEXT)
        return s_write_string (self, *(const char *const *) at, field);
    if (field->kind == SP_FIELD_INT)
        return s_write_signed (self, *(const int64_t *) at, field);
    if (field->kind == SP_FIELD_BIN || field->kind == SP_FIELD_ADDRESS)
        return s_write_bytes (self, *(const sh_bytes_t *) at, field);
    if (field->kind == SP_FIELD_UINT)
        return s_write_number (self, *(const uint64_t *) at, field);
    if (field->kind == SP_FIELD_BOOL)
        return s_write_bool (self, *(const bool *) at, field);
    if (field->kind == SP_FIELD_WORD)
        return s_write_word (self, *(const int *) at, field);
    if (field->kind == SP_FIELD_MAPS || field->kind == SP_FIELD_TEXTS)
        return s_write_array (self, source, field);
    s_refuse_unless (self, false);
    return false;
}

static size_t
s_write_fields (s_writer_t *self, const char *source, const sp_shape_t *shape)
{
    size_t pairs = 0;
    for (size_t i = 0; i < shape->count && !self->rc; i++)
        pairs += s_write_field (self, source, &shape->fields[i]);
    return pairs;
}

/*  Put the head of a map at 'begin', where one byte has been left for it.  A map
    with more than fifteen pairs, which no element of an array has, needs
    three.  */
static void
s_write_head (s_writer_t *self, size_t begin, size_t pairs)
{
    s_reserve (self, VALUE_MOST);
    if (self->rc)
        return;
    uint8_t *end = self->at, *head = self->data + begin;
    self->at = head;
    if (pairs > 15) {
        memmove (head + 3, head + 1, (size_t) (end - head) - 1);
        end += 2;
    }
    s_pack_map (self, pairs);
    self->at = end;
}

static void
s_write_map (s_writer_t *self, const char *source, const sp_shape_t *shape)
{
    s_reserve (self, VALUE_MOST);
    if (self->rc)
        return;
    size_t begin = (size_t) (self->at++ - self->data);
    s_write_head (self, begin, s_write_fields (self, source, shape));
}

static void
s_write_message (s_writer_t *self, const sp_message_t *message)
{
    s_reserve (self, VALUE_MOST);
    if (self->rc)
        return;
    self->at++;
    s_write_text (self, "v", SP_KEY_MOST);
    if (!self->rc)
        s_pack_int (self, SP_VERSION);
    s_write_text (self, "t", SP_KEY_MOST);
    s_write_text (self, sp_type_word (message->type), SP_TEXT_MOST);
    size_t pairs = s_write_fields (self, (const char *) &message->u,
                                   sp_shapes[message->type]);
    s_write_head (self, 0, 2 + pairs);
}

/*  What the tables do not say.  */
static void
s_check_whole (s_writer_t *self, const sp_message_t *message)
{
    bool report = message->type == SP_REPORT;
    size_t most = report ? SP_PART_BYTES_MOST : SP_FRAME_MOST;
    s_refuse_unless (self, (size_t) (self->at - self->data) <= most);
    if (report)
        s_refuse_unless (self,
                         sp_check_report (&message->u.report, NULL) == SH_OK);
}

sh_err_t
sp_encode (uint8_t **data, size_t *size, const sp_message_t *message)
{
    assert (data && size && message);
    if ((unsigned) message->type >= SP_TYPE_COUNT)
        return SH_E_INTERNAL;

    s_writer_t writer = { .rc = SH_OK };
    s_write_message (&writer, message);
    if (writer.rc == SH_OK)
        s_check_whole (&writer, message);
    if (writer.rc == SH_OK) {
        *data = writer.data;
        *size = (size_t) (writer.at - writer.data);
    } else
        free (writer.data);
    return writer.rc;
}

const char *
sp_codec_library (void)
{
    return "msgpack-c " MSGPACK_VERSION;
}
