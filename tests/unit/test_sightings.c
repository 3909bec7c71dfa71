/* SPDX-License-Identifier: MPL-2.0 */
/*  Which hosts of a part may be written: addresses, times, names, MACs.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/sightings.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define NOON INT64_C (1780315200) /* 2026-06-01 12:00:00 UTC */
#define NOON_MS (NOON * 1000)
#define RECEIVED (NOON_MS + 60000)

/*  Hosts with the memory that their addresses point to.  */
typedef struct
{
    sp_host_t hosts[16];
    sh_addr_t addrs[16];
    sp_report_t report;
    hub_subnet_t subnet;
    hub_sightings_t *result;
} scene_t;

static void
s_begin (scene_t *self, const char *cidr)
{
    memset (self, 0, sizeof *self);
    self->report.hosts = self->hosts;
    self->subnet.has_prefix = true;
    assert_int_equal (sh_prefix_parse (&self->subnet.prefix, cidr), SH_OK);
}

static sp_host_t *
s_add (scene_t *self, const char *ip, int64_t seen)
{
    size_t at = self->report.host_count++;
    assert_true (at < COUNT (self->hosts));
    assert_int_equal (sh_addr_parse (&self->addrs[at], ip), SH_OK);
    self->hosts[at].ip = sh_addr_bytes (&self->addrs[at]);
    self->hosts[at].seen = seen;
    return &self->hosts[at];
}

static const hub_sightings_t *
s_check (scene_t *self)
{
    hub_sightings_destroy (&self->result);
    assert_int_equal (hub_sightings_check (&self->result, &self->report,
                                           &self->subnet, RECEIVED),
                      SH_OK);
    return self->result;
}

static void
s_end (scene_t *self)
{
    hub_sightings_destroy (&self->result);
    assert_null (self->result);
    hub_sightings_destroy (&self->result);
}

static void
s_assert_ip (const sh_addr_t *addr, const char *expected)
{
    char text[SH_ADDR_TEXT];
    sh_addr_text (addr, text);
    assert_string_equal (text, expected);
}

static void
test_time (void **state)
{
    (void) state;
    static const struct
    {
        int64_t scanner, off, received, expected; /* -1: SH_E_BAD_TIME */
    } cases[] = {
        { NOON_MS, 0, RECEIVED, NOON },
        { NOON_MS + 999, 0, RECEIVED, NOON }, /* floored */
        { NOON_MS - 1, 0, RECEIVED, NOON - 1 },
        /*  Under two seconds the clocks count as equal.  */
        { NOON_MS, 1999, RECEIVED, NOON },
        { NOON_MS, -1999, RECEIVED, NOON },
        { NOON_MS, 2000, RECEIVED, NOON + 2 },
        { NOON_MS, -2000, RECEIVED, NOON - 2 },
        { NOON_MS + 500, 2500, RECEIVED, NOON + 3 },
        { NOON_MS - 3600000, 3600000, RECEIVED, NOON },
        { NOON_MS + 86400000, -86400000, RECEIVED, NOON },
        /*  Nothing was seen after it was received.  */
        { RECEIVED, 0, RECEIVED, NOON + 60 },
        { RECEIVED + 1000, 0, RECEIVED, NOON + 60 },
        { NOON_MS, 86400000, RECEIVED, NOON + 60 },
        { NOON_MS + INT64_C (315360000000), 0, RECEIVED, NOON + 60 },
        { RECEIVED, 0, RECEIVED - 1, NOON + 59 },
        /*  What can be stored.  */
        { SH_EPOCH_MIN * 1000, 0, RECEIVED, SH_EPOCH_MIN },
        { SH_EPOCH_MIN * 1000 - 1, 0, RECEIVED, -1 },
        { 0, 0, RECEIVED, -1 },
        { -1, 0, RECEIVED, -1 },
        { -86400001, 0, RECEIVED, -1 },
        { NOON_MS, -NOON_MS, RECEIVED, -1 },
        { SH_EPOCH_MAX * 1000 + 999, 0, INT64_MAX, SH_EPOCH_MAX },
        { (SH_EPOCH_MAX + 1) * 1000, 0, INT64_MAX, -1 },
        /*  No overflow, whatever a peer makes up.  */
        { INT64_MAX, 0, RECEIVED, -1 },
        { INT64_MIN, 0, RECEIVED, -1 },
        { INT64_MAX, INT64_MAX, RECEIVED, -1 },
        { INT64_MIN, INT64_MIN, RECEIVED, -1 },
        { INT64_MIN, -1000000, RECEIVED, -1 },
        { -1000000, INT64_MIN, RECEIVED, -1 },
        { NOON_MS, INT64_MIN, RECEIVED, -1 },
        { NOON_MS, INT64_MAX, RECEIVED, -1 },
        { INT64_C (1000000000000000), INT64_C (1000000000000000), RECEIVED,
          NOON + 60 },
        { INT64_C (1000000000000001), 0, RECEIVED, -1 },
        { NOON_MS, INT64_C (1000000000000001), RECEIVED, -1 },
        { NOON_MS, INT64_C (-1000000000000001), RECEIVED, -1 },
        { INT64_C (-1000000000000000), INT64_C (-1000000000000000), RECEIVED,
          -1 },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        int64_t out = 42;
        sh_err_t rc = hub_time_of (&out, cases[i].scanner, cases[i].off,
                                   cases[i].received);
        bool bad = cases[i].expected == -1;
        if (rc != (bad ? SH_E_BAD_TIME : SH_OK)
            || out != (bad ? 42 : cases[i].expected))
            fail_msg ("case %zu: %d, %lld", i, rc, (long long) out);
    }
}

static void
test_address (void **state)
{
    (void) state;
    static const struct
    {
        const char *cidr;
        bool pool;
        const char *ip;
        sh_err_t expected;
    } cases[] = {
        { "10.0.0.0/24", false, "10.0.0.1", SH_OK },
        { "10.0.0.0/24", false, "10.0.0.254", SH_OK },
        { "10.0.0.0/24", false, "10.0.0.0", SH_E_HOST_NETWORK },
        { "10.0.0.0/24", false, "10.0.0.255", SH_E_HOST_BROADCAST },
        { "10.0.0.0/24", false, "9.255.255.255", SH_E_HOST_OUTSIDE },
        { "10.0.0.0/24", false, "10.0.1.0", SH_E_HOST_OUTSIDE },
        { "10.0.0.0/24", false, "2001:db8::1", SH_E_HOST_OUTSIDE },
        { "10.0.0.0/24", false, "::ffff:10.0.0.1", SH_E_HOST_OUTSIDE },
        { "10.0.0.0/24", true, "10.0.0.0", SH_OK },
        { "10.0.0.0/24", true, "10.0.0.255", SH_OK },
        { "10.0.0.0/24", true, "10.0.1.0", SH_E_HOST_OUTSIDE },
        { "10.0.0.4/30", false, "10.0.0.4", SH_E_HOST_NETWORK },
        { "10.0.0.4/30", false, "10.0.0.5", SH_OK },
        { "10.0.0.4/30", false, "10.0.0.6", SH_OK },
        { "10.0.0.4/30", false, "10.0.0.7", SH_E_HOST_BROADCAST },
        { "10.0.0.4/31", false, "10.0.0.4", SH_OK },
        { "10.0.0.4/31", false, "10.0.0.5", SH_OK },
        { "10.0.0.4/31", false, "10.0.0.6", SH_E_HOST_OUTSIDE },
        { "10.0.0.4/32", false, "10.0.0.4", SH_OK },
        { "10.0.0.4/32", false, "10.0.0.5", SH_E_HOST_OUTSIDE },
        { "2001:db8::/64", false, "2001:db8::", SH_OK },
        { "2001:db8::/64", false, "2001:db8::ffff:ffff:ffff:ffff", SH_OK },
        { "2001:db8::/64", false, "2001:db8:0:1::", SH_E_HOST_OUTSIDE },
        { "2001:db8::/64", false, "32.1.13.184", SH_E_HOST_OUTSIDE },
        { "::/64", false, "::1", SH_E_HOST_UNSTORABLE },
        { "::/64", false, "::ffff:ffff", SH_E_HOST_UNSTORABLE },
        { "::/64", false, "::1:0:0", SH_OK },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, cases[i].cidr);
        scene.subnet.pool = cases[i].pool;
        sp_host_t *host = s_add (&scene, cases[i].ip, NOON_MS);
        const hub_sightings_t *got = s_check (&scene);
        bool fine = cases[i].expected == SH_OK;
        if (got->count != (fine ? 1 : 0)
            || got->refused_count != (fine ? 0 : 1))
            fail_msg ("case %zu: %s in %s", i, cases[i].ip, cases[i].cidr);
        if (fine) {
            s_assert_ip (&got->items[0].ip, cases[i].ip);
            assert_int_equal (got->items[0].seen, NOON);
        } else {
            if (got->refused[0].cause != cases[i].expected)
                fail_msg ("case %zu: %s", i,
                          sh_err_word (got->refused[0].cause));
            assert_ptr_equal (got->refused[0].ip.data, host->ip.data);
            assert_int_equal (got->refused[0].ip.size, host->ip.size);
        }
        s_end (&scene);
    }
}

/*  Addresses of a size that no family has, and times that cannot be.  */
static void
test_bad_hosts (void **state)
{
    (void) state;
    static const uint8_t bytes[17] = { 10, 0, 0, 9 };
    static const size_t sizes[] = { 0, 1, 3, 5, 8, 15, 17 };
    scene_t scene;
    s_begin (&scene, "10.0.0.0/24");
    for (size_t i = 0; i < COUNT (sizes); i++) {
        s_add (&scene, "10.0.0.9", NOON_MS);
        scene.hosts[i].ip = (sh_bytes_t){ sizes[i] ? bytes : NULL, sizes[i] };
    }
    s_add (&scene, "10.0.0.9", 0);
    s_add (&scene, "10.0.0.9", INT64_MAX);
    s_add (&scene, "10.0.0.10", NOON_MS);
    const hub_sightings_t *got = s_check (&scene);
    assert_int_equal (got->refused_count, COUNT (sizes) + 2);
    for (size_t i = 0; i < got->refused_count; i++)
        assert_int_equal (got->refused[i].cause, i < COUNT (sizes)
                                                     ? SH_E_HOST_ADDRESS
                                                     : SH_E_HOST_TIME);
    /*  The good one is not harmed by its neighbours.  */
    assert_int_equal (got->count, 1);
    s_assert_ip (&got->items[0].ip, "10.0.0.10");
    s_end (&scene);
}

#define L63 "a23456789012345678901234567890123456789012345678901234567890123"
#define L61 "a234567890123456789012345678901234567890123456789012345678901"

static void
test_names (void **state)
{
    (void) state;
    static const struct
    {
        const char *name, *kept; /* kept NULL: none */
        bool bad;
    } cases[] = {
        { NULL, NULL, false },
        { "", NULL, false }, /* scripts send it for none */
        { "printer", "printer", false },
        { "Printer.Site.Example", "Printer.Site.Example", false },
        { "printer.site.example.", "printer.site.example", false },
        { "_dmarc.x_y.example", "_dmarc.x_y.example", false },
        { L63 "." L63 "." L63 "." L61, L63 "." L63 "." L63 "." L61, false },
        { L63 "." L63 "." L63 "." L61 ".", L63 "." L63 "." L63 "." L61, false },
        { L63 "." L63 "." L63 "." L61 "x", NULL, true },
        { "a b", NULL, true },
        { "a'b", NULL, true },
        { "<script>", NULL, true },
        { "-a", NULL, true },
        { "a..b", NULL, true },
        { ".", NULL, true },
        { "10.0.0.1", NULL, true },
        { "b\xc3\xbcro", NULL, true },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, "10.0.0.0/24");
        s_add (&scene, "10.0.0.1", NOON_MS)->name = cases[i].name;
        const hub_sightings_t *got = s_check (&scene);
        assert_int_equal (got->count, 1);
        assert_int_equal (got->refused_count, 0);
        assert_int_equal (got->bad_macs, 0);
        const hub_sighting_t *one = &got->items[0];
        if (got->bad_names != cases[i].bad
            || (one->name != NULL) != (cases[i].kept != NULL))
            fail_msg ("case %zu: %s", i, cases[i].name);
        if (cases[i].kept) {
            assert_int_equal (one->name_size, strlen (cases[i].kept));
            assert_memory_equal (one->name, cases[i].kept, one->name_size);
        }
        s_end (&scene);
    }
}

static void
test_macs (void **state)
{
    (void) state;
    static const struct
    {
        const char *mac, *kept;
        bool bad;
    } cases[] = {
        { NULL, "", false },
        { "", "", false },
        { "00:1A:2B:3C:4D:5E", "00:1a:2b:3c:4d:5e", false },
        { "00-1a-2b-3c-4d-5e", "00:1a:2b:3c:4d:5e", false },
        { "001a.2b3c.4d5e", "00:1a:2b:3c:4d:5e", false },
        { "001A2B3C4D5E", "00:1a:2b:3c:4d:5e", false },
        { "00:00:00:00:00:00", "", true },
        { "ff:ff:ff:ff:ff:ff", "", true },
        { "01:00:5e:00:00:01", "", true },
        { "33:33:00:00:00:01", "", true },
        { "00:1a:2b:ff:fe:3c:4d:5e", "", true },
        { "unknown", "", true },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        scene_t scene;
        s_begin (&scene, "10.0.0.0/24");
        s_add (&scene, "10.0.0.1", NOON_MS)->mac = cases[i].mac;
        const hub_sightings_t *got = s_check (&scene);
        assert_int_equal (got->count, 1);
        assert_int_equal (got->refused_count, 0);
        assert_int_equal (got->bad_names, 0);
        if (got->bad_macs != cases[i].bad)
            fail_msg ("case %zu: %s", i, cases[i].mac);
        assert_string_equal (got->items[0].mac, cases[i].kept);
        s_end (&scene);
    }
}

/*  Counted per value; a refused host's values do not count as dropped.  */
static void
test_counts (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, "10.0.0.0/24");
    sp_host_t *host = s_add (&scene, "10.0.0.1", NOON_MS);
    host->name = "a b", host->mac = "x";
    s_add (&scene, "10.0.0.2", NOON_MS)->name = "c d";
    host = s_add (&scene, "10.0.1.1", NOON_MS);
    host->name = "e f", host->mac = "y";
    const hub_sightings_t *got = s_check (&scene);
    assert_int_equal (got->count, 2);
    assert_int_equal (got->bad_names, 2);
    assert_int_equal (got->bad_macs, 1);
    assert_int_equal (got->refused_count, 1);
    s_end (&scene);
}

static void
test_order (void **state)
{
    (void) state;
    static const char *const sent[] = { "10.0.0.200", "10.0.0.3", "10.0.0.10",
                                        "10.0.0.2", "10.0.0.129" };
    static const char *const sorted[] = { "10.0.0.2", "10.0.0.3", "10.0.0.10",
                                          "10.0.0.129", "10.0.0.200" };
    scene_t scene;
    s_begin (&scene, "10.0.0.0/24");
    for (size_t i = 0; i < COUNT (sent); i++)
        s_add (&scene, sent[i], NOON_MS);
    const hub_sightings_t *got = s_check (&scene);
    assert_int_equal (got->count, COUNT (sorted));
    for (size_t i = 0; i < COUNT (sorted); i++)
        s_assert_ip (&got->items[i].ip, sorted[i]);
    s_end (&scene);
}

/*  The newest of one address wins, of equals the last; nothing is merged.  */
static void
test_doubles (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, "10.0.0.0/24");
    s_add (&scene, "10.0.0.1", NOON_MS + 5000)->name = "newest";
    s_add (&scene, "10.0.0.2", NOON_MS)->name = "first";
    s_add (&scene, "10.0.0.1", NOON_MS)->mac = "00:1a:2b:3c:4d:5e";
    s_add (&scene, "10.0.0.2", NOON_MS)->name = "second";
    /*  Newer by milliseconds only: the same stored second, so the last.  */
    s_add (&scene, "10.0.0.3", NOON_MS + 900)->name = "first";
    s_add (&scene, "10.0.0.3", NOON_MS + 100)->name = "second";
    s_add (&scene, "10.0.0.2", NOON_MS)->name = "third";
    s_add (&scene, "10.0.0.1", NOON_MS + 4000)->name = "older";
    const hub_sightings_t *got = s_check (&scene);
    assert_int_equal (got->count, 3);
    assert_int_equal (got->refused_count, 0);
    static const char *const names[] = { "newest", "third", "second" };
    for (size_t i = 0; i < COUNT (names); i++) {
        assert_int_equal (got->items[i].name_size, strlen (names[i]));
        assert_memory_equal (got->items[i].name, names[i], strlen (names[i]));
        assert_string_equal (got->items[i].mac, "");
    }
    assert_int_equal (got->items[0].seen, NOON + 5);
    s_end (&scene);
}

/*  Many copies of few addresses, where an unstable sort would show.  */
static void
test_many_doubles (void **state)
{
    (void) state;
    enum { HOSTS = SP_PART_HOSTS_MOST, ADDRESSES = 5 };
    static uint8_t bytes[HOSTS][4];
    static char macs[HOSTS][16];
    static sp_host_t hosts[HOSTS];
    for (size_t i = 0; i < HOSTS; i++) {
        bytes[i][0] = 10;
        bytes[i][3] = (uint8_t) (1 + i % ADDRESSES);
        for (size_t digit = 0, rest = i; digit < 12; digit++, rest /= 10)
            macs[i][11 - digit] = (char) ('0' + rest % 10);
        hosts[i] = (sp_host_t){ .ip = { bytes[i], 4 }, .seen = NOON_MS,
                                .mac = macs[i] };
    }
    /*  Rank 0 is the all-zero MAC, which is dropped but keeps its host.  */
    sp_report_t report = { .hosts = hosts, .host_count = HOSTS };
    scene_t scene;
    s_begin (&scene, "10.0.0.0/24");
    hub_sightings_t *got;
    assert_int_equal (
        hub_sightings_check (&got, &report, &scene.subnet, RECEIVED), SH_OK);
    assert_int_equal (got->count, ADDRESSES);
    assert_int_equal (got->bad_macs, 1);
    for (size_t i = 0; i < ADDRESSES; i++) {
        size_t last = HOSTS - 1 - (HOSTS - 1 - i) % ADDRESSES;
        char expected[SH_MAC_TEXT];
        assert_int_equal (sh_mac_normalise (expected, macs[last]), SH_OK);
        assert_string_equal (got->items[i].mac, expected);
    }
    hub_sightings_destroy (&got);
}

static void
test_offset_applies (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, "10.0.0.0/24");
    scene.report.off = 30000;
    s_add (&scene, "10.0.0.1", NOON_MS);
    s_add (&scene, "10.0.0.2", NOON_MS + 45000);
    const hub_sightings_t *got = s_check (&scene);
    assert_int_equal (got->items[0].seen, NOON + 30);
    assert_int_equal (got->items[1].seen, NOON + 60);
    s_end (&scene);
}

static void
test_none (void **state)
{
    (void) state;
    scene_t scene;
    s_begin (&scene, "10.0.0.0/24");
    scene.report.hosts = NULL;
    const hub_sightings_t *got = s_check (&scene);
    assert_int_equal (got->count, 0);
    assert_int_equal (got->refused_count, 0);
    s_end (&scene);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_time),
        cmocka_unit_test (test_address),
        cmocka_unit_test (test_bad_hosts),
        cmocka_unit_test (test_names),
        cmocka_unit_test (test_macs),
        cmocka_unit_test (test_counts),
        cmocka_unit_test (test_order),
        cmocka_unit_test (test_doubles),
        cmocka_unit_test (test_many_doubles),
        cmocka_unit_test (test_offset_applies),
        cmocka_unit_test (test_none),
    };
    return cmocka_run_group_tests_name ("sightings", tests, NULL, NULL);
}
