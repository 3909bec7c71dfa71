/* SPDX-License-Identifier: MPL-2.0 */
/*  A database that answers from memory: it stands in front of libmariadb's
    calls, so that the real store builds its statements and reads its rows while
    no server's work is counted.  Agent 3 has the code ROAD_CODE and the subnets
    1 to ROAD_SUBNETS, subnet n is 10.0.n.0/24, and all of its addresses from .1
    to .ROAD_ROWS have rows with one lastSeen.  Nothing is ever changed.  */

#ifndef ROAD_DATABASE_H
#define ROAD_DATABASE_H

#include <stddef.h>

#define ROAD_CODE "code-of-the-site"
#define ROAD_SUBNETS 16
#define ROAD_ROWS 250

typedef struct
{
    size_t statements, bytes; /* of their texts */
    size_t rows;              /* that were sent */
} road_counts_t;

extern road_counts_t road_counts;

/*  Make the rows; the text is borrowed.  */
void road_database_fill (const char *last_seen);

#endif
