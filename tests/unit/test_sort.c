/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/sort.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

static size_t s_compared;

static int
s_compare (const void *a, const void *b)
{
    const int *x = a, *y = b;
    s_compared++;
    return (*x > *y) - (*x < *y);
}

/*  Every list of up to six numbers below four.  */
static void
test_all_lists (void **state)
{
    (void) state;
    for (size_t count = 0; count <= 6; count++)
        for (unsigned code = 0; code < 1u << 2 * count; code++) {
            int items[6], times[4] = { 0 };
            for (size_t i = 0; i < count; i++) {
                items[i] = (int) (code >> 2 * i & 3);
                times[items[i]]++;
            }
            sh_sort (items, count, sizeof *items, s_compare);
            for (size_t i = 0; i < count; i++) {
                assert_true (i == 0 || items[i - 1] <= items[i]);
                times[items[i]]--;
            }
            for (size_t i = 0; i < COUNT (times); i++)
                assert_int_equal (times[i], 0);
        }
}

/*  What is in order is looked through once.  */
static void
test_in_order (void **state)
{
    (void) state;
    int items[1000];
    for (size_t i = 0; i < COUNT (items); i++)
        items[i] = (int) i / 3;
    s_compared = 0;
    sh_sort (items, COUNT (items), sizeof *items, s_compare);
    assert_int_equal (s_compared, COUNT (items) - 1);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_all_lists),
        cmocka_unit_test (test_in_order),
    };
    return cmocka_run_group_tests_name ("sort", tests, NULL, NULL);
}
