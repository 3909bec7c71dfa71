/* SPDX-License-Identifier: MPL-2.0 */
/*  The brake's two questions, as tables, and what it takes out of a plan.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hub/brake.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define SCANNED "2026-06-01 11:00:00"

static hub_subnet_t
s_subnet (const char *cidr, const char *scan, const char *discovery)
{
    hub_subnet_t subnet = { .id = 7, .has_prefix = true };
    assert_int_equal (sh_prefix_parse (&subnet.prefix, cidr), SH_OK);
    snprintf (subnet.last_scan, sizeof subnet.last_scan, "%s", scan);
    snprintf (subnet.last_discovery, sizeof subnet.last_discovery, "%s",
              discovery);
    return subnet;
}

static void
test_new (void **state)
{
    (void) state;
    enum { DEFAULT = HUB_LIMIT_DEFAULT, OFF = HUB_LIMIT_OFF,
           SET = HUB_LIMIT_SET };
    static const struct
    {
        const char *cidr, *scan, *discovery;
        hub_limit_t limit;
        bool by_hand;
        size_t inserts;
        bool stops;
    } cases[] = {
        /*  The default: half of the addresses, from 256 to 2,048.  */
        { "10.0.0.0/24", SCANNED, SCANNED, { DEFAULT, 0 }, false, 254, false },
        { "10.0.0.0/24", SCANNED, SCANNED, { DEFAULT, 0 }, false, 256, false },
        { "10.0.0.0/24", SCANNED, SCANNED, { DEFAULT, 0 }, false, 257, true },
        { "10.0.0.0/23", SCANNED, SCANNED, { DEFAULT, 0 }, false, 256, false },
        { "10.0.0.0/23", SCANNED, SCANNED, { DEFAULT, 0 }, false, 257, true },
        { "10.0.0.0/22", SCANNED, SCANNED, { DEFAULT, 0 }, false, 512, false },
        { "10.0.0.0/22", SCANNED, SCANNED, { DEFAULT, 0 }, false, 513, true },
        { "10.0.0.0/20", SCANNED, SCANNED, { DEFAULT, 0 }, false, 2048, false },
        { "10.0.0.0/16", SCANNED, SCANNED, { DEFAULT, 0 }, false, 2048, false },
        { "10.0.0.0/16", SCANNED, SCANNED, { DEFAULT, 0 }, false, 2049, true },
        { "10.0.0.1/32", SCANNED, SCANNED, { DEFAULT, 0 }, false, 1, false },
        { "2001:db8::/64", SCANNED, SCANNED, { DEFAULT, 0 }, false, 2048,
          false },
        { "2001:db8::/64", SCANNED, SCANNED, { DEFAULT, 0 }, false, 2049,
          true },
        { "2001:db8::/32", SCANNED, SCANNED, { DEFAULT, 0 }, false, 2049,
          true },
        { "2001:db8::/119", SCANNED, SCANNED, { DEFAULT, 0 }, false, 257,
          true },
        /*  What the file says.  */
        { "10.0.0.0/24", SCANNED, SCANNED, { SET, 10 }, false, 10, false },
        { "10.0.0.0/24", SCANNED, SCANNED, { SET, 10 }, false, 11, true },
        { "10.0.0.0/24", SCANNED, SCANNED, { SET, 0 }, false, 1, true },
        { "10.0.0.0/24", SCANNED, SCANNED, { SET, 0 }, false, 0, false },
        { "10.0.0.0/16", SCANNED, SCANNED, { SET, 300 }, false, 301, true },
        { "10.0.0.0/24", SCANNED, SCANNED, { OFF, 0 }, false, 4096, false },
        /*  Of a subnet that was never scanned all is new.  */
        { "10.0.0.0/23", "", "", { DEFAULT, 0 }, false, 510, false },
        { "10.0.0.0/23", "", "", { SET, 10 }, false, 510, false },
        { "10.0.0.0/23", SCANNED, "", { DEFAULT, 0 }, false, 510, true },
        { "10.0.0.0/23", "", SCANNED, { DEFAULT, 0 }, false, 510, true },
        /*  A person has looked.  */
        { "10.0.0.0/23", SCANNED, SCANNED, { SET, 0 }, true, 510, false },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        hub_subnet_t subnet = s_subnet (cases[i].cidr, cases[i].scan,
                                        cases[i].discovery);
        hub_facts_t facts = { .subnet = &subnet, .by_hand = cases[i].by_hand,
                              .policy.max_new = cases[i].limit };
        hub_changes_t changes = { .insert_count = cases[i].inserts };
        if (hub_brake_stops_new (&facts, &changes) != cases[i].stops)
            fail_msg ("case %zu", i);
    }
}

static void
test_offline (void **state)
{
    (void) state;
    static const struct
    {
        hub_limit_t limit;
        bool by_hand;
        uint64_t known, going;
        bool stops;
    } cases[] = {
        { { HUB_LIMIT_DEFAULT, 0 }, false, 20, 10, false },
        { { HUB_LIMIT_DEFAULT, 0 }, false, 20, 11, true },
        { { HUB_LIMIT_DEFAULT, 0 }, false, 20, 20, true },
        /*  Few hosts are no incident, whatever their share.  */
        { { HUB_LIMIT_DEFAULT, 0 }, false, 3, 3, false },
        { { HUB_LIMIT_DEFAULT, 0 }, false, 7, 7, false },
        { { HUB_LIMIT_DEFAULT, 0 }, false, 8, 8, true },
        { { HUB_LIMIT_SET, 0 }, false, 100, 7, false },
        { { HUB_LIMIT_SET, 0 }, false, 100, 8, true },
        { { HUB_LIMIT_SET, 10 }, false, 100, 10, false },
        { { HUB_LIMIT_SET, 10 }, false, 100, 11, true },
        { { HUB_LIMIT_SET, 100 }, false, 100, 100, false },
        { { HUB_LIMIT_OFF, 0 }, false, 100, 100, false },
        { { HUB_LIMIT_DEFAULT, 0 }, true, 100, 100, false },
        { { HUB_LIMIT_DEFAULT, 0 }, false, 0, 0, false },
        { { HUB_LIMIT_DEFAULT, 0 }, false, 3000000, 1500001, true },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        hub_facts_t facts = { .by_hand = cases[i].by_hand,
                              .policy.max_offline = cases[i].limit };
        if (hub_brake_stops_offline (&facts, cases[i].known, cases[i].going)
            != cases[i].stops)
            fail_msg ("case %zu", i);
    }
}

/*  The first closing part has the number after the last one with hosts; only a
    full one has others behind it.  */
static void
test_sees_a_part (void **state)
{
    (void) state;
    static const struct
    {
        uint64_t part, parts;
        size_t ranges;
        bool some;
    } cases[] = {
        { 1, 1, 1, false },
        { 0, 0, SP_RANGES_MOST - 1, false },
        { 2, 2, SP_RANGES_MOST, true },
        { 3, 2, 5, true },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sp_report_t report = { .last = true, .part = cases[i].part,
                               .parts = cases[i].parts,
                               .covered_count = cases[i].ranges };
        if (hub_brake_sees_a_part (&report) != cases[i].some)
            fail_msg ("case %zu", i);
    }
}

static hub_changes_t
s_changes (hub_differs_t *differs)
{
    *differs = (hub_differs_t){ .written = true };
    return (hub_changes_t){ .seen_count = 5, .insert_count = 1,
                            .name_count = 2, .mac_count = 3, .used_count = 4,
                            .offline_count = 6, .set_last_scan = true,
                            .set_last_discovery = true, .confirmed = 9,
                            .differs = differs, .differ_count = 1 };
}

static void
test_hold (void **state)
{
    (void) state;
    hub_differs_t differs;
    hub_changes_t held, changes = s_changes (&differs);
    assert_int_equal (hub_brake_weight (&changes), 1 + 2 + 3 + 4 + 6);
    hub_brake_hold (&changes, false, &held);
    assert_int_equal (hub_brake_weight (&changes), 0);
    assert_int_equal (hub_brake_weight (&held), 1 + 2 + 3 + 4 + 6);
    /*  Times are written, and are not held.  */
    assert_int_equal (changes.seen_count, 5);
    assert_int_equal (changes.confirmed, 9);
    assert_true (changes.set_last_scan && changes.set_last_discovery);
    assert_int_equal (held.seen_count, 0);
    assert_false (held.set_last_scan || held.set_last_discovery);
    assert_false (differs.written);

    changes = s_changes (&differs);
    hub_brake_hold (&changes, true, &held);
    assert_int_equal (hub_brake_weight (&changes), 0);
    assert_int_equal (changes.seen_count + changes.confirmed, 0);
    assert_false (changes.set_last_scan || changes.set_last_discovery);
    assert_int_equal (held.seen_count, 5);
    assert_true (held.set_last_scan && held.set_last_discovery);
}

int
main (void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_new),
        cmocka_unit_test (test_offline),
        cmocka_unit_test (test_sees_a_part),
        cmocka_unit_test (test_hold),
    };
    return cmocka_run_group_tests_name ("brake", tests, NULL, NULL);
}
