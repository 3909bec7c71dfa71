/* SPDX-License-Identifier: MPL-2.0 */
#include "shim/http.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/log.h"
#include "shim/http_door.h"
#include "shim/http_tls.h"

#define MEMORY_MOST 16384 /* of the library for a connection's headers */
#define IDLE_S 60         /* the library's own time-out, should ours fail */
#define STOP_ROUNDS 50    /* for the last answers to go out */
#define LOG_TEXT 512
/*  See sm_http_timeout.  */
#define IDLE_ROUNDS 16
#define IDLE_ROUND_MS 20

/*  libmicrohttpd takes one listening socket and one certificate for each of
    its daemons.  So there is one for each address, and a new certificate
    means a new one beside the old, which ends with its last connection.  */
struct sm_daemon
{
    sm_daemon_t *next;
    struct MHD_Daemon *mhd;
    bool retired; /* listens no more */
};

static enum MHD_Result
s_admit (void *cls, const struct sockaddr *peer, socklen_t size)
{
    (void) size;
    const sm_http_t *self = cls;
    return sm_conns_admits (&self->conns, peer) ? MHD_YES : MHD_NO;
}

static void
s_notify (void *cls, struct MHD_Connection *mhd, void **conn_p,
          enum MHD_ConnectionNotificationCode code)
{
    sm_http_t *self = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*conn_p)
            sm_conns_remove (*conn_p);
        *conn_p = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info
        = MHD_get_connection_info (mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info)
        return;
    int fd = info->connect_fd;
    info = MHD_get_connection_info (mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    *conn_p = sm_conns_add (&self->conns, fd, info ? info->client_addr : NULL);
    if (!*conn_p)
        shutdown (fd, SHUT_RDWR); /* nothing would watch over its time */
}

static void SH_PRINTF (2, 0)
s_log (void *cls, const char *format, va_list args)
{
    (void) cls;
    char text[LOG_TEXT];
    if (vsnprintf (text, sizeof text, format, args) < 0)
        return;
    text[strcspn (text, "\n")] = '\0';
    sh_log (SH_LOG_DEBUG, "http: from libmicrohttpd", SH_STR ("text", text));
}

static struct MHD_Daemon *
s_start_mhd (sm_http_t *self, int fd, sm_tls_t *tls)
{
    struct MHD_OptionItem plain[] = { { MHD_OPTION_END, 0, NULL } };
    struct MHD_OptionItem crypt[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, tls ? tls->cert : NULL },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, tls ? tls->key : NULL },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (char[]){ SM_TLS_PRIORITY } },
        { MHD_OPTION_END, 0, NULL },
    };
    unsigned flags
        = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (tls)
        flags |= MHD_USE_TLS;
    return MHD_start_daemon (
        flags, 0, s_admit, self, sm_request_handle, self,
        MHD_OPTION_EXTERNAL_LOGGER, s_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT,
        (unsigned) (SM_CONNECTIONS_MOST + SM_CONNECTIONS_SLACK),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) MEMORY_MOST,
        MHD_OPTION_NOTIFY_CONNECTION, s_notify, self,
        MHD_OPTION_NOTIFY_COMPLETED, sm_request_completed, self,
        MHD_OPTION_ARRAY, tls ? crypt : plain, MHD_OPTION_END);
}

/*  Take no more connections.  The library's listening socket is a duplicate:
    the door's own goes on listening.  */
static void
s_daemon_retire (sm_daemon_t *daemon)
{
    if (daemon->retired)
        return;
    daemon->retired = true;
    int fd = MHD_quiesce_daemon (daemon->mhd);
    if (fd >= 0)
        close (fd);
}

static void
s_daemons_stop (sm_daemon_t **list_p)
{
    while (*list_p) {
        sm_daemon_t *daemon = *list_p;
        *list_p = daemon->next;
        s_daemon_retire (daemon);
        MHD_stop_daemon (daemon->mhd);
        free (daemon);
    }
}

static bool
s_watch (const sm_http_t *self, struct MHD_Daemon *mhd)
{
    const union MHD_DaemonInfo *info
        = MHD_get_daemon_info (mhd, MHD_DAEMON_INFO_EPOLL_FD);
    struct epoll_event event = { .events = EPOLLIN };
    return info
           && epoll_ctl (self->epoll, EPOLL_CTL_ADD, info->epoll_fd, &event)
                  == 0;
}

static bool
s_daemon_start (sm_http_t *self, sm_daemon_t **list_p, int listen_fd,
                sm_tls_t *tls)
{
    sm_daemon_t *daemon = calloc (1, sizeof *daemon);
    if (!daemon)
        return false;
    int fd = fcntl (listen_fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        daemon->mhd = s_start_mhd (self, fd, tls);
    if (!daemon->mhd) {
        if (fd >= 0)
            close (fd);
        free (daemon);
        return false;
    }
    daemon->next = *list_p;
    *list_p = daemon;
    return s_watch (self, daemon->mhd);
}

/*  One for each address, or none.  */
static sh_err_t
s_daemons_start (sm_http_t *self, sm_daemon_t **out, sm_tls_t *tls,
                 sh_why_t *why)
{
    sm_daemon_t *list = NULL;
    for (size_t i = 0; i < self->listeners.count; i++) {
        const sh_listener_t *listener = &self->listeners.items[i];
        if (listener->fd < 0
            || s_daemon_start (self, &list, listener->fd, tls))
            continue;
        s_daemons_stop (&list);
        return sh_fail (why, SH_E_IO,
                        "cannot serve HTTP on %s; with the log level debug "
                        "libmicrohttpd says why",
                        listener->text);
    }
    *out = list;
    return SH_OK;
}

/*  A token is a password: who reads it on the way can use it.  */
static sh_err_t
s_check_policy (const sh_listeners_t *listeners,
                const sm_http_config_t *config, const sm_tokens_t *tokens,
                sh_why_t *why)
{
    if (!config->cert != !config->key)
        return sh_fail (why, SH_E_CONFIG,
                        "http_cert and http_key belong together; %s is missing",
                        config->cert ? "http_key" : "http_cert");
    const sh_listener_t *open = sh_listeners_open (listeners);
    if (!open)
        return SH_OK;
    if (sm_tokens_find (tokens, SM_NO_TOKEN))
        return sh_fail (why, SH_E_CONFIG,
                        "http_listen: %s can be reached from other machines, "
                        "and '" SM_NO_TOKEN "' is no secret; set a token, or "
                        "listen on 127.0.0.1 only",
                        open->text);
    if (!config->cert && !config->plain_ok)
        return sh_fail (why, SH_E_CONFIG,
                        "http_listen: on %s tokens would cross the network in "
                        "plain text; set http_cert and http_key for TLS, or "
                        "http_plain_ok: true if something else protects it",
                        open->text);
    return SH_OK;
}

/*  '*tls_p' is set to 'room' when there is a certificate, else to NULL.  */
static sh_err_t
s_load_tls (sm_tls_t **tls_p, sm_tls_t *room, const sm_http_config_t *config,
            const sh_clock_t *clock, sh_why_t *why)
{
    *tls_p = NULL;
    if (!config->cert)
        return SH_OK;
    sh_err_t rc = sm_tls_load (room, config->cert, config->key,
                               sh_clock_wall (clock), why);
    if (rc == SH_OK)
        *tls_p = room;
    return rc;
}

static sh_err_t
s_open (sm_http_t *self, const sm_http_config_t *config, sm_tokens_t *tokens,
        sh_why_t *why)
{
    sm_tls_t room = { 0 }, *tls = NULL;
    sh_err_t rc = sh_listeners_parse (&self->listeners, &config->listen,
                                      "http_listen", why);
    if (rc == SH_OK)
        rc = s_check_policy (&self->listeners, config, tokens, why);
    if (rc == SH_OK)
        rc = s_load_tls (&tls, &room, config, self->clock, why);
    if (rc == SH_OK)
        rc = sm_conns_init (&self->conns, self->clock, self->epoll,
                            &config->trusted_proxies, why);
    if (rc == SH_OK) {
        self->conns.late = sm_request_late;
        rc = sh_listeners_bind (&self->listeners,
                                "is the old scan server still running?", why);
    }
    if (rc == SH_OK)
        rc = s_daemons_start (self, &self->daemons, tls, why);
    self->tls = tls != NULL;
    sm_tls_clear (&room);
    return rc;
}

sh_err_t
sm_http_new (sm_http_t **out, const sm_http_config_t *config,
             sm_tokens_t **tokens_p, const sh_clock_t *clock, sm_http_fn *fn,
             void *context, sh_why_t *why)
{
    assert (out && config && tokens_p && *tokens_p && clock && fn);
    sm_http_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    self->fn = fn;
    self->context = context;
    self->clock = clock;
    self->epoll = epoll_create1 (EPOLL_CLOEXEC);
    sh_err_t rc = SH_OK;
    if (self->epoll < 0)
        rc = sh_fail (why, SH_E_IO, "cannot make an epoll descriptor: %s",
                      strerror (errno));
    if (rc == SH_OK)
        rc = s_open (self, config, *tokens_p, why);
    if (rc == SH_OK && sm_share_new (&self->share, tokens_p) != SH_OK)
        rc = sh_fail (why, SH_E_MEMORY, "out of memory");
    if (rc == SH_OK)
        *out = self;
    else
        sm_http_destroy (&self);
    return rc;
}

static void
s_run_daemons (sm_http_t *self)
{
    for (sm_daemon_t *daemon = self->daemons; daemon; daemon = daemon->next)
        MHD_run (daemon->mhd);
}

static bool
s_is_answering (const sm_http_t *self)
{
    for (sm_conn_t *conn = self->conns.first; conn; conn = conn->next)
        if (conn->stage == SM_STAGE_ANSWER)
            return true;
    return false;
}

void
sm_http_refuse (sm_http_t *self)
{
    self->stopping = true;
}

void
sm_http_destroy (sm_http_t **self_p)
{
    assert (self_p);
    sm_http_t *self = *self_p;
    if (!self)
        return;
    self->stopping = true;
    for (sm_daemon_t *daemon = self->daemons; daemon; daemon = daemon->next)
        s_daemon_retire (daemon);
    for (sm_conn_t *conn = self->conns.first; conn; conn = conn->next)
        if (conn->request)
            sm_request_stop (conn->request);
    for (int i = 0; i < STOP_ROUNDS && s_is_answering (self); i++)
        s_run_daemons (self);
    s_daemons_stop (&self->daemons);
    sm_conns_clear (&self->conns);
    sh_listeners_clear (&self->listeners);
    sm_share_drop (&self->share);
    if (self->epoll >= 0)
        close (self->epoll);
    free (self);
    *self_p = NULL;
}

int
sm_http_fd (const sm_http_t *self)
{
    assert (self);
    return self->epoll;
}

/*  libmicrohttpd (0.9.75) asks to be run again at once for as long as a TLS
    handshake is half done: a client that sends four bytes would cost a whole
    processor.  When that has led to nothing a few times, it has to wait; what
    really happens makes the descriptor readable all the same.  */
int
sm_http_timeout (const sm_http_t *self)
{
    assert (self);
    /*  No descriptor tells the library of a resumed connection.  */
    if (self->woken)
        return 0;
    int64_t least = sm_conns_timeout (&self->conns);
    for (sm_daemon_t *daemon = self->daemons; daemon; daemon = daemon->next) {
        MHD_UNSIGNED_LONG_LONG ms;
        if (MHD_get_timeout (daemon->mhd, &ms) != MHD_YES)
            continue;
        if (ms > INT32_MAX)
            ms = INT32_MAX;
        if (ms == 0 && self->idle_rounds >= IDLE_ROUNDS)
            ms = IDLE_ROUND_MS;
        if (least < 0 || (int64_t) ms < least)
            least = (int64_t) ms;
    }
    return least > INT32_MAX ? INT32_MAX : (int) least;
}

static bool
s_is_done (const sm_daemon_t *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info (
        daemon->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return daemon->retired && (!info || info->num_connections == 0);
}

static void
s_end_retired (sm_http_t *self)
{
    for (sm_daemon_t **at = &self->daemons; *at;) {
        if (!s_is_done (*at)) {
            at = &(*at)->next;
            continue;
        }
        sm_daemon_t *done = *at;
        *at = done->next;
        done->next = NULL;
        s_daemons_stop (&done);
    }
}

void
sm_http_run (sm_http_t *self)
{
    assert (self);
    self->woken = false;
    s_run_daemons (self);
    sm_conns_run (&self->conns);
    s_end_retired (self);
    if (self->progress == self->conns.progress)
        self->idle_rounds++;
    else
        self->idle_rounds = 0;
    self->progress = self->conns.progress;
}

static void
s_swap_daemons (sm_http_t *self, sm_daemon_t *fresh)
{
    for (sm_daemon_t *daemon = self->daemons; daemon; daemon = daemon->next)
        s_daemon_retire (daemon);
    sm_daemon_t **at = &fresh;
    while (*at)
        at = &(*at)->next;
    *at = self->daemons;
    self->daemons = fresh;
}

static void
s_note_listen (const sm_http_t *self, const sh_strings_t *listen)
{
    bool same = listen->count == self->listeners.count;
    for (size_t i = 0; same && i < listen->count; i++)
        same = strcmp (listen->items[i], self->listeners.items[i].text) == 0;
    if (!same)
        sh_log (SH_LOG_WARNING,
                "http: a change of http_listen takes effect at a restart");
}

sh_err_t
sm_http_reload (sm_http_t *self, const sm_http_config_t *config,
                sm_tokens_t **tokens_p, sh_why_t *why)
{
    assert (self && config && tokens_p && *tokens_p);
    sm_tls_t room = { 0 }, *tls = NULL;
    sm_share_t *share = NULL;
    sm_daemon_t *fresh = NULL;
    sh_err_t rc = s_check_policy (&self->listeners, config, *tokens_p, why);
    if (rc == SH_OK)
        rc = s_load_tls (&tls, &room, config, self->clock, why);
    bool swap = self->tls || tls;
    if (rc == SH_OK && swap)
        rc = s_daemons_start (self, &fresh, tls, why);
    sm_tls_clear (&room);
    if (rc == SH_OK)
        rc = sm_conns_spare (&self->conns, &config->trusted_proxies, why);
    if (rc == SH_OK && sm_share_new (&share, tokens_p) != SH_OK)
        rc = sh_fail (why, SH_E_MEMORY, "out of memory");
    if (rc != SH_OK) {
        s_daemons_stop (&fresh);
        return rc;
    }
    if (swap)
        s_swap_daemons (self, fresh);
    self->tls = tls != NULL;
    sm_share_drop (&self->share);
    self->share = share;
    s_note_listen (self, &config->listen);
    return SH_OK;
}

size_t
sm_http_ports (const sm_http_t *self, uint16_t *out, size_t most)
{
    assert (self && (out || most == 0));
    for (size_t i = 0; i < self->listeners.count && i < most; i++)
        out[i] = self->listeners.items[i].port;
    return self->listeners.count;
}

const char *
sm_http_library (void)
{
    return MHD_get_version ();
}
