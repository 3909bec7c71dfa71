/* SPDX-License-Identifier: MPL-2.0 */
/*  Memory runs out at each single allocation: SH_E_MEMORY, nothing leaked,
    outputs as they were.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/assignments.h"
#include "hub/changes.h"
#include "hub/live.h"
#include "hub/queue.h"
#include "hub/registry.h"
#include "lib/keyfile.h"
#include "lib/log.h"
#include "lib/yaml.h"
#include "scanner-proto/codec.h"
#include "scanner-proto/delivery.h"
#include "scanner-proto/spool.h"
#include "shim/legacy.h"
#include "shim/token.h"
#include "tests/unit/nomem.h"
#include "tests/unit/samples.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define NOON INT64_C (1780315200) /* 2026-06-01 12:00:00 UTC */
#define UNTOUCHED ((void *) s_dir)

static char s_dir[64], s_path[96];

/*  The log keeps what it has said.  */
void __wrap_sh_log_fields (sh_level_t level, const char *text,
                           const sh_field_t *fields);
void
__wrap_sh_log_fields (sh_level_t level, const char *text,
                      const sh_field_t *fields)
{
    (void) level;
    (void) text;
    (void) fields;
}

static int64_t s_now = NOON * 1000;

static int64_t
s_clock_ms (void *context)
{
    return *(int64_t *) context;
}

static const sh_clock_t s_clock = { s_clock_ms, s_clock_ms, &s_now };

/*  A report of many hosts, so that buffers have to grow.  */
enum { HOSTS = 300 };

static sp_report_t
s_report (void)
{
    static uint8_t addrs[HOSTS][4], id[SP_REPORT_ID];
    static sp_host_t hosts[HOSTS];
    static char names[HOSTS][64];
    static sp_range_t range = { { addrs[0], 4 }, { addrs[HOSTS - 1], 4 } };
    for (size_t i = 0; i < HOSTS; i++) {
        uint8_t addr[4] = { 10, 0, (uint8_t) (i >> 8), (uint8_t) i };
        memcpy (addrs[i], addr, 4);
        snprintf (names[i], sizeof names[i], "host-%zu.site-a.example", i);
        hosts[i] = (sp_host_t){ .ip = { addrs[i], 4 }, .seen = NOON * 1000,
                                .name = names[i],
                                .mac = "00:1a:2b:00:00:0a" };
    }
    return (sp_report_t){ .id = { id, sizeof id }, .subnet = 7,
                          .cidr = "10.0.0.0/16", .kind = SP_KIND_BOTH,
                          .started = (NOON - 60) * 1000,
                          .finished = NOON * 1000, .hosts = hosts,
                          .host_count = HOSTS, .complete = true, .up = HOSTS,
                          .covered = &range, .covered_count = 1 };
}

/*  Messages.  */

static const sp_message_t *s_message;

static sh_err_t
s_encode (void)
{
    uint8_t *data = UNTOUCHED;
    size_t size = 12345;
    sh_err_t rc = sp_encode (&data, &size, s_message);
    if (rc == SH_OK)
        free (data);
    else
        assert_true (data == UNTOUCHED && size == 12345);
    return rc;
}

static uint8_t *s_frame;
static size_t s_frame_size;

static sh_err_t
s_decode (void)
{
    sp_message_t *message = UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc
        = sp_decode (&message, (sh_bytes_t){ s_frame, s_frame_size }, &why);
    if (rc == SH_OK)
        sp_message_destroy (&message);
    else
        assert_true (message == UNTOUCHED);
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
    sp_message_t many = { .type = SP_REPORT, .u.report = s_report () };
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
    sp_report_t report = s_report ();
    for (size_t i = 0; i < COUNT (hosts); i++)
        hosts[i] = report.hosts[i % HOSTS];
    report.hosts = hosts;
    report.host_count = COUNT (hosts);
    memset (s_sent, 0, sizeof s_sent);
    sp_delivery_t *delivery = UNTOUCHED;
    sh_err_t rc = sp_delivery_new (&delivery, &report, &s_clock);
    if (rc != SH_OK) {
        assert_true (delivery == UNTOUCHED);
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
    sp_spool_t *spool = UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc = sp_spool_open (&spool, s_path, SP_SPOOL_DEFAULT_MOST,
                                 &s_clock, &why);
    if (rc == SH_OK)
        sp_spool_close (&spool);
    else
        assert_true (spool == UNTOUCHED && strlen (why.text) > 10);
    return rc;
}

static sh_err_t
s_put (void)
{
    sp_report_t report = s_report ();
    uint64_t depth = sp_spool_depth (s_spool);
    uint64_t bytes = sp_spool_bytes (s_spool);
    sh_err_t rc = sp_spool_put (s_spool, "test", &report);
    assert_int_equal (sp_spool_depth (s_spool), depth + (rc == SH_OK));
    assert_int_equal (sp_spool_bytes (s_spool) > bytes, rc == SH_OK);
    return rc;
}

static sh_err_t
s_take (void)
{
    sp_spooled_t *spooled = UNTOUCHED;
    sh_err_t rc = sp_spool_next (s_spool, 0, &spooled);
    if (rc != SH_OK) {
        assert_true (spooled == UNTOUCHED);
        return rc;
    }
    assert_int_equal (spooled->report.host_count, HOSTS);
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
    snprintf (s_path, sizeof s_path, "%s/spool", s_dir);
    nomem_try ("spool open", s_open_spool);
    assert_int_equal (sp_spool_open (&s_spool, s_path, SP_SPOOL_DEFAULT_MOST,
                                     &s_clock, NULL), SH_OK);
    assert_true (nomem_try ("spool put", s_put) > 3);
    /* nothing is dropped because there was no memory to read it */
    uint64_t depth = sp_spool_depth (s_spool);
    assert_true (nomem_try ("spool next", s_take) > 5);
    assert_int_equal (sp_spool_depth (s_spool), depth);
    for (; depth > 0; depth--)
        assert_int_equal (s_remove (), SH_OK);
    sp_spool_close (&s_spool);
}

/*  What the hub makes of a report.  */

static hub_subnet_t
s_subnet (void)
{
    hub_subnet_t subnet = { .id = 7, .has_prefix = true, .agent = 3,
                            .check = true, .discover = true };
    assert_int_equal (sh_prefix_parse (&subnet.prefix, "10.0.0.0/16"), SH_OK);
    return subnet;
}

static sh_err_t
s_check_sightings (void)
{
    sp_report_t report = s_report ();
    hub_subnet_t subnet = s_subnet ();
    hub_sightings_t *sightings = UNTOUCHED;
    sh_err_t rc
        = hub_sightings_check (&sightings, &report, &subnet, NOON * 1000);
    if (rc == SH_OK)
        hub_sightings_destroy (&sightings);
    else
        assert_true (sightings == UNTOUCHED);
    return rc;
}

static bool s_closing;

/*  Every second host has a row with another name, MAC and tag.  */
static sh_err_t
s_plan_changes (void)
{
    static hub_row_t rows[HOSTS];
    sp_report_t report = s_report ();
    hub_subnet_t subnet = s_subnet ();
    hub_agent_t agent = { .id = 3, .name = s_dir, .update_tags = true,
                          .tags = { 1, 2, 3, 4 }, .tag_count = 4 };
    hub_sightings_t *sightings = NULL;
    hub_changes_t *changes = UNTOUCHED;
    sh_err_t rc
        = hub_sightings_check (&sightings, &report, &subnet, NOON * 1000);
    if (rc != SH_OK)
        return rc;
    hub_rows_t all = { .items = rows };
    for (size_t i = 1; i < sightings->count; i += 2)
        rows[all.count++] = (hub_row_t){
            .id = i, .ip = sightings->items[i].ip, .has_state = true,
            .state = i % 4 == 1 ? HUB_TAG_OFFLINE : HUB_TAG_USED,
            .autodiscovered = i % 3 == 0,
            .last_seen = "2026-05-01 00:00:00",
            .hostname = i % 5 ? "old" : "", .mac = "00:00:00:00:00:01",
        };
    report.last = s_closing;
    hub_facts_t facts = {
        .report = &report, .agent = &agent, .subnet = &subnet,
        .sightings = s_closing ? NULL : sightings, .rows = &all,
        .zone = SH_ZONE_UTC,
        .policy = { HUB_FIELD_FOLLOW, HUB_FIELD_FOLLOW, HUB_TAGS_PHPIPAM },
        .received = NOON * 1000, .now = NOON,
    };
    rc = hub_changes_plan (&changes, &facts);
    if (rc == SH_OK)
        hub_changes_destroy (&changes);
    else
        assert_true (changes == UNTOUCHED);
    hub_sightings_destroy (&sightings);
    return rc;
}

static void
test_changes (void **state)
{
    (void) state;
    assert_true (nomem_try ("sightings", s_check_sightings) > 3);
    s_closing = false;
    assert_true (nomem_try ("changes", s_plan_changes) > 4);
    s_closing = true;
    assert_true (nomem_try ("closing changes", s_plan_changes) > 4);
}

/*  Jobs and queues.  */

static sh_err_t
s_make_job (void)
{
    static hub_code_t codes[] = { { "one" }, { "two" } };
    hub_principal_t who = { .codes = codes, .code_count = 2 };
    hub_job_t *job = UNTOUCHED;
    sh_err_t rc = hub_job_new (&job, HUB_JOB_REPORT, &who,
                               (sh_bytes_t){ (const uint8_t *) "frame", 5 });
    if (rc == SH_OK)
        hub_job_destroy (&job);
    else
        assert_true (job == UNTOUCHED);
    return rc;
}

/*  Putting into it and taking out need no memory.  */
static sh_err_t
s_make_queue (void)
{
    static const hub_principal_t nobody;
    hub_queue_t *queue = UNTOUCHED;
    sh_err_t rc = hub_queue_new (&queue, 4, 1000);
    if (rc != SH_OK) {
        assert_true (queue == UNTOUCHED);
        return rc;
    }
    hub_job_t *job, *taken;
    rc = hub_job_new (&job, HUB_JOB_TOUCH, &nobody, (sh_bytes_t){ NULL, 0 });
    if (rc == SH_OK) {
        nomem_fail_at (nomem_is_hit () ? 0 : 1, true);
        assert_true (hub_queue_put (queue, job));
        assert_int_equal (hub_queue_take (queue, &taken, 1, 1, 0), 1);
        assert_false (nomem_is_hit ());
        nomem_lift ();
        hub_job_destroy (&taken);
    }
    hub_queue_destroy (&queue);
    return rc;
}

static sh_err_t
s_make_live (void)
{
    hub_live_t *live = UNTOUCHED;
    sh_err_t rc = hub_live_new (&live, HUB_ZONE_UTC);
    if (rc == SH_OK)
        hub_live_destroy (&live);
    else
        assert_true (live == UNTOUCHED);
    return rc;
}

static void
test_jobs (void **state)
{
    (void) state;
    assert_int_equal (nomem_try ("job", s_make_job), 3);
    assert_true (nomem_try ("queue", s_make_queue) > 2);
    nomem_try ("live", s_make_live);
}

/*  Texts from outside.  */

static const char *s_body;

static sh_err_t
s_parse_body (void)
{
    sm_legacy_t *legacy = UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc = sm_legacy_parse (&legacy, s_body, strlen (s_body),
                                   NOON * 1000, &why);
    if (rc == SH_OK) {
        assert_int_equal (legacy->report.host_count, 2);
        assert_int_equal (legacy->refused_count, 1);
        sm_legacy_destroy (&legacy);
    } else
        assert_true (legacy == UNTOUCHED && *why.text);
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
    sh_yaml_t *yaml = UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc = sh_yaml_parse (&yaml, text, strlen (text), "x", &why);
    if (rc == SH_OK)
        sh_yaml_destroy (&yaml);
    else
        assert_true (yaml == UNTOUCHED && *why.text);
    return rc;
}

static sh_err_t
s_add_token (void)
{
    static const char *const codes[] = { "one", "two" };
    sm_tokens_t *tokens = UNTOUCHED;
    sh_err_t rc = sm_tokens_new (&tokens);
    if (rc != SH_OK) {
        assert_true (tokens == UNTOUCHED);
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
    assert_true (nomem_try ("token", s_add_token) > 3);
}

/*  The registry.  */

static const char *const s_keys[] = {
    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7",
    "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6",
};

static void
s_write_entry (size_t number)
{
    char path[128];
    snprintf (path, sizeof path, "%s/site-%zu.cert", s_dir, number);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fprintf (file, "metadata\n    code = \"code-%zu\"\n", number);
    fprintf (file, "curve\n    public-key = \"%s\"\n", s_keys[number]);
    assert_int_equal (fclose (file), 0);
}

static sh_err_t
s_read_key (void)
{
    static const char text[] = "metadata\n    name = \"x\"\n"
                               "    code = \"c\"\n    code = \"d\"\ncurve\n"
                               "    public-key = "
                               "\"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"\n";
    sh_keyfile_t *key = UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc = sh_keyfile_parse (&key, text, strlen (text), "x", false,
                                    &why);
    if (rc == SH_OK)
        sh_keyfile_destroy (&key);
    else
        assert_true (key == UNTOUCHED && *why.text);
    return rc;
}

static sh_err_t
s_read_registry (void)
{
    hub_registry_t *registry = UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc = hub_registry_new (&registry, s_dir, &why);
    if (rc == SH_OK) {
        /* a file for which there was no memory lets nobody in */
        size_t size = hub_registry_size (registry);
        assert_true (size == COUNT (s_keys) || nomem_is_hit ());
        hub_registry_destroy (&registry);
    } else
        assert_true (registry == UNTOUCHED && *why.text);
    return rc;
}

static hub_registry_t *s_registry;

/*  What could not be read whole changes nothing.  */
static sh_err_t
s_reload_registry (void)
{
    size_t before = hub_registry_size (s_registry);
    sh_why_t why = { "" };
    sh_err_t rc = hub_registry_reload (s_registry, &why);
    if (rc != SH_OK) {
        assert_int_equal (hub_registry_size (s_registry), before);
        assert_true (*why.text);
    }
    nomem_lift ();
    nomem_count_from_here (); /* the old entries have made room for new */
    assert_int_equal (hub_registry_reload (s_registry, &why), SH_OK);
    assert_int_equal (hub_registry_size (s_registry), COUNT (s_keys));
    nomem_count_from_here ();
    return rc;
}

static sh_err_t
s_find_key (void)
{
    hub_principal_t who = { .name = "untouched" };
    if (hub_registry_find (s_registry, s_keys[0], &who)) {
        assert_string_equal (who.name, "site-0");
        hub_principal_clear (&who);
        return SH_OK;
    }
    assert_string_equal (who.name, "untouched");
    return SH_E_MEMORY;
}

static void
test_registry (void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT (s_keys); i++)
        s_write_entry (i);
    assert_true (nomem_try ("key file", s_read_key) > 4);
    assert_true (nomem_try_lenient ("registry", s_read_registry) > 10);
    sh_why_t why = { "" };
    assert_int_equal (hub_registry_new (&s_registry, s_dir, &why), SH_OK);
    assert_true (nomem_try_lenient ("reload", s_reload_registry) > 10);
    assert_true (nomem_try ("find a key", s_find_key) > 0);
    hub_registry_destroy (&s_registry);
}

/*  Assignments: what they were to be made of stays the caller's.  */

static hub_plan_t *
s_new_plan (void)
{
    hub_plan_t *plan = calloc (1, sizeof *plan);
    assert_non_null (plan);
    plan->agents = calloc (1, sizeof *plan->agents);
    plan->subnets = calloc (2, sizeof *plan->subnets);
    assert_true (plan->agents && plan->subnets);
    plan->agent_count = 1;
    plan->agents[0] = (hub_known_agent_t){ 3, strdup ("a"), strdup ("c"),
                                           true };
    for (; plan->subnet_count < 2; plan->subnet_count++) {
        hub_subnet_t subnet = s_subnet ();
        plan->subnets[plan->subnet_count] = (hub_assigned_t){
            .id = 7 + plan->subnet_count, .prefix = subnet.prefix,
            .agent = 3, .nameservers = strdup ("10.0.0.53;10.0.0.54") };
    }
    return plan;
}

static unsigned s_assign_at;

static sh_err_t
s_assign (void)
{
    hub_assignments_t *made = UNTOUCHED;
    hub_plan_t *plan = s_new_plan ();
    nomem_fail_at (s_assign_at, true);
    sh_err_t rc = hub_assignments_new (&made, &plan);
    if (rc != SH_OK) {
        nomem_lift ();
        assert_true (made == UNTOUCHED && plan);
        hub_plan_destroy (&plan);
        return rc;
    }
    assert_null (plan);
    uint8_t *frame = UNTOUCHED;
    size_t size;
    rc = hub_assignments_page (made, 3, 0, &frame, &size);
    nomem_lift ();
    if (rc == SH_OK)
        free (frame);
    else
        assert_true (frame == UNTOUCHED);
    hub_assignments_release (&made);
    return rc;
}

static void
test_assignments (void **state)
{
    (void) state;
    unsigned failures = 0;
    for (s_assign_at = 1;; s_assign_at++) {
        nomem_count_from_here ();
        sh_err_t rc = s_assign ();
        assert_int_equal (rc, nomem_is_hit () ? SH_E_MEMORY : SH_OK);
        assert_int_equal (nomem_live (), 0);
        if (rc == SH_OK)
            break;
        failures++;
    }
    assert_true (failures > 2);
}

static int
s_setup (void **state)
{
    (void) state;
    snprintf (s_dir, sizeof s_dir, "/tmp/scanhub-nomem-XXXXXX");
    return mkdtemp (s_dir) ? 0 : -1;
}

static int
s_teardown (void **state)
{
    (void) state;
    char path[128];
    unlink (s_path);
    for (size_t i = 0; i < COUNT (s_keys); i++) {
        snprintf (path, sizeof path, "%s/site-%zu.cert", s_dir, i);
        unlink (path);
    }
    return rmdir (s_dir);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_messages),
        cmocka_unit_test (test_delivery),
        cmocka_unit_test (test_spool),
        cmocka_unit_test (test_changes),
        cmocka_unit_test (test_jobs),
        cmocka_unit_test (test_legacy),
        cmocka_unit_test (test_files),
        cmocka_unit_test (test_registry),
        cmocka_unit_test (test_assignments),
    };
    return cmocka_run_group_tests_name ("no memory", tests, s_setup,
                                        s_teardown);
}
