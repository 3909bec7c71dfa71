/* SPDX-License-Identifier: MPL-2.0 */

#include "build-config.h"

#include "hub/metrics.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/listen.h"
#include "lib/log.h"

#define MEMORY_MOST 8192 /* of the library for a connection's headers */
#define LISTEN_MOST 8
#define STEP_MS 1000
#define FULL_STEP_MS 100
#define IDLE_MS 20 /* where the library wants no time at all */

typedef struct
{
    int fd; /* -1: free */
    int64_t begun; /* mono ms */
} place_t;

struct hub_metrics
{
    hub_metrics_sources_t sources;
    sh_listeners_t listeners;
    struct MHD_Daemon *daemons[LISTEN_MOST];
    size_t count;
    place_t places[LISTEN_MOST * HUB_METRICS_CONNECTIONS];
    int wake; /* eventfd: the end */
    pthread_t thread;
    bool running;
};

/*  One place for each connection, so that its time can be limited: the
    library's own time-out is of idle time only.  */
static void
s_notify (void *cls, struct MHD_Connection *connection, void **place_p,
          enum MHD_ConnectionNotificationCode code)
{
    hub_metrics_t *self = cls;
    place_t *place = *place_p;
    const union MHD_ConnectionInfo *info
        = MHD_get_connection_info (connection,
                                   MHD_CONNECTION_INFO_CONNECTION_FD);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (place)
            place->fd = -1;
        return;
    }
    const size_t most = sizeof self->places / sizeof *self->places;
    for (size_t i = 0; info && i < most; i++)
        if (self->places[i].fd < 0) {
            self->places[i].fd = info->connect_fd;
            self->places[i].begun = sh_clock_mono (self->sources.clock);
            *place_p = &self->places[i];
            return;
        }
}

static bool
s_is_full (const hub_metrics_t *self)
{
    const size_t most = sizeof self->places / sizeof *self->places;
    size_t taken = 0;
    for (size_t i = 0; i < most; i++)
        taken += self->places[i].fd >= 0;
    return taken >= HUB_METRICS_CONNECTIONS;
}

/*  Where others wait, nobody has long: an honest client needs some ms.  */
static void
s_end_late (hub_metrics_t *self)
{
    int64_t now = sh_clock_mono (self->sources.clock);
    const size_t most = sizeof self->places / sizeof *self->places;
    int64_t left = s_is_full (self) ? HUB_METRICS_FULL_MS : HUB_METRICS_MS;
    for (size_t i = 0; i < most; i++)
        if (self->places[i].fd >= 0 && now - self->places[i].begun >= left)
            shutdown (self->places[i].fd, SHUT_RDWR);
}

/*  The text is the library's from then on.  */
static enum MHD_Result
s_answer (struct MHD_Connection *connection, unsigned status, const char *type,
          char *text, size_t size)
{
    struct MHD_Response *response
        = MHD_create_response_from_buffer (size, text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free (text);
        return MHD_NO;
    }
    MHD_add_response_header (response, "Content-Type", type);
    MHD_add_response_header (response, "Cache-Control", "no-store");
    MHD_add_response_header (response, "Connection", "close");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header (response, "Allow", "GET, HEAD");
    enum MHD_Result rc = MHD_queue_response (connection, status, response);
    MHD_destroy_response (response);
    return rc;
}

static enum MHD_Result
s_say (struct MHD_Connection *connection, unsigned status, const char *text)
{
    char *line = NULL;
    int size = asprintf (&line, "%s\n", text);
    return size < 0 ? MHD_NO
                    : s_answer (connection, status,
                                "text/plain; charset=utf-8", line,
                                (size_t) size);
}

static enum MHD_Result
s_metrics (const hub_metrics_t *self, struct MHD_Connection *connection)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream (&text, &size);
    if (!to)
        return MHD_NO;
    hub_metrics_write (to, &self->sources);
    bool bad = ferror (to);
    if (fclose (to) != 0 || bad) {
        free (text);
        return MHD_NO;
    }
    return s_answer (connection, MHD_HTTP_OK,
                     "text/plain; version=0.0.4; charset=utf-8", text, size);
}

static enum MHD_Result
s_livez (const hub_metrics_t *self, struct MHD_Connection *connection)
{
    char text[HUB_PULSE_TEXT];
    bool alive = hub_pulse_alive (self->sources.pulse,
                                  sh_clock_mono (self->sources.clock), text);
    return s_say (connection,
                  alive ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                  alive ? "alive" : text);
}

/*  Not why: that has host names and paths in it, and 'scanhubctl status' tells
    it.  */
static enum MHD_Result
s_readyz (const hub_metrics_t *self, struct MHD_Connection *connection)
{
    char text[320];
    bool ready = hub_live_ready (self->sources.live,
                                 sh_clock_mono (self->sources.clock), text,
                                 sizeof text);
    return ready ? s_say (connection, MHD_HTTP_OK, "ready")
                 : s_say (connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                          "not ready; scanhubctl status says why");
}

static enum MHD_Result
s_handle (void *cls, struct MHD_Connection *connection, const char *url,
          const char *method, const char *version, const char *data,
          size_t *size, void **request_p)
{
    (void) version;
    (void) data;
    static const struct
    {
        const char *path;
        enum MHD_Result (*answer) (const hub_metrics_t *,
                                   struct MHD_Connection *);
    } paths[] = {
        { "/metrics", s_metrics },
        { "/livez", s_livez },
        { "/readyz", s_readyz },
    };
    static char begun;
    if (strcmp (method, "GET") != 0 && strcmp (method, "HEAD") != 0)
        return s_say (connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                      "only GET and HEAD");
    /*  The library calls once for the headers, and again for an answer.  */
    if (!*request_p) {
        *request_p = &begun;
        return MHD_YES;
    }
    if (*size)
        return MHD_NO; /* a body makes no sense */
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (strcmp (url, paths[i].path) == 0)
            return paths[i].answer (cls, connection);
    return s_say (connection, MHD_HTTP_NOT_FOUND,
                  "there are /metrics, /livez and /readyz");
}

static int
s_timeout (const hub_metrics_t *self)
{
    int least = s_is_full (self) ? FULL_STEP_MS : STEP_MS;
    for (size_t i = 0; i < self->count; i++) {
        MHD_UNSIGNED_LONG_LONG ms;
        if (MHD_get_timeout (self->daemons[i], &ms) == MHD_YES
            && ms < (unsigned) least)
            least = (int) ms;
    }
    return least < IDLE_MS ? IDLE_MS : least;
}

static void *
s_serve (void *argument)
{
    hub_metrics_t *self = argument;
    struct pollfd items[LISTEN_MOST + 1] = { { .fd = self->wake,
                                               .events = POLLIN } };
    for (size_t i = 0; i < self->count; i++) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info (
            self->daemons[i], MHD_DAEMON_INFO_EPOLL_FD);
        items[i + 1] = (struct pollfd){ .fd = info ? info->epoll_fd : -1,
                                        .events = POLLIN };
    }
    while (!(items[0].revents & POLLIN)) {
        if (poll (items, self->count + 1, s_timeout (self)) < 0
            && errno != EINTR)
            break;
        for (size_t i = 0; i < self->count; i++)
            MHD_run (self->daemons[i]);
        s_end_late (self);
    }
    return NULL;
}

/*  The library gets a duplicate, and closes it.  */
static sh_err_t
s_start_daemon (hub_metrics_t *self, const sh_listener_t *listener,
                sh_why_t *why)
{
    int fd = fcntl (listener->fd, F_DUPFD_CLOEXEC, 0);
    struct MHD_Daemon *daemon
        = fd < 0 ? NULL
                 : MHD_start_daemon (
                     MHD_USE_EPOLL, 0, NULL, NULL, s_handle, self,
                     MHD_OPTION_LISTEN_SOCKET, fd,
                     MHD_OPTION_CONNECTION_LIMIT,
                     (unsigned) HUB_METRICS_CONNECTIONS,
                     MHD_OPTION_CONNECTION_TIMEOUT,
                     (unsigned) (HUB_METRICS_MS / 1000),
                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) MEMORY_MOST,
                     MHD_OPTION_NOTIFY_CONNECTION, s_notify, self,
                     MHD_OPTION_END);
    if (daemon) {
        self->daemons[self->count++] = daemon;
        return SH_OK;
    }
    if (fd >= 0)
        close (fd);
    return sh_fail (why, SH_E_IO, "metrics.listen: cannot serve HTTP on %s",
                    listener->text);
}

static sh_err_t
s_start (hub_metrics_t *self, const hub_metrics_config_t *config,
         sh_why_t *why)
{
    if (config->listen.count > LISTEN_MOST)
        return sh_fail (why, SH_E_CONFIG,
                        "metrics.listen: %d addresses at the most",
                        LISTEN_MOST);
    sh_err_t rc = sh_listeners_parse (&self->listeners, &config->listen,
                                      "metrics.listen", why);
    if (rc == SH_OK)
        rc = sh_listeners_bind (&self->listeners,
                                "choose another one with metrics.listen, or "
                                "off", why);
    for (size_t i = 0; rc == SH_OK && i < self->listeners.count; i++)
        if (self->listeners.items[i].fd >= 0)
            rc = s_start_daemon (self, &self->listeners.items[i], why);
    self->wake = rc == SH_OK ? eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (rc != SH_OK)
        return rc;
    self->running = self->wake >= 0
                    && pthread_create (&self->thread, NULL, s_serve, self)
                           == 0;
    return self->running ? SH_OK
                         : sh_fail (why, SH_E_IO,
                                    "metrics.listen: no thread to be had");
}

/*  One that nobody asked for is no reason not to start.  */
static sh_err_t
s_do_without (const hub_metrics_config_t *config, sh_err_t rc,
              const sh_why_t *why)
{
    if (config->said || rc == SH_E_MEMORY)
        return rc;
    sh_log (SH_LOG_WARNING, "no /metrics", SH_STR ("because", why->text));
    return SH_OK;
}

sh_err_t
hub_metrics_new (hub_metrics_t **out, const hub_metrics_config_t *config,
                 const hub_metrics_sources_t *sources, sh_why_t *why)
{
    assert (out && config && sources && why);
    *out = NULL;
    if (config->listen.count == 0)
        return SH_OK;
    hub_metrics_t *self = calloc (1, sizeof *self);
    if (!self)
        return sh_fail (why, SH_E_MEMORY, "out of memory");
    self->sources = *sources;
    self->wake = -1;
    for (size_t i = 0; i < sizeof self->places / sizeof *self->places; i++)
        self->places[i].fd = -1;
    sh_err_t rc = s_start (self, config, why);
    if (rc != SH_OK) {
        hub_metrics_destroy (&self);
        return s_do_without (config, rc, why);
    }
    *out = self;
    return SH_OK;
}

void
hub_metrics_destroy (hub_metrics_t **self_p)
{
    hub_metrics_t *self = *self_p;
    if (!self)
        return;
    const uint64_t one = 1;
    if (self->running) {
        ssize_t ignored = write (self->wake, &one, sizeof one);
        (void) ignored;
        pthread_join (self->thread, NULL);
    }
    for (size_t i = 0; i < self->count; i++)
        MHD_stop_daemon (self->daemons[i]);
    sh_listeners_clear (&self->listeners);
    if (self->wake >= 0)
        close (self->wake);
    free (self);
    *self_p = NULL;
}
