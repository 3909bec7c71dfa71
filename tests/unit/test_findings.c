/* SPDX-License-Identifier: MPL-2.0 */
/*  What a doctor found: in order, in 80 columns, as JSON, and bounded.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "lib/clean.h"
#include "lib/findings.h"

/*  All of the list as text; the caller frees it.  */
static char *
s_text (const sh_findings_t *list)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream (&text, &size);
    assert_non_null (to);
    for (size_t i = 0; i < list->count; i++)
        sh_findings_print (list, i, to);
    sh_findings_print_sum (list, to);
    assert_int_equal (fclose (to), 0);
    return text;
}

static void
test_text (void **state)
{
    (void) state;
    sh_findings_t list = { 0 };
    sh_findings_begin (&list, "ports", "ports");
    sh_findings_good (&list, "%d is listened on", 5766);
    sh_findings_begin (&list, "grants", "rights");
    sh_findings_warning (&list, "one two three four five six seven eight nine "
                                "ten eleven twelve thirteen");
    sh_findings_error (&list, "the other");
    sh_findings_end (&list);
    char *text = s_text (&list);
    assert_string_equal (
        text,
        "good     ports          5766 is listened on\n"
        "warning  rights         one two three four five six seven eight nine "
        "ten eleven\n"
        "                        twelve thirteen\n"
        "error                   the other\n"
        "\n1 good, 1 warning, 1 error\n");
    free (text);
    assert_int_equal (sh_findings_worst (&list), SH_FINDING_ERROR);
    assert_int_equal (sh_findings_status (&list), 1);
    sh_findings_clear (&list);
    assert_int_equal (list.count, 0);
}

static void
test_status (void **state)
{
    (void) state;
    sh_findings_t list = { 0 };
    assert_int_equal (sh_findings_status (&list), 0);
    sh_findings_begin (&list, "a", "a");
    sh_findings_good (&list, "well");
    assert_int_equal (sh_findings_worst (&list), SH_FINDING_GOOD);
    sh_findings_warning (&list, "not quite");
    assert_int_equal (sh_findings_worst (&list), SH_FINDING_WARNING);
    assert_int_equal (sh_findings_status (&list), 0);
    list.incomplete = true;
    assert_int_equal (sh_findings_status (&list), 2);
    sh_findings_clear (&list);
}

static void
test_bounds (void **state)
{
    (void) state;
    sh_findings_t list = { 0 };
    char longer[SH_FINDING_TEXT * 2];
    memset (longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    sh_findings_begin (&list, "a", "a");
    for (int i = 0; i < SH_FINDINGS_EACH + 3; i++)
        sh_findings_warning (&list, "%s", longer);
    sh_findings_begin (&list, "b", "b");
    assert_int_equal (list.count, SH_FINDINGS_EACH + 1);
    assert_string_equal (list.items[SH_FINDINGS_EACH].text,
                         "and 3 more of this kind");
    assert_string_equal (list.items[SH_FINDINGS_EACH].word, "a");
    assert_int_equal (list.grades[SH_FINDING_WARNING], SH_FINDINGS_EACH + 3);
    assert_int_equal (strlen (list.items[0].text), SH_FINDING_TEXT - 1);
    sh_findings_error (&list, "of the next check");
    assert_int_equal (list.count, SH_FINDINGS_EACH + 2);
    sh_findings_clear (&list);
}

static void
test_json (void **state)
{
    (void) state;
    sh_findings_t list = { 0 };
    sh_findings_begin (&list, "agents", "scan agents");
    sh_findings_error (&list, "B\xc3\xbcro\033[31m \xff \"x\"");
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream (&text, &size);
    assert_non_null (to);
    assert_int_equal (sh_findings_print_json (&list, to), SH_OK);
    assert_int_equal (fclose (to), 0);
    json_t *root = json_loads (text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null (root);
    const char *check, *title, *result, *said, *worst;
    json_int_t errors;
    assert_int_equal (
        json_unpack (root, "{s:s, s:I, s:[{s:s, s:s, s:s, s:s}]}", "result",
                     &worst, "errors", &errors, "findings", "check", &check,
                     "title", &title, "result", &result, "text", &said),
        0);
    assert_string_equal (worst, "error");
    assert_int_equal (errors, 1);
    assert_string_equal (check, "agents");
    assert_string_equal (title, "scan agents");
    assert_string_equal (result, "error");
    assert_string_equal (said, "B\xc3\xbcro?[31m ? \"x\"");
    json_decref (root);
    free (text);
    sh_findings_clear (&list);
}

static void
test_clean (void **state)
{
    (void) state;
    static const char *const cases[][2] = {
        { "", "" },
        { "plain", "plain" },
        { "B\xc3\xbcro", "B\xc3\xbcro" },
        { "a\x7f\tb", "a??b" },
        { "\xc2\x9b" "31m", "?31m" },          /* C1: CSI */
        { "a\xe2\x80\xae" "b", "a?b" },        /* right-to-left override */
        { "\xc0\xaf\xe0\x80\xaf", "?????" },   /* overlong */
        { "\xed\xa0\x80", "???" },             /* a surrogate */
        { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
        { "\xf4\x90\x80\x80", "????" },        /* beyond Unicode */
        { "a\xe2\x82", "a??" },                /* cut off */
    };
    char out[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sh_clean (out, sizeof out, cases[i][0]);
        assert_string_equal (out, cases[i][1]);
    }
    sh_clean (out, 4, "ab\xc3\xbc");
    assert_string_equal (out, "ab"); /* not half of a character */
    sh_clean (out, 5, "ab\xc3\xbc");
    assert_string_equal (out, "ab\xc3\xbc");
    sh_clean (out, 1, "ab");
    assert_string_equal (out, "");
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_text),   cmocka_unit_test (test_status),
        cmocka_unit_test (test_bounds), cmocka_unit_test (test_json),
        cmocka_unit_test (test_clean),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
