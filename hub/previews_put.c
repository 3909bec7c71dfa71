/* SPDX-License-Identifier: MPL-2.0 */
/*  One part into the file, and what of its subnet makes way for it.  */

#include "hub/previews.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "hub/previews_file.h"
#include "lib/log.h"
#include "scanner-proto/frames.h"

#define LINE_BYTES 64 /* of a line, beside its texts */

/*  One part on its way into the file.  */
typedef struct
{
    hub_previews_t *file;
    const hub_keep_t *one;
    int64_t entry;
    bool again;
    uint8_t same[SP_FRAME_SUM]; /* sum of what it changes, but for times */
    int64_t bytes;
    int64_t changes; /* of rows */
    sqlite3_stmt *line; /* the statement that adds one */
} put_t;

/*  Times differ from scan to scan; what else would be changed is what a person
    looks at.  */
static void
s_sum_changes (put_t *self)
{
    const hub_deltas_t *deltas = self->one->deltas;
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, sizeof self->same);
    for (size_t i = 0; i < deltas->count; i++) {
        const hub_delta_t *delta = &deltas->items[i];
        if (!(HUB_COLUMNS_BUT_TIMES & 1u << delta->column))
            continue;
        char head[SH_ADDR_TEXT + 32];
        char ip[SH_ADDR_TEXT];
        sh_addr_text (&delta->ip, ip);
        int size = snprintf (head, sizeof head, "%s %d %d ", ip,
                             (int) delta->column, delta->added);
        crypto_generichash_update (&state, (const uint8_t *) head,
                                   (unsigned long long) size);
        const char *texts[] = { delta->before, delta->after };
        for (size_t j = 0; j < 2; j++) {
            const char *text = texts[j] ? texts[j] : "";
            crypto_generichash_update (&state, (const uint8_t *) text,
                                       strlen (text) + 1);
        }
    }
    crypto_generichash_final (&state, self->same, sizeof self->same);
}

/*  Entries of this subnet that make way: what the brake held of older reports,
    and of what is under preview all but the latest few.  The number of the only
    one of the former is kept if it is of one part with the same changes.  */
static int
s_make_way (put_t *self, int64_t *number)
{
    const hub_keep_t *one = self->one;
    hub_previews_t *file = self->file;
    int64_t subnet = (int64_t) one->subnet->id, old = 0;
    *number = 0;
    if (one->reason == HUB_HELD_PREVIEW) {
        int code = hub_previews_number (
            hub_previews_ask (file,
                              "SELECT number FROM entry WHERE subnet = ? AND"
                              " reason = ? AND kind = ? ORDER BY number DESC"
                              " LIMIT 1 OFFSET ?",
                              "iiii", subnet, (int64_t) one->reason,
                              (int64_t) one->report->kind,
                              (int64_t) HUB_PREVIEWS_EACH - 1),
            &old, 0);
        return code == SQLITE_OK && old ? hub_previews_forget (file, old)
                                        : code;
    }
    int code = hub_previews_number (
        hub_previews_ask (file,
                          "SELECT e.number FROM entry e JOIN part p ON p.entry"
                          " = e.number WHERE e.subnet = ? AND e.reason = ? AND"
                          " e.parts = 1 AND p.n = ? AND p.same = ?",
                          "iiib", subnet, (int64_t) one->reason,
                          (int64_t) one->report->part,
                          (sh_bytes_t){ self->same, sizeof self->same }),
        number, 0);
    while (code == SQLITE_OK) {
        code = hub_previews_number (
            hub_previews_ask (file,
                              "SELECT number FROM entry WHERE subnet = ? AND"
                              " reason = ? LIMIT 1",
                              "ii", subnet, (int64_t) one->reason),
            &old, 0);
        if (code != SQLITE_OK || old == 0)
            break;
        code = hub_previews_forget (file, old);
    }
    return code;
}

static int
s_add_entry (put_t *self)
{
    const hub_keep_t *one = self->one;
    int64_t number;
    char cidr[SH_PREFIX_TEXT];
    sh_prefix_text (&one->subnet->prefix, cidr);
    int code = s_make_way (self, &number);
    if (code != SQLITE_OK)
        return code;
    self->again = number != 0;
    code = hub_previews_do (
        self->file,
        "INSERT INTO entry (number, report, reason, subnet, cidr, kind,"
        " started, received, door, key, name, code, agent)"
        " VALUES (nullif (?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "ibiitiiiitttt", number, one->report->id, (int64_t) one->reason,
        (int64_t) one->subnet->id, cidr, (int64_t) one->report->kind,
        one->report->started, one->received, (int64_t) one->who->door,
        one->who->key, one->who->name, one->code, one->agent->name);
    self->entry = sqlite3_last_insert_rowid (self->file->db);
    return code;
}

/*  The same report under a number that nobody has seen.  */
static int
s_renumber (put_t *self)
{
    int64_t old = self->entry;
    /*  Out of the way of the copy, which is of the same report.  */
    int code = hub_previews_do (self->file,
                                "UPDATE entry SET reason = - reason WHERE"
                                " number = ?",
                                "i", old);
    if (code == SQLITE_OK)
        code = hub_previews_do (
            self->file,
            "INSERT INTO entry (report, reason, subnet, cidr, kind, started,"
            " received, door, key, name, code, agent)"
            " SELECT report, - reason, subnet, cidr, kind, started, received,"
            " door, key, name, code, agent FROM entry WHERE number = ?",
            "i", old);
    self->entry = sqlite3_last_insert_rowid (self->file->db);
    if (code == SQLITE_OK)
        code = hub_previews_do (self->file,
                                "UPDATE part SET entry = ? WHERE entry = ?",
                                "ii", self->entry, old);
    if (code == SQLITE_OK)
        code = hub_previews_do (self->file,
                                "UPDATE change SET entry = ? WHERE entry = ?",
                                "ii", self->entry, old);
    return code == SQLITE_OK ? hub_previews_forget (self->file, old) : code;
}

/*  What somebody has on his screen is what he will have applied.  So an entry
    that was shown does not change under its number, unless its scanner merely
    sent a part again.  */
static int
s_keep_promise (put_t *self)
{
    int64_t found = 0;
    if (!hub_previews_was_shown (self->file, (uint64_t) self->entry))
        return SQLITE_OK;
    int code = hub_previews_number (
        hub_previews_ask (self->file,
                          "SELECT 1 FROM part WHERE entry = ? AND n = ? AND"
                          " same = ?",
                          "iib", self->entry, (int64_t) self->one->report->part,
                          (sh_bytes_t){ self->same, sizeof self->same }),
        &found, 0);
    return code == SQLITE_OK && !found ? s_renumber (self) : code;
}

/*  The entry of its report and sender, for it is applied as his; an older part
    is forgotten.  Else a new one.  */
static int
s_take_place (put_t *self)
{
    const hub_keep_t *one = self->one;
    int code = hub_previews_number (
        hub_previews_ask (self->file,
                          "SELECT number FROM entry WHERE report = ? AND"
                          " subnet = ? AND reason = ? AND key = ? AND"
                          " (key <> '' OR name = ?)",
                          "biitt", one->report->id, (int64_t) one->subnet->id,
                          (int64_t) one->reason, one->who->key,
                          one->who->name),
        &self->entry, 0);
    if (code != SQLITE_OK)
        return code;
    if (self->entry == 0)
        return s_add_entry (self);
    code = s_keep_promise (self);
    if (code == SQLITE_OK)
        code = hub_previews_do (self->file,
                                "DELETE FROM change WHERE entry = ? AND part"
                                " = ?",
                                "ii", self->entry,
                                (int64_t) one->report->part);
    if (code == SQLITE_OK)
        code = hub_previews_do (self->file,
                                "DELETE FROM part WHERE entry = ? AND n = ?",
                                "ii", self->entry,
                                (int64_t) one->report->part);
    return code;
}

static int
s_add_line (put_t *self, const char *action, const char *address,
            const char *field, const char *old, const char *fresh)
{
    self->bytes += LINE_BYTES + (old ? (int64_t) strlen (old) : 0)
                   + (fresh ? (int64_t) strlen (fresh) : 0);
    return hub_previews_again (self->line, "iittttt", self->entry,
                               (int64_t) self->one->report->part, action,
                               address, field, old, fresh);
}

/*  Would the row of this delta become Offline although another part of the
    report says that it answered?  */
static int
s_has_answered (const put_t *self, const hub_delta_t *delta, const char *ip,
                bool *answered)
{
    int64_t found = 0;
    *answered = false;
    if (!self->one->silent || delta->column != HUB_COLUMN_STATE)
        return SQLITE_OK;
    int code = hub_previews_number (
        hub_previews_ask (self->file,
                          "SELECT 1 FROM change WHERE entry = ? AND address = ?"
                          " AND field = ? AND fresh >= ?",
                          "ittt", self->entry, ip,
                          hub_column_word (HUB_COLUMN_LAST_SEEN),
                          self->one->silent),
        &found, 0);
    *answered = found != 0;
    return code;
}

static int
s_add_delta (put_t *self, const hub_delta_t *one)
{
    char ip[SH_ADDR_TEXT];
    bool answered;
    sh_addr_text (&one->ip, ip);
    int code = s_has_answered (self, one, ip, &answered);
    if (code != SQLITE_OK)
        return code;
    if (answered && self->changes > 0)
        self->changes--;
    if (answered)
        return SQLITE_OK;
    return s_add_line (self, one->added ? "insert" : "update", ip,
                       hub_column_word (one->column), one->before, one->after);
}

static int
s_add_lines (put_t *self)
{
    const hub_deltas_t *deltas = self->one->deltas;
    const hub_sightings_t *sightings = self->one->sightings;
    char ip[SH_ADDR_TEXT];
    self->line = hub_previews_ask (self->file,
                                   "INSERT INTO change (entry, part, action,"
                                   " address, field, old, fresh)"
                                   " VALUES (?, ?, ?, ?, ?, ?, ?)", "");
    int code = self->line ? SQLITE_OK : SQLITE_ERROR;
    for (size_t i = 0;
         code == SQLITE_OK && i < deltas->count && i < HUB_PREVIEW_LISTED;
         i++)
        code = s_add_delta (self, &deltas->items[i]);
    for (size_t i = 0; code == SQLITE_OK && sightings
                       && i < sightings->refused_count
                       && i < HUB_PREVIEW_LISTED;
         i++) {
        const hub_refusal_t *one = &sightings->refused[i];
        sh_addr_t addr;
        if (sh_addr_from_bytes (&addr, one->ip) == SH_OK)
            sh_addr_text (&addr, ip);
        else
            snprintf (ip, sizeof ip, "-");
        code = s_add_line (self, "refuse", ip, "", NULL,
                           sh_err_word (one->cause));
    }
    sqlite3_finalize (self->line);
    return code;
}

static int
s_add_part (put_t *self)
{
    const hub_keep_t *one = self->one;
    uint8_t sum[SP_FRAME_SUM];
    sp_frame_sum (sum, one->frame);
    self->bytes += (int64_t) one->frame.size;
    return hub_previews_do (
        self->file,
        "INSERT INTO part (entry, n, received, frame, sum, same, changes,"
        " bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        "iiibbbii", self->entry, (int64_t) one->report->part, one->received,
        one->frame, (sh_bytes_t){ sum, sizeof sum },
        (sh_bytes_t){ self->same, sizeof self->same }, self->changes,
        self->bytes);
}

static int
s_add_up (put_t *self)
{
    return hub_previews_do (
        self->file,
        "UPDATE entry SET received = ?1, failed = '',"
        " parts = (SELECT count(*) FROM part WHERE entry = ?2),"
        " changes = (SELECT sum(changes) FROM part WHERE entry = ?2),"
        " bytes = (SELECT sum(bytes) FROM part WHERE entry = ?2),"
        " listed = (SELECT count(*) FROM change WHERE entry = ?2)"
        " WHERE number = ?2",
        "ii", self->one->received, self->entry);
}

static bool
s_is_too_large (const put_t *self, int *code)
{
    int64_t bytes = 0;
    *code = hub_previews_number (hub_previews_ask (self->file,
                                        "SELECT bytes FROM entry WHERE"
                                        " number = ?", "i", self->entry),
                      &bytes, 0);
    return (uint64_t) bytes > HUB_PREVIEW_BYTES;
}

/*  Between BEGIN and COMMIT.  */
static int
s_put (put_t *self, bool *too_large)
{
    s_sum_changes (self);
    int code = s_take_place (self);
    if (code == SQLITE_OK)
        code = s_add_lines (self);
    if (code == SQLITE_OK)
        code = s_add_part (self);
    if (code == SQLITE_OK)
        code = s_add_up (self);
    if (code == SQLITE_OK)
        *too_large = s_is_too_large (self, &code);
    if (code == SQLITE_OK && !*too_large)
        code = hub_previews_make_room (self->file, self->entry);
    return code;
}

sh_err_t
hub_previews_put (hub_previews_t *self, const hub_keep_t *one,
                  uint64_t *number, bool *again, sh_why_t *why)
{
    assert (self && one && one->reason != HUB_HELD_NOT && number && again);
    put_t put = { .file = self, .one = one,
                  .changes = (int64_t) one->changes };
    bool too_large = false;
    pthread_mutex_lock (&self->lock);
    sh_err_t rc = hub_previews_open (self, why);
    if (rc == SH_OK
        && (hub_previews_do (self, "BEGIN IMMEDIATE", "") != SQLITE_OK
            || s_put (&put, &too_large) != SQLITE_OK
            || hub_previews_do (self, too_large ? "ROLLBACK" : "COMMIT", "")
                   != SQLITE_OK))
        rc = hub_previews_failed (self, "a report that is to be held", why);
    else if (rc == SH_OK)
        self->trouble[0] = '\0';
    pthread_mutex_unlock (&self->lock);
    if (rc == SH_OK && too_large)
        return sh_fail (why, SH_E_IO,
                        "the report is too large to be held: over %llu MiB; "
                        "give the subnet a larger max_new, or no preview",
                        (unsigned long long) HUB_PREVIEW_BYTES >> 20);
    if (rc == SH_OK) {
        *number = (uint64_t) put.entry;
        *again = put.again;
    }
    return rc;
}
