/* SPDX-License-Identifier: MPL-2.0 */
/*  Wall-clock text and the clocks.  The epochs were worked out apart from the
    code, with Python's zoneinfo.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/clock.h"
#include "lib/walltime.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

/*  2026-03-29 01:00 and 2026-10-25 01:00 UTC: Berlin's two nights.  */
#define BERLIN_SPRING INT64_C (1774746000)
#define BERLIN_AUTUMN INT64_C (1792890000)

/*  Only a test may change zones in mid-flight: it has one thread.  */
static void
s_set_zone (const char *name)
{
    if (name)
        assert_int_equal (setenv ("TZ", name, 1), 0);
    else
        assert_int_equal (unsetenv ("TZ"), 0);
    tzset ();
}

static int
s_reset (void **state)
{
    (void) state;
    unsetenv ("TZDIR");
    s_set_zone ("UTC0");
    return 0;
}

static void
s_assert_at (sh_zone_t zone, int64_t epoch, const char *expected)
{
    sh_wall_t wall;
    sh_wall_at (&wall, zone, epoch);
    assert_string_equal (wall.text, expected);
}

static void
s_assert_latest (int64_t epoch, const char *expected)
{
    sh_wall_t wall;
    sh_wall_latest (&wall, SH_ZONE_LOCAL, epoch);
    assert_string_equal (wall.text, expected);
}

static void
test_utc (void **state)
{
    (void) state;
    s_set_zone ("Europe/Berlin");
    s_assert_at (SH_ZONE_UTC, 86400, "1970-01-02 00:00:00");
    s_assert_at (SH_ZONE_UTC, 1774746000, "2026-03-29 01:00:00");
    s_assert_at (SH_ZONE_UTC, 1709210096, "2024-02-29 12:34:56");
    s_assert_at (SH_ZONE_UTC, SH_EPOCH_MAX, "2038-01-18 03:14:07");
    assert_int_equal (sh_zone_offset (SH_ZONE_UTC, 1774746000), 0);
    sh_wall_t wall;
    sh_wall_latest (&wall, SH_ZONE_UTC, BERLIN_AUTUMN);
    assert_string_equal (wall.text, "2026-10-25 01:00:00");
}

static void
test_clamp (void **state)
{
    (void) state;
    static const int64_t low[] = { INT64_MIN, -1, 0, 86399 };
    static const int64_t high[]
        = { SH_EPOCH_MAX + 1, INT64_C (2147483648), INT64_MAX };
    sh_wall_t wall;
    for (size_t i = 0; i < COUNT (low); i++) {
        s_assert_at (SH_ZONE_UTC, low[i], "1970-01-02 00:00:00");
        sh_wall_latest (&wall, SH_ZONE_UTC, low[i]);
        assert_string_equal (wall.text, "1970-01-02 00:00:00");
    }
    for (size_t i = 0; i < COUNT (high); i++) {
        s_assert_at (SH_ZONE_UTC, high[i], "2038-01-18 03:14:07");
        sh_wall_latest (&wall, SH_ZONE_UTC, high[i]);
        assert_string_equal (wall.text, "2038-01-18 03:14:07");
    }
    /*  The farthest zones still show four digits of a year within 1970.  */
    s_set_zone ("Pacific/Kiritimati");
    s_assert_at (SH_ZONE_LOCAL, SH_EPOCH_MAX, "2038-01-18 17:14:07");
    s_set_zone ("Etc/GMT+12");
    s_assert_at (SH_ZONE_LOCAL, SH_EPOCH_MIN, "1970-01-01 12:00:00");
}

static void
test_berlin_spring (void **state)
{
    (void) state;
    s_set_zone ("Europe/Berlin");
    assert_int_equal (sh_zone_offset (SH_ZONE_LOCAL, BERLIN_SPRING - 1), 3600);
    assert_int_equal (sh_zone_offset (SH_ZONE_LOCAL, BERLIN_SPRING), 7200);
    s_assert_at (SH_ZONE_LOCAL, BERLIN_SPRING - 1, "2026-03-29 01:59:59");
    s_assert_at (SH_ZONE_LOCAL, BERLIN_SPRING, "2026-03-29 03:00:00");
    s_assert_latest (BERLIN_SPRING - 1, "2026-03-29 01:59:59");
    s_assert_latest (BERLIN_SPRING, "2026-03-29 03:00:00");
    s_assert_latest (BERLIN_SPRING + 7200, "2026-03-29 05:00:00");
}

static void
test_berlin_autumn (void **state)
{
    (void) state;
    s_set_zone ("Europe/Berlin");
    s_assert_at (SH_ZONE_LOCAL, BERLIN_AUTUMN - 1, "2026-10-25 02:59:59");
    s_assert_at (SH_ZONE_LOCAL, BERLIN_AUTUMN, "2026-10-25 02:00:00");
    s_assert_at (SH_ZONE_LOCAL, BERLIN_AUTUMN + 3600, "2026-10-25 03:00:00");

    s_assert_latest (BERLIN_AUTUMN - 3601, "2026-10-25 01:59:59");
    s_assert_latest (BERLIN_AUTUMN - 3600, "2026-10-25 02:00:00");
    s_assert_latest (BERLIN_AUTUMN - 1, "2026-10-25 02:59:59");
    /*  The repeated hour: the greatest text stands still.  */
    s_assert_latest (BERLIN_AUTUMN, "2026-10-25 02:59:59");
    s_assert_latest (BERLIN_AUTUMN + 1, "2026-10-25 02:59:59");
    s_assert_latest (BERLIN_AUTUMN + 1800, "2026-10-25 02:59:59");
    s_assert_latest (BERLIN_AUTUMN + 3598, "2026-10-25 02:59:59");
    s_assert_latest (BERLIN_AUTUMN + 3599, "2026-10-25 02:59:59");
    s_assert_latest (BERLIN_AUTUMN + 3600, "2026-10-25 03:00:00");
    s_assert_latest (BERLIN_AUTUMN + 7200, "2026-10-25 04:00:00");
    s_assert_latest (BERLIN_AUTUMN + 86400, "2026-10-26 02:00:00");
}

/*  Its clocks move by half an hour: 02:00 +11 becomes 01:30 +10:30.  */
static void
test_lord_howe (void **state)
{
    (void) state;
    const int64_t step = INT64_C (1775314800); /* 2026-04-04 15:00 UTC */
    s_set_zone ("Australia/Lord_Howe");
    assert_int_equal (sh_zone_offset (SH_ZONE_LOCAL, step - 1), 39600);
    assert_int_equal (sh_zone_offset (SH_ZONE_LOCAL, step), 37800);
    s_assert_latest (step - 1, "2026-04-05 01:59:59");
    s_assert_at (SH_ZONE_LOCAL, step, "2026-04-05 01:30:00");
    s_assert_latest (step, "2026-04-05 01:59:59");
    s_assert_latest (step + 1799, "2026-04-05 01:59:59");
    s_assert_latest (step + 1800, "2026-04-05 02:00:00");
    s_assert_latest (step + 3600, "2026-04-05 02:30:00");
}

static void
test_new_york (void **state)
{
    (void) state;
    const int64_t spring = INT64_C (1772953200); /* 2026-03-08 07:00 UTC */
    const int64_t autumn = INT64_C (1793512800); /* 2026-11-01 06:00 UTC */
    s_set_zone ("America/New_York");
    assert_int_equal (sh_zone_offset (SH_ZONE_LOCAL, spring - 1), -18000);
    s_assert_at (SH_ZONE_LOCAL, spring - 1, "2026-03-08 01:59:59");
    s_assert_at (SH_ZONE_LOCAL, spring, "2026-03-08 03:00:00");
    s_assert_latest (autumn - 1, "2026-11-01 01:59:59");
    s_assert_at (SH_ZONE_LOCAL, autumn, "2026-11-01 01:00:00");
    s_assert_latest (autumn, "2026-11-01 01:59:59");
    s_assert_latest (autumn + 3599, "2026-11-01 01:59:59");
    s_assert_latest (autumn + 3600, "2026-11-01 02:00:00");
}

/*  The largest step back since 1970: Casey, 2010-03-05, from +11 to +8.  */
static void
test_three_hours (void **state)
{
    (void) state;
    const int64_t step = INT64_C (1267714800);
    s_set_zone ("Antarctica/Casey");
    assert_int_equal (sh_zone_offset (SH_ZONE_LOCAL, step - 1), 39600);
    assert_int_equal (sh_zone_offset (SH_ZONE_LOCAL, step), 28800);
    s_assert_latest (step, "2010-03-05 01:59:59");
    s_assert_at (SH_ZONE_LOCAL, step + 10798, "2010-03-05 01:59:58");
    s_assert_latest (step + 10798, "2010-03-05 01:59:59");
    s_assert_latest (step + 10800, "2010-03-05 02:00:00");
}

/*  What the name promises, over a whole night: never less than any clock text
    up to then.  */
static void
test_latest_is_greatest (void **state)
{
    (void) state;
    s_set_zone ("Europe/Berlin");
    char greatest[20] = "";
    for (int64_t at = BERLIN_AUTUMN - 4 * 3600; at < BERLIN_AUTUMN + 4 * 3600;
         at += 7) {
        sh_wall_t now, latest;
        sh_wall_at (&now, SH_ZONE_LOCAL, at);
        sh_wall_latest (&latest, SH_ZONE_LOCAL, at);
        if (strcmp (now.text, greatest) > 0)
            memcpy (greatest, now.text, sizeof greatest);
        assert_true (strcmp (latest.text, greatest) >= 0);
        assert_true (strcmp (latest.text, now.text) >= 0);
    }
}

static void
test_adopt (void **state)
{
    (void) state;
    sh_why_t why;
    assert_int_equal (sh_zone_adopt ("Europe/Berlin", &why), SH_OK);
    assert_string_equal (getenv ("TZ"), "Europe/Berlin");
    s_assert_at (SH_ZONE_LOCAL, BERLIN_SPRING, "2026-03-29 03:00:00");
    assert_int_equal (sh_zone_adopt ("UTC", &why), SH_OK);
    s_assert_at (SH_ZONE_LOCAL, BERLIN_SPRING, "2026-03-29 01:00:00");
    assert_int_equal (sh_zone_adopt ("America/Argentina/Ushuaia", NULL), SH_OK);
    s_assert_at (SH_ZONE_LOCAL, BERLIN_SPRING, "2026-03-28 22:00:00");
    assert_int_equal (sh_zone_adopt ("Etc/GMT+1", NULL), SH_OK);
    s_assert_at (SH_ZONE_LOCAL, BERLIN_SPRING, "2026-03-29 00:00:00");
}

static void
test_adopt_refuses (void **state)
{
    (void) state;
    static const char *const names[] = {
        "", " ", "Europe/Berlln", "Europe", "Europe/", "/Europe/Berlin",
        "/usr/share/zoneinfo/Europe/Berlin", "../zoneinfo/Europe/Berlin",
        "Europe/../Europe/Berlin", ":Europe/Berlin", "Europe/Berlin ",
        "CET-1CEST", "<+01>-1", "zone.tab", "tzdata.zi", "utc0", "UTC0",
        "Europe/Berlin\n", "Europe/B\xc3\xa9rlin",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    s_set_zone ("Europe/Berlin");
    for (size_t i = 0; i < COUNT (names); i++) {
        sh_why_t why = { "" };
        if (sh_zone_adopt (names[i], &why) != SH_E_CONFIG)
            fail_msg ("'%s' should be refused", names[i]);
        assert_non_null (strstr (why.text, "unknown time zone"));
        assert_null (strchr (why.text, '\n'));
    }
    /*  What was is still in force.  */
    assert_string_equal (getenv ("TZ"), "Europe/Berlin");
    s_assert_at (SH_ZONE_LOCAL, BERLIN_SPRING, "2026-03-29 03:00:00");
}

/*  $TZDIR takes the place of the system's directory, as it does in glibc.  */
static void
test_adopt_tzdir (void **state)
{
    (void) state;
    assert_int_equal (setenv ("TZDIR", "/nonexistent", 1), 0);
    assert_int_equal (sh_zone_adopt ("Europe/Berlin", NULL), SH_E_CONFIG);
    assert_int_equal (sh_zone_adopt ("UTC", NULL), SH_OK);
    assert_int_equal (setenv ("TZDIR", "/usr/share/zoneinfo/Europe", 1), 0);
    assert_int_equal (sh_zone_adopt ("Berlin", NULL), SH_OK);
    s_assert_at (SH_ZONE_LOCAL, BERLIN_SPRING, "2026-03-29 03:00:00");
    /*  A file that is there but holds no zone.  */
    assert_int_equal (setenv ("TZDIR", "/etc", 1), 0);
    assert_int_equal (sh_zone_adopt ("passwd", NULL), SH_E_CONFIG);
}

static void
test_guess (void **state)
{
    (void) state;
    const int64_t summer = INT64_C (1782900000);
    const int64_t winter = INT64_C (1767300000);
    s_set_zone ("Europe/Berlin");
    assert_int_equal (sh_zone_guess (7200, summer), SH_ZONE_LOCAL);
    assert_int_equal (sh_zone_guess (3600, winter), SH_ZONE_LOCAL);
    assert_int_equal (sh_zone_guess (3600, summer), SH_ZONE_UTC);
    assert_int_equal (sh_zone_guess (0, summer), SH_ZONE_UTC);
    assert_int_equal (sh_zone_guess (-7200, summer), SH_ZONE_UTC);
    s_set_zone ("Europe/London");
    assert_int_equal (sh_zone_guess (0, winter), SH_ZONE_UTC);
    assert_int_equal (sh_zone_guess (3600, summer), SH_ZONE_LOCAL);
    s_set_zone ("America/New_York");
    assert_int_equal (sh_zone_guess (-14400, summer), SH_ZONE_LOCAL);
}

static void
test_never (void **state)
{
    (void) state;
    static const char *const never[]
        = { NULL, "", "0000-00-00", "0000-00-00 00:00:00",
            "1970-01-01 00:00:01", "1970-01-01 01:00:00" };
    static const char *const some[]
        = { "1970-01-01 00:00:00", "1970-01-01 00:00:02", "1970-01-01 02:00:00",
            "2026-03-29 03:00:00", "0000-00-01 00:00:00", " ", "0",
            "1970-01-01", "1970-01-01 00:00:01 " };
    for (size_t i = 0; i < COUNT (never); i++)
        assert_true (sh_wall_is_never (never[i]));
    for (size_t i = 0; i < COUNT (some); i++)
        assert_false (sh_wall_is_never (some[i]));
}

/*  Back from the text, but for the hour that runs twice.  */
static void
test_epoch (void **state)
{
    (void) state;
    static const char *const wrong[]
        = { "", "0000-00-00 00:00:00", "1970-01-01 00:00:01", "nonsense",
            "2026-06-01", "2026-06-01 12:00:00.5", "2026-13-01 12:00:00" };
    int64_t epoch = 7;
    for (size_t i = 0; i < COUNT (wrong); i++)
        assert_false (sh_wall_epoch (&epoch, SH_ZONE_UTC, wrong[i]));
    assert_false (sh_wall_epoch (&epoch, SH_ZONE_UTC, NULL));
    assert_int_equal (epoch, 7);
    assert_true (sh_wall_epoch (&epoch, SH_ZONE_UTC, "2026-06-01 12:00:00"));
    assert_int_equal (epoch, 1780315200);
    s_set_zone ("Europe/Berlin");
    assert_true (sh_wall_epoch (&epoch, SH_ZONE_LOCAL, "2026-06-01 14:00:00"));
    assert_int_equal (epoch, 1780315200);
    assert_true (sh_wall_epoch (&epoch, SH_ZONE_UTC, "2026-06-01 12:00:00"));
    assert_int_equal (epoch, 1780315200);
    assert_true (
        sh_wall_epoch (&epoch, SH_ZONE_LOCAL, "2026-10-25 02:30:00"));
    assert_true (epoch == BERLIN_AUTUMN - 1800
                 || epoch == BERLIN_AUTUMN + 1800);
}

static void
test_clock (void **state)
{
    (void) state;
    const sh_clock_t *clock = sh_clock_system ();
    int64_t before = (int64_t) time (NULL);
    int64_t wall = sh_clock_wall (clock);
    int64_t after = (int64_t) time (NULL);
    /*  time(2) may lag the precise clock by a tick.  */
    assert_true (wall >= before * 1000 && wall < (after + 2) * 1000);

    int64_t first = sh_clock_mono (clock);
    const struct timespec nap = { 0, 20 * 1000000 };
    nanosleep (&nap, NULL);
    int64_t second = sh_clock_mono (clock);
    assert_true (first > 0);
    assert_true (second - first >= 20 && second - first < 20000);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup (test_utc, s_reset),
        cmocka_unit_test_setup (test_clamp, s_reset),
        cmocka_unit_test_setup (test_berlin_spring, s_reset),
        cmocka_unit_test_setup (test_berlin_autumn, s_reset),
        cmocka_unit_test_setup (test_lord_howe, s_reset),
        cmocka_unit_test_setup (test_new_york, s_reset),
        cmocka_unit_test_setup (test_three_hours, s_reset),
        cmocka_unit_test_setup (test_latest_is_greatest, s_reset),
        cmocka_unit_test_setup (test_epoch, s_reset),
        cmocka_unit_test_setup (test_adopt, s_reset),
        cmocka_unit_test_setup (test_adopt_refuses, s_reset),
        cmocka_unit_test_setup (test_adopt_tzdir, s_reset),
        cmocka_unit_test_setup (test_guess, s_reset),
        cmocka_unit_test (test_never),
        cmocka_unit_test (test_clock),
    };
    return cmocka_run_group_tests_name ("walltime", tests, NULL, NULL);
}
