/* SPDX-License-Identifier: MPL-2.0 */
/*  The built-in prober on real links, see site.h.  Without root these tests are
    skipped.  */

#include <dirent.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "build-config.h"
#include "scanner/builtin.h"
#include "scanner/rights.h"
#include "tests/unit/sets.h"
#include "tests/unit/site.h"

#define EXPECT(text, part)                                                     \
    do {                                                                       \
        if (!strstr (text, part))                                              \
            fail_msg ("'%s' is not in '%s'", part, text);                      \
    } while (0)

static const sc_engine_t *const s_engine = &sc_engine_builtin;

static int64_t
s_now (void)
{
    return sh_clock_mono (sh_clock_system ());
}

/*  "10.0.0.1 arp aa:..., 10.0.0.2 echo" of a result.  */
static const char *
s_show (const sc_result_t *result)
{
    static char text[8192];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < result->count && used < sizeof text - 100; i++) {
        const sc_host_t *host = &result->hosts[i];
        char ip[SH_ADDR_TEXT];
        sh_addr_text (&host->ip, ip);
        used += (size_t) snprintf (text + used, sizeof text - used,
                                   "%s%s %s%s%s", i ? ", " : "", ip, host->how,
                                   *host->mac ? " " : "", host->mac);
    }
    return text;
}

/*  A prober, and jobs at work in it.  */
typedef struct
{
    sc_builtin_settings_t settings;
    sc_prober_t *prober;
    sc_probe_t *probes[9];
    sc_job_t jobs[9];
    sh_ranges_t ranges[9];
    bool over[9];
    int64_t took[9]; /* ms */
    size_t count;
    int64_t began, wall;
} bench_t;

static bench_t *
s_bench (uint32_t rate)
{
    bench_t *self = calloc (1, sizeof *self);
    sh_why_t why = { "" };
    assert_non_null (self);
    sc_builtin_default (&self->settings);
    self->settings.rate = rate;
    assert_int_equal (s_engine->open (&self->prober, &self->settings,
                                      sh_clock_system (), &why),
                      SH_OK);
    return self;
}

/*  'job' without its ranges, which are those in 'text' ("": none).  */
static void
s_start (bench_t *self, const char *text, sc_job_t job)
{
    size_t i = self->count++;
    sh_why_t why = { "" };
    if (*text)
        set_read (&self->ranges[i], text);
    job.ranges = &self->ranges[i];
    self->jobs[i] = job;
    self->wall = sh_clock_wall (sh_clock_system ());
    self->began = s_now ();
    sh_err_t rc = s_engine->start (&self->probes[i], self->prober,
                                   &self->jobs[i], sh_clock_system (), &why);
    if (rc != SH_OK)
        fail_msg ("%s", why.text);
}

/*  Let them work until all are over, or for so many ms.  */
static void
s_work (bench_t *self, int64_t most)
{
    int64_t until = s_now () + most;
    for (;;) {
        struct pollfd items[9];
        size_t left = 0;
        for (size_t i = 0; i < self->count; i++) {
            left += !self->over[i];
            items[i] = (struct pollfd){
                .fd = self->over[i] ? -1 : s_engine->fd (self->probes[i]),
                .events = POLLIN
            };
        }
        int64_t wait = until - s_now ();
        if (left == 0 || wait <= 0)
            return;
        (void) poll (items, self->count, (int) wait);
        for (size_t i = 0; i < self->count; i++)
            if (items[i].revents && s_engine->step (self->probes[i])) {
                self->over[i] = true;
                self->took[i] = s_now () - self->began;
            }
    }
}

/*  The result of one that is over, in order.  */
static sc_result_t *
s_result (bench_t *self, size_t i)
{
    assert_true (self->over[i]);
    sc_result_t *result = s_engine->result (self->probes[i]);
    size_t before = result->count;
    sc_result_settle (result, &self->jobs[i], self->wall,
                      sh_clock_wall (sh_clock_system ()));
    /* none that was not asked for, none twice */
    assert_int_equal (result->count, before);
    return result;
}

static void
s_clear (bench_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        s_engine->destroy (&self->probes[i]);
        assert_null (self->probes[i]);
        sh_ranges_clear (&self->ranges[i]);
    }
    s_engine->close (&self->prober);
    assert_null (self->prober);
    free (self);
}

/*  One job that runs to its end: what is found, and how long it takes.  */
static void
s_expect (const char *text, sc_job_t job, const char *found)
{
    bench_t *bench = s_bench (1000);
    s_start (bench, text, job);
    s_work (bench, 20000);
    sc_result_t *result = s_result (bench, 0);
    assert_string_equal (s_show (result), found);
    assert_string_equal (result->text, "");
    assert_true (result->complete);
    assert_int_equal (result->missed.count, 0);
    s_clear (bench);
}

#define ARP(last) "10.66.0." last " arp " SITE_MAC
#define OWN "10.66.0.1 local " SITE_OWN_MAC

/*  Of what takes seconds, "make check" has a shorter relative elsewhere.  */
static void
s_long (void)
{
    if (getenv ("SCANHUB_LONG"))
        return;
    print_message ("takes long; ./check plays it, or SCANHUB_LONG=1\n");
    skip ();
}

static void
test_arp (void **state)
{
    (void) state;
    bench_t *bench = s_bench (1000);
    s_start (bench, "10.66.0.1-10.66.0.254", (sc_job_t){ 0 });
    s_work (bench, 20000);
    assert_string_equal (
        s_show (s_result (bench, 0)),
        OWN ", " ARP ("2") ", " ARP ("10") ", " ARP ("11") ", " ARP (
            "12") ", " ARP ("13") ", " ARP ("14") ", " ARP ("15") ", " ARP (
            "16") ", " ARP ("17") ", " ARP ("18") ", " ARP ("19"));
    /* two passes over a /24 in about a second */
    assert_in_range (bench->took[0], 1100, 1900);
    s_clear (bench);
    s_expect ("10.66.0.19", (sc_job_t){ 0 }, ARP ("19"));
    s_expect ("10.66.0.18-10.66.0.19", (sc_job_t){ 0 },
              ARP ("18") ", " ARP ("19"));
    s_expect ("10.66.0.1", (sc_job_t){ 0 }, OWN);
    s_expect ("127.0.0.1", (sc_job_t){ 0 }, "127.0.0.1 local");
    /* the kernel's table of neighbours knows nothing of it */
    site_run ("test $(ip neigh | grep -c '10.66.0.1[0-9] ') = 0");
}

static void
test_echo (void **state)
{
    (void) state;
    s_expect ("10.67.2.0-10.67.3.3 10.67.3.14-10.67.4.0", (sc_job_t){ 0 },
              "10.67.3.0 echo, 10.67.3.1 echo, 10.67.3.2 echo, "
              "10.67.3.3 echo, 10.67.3.14 echo, 10.67.3.15 echo");
    s_expect ("127.0.0.9", (sc_job_t){ 0 }, "127.0.0.9 echo");
    s_expect ("2001:db8:67::e-2001:db8:67::20", (sc_job_t){ 0 },
              "2001:db8:67::e echo, 2001:db8:67::f echo");
}

static void
test_discovery (void **state)
{
    (void) state;
    s_expect ("2001:db8:66::1-2001:db8:66::ff", (sc_job_t){ 0 },
              "2001:db8:66::1 local " SITE_OWN_MAC
              ", 2001:db8:66::2 nd " SITE_MAC ", 2001:db8:66::10 nd " SITE_MAC);
    s_expect (SITE_EUI64, (sc_job_t){ 0 }, SITE_EUI64 " nd " SITE_MAC);
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
    s_expect ("10.68.5.0-10.68.5.7", (sc_job_t){ 0 },
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
    s_expect ("10.66.77.0-10.66.77.3", (sc_job_t){ 0 },
              "10.66.77.1 arp " SITE_MAC ", 10.66.77.2 local " SITE_OWN_MAC
              ", 10.66.77.3 arp " SITE_MAC);
    site_run ("ip addr del 10.66.77.2/31 dev s0");
    site_host ("ip addr del 10.66.77.1/29 dev h0");
    site_host ("ip addr del 10.66.77.3/31 dev h0");
    site_run ("ip link add d0 type veth peer name d1");
    site_run ("ip addr add 10.69.0.1/24 dev d0");
    site_run ("ip link set d0 arp off up");
    site_run ("ip link set d1 up");
    bench_t *bench = s_bench (1000);
    s_start (bench, "10.69.0.1-10.69.0.2", (sc_job_t){ 0 });
    s_work (bench, 20000);
    EXPECT (s_show (s_result (bench, 0)), "10.69.0.1 local");
    assert_int_equal (s_result (bench, 0)->missed.count, 0);
    s_clear (bench);
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
    s_long ();
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
        s_expect ("", s_search (table[i / 4].which, "2001:db8:66::/64"),
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
    bench_t *bench = s_bench (1000);
    s_start (bench, "", s_search (SC_NEIGHBOURS_ALL, "2001:db8:66::/64"));
    s_work (bench, 20000);
    assert_int_equal (s_result (bench, 0)->count, 2);
    s_clear (bench);
    site_host ("sysctl -qw net.ipv6.icmp.echo_ignore_multicast=0");
}

/*  Of a prefix that is on no link of ours nobody is found, which is no error;
    of one that we are in all but the skipped.  */
static void
test_neighbours_elsewhere (void **state)
{
    (void) state;
    s_expect ("", s_search (SC_NEIGHBOURS_ALL, "2001:db8:67::/64"), "");
    s_expect ("", s_search (SC_NEIGHBOURS_ALL, "::1/128"), "");
    sc_job_t job = s_search (SC_NEIGHBOURS_ALL, "2001:db8:66::/64");
    sh_ranges_t skip;
    set_read (&skip, "2001:db8:66::-2001:db8:66:0:ffff:ffff:ffff:ffff");
    job.skip = &skip;
    s_expect ("2001:db8:66::10-2001:db8:66::11", job,
              "2001:db8:66::10 nd " SITE_MAC);
    sh_ranges_clear (&skip);
}

/* none invented */

static void
test_forged (void **state)
{
    (void) state;
    s_long ();
    site_forge_begin ();
    s_expect ("10.66.9.0-10.66.9.15", (sc_job_t){ 0 },
              "10.66.9.1 arp 02:00:00:00:99:99"); /* as good as a true one */
    s_expect ("10.67.9.0-10.67.9.15", (sc_job_t){ 0 }, "");
    s_expect ("2001:db8:66::9:0-2001:db8:66::9:f", (sc_job_t){ 0 },
              "2001:db8:66::9:1 nd 02:00:00:00:99:99");
    s_expect ("", s_search (SC_NEIGHBOURS_ALL, "2001:db8:66:0:9::/80"), "");
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
    bench_t *bench = s_bench (1000);
    s_start (bench, "2001:db8:66::7:40", job);
    s_work (bench, 20000);
    sc_result_t *result = s_result (bench, 0);
    site_crowd_end ();
    assert_true (result->complete);
    assert_int_equal (result->missed.count, 0);
    assert_int_equal (result->count, 33);
    assert_int_equal (result->hosts[32].ip.bytes[15], 0x40);
    EXPECT (result->text, "of one MAC address (02:00:00:00:99:99) were left");
    s_clear (bench);
    site_crowd_begin (20);
    bench = s_bench (1000);
    s_start (bench, "", job);
    s_work (bench, 20000);
    result = s_result (bench, 0);
    site_crowd_end ();
    assert_int_equal (result->count, 20);
    assert_string_equal (result->text, "");
    s_clear (bench);
}

/* pace */

/*  Packets at the other end in so many ms, and the most beyond the rate within
    any 20 ms.  */
static uint64_t
s_count (bench_t *bench, int64_t ms, uint32_t rate, int64_t *excess)
{
    uint64_t first = site_heard (), before = first;
    int64_t until = s_now () + ms, at = s_now ();
    *excess = 0;
    while (s_now () < until) {
        s_work (bench, 20);
        uint64_t heard = site_heard ();
        int64_t now = s_now ();
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
    s_long ();
    static const uint32_t rates[] = { 100, 1000, 5000 };
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        bench_t *bench = s_bench (rates[i]);
        int64_t excess;
        sc_progress_t progress;
        s_start (bench, i % 2 ? "10.66.100.0-10.66.199.255"
                              : "10.67.100.0-10.67.199.255",
                 (sc_job_t){ 0 });
        uint64_t heard = s_count (bench, 2000, rates[i], &excess);
        assert_in_range (heard, rates[i] * 2 * 90 / 100,
                         rates[i] * 2 * 102 / 100 + 5);
        assert_true (excess <= rates[i] / 100 + 3);
        s_engine->progress (bench->probes[0], &progress);
        assert_in_range (progress.rate, rates[i] * 9 / 10, rates[i] * 11 / 10);
        assert_int_equal (progress.total, 25600);
        assert_in_range (progress.done, 1, 25599);
        s_clear (bench);
    }
}

/*  Eight at once have one pace together, each finds its own, and a ninth is
    refused; but a job with a rate has its own.  A new rate counts at once.  */
static void
test_rate_of_several (void **state)
{
    (void) state;
    s_long ();
    bench_t *bench = s_bench (400);
    int64_t excess;
    for (int i = 0; i < 7; i++) {
        char text[64];
        (void) snprintf (text, sizeof text,
                         "10.66.%d.0-10.66.%d.255 10.66.200.7", 20 + i, 20 + i);
        s_start (bench, text, (sc_job_t){ 0 });
    }
    uint64_t heard = s_count (bench, 1500, 400, &excess);
    assert_in_range (heard, 570, 630);
    s_start (bench, "10.67.100.0-10.67.119.255", (sc_job_t){ .rate = 600 });
    heard = s_count (bench, 1500, 1000, &excess);
    assert_in_range (heard, 1440, 1550);
    sc_probe_t *ninth = NULL;
    sh_why_t why = { "" };
    assert_int_equal (s_engine->start (&ninth, bench->prober, &bench->jobs[0],
                                       sh_clock_system (), &why),
                      SH_E_PROBE);
    assert_null (ninth);
    s_engine->destroy (&bench->probes[7]);
    bench->count--;
    sh_ranges_clear (&bench->ranges[7]);
    sc_builtin_settings_t fast = bench->settings;
    fast.rate = 20000;
    s_engine->adopt (bench->prober, &fast);
    int64_t began = s_now ();
    s_work (bench, 10000);
    assert_true (s_now () - began < 3000);
    for (size_t i = 0; i < 7; i++)
        assert_string_equal (s_show (s_result (bench, i)),
                             "10.66.200.7 arp " SITE_MAC);
    s_clear (bench);
}

/*  A new rate counts for those, too, that wait for their turn by the old.  */
static void
test_adopt (void **state)
{
    (void) state;
    bench_t *bench = s_bench (1);
    s_start (bench, "10.66.5.0-10.66.5.9", (sc_job_t){ 0 });
    s_start (bench, "10.67.5.0-10.67.5.9", (sc_job_t){ 0 });
    s_work (bench, 200);
    sc_builtin_settings_t fast = bench->settings;
    fast.rate = 1000;
    s_engine->adopt (bench->prober, &fast);
    int64_t began = s_now ();
    s_work (bench, 10000);
    assert_true (s_now () - began < 1400);
    s_clear (bench);
}

static bool
s_is_ready (const sc_probe_t *probe, int ms)
{
    struct pollfd item = { s_engine->fd (probe), POLLIN, 0 };
    return poll (&item, 1, ms) == 1;
}

/*  Whoever reads an answer to another probe wakes that one.  */
static void
test_wake (void **state)
{
    (void) state;
    bench_t *bench = s_bench (1000);
    s_start (bench, "10.66.0.10 10.66.5.5", (sc_job_t){ 0 });
    s_start (bench, "10.67.3.7", (sc_job_t){ 0 });
    sc_progress_t asked = { 0 };
    int64_t until = s_now () + 2000;
    while (asked.rate == 0 && s_now () < until) {
        (void) s_engine->step (bench->probes[0]);
        assert_false (s_engine->step (bench->probes[1]));
        s_engine->progress (bench->probes[1], &asked);
    }
    (void) usleep (50000);
    assert_false (s_engine->step (bench->probes[0]));
    assert_true (s_is_ready (bench->probes[1], 50));
    assert_true (s_engine->step (bench->probes[1]));
    bench->over[1] = true;
    assert_string_equal (s_show (s_result (bench, 1)), "10.67.3.7 echo");
    s_clear (bench);
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
    bench_t *bench = s_bench (50000);
    s_start (bench, "10.70.0.0-10.70.255.255", (sc_job_t){ 0 });
    s_work (bench, 20000);
    sc_result_t *result = s_result (bench, 0);
    assert_int_equal (result->count, 65536);
    assert_true (result->complete);
    assert_true (bench->took[0] < 6000);
    struct rusage usage;
    assert_int_equal (getrusage (RUSAGE_SELF, &usage), 0);
    assert_true (usage.ru_maxrss < 20000);
    s_clear (bench);
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
    bench_t *bench = s_bench (1000);
    assert_int_equal (seteuid (0), 0);
    s_start (bench, "10.67.0.0-10.67.2.255", (sc_job_t){ 0 });
    s_start (bench, "10.66.10.0-10.66.12.255", (sc_job_t){ 0 });
    s_work (bench, 300);
    assert_true (s_descriptors () > before + 50);
    s_clear (bench);
    assert_int_equal (s_descriptors (), before);
    bench = s_bench (1000);
    s_start (bench, "10.67.0.0-10.67.2.255", (sc_job_t){ 0 });
    s_work (bench, 300);
    s_clear (bench);
    assert_int_equal (s_descriptors (), before);
}

/* local errors */

/*  A user without any, for what is opened here.  */
static bench_t *
s_bench_of_nobody (sh_why_t *note)
{
    sc_builtin_settings_t settings;
    sc_builtin_default (&settings);
    assert_int_equal (setegid (65534), 0);
    assert_int_equal (setgroups (0, NULL), 0);
    assert_int_equal (seteuid (65534), 0);
    assert_int_equal (s_engine->check (&settings, note), SH_OK);
    bench_t *bench = s_bench (1000);
    return bench;
}

static void
s_root_again (void)
{
    assert_int_equal (seteuid (0), 0);
    assert_int_equal (setegid (0), 0);
}

/*  A probe whose result has something missed.  */
static void
s_expect_missed (const char *text, uint64_t missed, uint64_t up,
                 const char *words)
{
    bench_t *bench = s_bench (1000);
    s_start (bench, text, (sc_job_t){ 0 });
    s_work (bench, 20000);
    sc_result_t *result = s_result (bench, 0);
    assert_int_equal (result->count, up);
    assert_int_equal (sh_ranges_count (&result->missed), missed);
    EXPECT (result->text, words);
    uint64_t all = sh_ranges_count (bench->jobs[0].ranges);
    assert_int_equal (result->complete, missed < all);
    s_clear (bench);
}

#define TABLE                                                                  \
    "nft 'add table inet t; add chain inet t o { type filter hook output "     \
    "priority 0; }; add rule inet t o %s'"

#define TABLE_IN                                                               \
    "nft 'add table inet t; add chain inet t i { type filter hook prerouting " \
    "priority 0; }; add rule inet t i %s'"

static void
test_firewall (void **state)
{
    (void) state;
    site_run (TABLE, "ip daddr 10.67.3.0/30 drop");
    s_expect_missed ("10.67.3.0-10.67.3.31", 4, 12,
                     "4 of 32 addresses could not be asked: a firewall");
    s_expect_missed ("10.67.3.0-10.67.3.3", 4, 0,
                     "4 of 4 addresses could not be asked");
    site_run ("nft delete table inet t");
    site_run (TABLE, "ip6 daddr 2001:db8:67::2 drop");
    s_expect_missed ("2001:db8:67::-2001:db8:67::3", 1, 3, "1 of 4 addresses");
    site_run ("nft delete table inet t");
}

static void
test_no_route (void **state)
{
    (void) state;
    site_run ("ip route add unreachable 203.0.113.0/28");
    site_run ("ip route add blackhole 203.0.113.16/28");
    site_run ("ip route add prohibit 203.0.113.32/28");
    s_expect_missed ("203.0.113.0-203.0.113.31", 32, 0, "no route");
    s_expect_missed ("203.0.113.32-203.0.113.33", 2, 0, "firewall rule or");
    site_run ("ip route del default");
    s_expect_missed ("10.66.0.10 10.67.3.1", 1, 1, "no route");
    site_run ("ip route add default via 10.66.0.2");
}

/*  Our own queue is full much of the time: all the same, everybody beyond is
    asked, or is missed.  */
static void
test_full_queue (void **state)
{
    (void) state;
    if (!site_can ("tc qdisc add dev s0 root tbf rate 8kbit burst 200 "
                   "limit 200 2>&1")) {
        print_message ("skipped: no 'tc', or a kernel without tbf\n");
        skip ();
    }
    static const char *const asked[]
        = { "10.67.5.0-10.67.5.63", "2001:db8:67::500-2001:db8:67::53f" };
    site_host ("ip route add local 10.67.5.0/26 dev lo");
    site_host ("ip route add local 2001:db8:67::500/122 dev lo");
    for (size_t i = 0; i < 2; i++) {
        bench_t *bench = s_bench (1000);
        s_start (bench, asked[i], (sc_job_t){ 0 });
        s_work (bench, 20000);
        sc_result_t *result = s_result (bench, 0);
        assert_int_equal (sh_ranges_count (&result->missed) + result->count,
                          64);
        assert_true (result->count > 0);
        s_clear (bench);
    }
    site_host ("ip route del local 10.67.5.0/26 dev lo");
    site_host ("ip route del local 2001:db8:67::500/122 dev lo");
    site_run ("tc qdisc del dev s0 root");
}

/*  A gateway that does not say where it is, so that nothing leaves us: by echo
    and, without any right, by TCP.  */
static void
test_gateway_is_mute (void **state)
{
    (void) state;
    s_long ();
    site_run ("ip route add 10.67.3.0/28 via 10.66.0.77");
    site_run ("ip route add 2001:db8:67::/120 via 2001:db8:66::77");
    s_expect_missed ("10.66.0.10 10.67.3.0-10.67.3.17", 16, 1,
                     "16 of 19 addresses could not be asked: the gateway");
    s_expect_missed ("2001:db8:66::10 2001:db8:67::-2001:db8:67::f", 16, 1,
                     "16 of 17 addresses could not be asked: the gateway");
    sh_why_t note;
    bench_t *bench = s_bench_of_nobody (&note);
    s_start (bench, "10.67.3.0-10.67.3.15", (sc_job_t){ 0 });
    s_work (bench, 20000);
    s_root_again ();
    sc_result_t *result = s_result (bench, 0);
    assert_int_equal (result->count, 0);
    assert_int_equal (sh_ranges_count (&result->missed), 16);
    assert_false (result->complete);
    EXPECT (result->text, "the gateway");
    s_clear (bench);
    site_run ("ip route del 10.67.3.0/28 via 10.66.0.77");
    site_run ("ip route del 2001:db8:67::/120 via 2001:db8:66::77");
}

/*  The same for a while: when the scan ends, nothing is wrong any more, and all
    that there is is what the kernel said of each packet.  */
static void
test_gateway_was_mute (void **state)
{
    (void) state;
    s_long ();
    static const struct
    {
        const char *asked, *route;
    } table[] = {
        { "10.67.4.0-10.67.4.4", "10.67.4.0/28 via 10.66.0.78" },
        { "2001:db8:67::10-2001:db8:67::14",
          "2001:db8:67::/120 via 2001:db8:66::78" },
    };
    for (size_t i = 0; i < 2; i++) {
        bench_t *bench = s_bench (2);
        site_run ("ip route add %s", table[i].route);
        s_start (bench, table[i].asked, (sc_job_t){ 0 });
        /* the kernel gives up after 3 s, and the last ones are asked later */
        s_work (bench, 3900);
        site_run ("ip route del %s", table[i].route);
        s_work (bench, 20000);
        sc_result_t *result = s_result (bench, 0);
        assert_in_range (sh_ranges_count (&result->missed), 1, 4);
        assert_true (result->complete);
        EXPECT (result->text, "addresses could not be asked: the gateway");
        s_clear (bench);
    }
}

/*  What others say of an address is silence: a router, of a host that is not
    there.  */
static void
test_router_says_so (void **state)
{
    (void) state;
    site_host ("ip route add unreachable 10.67.8.0/24");
    site_host ("ip route add unreachable 2001:db8:67::8:0/116");
    s_expect ("10.67.3.1 10.67.8.0-10.67.8.63", (sc_job_t){ 0 },
              "10.67.3.1 echo");
    s_expect ("2001:db8:67::1 2001:db8:67::8:0-2001:db8:67::8:3f",
              (sc_job_t){ 0 }, "2001:db8:67::1 echo");
    site_host ("ip route del unreachable 10.67.8.0/24");
    site_host ("ip route del unreachable 2001:db8:67::8:0/116");
}

/*  A cable that is not there, or is pulled while we ask: nobody behind it was
    silent.  */
static void
test_link_down (void **state)
{
    (void) state;
    bench_t *bench = s_bench (100);
    s_start (bench, "10.66.0.10-10.66.0.29", (sc_job_t){ 0 });
    s_work (bench, 350);
    site_host ("ip link set h0 down");
    s_work (bench, 20000);
    sc_result_t *result = s_result (bench, 0);
    assert_int_equal (result->count, 10);
    assert_int_equal (sh_ranges_count (&result->missed), 10);
    EXPECT (result->text, "is down");
    s_clear (bench);
    s_expect_missed ("10.66.0.0-10.66.0.9", 9, 1, "is down");
    s_expect_missed ("10.67.3.0-10.67.3.15", 16, 0, "is down");
    s_expect_missed ("2001:db8:67::-2001:db8:67::f", 16, 0, "is down");
    /* one that comes only when some were asked in vain */
    bench = s_bench (1000);
    s_start (bench, "10.66.0.3-10.66.0.12", (sc_job_t){ 0 });
    s_work (bench, 200);
    site_host ("ip link set h0 up");
    s_work (bench, 20000);
    result = s_result (bench, 0);
    assert_int_equal (sh_ranges_count (&result->missed) + result->count, 10);
    s_clear (bench);
    site_host ("ip link set h0 up");
    site_host ("ip route replace blackhole 10.67.0.0/16");
    site_run ("ip link set s0 up");
    (void) usleep (1200000);
    static const char *const six[]
        = { "2001:db8:66::2", "2001:db8:66::10", SITE_EUI64, SITE_RANDOM };
    for (size_t i = 0; i < 4; i++) /* which do not outlive it */
        site_host ("ip addr replace %s/64 dev h0 nodad", six[i]);
}

/* without rights */

static void
test_datagrams (void **state)
{
    (void) state;
    sh_why_t note = { "" };
    site_run ("sysctl -qw 'net.ipv4.ping_group_range=65534 65534'");
    bench_t *bench = s_bench_of_nobody (&note);
    EXPECT (note.text, "only found by echo");
    EXPECT (note.text, "CAP_NET_RAW");
    s_start (bench, "10.66.0.1-10.66.0.12 10.67.3.14-10.67.3.20",
             (sc_job_t){ 0 });
    s_start (bench, "2001:db8:67::e-2001:db8:67::12", (sc_job_t){ 0 });
    s_work (bench, 20000);
    s_root_again ();
    assert_string_equal (s_show (s_result (bench, 0)),
                         OWN ", 10.66.0.2 echo, 10.66.0.10 echo, "
                             "10.66.0.11 echo, 10.66.0.12 echo, "
                             "10.67.3.14 echo, 10.67.3.15 echo");
    assert_string_equal (s_show (s_result (bench, 1)),
                         "2001:db8:67::e echo, 2001:db8:67::f echo");
    assert_int_equal (s_result (bench, 0)->missed.count, 0);
    s_clear (bench);
    site_run ("sysctl -qw 'net.ipv4.ping_group_range=1 0'");
}

static int
s_listen (uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons (port) };
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal (bind (fd, (struct sockaddr *) &at, sizeof at), 0);
    assert_int_equal (listen (fd, 10), 0);
    return fd;
}

/*  One has taken a connection, others refuse it; the silent and those whom
    somebody else calls unreachable are not there.  */
static void
test_tcp (void **state)
{
    (void) state;
    sh_why_t note = { "" };
    int fd = s_listen (4433);
    bench_t *bench = s_bench_of_nobody (&note);
    EXPECT (note.text, "TCP");
    EXPECT (note.text, "ping_group_range");
    bench->settings.tcp_ports[0] = 4433;
    bench->settings.tcp_ports[1] = 4434;
    bench->settings.tcp_port_count = 2;
    s_start (bench, "10.66.0.1 10.67.3.14-10.67.3.20 127.0.0.9",
             (sc_job_t){ 0 });
    s_start (bench, "2001:db8:67::e-2001:db8:67::12", (sc_job_t){ 0 });
    site_host ("ip route replace unreachable 10.67.3.18/32");
    site_host (TABLE_IN, "tcp dport 4433 ip daddr 10.67.3.15 drop");
    s_work (bench, 20000);
    s_root_again ();
    assert_string_equal (s_show (s_result (bench, 0)),
                         OWN ", 10.67.3.14 tcp, 10.67.3.15 tcp, "
                             "127.0.0.9 tcp");
    assert_string_equal (s_show (s_result (bench, 1)),
                         "2001:db8:67::e tcp, 2001:db8:67::f tcp");
    assert_string_equal (s_result (bench, 0)->text, "");
    s_clear (bench);
    (void) close (fd);
    site_host ("ip route del unreachable 10.67.3.18/32");
    site_host ("nft delete table inet t");
}

/*  What a firewall says in the name of others is no answer: neither our own nor
    one on the way.  */
static void
test_tcp_rejected (void **state)
{
    (void) state;
    s_long ();
    sh_why_t note = { "" };
    site_run (TABLE, "ip daddr 10.67.3.0/31 reject");
    site_host (TABLE_IN, "ip daddr 10.67.9.1 reject");
    site_host ("nft 'add chain inet t h { type filter hook input priority 0; "
               "}; add rule inet t h ip daddr 10.67.3.2/31 reject'");
    bench_t *bench = s_bench_of_nobody (&note);
    s_start (bench, "10.67.3.0-10.67.3.5 10.67.9.1", (sc_job_t){ 0 });
    s_work (bench, 20000);
    s_root_again ();
    sc_result_t *result = s_result (bench, 0);
    /* .2 and .3 say so themselves */
    assert_string_equal (s_show (result), "10.67.3.2 tcp, 10.67.3.3 tcp, "
                                          "10.67.3.4 tcp, 10.67.3.5 tcp");
    assert_int_equal (sh_ranges_count (&result->missed), 2);
    EXPECT (result->text, "2 of 7 addresses could not be asked: a firewall");
    s_clear (bench);
    site_run ("nft delete table inet t");
    site_host ("nft delete table inet t");
}

/*  Descriptors that are short for a while hold up, and miss nobody; without any
    nobody was asked.  */
static void
test_tcp_without_descriptors (void **state)
{
    (void) state;
    s_long ();
    sh_why_t note = { "" };
    struct rlimit limit, low;
    assert_int_equal (getrlimit (RLIMIT_NOFILE, &limit), 0);
    for (int spare = 2; spare >= 0; spare -= 2) {
        bench_t *bench = s_bench_of_nobody (&note);
        bench->settings.tcp_port_count = 1;
        s_start (bench, "10.67.3.0-10.67.3.15 10.67.4.0-10.67.4.1",
                 (sc_job_t){ 0 });
        int next = dup (0);
        (void) close (next);
        low = limit;
        low.rlim_cur = (rlim_t) (next + spare);
        assert_int_equal (setrlimit (RLIMIT_NOFILE, &low), 0);
        s_work (bench, 30000);
        low.rlim_cur = limit.rlim_cur;
        assert_int_equal (setrlimit (RLIMIT_NOFILE, &low), 0);
        s_root_again ();
        sc_result_t *result
            = s_engine->result (bench->probes[0]);
        assert_true (bench->over[0]);
        assert_int_equal (result->count, spare ? 16 : 0);
        assert_int_equal (result->complete, spare > 0);
        if (!spare)
            EXPECT (result->text, "Too many open files");
        s_clear (bench);
    }
}

/* rights */

/*  The capabilities of this process as /proc tells them, and the probes that it
    can still make, as a text.  */
static void
s_tell_rights (int fd, sc_prober_t *prober)
{
    char line[256];
    FILE *file = fopen ("/proc/self/status", "r");
    while (file && fgets (line, sizeof line, file))
        if (strncmp (line, "Cap", 3) == 0 || strncmp (line, "NoNew", 5) == 0)
            (void) dprintf (fd, "%s", line);
    if (file)
        (void) fclose (file);
    int raw = socket (AF_INET, SOCK_RAW, IPPROTO_ICMP);
    (void) dprintf (fd, "raw %s\n", raw < 0 ? "no" : "yes");
    sh_ranges_t ranges;
    set_read (&ranges, "10.66.0.10 10.67.3.1");
    sc_job_t job = { .ranges = &ranges };
    sc_probe_t *probe = NULL;
    if (s_engine->start (&probe, prober, &job, sh_clock_system (), NULL)
        != SH_OK)
        return;
    int64_t until = s_now () + 5000;
    bool over = false;
    while (!over && s_now () < until) {
        struct pollfd item = { s_engine->fd (probe), POLLIN, 0 };
        (void) poll (&item, 1, 100);
        over = s_engine->step (probe);
    }
    sc_result_settle (s_engine->result (probe), &job, 0, INT64_MAX);
    (void) dprintf (fd, "%s\n", s_show (s_engine->result (probe)));
}

/*  Another user with CAP_NET_RAW alone, as a service manager gives it.  */
static bool
s_become_raw_only (void)
{
    struct __user_cap_header_struct header
        = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    caps[0].effective = caps[0].permitted = caps[0].inheritable
        = 1u << CAP_NET_RAW;
    for (int cap = 0; prctl (PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (cap != CAP_NET_RAW)
            (void) prctl (PR_CAPBSET_DROP, cap, 0, 0, 0);
    return prctl (PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0
           && setgroups (0, NULL) == 0 && setresgid (65534, 65534, 65534) == 0
           && setresuid (65534, 65534, 65534) == 0
           && syscall (SYS_capset, &header, caps) == 0
           && prctl (PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0)
                  == 0;
}

/*  Another process opens the prober and gives up its rights.  'raw_only': it is
    no root and has CAP_NET_RAW alone, also as ambient.  */
static const char *
s_rights_of (bool child, bool raw_only)
{
    static char text[4096];
    int ends[2];
    assert_int_equal (pipe (ends), 0);
    pid_t pid = fork ();
    if (pid == 0) {
        sc_builtin_settings_t settings;
        sc_builtin_default (&settings);
        sc_prober_t *prober = NULL;
        if (raw_only && !s_become_raw_only ())
            _exit (1);
        if (s_engine->open (&prober, &settings, sh_clock_system (), NULL)
                == SH_OK
            && sc_rights_reduce (child, NULL) == SH_OK)
            s_tell_rights (ends[1], prober);
        _exit (0);
    }
    (void) close (ends[1]);
    size_t used = 0;
    ssize_t got;
    while ((got = read (ends[0], text + used, sizeof text - 1 - used)) > 0)
        used += (size_t) got;
    text[used] = '\0';
    (void) close (ends[0]);
    (void) waitpid (pid, NULL, 0);
    return text;
}

#define NONE "0000000000000000\n"
#define FOUND "10.66.0.10 arp " SITE_MAC ", 10.67.3.1 echo"

/*  What is open goes on to work when every right is gone.  */
static void
test_rights (void **state)
{
    (void) state;
    const char *text = s_rights_of (false, false);
    EXPECT (text, "CapInh:\t" NONE "CapPrm:\t" NONE "CapEff:\t" NONE
                  "CapBnd:\t" NONE "CapAmb:\t" NONE "NoNewPrivs:\t1\n");
    EXPECT (text, "raw no\n" FOUND);
    text = s_rights_of (false, true);
    EXPECT (text, "CapInh:\t" NONE "CapPrm:\t" NONE "CapEff:\t" NONE);
    EXPECT (text, "CapAmb:\t" NONE "NoNewPrivs:\t1\n");
    EXPECT (text, "raw no\n" FOUND);
    /* a program that is to come finds the one right */
    text = s_rights_of (true, false);
    EXPECT (text, "CapEff:\t" NONE "CapBnd:\t0000000000002000\n");
    text = s_rights_of (true, true);
    EXPECT (text, "CapEff:\t" NONE);
    EXPECT (text, "CapAmb:\t0000000000002000\n");
}

static int
s_end (void **state)
{
    (void) state;
    site_end ();
    return 0;
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
        cmocka_unit_test (test_firewall),
        cmocka_unit_test (test_no_route),
        cmocka_unit_test (test_full_queue),
        cmocka_unit_test (test_gateway_is_mute),
        cmocka_unit_test (test_gateway_was_mute),
        cmocka_unit_test (test_router_says_so),
        cmocka_unit_test (test_datagrams),
        cmocka_unit_test (test_tcp),
        cmocka_unit_test (test_tcp_rejected),
        cmocka_unit_test (test_tcp_without_descriptors),
        cmocka_unit_test (test_rights),
        cmocka_unit_test (test_link_down), /* which shakes the site */
    };
    if (argc > 1) /* only those whose names match */
        cmocka_set_test_filter (argv[1]);
    if (!site_begin ()) {
        printf ("1..0 # SKIP only root can make network namespaces\n");
        return 77;
    }
    return cmocka_run_group_tests (tests, NULL, s_end);
}
