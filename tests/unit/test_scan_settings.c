/* SPDX-License-Identifier: MPL-2.0 */
/*  Which settings count for a subnet, and what is left out of it.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/scan_settings.h"
#include "tests/unit/sets.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

/*  A number below 'most'; always the same ones.  */
static int
s_random (uint32_t *seed, uint32_t most)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return (int) (*seed % most);
}

/*  Whatever the ranges: nothing that was excluded is probed in the end.  */
static void
test_nothing_excluded_is_probed (void **state)
{
    (void) state;
    uint32_t seed = 7;
    for (int round = 0; round < 300; round++) {
        bool out[256] = { false };
        hub_scan_settings_t settings;
        hub_scan_settings_init (&settings);
        int count = s_random (&seed, 250);
        for (int i = 0; i < count; i++) {
            int first = s_random (&seed, 256);
            int last = first + (s_random (&seed, 8) == 0);
            char text[64];
            sh_range_t one;
            last = last > 255 ? 255 : last;
            snprintf (text, sizeof text, "10.0.0.%d-10.0.0.%d", first, last);
            assert_int_equal (sh_range_parse (&one, text), SH_OK);
            assert_int_equal (sh_ranges_append (&settings.hub.exclude, &one),
                              SH_OK);
            for (int at = first; at <= last; at++)
                out[at] = true;
        }
        hub_scan_settings_settle (&settings);
        sh_prefix_t prefix = set_prefix ("10.0.0.0/24");
        hub_scan_rule_t rule;
        assert_int_equal (
            hub_scan_rule_make (&rule, &settings, NULL, 7, &prefix), SH_OK);
        assert_true (rule.skip.count <= SP_SKIP_MOST);
        bool skipped[256] = { false };
        for (size_t i = 0; i < rule.skip.count; i++)
            for (int at = rule.skip.items[i].first.bytes[3];
                 at <= rule.skip.items[i].last.bytes[3]; at++)
                skipped[at] = true;
        for (int at = 0; at < 256; at++) {
            assert_true (skipped[at] || !out[at]);
            assert_true (rule.widened || skipped[at] == out[at]);
        }
        hub_scan_rule_clear (&rule);
        hub_scan_settings_clear (&settings);
    }
}

/*  Entries in an order that is not theirs.  */
static hub_scan_entry_t *
s_entry (hub_scan_settings_t *self, hub_level_t kind)
{
    self->entries = realloc (self->entries,
                             (self->count + 1) * sizeof *self->entries);
    assert_non_null (self->entries);
    hub_scan_entry_t *entry = &self->entries[self->count++];
    *entry = (hub_scan_entry_t){ .kind = kind };
    return entry;
}

static hub_scan_rule_t
s_rule (const hub_scan_settings_t *settings, const char *agent,
        uint64_t subnet, const char *cidr)
{
    sh_prefix_t prefix = set_prefix (cidr);
    hub_scan_rule_t rule;
    assert_int_equal (
        hub_scan_rule_make (&rule, settings, agent, subnet, &prefix), SH_OK);
    return rule;
}

static void
test_the_narrower_wins (void **state)
{
    (void) state;
    hub_scan_settings_t settings;
    hub_scan_settings_init (&settings);
    set_append (&settings.hub.exclude, "10.1.2.250");
    settings.hub.rate = 500;
    settings.hub.has_quiet = true;
    settings.hub.quiet[0] = (sp_hours_t){ 60, 120 };
    settings.hub.quiet_count = 1;

    hub_scan_entry_t *one = s_entry (&settings, HUB_LEVEL_SUBNET);
    one->subnet = 7;
    one->level.check = 60;
    set_append (&one->level.exclude, "10.1.2.3");
    one = s_entry (&settings, HUB_LEVEL_PREFIX);
    one->prefix = set_prefix ("10.1.0.0/16");
    one->level.check = 30;
    one->level.discover = HUB_SCAN_NEVER;
    one->level.ipv6 = HUB_IPV6_ALL;
    one = s_entry (&settings, HUB_LEVEL_PREFIX);
    one->prefix = set_prefix ("10.0.0.0/8");
    one->level.discover = 900;
    one->level.rate = 40;
    set_append (&one->level.exclude, "10.1.2.4 10.9.9.9");
    one = s_entry (&settings, HUB_LEVEL_AGENT);
    one->agent = strdup ("site-a");
    one->level.rate = 30;
    one->level.check = 20;
    one->level.has_quiet = true; /* and none */
    hub_scan_settings_settle (&settings);

    hub_scan_rule_t rule = s_rule (&settings, "site-a", 7, "10.1.2.0/24");
    assert_int_equal (rule.check, 60);                /* subnet */
    assert_int_equal (rule.discover, HUB_SCAN_NEVER); /* longer prefix */
    assert_int_equal (rule.rate, 40);                 /* shorter prefix */
    assert_int_equal (rule.ipv6, HUB_IPV6_ALL);
    assert_int_equal (rule.quiet_count, 0);           /* agent */
    assert_string_equal (set_show (&rule.skip), "10.1.2.3-10.1.2.4 10.1.2.250-10.1.2.250");
    assert_false (rule.widened);
    hub_scan_rule_clear (&rule);

    rule = s_rule (&settings, "site-a", 8, "192.0.2.0/24");
    assert_int_equal (rule.check, 20);
    assert_int_equal (rule.discover, HUB_SCAN_DISCOVER_S);
    assert_int_equal (rule.rate, 30);
    assert_int_equal (rule.ipv6, HUB_IPV6_STABLE);
    hub_scan_rule_clear (&rule);

    /*  The name is compared whole, and a wider subnet is not inside.  */
    rule = s_rule (&settings, "Site-A", 8, "10.0.0.0/7");
    assert_int_equal (rule.check, HUB_SCAN_CHECK_S);
    assert_int_equal (rule.rate, 500);
    assert_int_equal (rule.quiet_count, 1);
    assert_int_equal (rule.quiet[0].from, 60);
    assert_string_equal (set_show (&rule.skip), "10.1.2.250-10.1.2.250");
    hub_scan_rule_clear (&rule);

    rule = s_rule (&settings, NULL, 7, "2001:db8::/64");
    assert_int_equal (rule.check, 60);
    assert_int_equal (rule.skip.count, 0);
    hub_scan_rule_clear (&rule);
    hub_scan_settings_clear (&settings);
    assert_int_equal (settings.count, 0);
}

static void
test_hours (void **state)
{
    (void) state;
    static const char *const wrong[] = {
        "", "22:00", "22:00-", "22:00-6:00", "22:00-06:000", "24:00-06:00",
        "22:60-06:00", "25:00-06:00", "22:00-24:01", "22.00-06:00",
        "22:00 06:00", "aa:00-06:00", "22:00--6:00", "-1:00-06:00",
    };
    sp_hours_t hours[2];
    for (size_t i = 0; i < COUNT (wrong); i++)
        if (hub_hours_parse (hours, wrong[i]) != SH_E_SYNTAX)
            fail_msg ("'%s' was taken", wrong[i]);
    assert_int_equal (hub_hours_parse (&hours[0], "22:00-06:30"), SH_OK);
    assert_int_equal (hours[0].from, 1320);
    assert_int_equal (hours[0].to, 390);
    assert_int_equal (hub_hours_parse (&hours[1], "12:00-24:00"), SH_OK);
    assert_int_equal (hours[1].from, 720);
    assert_int_equal (hours[1].to, 0);
    assert_true (sp_hours_hold (hours, 1, 1320));
    assert_true (sp_hours_hold (hours, 1, 1439));
    assert_true (sp_hours_hold (hours, 1, 0));
    assert_true (sp_hours_hold (hours, 1, 389));
    assert_false (sp_hours_hold (hours, 1, 390));
    assert_false (sp_hours_hold (hours, 1, 1319));
    assert_true (sp_hours_hold (hours, 2, 720));
    assert_true (sp_hours_hold (hours, 2, 1319));
    assert_false (sp_hours_hold (hours, 2, 719));
    assert_false (sp_hours_hold (NULL, 0, 0));
    /*  Equal: the whole day.  */
    assert_int_equal (hub_hours_parse (&hours[0], "00:00-24:00"), SH_OK);
    assert_true (sp_hours_hold (hours, 1, 0));
    assert_true (sp_hours_hold (hours, 1, 1439));
    /*  But not if it could mean nothing.  */
    assert_int_equal (hub_hours_parse (&hours[1], "06:00-06:00"), SH_E_EXISTS);
    assert_int_equal (hub_hours_parse (&hours[1], "00:00-00:00"), SH_E_EXISTS);
    assert_int_equal (hours[1].from, 720);
    char text[HUB_HOURS_TEXT];
    hub_hours_text (text, &hours[0]);
    assert_string_equal (text, "all day");
    hub_hours_text (text, &hours[1]);
    assert_string_equal (text, "12:00-24:00");
    hub_hours_text (text, &(sp_hours_t){ 1320, 390 });
    assert_string_equal (text, "22:00-06:30");
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_nothing_excluded_is_probed),
        cmocka_unit_test (test_the_narrower_wins),
        cmocka_unit_test (test_hours),
    };
    return cmocka_run_group_tests_name ("scan settings", tests, NULL, NULL);
}
