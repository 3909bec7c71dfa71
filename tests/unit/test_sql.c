/* SPDX-License-Identifier: MPL-2.0 */
/*  What the database's error numbers mean.  Which number a server gives when
    is not to be had from here: tests/integration/database.py.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub/part.h"
#include "hub/sql_error.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

static void
s_assert_all (sh_err_t expected, const unsigned *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (hub_sql_error (numbers[i]) != expected)
            fail_msg ("%u is %s, not %s", numbers[i],
                      sh_err_word (hub_sql_error (numbers[i])),
                      sh_err_word (expected));
}

#define ALL(expected, ...)                                                     \
    s_assert_all (expected, (const unsigned[]){ __VA_ARGS__ },                 \
                  COUNT (((const unsigned[]){ __VA_ARGS__ })))

static void
test_meaning (void **state)
{
    (void) state;
    ALL (SH_E_DB_BUSY, 1020, 1180, 1205, 1206, 1213, 1317, 1412, 1467, 1615,
         1969, 3024);
    ALL (SH_E_DB_DOWN, 3, 1021, 1026, 1030, 1037, 1038, 1040, 1041, 1047, 1053,
         1114, 1129, 1135, 1158, 1159, 1160, 1161, 1203, 1226, 1290, 1792, 1836,
         1927, 2002, 2003, 2005, 2006, 2013, 2026, 2055, 2058, 2059, 4031);
    ALL (SH_E_DB_RIGHTS, 1044, 1045, 1130, 1142, 1143, 1370, 1698, 1820, 1862,
         3118, 4151);
    ALL (SH_E_DB_SCHEMA, 1049, 1054, 1146, 1932);
    ALL (SH_E_HOST_COLUMN, 1364, 1452, 3819, 4025);
    ALL (SH_E_HOST_TEXT, 1366, 1406);
    ALL (SH_E_HOST_UNIQUE, 1062);
    /*  Whatever else the client library says, no statement ran.  */
    ALL (SH_E_DB_DOWN, 2000, 2027, 2999);
    ALL (SH_E_DB, 0, 1, 1064, 1153, 1999, 3000, 65535);
}

static void
test_remedies (void **state)
{
    (void) state;
    static const unsigned spoken[]
        = { 1021, 1040, 1045, 1114, 1153, 1203, 1205, 1226, 1290, 2026 };
    for (size_t i = 0; i < COUNT (spoken); i++)
        assert_non_null (hub_sql_remedy (spoken[i]));
    assert_null (hub_sql_remedy (1213));
    assert_null (hub_sql_remedy (0));
    assert_string_equal (hub_sql_remedy (1045), hub_sql_remedy (1698));
}

/*  Busy soon, down after the watcher's pace, and repairs take time; nothing
    says "at once" or "tomorrow", but where a part of it has been done.  */
static void
test_delays (void **state)
{
    (void) state;
    assert_int_equal (hub_part_delay (SH_E_DB_BUSY), 1000);
    assert_int_equal (hub_part_delay (SH_E_DB_DOWN), 5000);
    assert_int_equal (hub_part_delay (SH_E_MAINTENANCE), 30000);
    assert_int_equal (hub_part_delay (SH_E_DB_RIGHTS), 60000);
    assert_int_equal (hub_part_delay (SH_E_DB_SCHEMA), 60000);
    assert_int_equal (hub_part_delay (SH_E_UNFINISHED), 100);
    for (int err = 0; err < SH_ERR_COUNT; err++) {
        uint64_t delay = hub_part_delay ((sh_err_t) err);
        assert_true ((delay >= 1000 && delay <= 60000)
                     || err == SH_E_UNFINISHED);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_meaning),
        cmocka_unit_test (test_remedies),
        cmocka_unit_test (test_delays),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
