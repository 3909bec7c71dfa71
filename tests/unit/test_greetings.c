/* SPDX-License-Identifier: MPL-2.0 */
/*  Connections that said hello: whose they are, and who was let in without.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hub/speech.h"

static hub_greetings_t *s_greetings;

static hub_session_t
s_session (const char *key, const char *peer, unsigned route)
{
    hub_session_t session = { .heard = 1, .route_size = sizeof route };
    snprintf (session.key, sizeof session.key, "%s", key);
    snprintf (session.peer, sizeof session.peer, "%s", peer);
    memcpy (session.route, &route, sizeof route);
    return session;
}

static void
s_note (const char *key, const char *peer, unsigned route)
{
    hub_session_t session = s_session (key, peer, route);
    hub_greetings_note (s_greetings, &session);
}

static int
s_lacking (const char *key, uint64_t admitted)
{
    hub_knock_t knock = { .count = admitted };
    snprintf (knock.key, sizeof knock.key, "%s", key);
    return (int) hub_greetings_lacking (s_greetings, &knock);
}

static const char *
s_key (const char *peer)
{
    const hub_greeting_t *one = hub_greetings_find (s_greetings, peer);
    return one ? one->key : "";
}

static int
s_open (void **state)
{
    (void) state;
    return hub_greetings_new (&s_greetings) != SH_OK;
}

static int
s_shut (void **state)
{
    (void) state;
    hub_greetings_destroy (&s_greetings);
    hub_greetings_destroy (&s_greetings);
    return 0;
}

static void
test_whose (void **state)
{
    (void) state;
    assert_null (hub_greetings_find (s_greetings, "10.0.0.1 5"));
    assert_null (hub_greetings_find (s_greetings, ""));
    s_note ("a", "10.0.0.1 5", 1);
    s_note ("a", "10.0.0.1 6", 2);
    s_note ("b", "10.0.0.1 7", 3);
    s_note ("b", "", 4);
    assert_string_equal (s_key ("10.0.0.1 5"), "a");
    assert_string_equal (s_key ("10.0.0.1 6"), "a");
    assert_string_equal (s_key ("10.0.0.1 7"), "b");
    assert_null (hub_greetings_find (s_greetings, ""));
    /*  A port that comes again is the last one's.  */
    s_note ("b", "10.0.0.1 5", 5);
    assert_string_equal (s_key ("10.0.0.1 5"), "b");

    /*  What was taken stays with the connection.  */
    hub_session_t session = s_session ("a", "10.0.0.1 6", 2);
    session.taken = 77;
    hub_greetings_leave (s_greetings, &session);
    assert_int_equal (hub_greetings_find (s_greetings, "10.0.0.1 6")->taken,
                      77);
    session = s_session ("a", "10.0.0.1 7", 2);
    session.taken = 88;
    hub_greetings_leave (s_greetings, &session);
    assert_int_equal (hub_greetings_find (s_greetings, "10.0.0.1 7")->taken, 0);

    hub_greetings_clear (s_greetings);
    assert_null (hub_greetings_find (s_greetings, "10.0.0.1 6"));
    assert_int_equal (s_lacking ("a", 2), 2);
}

static void
test_lacking (void **state)
{
    (void) state;
    assert_int_equal (s_lacking ("a", 3), 3);
    s_note ("a", "10.0.0.1 5", 1);
    s_note ("a", "10.0.0.1 6", 2);
    assert_int_equal (s_lacking ("a", 3), 1);
    assert_int_equal (s_lacking ("a", 2), 0);
    assert_int_equal (s_lacking ("a", 1), 0);
    assert_int_equal (s_lacking ("b", 1), 1);
    /*  Hello again on the same connection is no other connection.  */
    s_note ("a", "10.0.0.1 6", 2);
    s_note ("a", "10.0.0.1 6", 2);
    assert_int_equal (s_lacking ("a", 3), 1);
    /*  The same port, but another connection.  */
    s_note ("a", "10.0.0.1 6", 3);
    assert_int_equal (s_lacking ("a", 3), 0);
}

/*  A session that is over leaves its connection with what was taken of it: it
    may still be there, and must not look as if all of that were held.  */
static void
test_session_over (void **state)
{
    (void) state;
    hub_speech_t speech = { .greetings = s_greetings };
    assert_int_equal (hub_sessions_new (&speech.sessions), SH_OK);
    for (int way = 0; way < 2; way++) {
        hub_session_t *session = hub_sessions_open (speech.sessions, "a");
        assert_non_null (session);
        snprintf (session->peer, sizeof session->peer, "10.0.0.1 %d", way);
        hub_greetings_note (s_greetings, session);
        session->taken = 77;
        if (way == 0)
            hub_speech_end (&speech, session);
        else /* it cannot be reached */
            hub_speech_say_error (&speech, session, SH_E_OVERLOAD);
        assert_null (hub_sessions_find (speech.sessions, "a"));
        char peer[HUB_PEER_TEXT];
        snprintf (peer, sizeof peer, "10.0.0.1 %d", way);
        assert_int_equal (hub_greetings_find (s_greetings, peer)->taken, 77);
    }
    hub_sessions_destroy (&speech.sessions);
}

static void
test_bound (void **state)
{
    (void) state;
    char peer[HUB_PEER_TEXT];
    for (unsigned i = 0; i <= HUB_GREETINGS_MOST; i++) {
        snprintf (peer, sizeof peer, "10.0.0.1 %u", i);
        s_note ("a", peer, i);
    }
    assert_string_equal (s_key ("10.0.0.1 0"), "");
    assert_string_equal (s_key ("10.0.0.1 1"), "a");
    assert_string_equal (s_key (peer), "a");
    assert_int_equal (s_lacking ("a", HUB_GREETINGS_MOST + 2), 1);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (test_whose, s_open, s_shut),
        cmocka_unit_test_setup_teardown (test_lacking, s_open, s_shut),
        cmocka_unit_test_setup_teardown (test_session_over, s_open, s_shut),
        cmocka_unit_test_setup_teardown (test_bound, s_open, s_shut),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
