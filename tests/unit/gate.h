/* SPDX-License-Identifier: MPL-2.0 */
/*  An HTTP door with its clock and its clients in one thread, for tests.  */

#ifndef TESTS_GATE_H
#define TESTS_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/http.h"

#define GATE_TOKEN "s3cret"
#define GATE_AUTH "Authorization: Bearer " GATE_TOKEN "\r\n"
#define GATE_ANSWER (1 << 16) /* bytes of an answer that are kept */

typedef struct
{
    sm_http_t *http;
    uint16_t port;
    bool six;      /* clients come over IPv6 */
    int64_t mono;  /* stands still but for gate_wait */
    int64_t extra; /* added to the wall clock, ms */
    bool hold;     /* keep requests in 'held' instead of answering */
    sm_request_t *held[16];
    size_t held_count;
    /*  What the last request was.  */
    unsigned calls;
    char *body;
    size_t size;
    char path[256], label[SM_TOKEN_LABEL + 1], peer[64];
    bool wants_json;
} gate_t;

typedef struct
{
    int fd;
    char text[GATE_ANSWER];
    size_t size;
    bool closed; /* by the door, in order or not */
} gate_client_t;

/*  A configuration that listens on 'listen' (NULL: 127.0.0.1, any port).  */
void gate_config (sm_http_config_t *out, const char *listen);
void gate_config_clear (sm_http_config_t *config);
sm_tokens_t *gate_tokens (const char *label, const char *token);
const sh_clock_t *gate_clock (gate_t *self);

/*  The door open with 'config' (NULL: the above) and GATE_TOKEN.  */
void gate_open (gate_t *self, const sm_http_config_t *config);
void gate_close (gate_t *self);
/*  Whatever can happen now, and for 'ms' of real time.  */
void gate_pump (gate_t *self, int ms);
/*  The door's clock moves on, and it has noticed.  */
void gate_wait (gate_t *self, int64_t ms);

void gate_connect (gate_t *self, gate_client_t *client);
/*  All of it goes out, or the door has closed.  */
void gate_send (gate_t *self, gate_client_t *client, const char *data,
                size_t size);
/*  Read until the door closes; at most 10 s.  The text is a C string.  */
const char *gate_receive (gate_t *self, gate_client_t *client);
/*  What has come so far.  */
const char *gate_peek (gate_t *self, gate_client_t *client);
void gate_hang_up (gate_client_t *client);

/*  One request, sent at once, and its answer, within 'client'.  */
const char *gate_ask (gate_t *self, gate_client_t *client,
                      const char *request);
const char *gate_ask_bytes (gate_t *self, gate_client_t *client,
                            const char *request, size_t size);

/*  The parts of an answer; 0 and "" where there is none.  */
unsigned gate_status (const char *answer);
const char *gate_content (const char *answer);

#endif
