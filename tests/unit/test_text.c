/* SPDX-License-Identifier: MPL-2.0 */
/*  The small text modules: MAC addresses, host names, the table of errors.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"
#include "lib/hostname.h"
#include "lib/mac.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

static void
test_mac (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *normal;
    } cases[] = {
        { "00:1a:2b:3c:4d:5e", "00:1a:2b:3c:4d:5e" },
        { "00:1A:2B:3C:4D:5E", "00:1a:2b:3c:4d:5e" },
        { "00-1A-2b-3C-4D-5E", "00:1a:2b:3c:4d:5e" },
        { "001a.2b3c.4d5e", "00:1a:2b:3c:4d:5e" },
        { "001A2B3C4D5E", "00:1a:2b:3c:4d:5e" },
        { "02:00:00:00:00:01", "02:00:00:00:00:01" },
        { "fe:ff:ff:ff:ff:ff", "fe:ff:ff:ff:ff:ff" },
        { "000000000001", "00:00:00:00:00:01" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char out[SH_MAC_TEXT];
        assert_int_equal (sh_mac_normalise (out, cases[i].text), SH_OK);
        assert_string_equal (out, cases[i].normal);
    }
}

static void
test_mac_refuses (void **state)
{
    (void) state;
    static const char *const cases[] = {
        "", "0", "00:1a:2b:3c:4d", "00:1a:2b:3c:4d:5", "00:1a:2b:3c:4d:5e:",
        "00:1a:2b:3c:4d:5e ", " 00:1a:2b:3c:4d:5e", "00:1a:2b:3c:4d:5g",
        "0:1a:2b:3c:4d:5e", "00:1a-2b:3c-4d:5e", "00:1a:2b:3c:4d:5e:6f",
        "001a:2b3c:4d5e", "001a-2b3c-4d5e", "001a.2b3c.4d5", "001a.2b3c4d5e",
        "001a2b3c4d5", "001a2b3c4d5e0", "00 1a 2b 3c 4d 5e",
        "00::1a:2b:3c:4d", "00:1a:2b:ff:fe:3c:4d:5e", "001a.2bff.fe3c.4d5e",
        "00:00:00:00:00:00", "000000000000", "ff:ff:ff:ff:ff:ff",
        "ffff.ffff.ffff", "01:00:5e:00:00:01", "33:33:00:00:00:01",
        "03-00-00-00-00-00", "00:1a:2b:3c:4d:5e\n", "unknown", ":::::",
        "00:1\xc3\xa4:2b:3c:4d",
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char out[SH_MAC_TEXT] = "untouched";
        if (sh_mac_normalise (out, cases[i]) != SH_E_SYNTAX)
            fail_msg ("'%s' should be refused", cases[i]);
        assert_string_equal (out, "untouched");
    }
}

#define L63 "a23456789012345678901234567890123456789012345678901234567890123"

static void
test_hostname (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *kept;
    } cases[] = {
        { "a", "a" },
        { "printer", "printer" },
        { "Printer.Site.Example", "Printer.Site.Example" },
        { "printer.site.example.", "printer.site.example" },
        { "a-b.c--d", "a-b.c--d" },
        { "_sip._tcp.example", "_sip._tcp.example" },
        { "db_1_", "db_1_" },
        { "xn--mller-kva.example", "xn--mller-kva.example" },
        { "1", "1" },
        { "10", "10" },
        { "10.0.0", "10.0.0" },
        { "10.0.0.1.2", "10.0.0.1.2" },
        { "10.0.0.256", "10.0.0.256" },
        { "10.0.0.1a", "10.0.0.1a" },
        { "1.0.0.10.in-addr.arpa", "1.0.0.10.in-addr.arpa" },
        { L63, L63 },
        { L63 "." L63, L63 "." L63 },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char out[SH_HOSTNAME_TEXT];
        if (sh_hostname_check (out, cases[i].text) != SH_OK)
            fail_msg ("'%s' should be accepted", cases[i].text);
        assert_string_equal (out, cases[i].kept);
    }
}

static void
test_hostname_refuses (void **state)
{
    (void) state;
    static const char *const cases[] = {
        "", ".", "..", ".a", "a..b", "a..", "-a", "a-", "a.-b", "a-.b", "-",
        "a b", " a", "a ", "a\n", "a\tb", "a/b", "a:b", "a@b", "a,b", "a'b",
        "a\"b", "a\\b", "<b>", "a*", "*", "m\xc3\xbcller", "a\x7f", "\x01",
        "10.0.0.1", "10.0.0.1.", "255.255.255.255", "0.0.0.0", "010.0.0.1",
        "10.000.0.1", "::1", "a" L63, "x." L63 "4", "=cmd", "a;b", "a%b",
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char out[SH_HOSTNAME_TEXT] = "untouched";
        if (sh_hostname_check (out, cases[i]) != SH_E_SYNTAX)
            fail_msg ("'%s' should be refused", cases[i]);
        assert_string_equal (out, "untouched");
    }
}

static void
test_hostname_length (void **state)
{
    (void) state;
    char out[SH_HOSTNAME_TEXT];
    /*  3 * 64 + 61 = 253 characters, then one more.  */
    const char *most = L63 "." L63 "." L63 "."
                       "a234567890123456789012345678901234567890123456789012345"
                       "678901";
    assert_int_equal (strlen (most), 253);
    assert_int_equal (sh_hostname_check (out, most), SH_OK);
    assert_string_equal (out, most);

    char more[300];
    memcpy (more, most, 253);
    memcpy (more + 253, ".", 2);
    assert_int_equal (sh_hostname_check (out, more), SH_OK);
    assert_string_equal (out, most);
    memcpy (more + 253, "2", 2);
    assert_int_equal (sh_hostname_check (out, more), SH_E_SYNTAX);
    memcpy (more + 253, "2.", 3);
    assert_int_equal (sh_hostname_check (out, more), SH_E_SYNTAX);
}

static void
test_hostname_same (void **state)
{
    (void) state;
    static const struct
    {
        const char *a, *b;
        bool same;
    } cases[] = {
        { "printer", "printer", true },
        { "printer", "PRINTER", true },
        { "printer.", "printer", true },
        { "printer", "printer.site.example", true },
        { "Printer", "pRINTER.site.example.", true },
        { "printer.site.example", "printer.SITE.example.", true },
        { "printer.site", "printer.site.example", false },
        { "printer", "printer2", false },
        { "printer", "printer2.site.example", false },
        { "printer", "print", false },
        { "printer.a", "printer.b", false },
        { "site", "printer.site", false },
        { "", "printer", false },
        { "", ".site", false },
        { "", "", true },
        { "[", "{", false },
        { "@", "`", false },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        if (sh_hostname_same (cases[i].a, cases[i].b) != cases[i].same
            || sh_hostname_same (cases[i].b, cases[i].a) != cases[i].same)
            fail_msg ("'%s' and '%s'", cases[i].a, cases[i].b);
    }
}

static void
test_err_table (void **state)
{
    (void) state;
    assert_int_equal (SH_OK, 0);
    assert_int_equal (sh_err_class (SH_OK), SH_CLASS_NONE);
    for (int i = 0; i < SH_ERR_COUNT; i++) {
        sh_err_t err = (sh_err_t) i;
        /*  Words go over the wire: unique, and only a-z and hyphens.  */
        const char *word = sh_err_word (err);
        assert_int_equal (strspn (word, "abcdefghijklmnopqrstuvwxyz-"),
                          strlen (word));
        assert_int_equal (sh_err_from_word (word), err);
        assert_true (strlen (sh_err_text (err)) > 0);
        if (err != SH_OK)
            assert_int_not_equal (sh_err_class (err), SH_CLASS_NONE);
    }
    assert_int_equal (sh_err_class (SH_E_BAD_FRAME), SH_CLASS_PEER);
    assert_int_equal (sh_err_class (SH_E_SUBNET_FOLDER), SH_CLASS_DENIED);
    assert_int_equal (sh_err_class (SH_E_DB_DOWN), SH_CLASS_RETRY);
    assert_int_equal (sh_err_class (SH_E_IO), SH_CLASS_OURS);
    assert_string_equal (sh_err_word (SH_E_KEY_UNKNOWN), "revoked");
}

static void
test_err_strangers (void **state)
{
    (void) state;
    static const char *const words[]
        = { "", "OK", "ok ", "revoke", "revokedd", "bad_frame", "\xff" };
    for (size_t i = 0; i < COUNT (words); i++)
        assert_int_equal (sh_err_from_word (words[i]), SH_E_INTERNAL);
    assert_int_equal (sh_err_from_word (NULL), SH_E_INTERNAL);
    assert_string_equal (sh_err_word (SH_ERR_COUNT), "internal");
    assert_int_equal (sh_err_class (SH_ERR_COUNT), SH_CLASS_OURS);
    assert_string_equal (sh_err_text (SH_ERR_COUNT),
                         sh_err_text (SH_E_INTERNAL));
}

static void
test_fail (void **state)
{
    (void) state;
    sh_why_t why;
    assert_int_equal (sh_fail (&why, SH_E_IO, "%s:%d", "x", 12), SH_E_IO);
    assert_string_equal (why.text, "x:12");
    assert_int_equal (sh_fail (NULL, SH_E_SYNTAX, "%d", 1), SH_E_SYNTAX);

    char text[sizeof why.text + 1];
    memset (text, 'a', sizeof text);
    text[sizeof why.text - 1] = '\0'; /* just fits */
    sh_fail (&why, SH_E_IO, "%s", text);
    assert_string_equal (why.text, text);
    text[sizeof why.text - 1] = 'a'; /* one too many */
    text[sizeof why.text] = '\0';
    sh_fail (&why, SH_E_IO, "%s", text);
    assert_int_equal (strlen (why.text), sizeof why.text - 1);
    assert_string_equal (why.text + sizeof why.text - 6, "aa...");
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_mac),
        cmocka_unit_test (test_mac_refuses),
        cmocka_unit_test (test_hostname),
        cmocka_unit_test (test_hostname_refuses),
        cmocka_unit_test (test_hostname_length),
        cmocka_unit_test (test_hostname_same),
        cmocka_unit_test (test_err_table),
        cmocka_unit_test (test_err_strangers),
        cmocka_unit_test (test_fail),
    };
    return cmocka_run_group_tests_name ("text", tests, NULL, NULL);
}
