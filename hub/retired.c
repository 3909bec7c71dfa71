/* SPDX-License-Identifier: MPL-2.0 */
#include "hub/retired.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/file.h"
#include "lib/keyfile.h"

#define HEAD "scanhub-retired 1\n"
#define FILE_MOST (sizeof HEAD + HUB_RETIRED_MOST * SH_KEY_TEXT)

struct hub_retired
{
    char *path;
    size_t count;
    char keys[HUB_RETIRED_MOST][SH_KEY_TEXT]; /* the oldest first */
};

static sh_err_t
s_refuse (const hub_retired_t *self, sh_why_t *why)
{
    return sh_fail (why, SH_E_CONFIG,
                    "%s: is no list of replaced keys; put it right: a line "
                    "'scanhub-retired 1', then one key on a line, or move it "
                    "away if no key was ever replaced",
                    self->path ? self->path : "the list");
}

sh_err_t
hub_retired_parse (hub_retired_t *self, char *text, size_t size, sh_why_t *why)
{
    if (strlen (text) != size || size == 0 || text[size - 1] != '\n'
        || strncmp (text, HEAD, sizeof HEAD - 1) != 0)
        return s_refuse (self, why);
    char *rest = NULL;
    for (char *line = strtok_r (text + sizeof HEAD - 1, "\n", &rest); line;
         line = strtok_r (NULL, "\n", &rest)) {
        if (!sh_key_valid (line))
            return s_refuse (self, why);
        hub_retired_add (self, line);
    }
    return SH_OK;
}

static sh_err_t
s_load (hub_retired_t *self, sh_why_t *why)
{
    char *text = NULL;
    size_t size = 0;
    sh_err_t rc
        = sh_file_read (&text, &size, NULL, self->path, FILE_MOST, why);
    if (rc == SH_E_NOT_FOUND)
        return SH_OK;
    if (rc == SH_OK)
        rc = hub_retired_parse (self, text, size, why);
    free (text);
    return rc == SH_E_TOO_LARGE ? s_refuse (self, why) : rc;
}

sh_err_t
hub_retired_new (hub_retired_t **out, const char *path, sh_why_t *why)
{
    assert (out);
    hub_retired_t *self = calloc (1, sizeof *self);
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
        hub_retired_destroy (&self);
    return rc;
}

void
hub_retired_destroy (hub_retired_t **self_p)
{
    assert (self_p);
    hub_retired_t *self = *self_p;
    if (!self)
        return;
    free (self->path);
    free (self);
    *self_p = NULL;
}

bool
hub_retired_has (const hub_retired_t *self, const char *key)
{
    assert (self && key);
    for (size_t i = 0; i < self->count; i++)
        if (strcmp (self->keys[i], key) == 0)
            return true;
    return false;
}

size_t
hub_retired_count (const hub_retired_t *self)
{
    return self->count;
}

const char *
hub_retired_key (const hub_retired_t *self, size_t at)
{
    assert (self && at < self->count);
    return self->keys[at];
}

void
hub_retired_add (hub_retired_t *self, const char *key)
{
    assert (self && key && sh_key_valid (key));
    if (hub_retired_has (self, key))
        return;
    if (self->count == HUB_RETIRED_MOST) {
        memmove (self->keys[0], self->keys[1],
                 (HUB_RETIRED_MOST - 1) * sizeof self->keys[0]);
        self->count--;
    }
    memcpy (self->keys[self->count++], key, SH_KEY_TEXT);
}

char *
hub_retired_text (const hub_retired_t *self)
{
    char *text = malloc (sizeof HEAD + self->count * SH_KEY_TEXT);
    if (!text)
        return NULL;
    memcpy (text, HEAD, sizeof HEAD);
    char *at = text + sizeof HEAD - 1;
    for (size_t i = 0; i < self->count; i++) {
        memcpy (at, self->keys[i], SH_KEY_TEXT - 1);
        at += SH_KEY_TEXT - 1;
        *at++ = '\n';
    }
    *at = '\0';
    return text;
}

const char *
hub_retired_path (const hub_retired_t *self)
{
    return self->path;
}
