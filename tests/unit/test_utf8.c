/* SPDX-License-Identifier: MPL-2.0 */
/*  Text in UTF-8: characters and cuts.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/utf8.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

static void
test_size (void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        size_t size;
    } cases[] = {
        { "a", 1 },
        { "\x7f", 1 },
        { "\x80", 0 },
        { "\xc1\xbf", 0 }, /* overlong */
        { "\xc2\x80", 2 },
        { "\xdf\xbf", 2 },
        { "\xc2", 0 },
        { "\xc2\xc0", 0 },
        { "\xe0\x9f\xbf", 0 }, /* overlong */
        { "\xe0\xa0\x80", 3 },
        { "\xed\x9f\xbf", 3 },
        { "\xed\xa0\x80", 0 }, /* a surrogate */
        { "\xee\x80\x80", 3 },
        { "\xe2\x82", 0 },
        { "\xe2\x82\x41", 0 },
        { "\xf0\x8f\xbf\xbf", 0 }, /* overlong */
        { "\xf0\x90\x80\x80", 4 },
        { "\xf4\x8f\xbf\xbf", 4 },
        { "\xf4\x90\x80\x80", 0 }, /* above U+10FFFF */
        { "\xf5\x80\x80\x80", 0 },
    };
    for (size_t i = 0; i < COUNT (cases); i++)
        if (sh_utf8_size (cases[i].text, strlen (cases[i].text))
            != cases[i].size)
            fail_msg ("case %zu", i);
}

/*  Every sequence that is taken decodes to a number of its own length, and no
    other is: all 2^16 starts, against the definition.  */
static void
test_all_of_two_bytes (void **state)
{
    (void) state;
    for (unsigned lead = 0x80; lead <= 0xff; lead++)
        for (unsigned next = 0; next <= 0xff; next++) {
            const uint8_t text[] = { (uint8_t) lead, (uint8_t) next };
            unsigned number = (lead & 0x1f) << 6 | (next & 0x3f);
            int good = lead >> 5 == 6 && next >> 6 == 2 && number >= 0x80;
            assert_int_equal (sh_utf8_size (text, 2), good ? 2 : 0);
        }
}

static void
test_number (void **state)
{
    (void) state;
    assert_int_equal (sh_utf8_number ("a", 1), 'a');
    assert_int_equal (sh_utf8_number ("\x7f", 1), 0x7f);
    assert_int_equal (sh_utf8_number ("\xc3\xbc", 2), 0xfc);
    assert_int_equal (sh_utf8_number ("\xe2\x82\xac", 3), 0x20ac);
    assert_int_equal (sh_utf8_number ("\xf4\x8f\xbf\xbf", 4), 0x10ffff);
}

static void
test_cut (void **state)
{
    (void) state;
    static const char text[] = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80";
    static const size_t cuts[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10 };
    char out[32];
    for (size_t i = 0; i < COUNT (cuts); i++) {
        assert_int_equal (sh_utf8_cut (text, i), cuts[i]);
        memset (out, 'x', sizeof out);
        sh_utf8_copy (out, i + 1, text);
        assert_int_equal (strlen (out), cuts[i]);
        assert_memory_equal (out, text, cuts[i]);
        assert_int_equal (out[i + 1], 'x');
    }
    /*  Not all of it need be readable.  */
    static const char three[] = { 'a', 'b', 'c' };
    assert_int_equal (sh_utf8_cut (three, 2), 2);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_size),
        cmocka_unit_test (test_all_of_two_bytes),
        cmocka_unit_test (test_cut),
        cmocka_unit_test (test_number),
    };
    return cmocka_run_group_tests_name ("utf8", tests, NULL, NULL);
}
