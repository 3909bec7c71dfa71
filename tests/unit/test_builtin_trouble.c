/* SPDX-License-Identifier: MPL-2.0 */
/*  The built-in prober where something is in its way: firewalls, routes, links,
    rights that are missing.  Without root these tests are skipped.  */

#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
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
#include <unistd.h>

#include <cmocka.h>

#include "scanner/rights.h"
#include "tests/unit/bench.h"

#define ARP(last) "10.66.0." last " arp " SITE_MAC
#define OWN "10.66.0.1 local " SITE_OWN_MAC

/*  A user without any, for what is opened here.  */
static bench_t *
s_bench_of_nobody (sh_why_t *note)
{
    sc_builtin_settings_t settings;
    sc_builtin_default (&settings);
    assert_int_equal (setegid (65534), 0);
    assert_int_equal (setgroups (0, NULL), 0);
    assert_int_equal (seteuid (65534), 0);
    assert_int_equal (bench_engine->check (&settings, note), SH_OK);
    bench_t *bench = bench_new (1000);
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
    bench_t *bench = bench_new (1000);
    bench_start (bench, text, (sc_job_t){ 0 });
    bench_work (bench, 20000);
    sc_result_t *result = bench_result (bench, 0);
    assert_int_equal (result->count, up);
    assert_int_equal (sh_ranges_count (&result->missed), missed);
    BENCH_SAYS (result->text, words);
    uint64_t all = sh_ranges_count (bench->jobs[0].ranges);
    assert_int_equal (result->complete, missed < all);
    bench_clear (bench);
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
        bench_t *bench = bench_new (1000);
        bench_start (bench, asked[i], (sc_job_t){ 0 });
        bench_work (bench, 20000);
        sc_result_t *result = bench_result (bench, 0);
        assert_int_equal (sh_ranges_count (&result->missed) + result->count,
                          64);
        assert_true (result->count > 0);
        bench_clear (bench);
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
    bench_long ();
    site_run ("ip route add 10.67.3.0/28 via 10.66.0.77");
    site_run ("ip route add 2001:db8:67::/120 via 2001:db8:66::77");
    s_expect_missed ("10.66.0.10 10.67.3.0-10.67.3.17", 16, 1,
                     "16 of 19 addresses could not be asked: the gateway");
    s_expect_missed ("2001:db8:66::10 2001:db8:67::-2001:db8:67::f", 16, 1,
                     "16 of 17 addresses could not be asked: the gateway");
    sh_why_t note;
    bench_t *bench = s_bench_of_nobody (&note);
    bench_start (bench, "10.67.3.0-10.67.3.15", (sc_job_t){ 0 });
    bench_work (bench, 20000);
    s_root_again ();
    sc_result_t *result = bench_result (bench, 0);
    assert_int_equal (result->count, 0);
    assert_int_equal (sh_ranges_count (&result->missed), 16);
    assert_false (result->complete);
    BENCH_SAYS (result->text, "the gateway");
    bench_clear (bench);
    site_run ("ip route del 10.67.3.0/28 via 10.66.0.77");
    site_run ("ip route del 2001:db8:67::/120 via 2001:db8:66::77");
}

/*  The same for a while: when the scan ends, nothing is wrong any more, and all
    that there is is what the kernel said of each packet.  */
static void
test_gateway_was_mute (void **state)
{
    (void) state;
    bench_long ();
    static const struct
    {
        const char *asked, *route;
    } table[] = {
        { "10.67.4.0-10.67.4.4", "10.67.4.0/28 via 10.66.0.78" },
        { "2001:db8:67::10-2001:db8:67::14",
          "2001:db8:67::/120 via 2001:db8:66::78" },
    };
    for (size_t i = 0; i < 2; i++) {
        bench_t *bench = bench_new (2);
        site_run ("ip route add %s", table[i].route);
        bench_start (bench, table[i].asked, (sc_job_t){ 0 });
        /* the kernel gives up after 3 s, and the last ones are asked later */
        bench_work (bench, 3900);
        site_run ("ip route del %s", table[i].route);
        bench_work (bench, 20000);
        sc_result_t *result = bench_result (bench, 0);
        assert_in_range (sh_ranges_count (&result->missed), 1, 4);
        assert_true (result->complete);
        BENCH_SAYS (result->text, "addresses could not be asked: the gateway");
        bench_clear (bench);
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
    bench_expect ("10.67.3.1 10.67.8.0-10.67.8.63", (sc_job_t){ 0 },
                  "10.67.3.1 echo");
    bench_expect ("2001:db8:67::1 2001:db8:67::8:0-2001:db8:67::8:3f",
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
    bench_t *bench = bench_new (100);
    bench_start (bench, "10.66.0.10-10.66.0.29", (sc_job_t){ 0 });
    bench_work (bench, 350);
    site_host ("ip link set h0 down");
    bench_work (bench, 20000);
    sc_result_t *result = bench_result (bench, 0);
    assert_int_equal (result->count, 10);
    assert_int_equal (sh_ranges_count (&result->missed), 10);
    BENCH_SAYS (result->text, "is down");
    bench_clear (bench);
    s_expect_missed ("10.66.0.0-10.66.0.9", 9, 1, "is down");
    s_expect_missed ("10.67.3.0-10.67.3.15", 16, 0, "is down");
    s_expect_missed ("2001:db8:67::-2001:db8:67::f", 16, 0, "is down");
    /* one that comes only when some were asked in vain */
    bench = bench_new (1000);
    bench_start (bench, "10.66.0.3-10.66.0.12", (sc_job_t){ 0 });
    bench_work (bench, 200);
    site_host ("ip link set h0 up");
    bench_work (bench, 20000);
    result = bench_result (bench, 0);
    assert_int_equal (sh_ranges_count (&result->missed) + result->count, 10);
    bench_clear (bench);
    site_host ("ip link set h0 up");
    site_host ("ip route replace blackhole 10.67.0.0/16");
    site_run ("ip link set s0 up");
    (void) sleep (2);
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
    BENCH_SAYS (note.text, "only found by echo");
    BENCH_SAYS (note.text, "CAP_NET_RAW");
    bench_start (bench, "10.66.0.1-10.66.0.12 10.67.3.14-10.67.3.20",
                 (sc_job_t){ 0 });
    bench_start (bench, "2001:db8:67::e-2001:db8:67::12", (sc_job_t){ 0 });
    bench_work (bench, 20000);
    s_root_again ();
    assert_string_equal (bench_show (bench_result (bench, 0)),
                         OWN ", 10.66.0.2 echo, 10.66.0.10 echo, "
                             "10.66.0.11 echo, 10.66.0.12 echo, "
                             "10.67.3.14 echo, 10.67.3.15 echo");
    assert_string_equal (bench_show (bench_result (bench, 1)),
                         "2001:db8:67::e echo, 2001:db8:67::f echo");
    assert_int_equal (bench_result (bench, 0)->missed.count, 0);
    bench_clear (bench);
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
    BENCH_SAYS (note.text, "TCP");
    BENCH_SAYS (note.text, "ping_group_range");
    bench->settings.tcp_ports[0] = 4433;
    bench->settings.tcp_ports[1] = 4434;
    bench->settings.tcp_port_count = 2;
    bench_start (bench, "10.66.0.1 10.67.3.14-10.67.3.20 127.0.0.9",
                 (sc_job_t){ 0 });
    bench_start (bench, "2001:db8:67::e-2001:db8:67::12", (sc_job_t){ 0 });
    site_host ("ip route replace unreachable 10.67.3.18/32");
    site_host (TABLE_IN, "tcp dport 4433 ip daddr 10.67.3.15 drop");
    bench_work (bench, 20000);
    s_root_again ();
    assert_string_equal (bench_show (bench_result (bench, 0)),
                         OWN ", 10.67.3.14 tcp, 10.67.3.15 tcp, "
                             "127.0.0.9 tcp");
    assert_string_equal (bench_show (bench_result (bench, 1)),
                         "2001:db8:67::e tcp, 2001:db8:67::f tcp");
    assert_string_equal (bench_result (bench, 0)->text, "");
    bench_clear (bench);
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
    bench_long ();
    sh_why_t note = { "" };
    site_run (TABLE, "ip daddr 10.67.3.0/31 reject");
    site_host (TABLE_IN, "ip daddr 10.67.9.1 reject");
    site_host ("nft 'add chain inet t h { type filter hook input priority 0; "
               "}; add rule inet t h ip daddr 10.67.3.2/31 reject'");
    bench_t *bench = s_bench_of_nobody (&note);
    bench_start (bench, "10.67.3.0-10.67.3.5 10.67.9.1", (sc_job_t){ 0 });
    bench_work (bench, 20000);
    s_root_again ();
    sc_result_t *result = bench_result (bench, 0);
    /* .2 and .3 say so themselves */
    assert_string_equal (bench_show (result), "10.67.3.2 tcp, 10.67.3.3 tcp, "
                                          "10.67.3.4 tcp, 10.67.3.5 tcp");
    assert_int_equal (sh_ranges_count (&result->missed), 2);
    BENCH_SAYS (result->text, "2 of 7 addresses could not be asked: a firewall");
    bench_clear (bench);
    site_run ("nft delete table inet t");
    site_host ("nft delete table inet t");
}

/*  Descriptors that are short for a while hold up, and miss nobody; without any
    nobody was asked.  */
static void
test_tcp_without_descriptors (void **state)
{
    (void) state;
    bench_long ();
    sh_why_t note = { "" };
    struct rlimit limit, low;
    assert_int_equal (getrlimit (RLIMIT_NOFILE, &limit), 0);
    for (int spare = 2; spare >= 0; spare -= 2) {
        bench_t *bench = s_bench_of_nobody (&note);
        bench->settings.tcp_port_count = 1;
        bench_start (bench, "10.67.3.0-10.67.3.15 10.67.4.0-10.67.4.1",
                     (sc_job_t){ 0 });
        int next = dup (0);
        (void) close (next);
        low = limit;
        low.rlim_cur = (rlim_t) (next + spare);
        assert_int_equal (setrlimit (RLIMIT_NOFILE, &low), 0);
        bench_work (bench, 30000);
        low.rlim_cur = limit.rlim_cur;
        assert_int_equal (setrlimit (RLIMIT_NOFILE, &low), 0);
        s_root_again ();
        sc_result_t *result
            = bench_engine->result (bench->probes[0]);
        assert_true (bench->over[0]);
        assert_int_equal (result->count, spare ? 16 : 0);
        assert_int_equal (result->complete, spare > 0);
        if (!spare)
            BENCH_SAYS (result->text, "Too many open files");
        bench_clear (bench);
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
    if (bench_engine->start (&probe, prober, &job, sh_clock_system (), NULL)
        != SH_OK)
        return;
    int64_t until = bench_now () + 5000;
    bool over = false;
    while (!over && bench_now () < until) {
        struct pollfd item = { bench_engine->fd (probe), POLLIN, 0 };
        (void) poll (&item, 1, 100);
        over = bench_engine->step (probe);
    }
    sc_result_settle (bench_engine->result (probe), &job, 0, INT64_MAX);
    (void) dprintf (fd, "%s\n", bench_show (bench_engine->result (probe)));
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
        if (bench_engine->open (&prober, &settings, sh_clock_system (), NULL)
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
    BENCH_SAYS (text, "CapInh:\t" NONE "CapPrm:\t" NONE "CapEff:\t" NONE
                "CapBnd:\t" NONE "CapAmb:\t" NONE "NoNewPrivs:\t1\n");
    BENCH_SAYS (text, "raw no\n" FOUND);
    text = s_rights_of (false, true);
    BENCH_SAYS (text, "CapInh:\t" NONE "CapPrm:\t" NONE "CapEff:\t" NONE);
    BENCH_SAYS (text, "CapAmb:\t" NONE "NoNewPrivs:\t1\n");
    BENCH_SAYS (text, "raw no\n" FOUND);
    /* a program that is to come finds the one right */
    text = s_rights_of (true, false);
    BENCH_SAYS (text, "CapEff:\t" NONE "CapBnd:\t0000000000002000\n");
    text = s_rights_of (true, true);
    BENCH_SAYS (text, "CapEff:\t" NONE);
    BENCH_SAYS (text, "CapAmb:\t0000000000002000\n");
}

int
main (int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
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
    if (!bench_begin (argc, argv))
        return 77;
    return cmocka_run_group_tests (tests, NULL, bench_end);
}
