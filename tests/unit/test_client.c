/* SPDX-License-Identifier: MPL-2.0 */
/*  The client against real CURVE sockets on loopback: a ROUTER and a ZAP
    handler in a thread and a ZeroMQ context of their own, so that a hub can
    die and come back.  The client's clock can be put forward, so that nothing
    here waits for a time-out.  */

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/log.h"
#include "scanner-proto/client.h"
#include "scanner-proto/codec.h"
#include "scanner-proto/session.h"

#define PATIENCE_MS 8000 /* for what takes milliseconds */

/*  A clock that can be put forward, and one that can be set.  */
static atomic_llong s_ahead, s_set;

static int64_t
s_wall_ms (void *context)
{
    (void) context;
    return sh_clock_wall (sh_clock_system ()) + atomic_load (&s_set);
}

static int64_t
s_mono_ms (void *context)
{
    (void) context;
    return sh_clock_mono (sh_clock_system ()) + atomic_load (&s_ahead);
}

static const sh_clock_t s_clock = { s_wall_ms, s_mono_ms, NULL, NULL };

typedef struct
{
    char public_key[41], secret_key[41];
    char endpoint[64];
    int64_t ahead; /* the hub's clock against ours */
    const int64_t *times; /* a welcome's 'now' and 'hello_now', as they are */
    atomic_bool stop, refuse, mute, deaf;
    atomic_int knocks, hellos, beats, spool, others;
    _Atomic (const char *) say; /* an error to send to the last peer */
    _Atomic (const char *) put_off; /* a cause: a verdict that says retry */
    void *context, *router, *zap;
    uint8_t peer[256];
    size_t peer_size;
    pthread_t thread;
} hub_t;

static void
s_hub_send (hub_t *self, const sp_message_t *message)
{
    uint8_t *data;
    size_t size;
    if (sp_encode (&data, &size, message) != SH_OK)
        abort ();
    zmq_send (self->router, self->peer, self->peer_size, ZMQ_SNDMORE);
    zmq_send (self->router, data, size, 0);
    free (data);
}

static void
s_hub_welcome (hub_t *self, int64_t hello_now)
{
    sp_message_t welcome
        = { .type = SP_WELCOME,
            .u.welcome = { .now = s_wall_ms (NULL) + self->ahead,
                           .hello_now = hello_now,
                           .name = "site-a",
                           .version = "test 1",
                           .part_bytes = SP_PART_BYTES_MOST,
                           .part_hosts = SP_PART_HOSTS_MOST } };
    if (self->times) {
        welcome.u.welcome.now = self->times[0];
        welcome.u.welcome.hello_now = self->times[1] ? self->times[1]
                                                     : hello_now;
    }
    s_hub_send (self, &welcome);
}

static void
s_hub_take (hub_t *self, const sp_message_t *message)
{
    sp_message_t beat = { .type = SP_BEAT, .u.beat = { .now = 1 } };
    if (message->type == SP_HELLO) {
        atomic_fetch_add (&self->hellos, 1);
        if (!atomic_load (&self->mute))
            s_hub_welcome (self, message->u.hello.now);
    } else if (message->type == SP_BEAT) {
        atomic_store (&self->spool, (int) message->u.beat.spool);
        atomic_fetch_add (&self->beats, 1);
        if (!atomic_load (&self->mute))
            s_hub_send (self, &beat);
    } else
        atomic_fetch_add (&self->others, 1);
}

static void
s_hub_read (hub_t *self)
{
    static const uint8_t noise[] = { 0x81, 0xa1, 'v', 0xc1 };
    uint8_t frame[4096];
    int size = zmq_recv (self->router, self->peer, sizeof self->peer, 0);
    self->peer_size = (size_t) size;
    size = zmq_recv (self->router, frame, sizeof frame, 0);
    sp_message_t *message = NULL;
    if (size < 0
        || sp_decode (&message, (sh_bytes_t){ frame, (size_t) size }, NULL))
        abort ();
    /* what is no message at all must not disturb the client */
    zmq_send (self->router, self->peer, self->peer_size, ZMQ_SNDMORE);
    zmq_send (self->router, noise, sizeof noise, 0);
    s_hub_take (self, message);
    sp_message_destroy (&message);
}

/*  ZAP (RFC 27): the request's frames are version, request id, domain,
    address, identity, mechanism, key.  */
static void
s_hub_zap (hub_t *self)
{
    char id[64];
    int id_size = 0, more = 1;
    size_t more_size = sizeof more;
    for (int i = 0; more; i++) {
        char frame[256];
        int size = zmq_recv (self->zap, frame, sizeof frame, 0);
        if (i == 1 && size > 0 && size <= (int) sizeof id)
            memcpy (id, frame, (size_t) (id_size = size));
        zmq_getsockopt (self->zap, ZMQ_RCVMORE, &more, &more_size);
    }
    atomic_fetch_add (&self->knocks, 1);
    const char *status = atomic_load (&self->refuse) ? "400" : "200";
    zmq_send (self->zap, "1.0", 3, ZMQ_SNDMORE);
    zmq_send (self->zap, id, (size_t) id_size, ZMQ_SNDMORE);
    zmq_send (self->zap, status, 3, ZMQ_SNDMORE);
    zmq_send (self->zap, "", 0, ZMQ_SNDMORE);
    zmq_send (self->zap, "peer", 4, ZMQ_SNDMORE);
    zmq_send (self->zap, "", 0, 0);
}

static void *
s_hub_run (void *arg)
{
    hub_t *self = arg;
    while (!atomic_load (&self->stop)) {
        zmq_pollitem_t items[] = { { self->router, 0, ZMQ_POLLIN, 0 },
                                   { self->zap, 0, ZMQ_POLLIN, 0 } };
        zmq_poll (items, 2, 5);
        if (items[0].revents && !atomic_load (&self->deaf))
            s_hub_read (self);
        if (items[1].revents)
            s_hub_zap (self);
        const char *cause = atomic_exchange (&self->say, NULL);
        if (cause) {
            sp_message_t error
                = { .type = SP_ERROR, .u.error = { .cause = cause } };
            s_hub_send (self, &error);
        }
        cause = atomic_exchange (&self->put_off, NULL);
        if (cause) {
            uint8_t id[SP_REPORT_ID] = { 1 };
            sp_message_t verdict
                = { .type = SP_VERDICT,
                    .u.verdict = { .id = { id, sizeof id },
                                   .result = SP_RETRY,
                                   .cause = cause,
                                   .delay = 3000 } };
            s_hub_send (self, &verdict);
        }
    }
    zmq_close (self->router);
    zmq_close (self->zap);
    return NULL;
}

static void
s_hub_start (hub_t *self)
{
    int on = 1, off = 0;
    size_t size = sizeof self->endpoint;
    bool again = self->endpoint[0] != '\0';
    if (!again)
        assert_int_equal (zmq_curve_keypair (self->public_key,
                                             self->secret_key), 0);
    atomic_store (&self->stop, false);
    atomic_store (&self->hellos, 0);
    self->context = zmq_ctx_new ();
    self->router = zmq_socket (self->context, ZMQ_ROUTER);
    self->zap = zmq_socket (self->context, ZMQ_REP);
    assert_int_equal (zmq_bind (self->zap, "inproc://zeromq.zap.01"), 0);
    zmq_setsockopt (self->router, ZMQ_LINGER, &off, sizeof off);
    zmq_setsockopt (self->router, ZMQ_CURVE_SERVER, &on, sizeof on);
    zmq_setsockopt (self->router, ZMQ_CURVE_SECRETKEY, self->secret_key, 40);
    zmq_setsockopt (self->router, ZMQ_ZAP_DOMAIN, SP_ZAP_DOMAIN,
                    strlen (SP_ZAP_DOMAIN));
    assert_int_equal (zmq_bind (self->router, again ? self->endpoint
                                                    : "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt (self->router, ZMQ_LAST_ENDPOINT, self->endpoint, &size);
    assert_int_equal (pthread_create (&self->thread, NULL, s_hub_run, self), 0);
}

static void
s_hub_stop (hub_t *self)
{
    atomic_store (&self->stop, true);
    pthread_join (self->thread, NULL);
    zmq_ctx_term (self->context);
}

/*  An endpoint where nobody listens.  */
static void
s_free_endpoint (char *out, size_t size)
{
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    socklen_t length = sizeof addr;
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    assert_true (fd >= 0);
    assert_int_equal (bind (fd, (struct sockaddr *) &addr, length), 0);
    assert_int_equal (getsockname (fd, (struct sockaddr *) &addr, &length), 0);
    snprintf (out, size, "tcp://127.0.0.1:%d", ntohs (addr.sin_port));
    close (fd);
}

static char s_public[41], s_secret[41];

static int
s_setup (void **state)
{
    (void) state;
    zsys_handler_set (NULL);
    sh_log_set_level (SH_LOG_ERROR);
    return zmq_curve_keypair (s_public, s_secret);
}

#define RETURN_MS 10000 /* shorter than the silence that ends a session */
#define RETURN_LONGEST (RETURN_MS / 4 * 5)

static sp_client_t *
s_client (const sp_hub_t *hubs, size_t count)
{
    sp_client_t *client = NULL;
    sp_client_options_t options = { .hubs = hubs,
                                    .hub_count = count,
                                    .public_key = s_public,
                                    .secret_key = s_secret,
                                    .version = "test-scanner 1",
                                    .clock = &s_clock,
                                    .return_ms = RETURN_MS };
    sh_why_t why = { "" };
    if (sp_client_new (&client, &options, &why) != SH_OK)
        fail_msg ("%s", why.text);
    return client;
}

static sp_client_t *
s_client_of (hub_t *hub)
{
    return s_client (&(sp_hub_t){ hub->endpoint, hub->public_key, NULL }, 1);
}

/*  Wait for the next event, which must be of that kind.  */
static sp_event_t
s_wait (sp_client_t *client, sp_event_kind_t kind)
{
    sp_event_t event;
    assert_int_equal (sp_client_wait (client, NULL, PATIENCE_MS, &event),
                      SH_OK);
    if (event.kind != kind)
        fail_msg ("event %d, not %d: %s", event.kind, kind, event.text);
    return event;
}

static void
s_wait_up (sp_client_t *client)
{
    sp_event_t event = s_wait (client, SP_EVENT_UP);
    assert_true (sp_client_is_up (client));
    assert_int_equal (event.message->type, SP_WELCOME);
    sp_message_destroy (&event.message);
}

static sp_event_t
s_wait_down (sp_client_t *client, sh_err_t err, const char *text)
{
    sp_event_t event = s_wait (client, SP_EVENT_DOWN);
    if (event.err != err || !strstr (event.text, text))
        fail_msg ("%s: %s", sh_err_word (event.err), event.text);
    assert_false (sp_client_is_up (client));
    assert_null (event.message);
    assert_true (event.delay >= 200);
    atomic_fetch_add (&s_ahead, event.delay); /* no need to wait for it */
    return event;
}

static void
test_up (void **state)
{
    (void) state;
    hub_t hub = { .ahead = 100000 };
    s_hub_start (&hub);
    sp_client_t *client = s_client_of (&hub);
    sp_message_t message = { .type = SP_ASSIGNMENTS };
    assert_false (sp_client_is_up (client));
    assert_int_equal (sp_client_send (client, &message), SH_E_DISCONNECTED);
    assert_string_equal (sp_client_endpoint (client), hub.endpoint);

    sp_event_t event = s_wait (client, SP_EVENT_UP);
    assert_string_equal (event.message->u.welcome.name, "site-a");
    sp_message_destroy (&event.message);
    int64_t offset = sp_client_offset (client);
    assert_true (offset > 99000 && offset < 101000);

    assert_int_equal (sp_client_send (client, &message), SH_OK);
    for (int i = 0; i < 400 && atomic_load (&hub.others) == 0; i++)
        usleep (5000);
    assert_int_equal (atomic_load (&hub.others), 1);
    assert_int_equal (atomic_load (&hub.hellos), 1);
    sp_client_destroy (&client);
    assert_null (client);
    s_hub_stop (&hub);
}

static void
test_small_offset_is_none (void **state)
{
    (void) state;
    hub_t hub = { .ahead = -1500 };
    s_hub_start (&hub);
    sp_client_t *client = s_client_of (&hub);
    s_wait_up (client);
    assert_int_equal (sp_client_offset (client), 0);
    sp_client_destroy (&client);
    s_hub_stop (&hub);
}

/*  Somebody sets our clock in the middle of a session: the hub's has not moved. */
static void
test_clock_set_in_session (void **state)
{
    (void) state;
    hub_t hub = { .ahead = 0 };
    s_hub_start (&hub);
    sp_client_t *client = s_client_of (&hub);
    s_wait_up (client);
    assert_int_equal (sp_client_offset (client), 0);
    atomic_store (&s_set, 3600000);
    int64_t offset = sp_client_offset (client);
    atomic_store (&s_set, 0);
    assert_in_range (-offset, 3600000 - 1000, 3600000 + 1000);
    assert_int_equal (sp_client_offset (client), 0);
    sp_client_destroy (&client);
    s_hub_stop (&hub);
}

/*  A hub can say anything; none of it may get into our reports.  */
static void
test_senseless_times (void **state)
{
    (void) state;
    static const int64_t far = INT64_C (1) << 61;
    const int64_t table[][2] = {
        { -far, far },
        { far, -far },
        { far, 0 },
        { -far, 0 },
        { INT64_C (1100000000000000), 0 },
        { s_wall_ms (NULL), 1 },
        { s_wall_ms (NULL), s_wall_ms (NULL) - 3600000 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        hub_t hub = { .times = table[i] };
        s_hub_start (&hub);
        sp_client_t *client = s_client_of (&hub);
        sp_event_t event = s_wait_down (client, SH_E_BAD_TIME, hub.endpoint);
        assert_non_null (strstr (event.text, "make no sense"));
        event = s_wait_down (client, SH_E_BAD_TIME, hub.endpoint);
        assert_true (event.delay >= 400);
        assert_int_equal (sp_client_offset (client), 0);
        sp_client_destroy (&client);
        s_hub_stop (&hub);
    }
}

/*  Whoever takes the connection and says nothing is told apart from a hub
    that ends the handshake.  This one waits for libzmq's own time-out.  */
static void
test_silent_listener (void **state)
{
    (void) state;
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    socklen_t length = sizeof addr;
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (bind (fd, (struct sockaddr *) &addr, length), 0);
    assert_int_equal (listen (fd, 5), 0);
    assert_int_equal (getsockname (fd, (struct sockaddr *) &addr, &length), 0);
    char endpoint[64];
    snprintf (endpoint, sizeof endpoint, "tcp://127.0.0.1:%d",
              ntohs (addr.sin_port));
    sp_client_t *client = s_client (&(sp_hub_t){ endpoint, s_public, NULL }, 1);
    s_wait_down (client, SH_E_DISCONNECTED,
                 "accepts the connection and is silent; is it a Scanhub hub?");
    sp_client_destroy (&client);
    close (fd);
}

static void
test_key_refused (void **state)
{
    (void) state;
    hub_t hub = { 0 };
    atomic_store (&hub.refuse, true);
    s_hub_start (&hub);
    sp_client_t *client = s_client_of (&hub);
    sp_event_t event = s_wait_down (client, SH_E_KEY_REFUSED, hub.endpoint);
    char fingerprint[SH_FINGERPRINT_TEXT];
    sh_key_fingerprint (fingerprint, s_public);
    assert_non_null (strstr (event.text, fingerprint));
    assert_non_null (strstr (event.text, "scanhubctl scanner approve "));
    /* whole, even behind a long name of the hub */
    assert_non_null (strstr (event.text,
                             " NAME --code CODE; if it is registered, the hub has put it off "
                             "for a while, see its log"));
    assert_true (strlen (event.text) - strlen (hub.endpoint) + 60
                 < sizeof event.text);
    /* the delay grows to a minute, since somebody has to act */
    for (int i = 0; i < 7; i++)
        event = s_wait_down (client, SH_E_KEY_REFUSED, "");
    assert_in_range (event.delay, 30000, 60000);
    atomic_store (&hub.refuse, false);
    s_wait_up (client);
    sp_client_destroy (&client);
    s_hub_stop (&hub);
}

static void
test_wrong_hub_key (void **state)
{
    (void) state;
    hub_t hub = { 0 };
    s_hub_start (&hub);
    char other[41], secret[41];
    assert_int_equal (zmq_curve_keypair (other, secret), 0);
    sp_client_t *client
        = s_client (&(sp_hub_t){ hub.endpoint, other, NULL }, 1);
    s_wait_down (client, SH_E_DISCONNECTED, "in the handshake");
    s_wait_down (client, SH_E_DISCONNECTED, "in the handshake");
    s_wait_down (client, SH_E_HUB_KEY, "the hub key in our configuration");
    s_wait_down (client, SH_E_HUB_KEY, hub.endpoint);
    assert_int_equal (atomic_load (&hub.hellos), 0);
    sp_client_destroy (&client);
    s_hub_stop (&hub);
}

static void
test_doubt (void **state)
{
    (void) state;
    assert_string_not_equal (sp_hub_doubt ("tcp://hub.example:5766"), "");
    assert_string_not_equal (sp_hub_doubt ("tcp://1st:5766"), "");
    assert_string_equal (sp_hub_doubt ("tcp://192.0.2.1:5766"), "");
    assert_string_equal (sp_hub_doubt ("tcp://[2001:db8::1]:5766"), "");
}

static void
test_nobody_listens (void **state)
{
    (void) state;
    char endpoint[64];
    s_free_endpoint (endpoint, sizeof endpoint);
    sp_client_t *client = s_client (&(sp_hub_t){ endpoint, s_public, NULL }, 1);
    sp_event_t event = { 0 };
    for (int i = 0; i < 7; i++) {
        event = s_wait_down (client, SH_E_DISCONNECTED, "no hub answers at");
        assert_non_null (strstr (event.text, endpoint));
        assert_null (strstr (event.text, "that name"));
        assert_in_range (event.delay, 200, 5000);
    }
    assert_in_range (event.delay, 2500, 5000);
    sp_client_destroy (&client);
}

static void
test_name_does_not_resolve (void **state)
{
    (void) state;
    /* not a name at all, so that no name server is asked */
    sp_client_t *client
        = s_client (&(sp_hub_t){ (char[]){ "tcp://a..b:5766" }, s_public,
                                 NULL },
                    1);
    sp_event_t event;
    assert_int_equal (sp_client_wait (client, NULL, 200, &event), SH_OK);
    assert_int_equal (event.kind, SP_EVENT_NOTHING);
    atomic_fetch_add (&s_ahead, 60000);
    s_wait_down (client, SH_E_TIMEOUT, "cannot be resolved");
    sp_client_destroy (&client);
}

static void
test_hub_dies_and_comes_back (void **state)
{
    (void) state;
    hub_t hub = { 0 };
    s_hub_start (&hub);
    sp_client_t *client = s_client_of (&hub);
    s_wait_up (client);
    s_hub_stop (&hub);
    s_wait_down (client, SH_E_DISCONNECTED, "was lost");
    sp_message_t message = { .type = SP_ASSIGNMENTS };
    assert_int_equal (sp_client_send (client, &message), SH_E_DISCONNECTED);
    s_wait_down (client, SH_E_DISCONNECTED, "no hub answers");

    s_hub_start (&hub); /* counts from 0 again */
    s_wait_up (client);
    assert_int_equal (atomic_load (&hub.hellos), 1);
    assert_int_equal (sp_client_send (client, &message), SH_OK);
    sp_client_destroy (&client);
    s_hub_stop (&hub);
}

static void
test_hub_ends_the_session (void **state)
{
    (void) state;
    hub_t hub = { 0 };
    s_hub_start (&hub);
    sp_client_t *client = s_client_of (&hub);
    s_wait_up (client);
    atomic_store (&hub.say, "superseded");
    s_wait_down (client, SH_E_SUPERSEDED, "another connection");
    s_wait_up (client);
    atomic_store (&hub.say, "revoked");
    sp_event_t event = s_wait_down (client, SH_E_KEY_UNKNOWN,
                                     "scanhubctl scanner approve ");
    assert_in_range (event.delay, 1600, 60000);
    s_wait_up (client);
    atomic_store (&hub.say, "no-hello");
    s_wait_down (client, SH_E_NO_HELLO, "no-hello");
    s_wait_up (client);
    assert_int_equal (atomic_load (&hub.hellos), 4);
    /* others are for the caller */
    atomic_store (&hub.say, "not-ready");
    event = s_wait (client, SP_EVENT_MESSAGE);
    assert_string_equal (event.message->u.error.cause, "not-ready");
    assert_true (sp_client_is_up (client));
    sp_message_destroy (&event.message);
    sp_client_destroy (&client);
    s_hub_stop (&hub);
}

static void
test_second_hub (void **state)
{
    (void) state;
    hub_t hub = { 0 };
    s_hub_start (&hub);
    char endpoint[64];
    s_free_endpoint (endpoint, sizeof endpoint);
    sp_hub_t hubs[] = { { endpoint, s_public, NULL },
                        { hub.endpoint, hub.public_key, NULL } };
    sp_client_t *client = s_client (hubs, 2);
    assert_string_equal (sp_client_endpoint (client), endpoint);
    s_wait_down (client, SH_E_DISCONNECTED, endpoint);
    s_wait_up (client);
    assert_string_equal (sp_client_endpoint (client), hub.endpoint);
    /* and back again: the session counts as a failure, being so short */
    s_hub_stop (&hub);
    for (int i = 0; i < 3; i++) {
        assert_string_equal (sp_client_endpoint (client), hub.endpoint);
        s_wait_down (client, SH_E_DISCONNECTED, hub.endpoint);
    }
    assert_string_equal (sp_client_endpoint (client), endpoint);
    sp_client_destroy (&client);
}

/*  Nothing happens, for some rounds.  */
static void
s_wait_quiet (sp_client_t *client, int rounds)
{
    sp_event_t event;
    for (int i = 0; i < rounds; i++) {
        assert_int_equal (sp_client_wait (client, NULL, 20, &event), SH_OK);
        if (event.kind != SP_EVENT_NOTHING)
            fail_msg ("event %d: %s", event.kind, event.text);
    }
    assert_true (sp_client_is_up (client));
}

static void
s_wait_return (sp_client_t *client, const hub_t *hub)
{
    sp_event_t event = s_wait (client, SP_EVENT_DOWN);
    if (event.err != SH_E_DISCONNECTED || event.delay != 0
        || !strstr (event.text, "going back to the preferred hub")
        || !strstr (event.text, hub->endpoint))
        fail_msg ("%s, %d ms: %s", sh_err_word (event.err), event.delay,
                  event.text);
    assert_false (sp_client_is_up (client));
    s_wait_up (client);
    assert_string_equal (sp_client_endpoint (client), hub->endpoint);
}

/*  A client of two hubs that found the first one not there.  */
static sp_client_t *
s_client_at_second (hub_t *first, hub_t *second)
{
    s_hub_start (first);
    s_hub_stop (first);
    s_hub_start (second);
    sp_hub_t hubs[] = { { first->endpoint, first->public_key, NULL },
                        { second->endpoint, second->public_key, NULL } };
    sp_client_t *client = s_client (hubs, 2);
    s_wait_down (client, SH_E_DISCONNECTED, first->endpoint);
    s_wait_up (client);
    assert_string_equal (sp_client_endpoint (client), second->endpoint);
    return client;
}

static void
test_comes_back (void **state)
{
    (void) state;
    hub_t first = { 0 }, second = { 0 };
    sp_client_t *client = s_client_at_second (&first, &second);
    s_wait_quiet (client, 2);
    /* a look in vain disturbs nothing */
    atomic_fetch_add (&s_ahead, RETURN_LONGEST);
    s_wait_quiet (client, 5);
    s_hub_start (&first);
    /* the next one is later */
    atomic_fetch_add (&s_ahead, RETURN_LONGEST);
    s_wait_quiet (client, 5);
    atomic_fetch_add (&s_ahead, RETURN_LONGEST);
    s_wait_return (client, &first);
    assert_int_equal (atomic_load (&first.hellos), 1);
    assert_int_equal (atomic_load (&second.hellos), 1);
    s_wait_quiet (client, 5); /* and stays */

    /* lost again, it moves on as it did the first time */
    s_hub_stop (&first);
    for (int i = 0; i < 3; i++)
        s_wait_down (client, SH_E_DISCONNECTED, first.endpoint);
    s_wait_up (client);
    assert_string_equal (sp_client_endpoint (client), second.endpoint);
    sp_client_destroy (&client);
    s_hub_stop (&second);
}

/*  The default, put forward beat by beat as the session needs it.  */
static void
test_comes_back_after_five_minutes (void **state)
{
    (void) state;
    hub_t first = { 0 }, second = { 0 };
    s_hub_start (&first);
    s_hub_stop (&first);
    s_hub_start (&second);
    sp_hub_t hubs[] = { { first.endpoint, first.public_key, NULL },
                        { second.endpoint, second.public_key, NULL } };
    sp_client_options_t options = { .hubs = hubs,
                                    .hub_count = 2,
                                    .public_key = s_public,
                                    .secret_key = s_secret,
                                    .version = "test-scanner 1",
                                    .clock = &s_clock };
    sp_client_t *client = NULL;
    assert_int_equal (sp_client_new (&client, &options, NULL), SH_OK);
    s_wait_down (client, SH_E_DISCONNECTED, first.endpoint);
    s_wait_up (client);
    s_hub_start (&first);
    sp_event_t event = { 0 };
    int steps = 0;
    for (; steps < 20 && event.kind == SP_EVENT_NOTHING; steps++) {
        atomic_fetch_add (&s_ahead, SP_BEAT_MS);
        for (int i = 0; i < 5 && event.kind == SP_EVENT_NOTHING; i++)
            assert_int_equal (sp_client_wait (client, NULL, 20, &event), SH_OK);
    }
    assert_int_equal (event.kind, SP_EVENT_DOWN);
    assert_int_equal (event.delay, 0);
    assert_in_range (steps, 10, 13); /* 300 to 375 s */
    s_wait_up (client);
    sp_client_destroy (&client);
    s_hub_stop (&first);
    s_hub_stop (&second);
}

/*  Only a handshake counts: neither TCP nor a refusal ends the session.  */
static void
test_what_does_not_bring_it_back (void **state)
{
    (void) state;
    hub_t first = { 0 }, second = { 0 };
    sp_client_t *client = s_client_at_second (&first, &second);
    atomic_store (&first.refuse, true);
    s_hub_start (&first);
    atomic_fetch_add (&s_ahead, RETURN_LONGEST);
    s_wait_quiet (client, 20);
    assert_true (atomic_load (&first.knocks) > 0);
    s_hub_stop (&first);
    /* somebody else listens there now and says nothing */
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    unsigned port = 0;
    assert_int_equal (sscanf (first.endpoint, "tcp://127.0.0.1:%u", &port), 1);
    addr.sin_port = htons ((uint16_t) port);
    int fd = socket (AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal (bind (fd, (struct sockaddr *) &addr, sizeof addr), 0);
    assert_int_equal (listen (fd, 5), 0);
    atomic_fetch_add (&s_ahead, 2 * RETURN_LONGEST);
    s_wait_quiet (client, 10);
    sp_message_t message = { .type = SP_ASSIGNMENTS };
    assert_int_equal (sp_client_send (client, &message), SH_OK);
    atomic_fetch_add (&s_ahead, 11000); /* over the time for an attempt */
    s_wait_quiet (client, 5);
    close (fd);

    atomic_store (&first.refuse, false);
    s_hub_start (&first);
    atomic_fetch_add (&s_ahead, 4 * RETURN_LONGEST);
    s_wait_return (client, &first);
    sp_client_destroy (&client);
    s_hub_stop (&first);
    s_hub_stop (&second);
}

/*  The session ends in the middle of a look.  */
static void
test_lost_while_looking (void **state)
{
    (void) state;
    hub_t first = { 0 }, second = { 0 };
    sp_client_t *client = s_client_at_second (&first, &second);
    atomic_fetch_add (&s_ahead, RETURN_LONGEST);
    s_hub_stop (&second);
    s_wait_down (client, SH_E_DISCONNECTED, "was lost");
    s_hub_start (&first);
    for (int i = 0; i < 2; i++)
        s_wait_down (client, SH_E_DISCONNECTED, second.endpoint);
    s_wait_up (client);
    assert_string_equal (sp_client_endpoint (client), first.endpoint);
    sp_client_destroy (&client);
    s_hub_stop (&first);
}

static void
test_hub_is_of_no_use (void **state)
{
    (void) state;
    hub_t first = { 0 }, second = { 0 };
    s_hub_start (&first);
    s_hub_start (&second);
    sp_hub_t hubs[] = { { first.endpoint, first.public_key, NULL },
                        { second.endpoint, second.public_key, NULL } };
    sp_client_t *client = s_client (hubs, 2);
    s_wait_up (client);
    atomic_store (&first.put_off, "database-busy");
    sp_event_t event = s_wait (client, SP_EVENT_MESSAGE);
    assert_string_equal (event.message->u.verdict.cause, "database-busy");
    sp_message_destroy (&event.message);
    atomic_store (&first.put_off, "stopping");
    s_wait_down (client, SH_E_STOPPING, "the hub is shutting down");
    s_wait_up (client);
    assert_string_equal (sp_client_endpoint (client), second.endpoint);
    atomic_store (&second.say, "stopping");
    s_wait_down (client, SH_E_STOPPING, second.endpoint);
    s_wait_up (client);
    assert_string_equal (sp_client_endpoint (client), first.endpoint);
    sp_client_destroy (&client);

    /* a hub that loses its database is left after a minute */
    client = s_client (hubs, 2);
    s_wait_up (client);
    for (int i = 0; i < 2; i++) {
        atomic_store (&first.put_off, "database-unavailable");
        event = s_wait (client, SP_EVENT_MESSAGE);
        sp_message_destroy (&event.message);
        atomic_fetch_add (&s_ahead, 30000);
    }
    atomic_store (&first.put_off, "database-unavailable");
    s_wait_down (client, SH_E_DB_DOWN, "leaving tcp://");
    s_wait_up (client);
    assert_string_equal (sp_client_endpoint (client), second.endpoint);
    sp_client_destroy (&client);

    /* with one hub there is nowhere to go: the caller waits and resends */
    client = s_client_of (&first);
    s_wait_up (client);
    atomic_store (&first.put_off, "stopping");
    event = s_wait (client, SP_EVENT_MESSAGE);
    sp_message_destroy (&event.message);
    sp_client_destroy (&client);
    s_hub_stop (&first);
    s_hub_stop (&second);
}

static void
test_no_welcome (void **state)
{
    (void) state;
    hub_t hub = { 0 };
    atomic_store (&hub.mute, true);
    s_hub_start (&hub);
    sp_client_t *client = s_client_of (&hub);
    sp_event_t event;
    for (int i = 0; i < 40 && atomic_load (&hub.hellos) == 0; i++) {
        assert_int_equal (sp_client_wait (client, NULL, 50, &event), SH_OK);
        assert_int_equal (event.kind, SP_EVENT_NOTHING);
    }
    assert_int_equal (atomic_load (&hub.hellos), 1);
    atomic_fetch_add (&s_ahead, 10000);
    s_wait_down (client, SH_E_TIMEOUT, "no welcome");
    sp_client_destroy (&client);
    s_hub_stop (&hub);
}

static void
s_wait_beats (sp_client_t *client, hub_t *hub, int beats)
{
    sp_event_t event;
    for (int i = 0; i < 80 && atomic_load (&hub->beats) < beats; i++) {
        assert_int_equal (sp_client_wait (client, NULL, 20, &event), SH_OK);
        assert_int_equal (event.kind, SP_EVENT_NOTHING);
    }
    assert_int_equal (atomic_load (&hub->beats), beats);
    /* and hear the answer */
    assert_int_equal (sp_client_wait (client, NULL, 50, &event), SH_OK);
    assert_int_equal (event.kind, SP_EVENT_NOTHING);
}

static void
test_beats_and_silence (void **state)
{
    (void) state;
    hub_t hub = { 0 };
    s_hub_start (&hub);
    sp_client_t *client = s_client_of (&hub);
    s_wait_up (client);
    sp_client_set_load (client, 42, 1);
    /* beats that are answered keep the session alive beyond 90 s */
    for (int i = 1; i <= 4; i++) {
        atomic_fetch_add (&s_ahead, SP_BEAT_MS);
        s_wait_beats (client, &hub, i);
    }
    assert_int_equal (atomic_load (&hub.spool), 42);
    atomic_store (&hub.deaf, true);
    atomic_fetch_add (&s_ahead, SP_SILENCE_MS - 2000);
    sp_event_t event;
    assert_int_equal (sp_client_wait (client, NULL, 50, &event), SH_OK);
    assert_int_equal (event.kind, SP_EVENT_NOTHING);
    atomic_fetch_add (&s_ahead, 2000);
    s_wait_down (client, SH_E_TIMEOUT, "silent");
    sp_client_destroy (&client);
    s_hub_stop (&hub);
}

static void
test_other_is_watched (void **state)
{
    (void) state;
    hub_t hub = { 0 };
    s_hub_start (&hub);
    sp_client_t *client = s_client_of (&hub);
    s_wait_up (client);
    int fds[2];
    assert_int_equal (pipe (fds), 0);
    sp_event_t event;
    assert_int_equal (sp_client_wait (client, &fds[0], 20, &event), SH_OK);
    assert_int_equal (event.kind, SP_EVENT_NOTHING);
    assert_int_equal (write (fds[1], "x", 1), 1);
    assert_int_equal (sp_client_wait (client, &fds[0], PATIENCE_MS, &event),
                      SH_OK);
    assert_int_equal (event.kind, SP_EVENT_OTHER);
    close (fds[0]);
    close (fds[1]);

    zsock_t *back = NULL, *front = zsys_create_pipe (&back);
    zstr_send (back, "hello");
    assert_int_equal (sp_client_wait (client, front, PATIENCE_MS, &event),
                      SH_OK);
    assert_int_equal (event.kind, SP_EVENT_OTHER);
    zsock_destroy (&front);
    zsock_destroy (&back);
    sp_client_destroy (&client);
    s_hub_stop (&hub);
}

/*  A socket that is always readable must not keep the session from living,
    nor the session it.  */
static void
test_other_does_not_starve_us (void **state)
{
    (void) state;
    hub_t hub = { 0 };
    s_hub_start (&hub);
    sp_client_t *client = s_client_of (&hub);
    int fds[2], others = 0;
    assert_int_equal (pipe (fds), 0);
    assert_int_equal (write (fds[1], "x", 1), 1);
    sp_event_t event = { 0 };
    for (int i = 0; i < 200000 && event.kind != SP_EVENT_UP; i++) {
        assert_int_equal (sp_client_wait (client, &fds[0], 100, &event), SH_OK);
        others += event.kind == SP_EVENT_OTHER ? 1 : 0;
    }
    assert_int_equal (event.kind, SP_EVENT_UP);
    sp_message_destroy (&event.message);
    assert_true (others > 0);
    close (fds[0]);
    close (fds[1]);
    sp_client_destroy (&client);
    s_hub_stop (&hub);
}

static void
s_on_alarm (int number)
{
    (void) number;
}

static void
test_interrupted (void **state)
{
    (void) state;
    char endpoint[64];
    s_free_endpoint (endpoint, sizeof endpoint);
    sp_client_t *client = s_client (&(sp_hub_t){ endpoint, s_public, NULL }, 1);
    sp_event_t event;
    assert_int_equal (sp_client_wait (client, NULL, PATIENCE_MS, &event),
                      SH_OK);
    assert_int_equal (event.kind, SP_EVENT_DOWN);

    struct sigaction act = { .sa_handler = s_on_alarm }, old;
    sigaction (SIGALRM, &act, &old);
    struct itimerval timer = { .it_value = { 0, 50000 } };
    setitimer (ITIMER_REAL, &timer, NULL);
    int fds[2];
    assert_int_equal (pipe (fds), 0);
    atomic_fetch_add (&s_ahead, -100000); /* no attempt for a while */
    assert_int_equal (sp_client_wait (client, &fds[0], -1, &event),
                      SH_E_INTERRUPTED);
    atomic_fetch_add (&s_ahead, 100000);
    sigaction (SIGALRM, &old, NULL);
    close (fds[0]);
    close (fds[1]);

    zsys_interrupted = 1;
    assert_int_equal (sp_client_wait (client, NULL, 10, &event),
                      SH_E_INTERRUPTED);
    zsys_interrupted = 0;
    sp_client_destroy (&client);
}

static void
test_options (void **state)
{
    (void) state;
    static const char *const endpoints[]
        = { "", "tcp://", "tcp://:5766", "tcp://host", "tcp://host:",
            "tcp://host:0", "tcp://host:65536", "tcp://host:57x",
            "tcp://ho st:5766", "tcp://ho\x1bst:5766", "udp://host:5766",
            "host:5766", NULL };
    char bad_key[41];
    memset (bad_key, '"', 40);
    bad_key[40] = '\0';
    sp_hub_t hub = { (char[]){ "tcp://[::1]:5766" }, s_public, NULL };
    sp_client_options_t options = { .hubs = &hub,
                                    .hub_count = 1,
                                    .public_key = s_public,
                                    .secret_key = s_secret,
                                    .version = "x",
                                    .clock = &s_clock };
    sp_client_t *client = NULL;
    sh_why_t why;
    assert_int_equal (sp_client_new (&client, &options, &why), SH_OK);
    sp_client_destroy (&client);
    sp_client_destroy (&client);

    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        char *endpoint = endpoints[i] ? strdup (endpoints[i]) : NULL;
        hub.endpoint = endpoint;
        assert_int_equal (sp_client_new (&client, &options, &why), SH_E_SYNTAX);
        assert_null (strchr (why.text, '\x1b'));
        free (endpoint);
    }
    hub.endpoint = (char[]){ "tcp://127.0.0.1:5766" };
    hub.public_key = bad_key;
    assert_int_equal (sp_client_new (&client, &options, &why), SH_E_SYNTAX);
    assert_non_null (strstr (why.text, "hub tcp://127.0.0.1:5766"));
    hub.public_key = s_public;
    options.public_key = s_secret; /* not the secret's public half */
    assert_int_equal (sp_client_new (&client, &options, &why), SH_E_SYNTAX);
    assert_null (strstr (why.text, s_secret));
    options.public_key = s_public;
    options.secret_key = bad_key;
    assert_int_equal (sp_client_new (&client, &options, &why), SH_E_SYNTAX);
    assert_null (client);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_up),
        cmocka_unit_test (test_small_offset_is_none),
        cmocka_unit_test (test_clock_set_in_session),
        cmocka_unit_test (test_senseless_times),
        cmocka_unit_test (test_silent_listener),
        cmocka_unit_test (test_key_refused),
        cmocka_unit_test (test_wrong_hub_key),
        cmocka_unit_test (test_doubt),
        cmocka_unit_test (test_nobody_listens),
        cmocka_unit_test (test_name_does_not_resolve),
        cmocka_unit_test (test_hub_dies_and_comes_back),
        cmocka_unit_test (test_hub_ends_the_session),
        cmocka_unit_test (test_second_hub),
        cmocka_unit_test (test_comes_back),
        cmocka_unit_test (test_comes_back_after_five_minutes),
        cmocka_unit_test (test_what_does_not_bring_it_back),
        cmocka_unit_test (test_lost_while_looking),
        cmocka_unit_test (test_hub_is_of_no_use),
        cmocka_unit_test (test_no_welcome),
        cmocka_unit_test (test_beats_and_silence),
        cmocka_unit_test (test_other_is_watched),
        cmocka_unit_test (test_other_does_not_starve_us),
        cmocka_unit_test (test_interrupted),
        cmocka_unit_test (test_options),
    };
    return cmocka_run_group_tests (tests, s_setup, NULL);
}
