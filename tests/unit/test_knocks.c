/* SPDX-License-Identifier: MPL-2.0 */
/*  The list of those who knocked: what it remembers, and whom it forgets when
    it is full.  */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hub/knocks.h"

enum { MOST = 6, EACH = 2 };

static hub_knock_t s_list[MOST * 2];

static hub_knocks_t *
s_new (void)
{
    hub_knocks_t *knocks = NULL;
    assert_int_equal (hub_knocks_new (&knocks, MOST, EACH), SH_OK);
    return knocks;
}

/*  The keys of the list, which are single letters here, latest first.  */
static const char *
s_keys (hub_knocks_t *knocks)
{
    static char keys[MOST + 1];
    size_t count = hub_knocks_list (knocks, s_list, MOST * 2);
    assert_true (count <= MOST);
    for (size_t i = 0; i < count; i++)
        keys[i] = s_list[i].key[0];
    keys[count] = '\0';
    return keys;
}

static void
test_remembers (void **state)
{
    (void) state;
    hub_knocks_t *knocks = s_new ();
    assert_string_equal (s_keys (knocks), "");
    hub_knocks_note (knocks, "a", "192.0.2.1", 1000);
    hub_knocks_note (knocks, "b", "2001:db8::1", 2000);
    hub_knocks_note (knocks, "a", "192.0.2.7", 3000);
    assert_string_equal (s_keys (knocks), "ab");
    assert_string_equal (s_list[0].address, "192.0.2.7");
    assert_int_equal (s_list[0].first, 1000);
    assert_int_equal (s_list[0].last, 3000);
    assert_int_equal (s_list[0].count, 2);
    assert_int_equal (s_list[1].count, 1);
    assert_int_equal (hub_knocks_list (knocks, s_list, 1), 1);
    assert_string_equal (s_list[0].key, "a");
    hub_knocks_forget (knocks, "a");
    hub_knocks_forget (knocks, "nobody");
    assert_string_equal (s_keys (knocks), "b");
    assert_int_equal (hub_knocks_count (knocks, "a"), 0);
    assert_int_equal (hub_knocks_count (knocks, "b"), 1);
    hub_knocks_note (knocks, "b", "192.0.2.7", 3500);
    assert_string_equal (s_keys (knocks), "b");
    assert_int_equal (s_list[0].count, 2);
    hub_knocks_clear (knocks);
    assert_string_equal (s_keys (knocks), "");
    hub_knocks_note (knocks, "b", "192.0.2.1", 4000);
    assert_string_equal (s_keys (knocks), "b");
    assert_int_equal (s_list[0].count, 1);
    hub_knocks_destroy (&knocks);
    assert_null (knocks);
    hub_knocks_destroy (&knocks);
}

/*  Whoever comes with ever new keys drives out his own.  */
static void
test_each (void **state)
{
    (void) state;
    hub_knocks_t *knocks = s_new ();
    hub_knocks_note (knocks, "a", "192.0.2.1", 1);
    for (int i = 0; i < 20; i++) {
        char key[] = { (char) ('A' + i), '\0' };
        hub_knocks_note (knocks, key, "192.0.2.2", 10 + i);
    }
    assert_string_equal (s_keys (knocks), "TSa");
    /*  A key that is there already takes no new place.  */
    hub_knocks_note (knocks, "S", "192.0.2.2", 100);
    assert_string_equal (s_keys (knocks), "STa");
    hub_knocks_destroy (&knocks);
}

/*  All of a /64 is one source, an IPv4 address in IPv6's clothes is that
    address, and whatever is no address at all is one source too.  */
static void
test_sources (void **state)
{
    (void) state;
    hub_knocks_t *knocks = s_new ();
    hub_knocks_note (knocks, "a", "2001:db8:0:1::1", 1);
    hub_knocks_note (knocks, "b", "2001:db8:0:1:ffff::2", 2);
    hub_knocks_note (knocks, "c", "2001:db8:0:1:1:2:3:4", 3);
    assert_string_equal (s_keys (knocks), "cb");
    hub_knocks_note (knocks, "d", "2001:db8:0:2::1", 4);
    assert_string_equal (s_keys (knocks), "dcb");
    hub_knocks_destroy (&knocks);

    knocks = s_new ();
    hub_knocks_note (knocks, "a", "::ffff:192.0.2.1", 1);
    hub_knocks_note (knocks, "b", "192.0.2.1", 2);
    hub_knocks_note (knocks, "c", "::ffff:192.0.2.1", 3);
    hub_knocks_note (knocks, "d", "::ffff:192.0.2.2", 4);
    assert_string_equal (s_keys (knocks), "dcb");
    hub_knocks_destroy (&knocks);

    knocks = s_new ();
    hub_knocks_note (knocks, "a", "", 1);
    hub_knocks_note (knocks, "b", "no address", 2);
    hub_knocks_note (knocks, "c",
                     "a text that is much longer than any address of any "
                     "family that there is",
                     3);
    assert_string_equal (s_keys (knocks), "cb");
    assert_int_equal (strlen (s_list[0].address), HUB_KNOCK_ADDRESS - 1);
    hub_knocks_destroy (&knocks);
}

/*  A full list forgets who has not knocked for longest.  */
static void
test_full (void **state)
{
    (void) state;
    hub_knocks_t *knocks = s_new ();
    for (int i = 0; i < MOST; i++) {
        char key[] = { (char) ('a' + i), '\0' };
        char address[32];
        snprintf (address, sizeof address, "192.0.2.%d", i);
        hub_knocks_note (knocks, key, address, i);
    }
    hub_knocks_note (knocks, "a", "192.0.2.0", 50); /* b is the oldest now */
    hub_knocks_note (knocks, "z", "198.51.100.1", 60);
    assert_string_equal (s_keys (knocks), "zafedc");
    hub_knocks_destroy (&knocks);
}

static void *
s_knock_often (void *argument)
{
    for (int i = 0; i < 2000; i++) {
        char key[8], address[32];
        snprintf (key, sizeof key, "%d", i % 50);
        snprintf (address, sizeof address, "192.0.2.%d", i % 7);
        hub_knocks_note (argument, key, address, i);
        if (i % 11 == 0)
            hub_knocks_forget (argument, key);
    }
    return NULL;
}

/*  One thread writes and another reads.  */
static void
test_threads (void **state)
{
    (void) state;
    hub_knocks_t *knocks = s_new ();
    pthread_t thread;
    assert_int_equal (pthread_create (&thread, NULL, s_knock_often, knocks),
                      0);
    for (int i = 0; i < 500; i++) {
        size_t count = hub_knocks_list (knocks, s_list, MOST * 2);
        assert_true (count <= MOST);
        for (size_t at = 1; at < count; at++)
            assert_true (s_list[at - 1].last >= s_list[at].last);
    }
    pthread_join (thread, NULL);
    hub_knocks_destroy (&knocks);
}

/*  A rejected key is not noted until its time is over, and the list of such
    keys has an end.  */
static void
test_reject (void **state)
{
    (void) state;
    hub_knocks_t *knocks = s_new ();
    hub_knocks_note (knocks, "a", "192.0.2.1", 1000);
    hub_knocks_note (knocks, "b", "192.0.2.2", 1000);
    hub_knocks_reject (knocks, "a", 5000);
    assert_string_equal (s_keys (knocks), "b");
    hub_knocks_note (knocks, "a", "192.0.2.9", 4999);
    assert_string_equal (s_keys (knocks), "b");
    assert_int_equal (hub_knocks_count (knocks, "a"), 0);
    hub_knocks_note (knocks, "a", "192.0.2.9", 5000);
    assert_string_equal (s_keys (knocks), "ab");

    hub_knocks_reject (knocks, "a", 6000);
    for (int i = 0; i < HUB_REJECTED_MOST - 1; i++) {
        char key[16];
        snprintf (key, sizeof key, "k%d", i);
        hub_knocks_reject (knocks, key, 9000 + i);
    }
    hub_knocks_note (knocks, "a", "192.0.2.9", 5500);
    assert_string_equal (s_keys (knocks), "b");
    hub_knocks_reject (knocks, "one more", 20000); /* in the place of "a" */
    hub_knocks_note (knocks, "a", "192.0.2.9", 5500);
    hub_knocks_note (knocks, "k0", "192.0.2.9", 5500);
    assert_string_equal (s_keys (knocks), "ab");
    hub_knocks_destroy (&knocks);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_remembers), cmocka_unit_test (test_each),
        cmocka_unit_test (test_sources),   cmocka_unit_test (test_full),
        cmocka_unit_test (test_threads),   cmocka_unit_test (test_reject),
    };
    return cmocka_run_group_tests_name ("knocks", tests, NULL, NULL);
}
