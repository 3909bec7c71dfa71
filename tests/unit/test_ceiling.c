/* SPDX-License-Identifier: MPL-2.0 */
/*  When memory is too much, for how long the door is closed, for how long a
    key is put off, and whose connections hold memory.  */

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/ceiling.h"
#include "hub/descriptors.h"
#include "hub/holders.h"
#include "hub/putoff.h"

#define MIB (1024 * 1024)
#define MINUTE 60000

static void
test_reached (void **state)
{
    (void) state;
    hub_ceiling_t ceiling;
    hub_ceiling_init (&ceiling, 100, 1000000);
    assert_int_equal (ceiling.most, 100 * MIB);
    assert_false (hub_ceiling_reached (&ceiling, 0, 0));
    assert_false (hub_ceiling_reached (&ceiling, 100 * MIB, 0));
    assert_true (hub_ceiling_reached (&ceiling, 100 * MIB + 1, 0));
    hub_ceiling_rest (&ceiling, 5000);
    assert_false (hub_ceiling_reached (&ceiling, UINT64_MAX, 5000));
    assert_false (hub_ceiling_reached (&ceiling, UINT64_MAX,
                                       5000 + MINUTE - 1));
    assert_true (hub_ceiling_reached (&ceiling, UINT64_MAX, 5000 + MINUTE));
}

static void
test_default (void **state)
{
    (void) state;
    static const struct { size_t keys; uint64_t mib; } table[] = {
        { 0, 512 }, { 256, 512 }, { 257, 513 }, { 3000, 3256 },
        { 1000000000, UINT32_MAX },
    };
    uint64_t half = (uint64_t) sysconf (_SC_PHYS_PAGES)
                    * (uint64_t) sysconf (_SC_PAGESIZE) / 2 / MIB;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        hub_ceiling_t ceiling;
        uint64_t mib = table[i].mib;
#ifdef __SANITIZE_ADDRESS__
        mib = mib > 2048 ? mib : 2048;
#endif
        hub_ceiling_init (&ceiling, 0, table[i].keys);
        assert_int_equal (ceiling.most / MIB, mib < half ? mib : half);
    }
}

static void
test_pause (void **state)
{
    (void) state;
    hub_ceiling_t ceiling;
    hub_ceiling_init (&ceiling, 100, 0);
    const int64_t pauses[] = { 250, 500, 1000, 2000, 4000, 8000, 8000, 8000 };
    int64_t now = 1000;
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++)
        assert_int_equal (hub_ceiling_pause (&ceiling, now += 9 * MINUTE),
                          pauses[i]);
    assert_int_equal (hub_ceiling_pause (&ceiling, now + 11 * MINUTE), 250);
}

static void
test_memory (void **state)
{
    (void) state;
    const size_t size = 64 * MIB;
    uint64_t before = hub_memory_used ();
    assert_true (before > MIB / 2);
    char *block = malloc (size);
    assert_non_null (block);
    memset (block, 1, size);
    assert_true (hub_memory_used () >= before + size / 2);
    free (block);
    hub_memory_trim ();
}

static int64_t
s_put_off (hub_putoff_t *self, const char *name, int number, int64_t now)
{
    char key[SH_KEY_TEXT];
    snprintf (key, sizeof key, "%s-%d", name, number);
    return hub_putoff_key (self, key, now);
}

static int64_t
s_left (hub_putoff_t *self, const char *name, int number, int64_t now)
{
    char key[SH_KEY_TEXT];
    snprintf (key, sizeof key, "%s-%d", name, number);
    return hub_putoff_left (self, key, now);
}

static void
test_putoff (void **state)
{
    (void) state;
    hub_putoff_t *putoff = NULL;
    assert_int_equal (hub_putoff_new (&putoff), SH_OK);
    assert_int_equal (hub_putoff_left (putoff, "a", 0), 0);
    assert_int_equal (hub_putoff_left (putoff, "", 0), 0);
    assert_int_equal (hub_putoff_key (putoff, "a", 1000), 30000);
    assert_int_equal (hub_putoff_left (putoff, "a", 1000), 30000);
    assert_int_equal (hub_putoff_left (putoff, "a", 30999), 1);
    assert_int_equal (hub_putoff_left (putoff, "a", 31000), 0);
    assert_int_equal (hub_putoff_left (putoff, "b", 1000), 0);
    /*  Again within the hour: twice as long; after it: as at first.  */
    assert_int_equal (hub_putoff_key (putoff, "a", 40000), 60000);
    assert_int_equal (hub_putoff_key (putoff, "a", 100000), 120000);
    int64_t now = 220000;
    for (int i = 0; i < 10; i++)
        hub_putoff_key (putoff, "a", now);
    assert_int_equal (hub_putoff_key (putoff, "a", now), 60 * MINUTE);
    assert_int_equal (hub_putoff_key (putoff, "a", now + 121 * MINUTE), 30000);

    /*  More than there is room for: those that are over first go.  */
    now += 200 * MINUTE;
    for (int i = 0; i < HUB_PUTOFF_MOST + 100; i++)
        s_put_off (putoff, "key", i, now + i);
    assert_int_equal (s_left (putoff, "key", 0, now), 0);
    assert_int_equal (s_left (putoff, "key", 99, now), 0);
    assert_true (s_left (putoff, "key", 100, now) > 0);
    assert_true (s_left (putoff, "key", HUB_PUTOFF_MOST + 99, now) > 0);

    /*  More at one moment, the worst first: it is the last ones that come off
        lightly.  Who is in already is never short of room.  */
    now += 60 * MINUTE;
    for (int i = 0; i < HUB_PUTOFF_MOST; i++)
        assert_true (s_put_off (putoff, "same", i, now) > 0);
    assert_int_equal (s_put_off (putoff, "same", HUB_PUTOFF_MOST, now), 0);
    assert_int_equal (s_left (putoff, "same", HUB_PUTOFF_MOST, now), 0);
    assert_true (s_left (putoff, "same", 0, now) > 0);
    assert_int_equal (s_put_off (putoff, "same", 0, now), 60000);
    assert_int_equal (s_put_off (putoff, "same", HUB_PUTOFF_MOST, now + 1),
                      30000);
    hub_putoff_destroy (&putoff);
    assert_null (putoff);
    hub_putoff_destroy (&putoff);
}

/*  A listening socket and both ends of a connection to it.  */
typedef struct
{
    int listener, here, there;
    char endpoint[64];
    char *items[1];
    sh_strings_t endpoints;
} link_t;

static void
s_listen (link_t *self)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    self->listener = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (bind (self->listener, (struct sockaddr *) &address, size),
                      0);
    assert_int_equal (listen (self->listener, 5), 0);
    assert_int_equal (getsockname (self->listener,
                                   (struct sockaddr *) &address, &size),
                      0);
    self->there = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (connect (self->there, (struct sockaddr *) &address,
                               size),
                      0);
    self->here = hub_descriptors_accept (self->listener);
    assert_true (self->here >= 0);
    snprintf (self->endpoint, sizeof self->endpoint, "tcp://127.0.0.1:%u",
              ntohs (address.sin_port));
    self->items[0] = self->endpoint;
    self->endpoints = (sh_strings_t){ .items = self->items, .count = 1 };
}

/*  Send so much through, and drop it here.  */
static void
s_pour (const link_t *self, size_t size)
{
    static char block[65536];
    for (size_t done = 0; done < size; done += sizeof block) {
        assert_int_equal (send (self->there, block, sizeof block, 0),
                          sizeof block);
        for (size_t got = 0; got < sizeof block;) {
            ssize_t count = recv (self->here, block, sizeof block, 0);
            if (count > 0)
                got += (size_t) count;
        }
    }
}

static void
test_holders (void **state)
{
    (void) state;
    static hub_holder_t out[HUB_HOLDERS_MOST];
    hub_sessions_t *sessions = NULL;
    link_t link;
    s_listen (&link);
    hub_greetings_t *greetings = NULL;
    assert_int_equal (hub_greetings_new (&greetings), SH_OK);
    assert_int_equal (hub_sessions_new (&sessions), SH_OK);
    assert_int_equal (hub_descriptors_received (link.here), 0);
    assert_int_equal (hub_descriptors_received (0), 0);
    s_pour (&link, HUB_HOLDER_LEAST - MIB);
    assert_int_equal (hub_holders_find (out, &link.endpoints, sessions,
                                       greetings), 0);
    s_pour (&link, 2 * MIB);
    assert_int_equal (hub_holders_find (out, &link.endpoints, sessions,
                                       greetings), 1);
    assert_string_equal (out[0].address, "127.0.0.1");
    assert_string_equal (out[0].key, "");
    assert_int_equal (out[0].held, HUB_HOLDER_LEAST + MIB);

    /*  With a session it is that key's, less what became messages.  */
    hub_session_t *session = hub_sessions_open (sessions, "some key");
    session->fd = link.here;
    session->taken = MIB / 2;
    hub_peer_text (session->peer, link.here);
    assert_non_null (strstr (session->peer, "127.0.0.1 "));
    assert_int_equal (hub_holders_find (out, &link.endpoints, sessions,
                                       greetings), 1);
    assert_string_equal (out[0].key, "some key");
    assert_int_equal (out[0].held, HUB_HOLDER_LEAST + MIB / 2);
    session->taken = 2 * MIB;
    assert_int_equal (hub_holders_find (out, &link.endpoints, sessions,
                                       greetings), 0);

    /*  However much came in by and by, and was no message: nothing is held
        that came before the last one.  */
    for (int i = 0; i < 3; i++) {
        s_pour (&link, HUB_HOLDER_LEAST - MIB);
        hub_holders_note_taken (session);
        assert_int_equal (session->taken,
                          hub_descriptors_received (link.here));
    }
    assert_int_equal (hub_holders_find (out, &link.endpoints, sessions,
                                       greetings), 0);
    s_pour (&link, HUB_HOLDER_LEAST);
    assert_int_equal (hub_holders_find (out, &link.endpoints, sessions,
                                       greetings), 1);
    assert_string_equal (out[0].key, "some key");
    assert_int_equal (out[0].held, HUB_HOLDER_LEAST);

    /*  A session whose connection is gone, and the number another's.  */
    snprintf (session->peer, sizeof session->peer, "127.0.0.1 1");
    assert_int_equal (hub_holders_find (out, &link.endpoints, sessions,
                                       greetings), 1);
    assert_string_equal (out[0].key, "");

    /*  It said hello once, and another connection has the session now.  */
    hub_session_t lost = { .taken = MIB };
    snprintf (lost.key, sizeof lost.key, "another key");
    hub_peer_text (lost.peer, link.here);
    hub_greetings_note (greetings, &lost);
    hub_greetings_leave (greetings, &lost);
    assert_int_equal (hub_holders_find (out, &link.endpoints, sessions,
                                       greetings), 1);
    assert_string_equal (out[0].key, "another key");
    assert_int_equal (out[0].connections, 1);
    assert_int_equal (out[0].held,
                      hub_descriptors_received (link.here) - MIB);

    /*  Another port than the hub's.  */
    snprintf (link.endpoint, sizeof link.endpoint, "tcp://127.0.0.1:1");
    assert_int_equal (hub_holders_find (out, &link.endpoints, sessions,
                                       greetings), 0);
    hub_sessions_destroy (&sessions);
    close (link.here);
    close (link.there);
    hub_greetings_destroy (&greetings);
    close (link.listener);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_reached), cmocka_unit_test (test_default),
        cmocka_unit_test (test_pause),   cmocka_unit_test (test_memory),
        cmocka_unit_test (test_putoff),  cmocka_unit_test (test_holders),
    };
    return cmocka_run_group_tests_name ("ceiling", tests, NULL, NULL);
}
