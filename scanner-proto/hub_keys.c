/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/hub_keys.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/file.h"
#include "lib/log.h"

#define HEAD "scanhub-hub-keys 1"
#define LINE_MOST 512
#define ENDPOINT_MOST 300
#define FILE_MOST ((SP_HUBS_MOST + 1) * LINE_MOST)
#define NONE "-"

typedef struct
{
    char endpoint[ENDPOINT_MOST];
    char configured[SH_KEY_TEXT], now[SH_KEY_TEXT];
    char next[SH_KEY_TEXT]; /* "": none */
    int64_t at;
} item_t;

struct sp_hub_keys
{
    char *path; /* NULL: in memory only */
    item_t items[SP_HUBS_MOST];
    size_t count;
};

/*  One line; false if it is none of ours.  */
static bool
s_parse_line (item_t *out, const char *line)
{
    char next[SH_KEY_TEXT], at[24], rest, *end;
    *out = (item_t){ .at = 0 };
    if (sscanf (line, "%299s %40s %40s %40s %23s %c", out->endpoint,
                out->configured, out->now, next, at, &rest)
            != 5
        || !sh_key_valid (out->configured) || !sh_key_valid (out->now))
        return false;
    out->at = strtoll (at, &end, 10);
    if (*end)
        return false;
    if (strcmp (next, NONE) == 0)
        return true;
    memcpy (out->next, next, sizeof out->next);
    return sh_key_valid (out->next);
}

sh_err_t
sp_hub_keys_parse (sp_hub_keys_t *self, char *text, size_t size, sh_why_t *why)
{
    char *rest = NULL;
    bool good = strlen (text) == size && size > 0 && text[size - 1] == '\n';
    char *line = good ? strtok_r (text, "\n", &rest) : NULL;
    good = line && strcmp (line, HEAD) == 0;
    while (good && (line = strtok_r (NULL, "\n", &rest))) {
        good = self->count < SP_HUBS_MOST
               && s_parse_line (&self->items[self->count], line);
        self->count += good;
    }
    if (good)
        return SH_OK;
    return sh_fail (why, SH_E_SYNTAX,
                    "%s: is no list of hubs' keys; move it away, and if the hub "
                    "has another key by now put that into the configuration",
                    self->path ? self->path : "the list");
}

static sh_err_t
s_load (sp_hub_keys_t *self, sh_why_t *why)
{
    char *text = NULL;
    size_t size = 0;
    sh_err_t rc
        = sh_file_read (&text, &size, NULL, self->path, FILE_MOST, why);
    if (rc == SH_E_NOT_FOUND)
        return SH_OK;
    if (rc == SH_OK)
        rc = sp_hub_keys_parse (self, text, size, why);
    free (text);
    return rc;
}

sh_err_t
sp_hub_keys_new (sp_hub_keys_t **out, const char *path, sh_why_t *why)
{
    assert (out);
    sp_hub_keys_t *self = calloc (1, sizeof *self);
    if (self && path)
        self->path = strdup (path);
    if (!self || (path && !self->path)) {
        free (self);
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    }
    sh_err_t rc = path ? s_load (self, why) : SH_OK;
    if (rc == SH_OK)
        *out = self;
    else
        sp_hub_keys_destroy (&self);
    return rc;
}

void
sp_hub_keys_destroy (sp_hub_keys_t **self_p)
{
    assert (self_p);
    sp_hub_keys_t *self = *self_p;
    if (!self)
        return;
    free (self->path);
    free (self);
    *self_p = NULL;
}

/*  Where the hub's item is; 'count' if there is none.  */
static size_t
s_index (const sp_hub_keys_t *self, const sp_hub_t *hub)
{
    size_t at = 0;
    while (at < self->count
           && (strcmp (self->items[at].endpoint, hub->endpoint) != 0
               || strcmp (self->items[at].configured, hub->public_key) != 0))
        at++;
    return at;
}

static const item_t *
s_find (const sp_hub_keys_t *self, const sp_hub_t *hub)
{
    size_t at = s_index (self, hub);
    return at < self->count ? &self->items[at] : NULL;
}

/*  The hub's item; the oldest gives way where there is no room.  */
static item_t *
s_make (sp_hub_keys_t *self, const sp_hub_t *hub)
{
    size_t at = s_index (self, hub);
    if (at < self->count)
        return &self->items[at];
    if (self->count == SP_HUBS_MOST) {
        memmove (self->items, self->items + 1,
                 (SP_HUBS_MOST - 1) * sizeof *self->items);
        self->count--;
    }
    item_t *item = &self->items[self->count++];
    *item = (item_t){ .at = 0 };
    snprintf (item->endpoint, sizeof item->endpoint, "%s", hub->endpoint);
    snprintf (item->configured, sizeof item->configured, "%s",
              hub->public_key);
    memcpy (item->now, item->configured, sizeof item->now);
    return item;
}

static void
s_save (const sp_hub_keys_t *self)
{
    char text[FILE_MOST];
    sh_why_t why = { "" };
    size_t used = (size_t) snprintf (text, sizeof text, "%s\n", HEAD);
    if (!self->path)
        return;
    for (size_t i = 0; i < self->count; i++) {
        const item_t *one = &self->items[i];
        used += (size_t) snprintf (text + used, sizeof text - used,
                                   "%s %s %s %s %" PRId64 "\n", one->endpoint,
                                   one->configured, one->now,
                                   *one->next ? one->next : NONE, one->at);
    }
    if (sh_file_make_parent (self->path, "the hubs' keys", &why) != SH_OK
        || sh_file_write (self->path, text, used, 0644, true, &why) != SH_OK)
        sh_log (SH_LOG_ERROR, "what a hub said about its key cannot be kept, "
                              "and would be forgotten at a restart",
                SH_STR ("because", why.text));
}

const char *
sp_hub_keys_now (const sp_hub_keys_t *self, const sp_hub_t *hub)
{
    assert (self && hub);
    const item_t *item = s_find (self, hub);
    return item ? item->now : hub->public_key;
}

const char *
sp_hub_keys_next (const sp_hub_keys_t *self, const sp_hub_t *hub, int64_t *at)
{
    assert (self && hub);
    const item_t *item = s_find (self, hub);
    if (!item || !*item->next)
        return NULL;
    if (at)
        *at = item->at;
    return item->next;
}

bool
sp_hub_keys_learn (sp_hub_keys_t *self, const sp_hub_t *hub, const char *next,
                   int64_t at)
{
    assert (self && hub && (!next || sh_key_valid (next)));
    const item_t *known = s_find (self, hub);
    if (next && strcmp (next, sp_hub_keys_now (self, hub)) == 0)
        next = NULL; /* it has it already */
    if (next ? known && strcmp (known->next, next) == 0 && known->at == at
             : !known || !*known->next)
        return false;
    item_t *item = s_make (self, hub);
    snprintf (item->next, sizeof item->next, "%s", next ? next : "");
    item->at = next ? at : 0;
    s_save (self);
    return true;
}

void
sp_hub_keys_turn (sp_hub_keys_t *self, const sp_hub_t *hub)
{
    assert (self && hub);
    if (!sp_hub_keys_next (self, hub, NULL))
        return;
    item_t *item = s_make (self, hub);
    memcpy (item->now, item->next, sizeof item->now);
    item->next[0] = '\0';
    item->at = 0;
    s_save (self);
}
