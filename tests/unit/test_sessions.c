/* SPDX-License-Identifier: MPL-2.0 */
/*  The table of sessions: one per key, walking while closing, and the parts
    that are being worked.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hub/sessions.h"

/*  Z85 keys are case-sensitive and full of odd characters.  */
#define KEY_A "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define KEY_B "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yF7"

static hub_sessions_t *
s_new (void)
{
    hub_sessions_t *sessions = NULL;
    assert_int_equal (hub_sessions_new (&sessions), SH_OK);
    return sessions;
}

static void
test_one_per_key (void **state)
{
    (void) state;
    hub_sessions_t *sessions = s_new ();
    assert_null (hub_sessions_find (sessions, KEY_A));
    hub_session_t *a = hub_sessions_open (sessions, KEY_A);
    assert_non_null (a);
    assert_string_equal (a->key, KEY_A);
    assert_string_equal (a->name, "");
    assert_int_equal (a->route_size, 0);
    assert_int_equal (a->heard, 0);
    assert_int_equal (a->touched, 0);
    a->heard = 42;
    assert_ptr_equal (hub_sessions_open (sessions, KEY_A), a);
    assert_int_equal (a->heard, 42);
    assert_int_equal (hub_sessions_size (sessions), 1);

    hub_session_t *b = hub_sessions_open (sessions, KEY_B);
    assert_ptr_not_equal (a, b);
    assert_int_equal (hub_sessions_size (sessions), 2);
    assert_ptr_equal (hub_sessions_find (sessions, KEY_A), a);
    assert_ptr_equal (hub_sessions_find (sessions, KEY_B), b);

    hub_sessions_close (sessions, KEY_A);
    assert_null (hub_sessions_find (sessions, KEY_A));
    assert_ptr_equal (hub_sessions_find (sessions, KEY_B), b);
    hub_sessions_close (sessions, KEY_A);
    assert_int_equal (hub_sessions_size (sessions), 1);
    /*  Opened again it begins anew.  */
    assert_int_equal (hub_sessions_open (sessions, KEY_A)->heard, 0);
    hub_sessions_destroy (&sessions);
    assert_null (sessions);
    hub_sessions_destroy (&sessions);
}

/*  Walked are first those of which a touch is due, then those that were touched
    longest ago; the one at hand may be touched or closed.  */
static void
test_order (void **state)
{
    (void) state;
    static const char *const keys[] = { "one", "two", "three", "four" };
    hub_sessions_t *sessions = s_new ();
    for (int i = 0; i < 3; i++)
        hub_sessions_touch (sessions, hub_sessions_open (sessions, keys[i]),
                            1 + i);
    hub_sessions_open (sessions, keys[3]);
    hub_session_t *one = hub_sessions_first (sessions);
    assert_string_equal (one->key, "four");
    hub_sessions_touch (sessions, one, 4);
    assert_int_equal (one->touched, 4);
    one = hub_sessions_next (sessions);
    assert_string_equal (one->key, "one");
    one = hub_sessions_next (sessions);
    assert_string_equal (one->key, "two");
    hub_sessions_close (sessions, one->key);
    assert_string_equal (hub_sessions_next (sessions)->key, "three");
    assert_string_equal (hub_sessions_next (sessions)->key, "four");
    assert_null (hub_sessions_next (sessions));
    assert_string_equal (hub_sessions_first (sessions)->key, "one");
    hub_sessions_touch (sessions, hub_sessions_find (sessions, "four"), 0);
    assert_string_equal (hub_sessions_first (sessions)->key, "four");
    hub_sessions_close_all (sessions);
    assert_null (hub_sessions_next (sessions));
    assert_null (hub_sessions_first (sessions));
    assert_non_null (hub_sessions_open (sessions, "five"));
    assert_string_equal (hub_sessions_first (sessions)->key, "five");
    hub_sessions_destroy (&sessions);
}

/*  When a key was last heard stays known when its session is gone.  */
static void
test_last_heard (void **state)
{
    (void) state;
    hub_sessions_t *sessions = s_new ();
    assert_int_equal (hub_sessions_last_heard (sessions, KEY_A), -1);
    hub_sessions_open (sessions, KEY_A)->heard = 42;
    assert_int_equal (hub_sessions_last_heard (sessions, KEY_A), 42);
    hub_sessions_close (sessions, KEY_A);
    assert_int_equal (hub_sessions_last_heard (sessions, KEY_A), 42);
    assert_int_equal (hub_sessions_last_heard (sessions, KEY_B), -1);
    hub_sessions_open (sessions, KEY_A)->heard = 50;
    hub_sessions_open (sessions, KEY_B)->heard = 51;
    hub_sessions_close_all (sessions);
    assert_int_equal (hub_sessions_last_heard (sessions, KEY_A), 50);
    assert_int_equal (hub_sessions_last_heard (sessions, KEY_B), 51);
    hub_sessions_destroy (&sessions);
}

static void
test_route (void **state)
{
    (void) state;
    hub_session_t session = { .route = { 0, 1, 2, 0, 4 }, .route_size = 5 };
    assert_true (hub_session_is (&session, "\0\1\2\0\4", 5));
    assert_false (hub_session_is (&session, "\0\1\2\0\4", 4));
    assert_false (hub_session_is (&session, "\0\1\2\0\5", 5));
    assert_false (hub_session_is (&session, "\0\1\2\1\4", 5));
    assert_false (hub_session_is (&session, "\0\1\2\0\4\0", 6));
    memset (session.route, 'x', sizeof session.route);
    session.route_size = HUB_ROUTE_MOST;
    uint8_t longest[HUB_ROUTE_MOST];
    memset (longest, 'x', sizeof longest);
    assert_true (hub_session_is (&session, longest, sizeof longest));
    longest[HUB_ROUTE_MOST - 1] = 'y';
    assert_false (hub_session_is (&session, longest, sizeof longest));
}

enum { MANY = 300 };

static void
s_fill (hub_sessions_t *sessions)
{
    for (int i = 0; i < MANY; i++) {
        char key[SH_KEY_TEXT];
        snprintf (key, sizeof key, "key-%036d", i);
        assert_non_null (hub_sessions_open (sessions, key));
    }
}

/*  Each exactly once, although those at hand are closed meanwhile.  */
static void
test_walk (void **state)
{
    (void) state;
    hub_sessions_t *sessions = s_new ();
    assert_null (hub_sessions_first (sessions));
    assert_null (hub_sessions_next (sessions));
    s_fill (sessions);
    static int met[MANY];
    memset (met, 0, sizeof met);
    int count = 0;
    for (hub_session_t *one = hub_sessions_first (sessions); one;
         one = hub_sessions_next (sessions)) {
        int number = (int) strtol (one->key + 4, NULL, 10);
        met[number]++;
        if (count++ % 3 == 0) {
            char key[SH_KEY_TEXT];
            memcpy (key, one->key, sizeof key);
            hub_sessions_close (sessions, key);
        }
    }
    assert_null (hub_sessions_next (sessions));
    for (int i = 0; i < MANY; i++)
        assert_int_equal (met[i], 1);
    assert_int_equal (hub_sessions_size (sessions), MANY - MANY / 3);
    hub_sessions_destroy (&sessions);
}

/*  Closing by the session's own key, which goes with it.  */
static void
test_close_own_key (void **state)
{
    (void) state;
    hub_sessions_t *sessions = s_new ();
    s_fill (sessions);
    size_t count = 0;
    for (hub_session_t *one = hub_sessions_first (sessions); one;
         one = hub_sessions_next (sessions)) {
        hub_sessions_close (sessions, one->key);
        count++;
    }
    assert_int_equal (count, MANY);
    assert_int_equal (hub_sessions_size (sessions), 0);
    hub_sessions_destroy (&sessions);
}

/*  A walk that is left off and begun anew meets all again.  */
static void
test_walk_again (void **state)
{
    (void) state;
    hub_sessions_t *sessions = s_new ();
    s_fill (sessions);
    assert_non_null (hub_sessions_first (sessions));
    assert_non_null (hub_sessions_next (sessions));
    size_t count = 0;
    for (hub_session_t *one = hub_sessions_first (sessions); one;
         one = hub_sessions_next (sessions))
        count++;
    assert_int_equal (count, MANY);
    assert_non_null (hub_sessions_first (sessions));
    hub_sessions_destroy (&sessions);
}

static const uint8_t s_id[SP_REPORT_ID]
    = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255 };

static void
test_parts (void **state)
{
    (void) state;
    hub_sessions_t *sessions = s_new ();
    uint8_t other_bytes[SP_REPORT_ID];
    memcpy (other_bytes, s_id, sizeof s_id);
    other_bytes[SP_REPORT_ID - 1] = 254;
    sh_bytes_t id = { s_id, sizeof s_id };
    sh_bytes_t other = { other_bytes, sizeof other_bytes };

    assert_true (hub_sessions_note_part (sessions, KEY_A, id, 0));
    assert_false (hub_sessions_note_part (sessions, KEY_A, id, 0));
    /*  Another key, id or part is another part.  */
    assert_true (hub_sessions_note_part (sessions, KEY_B, id, 0));
    assert_true (hub_sessions_note_part (sessions, KEY_A, other, 0));
    assert_true (hub_sessions_note_part (sessions, KEY_A, id, 1));
    assert_true (hub_sessions_note_part (sessions, KEY_A, id, UINT64_MAX));
    assert_false (hub_sessions_note_part (sessions, KEY_A, id, UINT64_MAX));
    assert_true (hub_sessions_note_part (sessions, KEY_A, id, 16));

    hub_sessions_forget_part (sessions, KEY_A, id, 0);
    assert_true (hub_sessions_note_part (sessions, KEY_A, id, 0));
    assert_false (hub_sessions_note_part (sessions, KEY_B, id, 0));
    assert_false (hub_sessions_note_part (sessions, KEY_A, other, 0));
    assert_false (hub_sessions_note_part (sessions, KEY_A, id, 1));
    /*  What is not there may be forgotten.  */
    hub_sessions_forget_part (sessions, KEY_B, other, 7);
    hub_sessions_destroy (&sessions);
}

/*  A part goes on being worked when its connection ends: a second copy by the
    next connection is still a second copy.  */
static void
test_parts_outlive_session (void **state)
{
    (void) state;
    hub_sessions_t *sessions = s_new ();
    sh_bytes_t id = { s_id, sizeof s_id };
    assert_non_null (hub_sessions_open (sessions, KEY_A));
    assert_true (hub_sessions_note_part (sessions, KEY_A, id, 3));
    hub_sessions_close (sessions, KEY_A);
    assert_false (hub_sessions_note_part (sessions, KEY_A, id, 3));
    hub_sessions_destroy (&sessions);
}

/*  Jobs are the key's, whatever becomes of its sessions.  */
static void
test_jobs (void **state)
{
    (void) state;
    hub_sessions_t *sessions = s_new ();
    assert_int_equal (hub_sessions_jobs (sessions, KEY_A), 0);
    hub_sessions_end_job (sessions, KEY_A);
    assert_non_null (hub_sessions_open (sessions, KEY_A));
    assert_true (hub_sessions_begin_job (sessions, KEY_A));
    assert_true (hub_sessions_begin_job (sessions, KEY_A));
    assert_true (hub_sessions_begin_job (sessions, KEY_B));
    hub_sessions_close (sessions, KEY_A);
    assert_non_null (hub_sessions_open (sessions, KEY_A));
    hub_sessions_close_all (sessions);
    assert_int_equal (hub_sessions_jobs (sessions, KEY_A), 2);
    hub_sessions_end_job (sessions, KEY_A);
    assert_int_equal (hub_sessions_jobs (sessions, KEY_A), 1);
    hub_sessions_end_job (sessions, KEY_A);
    hub_sessions_end_job (sessions, KEY_A);
    assert_int_equal (hub_sessions_jobs (sessions, KEY_A), 0);
    assert_int_equal (hub_sessions_jobs (sessions, KEY_B), 1);
    hub_sessions_destroy (&sessions);
}

/*  All at once, in the middle of a walk too; parts stay noted.  */
static void
test_close_all (void **state)
{
    (void) state;
    hub_sessions_t *sessions = s_new ();
    sh_bytes_t id = { s_id, sizeof s_id };
    hub_sessions_close_all (sessions);
    s_fill (sessions);
    assert_true (hub_sessions_note_part (sessions, KEY_A, id, 3));
    assert_non_null (hub_sessions_first (sessions));
    hub_sessions_close_all (sessions);
    assert_null (hub_sessions_next (sessions));
    assert_int_equal (hub_sessions_size (sessions), 0);
    assert_false (hub_sessions_note_part (sessions, KEY_A, id, 3));
    assert_int_equal (hub_sessions_open (sessions, KEY_A)->fd, -1);
    hub_sessions_destroy (&sessions);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_one_per_key),
        cmocka_unit_test (test_last_heard),
        cmocka_unit_test (test_order),
        cmocka_unit_test (test_route),
        cmocka_unit_test (test_walk),
        cmocka_unit_test (test_close_own_key),
        cmocka_unit_test (test_walk_again),
        cmocka_unit_test (test_parts),
        cmocka_unit_test (test_parts_outlive_session),
        cmocka_unit_test (test_jobs),
        cmocka_unit_test (test_close_all),
    };
    return cmocka_run_group_tests_name ("sessions", tests, NULL, NULL);
}
