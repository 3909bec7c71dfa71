/* SPDX-License-Identifier: MPL-2.0 */
/*  The built-in prober on real links, see site.h: who is found, and how fast.
    Without root these tests are skipped.  */

#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "build-config.h"
#include "tests/unit/bench.h"

#define ARP(last) "10.66.0." last " arp " SITE_MAC
#define OWN "10.66.0.1 local " SITE_OWN_MAC

static void
test_arp (void **state)
{
    (void) state;
    bench_t *bench = bench_new (1000);
    bench_start (bench, "10.66.0.1-10.66.0.254", (sc_job_t){ 0 });
    bench_work (bench, 20000);
    assert_string_equal (
        bench_show (bench_result (bench, 0)),
        OWN ", " ARP ("2") ", " ARP ("10") ", " ARP ("11") ", " ARP (
            "12") ", " ARP ("13") ", " ARP ("14") ", " ARP ("15") ", " ARP (
            "16") ", " ARP ("17") ", " ARP ("18") ", " ARP ("19"));
    /* two passes over a /24 in about a second */
    assert_in_range (bench->took[0], 1100, 1900);
    bench_clear (bench);
    bench_expect ("10.66.0.19", (sc_job_t){ 0 }, ARP ("19"));
    bench_expect ("10.66.0.18-10.66.0.19", (sc_job_t){ 0 },
                  ARP ("18") ", " ARP ("19"));
    bench_expect ("10.66.0.1", (sc_job_t){ 0 }, OWN);
    bench_expect ("127.0.0.1", (sc_job_t){ 0 }, "127.0.0.1 local");
    /* the kernel's table of neighbours knows nothing of it */
    site_run ("test $(ip neigh | grep -c '10.66.0.1[0-9] ') = 0");
}

static void
test_echo (void **state)
{
    (void) state;
    bench_expect ("10.67.2.0-10.67.3.3 10.67.3.14-10.67.4.0", (sc_job_t){ 0 },
                  "10.67.3.0 echo, 10.67.3.1 echo, 10.67.3.2 echo, "
                  "10.67.3.3 echo, 10.67.3.14 echo, 10.67.3.15 echo");
    bench_expect ("127.0.0.9", (sc_job_t){ 0 }, "127.0.0.9 echo");
    bench_expect ("2001:db8:67::e-2001:db8:67::20", (sc_job_t){ 0 },
                  "2001:db8:67::e echo, 2001:db8:67::f echo");
}

static void
test_discovery (void **state)
{
    (void) state;
    bench_expect ("2001:db8:66::1-2001:db8:66::ff", (sc_job_t){ 0 },
                  "2001:db8:66::1 local " SITE_OWN_MAC
                  ", 2001:db8:66::2 nd " SITE_MAC
                  ", 2001:db8:66::10 nd " SITE_MAC);
    bench_expect (SITE_EUI64, (sc_job_t){ 0 }, SITE_EUI64 " nd " SITE_MAC);
}

/*  A VLAN's packets are its own, though its link is another's.  */
static void
test_vlan (void **state)
{
    (void) state;
    if (!site_can ("ip link add link s0 name s0.5 type vlan id 5 2>&1")) {
        print_message ("skipped: this kernel has no VLANs\n");
        skip ();
    }
    site_run ("ip addr add 10.68.5.1/29 dev s0.5");
    site_run ("ip link set s0.5 up");
    site_host ("ip link add link h0 name h0.5 address 02:00:00:00:68:05 "
               "type vlan id 5");
    site_host ("ip addr add 10.68.5.2/29 dev h0.5");
    site_host ("ip link set h0.5 up");
    bench_expect ("10.68.5.0-10.68.5.7", (sc_job_t){ 0 },
                  "10.68.5.1 local " SITE_OWN_MAC
                  ", 10.68.5.2 arp 02:00:00:00:68:05");
    site_run ("ip link del s0.5");
    site_host ("ip link del h0.5");
}

/*  Several addresses on one interface: the longest prefix decides from which of
    them we ask; an interface that wants no ARP is asked by echo.  */
static void
test_links (void **state)
{
    (void) state;
    site_run ("ip addr add 10.66.77.2/31 dev s0");
    site_host ("ip addr add 10.66.77.1/29 dev h0");
    /* from our end of a /31 */
    site_host ("ip addr add 10.66.77.3/31 dev h0");
    bench_expect ("10.66.77.0-10.66.77.3", (sc_job_t){ 0 },
                  "10.66.77.1 arp " SITE_MAC ", 10.66.77.2 local " SITE_OWN_MAC
                  ", 10.66.77.3 arp " SITE_MAC);
    site_run ("ip addr del 10.66.77.2/31 dev s0");
    site_host ("ip addr del 10.66.77.1/29 dev h0");
    site_host ("ip addr del 10.66.77.3/31 dev h0");
    site_run ("ip link add d0 type veth peer name d1");
    site_run ("ip addr add 10.69.0.1/24 dev d0");
    site_run ("ip link set d0 arp off up");
    site_run ("ip link set d1 up");
    bench_t *bench = bench_new (1000);
    bench_start (bench, "10.69.0.1-10.69.0.2", (sc_job_t){ 0 });
    bench_work (bench, 20000);
    BENCH_SAYS (bench_show (bench_result (bench, 0)), "10.69.0.1 local");
    assert_int_equal (bench_result (bench, 0)->missed.count, 0);
    bench_clear (bench);
    site_run ("ip link del d0");
}

/* neighbours */

static sc_job_t
s_search (sc_neighbours_t which, const char *prefix)
{
    sc_job_t job = { .neighbours = which };
    assert_int_equal (sh_prefix_parse (&job.prefix, prefix), SH_OK);
    return job;
}

#define STABLE                                                                 \
    "2001:db8:66::1 local " SITE_OWN_MAC ", 2001:db8:66::2 echo " SITE_MAC     \
    ", 2001:db8:66::10 echo " SITE_MAC ", " SITE_EUI64 " echo " SITE_MAC

/*  A host answers a call from one of its addresses only, so the hosts' end has
    each of them in turn.  */
static void
test_neighbours (void **state)
{
    (void) state;
    bench_long ();
    static const char *const six[]
        = { "2001:db8:66::2", "2001:db8:66::10", SITE_EUI64, SITE_RANDOM };
    static const struct
    {
        sc_neighbours_t which;
        bool found[4];
    } table[] = { { SC_NEIGHBOURS_STABLE, { true, true, true, false } },
                  { SC_NEIGHBOURS_ALL, { true, true, true, true } } };
    for (size_t k = 0; k < 4; k++)
        site_host ("ip addr del %s/64 dev h0", six[k]);
    for (size_t i = 0; i < 8; i++) {
        char found[256] = "2001:db8:66::1 local " SITE_OWN_MAC;
        const char *ip = six[i % 4];
        site_host ("ip addr add %s/64 dev h0 nodad", ip);
        if (table[i / 4].found[i % 4])
            (void) snprintf (found + strlen (found),
                             sizeof found - strlen (found), ", %s echo %s", ip,
                             SITE_MAC);
        bench_expect ("", s_search (table[i / 4].which, "2001:db8:66::/64"),
                      found);
        site_host ("ip addr del %s/64 dev h0", ip);
    }
    for (size_t k = 0; k < 4; k++)
        site_host ("ip addr add %s/64 dev h0 nodad", six[k]);
}

/*  Hosts that answer no call are found by what they complain of.  */
static void
test_neighbours_that_keep_silent (void **state)
{
    (void) state;
    site_host ("sysctl -qw net.ipv6.icmp.echo_ignore_multicast=1");
    bench_t *bench = bench_new (1000);
    bench_start (bench, "", s_search (SC_NEIGHBOURS_ALL, "2001:db8:66::/64"));
    bench_work (bench, 20000);
    assert_int_equal (bench_result (bench, 0)->count, 2);
    bench_clear (bench);
    site_host ("sysctl -qw net.ipv6.icmp.echo_ignore_multicast=0");
}

/*  Of a prefix that is on no link of ours nobody is found, which is no error;
    of one that we are in all but the skipped.  */
static void
test_neighbours_elsewhere (void **state)
{
    (void) state;
    bench_expect ("", s_search (SC_NEIGHBOURS_ALL, "2001:db8:67::/64"), "");
    bench_expect ("", s_search (SC_NEIGHBOURS_ALL, "::1/128"), "");
    sc_job_t job = s_search (SC_NEIGHBOURS_ALL, "2001:db8:66::/64");
    sh_ranges_t skip;
    set_read (&skip, "2001:db8:66::-2001:db8:66:0:ffff:ffff:ffff:ffff");
    job.skip = &skip;
    bench_expect ("2001:db8:66::10-2001:db8:66::11", job,
                  "2001:db8:66::10 nd " SITE_MAC);
    sh_ranges_clear (&skip);
}

/* none invented */

static void
test_forged (void **state)
{
    (void) state;
    bench_long ();
    site_forge_begin ();
    /*  As good as a true one.  */
    bench_expect ("10.66.9.0-10.66.9.15", (sc_job_t){ 0 },
                  "10.66.9.1 arp 02:00:00:00:99:99");
    bench_expect ("10.67.9.0-10.67.9.15", (sc_job_t){ 0 }, "");
    bench_expect ("2001:db8:66::9:0-2001:db8:66::9:f", (sc_job_t){ 0 },
                  "2001:db8:66::9:1 nd 02:00:00:00:99:99");
    bench_expect ("", s_search (SC_NEIGHBOURS_ALL, "2001:db8:66:0:9::/80"), "");
    site_forge_end ();
}

/*  One that hears our call can answer it truly, but not from as many addresses
    as it likes.  Those that are asked one by one count besides.  */
static void
test_crowd (void **state)
{
    (void) state;
    sc_job_t job = s_search (SC_NEIGHBOURS_ALL, "2001:db8:66:0:0:0:7:0/112");
    site_crowd_begin (100);
    bench_t *bench = bench_new (1000);
    bench_start (bench, "2001:db8:66::7:40", job);
    bench_work (bench, 20000);
    sc_result_t *result = bench_result (bench, 0);
    site_crowd_end ();
    assert_true (result->complete);
    assert_int_equal (result->missed.count, 0);
    assert_int_equal (result->count, 33);
    assert_int_equal (result->hosts[32].ip.bytes[15], 0x40);
    BENCH_SAYS (result->text, "of one MAC address (02:00:00:00:99:99) were left");
    bench_clear (bench);
    site_crowd_begin (20);
    bench = bench_new (1000);
    bench_start (bench, "", job);
    bench_work (bench, 20000);
    result = bench_result (bench, 0);
    site_crowd_end ();
    assert_int_equal (result->count, 20);
    assert_string_equal (result->text, "");
    bench_clear (bench);
}

/* pace */

/*  Packets at the other end in so many ms, and the most beyond the rate within
    any 20 ms.  */
static uint64_t
s_count (bench_t *bench, int64_t ms, uint32_t rate, int64_t *excess)
{
    uint64_t first = site_heard (), before = first;
    int64_t until = bench_now () + ms, at = bench_now ();
    *excess = 0;
    while (bench_now () < until) {
        bench_work (bench, 20);
        uint64_t heard = site_heard ();
        int64_t now = bench_now ();
        int64_t more = (int64_t) (heard - before)
                       - (int64_t) rate * (now - at + 1) / 1000;
        if (more > *excess)
            *excess = more;
        before = heard;
        at = now;
    }
    return before - first;
}

/*  As counted at the other end, in sum and in every moment.  */
static void
test_rate (void **state)
{
    (void) state;
    bench_long ();
    static const uint32_t rates[] = { 100, 1000, 5000 };
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        bench_t *bench = bench_new (rates[i]);
        int64_t excess;
        sc_progress_t progress;
        bench_start (bench,
                     i % 2 ? "10.66.100.0-10.66.199.255"
                           : "10.67.100.0-10.67.199.255",
                     (sc_job_t){ 0 });
        uint64_t heard = s_count (bench, 2000, rates[i], &excess);
        assert_in_range (heard, rates[i] * 2 * 90 / 100,
                         rates[i] * 2 * 102 / 100 + 5);
        assert_true (excess <= rates[i] / 100 + 3);
        bench_engine->progress (bench->probes[0], &progress);
        assert_in_range (progress.rate, rates[i] * 9 / 10, rates[i] * 11 / 10);
        assert_int_equal (progress.total, 25600);
        assert_in_range (progress.done, 1, 25599);
        bench_clear (bench);
    }
}

/*  Eight at once have one pace together, each finds its own, and a ninth is
    refused; but a job with a rate has its own.  A new rate counts at once.  */
static void
test_rate_of_several (void **state)
{
    (void) state;
    bench_long ();
    bench_t *bench = bench_new (400);
    int64_t excess;
    for (int i = 0; i < 7; i++) {
        char text[64];
        (void) snprintf (text, sizeof text,
                         "10.66.%d.0-10.66.%d.255 10.66.200.7", 20 + i, 20 + i);
        bench_start (bench, text, (sc_job_t){ 0 });
    }
    uint64_t heard = s_count (bench, 1500, 400, &excess);
    assert_in_range (heard, 570, 630);
    bench_start (bench, "10.67.100.0-10.67.119.255", (sc_job_t){ .rate = 600 });
    heard = s_count (bench, 1500, 1000, &excess);
    assert_in_range (heard, 1440, 1550);
    sc_probe_t *ninth = NULL;
    sh_why_t why = { "" };
    assert_int_equal (bench_engine->start (&ninth, bench->prober,
                                           &bench->jobs[0],
                                           sh_clock_system (), &why),
                      SH_E_PROBE);
    assert_null (ninth);
    bench_engine->destroy (&bench->probes[7]);
    bench->count--;
    sh_ranges_clear (&bench->ranges[7]);
    sc_builtin_settings_t fast = bench->settings;
    fast.rate = 20000;
    bench_engine->adopt (bench->prober, &fast);
    int64_t began = bench_now ();
    bench_work (bench, 10000);
    assert_true (bench_now () - began < 3000);
    for (size_t i = 0; i < 7; i++)
        assert_string_equal (bench_show (bench_result (bench, i)),
                             "10.66.200.7 arp " SITE_MAC);
    bench_clear (bench);
}

/*  A new rate counts for those, too, that wait for their turn by the old.  */
static void
test_adopt (void **state)
{
    (void) state;
    bench_t *bench = bench_new (1);
    bench_start (bench, "10.66.5.0-10.66.5.9", (sc_job_t){ 0 });
    bench_start (bench, "10.67.5.0-10.67.5.9", (sc_job_t){ 0 });
    bench_work (bench, 200);
    sc_builtin_settings_t fast = bench->settings;
    fast.rate = 1000;
    bench_engine->adopt (bench->prober, &fast);
    int64_t began = bench_now ();
    bench_work (bench, 10000);
    assert_true (bench_now () - began < 1400);
    bench_clear (bench);
}

static bool
s_is_ready (const sc_probe_t *probe, int ms)
{
    struct pollfd item = { bench_engine->fd (probe), POLLIN, 0 };
    return poll (&item, 1, ms) == 1;
}

/*  Whoever reads an answer to another probe wakes that one.  */
static void
test_wake (void **state)
{
    (void) state;
    bench_t *bench = bench_new (1000);
    bench_start (bench, "10.66.0.10 10.66.5.5", (sc_job_t){ 0 });
    bench_start (bench, "10.67.3.7", (sc_job_t){ 0 });
    sc_progress_t asked = { 0 };
    int64_t until = bench_now () + 2000;
    while (asked.rate == 0 && bench_now () < until) {
        (void) bench_engine->step (bench->probes[0]);
        assert_false (bench_engine->step (bench->probes[1]));
        bench_engine->progress (bench->probes[1], &asked);
    }
    (void) usleep (50000);
    assert_false (bench_engine->step (bench->probes[0]));
    assert_true (s_is_ready (bench->probes[1], 50));
    assert_true (bench_engine->step (bench->probes[1]));
    bench->over[1] = true;
    assert_string_equal (bench_show (bench_result (bench, 1)), "10.67.3.7 echo");
    bench_clear (bench);
}

/*  A /16 that is all up, under 20 MB for the whole process.  */
static void
test_memory (void **state)
{
    (void) state;
#ifdef SCANHUB_SANITIZED
    print_message ("skipped: a sanitizer takes memory of its own\n");
    skip ();
#endif
    site_host ("ip route add local 10.70.0.0/16 dev lo");
    bench_t *bench = bench_new (50000);
    bench_start (bench, "10.70.0.0-10.70.255.255", (sc_job_t){ 0 });
    bench_work (bench, 20000);
    sc_result_t *result = bench_result (bench, 0);
    assert_int_equal (result->count, 65536);
    assert_true (result->complete);
    assert_true (bench->took[0] < 6000);
    struct rusage usage;
    assert_int_equal (getrusage (RUSAGE_SELF, &usage), 0);
    assert_true (usage.ru_maxrss < 20000);
    bench_clear (bench);
    site_host ("ip route del local 10.70.0.0/16 dev lo");
}

static size_t
s_descriptors (void)
{
    size_t count = 0;
    DIR *dir = opendir ("/proc/self/fd");
    assert_non_null (dir);
    while (readdir (dir))
        count++;
    (void) closedir (dir);
    return count;
}

/*  In the midst of it, by either way.  */
static void
test_destroy (void **state)
{
    (void) state;
    size_t before = s_descriptors ();
    assert_int_equal (seteuid (65534), 0);
    bench_t *bench = bench_new (1000);
    assert_int_equal (seteuid (0), 0);
    bench_start (bench, "10.67.0.0-10.67.2.255", (sc_job_t){ 0 });
    bench_start (bench, "10.66.10.0-10.66.12.255", (sc_job_t){ 0 });
    bench_work (bench, 300);
    assert_true (s_descriptors () > before + 50);
    bench_clear (bench);
    assert_int_equal (s_descriptors (), before);
    bench = bench_new (1000);
    bench_start (bench, "10.67.0.0-10.67.2.255", (sc_job_t){ 0 });
    bench_work (bench, 300);
    bench_clear (bench);
    assert_int_equal (s_descriptors (), before);
}

int
main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_arp),
        cmocka_unit_test (test_echo),
        cmocka_unit_test (test_discovery),
        cmocka_unit_test (test_links),
        cmocka_unit_test (test_vlan),
        cmocka_unit_test (test_neighbours),
        cmocka_unit_test (test_neighbours_that_keep_silent),
        cmocka_unit_test (test_neighbours_elsewhere),
        cmocka_unit_test (test_forged),
        cmocka_unit_test (test_crowd),
        cmocka_unit_test (test_rate),
        cmocka_unit_test (test_rate_of_several),
        cmocka_unit_test (test_adopt),
        cmocka_unit_test (test_wake),
        cmocka_unit_test (test_memory),
        cmocka_unit_test (test_destroy),
    };
    if (!bench_begin (argc, argv))
        return 77;
    return cmocka_run_group_tests (tests, NULL, bench_end);
}
