/* SPDX-License-Identifier: MPL-2.0 */

#include "lib/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t
s_ours (void)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGHUP);
    return set;
}

void
sh_signals_block (void)
{
    sigset_t set = s_ours ();
    (void) sigprocmask (SIG_BLOCK, &set, NULL);
}

void
sh_signals_unblock (void)
{
    sigset_t set = s_ours ();
    (void) sigprocmask (SIG_UNBLOCK, &set, NULL);
}

int
sh_signals_open (void)
{
    sigset_t set = s_ours ();
    return signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int
sh_signals_read (int fd)
{
    struct signalfd_siginfo info;
    return read (fd, &info, sizeof info) == (ssize_t) sizeof info
               ? (int) info.ssi_signo
               : 0;
}
