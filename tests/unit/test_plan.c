/* SPDX-License-Identifier: MPL-2.0 */
/*  When which subnet is scanned: the plan with a clock of the test's own.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scanner/plan.h"

#define MINUTE INT64_C (60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static sp_subnet_t
s_row (uint64_t id, const char *cidr)
{
    return (sp_subnet_t){ .id = id, .cidr = cidr, .check = true };
}

static void
s_add_row (sc_plan_t *plan, const sp_subnet_t *row)
{
    sc_subnet_t subnet;
    assert_int_equal (sc_subnet_read (&subnet, row, NULL), SH_OK);
    assert_int_equal (sc_plan_add (plan, &subnet), SH_OK);
}

static void
s_add (sc_plan_t *plan, uint64_t id, const char *cidr)
{
    sp_subnet_t row = s_row (id, cidr);
    s_add_row (plan, &row);
}

static sc_moment_t
s_at (int64_t now)
{
    return (sc_moment_t){ .now = now,
                          .minute = (int) (now / MINUTE % 1440),
                          .hub = true };
}

static void
test_rows (void **state)
{
    (void) state;
    const char *servers[] = { "10.0.0.53", "dns.example", "--dns-servers",
                              "2001:db8::53" };
    sp_subnet_t row = s_row (7, "10.0.0.0/24");
    row.nameservers = servers;
    row.nameserver_count = 4;
    sc_subnet_t subnet;
    sh_why_t why;
    assert_int_equal (sc_subnet_read (&subnet, &row, &why), SH_OK);
    assert_int_equal (subnet.nameserver_count, 2);
    assert_int_equal (subnet.bad_nameservers, 2);
    assert_int_equal (subnet.check_s, SC_CHECK_S);
    assert_int_equal (subnet.discover_s, SC_DISCOVER_S);
    assert_int_equal (subnet.neighbours, SC_NEIGHBOURS_STABLE);
    sc_subnet_clear (&subnet);
    static const char *const bad[]
        = { "", "10.0.0.0", "10.0.0.1/24", "-iL /etc/passwd", "10.0.0.0/33" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        row = s_row (7, bad[i]);
        assert_int_equal (sc_subnet_read (&subnet, &row, &why),
                          SH_E_BAD_MESSAGE);
        assert_non_null (strstr (why.text, "subnet 7"));
    }
    row = s_row (7, NULL);
    assert_int_equal (sc_subnet_read (&subnet, &row, &why), SH_E_BAD_MESSAGE);
}

/*  What is to be left out: all of it can be read, or nothing is scanned.  */
static void
test_skip (void **state)
{
    (void) state;
    sp_range_t ranges[] = {
        { { (const uint8_t *) "\x0a\0\0\x05", 4 },
          { (const uint8_t *) "\x0a\0\0\x09", 4 } },
        { { (const uint8_t *) "\x0a\0\0\x20", 4 },
          { (const uint8_t *) "\x0a\0\0\x20", 4 } },
    };
    sp_subnet_t row = s_row (7, "10.0.0.0/24");
    row.skip = ranges;
    row.skip_count = 2;
    sc_subnet_t subnet, copy;
    sh_why_t why;
    assert_int_equal (sc_subnet_read (&subnet, &row, &why), SH_OK);
    assert_int_equal (sh_ranges_count (&subnet.skip), 6);
    assert_int_equal (sc_subnet_copy (&copy, &subnet), SH_OK);
    assert_true (sc_subnet_same (&copy, &subnet));
    sh_ranges_clear (&copy.skip);
    assert_false (sc_subnet_same (&copy, &subnet));
    sc_subnet_clear (&copy);
    sc_subnet_clear (&subnet);
    sp_range_t first = ranges[0];
    ranges[0] = ranges[1];
    ranges[1] = first;
    assert_int_equal (sc_subnet_read (&subnet, &row, &why), SH_E_BAD_MESSAGE);
    assert_non_null (strstr (why.text, "left out"));
    ranges[1].last = (sh_bytes_t){ (const uint8_t *) "0123456789abcdef", 16 };
    assert_int_equal (sc_subnet_read (&subnet, &row, &why), SH_E_BAD_MESSAGE);
}

static void
test_adopt (void **state)
{
    (void) state;
    sc_plan_t plan = { 0 }, fresh = { 0 };
    sc_moment_t at = s_at (1000);
    sc_due_t due;
    assert_false (sc_plan_next (&plan, &at, &due));
    assert_int_equal (sc_plan_timeout (&plan, &at), -1);
    s_add (&fresh, 1, "10.0.1.0/24");
    s_add (&fresh, 2, "10.0.2.0/24");
    s_add (&fresh, 5, "10.0.5.0/24");
    sc_subnet_t again = fresh.items[2];
    assert_int_equal (sc_plan_add (&fresh, &again), SH_E_BAD_MESSAGE);
    sc_plan_adopt (&plan, &fresh, 1000);
    assert_int_equal (fresh.count, 0);
    assert_ptr_equal (sc_plan_find (&plan, 5), &plan.items[2]);
    assert_null (sc_plan_find (&plan, 3));
    /* one after the other, so that they do not all come at once */
    static const uint64_t order[] = { 1, 2, 5 };
    for (int64_t i = 0; i < 3; i++) {
        at = s_at (1000 + 1000 * i);
        assert_true (sc_plan_next (&plan, &at, &due));
        assert_int_equal (due.subnet->id, order[i]);
        assert_int_equal (due.kind, SP_KIND_CHECK);
        sc_plan_done (&plan, due.subnet, due.kind, at.now, at.now);
        assert_false (sc_plan_next (&plan, &at, &due));
    }
    int64_t kept = plan.items[0].check_due;
    plan.items[0].known.valid = true;
    plan.items[0].busy = true;
    /* 1 stays, 2 has another network, 3 is new, 5 is gone */
    s_add (&fresh, 1, "10.0.1.0/24");
    s_add (&fresh, 2, "10.0.2.0/25");
    s_add (&fresh, 3, "10.0.3.0/24");
    sc_plan_adopt (&plan, &fresh, 4000);
    assert_int_equal (plan.count, 3);
    assert_int_equal (plan.items[0].check_due, kept);
    assert_true (plan.items[0].known.valid && plan.items[0].busy);
    assert_int_equal (plan.items[1].check_due, 4000);
    assert_int_equal (plan.items[2].check_due, 5000);
    /* a pause changes no time, and a scan under way stays known when its subnet
       changes: its end is the scanner's to tell */
    plan.items[1].busy = true;
    s_add (&fresh, 1, "10.0.1.0/24");
    s_add (&fresh, 2, "10.0.2.0/26");
    fresh.items[0].paused = true;
    sc_plan_adopt (&plan, &fresh, 4500);
    assert_int_equal (plan.items[0].check_due, kept);
    assert_true (plan.items[0].busy && plan.items[0].paused);
    assert_true (plan.items[1].busy);
    assert_int_equal (plan.items[1].check_due, 4500);
    /* of an interval that got shorter, no more than one is waited */
    sp_subnet_t row = s_row (1, "10.0.1.0/24");
    row.check_s = 10;
    s_add_row (&fresh, &row);
    sc_plan_adopt (&plan, &fresh, 5000);
    assert_in_range (plan.items[0].check_due, 5000, 15000);
    assert_true (plan.items[0].busy);
    sc_plan_clear (&plan);
}

static void
test_kinds (void **state)
{
    (void) state;
    static const struct
    {
        bool discover, check;
        int wanted, kind; /* -1: nothing of it */
    } table[] = {
        { true, true, SP_KIND_BOTH, SP_KIND_BOTH },
        { true, true, SP_KIND_CHECK, SP_KIND_CHECK },
        { true, true, SP_KIND_DISCOVER, SP_KIND_BOTH },
        { true, false, SP_KIND_BOTH, SP_KIND_DISCOVER },
        { true, false, SP_KIND_CHECK, -1 },
        { false, true, SP_KIND_BOTH, SP_KIND_CHECK },
        { false, true, SP_KIND_DISCOVER, -1 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sc_subnet_t subnet = { .discover = table[i].discover,
                               .check = table[i].check };
        int kind = -1;
        bool any = sc_subnet_kind (&subnet, table[i].wanted, &kind);
        assert_int_equal (any, table[i].kind >= 0);
        assert_int_equal (kind, table[i].kind);
    }
}

static void
test_waits (void **state)
{
    (void) state;
    sc_plan_t plan = { 0 }, fresh = { 0 };
    sp_hours_t night[] = { { .from = 1320, .to = 360 } };
    sp_subnet_t row = s_row (1, "10.0.1.0/24");
    row.quiet = night;
    row.quiet_count = 1;
    s_add_row (&fresh, &row);
    sc_plan_adopt (&plan, &fresh, 23 * HOUR);
    sc_due_t due;
    sc_moment_t at = s_at (23 * HOUR);
    assert_false (sc_plan_next (&plan, &at, &due)); /* quiet */
    assert_in_range (sc_plan_timeout (&plan, &at), 1, 1000);
    at = s_at (30 * HOUR - MINUTE);
    assert_false (sc_plan_next (&plan, &at, &due));
    at = s_at (30 * HOUR);
    assert_true (sc_plan_next (&plan, &at, &due));
    at.hub = false; /* and its addresses are not known */
    assert_false (sc_plan_next (&plan, &at, &due));
    plan.items[0].known.valid = true;
    assert_true (sc_plan_next (&plan, &at, &due));
    plan.items[0].busy = true;
    assert_false (sc_plan_next (&plan, &at, &due));
    assert_int_equal (sc_plan_timeout (&plan, &at), -1);
    plan.items[0].busy = false;
    plan.items[0].paused = true;
    assert_false (sc_plan_next (&plan, &at, &due));
    plan.items[0].paused = false;
    sc_plan_again (&plan.items[0], SP_KIND_CHECK, at.now, 5000);
    assert_false (sc_plan_next (&plan, &at, &due));
    assert_int_equal (sc_plan_timeout (&plan, &at), 5000);
    sc_plan_clear (&plan);

    static const struct
    {
        uint64_t from, to;
        int minute;
        bool quiet;
    } table[] = {
        { 60, 120, 59, false },     { 60, 120, 60, true },
        { 60, 120, 119, true },     { 60, 120, 120, false },
        { 1320, 360, 1319, false }, { 1320, 360, 1320, true },
        { 1320, 360, 0, true },     { 1320, 360, 360, false },
        { 600, 600, 0, true },      { 600, 600, 1439, true },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sc_subnet_t subnet = { .quiet_count = 1 };
        subnet.quiet[0]
            = (sp_hours_t){ .from = table[i].from, .to = table[i].to };
        assert_int_equal (sc_subnet_is_quiet (&subnet, table[i].minute),
                          table[i].quiet);
    }
}

/*  A whole day of a site with 300 subnets that are scanned in three seconds,
    eight at a time, and one that takes longer than its interval.  */

#define SUBNETS 300
#define AT_ONCE 8
#define SLOW 300 /* its id */

typedef struct
{
    sc_plan_t plan;
    struct
    {
        uint64_t id; /* 0: free */
        int kind;
        int64_t begin, end;
    } scans[AT_ONCE];
    size_t checks[SUBNETS + 1], sweeps[SUBNETS + 1];
    int64_t last[SUBNETS + 1]; /* begin of the last scan that checked */
    int64_t longest; /* from one to the next, after the first hour */
    size_t minutes[1440];      /* scans that began */
} day_t;

static void
s_day_end (day_t *self, int64_t now)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        if (!self->scans[i].id || self->scans[i].end > now)
            continue;
        sc_subnet_t *subnet = sc_plan_find (&self->plan, self->scans[i].id);
        subnet->busy = false;
        sc_plan_done (&self->plan, subnet, self->scans[i].kind,
                      self->scans[i].begin, now);
        self->scans[i].id = 0;
    }
}

static void
s_day_count (day_t *self, const sc_due_t *due, int64_t now, int64_t begun)
{
    uint64_t id = due->subnet->id;
    self->minutes[(now - begun) / MINUTE]++;
    self->sweeps[id] += due->kind != SP_KIND_CHECK;
    self->checks[id]++;
    int64_t gap = now - self->last[id];
    if (self->last[id] && id != SLOW && now - begun > HOUR
        && gap > self->longest)
        self->longest = gap;
    self->last[id] = now;
}

static void
s_day_begin (day_t *self, int64_t now, int64_t begun)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        sc_due_t due;
        sc_moment_t at = s_at (now);
        if (self->scans[i].id || !sc_plan_next (&self->plan, &at, &due))
            continue;
        assert_false (due.subnet->busy); /* never twice at a time */
        due.subnet->busy = true;
        self->scans[i].id = due.subnet->id;
        self->scans[i].kind = due.kind;
        self->scans[i].begin = now;
        self->scans[i].end = now + (due.subnet->id == SLOW ? 2 * HOUR : 3000);
        s_day_count (self, &due, now, begun);
    }
}

static void
test_day (void **state)
{
    (void) state;
    day_t *day = calloc (1, sizeof *day);
    sc_plan_t fresh = { 0 };
    int64_t begun = 5 * DAY;
    assert_non_null (day);
    for (uint64_t id = 1; id <= SUBNETS; id++) {
        sp_subnet_t row = s_row (id, "10.0.1.0/24");
        row.discover = true;
        row.check_s = 300;
        row.discover_s = 3600;
        s_add_row (&fresh, &row);
    }
    sc_plan_adopt (&day->plan, &fresh, begun);
    size_t steps = 0;
    for (int64_t now = begun; now < begun + DAY;) {
        s_day_end (day, now);
        s_day_begin (day, now, begun);
        sc_moment_t at = s_at (now);
        int wait = sc_plan_timeout (&day->plan, &at);
        now += wait < 0 || wait > 500 ? 500 : wait < 10 ? 10 : wait;
        assert_true (++steps < 1000000);
    }
    for (size_t id = 1; id <= SUBNETS; id++) {
        if (id == SLOW)
            continue;
        assert_in_range (day->checks[id], 285, 320); /* of 288, and sweeps */
        assert_in_range (day->sweeps[id], 24, 25);
    }
    assert_in_range (day->checks[SLOW], 11, 13);
    /* each at its place in the interval, as far as another did not hold it
       up; a sweep is a check as well, so half an interval can go by */
    assert_in_range (day->longest, 5 * MINUTE, 8 * MINUTE);
    size_t most = 0, least = SIZE_MAX;
    for (size_t minute = 60; minute < 1430; minute++) {
        most = day->minutes[minute] > most ? day->minutes[minute] : most;
        least = day->minutes[minute] < least ? day->minutes[minute] : least;
    }
    print_message ("scans begun in a minute: %zu to %zu\n", least, most);
    assert_true (most <= 110 && least >= 30); /* 64 on average */
    sc_plan_clear (&day->plan);
    free (day);
}

static void
test_interval (void **state)
{
    (void) state;
    sc_plan_t plan = { 0 }, fresh = { 0 };
    sp_subnet_t row = s_row (1, "10.0.1.0/24");
    row.discover = true;
    plan.interval = 2;
    s_add_row (&fresh, &row);
    sc_plan_adopt (&plan, &fresh, 1000);
    sc_moment_t at = s_at (1000);
    sc_due_t due;
    for (int i = 0; i < 5; i++) {
        assert_true (sc_plan_next (&plan, &at, &due));
        assert_int_equal (due.kind, SP_KIND_BOTH);
        sc_plan_done (&plan, due.subnet, due.kind, at.now, at.now);
        assert_in_range (due.subnet->discover_due, at.now + 1000,
                         at.now + 3000);
        at = s_at (due.subnet->discover_due);
    }
    sc_plan_set_interval (&plan, 1, at.now);
    assert_true (plan.items[0].check_due <= at.now + 1000);
    sc_plan_clear (&plan);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_rows),     cmocka_unit_test (test_skip),
        cmocka_unit_test (test_adopt),    cmocka_unit_test (test_kinds),
        cmocka_unit_test (test_waits),    cmocka_unit_test (test_interval),
        cmocka_unit_test (test_day),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
