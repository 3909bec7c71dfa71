/* SPDX-License-Identifier: MPL-2.0 */
/*  What of scanhub.yaml cannot change while the hub runs.  */

#include "hub/config.h"

#include <assert.h>
#include <string.h>

#include "hub/config_database.h"
#include "lib/text.h"

static bool
s_same_list (const sh_strings_t *a, const sh_strings_t *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp (a->items[i], b->items[i]) != 0)
            return false;
    }
    return true;
}

/*  Tokens, certificate and the rest are the door's to reload.  */
static const char *
s_http_needs_restart (const hub_config_t *self, const hub_config_t *fresh)
{
    if (self->http_on != fresh->http_on)
        return "http";
    if (!self->http_on)
        return NULL;
    if (!s_same_list (&self->http.listen, &fresh->http.listen))
        return self->legacy ? "http_listen or http_port" : "http.listen";
    if (strcmp (self->http.spool, fresh->http.spool) != 0)
        return "http.spool";
    return NULL;
}

const char *
hub_config_needs_restart (const hub_config_t *self, const hub_config_t *fresh)
{
    assert (self && fresh);
    if (!s_same_list (&self->listen, &fresh->listen))
        return "hub.listen";
    if (strcmp (self->key, fresh->key) != 0)
        return "hub.key";
    if (strcmp (self->registry, fresh->registry) != 0)
        return "hub.registry";
    if (strcmp (self->control, fresh->control) != 0)
        return "hub.control";
    if (strcmp (self->pauses, fresh->pauses) != 0)
        return "hub.pauses";
    if (strcmp (self->retired, fresh->retired) != 0)
        return "hub.retired";
    if (!sh_text_same (self->journal, fresh->journal))
        return "hub.journal";
    if (self->journal_days != fresh->journal_days)
        return "hub.journal_days";
    if (self->journal_size != fresh->journal_size)
        return "hub.journal_size";
    if (strcmp (self->previews, fresh->previews) != 0)
        return "hub.previews";
    if (self->workers != fresh->workers)
        return "hub.workers";
    if (self->memory_ceiling != fresh->memory_ceiling)
        return "hub.memory_ceiling";
    if (strcmp (self->timezone, fresh->timezone) != 0)
        return "phpipam_timezone";
    /*  Workers read these without a lock.  */
    if (!hub_database_same (&self->database, &fresh->database))
        return self->legacy ? "mysql_*" : "database";
    if (!s_same_list (&self->metrics.listen, &fresh->metrics.listen))
        return "metrics.listen";
    return s_http_needs_restart (self, fresh);
}
