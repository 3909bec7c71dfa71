/* SPDX-License-Identifier: MPL-2.0 */
/*  The built-in prober's time: its pace, the order of a sweep, its passes; by a
    clock that only these tests move.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scanner/meter.h"
#include "scanner/shuffle.h"
#include "scanner/pace.h"
#include "scanner/sweep.h"
#include "tests/unit/sets.h"

#define MS INT64_C (1000000)
#define SECOND (1000 * MS)

/* pace */

/*  Whoever sends as soon as it may keeps the rate, to a probe.  */
static void
test_pace_is_kept (void **state)
{
    (void) state;
    static const uint32_t rates[] = { 1, 7, 100, 1000, 5000, 33333 };
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        sc_pace_t pace = { 0 };
        sc_slot_t slot = { 0 };
        sc_pace_set (&pace, rates[i], 5 * SECOND);
        int64_t now = 5 * SECOND, end = now + 4 * SECOND;
        uint32_t sent = 0;
        for (;;) {
            int64_t due = sc_pace_due (&pace, &slot, now);
            now = due > now ? due : now;
            if (now >= end)
                break;
            assert_true (sc_pace_take (&pace, &slot, now));
            sent++;
        }
        uint32_t all = 4 * rates[i];
        assert_in_range (sent, all - all / 10000 - 1, all);
    }
}

/*  After a stop at most 10 ms are caught up on, and never more than one probe
    at a pace slower than that.  */
static void
test_pace_after_a_stop (void **state)
{
    (void) state;
    static const struct
    {
        uint32_t rate, least, most;
    } table[]
        = { { 1, 0, 1 }, { 50, 0, 1 }, { 1000, 9, 11 }, { 10000, 99, 101 } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sc_pace_t pace = { 0 };
        sc_slot_t slots[8] = { { 0 } };
        sc_pace_set (&pace, table[i].rate, SECOND);
        for (size_t k = 0; k < 8; k++) /* all hold a time, and sleep */
            (void) sc_pace_due (&pace, &slots[k], SECOND);
        uint32_t sent = 0;
        for (size_t round = 0; round < 1000; round++)
            for (size_t k = 0; k < 8; k++)
                sent += sc_pace_take (&pace, &slots[k], 60 * SECOND);
        assert_in_range (sent, table[i].least, table[i].most);
    }
}

/*  Who share a pace have as much of it each, whoever is asked first.  */
static void
test_pace_is_shared (void **state)
{
    (void) state;
    sc_pace_t pace = { .chance = 7 };
    sc_slot_t slots[3] = { { 0 } };
    uint32_t sent[3] = { 0 };
    sc_pace_set (&pace, 300, SECOND);
    for (int64_t now = SECOND; now < 11 * SECOND; now += MS / 5)
        for (size_t k = 0; k < 3; k++)
            sent[k] += sc_pace_take (&pace, &slots[k], now);
    for (size_t k = 0; k < 3; k++)
        assert_in_range (sent[k], 990, 1010);
}

/*  A new rate counts at once, whatever time was given out before.  */
static void
test_pace_changes_at_once (void **state)
{
    (void) state;
    sc_pace_t pace = { 0 };
    sc_slot_t slot = { 0 };
    sc_pace_set (&pace, 1, SECOND);
    int64_t now = sc_pace_due (&pace, &slot, SECOND);
    assert_true (sc_pace_take (&pace, &slot, now));
    assert_true (sc_pace_due (&pace, &slot, now) >= 2 * SECOND);
    sc_pace_set (&pace, 1000, now);
    assert_true (sc_pace_due (&pace, &slot, now) <= now + MS);
    sc_pace_set (&pace, 0, 0);
    assert_int_equal (pace.rate, 1);
    sc_pace_set (&pace, UINT32_MAX, 0);
    assert_int_equal (pace.rate, SC_PACE_MOST);
}

static void
test_meter (void **state)
{
    (void) state;
    sc_meter_t meter = { 0 };
    for (int64_t now = 0; now < 5 * SECOND; now += 10 * MS)
        sc_meter_count (&meter, now);
    assert_in_range (sc_meter_read (&meter, 5 * SECOND - MS), 99, 101);
    assert_int_equal (sc_meter_read (&meter, 7 * SECOND), 0);
}

/* order */

static void
test_order (void **state)
{
    (void) state;
    static const struct
    {
        const char *ranges;
        uint32_t count;
    } table[] = { { "10.0.0.1", 1 },
                  { "10.0.0.1-10.0.0.2", 2 },
                  { "10.0.0.1 10.0.0.3-10.0.0.9 10.0.1.0-10.0.1.5", 14 },
                  { "10.0.0.0-10.0.255.255", 65536 },
                  { "2001:db8::fffe-2001:db8::1:0001 2001:db8::2:0", 5 },
                  { "::ffff:ffff-::1:0:0", 2 } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sh_ranges_t ranges;
        sc_shuffle_t order = { 0 };
        set_read (&ranges, table[i].ranges);
        assert_int_equal (sc_shuffle_make (&order, &ranges, 4000000000u), SH_OK);
        assert_int_equal (order.count, table[i].count);
        uint8_t *seen = calloc (order.count, 1);
        for (uint32_t place = 0; place < order.count; place++) {
            uint32_t index = sc_shuffle_index (&order, place), again;
            assert_true (index < order.count && !seen[index]++);
            assert_int_equal (sc_shuffle_place (&order, index), place);
            sh_addr_t addr = sc_shuffle_addr (&order, index);
            assert_true (sh_ranges_contain (&ranges, &addr));
            assert_true (sc_shuffle_find (&order, &addr, &again));
            assert_int_equal (again, index);
        }
        free (seen);
        sc_shuffle_clear (&order);
        sh_ranges_clear (&ranges);
    }
}

/*  Many ranges: every other address of a /16.  And who is in none has no
    index.  */
static void
test_order_of_many_ranges (void **state)
{
    (void) state;
    sh_ranges_t ranges = { 0 };
    sh_addr_t addr = set_ip ("10.0.0.0");
    for (unsigned i = 0; i < 32768; i++) {
        assert_int_equal (sh_ranges_add (&ranges, &addr, &addr), SH_OK);
        sc_addr_skip (&addr, 2);
    }
    sc_shuffle_t order = { 0 };
    assert_int_equal (sc_shuffle_make (&order, &ranges, 1), SH_OK);
    assert_int_equal (order.count, 32768);
    addr = set_ip ("10.0.0.0");
    for (uint32_t i = 0; i < 32768; i++) {
        uint32_t index;
        assert_true (sc_shuffle_find (&order, &addr, &index));
        assert_int_equal (index, i);
        sh_addr_t back = sc_shuffle_addr (&order, i);
        assert_int_equal (sh_addr_cmp (&back, &addr), 0);
        sc_addr_skip (&addr, 1);
        assert_false (sc_shuffle_find (&order, &addr, &index));
        sc_addr_skip (&addr, 1);
    }
    uint32_t index;
    sh_addr_t below = set_ip ("9.255.255.255"), six = set_ip ("a00::");
    assert_false (sc_shuffle_find (&order, &below, &index));
    assert_false (sc_shuffle_find (&order, &six, &index));
    sc_shuffle_clear (&order);
    sh_ranges_clear (&ranges);
}

/*  Ten probes in a row go to ten different sixteenths or so of the network, not
    to neighbours.  */
static void
test_order_is_spread (void **state)
{
    (void) state;
    sh_ranges_t ranges;
    sc_shuffle_t order = { 0 };
    set_read (&ranges, "10.0.0.0-10.0.255.255");
    assert_int_equal (sc_shuffle_make (&order, &ranges, 99), SH_OK);
    for (uint32_t place = 10; place < order.count; place += 97) {
        uint32_t at = sc_shuffle_index (&order, place);
        for (uint32_t back = 1; back <= 10; back++) {
            uint32_t other = sc_shuffle_index (&order, place - back);
            uint32_t apart = at > other ? at - other : other - at;
            if (apart > 32768)
                apart = 65536 - apart;
            assert_true (apart > 256 * 8);
        }
    }
    sc_shuffle_clear (&order);
    sh_ranges_clear (&ranges);
}

/* sweep */

/*  Who answers which probe of his (from 1; 0: never), and after how long.  */
typedef struct
{
    const char *ip;
    uint32_t to;
    int64_t after;
} host_t;

/*  What came of a sweep that was played.  */
typedef struct
{
    uint32_t asked[65536]; /* by index */
    int64_t last[65536];
    uint32_t probes;
    int64_t least_gap; /* between two probes of one address */
    int64_t took, last_probe;
    uint64_t up;
} play_t;

typedef struct
{
    int64_t at; /* 0: none */
    int64_t asked_at;
} due_t;

/*  Let time go by from one thing that is due to the next.  */
static void
s_play (play_t *out, const sc_sweep_options_t *options, uint32_t rate,
        const host_t *hosts, bool marked)
{
    sc_sweep_t *sweep = NULL;
    sc_shuffle_t order = { 0 };
    memset (out, 0, sizeof *out);
    out->least_gap = INT64_MAX;
    assert_int_equal (sc_sweep_new (&sweep, options), SH_OK);
    assert_int_equal (sc_shuffle_make (&order, options->ranges, 0), SH_OK);
    due_t due[16] = { { 0 } };
    int64_t began = 1000 * SECOND, now = began, next = began;
    for (;;) {
        for (size_t i = 0; hosts[i].ip; i++) {
            sh_addr_t ip = set_ip (hosts[i].ip);
            if (due[i].at && due[i].at <= now) {
                assert_true (sc_sweep_expects (sweep, &ip));
                assert_true (sc_sweep_answer (
                    sweep, &ip, marked ? due[i].asked_at : -1, now));
                assert_false (sc_sweep_answer (sweep, &ip, -1, now));
                due[i].at = 0;
            }
        }
        sh_addr_t addr;
        int64_t until;
        sc_turn_t turn = sc_sweep_turn (sweep, now, &addr, &until);
        if (turn == SC_TURN_OVER)
            break;
        if (turn == SC_TURN_ASK && next > now) {
            until = next;
        } else if (turn == SC_TURN_ASK) {
            uint32_t index;
            assert_true (sc_shuffle_find (&order, &addr, &index));
            if (out->asked[index]++
                && now - out->last[index] < out->least_gap)
                out->least_gap = now - out->last[index];
            out->last[index] = now;
            out->last_probe = now - began;
            out->probes++;
            for (size_t i = 0; hosts[i].ip; i++) {
                sh_addr_t ip = set_ip (hosts[i].ip);
                if (sh_addr_cmp (&ip, &addr) == 0
                    && out->asked[index] == hosts[i].to)
                    due[i] = (due_t){ now + hosts[i].after, now };
            }
            sc_sweep_asked (sweep, now);
            next = now + SECOND / rate;
            continue;
        }
        assert_true (until > now);
        for (size_t i = 0; hosts[i].ip; i++)
            if (due[i].at && due[i].at < until)
                until = due[i].at;
        now = until;
        assert_true (now < began + 300 * SECOND);
    }
    out->took = now - began;
    out->up = sc_sweep_up (sweep);
    assert_int_equal (sc_sweep_count (sweep), order.count);
    assert_int_equal (sc_sweep_done (sweep), order.count);
    sc_shuffle_clear (&order);
    sc_sweep_destroy (&sweep);
}

static play_t s_out;
static const host_t s_nobody[] = { { 0 } };

static sc_sweep_options_t
s_options (const sh_ranges_t *ranges)
{
    return (sc_sweep_options_t){ .ranges = ranges,
                                 .passes = 2,
                                 .more = 4,
                                 .thorough = true,
                                 .chance = 5 };
}

/*  Every silent address is asked twice, with 400 ms between, and 500 ms are
    waited in the end.  */
static void
test_sweep_of_silence (void **state)
{
    (void) state;
    sh_ranges_t ranges;
    set_read (&ranges, "10.0.0.1-10.0.0.254");
    sc_sweep_options_t options = s_options (&ranges);
    s_play (&s_out, &options, 1000, s_nobody, true);
    assert_int_equal (s_out.probes, 508);
    for (size_t i = 0; i < 254; i++)
        assert_int_equal (s_out.asked[i], 2);
    assert_in_range (s_out.least_gap, 400 * MS, 402 * MS);
    assert_in_range (s_out.took, 1150 * MS, 1160 * MS);
    sh_ranges_clear (&ranges);
    set_read (&ranges, "10.0.0.0-10.0.255.255");
    s_play (&s_out, &options, 5000, s_nobody, true);
    assert_int_equal (s_out.probes, 131072);
    assert_true (s_out.least_gap >= 400 * MS);
    /* neither pass waits for anything; in the end 500 ms */
    assert_in_range (s_out.took, 26714 * MS, 26716 * MS);
    sh_ranges_clear (&ranges);
    set_read (&ranges, "10.0.0.7");
    s_play (&s_out, &options, 1, s_nobody, true);
    assert_int_equal (s_out.probes, 2);
    sh_ranges_clear (&ranges);
}

/*  When all have answered nothing is waited for, and who has answered is not
    asked again.  */
static void
test_sweep_of_answers (void **state)
{
    (void) state;
    sh_ranges_t ranges;
    set_read (&ranges, "10.0.0.1-10.0.0.3");
    sc_sweep_options_t options = s_options (&ranges);
    static const host_t all[] = { { "10.0.0.1", 1, 2 * MS },
                                  { "10.0.0.2", 1, 2 * MS },
                                  { "10.0.0.3", 1, 5 * MS },
                                  { 0 } };
    s_play (&s_out, &options, 1000, all, true);
    assert_int_equal (s_out.probes, 3);
    assert_true (s_out.took < 10 * MS);
    s_play (&s_out, &options, 1000, all + 1, true);
    assert_int_equal (s_out.up, 2);
    assert_int_equal (s_out.probes, 4);
    sh_ranges_clear (&ranges);
}

/*  Known addresses are asked four times; others when the second pass has found
    somebody, and a fourth time when the third has.  */
static void
test_sweep_asks_more (void **state)
{
    (void) state;
    sh_ranges_t ranges, known;
    set_read (&ranges, "10.0.0.1-10.0.0.9");
    set_read (&known, "10.0.0.4 10.0.0.200");
    sc_sweep_options_t options = s_options (&ranges);
    options.known = &known;
    s_play (&s_out, &options, 1000, s_nobody, true);
    assert_int_equal (s_out.probes, 8 * 2 + 4);
    assert_int_equal (s_out.asked[3], 4);
    assert_true (s_out.least_gap >= 400 * MS);
    options.known = NULL;
    static const host_t second[] = { { "10.0.0.2", 2, 3 * MS }, { 0 } };
    static const host_t third[]
        = { { "10.0.0.2", 2, 3 * MS }, { "10.0.0.7", 3, 3 * MS }, { 0 } };
    for (int marked = 0; marked < 2; marked++) {
        s_play (&s_out, &options, 1000, second, marked);
        assert_int_equal (s_out.up, 1);
        assert_int_equal (s_out.probes, 2 + 8 * 3);
        s_play (&s_out, &options, 1000, third, marked);
        assert_int_equal (s_out.up, 2);
        assert_int_equal (s_out.probes, 2 + 3 + 7 * 4);
    }
    options.thorough = false;
    s_play (&s_out, &options, 1000, second, true);
    assert_int_equal (s_out.probes, 2 + 8 * 2);
    sh_ranges_clear (&ranges);
    sh_ranges_clear (&known);
}

/*  A late answer to the first probe is no find of the second pass, where it can
    be told.  */
static void
test_sweep_of_late_answers (void **state)
{
    (void) state;
    sh_ranges_t ranges;
    set_read (&ranges, "10.0.0.1-10.0.0.9");
    sc_sweep_options_t options = s_options (&ranges);
    /* 450 ms: the second probe was on its way at 400 ms */
    static const host_t late[] = { { "10.0.0.2", 1, 450 * MS }, { 0 } };
    s_play (&s_out, &options, 1000, late, true);
    assert_int_equal (s_out.up, 1);
    assert_int_equal (s_out.probes, 18);
    /* a second to the last probe: others are given twice that, and no more */
    static const host_t slow[]
        = { { "10.0.0.2", 1, 800 * MS }, { "10.0.0.3", 2, 1500 * MS }, { 0 } };
    s_play (&s_out, &options, 1000, slow, true);
    assert_int_equal (s_out.up, 2);
    assert_true (s_out.took - s_out.last_probe <= 3000 * MS);
    static const host_t endless[]
        = { { "10.0.0.2", 1, 700 * MS }, { "10.0.0.3", 2, 9000 * MS }, { 0 } };
    s_play (&s_out, &options, 1000, endless, true);
    assert_int_equal (s_out.up, 1);
    assert_true (s_out.took - s_out.last_probe <= 3000 * MS);
    sh_ranges_clear (&ranges);
}

/*  Only the third of "10.0.0.1-3".  */
static bool
s_is_third (void *context, const sh_addr_t *addr)
{
    assert_ptr_equal (context, &s_out);
    return addr->bytes[3] == 3;
}

/*  What did not get there was not asked, until it is asked again.  */
static void
test_sweep_unask (void **state)
{
    (void) state;
    sh_ranges_t ranges, missed = { 0 };
    set_read (&ranges, "10.0.0.1-10.0.0.9");
    sc_sweep_options_t options = s_options (&ranges);
    sc_sweep_t *sweep = NULL;
    assert_int_equal (sc_sweep_new (&sweep, &options), SH_OK);
    int64_t now = SECOND, due;
    sh_addr_t addr, up = set_ip ("10.0.0.5"), lost = set_ip ("10.0.0.6"),
                    outside = set_ip ("10.0.0.10"), again = set_ip ("10.0.0.7");
    bool passed = false;
    sc_turn_t turn;
    while ((turn = sc_sweep_turn (sweep, now, &addr, &due)) != SC_TURN_OVER) {
        if (turn == SC_TURN_ASK)
            sc_sweep_asked (sweep, now);
        else
            now = due;
        if (sc_sweep_pass (sweep) == 1 || passed)
            continue;
        passed = true;
        sc_sweep_unask (sweep, &again);
    }
    sc_sweep_unask (sweep, &lost);
    sc_sweep_unask (sweep, &outside);
    sc_sweep_unask (sweep, &up);
    assert_false (sc_sweep_expects (sweep, &lost));
    assert_true (sc_sweep_answer (sweep, &up, now, now)); /* all the same */
    assert_int_equal (sc_sweep_missed (sweep, &missed, NULL, NULL), SH_OK);
    assert_int_equal (sh_ranges_count (&missed), 1);
    assert_true (sh_ranges_contain (&missed, &lost));
    sh_ranges_clear (&missed);
    sh_ranges_clear (&ranges);
    sc_sweep_destroy (&sweep);
}

/*  Who could not be asked at all was not silent; once is enough.  */
static void
test_sweep_of_errors (void **state)
{
    (void) state;
    sh_ranges_t ranges, missed = { 0 };
    set_read (&ranges, "10.0.0.1-10.0.0.5");
    sc_sweep_options_t options = s_options (&ranges);
    sc_sweep_t *sweep = NULL;
    assert_int_equal (sc_sweep_new (&sweep, &options), SH_OK);
    int64_t now = SECOND, due;
    sh_addr_t addr, up = set_ip ("10.0.0.5"), outside = set_ip ("10.0.0.6");
    assert_false (sc_sweep_expects (sweep, &up));
    assert_true (sc_sweep_answer (sweep, &up, -1, now)); /* our own */
    assert_false (sc_sweep_answer (sweep, &outside, -1, now));
    uint32_t asked = 0;
    for (;;) {
        sc_turn_t turn = sc_sweep_turn (sweep, now, &addr, &due);
        if (turn == SC_TURN_OVER)
            break;
        if (turn == SC_TURN_WAIT) {
            now = due;
            continue;
        }
        asked++;
        bool first = sc_sweep_pass (sweep) == 1;
        assert_int_not_equal (addr.bytes[3], 5);
        if (addr.bytes[3] == 1 || (addr.bytes[3] == 2 && first))
            sc_sweep_failed (sweep);
        else
            sc_sweep_asked (sweep, now);
    }
    assert_int_equal (asked, 8);
    assert_int_equal (sc_sweep_missed (sweep, &missed, NULL, NULL), SH_OK);
    assert_int_equal (missed.count, 1);
    assert_int_equal (missed.items[0].last.bytes[3], 1);
    sh_ranges_clear (&missed);
    assert_int_equal (sc_sweep_missed (sweep, &missed, s_is_third, &s_out),
                      SH_OK);
    assert_int_equal (sh_ranges_count (&missed), 2);
    sh_ranges_clear (&missed);
    sc_sweep_destroy (&sweep);
    sh_ranges_clear (&ranges);
}

static void
test_sweep_of_too_many (void **state)
{
    (void) state;
    sh_ranges_t ranges;
    sc_sweep_t *sweep = NULL;
    set_read (&ranges, "10.0.0.0-10.16.0.0");
    sc_sweep_options_t options = s_options (&ranges);
    assert_int_equal (sc_sweep_new (&sweep, &options), SH_E_TOO_LARGE);
    assert_null (sweep);
    sh_ranges_clear (&ranges);
    set_read (&ranges, "2001:db8::-2001:db8::f:ffff");
    assert_int_equal (sc_sweep_new (&sweep, &options), SH_OK);
    assert_int_equal (sc_sweep_count (sweep), 1 << 20);
    sc_sweep_destroy (&sweep);
    sh_ranges_clear (&ranges);
    /* nobody to ask: over at once */
    int64_t due;
    sh_addr_t addr;
    assert_int_equal (sc_sweep_new (&sweep, &options), SH_OK);
    assert_int_equal (sc_sweep_turn (sweep, SECOND, &addr, &due),
                      SC_TURN_OVER);
    sc_sweep_destroy (&sweep);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_pace_is_kept),
        cmocka_unit_test (test_pace_after_a_stop),
        cmocka_unit_test (test_pace_is_shared),
        cmocka_unit_test (test_pace_changes_at_once),
        cmocka_unit_test (test_meter),
        cmocka_unit_test (test_order),
        cmocka_unit_test (test_order_of_many_ranges),
        cmocka_unit_test (test_order_is_spread),
        cmocka_unit_test (test_sweep_of_silence),
        cmocka_unit_test (test_sweep_of_answers),
        cmocka_unit_test (test_sweep_asks_more),
        cmocka_unit_test (test_sweep_of_late_answers),
        cmocka_unit_test (test_sweep_unask),
        cmocka_unit_test (test_sweep_of_errors),
        cmocka_unit_test (test_sweep_of_too_many),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
