/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/store_rows.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/changes.h"
#include "lib/ranges.h"
#include "lib/sort.h"

/*  MariaDB turns IN lists of 1,000 and more into temporary tables.  */
#define IN_MOST 500
/*  So many hosts that lie close together, at least one of so many addresses,
    are read as the stretch that they span.  */
#define DENSE_LEAST 64
#define DENSE_SHARE 4
/*  Numbers of digits that an address can have.  */
#define LENGTHS (SH_ADDR_DECIMAL - 1)

/*  BOOL columns are '0' and '1'; before 1.5.0 some were BINARY(1), which can
    hold the byte 1 as well.  */
bool
hub_store_is_true (const char *value)
{
    return value && (*value == '1' || *value == 1);
}

bool
hub_store_is_read_only (const char *value)
{
    return value && strcmp (value, "0") != 0 && strcasecmp (value, "OFF") != 0;
}

uint64_t
hub_store_number (const char *value)
{
    uint64_t number = 0;
    for (; value && *value >= '0' && *value <= '9'; value++)
        number = number * 10 + (unsigned) (*value - '0');
    return number;
}

void
hub_store_copy_time (char out[static 20], const char *value)
{
    snprintf (out, 20, "%.19s", value ? value : "");
}

/*  Results of a read in chunks, kept until all rows are copied at once.  */
typedef struct
{
    MYSQL_RES **results;
    size_t count;
    size_t rows, bytes;
} chunks_t;

static sh_err_t
s_chunks_init (chunks_t *self, size_t most)
{
    *self = (chunks_t){ .results = calloc (most, sizeof *self->results) };
    return self->results ? SH_OK : SH_E_MEMORY;
}

static void
s_chunks_clear (chunks_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        mysql_free_result (self->results[i]);
    free (self->results);
}

enum { COL_ID, COL_IP, COL_EXCLUDE, COL_DESCRIPTION, COL_STATE, COL_SEEN,
       COL_HOSTNAME, COL_MAC };

/*  The beginning of each read.  */
static void
s_select (hub_sql_t *sql, uint64_t subnet)
{
    hub_sql_start (sql, "SELECT id, ip_addr, excludePing, description, state, "
                        "lastSeen, hostname, mac FROM ipaddresses "
                        "WHERE subnetId = ");
    hub_sql_number (sql, subnet);
}

/*  Send it and keep the result.  */
static sh_err_t
s_fetch (hub_sql_t *sql, chunks_t *chunks)
{
    MYSQL_RES *result;
    sh_err_t rc = hub_sql_query (sql, &result);
    if (rc != SH_OK)
        return rc;
    chunks->results[chunks->count++] = result;
    chunks->rows += mysql_num_rows (result);
    MYSQL_ROW row;
    while ((row = mysql_fetch_row (result)))
        for (int i = COL_SEEN; i <= COL_MAC; i++)
            chunks->bytes += (row[i] ? strlen (row[i]) : 0) + 1;
    return SH_OK;
}

/*  How many there are from one to the other.  */
static uint64_t
s_addresses (const sh_addr_t *first, const sh_addr_t *last)
{
    sh_range_t span = { *first, *last };
    return sh_ranges_count (&(sh_ranges_t){ .items = &span, .count = 1 });
}

/*  The decimal texts of the ends of a stretch that is worth to be read whole:
    its hosts lie close together, and the texts have one length, for only then
    their order is that of the numbers.  */
static bool
s_is_dense (const sh_addr_t *addrs, size_t count,
            char first[static SH_ADDR_DECIMAL],
            char last[static SH_ADDR_DECIMAL])
{
    const sh_addr_t *low = &addrs[0], *high = &addrs[count - 1];
    if (count < DENSE_LEAST || low->family != high->family)
        return false;
    sh_addr_decimal (low, first);
    sh_addr_decimal (high, last);
    return strlen (first) == strlen (last)
           && s_addresses (low, high) <= count * DENSE_SHARE;
}

/*  A /24 read as a stretch takes the server half the time of a list of its 254
    addresses, which it has to parse, sort and look up for each row.  */
static sh_err_t
s_fetch_some (hub_sql_t *sql, uint64_t subnet, const sh_addr_t *addrs,
              size_t count, chunks_t *chunks)
{
    char first[SH_ADDR_DECIMAL], last[SH_ADDR_DECIMAL];
    s_select (sql, subnet);
    if (s_is_dense (addrs, count, first, last)) {
        hub_sql_add (sql, " AND ip_addr >= ");
        hub_sql_text (sql, first);
        hub_sql_add (sql, " AND ip_addr <= ");
        hub_sql_text (sql, last);
        return s_fetch (sql, chunks);
    }
    for (size_t i = 0; i < count; i++) {
        char decimal[SH_ADDR_DECIMAL];
        sh_addr_decimal (&addrs[i], decimal);
        /*  As text: a numeric literal misses the index and, being compared
            as a double, matches neighbouring IPv6 addresses.  */
        hub_sql_add (sql, i ? "," : " AND ip_addr IN (");
        hub_sql_text (sql, decimal);
    }
    hub_sql_add (sql, ")");
    return s_fetch (sql, chunks);
}

static const char *
s_keep (char **text, const char *value)
{
    size_t size = value ? strlen (value) : 0;
    char *kept = *text;
    if (size)
        memcpy (kept, value, size);
    kept[size] = 0;
    *text += size + 1;
    return kept;
}

static void
s_take_row (hub_rows_t *rows, MYSQL_ROW row, char **text)
{
    hub_row_t *one = &rows->items[rows->count];
    if (!row[COL_IP] || sh_addr_from_decimal (&one->ip, row[COL_IP]) != SH_OK)
        return;
    one->id = hub_store_number (row[COL_ID]);
    one->excluded = hub_store_is_true (row[COL_EXCLUDE]);
    one->autodiscovered = row[COL_DESCRIPTION]
                          && strcmp (row[COL_DESCRIPTION], HUB_DESCRIPTION) == 0;
    one->has_state = row[COL_STATE] != NULL;
    one->state = one->has_state ? (int) strtol (row[COL_STATE], NULL, 10) : 0;
    one->last_seen = s_keep (text, row[COL_SEEN]);
    one->hostname = s_keep (text, row[COL_HOSTNAME]);
    one->mac = s_keep (text, row[COL_MAC]);
    rows->count++;
}

static int
s_compare_rows (const void *a, const void *b)
{
    const hub_row_t *x = a, *y = b;
    return sh_addr_cmp (&x->ip, &y->ip);
}

/*  Copy the first 'most' rows.  */
static sh_err_t
s_take_rows (hub_rows_t **out, const chunks_t *chunks, size_t most)
{
    hub_rows_t *rows = calloc (1, sizeof *rows);
    if (rows) {
        rows->items = calloc (chunks->rows + 1, sizeof *rows->items);
        rows->memory = malloc (chunks->bytes + 1);
    }
    if (!rows || !rows->items || !rows->memory) {
        hub_rows_destroy (&rows);
        return SH_E_MEMORY;
    }
    char *text = rows->memory;
    size_t taken = 0;
    for (size_t i = 0; i < chunks->count; i++) {
        mysql_data_seek (chunks->results[i], 0);
        MYSQL_ROW row;
        while (taken < most && (row = mysql_fetch_row (chunks->results[i]))) {
            s_take_row (rows, row, &text);
            taken++;
        }
    }
    sh_sort (rows->items, rows->count, sizeof *rows->items, s_compare_rows);
    *out = rows;
    return SH_OK;
}

sh_err_t
hub_store_rows_of (hub_sql_t *sql, uint64_t subnet, const sh_addr_t *addrs,
                   size_t count, hub_rows_t **out)
{
    assert (addrs && count > 0);
    chunks_t chunks;
    sh_err_t rc = s_chunks_init (&chunks, count / IN_MOST + 1);
    for (size_t done = 0, some; rc == SH_OK && done < count; done += some) {
        some = count - done > IN_MOST ? IN_MOST : count - done;
        rc = s_fetch_some (sql, subnet, addrs + done, some, &chunks);
    }
    if (rc == SH_OK)
        rc = s_take_rows (out, &chunks, chunks.rows);
    s_chunks_clear (&chunks);
    return rc;
}

/*  The lowest or the highest number of 'length' digits.  */
static void
s_extreme (char out[static SH_ADDR_DECIMAL], size_t length, bool highest)
{
    memset (out, highest ? '9' : '0', length);
    if (!highest && length > 1)
        *out = '1';
    out[length] = 0;
}

/*  ip_addr is a number in text.  Among numbers of one length the order of texts
    is that of the numbers, so with the length fixed the index over (ip_addr,
    subnetId) gives a page that begins anywhere without looking at the rows
    before it, and without a sort.  Over all lengths at once it would be read
    whole and sorted for each page: with 300,000 rows 1.2 s instead of 25 ms.
    With 'all' there cannot be more rows than may be read, and the server need
    not sort them.  */
static sh_err_t
s_fetch_range (hub_sql_t *sql, uint64_t subnet, const hub_range_t *range,
               const char *low, const char *high, bool all, chunks_t *chunks)
{
    s_select (sql, subnet);
    hub_sql_add (sql, " AND ip_addr >= ");
    hub_sql_text (sql, low);
    hub_sql_add (sql, " AND ip_addr <= ");
    hub_sql_text (sql, high);
    hub_sql_add (sql, " AND LENGTH(ip_addr) = ");
    hub_sql_number (sql, strlen (low));
    if (!all) {
        hub_sql_add (sql, " ORDER BY ip_addr LIMIT ");
        hub_sql_number (sql, range->most + 1 - chunks->rows);
    }
    return s_fetch (sql, chunks);
}

sh_err_t
hub_store_rows_in (hub_sql_t *sql, uint64_t subnet, const hub_range_t *range,
                   hub_rows_t **out, bool *more)
{
    assert (range->most > 0 && range->first.family == range->last.family);
    char first[SH_ADDR_DECIMAL], last[SH_ADDR_DECIMAL];
    sh_addr_decimal (&range->first, first);
    sh_addr_decimal (&range->last, last);
    size_t least = strlen (first), most = strlen (last);
    bool all = s_addresses (&range->first, &range->last) <= range->most;
    chunks_t chunks;
    sh_err_t rc = s_chunks_init (&chunks, LENGTHS);
    for (size_t length = least;
         rc == SH_OK && length <= most && (all || chunks.rows <= range->most);
         length++) {
        char low[SH_ADDR_DECIMAL], high[SH_ADDR_DECIMAL];
        s_extreme (low, length, false);
        s_extreme (high, length, true);
        rc = s_fetch_range (sql, subnet, range, length == least ? first : low,
                            length == most ? last : high, all, &chunks);
    }
    if (rc == SH_OK)
        rc = s_take_rows (out, &chunks, all ? chunks.rows : range->most);
    if (rc == SH_OK)
        *more = !all && chunks.rows > range->most && (*out)->count > 0;
    s_chunks_clear (&chunks);
    return rc;
}
