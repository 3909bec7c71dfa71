/* SPDX-License-Identifier: MPL-2.0 */
/*  Packets of the built-in prober: byte for byte what the RFCs say, answers
    that are taken, and everything else, which is not.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scanner/neighbours.h"
#include "scanner/packets.h"
#include "scanner/wire.h"
#include "tests/unit/sets.h"

static const uint8_t s_ours[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t s_theirs[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
static const uint8_t s_key[SC_KEY_BYTES] = "0123456789abcdef";

/*  A copy of just that size, so that a sanitizer sees a byte too many.  */
static sh_bytes_t
s_exact (const uint8_t *data, size_t size)
{
    static uint8_t *copy;
    free (copy);
    copy = malloc (size ? size : 1);
    assert_non_null (copy);
    memcpy (copy, data, size);
    return (sh_bytes_t){ copy, size };
}

static void
test_mac_text (void **state)
{
    (void) state;
    char text[SC_MAC_LINE];
    sc_mac_text (text, s_theirs);
    assert_string_equal (text, "52:54:00:12:34:56");
    sc_mac_text (text, (const uint8_t[6]){ 0 });
    assert_string_equal (text, "");
    sc_mac_text (text, (const uint8_t[6]){ 3, 0xbf, 1, 2, 3, 4 });
    assert_string_equal (text, "");
}

/* ARP */

static const uint8_t s_arp_reply[SC_ARP_BYTES]
    = { 0,    1,    8, 0,    6,    4,    0,  2, 0x52, 0x54, 0, 0x12, 0x34, 0x56,
        10,   0,    0, 9,    2,    0,    0,  0, 0,    1,    10, 0,   0,    1 };

static void
test_arp (void **state)
{
    (void) state;
    uint8_t packet[SC_ARP_BYTES];
    sh_addr_t us = set_ip ("10.0.0.1"), target = set_ip ("10.0.0.9");
    sc_arp_make (packet, s_ours, &us, &target);
    static const uint8_t wanted[SC_ARP_BYTES]
        = { 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0,  0, 1,
            10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 9 };
    assert_memory_equal (packet, wanted, sizeof wanted);
    sc_arp_t arp;
    assert_true (sc_arp_read (&arp, s_exact (s_arp_reply, SC_ARP_BYTES)));
    assert_int_equal (sh_addr_cmp (&arp.from, &target), 0);
    assert_int_equal (sh_addr_cmp (&arp.to, &us), 0);
    assert_memory_equal (arp.mac, s_theirs, 6);
    assert_memory_equal (arp.to_mac, s_ours, 6);
    uint8_t padded[46] = { 0 }; /* to Ethernet's least */
    memcpy (padded, s_arp_reply, sizeof s_arp_reply);
    assert_true (sc_arp_read (&arp, s_exact (padded, sizeof padded)));
}

static void
test_arp_hostile (void **state)
{
    (void) state;
    sc_arp_t arp;
    for (size_t size = 0; size < SC_ARP_BYTES; size++)
        assert_false (sc_arp_read (&arp, s_exact (s_arp_reply, size)));
    for (size_t i = 0; i < 8; i++) { /* another hardware, protocol, operation */
        uint8_t packet[SC_ARP_BYTES];
        memcpy (packet, s_arp_reply, sizeof packet);
        packet[i] ^= 1;
        assert_false (sc_arp_read (&arp, s_exact (packet, sizeof packet)));
    }
}

/* discovery */

/*  Something whole with a good checksum.  */
static size_t
s_icmp6 (uint8_t *packet, const char *from, const char *to, uint8_t hops,
         const uint8_t *icmp, size_t size)
{
    sh_addr_t source = set_ip (from), target = set_ip (to);
    sc_put_ip6 (packet, size, SC_NEXT_ICMP6, hops, &source, &target);
    memcpy (packet + SC_IP6_BYTES, icmp, size);
    sc_put16 (packet + SC_IP6_BYTES + 2, 0);
    sc_put16 (packet + SC_IP6_BYTES + 2,
              sc_icmp6_sum (packet, SC_IP6_BYTES, SC_IP6_BYTES + size));
    return SC_IP6_BYTES + size;
}

static void
test_solicit (void **state)
{
    (void) state;
    uint8_t packet[SC_SOLICIT_BYTES], group[6];
    sh_addr_t us = set_ip ("2001:db8::1");
    sh_addr_t target = set_ip ("2001:db8::12:3456");
    sc_solicit_make (packet, group, s_ours, &us, &target);
    static const uint8_t wanted_group[6]
        = { 0x33, 0x33, 0xff, 0x12, 0x34, 0x56 };
    assert_memory_equal (group, wanted_group, 6);
    static const uint8_t head[8] = { 0x60, 0, 0, 0, 0, 32, 58, 255 };
    assert_memory_equal (packet, head, 8);
    sh_addr_t to = set_ip ("ff02::1:ff12:3456");
    assert_memory_equal (packet + 8, us.bytes, 16);
    assert_memory_equal (packet + 24, to.bytes, 16);
    assert_int_equal (packet[40], 135);
    assert_memory_equal (packet + 48, target.bytes, 16);
    static const uint8_t option[8] = { 1, 1, 2, 0, 0, 0, 0, 1 };
    assert_memory_equal (packet + 64, option, 8);
    assert_int_equal (sc_icmp6_sum (packet, 40, sizeof packet), 0);
}

/*  A solicited advertisement of 2001:db8::9 with a MAC; its ICMPv6 part.  */
static void
s_advert (uint8_t icmp[static 32])
{
    sh_addr_t target = set_ip ("2001:db8::9");
    memset (icmp, 0, 32);
    icmp[0] = 136;
    icmp[4] = 0x60;
    memcpy (icmp + 8, target.bytes, 16);
    icmp[24] = 2;
    icmp[25] = 1;
    memcpy (icmp + 26, s_theirs, 6);
}

static bool
s_read_advert (sc_advert_t *out, const uint8_t *icmp, size_t size,
               uint8_t hops)
{
    uint8_t packet[256];
    size = s_icmp6 (packet, "fe80::9", "2001:db8::1", hops, icmp, size);
    return sc_advert_read (out, s_exact (packet, size));
}

static void
test_advert (void **state)
{
    (void) state;
    uint8_t icmp[48] = { 0 };
    sc_advert_t advert;
    sh_addr_t target = set_ip ("2001:db8::9"), us = set_ip ("2001:db8::1");
    s_advert (icmp);
    assert_true (s_read_advert (&advert, icmp, 32, 255));
    assert_int_equal (sh_addr_cmp (&advert.target, &target), 0);
    assert_int_equal (sh_addr_cmp (&advert.to, &us), 0);
    assert_true (advert.has_mac);
    assert_memory_equal (advert.mac, s_theirs, 6);
    assert_true (s_read_advert (&advert, icmp, 24, 255)); /* without */
    assert_false (advert.has_mac);
    /* behind an option that is new to us */
    memmove (icmp + 40, icmp + 24, 8);
    memset (icmp + 24, 0, 16);
    icmp[24] = 14;
    icmp[25] = 2;
    assert_true (s_read_advert (&advert, icmp, 48, 255));
    assert_true (advert.has_mac);
}

static void
test_advert_hostile (void **state)
{
    (void) state;
    uint8_t good[32], icmp[32], packet[128];
    sc_advert_t advert;
    s_advert (good);
    size_t size = s_icmp6 (packet, "fe80::9", "2001:db8::1", 255, good, 32);
    for (size_t i = 0; i < size; i++)
        assert_false (sc_advert_read (&advert, s_exact (packet, i)));
    for (size_t i = 0; i < size; i++) { /* any bit that is covered */
        if (i >= 1 && i < 4) /* traffic class and flow label say nothing */
            continue;
        packet[i] ^= 0x10;
        assert_false (sc_advert_read (&advert, s_exact (packet, size)));
        packet[i] ^= 0x10;
    }
    assert_false (s_read_advert (&advert, good, 32, 254)); /* routed */
    static const struct
    {
        size_t at;
        uint8_t value;
    } table[] = { { 0, 135 },  /* a solicitation */
                  { 1, 1 },    /* code */
                  { 4, 0x20 }, /* not solicited: anybody's own idea */
                  { 8, 0xff }, /* a multicast target */
                  { 25, 0 },   /* an option without end */
                  { 25, 2 } }; /* and one beyond the packet */
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        memcpy (icmp, good, sizeof icmp);
        icmp[table[i].at] = table[i].value;
        assert_false (s_read_advert (&advert, icmp, 32, 255));
    }
    assert_false (s_read_advert (&advert, good, 20, 255));
    assert_false (s_read_advert (&advert, good, 28, 255));
}

/* echo */

static void
test_marks (void **state)
{
    (void) state;
    sc_mark_t mark;
    uint8_t other[SC_KEY_BYTES] = "0123456789abcdeg";
    sh_addr_t ip = set_ip ("10.0.0.9"), next = set_ip ("10.0.0.10");
    sh_addr_t six = set_ip ("a00:9::");
    sc_mark_make (&mark, s_key, &ip, 12345);
    assert_true (sc_mark_is_of (&mark, s_key, &ip));
    assert_false (sc_mark_is_of (&mark, s_key, &next));
    assert_false (sc_mark_is_of (&mark, s_key, &six));
    assert_false (sc_mark_is_of (&mark, other, &ip));
    mark.asked_at++;
    assert_false (sc_mark_is_of (&mark, s_key, &ip));
    mark.asked_at--;
    mark.token[7] ^= 1;
    assert_false (sc_mark_is_of (&mark, s_key, &ip));
}

/*  A reply in IPv4 with so many bytes of options.  */
static size_t
s_echo4 (uint8_t *packet, size_t options, const sc_mark_t *mark)
{
    size_t header = 20 + options;
    memset (packet, 0, header);
    packet[0] = (uint8_t) (0x40 | header / 4);
    sc_put16 (packet + 2, (unsigned) (header + SC_ECHO_BYTES));
    packet[8] = 64;
    packet[9] = 1;
    memcpy (packet + 12, set_ip ("10.0.0.9").bytes, 4);
    memcpy (packet + 16, set_ip ("10.0.0.1").bytes, 4);
    memset (packet + 20, 1, options); /* no operation */
    uint8_t *icmp = packet + header;
    sc_echo_make (icmp, 4, 77, 3, mark);
    icmp[0] = 0;
    sc_put16 (icmp + 2, 0);
    sc_put16 (icmp + 2, sc_fold (sc_sum (0, icmp, SC_ECHO_BYTES)));
    return header + SC_ECHO_BYTES;
}

static void
test_echo4 (void **state)
{
    (void) state;
    uint8_t packet[128] = { 0 };
    sc_mark_t mark, read;
    sh_addr_t ip = set_ip ("10.0.0.9"), from;
    sc_mark_make (&mark, s_key, &ip, INT64_C (0x0102030405060708));
    sc_echo_make (packet, 4, 0x1234, 0x5678, &mark);
    static const uint8_t head[16] = { 8, 0, 0, 0, 0x12, 0x34, 0x56, 0x78,
                                      1, 2, 3, 4, 5,    6,    7,    8 };
    assert_memory_equal (packet, head, 2);
    assert_memory_equal (packet + 4, head + 4, 12);
    assert_memory_equal (packet + 16, mark.token, SC_TOKEN_BYTES);
    assert_int_equal (sc_fold (sc_sum (0, packet, SC_ECHO_BYTES)), 0);
    for (size_t options = 0; options <= 40; options += 4) {
        size_t size = s_echo4 (packet, options, &mark);
        /* what follows is padding */
        assert_true (
            sc_echo_read_ip4 (&read, &from, s_exact (packet, size + 5)));
        assert_int_equal (sh_addr_cmp (&from, &ip), 0);
        assert_int_equal (read.asked_at, mark.asked_at);
        assert_true (sc_mark_is_of (&read, s_key, &from));
    }
}

static void
test_echo4_hostile (void **state)
{
    (void) state;
    uint8_t packet[128];
    sc_mark_t mark, read;
    sh_addr_t ip = set_ip ("10.0.0.9"), from;
    sc_mark_make (&mark, s_key, &ip, 1);
    for (size_t options = 0; options <= 40; options += 20) {
        size_t size = s_echo4 (packet, options, &mark);
        for (size_t i = 0; i < size; i++)
            assert_false (sc_echo_read_ip4 (&read, &from,
                                            s_exact (packet, i)));
        for (size_t i = size - SC_ECHO_BYTES; i < size; i++) {
            packet[i] ^= 4; /* the checksum sees it */
            assert_false (sc_echo_read_ip4 (&read, &from,
                                            s_exact (packet, size)));
            packet[i] ^= 4;
        }
    }
    static const struct
    {
        size_t at;
        uint8_t value;
    } table[] = { { 0, 0x65 },  /* another version */
                  { 0, 0x44 },  /* a header that is too short */
                  { 0, 0x4f },  /* one longer than the packet says */
                  { 2, 0xff },  /* longer than what came */
                  { 3, 19 },    /* shorter than its header */
                  { 6, 0x20 },  /* fragments: more to come, */
                  { 7, 1 },     /* and not the first */
                  { 9, 17 } };  /* UDP */
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t size = s_echo4 (packet, 0, &mark);
        packet[table[i].at] = table[i].value;
        assert_false (sc_echo_read_ip4 (&read, &from, s_exact (packet, size)));
    }
    /* a request, such as our own on the way out */
    size_t size = s_echo4 (packet, 0, &mark);
    sc_echo_make (packet + 20, 4, 1, 1, &mark);
    assert_false (sc_echo_read_ip4 (&read, &from, s_exact (packet, size)));
}

/*  Of our own requests, as errors bring them back.  */
static void
test_echo_quoted (void **state)
{
    (void) state;
    uint8_t packet[SC_IP6_BYTES + SC_ECHO_BYTES];
    sc_mark_t mark, read;
    for (uint8_t family = 4; family <= 6; family += 2) {
        sh_addr_t ip = set_ip (family == 4 ? "10.0.0.9" : "2001:db8::9");
        sc_mark_make (&mark, s_key, &ip, 7);
        sc_echo_make (packet, family, 1, 2, &mark);
        for (size_t i = 0; i < SC_ECHO_BYTES; i++)
            assert_false (
                sc_echo_read_quoted (&read, family, s_exact (packet, i)));
        sh_bytes_t whole = s_exact (packet, SC_ECHO_BYTES);
        assert_true (sc_echo_read_quoted (&read, family, whole));
        assert_true (sc_mark_is_of (&read, s_key, &ip));
        assert_false (sc_echo_read_quoted (&read, 10 - family, whole));
    }
    sh_addr_t ip = set_ip ("2001:db8::9");
    sc_put_ip6 (packet, SC_ECHO_BYTES, SC_NEXT_ICMP6, 64, &ip, &ip);
    sc_echo_make (packet + SC_IP6_BYTES, 6, 1, 2, &mark);
    for (size_t i = 0; i < sizeof packet; i++)
        assert_false (sc_echo_read_quoted (&read, 6, s_exact (packet, i)));
    assert_true (
        sc_echo_read_quoted (&read, 6, s_exact (packet, sizeof packet)));
    assert_true (sc_mark_is_of (&read, s_key, &ip));
    packet[6] = 17; /* UDP */
    assert_false (
        sc_echo_read_quoted (&read, 6, s_exact (packet, sizeof packet)));
}

static void
test_echo6 (void **state)
{
    (void) state;
    uint8_t packet[SC_ECHO_BYTES];
    sc_mark_t mark, read;
    sh_addr_t ip = set_ip ("2001:db8::9");
    sc_mark_make (&mark, s_key, &ip, 5);
    sc_echo_make (packet, 6, 1, 2, &mark);
    assert_int_equal (packet[0], 128);
    assert_int_equal (sc_get16 (packet + 2), 0); /* the kernel's */
    assert_false (sc_echo_read (&read, 6, s_exact (packet, sizeof packet)));
    packet[0] = 129;
    assert_true (sc_echo_read (&read, 6, s_exact (packet, sizeof packet)));
    assert_true (sc_mark_is_of (&read, s_key, &ip));
    assert_false (sc_echo_read (&read, 4, s_exact (packet, sizeof packet)));
    for (size_t i = 0; i < sizeof packet; i++)
        assert_false (sc_echo_read (&read, 6, s_exact (packet, i)));
    packet[1] = 1;
    assert_false (sc_echo_read (&read, 6, s_exact (packet, sizeof packet)));
}

/* calls */

/*  What a host answers that does not know our option.  */
static size_t
s_complaint (uint8_t *packet, const uint8_t *call, size_t size)
{
    uint8_t icmp[8 + SC_CALL_BYTES] = { 4, 2 };
    icmp[7] = 42;
    memcpy (icmp + 8, call, size);
    return s_icmp6 (packet, "2001:db8::9", "2001:db8::1", 64, icmp, 8 + size);
}

static void
test_calls (void **state)
{
    (void) state;
    uint8_t call[SC_CALL_BYTES], packet[256];
    sc_mark_t mark, read;
    sh_addr_t all = sc_all_nodes (), us = set_ip ("2001:db8::1");
    sh_addr_t nine = set_ip ("2001:db8::9"), from, to;
    sc_mark_make (&mark, s_key, &all, 5);
    size_t size = sc_call_make (call, SC_CALL_ECHO, &us, 1, 2, &mark);
    assert_int_equal (size, 64);
    assert_int_equal (call[7], 1); /* not beyond the link */
    assert_memory_equal (call + 24, all.bytes, 16);
    assert_int_equal (sc_icmp6_sum (call, 40, size), 0);
    /* our own call is no answer */
    assert_false (sc_call_read (&read, &from, &to, s_exact (call, size)));
    call[40] = 129;
    size = s_icmp6 (packet, "2001:db8::9", "2001:db8::1", 64, call + 40, 24);
    assert_true (sc_call_read (&read, &from, &to, s_exact (packet, size)));
    assert_int_equal (sh_addr_cmp (&from, &nine), 0);
    assert_int_equal (sh_addr_cmp (&to, &us), 0);
    assert_true (sc_mark_is_of (&read, s_key, &all));

    size = sc_call_make (call, SC_CALL_OPTION, &us, 1, 2, &mark);
    assert_int_equal (size, 72);
    static const uint8_t option[8] = { 58, 0, 0x80, 4 };
    assert_int_equal (call[6], 60);
    assert_memory_equal (call + 40, option, 8);
    assert_int_equal (sc_icmp6_sum (call, 48, size), 0);
    size = s_complaint (packet, call, size);
    assert_true (sc_call_read (&read, &from, &to, s_exact (packet, size)));
    assert_int_equal (sh_addr_cmp (&from, &nine), 0);
    assert_true (sc_mark_is_of (&read, s_key, &all));
}

static void
test_calls_hostile (void **state)
{
    (void) state;
    uint8_t call[SC_CALL_BYTES], bad[SC_CALL_BYTES], packet[256];
    sc_mark_t mark, read;
    sh_addr_t all = sc_all_nodes (), us = set_ip ("2001:db8::1"), from, to;
    sc_mark_make (&mark, s_key, &all, 5);
    size_t size = sc_call_make (call, SC_CALL_OPTION, &us, 1, 2, &mark);
    for (size_t i = 0; i < size; i++) { /* cut short where it is quoted */
        size_t whole = s_complaint (packet, call, i);
        assert_false (
            sc_call_read (&read, &from, &to, s_exact (packet, whole)));
    }
    size_t whole = s_complaint (packet, call, size);
    for (size_t i = 0; i < whole; i++)
        assert_false (sc_call_read (&read, &from, &to, s_exact (packet, i)));
    /* version, next header, source, destination, option, request */
    static const size_t looked_at[] = { 0, 6, 8, 23, 24, 39, 40, 42, 48 };
    for (size_t i = 0; i < sizeof looked_at / sizeof *looked_at; i++) {
        memcpy (bad, call, size);
        bad[looked_at[i]] ^= 0x10;
        whole = s_complaint (packet, bad, size);
        assert_false (
            sc_call_read (&read, &from, &to, s_exact (packet, whole)));
    }
    whole = s_complaint (packet, call, size);
    packet[41] = 1; /* another parameter problem; and its checksum */
    assert_false (sc_call_read (&read, &from, &to, s_exact (packet, whole)));
}

/* neighbours */

static void
test_stable (void **state)
{
    (void) state;
    static const struct
    {
        const char *ip;
        bool stable;
    } table[] = { { "2001:db8::5054:ff:fe12:3456", true },
                  { "2001:db8::5054:ff:fe12:3457", false },
                  { "2001:db8::5254:ff:fe12:3456", false },
                  { "2001:db8::1", true },
                  { "2001:db8::ffff:ffff", true },
                  { "2001:db8::1:0:0", false },
                  { "2001:db8::1c7a:9d2e:4b11:f00d", false } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sh_addr_t ip = set_ip (table[i].ip);
        assert_int_equal (sc_is_stable (&ip, s_theirs), table[i].stable);
    }
}

static void
s_own (sc_links_t *links, int index, const char *ip, const char *prefix,
       bool asks, bool running)
{
    sc_own_t own = { .addr = set_ip (ip),
                     .index = index,
                     .asks = asks,
                     .running = running };
    assert_int_equal (sh_prefix_parse (&own.prefix, prefix), SH_OK);
    memcpy (own.mac, s_ours, 6);
    assert_int_equal (sc_links_add (links, &own), SH_OK);
}

/*  The longest prefix decides, and the running one of two; one that cannot be
    asked on hides those behind it.  */
static void
test_links (void **state)
{
    (void) state;
    sc_links_t links = { 0 };
    s_own (&links, 1, "127.0.0.1", "127.0.0.0/8", false, true);
    s_own (&links, 2, "10.0.0.1", "10.0.0.0/16", true, true);
    s_own (&links, 3, "10.0.5.1", "10.0.5.0/24", true, false);
    s_own (&links, 4, "10.0.5.2", "10.0.5.0/24", true, true);
    s_own (&links, 5, "10.0.6.1", "10.0.6.0/24", false, true);
    s_own (&links, 6, "10.0.7.1", "10.0.7.1/32", true, true);
    s_own (&links, 7, "10.0.8.0", "10.0.8.0/31", true, true);
    s_own (&links, 8, "fe80::1", "fe80::/64", true, true);
    static const struct
    {
        const char *ip;
        int index;
    } table[] = { { "10.0.1.1", 2 }, { "10.0.5.9", 4 },  { "10.0.6.9", 0 },
                  { "10.1.0.1", 0 }, { "127.0.0.9", 0 }, { "10.0.7.2", 2 },
                  { "10.0.8.1", 7 }, { "fe80::9", 0 } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sh_addr_t ip = set_ip (table[i].ip);
        const sc_own_t *own = sc_links_to (&links, &ip);
        assert_int_equal (own ? own->index : 0, table[i].index);
    }
    sh_addr_t own = set_ip ("10.0.7.1"), other = set_ip ("10.0.7.2");
    assert_non_null (sc_links_own (&links, &own));
    assert_null (sc_links_own (&links, &other));
    assert_true (sc_links_run (&links, 4));
    assert_false (sc_links_run (&links, 3));
    assert_false (sc_links_run (&links, 9));
    sc_links_clear (&links);
}

/*  Who counts as found of those that answer a call.  */
static void
test_search (void **state)
{
    (void) state;
    sc_links_t links = { 0 };
    sh_ranges_t ranges = { 0 }, skip = { 0 };
    s_own (&links, 2, "2001:db8::1", "2001:db8::/64", true, true);
    s_own (&links, 2, "2001:db8::2", "2001:db8::/64", true, true);
    s_own (&links, 3, "2001:db8:1::1", "2001:db8:1::/64", true, true);
    sh_addr_t ranged = set_ip ("2001:db8::aaaa:0:0:1");
    sh_addr_t skipped = set_ip ("2001:db8::7");
    assert_int_equal (sh_ranges_add (&ranges, &ranged, &ranged), SH_OK);
    assert_int_equal (sh_ranges_add (&skip, &skipped, &skipped), SH_OK);
    sc_job_t job = { .ranges = &ranges,
                     .neighbours = SC_NEIGHBOURS_STABLE,
                     .skip = &skip };
    assert_int_equal (sh_prefix_parse (&job.prefix, "2001:db8::/64"), SH_OK);
    sc_search_t search;
    sc_search_begin (&search, &job, &links, s_key);
    assert_int_equal (search.link_count, 1);
    static const struct
    {
        const char *ip, *to;
        int link;
        bool taken;
    } table[] = {
        { "2001:db8::9", "2001:db8::1", 2, true },
        { "2001:db8::5054:ff:fe12:3456", "2001:db8::1", 2, true },
        { "2001:db8::1c7a:9d2e:4b11:f00d", "2001:db8::1", 2, false },
        { "2001:db8::aaaa:0:0:1", "2001:db8::1", 2, true }, /* asked for */
        { "2001:db8::7", "2001:db8::1", 2, false },         /* skipped */
        { "2001:db8:1::9", "2001:db8::1", 2, false },       /* elsewhere */
        { "fe80::9", "2001:db8::1", 2, false },
        { "2001:db8::9", "2001:db8::2", 2, false }, /* to whom did not call */
        { "2001:db8::9", "2001:db8::1", 3, false },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sh_addr_t ip = set_ip (table[i].ip), to = set_ip (table[i].to);
        assert_int_equal (
            sc_search_takes (&search, &ip, &to, table[i].link, s_theirs),
            table[i].taken);
    }
    job.neighbours = SC_NEIGHBOURS_ALL;
    sh_addr_t chance = set_ip ("2001:db8::1c7a:9d2e:4b11:f00d");
    sh_addr_t us = set_ip ("2001:db8::1");
    assert_true (sc_search_takes (&search, &chance, &us, 2, s_theirs));
    sc_search_clear (&search);
    job.neighbours = SC_NEIGHBOURS_NONE;
    sc_search_begin (&search, &job, &links, s_key);
    assert_int_equal (search.link_count, 0);
    assert_true (sc_search_is_over (&search, 1));
    sh_ranges_clear (&ranges);
    sh_ranges_clear (&skip);
    sc_links_clear (&links);
}

/*  Three rounds of two calls, half a second apart, and as long in the end.  */
static void
test_search_rounds (void **state)
{
    (void) state;
    sc_links_t links = { 0 };
    sh_ranges_t none = { 0 };
    s_own (&links, 2, "2001:db8::1", "2001:db8::/64", true, true);
    s_own (&links, 3, "2001:db8::2", "2001:db8::/64", true, true);
    sc_job_t job
        = { .ranges = &none, .neighbours = SC_NEIGHBOURS_ALL };
    assert_int_equal (sh_prefix_parse (&job.prefix, "2001:db8::/64"), SH_OK);
    sc_search_t search;
    sc_search_begin (&search, &job, &links, s_key);
    int64_t now = 1000, began = now;
    unsigned calls = 0, options = 0, first = 0;
    while (!sc_search_is_over (&search, now)) {
        int64_t due = sc_search_due (&search, now);
        if (due > now) {
            now = due;
            continue;
        }
        sc_call_t call;
        const sc_own_t *own = sc_search_next (&search, &call);
        calls++;
        options += call == SC_CALL_OPTION;
        first += own->index == 2;
        sc_search_called (&search, now);
    }
    assert_int_equal (calls, 12);
    assert_int_equal (options, 6);
    assert_int_equal (first, 6);
    assert_int_equal (now - began, 3 * INT64_C (500000000));
    sc_search_clear (&search);
    sc_links_clear (&links);
}

/*  The next MAC address, so that each machine has few addresses.  */
static void
s_mac (uint8_t mac[static 6], unsigned number)
{
    memcpy (mac, s_theirs, 6);
    sc_put16 (mac + 4, number);
}

/*  Each once, and not without end.  */
static void
test_search_notes (void **state)
{
    (void) state;
    sc_search_t search = { .key = s_key };
    sh_addr_t ip = set_ip ("2001:db8::");
    uint8_t mac[6];
    char text[256];
    bool is_new;
    for (unsigned i = 0; i < SC_NEIGHBOURS_MOST; i++) {
        s_mac (mac, i / SC_NEIGHBOURS_OF_MAC);
        assert_int_equal (sc_search_note (&search, &ip, mac, &is_new), SH_OK);
        assert_true (is_new);
        if (i < 3000) {
            assert_int_equal (sc_search_note (&search, &ip, mac, &is_new),
                              SH_OK);
            assert_false (is_new);
        }
        assert_true (sh_addr_next (&ip));
    }
    sc_search_text (&search, text, sizeof text);
    assert_string_equal (text, "");
    s_mac (mac, 60000);
    assert_int_equal (sc_search_note (&search, &ip, mac, &is_new),
                      SH_E_TOO_LARGE);
    sc_search_text (&search, text, sizeof text);
    assert_non_null (strstr (text, "1 answers were left out: at most 65536"));
    sc_search_clear (&search);
}

/*  One machine has so many addresses and no more; what it had before stays, and
    others are not touched by it.  */
static void
test_search_crowd (void **state)
{
    (void) state;
    sc_search_t search = { .key = s_key };
    sh_addr_t first = set_ip ("2001:db8::"), ip = first;
    char text[256];
    bool is_new = false;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal (sc_search_note (&search, &ip, s_theirs, &is_new),
                          i < 32 ? SH_OK : SH_E_TOO_LARGE);
        assert_true (sh_addr_next (&ip));
    }
    assert_int_equal (search.seen.used, 32);
    assert_int_equal (search.macs.used, 1);
    sc_search_text (&search, text, sizeof text);
    assert_non_null (strstr (
        text, "68 answers of one MAC address (52:54:00:12:34:56) were left"));
    assert_int_equal (sc_search_note (&search, &first, s_theirs, &is_new),
                      SH_OK);
    assert_false (is_new);
    for (unsigned i = 0; i < 33; i++) {
        assert_int_equal (sc_search_note (&search, &ip, s_ours, &is_new),
                          i < 32 ? SH_OK : SH_E_TOO_LARGE);
        assert_true (sh_addr_next (&ip));
    }
    sc_search_text (&search, text, sizeof text);
    assert_non_null (strstr (text, "69 answers"));
    assert_non_null (strstr (text, "of others, too"));
    sc_search_clear (&search);
}

/*  How far all are from where they belong, in sum: places looked at beyond the
    first.  */
static uint64_t
s_strays (const sc_tally_t *tally)
{
    uint64_t strays = 0;
    for (size_t i = 0; i < tally->room; i++)
        if (tally->items[i].count)
            strays += (i - (size_t) tally->items[i].hash) & (tally->room - 1);
    return strays;
}

/*  Neighbours in a row, in every piece of an address, do not get into each
    other's way; and where they are is told by nothing but the key.  */
static void
test_search_spread (void **state)
{
    (void) state;
    static const uint8_t other[SC_KEY_BYTES] = { 1 };
    for (size_t byte = 1; byte < 16; byte++) {
        sc_search_t search = { .key = s_key }, twin = { .key = other };
        sh_addr_t ip = set_ip ("2001:db8::");
        uint8_t mac[6];
        bool is_new;
        for (unsigned i = 0; i < 8000; i++) {
            sc_put16 (ip.bytes + byte - 1, i);
            s_mac (mac, i);
            assert_int_equal (sc_search_note (&search, &ip, mac, &is_new),
                              SH_OK);
            assert_true (is_new);
            if (i == 0)
                assert_int_equal (sc_search_note (&twin, &ip, mac, &is_new),
                                  SH_OK);
        }
        assert_int_equal (search.seen.used, 8000);
        assert_int_equal (search.macs.used, 8000);
        assert_true (s_strays (&search.seen) < 8000);
        assert_true (s_strays (&search.macs) < 8000);
        for (size_t i = 0; i < search.seen.room; i++)
            for (size_t k = 0; k < twin.seen.room; k++)
                if (search.seen.items[i].count && twin.seen.items[k].count)
                    assert_true (search.seen.items[i].hash
                                 != twin.seen.items[k].hash);
        sc_search_clear (&search);
        sc_search_clear (&twin);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_mac_text),
        cmocka_unit_test (test_arp),
        cmocka_unit_test (test_arp_hostile),
        cmocka_unit_test (test_solicit),
        cmocka_unit_test (test_advert),
        cmocka_unit_test (test_advert_hostile),
        cmocka_unit_test (test_marks),
        cmocka_unit_test (test_echo4),
        cmocka_unit_test (test_echo4_hostile),
        cmocka_unit_test (test_echo_quoted),
        cmocka_unit_test (test_echo6),
        cmocka_unit_test (test_calls),
        cmocka_unit_test (test_calls_hostile),
        cmocka_unit_test (test_stable),
        cmocka_unit_test (test_links),
        cmocka_unit_test (test_search),
        cmocka_unit_test (test_search_rounds),
        cmocka_unit_test (test_search_notes),
        cmocka_unit_test (test_search_crowd),
        cmocka_unit_test (test_search_spread),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
