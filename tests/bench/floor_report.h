/* SPDX-License-Identifier: MPL-2.0 */
/*  What the hub says to the database for one report, without the hub: the same
    statements in the same order over one connection, made of the addresses
    alone.  Nothing is checked, decided or planned; the rows are read only for
    their ids.  Belongs to one thread.

    The texts are the hub's (hub/store_agents.c, store_rows.c, store_apply.c).
    The suite 'throughput' has both apply a report each while the server keeps
    its general log, and compares what it was told: change the hub's statements,
    and these have to follow.  */

#ifndef BENCH_FLOOR_REPORT_H
#define BENCH_FLOOR_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <mysql.h>

typedef enum
{
    FLOOR_NEW,       /* rows that exist are seen, the others are made */
    FLOOR_UNCHANGED, /* rows that exist are seen */
    FLOOR_READ,      /* reads alone */
    FLOOR_COMMIT     /* one row is seen: what it costs to be durable */
} floor_mode_t;

typedef struct
{
    const char *socket, *user, *password, *database;
    floor_mode_t mode;
    bool closing;             /* a second transaction ends each scan */
    unsigned first, last;     /* last octets of the hosts reported */
    unsigned known;           /* up to here they have rows */
    unsigned agents;
} floor_options_t;

typedef struct
{
    const floor_options_t *options;
    MYSQL *mysql; /* owned */
    char *text;   /* of the statement; owned */
    size_t size;
    uint64_t read, updated, inserted; /* rows */
    char error[256]; /* what the server said last */
} floor_report_t;

/*  Connect as the hub does.  False: told on standard error.  */
bool floor_report_init (floor_report_t *self, const floor_options_t *options);
void floor_report_clear (floor_report_t *self);

/*  Apply one report of the subnet.  The number of the server's error, or 0;
    the transaction is over in any case.  */
unsigned floor_report_apply (floor_report_t *self, uint64_t subnet);

#endif
