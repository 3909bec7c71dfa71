/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/routes.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_MOST 8 /* messages, until the one that answers */

/*  A request with one address in it, or an answer.  */
typedef union
{
    struct nlmsghdr header;
    uint8_t bytes[4096];
} message_t;

typedef struct
{
    sh_addr_t gateway; /* family 0: none, the address is a neighbour */
    int index;         /* of the interface; 0: not told */
} hop_t;

sh_err_t
sc_routes_open (sc_routes_t *out, sh_why_t *why)
{
    int fd = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return sh_fail (why, SH_E_PROBE,
                        "cannot read the routes of this machine: %s",
                        strerror (errno));
    *out = (sc_routes_t){ .fd = fd };
    return SH_OK;
}

void
sc_routes_close (sc_routes_t *self)
{
    if (self->fd >= 0)
        (void) close (self->fd);
    self->fd = -1;
}

static uint8_t
s_domain (const sh_addr_t *addr)
{
    return addr->family == 4 ? AF_INET : AF_INET6;
}

/*  Begin a request of a fixed part and one address as 'attribute'.  */
static void
s_request (message_t *out, uint16_t type, const void *fixed, size_t size,
           uint16_t attribute, const sh_addr_t *addr)
{
    size_t width = addr->family == 4 ? 4 : 16;
    struct rtattr head = { .rta_type = attribute,
                           .rta_len = (uint16_t) RTA_LENGTH (width) };
    size_t at = NLMSG_SPACE (size);
    *out = (message_t){
        .header = { .nlmsg_type = type,
                    .nlmsg_flags = NLM_F_REQUEST,
                    .nlmsg_len = (uint32_t) (at + RTA_LENGTH (width)) }
    };
    memcpy (out->bytes + NLMSG_HDRLEN, fixed, size);
    memcpy (out->bytes + at, &head, sizeof head);
    memcpy (out->bytes + at + RTA_LENGTH (0), addr->bytes, width);
}

/*  Ask the kernel, which has answered when the request is sent.  0, with a
    whole message of at least 'least' bytes after its header, or the error.  */
static int
s_ask (sc_routes_t *self, message_t *message, size_t least)
{
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    message->header.nlmsg_seq = ++self->sequence;
    if (sendto (self->fd, message, message->header.nlmsg_len, 0,
                (struct sockaddr *) &kernel, sizeof kernel)
        < 0)
        return errno;
    for (unsigned i = 0; i < READ_MOST; i++) {
        struct sockaddr_nl from = { 0 };
        socklen_t size = sizeof from;
        ssize_t got = recvfrom (self->fd, message, sizeof *message,
                                MSG_DONTWAIT, (struct sockaddr *) &from, &size);
        if (got < 0 && errno != EINTR)
            return errno;
        if (got < 0 || from.nl_pid != 0
            || !NLMSG_OK (&message->header, (size_t) got)
            || message->header.nlmsg_seq != self->sequence)
            continue;
        struct nlmsgerr refusal;
        size_t room = NLMSG_PAYLOAD (&message->header, 0);
        if (message->header.nlmsg_type != NLMSG_ERROR)
            return room < least ? EPROTO : 0;
        if (room < sizeof refusal)
            return EPROTO;
        memcpy (&refusal, NLMSG_DATA (&message->header), sizeof refusal);
        return refusal.error < 0 ? -refusal.error : EPROTO;
    }
    return EAGAIN;
}

static void
s_take_addr (sh_addr_t *out, unsigned domain, const void *data, size_t size)
{
    sh_addr_t addr = { .family = domain == AF_INET ? 4 : 6 };
    if (size != (domain == AF_INET ? 4 : 16))
        return;
    memcpy (addr.bytes, data, size);
    *out = addr;
}

static void
s_take_attribute (hop_t *hop, unsigned domain, const struct rtattr *attribute)
{
    /* RTA_DATA, which takes const away */
    const void *data = (const uint8_t *) attribute + RTA_LENGTH (0);
    size_t size = RTA_PAYLOAD (attribute);
    uint16_t via; /* a gateway of the other family */
    if (attribute->rta_type == RTA_OIF && size == sizeof hop->index)
        memcpy (&hop->index, data, size);
    else if (attribute->rta_type == RTA_GATEWAY)
        s_take_addr (&hop->gateway, domain, data, size);
    else if (attribute->rta_type == RTA_VIA && size > sizeof via) {
        memcpy (&via, data, sizeof via);
        s_take_addr (&hop->gateway, via, (const uint8_t *) data + sizeof via,
                     size - sizeof via);
    }
}

/*  False: no packet goes there.  */
static bool
s_find (sc_routes_t *self, const sh_addr_t *addr, hop_t *out)
{
    message_t message;
    struct rtmsg route
        = { .rtm_family = s_domain (addr),
            .rtm_dst_len = addr->family == 4 ? 32 : 128 };
    s_request (&message, RTM_GETROUTE, &route, sizeof route, RTA_DST, addr);
    if (s_ask (self, &message, sizeof route) != 0)
        return false;
    memcpy (&route, NLMSG_DATA (&message.header), sizeof route);
    if (message.header.nlmsg_type != RTM_NEWROUTE
        || (route.rtm_type != RTN_UNICAST && route.rtm_type != RTN_LOCAL
            && route.rtm_type != RTN_BROADCAST
            && route.rtm_type != RTN_MULTICAST
            && route.rtm_type != RTN_ANYCAST))
        return false;
    *out = (hop_t){ 0 };
    void *first = message.bytes + NLMSG_SPACE (sizeof route);
    struct rtattr *at = first;
    size_t left = NLMSG_PAYLOAD (&message.header, sizeof route);
    for (; RTA_OK (at, left); at = RTA_NEXT (at, left))
        s_take_attribute (out, route.rtm_family, at);
    return true;
}

/*  One that nobody has spoken to, or of which the kernel knows nothing, counts
    as one that answers.  */
static bool
s_is_mute (sc_routes_t *self, const hop_t *hop)
{
    message_t message;
    struct ndmsg neighbour = { .ndm_family = s_domain (&hop->gateway),
                               .ndm_ifindex = hop->index };
    s_request (&message, RTM_GETNEIGH, &neighbour, sizeof neighbour, NDA_DST,
               &hop->gateway);
    if (s_ask (self, &message, sizeof neighbour) != 0
        || message.header.nlmsg_type != RTM_NEWNEIGH)
        return false;
    memcpy (&neighbour, NLMSG_DATA (&message.header), sizeof neighbour);
    return (neighbour.ndm_state & (NUD_INCOMPLETE | NUD_FAILED)) != 0;
}

/*  Of an interface without an address nothing is known.  */
static bool
s_is_down (const sc_links_t *links, int index)
{
    for (size_t i = 0; i < links->count; i++)
        if (links->items[i].index == index)
            return !sc_links_run (links, index);
    return false;
}

sc_route_t
sc_routes_to (sc_routes_t *self, const sc_links_t *links,
              const sh_addr_t *addr)
{
    hop_t hop;
    if (!s_find (self, addr, &hop))
        return SC_ROUTE_NONE;
    if (hop.index && s_is_down (links, hop.index))
        return SC_ROUTE_NO_CARRIER;
    if (hop.gateway.family && s_is_mute (self, &hop))
        return SC_ROUTE_NO_GATEWAY;
    return SC_ROUTE_WORKS;
}
