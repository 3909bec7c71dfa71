/* SPDX-License-Identifier: MPL-2.0 */
/*  Ordered scans: whose word counts, and when one is over.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "hub/orders.h"

#define NOW 1000

static hub_orders_t *s_orders;

static int
s_setup (void **state)
{
    (void) state;
    return sodium_init () < 0 || hub_orders_new (&s_orders) != SH_OK ? -1 : 0;
}

static int
s_teardown (void **state)
{
    (void) state;
    hub_orders_destroy (&s_orders);
    return s_orders != NULL;
}

static sh_err_t
s_try (uint64_t subnet, const char *key, int64_t now, hub_order_t **out)
{
    hub_order_t what = { .subnet = subnet, .kind = SP_KIND_CHECK,
                         .cidr = "10.0.0.0/24", .scanner = "site-a" };
    snprintf (what.key, sizeof what.key, "%s", key);
    return hub_orders_open (s_orders, &what, now, out);
}

static hub_order_t *
s_open (uint64_t subnet, const char *key, int64_t now)
{
    hub_order_t *order = NULL;
    assert_int_equal (s_try (subnet, key, now, &order), SH_OK);
    assert_int_equal (order->subnet, subnet);
    assert_int_equal (order->state, HUB_ORDER_SENT);
    return order;
}

static hub_order_t *
s_say (const hub_order_t *order, const char *key, int state, int64_t now)
{
    const sp_progress_t word = { .id = { order->id, SP_ORDER_ID },
                                 .state = state,
                                 .done = 3,
                                 .total = 9,
                                 .up = 2 };
    return hub_orders_take (s_orders, key, &word, now);
}

static void
test_words (void **state)
{
    (void) state;
    hub_order_t *order = s_open (7, "key-a", NOW);
    assert_string_equal (order->scanner, "site-a");
    assert_int_equal (order->kind, SP_KIND_CHECK);
    assert_int_equal (strlen (order->name), 9);
    assert_ptr_equal (hub_orders_find (s_orders, order->name), order);
    assert_ptr_equal (hub_orders_of (s_orders, 7), order);
    assert_null (hub_orders_of (s_orders, 8));
    assert_null (hub_orders_find (s_orders, "s00"));

    /*  Another's word, and one about nothing.  */
    assert_null (s_say (order, "key-b", SP_STATE_DONE, NOW));
    hub_order_t other = *order;
    other.id[15] ^= 1;
    assert_null (s_say (&other, "key-a", SP_STATE_DONE, NOW));
    sp_progress_t word = { .id = { order->id, 15 }, .state = SP_STATE_DONE };
    assert_null (hub_orders_take (s_orders, "key-a", &word, NOW));
    word = (sp_progress_t){ .id = { order->id, 16 }, .state = SP_STATE_COUNT };
    assert_null (hub_orders_take (s_orders, "key-a", &word, NOW));
    word.state = -1;
    assert_null (hub_orders_take (s_orders, "key-a", &word, NOW));
    assert_int_equal (order->state, HUB_ORDER_SENT);

    order->away = order->greeted = NOW;
    assert_ptr_equal (s_say (order, "key-a", SP_STATE_PROBING, NOW + 5), order);
    assert_int_equal (order->state, HUB_ORDER_PROBING);
    assert_int_equal (order->heard, NOW + 5);
    assert_true (order->away == 0 && order->greeted == 0);
    assert_true (order->done == 3 && order->total == 9 && order->up == 2);
    assert_true (hub_order_is_open (order));
    assert_ptr_equal (s_say (order, "key-a", SP_STATE_DONE, NOW + 6), order);
    assert_int_equal (order->ended, NOW + 6);
    assert_null (s_say (order, "key-a", SP_STATE_PROBING, NOW + 7));
    assert_int_equal (order->state, HUB_ORDER_DONE);
}

/*  Texts of a peer are cut, and a cause is one of ours or none.  */
static void
test_texts (void **state)
{
    (void) state;
    char text[SP_LONG_TEXT_MOST + 1];
    memset (text, 'x', sizeof text);
    text[SP_LONG_TEXT_MOST] = '\0';
    hub_order_t *order = s_open (7, "key-a", NOW);
    sp_progress_t word = { .id = { order->id, SP_ORDER_ID },
                           .state = SP_STATE_FAILED,
                           .cause = "scan-running",
                           .text = text };
    assert_ptr_equal (hub_orders_take (s_orders, "key-a", &word, NOW), order);
    assert_string_equal (order->cause, "scan-running");
    assert_int_equal (strlen (order->text), HUB_ORDER_TEXT - 1);
    order = s_open (7, "key-a", NOW);
    word.id.data = order->id;
    memcpy (&text[HUB_ORDER_TEXT - 2], "\xc3\xbc", 2); /* the place of both */
    assert_ptr_equal (hub_orders_take (s_orders, "key-a", &word, NOW), order);
    assert_int_equal (strlen (order->text), HUB_ORDER_TEXT - 2);
    text[HUB_ORDER_TEXT - 3] = '\xc3';
    text[HUB_ORDER_TEXT - 2] = '\xbc';
    text[HUB_ORDER_TEXT - 1] = 'x';
    order = s_open (7, "key-a", NOW);
    word.id.data = order->id;
    assert_ptr_equal (hub_orders_take (s_orders, "key-a", &word, NOW), order);
    assert_int_equal (strlen (order->text), HUB_ORDER_TEXT - 1);
    order = s_open (7, "key-a", NOW);
    word.id.data = order->id;
    word.cause = "my own cause";
    assert_ptr_equal (hub_orders_take (s_orders, "key-a", &word, NOW), order);
    assert_string_equal (order->cause, "internal");
}

static void
test_one_for_a_subnet (void **state)
{
    (void) state;
    hub_order_t *first = s_open (7, "key-a", NOW), *met = NULL;
    assert_int_equal (s_try (7, "key-b", NOW, &met), SH_E_SCAN_RUNNING);
    assert_ptr_equal (met, first);
    s_open (8, "key-a", NOW);
    hub_order_end (first, HUB_ORDER_FAILED, NOW, SH_E_TIMEOUT, "why");
    assert_string_equal (first->cause, "timeout");
    hub_order_t *second = s_open (7, "key-a", NOW);
    assert_string_not_equal (second->name, first->name);
    assert_ptr_equal (hub_orders_at (s_orders, 0), second);
    assert_ptr_equal (hub_orders_at (s_orders, 2), first);
    assert_null (hub_orders_at (s_orders, 3));
}

static void
test_bounds (void **state)
{
    (void) state;
    hub_order_t *met = NULL;
    for (unsigned i = 1; i <= HUB_ORDERS_MOST; i++)
        s_open (i, "key-a", NOW);
    assert_int_equal (s_try (1000, "key-a", NOW, &met), SH_E_OVERLOAD);
    assert_null (met);
    /*  Room is made at the cost of the one that was over first.  */
    hub_order_end (hub_orders_of (s_orders, 9), HUB_ORDER_DONE, NOW + 2, SH_OK,
                   "");
    hub_order_end (hub_orders_of (s_orders, 5), HUB_ORDER_DONE, NOW + 1, SH_OK,
                   "");
    s_open (1000, "key-a", NOW + 3);
    bool five = false, nine = false;
    for (size_t i = 0; (met = hub_orders_at (s_orders, i)); i++) {
        five |= met->subnet == 5;
        nine |= met->subnet == 9;
    }
    assert_true (nine && !five);
    s_open (1001, "key-a", NOW + 3);
    assert_int_equal (s_try (1002, "key-a", NOW + 3, &met), SH_E_OVERLOAD);
}

static void
s_expect_lost (const hub_order_t *order, int64_t at, const char *cause)
{
    hub_orders_expire (s_orders, at - 1);
    assert_true (hub_order_is_open (order));
    hub_orders_expire (s_orders, at);
    assert_int_equal (order->state, HUB_ORDER_LOST);
    assert_string_equal (order->cause, cause);
    assert_true (order->text[0] != '\0');
}

static void
test_overdue (void **state)
{
    (void) state;
    /*  No word at all.  */
    hub_order_t *order = s_open (1, "key-a", NOW);
    s_expect_lost (order, NOW + HUB_ORDER_ANSWER_MS, "timeout");
    /*  But one that comes late still counts.  */
    assert_ptr_equal (s_say (order, "key-a", SP_STATE_PROBING, NOW + 50000),
                      order);
    assert_true (hub_order_is_open (order));
    assert_int_equal (order->ended, 0);
    s_expect_lost (order, NOW + HUB_ORDER_LONGEST_MS, "timeout");
    hub_orders_expire (s_orders, NOW + HUB_ORDER_LONGEST_MS
                                     + HUB_ORDER_KEPT_MS);
    assert_null (hub_orders_at (s_orders, 0));

    /*  Away: nothing else counts then.  */
    order = s_open (2, "key-a", NOW);
    order->away = NOW + 10;
    s_expect_lost (order, NOW + 10 + HUB_ORDER_AWAY_MS, "disconnected");

    /*  Back, and silent about it.  */
    order = s_open (3, "key-a", NOW);
    assert_non_null (s_say (order, "key-a", SP_STATE_PROBING, NOW));
    order->greeted = NOW + 20;
    s_expect_lost (order, NOW + 20 + HUB_ORDER_GREETED_MS, "disconnected");
}

/*  A word counts if it does not lead back.  */
static void
test_forward (void **state)
{
    (void) state;
    hub_order_t *order = s_open (1, "key-a", NOW);
    assert_non_null (s_say (order, "key-a", SP_STATE_PROBING, NOW + 1));
    assert_null (s_say (order, "key-a", SP_STATE_WAITING, NOW + 2));
    assert_int_equal (order->state, HUB_ORDER_PROBING);
    assert_int_equal (order->heard, NOW + 1);
    assert_non_null (s_say (order, "key-a", SP_STATE_PROBING, NOW + 3));
    assert_non_null (s_say (order, "key-a", SP_STATE_REPORTING, NOW + 4));
    /*  Nor after it was lost.  */
    hub_order_end (order, HUB_ORDER_LOST, NOW + 5, SH_E_TIMEOUT, "why");
    assert_null (s_say (order, "key-a", SP_STATE_PROBING, NOW + 6));
    assert_non_null (s_say (order, "key-a", SP_STATE_REPORTING, NOW + 7));
    assert_true (hub_order_is_open (order));
    /*  Nor beside another order of the subnet.  */
    hub_order_end (order, HUB_ORDER_LOST, NOW + 8, SH_E_TIMEOUT, "why");
    hub_order_t *other = s_open (1, "key-a", NOW + 9);
    assert_null (s_say (order, "key-a", SP_STATE_REPORTING, NOW + 10));
    assert_ptr_equal (hub_orders_of (s_orders, 1), other);
    assert_non_null (s_say (order, "key-a", SP_STATE_DONE, NOW + 11));
    assert_int_equal (order->state, HUB_ORDER_DONE);
}

/*  What a scanner says moves no limit.  */
static void
test_limits (void **state)
{
    (void) state;
    static const int64_t limits[] = { HUB_ORDER_LONGEST_MS,
                                      HUB_ORDER_CANCEL_MS };
    static const char *const causes[] = { "timeout", "cancelled" };
    for (uint64_t i = 0; i < 2; i++) {
        hub_order_t *order = s_open (i + 1, "key-a", NOW);
        order->cancel = i == 1 ? NOW : 0;
        int64_t end = NOW + limits[i];
        assert_non_null (s_say (order, "key-a", SP_STATE_PROBING, end - 1));
        s_expect_lost (order, end, causes[i]);
        assert_null (s_say (order, "key-a", SP_STATE_PROBING, end + 1));
        assert_int_equal (order->state, HUB_ORDER_LOST);
        assert_null (hub_orders_of (s_orders, i + 1));
        /*  But how it ended is good to know.  */
        assert_non_null (s_say (order, "key-a", SP_STATE_CANCELLED, end + 2));
        assert_int_equal (order->state, HUB_ORDER_CANCELLED);
    }
    /*  Being away is no way around them.  */
    hub_order_t *order = s_open (3, "key-a", NOW);
    order->away = order->cancel = NOW;
    s_expect_lost (order, NOW + HUB_ORDER_CANCEL_MS, "cancelled");
}

static void
test_forgotten (void **state)
{
    (void) state;
    hub_order_t *order = s_open (1, "key-a", NOW);
    assert_non_null (s_say (order, "key-a", SP_STATE_DONE, NOW + 5));
    hub_orders_expire (s_orders, NOW + 5 + HUB_ORDER_KEPT_MS - 1);
    assert_ptr_equal (hub_orders_at (s_orders, 0), order);
    hub_orders_expire (s_orders, NOW + 5 + HUB_ORDER_KEPT_MS);
    assert_null (hub_orders_at (s_orders, 0));
}

int
main (void)
{
#define CASE(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests[] = {
        CASE (test_words),   CASE (test_texts),   CASE (test_one_for_a_subnet),
        CASE (test_bounds),  CASE (test_overdue), CASE (test_forgotten),
        CASE (test_forward), CASE (test_limits),
    };
    return cmocka_run_group_tests_name ("orders", tests, NULL, NULL);
}
