/* SPDX-License-Identifier: MPL-2.0 */
/*  What messages consist of: for each type a table of its fields, which drives
    decoding (reader.h) and encoding alike.  */

#ifndef SP_SHAPES_H
#define SP_SHAPES_H

#include <inttypes.h>

#include "scanner-proto/codec.h"

/*  Signed numbers, which are all times or differences of times: two of them
    can be added or subtracted without overflow.  */
#define SP_INT_MOST (INT64_C (1) << 61)

typedef enum
{
    SP_FIELD_UINT,    /* uint64_t, 'least' to 'most' */
    SP_FIELD_INT,     /* int64_t, up to SP_INT_MOST either way: 'most', with
                         which the reader copies a uint64_t over it */
    SP_FIELD_BOOL,    /* bool */
    SP_FIELD_TEXT,    /* const char *, up to 'most' bytes */
    SP_FIELD_BIN,     /* sh_bytes_t, 'least' to 'most' bytes */
    SP_FIELD_ADDRESS, /* sh_bytes_t, 4 or 16 bytes */
    SP_FIELD_WORD,    /* int, by 'word'; 'least' for unknown words, if below
                         'most', the number of words */
    SP_FIELD_MAPS,    /* array of structs as 'shape' says, up to 'most' */
    SP_FIELD_TEXTS,   /* array of const char *, up to 'most' of them */
    /*  For peeking only; passed over if the value is none.  */
    SP_FIELD_SPAN, /* sh_bytes_t, a text up to 'most' bytes, in the frame */
    SP_FIELD_FLAG  /* bool */
} sp_field_kind_t;

typedef struct sp_shape sp_shape_t;

/*  One field: what it is on the wire and where it is in the struct.  The same
    rows drive decoding and encoding.  */
typedef struct
{
    char key[16]; /* so that it can be read and written in words */
    uint8_t key_size;
    sp_field_kind_t kind;
    bool optional;
    size_t offset;
    uint64_t least, most;
    size_t count_offset;             /* MAPS, TEXTS: of the size_t */
    const sp_shape_t *shape;         /* MAPS */
    const char *(*word) (int index); /* WORD */
} sp_field_t;

struct sp_shape
{
    const sp_field_t *fields;
    size_t count;
    size_t size; /* of the struct */
};

extern const sp_shape_t *const sp_shapes[SP_TYPE_COUNT];

/*  What sp_peek reads, into an sp_peek_t.  */
extern const sp_shape_t sp_shape_peek_report, sp_shape_peek_targets;

/*  May bytes (BIN, ADDRESS) have this size?  */
static inline bool
sp_field_fits (const sp_field_t *field, size_t size)
{
    if (field->kind == SP_FIELD_ADDRESS)
        return size == 4 || size == 16;
    return size >= field->least && size <= field->most;
}

/*  The rules of a report that are about more than one field.
    SH_E_BAD_MESSAGE.  */
sh_err_t sp_check_report (const sp_report_t *report, sh_why_t *why)
    SH_MUST_CHECK;

#endif
