/* SPDX-License-Identifier: MPL-2.0 */
/*  Bytes of packets: numbers in network order, addresses, the Internet
    checksum (RFC 1071).  The caller has seen to it that there is room.  */

#ifndef SC_WIRE_H
#define SC_WIRE_H

#include <string.h>

#include "lib/addr.h"

#define SC_IP6_BYTES 40
#define SC_NEXT_ICMP6 58

static inline void
sc_put16 (uint8_t *at, unsigned value)
{
    at[0] = (uint8_t) (value >> 8);
    at[1] = (uint8_t) value;
}

static inline unsigned
sc_get16 (const uint8_t *at)
{
    return (unsigned) at[0] << 8 | at[1];
}

static inline sh_addr_t
sc_get_addr (uint8_t family, const uint8_t *at)
{
    sh_addr_t addr = { .family = family };
    memcpy (addr.bytes, at, family == 4 ? 4 : 16);
    return addr;
}

/*  The sum so far, not yet folded; 'size' is even but for the last piece.  */
static inline uint32_t
sc_sum (uint32_t sum, const uint8_t *at, size_t size)
{
    for (; size > 1; at += 2, size -= 2)
        sum += sc_get16 (at);
    return size ? sum + ((unsigned) at[0] << 8) : sum;
}

static inline unsigned
sc_fold (uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

/*  Of ICMPv6 in a whole IPv6 packet, whose ICMPv6 part begins at 'from': 0 if
    its checksum is right, or what that has to be if it is still 0.  */
static inline unsigned
sc_icmp6_sum (const uint8_t *packet, size_t from, size_t size)
{
    uint32_t sum = sc_sum ((uint32_t) (size - from) + SC_NEXT_ICMP6,
                           packet + 8, 32);
    return sc_fold (sc_sum (sum, packet + from, size - from));
}

/*  An IPv6 header for 'size' bytes behind it.  */
static inline void
sc_put_ip6 (uint8_t *at, size_t size, uint8_t next, uint8_t hops,
            const sh_addr_t *from, const sh_addr_t *to)
{
    memset (at, 0, SC_IP6_BYTES);
    at[0] = 0x60;
    sc_put16 (at + 4, (unsigned) size);
    at[6] = next;
    at[7] = hops;
    memcpy (at + 8, from->bytes, 16);
    memcpy (at + 24, to->bytes, 16);
}

/*  ICMPv6 right behind the IPv6 header of a whole packet, with a good checksum
    and at least 'least' bytes: its bytes, else of size 0.  Whatever stands
    behind the packet's own length is padding.  */
static inline sh_bytes_t
sc_get_icmp6 (sh_bytes_t packet, size_t least)
{
    sh_bytes_t none = { 0 };
    if (packet.size < SC_IP6_BYTES || packet.data[0] >> 4 != 6
        || packet.data[6] != SC_NEXT_ICMP6)
        return none;
    size_t size = sc_get16 (packet.data + 4);
    if (size < least || size > packet.size - SC_IP6_BYTES
        || sc_icmp6_sum (packet.data, SC_IP6_BYTES, SC_IP6_BYTES + size) != 0)
        return none;
    return (sh_bytes_t){ packet.data + SC_IP6_BYTES, size };
}

#endif
