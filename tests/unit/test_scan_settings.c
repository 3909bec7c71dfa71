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

#define COUNT(array) (sizeof (array) / sizeof *(array))

static sh_prefix_t
s_prefix (const char *text)
{
    sh_prefix_t prefix;
    if (sh_prefix_parse (&prefix, text) != SH_OK)
        fail_msg ("%s", text);
    return prefix;
}

/*  "10.0.0.1-10.0.0.9 10.0.0.20" as a set.  */
static void
s_fill (hub_ranges_t *out, const char *texts)
{
    char copy[1024], *rest = NULL;
    snprintf (copy, sizeof copy, "%s", texts);
    for (char *at = strtok_r (copy, " ", &rest); at;
         at = strtok_r (NULL, " ", &rest)) {
        hub_stretch_t one;
        if (hub_stretch_parse (&one, at) != SH_OK)
            fail_msg ("%s", at);
        assert_int_equal (hub_ranges_add (out, &one), SH_OK);
    }
}

static void
s_expect (const hub_ranges_t *ranges, const char *wanted)
{
    char got[4096] = "";
    size_t used = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        char first[SH_ADDR_TEXT], last[SH_ADDR_TEXT];
        sh_addr_text (&ranges->items[i].first, first);
        sh_addr_text (&ranges->items[i].last, last);
        used += (size_t) snprintf (got + used, sizeof got - used, "%s%s-%s",
                                   i ? " " : "", first, last);
        assert_true (used < sizeof got);
    }
    assert_string_equal (got, wanted);
}

static void
test_stretches (void **state)
{
    (void) state;
    static const char *const wrong[] = {
        "", "-", "10.0.0.1-", "-10.0.0.1", "10.0.0.9-10.0.0.1", "10.0.0",
        "10.0.0.1/24", "10.0.0.0/33", "10.0.0.0/", "10.0.0.1-2001:db8::1",
        "10.0.0.1 - 10.0.0.2", "10.0.0.0/24-10.0.1.0/24", "10.0.0.1-9", "lan",
        "2001:db8::1/64",
        "1111:1111:1111:1111:1111:1111:111.111.111.111111111111111111111111",
    };
    hub_stretch_t one;
    for (size_t i = 0; i < COUNT (wrong); i++)
        if (hub_stretch_parse (&one, wrong[i]) != SH_E_SYNTAX)
            fail_msg ("'%s' was taken", wrong[i]);

    hub_ranges_t ranges = { 0 };
    s_fill (&ranges, "10.0.0.7 10.0.0.1-10.0.0.3 10.0.1.0/24 2001:db8::/120");
    s_expect (&ranges, "10.0.0.7-10.0.0.7 10.0.0.1-10.0.0.3 "
                       "10.0.1.0-10.0.1.255 2001:db8::-2001:db8::ff");
    hub_ranges_clear (&ranges);
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
        hub_ranges_t ranges = { 0 };
        s_fill (&ranges, cases[i].put);
        hub_ranges_settle (&ranges);
        s_expect (&ranges, cases[i].settled);
        hub_ranges_clear (&ranges);
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
        hub_ranges_t ranges = { 0 }, cut = { 0 };
        sh_prefix_t prefix = s_prefix (cases[i].prefix);
        s_fill (&ranges, cases[i].ranges);
        hub_ranges_settle (&ranges);
        assert_int_equal (hub_ranges_cut (&cut, &ranges, &prefix), SH_OK);
        s_expect (&cut, cases[i].cut);
        hub_ranges_clear (&cut);
        hub_ranges_clear (&ranges);
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
        hub_ranges_t ranges = { 0 };
        bool widened;
        s_fill (&ranges, cases[i].ranges);
        hub_ranges_settle (&ranges);
        assert_int_equal (
            hub_ranges_limit (&ranges, cases[i].most, &widened), SH_OK);
        assert_int_equal (widened, cases[i].left != NULL);
        if (cases[i].left)
            s_expect (&ranges, cases[i].left);
        hub_ranges_clear (&ranges);
    }
}

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
            hub_stretch_t one;
            last = last > 255 ? 255 : last;
            snprintf (text, sizeof text, "10.0.0.%d-10.0.0.%d", first, last);
            assert_int_equal (hub_stretch_parse (&one, text), SH_OK);
            assert_int_equal (hub_ranges_add (&settings.hub.exclude, &one),
                              SH_OK);
            for (int at = first; at <= last; at++)
                out[at] = true;
        }
        hub_scan_settings_settle (&settings);
        sh_prefix_t prefix = s_prefix ("10.0.0.0/24");
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
    sh_prefix_t prefix = s_prefix (cidr);
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
    s_fill (&settings.hub.exclude, "10.1.2.250");
    settings.hub.rate = 500;
    settings.hub.has_quiet = true;
    settings.hub.quiet[0] = (sp_hours_t){ 60, 120 };
    settings.hub.quiet_count = 1;

    hub_scan_entry_t *one = s_entry (&settings, HUB_LEVEL_SUBNET);
    one->subnet = 7;
    one->level.check = 60;
    s_fill (&one->level.exclude, "10.1.2.3");
    one = s_entry (&settings, HUB_LEVEL_PREFIX);
    one->prefix = s_prefix ("10.1.0.0/16");
    one->level.check = 30;
    one->level.discover = HUB_SCAN_NEVER;
    one->level.ipv6 = HUB_IPV6_ALL;
    one = s_entry (&settings, HUB_LEVEL_PREFIX);
    one->prefix = s_prefix ("10.0.0.0/8");
    one->level.discover = 900;
    one->level.rate = 40;
    s_fill (&one->level.exclude, "10.1.2.4 10.9.9.9");
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
    s_expect (&rule.skip, "10.1.2.3-10.1.2.4 10.1.2.250-10.1.2.250");
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
    s_expect (&rule.skip, "10.1.2.250-10.1.2.250");
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
        cmocka_unit_test (test_stretches),
        cmocka_unit_test (test_settling),
        cmocka_unit_test (test_cutting),
        cmocka_unit_test (test_limiting),
        cmocka_unit_test (test_nothing_excluded_is_probed),
        cmocka_unit_test (test_the_narrower_wins),
        cmocka_unit_test (test_hours),
    };
    return cmocka_run_group_tests_name ("scan settings", tests, NULL, NULL);
}
