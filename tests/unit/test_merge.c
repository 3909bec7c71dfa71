/* SPDX-License-Identifier: MPL-2.0 */
/*  Merging: what of two scans of a subnet is still worth telling.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scanner-proto/merge.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define T INT64_C (1760000000000)
#define IP(last) { (const uint8_t *) "\x0a\0\0" last, 4 }

static sp_range_t s_all[] = { { IP ("\x01"), IP ("\xfe") } };

static sp_report_t
s_report (int64_t started, bool complete, sp_host_t *hosts, size_t count)
{
    return (sp_report_t){ .subnet = 7,
                          .cidr = "10.0.0.0/24",
                          .kind = SP_KIND_BOTH,
                          .started = started,
                          .finished = started + 1000,
                          .hosts = hosts,
                          .host_count = count,
                          .complete = complete,
                          .up = count,
                          .covered = complete ? s_all : NULL,
                          .covered_count = complete ? 1 : 0 };
}

static bool s_with_scans; /* behind '!' the begin of the earlier scan */

/*  "5@100 7@-50!(name,mac) ", times relative to T.  */
static const char *
s_text (const sp_report_t *report)
{
    static char text[1024];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < report->host_count; i++) {
        const sp_host_t *host = &report->hosts[i];
        used += (size_t) snprintf (
            text + used, sizeof text - used, "%d@%lld%s", host->ip.data[3],
            (long long) (host->seen - T), host->old ? "!" : "");
        if (host->old && s_with_scans)
            used += (size_t) snprintf (text + used, sizeof text - used, "%lld",
                                       (long long) (host->old - T));
        if (host->name || host->mac)
            used += (size_t) snprintf (text + used, sizeof text - used,
                                       "(%s,%s)", host->name ? host->name : "",
                                       host->mac ? host->mac : "");
        used += (size_t) snprintf (text + used, sizeof text - used, " ");
    }
    return text;
}

static void
s_expect (const sp_report_t *newer, const sp_report_t *older, int64_t delta,
          const char *hosts, int64_t started, uint64_t up)
{
    sp_merged_t merged;
    assert_int_equal (sp_merge (&merged, newer, older, delta, false), SH_OK);
    assert_string_equal (s_text (&merged.report), hosts);
    assert_int_equal (merged.report.started, started);
    assert_int_equal (merged.report.finished, started + 1000);
    assert_int_equal (merged.report.up, up);
    bool complete = newer->complete || older->complete;
    assert_int_equal (merged.report.complete, complete);
    assert_int_equal (merged.report.covered_count, complete ? 1 : 0);
    sp_merged_clear (&merged);
    assert_null (merged.hosts);
}

/*  The newest complete scan, and what it did not find any more.  */
static void
test_two_scans (void **state)
{
    (void) state;
    sp_host_t before[] = { { .ip = IP ("\x05"), .seen = T - 100 },
                           { .ip = IP ("\x09"), .seen = T - 90 },
                           { .ip = IP ("\x07"), .seen = T - 80 } };
    sp_host_t now[] = { { .ip = IP ("\x08"), .seen = T + 10 },
                        { .ip = IP ("\x05"), .seen = T + 20 } };
    sp_report_t older = s_report (T - 200, true, before, COUNT (before));
    sp_report_t newer = s_report (T, true, now, COUNT (now));
    s_expect (&newer, &older, 0, "5@20 7@-80! 8@10 9@-90! ", T, 2);
    /* the same with clocks that differ */
    s_expect (&newer, &older, 60, "5@20 7@-20! 8@10 9@-30! ", T, 2);
    /* an older scan that was broken off */
    older = s_report (T - 200, false, before, COUNT (before));
    s_expect (&newer, &older, 0, "5@20 7@-80! 8@10 9@-90! ", T, 2);
}

/*  A scan that was broken off tells of hosts, but not of silence; what was
    complete before stays so.  */
static void
test_newer_broken_off (void **state)
{
    (void) state;
    sp_host_t before[] = { { .ip = IP ("\x05"), .seen = T - 100 },
                           { .ip = IP ("\x07"), .seen = T - 300, .old = T - 400 },
                           { .ip = IP ("\x06"), .seen = T - 300, .old = T - 400 } };
    sp_host_t now[] = { { .ip = IP ("\x07"), .seen = T + 10 },
                        { .ip = IP ("\x08"), .seen = T + 10 } };
    sp_report_t older = s_report (T - 200, true, before, COUNT (before));
    sp_report_t newer = s_report (T, false, now, COUNT (now));
    s_expect (&newer, &older, 0, "5@-100 6@-300! 7@10 8@10 ", T - 200, 3);
    s_expect (&newer, &older, 5, "5@-95 6@-295! 7@10 8@10 ", T - 195, 3);
    /* none was complete */
    older = s_report (T - 200, false, before, COUNT (before));
    s_expect (&newer, &older, 0, "5@-100! 6@-300! 7@10 8@10 ", T, 2);
}

static void
test_texts (void **state)
{
    (void) state;
    sp_host_t before[] = {
        { .ip = IP ("\x05"), .seen = T - 100, .name = "was", .mac = "m1" },
        { .ip = IP ("\x06"), .seen = T - 100, .name = "only" },
        { .ip = IP ("\x07"), .seen = T - 100, .mac = "m3" },
    };
    sp_host_t now[] = {
        { .ip = IP ("\x05"), .seen = T + 20, .name = "is" },
        { .ip = IP ("\x06"), .seen = T + 20 },
    };
    sp_report_t older = s_report (T - 200, true, before, COUNT (before));
    sp_report_t newer = s_report (T, true, now, COUNT (now));
    s_expect (&newer, &older, 0, "5@20(is,m1) 6@20(only,) 7@-100!(,m3) ", T,
              2);
}

/*  Each host keeps the begin of the scan that found it.  */
static void
test_scans (void **state)
{
    (void) state;
    sp_host_t before[] = {
        { .ip = IP ("\x05"), .seen = T - 100 },
        { .ip = IP ("\x06"), .seen = T - 350, .old = T - 400 },
    };
    sp_report_t older = s_report (T - 200, true, before, COUNT (before));
    sp_report_t newer = s_report (T, true, NULL, 0);
    s_with_scans = true;
    s_expect (&newer, &older, 0, "5@-100!-200 6@-350!-400 ", T, 0);
    s_expect (&newer, &older, 10, "5@-90!-190 6@-340!-390 ", T, 0);
    s_with_scans = false;
}

/*  One address twice in a scan: the latest sighting, as the hub has it.  */
static void
test_twice (void **state)
{
    (void) state;
    sp_host_t before[] = { { .ip = IP ("\x05"), .seen = T - 100 },
                           { .ip = IP ("\x05"), .seen = T - 90 } };
    sp_host_t now[] = { { .ip = IP ("\x06"), .seen = T + 1 },
                        { .ip = IP ("\x06"), .seen = T + 3 },
                        { .ip = IP ("\x06"), .seen = T + 2 } };
    sp_report_t older = s_report (T - 200, true, before, COUNT (before));
    sp_report_t newer = s_report (T, true, now, COUNT (now));
    s_expect (&newer, &older, 0, "5@-90! 6@3 ", T, 3);
}

static void
test_nobody (void **state)
{
    (void) state;
    sp_host_t before[] = { { .ip = IP ("\x05"), .seen = T - 100 } };
    sp_report_t older = s_report (T - 200, true, before, 1);
    sp_report_t newer = s_report (T, true, NULL, 0);
    s_expect (&newer, &older, 0, "5@-100! ", T, 0);
    older = s_report (T - 200, true, NULL, 0);
    s_expect (&newer, &older, 0, "", T, 0);
}

/*  Where another kind of scan came between, the newer one is the base.  */
static void
test_newest (void **state)
{
    (void) state;
    sp_host_t before[] = { { .ip = IP ("\x05"), .seen = T - 100 } };
    sp_host_t now[] = { { .ip = IP ("\x07"), .seen = T + 10 } };
    sp_report_t older = s_report (T - 200, true, before, 1);
    sp_report_t newer = s_report (T, false, now, 1);
    sp_merged_t merged;
    assert_int_equal (sp_merge (&merged, &newer, &older, 0, true), SH_OK);
    assert_string_equal (s_text (&merged.report), "5@-100! 7@10 ");
    assert_int_equal (merged.report.started, T);
    assert_false (merged.report.complete);
    assert_int_equal (merged.report.covered_count, 0);
    sp_merged_clear (&merged);
}

/*  Times that no clock shows do not wrap around.  */
static void
test_no_overflow (void **state)
{
    (void) state;
    sp_host_t before[] = { { .ip = IP ("\x05"), .seen = INT64_MAX } };
    sp_report_t older = s_report (0, true, before, 1);
    sp_report_t newer = s_report (T, true, NULL, 0);
    sp_merged_t merged;
    assert_int_equal (sp_merge (&merged, &newer, &older, INT64_MAX,
                                false), SH_OK);
    assert_int_equal (merged.report.hosts[0].seen, INT64_MAX);
    sp_merged_clear (&merged);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_two_scans),
        cmocka_unit_test (test_newer_broken_off),
        cmocka_unit_test (test_texts),
        cmocka_unit_test (test_scans),
        cmocka_unit_test (test_twice),
        cmocka_unit_test (test_nobody),
        cmocka_unit_test (test_newest),
        cmocka_unit_test (test_no_overflow),
    };
    return cmocka_run_group_tests_name ("merge", tests, NULL, NULL);
}
