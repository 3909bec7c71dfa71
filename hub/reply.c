/* SPDX-License-Identifier: MPL-2.0 */

#include "hub/reply.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

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

/*  How many bytes of UTF-8 at 'text' are a control character; 0: none.  */
static size_t
s_control (const char *text)
{
    unsigned char first = (unsigned char) text[0];
    unsigned char second = first ? (unsigned char) text[1] : 0;
    if (first < ' ' || first == 0x7f)
        return 1;
    return first == 0xc2 && second >= 0x80 && second < 0xa0 ? 2 : 0;
}

void
hub_reply_outside (hub_reply_t *self, const char *text)
{
    char shown[OUTSIDE_MOST];
    size_t used = 0;
    while (*text && used < sizeof shown - 1) {
        size_t control = s_control (text);
        shown[used++] = control ? '?' : *text;
        text += control ? control : 1;
    }
    shown[used] = '\0';
    hub_reply_add (self, "%s", shown);
}

size_t
hub_reply_room (const hub_reply_t *self)
{
    return self->size - self->used - 1;
}
