/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/frames.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "lib/text.h"
#include "scanner-proto/codec.h"

struct sp_whole
{
    sp_message_t **messages; /* the frames; texts are theirs */
    size_t count, room;
    sp_host_t *hosts; /* of all frames, one after the other */
    sp_range_t *covered;
};

void
sp_frames_clear (sp_frames_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        free (self->items[i].data);
    free (self->items);
    *self = (sp_frames_t){ 0 };
}

static sh_err_t
s_add_frame (sp_frames_t *frames, const sp_report_t *report)
{
    if (frames->count == SP_PARTS_MOST)
        return SH_E_TOO_LARGE;
    if (frames->count == frames->room) {
        size_t room = frames->room ? frames->room * 2 : 4;
        sp_frame_t *items = realloc (frames->items, room * sizeof *items);
        if (!items)
            return SH_E_MEMORY;
        frames->items = items;
        frames->room = room;
    }
    sp_frame_t frame;
    sp_message_t message = { .type = SP_REPORT, .u.report = *report };
    sh_err_t rc = sp_encode (&frame.data, &frame.size, &message);
    if (rc)
        return rc;
    frames->items[frames->count++] = frame;
    frames->bytes += frame.size;
    return SH_OK;
}

/*  Everything of a report but hosts and ranges.  A frame has to have an id.  */
static sp_report_t
s_head (const sp_report_t *report, size_t part)
{
    static const uint8_t id[SP_REPORT_ID];
    sp_report_t head = *report;
    head.id = (sh_bytes_t){ id, sizeof id };
    head.part = part;
    head.hosts = NULL;
    head.host_count = 0;
    head.last = false;
    head.parts = 0;
    head.covered = NULL;
    head.covered_count = 0;
    return head;
}

/*  Only the codec knows how large a host is, so what does not fit into a frame
    is halved until it does.  */
static sh_err_t
s_cut_hosts (sp_frames_t *frames, const sp_report_t *report)
{
    size_t first = 0, room = SP_PART_HOSTS_MOST;
    while (first < report->host_count) {
        size_t left = report->host_count - first;
        size_t count = left < room ? left : room;
        sp_report_t part = s_head (report, frames->count);
        part.hosts = report->hosts + first;
        part.host_count = count;
        sh_err_t rc = s_add_frame (frames, &part);
        if (rc == SH_OK)
            first += count;
        else if (rc == SH_E_INTERNAL && count > 1)
            room = count / 2;
        else
            return rc;
    }
    return SH_OK;
}

sh_err_t
sp_frames_cut (sp_frames_t *out, const sp_report_t *report)
{
    assert (out && report);
    sh_err_t rc = s_cut_hosts (out, report);
    size_t host_parts = out->count, first = 0;
    while (rc == SH_OK) {
        size_t left = report->covered_count - first;
        size_t count = left < SP_RANGES_MOST ? left : SP_RANGES_MOST;
        sp_report_t part = s_head (report, out->count);
        part.last = true;
        part.parts = host_parts;
        part.covered = count ? report->covered + first : NULL;
        part.covered_count = count;
        rc = s_add_frame (out, &part);
        first += count;
        if (first == report->covered_count)
            break;
    }
    return rc;
}

void
sp_frame_sum (uint8_t sum[SP_FRAME_SUM], sh_bytes_t frame)
{
    crypto_generichash (sum, SP_FRAME_SUM, frame.data, frame.size, NULL, 0);
}

sh_err_t
sp_whole_new (sp_whole_t **out)
{
    sp_whole_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    *out = self;
    return SH_OK;
}

void
sp_whole_destroy (sp_whole_t **self_p)
{
    assert (self_p);
    sp_whole_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        sp_message_destroy (&self->messages[i]);
    free (self->messages);
    free (self->hosts);
    free (self->covered);
    free (self);
    *self_p = NULL;
}

sh_err_t
sp_whole_add (sp_whole_t *self, sh_bytes_t frame, sh_why_t *why)
{
    assert (self);
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 4;
        sp_message_t **messages
            = realloc (self->messages, room * sizeof *messages);
        if (!messages)
            return sh_fail (why, SH_E_MEMORY, "out of memory");
        self->messages = messages;
        self->room = room;
    }
    sp_message_t *message;
    sh_err_t rc = sp_decode (&message, frame, why);
    if (rc)
        return rc;
    self->messages[self->count++] = message;
    if (message->type != SP_REPORT
        || message->u.report.part != self->count - 1)
        return sh_fail (why, SH_E_BAD_MESSAGE, "not the part of this number");
    return SH_OK;
}

/*  Do the frames belong together: closing ones at the end and only there, and
    all of one scan?  Sums up how much there is in them.  */
static bool
s_add_up (const sp_whole_t *self, size_t *hosts, size_t *ranges)
{
    *hosts = *ranges = 0;
    if (self->count == 0)
        return false;
    const sp_report_t *end = &self->messages[self->count - 1]->u.report;
    for (size_t i = 0; i < self->count; i++) {
        const sp_report_t *part = &self->messages[i]->u.report;
        if (part->last != (i >= end->parts) || part->kind != end->kind
            || part->subnet != end->subnet || part->started != end->started
            || !sh_text_same (part->code, end->code)
            || !sh_text_same (part->cidr, end->cidr))
            return false;
        *hosts += part->host_count;
        *ranges += part->covered_count;
    }
    return end->last;
}

sh_err_t
sp_whole_join (sp_whole_t *self, sp_report_t *out, sh_why_t *why)
{
    assert (self && out && !self->hosts);
    size_t hosts, ranges;
    if (!s_add_up (self, &hosts, &ranges))
        return sh_fail (why, SH_E_BAD_MESSAGE,
                        "the frames do not make up a report");
    self->hosts = calloc (hosts + 1, sizeof *self->hosts);
    self->covered = calloc (ranges + 1, sizeof *self->covered);
    if (!self->hosts || !self->covered)
        return sh_fail (why, SH_E_MEMORY, "out of memory");

    *out = self->messages[self->count - 1]->u.report;
    out->id = (sh_bytes_t){ NULL, 0 };
    out->part = out->parts = 0;
    out->last = false;
    out->host_count = out->covered_count = 0;
    for (size_t i = 0; i < self->count; i++) {
        const sp_report_t *part = &self->messages[i]->u.report;
        for (size_t k = 0; k < part->host_count; k++)
            self->hosts[out->host_count++] = part->hosts[k];
        for (size_t k = 0; k < part->covered_count; k++)
            self->covered[out->covered_count++] = part->covered[k];
    }
    out->hosts = hosts ? self->hosts : NULL;
    out->covered = ranges ? self->covered : NULL;
    return SH_OK;
}
