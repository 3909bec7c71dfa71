/* SPDX-License-Identifier: MPL-2.0 */
/*  The control socket: a unix stream socket, mode 0660, on which scanhubctl
    asks the running hub.  One request per connection: a line of words; the
    answer is lines of text of which the first begins with "ok" or "error".
    The hub's main thread serves it between signals; a client that is slow or
    silent is cut off after two seconds.

    What scanhubctl asks:
        ping      "ok ...", or "error not ready: ..." while the hub is not
                  connected to its database or has not read the assignments
        status    "ok", then lines for people
        reload    "ok ...", or "error ..." with the reason; nothing changed
        key KEY   "ok NAME": this public key is in force under that name;
                  "error not in force"
        hub       "ok pid N, key FINGERPRINT, ENDPOINT, ...": which hub it is
        pending   "ok", then for each unknown key that knocked a line
                  "KEY ADDRESS COUNT FIRST LAST" (epoch ms), latest first  */

#ifndef HUB_CONTROL_H
#define HUB_CONTROL_H

#include <stddef.h>

#include "lib/err.h"

#define HUB_CONTROL_REQUEST_MOST 256
#define HUB_CONTROL_ANSWER_MOST 65536

/*  Answers 'request' (printable ASCII, no line end) by writing a C string to
    'answer'.  */
typedef void (hub_control_fn) (void *context, const char *request,
                               char *answer, size_t size);

typedef struct hub_control hub_control_t;

/*  Bind; a stale socket file of a dead hub is replaced, one on which a hub
    answers is SH_E_EXISTS ("another scanhubd is running").  */
sh_err_t hub_control_new (hub_control_t **out, const char *path,
                          hub_control_fn *fn, void *context, sh_why_t *why)
    SH_MUST_CHECK;
/*  Also removes the socket file.  */
void hub_control_destroy (hub_control_t **self_p);

/*  Poll this for reading; then call serve, which takes one connection.  */
int hub_control_fd (const hub_control_t *self);
void hub_control_serve (hub_control_t *self);

/*  The other end: send a request, wait up to 'timeout' ms for the whole
    answer ('*answer' is malloc'ed).  SH_E_NOT_FOUND: no socket or no hub
    behind it; SH_E_MODE: no rights; SH_E_TIMEOUT.  */
sh_err_t hub_control_ask (char **answer, const char *path, const char *request,
                          int timeout, sh_why_t *why) SH_MUST_CHECK;

#endif
