/* SPDX-License-Identifier: MPL-2.0 */
/*  The HTTP listener: what the old server's clients see.  libmicrohttpd behind
    one descriptor, no threads; request in, answer out, one request for each
    connection.  Checks everything that concerns HTTP alone (methods, framing,
    limits, deadlines, tokens) and hands complete requests to one function.
    The table of statuses is in docs/migration.md.  */

#ifndef SM_HTTP_H
#define SM_HTTP_H

#include "lib/clock.h"
#include "lib/config.h"
#include "shim/token.h"

typedef struct
{
    sh_strings_t listen; /* "127.0.0.1:5000", "[::1]:5000" */
    char *cert, *key;    /* PEM files for TLS, or NULL */
    bool plain_ok;       /* tokens over plain HTTP beyond loopback */
    sh_strings_t trusted_proxies; /* prefixes that per-address limits spare */
} sm_http_config_t;

#define SM_CONNECTIONS_MOST 1024
#define SM_CONNECTIONS_PER_ADDRESS 64 /* an IPv6 /64 counts as one */
#define SM_REQUEST_MS 30000      /* from accept to the last byte of the body */
#define SM_DISCARD_MOST 8388608  /* read and dropped of a body over the limit */
#define SM_DISCARD_MS 10000
#define SM_BODIES_MOST 268435456 /* bytes of all bodies held at a time */

typedef struct sm_http sm_http_t;
typedef struct sm_request sm_request_t;

/*  A complete and authenticated POST.  'who' and 'body' are borrowed until
    the answer.  The function must answer each request once, now or later, in
    the thread that runs the door; a client that has gone meanwhile makes no
    difference.  */
typedef void (sm_http_fn) (void *context, sm_request_t *request);

/*  Takes its own copy of what it needs of 'config', borrows 'clock'; 'tokens'
    becomes its own ('*tokens_p' is NULLed; on an error it stays the caller's).
    Refuses (SH_E_CONFIG, SH_E_MODE, SH_E_IO with a sentence) addresses beyond
    loopback without TLS unless plain_ok, and the public token SM_NO_TOKEN
    anywhere but on loopback.  */
sh_err_t sm_http_new (sm_http_t **out, const sm_http_config_t *config,
                      sm_tokens_t **tokens_p, const sh_clock_t *clock,
                      sm_http_fn *fn, void *context, sh_why_t *why)
    SH_MUST_CHECK;
/*  From now on requests get 503, and 'fn' is not called any more.  */
void sm_http_refuse (sm_http_t *self);
/*  Clients that wait for an answer get 503.  Their requests stay valid until
    sm_request_answer, which must still be called and then only frees them.  */
void sm_http_destroy (sm_http_t **self_p);

/*  Poll this; run when it is readable and when timeout ms (-1: no need) have
    passed.  */
int sm_http_fd (const sm_http_t *self);
int sm_http_timeout (const sm_http_t *self);
void sm_http_run (sm_http_t *self);

/*  Swap tokens, trusted proxies and certificate (SIGHUP): all or nothing.
    Connections that are open go on under what they began with.  Other
    addresses in 'listen' take a restart.  */
sh_err_t sm_http_reload (sm_http_t *self, const sm_http_config_t *config,
                         sm_tokens_t **tokens_p, sh_why_t *why) SH_MUST_CHECK;

const sm_principal_t *sm_request_who (const sm_request_t *self);
const char *sm_request_body (const sm_request_t *self, size_t *size);
/*  The path without its leading '/': what the old server answered with.  */
const char *sm_request_path (const sm_request_t *self);
bool sm_request_wants_json (const sm_request_t *self);
/*  The peer's address in text, for logs.  */
const char *sm_request_peer (const sm_request_t *self);

/*  Answer; the request is gone after it.  'type' is a content type.  */
void sm_request_answer (sm_request_t *self, unsigned status, const char *type,
                        const char *body);

/*  The version of libmicrohttpd, for --version.  */
const char *sm_http_library (void);

/*  Ports as really bound (for ":0" in tests), in the order of 'listen'; 0 for
    a [::1] that this machine does not have.  Returns how many there are.  */
size_t sm_http_ports (const sm_http_t *self, uint16_t *out, size_t most);

#endif
