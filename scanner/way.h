/* SPDX-License-Identifier: MPL-2.0 */
/*  The ways by which the built-in prober asks an address: on the link (ARP,
    neighbour discovery), by echo, by TCP.  The first two ask and hear through
    sockets that took a right to open, and which all probes share: each answer
    says enough for a probe to see whether it is one to a question of its
    own.  */

#ifndef SC_WAY_H
#define SC_WAY_H

#include "scanner/links.h"
#include "scanner/packets.h"

/*  -1: not open.  */
typedef struct
{
    int arp, discovery; /* AF_PACKET */
    int echo4, echo6;   /* raw or, without the right to that, datagram */
    bool raw4;          /* echo4 gives IP headers */
} sc_sockets_t;

typedef enum
{
    SC_REPLY_ARP,
    SC_REPLY_ADVERT,
    SC_REPLY_ECHO,
    SC_REPLY_CALL,
    SC_REPLY_FAILURE /* none: an echo to 'from' did not get there, says 'to' */
} sc_reply_kind_t;

typedef struct
{
    sc_reply_kind_t kind;
    sh_addr_t from; /* who answers */
    sh_addr_t to;   /* to which address of ours; not of an echo */
    int link;       /* interface that it came by; not of an echo */
    int error;      /* of a failure: errno */
    bool has_mac;
    uint8_t mac[SC_MAC_BYTES];
    uint8_t to_mac[SC_MAC_BYTES]; /* of ARP */
    sc_mark_t mark; /* of an echo, a call and a failure */
} sc_reply_t;

typedef void (sc_reply_fn) (void *context, const sc_reply_t *reply);

/*  Open what may be opened, and say in 'errors' what kept each of the others
    (errno; 0: it is open, or is not wanted).  */
typedef struct
{
    int link, echo4, echo6;
} sc_socket_errors_t;

void sc_sockets_open (sc_sockets_t *out, sc_socket_errors_t *errors);
void sc_sockets_close (sc_sockets_t *self);

/*  Hand over what has come, at most 'most' packets and as many failures of each
    socket.  True if there may be more.  */
bool sc_sockets_receive (const sc_sockets_t *self, unsigned most,
                         sc_reply_fn *take, void *context);

/*  The following send one probe and return 0, or the error (errno).  */

/*  ARP or a neighbour solicitation, from 'own' on its link.  */
int sc_way_link_ask (const sc_sockets_t *self, const sc_own_t *own,
                     const sh_addr_t *addr);

/*  A call to all nodes of the link of 'own', from its address.  */
int sc_way_link_call (const sc_sockets_t *self, const sc_own_t *own,
                      sc_call_t call, uint16_t sequence,
                      const sc_mark_t *mark);

int sc_way_echo_ask (const sc_sockets_t *self, const sh_addr_t *addr,
                     uint16_t ident, uint16_t sequence, const sc_mark_t *mark);

/*  For way_link.c and way_echo.c: the next packet of a socket, in 'buffer', and
    where it comes from.  False if there is none.  */
struct sockaddr_storage;
bool sc_socket_read (int fd, void *buffer, size_t room, sh_bytes_t *packet,
                     struct sockaddr_storage *from);
bool sc_way_link_read (const sc_sockets_t *self, int fd, sh_bytes_t packet,
                       const struct sockaddr_storage *from, sc_reply_t *out);
bool sc_way_echo_read (const sc_sockets_t *self, int fd, sh_bytes_t packet,
                       const struct sockaddr_storage *from, sc_reply_t *out);
/*  The next message of the socket's error queue, likewise; 'took' says whether
    it is of a probe at all.  */
bool sc_way_echo_failure (int fd, uint8_t family, sc_reply_t *out, bool *took);
int sc_way_link_open (int protocol);  /* a descriptor, or -errno */
int sc_way_echo_open (int family, bool *raw);

#endif
