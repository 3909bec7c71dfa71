/* SPDX-License-Identifier: MPL-2.0 */
/*  Orders from their coming to their end, as far as no hub is needed; with one
    they are tried in tests/integration/scanner.py.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scanner/order.h"

static const uint8_t s_ids[SC_ORDERS_MOST + 1][SP_ORDER_ID]
    = { "0", "1", "2", "3", "4", "5", "6", "7", "8",
        "9", "a", "b", "c", "d", "e", "f", "g" };

static sp_scan_t
s_scan (size_t i, uint64_t subnet)
{
    return (sp_scan_t){ .id = { s_ids[i], SP_ORDER_ID },
                        .subnet = subnet,
                        .kind = SP_KIND_BOTH };
}

static void
test_room (void **state)
{
    (void) state;
    sc_orders_t orders = { 0 };
    sp_scan_t scan;
    assert_null (sc_orders_next (&orders, NULL));
    assert_int_equal (sc_orders_timeout (&orders, 0), -1);
    for (size_t i = 0; i < SC_ORDERS_MOST; i++) {
        scan = s_scan (i, i + 1);
        assert_non_null (sc_orders_add (&orders, &scan));
    }
    scan = s_scan (3, 4); /* it is known already */
    assert_ptr_equal (sc_orders_add (&orders, &scan), &orders.items[3]);
    scan = s_scan (SC_ORDERS_MOST, 99);
    assert_null (sc_orders_add (&orders, &scan));
    assert_null (sc_orders_find (&orders, scan.id));
    orders.items[5].used = false; /* told to the end */
    assert_ptr_equal (sc_orders_add (&orders, &scan), &orders.items[5]);
    assert_ptr_equal (sc_orders_find (&orders, scan.id), &orders.items[5]);
    assert_null (sc_orders_find (&orders, (sh_bytes_t){ s_ids[0], 3 }));
    assert_true (sc_orders_wait_for (&orders, 99));
    assert_false (sc_orders_wait_for (&orders, 6));
}

static void
test_turns (void **state)
{
    (void) state;
    sc_orders_t orders = { 0 };
    sp_scan_t first = s_scan (0, 1), second = s_scan (1, 2);
    sc_order_t *one = sc_orders_add (&orders, &first);
    sc_order_t *two = sc_orders_add (&orders, &second);
    assert_ptr_equal (sc_orders_next (&orders, NULL), one);
    assert_ptr_equal (sc_orders_next (&orders, one), two);
    assert_null (sc_orders_next (&orders, two));
    one->begun = true;
    assert_false (sc_orders_wait_for (&orders, 1));
    assert_ptr_equal (sc_orders_next (&orders, NULL), two);
    sc_order_end (two, SP_STATE_CANCELLED, SH_OK, NULL);
    assert_null (sc_orders_next (&orders, NULL));
    assert_null (sc_orders_find (&orders, second.id)); /* at its end */
    assert_ptr_equal (sc_orders_find (&orders, first.id), one);
}

/*  News wait a second, a new state does not.  */
static void
test_news (void **state)
{
    (void) state;
    sc_orders_t orders = { 0 };
    sp_scan_t scan = s_scan (0, 1);
    sc_order_t *one = sc_orders_add (&orders, &scan);
    assert_true (one->news);
    one->news = false;
    one->told = 5000;
    assert_int_equal (sc_orders_timeout (&orders, 5000), -1);
    sc_order_set (one, SP_STATE_WAITING, 0, 0, 0, 0);
    assert_false (one->news);
    sc_order_set (one, SP_STATE_PROBING, 0, 254, 0, 0);
    assert_true (one->news);
    assert_int_equal (one->told, 0);
    one->news = false;
    one->told = 6000;
    sc_order_set (one, SP_STATE_PROBING, 100, 254, 3, 900);
    assert_true (one->news);
    assert_int_equal (one->told, 6000);
    assert_int_equal (sc_orders_timeout (&orders, 6300), 700);
    one->news = false;
    sc_orders_renew (&orders); /* a new session knows nothing */
    assert_true (one->news);
}

static void
test_delivery (void **state)
{
    (void) state;
    sc_orders_t orders = { 0 };
    sp_scan_t scan = s_scan (0, 1), other = s_scan (1, 2);
    sc_order_t *one = sc_orders_add (&orders, &scan);
    sc_order_t *two = sc_orders_add (&orders, &other);
    sp_delivery_sum_t sum = { .seen = 5, .added = 2, .refused = 1 };
    sc_orders_delivered (&orders, 0, &sum); /* no ticket is nobody's */
    assert_int_equal (one->progress.state, SP_STATE_WAITING);
    one->ticket = 7;
    two->ticket = 8;
    sc_orders_delivered (&orders, 7, &sum);
    assert_int_equal (one->progress.state, SP_STATE_DONE);
    assert_int_equal (one->progress.seen, 5);
    assert_int_equal (one->progress.added, 2);
    assert_int_equal (one->progress.refused, 1);
    assert_string_equal (one->cause, "");
    /* the report went into a later one of the same subnet, which went to disk
       from memory */
    sc_orders_reported (&orders, 2, 6);
    sc_orders_moved (&orders, 6, 9);
    sc_orders_delivered (&orders, 6, &sum);
    assert_int_equal (two->progress.state, SP_STATE_WAITING);
    sum = (sp_delivery_sum_t){ .cause = "subnet-unknown",
                               .text = "no such subnet" };
    sc_orders_delivered (&orders, 9, &sum);
    assert_int_equal (two->progress.state, SP_STATE_FAILED);
    assert_string_equal (two->cause, "subnet-unknown");
    assert_string_equal (two->text, "no such subnet");
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_room),
        cmocka_unit_test (test_turns),
        cmocka_unit_test (test_news),
        cmocka_unit_test (test_delivery),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
