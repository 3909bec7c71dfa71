/* SPDX-License-Identifier: MPL-2.0 */
/*  The text of /metrics: one that the parser below takes, whatever is in
    it.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/metrics_text.h"

static char *
s_label (const char *value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream (&text, &size);
    assert_non_null (to);
    hub_metrics_label (to, value);
    fclose (to);
    return text;
}

static void
test_labels_are_escaped (void **state)
{
    (void) state;
    static const struct
    {
        const char *value, *text;
    } cases[] = {
        { "", "" },
        { "site-a", "site-a" },
        { "a\"b", "a\\\"b" },
        { "a\\b", "a\\\\b" },
        { "a\nb", "a\\nb" },
        { "\"} 1\nx", "\\\"} 1\\nx" },
        { "B\xc3\xbcro", "B\xc3\xbcro" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = s_label (cases[i].value);
        assert_string_equal (text, cases[i].text);
        free (text);
    }
}

static void
test_a_single_series (void **state)
{
    (void) state;
    static const struct
    {
        double value;
        const char *last;
    } cases[] = {
        { 0, "scanhub_x 0\n" },
        { 1, "scanhub_x 1\n" },
        { 1790000000.123, "scanhub_x 1790000000.123\n" },
        { 9007199254740991.0, "scanhub_x 9.00719925474099e+15\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *to = open_memstream (&text, &size);
        assert_non_null (to);
        hub_metrics_single (to, "scanhub_x", "gauge", "What.", cases[i].value);
        fclose (to);
        assert_non_null (strstr (text, "# HELP scanhub_x What.\n"
                                       "# TYPE scanhub_x gauge\n"));
        assert_non_null (strstr (text, cases[i].last));
        free (text);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_labels_are_escaped),
        cmocka_unit_test (test_a_single_series),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
