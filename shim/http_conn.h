/* SPDX-License-Identifier: MPL-2.0 */
/*  The HTTP door's open connections: how many there may be, in all and from one
    address, and how long each may take for what it is doing.  libmicrohttpd
    counts idle time only, which a byte a second defeats; here each stage has
    one deadline.  Time ends a connection by shutdown(2): the library then sees
    the end and closes it.  */

#ifndef SM_HTTP_CONN_H
#define SM_HTTP_CONN_H

#include <stdbool.h>
#include <sys/socket.h>

#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/config.h"
#include "shim/http.h"

#define SM_HEADERS_MS 5000 /* from accept to the last header, TLS included */
#define SM_ANSWER_MS 10000 /* for an answer to be taken */
#define SM_LINGERS_MOST 128
/*  Above SM_CONNECTIONS_MOST, so that a new client can come in while an idle
    one is being closed for it.  */
#define SM_CONNECTIONS_SLACK 64

typedef enum
{
    SM_STAGE_HEADERS, /* nothing complete has come yet */
    SM_STAGE_BODY,    /* within SM_REQUEST_MS of the accept */
    SM_STAGE_WAIT,    /* for our own answer: no deadline */
    SM_STAGE_ANSWER,  /* being sent */
    SM_STAGE_OVER     /* shut down */
} sm_stage_t;

typedef struct sm_conn sm_conn_t;
typedef struct sm_linger sm_linger_t;

typedef struct
{
    const sh_clock_t *clock;
    /*  A request's body did not come in time: tell the client.  The shutdown
        follows.  */
    void (*late) (sm_request_t *request);
    int epoll;                /* the door's own, borrowed */
    sh_prefix_t *spared;      /* by the limit per address */
    size_t spared_count;
    sm_conn_t *first, *last;  /* in order of their accept */
    size_t count;
    sm_linger_t *lingers;     /* the newest first */
    size_t linger_count;
    int64_t next;             /* mono ms: nothing is due before */
    unsigned progress;        /* counts whatever has happened to any of them */
} sm_conns_t;

struct sm_conn
{
    sm_conns_t *conns;
    sm_conn_t *prev, *next;
    int fd;       /* the library's */
    int spare;    /* a duplicate of it to linger on, or -1 */
    sm_stage_t stage;
    int64_t accepted, deadline; /* mono ms */
    sh_addr_t peer;
    char peer_text[SH_ADDR_TEXT];
    sm_request_t *request; /* NULL until the headers are there */
};

/*  'trusted': prefixes or addresses; none: loopback.  SH_E_CONFIG.  */
sh_err_t sm_conns_init (sm_conns_t *self, const sh_clock_t *clock, int epoll,
                        const sh_strings_t *trusted, sh_why_t *why)
    SH_MUST_CHECK;
/*  No connection may be left.  */
void sm_conns_clear (sm_conns_t *self);
/*  Take the spared prefixes of another configuration.  */
sh_err_t sm_conns_spare (sm_conns_t *self, const sh_strings_t *trusted,
                         sh_why_t *why) SH_MUST_CHECK;

/*  May this address have one more?  */
bool sm_conns_admits (const sm_conns_t *self, const struct sockaddr *peer);
/*  NULL when out of memory.  When there are too many then, the oldest that has
    sent no request is shut down: an idle client must not keep a busy one
    out.  */
sm_conn_t *sm_conns_add (sm_conns_t *self, int fd,
                         const struct sockaddr *peer);
/*  The library is about to close the descriptor.  */
void sm_conns_remove (sm_conn_t *conn);

void sm_conn_stage (sm_conn_t *conn, sm_stage_t stage);
/*  At the latest in 'ms' from now.  */
void sm_conn_hurry (sm_conn_t *conn, int64_t ms);
/*  The answer goes out before the body has come in.  A socket closed with
    unread bytes is reset, and the client then may never see the answer: keep
    it, and read and drop what comes, within SM_DISCARD_MOST and
    SM_DISCARD_MS.  */
void sm_conn_linger (sm_conn_t *conn);

/*  Shut down what is late; read from what lingers.  */
void sm_conns_run (sm_conns_t *self);
/*  ms until sm_conns_run has something to do; -1: nothing.  */
int64_t sm_conns_timeout (const sm_conns_t *self);

#endif
