/* SPDX-License-Identifier: MPL-2.0 */
/*  Processes of this machine as /proc shows them: who listens on a port, and
    who runs a program.  What the caller may not see is not known.  */

#ifndef CTL_PROCESS_H
#define CTL_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_PROCESS_NAME 32

typedef struct
{
    bool listening; /* somebody listens on the port */
    long pid;       /* who; 0: that is not known */
    char name[CTL_PROCESS_NAME]; /* of the program; "" likewise */
} ctl_port_t;

/*  Who listens on a TCP port, on any address; of several that which is
    'preferred' (a process id, or 0).  */
void ctl_port_look (ctl_port_t *out, uint16_t port, long preferred);

/*  The first process whose command line has both words; 0: none.  */
long ctl_process_with (const char *word, const char *other);

#endif
