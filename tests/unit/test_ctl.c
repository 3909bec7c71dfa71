/* SPDX-License-Identifier: MPL-2.0 */
/*  What scanhubctl reads and writes: points in time, and the hub's line about
    an ordered scan.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cli/order.h"
#include "cli/when.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define NOW INT64_C (1790000000500) /* 2026-09-21 14:13:20.5 UTC */

static int
s_setup (void **state)
{
    (void) state;
    setenv ("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1); /* 16:13:20 by then */
    tzset ();
    return 0;
}

static void
test_until (void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        int64_t until; /* ms from NOW on */
    } cases[] = {
        { "0s", 0 },
        { "90s", 90000 },
        { "90m", 5400000 },
        { "8h", 28800000 },
        { "2d", 172800000 },
        { "16:14", 39500 },
        { "16:13", 86379500 }, /* over since 20.5 s: tomorrow */
        { "00:00", 27999500 },
        { "2026-09-21 16:15", 99500 },
        { "2026-09-21 16:15:01", 100500 },
        { "2026-09-22", 27999500 },
        /*  Over the end of summer time: the day has an hour more.  */
        { "2026-10-25", INT64_C (1792879200000) - NOW },
        { "2026-10-26", INT64_C (1792969200000) - NOW },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        int64_t until = -1;
        if (ctl_until_parse (&until, cases[i].text, NOW) != SH_OK)
            fail_msg ("'%s' was refused", cases[i].text);
        if (until - NOW != cases[i].until)
            fail_msg ("'%s': %lld", cases[i].text, (long long) (until - NOW));
    }
    static const char *const wrong[] = {
        "", "5", "m", "5 m", "-5m", "5M", "12345678s", "1.5h", "24:00",
        "12:60", "1:00", "2026-13-01", "2026-00-01", "2026-06-00", "2026-06-31",
        "2026-02-29", "2026-9-21",
        "2026-09-21 24:00", "2026-09-21T16:15", "2026-09-21 16:15:60",
        "tomorrow", "2026-09-21 16:15 ", "5min",
    };
    int64_t until = -1;
    for (size_t i = 0; i < COUNT (wrong); i++)
        if (ctl_until_parse (&until, wrong[i], NOW) != SH_E_SYNTAX)
            fail_msg ("'%s' was taken", wrong[i]);
    assert_int_equal (until, -1);
}

static void
test_texts (void **state)
{
    (void) state;
    char text[32];
    ctl_time_text (text, sizeof text, NOW);
    assert_string_equal (text, "2026-09-21 16:13:20");
}

static void
s_expect (const char *line, const char *progress, const char *verdict)
{
    char copy[512], text[256];
    ctl_order_t order;
    snprintf (copy, sizeof copy, "%s", line);
    assert_int_equal (ctl_order_parse (&order, copy), SH_OK);
    assert_string_equal (order.name, "s01234567");
    ctl_order_progress (text, sizeof text, &order);
    assert_string_equal (text, progress);
    assert_int_equal (ctl_order_is_over (&order), verdict != NULL);
    if (!verdict)
        return;
    ctl_order_verdict (text, sizeof text, &order);
    assert_string_equal (text, verdict);
}

static void
test_orders (void **state)
{
    (void) state;
    s_expect ("s01234567 state=sent subnet=7 total=0 text=\n", "sent", NULL);
    s_expect ("s01234567 state=probing subnet=7 done=64 total=254 up=3 "
              "rate=900 later=x away=1 cancel=1 text=\n",
              "probing, to be cancelled, the scanner is not connected,  25 % "
              "of 254, 3 up", NULL);
    s_expect ("s01234567 state=probing subnet=7 done=64 total=254 up=3 "
              "rate=900 silent=5 text=\n",
              "probing,  25 % of 254, 3 up, 900/s", NULL);
    s_expect ("s01234567 state=probing subnet=7 done=64 total=254 up=3 "
              "rate=900 silent=6 text=\n",
              "probing, nothing heard for 6 s,  25 % of 254, 3 up", NULL);
    /*  Who waits for a turn or for the hub has nothing to say.  */
    s_expect ("s01234567 state=waiting subnet=7 silent=60 text=\n", "waiting",
              NULL);
    s_expect ("s01234567 state=done subnet=7 done=9 total=9 up=1 complete=1 "
              "seen=1 added=2 refused=3 cause= text=\n",
              "done, 100 % of 9, 1 up",
              "done: 1 of 9 addresses answered; in phpIPAM 1 confirmed, 2 "
              "added, 3 refused");
    s_expect ("s01234567 state=failed subnet=7 cause=probe text=\n", "failed",
              "failed: probe");
    s_expect ("s01234567 state=failed subnet=7 cause=probe text=no state=done "
              "here\n", "failed", "failed: no state=done here");
    s_expect ("s01234567 state=lost subnet=7 cause=timeout text=why\n", "lost",
              "what became of it cannot be known: why");
    static const char *const wrong[] = {
        "", "\n", "s01234567", "s01234567 state=sent subnet=7\n",
        "s01234567 subnet=7 text=\n", "s01234567 state=sent text=\n",
        " text=", "s01234567 state=sent subnet=x text=\n",
    };
    for (size_t i = 0; i < COUNT (wrong); i++) {
        char copy[128];
        ctl_order_t order;
        snprintf (copy, sizeof copy, "%s", wrong[i]);
        if (ctl_order_parse (&order, copy) != SH_E_SYNTAX)
            fail_msg ("'%s' was taken", wrong[i]);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_until),
        cmocka_unit_test (test_texts),
        cmocka_unit_test (test_orders),
    };
    return cmocka_run_group_tests_name ("scanhubctl", tests, s_setup, NULL);
}
