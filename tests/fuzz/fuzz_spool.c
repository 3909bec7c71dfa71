/* SPDX-License-Identifier: MPL-2.0 */
/*  What a spool's file may hold after anything has happened to it: frames that
    make up two reports, or do not.  What was put together can be cut and put
    together again, and two such reports can be merged: each address once, none
    lost, none made up.

    Input: a byte with the number of frames of the first report, eight of a
    difference of clocks, then frames, each behind two bytes of its length.  */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scanner-proto/frames.h"
#include "scanner-proto/merge.h"

#define FRAMES_MOST 16

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static bool
s_take_frame (const uint8_t **data, size_t *size, sh_bytes_t *frame)
{
    if (*size < 2)
        return false;
    size_t length = (size_t) (*data)[0] << 8 | (*data)[1];
    if (length > *size - 2)
        length = *size - 2;
    *frame = (sh_bytes_t){ *data + 2, length };
    *data += 2 + length;
    *size -= 2 + length;
    return true;
}

/*  As the spool does it: frames in order, then join.  */
static bool
s_read (sp_whole_t *whole, sp_report_t *report, const uint8_t **data,
        size_t *size, size_t count)
{
    sh_bytes_t frame;
    for (size_t i = 0; i < count && s_take_frame (data, size, &frame); i++)
        if (sp_whole_add (whole, frame, NULL) != SH_OK)
            return false;
    return sp_whole_join (whole, report, NULL) == SH_OK;
}

static void
s_cut_and_join (const sp_report_t *report)
{
    sp_frames_t frames = { 0 };
    sp_whole_t *whole = NULL;
    sp_report_t again;
    sh_err_t rc = sp_frames_cut (&frames, report);
    if (rc == SH_OK && sp_whole_new (&whole) != SH_OK)
        abort ();
    for (size_t i = 0; rc == SH_OK && i < frames.count; i++)
        if (sp_whole_add (whole,
                          (sh_bytes_t){ frames.items[i].data,
                                        frames.items[i].size },
                          NULL)
            != SH_OK)
            abort ();
    if (rc == SH_OK
        && (sp_whole_join (whole, &again, NULL) != SH_OK
            || again.host_count != report->host_count
            || again.covered_count != report->covered_count
            || again.started != report->started))
        abort ();
    sp_whole_destroy (&whole);
    sp_frames_clear (&frames);
}

static bool
s_has (const sp_report_t *report, sh_bytes_t ip)
{
    for (size_t i = 0; i < report->host_count; i++)
        if (report->hosts[i].ip.size == ip.size
            && memcmp (report->hosts[i].ip.data, ip.data, ip.size) == 0)
            return true;
    return false;
}

static void
s_merge (const sp_report_t *newer, const sp_report_t *older, int64_t delta)
{
    sp_merged_t merged;
    if (sp_merge (&merged, newer, older, delta, delta & 1) != SH_OK)
        abort ();
    const sp_report_t *all = &merged.report;
    for (size_t i = 0; i < newer->host_count; i++)
        if (!s_has (all, newer->hosts[i].ip))
            abort ();
    for (size_t i = 0; i < older->host_count; i++)
        if (!s_has (all, older->hosts[i].ip))
            abort ();
    for (size_t i = 0; i < all->host_count; i++) {
        sh_bytes_t ip = all->hosts[i].ip;
        bool twice = i > 0 && ip.size == all->hosts[i - 1].ip.size
                     && memcmp (ip.data, all->hosts[i - 1].ip.data, ip.size)
                            == 0;
        if (twice || (!s_has (newer, ip) && !s_has (older, ip)))
            abort ();
    }
    s_cut_and_join (all);
    sp_merged_clear (&merged);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    int64_t delta;
    if (size < 1 + sizeof delta)
        return 0;
    size_t count = data[0] % FRAMES_MOST + 1;
    memcpy (&delta, data + 1, sizeof delta);
    data += 1 + sizeof delta;
    size -= 1 + sizeof delta;

    sp_whole_t *newer = NULL, *older = NULL;
    sp_report_t one, other;
    if (sp_whole_new (&newer) != SH_OK || sp_whole_new (&older) != SH_OK)
        abort ();
    if (s_read (newer, &one, &data, &size, count)) {
        s_cut_and_join (&one);
        if (s_read (older, &other, &data, &size, FRAMES_MOST))
            s_merge (&one, &other, delta);
    }
    sp_whole_destroy (&newer);
    sp_whole_destroy (&older);
    return 0;
}
