/* SPDX-License-Identifier: MPL-2.0 */
/*  What is asked of hub/previews.h.  */

#include "hub/previews.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/previews_file.h"
#include "scanner-proto/frames.h"

#define ENTRY                                                                  \
    "SELECT number, report, reason, subnet, cidr, kind, started, received,"    \
    " door, key, name, code, agent, parts, changes, listed, failed FROM entry "

enum { COL_NUMBER, COL_REPORT, COL_REASON, COL_SUBNET, COL_CIDR, COL_KIND,
       COL_STARTED, COL_RECEIVED, COL_DOOR, COL_KEY, COL_NAME, COL_CODE,
       COL_AGENT, COL_PARTS, COL_CHANGES, COL_LISTED, COL_FAILED };

static const char *
s_text (sqlite3_stmt *stmt, int column)
{
    const unsigned char *text = sqlite3_column_text (stmt, column);
    return text ? (const char *) text : "";
}

static uint64_t
s_count (sqlite3_stmt *stmt, int column)
{
    return (uint64_t) sqlite3_column_int64 (stmt, column);
}

/*  False: it is not one that we have written.  */
static bool
s_take_entry (hub_preview_t *out, sqlite3_stmt *stmt)
{
    int64_t reason = sqlite3_column_int64 (stmt, COL_REASON);
    int64_t kind = sqlite3_column_int64 (stmt, COL_KIND);
    int64_t door = sqlite3_column_int64 (stmt, COL_DOOR);
    const void *report = sqlite3_column_blob (stmt, COL_REPORT);
    if (reason <= HUB_HELD_NOT || reason >= HUB_HELD_COUNT || kind < 0
        || kind > SP_KIND_BOTH || door < 0 || door > HUB_DOOR_HTTP || !report
        || sqlite3_column_bytes (stmt, COL_REPORT) != SP_REPORT_ID)
        return false;
    memset (out, 0, sizeof *out);
    memcpy (out->report, report, SP_REPORT_ID);
    out->number = s_count (stmt, COL_NUMBER);
    out->reason = (hub_held_t) reason;
    out->subnet = s_count (stmt, COL_SUBNET);
    out->kind = (int) kind;
    out->started = sqlite3_column_int64 (stmt, COL_STARTED);
    out->received = sqlite3_column_int64 (stmt, COL_RECEIVED);
    out->door = (hub_door_t) door;
    out->parts = s_count (stmt, COL_PARTS);
    out->changes = s_count (stmt, COL_CHANGES);
    out->listed = s_count (stmt, COL_LISTED);
    const struct
    {
        char *to;
        size_t size;
        int column;
    } texts[] = {
        { out->cidr, sizeof out->cidr, COL_CIDR },
        { out->key, sizeof out->key, COL_KEY },
        { out->name, sizeof out->name, COL_NAME },
        { out->code, sizeof out->code, COL_CODE },
        { out->agent, sizeof out->agent, COL_AGENT },
        { out->failed, sizeof out->failed, COL_FAILED },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        snprintf (texts[i].to, texts[i].size, "%s",
                  s_text (stmt, texts[i].column));
    return true;
}

static sh_err_t
s_list (hub_previews_t *self, uint64_t after, uint64_t subnet,
        hub_preview_t *out, size_t most, size_t *count, sh_why_t *why)
{
    sqlite3_stmt *stmt = hub_previews_ask (
        self, ENTRY "WHERE number > ?1 AND (?2 = 0 OR subnet = ?2)"
                    " ORDER BY number LIMIT ?3",
        "iii", (int64_t) after, (int64_t) subnet, (int64_t) most);
    int code = stmt ? SQLITE_ROW : SQLITE_ERROR;
    *count = 0;
    while (code == SQLITE_ROW && (code = sqlite3_step (stmt)) == SQLITE_ROW)
        if (s_take_entry (&out[*count], stmt))
            ++*count;
    sqlite3_finalize (stmt);
    return code == SQLITE_DONE ? SH_OK
                               : hub_previews_failed (self, "reading", why);
}

sh_err_t
hub_previews_list (hub_previews_t *self, uint64_t after, uint64_t subnet,
                   hub_preview_t *out, size_t most, size_t *count,
                   sh_why_t *why)
{
    assert (self && out && count);
    pthread_mutex_lock (&self->lock);
    sh_err_t rc = hub_previews_open (self, why);
    if (rc == SH_OK)
        rc = s_list (self, after, subnet, out, most, count, why);
    pthread_mutex_unlock (&self->lock);
    return rc;
}

sh_err_t
hub_previews_find (hub_previews_t *self, uint64_t number, hub_preview_t *out,
                   sh_why_t *why)
{
    size_t count = 0;
    sh_err_t rc = number ? hub_previews_list (self, number - 1, 0, out, 1,
                                              &count, why)
                         : SH_OK;
    if (rc == SH_OK && (count == 0 || out->number != number))
        rc = sh_fail (why, SH_E_NOT_FOUND,
                      "there is no held report %llu; a newer one of its subnet "
                      "may be in its place: scanhubctl preview list",
                      (unsigned long long) number);
    return rc;
}

enum { LINE_ROW, LINE_PART, LINE_ACTION, LINE_ADDRESS, LINE_FIELD, LINE_OLD,
       LINE_FRESH };

static void
s_show_line (sqlite3_stmt *stmt, hub_preview_see_fn *see, void *context)
{
    const hub_preview_line_t line = {
        .row = s_count (stmt, LINE_ROW),
        .part = s_count (stmt, LINE_PART),
        .action = s_text (stmt, LINE_ACTION),
        .address = s_text (stmt, LINE_ADDRESS),
        .column = s_text (stmt, LINE_FIELD),
        .before = (const char *) sqlite3_column_text (stmt, LINE_OLD),
        .after = (const char *) sqlite3_column_text (stmt, LINE_FRESH),
    };
    see (context, &line);
}

static sh_err_t
s_lines (hub_previews_t *self, uint64_t number, uint64_t part, uint64_t after,
         size_t most, hub_preview_see_fn *see, void *context, bool *more,
         sh_why_t *why)
{
    /*  By the index over (entry, part, row): an entry has up to a hundred
        parts, and each is asked for.  */
    sqlite3_stmt *stmt = hub_previews_ask (
        self,
        part == HUB_PREVIEW_ALL
            ? "SELECT row, part, action, address, field, old, fresh FROM"
              " change WHERE entry = ?1 AND row > ?3 ORDER BY row LIMIT ?4"
            : "SELECT row, part, action, address, field, old, fresh FROM"
              " change WHERE entry = ?1 AND part = ?2 AND row > ?3"
              " ORDER BY row LIMIT ?4",
        "iiii", (int64_t) number, (int64_t) part, (int64_t) after,
        (int64_t) most + 1);
    int code = stmt ? SQLITE_ROW : SQLITE_ERROR;
    *more = false;
    for (size_t count = 0;
         code == SQLITE_ROW && (code = sqlite3_step (stmt)) == SQLITE_ROW;
         count++)
        if (count < most)
            s_show_line (stmt, see, context);
        else
            *more = true;
    sqlite3_finalize (stmt);
    return code == SQLITE_DONE ? SH_OK
                               : hub_previews_failed (self, "reading", why);
}

sh_err_t
hub_previews_lines (hub_previews_t *self, uint64_t number, uint64_t part,
                    uint64_t after, size_t most, hub_preview_see_fn *see,
                    void *context, bool *more, sh_why_t *why)
{
    assert (self && see && more);
    pthread_mutex_lock (&self->lock);
    sh_err_t rc = hub_previews_open (self, why);
    if (rc == SH_OK)
        rc = s_lines (self, number, part, after, most, see, context, more,
                      why);
    pthread_mutex_unlock (&self->lock);
    return rc;
}

enum { PART_N, PART_RECEIVED, PART_CHANGES, PART_SUM, PART_FRAME };

/*  SQLite does not notice a changed byte in a value; its sum does.  */
static sh_err_t
s_take_part (sqlite3_stmt *stmt, hub_preview_part_t *out, sh_why_t *why)
{
    uint8_t sum[SP_FRAME_SUM];
    const void *stored = sqlite3_column_blob (stmt, PART_SUM);
    bool good = stored
                && sqlite3_column_bytes (stmt, PART_SUM) == SP_FRAME_SUM;
    sh_bytes_t frame = { sqlite3_column_blob (stmt, PART_FRAME),
                         (size_t) sqlite3_column_bytes (stmt, PART_FRAME) };
    good = good && frame.size > 0;
    if (good)
        sp_frame_sum (sum, frame);
    if (!good || memcmp (sum, stored, sizeof sum) != 0)
        return sh_fail (why, SH_E_IO, "the kept report is damaged; drop it");
    *out = (hub_preview_part_t){
        .part = s_count (stmt, PART_N),
        .frame = malloc (frame.size),
        .size = frame.size,
        .received = sqlite3_column_int64 (stmt, PART_RECEIVED),
        .changes = s_count (stmt, PART_CHANGES),
    };
    if (!out->frame)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    memcpy (out->frame, frame.data, frame.size);
    return SH_OK;
}

static sh_err_t
s_part (hub_previews_t *self, uint64_t number, uint64_t from,
        hub_preview_part_t *out, sh_why_t *why)
{
    sqlite3_stmt *stmt = hub_previews_ask (
        self, "SELECT n, received, changes, sum, frame FROM part WHERE entry"
              " = ? AND n >= ? ORDER BY n LIMIT 1",
        "ii", (int64_t) number, (int64_t) from);
    int code = stmt ? sqlite3_step (stmt) : SQLITE_ERROR;
    sh_err_t rc = SH_E_NOT_FOUND;
    if (code == SQLITE_ROW)
        rc = s_take_part (stmt, out, why);
    sqlite3_finalize (stmt);
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? rc
               : hub_previews_failed (self, "reading", why);
}

sh_err_t
hub_previews_part (hub_previews_t *self, uint64_t number, uint64_t from,
                   hub_preview_part_t *out, sh_why_t *why)
{
    assert (self && out);
    pthread_mutex_lock (&self->lock);
    sh_err_t rc = hub_previews_open (self, why);
    if (rc == SH_OK)
        rc = s_part (self, number, from, out, why);
    pthread_mutex_unlock (&self->lock);
    return rc;
}

bool
hub_previews_has_report (hub_previews_t *self, uint64_t subnet,
                         const uint8_t report[static SP_REPORT_ID])
{
    assert (self && report);
    int64_t number = 0;
    pthread_mutex_lock (&self->lock);
    if (hub_previews_open (self, NULL) == SH_OK)
        (void) hub_previews_number (
            hub_previews_ask (self,
                              "SELECT number FROM entry WHERE subnet = ?"
                              " AND reason = ? AND report = ?",
                              "iib", (int64_t) subnet,
                              (int64_t) HUB_HELD_PREVIEW,
                              (sh_bytes_t){ report, SP_REPORT_ID }),
            &number, 0);
    pthread_mutex_unlock (&self->lock);
    return number > 0;
}

void
hub_previews_totals (hub_previews_t *self, hub_previews_totals_t *out)
{
    assert (self && out);
    memset (out, 0, sizeof *out);
    pthread_mutex_lock (&self->lock);
    sqlite3_stmt *stmt
        = hub_previews_open (self, NULL) == SH_OK
              ? hub_previews_ask (self,
                                  "SELECT count(*), sum(reason = ?),"
                                  " sum(changes), sum(bytes) FROM entry",
                                  "i", (int64_t) HUB_HELD_PREVIEW)
              : NULL;
    if (stmt && sqlite3_step (stmt) == SQLITE_ROW) {
        out->previews = s_count (stmt, 1);
        out->held = s_count (stmt, 0) - out->previews;
        out->changes = s_count (stmt, 2);
        out->bytes = s_count (stmt, 3);
    }
    sqlite3_finalize (stmt);
    out->dropped = self->dropped;
    memcpy (out->trouble, self->trouble, sizeof out->trouble);
    pthread_mutex_unlock (&self->lock);
}
