/* SPDX-License-Identifier: MPL-2.0 */
/*  Memory runs out at each single allocation of lib, scanner-proto and shim:
    SH_E_MEMORY, nothing leaked, outputs as they were.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/keyfile.h"
#include "lib/yaml.h"
#include "scanner-proto/codec.h"
#include "scanner-proto/outbox.h"
#include "shim/legacy.h"
#include "shim/token.h"
#include "tests/unit/nomem.h"
#include "tests/unit/samples.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

static char s_path[96];

static int64_t s_now = NOMEM_NOON * 1000;

static int64_t
s_clock_ms (void *context)
{
    return *(int64_t *) context;
}

static const sh_clock_t s_clock = { s_clock_ms, s_clock_ms, &s_now, NULL };

/*  Messages.  */

static const sp_message_t *s_message;

static sh_err_t
s_encode (void)
{
    uint8_t *data = NOMEM_UNTOUCHED;
    size_t size = 12345;
    sh_err_t rc = sp_encode (&data, &size, s_message);
    if (rc == SH_OK)
        free (data);
    else
        assert_true (data == NOMEM_UNTOUCHED && size == 12345);
    return rc;
}

static uint8_t *s_frame;
static size_t s_frame_size;

static sh_err_t
s_decode (void)
{
    sp_message_t *message = NOMEM_UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc
        = sp_decode (&message, (sh_bytes_t){ s_frame, s_frame_size }, &why);
    if (rc == SH_OK)
        sp_message_destroy (&message);
    else
        assert_true (message == NOMEM_UNTOUCHED);
    return rc;
}

static void
s_try_message (const char *name, const sp_message_t *message)
{
    s_message = message;
    assert_true (nomem_try (name, s_encode) > 0);
    assert_int_equal (sp_encode (&s_frame, &s_frame_size, message), SH_OK);
    assert_true (nomem_try (name, s_decode) > 0);
    free (s_frame);
}

static void
test_messages (void **state)
{
    (void) state;
    for (size_t i = 0; i < sample_count; i++)
        s_try_message (samples[i].name, &samples[i].message);
    sp_message_t many = { .type = SP_REPORT, .u.report = nomem_report () };
    many.u.report.covered_count = 0;
    many.u.report.complete = false;
    many.u.report.up = 0;
    s_try_message ("many hosts", &many);
}

/*  Delivery: what cannot be sent for want of memory is sent later.  */

static size_t s_sent[8];

static sh_err_t
s_outlet_send (void *context, const sp_message_t *message)
{
    (void) context;
    uint8_t *data = NULL;
    size_t size;
    sh_err_t rc = sp_encode (&data, &size, message);
    if (rc != SH_OK)
        return rc;
    free (data);
    assert_true (message->u.report.part < COUNT (s_sent));
    s_sent[message->u.report.part]++;
    return SH_OK;
}

/*  Answer all parts that were sent and not yet answered.  */
static void
s_answer (sp_delivery_t *delivery, size_t *answered)
{
    for (; *answered < COUNT (s_sent) && s_sent[*answered]; ++*answered) {
        sp_message_t message = {
            .type = SP_VERDICT,
            .u.verdict = { .id = sp_delivery_id (delivery),
                           .part = *answered, .result = SP_APPLIED },
        };
        sp_event_t event = { .kind = SP_EVENT_MESSAGE, .message = &message };
        assert_true (sp_delivery_take (delivery, &event));
    }
}

static sh_err_t
s_deliver (void)
{
    static sp_host_t hosts[9000];
    sp_report_t report = nomem_report ();
    for (size_t i = 0; i < COUNT (hosts); i++)
        hosts[i] = report.hosts[i % NOMEM_HOSTS];
    report.hosts = hosts;
    report.host_count = COUNT (hosts);
    memset (s_sent, 0, sizeof s_sent);
    sp_delivery_t *delivery = NOMEM_UNTOUCHED;
    sh_err_t rc = sp_delivery_new (&delivery, &report, &s_clock);
    if (rc != SH_OK) {
        assert_true (delivery == NOMEM_UNTOUCHED);
        return rc;
    }
    sp_outlet_t outlet = { s_outlet_send, NULL, true, 0 };
    size_t answered = 0;
    for (int i = 0; i < 20; i++) {
        sh_err_t pushed = sp_delivery_push (delivery, &outlet);
        if (pushed != SH_OK) {
            rc = pushed;
            nomem_lift ();
            assert_true (sp_delivery_timeout (delivery) > 0);
            s_now += sp_delivery_timeout (delivery);
        }
        s_answer (delivery, &answered);
    }
    assert_int_equal (sp_delivery_state (delivery), SP_DELIVERY_DONE);
    for (size_t i = 0; i < answered; i++)
        assert_int_equal (s_sent[i], 1);
    assert_true (answered > 3);
    sp_delivery_destroy (&delivery);
    return rc;
}

static void
test_delivery (void **state)
{
    (void) state;
    assert_true (nomem_try ("delivery", s_deliver) > 5);
}

/*  The spool; SQLite's own memory is test_power_fail's.  */

static sp_spool_t *s_spool;

static sh_err_t
s_open_spool (void)
{
    sp_spool_t *spool = NOMEM_UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc = sp_spool_open (&spool, s_path, SP_SPOOL_DEFAULT_MOST,
                                 &s_clock, &why);
    if (rc == SH_OK)
        sp_spool_close (&spool);
    else
        assert_true (spool == NOMEM_UNTOUCHED && strlen (why.text) > 10);
    return rc;
}

static bool s_other_subnet;

static sh_err_t
s_put (void)
{
    sp_report_t report = nomem_report ();
    uint64_t bytes = sp_spool_bytes (s_spool);
    report.subnet = s_other_subnet ? 8 : 7;
    sh_err_t rc = sp_spool_put (s_spool, "test", &report, 0, NULL);
    if (rc != SH_OK)
        assert_int_equal (sp_spool_bytes (s_spool), bytes);
    return rc;
}

static sh_err_t
s_take (void)
{
    sp_spooled_t *spooled = NOMEM_UNTOUCHED;
    sh_err_t rc = sp_spool_next (s_spool, 0, &spooled);
    if (rc != SH_OK) {
        assert_true (spooled == NOMEM_UNTOUCHED);
        return rc;
    }
    assert_int_equal (spooled->report.host_count, NOMEM_HOSTS);
    sp_spooled_destroy (&spooled);
    return SH_OK;
}

static sh_err_t
s_remove (void)
{
    nomem_lift ();
    sp_spooled_t *spooled;
    assert_int_equal (sp_spool_next (s_spool, 0, &spooled), SH_OK);
    int64_t row = spooled->row;
    sp_spooled_destroy (&spooled);
    return sp_spool_remove (s_spool, row);
}

static void
test_spool (void **state)
{
    (void) state;
    snprintf (s_path, sizeof s_path, "%s/spool", nomem_dir);
    nomem_try ("spool open", s_open_spool);
    assert_int_equal (sp_spool_open (&s_spool, s_path, SP_SPOOL_DEFAULT_MOST,
                                     &s_clock, NULL), SH_OK);
    s_other_subnet = false;
    assert_true (nomem_try ("spool put", s_put) > 3);
    assert_int_equal (sp_spool_depth (s_spool), 1);
    assert_true (nomem_try ("spool put and merge", s_put) > 12);
    assert_int_equal (sp_spool_depth (s_spool), 1);
    s_other_subnet = true;
    assert_true (nomem_try ("spool put again", s_put) > 3);
    assert_int_equal (sp_spool_depth (s_spool), 2);
    /* nothing is dropped because there was no memory to read it */
    uint64_t depth = sp_spool_depth (s_spool);
    assert_true (nomem_try ("spool next", s_take) > 5);
    assert_int_equal (sp_spool_depth (s_spool), depth);
    for (; depth > 0; depth--)
        assert_int_equal (s_remove (), SH_OK);
    sp_spool_close (&s_spool);
}

/*  The outbox over a spool in memory: what was taken is delivered, if not now
    then when there is memory again.  */

static struct
{
    uint8_t id[SP_REPORT_ID];
    uint64_t part;
} s_parts[64];
static size_t s_part_count, s_ended_count;

static sh_err_t
s_way_send (void *context, const char *label, const sp_message_t *part)
{
    (void) context;
    (void) label;
    assert_true (s_part_count < COUNT (s_parts));
    memcpy (s_parts[s_part_count].id, part->u.report.id.data, SP_REPORT_ID);
    s_parts[s_part_count++].part = part->u.report.part;
    return SH_OK;
}

static void
s_count_end (void *context, const sp_outbox_end_t *end)
{
    (void) context;
    assert_false (end->refused);
    s_ended_count++;
}

/*  Put it, when there is no memory once more.  */
static sh_err_t
s_put_out (sp_outbox_t *outbox, uint64_t subnet)
{
    sp_report_t report = nomem_report ();
    report.subnet = subnet;
    bool durable;
    sh_err_t rc = sp_outbox_put (outbox, "x", &report, 0, NULL, &durable);
    if (rc == SH_OK)
        return rc;
    nomem_lift ();
    assert_int_equal (
        sp_outbox_put (outbox, "x", &report, 0, NULL, &durable), SH_OK);
    return rc;
}

static void
s_push_out (sp_outbox_t *outbox)
{
    static const sp_outbox_way_t way = { s_way_send, NULL, true, 0 };
    for (int i = 0; i < 30 && sp_outbox_depth (outbox) > 0; i++) {
        if (i == 3)
            nomem_lift ();
        s_part_count = 0;
        sp_outbox_push (outbox, &way);
        for (size_t k = 0; k < s_part_count; k++) {
            sp_message_t message = {
                .type = SP_VERDICT,
                .u.verdict = { .id = { s_parts[k].id, SP_REPORT_ID },
                               .part = s_parts[k].part,
                               .result = SP_APPLIED },
            };
            sp_event_t event = { .kind = SP_EVENT_MESSAGE,
                                 .message = &message };
            assert_true (sp_outbox_take (outbox, &event));
        }
        if (sp_outbox_timeout (outbox) > 0)
            s_now += sp_outbox_timeout (outbox);
    }
    assert_int_equal (sp_outbox_depth (outbox), 0);
}

static sh_err_t
s_send_out (void)
{
    sp_spool_t *spool = NOMEM_UNTOUCHED;
    sp_outbox_t *outbox = NOMEM_UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc = sp_spool_open (&spool, NULL, SP_SPOOL_DEFAULT_MOST,
                                 &s_clock, &why);
    if (rc != SH_OK) {
        assert_true (spool == NOMEM_UNTOUCHED && *why.text);
        return rc;
    }
    sp_outbox_options_t options = { .spool = spool, .clock = &s_clock,
                                    .ended = s_count_end };
    rc = sp_outbox_new (&outbox, &options);
    if (rc == SH_OK) {
        static const uint64_t subnets[] = { 7, 7, 8 };
        s_ended_count = 0;
        for (size_t i = 0; i < COUNT (subnets); i++) {
            sh_err_t put = s_put_out (outbox, subnets[i]);
            rc = rc ? rc : put;
        }
        s_push_out (outbox);
        assert_int_equal (s_ended_count, 2);
        sp_outbox_destroy (&outbox);
    } else
        assert_true (outbox == NOMEM_UNTOUCHED);
    sp_spool_close (&spool);
    return rc;
}

static void
test_outbox (void **state)
{
    (void) state;
    assert_true (nomem_try_lenient ("outbox", s_send_out) > 30);
}

/*  Texts from outside.  */

static const char *s_body;

static sh_err_t
s_parse_body (void)
{
    sm_legacy_t *legacy = NOMEM_UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc = sm_legacy_parse (&legacy, s_body, strlen (s_body),
                                   NOMEM_NOON * 1000, &why);
    if (rc == SH_OK) {
        assert_int_equal (legacy->report.host_count, 2);
        assert_int_equal (legacy->refused_count, 1);
        sm_legacy_destroy (&legacy);
    } else
        assert_true (legacy == NOMEM_UNTOUCHED && *why.text);
    return rc;
}

#define HOSTS_TEXT                                                             \
    "[{\"ip\":\"10.0.0.5\",\"lastSeen\":\"2026-06-01 11:59:00\","      \
    "\"subnetId\":\"7\",\"hostname\":\"a\",\"mac\":null},"           \
    "{\"ip\":\"10.0.0.6\",\"lastSeen\":\"2026-06-01 11:59:01\","       \
    "\"subnetId\":7},{\"ip\":\"rubbish\"}]"

/*  Scanners take "not JSON" for an answer and never send it again.  */
static void
test_legacy (void **state)
{
    (void) state;
    s_body = "{\"code\":\"c\",\"scan\":{\"subnet\":\"10.0.0.0/24\","
             "\"tz\":\"+0000\",\"results\":" HOSTS_TEXT "}}";
    assert_true (nomem_try ("legacy", s_parse_body) > 20);
}

static sh_err_t
s_parse_yaml (void)
{
    static const char text[] = "database:\n  host: db\n  port: 3306\n"
                               "list: [a, b, 'c', d, e, f, g, h, i, j]\n"
                               "empty:\nmore: {x: 1, y: {z: ~}}\n";
    sh_yaml_t *yaml = NOMEM_UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc = sh_yaml_parse (&yaml, text, strlen (text), "x", &why);
    if (rc == SH_OK)
        sh_yaml_destroy (&yaml);
    else
        assert_true (yaml == NOMEM_UNTOUCHED && *why.text);
    return rc;
}

static sh_err_t
s_read_key (void)
{
    static const char text[] = "metadata\n    name = \"x\"\n"
                               "    code = \"c\"\n    code = \"d\"\ncurve\n"
                               "    public-key = "
                               "\"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"\n";
    sh_keyfile_t *key = NOMEM_UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc = sh_keyfile_parse (&key, text, strlen (text), "x", false,
                                    &why);
    if (rc == SH_OK)
        sh_keyfile_destroy (&key);
    else
        assert_true (key == NOMEM_UNTOUCHED && *why.text);
    return rc;
}

static sh_err_t
s_add_token (void)
{
    static const char *const codes[] = { "one", "two" };
    sm_tokens_t *tokens = NOMEM_UNTOUCHED;
    sh_err_t rc = sm_tokens_new (&tokens);
    if (rc != SH_OK) {
        assert_true (tokens == NOMEM_UNTOUCHED);
        return rc;
    }
    rc = sm_tokens_add (tokens, "label", "secret", codes, 2);
    assert_int_equal (sm_tokens_find (tokens, "secret") != NULL, rc == SH_OK);
    sm_tokens_destroy (&tokens);
    return rc;
}

static void
test_files (void **state)
{
    (void) state;
    assert_true (nomem_try ("yaml", s_parse_yaml) > 20);
    assert_true (nomem_try ("key file", s_read_key) > 4);
    assert_true (nomem_try ("token", s_add_token) > 3);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_messages),
        cmocka_unit_test (test_delivery),
        cmocka_unit_test (test_spool),
        cmocka_unit_test (test_outbox),
        cmocka_unit_test (test_legacy),
        cmocka_unit_test (test_files),
    };
    return cmocka_run_group_tests_name ("no memory", tests, nomem_setup,
                                        nomem_teardown);
}
