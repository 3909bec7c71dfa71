/* SPDX-License-Identifier: MPL-2.0 */
/*  ARP and neighbour discovery.  */

#include "scanner/packets.h"

#include <stdio.h>
#include <string.h>

#include "scanner/wire.h"

#define TYPE_SOLICIT 135
#define TYPE_ADVERT 136
#define OPTION_SOURCE 1
#define OPTION_TARGET 2
#define FLAG_SOLICITED 0x40

static const uint8_t s_ethernet_ip4[] = { 0, 1, 8, 0, 6, 4, 0 };

void
sc_mac_text (char out[static SC_MAC_LINE],
             const uint8_t mac[static SC_MAC_BYTES])
{
    static const uint8_t zero[SC_MAC_BYTES];
    out[0] = '\0';
    if (memcmp (mac, zero, sizeof zero) != 0 && !(mac[0] & 1))
        (void) snprintf (out, SC_MAC_LINE, "%02x:%02x:%02x:%02x:%02x:%02x",
                         mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

void
sc_arp_make (uint8_t out[static SC_ARP_BYTES],
             const uint8_t mac[static SC_MAC_BYTES], const sh_addr_t *from,
             const sh_addr_t *target)
{
    memset (out, 0, SC_ARP_BYTES);
    memcpy (out, s_ethernet_ip4, sizeof s_ethernet_ip4);
    out[7] = 1; /* request */
    memcpy (out + 8, mac, SC_MAC_BYTES);
    memcpy (out + 14, from->bytes, 4);
    memcpy (out + 24, target->bytes, 4);
}

bool
sc_arp_read (sc_arp_t *out, sh_bytes_t packet)
{
    const uint8_t *at = packet.data;
    if (packet.size < SC_ARP_BYTES
        || memcmp (at, s_ethernet_ip4, sizeof s_ethernet_ip4) != 0
        || at[7] != 2)
        return false;
    sc_arp_t self = { .from = sc_get_addr (4, at + 14),
                      .to = sc_get_addr (4, at + 24) };
    memcpy (self.mac, at + 8, SC_MAC_BYTES);
    memcpy (self.to_mac, at + 18, SC_MAC_BYTES);
    *out = self;
    return true;
}

void
sc_solicit_make (uint8_t out[static SC_SOLICIT_BYTES],
                 uint8_t group_mac[static SC_MAC_BYTES],
                 const uint8_t mac[static SC_MAC_BYTES],
                 const sh_addr_t *from, const sh_addr_t *target)
{
    /* ff02::1:ff00:0 and the last three bytes of the target */
    sh_addr_t group = { .family = 6, .bytes = { 0xff, 2 } };
    group.bytes[11] = 1;
    group.bytes[12] = 0xff;
    memcpy (group.bytes + 13, target->bytes + 13, 3);
    group_mac[0] = group_mac[1] = 0x33;
    memcpy (group_mac + 2, group.bytes + 12, 4);

    sc_put_ip6 (out, SC_SOLICIT_BYTES - SC_IP6_BYTES, SC_NEXT_ICMP6, 255, from,
                &group);
    uint8_t *icmp = out + SC_IP6_BYTES;
    memset (icmp, 0, SC_SOLICIT_BYTES - SC_IP6_BYTES);
    icmp[0] = TYPE_SOLICIT;
    memcpy (icmp + 8, target->bytes, 16);
    icmp[24] = OPTION_SOURCE;
    icmp[25] = 1; /* times 8 bytes */
    memcpy (icmp + 26, mac, SC_MAC_BYTES);
    sc_put16 (icmp + 2, sc_icmp6_sum (out, SC_IP6_BYTES, SC_SOLICIT_BYTES));
}

/*  The options, of which each must lie within the packet.  */
static bool
s_read_options (sc_advert_t *self, sh_bytes_t icmp)
{
    size_t at = 24;
    while (at < icmp.size) {
        const uint8_t *option = icmp.data + at;
        size_t left = icmp.size - at;
        if (left < 8 || option[1] == 0 || option[1] * 8u > left)
            return false;
        if (option[0] == OPTION_TARGET && option[1] == 1) {
            memcpy (self->mac, option + 2, SC_MAC_BYTES);
            self->has_mac = true;
        }
        at += option[1] * 8u;
    }
    return true;
}

bool
sc_advert_read (sc_advert_t *out, sh_bytes_t packet)
{
    sh_bytes_t icmp = sc_get_icmp6 (packet, 24);
    if (icmp.size == 0 || icmp.data[0] != TYPE_ADVERT || icmp.data[1] != 0
        || packet.data[7] != 255 /* has passed a router */
        || !(icmp.data[4] & FLAG_SOLICITED) || icmp.data[8] == 0xff)
        return false;
    sc_advert_t self = { .target = sc_get_addr (6, icmp.data + 8),
                         .to = sc_get_addr (6, packet.data + 24) };
    if (!s_read_options (&self, icmp))
        return false;
    *out = self;
    return true;
}
