/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/reply.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/clean.h"

#define OUTSIDE_MOST 512 /* bytes of a text from outside */

void
hub_reply_start (hub_reply_t *self, char *text, size_t size)
{
    assert (self && text && size > 0);
    *self = (hub_reply_t){ .text = text, .size = size };
    text[0] = '\0';
}

static void SH_PRINTF (2, 0)
s_add (hub_reply_t *self, const char *format, va_list args)
{
    size_t room = self->size - self->used;
    int size = vsnprintf (self->text + self->used, room, format, args);
    if (size > 0)
        self->used += (size_t) size < room ? (size_t) size : room - 1;
}

void
hub_reply_add (hub_reply_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_add (self, format, args);
    va_end (args);
}

void
hub_reply_only (hub_reply_t *self, const char *format, ...)
{
    va_list args;
    self->used = 0;
    va_start (args, format);
    s_add (self, format, args);
    va_end (args);
}

void
hub_reply_outside (hub_reply_t *self, const char *text)
{
    char shown[OUTSIDE_MOST];
    sh_clean (shown, sizeof shown, text);
    hub_reply_add (self, "%s", shown);
}

void
hub_reply_json (hub_reply_t *self, json_t *document)
{
    static const char ok[] = "ok ";
    const size_t begin = sizeof ok - 1;
    hub_reply_only (self, "%s", ok);
    if (!document) {
        hub_reply_only (self, "error no memory for the answer");
        return;
    }
    size_t room = hub_reply_room (self);
    size_t size = json_dumpb (document, self->text + begin, room,
                              JSON_COMPACT);
    json_decref (document);
    if (size > 0 && size <= room) {
        self->used = begin + size;
        self->text[self->used] = '\0';
    }
    else if (size > 0)
        hub_reply_only (self, "error the answer is too long; ask for less");
    else
        hub_reply_only (self, "error the answer cannot be written as JSON");
}

size_t
hub_reply_room (const hub_reply_t *self)
{
    return self->size - self->used - 1;
}
