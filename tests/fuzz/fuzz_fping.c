/* SPDX-License-Identifier: MPL-2.0 */
/*  fping's lines: of the input, cut where the first byte says, one part is its
    standard output and the other its standard error.  */

#include <stdlib.h>

#include "scanner/fping_text.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const sh_addr_t s_canary = { .family = 4, .bytes = { 127, 0, 0, 1 } };

static void
s_read (const sc_job_t *job, const uint8_t *data, size_t cut, size_t size)
{
    sc_result_t result = { 0 };
    sc_fping_text_t *text = NULL;
    if (sc_fping_text_new (&text, &result, job, &s_canary, sh_clock_system ())
        != SH_OK)
        return;
    sc_fping_text_feed (text, data, cut);
    sc_fping_text_feed_errors (text, data + cut, size - cut);
    uint64_t asked = sh_ranges_count (job->ranges);
    if (sc_fping_text_done (text) > asked || result.count > asked)
        abort ();
    sh_why_t why;
    bool whole = sc_fping_text_finish (text, &why) == SH_OK;
    if (whole && sh_ranges_count (&result.missed) >= asked)
        abort ();
    for (size_t i = 0; i < result.count; i++) {
        if (!sh_ranges_contain (job->ranges, &result.hosts[i].ip)
            || sh_ranges_contain (&result.missed, &result.hosts[i].ip))
            abort ();
    }
    for (size_t i = 0; i < result.missed.count; i++) {
        if (!sh_ranges_contain (job->ranges, &result.missed.items[i].first)
            || !sh_ranges_contain (job->ranges, &result.missed.items[i].last))
            abort ();
    }
    sc_fping_text_destroy (&text);
    sc_result_clear (&result);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t cut = data[0] == 0 ? size - 1 : (size - 1) * (255u - data[0]) / 255;
    sh_ranges_t ranges = { 0 };
    sh_addr_t low = { .family = 4, .bytes = { 10 } };
    sh_addr_t high = { .family = 4, .bytes = { 10, 0, 0, 7 } };
    if (sh_ranges_add (&ranges, &low, &high) == SH_OK)
        s_read (&(sc_job_t){ .ranges = &ranges }, data + 1, cut, size - 1);
    sh_ranges_clear (&ranges);
    return 0;
}
