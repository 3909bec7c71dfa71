/* SPDX-License-Identifier: MPL-2.0 */
/*  Which hub, and when.  Pure, so all times here are made up.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scanner-proto/rota.h"

#define MINUTE INT64_C (60000)
#define LEAST 0u /* random numbers: no jitter, */

/*  One that a hub has taken once.  */
static sp_rota_t
s_rota (size_t count)
{
    sp_rota_t rota;
    sp_rota_init (&rota, count, 0);
    rota.served = true;
    return rota;
}

/*  As many failures as it takes to leave a hub.  */
static void
s_leave (sp_rota_t *rota)
{
    for (int i = 0; i < SP_ROTA_FAILURES; i++)
        (void) sp_rota_end (rota, SP_ROTA_LOST, false, LEAST);
}

static void
test_moves_on_after_failures (void **state)
{
    (void) state;
    sp_rota_t rota = s_rota (3);
    assert_int_equal (sp_rota_end (&rota, SP_ROTA_LOST, false, LEAST), 200);
    assert_int_equal (sp_rota_end (&rota, SP_ROTA_LOST, false, LEAST), 400);
    assert_int_equal (rota.at, 0);
    assert_int_equal (sp_rota_end (&rota, SP_ROTA_LOST, false, LEAST), 800);
    assert_int_equal (rota.at, 1);
    s_leave (&rota);
    assert_int_equal (rota.at, 2);
    s_leave (&rota);
    assert_int_equal (rota.at, 0);
    /* nine in a row on all of them: the longest delay */
    assert_int_equal (sp_rota_end (&rota, SP_ROTA_LOST, false, LEAST), 2500);
}

/*  Until a hub has taken us, each is tried once: nobody knows which is up.  */
static void
test_moves_on_at_once_in_the_beginning (void **state)
{
    (void) state;
    sp_rota_t rota;
    sp_rota_init (&rota, 3, 0);
    for (size_t i = 1; i <= 4; i++) {
        (void) sp_rota_end (&rota, SP_ROTA_LOST, false, LEAST);
        assert_int_equal (rota.at, i % 3);
    }
    sp_rota_up (&rota, 5, LEAST);
    (void) sp_rota_end (&rota, SP_ROTA_LOST, true, LEAST);
    assert_int_equal (rota.at, 1);
}

static void
test_one_hub_is_kept (void **state)
{
    (void) state;
    sp_rota_t rota = s_rota (1);
    for (int i = 0; i < 10; i++)
        (void) sp_rota_end (&rota, SP_ROTA_LOST, false, LEAST);
    (void) sp_rota_end (&rota, SP_ROTA_LEAVING, true, LEAST);
    assert_int_equal (rota.at, 0);
    sp_rota_up (&rota, 5, LEAST);
    assert_true (rota.look_due == SP_ROTA_NEVER);
}

static void
test_steady_sessions_wipe_the_slate (void **state)
{
    (void) state;
    sp_rota_t rota = s_rota (2);
    for (int i = 0; i < 10; i++)
        assert_int_equal (sp_rota_end (&rota, SP_ROTA_LOST, true, LEAST), 200);
    assert_int_equal (rota.at, 0);
}

static void
test_denials_take_their_time (void **state)
{
    (void) state;
    sp_rota_t rota = s_rota (1);
    assert_int_equal (sp_rota_end (&rota, SP_ROTA_DENIED, false, LEAST), 800);
    for (int i = 0; i < 10; i++)
        (void) sp_rota_end (&rota, SP_ROTA_DENIED, false, LEAST);
    assert_int_equal (sp_rota_end (&rota, SP_ROTA_DENIED, false, LEAST), 30000);
}

static void
test_a_hub_that_goes_is_left_at_once (void **state)
{
    (void) state;
    sp_rota_t rota = s_rota (2);
    assert_int_equal (sp_rota_end (&rota, SP_ROTA_LEAVING, true, LEAST), 200);
    assert_int_equal (rota.at, 1);
}

static void
test_looks_at_the_preferred_hub (void **state)
{
    (void) state;
    sp_rota_t rota = s_rota (2);
    s_leave (&rota);
    assert_true (rota.look_due == SP_ROTA_NEVER); /* not before a session */
    sp_rota_up (&rota, 1000, LEAST);
    int64_t wanted[] = { 5, 10, 20, 24, 24 }, now = 1000;
    for (int i = 0; i < 5; i++) {
        assert_int_equal (rota.look_at, 0);
        assert_int_equal (rota.look_due, now + wanted[i] * MINUTE);
        now = rota.look_due;
        sp_rota_look_failed (&rota, now, LEAST);
    }
    /* a session that ends meanwhile does not make it impatient */
    (void) sp_rota_end (&rota, SP_ROTA_LOST, true, LEAST);
    assert_true (rota.look_due == SP_ROTA_NEVER);
    sp_rota_up (&rota, now, LEAST);
    assert_int_equal (rota.look_due, now + 24 * MINUTE);
    sp_rota_return (&rota);
    assert_int_equal (rota.at, 0);
    sp_rota_up (&rota, now, LEAST);
    assert_true (rota.look_due == SP_ROTA_NEVER);
}

static void
test_jitter (void **state)
{
    (void) state;
    for (unsigned round = 0; round < 12; round++) {
        for (uint32_t random = 1; random; random <<= 1) {
            sp_rota_t rota = s_rota (2);
            s_leave (&rota);
            rota.looks = round;
            sp_rota_up (&rota, 0, random);
            assert_in_range (rota.look_due, SP_RETURN_MS, SP_RETURN_MOST_MS);
        }
    }
    sp_rota_t rota = s_rota (2);
    s_leave (&rota);
    sp_rota_up (&rota, 0, (uint32_t) (SP_RETURN_MS / 4));
    assert_int_equal (rota.look_due, SP_RETURN_MS / 4 * 5);
}

/*  Who asks for longer times than we would take gets them.  */
static void
test_a_long_base_stays (void **state)
{
    (void) state;
    sp_rota_t rota;
    sp_rota_init (&rota, 2, 240 * MINUTE);
    s_leave (&rota);
    sp_rota_up (&rota, 0, LEAST);
    assert_int_equal (rota.look_due, 240 * MINUTE);
    sp_rota_look_failed (&rota, 0, LEAST);
    assert_int_equal (rota.look_due, 240 * MINUTE);
}

static void
test_a_round_takes_in_all_preferred_hubs (void **state)
{
    (void) state;
    sp_rota_t rota = s_rota (3);
    s_leave (&rota);
    s_leave (&rota);
    sp_rota_up (&rota, 0, LEAST);
    assert_int_equal (rota.look_at, 0);
    sp_rota_look_failed (&rota, 5 * MINUTE, LEAST);
    assert_int_equal (rota.look_at, 1);
    assert_int_equal (rota.look_due, 5 * MINUTE);
    sp_rota_look_failed (&rota, 6 * MINUTE, LEAST);
    assert_int_equal (rota.look_at, 0);
    assert_int_equal (rota.look_due, 16 * MINUTE);
    sp_rota_look_failed (&rota, 16 * MINUTE, LEAST);
    sp_rota_return (&rota);
    assert_int_equal (rota.at, 1);
    /* and from there on to the first */
    sp_rota_up (&rota, 16 * MINUTE, LEAST);
    assert_int_equal (rota.look_at, 0);
    assert_int_equal (rota.look_due, 36 * MINUTE);
}

/*  Return, lose the session at once, move on: each time it waits longer; a
    session that held makes it forget.  */
static void
test_no_ping_pong (void **state)
{
    (void) state;
    sp_rota_t rota = s_rota (2);
    s_leave (&rota);
    int64_t wanted[] = { 5, 10, 20, 24 };
    for (int i = 0; i < 4; i++) {
        sp_rota_up (&rota, 0, LEAST);
        assert_int_equal (rota.look_due, wanted[i] * MINUTE);
        sp_rota_return (&rota);
        s_leave (&rota);
        assert_int_equal (rota.at, 1);
    }
    sp_rota_up (&rota, 0, LEAST);
    sp_rota_return (&rota);
    (void) sp_rota_end (&rota, SP_ROTA_LOST, true, LEAST);
    s_leave (&rota);
    sp_rota_up (&rota, 0, LEAST);
    assert_int_equal (rota.look_due, 5 * MINUTE);
}

static void
test_leaves_a_hub_without_database (void **state)
{
    (void) state;
    sp_rota_t rota = s_rota (2);
    assert_false (sp_rota_verdict (&rota, SH_E_DB_DOWN, 0));
    assert_false (sp_rota_verdict (&rota, SH_E_DB_DOWN, 1 * MINUTE - 1));
    assert_false (sp_rota_verdict (&rota, SH_OK, 1 * MINUTE));
    assert_false (sp_rota_verdict (&rota, SH_E_DB_DOWN, 2 * MINUTE));
    /* these neither count nor make it forget */
    assert_false (sp_rota_verdict (&rota, SH_E_DB_BUSY, 4 * MINUTE));
    assert_false (sp_rota_verdict (&rota, SH_E_OVERLOAD, 4 * MINUTE));
    assert_false (sp_rota_verdict (&rota, SH_E_DB_SCHEMA, 4 * MINUTE));
    assert_true (sp_rota_verdict (&rota, SH_E_DB_DOWN, 4 * MINUTE));
    (void) sp_rota_end (&rota, SP_ROTA_LEAVING, true, LEAST);
    assert_int_equal (rota.at, 1);

    /* where the others have none either, it changes less and less often */
    int64_t wanted[] = { 2, 4, 8, 16, 16 }, now = 10 * MINUTE;
    for (int i = 0; i < 5; i++) {
        assert_false (sp_rota_verdict (&rota, SH_E_NOT_READY, now));
        now += wanted[i] * MINUTE;
        assert_false (sp_rota_verdict (&rota, SH_E_DB_DOWN, now - 1));
        assert_true (sp_rota_verdict (&rota, SH_E_DB_RIGHTS, now));
        (void) sp_rota_end (&rota, SP_ROTA_LEAVING, true, LEAST);
    }
    assert_false (sp_rota_verdict (&rota, SH_OK, now));
    assert_false (sp_rota_verdict (&rota, SH_E_DB_DOWN, now));
    assert_true (sp_rota_verdict (&rota, SH_E_DB_DOWN, now + MINUTE));

    /* one that goes is left at once, a single one never */
    assert_true (sp_rota_verdict (&rota, SH_E_STOPPING, now));
    rota = s_rota (1);
    assert_false (sp_rota_verdict (&rota, SH_E_STOPPING, 0));
    assert_false (sp_rota_verdict (&rota, SH_E_DB_DOWN, 0));
    assert_false (sp_rota_verdict (&rota, SH_E_DB_DOWN, 100 * MINUTE));
}

/*  A preferred hub that is there but has no database is returned to less and
    less often, until it delivers.  */
static void
test_a_return_is_good_when_it_delivers (void **state)
{
    (void) state;
    sp_rota_t rota = s_rota (2);
    (void) sp_rota_end (&rota, SP_ROTA_LEAVING, true, LEAST);
    for (int i = 0; i < 3; i++) {
        sp_rota_up (&rota, 0, LEAST);
        sp_rota_return (&rota);
        (void) sp_rota_end (&rota, SP_ROTA_LEAVING, true, LEAST);
    }
    sp_rota_up (&rota, 0, LEAST);
    assert_int_equal (rota.look_due, 24 * MINUTE);
    sp_rota_return (&rota);
    assert_false (sp_rota_verdict (&rota, SH_OK, 0));
    (void) sp_rota_end (&rota, SP_ROTA_LEAVING, true, LEAST);
    sp_rota_up (&rota, 0, LEAST);
    assert_int_equal (rota.look_due, 5 * MINUTE);
}

static void
test_backoff (void **state)
{
    (void) state;
    assert_int_equal (sp_backoff (0, 5000, 0), 200);
    assert_int_equal (sp_backoff (0, 5000, 200), 400);
    assert_int_equal (sp_backoff (1, 5000, 0), 400);
    assert_int_equal (sp_backoff (3, 5000, 0), 1600);
    assert_int_equal (sp_backoff (4, 5000, 0), 2500);
    assert_int_equal (sp_backoff (4000000000u, 5000, 2500), 5000);
    assert_int_equal (sp_backoff (4000000000u, 60000, 0), 30000);
    for (uint32_t random = 1; random; random <<= 1) {
        for (unsigned failures = 0; failures < 40; failures++)
            assert_in_range (sp_backoff (failures, 5000, random), 200, 5000);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_moves_on_after_failures),
        cmocka_unit_test (test_moves_on_at_once_in_the_beginning),
        cmocka_unit_test (test_one_hub_is_kept),
        cmocka_unit_test (test_steady_sessions_wipe_the_slate),
        cmocka_unit_test (test_denials_take_their_time),
        cmocka_unit_test (test_a_hub_that_goes_is_left_at_once),
        cmocka_unit_test (test_looks_at_the_preferred_hub),
        cmocka_unit_test (test_jitter),
        cmocka_unit_test (test_a_long_base_stays),
        cmocka_unit_test (test_a_round_takes_in_all_preferred_hubs),
        cmocka_unit_test (test_no_ping_pong),
        cmocka_unit_test (test_leaves_a_hub_without_database),
        cmocka_unit_test (test_a_return_is_good_when_it_delivers),
        cmocka_unit_test (test_backoff),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
