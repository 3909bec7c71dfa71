/* SPDX-License-Identifier: MPL-2.0 */
/*  Any bytes on the control socket, in one or two writes.  The hub is asked
    only with a line of printable characters, and answers with lines of which
    the first begins with "ok" or "error".  */

#include <sys/socket.h>
#include <sys/un.h>

#include "lib/control.h"
#include "lib/log.h"
#include "tests/fuzz/input.h"

static bool s_asked;

static void
s_on_request (void *context, const char *request, char *answer, size_t size)
{
    (void) context;
    size_t length = strlen (request);
    fuzz_require (length >= 1 && length < SH_CONTROL_REQUEST_MOST + 1);
    for (const char *at = request; *at; at++)
        fuzz_require (*at >= ' ' && *at <= '~');
    s_asked = true;
    snprintf (answer, size, "ok %s", request);
}

static struct sockaddr_un s_address = { .sun_family = AF_UNIX };
static char s_directory[] = "/tmp/scanhub-fuzz-XXXXXX";

static void
s_remove (void)
{
    unlink (s_address.sun_path);
    rmdir (s_directory);
}

static sh_control_t *
s_control (void)
{
    static sh_control_t *control;
    if (control)
        return control;
    fuzz_require (mkdtemp (s_directory) != NULL);
    snprintf (s_address.sun_path, sizeof s_address.sun_path, "%s/c",
              s_directory);
    sh_log_set_level (SH_LOG_ERROR);
    const sh_control_options_t options
        = { .program = "scanhubd", .answer = s_on_request };
    fuzz_require (sh_control_new (&control, s_address.sun_path, &options, NULL)
                  == SH_OK);
    atexit (s_remove);
    return control;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    sh_control_t *control = s_control ();
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (size > 4096)
        size = 4096; /* what is not read must fit into the socket's buffer */
    size_t cut = size > 0 ? data[0] % size : 0;
    fuzz_require (fd >= 0
                  && connect (fd, (struct sockaddr *) &s_address,
                              sizeof s_address)
                         == 0);
    fuzz_require (send (fd, data, cut, MSG_NOSIGNAL) == (ssize_t) cut);
    fuzz_require (send (fd, data + cut, size - cut, MSG_NOSIGNAL)
                  == (ssize_t) (size - cut));
    fuzz_require (shutdown (fd, SHUT_WR) == 0);

    s_asked = false;
    sh_control_serve (control);
    char answer[SH_CONTROL_REQUEST_MOST + 64];
    ssize_t got = recv (fd, answer, sizeof answer, 0);
    if (got > 0) {
        fuzz_require (answer[got - 1] == '\n');
        fuzz_require (s_asked ? memcmp (answer, "ok ", 3) == 0
                              : memcmp (answer, "error ", 6) == 0);
    }
    else
        fuzz_require (!s_asked);
    close (fd);
    return 0;
}
