/* SPDX-License-Identifier: MPL-2.0 */
/*  The scanner's configuration file.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/file.h"
#include "lib/log.h"
#include "scanner/config.h"

#define KEY "'0123456789012345678901234567890123456789'"

static sh_err_t
s_config (sc_config_t **out, const char *text, sh_why_t *why)
{
    return sc_config_parse (out, text, strlen (text), "x.yaml", why);
}

static void
test_config_defaults (void **state)
{
    (void) state;
    sc_config_t *config = NULL;
    sh_why_t why = { 0 };
    assert_int_equal (s_config (&config,
                                "hub: {endpoint: 'tcp://h:5766', key: " KEY
                                "}\n",
                                &why),
                      SH_OK);
    assert_int_equal (config->hubs.count, 1);
    assert_string_equal (config->hubs.items[0].endpoint, "tcp://h:5766");
    assert_string_equal (config->nmap.program, "nmap");
    assert_int_equal (config->nmap.rate, 1000);
    assert_int_equal (config->nmap.retries, 1);
    assert_int_equal (config->nmap.deadline, 300);
    assert_int_equal (config->interval, 0);
    assert_int_equal (config->hub_return, 300);
    assert_int_equal (config->spool_size, 256);
    assert_non_null (strstr (config->spool, "/scanhub/scanner.spool"));
    assert_int_equal (config->log_level, SH_LOG_INFO);
    assert_int_equal (config->resolve, SC_RESOLVE_ASSIGNED);
    assert_int_equal (config->names, SC_NAMES_FQDN);
    assert_null (config->code);
    assert_non_null (strstr (config->key, "/scanhub/scanner.cert"));
    const void *settings;
    assert_string_equal (sc_config_engine (config, &settings)->name,
                         "builtin");
    assert_ptr_equal (settings, &config->builtin);
    assert_int_equal (config->builtin.rate, 1000);
    assert_int_equal (config->builtin.tcp_port_count, 4);
    sc_config_destroy (&config);
    assert_null (config);
}

/*  systemd gives a list of directories, of which the first is the program's.  */
static void
test_config_state_directory (void **state)
{
    (void) state;
    sc_config_t *config = NULL;
    sh_why_t why = { 0 };
    setenv ("STATE_DIRECTORY", "/s/one:/s/two", 1);
    sh_err_t rc = s_config (
        &config, "hub: {endpoint: 'tcp://h:5766', key: " KEY "}\n", &why);
    unsetenv ("STATE_DIRECTORY");
    assert_int_equal (rc, SH_OK);
    assert_string_equal (config->spool, "/s/one/scanner.spool");
    sc_config_destroy (&config);
}

static void
test_config_all (void **state)
{
    (void) state;
    sc_config_t *config = NULL;
    sh_why_t why = { 0 };
    assert_int_equal (
        s_config (&config,
                  "hub:\n"
                  "  - {endpoint: 'tcp://a:1', key: " KEY "}\n"
                  "  - {endpoint: 'tcp://[::1]:2', key: " KEY
                  ", socks: 'proxy.example:1080'}\n"
                  "key: /k\ncode: site-a\nlog_level: debug\nengine: nmap\n"
                  "resolve: never\nnames: short\ninterval: 60\nhub_return: 9\n"
                  "spool: /var/spool/site-a\nspool_size: 7\n"
                  "builtin: {rate: 70, tcp_ports: [9100, 22]}\n"
                  "nmap: {program: /opt/nmap, rate: 50, retries: 0, "
                  "deadline: 9}\n",
                  &why),
        SH_OK);
    assert_int_equal (config->hubs.count, 2);
    assert_string_equal (config->hubs.items[1].endpoint, "tcp://[::1]:2");
    assert_null (config->hubs.items[0].socks);
    assert_string_equal (config->hubs.items[1].socks, "proxy.example:1080");
    assert_string_equal (config->key, "/k");
    assert_string_equal (config->code, "site-a");
    assert_int_equal (config->log_level, SH_LOG_DEBUG);
    assert_int_equal (config->resolve, SC_RESOLVE_NEVER);
    assert_int_equal (config->names, SC_NAMES_SHORT);
    assert_int_equal (config->interval, 60);
    assert_int_equal (config->hub_return, 9);
    assert_string_equal (config->spool, "/var/spool/site-a");
    assert_int_equal (config->spool_size, 7);
    assert_int_equal (config->builtin.rate, 70);
    assert_int_equal (config->builtin.tcp_port_count, 2);
    assert_int_equal (config->builtin.tcp_ports[0], 9100);
    assert_int_equal (config->builtin.tcp_ports[1], 22);
    const void *settings;
    assert_string_equal (sc_config_engine (config, &settings)->name, "nmap");
    assert_ptr_equal (settings, &config->nmap);
    assert_string_equal (config->nmap.program, "/opt/nmap");
    assert_int_equal (config->nmap.rate, 50);
    assert_int_equal (config->nmap.retries, 0);
    assert_int_equal (config->nmap.deadline, 9);
    sc_config_destroy (&config);
    assert_int_equal (s_config (&config,
                                "hub: {endpoint: 'tcp://h:5766', key: " KEY
                                "}\nspool: none\n",
                                &why),
                      SH_OK);
    assert_null (config->spool);
    sc_config_destroy (&config);
}

static void
test_config_errors (void **state)
{
    (void) state;
#define HUB "hub: {endpoint: 'tcp://h:5766', key: " KEY "}\n"
    static const char *const table[][2] = {
        { "", "x.yaml:1: no 'hub'" },
        { "hub: []\n", "no 'hub'" },
        { "hub: text\n", "x.yaml:1: 'hub' is a map" },
        { "hub: {endpoint: 'tcp://h', key: " KEY "}\n", "tcp://HOST:PORT" },
        { "hub: {endpoint: 'ipc://h:1', key: " KEY "}\n", "tcp://HOST:PORT" },
        { "hub: {endpoint: 'tcp://h:1'}\n", "the hub's public key" },
        { "hub: {endpoint: 'tcp://h:1', key: short}\n",
          "the hub's public key" },
        { "hub: {endpoint: 'tcp://h:1', kee: short}\n", "unknown key 'kee'" },
        { "hub: {endpoint: 'tcp://h:1', key: " KEY ", socks: proxy}\n",
          "x.yaml:1: 'socks' must be the HOST:PORT of a SOCKS5 proxy" },
        { "hub: {endpoint: 'tcp://h:1', key: " KEY ", socks: '::1:1080'}\n",
          "an IPv6 address in brackets" },
        { HUB "nmpa: {}\n", "x.yaml:2: unknown key 'nmpa'" },
        { HUB "nmap:\n  rate: 0\n", "x.yaml:3:" },
        { HUB "nmap: {program: ./nmap}\n", "absolute path" },
        { HUB "nmap: {deadline: soon}\n", "x.yaml:2:" },
        { HUB "engine: ping\n", "x.yaml:2:" },
        { HUB "builtin: {rate: 1000001}\n", "x.yaml:2:" },
        { HUB "builtin: {tcp_ports: []}\n", "'tcp_ports' has 1 to 8" },
        { HUB "builtin: {tcp_ports: [1, 2, 3, 4, 5, 6, 7, 8, 9]}\n",
          "'tcp_ports' has 1 to 8" },
        { HUB "builtin: {tcp_ports: [80, 65536]}\n", "x.yaml:2:" },
        { HUB "builtin: {tcp_ports: 0}\n", "x.yaml:2:" },
        { HUB "log_level: loud\n", "x.yaml:2:" },
        { HUB "code: abcdefghijabcdefghijabcdefghijabc\n", "1 to 32" },
        { HUB "names: long\n", "x.yaml:2:" },
        { HUB "interval: 0\n", "x.yaml:2:" },
        { HUB "hub_return: 0\n", "x.yaml:2:" },
        { HUB "hub_return: 86401\n", "x.yaml:2:" },
        { HUB "spool: var/spool\n", "x.yaml:2: 'spool' must be an absolute" },
        { HUB "spool_size: 0\n", "x.yaml:2:" },
        { HUB HUB, "x.yaml:2:" },
        { HUB "key: scanner.cert\n", "x.yaml:2: 'key' must be an absolute" },
        { "hub: {endpoint: 'tcp://h:1', key: "
          "'0000000000000000000000000000000000000000'}\n",
          "x.yaml:1: 'key' is still the example's; put the hub's public key "
          "there: on the hub, 'scanhubd -t' prints it" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sc_config_t *config = NULL;
        sh_why_t why = { 0 };
        assert_int_equal (s_config (&config, table[i][0], &why), SH_E_CONFIG);
        assert_null (config);
        if (!strstr (why.text, table[i][1]))
            fail_msg ("'%s' is not in '%s'", table[i][1], why.text);
    }
}

static void
test_config_example (void **state)
{
    (void) state;
    const char *top = getenv ("srcdir");
    char path[512];
    (void) snprintf (path, sizeof path, "%s/packaging/scanner.yaml.example",
                     top ? top : ".");
    char *text = NULL;
    size_t size = 0;
    sc_config_t *config = NULL;
    sh_why_t why = { 0 };
    assert_int_equal (sc_config_load (&config, path, &why), SH_E_CONFIG);
    assert_non_null (strstr (why.text, "still the example's"));
    assert_null (config);
    /* nothing else has to be changed to make it valid */
    assert_int_equal (sh_file_read (&text, &size, NULL, path, 65536, &why),
                      SH_OK);
    char *key = strstr (text, "  key: '0");
    assert_non_null (key);
    key[8] = '1';
    if (sc_config_parse (&config, text, size, path, &why) != SH_OK)
        fail_msg ("%s", why.text);
    assert_int_equal (config->hubs.count, 1);
    sc_config_destroy (&config);
    free (text);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_config_defaults),
        cmocka_unit_test (test_config_state_directory),
        cmocka_unit_test (test_config_all),
        cmocka_unit_test (test_config_errors),
        cmocka_unit_test (test_config_example),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
