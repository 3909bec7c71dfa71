/* SPDX-License-Identifier: MPL-2.0 */
/*  phpIPAM's rules, one table after the other: given rows and a report, what
    is planned.  The epochs were worked out apart from the code.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "hub/changes.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

#define NOON INT64_C (1780315200) /* 2026-06-01 12:00:00 UTC */
#define DAY "2026-06-01 "
/*  2026-03-29 01:00 and 2026-10-25 01:00 UTC: Berlin's two nights.  */
#define SPRING INT64_C (1774746000)
#define AUTUMN INT64_C (1792890000)

#define MAC_A "00:1a:2b:00:00:0a"
#define MAC_B "00:1a:2b:00:00:0b"
#define ROWS_MOST 40

/*  All facts of one plan, with good defaults and memory for the texts.  */
typedef struct
{
    sp_report_t report;
    sp_range_t ranges[8];
    sh_addr_t range_ends[16];
    hub_agent_t agent;
    char agent_name[32];
    hub_subnet_t subnet;
    hub_sightings_t sightings;
    hub_sighting_t seen[ROWS_MOST];
    hub_rows_t rows;
    hub_row_t row[ROWS_MOST];
    char texts[ROWS_MOST][3][272]; /* of rows: lastSeen, hostname, mac */
    hub_facts_t facts;
    hub_changes_t *plan;
} scene_t;

static sh_addr_t
s_addr (const char *text)
{
    sh_addr_t addr;
    assert_int_equal (sh_addr_parse (&addr, text), SH_OK);
    return addr;
}

/*  A part with hosts of a scan of both kinds that started a minute ago.  */
static void
s_begin (scene_t *self, int64_t now)
{
    memset (self, 0, sizeof *self);
    snprintf (self->agent_name, sizeof self->agent_name, "site-a");
    self->agent = (hub_agent_t){ .id = 3, .name = self->agent_name,
                                 .update_tags = true, .tags = { 1, 2, 3, 4 },
                                 .tag_count = 4 };
    self->subnet = (hub_subnet_t){ .id = 7, .has_prefix = true, .agent = 3,
                                   .check = true, .discover = true };
    assert_int_equal (sh_prefix_parse (&self->subnet.prefix, "10.0.0.0/24"),
                      SH_OK);
    self->report = (sp_report_t){ .kind = SP_KIND_BOTH, .subnet = 7,
                                  .started = (now - 60) * 1000,
                                  .finished = now * 1000 };
    self->sightings.items = self->seen;
    self->rows.items = self->row;
    self->facts = (hub_facts_t){
        .report = &self->report, .agent = &self->agent,
        .subnet = &self->subnet, .sightings = &self->sightings,
        .rows = &self->rows, .zone = SH_ZONE_UTC,
        .policy = { .hostname = HUB_FIELD_AUTO, .mac = HUB_FIELD_AUTO,
                    .tags = HUB_TAGS_PHPIPAM },
        .received = now * 1000, .now = now,
    };
}

/*  Make it the closing part of a complete scan that covered all.  */
static void
s_close (scene_t *self)
{
    self->report.last = self->report.complete = true;
    self->report.up = 1;
    self->facts.sightings = NULL;
}

static void
s_cover (scene_t *self, const char *first, const char *last)
{
    size_t at = self->report.covered_count++;
    assert_true (at < COUNT (self->ranges));
    self->range_ends[2 * at] = s_addr (first);
    self->range_ends[2 * at + 1] = s_addr (last);
    self->ranges[at].first = sh_addr_bytes (&self->range_ends[2 * at]);
    self->ranges[at].last = sh_addr_bytes (&self->range_ends[2 * at + 1]);
    self->report.covered = self->ranges;
}

/*  The time at which the scene's scan started, shifted by 'by' seconds.  */
static void
s_start (scene_t *self, int64_t epoch)
{
    self->report.started = epoch * 1000;
}

static const char *
s_text (scene_t *self, int which, const char *text)
{
    char *to = self->texts[self->rows.count][which];
    snprintf (to, sizeof self->texts[0][0], "%s", text);
    return to;
}

/*  Rows are added ascending by address; ids descend, so that an order by id
    has to be made by the plan.  */
static hub_row_t *
s_row (scene_t *self, const char *ip, const char *last_seen)
{
    assert_true (self->rows.count < ROWS_MOST);
    hub_row_t *one = &self->row[self->rows.count];
    *one = (hub_row_t){
        .id = 1000 - self->rows.count, .ip = s_addr (ip), .has_state = true,
        .state = HUB_TAG_USED, .last_seen = s_text (self, 0, last_seen),
        .hostname = s_text (self, 1, ""), .mac = s_text (self, 2, ""),
    };
    self->rows.count++;
    return one;
}

static hub_sighting_t *
s_see (scene_t *self, const char *ip, int64_t epoch)
{
    assert_true (self->sightings.count < ROWS_MOST);
    hub_sighting_t *one = &self->seen[self->sightings.count++];
    *one = (hub_sighting_t){ .ip = s_addr (ip), .seen = epoch };
    return one;
}

static void
s_call (hub_sighting_t *one, const char *name)
{
    one->name = name;
    one->name_size = strlen (name);
    if (one->name_size && name[one->name_size - 1] == '.')
        one->name_size--;
}

static const hub_changes_t *
s_plan (scene_t *self)
{
    hub_changes_destroy (&self->plan);
    assert_int_equal (hub_changes_plan (&self->plan, &self->facts), SH_OK);
    return self->plan;
}

static void
s_end (scene_t *self)
{
    hub_changes_destroy (&self->plan);
    assert_null (self->plan);
}

static void
s_zone (scene_t *self, const char *zone)
{
    assert_int_equal (setenv ("TZ", zone, 1), 0);
    tzset ();
    self->facts.zone = SH_ZONE_LOCAL;
}

static int
s_reset (void **state)
{
    (void) state;
    setenv ("TZ", "UTC0", 1);
    tzset ();
    return 0;
}

/*  Nothing to write at all.  */
static void
s_assert_idle (const hub_changes_t *plan)
{
    assert_int_equal (plan->seen_count, 0);
    assert_int_equal (plan->name_count, 0);
    assert_int_equal (plan->mac_count, 0);
    assert_int_equal (plan->used_count, 0);
    assert_int_equal (plan->offline_count, 0);
    assert_int_equal (plan->insert_count, 0);
    assert_false (plan->set_last_scan);
    assert_false (plan->set_last_discovery);
}

/*  lastSeen.  */

static void
test_last_seen (void **state)
{
    (void) state;
    static const struct
    {
        const char *stored;
        bool moves; /* to 12:00:00, where the host was seen; now is 12:01 */
    } cases[] = {
        { "", true },
        { "0000-00-00 00:00:00", true },
        { "1970-01-01 00:00:01", true },
        { "1970-01-01 01:00:00", true },
        { "1999-12-31 23:59:59", true },
        { DAY "11:59:59", true }, /* one second is still written */
        { DAY "12:00:00", false },
        { DAY "12:00:01", false },
        { DAY "12:01:00", false },
        { DAY "12:02:00", false }, /* 60 s ahead is a clock, not a fault */
        { DAY "12:02:01", true },
        { "2026-06-02 12:00:00", true },
        { "9999-12-31 23:59:59", true },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, NOON + 60);
        s_row (&scene, "10.0.0.5", cases[i].stored);
        s_see (&scene, "10.0.0.5", NOON);
        const hub_changes_t *plan = s_plan (&scene);
        if (plan->seen_count != cases[i].moves)
            fail_msg ("case %zu: '%s'", i, cases[i].stored);
        if (plan->seen_count) {
            assert_string_equal (plan->seen[0].wall.text, DAY "12:00:00");
            assert_int_equal (plan->seen[0].row, 1000);
        }
        assert_string_equal (plan->limit.text, DAY "12:02:00");
        assert_int_equal (plan->confirmed, 1);
        assert_int_equal (plan->skipped, 0);
        s_end (&scene);
    }
}

/*  A granularity of 300 s; the host was seen at 12:00:00 in a scan that began at
    11:58:30, or, in a long one, at 11:50:00.  */
static void
test_seen_granularity (void **state)
{
    (void) state;
    enum { TAGS, NO_POLICY, NO_CHECK, NO_SETTING, HOWS };
    static const struct
    {
        const char *stored;
        int64_t started; /* seconds before the host was seen */
        bool moves;      /* without tags */
        bool moves_tagged; /* where scans set them */
    } cases[] = {
        { "", 90, true, true },
        { "1970-01-01 00:00:01", 90, true, true },
        { DAY "11:00:00", 90, true, true },
        { DAY "11:54:59", 90, true, true },
        { DAY "11:55:00", 90, true, true },
        { DAY "11:55:01", 90, false, true },
        { DAY "11:58:29", 90, false, true },
        { DAY "11:58:30", 90, false, false },
        { DAY "11:59:59", 90, false, false },
        { DAY "12:00:00", 90, false, false },
        { DAY "12:00:30", 90, false, false },
        { DAY "12:02:01", 90, true, true }, /* in the future */
        { DAY "11:54:00", 600, true, true },
        { DAY "11:56:00", 600, false, false },
        { DAY "11:49:59", 600, true, true },
    };
    for (size_t i = 0; i < COUNT (cases); i++)
        for (int how = TAGS; how < HOWS; how++) {
            scene_t scene;
            s_begin (&scene, NOON + 60);
            s_start (&scene, NOON - cases[i].started);
            scene.facts.policy.seen_granularity
                = (hub_limit_t){ HUB_LIMIT_SET, 300 };
            if (how == NO_POLICY)
                scene.facts.policy.tags = HUB_TAGS_NEVER;
            scene.subnet.check = how != NO_CHECK;
            scene.agent.update_tags = how != NO_SETTING;
            s_row (&scene, "10.0.0.5", cases[i].stored);
            s_see (&scene, "10.0.0.5", NOON);
            const hub_changes_t *plan = s_plan (&scene);
            bool moves = how == TAGS ? cases[i].moves_tagged : cases[i].moves;
            if (plan->seen_count != moves)
                fail_msg ("case %zu, %d: '%s'", i, how, cases[i].stored);
            bool before = !moves && how != TAGS
                          && cases[i].moves_tagged && !cases[i].moves;
            assert_int_equal (plan->spared, before);
            assert_int_equal (plan->confirmed, 1);
            s_end (&scene);
        }
}

/*  A lastSeen that stays is news all the same: of name, MAC and tag.  */
static void
test_spared_is_news (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    scene.facts.policy.seen_granularity = (hub_limit_t){ HUB_LIMIT_SET, 300 };
    s_row (&scene, "10.0.0.5", DAY "11:59:30")->state = HUB_TAG_OFFLINE;
    hub_sighting_t *one = s_see (&scene, "10.0.0.5", NOON);
    s_call (one, "a.name");
    memcpy (one->mac, MAC_A, sizeof MAC_A);
    const hub_changes_t *plan = s_plan (&scene);
    assert_int_equal (plan->seen_count, 0);
    assert_int_equal (plan->name_count, 1);
    assert_int_equal (plan->mac_count, 1);
    assert_int_equal (plan->used_count, 1);
    s_end (&scene);
}

static void
test_last_seen_summer_time (void **state)
{
    (void) state;
    static const struct
    {
        int64_t now, seen;
        const char *limit, *stored, *moved; /* moved NULL: stays */
    } cases[] = {
        /*  The repeated hour: lastSeen stands still at what the first pass
            left, and that is not the future.  */
        { AUTUMN + 600, AUTUMN + 500, "2026-10-25 02:59:59",
          "2026-10-25 02:50:00", NULL },
        { AUTUMN + 600, AUTUMN + 500, "2026-10-25 02:59:59",
          "2026-10-25 02:59:59", NULL },
        { AUTUMN + 600, AUTUMN + 500, "2026-10-25 02:59:59",
          "2026-10-25 03:00:00", "2026-10-25 02:08:20" },
        { AUTUMN + 600, AUTUMN + 500, "2026-10-25 02:59:59",
          "2026-10-25 02:00:00", "2026-10-25 02:08:20" },
        /*  Just before the clocks go back, the 60 s reach beyond it.  */
        { AUTUMN - 30, AUTUMN - 40, "2026-10-25 02:59:59",
          "2026-10-25 02:59:59", NULL },
        { AUTUMN - 30, AUTUMN - 40, "2026-10-25 02:59:59",
          "2026-10-25 03:00:00", "2026-10-25 02:59:20" },
        { AUTUMN - 120, AUTUMN - 130, "2026-10-25 02:59:00",
          "2026-10-25 02:59:00", NULL },
        { AUTUMN - 120, AUTUMN - 130, "2026-10-25 02:59:00",
          "2026-10-25 02:59:01", "2026-10-25 02:57:50" },
        /*  At the end of the repeated hour the limit moves on.  */
        { AUTUMN + 3540, AUTUMN + 3500, "2026-10-25 03:00:00",
          "2026-10-25 03:00:00", NULL },
        { AUTUMN + 3540, AUTUMN + 3500, "2026-10-25 03:00:00",
          "2026-10-25 03:00:01", "2026-10-25 02:58:20" },
        { AUTUMN + 3600, AUTUMN + 3600, "2026-10-25 03:01:00",
          "2026-10-25 02:59:59", "2026-10-25 03:00:00" },
        /*  Spring: a missing hour changes nothing.  */
        { SPRING, SPRING, "2026-03-29 03:01:00", "2026-03-29 01:59:59",
          "2026-03-29 03:00:00" },
        { SPRING - 30, SPRING - 40, "2026-03-29 03:00:30",
          "2026-03-29 03:00:30", NULL },
        { SPRING - 30, SPRING - 40, "2026-03-29 03:00:30",
          "2026-03-29 03:00:31", "2026-03-29 01:59:20" },
        /*  What another zone's PHP left in the missing hour is just text.  */
        { SPRING + 60, SPRING + 50, "2026-03-29 03:02:00",
          "2026-03-29 02:30:00", "2026-03-29 03:00:50" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, cases[i].now);
        s_zone (&scene, "Europe/Berlin");
        s_row (&scene, "10.0.0.5", cases[i].stored);
        s_see (&scene, "10.0.0.5", cases[i].seen);
        const hub_changes_t *plan = s_plan (&scene);
        assert_string_equal (plan->limit.text, cases[i].limit);
        if (plan->seen_count != (cases[i].moved ? 1 : 0))
            fail_msg ("case %zu: '%s'", i, cases[i].stored);
        if (cases[i].moved)
            assert_string_equal (plan->seen[0].wall.text, cases[i].moved);
        s_end (&scene);
    }
}

static void
test_excluded (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    hub_row_t *row = s_row (&scene, "10.0.0.5", DAY "09:00:00");
    row->excluded = true;
    row->state = HUB_TAG_DHCP;
    hub_sighting_t *one = s_see (&scene, "10.0.0.5", NOON);
    s_call (one, "name");
    memcpy (one->mac, MAC_A, sizeof MAC_A);
    const hub_changes_t *plan = s_plan (&scene);
    s_assert_idle (plan);
    assert_int_equal (plan->skipped, 1);
    assert_int_equal (plan->confirmed, 0);
    assert_int_equal (plan->differ_count, 0);
    s_end (&scene);
}

/*  Existing rows are updated whenever either flag is on, by any kind.  */
static void
test_either_flag (void **state)
{
    (void) state;
    for (int kind = 0; kind < SP_KIND_COUNT; kind++)
        for (int flags = 1; flags < 4; flags++) {
            scene_t scene;
            s_begin (&scene, NOON);
            scene.report.kind = kind;
            scene.subnet.check = flags & 1;
            scene.subnet.discover = flags & 2;
            s_row (&scene, "10.0.0.5", DAY "09:00:00");
            hub_sighting_t *one = s_see (&scene, "10.0.0.5", NOON);
            s_call (one, "name");
            memcpy (one->mac, MAC_A, sizeof MAC_A);
            const hub_changes_t *plan = s_plan (&scene);
            assert_int_equal (plan->seen_count, 1);
            assert_int_equal (plan->name_count, 1);
            assert_int_equal (plan->mac_count, 1);
            s_end (&scene);
        }
}

/*  Tags.  */

static void
test_tag_rule (void **state)
{
    (void) state;
    enum { NONE = -1, CUSTOM = 7 };
    static const struct
    {
        int tag; /* NONE: NULL */
        int seen, silent;
    } cases[] = {
        { HUB_TAG_OFFLINE, HUB_TAG_USED, NONE },
        { HUB_TAG_USED, NONE, HUB_TAG_OFFLINE },
        { HUB_TAG_RESERVED, HUB_TAG_USED, NONE },
        { HUB_TAG_DHCP, HUB_TAG_USED, HUB_TAG_OFFLINE },
        { CUSTOM, HUB_TAG_USED, HUB_TAG_OFFLINE },
        { NONE, NONE, NONE },
        { 0, NONE, NONE },  /* no such tag */
        { 8, NONE, NONE },  /* its updateTag is 0 */
        { -4, NONE, NONE },
    };
    static const char *const never[]
        = { "", "0000-00-00 00:00:00", "1970-01-01 00:00:01",
            "1970-01-01 01:00:00" };
    hub_agent_t agent = { .update_tags = true, .tag_count = 5,
                          .tags = { 1, 2, 3, 4, CUSTOM } };
    for (size_t i = 0; i < COUNT (cases); i++) {
        hub_row_t row = { .has_state = cases[i].tag != NONE,
                          .state = cases[i].tag,
                          .last_seen = DAY "09:00:00" };
        int fresh = NONE;
        assert_int_equal (hub_tag_when_seen (&agent, &row, &fresh),
                          cases[i].seen != NONE);
        assert_int_equal (fresh, cases[i].seen);
        fresh = NONE;
        assert_int_equal (hub_tag_when_silent (&agent, &row, &fresh),
                          cases[i].silent != NONE);
        assert_int_equal (fresh, cases[i].silent);

        for (size_t j = 0; j < COUNT (never); j++) {
            row.last_seen = never[j];
            assert_false (hub_tag_when_seen (&agent, &row, &fresh));
            assert_false (hub_tag_when_silent (&agent, &row, &fresh));
        }
        row.last_seen = DAY "09:00:00";
        hub_agent_t off = agent;
        off.update_tags = false;
        assert_false (hub_tag_when_seen (&off, &row, &fresh));
        assert_false (hub_tag_when_silent (&off, &row, &fresh));
        /*  Only the tag that a row has now decides, not the one it gets.  */
        hub_agent_t fewer = agent;
        fewer.tags[0] = fewer.tags[1] = 99;
        bool stock = cases[i].tag == 1 || cases[i].tag == 2;
        assert_int_equal (hub_tag_when_seen (&fewer, &row, &fresh),
                          cases[i].seen != NONE && !stock);
        assert_int_equal (hub_tag_when_silent (&fewer, &row, &fresh),
                          cases[i].silent != NONE && !stock);
        fewer.tag_count = 0;
        assert_false (hub_tag_when_seen (&fewer, &row, &fresh));
        assert_false (hub_tag_when_silent (&fewer, &row, &fresh));
    }
}

/*  One thing that keeps a tag as it is; the same for both directions.  */
typedef enum
{
    KEEP_NOTHING,
    KEEP_NO_CHECK,
    KEEP_POLICY,
    KEEP_SETTING,
    KEEP_TAG,
    KEEP_NEVER_SEEN,
    KEEP_EXCLUDED,
    KEEP_NULL,
    KEEP_LATE,
    KEEP_COUNT
} keep_t;

static void
s_keep (scene_t *scene, hub_row_t *row, keep_t keep)
{
    switch (keep) {
    case KEEP_NO_CHECK:
        scene->subnet.check = false;
        break;
    case KEEP_POLICY:
        scene->facts.policy.tags = HUB_TAGS_NEVER;
        break;
    case KEEP_SETTING:
        scene->agent.update_tags = false;
        break;
    case KEEP_TAG:
        scene->agent.tag_count = 3; /* without DHCP */
        break;
    case KEEP_NEVER_SEEN:
        row->last_seen = "1970-01-01 00:00:01";
        break;
    case KEEP_EXCLUDED:
        row->excluded = true;
        break;
    case KEEP_NULL:
        row->has_state = false;
        break;
    case KEEP_LATE:
        snprintf (scene->subnet.last_scan, 20, DAY "11:59:01");
        break;
    default:
        break;
    }
}

static void
test_tag_used (void **state)
{
    (void) state;
    for (keep_t keep = 0; keep < KEEP_COUNT; keep++) {
        scene_t scene;
        s_begin (&scene, NOON);
        hub_row_t *row = s_row (&scene, "10.0.0.5", DAY "09:00:00");
        row->state = HUB_TAG_DHCP;
        s_see (&scene, "10.0.0.5", NOON - 5);
        s_keep (&scene, row, keep);
        const hub_changes_t *plan = s_plan (&scene);
        if (plan->used_count != (keep == KEEP_NOTHING))
            fail_msg ("keep %d", keep);
        assert_int_equal (plan->offline_count, 0);
        if (plan->used_count) {
            assert_int_equal (plan->used[0].row, row->id);
            assert_int_equal (plan->used[0].old, HUB_TAG_DHCP);
            assert_int_equal (plan->used[0].fresh, HUB_TAG_USED);
        }
        /*  lastSeen has nothing to do with tags.  */
        assert_int_equal (plan->seen_count, keep != KEEP_EXCLUDED);
        s_end (&scene);
    }
}

/*  Only news changes a tag: a sighting that does not move lastSeen (a resend,
    a report overtaken by another) leaves it.  */
static void
test_tag_used_by_news (void **state)
{
    (void) state;
    static const struct
    {
        const char *stored;
        bool changes;
    } cases[] = {
        { DAY "11:59:54", true },
        { DAY "11:59:55", false },
        { DAY "11:59:56", false },
        { DAY "12:01:00", false },
        { DAY "12:01:01", true }, /* repaired: any sighting is news */
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, NOON);
        s_row (&scene, "10.0.0.5", cases[i].stored)->state = HUB_TAG_OFFLINE;
        s_see (&scene, "10.0.0.5", NOON - 5);
        const hub_changes_t *plan = s_plan (&scene);
        if (plan->used_count != cases[i].changes)
            fail_msg ("case %zu: '%s'", i, cases[i].stored);
        s_end (&scene);
    }
}

static void
test_tag_offline (void **state)
{
    (void) state;
    for (keep_t keep = 0; keep < KEEP_COUNT; keep++) {
        scene_t scene;
        s_begin (&scene, NOON);
        s_close (&scene);
        s_cover (&scene, "10.0.0.0", "10.0.0.255");
        hub_row_t *row = s_row (&scene, "10.0.0.5", DAY "09:00:00");
        row->state = HUB_TAG_DHCP;
        s_keep (&scene, row, keep);
        const hub_changes_t *plan = s_plan (&scene);
        if (plan->offline_count != (keep == KEEP_NOTHING))
            fail_msg ("keep %d", keep);
        if (plan->offline_count) {
            assert_int_equal (plan->offline[0].row, row->id);
            assert_int_equal (plan->offline[0].old, HUB_TAG_DHCP);
            assert_int_equal (plan->offline[0].fresh, HUB_TAG_OFFLINE);
        }
        /*  Silence never touches anything else of a row.  */
        assert_int_equal (plan->seen_count, 0);
        assert_int_equal (plan->used_count, 0);
        s_end (&scene);
    }
}

/*  Silent means: not seen since the scan's start, 11:59:00.  */
static void
test_silent_since_start (void **state)
{
    (void) state;
    static const struct
    {
        const char *stored;
        bool offline;
    } cases[] = {
        { "2020-01-01 00:00:00", true },
        { DAY "11:58:59", true },
        { DAY "11:59:00", false },
        { DAY "11:59:30", false },
        { DAY "12:30:00", false },
        { "2027-01-01 00:00:00", false },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, NOON);
        s_close (&scene);
        s_cover (&scene, "10.0.0.0", "10.0.0.255");
        s_row (&scene, "10.0.0.5", cases[i].stored);
        const hub_changes_t *plan = s_plan (&scene);
        if (plan->offline_count != cases[i].offline)
            fail_msg ("case %zu: '%s'", i, cases[i].stored);
        assert_string_equal (plan->silent.text, DAY "11:59:00");
        s_end (&scene);
    }
}

/*  A scan that began at 11:59:00: before the hub, whose predecessor may have
    spared rows by 300 s, or not.  */
static void
test_silent_before_hub (void **state)
{
    (void) state;
    static const struct
    {
        int64_t begun;
        hub_limit_t granularity;
        bool by_hand;
        const char *silent;
    } cases[] = {
        { NOON - 60, { HUB_LIMIT_SET, 300 }, false, DAY "11:59:00" },
        { NOON - 59, { HUB_LIMIT_SET, 300 }, false, DAY "11:54:00" },
        { NOON - 59, { HUB_LIMIT_SET, 300 }, true, DAY "11:59:00" },
        { NOON - 59, { HUB_LIMIT_SET, 0 }, false, DAY "11:59:00" },
        { NOON - 59, { HUB_LIMIT_OFF, 300 }, false, DAY "11:59:00" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, NOON);
        s_close (&scene);
        s_cover (&scene, "10.0.0.0", "10.0.0.255");
        scene.facts.begun = cases[i].begun;
        scene.facts.policy.seen_granularity = cases[i].granularity;
        scene.facts.by_hand = cases[i].by_hand;
        s_row (&scene, "10.0.0.5", DAY "11:53:59");
        s_row (&scene, "10.0.0.6", cases[i].silent);
        const hub_changes_t *plan = s_plan (&scene);
        if (strcmp (plan->silent.text, cases[i].silent) != 0)
            fail_msg ("case %zu: %s", i, plan->silent.text);
        assert_int_equal (plan->offline_count, 1);
        s_end (&scene);
    }
}

/*  Incomplete, nobody up, nothing covered, or no closing part at all.  */
static void
test_offline_needs (void **state)
{
    (void) state;
    static const struct
    {
        bool last, complete;
        uint64_t up;
        bool covered;
        bool offline;
    } cases[] = {
        { true, true, 1, true, true },
        { true, true, 254, true, true },
        { true, true, 0, true, false },
        { true, false, 1, true, false },
        { true, false, 0, true, false },
        { true, true, 1, false, false },
        { false, true, 1, true, false },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, NOON);
        s_close (&scene);
        scene.report.last = cases[i].last;
        scene.report.complete = cases[i].complete;
        scene.report.up = cases[i].up;
        scene.facts.sightings = &scene.sightings;
        if (cases[i].covered)
            s_cover (&scene, "10.0.0.1", "10.0.0.254");
        s_row (&scene, "10.0.0.5", DAY "09:00:00");
        const hub_changes_t *plan = s_plan (&scene);
        if (plan->offline_count != cases[i].offline)
            fail_msg ("case %zu", i);
        /*  The scan took place all the same.  */
        assert_int_equal (plan->set_last_scan, cases[i].last);
        assert_int_equal (plan->set_last_discovery, cases[i].last);
        s_end (&scene);
    }
}

/*  Which rows lie in the covered ranges.  Rows are 1 to 9; the result names
    the ones that go offline.  */
static void
s_try_ranges (const char *const (*ranges)[2], size_t count,
              const char *expected)
{
    scene_t scene;
    s_begin (&scene, NOON);
    s_close (&scene);
    for (size_t i = 0; i < count; i++)
        s_cover (&scene, ranges[i][0], ranges[i][1]);
    for (int i = 1; i <= 9; i++) {
        char ip[32];
        snprintf (ip, sizeof ip, "10.0.0.%d", i);
        s_row (&scene, ip, DAY "09:00:00")->id = (uint64_t) i;
    }
    const hub_changes_t *plan = s_plan (&scene);
    char got[10] = "";
    for (size_t i = 0; i < plan->offline_count; i++)
        got[i] = (char) ('0' + plan->offline[i].row);
    assert_string_equal (got, expected);
    s_end (&scene);
}

static void
test_covered (void **state)
{
    (void) state;
#define TRY(expected, ...)                                                     \
    s_try_ranges ((const char *const[][2]){ __VA_ARGS__ },                     \
                  COUNT (((const char *const[][2]){ __VA_ARGS__ })), expected)
    TRY ("123456789", { "10.0.0.0", "10.0.0.255" });
    TRY ("5", { "10.0.0.5", "10.0.0.5" });
    TRY ("345", { "10.0.0.3", "10.0.0.5" });
    TRY ("1289", { "10.0.0.1", "10.0.0.2" }, { "10.0.0.8", "10.0.0.9" });
    /*  Unsorted.  */
    TRY ("1289", { "10.0.0.8", "10.0.0.9" }, { "10.0.0.1", "10.0.0.2" });
    TRY ("13579", { "10.0.0.9", "10.0.0.9" }, { "10.0.0.1", "10.0.0.1" },
         { "10.0.0.7", "10.0.0.7" }, { "10.0.0.3", "10.0.0.3" },
         { "10.0.0.5", "10.0.0.5" });
    /*  Overlapping, one within the other, the same twice, touching.  */
    TRY ("2345678", { "10.0.0.2", "10.0.0.6" }, { "10.0.0.4", "10.0.0.8" });
    TRY ("2345678", { "10.0.0.2", "10.0.0.8" }, { "10.0.0.4", "10.0.0.5" });
    TRY ("2345678", { "10.0.0.4", "10.0.0.5" }, { "10.0.0.2", "10.0.0.8" });
    TRY ("2345678", { "10.0.0.2", "10.0.0.3" }, { "10.0.0.2", "10.0.0.8" });
    TRY ("23", { "10.0.0.2", "10.0.0.3" }, { "10.0.0.2", "10.0.0.3" });
    TRY ("2345", { "10.0.0.2", "10.0.0.3" }, { "10.0.0.4", "10.0.0.5" });
    /*  A wide range of before reaches beyond a narrow one of later.  */
    TRY ("12345678", { "10.0.0.0", "10.0.0.8" }, { "10.0.0.1", "10.0.0.1" },
         { "10.0.0.3", "10.0.0.3" });
    /*  Outside of the subnet, across its edges, of the other family.  */
    TRY ("", { "10.0.1.0", "10.0.1.255" }, { "9.0.0.0", "10.0.0.0" });
    TRY ("123", { "9.255.255.250", "10.0.0.3" });
    TRY ("89", { "10.0.0.8", "10.0.3.255" });
    TRY ("", { "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" });
    TRY ("4", { "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
         { "10.0.0.4", "10.0.0.4" });
    TRY ("123456789", { "0.0.0.0", "255.255.255.255" });
#undef TRY
}

/*  What is read for a closing part: from the first covered address of the
    subnet's to the last.  */
static void
s_try_reach (scene_t *scene, const char *first, const char *last)
{
    hub_range_t range = { .most = 77 };
    bool any = hub_changes_range (&range, &scene->facts);
    assert_int_equal (any, first != NULL);
    if (any) {
        sh_addr_t ends[2] = { s_addr (first), s_addr (last) };
        assert_int_equal (sh_addr_cmp (&range.first, &ends[0]), 0);
        assert_int_equal (sh_addr_cmp (&range.last, &ends[1]), 0);
        assert_int_equal (range.most, 77);
    }
    s_end (scene);
}

static void
test_range (void **state)
{
    (void) state;
    static const struct
    {
        const char *covered[2][2], *first, *last;
    } cases[] = {
        { { { "10.0.0.3", "10.0.0.5" } }, "10.0.0.3", "10.0.0.5" },
        { { { "10.0.0.8", "10.0.0.9" }, { "10.0.0.1", "10.0.0.2" } },
          "10.0.0.1", "10.0.0.9" },
        { { { "0.0.0.0", "255.255.255.255" } }, "10.0.0.0", "10.0.0.255" },
        { { { "10.0.1.0", "10.0.1.9" }, { "::", "ffff::" } }, NULL, NULL },
        { { { NULL } }, NULL, NULL },
    };
    scene_t scene;
    for (size_t i = 0; i < COUNT (cases); i++) {
        s_begin (&scene, NOON);
        s_close (&scene);
        for (size_t j = 0; j < 2 && cases[i].covered[j][0]; j++)
            s_cover (&scene, cases[i].covered[j][0], cases[i].covered[j][1]);
        s_try_reach (&scene, cases[i].first, cases[i].last);
    }
    /*  Each of these alone makes it say nothing about anybody.  */
    for (int i = 0; i < 6; i++) {
        s_begin (&scene, NOON);
        s_close (&scene);
        s_cover (&scene, "10.0.0.3", "10.0.0.5");
        if (i == 0)
            scene.report.complete = false;
        else if (i == 1)
            scene.report.up = 0;
        else if (i == 2)
            scene.subnet.check = false;
        else if (i == 3)
            scene.agent.update_tags = false;
        else if (i == 4)
            scene.facts.policy.tags = HUB_TAGS_NEVER;
        else
            snprintf (scene.subnet.last_scan, 20, DAY "11:59:30");
        s_try_reach (&scene, NULL, NULL);
    }
}

/*  The codec refuses these, but the plan does not rely on it.  */
static void
test_covered_broken (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    s_close (&scene);
    s_cover (&scene, "10.0.0.9", "10.0.0.2");
    s_cover (&scene, "10.0.0.1", "10.0.0.9");
    scene.ranges[1].last.size = 3;
    s_cover (&scene, "10.0.0.1", "10.0.0.9");
    scene.ranges[2].first.size = 0;
    s_row (&scene, "10.0.0.5", DAY "09:00:00");
    const hub_changes_t *plan = s_plan (&scene);
    assert_int_equal (plan->offline_count, 0);
    s_end (&scene);
}

static void
test_covered_ipv6 (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    s_close (&scene);
    assert_int_equal (sh_prefix_parse (&scene.subnet.prefix, "2001:db8::/64"),
                      SH_OK);
    s_cover (&scene, "2001:db8::ffff:ffff:ffff:fff0",
             "2001:db8::ffff:ffff:ffff:ffff");
    s_cover (&scene, "2001:db8::2", "2001:db8::2");
    s_row (&scene, "2001:db8::1", DAY "09:00:00")->id = 1;
    s_row (&scene, "2001:db8::2", DAY "09:00:00")->id = 2;
    s_row (&scene, "2001:db8::3", DAY "09:00:00")->id = 3;
    s_row (&scene, "2001:db8::ffff:ffff:ffff:ffff", DAY "09:00:00")->id = 4;
    const hub_changes_t *plan = s_plan (&scene);
    assert_int_equal (plan->offline_count, 2);
    assert_int_equal (plan->offline[0].row, 2);
    assert_int_equal (plan->offline[1].row, 4);
    s_end (&scene);
}

/*  A scan over the moment at which clocks go back: who answered after it has
    a text from before the scan's start and is not offline.  */
static void
test_silent_autumn (void **state)
{
    (void) state;
    static const struct
    {
        int64_t start, now;
        const char *silent;
        const char *stored;
        bool offline;
    } cases[] = {
        { AUTUMN - 600, AUTUMN + 900, "2026-10-25 01:50:00",
          "2026-10-25 02:10:00", false },
        { AUTUMN - 600, AUTUMN + 900, "2026-10-25 01:50:00",
          "2026-10-25 02:00:00", false },
        { AUTUMN - 600, AUTUMN + 900, "2026-10-25 01:50:00",
          "2026-10-25 01:49:59", true },
        /*  Wholly before or after, the start is the measure.  */
        { AUTUMN - 600, AUTUMN - 60, "2026-10-25 02:50:00",
          "2026-10-25 02:49:59", true },
        { AUTUMN - 600, AUTUMN - 60, "2026-10-25 02:50:00",
          "2026-10-25 02:50:00", false },
        { AUTUMN + 600, AUTUMN + 900, "2026-10-25 02:10:00",
          "2026-10-25 02:09:59", true },
        { AUTUMN + 600, AUTUMN + 900, "2026-10-25 02:10:00",
          "2026-10-25 02:10:00", false },
        /*  Clocks that go forward need no care.  */
        { SPRING - 600, SPRING + 900, "2026-03-29 01:50:00",
          "2026-03-29 01:49:59", true },
        { SPRING - 600, SPRING + 900, "2026-03-29 01:50:00",
          "2026-03-29 03:05:00", false },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, cases[i].now);
        s_zone (&scene, "Europe/Berlin");
        s_start (&scene, cases[i].start);
        s_close (&scene);
        s_cover (&scene, "10.0.0.0", "10.0.0.255");
        s_row (&scene, "10.0.0.5", cases[i].stored);
        const hub_changes_t *plan = s_plan (&scene);
        assert_string_equal (plan->silent.text, cases[i].silent);
        if (plan->offline_count != cases[i].offline)
            fail_msg ("case %zu: '%s'", i, cases[i].stored);
        s_end (&scene);
    }
}

/*  Host names and MACs.  */

/*  Which policy is in force: the subnet's, else the agent's, else the hub's,
    field by field.  */
static void
test_policy_for (void **state)
{
    (void) state;
    enum { INHERIT = HUB_FIELD_INHERIT, NEVER = HUB_FIELD_NEVER,
           FILL = HUB_FIELD_FILL, FOLLOW = HUB_FIELD_FOLLOW,
           AUTO = HUB_FIELD_AUTO, RULES = HUB_TAGS_PHPIPAM,
           NO_TAGS = HUB_TAGS_NEVER, AS_ABOVE = HUB_TAGS_INHERIT };
    char site_a[] = "site-a", site_b[] = "site-b", site_c[] = "site-c";
#define RULE(h, m, t) .hostname = (h), .mac = (m), .tags = (t)
#define HUBS .preview = HUB_PREVIEW_NO, .max_new = { HUB_LIMIT_DEFAULT, 0 },  \
             .max_offline = { HUB_LIMIT_DEFAULT, 0 },                         \
             .seen_granularity = { HUB_LIMIT_SET, 0 }
    hub_policy_entry_t entries[] = {
        /*  The order in the file does not decide.  */
        { NULL, 7, { RULE (NEVER, INHERIT, AS_ABOVE) } },
        { site_a, 0, { RULE (FILL, FILL, AS_ABOVE) } },
        { site_b, 0, { RULE (INHERIT, INHERIT, NO_TAGS) } },
        { NULL, 8, { RULE (INHERIT, FOLLOW, RULES) } },
        { NULL, 6, { .preview = HUB_PREVIEW_NO,
                     .max_new = { HUB_LIMIT_OFF, 0 },
                     .max_offline = { HUB_LIMIT_SET, 0 },
                     .seen_granularity = { HUB_LIMIT_OFF, 0 } } },
        { site_c, 0, { .preview = HUB_PREVIEW_YES,
                       .max_new = { HUB_LIMIT_SET, 0 },
                       .max_offline = { HUB_LIMIT_OFF, 0 },
                       .seen_granularity = { HUB_LIMIT_SET, 9 } } },
    };
    hub_policies_t policies;
    hub_policies_init (&policies);
    policies.entries = entries;
    policies.count = COUNT (entries);
    static const struct
    {
        const char *agent;
        uint64_t subnet;
        hub_policy_t expected;
    } cases[] = {
        { "site-a", 7, { RULE (NEVER, FILL, RULES), HUBS } },
        { "site-a", 9, { RULE (FILL, FILL, RULES), HUBS } },
        { "site-b", 7, { RULE (NEVER, AUTO, NO_TAGS), HUBS } },
        { "site-b", 8, { RULE (AUTO, FOLLOW, RULES), HUBS } },
        { "site-b", 9, { RULE (AUTO, AUTO, NO_TAGS), HUBS } },
        { "site-d", 9, { RULE (AUTO, AUTO, RULES), HUBS } },
        { "SITE-A", 9, { RULE (AUTO, AUTO, RULES), HUBS } },
        { NULL, 8, { RULE (AUTO, FOLLOW, RULES), HUBS } },
        /*  Entries by agent have no subnet, which is no subnet 0.  */
        { "site-d", 0, { RULE (AUTO, AUTO, RULES), HUBS } },
        { "site-c", 9, { RULE (AUTO, AUTO, RULES), HUB_PREVIEW_YES,
                         { HUB_LIMIT_SET, 0 }, { HUB_LIMIT_OFF, 0 },
                         { HUB_LIMIT_SET, 9 } } },
        { "site-c", 6, { RULE (AUTO, AUTO, RULES), HUB_PREVIEW_NO,
                         { HUB_LIMIT_OFF, 0 }, { HUB_LIMIT_SET, 0 },
                         { HUB_LIMIT_OFF, 0 } } },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        hub_policy_t got
            = hub_policy_for (&policies, cases[i].agent, cases[i].subnet);
        if (memcmp (&got, &cases[i].expected, sizeof got) != 0)
            fail_msg ("case %zu: %d %d %d %d %d %d", i, got.hostname, got.mac,
                      got.tags, got.preview, got.max_new.kind,
                      got.max_offline.kind);
    }
}

enum { MADE, DHCP, MADE_DHCP, BY_HAND, MAKERS };

/*  What a policy does for rows of the four makers: '-' nothing, 'f' fills,
    'P', 'M' or 'D' replaces on that ground.  */
static const struct
{
    int policy;
    const char *empty, *equal, *differs;
} s_policies[] = {
    { HUB_FIELD_NEVER, "----", "----", "----" },
    { HUB_FIELD_FILL, "ffff", "----", "----" },
    { HUB_FIELD_FOLLOW, "ffff", "----", "PPPP" },
    { HUB_FIELD_AUTO, "ffff", "----", "MDM-" },
};

static char
s_letter (const hub_text_t *texts, size_t count)
{
    if (count == 0)
        return '-';
    assert_int_equal (count, 1);
    assert_int_equal (texts[0].row, 1000);
    if (!texts[0].follow) {
        assert_string_equal (texts[0].old, "");
        return 'f';
    }
    assert_true (texts[0].old[0] != 0);
    return texts[0].ground == HUB_GROUND_POLICY ? 'P'
           : texts[0].ground == HUB_GROUND_MADE ? 'M'
                                                : 'D';
}

static void
s_make (hub_row_t *row, int maker)
{
    row->autodiscovered = maker == MADE || maker == MADE_DHCP;
    if (maker == DHCP || maker == MADE_DHCP)
        row->state = HUB_TAG_DHCP;
}

static char
s_try_name (int policy, int maker, const char *stored)
{
    scene_t scene;
    s_begin (&scene, NOON);
    /*  The other field's policy must not matter.  */
    scene.facts.policy.hostname = policy;
    scene.facts.policy.mac
        = policy == HUB_FIELD_NEVER ? HUB_FIELD_FOLLOW : HUB_FIELD_NEVER;
    hub_row_t *row = s_row (&scene, "10.0.0.5", DAY "09:00:00");
    s_make (row, maker);
    row->hostname = stored;
    s_call (s_see (&scene, "10.0.0.5", NOON), "fresh.site.example.");
    const hub_changes_t *plan = s_plan (&scene);
    if (plan->name_count) {
        assert_string_equal (plan->names[0].fresh, "fresh.site.example");
        assert_string_equal (plan->names[0].old, stored);
    }
    assert_int_equal (plan->mac_count, 0);
    char letter = s_letter (plan->names, plan->name_count);
    s_end (&scene);
    return letter;
}

static char
s_try_mac (int policy, int maker, const char *stored)
{
    scene_t scene;
    s_begin (&scene, NOON);
    scene.facts.policy.mac = policy;
    scene.facts.policy.hostname
        = policy == HUB_FIELD_NEVER ? HUB_FIELD_FOLLOW : HUB_FIELD_NEVER;
    hub_row_t *row = s_row (&scene, "10.0.0.5", DAY "09:00:00");
    s_make (row, maker);
    row->mac = stored;
    memcpy (s_see (&scene, "10.0.0.5", NOON)->mac, MAC_B, sizeof MAC_B);
    const hub_changes_t *plan = s_plan (&scene);
    if (plan->mac_count) {
        assert_string_equal (plan->macs[0].fresh, MAC_B);
        assert_string_equal (plan->macs[0].old, stored);
    }
    assert_int_equal (plan->name_count, 0);
    char letter = s_letter (plan->macs, plan->mac_count);
    s_end (&scene);
    return letter;
}

static void
test_policies (void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT (s_policies); i++)
        for (int maker = 0; maker < MAKERS; maker++) {
            int policy = s_policies[i].policy;
            const struct
            {
                char got, expected;
            } tried[] = {
                { s_try_name (policy, maker, ""), s_policies[i].empty[maker] },
                { s_try_name (policy, maker, "FRESH"),
                  s_policies[i].equal[maker] },
                { s_try_name (policy, maker, "other.site.example"),
                  s_policies[i].differs[maker] },
                { s_try_mac (policy, maker, ""), s_policies[i].empty[maker] },
                { s_try_mac (policy, maker, "001A.2B00.000B"),
                  s_policies[i].equal[maker] },
                { s_try_mac (policy, maker, MAC_A),
                  s_policies[i].differs[maker] },
            };
            for (size_t j = 0; j < COUNT (tried); j++)
                if (tried[j].got != tried[j].expected)
                    fail_msg ("policy %d, maker %d, try %zu: %c", policy,
                              maker, j, tried[j].got);
        }
}

/*  A state of NULL that reads as 4 is no DHCP tag.  */
static void
test_null_is_not_dhcp (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    hub_row_t *row = s_row (&scene, "10.0.0.5", DAY "09:00:00");
    row->state = HUB_TAG_DHCP;
    row->has_state = false;
    row->hostname = "typed";
    s_call (s_see (&scene, "10.0.0.5", NOON), "fresh");
    assert_int_equal (s_plan (&scene)->name_count, 0);
    s_end (&scene);
}

/*  With follow everything that differs is replaced, so what is not planned
    counted as the same.  */
static void
test_same_name (void **state)
{
    (void) state;
    static const struct
    {
        const char *stored, *reported;
        bool same;
    } cases[] = {
        { "printer", "printer", true },
        { "Printer", "pRINTER", true },
        { "printer.", "printer", true },
        { "printer", "printer.", true },
        { "printer", "printer.site.example", true },
        { "printer.site.example", "printer", true },
        { "PRINTER.site.example.", "printer.SITE.example", true },
        { "printer", "printer2", false },
        { "printer2", "printer", false },
        { "printer.site", "printer.site.example", false },
        { "printer.site.example", "printer.other.example", false },
        { "printer", "sprinter.site.example", false },
        { ".", "printer", false },
        { " ", "printer", false },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, NOON);
        scene.facts.policy.hostname = HUB_FIELD_FOLLOW;
        s_row (&scene, "10.0.0.5", DAY "09:00:00")->hostname = cases[i].stored;
        s_call (s_see (&scene, "10.0.0.5", NOON), cases[i].reported);
        if ((s_plan (&scene)->name_count == 0) != cases[i].same)
            fail_msg ("case %zu: '%s' '%s'", i, cases[i].stored,
                      cases[i].reported);
        s_end (&scene);
    }
}

static void
test_same_mac (void **state)
{
    (void) state;
    static const struct
    {
        const char *stored;
        bool same;
    } cases[] = {
        { "00:1a:2b:00:00:0b", true },  { "00:1A:2B:00:00:0B", true },
        { "00-1a-2b-00-00-0b", true },  { "001a.2b00.000b", true },
        { "001A2B00000B", true },       { "00:1a:2b:00:00:0a", false },
        { "00:00:00:00:00:00", false }, { "ff:ff:ff:ff:ff:ff", false },
        { "n/a", false },               { "00:1a:2b:00:00:0b ", false },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, NOON);
        scene.facts.policy.mac = HUB_FIELD_FOLLOW;
        s_row (&scene, "10.0.0.5", DAY "09:00:00")->mac = cases[i].stored;
        memcpy (s_see (&scene, "10.0.0.5", NOON)->mac, MAC_B, sizeof MAC_B);
        const hub_changes_t *plan = s_plan (&scene);
        if ((plan->mac_count == 0) != cases[i].same
            || (plan->differ_count == 0) != cases[i].same)
            fail_msg ("case %zu: '%s'", i, cases[i].stored);
        s_end (&scene);
    }
}

/*  A report that knows no name and no MAC never empties what is stored.  */
static void
test_nothing_reported (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    scene.facts.policy.hostname = scene.facts.policy.mac = HUB_FIELD_FOLLOW;
    hub_row_t *row = s_row (&scene, "10.0.0.5", DAY "09:00:00");
    row->hostname = "typed";
    row->mac = MAC_A;
    row->autodiscovered = true;
    s_see (&scene, "10.0.0.5", NOON);
    const hub_changes_t *plan = s_plan (&scene);
    assert_int_equal (plan->name_count, 0);
    assert_int_equal (plan->mac_count, 0);
    assert_int_equal (plan->differ_count, 0);
    assert_int_equal (plan->seen_count, 1);
    s_end (&scene);
}

static void
test_differing_mac (void **state)
{
    (void) state;
    static const struct
    {
        int policy;
        const char *stored;
        bool made, told, written;
    } cases[] = {
        { HUB_FIELD_NEVER, MAC_A, true, true, false },
        { HUB_FIELD_FILL, MAC_A, true, true, false },
        { HUB_FIELD_FOLLOW, MAC_A, false, true, true },
        { HUB_FIELD_AUTO, MAC_A, false, true, false },
        { HUB_FIELD_AUTO, MAC_A, true, true, true },
        { HUB_FIELD_AUTO, MAC_B, true, false, false },
        { HUB_FIELD_AUTO, "", true, false, false },
        { HUB_FIELD_NEVER, "", true, false, false },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, NOON);
        scene.facts.policy.mac = cases[i].policy;
        hub_row_t *row = s_row (&scene, "10.0.0.5", DAY "09:00:00");
        row->mac = cases[i].stored;
        row->autodiscovered = cases[i].made;
        memcpy (s_see (&scene, "10.0.0.5", NOON)->mac, MAC_B, sizeof MAC_B);
        const hub_changes_t *plan = s_plan (&scene);
        if (plan->differ_count != cases[i].told)
            fail_msg ("case %zu", i);
        if (plan->differ_count) {
            const hub_differs_t *one = &plan->differs[0];
            assert_int_equal (one->row, row->id);
            assert_int_equal (sh_addr_cmp (&one->ip, &row->ip), 0);
            assert_string_equal (one->stored, MAC_A);
            assert_string_equal (one->reported, MAC_B);
            assert_int_equal (one->written, cases[i].written);
            assert_int_equal (plan->mac_count, cases[i].written);
        }
        s_end (&scene);
    }
}

/*  A sighting older than the stored lastSeen has been overtaken: neither name
    nor MAC; one of the same second is as good.  */
static void
test_texts_by_age (void **state)
{
    (void) state;
    static const struct
    {
        const char *stored;
        bool taken;
    } cases[] = {
        { DAY "11:59:54", true },
        { DAY "11:59:55", true },
        { DAY "11:59:56", false },
        { "2027-01-01 00:00:00", true },
        { "", true },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, NOON);
        hub_row_t *row = s_row (&scene, "10.0.0.5", cases[i].stored);
        row->autodiscovered = true;
        row->mac = MAC_A;
        hub_sighting_t *one = s_see (&scene, "10.0.0.5", NOON - 5);
        s_call (one, "name");
        memcpy (one->mac, MAC_B, sizeof MAC_B);
        const hub_changes_t *plan = s_plan (&scene);
        if (plan->name_count != cases[i].taken
            || plan->mac_count != cases[i].taken
            || plan->differ_count != cases[i].taken)
            fail_msg ("case %zu: '%s'", i, cases[i].stored);
        s_end (&scene);
    }
}

/*  New rows.  */

static void
test_insert (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON + 60);
    hub_sighting_t *one = s_see (&scene, "10.0.0.5", NOON);
    s_call (one, "Fresh.site.example.");
    memcpy (one->mac, MAC_A, sizeof MAC_A);
    s_see (&scene, "10.0.0.6", NOON + 7);
    const hub_changes_t *plan = s_plan (&scene);
    assert_int_equal (plan->insert_count, 2);
    assert_int_equal (plan->confirmed, 0);
    assert_int_equal (plan->skipped, 0);
    assert_int_equal (plan->seen_count, 0);
    assert_int_equal (plan->subnet, 7);
    const hub_insert_t *row = &plan->inserts[0];
    assert_int_equal (sh_addr_cmp (&row->ip, &scene.seen[0].ip), 0);
    assert_string_equal (row->hostname, "Fresh.site.example");
    assert_string_equal (row->mac, MAC_A);
    assert_string_equal (row->wall.text, DAY "12:00:00");
    char note[128];
    hub_changes_note (plan, row, note, sizeof note);
    assert_string_equal (note, "This host was autodiscovered on " DAY
                               "12:00:00 by agent site-a");
    row++;
    assert_int_equal (sh_addr_cmp (&row->ip, &scene.seen[1].ip), 0);
    assert_null (row->hostname);
    assert_null (row->mac);
    hub_changes_note (plan, row, note, sizeof note);
    assert_string_equal (note, "This host was autodiscovered on " DAY
                               "12:00:07 by agent site-a");
    hub_changes_note (plan, row, note, 10);
    assert_string_equal (note, "This host");
    s_end (&scene);
}

static void
test_note_without_name (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    scene.agent.name = NULL;
    s_see (&scene, "10.0.0.5", NOON);
    const hub_changes_t *plan = s_plan (&scene);
    char note[128];
    hub_changes_note (plan, &plan->inserts[0], note, sizeof note);
    assert_string_equal (note, "This host was autodiscovered on " DAY
                               "12:00:00 by agent ");
    s_end (&scene);
}

/*  In phpIPAM's zone, as everything else.  */
static void
test_insert_zone (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    s_zone (&scene, "Europe/Berlin");
    s_see (&scene, "10.0.0.5", NOON);
    const hub_changes_t *plan = s_plan (&scene);
    assert_string_equal (plan->inserts[0].wall.text, DAY "14:00:00");
    assert_string_equal (plan->start.text, DAY "13:59:00");
    s_end (&scene);
}

/*  Policies are about rows that exist; a new one takes what is known.  */
static void
test_insert_ignores_policy (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    scene.facts.policy
        = (hub_policy_t){ RULE (HUB_FIELD_NEVER, HUB_FIELD_NEVER,
                                HUB_TAGS_NEVER) };
    hub_sighting_t *one = s_see (&scene, "10.0.0.5", NOON);
    s_call (one, "name");
    memcpy (one->mac, MAC_A, sizeof MAC_A);
    const hub_changes_t *plan = s_plan (&scene);
    assert_int_equal (plan->insert_count, 1);
    assert_string_equal (plan->inserts[0].hostname, "name");
    assert_string_equal (plan->inserts[0].mac, MAC_A);
    s_end (&scene);
}

/*  Kind and flags: who inserts, and which of the subnet's times moves.  */
static void
test_kinds (void **state)
{
    (void) state;
    static const struct
    {
        int kind;
        bool check, discover;
        bool inserts, last_scan, last_discovery;
    } cases[] = {
        { SP_KIND_BOTH, true, true, true, true, true },
        { SP_KIND_BOTH, true, false, false, true, false },
        { SP_KIND_BOTH, false, true, true, false, true },
        { SP_KIND_CHECK, true, true, false, true, false },
        { SP_KIND_CHECK, true, false, false, true, false },
        { SP_KIND_CHECK, false, true, false, false, false },
        { SP_KIND_DISCOVER, true, true, true, false, true },
        { SP_KIND_DISCOVER, true, false, false, false, false },
        { SP_KIND_DISCOVER, false, true, true, false, true },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, NOON);
        scene.report.kind = cases[i].kind;
        scene.subnet.check = cases[i].check;
        scene.subnet.discover = cases[i].discover;
        s_see (&scene, "10.0.0.5", NOON);
        const hub_changes_t *plan = s_plan (&scene);
        if (plan->insert_count != cases[i].inserts
            || plan->skipped != !cases[i].inserts)
            fail_msg ("case %zu", i);
        assert_false (plan->set_last_scan || plan->set_last_discovery);
        s_close (&scene);
        plan = s_plan (&scene);
        if (plan->set_last_scan != cases[i].last_scan
            || plan->set_last_discovery != cases[i].last_discovery)
            fail_msg ("case %zu, closing", i);
        assert_string_equal (plan->start.text, DAY "11:59:00");
        s_end (&scene);
    }
}

/*  The subnet's own times; the scan started at 11:59:00, now is 12:00.  */
static void
test_subnet_times (void **state)
{
    (void) state;
    static const struct
    {
        const char *stored;
        bool moves, late;
    } cases[] = {
        { "", true, false },
        { "0000-00-00 00:00:00", true, false },
        { "1970-01-01 00:00:01", true, false },
        { DAY "11:58:59", true, false },
        { DAY "11:59:00", false, false }, /* equal is not earlier */
        { DAY "11:59:01", false, true },
        { DAY "12:00:00", false, true },
        { DAY "12:01:00", false, true },
        { DAY "12:01:01", true, false }, /* over 60 s ahead counts as none */
        { "2037-01-01 00:00:00", true, false },
    };
    for (size_t i = 0; i < COUNT (cases); i++)
        for (int which = 0; which < 2; which++) {
            scene_t scene;
            s_begin (&scene, NOON);
            char *column = which ? scene.subnet.last_discovery
                                 : scene.subnet.last_scan;
            snprintf (column, 20, "%s", cases[i].stored);
            hub_row_t *row = s_row (&scene, "10.0.0.4", DAY "09:00:00");
            row->state = HUB_TAG_DHCP;
            row->mac = MAC_A;
            hub_sighting_t *one = s_see (&scene, "10.0.0.4", NOON - 5);
            s_call (one, "name");
            memcpy (one->mac, MAC_B, sizeof MAC_B);
            s_see (&scene, "10.0.0.5", NOON - 5);

            const hub_changes_t *plan = s_plan (&scene);
            bool late = cases[i].late;
            /*  A late report only moves lastSeen of rows that exist: inserts
                go by lastDiscovery, tags by lastScan, names by both.  */
            if (plan->used_count != !(late && which == 0)
                || plan->insert_count != !(late && which == 1)
                || plan->name_count != !late || plan->mac_count != !late
                || plan->differ_count != !late)
                fail_msg ("case %zu, column %d", i, which);
            assert_int_equal (plan->seen_count, 1);
            assert_int_equal (plan->confirmed, 1);
            assert_int_equal (plan->skipped, 1 - plan->insert_count);

            s_close (&scene);
            s_cover (&scene, "10.0.0.0", "10.0.0.255");
            plan = s_plan (&scene);
            if ((which ? plan->set_last_discovery : plan->set_last_scan)
                != cases[i].moves)
                fail_msg ("case %zu, column %d, closing", i, which);
            assert_true (which ? plan->set_last_scan
                               : plan->set_last_discovery);
            assert_int_equal (plan->offline_count, !(late && which == 0));
            s_end (&scene);
        }
}

/*  What a person applies is not late, and the sighting whose lastSeen has been
    written when the rest was held still counts.  Times move forward only, and a
    row that was seen since is left alone.  */
static void
test_by_hand (void **state)
{
    (void) state;
    for (int by_hand = 0; by_hand < 2; by_hand++) {
        scene_t scene;
        s_begin (&scene, NOON);
        scene.facts.by_hand = by_hand;
        snprintf (scene.subnet.last_scan, 20, DAY "11:59:30");
        snprintf (scene.subnet.last_discovery, 20, DAY "11:59:30");
        s_row (&scene, "10.0.0.4", DAY "11:59:55")->state = HUB_TAG_DHCP;
        s_row (&scene, "10.0.0.5", DAY "11:59:56")->state = HUB_TAG_DHCP;
        s_call (s_see (&scene, "10.0.0.4", NOON - 5), "name");
        s_call (s_see (&scene, "10.0.0.5", NOON - 5), "name");
        s_see (&scene, "10.0.0.6", NOON - 5);
        s_see (&scene, "10.0.0.7", NOON - 5)->old = NOON - 3600;
        const hub_changes_t *plan = s_plan (&scene);
        assert_int_equal (plan->insert_count, by_hand ? 2 : 0);
        assert_int_equal (plan->name_count, by_hand);
        assert_int_equal (plan->used_count, by_hand);
        assert_int_equal (plan->seen_count, 0);
        scene.rows.items[0].last_seen = DAY "09:00:00";
        s_close (&scene);
        s_cover (&scene, "10.0.0.0", "10.0.0.255");
        plan = s_plan (&scene);
        assert_int_equal (plan->offline_count, by_hand);
        assert_false (plan->set_last_scan || plan->set_last_discovery);
        s_end (&scene);
    }
}

/*  Who counts as online for the brake: whoever could go Offline by the rules,
    covered or not.  */
static void
test_known (void **state)
{
    (void) state;
    static const struct
    {
        const char *ip, *last_seen;
        int state;
        bool excluded, known, covered;
    } cases[] = {
        { "10.0.0.1", DAY "09:00:00", HUB_TAG_USED, false, true, false },
        { "10.0.0.10", DAY "09:00:00", HUB_TAG_USED, false, true, true },
        { "10.0.0.11", DAY "12:00:00", HUB_TAG_DHCP, false, true, true },
        { "10.0.0.12", DAY "09:00:00", HUB_TAG_OFFLINE, false, false, true },
        { "10.0.0.13", DAY "09:00:00", HUB_TAG_RESERVED, false, false, true },
        { "10.0.0.14", DAY "09:00:00", HUB_TAG_USED, true, false, true },
        { "10.0.0.15", "", HUB_TAG_USED, false, false, true },
        { "10.0.0.16", DAY "09:00:00", 99, false, false, true },
        { "10.0.0.200", DAY "09:00:00", HUB_TAG_USED, false, true, false },
    };
    scene_t scene;
    size_t known = 0, covered = 0;
    s_begin (&scene, NOON);
    s_close (&scene);
    s_cover (&scene, "10.0.0.10", "10.0.0.100");
    for (size_t i = 0; i < COUNT (cases); i++) {
        hub_row_t *row = s_row (&scene, cases[i].ip, cases[i].last_seen);
        row->state = cases[i].state;
        row->excluded = cases[i].excluded;
        known += cases[i].known;
        covered += cases[i].known && cases[i].covered;
    }
    const hub_changes_t *plan = s_plan (&scene);
    assert_int_equal (plan->known, known);
    assert_int_equal (plan->known_covered, covered);
    assert_int_equal (plan->offline_count, 1);
    s_end (&scene);
}

/*  A host of an earlier scan, which began at 11:49 and saw it at 11:50, in a
    report of 11:59.  It counts as what it is: by its own scan, and for no
    tag.  */
static void
test_old_hosts (void **state)
{
    (void) state;
    static const struct
    {
        const char *stored; /* both of the subnet's times */
        bool late;
    } cases[] = {
        { "", false },
        { DAY "11:48:59", false },
        { DAY "11:49:00", false }, /* another one of that second, perhaps */
        { DAY "11:49:01", true },
        { DAY "11:50:01", true }, /* another one has been since */
        { DAY "11:59:00", true },
        { DAY "12:01:01", false },
    };
    for (size_t i = 0; i < COUNT (cases); i++)
        for (int which = 0; which < 2; which++) {
            scene_t scene;
            s_begin (&scene, NOON);
            snprintf (which ? scene.subnet.last_discovery
                            : scene.subnet.last_scan,
                      20, "%s", cases[i].stored);
            s_row (&scene, "10.0.0.4", DAY "09:00:00")->state
                = HUB_TAG_OFFLINE;
            hub_sighting_t *one = s_see (&scene, "10.0.0.4", NOON - 600);
            s_call (one, "name");
            memcpy (one->mac, MAC_B, sizeof MAC_B);
            one->old = NOON - 660;
            s_see (&scene, "10.0.0.5", NOON - 600)->old = NOON - 660;
            s_see (&scene, "10.0.0.6", NOON - 5);

            const hub_changes_t *plan = s_plan (&scene);
            bool late = cases[i].late;
            if (plan->insert_count != (late && which ? 1u : 2u)
                || plan->name_count != !late || plan->mac_count != !late)
                fail_msg ("case %zu, column %d", i, which);
            assert_int_equal (plan->used_count, 0);
            assert_int_equal (plan->seen_count, 1);
            assert_string_equal (plan->seen[0].wall.text, DAY "11:50:00");
            assert_string_equal (plan->inserts[plan->insert_count - 1].wall.text,
                                 DAY "11:59:55");
            if (plan->insert_count == 2)
                assert_string_equal (plan->inserts[0].wall.text,
                                     DAY "11:50:00");
            s_end (&scene);
        }
}

/*  In the repeated hour of autumn the stored time of the first pass is not
    the future, so a scan of the second pass is late, not a repair.  */
static void
test_subnet_times_autumn (void **state)
{
    (void) state;
    static const struct
    {
        int64_t start;
        const char *stored;
        bool moves, late;
    } cases[] = {
        { AUTUMN + 600, "2026-10-25 02:50:00", false, true },
        { AUTUMN + 600, "2026-10-25 02:10:00", false, false },
        { AUTUMN + 600, "2026-10-25 02:09:59", true, false },
        { AUTUMN + 600, "2026-10-25 03:00:00", true, false },
        { AUTUMN + 3600, "2026-10-25 02:59:59", true, false },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, cases[i].start + 60);
        s_zone (&scene, "Europe/Berlin");
        snprintf (scene.subnet.last_scan, 20, "%s", cases[i].stored);
        snprintf (scene.subnet.last_discovery, 20, "%s", cases[i].stored);
        s_see (&scene, "10.0.0.5", cases[i].start);
        assert_int_equal (s_plan (&scene)->insert_count, !cases[i].late);
        s_close (&scene);
        const hub_changes_t *plan = s_plan (&scene);
        if (plan->set_last_scan != cases[i].moves
            || plan->set_last_discovery != cases[i].moves)
            fail_msg ("case %zu", i);
        s_end (&scene);
    }
}

/*  The scan's start obeys the same clock rules as a sighting.  */
static void
test_start (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    s_close (&scene);
    scene.report.started = (NOON - 3600) * 1000 + 999;
    scene.report.off = 1999;
    assert_string_equal (s_plan (&scene)->start.text, DAY "11:00:00");
    scene.report.off = 2001;
    assert_string_equal (s_plan (&scene)->start.text, DAY "11:00:03");
    scene.report.off = 86400000;
    assert_string_equal (s_plan (&scene)->start.text, DAY "12:00:00");
    s_end (&scene);

    hub_changes_t *plan = NULL;
    scene.report.off = 0;
    static const int64_t bad[] = { 0, -1, INT64_MIN, INT64_MAX };
    for (size_t i = 0; i < COUNT (bad); i++) {
        scene.report.started = bad[i];
        assert_int_equal (hub_changes_plan (&plan, &scene.facts),
                          SH_E_BAD_TIME);
        assert_null (plan);
    }
}

/*  Whole reports.  */

/*  What the store would make of the plan, without its guards.  */
static void
s_apply (scene_t *self, const hub_changes_t *plan)
{
    for (size_t i = 0; i < self->rows.count; i++) {
        hub_row_t *row = &self->row[i];
        for (size_t j = 0; j < plan->seen_count; j++)
            if (plan->seen[j].row == row->id)
                snprintf (self->texts[i][0], sizeof self->texts[0][0], "%s",
                          plan->seen[j].wall.text);
        for (size_t j = 0; j < plan->name_count; j++)
            if (plan->names[j].row == row->id)
                snprintf (self->texts[i][1], sizeof self->texts[0][0], "%s",
                          plan->names[j].fresh);
        for (size_t j = 0; j < plan->mac_count; j++)
            if (plan->macs[j].row == row->id)
                snprintf (self->texts[i][2], sizeof self->texts[0][0], "%s",
                          plan->macs[j].fresh);
        for (size_t j = 0; j < plan->used_count; j++)
            if (plan->used[j].row == row->id)
                row->state = plan->used[j].fresh;
        for (size_t j = 0; j < plan->offline_count; j++)
            if (plan->offline[j].row == row->id)
                row->state = plan->offline[j].fresh;
    }
    for (size_t j = 0; j < plan->insert_count; j++) {
        const hub_insert_t *fresh = &plan->inserts[j];
        char ip[SH_ADDR_TEXT];
        sh_addr_text (&fresh->ip, ip);
        size_t at = self->rows.count;
        s_row (self, ip, fresh->wall.text)->autodiscovered = true;
        snprintf (self->texts[at][1], sizeof self->texts[0][0], "%s",
                  fresh->hostname ? fresh->hostname : "");
        snprintf (self->texts[at][2], sizeof self->texts[0][0], "%s",
                  fresh->mac ? fresh->mac : "");
    }
    if (plan->set_last_scan)
        memcpy (self->subnet.last_scan, plan->start.text, 20);
    if (plan->set_last_discovery)
        memcpy (self->subnet.last_discovery, plan->start.text, 20);
}

/*  A part that is sent twice changes nothing the second time; neither does it
    once the closing part is in.  */
static void
test_resent (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    scene.facts.policy
        = (hub_policy_t){ RULE (HUB_FIELD_FOLLOW, HUB_FIELD_FOLLOW,
                                HUB_TAGS_PHPIPAM) };
    /*  Never seen: the first sighting sets lastSeen only; a second copy of
        the part is no second sighting.  */
    s_row (&scene, "10.0.0.1", "1970-01-01 00:00:01")->state = HUB_TAG_OFFLINE;
    s_row (&scene, "10.0.0.2", DAY "09:00:00")->state = HUB_TAG_OFFLINE;
    s_row (&scene, "10.0.0.3", "2037-01-01 00:00:00");
    s_row (&scene, "10.0.0.4", DAY "09:00:00");
    s_row (&scene, "10.0.0.5", DAY "09:00:00");
    snprintf (scene.texts[3][1], sizeof scene.texts[0][0], "old.name");
    snprintf (scene.texts[3][2], sizeof scene.texts[0][0], MAC_B);
    for (int i = 1; i <= 6; i++) {
        char ip[32];
        if (i == 5)
            continue;
        snprintf (ip, sizeof ip, "10.0.0.%d", i);
        hub_sighting_t *one = s_see (&scene, ip, NOON - 10 - i);
        s_call (one, "Some.Name");
        memcpy (one->mac, MAC_A, sizeof MAC_A);
    }
    const hub_changes_t *plan = s_plan (&scene);
    assert_int_equal (plan->seen_count, 4);
    assert_int_equal (plan->name_count, 4);
    assert_int_equal (plan->mac_count, 4);
    assert_int_equal (plan->used_count, 1);
    assert_int_equal (plan->insert_count, 1);
    assert_int_equal (plan->differ_count, 1);
    s_apply (&scene, plan);

    plan = s_plan (&scene);
    s_assert_idle (plan);
    assert_int_equal (plan->confirmed, 5);
    assert_int_equal (plan->differ_count, 0);

    s_close (&scene);
    s_cover (&scene, "10.0.0.0", "10.0.0.255");
    plan = s_plan (&scene);
    assert_int_equal (plan->offline_count, 1);
    assert_true (plan->set_last_scan && plan->set_last_discovery);
    s_apply (&scene, plan);
    s_assert_idle (s_plan (&scene));

    scene.report.last = false;
    scene.facts.sightings = &scene.sightings;
    s_assert_idle (s_plan (&scene));
    assert_int_equal (scene.row[0].state, HUB_TAG_OFFLINE);
    assert_int_equal (scene.row[1].state, HUB_TAG_USED);
    assert_int_equal (scene.row[4].state, HUB_TAG_OFFLINE);
    s_end (&scene);
}

/*  A never-seen row becomes Used by its second scan.  */
static void
test_never_seen_second_scan (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    s_row (&scene, "10.0.0.1", "")->state = HUB_TAG_OFFLINE;
    hub_sighting_t *one = s_see (&scene, "10.0.0.1", NOON - 10);
    const hub_changes_t *plan = s_plan (&scene);
    assert_int_equal (plan->used_count, 0);
    s_apply (&scene, plan);
    one->seen = NOON - 1;
    plan = s_plan (&scene);
    assert_int_equal (plan->used_count, 1);
    assert_int_equal (plan->seen_count, 1);
    s_end (&scene);
}

/*  The store groups neighbours and locks rows in the order it is given.  */
static void
test_order (void **state)
{
    (void) state;
    static const struct
    {
        uint64_t id;
        int state;
        int64_t seen;
    } rows[] = {
        { 50, HUB_TAG_DHCP, NOON - 3 },    { 10, HUB_TAG_OFFLINE, NOON - 3 },
        { 30, HUB_TAG_DHCP, NOON - 9 },    { 40, HUB_TAG_OFFLINE, NOON - 1 },
        { 20, HUB_TAG_RESERVED, NOON - 9 }, { 60, HUB_TAG_DHCP, NOON - 3 },
    };
    scene_t scene;
    s_begin (&scene, NOON);
    for (size_t i = 0; i < COUNT (rows); i++) {
        char ip[32];
        snprintf (ip, sizeof ip, "10.0.0.%zu", i + 1);
        hub_row_t *row = s_row (&scene, ip, DAY "09:00:00");
        row->id = rows[i].id;
        row->state = rows[i].state;
        hub_sighting_t *one = s_see (&scene, ip, rows[i].seen);
        s_call (one, "name");
        memcpy (one->mac, MAC_A, sizeof MAC_A);
    }
    const hub_changes_t *plan = s_plan (&scene);
    static const uint64_t by_tag[] = { 10, 40, 20, 30, 50, 60 };
    assert_int_equal (plan->seen_count, COUNT (rows));
    assert_int_equal (plan->used_count, COUNT (rows));
    for (size_t i = 0; i < COUNT (rows); i++) {
        assert_int_equal (plan->seen[i].row, 10 * (i + 1));
        assert_int_equal (plan->used[i].row, by_tag[i]);
        assert_int_equal (plan->names[i].row, 10 * (i + 1));
        assert_int_equal (plan->macs[i].row, 10 * (i + 1));
    }
    s_close (&scene);
    s_cover (&scene, "10.0.0.0", "10.0.0.255");
    plan = s_plan (&scene);
    static const uint64_t by_old[] = { 30, 50, 60 };
    assert_int_equal (plan->offline_count, COUNT (by_old));
    for (size_t i = 0; i < COUNT (by_old); i++)
        assert_int_equal (plan->offline[i].row, by_old[i]);
    s_end (&scene);
}

#define L50 "a234567890123456789012345678901234567890123456789."

/*  All texts as long as they can get, in every list at once: what the plan
    keeps must fit what it has reserved.  */
static void
test_longest_texts (void **state)
{
    (void) state;
    static const char name[] = L50 L50 L50 L50 L50 "abc";
    scene_t scene;
    s_begin (&scene, NOON);
    scene.facts.policy.hostname = scene.facts.policy.mac = HUB_FIELD_FOLLOW;
    for (int i = 1; i <= ROWS_MOST; i++) {
        char ip[32];
        snprintf (ip, sizeof ip, "10.0.0.%d", i);
        hub_sighting_t *one = s_see (&scene, ip, NOON);
        s_call (one, name);
        memcpy (one->mac, MAC_A, sizeof MAC_A);
        if (i % 4 == 0)
            continue;
        hub_row_t *row = s_row (&scene, ip, DAY "09:00:00");
        memset (scene.texts[scene.rows.count - 1][1], 'x', 255);
        memset (scene.texts[scene.rows.count - 1][2], 'y', 20);
        row->state = HUB_TAG_DHCP;
    }
    const hub_changes_t *plan = s_plan (&scene);
    assert_int_equal (plan->insert_count, ROWS_MOST / 4);
    assert_int_equal (plan->name_count, ROWS_MOST * 3 / 4);
    assert_int_equal (plan->mac_count, ROWS_MOST * 3 / 4);
    assert_int_equal (plan->differ_count, ROWS_MOST * 3 / 4);
    assert_int_equal (plan->seen_count, ROWS_MOST * 3 / 4);
    assert_int_equal (plan->used_count, ROWS_MOST * 3 / 4);
    for (size_t i = 0; i < plan->name_count; i++) {
        assert_int_equal (strlen (plan->names[i].old), 255);
        assert_string_equal (plan->names[i].fresh, name);
        assert_int_equal (strlen (plan->macs[i].old), 20);
        assert_string_equal (plan->macs[i].fresh, MAC_A);
        assert_string_equal (plan->differs[i].reported, MAC_A);
    }
    for (size_t i = 0; i < plan->insert_count; i++)
        assert_string_equal (plan->inserts[i].hostname, name);
    s_end (&scene);
}

static void
test_empty_part (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, NOON);
    const hub_changes_t *plan = s_plan (&scene);
    s_assert_idle (plan);
    assert_int_equal (plan->confirmed, 0);
    s_close (&scene);
    plan = s_plan (&scene);
    assert_int_equal (plan->offline_count, 0);
    assert_true (plan->set_last_scan);
    s_end (&scene);
    hub_changes_destroy (&scene.plan);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup (test_last_seen, s_reset),
        cmocka_unit_test_setup (test_seen_granularity, s_reset),
        cmocka_unit_test_setup (test_spared_is_news, s_reset),
        cmocka_unit_test_setup (test_last_seen_summer_time, s_reset),
        cmocka_unit_test_setup (test_excluded, s_reset),
        cmocka_unit_test_setup (test_either_flag, s_reset),
        cmocka_unit_test_setup (test_tag_rule, s_reset),
        cmocka_unit_test_setup (test_tag_used, s_reset),
        cmocka_unit_test_setup (test_tag_used_by_news, s_reset),
        cmocka_unit_test_setup (test_tag_offline, s_reset),
        cmocka_unit_test_setup (test_silent_since_start, s_reset),
        cmocka_unit_test_setup (test_silent_before_hub, s_reset),
        cmocka_unit_test_setup (test_offline_needs, s_reset),
        cmocka_unit_test_setup (test_covered, s_reset),
        cmocka_unit_test_setup (test_range, s_reset),
        cmocka_unit_test_setup (test_covered_broken, s_reset),
        cmocka_unit_test_setup (test_covered_ipv6, s_reset),
        cmocka_unit_test_setup (test_silent_autumn, s_reset),
        cmocka_unit_test (test_policy_for),
        cmocka_unit_test_setup (test_policies, s_reset),
        cmocka_unit_test_setup (test_null_is_not_dhcp, s_reset),
        cmocka_unit_test_setup (test_same_name, s_reset),
        cmocka_unit_test_setup (test_same_mac, s_reset),
        cmocka_unit_test_setup (test_nothing_reported, s_reset),
        cmocka_unit_test_setup (test_differing_mac, s_reset),
        cmocka_unit_test_setup (test_texts_by_age, s_reset),
        cmocka_unit_test_setup (test_insert, s_reset),
        cmocka_unit_test_setup (test_note_without_name, s_reset),
        cmocka_unit_test_setup (test_insert_zone, s_reset),
        cmocka_unit_test_setup (test_insert_ignores_policy, s_reset),
        cmocka_unit_test_setup (test_kinds, s_reset),
        cmocka_unit_test_setup (test_subnet_times, s_reset),
        cmocka_unit_test_setup (test_by_hand, s_reset),
        cmocka_unit_test_setup (test_known, s_reset),
        cmocka_unit_test_setup (test_subnet_times_autumn, s_reset),
        cmocka_unit_test_setup (test_old_hosts, s_reset),
        cmocka_unit_test_setup (test_start, s_reset),
        cmocka_unit_test_setup (test_resent, s_reset),
        cmocka_unit_test_setup (test_never_seen_second_scan, s_reset),
        cmocka_unit_test_setup (test_order, s_reset),
        cmocka_unit_test_setup (test_longest_texts, s_reset),
        cmocka_unit_test_setup (test_empty_part, s_reset),
    };
    return cmocka_run_group_tests_name ("changes", tests, NULL, NULL);
}
