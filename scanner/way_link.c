/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/way.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <net/ethernet.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOAD8(at) BPF_STMT (BPF_LD | BPF_B | BPF_ABS, (at))
#define LOAD16(at) BPF_STMT (BPF_LD | BPF_H | BPF_ABS, (at))
#define IS(value, yes, no) BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define TAKE BPF_STMT (BPF_RET | BPF_K, 0xffff)
#define DROP BPF_STMT (BPF_RET | BPF_K, 0)

/*  Replies only, for the kernel sees every packet of the machine.  */
static struct sock_filter s_arp_filter[]
    = { LOAD16 (6), IS (2, 0, 1), TAKE, DROP };

/*  ICMPv6: advertisement, echo reply, parameter problem.  */
static struct sock_filter s_discovery_filter[]
    = { LOAD8 (6),      IS (58, 0, 4), LOAD8 (40), IS (136, 3, 0),
        IS (129, 2, 0), IS (4, 1, 0),  DROP,       TAKE };

/*  The filter is there before the protocol is, so that nothing comes in past
    it.  Not bound to an interface: links that come later are heard as well.  */
int
sc_way_link_open (int protocol)
{
    bool arp = protocol == ETH_P_ARP;
    struct sock_fprog filter
        = { .len = arp ? sizeof s_arp_filter / sizeof *s_arp_filter
                       : sizeof s_discovery_filter / sizeof *s_discovery_filter,
            .filter = arp ? s_arp_filter : s_discovery_filter };
    struct sockaddr_ll all = { .sll_family = AF_PACKET,
                               .sll_protocol = htons ((uint16_t) protocol) };
    int fd = socket (AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt (fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter)
            == 0
        && bind (fd, (struct sockaddr *) &all, sizeof all) == 0)
        return fd;
    int error = errno;
    (void) close (fd);
    return -error;
}

static int
s_send (int fd, int protocol, int link, const uint8_t *mac,
        const void *packet, size_t size)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET,
                              .sll_protocol = htons ((uint16_t) protocol),
                              .sll_ifindex = link,
                              .sll_halen = SC_MAC_BYTES };
    memcpy (to.sll_addr, mac, SC_MAC_BYTES);
    ssize_t sent = sendto (fd, packet, size, MSG_DONTWAIT,
                           (struct sockaddr *) &to, sizeof to);
    return sent == (ssize_t) size ? 0 : sent < 0 ? errno : EMSGSIZE;
}

int
sc_way_link_ask (const sc_sockets_t *self, const sc_own_t *own,
                 const sh_addr_t *addr)
{
    static const uint8_t everybody[SC_MAC_BYTES]
        = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    if (!own->running)
        return ENETDOWN; /* the kernel would drop it without a word */
    if (addr->family == 4) {
        uint8_t packet[SC_ARP_BYTES];
        sc_arp_make (packet, own->mac, &own->addr, addr);
        return s_send (self->arp, ETH_P_ARP, own->index, everybody, packet,
                       sizeof packet);
    }
    uint8_t packet[SC_SOLICIT_BYTES], group[SC_MAC_BYTES];
    sc_solicit_make (packet, group, own->mac, &own->addr, addr);
    return s_send (self->discovery, ETH_P_IPV6, own->index, group, packet,
                   sizeof packet);
}

int
sc_way_link_call (const sc_sockets_t *self, const sc_own_t *own,
                  sc_call_t call, uint16_t sequence, const sc_mark_t *mark)
{
    uint8_t packet[SC_CALL_BYTES];
    size_t size
        = sc_call_make (packet, call, &own->addr, sequence, sequence, mark);
    return own->running ? s_send (self->discovery, ETH_P_IPV6, own->index,
                                  sc_all_nodes_mac, packet, size)
                        : ENETDOWN;
}

static bool
s_read_arp (sh_bytes_t packet, sc_reply_t *out)
{
    sc_arp_t arp;
    if (!sc_arp_read (&arp, packet))
        return false;
    out->kind = SC_REPLY_ARP;
    out->from = arp.from;
    out->to = arp.to;
    out->has_mac = true;
    memcpy (out->mac, arp.mac, sizeof out->mac);
    memcpy (out->to_mac, arp.to_mac, sizeof out->to_mac);
    return true;
}

static bool
s_read_discovery (sh_bytes_t packet, sc_reply_t *out)
{
    sc_advert_t advert;
    if (sc_advert_read (&advert, packet)) {
        out->kind = SC_REPLY_ADVERT;
        out->from = advert.target;
        out->to = advert.to;
        if (advert.has_mac) {
            out->has_mac = true;
            memcpy (out->mac, advert.mac, sizeof out->mac);
        }
        return true;
    }
    out->kind = SC_REPLY_CALL;
    return sc_call_read (&out->mark, &out->from, &out->to, packet);
}

/*  Answers are sent to us alone: what is broadcast, or for another machine or
    VLAN, is none.  */
bool
sc_way_link_read (const sc_sockets_t *self, int fd, sh_bytes_t packet,
                  const struct sockaddr_storage *from, sc_reply_t *out)
{
    struct sockaddr_ll link;
    memcpy (&link, from, sizeof link);
    if (link.sll_family != AF_PACKET || link.sll_pkttype != PACKET_HOST)
        return false;
    *out = (sc_reply_t){ .link = link.sll_ifindex };
    if (link.sll_halen == SC_MAC_BYTES) {
        out->has_mac = true;
        memcpy (out->mac, link.sll_addr, SC_MAC_BYTES);
    }
    return fd == self->arp ? s_read_arp (packet, out)
                           : s_read_discovery (packet, out);
}
