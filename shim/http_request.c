/* SPDX-License-Identifier: MPL-2.0 */
/*  One request from its headers to its answer.

    Two hold it: libmicrohttpd, from the headers until sm_request_completed,
    and whoever the request was handed to, until sm_request_answer.  It is
    freed when both have let go, in whatever order.  */

#include <assert.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "shim/http_check.h"
#include "shim/http_door.h"
#include "shim/legacy.h"

#define TEXT_PLAIN "text/plain; charset=utf-8"
#define BODY_FIRST 4096 /* bytes of a body's first buffer */
#define SIZE_TEXT 128
#define RAW_MOST 512    /* of an answer that we write ourselves */

/*  A stranger can come from ever new addresses, so that no two lines are the
    same: this many are written in a minute, then they are counted.  */
#define LINES_MOST 60
#define LINES_MS 60000

struct sm_request
{
    sm_http_t *http;            /* NULL when the library has let go */
    sm_conn_t *conn;            /* the same */
    struct MHD_Connection *mhd; /* the same */
    bool handed;                /* somebody will call sm_request_answer */
    bool calling;               /* ...and is being told of it now */
    bool suspended;
    sm_share_t *share; /* keeps 'who' */
    const sm_principal_t *who;
    char peer[SH_ADDR_TEXT];
    char *path;
    bool wants_json;
    char *body;
    size_t size, room;
    uint64_t seen; /* bytes of the body that came, kept or not */
    /*  The answer; 0 until there is one.  While the body is still coming it is
        a refusal that waits for the body's end.  */
    unsigned status;
    char *type, *text;
};

sh_err_t
sm_share_new (sm_share_t **out, sm_tokens_t **tokens_p)
{
    sm_share_t *self = calloc (1, sizeof *self);
    if (!self)
        return SH_E_MEMORY;
    self->tokens = *tokens_p;
    self->users = 1;
    *tokens_p = NULL;
    *out = self;
    return SH_OK;
}

sm_share_t *
sm_share_hold (sm_share_t *self)
{
    self->users++;
    return self;
}

void
sm_share_drop (sm_share_t **self_p)
{
    sm_share_t *self = *self_p;
    *self_p = NULL;
    if (!self || --self->users > 0)
        return;
    sm_tokens_destroy (&self->tokens);
    free (self);
}

static void
s_drop_body (sm_request_t *self)
{
    if (self->http)
        self->http->bodies -= self->room;
    free (self->body);
    self->body = NULL;
    self->size = self->room = 0;
}

static void
s_free (sm_request_t *self)
{
    s_drop_body (self);
    sm_share_drop (&self->share);
    free (self->path);
    free (self->type);
    free (self->text);
    free (self);
}

/*  An answer without its text, when there is no memory for it, is better than
    none.  */
static void
s_set_answer (sm_request_t *self, unsigned status, const char *type,
              const char *text)
{
    assert (self->status == 0);
    self->status = status;
    self->type = strdup (type);
    self->text = strdup (text);
}

static enum MHD_Result
s_queue (sm_request_t *self)
{
    size_t size = self->text ? strlen (self->text) : 0;
    struct MHD_Response *response = MHD_create_response_from_buffer (
        size, size > 0 ? self->text : NULL, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    enum MHD_Result rc
        = MHD_add_response_header (response, "Connection", "close");
    if (rc == MHD_YES && self->type)
        rc = MHD_add_response_header (response, "Content-Type", self->type);
    if (rc == MHD_YES && self->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        rc = MHD_add_response_header (response, "Allow", "POST");
    if (rc == MHD_YES)
        rc = MHD_queue_response (self->mhd, self->status, response);
    MHD_destroy_response (response);
    sm_conn_stage (self->conn, SM_STAGE_ANSWER);
    return rc;
}

/*  The library takes no answer in the middle of a body, so this writes one
    past it: to a socket to which nothing else has been sent, so it fits.  */
static void
s_write_raw (sm_request_t *self)
{
    char raw[RAW_MOST];
    const char *text = self->text ? self->text : "";
    int size = snprintf (raw, sizeof raw,
                         "HTTP/1.1 %u %s\r\nConnection: close\r\n"
                         "Content-Type: " TEXT_PLAIN "\r\n"
                         "Content-Length: %zu\r\n\r\n%s",
                         self->status,
                         MHD_get_reason_phrase_for (self->status),
                         strlen (text), text);
    if (size < 0 || (size_t) size >= sizeof raw)
        return;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info (
        self->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info && info->tls_session) {
        gnutls_record_send (info->tls_session, raw, (size_t) size);
        gnutls_bye (info->tls_session, GNUTLS_SHUT_WR);
    }
    else
        send (self->conn->fd, raw, (size_t) size,
              MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
s_log_refusal (sm_request_t *self)
{
    sm_http_t *http = self->http;
    int64_t now = sh_clock_mono (http->clock);
    if (now - http->log_since >= LINES_MS) {
        if (http->log_held > 0)
            sh_log (SH_LOG_WARNING, "http: more requests were refused",
                    SH_INT ("count", http->log_held));
        http->log_since = now;
        http->log_lines = http->log_held = 0;
    }
    if (http->log_lines == LINES_MOST) {
        http->log_held++;
        return;
    }
    http->log_lines++;
    sh_log (SH_LOG_WARNING, "http: request refused",
            SH_STR ("peer", self->peer),
            SH_STR ("token", self->who ? self->who->label : NULL),
            SH_INT ("status", self->status), SH_STR ("cause", self->text));
}

static void
s_refuse (sm_request_t *self, unsigned status, const char *text)
{
    s_set_answer (self, status, TEXT_PLAIN, text);
    s_log_refusal (self);
}

/*  In the old server's words.  */
static void
s_size_text (char out[static SIZE_TEXT], uint64_t size)
{
    snprintf (out, SIZE_TEXT,
              "Maximum request body size %d exceeded, actual body size "
              "%" PRIu64,
              SM_BODY_MOST, size);
}

static void
s_refuse_size (sm_request_t *self, uint64_t size)
{
    char text[SIZE_TEXT];
    s_size_text (text, size);
    s_refuse (self, MHD_HTTP_CONTENT_TOO_LARGE, text);
}

static void
s_refuse_busy (sm_request_t *self)
{
    s_refuse (self, MHD_HTTP_SERVICE_UNAVAILABLE,
              "Too many reports are waiting; try again later");
}

static enum MHD_Result
s_add_header (void *cls, enum MHD_ValueKind kind, const char *name,
              const char *value)
{
    (void) kind;
    sm_check_header (cls, name, value);
    return MHD_YES;
}

/*  All that can be told from the headers.  True: the body is wanted.  */
static bool
s_check (sm_request_t *self, const char *method, const char *version)
{
    sm_check_t check;
    sm_check_start (&check, method, version);
    MHD_get_connection_values (self->mhd, MHD_HEADER_KIND, s_add_header,
                               &check);
    const sm_refusal_t *no
        = sm_check_verdict (&check, self->share->tokens, &self->who);
    self->wants_json = check.wants_json;
    if (no)
        s_refuse (self, no->status, no->text);
    else if (check.length > SM_BODY_MOST)
        s_refuse_size (self, check.length);
    else if (self->http->bodies + check.length > SM_BODIES_MOST)
        s_refuse_busy (self);
    if (self->status != 0 && sm_check_has_body (&check))
        sm_conn_linger (self->conn);
    return self->status == 0;
}

static enum MHD_Result
s_begin (sm_http_t *http, sm_request_t **out, struct MHD_Connection *mhd,
         const char *url, const char *method, const char *version)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info (
        mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    sm_conn_t *conn = info ? info->socket_context : NULL;
    sm_request_t *self = conn ? calloc (1, sizeof *self) : NULL;
    if (!self)
        return MHD_NO;
    self->path = strdup (url[0] == '/' ? url + 1 : url);
    if (!self->path) {
        free (self);
        return MHD_NO;
    }
    self->http = http;
    self->conn = conn;
    self->mhd = mhd;
    self->share = sm_share_hold (http->share);
    memcpy (self->peer, conn->peer_text, sizeof self->peer);
    conn->request = self;
    *out = self;
    if (!s_check (self, method, version))
        return s_queue (self);
    sm_conn_stage (conn, SM_STAGE_BODY);
    return MHD_YES;
}

/*  Room for 'more' bytes and a NUL.  */
static bool
s_grow (sm_request_t *self, size_t more)
{
    size_t need = self->size + more + 1;
    size_t room = self->room > 0 ? self->room : BODY_FIRST;
    while (room < need)
        room *= 2;
    if (room > SM_BODY_MOST + 1)
        room = SM_BODY_MOST + 1;
    if (room == self->room)
        return true;
    if (self->http->bodies + (room - self->room) > SM_BODIES_MOST)
        return false;
    char *body = realloc (self->body, room);
    if (!body)
        return false;
    self->http->bodies += room - self->room;
    self->body = body;
    self->room = room;
    return true;
}

/*  How large a chunked body is shows at its end.  */
static void
s_settle_size (sm_request_t *self)
{
    if (self->seen <= SM_BODY_MOST
        || self->status != MHD_HTTP_CONTENT_TOO_LARGE)
        return;
    char text[SIZE_TEXT];
    s_size_text (text, self->seen);
    free (self->text);
    self->text = strdup (text);
}

static enum MHD_Result
s_take (sm_request_t *self, const char *data, size_t size)
{
    self->seen += size;
    self->conn->conns->progress++;
    if (self->status == 0) {
        if (self->seen > SM_BODY_MOST)
            s_refuse_size (self, self->seen);
        else if (!s_grow (self, size))
            s_refuse_busy (self);
        else {
            memcpy (self->body + self->size, data, size);
            self->size += size;
            self->body[self->size] = '\0';
            return MHD_YES;
        }
        s_drop_body (self);
        sm_conn_hurry (self->conn, SM_DISCARD_MS);
    }
    if (self->seen <= SM_DISCARD_MOST)
        return MHD_YES;
    s_settle_size (self);
    sm_conn_linger (self->conn);
    s_write_raw (self);
    return MHD_NO;
}

static enum MHD_Result
s_finish (sm_request_t *self)
{
    if (self->status == 0 && self->http->stopping)
        s_refuse_busy (self);
    if (self->status == 0 && !self->handed) {
        sm_conn_stage (self->conn, SM_STAGE_WAIT);
        self->handed = self->calling = true;
        self->http->fn (self->http->context, self);
        self->calling = false;
    }
    if (self->status != 0)
        return s_queue (self);
    self->suspended = true;
    MHD_suspend_connection (self->mhd);
    return MHD_YES;
}

enum MHD_Result
sm_request_handle (void *cls, struct MHD_Connection *mhd, const char *url,
                   const char *method, const char *version, const char *data,
                   size_t *size, void **request_p)
{
    sm_request_t *self = *request_p;
    if (!self) {
        enum MHD_Result rc
            = s_begin (cls, &self, mhd, url, method, version);
        *request_p = self;
        return rc;
    }
    if (*size > 0) {
        size_t taken = *size;
        *size = 0;
        return s_take (self, data, taken);
    }
    s_settle_size (self);
    return s_finish (self);
}

void
sm_request_completed (void *cls, struct MHD_Connection *mhd, void **request_p,
                      enum MHD_RequestTerminationCode code)
{
    (void) cls;
    (void) mhd;
    (void) code;
    sm_request_t *self = *request_p;
    *request_p = NULL;
    if (!self)
        return;
    self->conn->request = NULL;
    self->http->bodies -= self->room;
    self->http = NULL;
    self->conn = NULL;
    self->mhd = NULL;
    if (!self->handed)
        s_free (self);
}

void
sm_request_late (sm_request_t *self)
{
    assert (self && self->mhd);
    if (self->status == 0)
        s_refuse (self, MHD_HTTP_REQUEST_TIMEOUT,
                  "The request did not come in within 30 s");
    s_settle_size (self);
    s_write_raw (self);
}

static void
s_wake (sm_request_t *self)
{
    if (!self->suspended)
        return;
    self->suspended = false;
    sm_conn_stage (self->conn, SM_STAGE_ANSWER);
    self->http->woken = true;
    MHD_resume_connection (self->mhd);
}

void
sm_request_stop (sm_request_t *self)
{
    assert (self && self->mhd);
    if (!self->suspended)
        return;
    s_set_answer (self, MHD_HTTP_SERVICE_UNAVAILABLE, TEXT_PLAIN,
                  "The server is shutting down; try again later");
    s_wake (self);
}

const sm_principal_t *
sm_request_who (const sm_request_t *self)
{
    assert (self);
    return self->who;
}

const char *
sm_request_body (const sm_request_t *self, size_t *size)
{
    assert (self && size);
    *size = self->size;
    return self->body ? self->body : "";
}

const char *
sm_request_path (const sm_request_t *self)
{
    assert (self);
    return self->path;
}

bool
sm_request_wants_json (const sm_request_t *self)
{
    assert (self);
    return self->wants_json;
}

const char *
sm_request_peer (const sm_request_t *self)
{
    assert (self);
    return self->peer;
}

void
sm_request_answer (sm_request_t *self, unsigned status, const char *type,
                   const char *body)
{
    assert (self && self->handed && status >= 200 && status <= 599 && type
            && body);
    self->handed = false;
    if (!self->mhd) {
        s_free (self);
        return;
    }
    if (self->status != 0)
        return; /* the door is closing and has answered */
    s_set_answer (self, status, type, body);
    s_wake (self);
}
