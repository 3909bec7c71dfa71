/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/way.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*  linux/icmp.h, which cannot be included beside netinet's.  */
#define ICMP_FILTER 1
#define REPLIES_ONLY (~1u)

static int
s_filter (int fd, int family)
{
    if (family == 4) {
        uint32_t blocked = REPLIES_ONLY;
        return setsockopt (fd, SOL_RAW, ICMP_FILTER, &blocked, sizeof blocked);
    }
    struct icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL (&filter);
    ICMP6_FILTER_SETPASS (ICMP6_ECHO_REPLY, &filter);
    return setsockopt (fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter,
                       sizeof filter);
}

/*  Raw with CAP_NET_RAW, else datagram for the groups that the kernel allows
    (net.ipv4.ping_group_range, which is for both families).  */
int
sc_way_echo_open (int family, bool *raw)
{
    int domain = family == 4 ? AF_INET : AF_INET6;
    int protocol = family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    int fd = socket (domain, SOCK_RAW | flags, protocol);
    *raw = fd >= 0;
    if (fd < 0 && (errno == EPERM || errno == EACCES))
        fd = socket (domain, SOCK_DGRAM | flags, protocol);
    if (fd < 0)
        return -errno;
    if (!*raw || s_filter (fd, family) == 0)
        return fd;
    int error = errno;
    (void) close (fd);
    return -error;
}

int
sc_way_echo_ask (const sc_sockets_t *self, const sh_addr_t *addr,
                 uint16_t ident, uint16_t sequence, const sc_mark_t *mark)
{
    uint8_t packet[SC_ECHO_BYTES];
    struct sockaddr_in to4 = { .sin_family = AF_INET };
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6 };
    bool is4 = addr->family == 4;
    memcpy (&to4.sin_addr, addr->bytes, 4);
    memcpy (&to6.sin6_addr, addr->bytes, 16);
    sc_echo_make (packet, addr->family, ident, sequence, mark);
    ssize_t sent
        = sendto (is4 ? self->echo4 : self->echo6, packet, sizeof packet,
                  MSG_DONTWAIT,
                  is4 ? (struct sockaddr *) &to4 : (struct sockaddr *) &to6,
                  is4 ? sizeof to4 : sizeof to6);
    return sent == sizeof packet ? 0 : sent < 0 ? errno : EMSGSIZE;
}

bool
sc_way_echo_read (const sc_sockets_t *self, int fd, sh_bytes_t packet,
                  const struct sockaddr_storage *from, sc_reply_t *out)
{
    *out = (sc_reply_t){ .kind = SC_REPLY_ECHO };
    if (fd == self->echo4 && self->raw4)
        return sc_echo_read_ip4 (&out->mark, &out->from, packet);
    out->from.family = fd == self->echo4 ? 4 : 6;
    if (fd == self->echo4) {
        struct sockaddr_in in;
        memcpy (&in, from, sizeof in);
        memcpy (out->from.bytes, &in.sin_addr, 4);
    } else {
        struct sockaddr_in6 in6;
        memcpy (&in6, from, sizeof in6);
        memcpy (out->from.bytes, &in6.sin6_addr, 16);
    }
    return sc_echo_read (&out->mark, out->from.family, packet);
}
