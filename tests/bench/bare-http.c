/* SPDX-License-Identifier: MPL-2.0 */
/*  bare-http: the least that an HTTP server can be, as a floor for the door of
    hub and shim: libmicrohttpd behind epoll in one thread, as there, which reads
    each body, answers 200 and closes.  Prints its port, then serves until it is
    ended.  */

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define CONNECTIONS_MOST 1088
#define MEMORY_MOST 16384 /* for a connection's headers */
#define IDLE_S 60

static enum MHD_Result
s_answer (struct MHD_Connection *connection)
{
    static char text[] = "ok";
    struct MHD_Response *response = MHD_create_response_from_buffer (
        sizeof text - 1, text, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    enum MHD_Result rc
        = MHD_add_response_header (response, "Connection", "close");
    if (rc == MHD_YES)
        rc = MHD_queue_response (connection, MHD_HTTP_OK, response);
    MHD_destroy_response (response);
    return rc;
}

/*  Called once for the headers, once for each piece of the body, and once at its
    end.  */
static enum MHD_Result
s_handle (void *cls, struct MHD_Connection *connection, const char *url,
          const char *method, const char *version, const char *data,
          size_t *size, void **seen)
{
    (void) cls, (void) url, (void) method, (void) version, (void) data;
    static int headers;
    if (!*seen) {
        *seen = &headers;
        return MHD_YES;
    }
    if (*size > 0) {
        *size = 0;
        return MHD_YES;
    }
    return s_answer (connection);
}

int
main (int argc, char **argv)
{
    (void) argv;
    if (argc != 1) {
        fprintf (stderr, "usage: bare-http; it chooses its port itself\n");
        return EX_USAGE;
    }
    struct MHD_Daemon *daemon = MHD_start_daemon (
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, s_handle, NULL,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned) CONNECTIONS_MOST,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) MEMORY_MOST,
        MHD_OPTION_END);
    const union MHD_DaemonInfo *info
        = daemon ? MHD_get_daemon_info (daemon, MHD_DAEMON_INFO_BIND_PORT)
                 : NULL;
    if (!info) {
        fprintf (stderr, "bare-http: cannot listen\n");
        return EX_OSERR;
    }
    printf ("%d\n", (int) info->port);
    fflush (stdout);
    for (;;)
        pause ();
}
