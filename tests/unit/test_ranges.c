/* SPDX-License-Identifier: MPL-2.0 */
/*  Sets of addresses.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sets.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

static void
test_parsing (void **state)
{
    (void) state;
    static const char *const wrong[] = {
        "", "-", "10.0.0.1-", "-10.0.0.1", "10.0.0.9-10.0.0.1", "10.0.0",
        "10.0.0.1/24", "10.0.0.0/33", "10.0.0.0/", "10.0.0.1-2001:db8::1",
        "10.0.0.1 - 10.0.0.2", "10.0.0.0/24-10.0.1.0/24", "10.0.0.1-9", "lan",
        "2001:db8::1/64",
        "1111:1111:1111:1111:1111:1111:111.111.111.111111111111111111111111",
    };
    sh_range_t one;
    for (size_t i = 0; i < COUNT (wrong); i++)
        if (sh_range_parse (&one, wrong[i]) != SH_E_SYNTAX)
            fail_msg ("'%s' was taken", wrong[i]);

    sh_ranges_t ranges = { 0 };
    set_append (&ranges, "10.0.0.7 10.0.0.1-10.0.0.3 10.0.1.0/24 2001:db8::/120");
    assert_string_equal (set_show (&ranges), "10.0.0.7-10.0.0.7 10.0.0.1-10.0.0.3 "
                       "10.0.1.0-10.0.1.255 2001:db8::-2001:db8::ff");
    sh_ranges_clear (&ranges);
}

static void
test_settling (void **state)
{
    (void) state;
    static const struct
    {
        const char *put, *settled;
    } cases[] = {
        { "", "" },
        { "10.0.0.9", "10.0.0.9-10.0.0.9" },
        { "10.0.0.9 10.0.0.1", "10.0.0.1-10.0.0.1 10.0.0.9-10.0.0.9" },
        { "10.0.0.2 10.0.0.1", "10.0.0.1-10.0.0.2" },
        { "10.0.0.3 10.0.0.1", "10.0.0.1-10.0.0.1 10.0.0.3-10.0.0.3" },
        { "10.0.0.1-10.0.0.9 10.0.0.2-10.0.0.3 10.0.0.5-10.0.0.20",
          "10.0.0.1-10.0.0.20" },
        { "10.0.0.1 10.0.0.1", "10.0.0.1-10.0.0.1" },
        { "255.255.255.255 ::", "255.255.255.255-255.255.255.255 ::-::" },
        { "0.0.0.0/0 10.0.0.1 255.255.255.255", "0.0.0.0-255.255.255.255" },
        { "2001:db8::/128 10.0.0.1",
          "10.0.0.1-10.0.0.1 2001:db8::-2001:db8::" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_ranges_t ranges = { 0 };
        set_append (&ranges, cases[i].put);
        sh_ranges_settle (&ranges);
        assert_string_equal (set_show (&ranges), cases[i].settled);
        sh_ranges_clear (&ranges);
    }
}

static void
test_cutting (void **state)
{
    (void) state;
    static const struct
    {
        const char *ranges, *prefix, *cut;
    } cases[] = {
        { "10.0.0.1-10.0.0.9 10.0.1.1", "10.0.0.0/24", "10.0.0.1-10.0.0.9" },
        { "10.0.0.200-10.0.1.20", "10.0.0.0/24", "10.0.0.200-10.0.0.255" },
        { "10.0.0.200-10.0.1.20", "10.0.1.0/24", "10.0.1.0-10.0.1.20" },
        { "10.0.0.200-10.0.1.20", "10.0.2.0/24", "" },
        { "10.0.0.0/8", "10.0.1.0/24", "10.0.1.0-10.0.1.255" },
        { "0.0.0.0/0", "2001:db8::/64", "" },
        { "::/0", "10.0.0.0/24", "" },
        { "10.0.0.0/32 10.0.0.255 10.0.1.0", "10.0.0.0/24",
          "10.0.0.0-10.0.0.0 10.0.0.255-10.0.0.255" },
        { "2001:db8::1 2001:db8::f-2001:db9::", "2001:db8::/124",
          "2001:db8::1-2001:db8::1 2001:db8::f-2001:db8::f" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_ranges_t ranges = { 0 }, cut = { 0 };
        sh_prefix_t prefix = set_prefix (cases[i].prefix);
        set_append (&ranges, cases[i].ranges);
        sh_ranges_settle (&ranges);
        assert_int_equal (sh_ranges_cut (&cut, &ranges, &prefix), SH_OK);
        assert_string_equal (set_show (&cut), cases[i].cut);
        sh_ranges_clear (&cut);
        sh_ranges_clear (&ranges);
    }
}

static void
test_limiting (void **state)
{
    (void) state;
    static const struct
    {
        const char *ranges;
        size_t most;
        const char *left; /* NULL: as they were */
    } cases[] = {
        { "10.0.0.1 10.0.0.3", 2, NULL },
        { "10.0.0.1 10.0.0.3 10.0.0.9", 2,
          "10.0.0.1-10.0.0.3 10.0.0.9-10.0.0.9" },
        { "10.0.0.1 10.0.0.7 10.0.0.9", 2,
          "10.0.0.1-10.0.0.1 10.0.0.7-10.0.0.9" },
        { "10.0.0.1 10.0.0.3 10.0.0.5 10.0.0.200 10.0.0.202", 2,
          "10.0.0.1-10.0.0.5 10.0.0.200-10.0.0.202" },
        { "10.0.0.1 10.0.0.3 10.0.0.5", 1, "10.0.0.1-10.0.0.5" },
        { "10.0.0.1 10.0.0.5 10.0.0.7 10.0.0.200", 2,
          "10.0.0.1-10.0.0.7 10.0.0.200-10.0.0.200" },
        /*  Borrows over bytes: 0.255 to 1.1 is near, 0.1 to 0.255 is not.  */
        { "10.0.0.1 10.0.0.255 10.0.1.1", 2,
          "10.0.0.1-10.0.0.1 10.0.0.255-10.0.1.1" },
        { "2001:db8::1 2001:db8:1:: 2001:db8:1::ffff", 2,
          "2001:db8::1-2001:db8::1 2001:db8:1::-2001:db8:1::ffff" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_ranges_t ranges = { 0 };
        bool widened;
        set_append (&ranges, cases[i].ranges);
        sh_ranges_settle (&ranges);
        assert_int_equal (
            sh_ranges_limit (&ranges, cases[i].most, &widened), SH_OK);
        assert_int_equal (widened, cases[i].left != NULL);
        if (cases[i].left)
            assert_string_equal (set_show (&ranges), cases[i].left);
        sh_ranges_clear (&ranges);
    }
}

static void
test_adding (void **state)
{
    (void) state;
    sh_ranges_t set = { 0 };
    assert_int_equal (sh_ranges_count (&set), 0);
    assert_int_equal (set_add (&set, "10.0.0.1", "10.0.0.1"), SH_OK);
    assert_int_equal (set_add (&set, "10.0.0.2", "10.0.0.9"), SH_OK);
    assert_int_equal (set_add (&set, "10.0.1.255", "10.0.2.0"), SH_OK);
    assert_string_equal (set_show (&set),
                         "10.0.0.1-10.0.0.9 10.0.1.255-10.0.2.0");
    assert_int_equal (sh_ranges_count (&set), 11);
    /* not ascending, upside down, another family */
    assert_int_equal (set_add (&set, "10.0.2.0", "10.0.2.1"), SH_E_INTERNAL);
    assert_int_equal (set_add (&set, "10.0.3.2", "10.0.3.1"), SH_E_INTERNAL);
    assert_int_equal (set_add (&set, "::1", "::2"), SH_E_INTERNAL);
    static const struct
    {
        const char *ip;
        bool in;
    } table[] = { { "10.0.0.0", false },  { "10.0.0.1", true },
                  { "10.0.0.9", true },   { "10.0.0.10", false },
                  { "10.0.1.255", true }, { "10.0.2.0", true },
                  { "10.0.2.1", false },  { "a00:1::", false } };
    for (size_t i = 0; i < COUNT (table); i++) {
        sh_addr_t ip = set_ip (table[i].ip);
        assert_int_equal (sh_ranges_contain (&set, &ip), table[i].in);
    }
    sh_ranges_clear (&set);
    assert_int_equal (set_add (&set, "::", "2001:db8::ffff"), SH_OK);
    assert_true (sh_ranges_count (&set) == UINT64_MAX);
    sh_ranges_clear (&set);
    assert_int_equal (set_add (&set, "2001:db8::fffe", "2001:db8::1:0"), SH_OK);
    assert_int_equal (sh_ranges_count (&set), 3);
    sh_ranges_clear (&set);
}

static void
test_subtract (void **state)
{
    (void) state;
    static const struct
    {
        const char *from, *take, *left;
    } table[] = {
        { "10.0.0.0-10.0.0.9", "", "10.0.0.0-10.0.0.9" },
        { "", "10.0.0.0-10.0.0.9", "" },
        { "10.0.0.0-10.0.0.9", "10.0.0.0-10.0.0.9", "" },
        { "10.0.0.0-10.0.0.9", "9.0.0.0-11.0.0.0", "" },
        { "10.0.0.0-10.0.0.9", "10.0.0.0-10.0.0.0 10.0.0.9-10.0.0.9",
          "10.0.0.1-10.0.0.8" },
        { "10.0.0.0-10.0.0.9", "10.0.0.3-10.0.0.5 10.0.0.7-10.0.0.7",
          "10.0.0.0-10.0.0.2 10.0.0.6-10.0.0.6 10.0.0.8-10.0.0.9" },
        { "10.0.0.0-10.0.0.3 10.0.0.6-10.0.0.9", "10.0.0.2-10.0.0.7",
          "10.0.0.0-10.0.0.1 10.0.0.8-10.0.0.9" },
        { "255.255.255.250-255.255.255.255",
          "255.255.255.252-255.255.255.255",
          "255.255.255.250-255.255.255.251" },
        { "0.0.0.0-0.0.0.9", "0.0.0.0-0.0.0.0", "0.0.0.1-0.0.0.9" },
        { "2001:db8::-2001:db8::ffff", "10.0.0.0-10.0.0.9",
          "2001:db8::-2001:db8::ffff" },
    };
    for (size_t i = 0; i < COUNT (table); i++) {
        sh_ranges_t set = { 0 }, take = { 0 }, copy = { 0 };
        set_read (&set, table[i].from);
        set_read (&take, table[i].take);
        assert_int_equal (sh_ranges_copy (&copy, &set), SH_OK);
        assert_true (sh_ranges_equal (&copy, &set));
        assert_int_equal (sh_ranges_subtract (&set, &take), SH_OK);
        assert_string_equal (set_show (&set), table[i].left);
        assert_int_equal (sh_ranges_equal (&copy, &set),
                          strcmp (table[i].from, table[i].left) == 0);
        sh_ranges_clear (&set);
        sh_ranges_clear (&take);
        sh_ranges_clear (&copy);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_parsing),
        cmocka_unit_test (test_settling),
        cmocka_unit_test (test_cutting),
        cmocka_unit_test (test_limiting),
        cmocka_unit_test (test_adding),
        cmocka_unit_test (test_subtract),
    };
    return cmocka_run_group_tests_name ("ranges", tests, NULL, NULL);
}
