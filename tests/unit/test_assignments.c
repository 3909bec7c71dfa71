/* SPDX-License-Identifier: MPL-2.0 */
/*  The picture of all assignments: agents, pages, revisions.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/assignments.h"
#include "hub/remarks.h"
#include "scanner-proto/codec.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define MOST SP_PAGE_SUBNETS_MOST

static hub_plan_t *
s_plan (size_t room)
{
    hub_plan_t *plan = calloc (1, sizeof *plan);
    assert_non_null (plan);
    plan->agents = calloc (8, sizeof *plan->agents);
    plan->subnets = calloc (room + 1, sizeof *plan->subnets);
    assert_true (plan->agents && plan->subnets);
    return plan;
}

static void
s_agent (hub_plan_t *plan, uint64_t id, const char *code, bool eligible)
{
    hub_known_agent_t *one = &plan->agents[plan->agent_count++];
    one->id = id;
    one->name = strdup ("agent");
    one->code = strdup (code);
    one->eligible = eligible;
}

static hub_assigned_t *
s_subnet (hub_plan_t *plan, uint64_t id, uint64_t agent, const char *servers)
{
    hub_assigned_t *one = &plan->subnets[plan->subnet_count++];
    *one = (hub_assigned_t){ .id = id, .agent = agent, .check = true };
    char cidr[32];
    snprintf (cidr, sizeof cidr, "10.%u.%u.0/24", (unsigned) (id / 256 % 256),
              (unsigned) (id % 256));
    assert_int_equal (sh_prefix_parse (&one->prefix, cidr), SH_OK);
    one->nameservers = servers ? strdup (servers) : NULL;
    return one;
}

static hub_assignments_t *
s_make (hub_plan_t *plan)
{
    hub_assignments_t *made = NULL;
    assert_int_equal (hub_assignments_new (&made, &plan, NULL), SH_OK);
    assert_null (plan);
    return made;
}

/*  The page as a scanner gets it.  */
static sp_message_t *
s_page (const hub_assignments_t *self, uint64_t agent, uint64_t after)
{
    uint8_t *frame = NULL;
    size_t size = 0;
    assert_int_equal (
        hub_assignments_page (self, agent, after, &frame, &size), SH_OK);
    sp_message_t *message = NULL;
    sh_why_t why = { "" };
    if (sp_decode (&message, (sh_bytes_t){ frame, size }, &why) != SH_OK)
        fail_msg ("%s", why.text);
    free (frame);
    assert_int_equal (message->type, SP_ASSIGNMENTS_PAGE);
    uint8_t revision[SP_REVISION];
    hub_assignments_revision (self, agent, revision);
    const sp_assignments_page_t *page = &message->u.assignments_page;
    assert_int_equal (page->revision.size, SP_REVISION);
    assert_memory_equal (page->revision.data, revision, SP_REVISION);
    return message;
}

static void
test_agent (void **state)
{
    (void) state;
    hub_plan_t *plan = s_plan (0);
    s_agent (plan, 3, "CODE", true);
    s_agent (plan, 4, "other", false);
    hub_assignments_t *made = s_make (plan);
    uint64_t agent = 0;
    assert_int_equal (hub_assignments_agent (made, "CODE", &agent), SH_OK);
    assert_int_equal (agent, 3);
    agent = 0;
    assert_int_equal (hub_assignments_agent (made, "other", &agent),
                      SH_E_AGENT_TYPE);
    static const char *const unknown[] = { "code", "CODE ", "", "COD", "0" };
    for (size_t i = 0; i < COUNT (unknown); i++)
        assert_int_equal (hub_assignments_agent (made, unknown[i], &agent),
                          SH_E_AGENT_UNKNOWN);
    assert_int_equal (agent, 0);
    hub_assignments_release (&made);
}

static void
test_page_content (void **state)
{
    (void) state;
    hub_plan_t *plan = s_plan (4);
    hub_assigned_t *one = s_subnet (plan, 7, 3, "10.0.0.53;2001:DB8::53");
    one->check = false;
    one->discover = one->pool = true;
    s_subnet (plan, 8, 4, NULL);
    one = s_subnet (plan, 9, 3, NULL);
    one->resolve = true;
    assert_int_equal (sh_prefix_parse (&one->prefix, "2001:db8::/64"), SH_OK);
    hub_assignments_t *made = s_make (plan);

    sp_message_t *message = s_page (made, 3, 0);
    const sp_assignments_page_t *page = &message->u.assignments_page;
    assert_false (page->more);
    assert_int_equal (page->subnet_count, 2);
    const sp_subnet_t *row = &page->subnets[0];
    assert_int_equal (row->id, 7);
    assert_string_equal (row->cidr, "10.0.7.0/24");
    assert_true (row->discover && row->pool && !row->check && !row->resolve);
    assert_int_equal (row->nameserver_count, 2);
    assert_string_equal (row->nameservers[0], "10.0.0.53");
    assert_string_equal (row->nameservers[1], "2001:db8::53");
    row = &page->subnets[1];
    assert_int_equal (row->id, 9);
    assert_string_equal (row->cidr, "2001:db8::/64");
    assert_true (!row->discover && !row->pool && row->check && row->resolve);
    assert_int_equal (row->nameserver_count, 0);
    sp_message_destroy (&message);

    /*  'after' need not be one of the agent's ids, nor any.  */
    static const struct
    {
        uint64_t agent, after;
        size_t rows;
    } cases[] = {
        { 3, 6, 2 }, { 3, 7, 1 }, { 3, 8, 1 }, { 3, 9, 0 },
        { 3, UINT64_MAX, 0 }, { 4, 0, 1 }, { 4, 8, 0 }, { 5, 0, 0 },
        { 0, 0, 0 },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        message = s_page (made, cases[i].agent, cases[i].after);
        assert_int_equal (message->u.assignments_page.subnet_count,
                          cases[i].rows);
        assert_false (message->u.assignments_page.more);
        sp_message_destroy (&message);
    }
    hub_assignments_release (&made);
}

/*  Walk all pages of agent 3, who has 'count' subnets among others'.  */
static void
s_try_paging (size_t count, size_t pages)
{
    hub_plan_t *plan = s_plan (2 * count + 2);
    for (size_t i = 1; i <= count; i++) {
        s_subnet (plan, 2 * i, 3, NULL);
        s_subnet (plan, 2 * i + 1, 4, NULL);
    }
    hub_assignments_t *made = s_make (plan);
    uint64_t after = 0;
    size_t met = 0, met_pages = 0;
    bool more = true;
    while (more) {
        sp_message_t *message = s_page (made, 3, after);
        const sp_assignments_page_t *page = &message->u.assignments_page;
        for (size_t i = 0; i < page->subnet_count; i++)
            assert_int_equal (page->subnets[i].id, 2 * ++met);
        more = page->more;
        assert_int_equal (page->subnet_count == MOST || !more, true);
        after = page->subnet_count ? page->subnets[page->subnet_count - 1].id
                                   : 0;
        met_pages++;
        sp_message_destroy (&message);
    }
    assert_int_equal (met, count);
    assert_int_equal (met_pages, pages);
    hub_assignments_release (&made);
}

static void
test_paging (void **state)
{
    (void) state;
    s_try_paging (0, 1);
    s_try_paging (1, 1);
    s_try_paging (MOST - 1, 1);
    s_try_paging (MOST, 1);
    s_try_paging (MOST + 1, 2);
    s_try_paging (2 * MOST, 2);
    s_try_paging (2 * MOST + 1, 3);
}

/*  The largest page that can be must still be a frame.  */
static void
test_largest_page (void **state)
{
    (void) state;
    static const char server[] = "2001:db8:1111:2222:3333:4444:5555:6666;";
    char servers[(SP_NAMESERVERS_MOST + 2) * sizeof server] = "";
    for (size_t i = 0; i < SP_NAMESERVERS_MOST + 2; i++)
        memcpy (servers + i * (sizeof server - 1), server, sizeof server);
    hub_plan_t *plan = s_plan (MOST);
    for (size_t i = 0; i < MOST; i++) {
        hub_assigned_t *one
            = s_subnet (plan, (uint64_t) INT64_MAX - MOST + i, 3, servers);
        assert_int_equal (
            sh_prefix_parse (&one->prefix,
                             "2001:db8:1111:2222:3333:4444:5555:6660/124"),
            SH_OK);
    }
    hub_assignments_t *made = s_make (plan);
    sp_message_t *message = s_page (made, 3, 0);
    const sp_assignments_page_t *page = &message->u.assignments_page;
    assert_int_equal (page->subnet_count, MOST);
    for (size_t i = 0; i < MOST; i++)
        assert_int_equal (page->subnets[i].nameserver_count,
                          SP_NAMESERVERS_MOST);
    sp_message_destroy (&message);
    hub_assignments_release (&made);
}

/*  nameservers.namesrv1 is what somebody typed into a form.  */
static void
test_nameservers (void **state)
{
    (void) state;
    static const struct
    {
        const char *typed;
        const char *kept; /* joined by a blank */
    } cases[] = {
        { NULL, "" },
        { "", "" },
        { ";;; ;", "" },
        { "10.0.0.53", "10.0.0.53" },
        { "10.0.0.53;10.0.0.54", "10.0.0.53 10.0.0.54" },
        { " 10.0.0.53 ; 10.0.0.54 ;", "10.0.0.53 10.0.0.54" },
        { ";10.0.0.53;;\t10.0.0.54\r\n", "10.0.0.53 10.0.0.54" },
        { "10.0.0.53 10.0.0.54", "10.0.0.53 10.0.0.54" },
        { "2001:DB8:0::53;::1", "2001:db8::53 ::1" },
        { "ns1.site.example;10.0.0.54", "10.0.0.54" },
        { "--script=evil;10.0.0.54", "10.0.0.54" },
        { "-oN /etc/passwd", "" },
        { "10.0.0.53,10.0.0.54", "" },
        { "10.0.0.53#5353;10.0.0.54", "10.0.0.54" },
        { "10.0.0.53:53;[::1];10.0.0.54", "10.0.0.54" },
        { "fe80::1%eth0;10.0.0.54", "10.0.0.54" },
        { "010.0.0.53;10.0.0.256;10.0.0;10.0.0.54", "10.0.0.54" },
        { "10.0.0.53\x01;10.0.0.54\x1b[0m;10.0.0.55", "10.0.0.55" },
        { "\xff\xfe;10.0.0.54", "10.0.0.54" },
        { "$(reboot);`reboot`;|reboot;10.0.0.54", "10.0.0.54" },
        { "1111:2222:3333:4444:5555:6666:111.111.111.111",
          "1111:2222:3333:4444:5555:6666:6f6f:6f6f" },
        { "1111:2222:3333:4444:5555:6666:111.111.111.1111", "" },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;"
          "10.0.0.54", "10.0.0.54" },
        { "10.0.0.1;10.0.0.2;10.0.0.3;10.0.0.4;10.0.0.5;10.0.0.6;10.0.0.7;"
          "x;10.0.0.8;10.0.0.9;10.0.0.10",
          "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 "
          "10.0.0.8" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        hub_plan_t *plan = s_plan (1);
        s_subnet (plan, 7, 3, cases[i].typed);
        hub_assignments_t *made = s_make (plan);
        sp_message_t *message = s_page (made, 3, 0);
        const sp_subnet_t *row = &message->u.assignments_page.subnets[0];
        char joined[512] = "";
        size_t used = 0;
        for (size_t j = 0; j < row->nameserver_count; j++)
            used += (size_t) snprintf (joined + used, sizeof joined - used,
                                       "%s%s", j ? " " : "",
                                       row->nameservers[j]);
        if (strcmp (joined, cases[i].kept) != 0)
            fail_msg ("case %zu: '%s'", i, joined);
        sp_message_destroy (&message);
        hub_assignments_release (&made);
    }
}

/*  One change to a plan of two agents with two subnets each; which revisions
    does it change?  */
typedef struct
{
    const char *what;
    bool mine, others, equal;
} change_t;

static const change_t s_changes[] = {
    { "nothing", false, false, true },
    { "id", true, false, false },
    { "prefix", true, false, false },
    { "length", true, false, false },
    { "check", true, false, false },
    { "discover", true, false, false },
    { "resolve", true, false, false },
    { "pool", true, false, false },
    { "servers", true, false, false },
    { "servers moved", true, false, false },
    { "gone", true, false, false },
    { "to the other", true, true, false },
    { "other's flag", false, true, false },
    { "agent's name", false, false, false },
    { "agent's code", false, false, false },
    { "agent's type", false, false, false },
    { "times", false, false, true },
};

static hub_assignments_t *
s_changed (const char *what)
{
    hub_plan_t *plan = s_plan (4);
    s_agent (plan, 3, "mine", true);
    s_agent (plan, 4, "other", true);
    hub_assigned_t *one = s_subnet (plan, 7, 3, "10.0.0.53");
    hub_assigned_t *two = s_subnet (plan, 8, 4, NULL);
    hub_assigned_t *three = s_subnet (plan, 9, 3, "");
    s_subnet (plan, 10, 4, NULL);
#define IS(text) (strcmp (what, text) == 0)
    if (IS ("id"))
        one->id = 6;
    else if (IS ("prefix"))
        one->prefix.base.bytes[2] = 77;
    else if (IS ("length"))
        one->prefix.length = 25;
    else if (IS ("check"))
        one->check = false;
    else if (IS ("discover"))
        one->discover = true;
    else if (IS ("resolve"))
        one->resolve = true;
    else if (IS ("pool"))
        one->pool = true;
    else if (IS ("servers"))
        one->nameservers[0] = '2';
    else if (IS ("servers moved")) {
        char *servers = one->nameservers;
        one->nameservers = three->nameservers;
        three->nameservers = servers;
    } else if (IS ("gone")) {
        free (one->nameservers);
        memmove (one, one + 1, 3 * sizeof *one);
        plan->subnet_count--;
    } else if (IS ("to the other"))
        one->agent = 4;
    else if (IS ("other's flag"))
        two->discover = true;
    else if (IS ("agent's name"))
        plan->agents[0].name[0] = 'A';
    else if (IS ("agent's code"))
        plan->agents[0].code[0] = 'M';
    else if (IS ("agent's type"))
        plan->agents[0].eligible = false;
    else if (IS ("times"))
        plan->db_offset = 3600;
#undef IS
    return s_make (plan);
}

static void
test_revision (void **state)
{
    (void) state;
    hub_assignments_t *before = s_changed ("nothing");
    uint8_t mine[SP_REVISION], others[SP_REVISION], now[SP_REVISION];
    hub_assignments_revision (before, 3, mine);
    hub_assignments_revision (before, 4, others);
    assert_memory_not_equal (mine, others, SP_REVISION);
    for (size_t i = 0; i < COUNT (s_changes); i++) {
        const change_t *one = &s_changes[i];
        hub_assignments_t *after = s_changed (one->what);
        hub_assignments_revision (after, 3, now);
        if ((memcmp (mine, now, SP_REVISION) != 0) != one->mine)
            fail_msg ("%s: own revision", one->what);
        hub_assignments_revision (after, 4, now);
        if ((memcmp (others, now, SP_REVISION) != 0) != one->others)
            fail_msg ("%s: the other's revision", one->what);
        if (hub_assignments_equal (after, before) != one->equal)
            fail_msg ("%s: equal", one->what);
        hub_assignments_release (&after);
    }
    assert_false (hub_assignments_equal (before, NULL));
    hub_assignments_release (&before);
}

/*  An agent without any has a revision, too, and all of those are the same. */
static void
test_revision_of_none (void **state)
{
    (void) state;
    hub_assignments_t *some = s_changed ("nothing");
    hub_assignments_t *none = s_make (s_plan (0));
    uint8_t a[SP_REVISION], b[SP_REVISION];
    hub_assignments_revision (some, 5, a);
    hub_assignments_revision (none, 3, b);
    assert_memory_equal (a, b, SP_REVISION);
    hub_assignments_revision (some, 3, a);
    assert_memory_not_equal (a, b, SP_REVISION);
    hub_assignments_release (&some);
    hub_assignments_release (&none);
}

/*  Every hub must come to the same bytes, of whatever version it is: a change
    here makes all scanners ask again when hubs of two versions take turns.  */
static void
test_revision_is_fixed (void **state)
{
    (void) state;
    static const uint8_t expected[SP_REVISION]
        = { 0x9c, 0x76, 0x5f, 0xfa, 0x58, 0xb2, 0x14, 0x68 };
    hub_assignments_t *made = s_changed ("nothing");
    uint8_t revision[SP_REVISION];
    hub_assignments_revision (made, 3, revision);
    assert_memory_equal (revision, expected, SP_REVISION);
    hub_assignments_release (&made);
}

static void
test_references (void **state)
{
    (void) state;
    hub_assignments_t *first = s_changed ("nothing");
    hub_assignments_t *second = hub_assignments_keep (first);
    assert_ptr_equal (first, second);
    hub_assignments_release (&first);
    assert_null (first);
    uint64_t agent;
    assert_int_equal (hub_assignments_agent (second, "mine", &agent), SH_OK);
    hub_assignments_release (&second);
    assert_null (second);
    hub_assignments_release (&second);
}

static void
s_exclude (hub_scan_settings_t *settings, const char *text)
{
    sh_range_t one;
    assert_int_equal (sh_range_parse (&one, text), SH_OK);
    assert_int_equal (sh_ranges_append (&settings->hub.exclude, &one), SH_OK);
}

static hub_scan_entry_t *
s_entry (hub_scan_settings_t *settings, uint64_t subnet)
{
    settings->entries = realloc (settings->entries, (settings->count + 1)
                                     * sizeof *settings->entries);
    assert_non_null (settings->entries);
    hub_scan_entry_t *entry = &settings->entries[settings->count++];
    *entry = (hub_scan_entry_t){ .kind = HUB_LEVEL_SUBNET, .subnet = subnet };
    return entry;
}

static hub_assignments_t *
s_renew (const hub_assignments_t *old, hub_scan_settings_t *settings)
{
    hub_assignments_t *fresh = NULL;
    hub_scan_settings_settle (settings);
    const hub_terms_t terms = { .settings = settings };
    assert_int_equal (hub_assignments_renew (&fresh, old, &terms), SH_OK);
    return fresh;
}

/*  What the hub's file adds to a row.  */
static void
test_settings (void **state)
{
    (void) state;
    hub_plan_t *plan = s_plan (4);
    s_agent (plan, 3, "mine", true);
    s_subnet (plan, 7, 3, NULL)->discover = true;
    s_subnet (plan, 8, 3, NULL);
    hub_assigned_t *six = s_subnet (plan, 9, 3, NULL);
    six->discover = true;
    assert_int_equal (sh_prefix_parse (&six->prefix, "2001:db8::/64"), SH_OK);
    hub_assignments_t *plain = s_make (plan);

    hub_scan_settings_t settings;
    hub_scan_settings_init (&settings);
    settings.hub.rate = 250;
    settings.hub.has_quiet = true;
    settings.hub.quiet_count = 1;
    settings.hub.quiet[0] = (sp_hours_t){ 1320, 360 };
    s_exclude (&settings, "10.0.7.1-10.0.7.9");
    s_exclude (&settings, "10.0.7.200-10.0.8.3");
    s_entry (&settings, 8)->level.check = HUB_SCAN_NEVER;
    s_entry (&settings, 9)->level.discover = HUB_SCAN_NEVER;
    hub_assignments_t *made = s_renew (plain, &settings);
    hub_assignments_release (&plain);
    hub_scan_settings_clear (&settings);

    /*  8 has nothing but checks, and those are never.  */
    sp_message_t *message = s_page (made, 3, 0);
    const sp_assignments_page_t *page = &message->u.assignments_page;
    assert_int_equal (page->subnet_count, 2);
    const sp_subnet_t *row = &page->subnets[0];
    assert_int_equal (row->id, 7);
    assert_true (row->check && row->discover);
    assert_int_equal (row->check_s, HUB_SCAN_CHECK_S);
    assert_int_equal (row->discover_s, HUB_SCAN_DISCOVER_S);
    assert_int_equal (row->rate, 250);
    assert_null (row->ipv6);
    assert_false (row->paused);
    assert_int_equal (row->quiet_count, 1);
    assert_int_equal (row->quiet[0].from, 1320);
    assert_int_equal (row->quiet[0].to, 360);
    assert_int_equal (row->skip_count, 2);
    assert_memory_equal (row->skip[0].first.data, "\x0a\x00\x07\x01", 4);
    assert_memory_equal (row->skip[0].last.data, "\x0a\x00\x07\x09", 4);
    assert_memory_equal (row->skip[1].first.data, "\x0a\x00\x07\xc8", 4);
    assert_memory_equal (row->skip[1].last.data, "\x0a\x00\x07\xff", 4);
    row = &page->subnets[1];
    assert_int_equal (row->id, 9);
    assert_true (row->check && !row->discover);
    assert_int_equal (row->discover_s, 0);
    assert_string_equal (row->ipv6, "stable");
    assert_int_equal (row->skip_count, 0);
    sp_message_destroy (&message);
    hub_assignments_release (&made);
}

/*  Each setting alone makes another revision, and only for whom it counts.  */
static void
test_settings_in_the_revision (void **state)
{
    (void) state;
    hub_assignments_t *plain = s_changed ("nothing");
    hub_scan_settings_t settings;
    hub_scan_settings_init (&settings);
    hub_assignments_t *before = s_renew (plain, &settings);
    assert_false (hub_assignments_equal (before, plain));
    hub_assignments_t *again = s_renew (before, &settings);
    assert_true (hub_assignments_equal (again, before));
    hub_assignments_release (&again);
    uint8_t mine[SP_REVISION], others[SP_REVISION], now[SP_REVISION];
    hub_assignments_revision (before, 3, mine);
    hub_assignments_revision (before, 4, others);
    for (int what = 0; what < 7; what++) {
        hub_scan_level_t *level = &s_entry (&settings, 7)->level;
        sh_range_t one;
        assert_int_equal (sh_range_parse (&one, "10.0.7.1"), SH_OK);
        switch (what) {
        case 0: level->check = 60; break;
        case 1: level->discover = 60; break;
        case 2: level->rate = 60; break;
        case 3: level->ipv6 = HUB_IPV6_OFF; break;
        case 4: level->has_quiet = true; level->quiet_count = 1; break;
        case 5:
            level->has_quiet = true;
            level->quiet_count = 1;
            level->quiet[0].to = 1;
            break;
        default:
            assert_int_equal (sh_ranges_append (&level->exclude, &one), SH_OK);
        }
        hub_assignments_t *after = s_renew (plain, &settings);
        hub_assignments_revision (after, 3, now);
        if (memcmp (mine, now, SP_REVISION) == 0)
            fail_msg ("setting %d is not in the revision", what);
        hub_assignments_revision (after, 4, now);
        assert_memory_equal (others, now, SP_REVISION);
        assert_false (hub_assignments_equal (after, before));
        hub_assignments_release (&after);
        hub_scan_settings_clear (&settings);
    }
    hub_assignments_release (&before);
    hub_assignments_release (&plain);
}

/*  What is on nobody's list, and why.  */
static void
test_unsent (void **state)
{
    (void) state;
    hub_plan_t *plan = s_plan (9);
    s_agent (plan, 3, "mine", true);
    s_agent (plan, 4, "direct", false);
    s_agent (plan, 5, "", true);
    s_subnet (plan, 7, 3, NULL);
    s_subnet (plan, 8, 3, NULL)->unsent = SH_E_SUBNET_FOLDER;
    hub_assigned_t *parent = s_subnet (plan, 9, 3, NULL);
    parent->unsent = SH_E_SUBNET_PARENT;
    s_subnet (plan, 10, 3, NULL)->master = 9;
    hub_assigned_t *stray = s_subnet (plan, 11, 0, NULL);
    stray->master = 9;
    stray->unsent = SH_E_SUBNET_NOT_ASSIGNED;
    s_subnet (plan, 12, 4, NULL);
    s_subnet (plan, 13, 5, NULL);
    s_subnet (plan, 14, 6, NULL);
    hub_assignments_t *made = s_make (plan);
    static const sh_err_t expected[] = {
        SH_OK, SH_E_SUBNET_FOLDER, SH_E_SUBNET_PARENT, SH_OK,
        SH_E_SUBNET_NOT_ASSIGNED, SH_E_AGENT_TYPE, SH_E_NOT_FOUND,
        SH_E_AGENT_UNKNOWN,
    };
    size_t count;
    const hub_assignment_t *items = hub_assignments_items (made, &count);
    assert_int_equal (count, COUNT (expected));
    for (size_t i = 0; i < count; i++)
        assert_int_equal (hub_assignments_unsent (made, &items[i]),
                          expected[i]);
    const hub_assignment_t *one = hub_assignments_find (made, 9);
    assert_ptr_equal (one, &items[2]);
    assert_int_equal (one->children, 2);
    assert_int_equal (one->strays, 1);
    assert_true (hub_remarks_split (made, one));
    assert_false (hub_remarks_split (made, &items[0]));
    assert_null (hub_assignments_find (made, 99));
    assert_null (hub_assignments_find (made, 0));
    /*  Nobody can ask for those without an agent, or with one without code. */
    uint64_t agent = 77;
    assert_int_equal (hub_assignments_agent (made, "", &agent),
                      SH_E_AGENT_UNKNOWN);
    sp_message_t *message = s_page (made, 0, 0);
    assert_int_equal (message->u.assignments_page.subnet_count, 0);
    sp_message_destroy (&message);
    message = s_page (made, 3, 0);
    assert_int_equal (message->u.assignments_page.subnet_count, 2);
    assert_int_equal (message->u.assignments_page.subnets[1].id, 10);
    sp_message_destroy (&message);
    hub_assignments_release (&made);
}

/*  A pause is in the rows and the revisions of whom it concerns.  */
static void
test_paused (void **state)
{
    (void) state;
    char dir[] = "/tmp/test_assignments.XXXXXX", path[64];
    assert_non_null (mkdtemp (dir));
    snprintf (path, sizeof path, "%s/pauses", dir);
    hub_pauses_t *pauses = NULL;
    sh_why_t why = { "" };
    assert_int_equal (hub_pauses_new (&pauses, path, &why), SH_OK);
    hub_assignments_t *plain = s_changed ("nothing"), *made = NULL;
    const hub_pause_t one = { HUB_PAUSE_SUBNET, 7, 500 };
    assert_int_equal (hub_pauses_put (pauses, &one, 0, &why), SH_OK);
    hub_terms_t terms = { .pauses = pauses, .now = 499 };
    assert_int_equal (hub_assignments_renew (&made, plain, &terms), SH_OK);
    sp_message_t *message = s_page (made, 3, 0);
    assert_true (message->u.assignments_page.subnets[0].paused);
    assert_false (message->u.assignments_page.subnets[1].paused);
    sp_message_destroy (&message);
    uint8_t before[SP_REVISION], now[SP_REVISION];
    hub_assignments_revision (plain, 3, before);
    hub_assignments_revision (made, 3, now);
    assert_memory_not_equal (before, now, SP_REVISION);
    hub_assignments_revision (plain, 4, before);
    hub_assignments_revision (made, 4, now);
    assert_memory_equal (before, now, SP_REVISION);
    assert_false (hub_assignments_equal (made, plain));
    hub_assignments_release (&made);
    terms.now = 500;
    assert_int_equal (hub_assignments_renew (&made, plain, &terms), SH_OK);
    assert_true (hub_assignments_equal (made, plain));
    hub_assignments_release (&made);
    hub_assignments_release (&plain);
    hub_pauses_destroy (&pauses);
    remove (path);
    assert_int_equal (rmdir (dir), 0);
}

/*  The longest rows of all: fewer of them make a page, and none gets lost.  */
static void
test_pages_of_long_rows (void **state)
{
    (void) state;
    static const char server[] = "2001:db8:1111:2222:3333:4444:5555:6666;";
    char servers[SP_NAMESERVERS_MOST * sizeof server] = "";
    for (size_t i = 0; i < SP_NAMESERVERS_MOST; i++)
        memcpy (servers + i * (sizeof server - 1), server, sizeof server);
    hub_plan_t *plan = s_plan (MOST);
    for (size_t i = 0; i < MOST; i++) {
        hub_assigned_t *one
            = s_subnet (plan, (uint64_t) INT64_MAX - MOST + i, 3, servers);
        one->discover = true;
        assert_int_equal (
            sh_prefix_parse (&one->prefix,
                             "2001:db8:1111:2222:3333:4444:5555:6000/116"),
            SH_OK);
    }
    hub_assignments_t *plain = s_make (plan);
    hub_scan_settings_t settings;
    hub_scan_settings_init (&settings);
    settings.hub.check = settings.hub.discover = SP_EVERY_MOST;
    settings.hub.rate = SP_RATE_MOST;
    settings.hub.has_quiet = true;
    settings.hub.quiet_count = SP_QUIET_MOST;
    for (size_t i = 0; i < SP_QUIET_MOST; i++)
        settings.hub.quiet[i] = (sp_hours_t){ 1430, 1439 };
    for (unsigned i = 0; i < SP_SKIP_MOST; i++) {
        char text[64];
        snprintf (text, sizeof text, "2001:db8:1111:2222:3333:4444:5555:6%02x0",
                  i);
        s_exclude (&settings, text);
    }
    hub_assignments_t *made = s_renew (plain, &settings);
    hub_scan_settings_clear (&settings);
    hub_assignments_release (&plain);

    uint64_t after = 0;
    size_t met = 0, pages = 0;
    for (bool more = true; more; pages++) {
        sp_message_t *message = s_page (made, 3, after);
        const sp_assignments_page_t *page = &message->u.assignments_page;
        assert_true (page->subnet_count > 0);
        for (size_t i = 0; i < page->subnet_count; i++, met++) {
            assert_int_equal (page->subnets[i].id,
                              (uint64_t) INT64_MAX - MOST + met);
            assert_int_equal (page->subnets[i].skip_count, SP_SKIP_MOST);
            assert_int_equal (page->subnets[i].quiet_count, SP_QUIET_MOST);
        }
        after = page->subnets[page->subnet_count - 1].id;
        more = page->more;
        sp_message_destroy (&message);
    }
    assert_int_equal (met, MOST);
    assert_true (pages > 1 && pages < 8);
    hub_assignments_release (&made);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_agent),
        cmocka_unit_test (test_page_content),
        cmocka_unit_test (test_paging),
        cmocka_unit_test (test_largest_page),
        cmocka_unit_test (test_nameservers),
        cmocka_unit_test (test_revision),
        cmocka_unit_test (test_revision_of_none),
        cmocka_unit_test (test_revision_is_fixed),
        cmocka_unit_test (test_settings),
        cmocka_unit_test (test_settings_in_the_revision),
        cmocka_unit_test (test_unsent),
        cmocka_unit_test (test_paused),
        cmocka_unit_test (test_pages_of_long_rows),
        cmocka_unit_test (test_references),
    };
    return cmocka_run_group_tests_name ("assignments", tests, NULL, NULL);
}
