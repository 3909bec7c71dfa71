/* SPDX-License-Identifier: MPL-2.0 */
/*  Lines of ZPL (ZeroMQ RFC 4), the form of CZMQ's certificates: a level, a
    name and a value, taken apart without a copy.  Strict where RFC 4 lets
    programs differ: what is read here means the same to CZMQ, or is
    refused.  */

#ifndef SH_ZPL_H
#define SH_ZPL_H

#include <stdbool.h>
#include <stddef.h>

#define SH_ZPL_LINE_MOST 1024 /* newer sources of CZMQ cut lines here */

/*  A part of the text; not NUL-terminated.  */
typedef struct
{
    const char *at;
    size_t size;
} sh_zpl_span_t;

typedef struct
{
    unsigned level;     /* of four blanks each */
    sh_zpl_span_t name; /* empty: a blank line or a comment */
    sh_zpl_span_t value;
    bool has_value;
} sh_zpl_line_t;

/*  Take the next line off 'rest', which is not empty.  NULL, or what is wrong
    with it; static.  */
const char *sh_zpl_read (sh_zpl_line_t *out, sh_zpl_span_t *rest);

/*  Would a line with this name, and this value in double quotes, be read as
    what it says?  Its length is the caller's to look at.  */
bool sh_zpl_can_write (sh_zpl_span_t name, sh_zpl_span_t value);

bool sh_zpl_equals (sh_zpl_span_t span, const char *text);

#endif
