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
    unsetenv ("STATE_DIRECTORY");
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
        = { "scanhub.yaml", "pw", "token", "credentials/pw",
            "credentials/token", "credentials/k",
            "credentials/scan_server.yaml", "credentials" };
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
    assert_int_equal (config->memory_ceiling, 0);
    assert_non_null (strstr (config->journal, "/journal.db"));
    assert_int_equal (config->journal_days, 90);
    assert_int_equal (config->journal_size, 256);
    assert_int_equal (config->phpipam_log, HUB_LOG_NONE);
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
    assert_false (config->http_on);
    assert_false (config->legacy);
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
                                 "  memory_ceiling: 900\n"
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
                                 "  preview: yes\n"
                                 "  max_new: 0\n"
                                 "  max_offline: off\n"
                                 "  seen_granularity: 900\n"
                                 "  subnets:\n"
                                 "    7: {preview: off, max_new: off,"
                                 " max_offline: 100,"
                                 " seen_granularity: off}\n"
                                 "log_level: debug\n");
    assert_int_equal (config->listen.count, 2);
    assert_string_equal (config->listen.items[0], "tcp://10.0.0.1:5766");
    assert_string_equal (config->listen.items[1], "tcp://[::1]:*");
    assert_string_equal (config->key, "/k");
    assert_string_equal (config->registry, "/r");
    assert_string_equal (config->control, "/c");
    assert_int_equal (config->workers, 7);
    assert_int_equal (config->memory_ceiling, 900);
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
    const hub_policy_t *hub = &config->policies.hub;
    assert_int_equal (hub->preview, HUB_PREVIEW_YES);
    assert_int_equal (hub->max_new.kind, HUB_LIMIT_SET);
    assert_int_equal (hub->max_new.most, 0);
    assert_int_equal (hub->max_offline.kind, HUB_LIMIT_OFF);
    assert_int_equal (hub->seen_granularity.kind, HUB_LIMIT_SET);
    assert_int_equal (hub->seen_granularity.most, 900);
    const hub_policy_t *own = &config->policies.entries[0].policy;
    assert_int_equal (own->preview, HUB_PREVIEW_NO);
    assert_int_equal (own->max_new.kind, HUB_LIMIT_OFF);
    assert_int_equal (own->max_offline.kind, HUB_LIMIT_SET);
    assert_int_equal (own->max_offline.most, 100);
    assert_int_equal (own->seen_granularity.kind, HUB_LIMIT_OFF);
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
        { "hub:\n  memory_ceiling: 63\n", "64 to 1048576" },
        { "hub:\n  journal: journal.db\n", "hub.journal" },
        { "hub:\n  journal_days: 0\n", "1 to 3650" },
        { "hub:\n  journal_size: 7\n", "8 to 65536" },
        { "phpipam_log: all\n", "none, events" },
        { "hub:\n  memory_ceiling: 1048577\n", "64 to 1048576" },
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
        { "policy:\n  preview: maybe\n", "must be true or false" },
        { "policy:\n  max_new: many\n", ":2: 'max_new' must be a number" },
        { "policy:\n  max_new: [9]\n", "or off" },
        { "policy:\n  max_new: 4294967296\n", "from 0 to 4294967295" },
        { "policy:\n  max_offline: 101\n", "from 0 to 100, or off" },
        { "policy:\n  seen_granularity: 901\n", "from 0 to 900, or off" },
        { "policy:\n  subnets:\n    7: {max_offline: -1}\n", "or off" },
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
        { "metrics:\n  listen: here\n",
          ":2: 'metrics.listen': 'here' is not an address with a port, such as "
          "127.0.0.1:9766; 'off' is none" },
        { "metrics:\n  listen: [off, 127.0.0.1]\n", "'off' is not an" },
        { "metrics:\n  listen: 127.0.0.1:65536\n", "is not an address" },
        { "metrics:\n  port: 1\n", "unknown key 'port'" },
        { "scan:\n  check: 9\n", ":2: 'check' must be seconds from 10 to" },
        { "scan:\n  check: [1]\n", "or never, not a list" },
        { "scan:\n  quiet: ['06:00-06:00']\n",
          ":2: '06:00-06:00' in 'quiet' ends when it begins; write 00:00-24:00 "
          "for the whole day" },
        { "scan:\n  check: 604801\n", "or never" },
        { "scan:\n  discover: 0\n", "'discover' must be" },
        { "scan:\n  discover: [300]\n", "'discover' must be" },
        { "scan:\n  discover: Never\n", "not 'Never'" },
        { "scan:\n  rate: 0\n", "1 to 1000000" },
        { "scan:\n  rate: 1000001\n", "1 to 1000000" },
        { "scan:\n  ipv6_discover: some\n", "off, stable, all" },
        { "scan:\n  exclude: {a: b}\n", "must be a list of texts such as" },
        { "scan:\n  exclude:\n    - 10.0.0.1\n    - 10.0.0.1/24\n",
          ":4: '10.0.0.1/24' in 'exclude' is not" },
        { "scan:\n  exclude: [[10.0.0.1]]\n", "in 'exclude' is not" },
        { "scan:\n  exclude: 10.0.0.9-10.0.0.1\n", "host bits" },
        { "scan:\n  quiet: 22-6\n", "'22-6' in 'quiet' is not '22:00-06:00'" },
        { "scan:\n  quiet: ['01:00-02:00', '01:00-02:00', '01:00-02:00', "
          "'01:00-02:00', '01:00-02:00', '01:00-02:00', '01:00-02:00', "
          "'01:00-02:00', '01:00-02:00']\n", "at most 8" },
        { "scan:\n  agents: [a]\n", "must be a map of agents' names" },
        { "scan:\n  agents:\n    '': {check: 60}\n", "agent's name" },
        { "scan:\n  agents:\n    a: {checks: 60}\n", "unknown key" },
        { "scan:\n  agents:\n    a: {agents: {}}\n", "unknown key" },
        { "scan:\n  prefixes:\n    10.0.0.1/8: {check: 60}\n",
          ":3: '10.0.0.1/8' is no prefix" },
        { "scan:\n  prefixes:\n    10.0.0.1: {check: 60}\n", "is no prefix" },
        { "scan:\n  subnets:\n    lan: {check: 60}\n", "is no subnet id" },
        { "database:\n  password: !vault x\n", "scanhub.yaml:2" },
        { "nofusscomputing_phpipam_scan_agent:\n  a: b\n", "unknown key" },
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
    write_file ("credentials/pw", "\n", 0440); /* there was none to load */
    config = load ("database:\n  password_file: pw\n");
    assert_string_equal (config->database.password, "beside");
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

#define TOKENS "  tokens:\n    - label: a\n"

static void
http_is_off_unless_its_section_is_there (void **state)
{
    (void) state;
    static const char *const cases[]
        = { "http:\n", "http: {}\n", "http:\n  listen:\n" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hub_config_t *config = load (cases[i]);
        const sh_http_config_t *http = &config->http;
        assert_true (config->http_on);
        assert_int_equal (http->listen.count, 2);
        assert_string_equal (http->listen.items[0], "127.0.0.1:5000");
        assert_string_equal (http->listen.items[1], "[::1]:5000");
        assert_int_equal (http->trusted_proxies.count, 2);
        assert_string_equal (http->trusted_proxies.items[0], "127.0.0.0/8");
        assert_string_equal (http->trusted_proxies.items[1], "::1/128");
        assert_string_equal (http->spool,
                             LOCALSTATEDIR "/lib/scanhub/shim.spool");
        assert_null (http->cert);
        assert_null (http->key);
        assert_false (http->plain_ok);
        assert_false (http->refusals_as_status);
        assert_int_equal (http->token_count, 0);
        hub_config_destroy (&config);
    }
    setenv ("STATE_DIRECTORY", "/state", 1);
    hub_config_t *config = load ("http:\n");
    assert_string_equal (config->http.spool, "/state/shim.spool");
    hub_config_destroy (&config);
}

static void
every_http_key_is_taken (void **state)
{
    (void) state;
    char path[128];
    hub_config_t *config
        = load ("http:\n"
                "  listen: [10.0.0.1, '[2001:db8::1]:80', 127.0.0.1:0, '::', "
                "fe80::1]\n"
                "  cert: c.pem\n"
                "  key: /k.pem\n"
                "  plain_ok: true\n"
                "  trusted_proxies: [10.0.0.0/8, 2001:db8::7]\n"
                "  refusals: status\n"
                "  spool: /sp\n"
                "  tokens:\n"
                "    - {label: site-a, token: 12345, codes: [x, y-_=]}\n"
                "    - {label: b, token: 's3cret', codes: z}\n"
                "    - label: c\n"
                "      token: other\n"
                "      token_file:\n");
    const sh_http_config_t *http = &config->http;
    assert_int_equal (http->listen.count, 5);
    assert_string_equal (http->listen.items[0], "10.0.0.1:5000");
    assert_string_equal (http->listen.items[1], "[2001:db8::1]:80");
    assert_string_equal (http->listen.items[2], "127.0.0.1:0");
    assert_string_equal (http->listen.items[3], "[::]:5000");
    assert_string_equal (http->listen.items[4], "[fe80::1]:5000");
    snprintf (path, sizeof path, "%s/c.pem", s_dir);
    assert_string_equal (http->cert, path);
    assert_string_equal (http->key, "/k.pem");
    assert_true (http->plain_ok);
    assert_int_equal (http->trusted_proxies.count, 2);
    assert_string_equal (http->trusted_proxies.items[1], "2001:db8::7");
    assert_true (http->refusals_as_status);
    assert_string_equal (http->spool, "/sp");
    assert_int_equal (http->token_count, 3);
    assert_string_equal (http->tokens[0].label, "site-a");
    assert_string_equal (http->tokens[0].token, "12345");
    assert_int_equal (http->tokens[0].codes.count, 2);
    assert_string_equal (http->tokens[0].codes.items[1], "y-_=");
    assert_int_equal (http->tokens[1].codes.count, 1);
    assert_int_equal (http->tokens[2].codes.count, 0);
    assert_string_equal (http->tokens[2].token, "other");
    hub_config_destroy (&config);
}

static void
what_is_wrong_with_http_is_refused (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *says;
    } cases[] = {
        { "http: 5000\n", ":1: 'http' must be a map" },
        { "http:\n  port: 5000\n", ":2: unknown key 'port'; known here:" },
        { "http:\n  listen: []\n", ":2: 'http.listen' is an empty list" },
        { "http:\n  listen: {a: b}\n", ":2: 'listen'" },
        { "http:\n  listen: localhost:5000\n", ":2: 'http.listen'" },
        { "http:\n  listen: 5000\n", ":2: 'http.listen': '5000'" },
        { "http:\n  listen: 127.0.0.1:65536\n", ":2: 'http.listen'" },
        { "http:\n  listen: 127.0.0.1:05000\n", ":2: 'http.listen'" },
        { "http:\n  listen: '127.0.0.1:'\n", ":2: 'http.listen'" },
        { "http:\n  listen: ':5000'\n", ":2: 'http.listen'" },
        { "http:\n  listen: ''\n", ":2: 'http.listen'" },
        { "http:\n  listen: '::1:5000'\n", "'[::1]:5000'" },
        { "http:\n  listen: '[::1'\n", ":2: 'http.listen'" },
        { "http:\n  listen: '[::1]5000'\n", ":2: 'http.listen'" },
        { "http:\n  listen: '[127.0.0.1]:1'\n", ":2: 'http.listen'" },
        { "http:\n  listen: tcp://127.0.0.1:5000\n", ":2: 'http.listen'" },
        { "http:\n  listen:\n    - 127.0.0.1\n    - x\n", ":4: 'http.listen'" },
        { "http:\n  listen: 0.0.0.0:5000\n", "set http.tokens, or listen on" },
        { "http:\n  listen: 0.0.0.0:5000\n" TOKENS "      token: t\n",
          ":2: 'http.listen': 0.0.0.0:5000 can be reached" },
        { "http:\n  listen: 0.0.0.0:5000\n" TOKENS "      token: t\n",
          "set http.cert and http.key, or http.plain_ok: true" },
        { "http:\n  plain_ok: true\n  listen: '[::]'\n" TOKENS
          "      token: no-token-set\n",
          "takes a token of your own" },
        { "http:\n  cert: /c\n", ":2: 'http.cert' is of no use without "
                                 "'http.key'" },
        { "http:\n  key: /k\n", "without 'http.cert'" },
        { "http:\n  cert: /c\n  key: ''\n", ":3: 'http.key' is empty" },
        { "http:\n  plain_ok: 1\n", ":2: 'plain_ok'" },
        { "http:\n  spool: sp\n", ":2: 'http.spool' must be a path" },
        { "http:\n  refusals: sometimes\n", ":2: 'refusals' must be one of "
                                            "ok, status" },
        { "http:\n  trusted_proxies: []\n", "is an empty list" },
        { "http:\n  trusted_proxies: [10.0.0.0/8, 10.0.0.1/8]\n",
          ":2: 'http.trusted_proxies': '10.0.0.1/8'" },
        { "http:\n  trusted_proxies: proxy.example\n", "'proxy.example'" },
        { "http:\n  tokens: secret\n", ":2: 'tokens' must be a list" },
        { "http:\n  tokens: [secret]\n", ":2: 'key: value'" },
        { "http:\n  tokens:\n    - token: x\n", ":3: a token needs a 'label'" },
        { "http:\n  tokens:\n    - {label: 'a b', token: x}\n", "'label'" },
        { "http:\n  tokens:\n    - {label: -a, token: x}\n", "'label'" },
        { "http:\n" TOKENS, "needs either 'token_file' or" },
        { "http:\n" TOKENS "      token: x\n      token_file: y\n",
          ":3: the token 'a' needs either" },
        { "http:\n" TOKENS "      token: ''\n", ":4: this is no token" },
        { "http:\n" TOKENS "      token: 'a b'\n", ":4: this is no token" },
        { "http:\n" TOKENS "      token: \"a\\n\"\n", ":4: this is no token" },
        { "http:\n" TOKENS "      token: [x]\n", ":4: 'token' must be text" },
        { "http:\n" TOKENS "      token_file: ''\n", "'token_file' is empty" },
        { "http:\n" TOKENS "      tokn: x\n", ":4: unknown key 'tokn'" },
        { "http:\n" TOKENS "      token: x\n      codes: []\n",
          ":5: 'codes' is an empty list" },
        { "http:\n" TOKENS "      token: x\n      codes: [ok, a.b]\n",
          ":5: 'a.b' cannot be a scanner code" },
        { "http:\n" TOKENS "      token: x\n    - {label: a, token: y}\n",
          ":5: there is a token with the label 'a' already" },
        { "http:\n" TOKENS "      token: x\n    - {label: b, token: x}\n",
          ":5: the tokens 'a' and 'b' are the same" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse (cases[i].text, cases[i].says);
}

static void
no_message_quotes_a_token (void **state)
{
    (void) state;
    static const char *const cases[] = {
        "http:\n" TOKENS "      token: 'hunter2 x'\n",
        "http:\n" TOKENS "      token: hunter2\n"
        "    - {label: b, token: hunter2}\n",
        "http:\n" TOKENS "      token: [hunter2]\n",
        "http:\n  tokens: hunter2\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hub_config_t *config = NULL;
        sh_why_t why = { "" };
        write_file ("scanhub.yaml", cases[i], 0600);
        assert_int_equal (hub_config_load (&config, s_path, &why),
                          SH_E_CONFIG);
        assert_null (strstr (why.text, "hunter2"));
    }
}

static void
there_are_at_most_256_tokens (void **state)
{
    (void) state;
    static char text[16384];
    size_t size = (size_t) snprintf (text, sizeof text, "http:\n  tokens:\n");
    for (int i = 0; i < 256; i++)
        size += (size_t) snprintf (text + size, sizeof text - size,
                                   "  - {label: l%d, token: t%d}\n", i, i);
    hub_config_t *config = load (text);
    assert_int_equal (config->http.token_count, 256);
    hub_config_destroy (&config);
    snprintf (text + size, sizeof text - size, "  - {label: x, token: x}\n");
    refuse (text, ":259: more than 256 tokens");
}

static void
a_token_in_the_file_makes_it_secret (void **state)
{
    (void) state;
    hub_config_t *config = NULL;
    sh_why_t why = { "" };
    write_file ("scanhub.yaml", "http:\n" TOKENS "      token: t\n", 0640);
    assert_int_equal (hub_config_load (&config, s_path, &why), SH_E_MODE);
    assert_non_null (strstr (why.text, "token_file"));
    assert_int_equal (hub_config_peek (&config, s_path, &why), SH_E_MODE);
    write_file ("scanhub.yaml", "http:\n", 0644);
    assert_int_equal (hub_config_load (&config, s_path, &why), SH_OK);
    hub_config_destroy (&config);
}

static void
a_token_file_is_found_and_read (void **state)
{
    (void) state;
    hub_config_t *config = NULL;
    sh_why_t why = { "" };
    char directory[128], path[256];
    static const char text[]
        = "http:\n  cert: c\n  key: k\n" TOKENS "      token_file: token\n";
    write_file ("token", "beside\n", 0600);
    write_file ("scanhub.yaml", text, 0644);
    assert_int_equal (hub_config_load (&config, s_path, &why), SH_OK);
    assert_string_equal (config->http.tokens[0].token, "beside");
    hub_config_destroy (&config);

    snprintf (directory, sizeof directory, "%s/credentials", s_dir);
    assert_int_equal (mkdir (directory, 0700), 0);
    write_file ("credentials/token", "from-systemd\n", 0440);
    write_file ("credentials/k", "key\n", 0440);
    setenv ("CREDENTIALS_DIRECTORY", directory, 1);
    config = load (text);
    assert_string_equal (config->http.tokens[0].token, "from-systemd");
    snprintf (path, sizeof path, "%s/k", directory);
    assert_string_equal (config->http.key, path);
    hub_config_destroy (&config);
    unsetenv ("CREDENTIALS_DIRECTORY");

    write_file ("token", "beside\n", 0640);
    assert_int_equal (hub_config_load (&config, s_path, &why), SH_E_MODE);
    write_file ("token", "two words\n", 0600);
    assert_int_equal (hub_config_load (&config, s_path, &why), SH_E_CONFIG);
    assert_non_null (strstr (why.text, "/token: this is no token"));
    write_file ("token", "", 0600);
    assert_int_equal (hub_config_load (&config, s_path, &why), SH_E_SYNTAX);
    snprintf (path, sizeof path, "%s/token", s_dir);
    assert_int_equal (unlink (path), 0);
    assert_int_equal (hub_config_load (&config, s_path, &why),
                      SH_E_NOT_FOUND);
    assert_null (config);
    assert_int_equal (hub_config_peek (&config, s_path, &why), SH_OK);
    assert_string_equal (config->http.tokens[0].token, "");
    hub_config_destroy (&config);

    /*  Several that were not read are not the same one.  */
    write_file ("scanhub.yaml",
                "http:\n  tokens:\n    - {label: a, token_file: x}\n"
                "    - {label: b, token_file: y}\n",
                0644);
    assert_int_equal (hub_config_peek (&config, s_path, &why), SH_OK);
    assert_int_equal (config->http.token_count, 2);
    hub_config_destroy (&config);
}

static void
the_default_file_is_the_first_that_is_there (void **state)
{
    (void) state;
    static const char own[] = SYSCONFDIR "/scanhub/scanhub.yaml";
    static const char old[] = "/etc/phpipam/scan_server.yaml";
    bool take_old = access (own, F_OK) != 0 && access (old, F_OK) == 0;
    assert_string_equal (hub_config_default (), take_old ? old : own);
}

/*  As the unit has it: the old server's file as a credential, which is empty
    where there is no such file.  */
static void
the_old_file_may_be_a_credential (void **state)
{
    (void) state;
    char directory[128], file[160];
    if (access (SYSCONFDIR "/scanhub/scanhub.yaml", F_OK) == 0)
        skip ();
    snprintf (directory, sizeof directory, "%s/credentials", s_dir);
    snprintf (file, sizeof file, "%s/scan_server.yaml", directory);
    assert_int_equal (mkdir (directory, 0700), 0);
    setenv ("CREDENTIALS_DIRECTORY", directory, 1);
    char *without = strdup (hub_config_default ());
    write_file ("credentials/scan_server.yaml", "\n", 0440);
    assert_string_equal (hub_config_default (), without);
    write_file ("credentials/scan_server.yaml", "---\n", 0440);
    assert_string_equal (hub_config_default (), file);
    unsetenv ("CREDENTIALS_DIRECTORY");
    assert_string_equal (hub_config_default (), without);
    free (without);
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

/*  The section as the manual shows it, in every way that YAML has.  */
static void
scan_settings_are_read (void **state)
{
    (void) state;
    hub_config_t *config = load (
        "scan:\n"
        "  check: 60\n"
        "  discover: never\n"
        "  rate: 1000\n"
        "  ipv6_discover: all\n"
        "  exclude: [10.0.0.1-10.0.0.9, 10.0.0.20, 2001:db8::/120]\n"
        "  quiet: 22:00-06:00\n"
        "  agents:\n"
        "    'Site A': {check: never, quiet: []}\n"
        "  subnets:\n"
        "    7: {exclude: 10.0.0.10}\n"
        "  prefixes:\n"
        "    2001:db8::/32: {rate: 5}\n"
        "    10.0.0.0/8: {quiet: ['12:00-13:00', 23:00-24:00]}\n");
    const hub_scan_settings_t *scan = &config->scan;
    assert_int_equal (scan->hub.check, 60);
    assert_int_equal (scan->hub.discover, HUB_SCAN_NEVER);
    assert_int_equal (scan->hub.rate, 1000);
    assert_int_equal (scan->hub.ipv6, HUB_IPV6_ALL);
    assert_int_equal (scan->hub.exclude.count, 3);
    assert_int_equal (scan->hub.quiet_count, 1);
    assert_int_equal (scan->hub.quiet[0].from, 22 * 60);
    assert_int_equal (scan->count, 4);

    /*  Settled: agents, prefixes, subnets.  */
    assert_string_equal (scan->entries[0].agent, "Site A");
    assert_int_equal (scan->entries[0].level.check, HUB_SCAN_NEVER);
    assert_true (scan->entries[0].level.has_quiet);
    assert_int_equal (scan->entries[0].level.quiet_count, 0);
    assert_int_equal (scan->entries[1].prefix.length, 8);
    assert_int_equal (scan->entries[1].level.quiet_count, 2);
    assert_int_equal (scan->entries[2].prefix.length, 32);
    assert_int_equal (scan->entries[2].level.rate, 5);
    assert_false (scan->entries[2].level.has_quiet);
    assert_int_equal (scan->entries[3].subnet, 7);
    hub_config_destroy (&config);

    config = load ("");
    assert_int_equal (config->scan.hub.check, 300);
    assert_int_equal (config->scan.hub.discover, 3600);
    assert_int_equal (config->scan.hub.rate, 0);
    assert_int_equal (config->scan.hub.ipv6, HUB_IPV6_STABLE);
    hub_config_destroy (&config);
}

static void
metrics_are_on_loopback_unless_they_are_off (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *first, *second;
        bool said;
    } cases[] = {
        { "", "127.0.0.1:9766", NULL, false },
        { "metrics: {}\n", "127.0.0.1:9766", NULL, false },
        { "metrics:\n  listen: off\n", NULL, NULL, true },
        { "metrics: {listen: 10.0.0.1}\n", "10.0.0.1:9766", NULL, true },
        { "metrics:\n  listen: ['[::1]', 127.0.0.1:99]\n", "[::1]:9766",
          "127.0.0.1:99", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hub_config_t *config = load (cases[i].text);
        const sh_strings_t *list = &config->metrics.listen;
        assert_int_equal (list->count,
                          (cases[i].first != NULL) + (cases[i].second != NULL));
        if (cases[i].first)
            assert_string_equal (list->items[0], cases[i].first);
        if (cases[i].second)
            assert_string_equal (list->items[1], cases[i].second);
        assert_int_equal (config->metrics.said, cases[i].said);
        hub_config_destroy (&config);
    }
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
        { "metrics:\n  listen: off\n", "metrics.listen" },
        { "hub:\n  memory_ceiling: 300\n", "hub.memory_ceiling" },
        { "hub:\n  journal: off\n", "hub.journal" },
        { "hub:\n  journal: /x\n", "hub.journal" },
        { "hub:\n  journal_days: 7\n", "hub.journal_days" },
        { "hub:\n  journal_size: 8\n", "hub.journal_size" },
        { "phpipam_log: events\n", NULL },
        { "phpipam_timezone: UTC\n", "phpipam_timezone" },
        { "database:\n  host: 127.0.0.2\n", "database" },
        { "database:\n  port: 3307\n", "database" },
        { "database:\n  socket: /s\n", "database" },
        { "database:\n  name: x\n", "database" },
        { "database:\n  user: x\n", "database" },
        { "database:\n  tls: required\n", "database" },
        { "database:\n  tls_ca: /x\n", "database" },
        { "policy:\n  mac: never\nlog_level: debug\n", NULL },
        { "http:\n", "http" },
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
the_http_door_reloads_all_but_listen_and_spool (void **state)
{
    (void) state;
    static const struct
    {
        const char *text, *key;
    } cases[] = {
        { "", "http" },
        { "http:\n  listen: 127.0.0.1\n", "http.listen" },
        { "http:\n  listen: [127.0.0.1, '[::1]:5001']\n", "http.listen" },
        { "http:\n  spool: /x\n", "http.spool" },
        { "http:\n  listen: [127.0.0.1:5000, '[::1]:5000']\n", NULL },
        { "http:\n  cert: /c\n  key: /k\n", NULL },
        { "http:\n  plain_ok: true\n  refusals: status\n", NULL },
        { "http:\n  trusted_proxies: 10.0.0.1\n", NULL },
        { "http:\n" TOKENS "      token: x\n", NULL },
    };
    hub_config_t *old = load ("http:\n");
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
        CASE (http_is_off_unless_its_section_is_there),
        CASE (every_http_key_is_taken),
        CASE (what_is_wrong_with_http_is_refused),
        CASE (no_message_quotes_a_token),
        CASE (there_are_at_most_256_tokens),
        CASE (a_token_in_the_file_makes_it_secret),
        CASE (a_token_file_is_found_and_read),
        CASE (the_default_file_is_the_first_that_is_there),
        CASE (the_old_file_may_be_a_credential),
        CASE (a_missing_file_is_told),
        CASE (scan_settings_are_read),
        CASE (metrics_are_on_loopback_unless_they_are_off),
        CASE (the_narrower_policy_wins_field_by_field),
        CASE (what_needs_a_restart_is_named),
        CASE (the_http_door_reloads_all_but_listen_and_spool),
        CASE (the_packaged_example_is_valid),
    };
    return cmocka_run_group_tests_name ("hub_config", tests, NULL, NULL);
}
