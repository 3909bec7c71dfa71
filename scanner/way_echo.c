/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/way.h"

#include <errno.h>
#include <time.h> /* which the next one needs and does not include */

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*  linux/icmp.h, which cannot be included beside netinet's.  */
#define ICMP_FILTER 1
#define REPLIES_ONLY (~1u)
#define TRIES 4 /* of one probe, past errors of earlier ones */
#define QUOTED_MOST 256

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

/*  Without this a raw socket conceals that a queue of ours is full, and nobody
    learns that the kernel gave up a packet later.  */
static int
s_hear_errors (int fd, int family)
{
    int on = 1;
    return family == 4
               ? setsockopt (fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on)
               : setsockopt (fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
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
    if (s_hear_errors (fd, family) == 0
        && (!*raw || s_filter (fd, family) == 0))
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
    ssize_t sent = -1;
    /* the error may be an earlier probe's, and is over when it is told */
    for (unsigned i = 0; i < TRIES && sent < 0; i++) {
        sent = sendto (is4 ? self->echo4 : self->echo6, packet, sizeof packet,
                       MSG_DONTWAIT,
                       is4 ? (struct sockaddr *) &to4
                           : (struct sockaddr *) &to6,
                       is4 ? sizeof to4 : sizeof to6);
        if (sent < 0 && (errno == ENOBUFS || errno == EAGAIN))
            break;
    }
    return sent == sizeof packet ? 0 : sent < 0 ? errno : EMSGSIZE;
}

static void
s_addr (sh_addr_t *out, uint8_t family, const void *from)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    *out = (sh_addr_t){ .family = family };
    if (family == 4) {
        memcpy (&in, from, sizeof in);
        memcpy (out->bytes, &in.sin_addr, 4);
    } else {
        memcpy (&in6, from, sizeof in6);
        memcpy (out->bytes, &in6.sin6_addr, 16);
    }
}

/*  What went wrong, and who says so: nobody (family 0) if it is the kernel.
    False: nothing of the kind.  */
static bool
s_read_cause (const struct cmsghdr *from, uint8_t family, sc_reply_t *out)
{
    struct
    {
        struct sock_extended_err error;
        union
        {
            struct sockaddr_in in;
            struct sockaddr_in6 in6;
        } who; /* SO_EE_OFFENDER */
    } told = { 0 };
    bool is_error
        = family == 4
              ? from->cmsg_level == IPPROTO_IP && from->cmsg_type == IP_RECVERR
              : from->cmsg_level == IPPROTO_IPV6
                    && from->cmsg_type == IPV6_RECVERR;
    size_t size = from->cmsg_len - CMSG_LEN (0);
    if (!is_error || size < sizeof told.error)
        return false;
    memcpy (&told, CMSG_DATA (from), size < sizeof told ? size : sizeof told);
    out->error = (int) told.error.ee_errno;
    out->to = (sh_addr_t){ 0 };
    if (told.error.ee_origin == SO_EE_ORIGIN_LOCAL)
        return true;
    s_addr (&out->to, family, &told.who);
    return told.error.ee_origin == SO_EE_ORIGIN_ICMP
           || told.error.ee_origin == SO_EE_ORIGIN_ICMP6;
}

bool
sc_way_echo_failure (int fd, uint8_t family, sc_reply_t *out, bool *took)
{
    uint8_t quoted[QUOTED_MOST];
    struct sockaddr_storage to = { 0 };
    union
    {
        struct cmsghdr align;
        uint8_t bytes[512];
    } control;
    struct iovec data = { .iov_base = quoted, .iov_len = sizeof quoted };
    struct msghdr message = { .msg_name = &to,
                              .msg_namelen = sizeof to,
                              .msg_iov = &data,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof control };
    ssize_t got = recvmsg (fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (got < 0)
        return false;
    bool is_known = false;
    *out = (sc_reply_t){ .kind = SC_REPLY_FAILURE };
    for (struct cmsghdr *at = CMSG_FIRSTHDR (&message); at && !is_known;
         at = CMSG_NXTHDR (&message, at))
        is_known = s_read_cause (at, family, out);
    s_addr (&out->from, family, &to);
    *took = is_known
            && sc_echo_read_quoted (&out->mark, family,
                                    (sh_bytes_t){ quoted, (size_t) got });
    return true;
}

bool
sc_way_echo_read (const sc_sockets_t *self, int fd, sh_bytes_t packet,
                  const struct sockaddr_storage *from, sc_reply_t *out)
{
    *out = (sc_reply_t){ .kind = SC_REPLY_ECHO };
    if (fd == self->echo4 && self->raw4)
        return sc_echo_read_ip4 (&out->mark, &out->from, packet);
    s_addr (&out->from, fd == self->echo4 ? 4 : 6, from);
    return sc_echo_read (&out->mark, out->from.family, packet);
}
