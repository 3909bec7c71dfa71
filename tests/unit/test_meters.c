/* SPDX-License-Identifier: MPL-2.0 */
/*  Counters, times and gauges.  */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub/meters.h"

enum { THREADS = 4, ROUNDS = 5000 };

static hub_meters_t *
s_new (void)
{
    hub_meters_t *meters = NULL;
    assert_int_equal (hub_meters_new (&meters), SH_OK);
    return meters;
}

static void
test_parts_and_causes (void **state)
{
    (void) state;
    hub_meters_t *meters = s_new ();
    hub_refusals_t none = hub_meters_refusals (meters, SH_E_AGENT_UNKNOWN);
    assert_true (none.count == 0 && none.first == 0 && none.last == 0);
    hub_meters_part (meters, HUB_DOOR_CURVE, SP_APPLIED, SH_OK, 1000);
    hub_meters_part (meters, HUB_DOOR_HTTP, SP_REFUSED, SH_E_AGENT_UNKNOWN,
                     2000);
    hub_meters_part (meters, HUB_DOOR_HTTP, SP_REFUSED, SH_E_AGENT_UNKNOWN,
                     3000);
    hub_meters_part (meters, HUB_DOOR_CURVE, SP_RETRY, SH_E_DB_DOWN, 4000);
    assert_int_equal (hub_meters_parts (meters, HUB_DOOR_CURVE, SP_APPLIED), 1);
    assert_int_equal (hub_meters_parts (meters, HUB_DOOR_HTTP, SP_APPLIED), 0);
    assert_int_equal (hub_meters_parts (meters, HUB_DOOR_HTTP, SP_REFUSED), 2);
    hub_refusals_t two = hub_meters_refusals (meters, SH_E_AGENT_UNKNOWN);
    assert_true (two.count == 2 && two.first == 2000 && two.last == 3000);
    assert_int_equal (hub_meters_refusals (meters, SH_E_DB_DOWN).count, 1);
    assert_int_equal (hub_meters_refusals (meters, SH_OK).count, 0);
    hub_meters_destroy (&meters);
    assert_null (meters);
}

/*  A bound belongs to its bucket, as Prometheus's "le" has it.  */
static void
test_times_fall_into_buckets (void **state)
{
    (void) state;
    hub_meters_t *meters = s_new ();
    hub_meters_time (meters, HUB_TIME_VERDICT, -5);
    hub_meters_time (meters, HUB_TIME_VERDICT, 1);
    hub_meters_time (meters, HUB_TIME_VERDICT, 2);
    hub_meters_time (meters, HUB_TIME_VERDICT, 3);
    hub_meters_time (meters, HUB_TIME_VERDICT, 10000);
    hub_meters_time (meters, HUB_TIME_VERDICT, 10001);
    hub_times_t times = hub_meters_times (meters, HUB_TIME_VERDICT);
    assert_int_equal (times.buckets[0], 2);
    assert_int_equal (times.buckets[1], 1);
    assert_int_equal (times.buckets[2], 1);
    assert_int_equal (times.buckets[HUB_BUCKETS - 2], 1);
    assert_int_equal (times.buckets[HUB_BUCKETS - 1], 1);
    assert_int_equal (times.count, 6);
    assert_true (times.seconds > 20.006 && times.seconds < 20.008);
    assert_int_equal (
        hub_meters_times (meters, HUB_TIME_TRANSACTION).count, 0);
    hub_meters_destroy (&meters);
}

static void *
s_count (void *context)
{
    hub_meters_t *meters = context;
    for (int i = 0; i < ROUNDS; i++) {
        hub_meters_part (meters, HUB_DOOR_CURVE, SP_REFUSED, SH_E_BAD_TIME,
                         i + 1);
        hub_meters_handshake (meters, HUB_HANDSHAKE_OFTEN);
        hub_meters_time (meters, HUB_TIME_TRANSACTION, 7);
        hub_meters_set (meters, HUB_GAUGE_JOBS_OUT, 3);
    }
    return NULL;
}

static void
test_from_many_threads (void **state)
{
    (void) state;
    hub_meters_t *meters = s_new ();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal (pthread_create (&threads[i], NULL, s_count, meters),
                          0);
    for (int i = 0; i < THREADS; i++)
        pthread_join (threads[i], NULL);
    const unsigned all = THREADS * ROUNDS;
    assert_int_equal (hub_meters_refusals (meters, SH_E_BAD_TIME).count, all);
    assert_int_equal (hub_meters_handshakes (meters, HUB_HANDSHAKE_OFTEN),
                      all);
    assert_int_equal (hub_meters_times (meters, HUB_TIME_TRANSACTION).count,
                      all);
    assert_int_equal (hub_meters_get (meters, HUB_GAUGE_JOBS_OUT), 3);
    hub_meters_destroy (&meters);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_parts_and_causes),
        cmocka_unit_test (test_times_fall_into_buckets),
        cmocka_unit_test (test_from_many_threads),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
