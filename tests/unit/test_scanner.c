/* SPDX-License-Identifier: MPL-2.0 */
/*  The scanner's parts below the conversation: configuration, plan,
    scan, the child process, and nmap itself on the loopback network.  */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/file.h"
#include "lib/keyfile.h"
#include "lib/log.h"
#include "scanner-proto/codec.h"
#include "scanner/ask.h"
#include "scanner/child.h"
#include "scanner/config.h"
#include "scanner/plan.h"
#include "scanner/scan.h"
#include "scanner/tell.h"
#include "tests/unit/programs.h"
#include "tests/unit/sets.h"

/* targets of nmap */

static void
test_edges_of_families (void **state)
{
    (void) state;
    sh_ranges_t set = { 0 };
    assert_int_equal (set_add (&set, "255.255.255.254", "255.255.255.255"),
                      SH_OK);
    char *text = NULL;
    size_t size = 0;
    assert_int_equal (sc_nmap_targets (&text, &size, &set), SH_OK);
    assert_string_equal (text, "255.255.255.254/31\n");
    free (text);
    sh_ranges_clear (&set);
}

static void
test_targets (void **state)
{
    (void) state;
    static const struct
    {
        const char *first, *last, *lines;
    } table[] = {
        { "10.0.0.0", "10.0.255.255", "10.0.0.0/16\n" },
        { "10.0.0.5", "10.0.0.5", "10.0.0.5/32\n" },
        { "10.0.0.1", "10.0.0.6",
          "10.0.0.1/32\n10.0.0.2/31\n10.0.0.4/31\n10.0.0.6/32\n" },
        { "0.0.0.0", "255.255.255.255", "0.0.0.0/0\n" },
        { "2001:db8::1", "2001:db8::3", "2001:db8::1/128\n2001:db8::2/127\n" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sh_ranges_t set = { 0 };
        char *text = NULL;
        size_t size = 0;
        assert_int_equal (set_add (&set, table[i].first, table[i].last), SH_OK);
        assert_int_equal (sc_nmap_targets (&text, &size, &set), SH_OK);
        assert_string_equal (text, table[i].lines);
        assert_int_equal (size, strlen (text));
        free (text);
        sh_ranges_clear (&set);
    }
}

/* configuration */

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
    if (s_config (config, text, &why) != SH_OK
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

/* child */

typedef struct
{
    char data[262144];
    size_t size;
} sink_t;

static void
s_collect (void *context, const void *data, size_t size)
{
    sink_t *sink = context;
    assert_true (size <= sizeof sink->data - sink->size);
    memcpy (sink->data + sink->size, data, size);
    sink->size += size;
}

static sc_child_t *
s_start (const char *script, sink_t *sink, char *input, int64_t deadline)
{
    char shell[] = "sh", flag[] = "-c", *text = strdup (script);
    char *argv[] = { shell, flag, text, NULL };
    sc_child_options_t options = { .program = "/bin/sh",
                                   .argv = argv,
                                   .input = input,
                                   .input_size = input ? strlen (input) : 0,
                                   .deadline = deadline,
                                   .output = s_collect,
                                   .context = sink,
                                   .clock = sh_clock_system () };
    sc_child_t *child = NULL;
    sh_why_t why = { 0 };
    if (sc_child_start (&child, &options, &why) != SH_OK)
        fail_msg ("%s", why.text);
    free (text);
    return child;
}

static void
s_wait_child (sc_child_t *child)
{
    while (!sc_child_step (child)) {
        struct pollfd item = { .fd = sc_child_fd (child), .events = POLLIN };
        (void) poll (&item, 1, sc_child_timeout (child));
    }
}

/*  More than a pipe holds, both ways at once.  */
static void
test_child_cat (void **state)
{
    (void) state;
    size_t size = 250000;
    char *input = malloc (size + 1);
    assert_non_null (input);
    for (size_t i = 0; i < size; i++)
        input[i] = (char) ('a' + i % 23);
    input[size] = '\0';
    char *copy = strdup (input);
    static sink_t sink;
    sink.size = 0;
    sc_child_t *child = s_start ("cat; echo said >&2", &sink, input, 20000);
    s_wait_child (child);
    sh_why_t why = { 0 };
    assert_true (sc_child_succeeded (child, &why));
    assert_string_equal (sc_child_errors (child), "said\n");
    assert_int_equal (sink.size, size);
    assert_memory_equal (sink.data, copy, size);
    free (copy);
    sc_child_destroy (&child);
    sc_child_destroy (&child);
}

static void
test_child_ends (void **state)
{
    (void) state;
    static const char *const table[][2] = {
        { "echo first >&2; echo no luck >&2; exit 3",
          "exit status 3: no luck" },
        { "kill -KILL $$", "killed by signal 9" },
        { "sleep 60", "stopped at its deadline" },
        { "trap '' TERM; sleep 60 & wait; sleep 60",
          "stopped at its deadline" },
        /* somebody else holds the pipe */
        { "setsid sleep 2 & exit 4", "exit status 4" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        static sink_t sink;
        sink.size = 0;
        bool sleeps = strstr (table[i][0], "sleep 60") != NULL;
        int64_t begin = sh_clock_mono (sh_clock_system ());
        sc_child_t *child
            = s_start (table[i][0], &sink, NULL, sleeps ? 200 : 20000);
        s_wait_child (child);
        sh_why_t why = { 0 };
        assert_false (sc_child_succeeded (child, &why));
        if (!strstr (why.text, table[i][1]))
            fail_msg ("'%s' is not in '%s'", table[i][1], why.text);
        assert_in_range (sh_clock_mono (sh_clock_system ()) - begin, 0, 1800);
        sc_child_destroy (&child);
    }
}

/*  Is the process gone, or a zombie that nobody reaps?  The signal that ends it
    may take a moment.  */
static bool
s_is_dead (int pid)
{
    char path[64], text[256] = "";
    (void) snprintf (path, sizeof path, "/proc/%d/stat", pid);
    for (int tries = 0; tries < 200; tries++) {
        FILE *stat = fopen (path, "r");
        if (!stat)
            return true;
        bool zombie = fgets (text, sizeof text, stat)
                      && strstr (text, ") Z ") != NULL;
        (void) fclose (stat);
        if (zombie)
            return true;
        (void) poll (NULL, 0, 5);
    }
    return false;
}

/*  Destroyed while it runs: the whole group is gone, also one that does not
    want to.  */
static void
test_child_destroy (void **state)
{
    (void) state;
    static sink_t sink;
    sink.size = 0;
    sc_child_t *child = s_start ("trap '' TERM; sleep 60 & echo $$ $!; wait; "
                                 "wait; sleep 60",
                                 &sink, strdup ("unread"), 20000);
    while (!memchr (sink.data, '\n', sink.size)) {
        assert_false (sc_child_step (child));
        (void) poll (NULL, 0, 5);
    }
    sink.data[sink.size] = '\0';
    int shell = 0, sleeper = 0;
    assert_int_equal (sscanf (sink.data, "%d %d", &shell, &sleeper), 2);
    assert_int_equal (kill (shell, 0), 0);
    int64_t begin = sh_clock_mono (sh_clock_system ());
    sc_child_destroy (&child);
    assert_null (child);
    assert_in_range (sh_clock_mono (sh_clock_system ()) - begin, 0, 900);
    assert_int_equal (kill (shell, 0), -1);
    assert_int_equal (errno, ESRCH);
    assert_true (s_is_dead (sleeper));
}

/*  No descriptor, no variable and no blocked signal is inherited.  */
static void
test_child_inherits_nothing (void **state)
{
    (void) state;
    int leak = dup (1);
    assert_true (leak > 2);
    assert_int_equal (setenv ("NMAP_PRIVILEGED", "1", 1), 0);
    static sink_t sink;
    sink.size = 0;
    char script[256];
    (void) snprintf (script, sizeof script,
                     "test -e /proc/self/fd/%d && echo leaked; pwd; "
                     "echo ${NMAP_PRIVILEGED-unset} $LC_ALL; "
                     "grep SigBlk /proc/self/status",
                     leak);
    sc_child_t *child = s_start (script, &sink, NULL, 20000);
    s_wait_child (child);
    assert_int_equal (unsetenv ("NMAP_PRIVILEGED"), 0);
    sink.data[sink.size] = '\0';
    assert_string_equal (sink.data,
                         "/\nunset C\nSigBlk:\t0000000000000000\n");
    sc_child_destroy (&child);
    (void) close (leak);
}

static void
test_child_find (void **state)
{
    (void) state;
    char *path = NULL;
    assert_int_equal (sc_child_find (&path, "sh"), SH_OK);
    assert_int_equal (path[0], '/');
    free (path);
    path = NULL;
    assert_int_equal (sc_child_find (&path, "/bin/sh"), SH_OK);
    assert_string_equal (path, "/bin/sh");
    free (path);
    path = NULL;
    assert_int_equal (sc_child_find (&path, "no-such-program"),
                      SH_E_NOT_FOUND);
    assert_int_equal (sc_child_find (&path, "/no/such/program"),
                      SH_E_NOT_FOUND);
    assert_int_equal (sc_child_find (&path, "bin/sh"), SH_E_NOT_FOUND);
    assert_null (path);
}

/* nmap */

static const char *
s_words (const sc_job_t *job, bool privileged)
{
    static const sc_nmap_settings_t settings = { .rate = 1000, .retries = 1 };
    sc_nmap_command_t command;
    assert_int_equal (sc_nmap_command (&command, &settings, job, privileged),
                      SH_OK);
    const char *line = program_words (command.argv);
    sc_nmap_command_clear (&command);
    return line;
}

static void
test_nmap_command (void **state)
{
    (void) state;
    sh_ranges_t four = { 0 }, six = { 0 };
    assert_int_equal (set_add (&four, "10.0.0.1", "10.0.0.2"), SH_OK);
    assert_int_equal (set_add (&six, "2001:db8::1", "2001:db8::2"), SH_OK);
    sc_job_t job = { .ranges = &four };
    assert_string_equal (s_words (&job, true),
                         "nmap --privileged -sn -PE --max-retries 1 "
                         "--min-rate 1000 -n --no-stylesheet -oX - -iL -");
    assert_string_equal (s_words (&job, false),
                         "nmap --unprivileged -sn --max-retries 1 "
                         "--min-rate 1000 -n --no-stylesheet -oX - -iL -");
    job.ranges = &six;
    assert_string_equal (s_words (&job, true),
                         "nmap --privileged -sn -6 -PE --max-retries 1 "
                         "--min-rate 1000 -n --no-stylesheet -oX - -iL -");
    sh_ranges_clear (&four);
    sh_ranges_clear (&six);
}

static sh_err_t
s_probe (sc_result_t *out, const char *program, const char *range,
         sh_why_t *why)
{
    return program_run (out, &sc_engine_nmap, program, range, 60, why);
}

static void
test_nmap_loopback (void **state)
{
    (void) state;
    program_need (&sc_engine_nmap);
    sc_result_t result = { 0 };
    sh_why_t why = { 0 };
    int64_t begin = sh_clock_wall (sh_clock_system ());
    if (s_probe (&result, "nmap", "127.0.0.1-127.0.0.14", &why) != SH_OK)
        fail_msg ("%s", why.text);
    if (!result.complete)
        fail_msg ("%s", result.text);
    assert_int_equal (result.count, 14);
    for (size_t i = 0; i < result.count; i++) {
        assert_int_equal (result.hosts[i].ip.bytes[0], 127);
        assert_true (result.hosts[i].seen >= begin);
        assert_null (result.hosts[i].name);
    }
    sc_result_clear (&result);
}

static void
test_nmap_v6 (void **state)
{
    (void) state;
    program_need (&sc_engine_nmap);
    program_need_v6 ();
    sc_result_t result = { 0 };
    sh_why_t why = { 0 };
    assert_int_equal (s_probe (&result, "nmap", "::1", &why), SH_OK);
    if (!result.complete)
        fail_msg ("%s", result.text);
    assert_int_equal (result.count, 1);
    assert_int_equal (result.hosts[0].ip.family, 6);
    sc_result_clear (&result);
}

static void
test_nmap_missing (void **state)
{
    (void) state;
    sc_result_t result = { 0 };
    sh_why_t why = { 0 };
    assert_int_equal (s_probe (&result, "/no/such/nmap", "127.0.0.1", &why),
                      SH_E_NOT_FOUND);
    assert_non_null (strstr (why.text, "apt-get install nmap"));
}

/*  What a broken run of nmap looks like, played by a script: found hosts are
    kept, and it is never complete.  */
static void
test_nmap_broken (void **state)
{
    (void) state;
#define START                                                                  \
    "#!/bin/sh\ncat >/dev/null\necho '<nmaprun><host><status state=\"up\"/>"   \
    "<address addr=\"127.0.0.1\" addrtype=\"ipv4\"/></host>'\n"
#define END                                                                    \
    "echo '<runstats><finished exit=\"success\"/><hosts total=\"2\"/>"         \
    "</runstats></nmaprun>'\n"
    static const program_run_t table[] = {
        { START END, "", true },
        { START "kill -KILL $$\n", "killed by signal 9", false },
        { START "sleep 60\n", "stopped at its deadline", false },
        { START "echo gone >&2; exit 1\n", "exit status 1: gone", false },
        { START "exit 0\n", "ends early", false },
        { START END "exit 1\n", "nmap: exit status 1; try it by hand", false },
        { START END
          "echo 'sendto in send_ip_packet_sd: sendto(4) => No' >&2\n",
          "could not send", false },
    };
    program_expect (&sc_engine_nmap, "127.0.0.1-127.0.0.2", table,
                    sizeof table / sizeof *table);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_edges_of_families),
        cmocka_unit_test (test_targets),
        cmocka_unit_test (test_config_defaults),
        cmocka_unit_test (test_config_state_directory),
        cmocka_unit_test (test_config_all),
        cmocka_unit_test (test_config_errors),
        cmocka_unit_test (test_config_example),
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
        cmocka_unit_test (test_child_cat),
        cmocka_unit_test (test_child_ends),
        cmocka_unit_test (test_child_destroy),
        cmocka_unit_test (test_child_inherits_nothing),
        cmocka_unit_test (test_child_find),
        cmocka_unit_test (test_nmap_command),
        cmocka_unit_test (test_nmap_loopback),
        cmocka_unit_test (test_nmap_v6),
        cmocka_unit_test (test_nmap_missing),
        cmocka_unit_test (test_nmap_broken),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
