/* SPDX-License-Identifier: MPL-2.0 */
/*  Answers on the control socket: they end where their memory does.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hub/reply.h"

static void
test_room (void **state)
{
    (void) state;
    char text[8 + 1];
    hub_reply_t reply;
    text[8] = '#';
    hub_reply_start (&reply, text, 8);
    assert_string_equal (text, "");
    assert_int_equal (hub_reply_room (&reply), 7);
    hub_reply_add (&reply, "%s", "abc");
    assert_int_equal (hub_reply_room (&reply), 4);
    hub_reply_add (&reply, "%d", 12345);
    assert_string_equal (text, "abc1234");
    assert_int_equal (hub_reply_room (&reply), 0);
    hub_reply_add (&reply, "more");
    assert_string_equal (text, "abc1234");
    assert_int_equal (text[8], '#');
    hub_reply_only (&reply, "ok");
    assert_string_equal (text, "ok");
    assert_int_equal (hub_reply_room (&reply), 5);
    hub_reply_only (&reply, "%s", "");
    assert_string_equal (text, "");
}

static void
test_json (void **state)
{
    (void) state;
    char text[24];
    hub_reply_t reply;
    hub_reply_start (&reply, text, sizeof text);
    hub_reply_add (&reply, "what was before");
    hub_reply_json (&reply, json_pack ("{s:i}", "a", 1));
    assert_string_equal (text, "ok {\"a\":1}");
    assert_int_equal (hub_reply_room (&reply), sizeof text - 11);
    /*  The last byte is the NUL's.  */
    hub_reply_json (&reply, json_pack ("[s]", "1234567890123456"));
    assert_string_equal (text, "ok [\"1234567890123456\"]");
    hub_reply_json (&reply, json_pack ("[s]", "12345678901234567"));
    assert_string_equal (text, "error the answer is too");
    hub_reply_json (&reply, NULL);
    assert_string_equal (text, "error no memory for the");
}

static void
test_outside (void **state)
{
    (void) state;
    static const char *const cases[][2] = {
        { "site-a", "site-a" },
        { "B\xc3\xbcro 100%s", "B\xc3\xbcro 100%s" },
        { "a\tb\nc\r\x1b[2J\x7f", "a?b?c??[2J?" },
        { "\xc2\x9b" "2J \xc2\xa0", "?2J \xc2\xa0" },
        { "\xc2", "?" },
        { "a\xe2\x80\x8e" "b\xe2\x80\x8f" "c", "a?b?c" },
        { "\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\xe2\x80\xae", "????" },
        { "\xe2\x81\xa6\xe2\x81\xa9\xef\xbb\xbf\xd8\x9c", "????" },
        { "\xe2\x80\x8d\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
          "\xe2\x80\x8d\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa" },
        { "\xe2\x80", "??" }, /* no character */
        { "\xe2\n", "??" },
        { "\xf0\x9f\x98\x80!", "\xf0\x9f\x98\x80!" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        hub_reply_t reply;
        hub_reply_start (&reply, text, sizeof text);
        hub_reply_outside (&reply, cases[i][0]);
        assert_string_equal (text, cases[i][1]);
    }
    char text[2048], many[1024];
    hub_reply_t reply;
    memset (many, 'x', sizeof many);
    many[sizeof many - 1] = '\0';
    hub_reply_start (&reply, text, sizeof text);
    hub_reply_outside (&reply, many);
    assert_int_equal (strlen (text), 511);
    /*  The last character is whole, or not there.  */
    memcpy (&many[508], "\xe2\x82\xac\xe2\x82\xac", 6);
    hub_reply_only (&reply, "%s", "");
    hub_reply_outside (&reply, many);
    assert_int_equal (strlen (text), 511);
    memmove (&many[509], "\xe2\x82\xac", 3);
    many[508] = 'x';
    hub_reply_only (&reply, "%s", "");
    hub_reply_outside (&reply, many);
    assert_int_equal (strlen (text), 509);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_room),
        cmocka_unit_test (test_json),
        cmocka_unit_test (test_outside),
    };
    return cmocka_run_group_tests_name ("replies", tests, NULL, NULL);
}
