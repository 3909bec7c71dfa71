/* SPDX-License-Identifier: MPL-2.0 */
/*  The engine that probes by itself, without a program beside: ARP and
    neighbour discovery on our own links, ICMP echo beyond them, and TCP where
    there is no right to either.  Two passes, four where it matters; one pace
    for all of its probes.  */

#ifndef SC_BUILTIN_H
#define SC_BUILTIN_H

#include "scanner/prober.h"

#define SC_TCP_PORTS_MOST 8

typedef struct
{
    uint32_t rate; /* probes per second, 1 to SC_PACE_MOST */
    /*  Without a right to anything else, these are connected to, one in each
        pass.  */
    uint16_t tcp_ports[SC_TCP_PORTS_MOST];
    size_t tcp_port_count; /* at least 1 */
} sc_builtin_settings_t;

/*  1,000 probes per second; 443, 80, 22, 445.  */
void sc_builtin_default (sc_builtin_settings_t *out);

/*  Its 'settings' are a sc_builtin_settings_t.  */
extern const sc_engine_t sc_engine_builtin;

#endif
