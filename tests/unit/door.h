/* SPDX-License-Identifier: MPL-2.0 */
/*  An HTTP door with its clock and its clients in one thread, for tests.  */

#ifndef TESTS_DOOR_H
#define TESTS_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/http.h"

#define DOOR_TOKEN "s3cret"
#define DOOR_AUTH "Authorization: Bearer " DOOR_TOKEN "\r\n"
#define DOOR_ANSWER (1 << 16) /* bytes of an answer that are kept */

typedef struct
{
    sm_http_t *http;
    uint16_t port;
    int64_t mono;  /* stands still but for door_wait */
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
} door_t;

typedef struct
{
    int fd;
    char text[DOOR_ANSWER];
    size_t size;
    bool closed; /* by the door, in order or not */
} door_client_t;

/*  A configuration that listens on 'listen' (NULL: 127.0.0.1, any port).  */
void door_config (sm_http_config_t *out, const char *listen);
void door_config_clear (sm_http_config_t *config);
sm_tokens_t *door_tokens (const char *label, const char *token);
const sh_clock_t *door_clock (door_t *self);

/*  The door open with 'config' (NULL: the above) and DOOR_TOKEN.  */
void door_open (door_t *self, const sm_http_config_t *config);
void door_close (door_t *self);
/*  Whatever can happen now, and for 'ms' of real time.  */
void door_pump (door_t *self, int ms);
/*  The door's clock moves on, and it has noticed.  */
void door_wait (door_t *self, int64_t ms);

void door_connect (door_t *self, door_client_t *client);
/*  All of it goes out, or the door has closed.  */
void door_send (door_t *self, door_client_t *client, const char *data,
                size_t size);
/*  Read until the door closes; at most 10 s.  The text is a C string.  */
const char *door_receive (door_t *self, door_client_t *client);
/*  What has come so far.  */
const char *door_peek (door_t *self, door_client_t *client);
void door_hang_up (door_client_t *client);

/*  One request, sent at once, and its answer, within 'client'.  */
const char *door_ask (door_t *self, door_client_t *client,
                      const char *request);
const char *door_ask_bytes (door_t *self, door_client_t *client,
                            const char *request, size_t size);

/*  The parts of an answer; 0 and "" where there is none.  */
unsigned door_status (const char *answer);
const char *door_content (const char *answer);

#endif
