/* SPDX-License-Identifier: MPL-2.0 */
/*  What is remembered of scanners and subnets, and how it is judged.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/health.h"

#define S INT64_C (1000)
#define MINUTE (60 * S)
#define HOUR (60 * MINUTE)
#define NOON INT64_C (1790000000000)

static hub_principal_t
s_key (const char *name)
{
    hub_principal_t who = { .door = HUB_DOOR_CURVE };
    snprintf (who.key, sizeof who.key, "key-of-%s", name);
    snprintf (who.name, sizeof who.name, "%s", name);
    return who;
}

static hub_scanner_state_t
s_find (hub_roster_t *roster, const char *name)
{
    hub_principal_t who = s_key (name);
    hub_scanner_state_t state = { .heard = -2 };
    hub_roster_find (roster, who.key, &state);
    return state;
}

static void
test_a_scanner_comes_and_goes (void **state)
{
    (void) state;
    hub_roster_t *roster;
    assert_int_equal (hub_roster_new (&roster, 8), SH_OK);
    hub_principal_t who = s_key ("a");
    const sp_hello_t hello = { .version = "scanhub-scanner 1",
                               .now = NOON - 1500 };
    hub_roster_connect (roster, &who, "192.0.2.1 99", &hello, NOON, 5000);
    hub_scanner_state_t a = s_find (roster, "a");
    assert_true (a.connected && !a.told && a.skew == 1500 && a.heard == 5000);
    assert_string_equal (a.peer, "192.0.2.1 99");
    const sp_beat_t beat = { .now = NOON + 30 * S, .spool = 3, .running = 1 };
    hub_roster_beat (roster, who.key, &beat, NOON + 30 * S + 20);
    hub_roster_report (roster, &who, NULL, 7, SP_REFUSED, SH_E_SUBNET_FOLDER,
                       NOON + S, 6000);
    hub_roster_begin (roster);
    hub_roster_present (roster, who.key, 7000);
    hub_roster_end (roster, NOON + 2 * S);
    a = s_find (roster, "a");
    assert_true (a.connected && a.told && a.spool == 3 && a.skew == 20);
    assert_true (a.heard == 7000 && a.results[SP_REFUSED] == 1);
    assert_int_equal (a.cause, SH_E_SUBNET_FOLDER);
    hub_roster_begin (roster);
    hub_roster_end (roster, NOON + 3 * S);
    a = s_find (roster, "a");
    assert_true (!a.connected && a.since == NOON + 3 * S && a.heard == 7000);
    hub_roster_destroy (&roster);
}

/*  Who is connected is never forgotten, of the others the one that was heard
    longest ago.  */
static void
test_the_roster_is_bounded (void **state)
{
    (void) state;
    hub_roster_t *roster;
    const sp_hello_t hello = { .now = NOON };
    assert_int_equal (hub_roster_new (&roster, 3), SH_OK);
    const char *names[] = { "old", "new", "here" };
    for (int i = 0; i < 3; i++) {
        hub_principal_t who = s_key (names[i]);
        hub_roster_connect (roster, &who, "", &hello, NOON, 100 + i);
    }
    hub_roster_begin (roster);
    hub_roster_present (roster, "key-of-here", 1);
    hub_roster_end (roster, NOON);
    hub_principal_t more = s_key ("more");
    hub_roster_connect (roster, &more, "", &hello, NOON, 200);
    assert_int_equal (s_find (roster, "old").heard, -2);
    assert_int_equal (s_find (roster, "new").heard, 101);
    assert_int_equal (s_find (roster, "here").heard, 1);
    hub_principal_t last = s_key ("last");
    hub_roster_connect (roster, &last, "", &hello, NOON, 300);
    hub_principal_t none = s_key ("none");
    hub_roster_connect (roster, &none, "", &hello, NOON, 400);
    assert_int_equal (s_find (roster, "none").heard, -2);
    hub_scanner_state_t *list;
    assert_int_equal (hub_roster_list (roster, &list), 3);
    free (list);
    hub_roster_destroy (&roster);
}

static void
test_scanners_are_judged (void **state)
{
    (void) state;
    const hub_health_times_t times = { .started = NOON - HOUR, .now = NOON,
                                       .mono = 10 * HOUR };
    const int64_t mono = times.mono;
    static const hub_clones_t twice
        = { "192.0.2.1", "192.0.2.2", .times = 1, .seen = 10 * HOUR - S };
    const struct
    {
        hub_scanner_state_t it;
        const char *state;
        sh_grade_t grade;
    } cases[] = {
        { { .connected = true, .heard = mono }, "connected", 0 },
        { { .heard = mono - 14 * MINUTE }, "away", 0 },
        { { .heard = mono - 15 * MINUTE }, "missing", SH_FINDING_ERROR },
        { { .heard = -1 }, "missing", SH_FINDING_ERROR },
        { { .door = HUB_DOOR_HTTP, .heard = 1 }, "http", 0 },
        { { .connected = true, .heard = mono, .skew = -61 * S }, "skewed",
          SH_FINDING_WARNING },
        { { .connected = true, .heard = mono, .told = true, .spool = 2 },
          "backlog", SH_FINDING_WARNING },
        { { .connected = true, .heard = mono, .clones = twice }, "clone",
          SH_FINDING_ERROR },
        { { .connected = true, .heard = mono, .reported = NOON - S,
            .refused = NOON - S, .cause = SH_E_CODE_DENIED },
          "refused", SH_FINDING_ERROR },
        { { .connected = true, .heard = mono, .reported = NOON - S,
            .refused = NOON - S, .cause = SH_E_DB_BUSY },
          "refused", SH_FINDING_WARNING },
        /*  One was applied since, or it is long ago.  */
        { { .connected = true, .heard = mono, .reported = NOON,
            .refused = NOON - S, .cause = SH_E_CODE_DENIED },
          "connected", 0 },
        { { .connected = true, .heard = mono, .reported = NOON - HOUR,
            .refused = NOON - HOUR, .cause = SH_E_CODE_DENIED },
          "connected", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hub_health_t health;
        hub_health_scanner (&health, &cases[i].it, &times);
        if (strcmp (health.state, cases[i].state) != 0
            || health.grade != cases[i].grade)
            fail_msg ("case %zu: %s, %d", i, health.state, health.grade);
        assert_int_equal (*health.text != '\0',
                          health.grade != SH_FINDING_GOOD);
    }
    hub_health_t health;
    const hub_scanner_state_t never = { .heard = -1 };
    const hub_health_times_t young = { .started = NOON - MINUTE, .now = NOON,
                                       .mono = MINUTE };
    hub_health_scanner (&health, &never, &young);
    assert_string_equal (health.state, "never");
    assert_int_equal (health.grade, SH_FINDING_GOOD);
}

static void
test_the_coverage_of_subnets (void **state)
{
    (void) state;
    hub_coverage_t *coverage;
    hub_subnet_state_t found;
    assert_int_equal (hub_coverage_new (&coverage, 3), SH_OK);
    hub_principal_t who = s_key ("a");
    sp_report_t report = { .kind = SP_KIND_CHECK, .started = NOON - MINUTE,
                           .off = 10 };
    hub_coverage_report (coverage, &who, &report, 0, SP_APPLIED, SH_OK, NOON);
    assert_false (hub_coverage_find (coverage, 0, &found));
    hub_coverage_report (coverage, &who, &report, 9, SP_APPLIED, SH_OK, NOON);
    assert_true (hub_coverage_find (coverage, 9, &found));
    assert_true (found.checked == 0 && found.reported == NOON);
    report.last = true;
    hub_coverage_report (coverage, &who, &report, 9, SP_RETRY, SH_E_DB_DOWN,
                         NOON);
    assert_true (hub_coverage_find (coverage, 9, &found));
    assert_true (found.checked == 0 && found.cause == SH_E_DB_DOWN);
    hub_coverage_report (coverage, &who, &report, 9, SP_APPLIED, SH_OK, NOON);
    assert_true (hub_coverage_find (coverage, 9, &found));
    assert_true (found.checked == NOON - MINUTE + 10 && found.discovered == 0);
    /*  The one with the oldest verdict goes, wherever it stands.  */
    hub_coverage_report (coverage, &who, &report, 5, SP_APPLIED, SH_OK,
                         NOON - S);
    hub_coverage_report (coverage, &who, &report, 7, SP_APPLIED, SH_OK, NOON);
    hub_coverage_report (coverage, &who, &report, 8, SP_APPLIED, SH_OK, NOON);
    assert_false (hub_coverage_find (coverage, 5, &found));
    for (uint64_t subnet = 7; subnet <= 9; subnet++)
        assert_true (hub_coverage_find (coverage, subnet, &found)
                     && found.subnet == subnet);
    hub_coverage_destroy (&coverage);
}

static void
test_subnets_are_judged (void **state)
{
    (void) state;
    const hub_health_times_t times = { .started = NOON - HOUR, .now = NOON };
    const hub_scan_rule_t rule = { .check = 300, .discover = 3600 };
    const hub_scan_rule_t quiet
        = { .check = 300, .discover = 3600, .quiet_count = 1 };
    const hub_assignment_t both
        = { .rule = &rule, .check = true, .discover = true };
    const hub_assignment_t paused
        = { .rule = &rule, .check = true, .paused = true };
    const hub_assignment_t calm = { .rule = &quiet, .check = true };
    const hub_assignment_t rare = { .rule = &rule, .discover = true };
    const hub_subnet_state_t fresh
        = { .reported = NOON, .checked = NOON - MINUTE,
            .discovered = NOON - MINUTE };
    const hub_subnet_state_t stale
        = { .reported = NOON, .checked = NOON - 16 * MINUTE,
            .discovered = NOON - MINUTE };
    const hub_subnet_state_t denied
        = { .reported = NOON, .result = SP_REFUSED,
            .cause = SH_E_CIDR_MISMATCH };
    const struct
    {
        const hub_assignment_t *one;
        sh_err_t unsent;
        const hub_subnet_state_t *known;
        const char *state;
    } cases[] = {
        { &both, SH_OK, &fresh, "scanned" },
        { &both, SH_OK, &stale, "late" },
        { &paused, SH_OK, &stale, "paused" },
        { &calm, SH_OK, &stale, "scanned" },
        { &both, SH_E_SUBNET_MASK, &stale, "unsent" },
        { &both, SH_OK, &denied, "refused" },
        { &both, SH_OK, NULL, "late" },    /* for an hour */
        { &rare, SH_OK, NULL, "waiting" }, /* has time */
        { &rare, SH_OK, &stale, "scanned" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hub_health_t health;
        hub_health_subnet (&health, cases[i].one, cases[i].unsent,
                           cases[i].known, &times);
        if (strcmp (health.state, cases[i].state) != 0)
            fail_msg ("case %zu: %s", i, health.state);
    }
    assert_int_equal (hub_health_due (&both, &fresh),
                      NOON - MINUTE + 300 * S);
    assert_int_equal (hub_health_due (&rare, &fresh),
                      NOON - MINUTE + 3600 * S);
    assert_int_equal (hub_health_due (&both, NULL), 0);
}

static void
test_silent_agents (void **state)
{
    (void) state;
    hub_silence_t *silence;
    assert_int_equal (hub_silence_new (&silence), SH_OK);
    hub_known_agent_t agents[] = {
        { 1, (char[]){ "localhost" }, (char[]){ "" }, false, "" },
        { 2, (char[]){ "a" }, (char[]){ "c" }, true, "2026-06-01 12:00:00" },
        { 3, (char[]){ "b" }, (char[]){ "d" }, true, "" },
        { 4, (char[]){ "e" }, (char[]){ "f" }, true, "nonsense" },
    };
    const hub_plan_t plan = { .agents = agents, .agent_count = 4 };
    hub_last_access_t *list;
    assert_int_equal (hub_silence_list (silence, &list), 0);
    hub_silence_note (silence, &plan, SH_ZONE_UTC);
    assert_int_equal (hub_silence_list (silence, &list), 3);
    const int64_t noon = 1780315200;
    assert_true (list[0].agent == 2 && list[0].last_access == noon);
    assert_true (list[1].last_access == 0 && list[2].last_access == 0);
    assert_false (hub_health_is_silent (&list[0], noon + 86399));
    assert_true (hub_health_is_silent (&list[0], noon + 86400));
    assert_true (hub_health_is_silent (&list[1], noon));
    assert_int_equal (hub_health_deleted_by (&list[0]), noon + 7 * 86400);
    assert_int_equal (hub_health_deleted_by (&list[1]), 0);
    free (list);
    hub_silence_destroy (&silence);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_a_scanner_comes_and_goes),
        cmocka_unit_test (test_the_roster_is_bounded),
        cmocka_unit_test (test_scanners_are_judged),
        cmocka_unit_test (test_the_coverage_of_subnets),
        cmocka_unit_test (test_subnets_are_judged),
        cmocka_unit_test (test_silent_agents),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
