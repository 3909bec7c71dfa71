/* SPDX-License-Identifier: MPL-2.0 */
/*  The text of an answer on the control socket, which has an end: what does not
    fit is cut off, and it can be seen beforehand.  */

#ifndef HUB_REPLY_H
#define HUB_REPLY_H

#include <stddef.h>

#include <jansson.h>

#include "lib/err.h"

typedef struct
{
    char *text; /* the caller's memory, always a C string */
    size_t size, used;
} hub_reply_t;

/*  Begin an empty one; 'size' is at least 1.  */
void hub_reply_start (hub_reply_t *self, char *text, size_t size);

void hub_reply_add (hub_reply_t *self, const char *format, ...)
    SH_PRINTF (2, 3);

/*  Take back all that was added, and say this instead.  */
void hub_reply_only (hub_reply_t *self, const char *format, ...)
    SH_PRINTF (2, 3);

/*  Text from outside in UTF-8, such as a name in phpIPAM, as sh_clean makes it.
    Cut off after 511 bytes, between two characters.  */
void hub_reply_outside (hub_reply_t *self, const char *text);

/*  Take back all that was added and say "ok" with this document behind it, in
    one line.  It is taken over; NULL (no memory to make it), or one that does
    not fit, is an error that says so.  */
void hub_reply_json (hub_reply_t *self, json_t *document);

/*  How many bytes can still be added.  */
size_t hub_reply_room (const hub_reply_t *self);

#endif
