/* SPDX-License-Identifier: MPL-2.0 */
/*  Tables for people: within 80 columns, and nothing of a cell is lost.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/table.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

/*  What is printed; a file is no terminal, so it has no colour.  */
static void
s_expect (ctl_table_t **table, const char *wanted)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream (&text, &size);
    assert_non_null (stream);
    assert_true (ctl_table_print (*table, stream));
    fclose (stream);
    assert_string_equal (text, wanted);
    free (text);
    ctl_table_destroy (table);
}

static void
test_widths (void **state)
{
    (void) state;
    static const char *const titles[] = { "NAME", ">HOSTS", "STATE" };
    ctl_table_t *table = ctl_table_new (titles, COUNT (titles));
    assert_non_null (table);
    s_expect (&table, "");

    table = ctl_table_new (titles, COUNT (titles));
    ctl_table_add (table, "%s", "s\xc3\xbc" "d");
    ctl_table_add (table, "%d", 7);
    ctl_table_add (table, "well");
    ctl_table_mark (table, SH_MARK_ERROR);
    ctl_table_add (table, "north\033[31m");
    ctl_table_add (table, "%d", 12345678);
    ctl_table_add (table, "so so");
    assert_int_equal (ctl_table_rows (table), 2);
    s_expect (&table, "NAME           HOSTS  STATE\n"
                      "s\xc3\xbc" "d                7  well\n"
                      "north?[31m  12345678  so so\n");
}

static void
test_too_long (void **state)
{
    (void) state;
    static const char *const titles[] = { "NAME", "WHEN", "WHY" };
    ctl_table_t *table = ctl_table_new (titles, COUNT (titles));
    ctl_table_add (table, "a-name-that-is-so-long-that-it-has-to-stand-"
                          "by-itself-above");
    ctl_table_add (table, "2026-06-01");
    ctl_table_add (table, "because of one thing and another and a third one");
    s_expect (&table,
              "NAME                                            WHEN        "
              "WHY\n"
              "a-name-that-is-so-long-that-it-has-to-stand-by-itself-above\n"
              "                                                2026-06-01  "
              "because of one thing\n"
              "                                                            "
              "and another and a\n"
              "                                                            "
              "third one\n");
}

/*  Nothing is padded that nothing follows.  */
static void
test_empty_cells (void **state)
{
    (void) state;
    static const char *const titles[] = { "NAME", ">HOSTS", "STATE", "" };
    ctl_table_t *table = ctl_table_new (titles, COUNT (titles));
    ctl_table_add (table, "north");
    ctl_table_add (table, "%s", "");
    ctl_table_add (table, "%s", "");
    ctl_table_add (table, "%s", "");
    ctl_table_add (table, "%s", "");
    ctl_table_add (table, "7");
    ctl_table_add (table, "%s", "");
    ctl_table_add (table, "here");
    s_expect (&table, "NAME   HOSTS  STATE\n"
                      "north\n"
                      "           7         here\n");
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_widths),
        cmocka_unit_test (test_too_long),
        cmocka_unit_test (test_empty_cells),
    };
    cmocka_set_message_output (CM_OUTPUT_TAP);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
