/* SPDX-License-Identifier: MPL-2.0 */
/*  scanhubd's configuration: defaults, every key, every refusal; and the
    policies that come out of it.  */

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

#include "hub/config.h"

static char s_dir[64];
static char s_path[128];

static int
setup (void **state)
{
    (void) state;
    unsetenv ("CREDENTIALS_DIRECTORY");
    snprintf (s_dir, sizeof s_dir, "/tmp/test_config.XXXXXX");
    if (!mkdtemp (s_dir))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/scanhub.yaml", s_dir);
    return 0;
}

static int
teardown (void **state)
{
    static const char *const files[]
        = { "scanhub.yaml", "pw", "credentials/pw", "credentials" };
    char path[128];
    (void) state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf (path, sizeof path, "%s/%s", s_dir, files[i]);
        remove (path);
    }
    return rmdir (s_dir);
}

static void
write_file (const char *file, const char *text, mode_t mode)
{
    char path[128];
    snprintf (path, sizeof path, "%s/%s", s_dir, file);
    FILE *to = fopen (path, "w");
    assert_non_null (to);
    assert_true (fputs (text, to) >= 0);
    assert_int_equal (fclose (to), 0);
    assert_int_equal (chmod (path, mode), 0);
}

static hub_config_t *
load (const char *text)
{
    hub_config_t *config = NULL;
    sh_why_t why = { "" };
    write_file ("scanhub.yaml", text, 0600);
    sh_err_t rc = hub_config_load (&config, s_path, &why);
    if (rc != SH_OK)
        fail_msg ("%s", why.text);
    return config;
}

/*  The text must be refused, by a message that contains 'says'.  */
static void
refuse (const char *text, const char *says)
{
    hub_config_t *config = NULL;
    sh_why_t why = { "" };
    write_file ("scanhub.yaml", text, 0600);
    assert_int_equal (hub_config_load (&config, s_path, &why), SH_E_CONFIG);
    assert_null (config);
    assert_non_null (strstr (why.text, s_path));
    if (!strstr (why.text, says))
        fail_msg ("'%s' does not say '%s'", why.text, says);
}

static void
an_empty_file_is_the_defaults (void **state)
{
    (void) state;
    hub_config_t *config = load ("");
    assert_string_equal (config->path, s_path);
    assert_int_equal (config->listen.count, 1);
    assert_string_equal (config->listen.items[0], "tcp://[::]:5766");
    assert_string_equal (config->key, SYSCONFDIR "/scanhub/hub.cert");
    assert_string_equal (config->registry, SYSCONFDIR "/scanhub/scanners");
    assert_string_equal (config->control,
                         RUNSTATEDIR "/scanhub/control.sock");
    assert_int_equal (config->workers, 2);
    assert_string_equal (config->database.host, "127.0.0.1");
    assert_int_equal (config->database.port, 3306);
    assert_null (config->database.socket);
    assert_string_equal (config->database.name, "phpipam");
    assert_string_equal (config->database.user, "scanhub");
    assert_string_equal (config->database.password, "");
    assert_int_equal (config->database.tls, HUB_TLS_OFF);
    assert_null (config->database.tls_ca);
    assert_string_equal (config->timezone, "auto");
    assert_int_equal (config->log_level, SH_LOG_INFO);
    assert_int_equal (config->policies.hub.hostname, HUB_FIELD_AUTO);
    assert_int_equal (config->policies.hub.mac, HUB_FIELD_AUTO);
    assert_int_equal (config->policies.hub.tags, HUB_TAGS_PHPIPAM);
    assert_int_equal (config->policies.count, 0);
    hub_config_destroy (&config);
    assert_null (config);
    hub_config_destroy (&config);
}

static void
every_key_is_taken (void **state)
{
    (void) state;
    hub_config_t *config = load ("hub:\n"
                                 "  listen: [tcp://10.0.0.1:5766, "
                                 "'tcp://[::1]:*']\n"
                                 "  key: /k\n"
                                 "  registry: /r\n"
                                 "  control: /c\n"
                                 "  workers: 7\n"
                                 "database:\n"
                                 "  host: db.example\n"
                                 "  port: 3307\n"
                                 "  name: ipam\n"
                                 "  user: me\n"
                                 "  password: 's3cret'\n"
                                 "  tls: required\n"
                                 "  tls_ca: /ca.pem\n"
                                 "phpipam_timezone: Europe/Berlin\n"
                                 "policy:\n"
                                 "  hostname: follow\n"
                                 "  mac: never\n"
                                 "  tags: never\n"
                                 "log_level: debug\n");
    assert_int_equal (config->listen.count, 2);
    assert_string_equal (config->listen.items[0], "tcp://10.0.0.1:5766");
    assert_string_equal (config->listen.items[1], "tcp://[::1]:*");
    assert_string_equal (config->key, "/k");
    assert_string_equal (config->registry, "/r");
    assert_string_equal (config->control, "/c");
    assert_int_equal (config->workers, 7);
    assert_string_equal (config->database.host, "db.example");
    assert_int_equal (config->database.port, 3307);
    assert_string_equal (config->database.name, "ipam");
    assert_string_equal (config->database.user, "me");
    assert_string_equal (config->database.password, "s3cret");
    assert_int_equal (config->database.tls, HUB_TLS_REQUIRED);
    assert_string_equal (config->database.tls_ca, "/ca.pem");
    assert_string_equal (config->timezone, "Europe/Berlin");
    assert_int_equal (config->policies.hub.hostname, HUB_FIELD_FOLLOW);
    assert_int_equal (config->policies.hub.mac, HUB_FIELD_NEVER);
    assert_int_equal (config->policies.hub.tags, HUB_TAGS_NEVER);
    assert_int_equal (config->log_level, SH_LOG_DEBUG);
    hub_config_destroy (&config);
}

static void
what_is_wrong_is_refused (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *says;
    } cases[] = {
        { "hubb:\n  workers: 1\n", "unknown key 'hubb'" },
        { "hub:\n  wokers: 1\n", ":2: unknown key 'wokers'" },
        { "database:\n  pasword: x\n", "unknown key 'pasword'" },
        { "hub:\n  workers: 0\n", "1 to 64" },
        { "hub:\n  workers: 65\n", "1 to 64" },
        { "hub:\n  workers: two\n", "number" },
        { "hub: 5\n", "must be a map" },
        { "hub:\n  listen: []\n", "empty" },
        { "hub:\n  listen: '*:5766'\n", "tcp://ADDRESS:PORT" },
        { "hub:\n  listen: ipc:///x\n", "tcp://ADDRESS:PORT" },
        { "hub:\n  listen: tcp://*\n", "tcp://ADDRESS:PORT" },
        { "hub:\n  listen: tcp://*:0\n", "tcp://ADDRESS:PORT" },
        { "hub:\n  listen: tcp://*:65536\n", "tcp://ADDRESS:PORT" },
        { "hub:\n  listen: tcp://:5766\n", "tcp://ADDRESS:PORT" },
        { "hub:\n  key: hub.cert\n", "hub.key must be a path" },
        { "hub:\n  registry: ''\n", "hub.registry must be a path" },
        { "hub:\n  control: x\n", "hub.control must be a path" },
        { "database:\n  socket: x\n", "database.socket must be a path" },
        { "database:\n  tls_ca: x\n", "database.tls_ca must be a path" },
        { "database:\n  port: 70000\n", "65535" },
        { "database:\n  host: ''\n", "database.host is empty" },
        { "database:\n  name: ''\n", "database.name is empty" },
        { "database:\n  user: ''\n", "database.user is empty" },
        { "database:\n  tls: yes\n", "off, preferred, required" },
        { "database:\n  password: x\n  password_file: /y\n", "exclude" },
        { "phpipam_timezone: ''\n", "phpipam_timezone is empty" },
        { "log_level: loud\n", "debug" },
        { "log_level: [info]\n", "debug" },
        { "policy:\n  hostname: sometimes\n", "never, fill, follow, auto" },
        { "policy:\n  hostname: inherit\n", "never, fill, follow, auto" },
        { "policy:\n  tags: fill\n", "never, phpipam" },
        { "policy:\n  agents: [a]\n", "must be a map" },
        { "policy:\n  agents:\n    a: {hostnam: fill}\n", "unknown key" },
        { "policy:\n  agents:\n    '': {tags: never}\n", "agent's name" },
        { "policy:\n  subnets:\n    lan: {tags: never}\n", "subnet id" },
        { "policy:\n  subnets:\n    0: {tags: never}\n", "subnet id" },
        { "policy:\n  subnets:\n    07: {tags: never}\n", "subnet id" },
        { "policy:\n  subnets:\n    -1: {tags: never}\n", "subnet id" },
        { "policy:\n  subnets:\n    4294967296: {tags: never}\n",
          "subnet id" },
        { "policy:\n  subnets:\n    7: never\n", "expected" },
        { "database:\n  password: !vault x\n", "scanhub.yaml:2" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse (cases[i].text, cases[i].says);
}

static void
tls_goes_by_where_the_database_is (void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        hub_tls_t tls;
    } cases[] = {
        { "database:\n  host: 127.0.0.1\n", HUB_TLS_OFF },
        { "database:\n  host: 127.9.9.9\n", HUB_TLS_OFF },
        { "database:\n  host: localhost\n", HUB_TLS_OFF },
        { "database:\n  host: '::1'\n", HUB_TLS_OFF },
        { "database:\n  socket: /s\n", HUB_TLS_OFF },
        { "database:\n  host: db\n  socket: /s\n", HUB_TLS_OFF },
        { "database:\n  host: 10.0.0.1\n", HUB_TLS_VERIFY_FULL },
        { "database:\n  host: 128.0.0.1\n", HUB_TLS_VERIFY_FULL },
        { "database:\n  host: db.example\n", HUB_TLS_VERIFY_FULL },
        { "database:\n  host: 127.0.0.1.example\n", HUB_TLS_VERIFY_FULL },
        { "database:\n  host: '2001:db8::1'\n", HUB_TLS_VERIFY_FULL },
        { "database:\n  host: db\n  tls: off\n", HUB_TLS_OFF },
        { "database:\n  host: db\n  tls: preferred\n", HUB_TLS_PREFERRED },
        { "database:\n  host: db\n  tls: verify-full\n",
          HUB_TLS_VERIFY_FULL },
        { "database:\n  tls: verify-full\n", HUB_TLS_VERIFY_FULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hub_config_t *config = load (cases[i].text);
        assert_int_equal (config->database.tls, cases[i].tls);
        hub_config_destroy (&config);
    }
}

static void
a_password_makes_the_file_secret (void **state)
{
    (void) state;
    hub_config_t *config = NULL;
    sh_why_t why = { "" };
    static const char text[] = "database:\n  password: hunter2\n";
    write_file ("scanhub.yaml", text, 0640);
    assert_int_equal (hub_config_load (&config, s_path, &why), SH_E_MODE);
    assert_non_null (strstr (why.text, "chmod 0600"));
    assert_null (strstr (why.text, "hunter2"));
    assert_int_equal (hub_config_peek (&config, s_path, &why), SH_E_MODE);

    write_file ("scanhub.yaml", text, 0600);
    assert_int_equal (hub_config_load (&config, s_path, &why), SH_OK);
    hub_config_destroy (&config);
    write_file ("scanhub.yaml", "database:\n  password: ''\n", 0644);
    assert_int_equal (hub_config_load (&config, s_path, &why), SH_OK);
    hub_config_destroy (&config);
}

static void
a_password_file_is_found_and_read (void **state)
{
    (void) state;
    hub_config_t *config = NULL;
    sh_why_t why = { "" };
    char directory[128];
    write_file ("pw", "beside\n", 0600);
    config = load ("database:\n  password_file: pw\n");
    assert_string_equal (config->database.password, "beside");
    hub_config_destroy (&config);

    snprintf (directory, sizeof directory, "%s/credentials", s_dir);
    assert_int_equal (mkdir (directory, 0700), 0);
    write_file ("credentials/pw", "from systemd\n", 0440);
    setenv ("CREDENTIALS_DIRECTORY", directory, 1);
    config = load ("database:\n  password_file: pw\n");
    assert_string_equal (config->database.password, "from systemd");
    hub_config_destroy (&config);
    unsetenv ("CREDENTIALS_DIRECTORY");

    char text[256];
    snprintf (text, sizeof text, "database:\n  password_file: %s/pw\n",
              s_dir);
    config = load (text);
    assert_string_equal (config->database.password, "beside");
    hub_config_destroy (&config);

    write_file ("pw", "beside\n", 0644);
    assert_int_equal (hub_config_load (&config, s_path, &why), SH_E_MODE);
    assert_non_null (strstr (why.text, "pw"));
    write_file ("scanhub.yaml", "database:\n  password_file: no\n", 0644);
    assert_int_equal (hub_config_load (&config, s_path, &why),
                      SH_E_NOT_FOUND);
    assert_null (config);

    /*  Whoever only needs the paths need not be able to read it.  */
    assert_int_equal (hub_config_peek (&config, s_path, &why), SH_OK);
    assert_string_equal (config->database.password, "");
    hub_config_destroy (&config);
}

static void
a_missing_file_is_told (void **state)
{
    (void) state;
    hub_config_t *config = NULL;
    sh_why_t why = { "" };
    assert_int_equal (hub_config_load (&config, s_path, &why),
                      SH_E_NOT_FOUND);
    assert_non_null (strstr (why.text, s_path));
    assert_null (config);
}

static void
the_narrower_policy_wins_field_by_field (void **state)
{
    (void) state;
    hub_config_t *config = load ("policy:\n"
                                 "  hostname: fill\n"
                                 "  agents:\n"
                                 "    site-a: {hostname: follow, mac: never}\n"
                                 "    Site-A: {tags: never}\n"
                                 "  subnets:\n"
                                 "    7: {mac: follow}\n"
                                 "    8: {}\n"
                                 "    4294967295: {tags: never}\n");
    const hub_policies_t *policies = &config->policies;
    hub_policy_t policy = hub_policy_for (policies, "elsewhere", 1);
    assert_int_equal (policy.hostname, HUB_FIELD_FILL);
    assert_int_equal (policy.mac, HUB_FIELD_AUTO);
    assert_int_equal (policy.tags, HUB_TAGS_PHPIPAM);

    policy = hub_policy_for (policies, "site-a", 1);
    assert_int_equal (policy.hostname, HUB_FIELD_FOLLOW);
    assert_int_equal (policy.mac, HUB_FIELD_NEVER);
    assert_int_equal (policy.tags, HUB_TAGS_PHPIPAM);

    policy = hub_policy_for (policies, "site-a", 7);
    assert_int_equal (policy.hostname, HUB_FIELD_FOLLOW);
    assert_int_equal (policy.mac, HUB_FIELD_FOLLOW);

    policy = hub_policy_for (policies, "Site-A", 8);
    assert_int_equal (policy.hostname, HUB_FIELD_FILL);
    assert_int_equal (policy.tags, HUB_TAGS_NEVER);

    policy = hub_policy_for (policies, NULL, 4294967295u);
    assert_int_equal (policy.tags, HUB_TAGS_NEVER);
    policy = hub_policy_for (policies, NULL, 0);
    assert_int_equal (policy.hostname, HUB_FIELD_FILL);
    hub_config_destroy (&config);
}

static void
what_needs_a_restart_is_named (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *key;
    } cases[] = {
        { "hub:\n  listen: tcp://*:1\n", "hub.listen" },
        { "hub:\n  listen: ['tcp://[::]:5766', tcp://*:1]\n", "hub.listen" },
        { "hub:\n  key: /x\n", "hub.key" },
        { "hub:\n  registry: /x\n", "hub.registry" },
        { "hub:\n  control: /x\n", "hub.control" },
        { "hub:\n  workers: 3\n", "hub.workers" },
        { "phpipam_timezone: UTC\n", "phpipam_timezone" },
        { "database:\n  host: 127.0.0.2\n", "database" },
        { "database:\n  port: 3307\n", "database" },
        { "database:\n  socket: /s\n", "database" },
        { "database:\n  name: x\n", "database" },
        { "database:\n  user: x\n", "database" },
        { "database:\n  tls: required\n", "database" },
        { "database:\n  tls_ca: /x\n", "database" },
        { "policy:\n  mac: never\nlog_level: debug\n", NULL },
    };
    hub_config_t *old = load ("");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hub_config_t *fresh = load (cases[i].text);
        const char *key = hub_config_needs_restart (old, fresh);
        if (cases[i].key) {
            assert_non_null (key);
            assert_string_equal (key, cases[i].key);
        }
        else
            assert_null (key);
        hub_config_destroy (&fresh);
    }
    hub_config_destroy (&old);
}

static void
the_packaged_example_is_valid (void **state)
{
    (void) state;
    const char *srcdir = getenv ("srcdir");
    char path[512];
    hub_config_t *config = NULL;
    sh_why_t why = { "" };
    snprintf (path, sizeof path, "%s/packaging/scanhub.yaml.example",
              srcdir ? srcdir : ".");
    sh_err_t rc = hub_config_peek (&config, path, &why);
    if (rc != SH_OK)
        fail_msg ("%s", why.text);
    assert_non_null (config->database.password_file);
    hub_config_destroy (&config);
}

#define CASE(f) cmocka_unit_test_setup_teardown (f, setup, teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        CASE (an_empty_file_is_the_defaults),
        CASE (every_key_is_taken),
        CASE (what_is_wrong_is_refused),
        CASE (tls_goes_by_where_the_database_is),
        CASE (a_password_makes_the_file_secret),
        CASE (a_password_file_is_found_and_read),
        CASE (a_missing_file_is_told),
        CASE (the_narrower_policy_wins_field_by_field),
        CASE (what_needs_a_restart_is_named),
        CASE (the_packaged_example_is_valid),
    };
    return cmocka_run_group_tests_name ("hub_config", tests, NULL, NULL);
}
