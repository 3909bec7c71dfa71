/* SPDX-License-Identifier: MPL-2.0 */
/*  The packets of the built-in prober, made and read: ARP (RFC 826), IPv6
    neighbour discovery (RFC 4861), ICMP echo (RFC 792, RFC 4443).  Pure.

    What is read comes from anybody.  Nothing but a whole, well-formed answer is
    taken; whether it answers a question of ours is for the caller to see.  */

#ifndef SC_PACKETS_H
#define SC_PACKETS_H

#include "lib/addr.h"

#define SC_MAC_BYTES 6
#define SC_TOKEN_BYTES 8
#define SC_KEY_BYTES 16 /* of crypto_shorthash */

#define SC_ARP_BYTES 28
#define SC_SOLICIT_BYTES 72
#define SC_ECHO_BYTES 24
#define SC_CALL_BYTES 72 /* the most that sc_call_make writes */

/*  What an echo carries home: nobody can make it who was not asked.  */
typedef struct
{
    int64_t asked_at; /* by the clock of whoever asks */
    uint8_t token[SC_TOKEN_BYTES];
} sc_mark_t;

/*  The mark of a probe to 'addr'.  */
void sc_mark_make (sc_mark_t *out, const uint8_t key[static SC_KEY_BYTES],
                   const sh_addr_t *addr, int64_t asked_at);
bool sc_mark_is_of (const sc_mark_t *self,
                    const uint8_t key[static SC_KEY_BYTES],
                    const sh_addr_t *addr);

/*  "aa:bb:cc:dd:ee:ff"; "" if no single machine has such an address (zero, or
    the group bit).  */
#define SC_MAC_LINE 18
void sc_mac_text (char out[static SC_MAC_LINE],
                  const uint8_t mac[static SC_MAC_BYTES]);

/* ARP */

/*  Who has 'target'?  Tell 'from', which is at 'mac'.  Both IPv4.  */
void sc_arp_make (uint8_t out[static SC_ARP_BYTES],
                  const uint8_t mac[static SC_MAC_BYTES],
                  const sh_addr_t *from, const sh_addr_t *target);

typedef struct
{
    sh_addr_t from, to; /* who answers, and whom */
    uint8_t mac[SC_MAC_BYTES], to_mac[SC_MAC_BYTES];
} sc_arp_t;

/*  An ARP reply, without its Ethernet header.  */
bool sc_arp_read (sc_arp_t *out, sh_bytes_t packet);

/* neighbour discovery; whole IPv6 packets */

/*  Who has 'target'?  'group' is the multicast group to send it to, and
    'group_mac' where that is on Ethernet.  */
void sc_solicit_make (uint8_t out[static SC_SOLICIT_BYTES],
                      uint8_t group_mac[static SC_MAC_BYTES],
                      const uint8_t mac[static SC_MAC_BYTES],
                      const sh_addr_t *from, const sh_addr_t *target);

typedef struct
{
    sh_addr_t target, to; /* who answers, and whom */
    bool has_mac;
    uint8_t mac[SC_MAC_BYTES];
} sc_advert_t;

/*  A solicited neighbour advertisement.  */
bool sc_advert_read (sc_advert_t *out, sh_bytes_t packet);

/* echo */

/*  An ICMP echo request: ICMP's part alone.  Of IPv6 the checksum is left to
    the kernel, which alone knows the source.  */
void sc_echo_make (uint8_t out[static SC_ECHO_BYTES], uint8_t family,
                   uint16_t ident, uint16_t sequence, const sc_mark_t *mark);

/*  An echo reply: ICMP's part alone.  The checksum is not looked at.  */
bool sc_echo_read (sc_mark_t *mark, uint8_t family, sh_bytes_t packet);

/*  An echo reply in a whole IPv4 packet, options and all, as a raw socket gives
    it; with its checksum.  */
bool sc_echo_read_ip4 (sc_mark_t *mark, sh_addr_t *from, sh_bytes_t packet);

/*  The request that sc_echo_make has made, as an ICMP error quotes it: ICMP's
    part alone, or a whole IPv6 packet without further headers.  */
bool sc_echo_read_quoted (sc_mark_t *mark, uint8_t family, sh_bytes_t packet);

/* a call to everybody on the link; whole IPv6 packets */

typedef enum
{
    SC_CALL_ECHO,  /* an echo request, which not everybody answers */
    SC_CALL_OPTION /* one with an option that nobody knows: who does not want
                      to answer has to complain (RFC 8200, 4.2) */
} sc_call_t;

/*  To ff02::1; returns its size.  */
size_t sc_call_make (uint8_t out[static SC_CALL_BYTES], sc_call_t call,
                     const sh_addr_t *from, uint16_t ident, uint16_t sequence,
                     const sc_mark_t *mark);

/*  The answer to either; the mark is that of a probe to ff02::1.  */
bool sc_call_read (sc_mark_t *mark, sh_addr_t *from, sh_addr_t *to,
                   sh_bytes_t packet);

/*  ff02::1, and its Ethernet address.  */
sh_addr_t sc_all_nodes (void);
extern const uint8_t sc_all_nodes_mac[SC_MAC_BYTES];

#endif
