/* SPDX-License-Identifier: MPL-2.0 */
/*  File descriptors, so that strangers who connect cannot take the last ones.

    libzmq's listener, and libmicrohttpd's, accept until there are none left.
    libzmq's then spins, and the database, the registry and the control socket
    cannot be reached any more.  No option of theirs prevents that.  So this
    module defines accept and accept4 itself: those of a program go before the
    C library's for every library that is loaded with it.  A connection whose
    descriptor would be one of the last is closed at once and reported as
    ECONNABORTED, which both libraries pass over.

    The state is the process's, as its descriptors are.  Thread-safe.  */

#ifndef HUB_DESCRIPTORS_H
#define HUB_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

typedef struct
{
    size_t used, limit;
    size_t reserve;       /* the last ones, which no connection gets */
    uint64_t turned_away; /* connections, since the start */
} hub_descriptors_t;

/*  Set the limit to 16,384, or as far as it goes below that, and keep a reserve
    from then on; before this nothing is turned away.  */
void hub_descriptors_start (void);

/*  Counts the open ones, which takes a while if there are many.  */
void hub_descriptors_read (hub_descriptors_t *out);

/*  Say in the log when they run short; call it about once a second ('now':
    mono ms).  One line a minute at most.  */
void hub_descriptors_watch (int64_t now);

/*  accept4 without a look at the reserve, for the control socket: non-blocking
    and closed on exec; -1 with errno.  */
int hub_descriptors_accept (int fd);

/*  How many bytes have come in by a TCP connection so far; 0 for anything
    else.  */
uint64_t hub_descriptors_received (int fd);

#endif
