/* SPDX-License-Identifier: MPL-2.0 */
/*  What goes when too much is held.  */

#include "hub/previews_file.h"
#include "lib/log.h"

/*  Who is at the door with ever more drives out his own: of the key (a client
    over HTTP has a name only) that holds most, what is under preview first, for
    of that another comes soon, and then the oldest.  */
#define VICTIM(weight)                                                         \
    "SELECT number FROM entry AS e JOIN (SELECT key AS k, name AS n, " weight  \
    " AS w FROM entry GROUP BY key, name) ON k = key AND n = name"             \
    " WHERE number <> ?1 ORDER BY w DESC, reason <> ?2, received LIMIT 1"

static int
s_sum (hub_previews_t *self, const char *sql, int64_t *out)
{
    return hub_previews_number (hub_previews_ask (self, sql, ""), out, 0);
}

static int
s_drop (hub_previews_t *self, int64_t number, int64_t count, int64_t bytes)
{
    int64_t reason = 0;
    int code = hub_previews_number (
        hub_previews_ask (self, "SELECT reason FROM entry WHERE number = ?",
                          "i", number),
        &reason, 0);
    if (code == SQLITE_OK)
        code = hub_previews_forget (self, number);
    if (code != SQLITE_OK)
        return code;
    self->dropped++;
    sh_log (reason == HUB_HELD_PREVIEW ? SH_LOG_INFO : SH_LOG_WARNING,
            "a held report had to go, for there are too many",
            SH_INT ("number", number), SH_INT ("entries", count),
            SH_INT ("bytes", bytes),
            SH_STR ("remedy", "scanhubctl preview list; apply or drop"));
    return SQLITE_OK;
}

int
hub_previews_make_room (hub_previews_t *self, int64_t entry)
{
    for (;;) {
        int64_t bytes = 0, count = 0, victim = 0;
        int code = s_sum (self, "SELECT sum(bytes) FROM entry", &bytes);
        if (code == SQLITE_OK)
            code = s_sum (self, "SELECT count(*) FROM entry", &count);
        bool heavy = (uint64_t) bytes > HUB_PREVIEWS_BYTES;
        if (code != SQLITE_OK || (!heavy && count <= HUB_PREVIEWS_MOST))
            return code;
        code = hub_previews_number (
            hub_previews_ask (self,
                              heavy ? VICTIM ("sum(bytes)")
                                    : VICTIM ("count(*)"),
                              "ii", entry, (int64_t) HUB_HELD_PREVIEW),
            &victim, 0);
        if (code != SQLITE_OK || victim == 0)
            return code;
        code = s_drop (self, victim, count, bytes);
        if (code != SQLITE_OK)
            return code;
    }
}
