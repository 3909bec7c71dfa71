/* SPDX-License-Identifier: MPL-2.0 */
/*  Memory runs out at each single allocation of the hub's modules: SH_E_MEMORY,
    nothing leaked, outputs as they were.  Intake: test_store_faults.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "hub/assignments.h"
#include "hub/changes.h"
#include "hub/config.h"
#include "hub/live.h"
#include "hub/queue.h"
#include "hub/registry.h"
#include "hub/sessions.h"
#include "tests/unit/nomem.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

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
    sp_report_t report = nomem_report ();
    hub_subnet_t subnet = s_subnet ();
    hub_sightings_t *sightings = NOMEM_UNTOUCHED;
    sp_host_t turned[NOMEM_HOSTS]; /* so that there is something to sort */
    for (size_t i = 0; i < NOMEM_HOSTS; i++)
        turned[i] = report.hosts[NOMEM_HOSTS - 1 - i];
    report.hosts = turned;
    sh_err_t rc
        = hub_sightings_check (&sightings, &report, &subnet, NOMEM_NOON * 1000);
    if (rc == SH_OK)
        hub_sightings_destroy (&sightings);
    else
        assert_true (sightings == NOMEM_UNTOUCHED);
    return rc;
}

static bool s_closing;

/*  Every second host has a row with another name, MAC and tag.  */
static sh_err_t
s_plan_changes (void)
{
    static hub_row_t rows[NOMEM_HOSTS];
    sp_report_t report = nomem_report ();
    hub_subnet_t subnet = s_subnet ();
    hub_agent_t agent = { .id = 3, .name = nomem_dir, .update_tags = true,
                          .tags = { 1, 2, 3, 4 }, .tag_count = 4 };
    hub_sightings_t *sightings = NULL;
    hub_changes_t *changes = NOMEM_UNTOUCHED;
    sh_err_t rc
        = hub_sightings_check (&sightings, &report, &subnet, NOMEM_NOON * 1000);
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
        .policy = { .hostname = HUB_FIELD_FOLLOW, .mac = HUB_FIELD_FOLLOW,
                    .tags = HUB_TAGS_PHPIPAM },
        .received = NOMEM_NOON * 1000, .now = NOMEM_NOON,
    };
    rc = hub_changes_plan (&changes, &facts);
    if (rc == SH_OK)
        hub_changes_destroy (&changes);
    else
        assert_true (changes == NOMEM_UNTOUCHED);
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
    hub_job_t *job = NOMEM_UNTOUCHED;
    sh_err_t rc = hub_job_new (&job, HUB_JOB_REPORT, &who,
                               (sh_bytes_t){ (const uint8_t *) "frame", 5 });
    if (rc == SH_OK)
        hub_job_destroy (&job);
    else
        assert_true (job == NOMEM_UNTOUCHED);
    return rc;
}

/*  Putting into it and taking out need no memory.  */
static sh_err_t
s_make_queue (void)
{
    static const hub_principal_t nobody;
    hub_queue_t *queue = NOMEM_UNTOUCHED;
    sh_err_t rc = hub_queue_new (&queue, 4, 1000);
    if (rc != SH_OK) {
        assert_true (queue == NOMEM_UNTOUCHED);
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
    hub_live_t *live = NOMEM_UNTOUCHED;
    sh_err_t rc = hub_live_new (&live, HUB_ZONE_UTC);
    if (rc == SH_OK)
        hub_live_destroy (&live);
    else
        assert_true (live == NOMEM_UNTOUCHED);
    return rc;
}

/*  The lists themselves are CZMQ's.  */
static sh_err_t
s_open_session (void)
{
    hub_sessions_t *sessions = NOMEM_UNTOUCHED;
    sh_err_t rc = hub_sessions_new (&sessions);
    if (rc != SH_OK) {
        assert_true (sessions == NOMEM_UNTOUCHED);
        return rc;
    }
    bool opened = hub_sessions_open (sessions, "key") != NULL;
    assert_int_equal (hub_sessions_size (sessions), opened);
    hub_sessions_destroy (&sessions);
    return opened ? SH_OK : SH_E_MEMORY;
}

static void
test_jobs (void **state)
{
    (void) state;
    assert_int_equal (nomem_try ("session", s_open_session), 2);
    assert_int_equal (nomem_try ("job", s_make_job), 3);
    assert_true (nomem_try ("queue", s_make_queue) > 2);
    nomem_try ("live", s_make_live);
}

/*  The configuration, as at a reload.  */

static char s_config[96];

static sh_err_t
s_load_config (void)
{
    hub_config_t *config = NOMEM_UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc = hub_config_load (&config, s_config, &why);
    if (rc == SH_OK)
        hub_config_destroy (&config);
    else
        assert_true (config == NOMEM_UNTOUCHED && *why.text);
    return rc;
}

static void
test_config (void **state)
{
    (void) state;
    snprintf (s_config, sizeof s_config, "%s/scanhub.yaml", nomem_dir);
    FILE *file = fopen (s_config, "w");
    assert_non_null (file);
    fputs ("hub:\n  listen: [tcp://10.0.0.1:5766, 'tcp://[::1]:*']\n"
           "  key: /k\n  registry: /r\n  workers: 7\n"
           "database:\n  name: ipam\n  user: me\n  password: ''\n"
           "policy:\n  hostname: fill\n", file);
    assert_int_equal (fclose (file), 0);
    assert_true (nomem_try ("configuration", s_load_config) > 20);
    unlink (s_config);
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
    snprintf (path, sizeof path, "%s/site-%zu.cert", nomem_dir, number);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fprintf (file, "metadata\n    code = \"code-%zu\"\n", number);
    fprintf (file, "curve\n    public-key = \"%s\"\n", s_keys[number]);
    assert_int_equal (fclose (file), 0);
}

static sh_err_t
s_read_registry (void)
{
    hub_registry_t *registry = NOMEM_UNTOUCHED;
    sh_why_t why = { "" };
    sh_err_t rc = hub_registry_new (&registry, nomem_dir, &why);
    if (rc == SH_OK) {
        /* a file for which there was no memory lets nobody in */
        size_t size = hub_registry_size (registry);
        assert_true (size == COUNT (s_keys) || nomem_is_hit ());
        hub_registry_destroy (&registry);
    } else
        assert_true (registry == NOMEM_UNTOUCHED && *why.text);
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
    assert_true (nomem_try_lenient ("registry", s_read_registry) > 10);
    sh_why_t why = { "" };
    assert_int_equal (hub_registry_new (&s_registry, nomem_dir, &why), SH_OK);
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
    plan->agents[0] = (hub_known_agent_t){ .id = 3,
                                           .name = strdup ("a"),
                                           .code = strdup ("c"),
                                           .eligible = true };
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
    hub_assignments_t *made = NOMEM_UNTOUCHED;
    hub_plan_t *plan = s_new_plan ();
    nomem_fail_at (s_assign_at, true);
    sh_err_t rc = hub_assignments_new (&made, &plan, NULL);
    if (rc != SH_OK) {
        nomem_lift ();
        assert_true (made == NOMEM_UNTOUCHED && plan);
        hub_plan_destroy (&plan);
        return rc;
    }
    assert_null (plan);
    uint8_t *frame = NOMEM_UNTOUCHED;
    size_t size;
    rc = hub_assignments_page (made, 3, 0, &frame, &size);
    nomem_lift ();
    if (rc == SH_OK)
        free (frame);
    else
        assert_true (frame == NOMEM_UNTOUCHED);
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

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_changes),
        cmocka_unit_test (test_jobs),
        cmocka_unit_test (test_config),
        cmocka_unit_test (test_registry),
        cmocka_unit_test (test_assignments),
    };
    return cmocka_run_group_tests_name ("no memory, hub", tests, nomem_setup,
                                        nomem_teardown);
}
