/* SPDX-License-Identifier: MPL-2.0 */
/*  Spans of time, written and read.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/span.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

typedef struct
{
    int64_t seconds;
    const char *text;
} case_t;

static void
test_exact (void **state)
{
    (void) state;
    static const case_t cases[]
        = { { 0, "0 s" },      { 1, "1 s" },      { 90, "90 s" },
            { 300, "5 min" },  { 3600, "1 h" },   { 5400, "90 min" },
            { 86400, "1 d" },  { 604800, "7 d" }, { 90000, "25 h" },
            { 3601, "3601 s" } };
    char text[SH_SPAN_TEXT];
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_span_text (text, cases[i].seconds);
        assert_string_equal (text, cases[i].text);
    }
}

static void
test_about (void **state)
{
    (void) state;
    static const case_t cases[]
        = { { -5, "0 s" },       { 0, "0 s" },         { 119, "119 s" },
            { 120, "2 min" },    { 149, "2 min" },     { 150, "3 min" },
            { 3599, "60 min" },  { 7199, "120 min" },  { 7200, "2 h" },
            { 8999, "2 h" },     { 9000, "3 h" },      { 172799, "48 h" },
            { 172800, "2 d" },   { 1000000, "12 d" },
            { INT64_C (1) << 40, "12725829 d" } };
    char text[SH_SPAN_TEXT];
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_span_about (text, cases[i].seconds);
        assert_string_equal (text, cases[i].text);
    }
}

static void
test_parse (void **state)
{
    (void) state;
    static const case_t cases[]
        = { { 0, "0s" },       { 90, "90s" },    { 5400, "90m" },
            { 86400, "24h" },  { 604800, "7d" }, { 420, "007m" },
            { INT64_C (863999913600), "9999999d" } };
    static const char *const wrong[]
        = { "",   "7",   "d",  "7 d", " 7d", "7d ", "7D",  "-7d", "+7d", "7w",
            "1.5h", "1h30m", "7min", "10000000s", "0x7s" };
    int64_t seconds;
    for (size_t i = 0; i < COUNT (cases); i++) {
        assert_int_equal (sh_span_parse (&seconds, cases[i].text), SH_OK);
        assert_true (seconds == cases[i].seconds);
    }
    seconds = -1;
    for (size_t i = 0; i < COUNT (wrong); i++)
        if (sh_span_parse (&seconds, wrong[i]) != SH_E_SYNTAX)
            fail_msg ("'%s' was taken", wrong[i]);
    assert_true (seconds == -1);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_exact),
        cmocka_unit_test (test_about),
        cmocka_unit_test (test_parse),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
