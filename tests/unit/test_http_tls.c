/* SPDX-License-Identifier: MPL-2.0 */
/*  The HTTP door with TLS: certificates made here, clients by GnuTLS.  */

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "shim/http_conn.h"
#include "tests/unit/gate.h"

#define HOST "Host: 127.0.0.1:5000\r\n"
#define REQUEST                                                                \
    "POST /tls HTTP/1.1\r\n" HOST GATE_AUTH "Content-Length: 2\r\n\r\n{}"
#define OLD_TLS "NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0"

static char s_dir[64];
static gate_t s_gate;
static gate_client_t s_client;

static const char *
s_path (char out[static 128], const char *name)
{
    snprintf (out, 128, "%s/%s", s_dir, name);
    return out;
}

static void
s_write (const char *name, const gnutls_datum_t *text, mode_t mode)
{
    char path[128];
    unlink (s_path (path, name));
    FILE *file = fopen (path, "wb");
    assert_non_null (file);
    assert_int_equal (fwrite (text->data, 1, text->size, file), text->size);
    fclose (file);
    assert_int_equal (chmod (path, mode), 0);
}

/*  NAME.crt, signed by itself, and NAME.key; 'days' from now it ends.  */
static void
s_make_pair (const char *name, int days)
{
    char file[64];
    unsigned char serial = 1;
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t cert;
    gnutls_datum_t pem;
    assert_int_equal (gnutls_x509_privkey_init (&key), 0);
    assert_int_equal (gnutls_x509_privkey_generate (
                          key, GNUTLS_PK_ECDSA,
                          GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1),
                          0),
                      0);
    assert_int_equal (gnutls_x509_crt_init (&cert), 0);
    gnutls_x509_crt_set_version (cert, 3);
    gnutls_x509_crt_set_serial (cert, &serial, 1);
    gnutls_x509_crt_set_activation_time (cert, time (NULL) - 10 * 86400);
    gnutls_x509_crt_set_expiration_time (cert, time (NULL) + days * 86400);
    gnutls_x509_crt_set_dn_by_oid (cert, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                   (unsigned) strlen (name));
    gnutls_x509_crt_set_key (cert, key);
    assert_int_equal (gnutls_x509_crt_sign2 (cert, cert, key,
                                             GNUTLS_DIG_SHA256, 0),
                      0);
    assert_int_equal (
        gnutls_x509_crt_export2 (cert, GNUTLS_X509_FMT_PEM, &pem), 0);
    snprintf (file, sizeof file, "%s.crt", name);
    s_write (file, &pem, 0644);
    gnutls_free (pem.data);
    assert_int_equal (
        gnutls_x509_privkey_export2 (key, GNUTLS_X509_FMT_PEM, &pem), 0);
    snprintf (file, sizeof file, "%s.key", name);
    s_write (file, &pem, 0600);
    gnutls_free (pem.data);
    gnutls_x509_crt_deinit (cert);
    gnutls_x509_privkey_deinit (key);
}

static void
s_config (sm_http_config_t *out, const char *cert, const char *key)
{
    char path[128];
    gate_config (out, NULL);
    out->cert = strdup (s_path (path, cert));
    out->key = strdup (s_path (path, key));
    assert_non_null (out->cert);
    assert_non_null (out->key);
}

static int
setup_group (void **state)
{
    (void) state;
    snprintf (s_dir, sizeof s_dir, "/tmp/test-http-XXXXXX");
    if (!mkdtemp (s_dir))
        return -1;
    s_make_pair ("one", 30);
    s_make_pair ("two", 30);
    s_make_pair ("old", -1);
    gnutls_datum_t text = { (unsigned char[]){ "nonsense\n" }, 9 };
    s_write ("nonsense", &text, 0600);
    return 0;
}

static int
teardown_group (void **state)
{
    (void) state;
    static const char *const names[]
        = { "one.crt", "one.key", "two.crt", "two.key",
            "old.crt", "old.key", "nonsense" };
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink (s_path (path, names[i]));
    return rmdir (s_dir);
}

static int
setup (void **state)
{
    (void) state;
    sm_http_config_t config;
    s_config (&config, "one.crt", "one.key");
    gate_open (&s_gate, &config);
    gate_config_clear (&config);
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    gate_close (&s_gate);
    return 0;
}

typedef struct
{
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
} tls_t;

static void
s_tls_end (tls_t *tls)
{
    gnutls_deinit (tls->session);
    gnutls_certificate_free_credentials (tls->credentials);
}

/*  Connect and shake hands; GnuTLS's number.  */
static int
s_tls_start (tls_t *tls, gate_client_t *client, const char *priority)
{
    gate_connect (&s_gate, client);
    assert_int_equal (
        gnutls_certificate_allocate_credentials (&tls->credentials), 0);
    assert_int_equal (gnutls_init (&tls->session,
                                   GNUTLS_CLIENT | GNUTLS_NONBLOCK
                                       | GNUTLS_NO_SIGNAL),
                      0);
    assert_int_equal (
        gnutls_priority_set_direct (tls->session, priority, NULL), 0);
    gnutls_credentials_set (tls->session, GNUTLS_CRD_CERTIFICATE,
                            tls->credentials);
    gnutls_transport_set_int (tls->session, client->fd);
    int rc = GNUTLS_E_AGAIN;
    for (int i = 0; i < 2000 && rc < 0 && !gnutls_error_is_fatal (rc); i++) {
        rc = gnutls_handshake (tls->session);
        gate_pump (&s_gate, 1);
    }
    return rc;
}

static void
s_tls_send (tls_t *tls, const char *data, size_t size)
{
    for (int i = 0; i < 20000 && size > 0; i++) {
        ssize_t sent = gnutls_record_send (tls->session, data, size);
        if (sent < 0 && gnutls_error_is_fatal ((int) sent))
            return;
        if (sent > 0) {
            data += sent;
            size -= (size_t) sent;
        }
        gate_pump (&s_gate, 0);
    }
}

/*  Until the door closes; an answer that is not ended properly fails.  */
static const char *
s_tls_receive (tls_t *tls, gate_client_t *client)
{
    ssize_t got = GNUTLS_E_AGAIN;
    for (int i = 0; i < 5000 && got != 0; i++) {
        got = gnutls_record_recv (tls->session, client->text + client->size,
                                  sizeof client->text - 1 - client->size);
        if (got > 0)
            client->size += (size_t) got;
        else if (got < 0 && gnutls_error_is_fatal ((int) got))
            break;
        else
            gate_pump (&s_gate, 1);
    }
    client->text[client->size] = '\0';
    client->closed = got == 0;
    return client->text;
}

/*  The common name of the door's certificate.  */
static const char *
s_peer_name (tls_t *tls)
{
    static char name[64];
    unsigned count = 0;
    size_t size = sizeof name;
    const gnutls_datum_t *chain
        = gnutls_certificate_get_peers (tls->session, &count);
    gnutls_x509_crt_t cert;
    assert_true (chain && count > 0);
    assert_int_equal (gnutls_x509_crt_init (&cert), 0);
    assert_int_equal (
        gnutls_x509_crt_import (cert, chain, GNUTLS_X509_FMT_DER), 0);
    assert_int_equal (gnutls_x509_crt_get_dn_by_oid (
                          cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name,
                          &size),
                      0);
    gnutls_x509_crt_deinit (cert);
    return name;
}

/*  One request over TLS: its status, and whose certificate it was.  */
static unsigned
s_ask (const char *priority, const char *request, size_t size, char *name)
{
    tls_t tls;
    unsigned status = 0;
    if (s_tls_start (&tls, &s_client, priority) == 0) {
        if (name)
            snprintf (name, 64, "%s", s_peer_name (&tls));
        s_tls_send (&tls, request, size);
        status = gate_status (s_tls_receive (&tls, &s_client));
        assert_true (s_client.closed);
    }
    s_tls_end (&tls);
    gate_hang_up (&s_client);
    gate_pump (&s_gate, 5);
    return status;
}

static void
a_report_comes_in_over_tls (void **state)
{
    (void) state;
    char name[64];
    static const char *const versions[]
        = { "NORMAL", "NORMAL:-VERS-ALL:+VERS-TLS1.2",
            "NORMAL:-VERS-ALL:+VERS-TLS1.3" };
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        assert_int_equal (
            s_ask (versions[i], REQUEST, strlen (REQUEST), name), 200);
        assert_string_equal (gate_content (s_client.text), "tls");
        assert_string_equal (name, "one");
        assert_string_equal (s_gate.body, "{}");
    }
    static const char bad[] = "POST / HTTP/1.1\r\n" HOST "\r\n";
    assert_int_equal (s_ask ("NORMAL", bad, sizeof bad - 1, NULL), 401);
}

static void
old_versions_and_plain_text_get_nowhere (void **state)
{
    (void) state;
    assert_int_equal (s_ask (OLD_TLS, REQUEST, strlen (REQUEST), NULL), 0);
    assert_int_equal (gate_status (gate_ask (&s_gate, &s_client, REQUEST)),
                      0);
    assert_int_equal (s_gate.calls, 0);
}

static void
a_refusal_is_read_over_tls_too (void **state)
{
    (void) state;
    static const char head[] = "POST / HTTP/1.1\r\n" HOST GATE_AUTH
                               "Content-Length: 3000000\r\n\r\n";
    size_t size = sizeof head - 1 + 3000000;
    char *request = malloc (size);
    assert_non_null (request);
    memset (request, 'x', size);
    memcpy (request, head, sizeof head - 1);
    assert_int_equal (s_ask ("NORMAL", request, size, NULL), 413);
    free (request);

    /*  One that the library cannot send: in the middle of a body.  */
    tls_t tls;
    assert_int_equal (s_tls_start (&tls, &s_client, "NORMAL"), 0);
    s_tls_send (&tls, REQUEST, strlen (REQUEST) - 1);
    gate_pump (&s_gate, 10);
    gate_wait (&s_gate, SM_REQUEST_MS);
    assert_int_equal (gate_status (s_tls_receive (&tls, &s_client)), 408);
    assert_true (s_client.closed);
    s_tls_end (&tls);
    gate_hang_up (&s_client);
}

static void
a_handshake_has_a_deadline (void **state)
{
    (void) state;
    gate_connect (&s_gate, &s_client);
    gate_send (&s_gate, &s_client, "\x16\x03\x01\x02", 4);
    gate_wait (&s_gate, SM_HEADERS_MS - 1);
    gate_peek (&s_gate, &s_client);
    assert_false (s_client.closed);
    gate_wait (&s_gate, 1);
    gate_receive (&s_gate, &s_client);
    assert_true (s_client.closed);
    gate_hang_up (&s_client);
}

/*  How often the door wants to run in a fifth of a second.  */
static unsigned
s_count_rounds (void)
{
    unsigned rounds = 0;
    int64_t until = sh_clock_mono (sh_clock_system ()) + 200;
    for (; sh_clock_mono (sh_clock_system ()) < until; rounds++) {
        struct pollfd fd = { .fd = sm_http_fd (s_gate.http), .events = POLLIN };
        int timeout = sm_http_timeout (s_gate.http);
        poll (&fd, 1, timeout < 0 || timeout > 50 ? 50 : timeout);
        sm_http_run (s_gate.http);
    }
    return rounds;
}

static void
half_a_handshake_costs_no_processor (void **state)
{
    (void) state;
    static gate_client_t others[20];
    tls_t tls;
    for (size_t i = 0; i < 20; i++) {
        gate_connect (&s_gate, &others[i]);
        gate_send (&s_gate, &others[i], "\x16\x03\x01\x02", 4);
    }
    assert_in_range (s_count_rounds (), 1, 100);
    assert_int_equal (s_ask ("NORMAL", REQUEST, strlen (REQUEST), NULL), 200);
    /*  Nor does half a record after it.  */
    assert_int_equal (s_tls_start (&tls, &s_client, "NORMAL"), 0);
    s_tls_send (&tls, REQUEST, 30);
    gate_send (&s_gate, &s_client, "\x17\x03\x03\x40", 4);
    assert_in_range (s_count_rounds (), 1, 100);
    s_tls_end (&tls);
    gate_hang_up (&s_client);
    for (size_t i = 0; i < 20; i++)
        gate_hang_up (&others[i]);
}

static sh_err_t
s_reload (const char *cert, const char *key, sh_why_t *why)
{
    sm_http_config_t config;
    s_config (&config, cert, key);
    sm_tokens_t *tokens = gate_tokens ("test", GATE_TOKEN);
    sh_err_t rc = sm_http_reload (s_gate.http, &config, &tokens, why);
    assert_int_equal (tokens == NULL, rc == SH_OK);
    sm_tokens_destroy (&tokens);
    gate_config_clear (&config);
    return rc;
}

static void
a_reload_swaps_the_certificate (void **state)
{
    (void) state;
    sh_why_t why;
    char name[64];
    static gate_client_t early, half;
    tls_t early_tls, half_tls;
    /*  One waits for its answer, one has sent half of its request.  */
    s_gate.hold = true;
    assert_int_equal (s_tls_start (&early_tls, &early, "NORMAL"), 0);
    s_tls_send (&early_tls, REQUEST, strlen (REQUEST));
    assert_int_equal (s_tls_start (&half_tls, &half, "NORMAL"), 0);
    s_tls_send (&half_tls, REQUEST, 20);
    gate_pump (&s_gate, 20);
    assert_int_equal (s_gate.held_count, 1);
    s_gate.hold = false;

    assert_int_equal (s_reload ("two.crt", "two.key", &why), SH_OK);
    assert_int_equal (s_ask ("NORMAL", REQUEST, strlen (REQUEST), name), 200);
    assert_string_equal (name, "two");
    s_tls_send (&half_tls, &REQUEST[20], strlen (REQUEST) - 20);
    assert_int_equal (gate_status (s_tls_receive (&half_tls, &half)), 200);
    sm_request_answer (s_gate.held[0], 200, "text/plain", "late");
    assert_int_equal (gate_status (s_tls_receive (&early_tls, &early)), 200);
    s_tls_end (&early_tls);
    s_tls_end (&half_tls);
    gate_hang_up (&early);
    gate_hang_up (&half);
    gate_pump (&s_gate, 10);

    for (int i = 0; i < 5; i++)
        assert_int_equal (s_reload ("one.crt", "one.key", &why), SH_OK);
    assert_int_equal (s_ask ("NORMAL", REQUEST, strlen (REQUEST), name), 200);
    assert_string_equal (name, "one");
}

static void
a_bad_certificate_keeps_the_old (void **state)
{
    (void) state;
    sh_why_t why;
    char name[64], path[128];
    assert_int_equal (s_reload ("one.crt", "two.key", &why), SH_E_CONFIG);
    assert_non_null (strstr (why.text, "is not the key of the certificate"));
    assert_int_equal (s_reload ("gone.crt", "one.key", &why), SH_E_CONFIG);
    assert_non_null (strstr (why.text, "gone.crt"));
    assert_int_equal (s_reload ("one.crt", "gone.key", &why), SH_E_CONFIG);
    assert_non_null (strstr (why.text, "gone.key"));
    assert_int_equal (s_reload ("nonsense", "one.key", &why), SH_E_CONFIG);
    assert_non_null (strstr (why.text, "nonsense: no certificate"));
    assert_int_equal (s_reload ("one.crt", "nonsense", &why), SH_E_CONFIG);
    assert_non_null (strstr (why.text, "nonsense: no private key"));
    assert_int_equal (chmod (s_path (path, "two.key"), 0640), 0);
    assert_int_equal (s_reload ("two.crt", "two.key", &why), SH_E_MODE);
    assert_non_null (strstr (why.text, "two.key"));
    assert_int_equal (chmod (path, 0600), 0);
    /*  The right time may be what this machine lacks: a warning only.  */
    assert_int_equal (s_reload ("old.crt", "old.key", &why), SH_OK);
    assert_int_equal (s_reload ("one.crt", "one.key", &why), SH_OK);

    sm_http_config_t config;
    s_config (&config, "one.crt", "one.key");
    free (config.key);
    config.key = NULL;
    sm_tokens_t *tokens = gate_tokens ("test", GATE_TOKEN);
    assert_int_equal (sm_http_reload (s_gate.http, &config, &tokens, &why),
                      SH_E_CONFIG);
    assert_non_null (strstr (why.text, "http_key is missing"));
    sm_tokens_destroy (&tokens);
    gate_config_clear (&config);
    assert_int_equal (s_ask ("NORMAL", REQUEST, strlen (REQUEST), name), 200);
    assert_string_equal (name, "one");
}

static void
a_reload_can_add_and_drop_tls (void **state)
{
    (void) state;
    sh_why_t why;
    sm_http_config_t config;
    gate_config (&config, NULL);
    sm_tokens_t *tokens = gate_tokens ("test", GATE_TOKEN);
    assert_int_equal (sm_http_reload (s_gate.http, &config, &tokens, &why),
                      SH_OK);
    gate_config_clear (&config);
    assert_int_equal (gate_status (gate_ask (&s_gate, &s_client, REQUEST)),
                      200);
    assert_int_equal (s_reload ("two.crt", "two.key", &why), SH_OK);
    assert_int_equal (s_ask ("NORMAL", REQUEST, strlen (REQUEST), NULL), 200);
}

static void
with_tls_it_may_be_reached_from_anywhere (void **state)
{
    (void) state;
    sh_why_t why;
    sm_http_config_t config;
    sm_http_t *http = NULL;
    s_config (&config, "one.crt", "one.key");
    free (config.listen.items[0]);
    config.listen.items[0] = strdup ("0.0.0.0:0");
    sm_tokens_t *tokens = gate_tokens ("x", SM_NO_TOKEN);
    assert_int_equal (sm_http_new (&http, &config, &tokens,
                                   gate_clock (&s_gate),
                                   (sm_http_fn *) abort, NULL, &why),
                      SH_E_CONFIG);
    assert_int_equal (sm_tokens_size (tokens), 1);
    sm_tokens_destroy (&tokens);
    tokens = gate_tokens ("x", "t");
    assert_int_equal (sm_http_new (&http, &config, &tokens,
                                   gate_clock (&s_gate),
                                   (sm_http_fn *) abort, NULL, &why),
                      SH_OK);
    sm_http_destroy (&http);
    gate_config_clear (&config);
}

#define CASE(f) cmocka_unit_test_setup_teardown (f, setup, teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        CASE (a_report_comes_in_over_tls),
        CASE (old_versions_and_plain_text_get_nowhere),
        CASE (a_refusal_is_read_over_tls_too),
        CASE (a_handshake_has_a_deadline),
        CASE (half_a_handshake_costs_no_processor),
        CASE (a_reload_swaps_the_certificate),
        CASE (a_bad_certificate_keeps_the_old),
        CASE (a_reload_can_add_and_drop_tls),
        CASE (with_tls_it_may_be_reached_from_anywhere),
    };
    return cmocka_run_group_tests_name ("http-tls", tests, setup_group,
                                        teardown_group);
}
