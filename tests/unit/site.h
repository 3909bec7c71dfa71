/* SPDX-License-Identifier: MPL-2.0 */
/*  A site of two network namespaces, for tests of probers: this program's own,
    and one of a process beside it that has the hosts; joined by veth.  Only
    root can make one.

        scanner  10.66.0.1/16          s0 ---- h0  10.66.0.2, .0.10 to .0.19,
                 2001:db8:66::1/64                 10.66.200.7
                                                   2001:db8:66::2, ::10,
                                                   an EUI-64 and a random one
        behind 10.66.0.2: 10.67.3.0/28 answers, the rest of 10.67.0.0/16 is
        silent; behind 2001:db8:66::2: 2001:db8:67::/124 of ::/112  */

#ifndef TESTS_SITE_H
#define TESTS_SITE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SITE_MAC "02:00:00:00:66:02" /* of all hosts on the link */
#define SITE_OWN_MAC "02:00:00:00:66:01"
#define SITE_EUI64 "2001:db8:66::ff:fe00:6602"
#define SITE_RANDOM "2001:db8:66:0:1c7a:9d2e:4b11:f00d"

/*  False if this machine does not let us.  The process then ends with this one
    or by site_end.  */
bool site_begin (void);
void site_end (void);

/*  A shell command in the scanner's namespace, in that of the hosts; fails the
    test if it fails.  */
void site_run (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
void site_host (const char *format, ...)
    __attribute__ ((format (printf, 1, 2)));

/*  The same, where this kernel may not know how.  */
bool site_can (const char *command);

/*  Packets that have come to the hosts' end.  */
uint64_t site_heard (void);

/*  Somebody on the link sends, a hundred times a second, what looks like
    answers of silent hosts and is none: gratuitous, broadcast, for others, of another
    VLAN, by another link, unasked, routed, with marks that nobody gave it.  Only 10.66.9.1 and
    2001:db8:66::9:1 are as their true answers would be, from the MAC
    02:00:00:00:99:99.  */
void site_forge_begin (void);
void site_forge_end (void);

/*  Somebody on the link, of the MAC 02:00:00:00:99:99, hears our calls and
    answers each from so many addresses, 2001:db8:66::7:1 and on.  */
void site_crowd_begin (unsigned addresses);
void site_crowd_end (void);

#endif
