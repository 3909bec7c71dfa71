/* SPDX-License-Identifier: MPL-2.0 */
/*  The flat list of what a plan changes.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hub/deltas.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define NOON "2026-06-01 12:00:00"

/*  A plan on two rows, whose ids descend, with a change of each kind.  */
typedef struct
{
    hub_row_t row[2];
    hub_rows_t rows;
    hub_subnet_t subnet;
    hub_seen_t seen[2];
    hub_text_t names[1], macs[1];
    hub_tag_t used[1], offline[1];
    hub_insert_t inserts[1];
    hub_changes_t changes;
} scene_t;

static sh_addr_t
s_addr (const char *text)
{
    sh_addr_t addr;
    assert_int_equal (sh_addr_parse (&addr, text), SH_OK);
    return addr;
}

static void
s_begin (scene_t *self)
{
    const sh_wall_t noon = { NOON };
    *self = (scene_t){
        .row = { { .id = 9, .ip = s_addr ("10.0.0.1"),
                   .last_seen = "2026-06-01 11:00:00" },
                 { .id = 4, .ip = s_addr ("10.0.0.2"), .last_seen = "" } },
        .subnet = { .id = 7, .last_scan = "2026-06-01 10:00:00" },
        .seen = { { 4, noon }, { 9, noon } },
        .names = { { .row = 4, .old = "", .fresh = "printer" } },
        .macs = { { .row = 9, .old = "aa", .fresh = "bb" } },
        .used = { { 9, 1, 2 } },
        .offline = { { 4, 2, 1 } },
        .inserts = { { .ip = s_addr ("10.0.0.3"), .wall = noon,
                       .hostname = "new" } },
    };
    assert_int_equal (sh_prefix_parse (&self->subnet.prefix, "10.0.0.0/24"),
                      SH_OK);
    self->rows = (hub_rows_t){ .items = self->row, .count = 2 };
    self->changes = (hub_changes_t){
        .start = noon,
        .seen = self->seen, .seen_count = 2,
        .names = self->names, .name_count = 1,
        .macs = self->macs, .mac_count = 1,
        .used = self->used, .used_count = 1,
        .offline = self->offline, .offline_count = 1,
        .inserts = self->inserts, .insert_count = 1,
        .set_last_scan = true,
    };
}

/*  As "ADDRESS column: before -> after".  */
static void
s_line (char *out, size_t size, const hub_delta_t *one)
{
    char address[SH_ADDR_TEXT];
    sh_addr_text (&one->ip, address);
    snprintf (out, size, "%s%s %d %s: %s -> %s", one->added ? "+" : "",
              address, (int) one->row, hub_column_word (one->column),
              one->before ? one->before : "-", one->after ? one->after : "-");
}

static void
s_expect (const hub_deltas_t *deltas, const char *const *lines, size_t count)
{
    assert_int_equal (deltas->count, count);
    for (size_t i = 0; i < count; i++) {
        char line[256];
        s_line (line, sizeof line, &deltas->items[i]);
        assert_string_equal (line, lines[i]);
    }
}

static void
test_all (void **state)
{
    (void) state;
    static const char *const lines[] = {
        "+10.0.0.3 0 lastSeen: - -> " NOON,
        "+10.0.0.3 0 hostname: - -> new",
        "+10.0.0.3 0 mac: - -> -",
        "+10.0.0.3 0 state: - -> 2",
        "10.0.0.2 4 lastSeen: - -> " NOON,
        "10.0.0.1 9 lastSeen: 2026-06-01 11:00:00 -> " NOON,
        "10.0.0.2 4 hostname: - -> printer",
        "10.0.0.1 9 mac: aa -> bb",
        "10.0.0.1 9 state: 1 -> 2",
        "10.0.0.2 4 state: 2 -> 1",
        "10.0.0.0 0 lastScan: 2026-06-01 10:00:00 -> " NOON,
    };
    scene_t scene;
    hub_deltas_t deltas = { 0 };
    s_begin (&scene);
    assert_int_equal (hub_deltas_add (&deltas, &scene.changes, &scene.subnet,
                                      &scene.rows, HUB_COLUMNS_ALL),
                      SH_OK);
    s_expect (&deltas, lines, COUNT (lines));
    hub_deltas_clear (&deltas);
    assert_int_equal (deltas.count, 0);
}

/*  A second call appends; what was not asked for is left out, but a new row is
    whole.  */
static void
test_some (void **state)
{
    (void) state;
    static const char *const lines[] = {
        "10.0.0.1 9 mac: aa -> bb",
        ("+10.0.0.3 0 lastSeen: - -> " NOON),
        "+10.0.0.3 0 hostname: - -> new",
        "+10.0.0.3 0 mac: - -> -",
        "+10.0.0.3 0 state: - -> 2",
    };
    scene_t scene;
    hub_deltas_t deltas = { 0 };
    s_begin (&scene);
    scene.changes.name_count = 0;
    scene.changes.used_count = scene.changes.offline_count = 0;
    hub_changes_t first = scene.changes, second = scene.changes;
    first.insert_count = 0;
    second.mac_count = 0;
    assert_int_equal (hub_deltas_add (&deltas, &first, &scene.subnet,
                                      &scene.rows, HUB_COLUMNS_BUT_TIMES),
                      SH_OK);
    assert_int_equal (hub_deltas_add (&deltas, &second, &scene.subnet,
                                      &scene.rows, HUB_COLUMNS_BUT_TIMES),
                      SH_OK);
    s_expect (&deltas, lines, COUNT (lines));
    hub_deltas_clear (&deltas);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_all),
        cmocka_unit_test (test_some),
    };
    cmocka_set_message_output (CM_OUTPUT_TAP);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
