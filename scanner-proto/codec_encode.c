/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/codec.h"

#include <assert.h>
#include <msgpack.h>
#include <string.h>

#include "scanner-proto/shapes.h"
#include "scanner-proto/walk.h"

/*  Encoding.  A value out of its limits is our own fault; like the reader's,
    the first fault sticks.  */
typedef struct
{
    msgpack_packer packer;
    sh_err_t rc;
} s_writer_t;

static void
s_refuse_unless (s_writer_t *self, bool fine)
{
    if (!fine && !self->rc)
        self->rc = SH_E_INTERNAL;
}

static void
s_packed (s_writer_t *self, int result)
{
    if (result != 0 && !self->rc)
        self->rc = SH_E_MEMORY;
}

static void
s_write_text (s_writer_t *self, const char *text, uint64_t most)
{
    size_t size = text ? strlen (text) : 0;
    s_refuse_unless (self, text && size <= most);
    if (self->rc)
        return;
    s_packed (self, msgpack_pack_str (&self->packer, size));
    s_packed (self, msgpack_pack_str_body (&self->packer, text, size));
}

static void
s_write_bin (s_writer_t *self, sh_bytes_t bytes, const sp_field_t *field)
{
    s_refuse_unless (self, sp_field_fits (field, bytes.size));
    if (self->rc)
        return;
    s_packed (self, msgpack_pack_bin (&self->packer, bytes.size));
    if (bytes.size > 0)
        s_packed (self, msgpack_pack_bin_body (&self->packer, bytes.data,
                                               bytes.size));
}

/*  Pointer and count of an array member.  */
static const char *
s_array_of (const char *source, const sp_field_t *field, size_t *count)
{
    const void *array;
    memcpy (&array, source + field->offset, sizeof array);
    memcpy (count, source + field->count_offset, sizeof *count);
    return array;
}

/*  An optional field that is zero, false, NULL or empty is left out.  */
static bool
s_present (const char *source, const sp_field_t *field)
{
    const void *at = source + field->offset;
    size_t count;
    if (!field->optional)
        return true;
    switch (field->kind) {
    case SP_FIELD_UINT:
        return *(const uint64_t *) at != 0;
    case SP_FIELD_INT:
        return *(const int64_t *) at != 0;
    case SP_FIELD_BOOL:
    case SP_FIELD_FLAG:
        return *(const bool *) at;
    case SP_FIELD_TEXT:
        return *(const char *const *) at != NULL;
    case SP_FIELD_BIN:
    case SP_FIELD_ADDRESS:
    case SP_FIELD_SPAN:
        return ((const sh_bytes_t *) at)->size > 0;
    case SP_FIELD_WORD:
        return true;
    case SP_FIELD_MAPS:
    case SP_FIELD_TEXTS:
        s_array_of (source, field, &count);
        return count > 0;
    }
    return true;
}

static void s_write_fields (s_writer_t *self, const char *source,
                            const sp_shape_t *shape);
static size_t s_count_present (const char *source, const sp_shape_t *shape);

static void
s_write_array (s_writer_t *self, const char *source, const sp_field_t *field)
{
    size_t count;
    const char *items = s_array_of (source, field, &count);
    s_refuse_unless (self, count <= field->most && (items || count == 0));
    if (self->rc)
        return;
    s_packed (self, msgpack_pack_array (&self->packer, count));
    for (size_t i = 0; i < count && !self->rc; i++) {
        if (field->kind == SP_FIELD_TEXTS) {
            const char *text;
            memcpy (&text, items + i * sizeof text, sizeof text);
            s_write_text (self, text, SP_TEXT_MOST);
            continue;
        }
        const char *item = items + i * field->shape->size;
        size_t present = s_count_present (item, field->shape);
        s_packed (self, msgpack_pack_map (&self->packer, present));
        s_write_fields (self, item, field->shape);
    }
}

static void
s_write_value (s_writer_t *self, const char *source, const sp_field_t *field)
{
    const void *at = source + field->offset;
    switch (field->kind) {
    case SP_FIELD_UINT: {
        uint64_t number = *(const uint64_t *) at;
        s_refuse_unless (self, number <= field->most);
        s_packed (self, msgpack_pack_uint64 (&self->packer, number));
        break;
    }
    case SP_FIELD_INT: {
        int64_t number = *(const int64_t *) at;
        s_refuse_unless (self, number >= -SP_INT_MOST && number <= SP_INT_MOST);
        s_packed (self, msgpack_pack_int64 (&self->packer, number));
        break;
    }
    case SP_FIELD_BOOL:
        s_packed (self, *(const bool *) at
                            ? msgpack_pack_true (&self->packer)
                            : msgpack_pack_false (&self->packer));
        break;
    case SP_FIELD_TEXT:
        s_write_text (self, *(const char *const *) at, field->most);
        break;
    case SP_FIELD_BIN:
    case SP_FIELD_ADDRESS:
        s_write_bin (self, *(const sh_bytes_t *) at, field);
        break;
    case SP_FIELD_WORD:
        s_write_text (self, field->word (*(const int *) at), SP_TEXT_MOST);
        break;
    case SP_FIELD_MAPS:
    case SP_FIELD_TEXTS:
        s_write_array (self, source, field);
        break;
    case SP_FIELD_SPAN:
    case SP_FIELD_FLAG:
        s_refuse_unless (self, false);
        break;
    }
}

static size_t
s_count_present (const char *source, const sp_shape_t *shape)
{
    size_t count = 0;
    for (size_t i = 0; i < shape->count; i++)
        count += s_present (source, &shape->fields[i]) ? 1 : 0;
    return count;
}

static void
s_write_fields (s_writer_t *self, const char *source, const sp_shape_t *shape)
{
    for (size_t i = 0; i < shape->count && !self->rc; i++) {
        const sp_field_t *field = &shape->fields[i];
        if (!s_present (source, field))
            continue;
        s_write_text (self, field->key, SP_KEY_MOST);
        s_write_value (self, source, field);
    }
}

static void
s_write_message (s_writer_t *self, const sp_message_t *message)
{
    const sp_shape_t *shape = sp_shapes[message->type].shape;
    const char *source = (const char *) &message->u;
    size_t pairs = 2 + s_count_present (source, shape);
    s_packed (self, msgpack_pack_map (&self->packer, pairs));
    s_write_text (self, "v", SP_KEY_MOST);
    s_packed (self, msgpack_pack_int (&self->packer, SP_VERSION));
    s_write_text (self, "t", SP_KEY_MOST);
    s_write_text (self, sp_type_word (message->type), SP_TEXT_MOST);
    s_write_fields (self, source, shape);
}

/*  Walking our own frame catches what the tables cannot: texts that are not
    UTF-8, a frame that is too large.  */
static sh_err_t
s_check_own (const sp_message_t *message, sh_bytes_t frame)
{
    sp_walk_t walk;
    bool report = message->type == SP_REPORT;
    size_t most = report ? SP_PART_BYTES_MOST : SP_FRAME_MOST;
    sh_err_t rc = sp_walk (&walk, frame, most, NULL);
    if (rc == SH_OK && report)
        rc = sp_check_report (&message->u.report, NULL);
    return rc ? SH_E_INTERNAL : SH_OK;
}

sh_err_t
sp_encode (uint8_t **data, size_t *size, const sp_message_t *message)
{
    assert (data && size && message);
    if ((unsigned) message->type >= SP_TYPE_COUNT)
        return SH_E_INTERNAL;

    msgpack_sbuffer buffer;
    msgpack_sbuffer_init (&buffer);
    s_writer_t writer = { .rc = SH_OK };
    msgpack_packer_init (&writer.packer, &buffer, msgpack_sbuffer_write);
    s_write_message (&writer, message);

    sh_err_t rc = writer.rc;
    sh_bytes_t frame = { (const uint8_t *) buffer.data, buffer.size };
    if (rc == SH_OK)
        rc = s_check_own (message, frame);
    if (rc == SH_OK) {
        *data = (uint8_t *) buffer.data;
        *size = buffer.size;
    } else
        msgpack_sbuffer_destroy (&buffer);
    return rc;
}

const char *
sp_codec_library (void)
{
    return "msgpack-c " MSGPACK_VERSION;
}
