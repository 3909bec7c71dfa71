/* SPDX-License-Identifier: MPL-2.0 */
/*  When a part that found no room is told to come back.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hub/turns.h"

#define NOW 5000000

/*  A worker that takes 2 ms for a job.  */
static hub_turns_t
s_working (void)
{
    hub_turns_t turns = { 0 };
    for (int i = 0; i < 100; i++) {
        hub_turns_begin (&turns, NOW - 32);
        hub_turns_end (&turns, 16, NOW);
    }
    return turns;
}

/*  Four fifths of the wanted time, for scanners add up to a half.  */
static void
test_one_after_the_other (void **state)
{
    (void) state;
    hub_turns_t turns = s_working ();
    for (int i = 0; i < 50; i++) {
        int64_t wanted = 64 * 2 / 2 + i * 2;
        assert_int_equal (hub_turns_give (&turns, 64, NOW), wanted * 4 / 5);
    }
}

static void
test_turns_that_are_over (void **state)
{
    (void) state;
    hub_turns_t turns = s_working ();
    for (int i = 0; i < 50; i++)
        (void) hub_turns_give (&turns, 64, NOW);
    /*  164 ms were given away; 100 later 64 of them are left, 1,000 later
        none.  */
    assert_int_equal (hub_turns_give (&turns, 64, NOW + 100), 64 * 4 / 5);
    assert_int_equal (hub_turns_give (&turns, 64, NOW + 1000), 64 * 4 / 5);
    assert_int_equal (hub_turns_give (&turns, 64, NOW + 1000), 66 * 4 / 5);
}

/*  It counts how the worker gets on now.  */
static void
test_pace_follows (void **state)
{
    (void) state;
    hub_turns_t turns = s_working ();
    for (int i = 0; i < 50; i++) {
        hub_turns_begin (&turns, NOW);
        hub_turns_end (&turns, 1, NOW + 100);
    }
    int64_t told = hub_turns_give (&turns, 10, NOW);
    assert_in_range (told, 10 * 98 / 2 * 4 / 5, 10 * 100 / 2 * 4 / 5);
}

/*  Jobs that take no time that can be measured are no division by zero, and
    nobody is asked back at once.  */
static void
test_at_least (void **state)
{
    (void) state;
    hub_turns_t turns = { 0 };
    hub_turns_begin (&turns, NOW);
    hub_turns_end (&turns, 16, NOW);
    assert_int_equal (hub_turns_give (&turns, 64, NOW), 10);
}

/*  However many have been told to stay away; and the turns of those who were
    told the most are not given away, so that they do not add up.  */
static void
test_at_most (void **state)
{
    (void) state;
    hub_turns_t turns = s_working ();
    int64_t told = 0;
    for (int i = 0; i < 100000; i++)
        told = hub_turns_give (&turns, 64, NOW);
    assert_int_equal (told, HUB_TURNS_MOST_MS);
    told = hub_turns_give (&turns, 64, NOW + 2 * HUB_TURNS_MOST_MS);
    assert_int_equal (told, 64 * 4 / 5);
}

/*  Nobody knows, then: soon enough for when it goes on.  */
static void
test_stuck (void **state)
{
    (void) state;
    hub_turns_t fresh = { 0 }, turns = s_working ();
    assert_int_equal (hub_turns_give (&fresh, 64, NOW), HUB_TURNS_STUCK_MS);
    hub_turns_begin (&turns, NOW);
    assert_int_equal (hub_turns_give (&turns, 64, NOW + 999), 64 * 4 / 5);
    for (int i = 0; i < 10000; i++)
        assert_int_equal (hub_turns_give (&turns, 64, NOW + 1000),
                          HUB_TURNS_STUCK_MS);
    hub_turns_end (&turns, 16, NOW + 12000);
    assert_int_equal (hub_turns_give (&turns, 64, NOW + 12000), 64 * 4 / 5);
}

/*  At nothing for long is not stuck.  */
static void
test_idle (void **state)
{
    (void) state;
    hub_turns_t turns = s_working ();
    assert_int_equal (hub_turns_give (&turns, 64, NOW + 3600 * 1000),
                      64 * 4 / 5);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_one_after_the_other),
        cmocka_unit_test (test_turns_that_are_over),
        cmocka_unit_test (test_pace_follows),
        cmocka_unit_test (test_at_least),
        cmocka_unit_test (test_at_most),
        cmocka_unit_test (test_stuck),
        cmocka_unit_test (test_idle),
    };
    cmocka_set_message_output (CM_OUTPUT_TAP);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
