/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/trouble.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
sc_trouble_add (sc_trouble_t *self, int error)
{
    size_t i = 0;
    while (i < SC_TROUBLE_KINDS - 1 && self->kinds[i].error
           && self->kinds[i].error != error)
        i++;
    if (!self->kinds[i].error)
        self->kinds[i].error = error;
    self->kinds[i].count++;
}

bool
sc_trouble_is_brief (int error)
{
    switch (error) {
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:
    case EINTR:
    case EMFILE:
    case ENFILE:
        return true;
    default:
        return false;
    }
}

static const char *
s_advice (int error)
{
    switch (error) {
    case EPERM:
    case EACCES:
        return "a firewall rule or route of this machine forbids it";
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EINVAL: /* of a blackhole route */
        return "this machine has no route there";
    case EHOSTDOWN: /* which no kernel says of a route: see trouble.h */
        return "the gateway on the way there does not answer";
    case ENETDOWN:
    case ENETRESET:
    case ENXIO:
    case ENODEV:
        return "an interface of this machine is down";
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return "this machine has no address to ask from";
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:
        return "this machine had no buffers left; lower 'rate'";
    case EMFILE:
    case ENFILE:
        return "no file descriptors are left; raise the limit (LimitNOFILE)";
    default:
        return "see the network of this machine";
    }
}

void
sc_trouble_text (const sc_trouble_t *self, uint64_t missed, uint64_t count,
                 char *out, size_t size)
{
    size_t most = 0;
    for (size_t i = 1; i < SC_TROUBLE_KINDS; i++)
        if (self->kinds[i].count > self->kinds[most].count)
            most = i;
    int error = self->kinds[most].error;
    if (!error)
        error = ENETDOWN; /* a link that went away without one */
    (void) snprintf (out, size,
                     "%" PRIu64 " of %" PRIu64
                     " addresses could not be asked: %s (%s)",
                     missed, count, s_advice (error), strerror (error));
}
