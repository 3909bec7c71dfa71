/* SPDX-License-Identifier: MPL-2.0 */
/*  'scanhub-scanner join' and 'rotate': how a site gets its key, and another
    one later.  Both make files on this machine, knock at the hub so that it
    lists the key, and say what is to be run there.  What is there already
    stays; a second run goes on where the first one ended.  */

#ifndef SC_JOIN_H
#define SC_JOIN_H

#include "lib/clock.h"
#include "scanner/config.h"

typedef struct
{
    const char *config_path; /* where the configuration is to be */
    const char *invitation;  /* scanhub://HOST:PORT/KEY */
    const char *name;        /* to propose; NULL: the machine's */
    const char *from;        /* an old scanner's file, or NULL */
    uint32_t wait;           /* seconds to wait for the hub's approval */
    const sh_clock_t *clock;
} sc_join_t;

/*  The exit status: 0 when the hub lets the key in, EX_TEMPFAIL (75) when it
    does not yet.  */
int sc_join (const sc_join_t *self);

/*  Make the next key beside the one of 'config', and knock with it at every
    hub.  0 when all of them let it in, else 75 as above.  */
int sc_rotate (sc_config_t *config, uint32_t wait, const sh_clock_t *clock);

#endif
