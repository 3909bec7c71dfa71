/* SPDX-License-Identifier: MPL-2.0 */
/*  Where a program listens for HTTP: addresses read, judged and bound before
    libmicrohttpd sees them, so that a fault is a sentence.  */

#ifndef SH_LISTEN_H
#define SH_LISTEN_H

#include "lib/addr.h"
#include "lib/config.h"

typedef struct
{
    char *text; /* as configured */
    sh_addr_t addr;
    uint16_t port; /* as bound; 0 until then, or when it was left out */
    int fd;        /* non-blocking; -1 until bound, or when left out */
} sh_listener_t;

typedef struct
{
    sh_listener_t *items;
    size_t count;
} sh_listeners_t;

/*  Read "127.0.0.1:5000", "[::1]:5000"; port 0 takes a free one.  At least one;
    SH_E_CONFIG, which names 'setting'.  On an error nothing is left to
    clear.  */
sh_err_t sh_listeners_parse (sh_listeners_t *out, const sh_strings_t *texts,
                             const char *setting, sh_why_t *why)
    SH_MUST_CHECK;
/*  Bind and listen. "[::1]" is left out with a warning on a machine without
    IPv6, unless it is the only one.  SH_E_IO; where somebody else has the port,
    'taken' (a question) says who that may be.  */
sh_err_t sh_listeners_bind (sh_listeners_t *self, const char *taken,
                            sh_why_t *why) SH_MUST_CHECK;
/*  Close and free; fine when empty.  */
void sh_listeners_clear (sh_listeners_t *self);

/*  The first that is not of this machine alone, or NULL.  */
const sh_listener_t *sh_listeners_open (const sh_listeners_t *self);

/*  Make an address with a port of '*item' (malloc'ed): one that names none
    gets 'port'.  IPv6 without brackets is taken where no end of it can be meant
    as a port, because [::] without quotes is a list in YAML.  SH_E_CONFIG: it
    is no such thing; SH_E_MEMORY.  */
sh_err_t sh_listen_settle (char **item, uint32_t port, sh_addr_t *addr)
    SH_MUST_CHECK;

bool sh_addr_is_loopback (const sh_addr_t *addr);

#endif
