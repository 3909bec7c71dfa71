/* SPDX-License-Identifier: MPL-2.0 */
/*  The fail-open matrix, with real CURVE sockets on loopback: who gets in and
    who does not.  */

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <czmq.h>

#include "hub/zap.h"
#include "lib/clock.h"
#include "scanner-proto/limits.h"

#define IN_MS 3000 /* for what must come */
#define OUT_MS 400 /* for what must not come: ten times what it takes */
#define CODE "CodeOfTheScannerInThisTest_-=012"

typedef struct
{
    char dir[64];
    sh_keyfile_t *hub, *scanner;
    hub_registry_t *registry;
    hub_knocks_t *pending, *admitted;
    hub_putoff_t *putoff;
    zactor_t *zap;
    zsock_t *server;
} world_t;

/*  Put NAME.cert into the registry, whole at once.  */
static void
put (const world_t *self, const char *name, const char *public_key)
{
    char path[128];
    sh_keyfile_t *entry = NULL;
    snprintf (path, sizeof path, "%s/%s.cert", self->dir, name);
    assert_int_equal (sh_keyfile_from_public (&entry, public_key), SH_OK);
    assert_int_equal (sh_keyfile_add (entry, "code", CODE), SH_OK);
    assert_int_equal (sh_keyfile_save (entry, path, false, NULL), SH_OK);
    sh_keyfile_destroy (&entry);
}

static void
drop (const world_t *self, const char *name)
{
    char path[128];
    snprintf (path, sizeof path, "%s/%s.cert", self->dir, name);
    assert_int_equal (unlink (path), 0);
}

static zactor_t *
start_zap (world_t *self)
{
    hub_zap_args_t args = { .registry = self->registry,
                            .pending = self->pending,
                            .admitted = self->admitted,
                            .putoff = self->putoff };
    zactor_t *zap = zactor_new (hub_zap_actor, &args);
    /*  libzmq's own thread gives the last handler's endpoint back, and may be
        late on a machine with much to do.  */
    for (int i = 0; i < 500 && zap && args.failed; i++) {
        zactor_destroy (&zap);
        zclock_sleep (10);
        args.failed = false;
        zap = zactor_new (hub_zap_actor, &args);
    }
    assert_non_null (zap);
    assert_false (args.failed);
    return zap;
}

/*  A protected ROUTER on a free port.  */
static zsock_t *
start_server (const world_t *self)
{
    sh_why_t why = { "" };
    zsock_t *server = zsock_new (ZMQ_ROUTER);
    assert_non_null (server);
    assert_int_equal (
        hub_zap_protect (server, self->hub->secret_key, &why), SH_OK);
    assert_true (zsock_bind (server, "tcp://127.0.0.1:*") > 0);
    return server;
}

static int
setup (void **state)
{
    world_t *self = calloc (1, sizeof *self);
    snprintf (self->dir, sizeof self->dir, "/tmp/test_zap.XXXXXX");
    if (!mkdtemp (self->dir)
        || sh_keyfile_generate (&self->hub) != SH_OK
        || sh_keyfile_generate (&self->scanner) != SH_OK)
        return -1;
    put (self, "site-a", self->scanner->public_key);
    if (hub_registry_new (&self->registry, self->dir, NULL) != SH_OK
        || hub_knocks_new (&self->pending, 8, 8) != SH_OK
        || hub_knocks_new (&self->admitted, 8, 8) != SH_OK
        || hub_putoff_new (&self->putoff) != SH_OK)
        return -1;
    self->zap = start_zap (self);
    self->server = start_server (self);
    *state = self;
    return 0;
}

static int
teardown (void **state)
{
    world_t *self = *state;
    zsock_destroy (&self->server);
    zactor_destroy (&self->zap);
    hub_putoff_destroy (&self->putoff);
    hub_knocks_destroy (&self->admitted);
    hub_knocks_destroy (&self->pending);
    hub_registry_destroy (&self->registry);
    sh_keyfile_destroy (&self->hub);
    sh_keyfile_destroy (&self->scanner);
    zdir_t *dir = zdir_new (self->dir, NULL);
    zdir_remove (dir, true);
    zdir_destroy (&dir);
    free (self);
    return 0;
}

static void
set_key (zsock_t *socket, int option, const char *key)
{
    assert_int_equal (zmq_setsockopt (zsock_resolve (socket), option, key,
                                      strlen (key) + 1),
                      0);
}

/*  A DEALER that speaks CURVE with the given key and has said one word.  */
static zsock_t *
knock (zsock_t *server, const char *hub_key, const sh_keyfile_t *key)
{
    zsock_t *client = zsock_new (ZMQ_DEALER);
    zsock_set_linger (client, 0);
    set_key (client, ZMQ_CURVE_SERVERKEY, hub_key);
    set_key (client, ZMQ_CURVE_PUBLICKEY, key->public_key);
    set_key (client, ZMQ_CURVE_SECRETKEY, key->secret_key);
    assert_int_equal (zsock_connect (client, "%s", zsock_endpoint (server)),
                      0);
    assert_int_equal (zstr_send (client, "word"), 0);
    return client;
}

/*  The User-Id of the next message that gets in within 'ms'; "" if none does,
    "?" if one without User-Id does.  */
static const char *
who_gets_in (zsock_t *server, int ms)
{
    static char user[256];
    zmq_msg_t message;
    bool more = true;
    snprintf (user, sizeof user, "%s", "");
    zsock_set_rcvtimeo (server, ms);
    while (more) {
        zmq_msg_init (&message);
        if (zmq_msg_recv (&message, zsock_resolve (server), 0) < 0)
            break;
        const char *id = zmq_msg_gets (&message, "User-Id");
        snprintf (user, sizeof user, "%s", id ? id : "?");
        more = zmq_msg_more (&message);
        zmq_msg_close (&message);
    }
    return user;
}

/*  Wait until the actor knows the key or not.  */
static bool
becomes (const world_t *self, const char *key, bool known)
{
    hub_principal_t who;
    int64_t deadline = sh_clock_mono (sh_clock_system ()) + IN_MS;
    for (;;) {
        bool found = hub_registry_find (self->registry, key, &who);
        if (found)
            hub_principal_clear (&who);
        if (found == known)
            return true;
        if (sh_clock_mono (sh_clock_system ()) > deadline)
            return false;
        zclock_sleep (10);
    }
}

static void
a_known_key_gets_in_under_its_key (void **state)
{
    world_t *self = *state;
    zsock_t *client
        = knock (self->server, self->hub->public_key, self->scanner);
    assert_string_equal (who_gets_in (self->server, IN_MS),
                         self->scanner->public_key);
    zsock_destroy (&client);
}

static void
an_unknown_key_is_refused_with_400 (void **state)
{
    world_t *self = *state;
    sh_keyfile_t *stranger = NULL;
    assert_int_equal (sh_keyfile_generate (&stranger), SH_OK);
    zsock_t *client = zsock_new (ZMQ_DEALER);
    zsock_set_linger (client, 0);
    zsock_t *monitor = zsock_new (ZMQ_PAIR);
    zsock_set_rcvtimeo (monitor, IN_MS);
    assert_int_equal (zmq_socket_monitor (
                          zsock_resolve (client), "inproc://stranger",
                          ZMQ_EVENT_HANDSHAKE_FAILED_AUTH),
                      0);
    assert_int_equal (zsock_connect (monitor, "inproc://stranger"), 0);
    set_key (client, ZMQ_CURVE_SERVERKEY, self->hub->public_key);
    set_key (client, ZMQ_CURVE_PUBLICKEY, stranger->public_key);
    set_key (client, ZMQ_CURVE_SECRETKEY, stranger->secret_key);
    assert_int_equal (
        zsock_connect (client, "%s", zsock_endpoint (self->server)), 0);
    zstr_send (client, "word");

    zframe_t *event = zframe_recv (monitor);
    assert_non_null (event);
    uint32_t value = 0;
    assert_int_equal (zframe_size (event), 6);
    memcpy (&value, zframe_data (event) + 2, sizeof value);
    assert_int_equal (value, 400);
    zframe_destroy (&event);
    assert_string_equal (who_gets_in (self->server, OUT_MS), "");

    zmq_socket_monitor (zsock_resolve (client), NULL, 0);
    zsock_destroy (&monitor);
    zsock_destroy (&client);
    sh_keyfile_destroy (&stranger);
}

/*  The list has exactly this key, from loopback, by a clock that says 'now'.  */
static void
check_noted (hub_knocks_t *list, const char *key, int64_t now)
{
    hub_knock_t found[8];
    assert_int_equal (hub_knocks_list (list, found, 8), 1);
    assert_string_equal (found[0].key, key);
    assert_non_null (strstr (found[0].address, "127.0.0.1"));
    assert_true (found[0].count >= 1);
    assert_true (found[0].first > 0 && found[0].last >= found[0].first);
    assert_true (found[0].last <= now && found[0].last > now - 60000);
}

/*  Unknown keys are pending; known ones are admitted; one that two files claim
    is neither, for it is no question of letting it in.  */
static void
who_knocks_is_noted (void **state)
{
    world_t *self = *state;
    sh_keyfile_t *stranger = NULL;
    hub_knock_t none[8];
    assert_int_equal (sh_keyfile_generate (&stranger), SH_OK);
    zsock_t *first = knock (self->server, self->hub->public_key, stranger);
    zsock_t *second
        = knock (self->server, self->hub->public_key, self->scanner);
    assert_string_equal (who_gets_in (self->server, IN_MS),
                         self->scanner->public_key);
    assert_string_equal (who_gets_in (self->server, OUT_MS), "");
    check_noted (self->pending, stranger->public_key,
                 sh_clock_wall (sh_clock_system ()));
    check_noted (self->admitted, self->scanner->public_key,
                 sh_clock_mono (sh_clock_system ()));

    hub_knocks_forget (self->pending, stranger->public_key);
    put (self, "one", stranger->public_key);
    put (self, "two", stranger->public_key);
    assert_int_equal (hub_registry_reload (self->registry, NULL), SH_OK);
    zsock_t *third = knock (self->server, self->hub->public_key, stranger);
    assert_string_equal (who_gets_in (self->server, OUT_MS), "");
    assert_int_equal (hub_knocks_list (self->pending, none, 8), 0);
    zsock_destroy (&first);
    zsock_destroy (&second);
    zsock_destroy (&third);
    sh_keyfile_destroy (&stranger);
}

static void
a_key_that_is_put_off_does_not_get_in (void **state)
{
    world_t *self = *state;
    hub_knock_t none[8];
    hub_putoff_key (self->putoff, self->scanner->public_key,
                    sh_clock_mono (sh_clock_system ()));
    zsock_t *client
        = knock (self->server, self->hub->public_key, self->scanner);
    assert_string_equal (who_gets_in (self->server, OUT_MS), "");
    assert_int_equal (hub_knocks_list (self->pending, none, 8), 0);
    assert_int_equal (hub_knocks_list (self->admitted, none, 8), 0);
    zsock_destroy (&client);
}

static void
without_the_actor_nobody_gets_in (void **state)
{
    world_t *self = *state;
    zactor_destroy (&self->zap);
    zsock_t *client
        = knock (self->server, self->hub->public_key, self->scanner);
    assert_string_equal (who_gets_in (self->server, OUT_MS), "");
    zsock_destroy (&client);
}

/*  A CURVE server as one would make it who forgot hub_zap_protect.  */
static zsock_t *
careless_server (const world_t *self, const char *domain)
{
    zsock_t *server = zsock_new (ZMQ_ROUTER);
    zsock_set_curve_server (server, 1);
    set_key (server, ZMQ_CURVE_SECRETKEY, self->hub->secret_key);
    if (domain)
        zsock_set_zap_domain (server, domain);
    assert_true (zsock_bind (server, "tcp://127.0.0.1:*") > 0);
    return server;
}

static void
another_domain_or_none_lets_nobody_in (void **state)
{
    world_t *self = *state;
    static const char *const domains[] = { NULL, "global", "scanhubb" };
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++) {
        zsock_t *server = careless_server (self, domains[i]);
        zsock_t *client
            = knock (server, self->hub->public_key, self->scanner);
        assert_string_equal (who_gets_in (server, OUT_MS), "");
        zsock_destroy (&client);
        zsock_destroy (&server);
    }
    /*  That it was the domain: with ours the same socket lets it in.  */
    zsock_t *server = careless_server (self, SP_ZAP_DOMAIN);
    zsock_t *client = knock (server, self->hub->public_key, self->scanner);
    assert_string_equal (who_gets_in (server, IN_MS),
                         self->scanner->public_key);
    zsock_destroy (&client);
    zsock_destroy (&server);
}

static void
a_peer_without_curve_does_not_get_in (void **state)
{
    world_t *self = *state;
    zsock_t *client = zsock_new (ZMQ_DEALER);
    zsock_set_linger (client, 0);
    assert_int_equal (
        zsock_connect (client, "%s", zsock_endpoint (self->server)), 0);
    zstr_send (client, "word");
    assert_string_equal (who_gets_in (self->server, OUT_MS), "");
    zsock_destroy (&client);
}

static void
bytes_that_are_no_handshake_do_no_harm (void **state)
{
    world_t *self = *state;
    unsigned port = 0;
    assert_int_equal (sscanf (zsock_endpoint (self->server),
                              "tcp://127.0.0.1:%u", &port),
                      1);
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons ((uint16_t) port),
                              .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    char *junk = malloc (1 << 20);
    memset (junk, 0xff, 1 << 20);
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (connect (fd, (struct sockaddr *) &to, sizeof to), 0);
    (void) send (fd, junk, 1 << 20, MSG_NOSIGNAL | MSG_DONTWAIT);
    free (junk);
    zsock_t *client
        = knock (self->server, self->hub->public_key, self->scanner);
    assert_string_equal (who_gets_in (self->server, IN_MS),
                         self->scanner->public_key);
    zsock_destroy (&client);
    close (fd);
}

static void
a_removed_key_stays_connected_but_is_not_found (void **state)
{
    world_t *self = *state;
    const char *key = self->scanner->public_key;
    zsock_t *client
        = knock (self->server, self->hub->public_key, self->scanner);
    assert_string_equal (who_gets_in (self->server, IN_MS), key);
    assert_true (hub_registry_allows (self->registry, key, CODE));
    drop (self, "site-a");
    assert_true (becomes (self, key, false));

    zstr_send (client, "once more");
    assert_string_equal (who_gets_in (self->server, IN_MS), key);
    assert_false (hub_registry_allows (self->registry, key, CODE));
    zsock_destroy (&client);
    client = knock (self->server, self->hub->public_key, self->scanner);
    assert_string_equal (who_gets_in (self->server, OUT_MS), "");
    zsock_destroy (&client);
}

static void
a_new_key_is_in_force_when_its_file_is (void **state)
{
    world_t *self = *state;
    sh_keyfile_t *fresh = NULL;
    assert_int_equal (sh_keyfile_generate (&fresh), SH_OK);
    put (self, "site-b", fresh->public_key);
    int64_t began = sh_clock_mono (sh_clock_system ());
    assert_true (becomes (self, fresh->public_key, true));
    assert_true (sh_clock_mono (sh_clock_system ()) - began < 1000);
    zsock_t *client = knock (self->server, self->hub->public_key, fresh);
    assert_string_equal (who_gets_in (self->server, IN_MS),
                         fresh->public_key);
    zsock_destroy (&client);
    sh_keyfile_destroy (&fresh);
}

static void
two_files_with_the_key_let_it_in_no_more (void **state)
{
    world_t *self = *state;
    put (self, "copy", self->scanner->public_key);
    assert_true (becomes (self, self->scanner->public_key, false));
    zsock_t *client
        = knock (self->server, self->hub->public_key, self->scanner);
    assert_string_equal (who_gets_in (self->server, OUT_MS), "");
    zsock_destroy (&client);
}

static void
two_kilobytes_of_metadata_are_no_matter (void **state)
{
    world_t *self = *state;
    char path[128], value[1001];
    sh_keyfile_t *fresh = NULL;
    memset (value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    assert_int_equal (sh_keyfile_generate (&fresh), SH_OK);
    assert_int_equal (sh_keyfile_add (fresh, "code", CODE), SH_OK);
    assert_int_equal (sh_keyfile_add (fresh, "a", value), SH_OK);
    assert_int_equal (sh_keyfile_add (fresh, "b", value), SH_OK);
    assert_int_equal (sh_keyfile_add (fresh, "c", value), SH_OK);
    snprintf (path, sizeof path, "%s/large.cert", self->dir);
    assert_int_equal (sh_keyfile_save (fresh, path, false, NULL), SH_OK);
    assert_true (becomes (self, fresh->public_key, true));
    zsock_t *client = knock (self->server, self->hub->public_key, fresh);
    assert_string_equal (who_gets_in (self->server, IN_MS),
                         fresh->public_key);
    zsock_destroy (&client);
    sh_keyfile_destroy (&fresh);
}

static void
a_second_actor_says_that_it_failed (void **state)
{
    world_t *self = *state;
    hub_zap_args_t args = { .registry = self->registry };
    zactor_t *second = zactor_new (hub_zap_actor, &args);
    assert_true (args.failed);
    zactor_destroy (&second);
    zsock_t *client /* the first one goes on */
        = knock (self->server, self->hub->public_key, self->scanner);
    assert_string_equal (who_gets_in (self->server, IN_MS),
                         self->scanner->public_key);
    zsock_destroy (&client);
}

static void
reload_answers (void **state)
{
    world_t *self = *state;
    zstr_send (self->zap, "RELOAD");
    char *answer = zstr_recv (self->zap);
    assert_string_equal (answer, "");
    zstr_free (&answer);
    assert_int_equal (chmod (self->dir, 0777), 0);
    zstr_send (self->zap, "nonsense");
    zstr_send (self->zap, "RELOAD");
    answer = zstr_recv (self->zap);
    assert_non_null (strstr (answer, "chmod o-w"));
    zstr_free (&answer);
    assert_int_equal (chmod (self->dir, 0755), 0);
}

/*  Ask the actor itself with 'count' of the frames of a good request, one of
    them ('odd', or -1) replaced, and return the status.  */
static void
ask (zsock_t *asker, const uint8_t *key, int count, int odd, const char *text,
     char status[static 4])
{
    static const char *const frames[]
        = { "1.0", "id", SP_ZAP_DOMAIN, "127.0.0.1", "", "CURVE" };
    zmsg_t *request = zmsg_new ();
    for (int i = 0; i < count; i++) {
        if (i == odd)
            zmsg_addstr (request, text);
        else if (i < 6)
            zmsg_addstr (request, frames[i]);
        else
            zmsg_addmem (request, key, 32);
    }
    if (count == 0)
        zmsg_addstr (request, "");
    assert_int_equal (zmsg_send (&request, asker), 0);
    zmsg_t *reply = zmsg_recv (asker);
    assert_non_null (reply);
    assert_int_equal (zmsg_size (reply), 6);
    zframe_t *frame = zmsg_first (reply);
    assert_true (zframe_streq (frame, "1.0"));
    zmsg_next (reply);
    char *got = zframe_strdup (zmsg_next (reply));
    snprintf (status, 4, "%s", got);
    free (got);
    zmsg_destroy (&reply);
}

static void
odd_requests_get_a_400_each (void **state)
{
    world_t *self = *state;
    char status[4];
    uint8_t key[32];
    zmq_z85_decode (key, self->scanner->public_key);
    zsock_t *asker = zsock_new (ZMQ_REQ);
    zsock_set_rcvtimeo (asker, IN_MS);
    assert_int_equal (zsock_connect (asker, "inproc://zeromq.zap.01"), 0);
    for (int count = 0; count <= 20; count++) {
        ask (asker, key, count, -1, NULL, status);
        assert_string_equal (status, count == 7 ? "200" : "400");
    }
    static const struct
    {
        int frame;
        const char *text;
        const char *status;
    } odd[] = {
        { 0, "2.0", "400" },     { 0, "", "400" },
        { 1, "", "200" },        { 2, "", "400" },
        { 2, "Scanhub", "400" }, { 3, "", "200" },
        { 5, "PLAIN", "400" },   { 5, "NULL", "400" },
        { 5, "", "400" },        { 6, "", "400" },
        { 6, "short", "400" },   { 6, "0123456789012345678901234567890123",
                                   "400" },
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        ask (asker, key, 7, odd[i].frame, odd[i].text, status);
        assert_string_equal (status, odd[i].status);
    }
    zsock_destroy (&asker);
}

static void
protection_is_there_and_needs_a_key (void **state)
{
    world_t *self = *state;
    sh_why_t why = { "" };
    zsock_t *socket = zsock_new (ZMQ_ROUTER);
    assert_int_equal (hub_zap_protect (socket, "", &why), SH_E_CONFIG);
    assert_int_equal (hub_zap_protect (socket, "too short", &why),
                      SH_E_CONFIG);
    assert_int_equal (hub_zap_protect (socket, self->hub->secret_key, &why),
                      SH_OK);
    int value = 0;
    size_t size = sizeof value;
    assert_int_equal (zmq_getsockopt (zsock_resolve (socket), 93, &value,
                                      &size),
                      0);
    assert_int_equal (value, 1);
    assert_int_equal (zsock_mechanism (socket), ZMQ_CURVE);
    char *domain = zsock_zap_domain (socket);
    assert_string_equal (domain, SP_ZAP_DOMAIN);
    free (domain);
    zsock_destroy (&socket);
}

#define CASE(f) cmocka_unit_test_setup_teardown (f, setup, teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        CASE (a_known_key_gets_in_under_its_key),
        CASE (an_unknown_key_is_refused_with_400),
        CASE (who_knocks_is_noted),
        CASE (a_key_that_is_put_off_does_not_get_in),
        CASE (without_the_actor_nobody_gets_in),
        CASE (another_domain_or_none_lets_nobody_in),
        CASE (a_peer_without_curve_does_not_get_in),
        CASE (bytes_that_are_no_handshake_do_no_harm),
        CASE (a_removed_key_stays_connected_but_is_not_found),
        CASE (a_new_key_is_in_force_when_its_file_is),
        CASE (two_files_with_the_key_let_it_in_no_more),
        CASE (two_kilobytes_of_metadata_are_no_matter),
        CASE (a_second_actor_says_that_it_failed),
        CASE (reload_answers),
        CASE (odd_requests_get_a_400_each),
        CASE (protection_is_there_and_needs_a_key),
    };
    return cmocka_run_group_tests_name ("zap", tests, NULL, NULL);
}
