/* SPDX-License-Identifier: MPL-2.0 */
/*  The signals that end a program (INT, TERM) and the one that has it read its
    configuration again (HUP).  They are blocked before there are threads, so
    that every thread leaves them to one descriptor, and read from that.  */

#ifndef SH_SIGNALS_H
#define SH_SIGNALS_H

/*  For this thread and those that it will start.  */
void sh_signals_block (void);

/*  For a program that holds nothing: let them end it again.  */
void sh_signals_unblock (void);

/*  A descriptor to poll, which is the caller's; -1 with errno.  */
int sh_signals_open (void);

/*  The next signal that has come; 0: none.  It never waits.  */
int sh_signals_read (int fd);

#endif
