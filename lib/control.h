/* SPDX-License-Identifier: MPL-2.0 */
/*  The control socket of a daemon: a unix stream socket, mode 0660, of the
    daemon's group (root's: of lib/owner.h's), on which its command line tool
    asks.  One request per connection: a line of words;
    the answer is lines of text of which the first begins with "ok" or "error".
    The daemon serves it from its event loop, which stands still meanwhile; a
    client that is slow or silent is cut off after 'patience'.  */

#ifndef SH_CONTROL_H
#define SH_CONTROL_H

#include <stddef.h>

#include "lib/err.h"

#define SH_CONTROL_REQUEST_MOST 256
#define SH_CONTROL_ANSWER_MOST (1024 * 1024)

typedef struct
{
    const char *program; /* for messages: "scanhubd" */
    int patience;        /* ms for a client, to the end of its answer; 0: two
                            seconds */
    /*  Take a connection of the listening 'fd', non-blocking, close-on-exec;
        -1 with errno.  NULL: accept4.  */
    int (*accept) (int fd);
    /*  Answer 'request' (printable ASCII, no line end) by writing a C string
        to 'answer'.  */
    void (*answer) (void *context, const char *request, char *answer,
                    size_t size);
    void *context;
} sh_control_options_t;

typedef struct sh_control sh_control_t;

/*  Bind; a stale socket file of a dead program is replaced, one on which
    somebody answers is SH_E_EXISTS ("another scanhubd is running").  */
sh_err_t sh_control_new (sh_control_t **out, const char *path,
                         const sh_control_options_t *options, sh_why_t *why)
    SH_MUST_CHECK;
/*  Also removes the socket file.  */
void sh_control_destroy (sh_control_t **self_p);

/*  Poll this for reading; then call serve, which takes one connection.  */
int sh_control_fd (const sh_control_t *self);
void sh_control_serve (sh_control_t *self);

/*  The other end: send a request to 'program', wait up to 'timeout' ms for the
    whole answer ('*answer' is malloc'ed).  SH_E_NOT_FOUND: no socket or nobody
    behind it; SH_E_MODE: no rights; SH_E_TIMEOUT.  */
sh_err_t sh_control_ask (char **answer, const char *path, const char *program,
                         const char *request, int timeout, sh_why_t *why)
    SH_MUST_CHECK;

#endif
