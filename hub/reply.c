/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/reply.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

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

/*  The character of UTF-8 at 'text', and how many bytes it has: 1 where they
    are none.  */
static uint32_t
s_character (const char *text, size_t *size)
{
    uint32_t value = (unsigned char) text[0];
    size_t more = value < 0xc2 ? 0 : value < 0xe0 ? 1 : value < 0xf0 ? 2
                : value < 0xf5 ? 3 : 0;
    *size = 1;
    if (more > 0)
        value &= 0x3fu >> more;
    for (size_t i = 1; i <= more; i++) {
        if (((unsigned char) text[i] & 0xc0) != 0x80)
            return (unsigned char) text[0];
        value = value << 6 | ((unsigned char) text[i] & 0x3f);
    }
    *size = more + 1;
    return value;
}

/*  Does a terminal do something at it, or show what follows in another order
    or place (the marks of direction and of lines)?  */
static bool
s_is_control (uint32_t value, size_t size)
{
    static const struct
    {
        uint32_t first, last;
    } ranges[] = {
        { 0x80, 0x9f },     { 0x61c, 0x61c },   { 0x200e, 0x200f },
        { 0x2028, 0x202e }, { 0x2066, 0x2069 }, { 0xfeff, 0xfeff },
    };
    if (size == 1)
        return value < ' ' || value == 0x7f;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (value >= ranges[i].first && value <= ranges[i].last)
            return true;
    return false;
}

void
hub_reply_outside (hub_reply_t *self, const char *text)
{
    char shown[OUTSIDE_MOST];
    size_t used = 0;
    while (*text) {
        size_t size = 1;
        uint32_t value = s_character (text, &size);
        bool control = s_is_control (value, size);
        if (used + (control ? 1 : size) >= sizeof shown)
            break;
        if (control)
            shown[used++] = '?';
        else
            memcpy (&shown[used], text, size);
        used += control ? 0 : size;
        text += size;
    }
    shown[used] = '\0';
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
