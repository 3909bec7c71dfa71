/* SPDX-License-Identifier: MPL-2.0 */
/*  Invitations: what is printed is read again, and what somebody has spoilt on
    the way is refused.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scanner-proto/invite.h"

/*  With every kind of character that a key may have.  */
static const char s_key[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

static void
test_both_ways (void **state)
{
    (void) state;
    static const char *const endpoints[]
        = { "tcp://hub.example:5766", "tcp://192.0.2.1:1",
            "tcp://[2001:db8::1]:65535", "tcp://[fe80::1%eth0]:5766" };
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        char text[SP_INVITE_MOST];
        sp_invite_t invite;
        sh_why_t why;
        assert_int_equal (sp_invite_print (text, endpoints[i], s_key, &why),
                          SH_OK);
        assert_null (strpbrk (text + strlen ("scanhub://"), "'\"\\ ?#$&<>"));
        assert_int_equal (sp_invite_parse (&invite, text, &why), SH_OK);
        assert_string_equal (invite.endpoint, endpoints[i]);
        assert_string_equal (invite.key, s_key);
    }
}

static void
test_escapes (void **state)
{
    (void) state;
    sp_invite_t invite;
    sh_why_t why;
    /*  Without a port; %XX in either case, and of what needs none.  */
    assert_int_equal (
        sp_invite_parse (&invite,
                         "scanhub://hub/rq%3arM%3E%7DU%3F%40Lns47E1%25kR.o%40n"
                         "%25FcmmsL%2F%40%7BH8%5Dy%66%37",
                         &why),
        SH_OK);
    assert_string_equal (invite.endpoint, "tcp://hub:5766");
    assert_string_equal (invite.key, s_key);
    assert_int_equal (
        sp_invite_parse (&invite,
                         "scanhub://[2001:db8::1]/"
                         "0000000000000000000000000000000000000001",
                         &why),
        SH_OK);
    assert_string_equal (invite.endpoint, "tcp://[2001:db8::1]:5766");
}

static void
test_refused (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *says;
    } bad[] = {
        { "", "begins with" },
        { "http://hub:5766/x", "begins with" },
        { "scanhub://hub:5766", "no key" },
        { "scanhub:///0000000000000000000000000000000000000001", "endpoint" },
        { "scanhub://hub:0/0000000000000000000000000000000000000001",
          "endpoint" },
        { "scanhub://a b/0000000000000000000000000000000000000001",
          "endpoint" },
        { "scanhub://hub:5766/", "not whole" },
        { "scanhub://hub:5766/000000000000000000000000000000000000001",
          "not whole" },
        { "scanhub://hub:5766/00000000000000000000000000000000000000001",
          "not whole" },
        { "scanhub://hub:5766/0000000000000000000000000000000000000001/",
          "not whole" },
        { "scanhub://hub:5766/000000000000000000000000000000000000000%",
          "not whole" },
        { "scanhub://hub:5766/000000000000000000000000000000000000000%0",
          "not whole" },
        { "scanhub://hub:5766/000000000000000000000000000000000000000%00",
          "not whole" },
        { "scanhub://hub:5766/000000000000000000000000000000000000000%7f",
          "not whole" },
        { "scanhub://hub:5766/0000000000000000000000000000000000000000?x=1",
          "not whole" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sp_invite_t invite;
        sh_why_t why = { "" };
        assert_int_equal (sp_invite_parse (&invite, bad[i].text, &why),
                          SH_E_SYNTAX);
        if (!strstr (why.text, bad[i].says))
            fail_msg ("%s: %s", bad[i].text, why.text);
    }
    char text[SP_INVITE_MOST];
    sh_why_t why;
    assert_int_equal (sp_invite_print (text, "tcp://*:5766", s_key, &why),
                      SH_E_SYNTAX);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_both_ways),
        cmocka_unit_test (test_escapes),
        cmocka_unit_test (test_refused),
    };
    return cmocka_run_group_tests_name ("invite", tests, NULL, NULL);
}
