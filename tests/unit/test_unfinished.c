/* SPDX-License-Identifier: MPL-2.0 */
/*  Places of closing parts: found by report, part and subnet together, moved,
    forgotten, and the oldest gives way.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hub/unfinished.h"

static hub_unfinished_t s_memory;

static sp_report_t
s_report (uint8_t id[static SP_REPORT_ID], unsigned number, uint64_t part)
{
    memset (id, 7, SP_REPORT_ID);
    memcpy (id, &number, sizeof number);
    return (sp_report_t){ .id = { id, SP_REPORT_ID }, .part = part };
}

static void
s_note (uint64_t subnet, unsigned number, uint64_t part, uint8_t next)
{
    uint8_t id[SP_REPORT_ID];
    sp_report_t report = s_report (id, number, part);
    sh_addr_t addr = { .family = 4, .bytes = { 10, 0, 0, next } };
    hub_place_t place = { .next = addr, .counted = true, .going = next };
    hub_unfinished_note (&s_memory, subnet, &report, &place);
}

/*  The last byte of the address, or -1.  */
static int
s_found (uint64_t subnet, unsigned number, uint64_t part)
{
    uint8_t id[SP_REPORT_ID];
    sp_report_t report = s_report (id, number, part);
    hub_place_t place;
    if (!hub_unfinished_find (&s_memory, subnet, &report, &place))
        return -1;
    assert_true (place.counted && place.going == place.next.bytes[3]);
    return place.next.bytes[3];
}

static void
s_forget (uint64_t subnet, unsigned number, uint64_t part)
{
    uint8_t id[SP_REPORT_ID];
    sp_report_t report = s_report (id, number, part);
    hub_unfinished_forget (&s_memory, subnet, &report);
}

static int
s_reset (void **state)
{
    (void) state;
    memset (&s_memory, 0, sizeof s_memory);
    return 0;
}

static void
test_places (void **state)
{
    (void) state;
    assert_int_equal (s_found (0, 0, 0), -1);
    s_note (5, 1, 0, 11);
    s_note (5, 1, 1, 12);
    s_note (6, 1, 0, 13);
    s_note (5, 2, 0, 14);
    assert_int_equal (s_found (5, 1, 0), 11);
    assert_int_equal (s_found (5, 1, 1), 12);
    assert_int_equal (s_found (6, 1, 0), 13);
    assert_int_equal (s_found (5, 2, 0), 14);
    assert_int_equal (s_found (7, 1, 0), -1);
    assert_int_equal (s_found (5, 3, 0), -1);
    s_note (5, 1, 1, 99);
    assert_int_equal (s_found (5, 1, 1), 99);
    s_forget (5, 1, 1);
    s_forget (5, 1, 1);
    assert_int_equal (s_found (5, 1, 1), -1);
    assert_int_equal (s_found (5, 1, 0), 11);
    assert_int_equal (s_found (5, 2, 0), 14);
    s_note (0, 8, 0, 1);
    assert_int_equal (s_found (0, 8, 0), -1);
}

static void
test_oldest_gives_way (void **state)
{
    (void) state;
    for (unsigned i = 0; i < HUB_UNFINISHED_MOST; i++)
        s_note (5, i, 0, (uint8_t) i);
    s_note (5, 0, 0, 200); /* is the latest again */
    s_note (5, 1000, 0, 1);
    assert_int_equal (s_found (5, 0, 0), 200);
    assert_int_equal (s_found (5, 1, 0), -1);
    assert_int_equal (s_found (5, 2, 0), 2);
    assert_int_equal (s_found (5, 1000, 0), 1);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup (test_places, s_reset),
        cmocka_unit_test_setup (test_oldest_gives_way, s_reset),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
