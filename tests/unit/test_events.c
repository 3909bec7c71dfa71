/* SPDX-License-Identifier: MPL-2.0 */
/*  New hosts for phpIPAM's logs: what is told of them, and that they wait, or
    are dropped, but are in nobody's way.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/events.h"

static int64_t s_now = 1000;

static int64_t
s_mono_ms (void *context)
{
    (void) context;
    return s_now;
}

static const sh_clock_t s_clock = { .mono_ms = s_mono_ms };

/*  A store that takes 'takes' events and then answers 'rc'.  */
static sh_err_t s_rc;
static size_t s_takes, s_written, s_asked;

static sh_err_t
s_write (hub_store_t *self, const hub_event_t *events, size_t count,
         size_t *written)
{
    (void) self;
    assert_non_null (events);
    s_asked++;
    *written = s_rc == SH_OK || count < s_takes ? count : s_takes;
    s_written += *written;
    return s_rc;
}

static hub_store_t s_store = { .write_events = s_write };

static int
s_reset (void **state)
{
    (void) state;
    s_now = 1000;
    s_rc = SH_OK;
    s_takes = s_written = s_asked = 0;
    return 0;
}

/*  A part with 'count' new rows.  */
static void
s_note (hub_events_t *events, size_t count, sh_err_t no_inserts)
{
    static char name[] = "s<i>te 'a'";
    hub_insert_t *inserts = calloc (count + 1, sizeof *inserts);
    assert_non_null (inserts);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal (sh_addr_parse (&inserts[i].ip, "10.0.0.5"), SH_OK);
        inserts[i].hostname = i ? NULL : "a.example";
        inserts[i].mac = i ? "02:00:00:00:00:05" : NULL;
    }
    hub_changes_t changes
        = { .subnet = 10, .inserts = inserts, .insert_count = count };
    const hub_part_t part = { .changes = &changes,
                              .agent = { .name = name },
                              .no_inserts = no_inserts };
    const sh_wall_t wall = { "2026-11-26 12:00:00" };
    hub_events_note (events, &part, &wall);
    free (inserts);
}

static void
test_details (void **state)
{
    (void) state;
    hub_events_t events = { 0 };
    char text[200];
    s_note (&events, 2, SH_OK);
    assert_int_equal (events.count, 2);
    assert_string_equal (events.items[0].written.text, "2026-11-26 12:00:00");
    hub_event_details (&events.items[0], text, sizeof text);
    assert_string_equal (text, "Found by scan agent s?i?te ?a?<hr>ip_addr: "
                               "10.0.0.5<br>subnetId: 10<br>hostname: "
                               "a.example<br>mac: NULL");
    hub_event_details (&events.items[1], text, sizeof text);
    assert_non_null (strstr (text, "hostname: NULL<br>mac: 02:00:"));
    hub_event_details (&events.items[1], text, 30);
    assert_int_equal (strlen (text), 29);
    hub_events_clear (&events);
    s_note (&events, 3, SH_E_HOST_COLUMN); /* they were refused */
    assert_int_equal (events.count, 0);
    hub_events_write (&events, &s_store, &s_clock);
    assert_int_equal (s_asked, 0);
    hub_events_clear (&events);
}

static void
test_bounded (void **state)
{
    (void) state;
    hub_events_t events = { 0 };
    for (int i = 0; i < 3; i++)
        s_note (&events, 4096, SH_OK);
    assert_int_equal (events.count, HUB_EVENTS_MOST);
    assert_int_equal (events.dropped, 4096);
    hub_events_write (&events, &s_store, &s_clock);
    assert_int_equal (s_written, HUB_EVENTS_MOST);
    assert_int_equal (events.count, 0);
    assert_int_equal (events.dropped, 0);
    hub_events_clear (&events);
}

/*  What was written is not written twice, and the table is left in peace for a
    minute.  */
static void
test_later (void **state)
{
    (void) state;
    hub_events_t events = { 0 };
    s_note (&events, 10, SH_OK);
    s_rc = SH_E_DB_BUSY;
    s_takes = 4;
    hub_events_write (&events, &s_store, &s_clock);
    assert_int_equal (events.count, 6);
    hub_events_write (&events, &s_store, &s_clock);
    assert_int_equal (s_asked, 1);
    s_now += 60000;
    s_rc = SH_OK;
    hub_events_write (&events, &s_store, &s_clock);
    assert_int_equal (s_written, 10);
    assert_int_equal (events.count, 0);
    hub_events_clear (&events);
}

static void
test_refused (void **state)
{
    (void) state;
    hub_events_t events = { 0 };
    s_note (&events, 10, SH_OK);
    s_rc = SH_E_DB_RIGHTS;
    hub_events_write (&events, &s_store, &s_clock);
    assert_int_equal (events.count, 0);
    s_note (&events, 1, SH_OK); /* asked at once, it may be another connection */
    hub_events_write (&events, &s_store, &s_clock);
    assert_int_equal (s_asked, 2);
    hub_events_clear (&events);
}

int
main (void)
{
#define CASE(name) cmocka_unit_test_setup (name, s_reset)
    const struct CMUnitTest tests[] = { CASE (test_details),
                                        CASE (test_bounded),
                                        CASE (test_later),
                                        CASE (test_refused) };
    return cmocka_run_group_tests_name ("events", tests, NULL, NULL);
}
