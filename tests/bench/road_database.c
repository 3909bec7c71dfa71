/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/bench/road_database.h"

#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MOST 12
#define TEXT_MOST 24
#define FIRST 167772160u /* 10.0.0.0 */

road_counts_t road_counts;

/*  What a statement is answered with.  */
struct result
{
    const char *(*rows)[COLUMNS_MOST];
    size_t count, next;
};

static char s_texts[ROAD_SUBNETS + 1][ROAD_ROWS][2][TEXT_MOST];
static const char *s_addresses[ROAD_SUBNETS + 1][ROAD_ROWS][COLUMNS_MOST];
static char s_subnet_texts[ROAD_SUBNETS + 1][2][TEXT_MOST];
static const char *s_subnets[ROAD_SUBNETS][COLUMNS_MOST];
static const char *s_agent[1][COLUMNS_MOST]
    = { { "3", "site", ROAD_CODE, "mysql", "2026-01-01 00:00:00", "1",
          "1,2,3,4", "0", "0", "0" } };
static char *s_row[COLUMNS_MOST]; /* the last one that was fetched */
static struct result s_result;

void
road_database_fill (const char *last_seen)
{
    for (unsigned n = 1; n <= ROAD_SUBNETS; n++) {
        char (*its)[TEXT_MOST] = s_subnet_texts[n];
        snprintf (its[0], TEXT_MOST, "%u", n);
        snprintf (its[1], TEXT_MOST, "%u", FIRST + 256 * n);
        const char *subnet[COLUMNS_MOST] = { its[0], its[1], "24", "3", "0", "1",
                                       "1", "0", NULL, NULL, "0" };
        memcpy (s_subnets[n - 1], subnet, sizeof subnet);
        for (unsigned i = 0; i < ROAD_ROWS; i++) {
            char (*text)[TEXT_MOST] = s_texts[n][i];
            snprintf (text[0], TEXT_MOST, "%u", n * 1000 + i);
            snprintf (text[1], TEXT_MOST, "%u", FIRST + 256 * n + i + 1);
            const char *row[COLUMNS_MOST]
                = { text[0], text[1], "0", "a printer", "2", last_seen,
                    NULL, NULL };
            memcpy (s_addresses[n][i], row, sizeof row);
        }
    }
}

/*  Which subnet a statement is about.  */
static size_t
s_subnet_of (const char *statement)
{
    const char *at = strstr (statement, "subnetId = ");
    size_t subnet = at ? strtoul (at + 11, NULL, 10) : 0;
    return subnet <= ROAD_SUBNETS ? subnet : 0;
}

static void
s_answer (const char *statement)
{
    s_result = (struct result){ 0 };
    if (strncmp (statement, "SELECT", 6) != 0)
        return;
    if (strstr (statement, " FROM ipaddresses ")) {
        s_result.rows = s_addresses[s_subnet_of (statement)];
        s_result.count = ROAD_ROWS;
    } else if (strstr (statement, " FROM subnets s ")) {
        s_result.rows = s_subnets; /* the store takes what it asked for */
        s_result.count = ROAD_SUBNETS;
    } else if (strstr (statement, "scanAgents a")) {
        s_result.rows = s_agent;
        s_result.count = 1;
    }
}

/*  In front of the library's.  */

MYSQL *
mysql_real_connect (MYSQL *mysql, const char *host, const char *user,
                    const char *password, const char *name, unsigned port,
                    const char *socket, unsigned long flags)
{
    (void) host, (void) user, (void) password, (void) name;
    (void) port, (void) socket, (void) flags;
    return mysql;
}

int
mysql_real_query (MYSQL *mysql, const char *statement, unsigned long size)
{
    (void) mysql;
    road_counts.statements++;
    road_counts.bytes += size;
    s_answer (statement);
    return 0;
}

int
mysql_query (MYSQL *mysql, const char *statement)
{
    (void) mysql, (void) statement;
    return 0;
}

MYSQL_RES *
mysql_store_result (MYSQL *mysql)
{
    (void) mysql;
    return (MYSQL_RES *) &s_result;
}

my_ulonglong
mysql_num_rows (MYSQL_RES *result)
{
    return ((struct result *) result)->count;
}

MYSQL_ROW
mysql_fetch_row (MYSQL_RES *result)
{
    struct result *self = (struct result *) result;
    if (self->next == self->count)
        return NULL;
    road_counts.rows++;
    memcpy (s_row, self->rows[self->next++], sizeof s_row);
    return s_row;
}

void
mysql_data_seek (MYSQL_RES *result, unsigned long long row)
{
    ((struct result *) result)->next = row;
}

void
mysql_free_result (MYSQL_RES *result)
{
    (void) result;
}

const char *
mysql_get_ssl_cipher (MYSQL *mysql)
{
    (void) mysql;
    return NULL;
}

char *
mysql_get_host_info (MYSQL *mysql)
{
    static char words[] = "memory";
    (void) mysql;
    return words;
}

char *
mysql_get_server_info (MYSQL *mysql)
{
    static char words[] = "none";
    (void) mysql;
    return words;
}
