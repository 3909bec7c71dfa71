/* SPDX-License-Identifier: MPL-2.0 */
/*  What scanhub-swarm was asked to do.  Texts are argv's.  */

#ifndef SW_OPTIONS_H
#define SW_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define SW_SCANNERS_MOST 1500
#define SW_WINDOW_MOST 48 /* what a hub grants at the very most */

typedef struct
{
    char *endpoint, *server_key, *keys;
    uint64_t first, scanners;
    /*  What they report: the subnets from..to with number % agents equal to the
        scanner's.  */
    uint64_t subnets, agents, from, to;
    uint64_t prefix; /* length of the subnets' */
    uint64_t host_first, host_last; /* numbers within the subnet */
    double spread;  /* seconds over which the hosts were seen */
    bool closing;   /* each report has its closing part */
    bool once;      /* each subnet is reported once, not in turn for ever */
    /*  One of the three shapes: idle, a rate (of all scanners together, reports
        per second), or else a closed loop with so many parts on their way.  */
    bool idle;
    double rate, period;
    uint64_t window;
    /*  Where it ends; 0: not by this.  */
    uint64_t reports;
    double seconds;
    double ramp;     /* seconds over which the scanners begin to connect */
    double patience; /* seconds, to connect all and to hear the last verdict */
} sw_options_t;

/*  -1: go on; else the program's exit status, everything is said.  */
int sw_options_parse (sw_options_t *out, int argc, char **argv);

#endif
