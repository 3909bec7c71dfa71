/* SPDX-License-Identifier: MPL-2.0 */
/*  Lines of ZPL; whole key files are test_keyfile's.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/zpl.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

static sh_zpl_span_t
s_span (const char *text)
{
    return (sh_zpl_span_t){ text, strlen (text) };
}

static void
test_lines (void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        unsigned level;
        const char *name, *value; /* NULL: none */
    } cases[] = {
        { "curve", 0, "curve", NULL },
        { "    name = \"site-a\"", 1, "name", "site-a" },
        { "    name='it''s'", 1, NULL, NULL }, /* text behind the quote */
        { "        a/b=c", 2, "a/b", "c" },
        { "name = bare words  # why", 0, "name", "bare words" },
        { "name = \"# no comment\"  # but this", 0, "name", "# no comment" },
        { "name =", 0, "name", "" },
        { "", 0, "", NULL },
        { "   # four blanks or three", 0, "", NULL },
        { "name\r", 0, "name", NULL },
        { "    name = \"B\xc3\xbcro\"", 1, "name", "B\xc3\xbcro" },
        { "  name", 0, NULL, NULL },
        { "\tname", 0, NULL, NULL },
        { "= value", 0, NULL, NULL },
        { "/name", 0, NULL, NULL },
        { "name/ = x", 0, NULL, NULL },
        { "name value", 0, NULL, NULL },
        { "name = \"open", 0, NULL, NULL },
        { "name = a\"b", 0, NULL, NULL },
        { "name = a#b", 0, NULL, NULL },
        { "name = \x1b[m", 0, NULL, NULL },
        { "name = \xc2\x9b", 0, NULL, NULL }, /* a C1 control character */
        { "name = \xff", 0, NULL, NULL },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_zpl_line_t line = { 0 };
        char text[64];
        /*  With a line behind it, so that what is empty is a line, too.  */
        strcpy (text, cases[i].text);
        strcat (text, "\nnext");
        sh_zpl_span_t rest = s_span (text);
        const char *wrong = sh_zpl_read (&line, &rest);
        if (!wrong != (cases[i].name != NULL))
            fail_msg ("'%s': %s", cases[i].text, wrong ? wrong : "was taken");
        assert_true (sh_zpl_equals (rest, "next"));
        if (wrong)
            continue;
        assert_int_equal (line.level, cases[i].level);
        assert_true (sh_zpl_equals (line.name, cases[i].name));
        assert_int_equal (line.has_value, cases[i].value != NULL);
        if (cases[i].value)
            assert_true (sh_zpl_equals (line.value, cases[i].value));
    }
}

static void
test_length (void **state)
{
    (void) state;
    char text[SH_ZPL_LINE_MOST + 2];
    sh_zpl_line_t line;
    memset (text, 'n', sizeof text);
    sh_zpl_span_t rest = { text, SH_ZPL_LINE_MOST };
    assert_null (sh_zpl_read (&line, &rest));
    assert_int_equal (line.name.size, SH_ZPL_LINE_MOST);
    assert_int_equal (rest.size, 0);
    rest = (sh_zpl_span_t){ text, SH_ZPL_LINE_MOST + 1 };
    assert_string_equal (sh_zpl_read (&line, &rest),
                         "the line is longer than 1024 bytes");
    /*  The carriage return of an end of line does not count.  */
    text[SH_ZPL_LINE_MOST] = '\r';
    text[SH_ZPL_LINE_MOST + 1] = '\n';
    rest = (sh_zpl_span_t){ text, SH_ZPL_LINE_MOST + 2 };
    assert_null (sh_zpl_read (&line, &rest));
}

static void
test_writing (void **state)
{
    (void) state;
    static const struct
    {
        const char *name, *value;
        bool good;
    } cases[] = {
        { "name", "site-a", true },  { "a/b", "", true },
        { "$-_@.&+", "# x", true },  { "", "x", false },
        { "a b", "x", false },       { "/a", "x", false },
        { "a/", "x", false },        { "a=", "x", false },
        { "a", "x\"y", false },      { "a", "it's", false },
        { "a", "x\ty", false },      { "a", "x\ny", false },
        { "a", "x\xff", false },     { "a", "\xe2\x82\xac", true },
    };
    for (size_t i = 0; i < COUNT (cases); i++)
        if (sh_zpl_can_write (s_span (cases[i].name), s_span (cases[i].value))
            != cases[i].good)
            fail_msg ("'%s' = '%s'", cases[i].name, cases[i].value);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_lines),
        cmocka_unit_test (test_length),
        cmocka_unit_test (test_writing),
    };
    return cmocka_run_group_tests_name ("zpl", tests, NULL, NULL);
}
