/* SPDX-License-Identifier: MPL-2.0 */
/*  What the service manager is told (sd_notify(3)): that the program is ready,
    reloads, stops, how it is, and that it is alive.  The protocol is one
    datagram to $NOTIFY_SOCKET, so libsystemd, which not every distribution has,
    is not needed.  Where nobody listens every call does nothing.  */

#ifndef SH_NOTIFY_H
#define SH_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct
{
    int fd;        /* -1: nobody listens */
    int64_t every; /* ms between two signs of life; 0: nobody waits for them */
    int64_t next;  /* mono ms of the next one */
    struct sockaddr_un address;
    socklen_t size;
} sh_notify_t;

#define SH_NOTIFY_NONE { .fd = -1 }

/*  Look into the environment, once, before there are threads: NOTIFY_SOCKET (a
    path, or @ and an abstract name), WATCHDOG_USEC and WATCHDOG_PID.  They are
    taken out of it, for programs that we start are not the service.  What is
    wrong with them is logged.  */
void sh_notify_open (sh_notify_t *self);
void sh_notify_close (sh_notify_t *self);

/*  'status' is a line for 'systemctl status'; control characters become
    blanks.  A reload begins with reloading and ends with ready, also when it
    failed.  */
void sh_notify_ready (const sh_notify_t *self, const char *status);
void sh_notify_reloading (const sh_notify_t *self);
void sh_notify_stopping (const sh_notify_t *self);
void sh_notify_status (const sh_notify_t *self, const char *status);

/*  ms until a sign of life is due; -1: never.  */
int sh_notify_patience (const sh_notify_t *self, int64_t now);

/*  Is one due?  Then the caller looks whether all is well, and calls alive if
    it is; the next one is due in a quarter of what the manager waits.  */
bool sh_notify_due (sh_notify_t *self, int64_t now);
void sh_notify_alive (const sh_notify_t *self);

#endif
