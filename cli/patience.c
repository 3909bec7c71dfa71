/* SPDX-License-Identifier: MPL-2.0 */

#include "cli/patience.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static void
s_fill (sigset_t *set)
{
    sigemptyset (set);
    sigaddset (set, SIGINT);
    sigaddset (set, SIGTERM);
}

void
ctl_patience_begin (void)
{
    sigset_t set;
    s_fill (&set);
    sigprocmask (SIG_BLOCK, &set, NULL);
}

bool
ctl_patience_pause (long ms)
{
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    sigset_t set;
    s_fill (&set);
    return sigtimedwait (&set, NULL, &time) > 0;
}
