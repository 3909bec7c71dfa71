/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/way.h"

#include <errno.h>
#include <net/ethernet.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET_MOST 2048 /* what is longer is cut, and then no answer to us */
#define ERRORS_MOST 64   /* pending ones of a socket, read in a row */

static int
s_keep (int fd, int *error)
{
    if (fd >= 0)
        return fd;
    if (*error == 0)
        *error = -fd;
    return -1;
}

void
sc_sockets_open (sc_sockets_t *out, sc_socket_errors_t *errors)
{
    bool raw6;
    *errors = (sc_socket_errors_t){ 0 };
    out->arp = s_keep (sc_way_link_open (ETH_P_ARP), &errors->link);
    out->discovery = s_keep (sc_way_link_open (ETH_P_IPV6), &errors->link);
    out->echo4 = s_keep (sc_way_echo_open (4, &out->raw4), &errors->echo4);
    out->echo6 = s_keep (sc_way_echo_open (6, &raw6), &errors->echo6);
}

void
sc_sockets_close (sc_sockets_t *self)
{
    int *const all[]
        = { &self->arp, &self->discovery, &self->echo4, &self->echo6 };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (*all[i] >= 0)
            (void) close (*all[i]);
        *all[i] = -1;
    }
}

bool
sc_socket_read (int fd, void *buffer, size_t room, sh_bytes_t *packet,
                struct sockaddr_storage *from)
{
    ssize_t got = -1;
    /* any other error is of an earlier probe, and is over when it is read */
    for (unsigned i = 0; i < ERRORS_MOST && got < 0; i++) {
        socklen_t size = sizeof *from;
        *from = (struct sockaddr_storage){ 0 };
        got = recvfrom (fd, buffer, room, MSG_DONTWAIT,
                        (struct sockaddr *) from, &size);
        if (got < 0 && (errno == EAGAIN || errno == EBADF))
            return false;
    }
    if (got < 0)
        return false;
    *packet = (sh_bytes_t){ buffer, (size_t) got };
    return true;
}

static bool
s_receive (const sc_sockets_t *self, int fd, unsigned most, sc_reply_fn *take,
           void *context)
{
    uint8_t buffer[PACKET_MOST];
    struct sockaddr_storage from;
    sh_bytes_t packet;
    bool link = fd == self->arp || fd == self->discovery;
    for (unsigned i = 0; i < most; i++) {
        sc_reply_t reply;
        if (!sc_socket_read (fd, buffer, sizeof buffer, &packet, &from))
            return false;
        if (link ? sc_way_link_read (self, fd, packet, &from, &reply)
                 : sc_way_echo_read (self, fd, packet, &from, &reply))
            take (context, &reply);
    }
    return true;
}

/*  They go first: the queue holds room that answers need.  */
static bool
s_receive_failures (const sc_sockets_t *self, int fd, unsigned most,
                    sc_reply_fn *take, void *context)
{
    uint8_t family = fd == self->echo4 ? 4 : 6;
    for (unsigned i = 0; i < most; i++) {
        sc_reply_t reply;
        bool took;
        if (!sc_way_echo_failure (fd, family, &reply, &took))
            return false;
        if (took)
            take (context, &reply);
    }
    return true;
}

bool
sc_sockets_receive (const sc_sockets_t *self, unsigned most,
                    sc_reply_fn *take, void *context)
{
    const int all[] = { self->arp, self->discovery, self->echo4, self->echo6 };
    bool more = false;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i] < 0)
            continue;
        if (all[i] == self->echo4 || all[i] == self->echo6)
            more |= s_receive_failures (self, all[i], most, take, context);
        more |= s_receive (self, all[i], most, take, context);
    }
    return more;
}
