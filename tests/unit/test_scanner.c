/* SPDX-License-Identifier: MPL-2.0 */
/*  The scanner's parts below the conversation: a scan, the questions that it
    takes, its report, and what is told of it.  */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/keyfile.h"
#include "lib/log.h"
#include "scanner-proto/codec.h"
#include "scanner/ask.h"
#include "scanner/config.h"
#include "scanner/plan.h"
#include "scanner/scan.h"
#include "scanner/tell.h"
#include "tests/unit/sets.h"

/* scan */

typedef struct
{
    const char *cidr;
    bool discover, check, pool;
    const char *known;  /* addresses with blanks between; -x: excluded */
    const char *ranges; /* what is to be probed */
    int kind;
} case_t;

static void
s_add_known (sc_scan_t *scan, const char *known)
{
    char text[256], *rest = text;
    (void) snprintf (text, sizeof text, "%s", known);
    for (char *word; (word = strsep (&rest, " ")) != NULL;) {
        if (!*word)
            continue;
        bool exclude = *word == '-';
        sh_addr_t ip = set_ip (word + exclude);
        sp_target_t target
            = { .ip = sh_addr_bytes (&ip), .exclude = exclude };
        assert_int_equal (sc_scan_add (scan, &target, NULL), SH_OK);
    }
}

static sc_scan_t *
s_scan (const case_t *item)
{
    sp_subnet_t row = { .id = 9,
                        .cidr = item->cidr,
                        .discover = item->discover,
                        .check = item->check,
                        .pool = item->pool };
    sc_subnet_t subnet;
    sc_scan_t *scan = NULL;
    assert_int_equal (sc_subnet_read (&subnet, &row, NULL), SH_OK);
    int kind;
    assert_true (sc_subnet_kind (&subnet, SP_KIND_BOTH, &kind));
    assert_int_equal (sc_scan_new (&scan, &subnet, kind, "site-a"), SH_OK);
    s_add_known (scan, item->known);
    assert_int_equal (sc_scan_plan (scan), SH_OK);
    return scan;
}

static void
test_scan_plans (void **state)
{
    (void) state;
    static const case_t table[] = {
        { "10.0.0.0/29", true, true, false, "", "10.0.0.1-10.0.0.6",
          SP_KIND_BOTH },
        { "10.0.0.0/29", true, false, true, "", "10.0.0.0-10.0.0.7",
          SP_KIND_DISCOVER },
        { "10.0.0.0/31", true, true, false, "", "10.0.0.0-10.0.0.1",
          SP_KIND_BOTH },
        { "10.0.0.7/32", true, true, false, "", "10.0.0.7-10.0.0.7",
          SP_KIND_BOTH },
        { "10.0.0.0/30", true, true, false, "-10.0.0.1 -10.0.0.2", "",
          SP_KIND_BOTH },
        { "10.0.0.0/29", true, true, false,
          "-10.0.0.0 -10.0.0.1 10.0.0.2 -10.0.0.4 -10.0.0.5 -10.0.0.7",
          "10.0.0.2-10.0.0.3 10.0.0.6-10.0.0.6", SP_KIND_BOTH },
        { "10.0.0.0/29", true, true, true, "-10.0.0.0 -10.0.0.7",
          "10.0.0.1-10.0.0.6", SP_KIND_BOTH },
        { "10.0.0.0/24", false, true, false,
          "10.0.0.0 10.0.0.3 10.0.0.4 -10.0.0.5 10.0.0.6 10.0.0.255 10.0.1.1",
          "10.0.0.3-10.0.0.4 10.0.0.6-10.0.0.6", SP_KIND_CHECK },
        { "10.0.0.0/24", false, true, false, "", "", SP_KIND_CHECK },
        { "10.0.0.0/16", true, true, false, "", "10.0.0.1-10.0.255.254",
          SP_KIND_BOTH },
        { "10.0.0.0/15", true, true, false, "10.1.0.0 -10.1.0.1",
          "10.1.0.0-10.1.0.0", SP_KIND_CHECK },
        { "2001:db8::/112", true, true, false, "-2001:db8::5",
          "2001:db8::-2001:db8::4 2001:db8::6-2001:db8::ffff", SP_KIND_BOTH },
        { "2001:db8::/64", true, false, false, "2001:db8::1 2001:db8::2",
          "2001:db8::1-2001:db8::2", SP_KIND_DISCOVER },
        { "2001:db8::/64", true, true, false, "2001:db8::1 -2001:db8::2",
          "2001:db8::1-2001:db8::1", SP_KIND_BOTH },
        { "255.255.255.248/29", true, true, true, "-255.255.255.255",
          "255.255.255.248-255.255.255.254", SP_KIND_BOTH },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sc_scan_t *scan = s_scan (&table[i]);
        assert_string_equal (set_show (sc_scan_job (scan)->ranges),
                             table[i].ranges);
        assert_int_equal (sc_scan_report (scan)->kind, table[i].kind);
        /* its turn was that of the kind which was due */
        int due;
        sc_subnet_t subnet = { .discover = table[i].discover,
                               .check = table[i].check };
        assert_true (sc_subnet_kind (&subnet, SP_KIND_BOTH, &due));
        assert_int_equal (sc_scan_kind (scan), due);
        bool big = table[i].discover && table[i].kind == SP_KIND_CHECK;
        assert_int_equal (*sc_scan_note (scan) != '\0', big);
        sc_scan_destroy (&scan);
        assert_null (scan);
    }
}

static void
test_scan_order (void **state)
{
    (void) state;
    static const case_t item
        = { "10.0.0.0/24", true, true, false, "10.0.0.9", "", SP_KIND_BOTH };
    sc_scan_t *scan = s_scan (&item);
    assert_int_equal (sc_scan_last (scan).size, 4);
    assert_memory_equal (sc_scan_last (scan).data, "\x0a\0\0\x09", 4);
    sh_why_t why;
    sh_addr_t ip = set_ip ("10.0.0.9");
    sp_target_t target = { .ip = sh_addr_bytes (&ip) };
    assert_int_equal (sc_scan_add (scan, &target, &why), SH_E_BAD_MESSAGE);
    target.ip.size = 3;
    assert_int_equal (sc_scan_add (scan, &target, &why), SH_E_BAD_MESSAGE);
    sc_scan_destroy (&scan);
}

/*  A few addresses outside may be there from before a subnet was resized; a
    hub that has no end of them must not keep us for ever.  */
static void
test_scan_strays (void **state)
{
    (void) state;
    static const case_t item
        = { "10.0.0.0/24", true, true, false, "", "", SP_KIND_BOTH };
    sc_scan_t *scan = s_scan (&item);
    sh_why_t why = { 0 };
    sh_addr_t ip = set_ip ("10.0.1.0");
    sp_target_t target = { .ip = sh_addr_bytes (&ip) };
    for (int i = 0; i < SC_STRAYS_MOST; i++) {
        assert_int_equal (sc_scan_add (scan, &target, &why), SH_OK);
        assert_true (sh_addr_next (&ip));
    }
    assert_int_equal (sc_scan_add (scan, &target, &why), SH_E_BAD_MESSAGE);
    assert_non_null (strstr (why.text, "outside of 10.0.0.0/24"));
    sc_scan_destroy (&scan);
}

/*  What 'once' prints of one subnet, and the status it leaves.  */
static int
s_outcome (char *out, size_t size, const sp_delivery_sum_t *sum)
{
    static const case_t item
        = { "10.0.0.0/24", true, true, false, "", "", SP_KIND_BOTH };
    sc_scan_t *scan = s_scan (&item);
    sc_tell_t tell = { .once = true };
    sc_outcome_t outcome = { .cidr = sc_scan_cidr (scan),
                             .up = sc_scan_report (scan)->up,
                             .note = sc_scan_note (scan),
                             .sum = sum };
    FILE *file = tmpfile ();
    assert_non_null (file);
    (void) fflush (stdout);
    int saved = dup (STDOUT_FILENO);
    assert_true (dup2 (fileno (file), STDOUT_FILENO) >= 0);
    sc_tell_outcome (&tell, &outcome);
    (void) fflush (stdout);
    assert_true (dup2 (saved, STDOUT_FILENO) >= 0);
    (void) close (saved);
    rewind (file);
    out[fread (out, 1, size - 1, file)] = '\0';
    (void) fclose (file);
    sc_scan_destroy (&scan);
    return tell.exit_status;
}

static void
test_refused_hosts_are_told (void **state)
{
    (void) state;
    char text[2048];
    sp_delivery_sum_t sum = { .refused = 6, .host_cause = "host-column" };
    assert_int_equal (s_outcome (text, sizeof text, &sum), EX_PROTOCOL);
    char line[512];
    (void) snprintf (line, sizeof line,
                     "\n    6 addresses refused, host-column: %s\n",
                     sh_err_text (SH_E_HOST_COLUMN));
    assert_non_null (strstr (text, line));
    sum = (sp_delivery_sum_t){ .refused = 1, .host_cause = "host-network" };
    assert_int_equal (s_outcome (text, sizeof text, &sum), EX_OK);
    assert_non_null (strstr (text, "    1 address refused, host-network: the"));
    sum.host_causes = true;
    assert_int_equal (s_outcome (text, sizeof text, &sum), EX_OK);
    assert_non_null (strstr (text, "refused, among other things host-network"));
    sum = (sp_delivery_sum_t){ .refused = 1, .host_cause = "host-\x1b-new" };
    assert_int_equal (s_outcome (text, sizeof text, &sum), EX_PROTOCOL);
    assert_null (strchr (text, '\x1b'));
    assert_null (strstr (text, "please report"));
}

/* a hub that answers questions with pages without end */

typedef enum
{
    EVIL_SAME,       /* always the same page */
    EVIL_EMPTY,      /* empty, and there is more */
    EVIL_OUTSIDE,    /* further and further outside of the subnet */
    EVIL_BACKWARDS,  /* rows of a page descend; none can be read */
    EVIL_UNREADABLE  /* ids ascend for ever; none can be read */
} evil_t;

typedef struct
{
    char public_key[41], secret_key[41], endpoint[64];
    atomic_int evil;
    atomic_bool stop;
    void *context, *router;
    pthread_t thread;
} evil_hub_t;

static void
s_evil_targets (evil_t evil, sp_message_t *answer, const sp_targets_t *ask)
{
    static sp_target_t rows[1024];
    static uint8_t ips[1024][4];
    uint32_t from = evil == EVIL_OUTSIDE ? 0x0a000100 : 0x0a000001;
    if (evil == EVIL_OUTSIDE && ask->after.size == 4) {
        const uint8_t *at = ask->after.data;
        from = ((uint32_t) at[0] << 24 | (uint32_t) at[1] << 16
                | (uint32_t) at[2] << 8 | at[3]) + 1;
    }
    size_t count = evil == EVIL_OUTSIDE ? 1024 : evil == EVIL_SAME ? 1 : 0;
    for (size_t i = 0; i < count; i++, from++) {
        for (int k = 0; k < 4; k++)
            ips[i][k] = (uint8_t) (from >> (24 - 8 * k));
        rows[i] = (sp_target_t){ .ip = { ips[i], 4 } };
    }
    answer->type = SP_TARGETS_PAGE;
    answer->u.targets_page = (sp_targets_page_t){ .subnet = ask->subnet,
                                                  .more = true,
                                                  .targets = rows,
                                                  .target_count = count };
}

static void
s_evil_assignments (evil_t evil, sp_message_t *answer,
                    const sp_assignments_t *ask)
{
    static sp_subnet_t rows[1000];
    static const uint8_t revision[SP_REVISION] = { 1 };
    size_t count = evil == EVIL_EMPTY       ? 0
                   : evil == EVIL_BACKWARDS ? 2
                   : evil == EVIL_SAME      ? 1
                                            : 1000;
    for (size_t i = 0; i < count; i++)
        rows[i] = (sp_subnet_t){
            .id = evil == EVIL_BACKWARDS ? 9 - i
                  : evil == EVIL_SAME    ? 9
                                         : ask->after + 1 + i,
            .cidr = evil == EVIL_SAME ? "10.0.0.0/24" : "nonsense"
        };
    answer->type = SP_ASSIGNMENTS_PAGE;
    answer->u.assignments_page
        = (sp_assignments_page_t){ .revision = { revision, sizeof revision },
                                   .more = true,
                                   .subnets = rows,
                                   .subnet_count = count };
}

static void
s_evil_answer (evil_hub_t *self)
{
    uint8_t peer[256], frame[4096];
    int peer_size = zmq_recv (self->router, peer, sizeof peer, 0);
    int size = zmq_recv (self->router, frame, sizeof frame, 0);
    evil_t evil = (evil_t) atomic_load (&self->evil);
    sp_message_t *message = NULL, answer = { .type = SP_BEAT };
    if (peer_size < 0 || size < 0
        || sp_decode (&message, (sh_bytes_t){ frame, (size_t) size }, NULL))
        abort ();
    if (message->type == SP_HELLO) {
        answer.type = SP_WELCOME;
        answer.u.welcome = (sp_welcome_t){ .now = message->u.hello.now,
                                           .hello_now = message->u.hello.now,
                                           .name = "evil",
                                           .version = "1",
                                           .part_bytes = SP_PART_BYTES_MOST,
                                           .part_hosts = SP_PART_HOSTS_MOST };
    } else if (message->type == SP_TARGETS)
        s_evil_targets (evil, &answer, &message->u.targets);
    else if (message->type == SP_ASSIGNMENTS)
        s_evil_assignments (evil, &answer, &message->u.assignments);
    uint8_t *data = NULL;
    size_t data_size = 0;
    if (sp_encode (&data, &data_size, &answer) != SH_OK)
        abort ();
    zmq_send (self->router, peer, (size_t) peer_size, ZMQ_SNDMORE);
    zmq_send (self->router, data, data_size, 0);
    free (data);
    sp_message_destroy (&message);
}

static void *
s_evil_run (void *arg)
{
    evil_hub_t *self = arg;
    while (!atomic_load (&self->stop)) {
        zmq_pollitem_t item = { self->router, 0, ZMQ_POLLIN, 0 };
        if (zmq_poll (&item, 1, 5) > 0)
            s_evil_answer (self);
    }
    zmq_close (self->router);
    return NULL;
}

static void
s_evil_start (evil_hub_t *self)
{
    int on = 1, off = 0;
    size_t size = sizeof self->endpoint;
    assert_int_equal (zmq_curve_keypair (self->public_key, self->secret_key),
                      0);
    self->context = zmq_ctx_new ();
    self->router = zmq_socket (self->context, ZMQ_ROUTER);
    zmq_setsockopt (self->router, ZMQ_LINGER, &off, sizeof off);
    zmq_setsockopt (self->router, ZMQ_CURVE_SERVER, &on, sizeof on);
    zmq_setsockopt (self->router, ZMQ_CURVE_SECRETKEY, self->secret_key, 40);
    assert_int_equal (zmq_bind (self->router, "tcp://127.0.0.1:*"), 0);
    zmq_getsockopt (self->router, ZMQ_LAST_ENDPOINT, self->endpoint, &size);
    assert_int_equal (
        pthread_create (&self->thread, NULL, s_evil_run, self), 0);
}

static sc_link_t *
s_evil_link (const evil_hub_t *hub, sc_config_t **config, sc_tell_t *tell)
{
    char directory[] = "/tmp/test_scanner-XXXXXX";
    char path[64], text[512];
    sh_keyfile_t *key = NULL;
    sc_link_t *link = NULL;
    sh_why_t why = { 0 };
    assert_non_null (mkdtemp (directory));
    (void) snprintf (path, sizeof path, "%s/key", directory);
    assert_int_equal (sh_keyfile_generate (&key), SH_OK);
    assert_int_equal (sh_keyfile_save (key, path, true, &why), SH_OK);
    sh_keyfile_destroy (&key);
    (void) snprintf (text, sizeof text,
                     "hub: {endpoint: '%s', key: '%s'}\nkey: %s\n",
                     hub->endpoint, hub->public_key, path);
    if (sc_config_parse (config, text, strlen (text), "x.yaml", &why) != SH_OK
        || sc_link_new (&link, *config, "test 1", tell, sh_clock_system (),
                        &why)
               != SH_OK)
        fail_msg ("%s", why.text);
    (void) unlink (path);
    (void) rmdir (directory);
    return link;
}

/*  Until the question is over.  */
static sh_err_t
s_ask (sc_ask_t *ask, sc_link_t *link, sh_why_t *why)
{
    sh_err_t rc = SH_OK;
    while (!sc_ask_step (ask, &rc, why)) {
        const sp_event_t *event;
        assert_int_equal (sc_link_wait (link, sc_ask_timeout (ask), &event),
                          SH_OK);
        sc_ask_take (ask, event);
    }
    assert_true (sc_ask_is_idle (ask));
    return rc;
}

static void
test_pages_without_end (void **state)
{
    (void) state;
    static const struct
    {
        evil_t evil;
        const char *targets, *assignments; /* NULL: not that question */
    } table[] = {
        { EVIL_SAME, "do not advance", "do not advance" },
        { EVIL_EMPTY, "do not advance", "do not advance" },
        { EVIL_OUTSIDE, "outside of 10.0.0.0/24", NULL },
        { EVIL_BACKWARDS, NULL, "not in ascending order" },
        { EVIL_UNREADABLE, NULL, "more than 65536 subnets" },
    };
    static const case_t item
        = { "10.0.0.0/24", true, true, false, "", "", SP_KIND_BOTH };
    evil_hub_t hub = { 0 };
    sc_tell_t tell = { 0 };
    sc_config_t *config = NULL;
    zsys_handler_set (NULL);
    sh_log_set_level (SH_LOG_ERROR);
    s_evil_start (&hub);
    sc_link_t *link = s_evil_link (&hub, &config, &tell);
    sc_ask_t *ask = NULL;
    assert_int_equal (sc_ask_new (&ask, link, NULL, false), SH_OK);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        atomic_store (&hub.evil, (int) table[i].evil);
        sh_why_t why = { 0 };
        sc_plan_t plan = { 0 };
        if (table[i].targets) {
            sc_scan_t *scan = s_scan (&item);
            sc_ask_targets (ask, 9, scan, 8000);
            assert_int_equal (s_ask (ask, link, &why), SH_E_BAD_MESSAGE);
            if (!strstr (why.text, table[i].targets))
                fail_msg ("%zu: %s", i, why.text);
            sc_scan_destroy (&scan);
        }
        if (table[i].assignments) {
            sc_ask_assignments (ask, &plan, &tell, 8000);
            sh_err_t rc = s_ask (ask, link, &why);
            assert_int_equal (rc, table[i].evil == EVIL_UNREADABLE
                                      ? SH_E_TOO_LARGE
                                      : SH_E_BAD_MESSAGE);
            if (!strstr (why.text, table[i].assignments))
                fail_msg ("%zu: %s", i, why.text);
            assert_int_equal (plan.count, 0);
        }
    }
    atomic_store (&hub.stop, true);
    (void) pthread_join (hub.thread, NULL);
    sc_ask_destroy (&ask);
    sc_link_destroy (&link);
    sc_config_destroy (&config);
    zmq_ctx_term (hub.context);
}

static void
s_found (sc_result_t *result, const char *ip, int64_t seen, const char *name)
{
    sc_host_t host = { .ip = set_ip (ip), .seen = seen };
    host.name = name ? strdup (name) : NULL;
    assert_int_equal (sc_result_add (result, &host), SH_OK);
}

static void
test_report (void **state)
{
    (void) state;
    static const case_t item = { "10.0.0.0/29", true, true, false,
                                 "-10.0.0.3", "", SP_KIND_BOTH };
    sc_scan_t *scan = s_scan (&item);
    sc_result_t result = { .complete = true };
    s_found (&result, "10.0.0.6", 5000, NULL);
    s_found (&result, "10.0.0.1", 900, "old");
    s_found (&result, "10.0.0.1", 1500, "new");
    s_found (&result, "10.0.0.3", 1500, "excluded");
    s_found (&result, "10.0.0.7", 1500, NULL);
    s_found (&result, "192.0.2.1", 1500, "elsewhere");
    assert_int_equal (sc_scan_finish (scan, &result, 1000, 2000), SH_OK);
    assert_int_equal (result.count, 0);
    const sp_report_t *report = sc_scan_report (scan);
    assert_int_equal (report->subnet, 9);
    assert_string_equal (report->cidr, "10.0.0.0/29");
    assert_string_equal (report->code, "site-a");
    assert_int_equal (report->kind, SP_KIND_BOTH);
    assert_int_equal (report->started, 1000);
    assert_int_equal (report->finished, 2000);
    assert_true (report->complete);
    assert_int_equal (report->up, 2);
    assert_int_equal (report->host_count, 2);
    assert_memory_equal (report->hosts[0].ip.data, "\x0a\0\0\x01", 4);
    assert_string_equal (report->hosts[0].name, "new");
    assert_int_equal (report->hosts[0].seen, 1500);
    assert_memory_equal (report->hosts[1].ip.data, "\x0a\0\0\x06", 4);
    assert_int_equal (report->hosts[1].seen, 2000);
    assert_null (report->hosts[1].name);
    assert_null (report->hosts[1].mac);
    assert_int_equal (report->covered_count, 2);
    assert_memory_equal (report->covered[0].last.data, "\x0a\0\0\x02", 4);
    assert_memory_equal (report->covered[1].first.data, "\x0a\0\0\x04", 4);
    sc_scan_destroy (&scan);
}

/*  What the hub's file skips is not probed, and of what was missed the report
    says nothing.  */
static void
test_report_missed (void **state)
{
    (void) state;
    sc_subnet_t subnet = { .id = 9, .discover = true };
    sc_scan_t *scan = NULL;
    assert_int_equal (sh_prefix_parse (&subnet.prefix, "10.0.0.0/28"), SH_OK);
    assert_int_equal (set_add (&subnet.skip, "9.0.0.0", "9.0.0.1"), SH_OK);
    assert_int_equal (set_add (&subnet.skip, "10.0.0.4", "10.0.0.5"), SH_OK);
    assert_int_equal (
        sc_scan_new (&scan, &subnet, SP_KIND_DISCOVER, NULL), SH_OK);
    s_add_known (scan, "10.0.0.2 10.0.0.4 -10.0.0.9 10.0.0.15");
    assert_int_equal (sc_scan_plan (scan), SH_OK);
    const sc_job_t *job = sc_scan_job (scan);
    assert_string_equal (set_show (job->ranges),
                         "10.0.0.1-10.0.0.3 10.0.0.6-10.0.0.8 "
                         "10.0.0.10-10.0.0.14");
    assert_string_equal (set_show (job->known), "10.0.0.2-10.0.0.2");
    assert_string_equal (set_show (job->skip),
                         "10.0.0.4-10.0.0.5 10.0.0.9-10.0.0.9");
    sc_result_t result = { .complete = true, .text = "2 missed" };
    assert_int_equal (set_add (&result.missed, "10.0.0.7", "10.0.0.8"), SH_OK);
    assert_int_equal (sc_scan_finish (scan, &result, 1000, 2000), SH_OK);
    const sp_report_t *report = sc_scan_report (scan);
    assert_true (report->complete);
    assert_int_equal (report->covered_count, 3);
    assert_memory_equal (report->covered[1].first.data, "\x0a\0\0\x06", 4);
    assert_memory_equal (report->covered[1].last.data, "\x0a\0\0\x06", 4);
    assert_string_equal (sc_scan_trouble (scan), "2 missed");
    sc_scan_destroy (&scan);
    sc_subnet_clear (&subnet);
}

/*  Neighbours that were looked for may be in the result, if nobody excluded
    them.  */
static void
test_report_neighbours (void **state)
{
    (void) state;
    sc_subnet_t subnet = { .id = 9, .discover = true, .check = true,
                           .neighbours = SC_NEIGHBOURS_ALL };
    sc_scan_t *scan = NULL;
    assert_int_equal (sh_prefix_parse (&subnet.prefix, "2001:db8::/64"),
                      SH_OK);
    assert_int_equal (sc_scan_new (&scan, &subnet, SP_KIND_BOTH, NULL), SH_OK);
    s_add_known (scan, "2001:db8::1 -2001:db8::2");
    assert_int_equal (sc_scan_plan (scan), SH_OK);
    assert_int_equal (sc_scan_job (scan)->neighbours, SC_NEIGHBOURS_ALL);
    sc_result_t result = { .complete = true, .text = "9 were left out" };
    s_found (&result, "2001:db8::2", 1500, NULL);
    s_found (&result, "2001:db8::3", 1500, NULL);
    s_found (&result, "fe80::3", 1500, NULL);
    assert_int_equal (sc_scan_finish (scan, &result, 1000, 2000), SH_OK);
    const sp_report_t *report = sc_scan_report (scan);
    assert_int_equal (report->host_count, 1);
    assert_int_equal (report->hosts[0].ip.data[15], 3);
    assert_int_equal (report->covered_count, 1);
    /* a remark, and no reason to call the scan incomplete */
    assert_string_equal (sc_scan_note (scan), "9 were left out");
    assert_null (sc_scan_trouble (scan));
    sc_scan_destroy (&scan);
}

static void
test_report_incomplete (void **state)
{
    (void) state;
    static const case_t item
        = { "10.0.0.0/29", true, true, false, "", "", SP_KIND_BOTH };
    sc_scan_t *scan = s_scan (&item);
    sc_result_t result = { .complete = false };
    s_found (&result, "10.0.0.6", 1500, NULL);
    /* and a clock that was set back during the scan */
    assert_int_equal (sc_scan_finish (scan, &result, 2000, 1000), SH_OK);
    const sp_report_t *report = sc_scan_report (scan);
    assert_false (report->complete);
    assert_int_equal (report->covered_count, 0);
    assert_int_equal (report->up, 1);
    assert_int_equal (report->finished, 2000);
    assert_int_equal (report->hosts[0].seen, 2000);
    sc_scan_destroy (&scan);
}

static void
test_exit_statuses (void **state)
{
    (void) state;
    static const struct
    {
        sh_err_t err;
        int status;
    } table[] = {
        { SH_OK, EX_OK },
        { SH_E_DISCONNECTED, EX_UNAVAILABLE },
        { SH_E_HUB_KEY, EX_UNAVAILABLE },
        { SH_E_KEY_REFUSED, EX_NOPERM },
        { SH_E_AGENT_UNKNOWN, EX_NOPERM },
        { SH_E_CIDR_MISMATCH, EX_PROTOCOL },
        { SH_E_DB_DOWN, EX_TEMPFAIL },
        { SH_E_TIMEOUT, EX_TEMPFAIL },
        { SH_E_PROBE, EX_TEMPFAIL },
        { SH_E_NOT_FOUND, EX_OSFILE },
        { SH_E_CONFIG, EX_CONFIG },
        { SH_E_DB_RIGHTS, EX_SOFTWARE },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal (sc_exit_status (table[i].err), table[i].status);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_scan_plans),
        cmocka_unit_test (test_scan_order),
        cmocka_unit_test (test_scan_strays),
        cmocka_unit_test (test_refused_hosts_are_told),
        cmocka_unit_test (test_pages_without_end),
        cmocka_unit_test (test_report),
        cmocka_unit_test (test_report_missed),
        cmocka_unit_test (test_report_neighbours),
        cmocka_unit_test (test_report_incomplete),
        cmocka_unit_test (test_exit_statuses),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
