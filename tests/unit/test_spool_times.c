/* SPDX-License-Identifier: MPL-2.0 */
/*  The spool over time: merging, clocks that are set, reboots, boards that
    start in 1970.  The clock of the test is a machine that knows the true time
    and shows another.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "scanner-proto/spool.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define T INT64_C (1795347954000) /* 2026-11-22 11:45:54 UTC */
#define MINUTE INT64_C (60000)
#define HOUR (60 * MINUTE)
#define AT_1970 INT64_MIN /* a board without a clock */

static char s_dir[64], s_path[80];

/*  The machine.  The hub's clock is the true time.  */
static struct
{
    int64_t truth;   /* epoch ms */
    int64_t booted;  /* the true time of the last boot */
    int64_t ahead;   /* what its wall clock is ahead of the truth */
    int boots;
    char boot[SH_BOOT_TEXT];
    sh_clock_t clock;
    sp_spool_t *spool;
} s_machine;

static int64_t
s_wall (void *context)
{
    (void) context;
    return s_machine.truth + s_machine.ahead;
}

static int64_t
s_mono (void *context)
{
    (void) context;
    return s_machine.truth - s_machine.booted;
}

static void
s_open (void)
{
    sh_why_t why = { "" };
    if (sp_spool_open (&s_machine.spool, s_path, SP_SPOOL_DEFAULT_MOST,
                       &s_machine.clock, &why)
        != SH_OK)
        fail_msg ("%s", why.text);
}

/*  A boot after 'off' ms without power; then the clock is ahead by 'ahead'.  */
static void
s_reboot (int64_t off, int64_t ahead)
{
    sp_spool_close (&s_machine.spool);
    s_machine.truth += off;
    s_machine.booted = s_machine.truth;
    s_machine.ahead = ahead == AT_1970 ? -s_machine.truth : ahead;
    snprintf (s_machine.boot, sizeof s_machine.boot, "boot-%d",
              ++s_machine.boots);
    s_open ();
}

static int
s_setup (void **state)
{
    (void) state;
    snprintf (s_dir, sizeof s_dir, "/tmp/scanhub-times-XXXXXX");
    if (!mkdtemp (s_dir))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/spool", s_dir);
    memset (&s_machine, 0, sizeof s_machine);
    s_machine.truth = T;
    s_machine.clock = (sh_clock_t){ s_wall, s_mono, NULL, s_machine.boot };
    s_reboot (0, 0);
    return 0;
}

static int
s_teardown (void **state)
{
    (void) state;
    static const char *const tails[] = { "", "-wal", "-shm" };
    sp_spool_close (&s_machine.spool);
    for (size_t i = 0; i < COUNT (tails); i++) {
        char path[100];
        snprintf (path, sizeof path, "%s%s", s_path, tails[i]);
        unlink (path);
    }
    return rmdir (s_dir);
}

/*  Scan now and put: the hosts whose last bytes are in 'found'.  */
static void
s_scan_as (const char *found, sp_kind_t kind, uint64_t hint)
{
    static uint8_t bytes[256][4];
    sp_host_t hosts[256];
    static sp_range_t all = { { (const uint8_t *) "\x0a\0\0\x01", 4 },
                              { (const uint8_t *) "\x0a\0\0\xfe", 4 } };
    size_t count = strlen (found);
    int64_t now = sh_clock_wall (&s_machine.clock);
    for (size_t i = 0; i < count; i++) {
        memcpy (bytes[i], "\x0a\0\0", 3);
        bytes[i][3] = (uint8_t) found[i];
        hosts[i] = (sp_host_t){ .ip = { bytes[i], 4 }, .seen = now };
    }
    sp_report_t report = { .subnet = hint ? 0 : 7, .code = "site-a",
                           .hint = hint == UINT64_MAX ? 0 : hint,
                           .cidr = "10.0.0.0/24", .kind = (int) kind,
                           .started = now, .finished = now, .hosts = hosts,
                           .host_count = count, .complete = true, .up = count,
                           .covered = &all, .covered_count = 1 };
    assert_int_equal (sp_spool_put (s_machine.spool, "", &report,
                                    sh_clock_epoch (&s_machine.clock), NULL),
                      SH_OK);
}

static void
s_scan (const char *found)
{
    s_scan_as (found, SP_KIND_BOTH, 0);
}

/*  A hub is there.  */
static void
s_meet_hub (void)
{
    int64_t offset = s_machine.truth - sh_clock_wall (&s_machine.clock);
    if (llabs (offset) < SP_OFFSET_IGNORED_MS)
        offset = 0;
    assert_int_equal (sp_spool_note_hub (s_machine.spool, offset), SH_OK);
}

/*  What the hub would take down, in ms relative to T: "start hosts... ;" for
    each report, '!' for old hosts, '~' for one that covers nothing.  */
static const char *
s_deliver (void)
{
    static char text[2048];
    size_t used = 0;
    sp_spooled_t *one;
    text[0] = '\0';
    while (sp_spool_next (s_machine.spool, 0, &one) == SH_OK) {
        assert_int_equal (sp_spool_fix (s_machine.spool, one), SH_OK);
        int64_t off = one->report.off;
        off = llabs (off) < SP_OFFSET_IGNORED_MS ? 0 : off;
        used += (size_t) snprintf (
            text + used, sizeof text - used, "%lld%s",
            (long long) (one->report.started + off - T),
            one->report.covered_count ? "" : "~");
        for (size_t i = 0; i < one->report.host_count; i++)
            used += (size_t) snprintf (
                text + used, sizeof text - used, " %c@%lld%s",
                one->report.hosts[i].ip.data[3],
                (long long) (one->report.hosts[i].seen + off - T),
                one->report.hosts[i].old ? "!" : "");
        used += (size_t) snprintf (text + used, sizeof text - used, ";");
        assert_int_equal (sp_spool_remove (s_machine.spool, one->row), SH_OK);
        sp_spooled_destroy (&one);
    }
    assert_int_equal (sp_spool_depth (s_machine.spool), 0);
    assert_int_equal (sp_spool_bytes (s_machine.spool), 0);
    return text;
}

static void
s_pass (int64_t ms)
{
    s_machine.truth += ms;
}

static void
test_merged (void **state)
{
    (void) state;
    s_scan ("ab");
    s_pass (MINUTE);
    s_scan ("bc");
    s_pass (MINUTE);
    s_scan ("c");
    assert_int_equal (sp_spool_depth (s_machine.spool), 1);
    s_meet_hub ();
    assert_string_equal (s_deliver (),
                         "120000 a@0! b@60000! c@120000;");
}

/*  A week without a hub: as large as the network, not as the week.  */
static void
test_does_not_grow (void **state)
{
    (void) state;
    uint64_t most = 0, least = UINT64_MAX;
    for (int i = 0; i < 2016; i++) {
        s_scan (i % 2 ? "abcdefgh" : "efghijkl");
        s_pass (5 * MINUTE);
        uint64_t bytes = sp_spool_bytes (s_machine.spool);
        if (i > 0 && bytes > most)
            most = bytes;
        if (i > 0 && bytes < least)
            least = bytes;
    }
    assert_int_equal (sp_spool_depth (s_machine.spool), 1);
    assert_int_equal (most, least);
}

/*  What is on its way stays as it is; what gave up its way is merged again.  */
static void
test_held (void **state)
{
    (void) state;
    sp_spooled_t *one;
    s_scan ("a");
    assert_int_equal (sp_spool_next (s_machine.spool, 0, &one), SH_OK);
    assert_int_equal (sp_spool_hold (s_machine.spool, one->row), SH_OK);
    s_pass (MINUTE);
    s_scan ("b");
    s_pass (MINUTE);
    s_scan ("c");
    assert_int_equal (sp_spool_depth (s_machine.spool), 2);
    sp_spool_release (s_machine.spool, one->row);
    sp_spooled_destroy (&one);
    s_pass (MINUTE);
    s_scan ("d");
    assert_int_equal (sp_spool_depth (s_machine.spool), 1);
    s_meet_hub ();
    assert_string_equal (s_deliver (),
                         "180000 a@0! b@60000! c@120000! d@180000;");
}

/*  Two kinds of scan take turns: each kind is one report, in the order of their
    newest, and a scan does not take the start of one before the other kind's.
 */
static void
test_kinds (void **state)
{
    (void) state;
    s_scan_as ("a", SP_KIND_DISCOVER, 0);
    s_pass (MINUTE);
    s_scan_as ("b", SP_KIND_CHECK, 0);
    s_pass (MINUTE);
    s_scan_as ("c", SP_KIND_DISCOVER, 0);
    s_pass (MINUTE);
    s_scan_as ("d", SP_KIND_CHECK, 0);
    assert_int_equal (sp_spool_depth (s_machine.spool), 2);
    s_meet_hub ();
    assert_string_equal (
        s_deliver (), "120000 a@0! c@120000;180000 b@60000! d@180000;");
}

/*  Legacy reports of one network: those that name another subnet's id are of
    another row, and nothing passes by them; an empty one names none.  */
#define NO_HINT UINT64_MAX
static void
test_hints (void **state)
{
    (void) state;
    s_scan_as ("a", SP_KIND_BOTH, 7);
    s_pass (MINUTE);
    s_scan_as ("", SP_KIND_BOTH, NO_HINT);
    assert_int_equal (sp_spool_depth (s_machine.spool), 1);
    s_pass (MINUTE);
    s_scan_as ("b", SP_KIND_BOTH, NO_HINT);
    assert_int_equal (sp_spool_depth (s_machine.spool), 2);
    s_pass (MINUTE);
    s_scan_as ("c", SP_KIND_BOTH, 7);
    s_pass (MINUTE);
    s_scan_as ("d", SP_KIND_BOTH, 7);
    assert_int_equal (sp_spool_depth (s_machine.spool), 3);
    s_meet_hub ();
    assert_string_equal (
        s_deliver (), "60000 a@0!;120000 b@120000;240000 c@180000! d@240000;");
}

/*  Times of the hub's own stay what they are, whatever is done to our clock.  */
static void
test_hubs_own_times (void **state)
{
    (void) state;
    static uint8_t ip[] = { 10, 0, 0, 'a' };
    for (int i = 0; i < 2; i++) {
        sp_host_t host = { .ip = { ip, 4 }, .seen = s_machine.truth };
        sp_report_t report = { .subnet = 7, .cidr = "10.0.0.0/24",
                               .kind = SP_KIND_BOTH,
                               .started = s_machine.truth,
                               .finished = s_machine.truth, .hosts = &host,
                               .host_count = i == 0, .complete = true };
        assert_int_equal (sp_spool_put (s_machine.spool, "", &report,
                                        SP_EPOCH_HUB, NULL),
                          SH_OK);
        s_machine.ahead += 5 * HOUR;
        s_pass (MINUTE);
    }
    s_reboot (HOUR, AT_1970);
    s_meet_hub ();
    assert_string_equal (s_deliver (), "60000~ a@0!;");
}

/*  Somebody sets the clock between scans and before the hub is back.  */
static void
test_clock_set (void **state)
{
    (void) state;
    s_machine.ahead = -3 * HOUR;
    s_scan ("a");
    s_pass (MINUTE);
    s_machine.ahead = 0;
    s_scan ("b");
    s_pass (MINUTE);
    s_machine.ahead = 48 * HOUR;
    s_meet_hub ();
    assert_string_equal (s_deliver (), "60000 a@0! b@60000;");
}

/*  The offset is decided once: whoever sends again sends the same.  */
static void
test_decided_once (void **state)
{
    (void) state;
    s_machine.ahead = HOUR;
    s_scan ("a");
    s_meet_hub ();
    sp_spooled_t *one;
    assert_int_equal (sp_spool_next (s_machine.spool, 0, &one), SH_OK);
    assert_int_equal (sp_spool_fix (s_machine.spool, one), SH_OK);
    assert_int_equal (one->report.off, -HOUR);
    sp_spooled_destroy (&one);

    s_pass (MINUTE);
    s_machine.ahead = 5 * HOUR;
    sp_spool_close (&s_machine.spool);
    s_open ();
    s_meet_hub ();
    assert_int_equal (sp_spool_next (s_machine.spool, 0, &one), SH_OK);
    assert_true (one->fixed);
    assert_int_equal (sp_spool_fix (s_machine.spool, one), SH_OK);
    assert_int_equal (one->report.off, -HOUR);
    sp_spooled_destroy (&one);
}

/*  A board without a clock that has met a hub since it started knows the time
    of what it scanned, also after it was switched off.  */
static void
test_boot_that_met_a_hub (void **state)
{
    (void) state;
    s_reboot (HOUR, AT_1970);
    s_pass (MINUTE);
    s_meet_hub ();
    s_pass (MINUTE);
    s_scan ("a"); /* at T + 1:02 */
    s_reboot (HOUR, AT_1970);
    s_pass (MINUTE);
    s_meet_hub ();
    assert_string_equal (s_deliver (), "3720000 a@3720000;");
    /* both boots in one, when both are known */
    s_scan ("b");
    s_reboot (HOUR, AT_1970);
    s_pass (MINUTE);
    s_meet_hub ();
    s_scan ("c");
    assert_int_equal (sp_spool_depth (s_machine.spool), 1);
    assert_string_equal (s_deliver (), "11040000 b@7380000! c@11040000;");
}

/*  Without a hub in the whole boot nobody knows how its clock went.  One that
    made sense is believed, but its report proves nothing.  */
static void
test_weak (void **state)
{
    (void) state;
    s_meet_hub ();
    s_reboot (HOUR, 0);
    s_pass (MINUTE);
    s_scan ("a"); /* at T + 1:01 */
    s_reboot (HOUR, 0);
    s_pass (MINUTE);
    s_scan ("b"); /* at T + 2:02 */
    assert_int_equal (sp_spool_depth (s_machine.spool), 2);
    s_meet_hub ();
    assert_string_equal (s_deliver (),
                         "3660000~ a@3660000!;7320000 b@7320000;");
}

/*  One that started in 1970: not before a hub was met last, and not after.  */
static void
test_weak_1970 (void **state)
{
    (void) state;
    s_pass (MINUTE);
    s_meet_hub ();
    s_reboot (HOUR, AT_1970);
    s_pass (MINUTE);
    s_scan ("a");
    s_reboot (HOUR, 0); /* this time it got the time from somewhere */
    s_pass (MINUTE);
    s_meet_hub ();
    assert_string_equal (s_deliver (), "60000~ a@60000!;");
    /* the decision is on disk */
    s_reboot (HOUR, AT_1970);
    s_scan ("a");
    s_reboot (HOUR, 0);
    s_meet_hub ();
    sp_spooled_t *one;
    assert_int_equal (sp_spool_next (s_machine.spool, 0, &one), SH_OK);
    assert_int_equal (sp_spool_fix (s_machine.spool, one), SH_OK);
    int64_t seen = one->report.hosts[0].seen;
    sp_spooled_destroy (&one);
    s_reboot (HOUR, 7 * HOUR);
    s_meet_hub ();
    assert_int_equal (sp_spool_next (s_machine.spool, 0, &one), SH_OK);
    assert_int_equal (sp_spool_fix (s_machine.spool, one), SH_OK);
    assert_int_equal (one->report.hosts[0].seen, seen);
    assert_true (one->report.hosts[0].old != 0);
    assert_int_equal (one->report.off, 0);
    sp_spooled_destroy (&one);
}

/*  A clock that was ahead: what it says cannot have been after the next boot. */
static void
test_weak_ahead (void **state)
{
    (void) state;
    s_meet_hub ();
    s_reboot (HOUR, 100 * HOUR);
    s_scan ("a");
    s_reboot (HOUR, 0);
    s_meet_hub ();
    assert_string_equal (s_deliver (), "0~ a@0!;");
}

/*  A spool that never knew a hub at all.  */
static void
test_weak_from_the_beginning (void **state)
{
    (void) state;
    s_reboot (0, AT_1970);
    s_scan ("a");
    s_reboot (HOUR, AT_1970);
    s_pass (MINUTE);
    s_meet_hub ();
    char text[64];
    const char *got = s_deliver ();
    int64_t floor = INT64_C (1767225600000) - T;
    snprintf (text, sizeof text, "%lld~ a@%lld!;", (long long) floor,
              (long long) floor);
    assert_string_equal (got, text);
}

/*  In memory it is the same, but for the end of the process.  */
static void
test_in_memory (void **state)
{
    (void) state;
    sp_spool_close (&s_machine.spool);
    assert_int_equal (sp_spool_open (&s_machine.spool, NULL, 1000,
                                     &s_machine.clock, NULL),
                      SH_OK);
    s_scan ("a");
    s_pass (MINUTE);
    s_scan ("b");
    assert_int_equal (sp_spool_depth (s_machine.spool), 1);
    s_meet_hub ();
    assert_string_equal (s_deliver (), "60000 a@0! b@60000;");
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (test_merged),
        TEST (test_does_not_grow),
        TEST (test_held),
        TEST (test_kinds),
        TEST (test_hints),
        TEST (test_hubs_own_times),
        TEST (test_clock_set),
        TEST (test_decided_once),
        TEST (test_boot_that_met_a_hub),
        TEST (test_weak),
        TEST (test_weak_1970),
        TEST (test_weak_ahead),
        TEST (test_weak_from_the_beginning),
        TEST (test_in_memory),
    };
    return cmocka_run_group_tests_name ("spool-times", tests, NULL, NULL);
}
