/* SPDX-License-Identifier: MPL-2.0 */
/*  One key on two machines, and what only looks like it.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub/clones.h"

#define A "192.0.2.1 40000"
#define A2 "192.0.2.1 40002"
#define B "198.51.100.7 1234"
#define C "203.0.113.9 99"
#define MINUTE 60000

static void
test_two_machines_take_turns (void **state)
{
    (void) state;
    hub_clones_t clones = { .turns = 0 };
    assert_false (hub_clones_note (&clones, A, B, 1 * MINUTE));
    assert_false (hub_clones_note (&clones, B, A2, 2 * MINUTE));
    assert_false (hub_clones_current (&clones, 2 * MINUTE));
    assert_true (hub_clones_note (&clones, "::ffff:" A, B, 3 * MINUTE));
    assert_true (hub_clones_current (&clones, 3 * MINUTE));
    assert_string_equal (clones.older, "192.0.2.1");
    assert_string_equal (clones.newer, "198.51.100.7");
    /*  It goes on: counted, and told once an hour.  */
    assert_false (hub_clones_note (&clones, B, A, 4 * MINUTE));
    assert_int_equal (clones.times, 2);
    for (int64_t at = 5; at < 63; at++)
        assert_false (hub_clones_note (&clones, at % 2 ? A : B,
                                       at % 2 ? B : A, at * MINUTE));
    assert_true (hub_clones_note (&clones, A, B, 63 * MINUTE));
    assert_true (hub_clones_current (&clones, 122 * MINUTE));
    assert_false (hub_clones_current (&clones, 124 * MINUTE));
}

static void
test_one_machine_moves (void **state)
{
    (void) state;
    static const struct
    {
        const char *older, *newer;
        int64_t at;
    } steps[] = {
        { A, A2, 1 },  /* reconnects */
        { A2, A, 2 },  { A, A2, 3 },  { A2, A, 4 },
        { A, B, 5 },   /* another network */
        { B, C, 6 },   /* and another */
        { C, A, 7 },
        { A, B, 8 },   /* there and back */
        { B, A, 9 },
        { A, B, 25 },  /* and again, but much later */
        { B, A, 26 },
        { "", B, 27 }, /* nobody knows from where */
        { A, "", 28 },
    };
    hub_clones_t clones = { .turns = 0 };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        assert_false (hub_clones_note (&clones, steps[i].older,
                                       steps[i].newer, steps[i].at * MINUTE));
    assert_int_equal (clones.times, 0);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_two_machines_take_turns),
        cmocka_unit_test (test_one_machine_moves),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
