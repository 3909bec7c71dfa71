/* SPDX-License-Identifier: MPL-2.0 */
/*  A whole report as the frames in which the spool keeps it, and back.  They
    are report parts as on the wire, the id left empty: that of the delivery is
    drawn when it is sent.  */

#ifndef SP_FRAMES_H
#define SP_FRAMES_H

#include "scanner-proto/message.h"

#define SP_FRAME_SUM 16 /* bytes of a frame's checksum */

typedef struct
{
    uint8_t *data;
    size_t size;
} sp_frame_t;

/*  All zero is none.  */
typedef struct
{
    sp_frame_t *items;
    size_t count, room;
    uint64_t bytes; /* of all frames together */
} sp_frames_t;

/*  Cut a report: parts with hosts, then closing ones.  SH_E_INTERNAL: it breaks
    a limit of the protocol; SH_E_TOO_LARGE: more than SP_PARTS_MOST parts;
    SH_E_MEMORY.  The caller clears 'out' in every case.  */
sh_err_t sp_frames_cut (sp_frames_t *out, const sp_report_t *report)
    SH_MUST_CHECK;
void sp_frames_clear (sp_frames_t *self);

/*  SQLite does not notice a changed byte in a value; this does.  */
void sp_frame_sum (uint8_t sum[SP_FRAME_SUM], sh_bytes_t frame);

/*  A report put together again from its frames; it owns all that the report
    points to.  */
typedef struct sp_whole sp_whole_t;

/*  SH_E_MEMORY.  */
sh_err_t sp_whole_new (sp_whole_t **out) SH_MUST_CHECK;
void sp_whole_destroy (sp_whole_t **self_p);

/*  The next frame, in order.  SH_E_MEMORY; any other error is that of the
    frame.  */
sh_err_t sp_whole_add (sp_whole_t *self, sh_bytes_t frame, sh_why_t *why)
    SH_MUST_CHECK;

/*  After the last frame.  'out' borrows from 'self', but its hosts and ranges
    may be written to.  SH_E_BAD_MESSAGE: they do not make up a report;
    SH_E_MEMORY.  */
sh_err_t sp_whole_join (sp_whole_t *self, sp_report_t *out, sh_why_t *why)
    SH_MUST_CHECK;

#endif
