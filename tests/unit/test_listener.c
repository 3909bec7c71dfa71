/* SPDX-License-Identifier: MPL-2.0 */
/*  The ROUTER for scanners: what it asks of libzmq so that a connection that is
    idle costs little.  What peers can do to it is in the integration tests.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hub/listener.h"

#ifndef ZMQ_ZERO_COPY_RECV
#define ZMQ_ZERO_COPY_RECV 10
#endif

static void
test_small_buffers (void **state)
{
    (void) state;
    char *endpoint = strdup ("tcp://127.0.0.1:*");
    char public_key[SH_KEY_TEXT], secret_key[SH_KEY_TEXT];
    sh_strings_t endpoints = { .items = &endpoint, .count = 1 };
    hub_listener_options_t options = { .endpoints = &endpoints,
                                       .secret_key = secret_key };
    hub_listener_t *listener = NULL;
    sh_why_t why = { "" };
    assert_int_equal (zmq_curve_keypair (public_key, secret_key), 0);
    assert_int_equal (hub_putoff_new (&options.putoff), SH_OK);
    assert_int_equal (hub_knocks_new (&options.admitted, 4, 4), SH_OK);
    assert_int_equal (zmq_ctx_set (zsys_init (), ZMQ_ZERO_COPY_RECV, 1), 0);
    assert_int_equal (hub_listener_new (&listener, &options, &why), SH_OK);
    int zero_copy = zmq_ctx_get (zsys_init (), ZMQ_ZERO_COPY_RECV);
    hub_listener_destroy (&listener);
    hub_knocks_destroy (&options.admitted);
    hub_putoff_destroy (&options.putoff);
    free (endpoint);
    assert_int_equal (zero_copy, 0);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_small_buffers),
    };
    zsys_handler_set (NULL);
    int status = cmocka_run_group_tests (tests, NULL, NULL);
    zsys_shutdown ();
    return status;
}
