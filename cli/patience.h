/* SPDX-License-Identifier: MPL-2.0 */
/*  Waiting, in a command that asks the hub again and again, for Ctrl-C.  */

#ifndef CTL_PATIENCE_H
#define CTL_PATIENCE_H

#include <stdbool.h>

/*  From here on Ctrl-C and SIGTERM are left to ctl_patience_pause, so that the
    command ends with a word and not in the middle of one.  */
void ctl_patience_begin (void);

/*  Wait 'ms'; true: one of them came.  */
bool ctl_patience_pause (long ms);

#endif
