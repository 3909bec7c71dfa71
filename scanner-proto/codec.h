/* SPDX-License-Identifier: MPL-2.0 */
/*  Messages <-> frames.  Decoding reads a frame (reader.h) by a table of fields
    per message type (shapes.h) and checks every byte as it goes; only a frame
    that cannot be read is walked (walk.h), to say what is wrong with it first.
    Memory is bounded by the frame's size and by the element counts, which the
    table bounds.  Encoding, by the same tables, is msgpack-c's.  */

#ifndef SP_CODEC_H
#define SP_CODEC_H

#include "scanner-proto/message.h"

/*  Decode one frame.  '*out' is new and the caller's.  SH_E_BAD_FRAME,
    SH_E_BAD_VERSION, SH_E_UNKNOWN_TYPE, SH_E_BAD_MESSAGE (the why names the
    field), SH_E_TOO_LARGE, SH_E_MEMORY.  Unknown keys are ignored, a known
    key twice is an error.  */
sh_err_t sp_decode (sp_message_t **out, sh_bytes_t frame, sh_why_t *why)
    SH_MUST_CHECK;

/*  '*self_p' becomes NULL; NULL is fine.  Only for decoded messages.  */
void sp_message_destroy (sp_message_t **self_p);

/*  What a router has to know to pass a frame on, without decoding it: type,
    and for reports and targets the ids, and which network a report is about.
    Validates the frame as a whole, so that later decoding can only fail on
    fields.  */
typedef struct
{
    sp_type_t type;
    uint64_t subnet; /* 0 if absent */
    sh_bytes_t id;   /* report id, borrowed from the frame; size 0 if absent */
    uint64_t part;
    /*  Of a report, borrowed likewise: 'for' and 'cidr'; size 0 if absent or no
        text of that kind.  */
    sh_bytes_t code, cidr;
    bool last; /* of a report: a closing part, if the field is right */
} sp_peek_t;

sh_err_t sp_peek (sp_peek_t *out, sh_bytes_t frame, sh_why_t *why)
    SH_MUST_CHECK;

/*  Encode.  '*data' is malloc'ed, 'free' it.  The message must obey the
    limits: a value out of them is our own fault and SH_E_INTERNAL.  */
sh_err_t sp_encode (uint8_t **data, size_t *size, const sp_message_t *message)
    SH_MUST_CHECK;

/*  Name and version of the library, for --version; static.  */
const char *sp_codec_library (void);

#endif
