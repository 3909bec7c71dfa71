/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/addr.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

static sh_addr_t
s_addr (const char *text)
{
    sh_addr_t addr;
    if (sh_addr_parse (&addr, text) != SH_OK)
        fail_msg ("'%s' should be an address", text);
    return addr;
}

static sh_prefix_t
s_prefix (const char *text)
{
    sh_prefix_t prefix;
    if (sh_prefix_parse (&prefix, text) != SH_OK)
        fail_msg ("'%s' should be a prefix", text);
    return prefix;
}

static void
s_assert_text (const sh_addr_t *addr, const char *expected)
{
    char text[SH_ADDR_TEXT];
    sh_addr_text (addr, text);
    assert_string_equal (text, expected);
}

static void
s_assert_decimal (const sh_addr_t *addr, const char *expected)
{
    char text[SH_ADDR_DECIMAL];
    sh_addr_decimal (addr, text);
    assert_string_equal (text, expected);
}

static void
test_parse (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *canonical;
        int family;
    } cases[] = {
        { "0.0.0.0", "0.0.0.0", 4 },
        { "255.255.255.255", "255.255.255.255", 4 },
        { "10.0.0.1", "10.0.0.1", 4 },
        { "::", "::", 6 },
        { "::1", "::1", 6 },
        { "2001:DB8::A", "2001:db8::a", 6 },
        { "2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1", 6 },
        { "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", 6 },
        { "2001:0:0:1:0:0:0:1", "2001:0:0:1::1", 6 },
        { "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", 6 },
        { "::ffff:1.2.3.4", "::ffff:1.2.3.4", 6 },
        { "fe80::", "fe80::", 6 },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 6 },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_addr_t addr = s_addr (cases[i].text);
        assert_int_equal (addr.family, cases[i].family);
        s_assert_text (&addr, cases[i].canonical);
    }
    /*  An IPv4 address leaves no rubbish behind its four bytes.  */
    sh_addr_t addr;
    memset (&addr, 0xff, sizeof addr);
    assert_int_equal (sh_addr_parse (&addr, "1.2.3.4"), SH_OK);
    static const uint8_t bytes[16] = { 1, 2, 3, 4 };
    assert_memory_equal (addr.bytes, bytes, sizeof bytes);
}

static void
test_parse_refuses (void **state)
{
    (void) state;
    static const char *const cases[] = {
        "", " ", "10.0.0", "10.0.0.1.1", "10.0.0.256", "10.0.0.01",
        "010.0.0.1", "10.0.0.00", "10.0.0.1 ", " 10.0.0.1", "10.0.0.1\n",
        "10.0.0.-1", "10.0.0.+1", "10.0.0.0x1", "10.1", "167772161",
        "10..0.1", "10.0.0.1.", ".10.0.0.1", "10.0.0.1/24", "1.2.3.4444",
        "localhost", ":", ":::", "1::2::3", "::1%lo", "fe80::1%2", "[::1]",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "::1/64",
        "::1 ", " ::1", "::01.2.3.4", "::1.2.3", "::ffff:1.2.3.256",
        "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7",
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_addr_t addr = { .family = 99 };
        if (sh_addr_parse (&addr, cases[i]) != SH_E_SYNTAX)
            fail_msg ("'%s' should be refused", cases[i]);
        assert_int_equal (addr.family, 99);
    }
}

static void
test_bytes (void **state)
{
    (void) state;
    static const uint8_t bytes[17] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x42 };
    sh_addr_t addr;

    assert_int_equal (sh_addr_from_bytes (&addr, (sh_bytes_t){ bytes, 4 }),
                      SH_OK);
    assert_int_equal (addr.family, 4);
    s_assert_text (&addr, "32.1.13.184");
    assert_int_equal (sh_addr_bytes (&addr).size, 4);

    assert_int_equal (sh_addr_from_bytes (&addr, (sh_bytes_t){ bytes, 16 }),
                      SH_OK);
    assert_int_equal (addr.family, 6);
    s_assert_text (&addr, "2001:db8::42");
    sh_bytes_t back = sh_addr_bytes (&addr);
    assert_int_equal (back.size, 16);
    assert_memory_equal (back.data, bytes, 16);

    static const size_t sizes[] = { 0, 1, 3, 5, 15, 17 };
    for (size_t i = 0; i < COUNT (sizes); i++)
        assert_int_equal (
            sh_addr_from_bytes (&addr, (sh_bytes_t){ bytes, sizes[i] }),
            SH_E_SYNTAX);
    assert_int_equal (sh_addr_from_bytes (&addr, (sh_bytes_t){ NULL, 4 }),
                      SH_E_SYNTAX);
    assert_int_equal (addr.family, 6);
}

static void
test_decimal (void **state)
{
    (void) state;
    static const struct
    {
        const char *decimal, *text;
    } cases[] = {
        { "0", "0.0.0.0" },
        { "1", "0.0.0.1" },
        { "172097541", "10.66.0.5" },
        { "4294967295", "255.255.255.255" },
        { "4294967296", "::1:0:0" },
        { "336395549904799703390415618052362076160", "fd13:6d20:29dc:cf27::" },
        { "42540766411282592856903984951653826561", "2001:db8::1" },
        { "9999999999999999999", "::8ac7:2304:89e7:ffff" },
        { "10000000000000000000", "::8ac7:2304:89e8:0" },
        { "18446744073709551615", "::ffff:ffff:ffff:ffff" },
        { "18446744073709551616", "::1:0:0:0:0" },
        { "340282366920938463463374607431768211455",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_addr_t addr;
        assert_int_equal (sh_addr_from_decimal (&addr, cases[i].decimal),
                          SH_OK);
        sh_addr_t same = s_addr (cases[i].text);
        assert_int_equal (sh_addr_cmp (&addr, &same), 0);
        s_assert_decimal (&same, cases[i].decimal);
    }
}

static void
test_decimal_refuses (void **state)
{
    (void) state;
    static const char *const cases[] = {
        "", " ", "-1", "+1", " 1", "1 ", "00", "01", "1.0", "1e3", "0x10",
        "340282366920938463463374607431768211456",
        "340282366920938463463374607431768211465",
        "999999999999999999999999999999999999999",
        "3402823669209384634633746074317682114550", "10.0.0.1", "1\n", "abc",
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_addr_t addr = { .family = 99 };
        if (sh_addr_from_decimal (&addr, cases[i]) != SH_E_SYNTAX)
            fail_msg ("'%s' should be refused", cases[i]);
        assert_int_equal (addr.family, 99);
    }
}

static void
test_no_address (void **state)
{
    (void) state;
    sh_addr_t none = { 0 };
    s_assert_text (&none, "");
    s_assert_decimal (&none, "0");
    assert_int_equal (sh_addr_bytes (&none).size, 0);
    assert_false (sh_addr_storable (&none));
    assert_false (sh_addr_next (&none));
    assert_false (sh_addr_previous (&none));
    sh_prefix_t all = s_prefix ("0.0.0.0/0");
    assert_false (sh_prefix_contains (&all, &none));
}

static void
test_cmp (void **state)
{
    (void) state;
    static const char *const ascending[]
        = { "0.0.0.0",         "9.255.255.255", "10.0.0.1",
            "10.0.0.2",        "10.0.1.0",      "200.0.0.0",
            "255.255.255.255", "::",            "::1",
            "2001:db8::1",     "ff02::1" };
    for (size_t i = 0; i < COUNT (ascending); i++) {
        for (size_t j = 0; j < COUNT (ascending); j++) {
            sh_addr_t a = s_addr (ascending[i]);
            sh_addr_t b = s_addr (ascending[j]);
            int order = sh_addr_cmp (&a, &b);
            assert_int_equal ((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

static void
test_storable (void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        bool storable;
    } cases[] = {
        { "0.0.0.0", true },       { "255.255.255.255", true },
        { "::", false },           { "::1", false },
        { "::ffff:ffff", false },  { "::1:0:0", true },
        { "::ffff:1.2.3.4", true }, { "2001:db8::", true },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_addr_t addr = s_addr (cases[i].text);
        assert_int_equal (sh_addr_storable (&addr), cases[i].storable);
    }
}

static void
test_next (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *next; /* NULL: the end */
    } cases[] = {
        { "10.0.0.1", "10.0.0.2" },
        { "10.0.0.255", "10.0.1.0" },
        { "10.255.255.255", "11.0.0.0" },
        { "255.255.255.255", NULL },
        { "::ffff:ffff", "::1:0:0" },
        { "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_addr_t addr = s_addr (cases[i].text);
        uint8_t family = addr.family;
        assert_int_equal (sh_addr_next (&addr), cases[i].next != NULL);
        assert_int_equal (addr.family, family);
        sh_addr_t expected
            = s_addr (cases[i].next ? cases[i].next : cases[i].text);
        assert_int_equal (sh_addr_cmp (&addr, &expected), 0);
        if (!cases[i].next)
            continue;
        expected = s_addr (cases[i].text);
        assert_true (sh_addr_previous (&addr));
        assert_int_equal (sh_addr_cmp (&addr, &expected), 0);
    }
    sh_addr_t first[] = { s_addr ("0.0.0.0"), s_addr ("::") };
    for (size_t i = 0; i < COUNT (first); i++) {
        sh_addr_t before = first[i];
        assert_false (sh_addr_previous (&before));
        assert_int_equal (sh_addr_cmp (&before, &first[i]), 0);
    }
}

static void
test_prefix_parse (void **state)
{
    (void) state;
    static const char *const good[]
        = { "0.0.0.0/0",      "10.0.0.0/8",    "10.0.0.0/24",
            "10.0.0.128/25",  "10.0.0.4/30",   "10.0.0.1/32",
            "10.0.0.2/31",    "::/0",          "2001:db8::/32",
            "2001:db8::/127", "2001:db8::1/128" };
    for (size_t i = 0; i < COUNT (good); i++) {
        sh_prefix_t prefix = s_prefix (good[i]);
        char text[SH_PREFIX_TEXT];
        sh_prefix_text (&prefix, text);
        assert_string_equal (text, good[i]);
    }
    /*  The longest there is fits its buffer.  */
    sh_prefix_t all = s_prefix ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
    char text[SH_PREFIX_TEXT];
    sh_prefix_text (&all, text);
    assert_string_equal (text, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
}

static void
test_prefix_parse_refuses (void **state)
{
    (void) state;
    static const char *const bad[] = {
        "", "/", "/24", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
        "10.0.0.0/+8", "10.0.0.0/ 8", "10.0.0.0/8 ", "10.0.0.0/08",
        "10.0.0.0/00", "10.0.0.0/256", "10.0.0.0/280", "10.0.0.0/2560",
        "10.0.0.1/24", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "10.0.0.1/0",
        "10.0.0.3/31", "2001:db8::1/127", "2001:db8::/129", "::1/0",
        "2001:db8::/31x", "x/8", "10.0.0.0/8\n",
        "2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000:0000/64",
    };
    for (size_t i = 0; i < COUNT (bad); i++) {
        sh_prefix_t prefix = { .length = 77 };
        if (sh_prefix_parse (&prefix, bad[i]) != SH_E_SYNTAX)
            fail_msg ("'%s' should be refused", bad[i]);
        assert_int_equal (prefix.length, 77);
    }
}

static void
test_prefix_from_decimal (void **state)
{
    (void) state;
    static const struct
    {
        const char *subnet, *mask, *text; /* NULL: refused */
    } cases[] = {
        { "172097536", "24", "10.66.0.0/24" },
        { "167772160", "8", "10.0.0.0/8" },
        { "0", "8", "0.0.0.0/8" },
        { "172097541", "32", "10.66.0.5/32" },
        { "336395549904799703390415618052362076160", "64",
          "fd13:6d20:29dc:cf27::/64" },
        { "340282366920938463463374607431768211455", "128",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" },
        { NULL, NULL, NULL },
        { NULL, "24", NULL },
        { "172097536", NULL, NULL },
        { "0", "", NULL },
        { "0", "0", NULL },
        { "", "24", NULL },
        { "172097541", "24", NULL },
        { "172097536", "33", NULL },
        { "172097536", "64", NULL },
        { "172097536", "024", NULL },
        { "172097536", "24 ", NULL },
        { "172097536", "-24", NULL },
        { "10.66.0.0", "24", NULL },
        { "336395549904799703390415618052362076160", "129", NULL },
        { "336395549904799703390415618052362076161", "64", NULL },
        { "340282366920938463463374607431768211456", "64", NULL },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_prefix_t prefix = { .length = 77 };
        sh_err_t rc = sh_prefix_from_decimal (&prefix, cases[i].subnet,
                                              cases[i].mask);
        assert_int_equal (rc, cases[i].text ? SH_OK : SH_E_SYNTAX);
        if (!cases[i].text) {
            assert_int_equal (prefix.length, 77);
            continue;
        }
        char text[SH_PREFIX_TEXT];
        sh_prefix_text (&prefix, text);
        assert_string_equal (text, cases[i].text);
    }
}

static void
test_prefix_relations (void **state)
{
    (void) state;
    static const struct
    {
        const char *prefix, *addr;
        bool inside;
    } cases[] = {
        { "10.0.0.0/24", "10.0.0.0", true },
        { "10.0.0.0/24", "10.0.0.255", true },
        { "10.0.0.0/24", "10.0.1.0", false },
        { "10.0.0.0/24", "9.255.255.255", false },
        { "10.0.0.0/24", "::10.0.0.1", false },
        { "0.0.0.0/0", "255.255.255.255", true },
        { "0.0.0.0/0", "::", false },
        { "10.0.0.7/32", "10.0.0.7", true },
        { "10.0.0.7/32", "10.0.0.6", false },
        { "::/0", "ffff::", true },
        { "::/0", "1.2.3.4", false },
        { "2001:db8::/63", "2001:db8:0:1:ffff::", true },
        { "2001:db8::/63", "2001:db8:0:2::", false },
        { "2001:db8::1/128", "2001:db8::1", true },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_prefix_t prefix = s_prefix (cases[i].prefix);
        sh_addr_t addr = s_addr (cases[i].addr);
        if (sh_prefix_contains (&prefix, &addr) != cases[i].inside)
            fail_msg ("%s in %s", cases[i].addr, cases[i].prefix);
    }

    sh_prefix_t a = s_prefix ("10.0.0.0/24");
    sh_prefix_t b = s_prefix ("10.0.0.0/25");
    sh_prefix_t c = s_prefix ("10.0.1.0/24");
    sh_prefix_t d = s_prefix ("10.0.0.0/24");
    assert_true (sh_prefix_equal (&a, &d));
    assert_false (sh_prefix_equal (&a, &b));
    assert_false (sh_prefix_equal (&a, &c));
    sh_prefix_t v4 = s_prefix ("0.0.0.0/0");
    sh_prefix_t v6 = s_prefix ("::/0");
    assert_false (sh_prefix_equal (&v4, &v6));
}

static void
test_prefix_size (void **state)
{
    (void) state;
    static const struct
    {
        const char *prefix, *last;
        uint64_t count;
        bool edges;
    } cases[] = {
        { "10.0.0.0/24", "10.0.0.255", 256, true },
        { "10.0.0.0/30", "10.0.0.3", 4, true },
        { "10.0.0.0/31", "10.0.0.1", 2, false },
        { "10.0.0.9/32", "10.0.0.9", 1, false },
        { "0.0.0.0/0", "255.255.255.255", UINT64_C (4294967296), true },
        { "2001:db8::/128", "2001:db8::", 1, false },
        { "2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", UINT64_MAX,
          false },
        { "2001:db8::/65", "2001:db8::7fff:ffff:ffff:ffff",
          UINT64_C (9223372036854775808), false },
        { "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", UINT64_MAX,
          false },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sh_prefix_t prefix = s_prefix (cases[i].prefix);
        sh_addr_t last = sh_prefix_last (&prefix);
        s_assert_text (&last, cases[i].last);
        assert_true (sh_prefix_count (&prefix) == cases[i].count);
        assert_int_equal (sh_prefix_has_edges (&prefix, false), cases[i].edges);
        assert_false (sh_prefix_has_edges (&prefix, true));
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_parse),
        cmocka_unit_test (test_parse_refuses),
        cmocka_unit_test (test_bytes),
        cmocka_unit_test (test_decimal),
        cmocka_unit_test (test_decimal_refuses),
        cmocka_unit_test (test_no_address),
        cmocka_unit_test (test_cmp),
        cmocka_unit_test (test_storable),
        cmocka_unit_test (test_next),
        cmocka_unit_test (test_prefix_parse),
        cmocka_unit_test (test_prefix_parse_refuses),
        cmocka_unit_test (test_prefix_from_decimal),
        cmocka_unit_test (test_prefix_relations),
        cmocka_unit_test (test_prefix_size),
    };
    return cmocka_run_group_tests_name ("addr", tests, NULL, NULL);
}
