/* SPDX-License-Identifier: MPL-2.0 */
/*  Everything that the built-in prober reads from a network: the first byte
    says which parser, the rest is a packet.  What is taken must be an answer
    that could be made again, and nobody without the key makes a mark.  */

#include "scanner/neighbours.h"
#include "scanner/packets.h"
#include "tests/fuzz/input.h"

static const uint8_t s_key[SC_KEY_BYTES] = "a key of nobody";

static void
s_check_mark (const sc_mark_t *mark, const sh_addr_t *addr)
{
    sc_mark_t made;
    sc_mark_make (&made, s_key, addr, mark->asked_at);
    bool same = memcmp (made.token, mark->token, sizeof made.token) == 0;
    fuzz_require (sc_mark_is_of (mark, s_key, addr) == same);
}

static void
s_arp (sh_bytes_t packet)
{
    sc_arp_t arp;
    char mac[SC_MAC_LINE];
    if (!sc_arp_read (&arp, packet))
        return;
    fuzz_require (arp.from.family == 4 && arp.to.family == 4);
    sc_mac_text (mac, arp.mac);
    fuzz_require (strlen (mac) == 0 || strlen (mac) == SC_MAC_LINE - 1);
    uint8_t again[SC_ARP_BYTES];
    sc_arp_make (again, arp.mac, &arp.from, &arp.to);
    fuzz_require (memcmp (again + 8, packet.data + 8, 10) == 0
                  && memcmp (again + 24, packet.data + 24, 4) == 0);
}

static void
s_advert (sh_bytes_t packet)
{
    sc_advert_t advert;
    if (!sc_advert_read (&advert, packet))
        return;
    fuzz_require (advert.target.family == 6 && advert.to.family == 6
                  && advert.target.bytes[0] != 0xff);
    (void) sc_is_stable (&advert.target, advert.mac);
}

static void
s_echo (sh_bytes_t packet, uint8_t family)
{
    sc_mark_t mark;
    sh_addr_t addr = { .family = family };
    if (sc_echo_read_quoted (&mark, family, packet))
        s_check_mark (&mark, &addr);
    if (!sc_echo_read (&mark, family, packet))
        return;
    uint8_t again[SC_ECHO_BYTES];
    sc_echo_make (again, family, 0, 0, &mark);
    fuzz_require (memcmp (again + 8, packet.data + 8, SC_ECHO_BYTES - 8) == 0);
    s_check_mark (&mark, &addr);
}

static void
s_echo_ip4 (sh_bytes_t packet)
{
    sc_mark_t mark;
    sh_addr_t from;
    if (!sc_echo_read_ip4 (&mark, &from, packet))
        return;
    fuzz_require (from.family == 4);
    s_check_mark (&mark, &from);
}

static void
s_call (sh_bytes_t packet)
{
    sc_mark_t mark;
    sh_addr_t from, to, all = sc_all_nodes ();
    if (!sc_call_read (&mark, &from, &to, packet))
        return;
    fuzz_require (from.family == 6 && to.family == 6);
    s_check_mark (&mark, &all);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    sh_bytes_t packet = { data + 1, size - 1 };
    switch (data[0] % 6) {
    case 0:
        s_arp (packet);
        break;
    case 1:
        s_advert (packet);
        break;
    case 2:
        s_echo_ip4 (packet);
        break;
    case 3:
        s_echo (packet, 4);
        break;
    case 4:
        s_echo (packet, 6);
        break;
    default:
        s_call (packet);
    }
    return 0;
}
