/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/site.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/err.h"
#include "scanner/packets.h"
#include "scanner/wire.h"

static pid_t s_hosts; /* the process that holds the hosts' namespace */
static pid_t s_forger;

static void SH_PRINTF (2, 0)
s_shell (const char *before, const char *format, va_list args)
{
    char what[1024], command[1200];
    (void) vsnprintf (what, sizeof what, format, args);
    (void) snprintf (command, sizeof command, "%s %s", before, what);
    if (system (command) != 0)
        fail_msg ("%s", command);
}

void
site_run (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_shell ("", format, args);
    va_end (args);
}

bool
site_can (const char *command)
{
    return system (command) == 0;
}

void
site_host (const char *format, ...)
{
    char before[64];
    (void) snprintf (before, sizeof before, "nsenter -t %d -n", (int) s_hosts);
    va_list args;
    va_start (args, format);
    s_shell (before, format, args);
    va_end (args);
}

/*  A process in a namespace of its own that waits to be killed.  */
static bool
s_fork (void)
{
    int ready[2];
    char byte;
    if (pipe (ready) != 0)
        return false;
    s_hosts = fork ();
    if (s_hosts == 0) {
        (void) prctl (PR_SET_PDEATHSIG, SIGKILL);
        if (unshare (CLONE_NEWNET) == 0)
            (void) !write (ready[1], "", 1);
        (void) close (ready[0]);
        (void) close (ready[1]);
        for (;;)
            (void) pause ();
    }
    (void) close (ready[1]);
    bool good = s_hosts > 0 && read (ready[0], &byte, 1) == 1;
    (void) close (ready[0]);
    return good;
}

static void
s_build (void)
{
    static const char *const dad
        = "sysctl -qw net.ipv6.conf.all.accept_dad=0 "
          "net.ipv6.conf.default.accept_dad=0 "
          "net.ipv6.conf.default.dad_transmits=0 "
          "net.ipv4.icmp_ratelimit=0";
    site_run ("%s", dad);
    site_host ("%s", dad);
    site_run ("ip link set lo up");
    site_host ("ip link set lo up");
    site_run ("ip link add s0 address " SITE_OWN_MAC
              " type veth peer name h0 address " SITE_MAC " netns %d",
              (int) s_hosts);
    site_run ("ip addr add 10.66.0.1/16 dev s0");
    site_run ("ip addr add 2001:db8:66::1/64 dev s0 nodad");
    site_host ("ip addr add 10.66.0.2/16 dev h0");
    for (int i = 10; i < 20; i++)
        site_host ("ip addr add 10.66.0.%d/16 dev h0", i);
    site_host ("ip addr add 10.66.200.7/16 dev h0");
    static const char *const six[]
        = { "2001:db8:66::2", "2001:db8:66::10", SITE_EUI64, SITE_RANDOM };
    for (size_t i = 0; i < sizeof six / sizeof *six; i++)
        site_host ("ip addr add %s/64 dev h0 nodad", six[i]);
    site_run ("ip link set s0 up");
    site_host ("ip link set h0 up");
    site_host ("sysctl -qw net.ipv4.ip_forward=1 "
               "net.ipv6.conf.all.forwarding=1");
    site_host ("ip route add local 10.67.3.0/28 dev lo");
    site_host ("ip route add blackhole 10.67.0.0/16");
    site_host ("ip route add local 2001:db8:67::/124 dev lo");
    site_host ("ip route add blackhole 2001:db8:67::/112");
    site_run ("ip route add default via 10.66.0.2");
    site_run ("ip route add default via 2001:db8:66::2");
}

bool
site_begin (void)
{
    if (geteuid () != 0 || !s_fork ())
        return false;
    if (unshare (CLONE_NEWNET) != 0)
        return false;
    s_build ();
    (void) sleep (2); /* link-local addresses, carrier */
    return true;
}

void
site_end (void)
{
    if (s_hosts <= 0)
        return;
    (void) kill (s_hosts, SIGKILL);
    (void) waitpid (s_hosts, NULL, 0);
    s_hosts = 0;
}

uint64_t
site_heard (void)
{
    char path[64], line[512];
    uint64_t packets = 0;
    (void) snprintf (path, sizeof path, "/proc/%d/net/dev", (int) s_hosts);
    FILE *file = fopen (path, "r");
    assert_non_null (file);
    while (fgets (line, sizeof line, file)) {
        char *at = strstr (line, "h0:");
        if (at)
            assert_int_equal (sscanf (at, "h0: %*u %" SCNu64, &packets), 1);
    }
    (void) fclose (file);
    return packets;
}

/* forged answers */

static const uint8_t s_us[6] = { 2, 0, 0, 0, 0x66, 1 };
static const uint8_t s_forged[6] = { 2, 0, 0, 0, 0x99, 0x99 };
static const uint8_t s_all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static sh_addr_t
s_ip (const char *text)
{
    sh_addr_t ip = { 0 };
    (void) !sh_addr_parse (&ip, text);
    return ip;
}

/*  An Ethernet frame; of a VLAN unless 'vlan' is 0.  */
static void
s_frame (int fd, const uint8_t *to, unsigned vlan, unsigned type,
         const uint8_t *packet, size_t size)
{
    uint8_t frame[256] = { 0 };
    size_t at = 12;
    memcpy (frame, to, 6);
    memcpy (frame + 6, s_forged, 6);
    if (vlan) {
        sc_put16 (frame + at, 0x8100);
        sc_put16 (frame + at + 2, vlan);
        at += 4;
    }
    sc_put16 (frame + at, type);
    memcpy (frame + at + 2, packet, size);
    (void) !send (fd, frame, at + 2 + size, 0);
}

static void
s_forge_arp (int fd, const uint8_t *to, unsigned vlan, const char *from,
             const char *target, const uint8_t *target_mac)
{
    uint8_t packet[SC_ARP_BYTES];
    sh_addr_t source = s_ip (from), us = s_ip (target);
    sc_arp_make (packet, s_forged, &source, &us);
    packet[7] = 2;
    memcpy (packet + 18, target_mac, 6);
    s_frame (fd, to, vlan, 0x806, packet, sizeof packet);
}

/*  A whole ICMPv6 packet to us.  */
static void
s_forge_icmp6 (int fd, const char *from, const char *to, uint8_t hops,
               uint8_t *icmp, size_t size)
{
    uint8_t packet[128];
    sh_addr_t source = s_ip (from), us = s_ip (to);
    sc_put_ip6 (packet, size, SC_NEXT_ICMP6, hops, &source, &us);
    sc_put16 (icmp + 2, 0);
    memcpy (packet + SC_IP6_BYTES, icmp, size);
    sc_put16 (packet + SC_IP6_BYTES + 2,
              sc_icmp6_sum (packet, SC_IP6_BYTES, SC_IP6_BYTES + size));
    s_frame (fd, s_us, 0, 0x86dd, packet, SC_IP6_BYTES + size);
}

static void
s_forge_advert (int fd, const char *target, const char *to, uint8_t flags,
                uint8_t hops)
{
    uint8_t icmp[32] = { 136, 0, 0, 0, flags };
    sh_addr_t ip = s_ip (target);
    memcpy (icmp + 8, ip.bytes, 16);
    icmp[24] = 2;
    icmp[25] = 1;
    memcpy (icmp + 26, s_forged, 6);
    s_forge_icmp6 (fd, "fe80::99", to, hops, icmp, sizeof icmp);
}

static void
s_forge_echo4 (int fd, const char *from, size_t size)
{
    uint8_t packet[64] = { 0x45 };
    sh_addr_t source = s_ip (from), us = s_ip ("10.66.0.1");
    sc_put16 (packet + 2, (unsigned) (20 + size));
    packet[8] = 64;
    packet[9] = 1;
    memcpy (packet + 12, source.bytes, 4);
    memcpy (packet + 16, us.bytes, 4);
    sc_put16 (packet + 10, sc_fold (sc_sum (0, packet, 20)));
    sc_put16 (packet + 22, sc_fold (sc_sum (0, packet + 20, size)));
    s_frame (fd, s_us, 0, 0x800, packet, 20 + size);
}

static void
s_forge (int fd)
{
    const char *us = "10.66.0.1", *us6 = "2001:db8:66::1";
    s_forge_arp (fd, s_us, 0, "10.66.9.1", us, s_us); /* good */
    s_forge_arp (fd, s_all, 0, "10.66.9.2", "10.66.9.2", s_forged);
    s_forge_arp (fd, s_us, 0, "10.66.9.3", "10.66.9.3", s_us);
    s_forge_arp (fd, s_us, 0, "10.66.9.4", us, s_forged);
    s_forge_arp (fd, s_all, 0, "10.66.9.5", us, s_us);
    s_forge_arp (fd, s_us, 9, "10.66.9.6", us, s_us);
    s_forge_arp (fd, s_us, 0, "10.66.9.7", "10.66.0.3", s_us);
    s_forge_arp (fd, s_us, 0, "10.66.9.200", us, s_us); /* not asked */
    s_forge_advert (fd, "2001:db8:66::9:1", us6, 0x60, 255); /* good */
    s_forge_advert (fd, "2001:db8:66::9:2", us6, 0x20, 255);
    s_forge_advert (fd, "2001:db8:66::9:3", us6, 0x60, 64);
    s_forge_advert (fd, "2001:db8:66::9:4", "2001:db8:66::3", 0x60, 255);
    s_forge_advert (fd, "2001:db8:66::9:5", "ff02::1", 0x60, 255);
    s_forge_echo4 (fd, "10.67.9.1", 24);
    s_forge_echo4 (fd, "10.67.9.2", 8);
    s_forge_echo4 (fd, "10.66.9.8", 24);
    uint8_t echo[24] = { 129 };
    s_forge_icmp6 (fd, "2001:db8:66:0:9::1", us6, 64, echo, sizeof echo);
}

static int
s_open_link (const char *name)
{
    int fd = socket (AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    struct sockaddr_ll link = { .sll_family = AF_PACKET,
                                .sll_protocol = htons (3), /* all */
                                .sll_ifindex = (int) if_nametoindex (name) };
    if (bind (fd, (struct sockaddr *) &link, sizeof link) != 0)
        _exit (1);
    return fd;
}

/*  A process that is on the hosts' link; true in that process.  */
static bool
s_fork_forger (void)
{
    s_forger = fork ();
    assert_true (s_forger >= 0);
    if (s_forger > 0)
        return false;
    char path[64];
    (void) prctl (PR_SET_PDEATHSIG, SIGKILL);
    (void) snprintf (path, sizeof path, "/proc/%d/ns/net", (int) s_hosts);
    int net = open (path, O_RDONLY | O_CLOEXEC);
    if (net < 0 || setns (net, CLONE_NEWNET) != 0)
        _exit (1);
    return true;
}

static void
s_end_forger (void)
{
    (void) kill (s_forger, SIGKILL);
    (void) waitpid (s_forger, NULL, 0);
}

void
site_forge_begin (void)
{
    /* another link, whose end here has the same MAC */
    site_run ("ip link add s9 address " SITE_OWN_MAC
              " type veth peer name h9 netns %d",
              (int) s_hosts);
    site_run ("ip link set s9 up");
    site_host ("ip link set h9 up");
    if (!s_fork_forger ())
        return;
    int fd = s_open_link ("h0"), other = s_open_link ("h9");
    for (;;) {
        s_forge (fd);
        s_forge_arp (other, s_us, 0, "10.66.9.9", "10.66.0.1", s_us);
        s_forge_advert (other, "2001:db8:66::9:9", "2001:db8:66::1", 0x60,
                        255);
        (void) usleep (10000);
    }
}

void
site_forge_end (void)
{
    s_end_forger ();
    site_run ("ip link del s9");
}

void
site_crowd_begin (unsigned addresses)
{
    if (!s_fork_forger ())
        return;
    int fd = s_open_link ("h0");
    for (;;) {
        uint8_t frame[256], *icmp = frame + 14 + SC_IP6_BYTES;
        ssize_t size = recv (fd, frame, sizeof frame, 0);
        if (size != 14 + SC_IP6_BYTES + SC_ECHO_BYTES
            || memcmp (frame, sc_all_nodes_mac, SC_MAC_BYTES) != 0
            || icmp[0] != 128)
            continue;
        icmp[0] = 129;
        for (unsigned i = 1; i <= addresses; i++) {
            char ip[32];
            (void) snprintf (ip, sizeof ip, "2001:db8:66::7:%x", i);
            s_forge_icmp6 (fd, ip, "2001:db8:66::1", 64, icmp, SC_ECHO_BYTES);
        }
    }
}

void
site_crowd_end (void)
{
    s_end_forger ();
}
