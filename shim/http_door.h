/* SPDX-License-Identifier: MPL-2.0 */
/*  What the files of the HTTP door share, and nobody else includes.  */

#ifndef SM_HTTP_DOOR_H
#define SM_HTTP_DOOR_H

#include <microhttpd.h>

#include "lib/listen.h"
#include "shim/http.h"
#include "shim/http_conn.h"

/*  Requests outlive a reload, so tokens are shared with those that they let
    in.  */
typedef struct
{
    sm_tokens_t *tokens;
    size_t users;
} sm_share_t;

typedef struct sm_daemon sm_daemon_t;

struct sm_http
{
    sm_http_fn *fn;
    void *context;
    const sh_clock_t *clock;
    sm_conns_t conns;
    sm_share_t *share;
    sh_listeners_t listeners;
    sm_daemon_t *daemons; /* one for each listener, and those that retire */
    int epoll;
    bool tls;
    bool stopping;
    bool woken; /* a connection was resumed and the library not run since */
    size_t bodies; /* bytes of memory for bodies */
    unsigned progress, idle_rounds; /* see sm_http_timeout */
    int64_t log_since; /* when the minute of refusals in the log began */
    unsigned log_lines, log_held;
};

/*  '*tokens_p' becomes the share's.  */
sh_err_t sm_share_new (sm_share_t **out, sm_tokens_t **tokens_p) SH_MUST_CHECK;
sm_share_t *sm_share_hold (sm_share_t *self);
void sm_share_drop (sm_share_t **self_p);

/*  For libmicrohttpd; 'cls' is the sm_http_t.  */
enum MHD_Result sm_request_handle (void *cls, struct MHD_Connection *mhd,
                                   const char *url, const char *method,
                                   const char *version, const char *data,
                                   size_t *size, void **request_p);
void sm_request_completed (void *cls, struct MHD_Connection *mhd,
                           void **request_p,
                           enum MHD_RequestTerminationCode code);
/*  For sm_conns_t.  */
void sm_request_late (sm_request_t *self);
/*  Answer 503 to a client that waits; the request stays its holder's.  */
void sm_request_stop (sm_request_t *self);

#endif
