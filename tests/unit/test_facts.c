/* SPDX-License-Identifier: MPL-2.0 */
/*  What a service tells of itself, written and read again.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scanner/facts.h"

static char s_room[1024 * 1024];

static void
s_add (sc_plan_t *plan, uint64_t id, const char *cidr)
{
    sc_subnet_t subnet = { .id = id, .resolve = true };
    assert_int_equal (sh_prefix_parse (&subnet.prefix, cidr), SH_OK);
    assert_int_equal (sh_addr_parse (&subnet.nameservers[0], "192.0.2.53"),
                      SH_OK);
    assert_int_equal (sh_addr_parse (&subnet.nameservers[1], "2001:db8::53"),
                      SH_OK);
    subnet.nameserver_count = 2;
    assert_int_equal (sc_plan_add (plan, &subnet), SH_OK);
}

static void
test_round (void **state)
{
    (void) state;
    sc_plan_t plan = { 0 };
    sc_facts_t out;
    const sc_facts_t facts = { .connected = true,
                               .hub = "tcp://hub.example:5766",
                               .why = "a \"why\" with \033 and \xff",
                               .offset = -1234,
                               .waiting = 7 };
    s_add (&plan, 3, "10.0.0.0/24");
    s_add (&plan, 9, "2001:db8::/64");
    sc_facts_write (&facts, &plan, s_room, sizeof s_room);
    assert_null (strchr (s_room, '\n'));
    assert_int_equal (sc_facts_read (&out, s_room), SH_OK);
    assert_true (out.connected);
    assert_string_equal (out.hub, facts.hub);
    assert_string_equal (out.why, "a \"why\" with ? and ?");
    assert_int_equal (out.offset, -1234);
    assert_int_equal (out.waiting, 7);
    assert_int_equal (out.more, 0);
    assert_int_equal (out.plan.count, 2);
    assert_true (sh_prefix_equal (&out.plan.items[1].prefix,
                                  &plan.items[1].prefix));
    assert_true (out.plan.items[1].resolve);
    assert_int_equal (out.plan.items[1].nameserver_count, 2);
    char text[SH_ADDR_TEXT];
    sh_addr_text (&out.plan.items[1].nameservers[1], text);
    assert_string_equal (text, "2001:db8::53");
    sc_facts_clear (&out);
    sc_plan_clear (&plan);
}

/*  With more subnets than an answer holds, it says how many are missing.  */
static void
test_many (void **state)
{
    (void) state;
    sc_plan_t plan = { 0 };
    sc_facts_t out;
    const sc_facts_t facts = { .waiting = 0 };
    for (uint64_t i = 1; i <= SC_FACTS_SUBNETS + 5; i++)
        s_add (&plan, i, "2001:db8:ffff:ffff:ffff:ffff:ffff:0/112");
    sc_facts_write (&facts, &plan, s_room, sizeof s_room);
    assert_int_equal (sc_facts_read (&out, s_room), SH_OK);
    assert_int_equal (out.plan.count, SC_FACTS_SUBNETS);
    assert_int_equal (out.more, 5);
    sc_facts_clear (&out);
    sc_facts_write (&facts, &plan, s_room, 100);
    assert_string_equal (s_room, "error no room for the answer");
    sc_plan_clear (&plan);
}

#define HEAD "ok {\"connected\":true,\"hub\":\"h\",\"why\":\"\",\"offset\":0," \
             "\"waiting\":0,\"more\":0,\"subnets\":"

static void
test_wrong (void **state)
{
    (void) state;
    static const char *const wrong[] = {
        "",
        "error unknown request",
        "ok",
        "ok {",
        "ok {}",
        "ok []",
        HEAD "[{}]}",
        HEAD "[{\"id\":0,\"network\":\"10.0.0.0/24\",\"names\":true,"
             "\"servers\":[]}]}",
        HEAD "[{\"id\":1,\"network\":\"10.0.0.1/24\",\"names\":true,"
             "\"servers\":[]}]}",
        HEAD "[7]}",
    };
    sc_facts_t out;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal (sc_facts_read (&out, wrong[i]), SH_E_SYNTAX);
        sc_facts_clear (&out);
    }
    assert_int_equal (sc_facts_read (&out, HEAD "[]}"), SH_OK);
    sc_facts_clear (&out);
    /*  Odd servers are left out.  */
    assert_int_equal (
        sc_facts_read (&out, HEAD "[{\"id\":1,\"network\":\"10.0.0.0/24\","
                                  "\"names\":true,\"servers\":[1,\"x\"]}]}"),
        SH_OK);
    assert_int_equal (out.plan.items[0].nameserver_count, 0);
    sc_facts_clear (&out);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_round),
        cmocka_unit_test (test_many),
        cmocka_unit_test (test_wrong),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
