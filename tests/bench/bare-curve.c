/* SPDX-License-Identifier: MPL-2.0 */
/*  bare-curve: the least that a CURVE server can be, as a floor for the hub: a
    ROUTER of libzmq whose ZAP handler lets everybody in, without a look at who
    it is.  Prints its public key, then serves until it is ended.  */

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <zmq.h>

#define FRAMES_MOST 16

/*  One request of RFC 27: version, request id, and others that are not looked
    at.  False: the context is gone.  */
static int
s_answer (void *zap)
{
    char request[FRAMES_MOST][256];
    int sizes[FRAMES_MOST];
    int count = 0, more = 1;
    size_t size = sizeof more;
    while (more && count < FRAMES_MOST) {
        sizes[count] = zmq_recv (zap, request[count], sizeof *request, 0);
        if (sizes[count] < 0)
            return 0;
        count++;
        zmq_getsockopt (zap, ZMQ_RCVMORE, &more, &size);
    }
    size_t id = count > 1 ? (size_t) sizes[1] : 0;
    zmq_send (zap, "1.0", 3, ZMQ_SNDMORE);
    zmq_send (zap, request[1], id, ZMQ_SNDMORE);
    zmq_send (zap, "200", 3, ZMQ_SNDMORE);
    zmq_send (zap, "OK", 2, ZMQ_SNDMORE);
    zmq_send (zap, "anybody", 7, ZMQ_SNDMORE);
    zmq_send (zap, "", 0, 0);
    return 1;
}

static void *
s_zap (void *zap)
{
    while (s_answer (zap))
        continue;
    zmq_close (zap);
    return NULL;
}

/*  What messages come are dropped; it is the handshakes that count.  */
static void
s_serve (void *router)
{
    char message[256];
    while (zmq_recv (router, message, sizeof message, 0) >= 0)
        continue;
}

int
main (int argc, char **argv)
{
    char public_key[41], secret_key[41];
    const int on = 1, most = 1024;
    void *context = zmq_ctx_new ();
    void *zap = zmq_socket (context, ZMQ_REP);
    void *router = zmq_socket (context, ZMQ_ROUTER);
    pthread_t thread;
    if (argc != 2 || strncmp (argv[1], "tcp://", 6) != 0) {
        fprintf (stderr, "usage: bare-curve tcp://ADDRESS:PORT\n");
        return EX_USAGE;
    }
    if (zmq_curve_keypair (public_key, secret_key)
        || zmq_bind (zap, "inproc://zeromq.zap.01")
        || pthread_create (&thread, NULL, s_zap, zap)
        || zmq_setsockopt (router, ZMQ_CURVE_SERVER, &on, sizeof on)
        || zmq_setsockopt (router, ZMQ_CURVE_SECRETKEY, secret_key, 41)
        || zmq_setsockopt (router, ZMQ_ZAP_DOMAIN, "bare", 4)
        || zmq_setsockopt (router, ZMQ_BACKLOG, &most, sizeof most)
        || zmq_bind (router, argv[1])) {
        fprintf (stderr, "bare-curve: %s\n", zmq_strerror (zmq_errno ()));
        return EX_OSERR;
    }
    printf ("%s\n", public_key);
    fflush (stdout);
    s_serve (router);
    return EX_OK;
}
