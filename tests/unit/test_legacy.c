/* SPDX-License-Identifier: MPL-2.0 */
/*  The legacy JSON body: what scanners sent, what strangers may send, and the
    times in it.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/file.h"
#include "shim/legacy.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define RECEIVED INT64_C (1795347954321) /* 2026-11-22 11:45:54.321 UTC */

/*  A body around the members of 'scan', and around one host.  */
#define SCAN(members) "{\"code\": \"siteA\", \"scan\": {" members "}}"
#define NET "\"subnet\": \"10.0.0.0/24\""
#define WITH(results) SCAN (NET ", \"tz\": \"+0000\", \"results\": " results)
#define SEEN "\"lastSeen\": \"2026-11-22 11:44:21\""
#define HOST(members) WITH ("[{" members "}]")
#define SEEN_AT INT64_C (1795347861000)

static sm_legacy_t *
s_parse_bytes (const char *body, size_t size)
{
    /* of just this size, so that a sanitizer sees a read beyond it */
    char *copy = malloc (size);
    assert_true (copy || size == 0);
    if (size > 0)
        memcpy (copy, body, size);
    sm_legacy_t *legacy = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sm_legacy_parse (&legacy, copy, size, RECEIVED, &why);
    free (copy);
    if (rc != SH_OK)
        fail_msg ("%.200s: %s", body, why.text);
    return legacy;
}

static sm_legacy_t *
s_parse (const char *body)
{
    return s_parse_bytes (body, strlen (body));
}

static void
s_refuses_bytes (const char *body, size_t size, sh_err_t expected,
                 const char *word)
{
    sm_legacy_t *legacy = NULL;
    sh_why_t why = { "" };
    sh_err_t rc = sm_legacy_parse (&legacy, body, size, RECEIVED, &why);
    if (rc != expected || !strstr (why.text, word))
        fail_msg ("%.200s: %s, '%s'", body, sh_err_word (rc), why.text);
    assert_null (legacy);
    assert_int_equal (sm_legacy_parse (&legacy, body, size, RECEIVED, NULL),
                      expected);
}

static void
s_refuses (const char *body, sh_err_t expected, const char *word)
{
    s_refuses_bytes (body, strlen (body), expected, word);
}

static const sp_host_t *
s_only_host (const sm_legacy_t *legacy)
{
    assert_int_equal (legacy->host_total, 1);
    assert_int_equal (legacy->refused_count, 0);
    assert_int_equal (legacy->report.host_count, 1);
    return &legacy->report.hosts[0];
}

/*  The body's one host is refused, the rest of it is not.  */
static void
s_refuses_host (const char *body, sh_err_t cause, const char *ip)
{
    sm_legacy_t *legacy = s_parse (body);
    if (legacy->report.host_count != 0 || legacy->refused_count != 1
        || legacy->refused[0].cause != cause
        || strcmp (legacy->refused[0].ip, ip) != 0)
        fail_msg ("%s: %zu hosts, %zu refused: '%s' %s", body,
                  legacy->report.host_count, legacy->refused_count,
                  legacy->refused_count ? legacy->refused[0].ip : "",
                  legacy->refused_count
                      ? sh_err_word (legacy->refused[0].cause)
                      : "");
    assert_int_equal (legacy->host_total, 1);
    sm_legacy_destroy (&legacy);
    assert_null (legacy);
}

static void
s_is_address (const sp_host_t *host, const char *expected)
{
    sh_addr_t addr;
    char text[SH_ADDR_TEXT];
    assert_int_equal (sh_addr_from_bytes (&addr, host->ip), SH_OK);
    sh_addr_text (&addr, text);
    assert_string_equal (text, expected);
}

static sm_legacy_t *
s_sample (const char *name)
{
    const char *dir = getenv ("srcdir");
    char path[512], *text;
    size_t size;
    sh_why_t why;
    snprintf (path, sizeof path, "%s/tests/legacy-reports/%s", dir ? dir : ".",
              name);
    if (sh_file_read (&text, &size, NULL, path, SM_BODY_MOST, &why) != SH_OK)
        fail_msg ("%s", why.text);
    sm_legacy_t *legacy = s_parse_bytes (text, size);
    free (text);
    assert_string_equal (legacy->report.code,
                         "siteacodesiteacodesiteacode00001");
    assert_int_equal (legacy->refused_count, 0);
    assert_int_equal (legacy->report.host_count, legacy->host_total);
    return legacy;
}

static void
test_sample_known (void **state)
{
    (void) state;
    sm_legacy_t *legacy = s_sample ("scan-8hosts-id-known.json");
    const sp_report_t *report = &legacy->report;
    assert_string_equal (report->cidr, "127.0.0.8/29");
    assert_int_equal (report->host_count, 8);
    assert_int_equal (report->hint, 2);
    for (size_t i = 0; i < 8; i++) {
        char ip[16];
        snprintf (ip, sizeof ip, "127.0.0.%zu", 8 + i);
        s_is_address (&report->hosts[i], ip);
        /* 2026-11-22 11:45:34 UTC */
        assert_int_equal (report->hosts[i].seen, INT64_C (1795347934000));
        assert_int_equal (report->hosts[i].subnet, 2);
        assert_null (report->hosts[i].name);
        assert_null (report->hosts[i].mac);
    }
    sm_legacy_destroy (&legacy);
}

static void
test_sample_names (void **state)
{
    (void) state;
    static const char *const names[16] = {
        [1] = "host17",     [4] = "shortname",    [5] = "x**description=*pwned",
        [6] = "quo*te",     [7] = "UPPER-Case",   [8] = "under_score",
        [9] = "o*brien-pc", [10] = "b**cher",     [11] = "xn--bcher-kva",
        [12] = "***7*7***",
    };
    sm_legacy_t *legacy = s_sample ("scan-dns-own-nameserver-16hosts.json");
    assert_int_equal (legacy->report.host_count, 16);
    assert_int_equal (legacy->report.hint, 6);
    for (size_t i = 0; i < 16; i++) {
        const char *name = legacy->report.hosts[i].name;
        if (names[i])
            assert_string_equal (name, names[i]);
        else
            assert_null (name);
    }
    sm_legacy_destroy (&legacy);
}

static void
test_sample_mac (void **state)
{
    (void) state;
    sm_legacy_t *legacy = s_sample ("scan-mac-tz+0930.json");
    const sp_host_t *hosts = legacy->report.hosts;
    assert_int_equal (legacy->report.host_count, 3);
    assert_string_equal (legacy->report.cidr, "127.0.0.16/28");
    assert_string_equal (hosts[0].name, "printer");
    assert_string_equal (hosts[0].mac, "52:54:00:AB:CD:01");
    assert_string_equal (hosts[1].mac, "52:54:00:AB:CD:02");
    assert_null (hosts[2].mac);
    /* 2026-11-22 21:16:54 in +0930 is 11:46:54 UTC */
    assert_int_equal (hosts[2].seen, INT64_C (1795348014000));
    sm_legacy_destroy (&legacy);
}

static void
test_sample_empty (void **state)
{
    (void) state;
    static const char *const names[][2] = {
        { "scan-empty.json", "127.0.5.0/29" },
        { "scan-single-host-up-bug-empty.json", "127.0.0.32/32" },
    };
    for (size_t i = 0; i < COUNT (names); i++) {
        sm_legacy_t *legacy = s_sample (names[i][0]);
        assert_string_equal (legacy->report.cidr, names[i][1]);
        assert_int_equal (legacy->host_total, 0);
        assert_int_equal (legacy->report.hint, 0);
        assert_true (legacy->report.complete);
        sm_legacy_destroy (&legacy);
    }
}

static void
test_report (void **state)
{
    (void) state;
    sm_legacy_t *legacy = s_parse (
        HOST ("\"id\": 11, \"subnetId\": \"7\", \"ip\": \"10.0.0.5\", " SEEN
              ", \"hostname\": \"printer\", \"mac\": \"52:54:00:AB:CD:01\","
              " \"more\": [{\"than\": \"asked\"}]"));
    const sp_report_t *report = &legacy->report;
    const sp_host_t *host = s_only_host (legacy);
    assert_int_equal (report->id.size, 0);
    assert_int_equal (report->part, 0);
    assert_string_equal (report->code, "siteA");
    assert_int_equal (report->subnet, 0);
    assert_int_equal (report->hint, 7);
    assert_string_equal (report->cidr, "10.0.0.0/24");
    assert_int_equal (report->kind, SP_KIND_BOTH);
    assert_int_equal (report->started, INT64_C (1795347954000));
    assert_int_equal (report->finished, INT64_C (1795347954000));
    assert_int_equal (report->off, 0);
    assert_false (report->last);
    assert_true (report->complete);
    assert_int_equal (report->up, 1);
    assert_int_equal (report->covered_count, 0);
    s_is_address (host, "10.0.0.5");
    assert_int_equal (host->seen, SEEN_AT);
    assert_int_equal (host->subnet, 7);
    assert_string_equal (host->name, "printer");
    assert_string_equal (host->mac, "52:54:00:AB:CD:01");
    assert_null (host->how);
    sm_legacy_destroy (&legacy);
}

static void
test_received (void **state)
{
    (void) state;
    static const int64_t cases[][2] = {
        { 0, 0 },         { 999, 0 },         { 1000, 1000 },
        { 1999, 1000 },   { -1, -1000 },      { -1000, -1000 },
        { -1001, -2000 },
    };
    const char body[] = WITH ("[]");
    for (size_t i = 0; i < COUNT (cases); i++) {
        sm_legacy_t *legacy;
        assert_int_equal (sm_legacy_parse (&legacy, body, strlen (body),
                                           cases[i][0], NULL),
                          SH_OK);
        assert_int_equal (legacy->report.started, cases[i][1]);
        assert_int_equal (legacy->report.finished, cases[i][1]);
        sm_legacy_destroy (&legacy);
    }
    sm_legacy_destroy (&(sm_legacy_t *){ NULL });
}

static void
test_tz (void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        int east;
    } cases[] = {
        { "+0930", 34200 },   { "-0500", -18000 },  { "+0545", 20700 },
        { "+09:30", 34200 },  { "-03:30", -12600 }, { "Z", 0 },
        { "", 0 },            { "+0000", 0 },       { "-0000", 0 },
        { "+00:00", 0 },      { "+1400", 50400 },   { "-1400", -50400 },
        { "+1345", 49500 },   { "-0001", -60 },     { "+0059", 3540 },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        int east = 1;
        if (sm_tz_parse (&east, cases[i].text) != SH_OK
            || east != cases[i].east)
            fail_msg ("'%s': %d", cases[i].text, east);
    }
}

static void
test_tz_refuses (void **state)
{
    (void) state;
    static const char *const cases[] = {
        "0930", "+930", "+09", "+09300", "+1401", "-1401", "+1500", "+9900",
        "+0060", "+0099", "z", "UTC", "UTC+1", "Europe/Berlin", "CET", " ",
        " +0930", "+0930 ", "+-930", "+09-30", "+09:3", "+9:30", "+09:300",
        "++930", "+0x10", "+09.30", "+:0930", "09:30", "{{ 7*7 }}", "+09:\t0",
        ("\xe2\x88\x92" "0500"), "+0930\n",
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        int east = 12345;
        if (sm_tz_parse (&east, cases[i]) != SH_E_SYNTAX)
            fail_msg ("'%s' should be refused", cases[i]);
        assert_int_equal (east, 12345);
    }
}

static void
test_wall (void **state)
{
    (void) state;
    static const struct
    {
        const char *text;
        int east;
        int64_t epoch;
    } cases[] = {
        { "1970-01-01 00:00:00", 0, 0 },
        { "1970-01-01 00:00:00", 3600, -3600 },
        { "1969-12-31 23:59:59", 0, -1 },
        { "2026-11-22 11:44:21", 0, 1795347861 },
        { "2026-11-22 21:14:21", 34200, 1795347861 },
        { "2026-11-22 06:44:21", -18000, 1795347861 },
        { "2026-11-22 17:29:21", 20700, 1795347861 },
        { "2024-02-29 12:00:00", 0, 1709208000 },
        { "2000-02-29 00:00:00", 0, 951782400 },
        /* into another year, and over a leap day */
        { "2027-01-01 00:30:00", 3600, 1798759800 },
        { "2024-03-01 00:00:00", 34200, 1709217000 },
        { "2024-02-28 23:00:00", -7200, 1709168400 },
        /* the hour that clocks in Berlin skip, and one that they repeat */
        { "2026-03-29 02:30:00", 7200, 1774744200 },
        { "2026-10-25 02:30:00", 7200, 1792888200 },
        { "2026-10-25 02:30:00", 3600, 1792891800 },
        { "2038-01-19 03:14:08", 0, INT64_C (2147483648) },
        { "2099-12-31 23:59:59", 0, INT64_C (4102444799) },
        { "9999-12-31 23:59:59", 0, INT64_C (253402300799) },
    };
    static const char *const zones[] = { "UTC0", "Europe/Berlin",
                                         "America/New_York" };
    for (size_t zone = 0; zone < COUNT (zones); zone++) {
        setenv ("TZ", zones[zone], 1);
        tzset ();
        for (size_t i = 0; i < COUNT (cases); i++) {
            int64_t epoch = -12345;
            if (sm_wall_parse (&epoch, cases[i].text, cases[i].east) != SH_OK
                || epoch != cases[i].epoch)
                fail_msg ("'%s' %d in %s: %lld", cases[i].text, cases[i].east,
                          zones[zone], (long long) epoch);
        }
    }
    unsetenv ("TZ");
    tzset ();
}

static void
test_wall_refuses (void **state)
{
    (void) state;
    static const char *const cases[] = {
        "", "2026-11-22", "2026-11-22 11:44", "2026-11-22T11:44:21",
        "2026-11-22 11:44:21 ", " 2026-11-22 11:44:21", "2026-11-22 11:44:21Z",
        "2026-11-22 11:44:21.5", "2026-11-22  1:44:21", "2026-1-22 11:44:21",
        "2026/11/22 11:44:21", "22-11-2026 11:44:21", "-026-11-22 11:44:21",
        "-2026-11-22 11:44:21", "+026-11-22 11:44:21", "2026-00-22 11:44:21",
        "2026-13-22 11:44:21", "2026-11-00 11:44:21", "2026-11-31 11:44:21",
        "2026-02-29 11:44:21", "2100-02-29 11:44:21", "2024-02-30 11:44:21",
        "2026-11-22 24:00:00", "2026-11-22 11:60:21", "2026-11-22 11:44:60",
        "2026-11-22 11:44:99", "0000-00-00 00:00:00", "now", "1795347861",
        "2026-11-22 11:44:2\xd9", "{{ lookup('pipe', 'id') }}",
        "2026-11-22 -1:44:21", "2026-11-22\t11:44:21",
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        int64_t epoch = 12345;
        if (sm_wall_parse (&epoch, cases[i], 0) != SH_E_SYNTAX)
            fail_msg ("'%s' should be refused", cases[i]);
        assert_int_equal (epoch, 12345);
    }
}

static void
test_tz_in_body (void **state)
{
    (void) state;
#define TZ(tz) SCAN (NET tz ", \"results\": [{\"ip\": \"10.0.0.5\", " SEEN "}]")
    static const struct
    {
        const char *body;
        int64_t seen;
    } cases[] = {
        { TZ (", \"tz\": \"+0930\""), SEEN_AT - 34200000 },
        { TZ (", \"tz\": \"-0500\""), SEEN_AT + 18000000 },
        { TZ (", \"tz\": \"+0545\""), SEEN_AT - 20700000 },
        { TZ (", \"tz\": \"Z\""), SEEN_AT },
        { TZ (", \"tz\": \"\""), SEEN_AT },
        { TZ (", \"tz\": null"), SEEN_AT },
        { TZ (""), SEEN_AT },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sm_legacy_t *legacy = s_parse (cases[i].body);
        assert_int_equal (s_only_host (legacy)->seen, cases[i].seen);
        sm_legacy_destroy (&legacy);
    }
    s_refuses_host (TZ (", \"tz\": \"Mars\""), SH_E_HOST_TIME, "10.0.0.5");
    s_refuses_host (TZ (", \"tz\": \"+2500\""), SH_E_HOST_TIME, "10.0.0.5");
    s_refuses_host (TZ (", \"tz\": 930"), SH_E_HOST_TIME, "10.0.0.5");
    s_refuses_host (TZ (", \"tz\": [\"Z\"]"), SH_E_HOST_TIME, "10.0.0.5");
}

static void
test_last_seen_in_body (void **state)
{
    (void) state;
#define AT(seen) HOST ("\"ip\": \"10.0.0.5\"" seen)
    /* the hub never goes beyond its own time, so this passes here */
    sm_legacy_t *legacy = s_parse (AT (", \"lastSeen\":"
                                       " \"2099-01-01 00:00:00\""));
    assert_int_equal (s_only_host (legacy)->seen, INT64_C (4070908800000));
    sm_legacy_destroy (&legacy);
    static const char *const cases[] = {
        AT (""),
        AT (", \"lastSeen\": null"),
        AT (", \"lastSeen\": 1795347861"),
        AT (", \"lastSeen\": \"\""),
        AT (", \"lastSeen\": \"-999-01-01 00:00:00\""),
        AT (", \"lastSeen\": \"2026-02-29 00:00:00\""),
        AT (", \"lastSeen\": [\"2026-11-22 11:44:21\"]"),
        AT (", \"lastSeen\": \"{{ now() }}\""),
    };
    for (size_t i = 0; i < COUNT (cases); i++)
        s_refuses_host (cases[i], SH_E_HOST_TIME, "10.0.0.5");
}

static void
test_address (void **state)
{
    (void) state;
#define IP(ip) HOST ("\"ip\": " ip ", " SEEN)
    static const char *const fine[][2] = {
        { IP ("\"10.0.0.0\""), "10.0.0.0" },
        { IP ("\"255.255.255.255\""), "255.255.255.255" },
        { IP ("\"2001:db8::5\""), "2001:db8::5" },
        { IP ("\"2001:0DB8:0:0::0005\""), "2001:db8::5" },
        { IP ("\"fe80::1\""), "fe80::1" },
        { IP ("\"10.0.0.\\u0035\""), "10.0.0.5" },
    };
    for (size_t i = 0; i < COUNT (fine); i++) {
        sm_legacy_t *legacy = s_parse (fine[i][0]);
        s_is_address (s_only_host (legacy), fine[i][1]);
        sm_legacy_destroy (&legacy);
    }
    static const char *const bad[][2] = {
        { IP ("\"300.1.0.1\""), "300.1.0.1" },
        { IP ("\"127.1\""), "127.1" },
        { IP ("\"1.2.3.4.5\""), "1.2.3.4.5" },
        { IP ("\"10.0.0.05\""), "10.0.0.05" },
        { IP ("\"10.0.0.5 \""), "10.0.0.5 " },
        { IP ("\"10.0.0.5/24\""), "10.0.0.5/24" },
        { IP ("\"0x0a000005\""), "0x0a000005" },
        { IP ("\"167772165\""), "167772165" },
        { IP ("\"fe80::1%eth0\""), "fe80::1%eth0" },
        { IP ("\"2001:db8:::5\""), "2001:db8:::5" },
        { IP ("\"x', description='I\""), "x', description='I" },
        { IP ("\"\\n\\u001b[31m\\u00e4\""), "\\x0a\\x1b[31m\\xc3\\xa4" },
        { IP ("\"\""), "" },
        { IP ("167772165"), "-" },
        { IP ("null"), "-" },
        { IP ("{}"), "-" },
        { IP ("[\"10.0.0.5\"]"), "-" },
        { HOST (SEEN), "-" },
        { WITH ("[{}]"), "-" },
    };
    for (size_t i = 0; i < COUNT (bad); i++)
        s_refuses_host (bad[i][0], SH_E_HOST_ADDRESS, bad[i][1]);
}

static void
test_not_a_host (void **state)
{
    (void) state;
    static const char *const cases[] = {
        WITH ("[null]"), WITH ("[5]"), WITH ("[true]"), WITH ("[\"10.0.0.5\"]"),
        WITH ("[[]]"), WITH ("[[{\"ip\": \"10.0.0.5\", " SEEN "}]]"),
    };
    for (size_t i = 0; i < COUNT (cases); i++)
        s_refuses_host (cases[i], SH_E_BAD_MESSAGE, "-");
}

/*  'The 3rd of 4 hosts bad' of the old server's list: one by one.  */
static void
test_one_bad_host (void **state)
{
    (void) state;
    sm_legacy_t *legacy = s_parse (
        WITH ("[{\"ip\": \"10.0.0.1\", " SEEN "}, {\"ip\": \"10.0.0.2\", " SEEN
              "}, {\"ip\": \"10.0.0.300\", " SEEN "}, {\"ip\": \"10.0.0.4\", "
              SEEN "}]"));
    assert_int_equal (legacy->host_total, 4);
    assert_int_equal (legacy->report.host_count, 3);
    s_is_address (&legacy->report.hosts[1], "10.0.0.2");
    s_is_address (&legacy->report.hosts[2], "10.0.0.4");
    assert_int_equal (legacy->report.up, 3);
    assert_int_equal (legacy->refused_count, 1);
    assert_string_equal (legacy->refused[0].ip, "10.0.0.300");
    sm_legacy_destroy (&legacy);
}

/*  The hub decides which of them counts.  */
static void
test_same_twice (void **state)
{
    (void) state;
    sm_legacy_t *legacy
        = s_parse (WITH ("[{\"ip\": \"10.0.0.1\", \"hostname\": \"a\", " SEEN
                         "}, {\"ip\": \"10.0.0.1\", \"hostname\": \"b\", " SEEN
                         "}]"));
    assert_int_equal (legacy->report.host_count, 2);
    s_is_address (&legacy->report.hosts[0], "10.0.0.1");
    s_is_address (&legacy->report.hosts[1], "10.0.0.1");
    assert_string_equal (legacy->report.hosts[0].name, "a");
    assert_string_equal (legacy->report.hosts[1].name, "b");
    sm_legacy_destroy (&legacy);
}

static void
test_subnet_id (void **state)
{
    (void) state;
#define ID(id) HOST ("\"ip\": \"10.0.0.5\", " SEEN id)
    static const struct
    {
        const char *body;
        uint64_t id;
    } cases[] = {
        { ID (", \"subnetId\": \"7\""), 7 },
        { ID (", \"subnetId\": 7"), 7 },
        { ID (", \"subnetId\": \"0007\""), 7 },
        { ID (", \"subnetId\": 2147483647"), 2147483647 },
        { ID (", \"subnetId\": 9223372036854775807"), INT64_MAX },
        { ID (", \"subnetId\": \"\""), 0 },
        { ID (", \"subnetId\": \"0\""), 0 },
        { ID (", \"subnetId\": null"), 0 },
        { ID (""), 0 },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sm_legacy_t *legacy = s_parse (cases[i].body);
        assert_int_equal (s_only_host (legacy)->subnet, cases[i].id);
        assert_int_equal (legacy->report.hint, cases[i].id);
        assert_int_equal (legacy->report.subnet, 0);
        sm_legacy_destroy (&legacy);
    }
    static const char *const bad[] = {
        ID (", \"subnetId\": -7"),
        ID (", \"subnetId\": \"-7\""),
        ID (", \"subnetId\": \" 7\""),
        ID (", \"subnetId\": \"7 OR 1=1\""),
        ID (", \"subnetId\": 7.0"),
        ID (", \"subnetId\": true"),
        ID (", \"subnetId\": [7]"),
        ID (", \"subnetId\": \"9999999999999999999\""),
    };
    for (size_t i = 0; i < COUNT (bad); i++)
        s_refuses_host (bad[i], SH_E_BAD_MESSAGE, "10.0.0.5");
}

static void
test_hint (void **state)
{
    (void) state;
#define ONE(id) "{\"ip\": \"10.0.0.5\", " SEEN id "}"
#define SEVEN ", \"subnetId\": \"7\""
    static const struct
    {
        const char *body;
        uint64_t hint;
    } cases[] = {
        { WITH ("[" ONE (SEVEN) ", " ONE (", \"subnetId\": 7") "]"), 7 },
        { WITH ("[" ONE (SEVEN) ", " ONE (", \"subnetId\": 8") "]"), 0 },
        { WITH ("[" ONE (SEVEN) ", " ONE ("") "]"), 0 },
        { WITH ("[" ONE ("") ", " ONE (SEVEN) "]"), 0 },
        /* a refused host has no say */
        { WITH ("[" ONE (SEVEN) ", {\"ip\": \"x\", \"subnetId\": 8}]"), 7 },
        { WITH ("[]"), 0 },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sm_legacy_t *legacy = s_parse (cases[i].body);
        if (legacy->report.hint != cases[i].hint)
            fail_msg ("%s: hint %llu", cases[i].body,
                      (unsigned long long) legacy->report.hint);
        sm_legacy_destroy (&legacy);
    }
}

/*  Names and MACs are data: what they are worth the hub finds out.  */
static void
test_texts (void **state)
{
    (void) state;
#define NAME(name) ID (", \"hostname\": " name)
    static const char *const cases[][2] = {
        { NAME ("\"o'brien\""), "o'brien" },
        { NAME ("\"{{ 7*7 }}\""), "{{ 7*7 }}" },
        { NAME ("\"{{ lookup('pipe', 'id') }}\""),
          "{{ lookup('pipe', 'id') }}" },
        { NAME ("\"x', description='I\""), "x', description='I" },
        { NAME ("\"a\\\"b\\\\c\\/d\""), "a\"b\\c/d" },
        { NAME ("\"b\\u00fccher\\n\""), "b\xc3\xbc" "cher\n" },
        { NAME ("\"\\ud83d\\ude00\""), "\xf0\x9f\x98\x80" },
        { NAME ("\"%s%n$(id)`id`;--\""), "%s%n$(id)`id`;--" },
        { NAME ("\"\""), NULL },
        { NAME ("null"), NULL },
        { NAME ("17"), "?" },
        { NAME ("true"), "?" },
        { NAME ("[\"printer\"]"), "?" },
        { NAME ("{\"printer\": 1}"), "?" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sm_legacy_t *legacy = s_parse (cases[i][0]);
        const sp_host_t *host = s_only_host (legacy);
        if (cases[i][1])
            assert_string_equal (host->name, cases[i][1]);
        else
            assert_null (host->name);
        sm_legacy_destroy (&legacy);
    }
    sm_legacy_t *legacy = s_parse (ID (", \"mac\": 525400"));
    assert_string_equal (s_only_host (legacy)->mac, "?");
    sm_legacy_destroy (&legacy);
}

/*  A name is cut to what the wire takes, between two characters.  */
static void
test_long_texts (void **state)
{
    (void) state;
    for (size_t lead = 0; lead < 4; lead++) {
        char body[8192], name[2048] = "";
        memset (name, 'a', lead);
        for (size_t i = 0; i < 300; i++)
            memcpy (name + lead + i * 4, "\xf0\x9f\x98\x80", 5);
        snprintf (body, sizeof body,
                  HOST ("\"ip\": \"10.0.0.5\", " SEEN
                        ", \"hostname\": \"%s\", \"mac\": \"%s\""),
                  name, name);
        sm_legacy_t *legacy = s_parse (body);
        const sp_host_t *host = s_only_host (legacy);
        size_t whole = lead + (SP_LONG_TEXT_MOST - lead) / 4 * 4;
        assert_int_equal (strlen (host->name), whole);
        assert_memory_equal (host->name, name, whole);
        assert_string_equal (host->mac, host->name);
        sm_legacy_destroy (&legacy);
    }
}

static void
test_results_as_text (void **state)
{
    (void) state;
    sm_legacy_t *legacy = s_parse (
        WITH ("\"[{\\\"ip\\\": \\\"10.0.0.5\\\", \\\"lastSeen\\\":"
              " \\\"2026-11-22 11:44:21\\\", \\\"subnetId\\\": 7,"
              " \\\"hostname\\\": \\\"o\\\\u0027brien\\\"}]\""));
    assert_string_equal (s_only_host (legacy)->name, "o'brien");
    assert_int_equal (legacy->report.hint, 7);
    sm_legacy_destroy (&legacy);

    legacy = s_parse (WITH ("\" [ ] \""));
    assert_int_equal (legacy->host_total, 0);
    sm_legacy_destroy (&legacy);

    static const char *const bad[] = {
        WITH ("\"\""), WITH ("\"[\""), WITH ("\"{}\""), WITH ("\"7\""),
        WITH ("\"[{'ip': '10.0.0.5'}]\""), WITH ("\"[] []\""),
        WITH ("\"\\\"[]\\\"\""),
        WITH ("\"[{\\\"ip\\\": 1, \\\"ip\\\": 2}]\""),
        WITH ("\"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]\""),
    };
    for (size_t i = 0; i < COUNT (bad); i++)
        s_refuses (bad[i], SH_E_BAD_MESSAGE, "scan.results");
}

static void
test_no_report (void **state)
{
    (void) state;
#define REST ", \"scan\": {" NET ", \"results\": []}}"
    static const char *const cases[][2] = {
        { "[]", "body" },
        { "5", "body" },
        { "null", "body" },
        { "\"text\"", "body" },
        { "[" WITH ("[]") "]", "body" },
        { "{}", "code" },
        { "{\"code\": null" REST, "code" },
        { "{\"code\": \"\"" REST, "code" },
        { "{\"code\": 17" REST, "code" },
        { "{\"code\": [\"siteA\"]" REST, "code" },
        { "{\"code\": \"siteacodesiteacodesiteacode00001X\"" REST, "code" },
        { "{\"code\": \"siteA\"}", "scan" },
        { "{\"code\": \"siteA\", \"scan\": null}", "scan" },
        { "{\"code\": \"siteA\", \"scan\": []}", "scan" },
        { "{\"code\": \"siteA\", \"scan\": \"{}\"}", "scan" },
        { SCAN (""), "scan.subnet" },
        { SCAN ("\"results\": []"), "scan.subnet" },
        { SCAN (NET), "scan.results" },
        { WITH ("null"), "scan.results" },
        { WITH ("{}"), "scan.results" },
        { WITH ("{\"ip\": \"10.0.0.5\", " SEEN "}"), "scan.results" },
        { WITH ("5"), "scan.results" },
        { WITH ("true"), "scan.results" },
    };
    for (size_t i = 0; i < COUNT (cases); i++)
        s_refuses (cases[i][0], SH_E_BAD_MESSAGE, cases[i][1]);
}

/*  Compared byte by byte by the hub, so nothing may be changed here.  */
static void
test_code (void **state)
{
    (void) state;
    static const char *const cases[][2] = {
        { "{\"code\": \"SITEa\"" REST, "SITEa" },
        { "{\"code\": \"siteA \"" REST, "siteA " },
        { "{\"code\": \" \"" REST, " " },
        { "{\"code\": \"' OR 1=1 -- \"" REST, "' OR 1=1 -- " },
        { "{\"code\": \"siteacodesiteacodesiteacode00001\"" REST,
          "siteacodesiteacodesiteacode00001" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        sm_legacy_t *legacy = s_parse (cases[i][0]);
        assert_string_equal (legacy->report.code, cases[i][1]);
        sm_legacy_destroy (&legacy);
    }
}

static void
test_subnet (void **state)
{
    (void) state;
#define CIDR(cidr) SCAN ("\"subnet\": " cidr ", \"results\": []")
    static const char *const fine[][2] = {
        { CIDR ("\"10.0.0.0/24\""), "10.0.0.0/24" },
        { CIDR ("\"192.0.2.7/32\""), "192.0.2.7/32" },
        { CIDR ("\"0.0.0.0/0\""), "0.0.0.0/0" },
        { CIDR ("\"2001:db8::/64\""), "2001:db8::/64" },
        { CIDR ("\"2001:0DB8:0::/48\""), "2001:db8::/48" },
        { CIDR ("\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128\""),
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" },
    };
    for (size_t i = 0; i < COUNT (fine); i++) {
        sm_legacy_t *legacy = s_parse (fine[i][0]);
        assert_string_equal (legacy->report.cidr, fine[i][1]);
        sm_legacy_destroy (&legacy);
    }
    static const char *const bad[] = {
        CIDR ("null"), CIDR ("\"\""), CIDR ("\"10.0.0.0\""),
        CIDR ("\"10.0.0.0/\""), CIDR ("\"10.0.0.0/33\""),
        CIDR ("\"10.0.0.0/-1\""), CIDR ("\"10.0.0.5/24\""),
        CIDR ("\"300.0.0.0/24\""), CIDR ("\"10.0.0/24\""),
        CIDR ("\"10.0.0.0/24 \""), CIDR ("\"10.0.0.0/255.255.255.0\""),
        CIDR ("\"2001:db8::1/64\""), CIDR ("\"2001:db8::/129\""),
        CIDR ("\"10.0.0.0/24' OR '1'='1\""), CIDR ("167772160"),
        CIDR ("[\"10.0.0.0/24\"]"), CIDR ("{}"),
    };
    for (size_t i = 0; i < COUNT (bad); i++)
        s_refuses (bad[i], SH_E_BAD_MESSAGE, "scan.subnet");
}

static void
test_not_json (void **state)
{
    (void) state;
    static const char *const cases[] = {
        "", " ", "{", "}", "hello", "{'code': 1}", "<xml/>", "code=siteA",
        WITH ("[]") "x", WITH ("[]") " {}", WITH ("[,]"), WITH ("[1,]"),
        WITH ("[nan]"), WITH ("[NaN]"), WITH ("[01]"), WITH ("[1e999]"),
        "\xef\xbb\xbf" WITH ("[]"), "// comment\n" WITH ("[]"),
        "{\"code\": \"siteA\", \"code\": \"siteB\"" REST,
        WITH ("[{\"ip\": \"10.0.0.1\", \"ip\": \"10.0.0.2\", " SEEN "}]"),
        "{\"\\u0063ode\": \"siteA\", \"code\": \"siteB\"" REST,
        NAME ("\"\xff\""), NAME ("\"\xc3(\""), NAME ("\"\xc0\xaf\""),
        NAME ("\"\xed\xa0\x80\""), NAME ("\"\xf4\x90\x80\x80\""),
        NAME ("\"\\ud800\""), NAME ("\"\\udc00\\ud800\""),
        NAME ("\"\\u0000\""), NAME ("\"a\\u0000b\""), NAME ("\"\\x41\""),
        NAME ("\"line\nend\""), NAME ("\"unended"), "\"\\", "[\"\\",
    };
    for (size_t i = 0; i < COUNT (cases); i++)
        s_refuses (cases[i], SH_E_SYNTAX, "body: not");

    static const char nul[] = WITH ("[]") "\0";
    s_refuses_bytes (nul, sizeof nul, SH_E_SYNTAX, "NUL");
    static const char inside[] = "{\"code\": \"a\0b\"" REST;
    s_refuses_bytes (inside, sizeof inside - 1, SH_E_SYNTAX, "NUL");
    static const char escaped[] = "{\"code\": \"a\\\0b\"" REST;
    s_refuses_bytes (escaped, sizeof escaped - 1, SH_E_SYNTAX, "NUL");
    s_refuses_bytes (NULL, 0, SH_E_SYNTAX, "body");
}

static void
s_nest (char *out, size_t depth, const char *opening, const char *closing)
{
    *out = '\0';
    for (size_t i = 0; i < depth; i++, out += strlen (out))
        memcpy (out, opening, strlen (opening) + 1);
    for (size_t i = 0; i < depth; i++, out += strlen (out))
        memcpy (out, closing, strlen (closing) + 1);
}

static void
test_depth (void **state)
{
    (void) state;
    static char nested[100000], body[200000];
    static const size_t depths[] = { 17, 100, 2047, 2049, 5000 };
    for (size_t i = 0; i < COUNT (depths); i++) {
        s_nest (nested, depths[i], "[", "]");
        s_refuses (nested, SH_E_SYNTAX, "deep");
        s_nest (nested, depths[i], "{\"a\":[", "]}");
        s_refuses (nested, SH_E_SYNTAX, "deep");
        nested[depths[i] * 6] = '\0'; /* never closed */
        s_refuses (nested, SH_E_SYNTAX, "deep");
        snprintf (body, sizeof body, "{\"code\": \"a\", \"x\": %s}", nested);
        s_refuses (body, SH_E_SYNTAX, "deep");
    }
    s_nest (nested, SM_JSON_DEPTH, "[", "]");
    s_refuses (nested, SH_E_BAD_MESSAGE, "body");

    /* brackets in a string are none, behind an escaped quote too */
    s_nest (nested, 500, "[", "{");
    snprintf (body, sizeof body, NAME ("\"\\\\\\\"%s\""), nested);
    sm_legacy_t *legacy = s_parse (body);
    assert_int_equal (strlen (s_only_host (legacy)->name), 1002);
    sm_legacy_destroy (&legacy);
}

/*  A body of the largest size and as many hosts as go into it.  */
static void
test_size (void **state)
{
    (void) state;
    static const char head[] = "{\"code\":\"a\",\"scan\":{" NET
                               ",\"results\":[";
    static const char host[] = "{\"ip\":\"1.1.1.1\",\"lastSeen\":"
                               "\"2026-11-22 11:44:21\"}";
    char *body = malloc (SM_BODY_MOST + 2);
    assert_non_null (body);
    size_t used = strlen (head), hosts = 0;
    memcpy (body, head, used);
    while (used + sizeof host + 4 < SM_BODY_MOST) {
        if (hosts++ > 0)
            body[used++] = ',';
        memcpy (body + used, host, sizeof host - 1);
        used += sizeof host - 1;
    }
    memcpy (body + used, "]}}", 3);
    used += 3;
    memset (body + used, ' ', SM_BODY_MOST + 2 - used);

    sm_legacy_t *legacy = s_parse_bytes (body, SM_BODY_MOST);
    assert_true (hosts > 19000);
    assert_int_equal (legacy->report.host_count, hosts);
    sm_legacy_destroy (&legacy);
    s_refuses_bytes (body, SM_BODY_MOST + 1, SH_E_TOO_LARGE, "1048576");
    free (body);
}

/*  Few bytes that want much memory.  */
static void
test_greed (void **state)
{
    (void) state;
    char *body = malloc (SM_BODY_MOST);
    assert_non_null (body);
    static const char head[] = "{\"code\":\"a\",\"scan\":{" NET
                               ",\"results\":[0";
    static const struct
    {
        const char *item;
        size_t count;
        sh_err_t rc;
        const char *word;
    } cases[] = {
        { ",{}", 300000, SH_E_SYNTAX, "too many" },
        { ",[]", 300000, SH_E_SYNTAX, "too many" },
        { ",{}", 40000, SH_E_BAD_MESSAGE, "too many" },
        { ",0", 500000, SH_E_BAD_MESSAGE, "too many" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char *at = body + snprintf (body, SM_BODY_MOST, "%s", head);
        for (size_t k = 0; k < cases[i].count; k++) {
            memcpy (at, cases[i].item, strlen (cases[i].item));
            at += strlen (cases[i].item);
        }
        memcpy (at, "]}}", 3);
        s_refuses_bytes (body, (size_t) (at + 3 - body), cases[i].rc,
                         cases[i].word);
    }
    free (body);
}

/*  Whatever is cut off or changed: an answer, and nothing read beyond it.  */
static void
test_damage (void **state)
{
    (void) state;
    static const char body[]
        = HOST ("\"id\": 11, \"subnetId\": \"7\", \"ip\": \"10.0.0.5\", " SEEN
                ", \"hostname\": \"b\\u00fccher\", \"mac\": null");
    for (size_t i = 0; i < sizeof body - 1; i++) {
        char *cut = malloc (i);
        sm_legacy_t *legacy = NULL;
        assert_true (cut || i == 0);
        if (i > 0)
            memcpy (cut, body, i);
        assert_int_equal (sm_legacy_parse (&legacy, cut, i, RECEIVED, NULL),
                          SH_E_SYNTAX);
        assert_null (legacy);
        free (cut);
    }
    unsigned accepted = 0, refused = 0;
    for (size_t i = 0; i < sizeof body - 1; i++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char changed[sizeof body];
            sm_legacy_t *legacy = NULL;
            memcpy (changed, body, sizeof body);
            changed[i] = (char) byte;
            sh_err_t rc = sm_legacy_parse (&legacy, changed, sizeof body - 1,
                                           RECEIVED, NULL);
            accepted += rc == SH_OK ? 1 : 0;
            refused += rc == SH_E_SYNTAX || rc == SH_E_BAD_MESSAGE ? 1 : 0;
            assert_true ((rc == SH_OK) == (legacy != NULL));
            sm_legacy_destroy (&legacy);
        }
    }
    assert_int_equal (accepted + refused, (sizeof body - 1) * 256);
    assert_true (accepted > 0 && refused > 0);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_sample_known),
        cmocka_unit_test (test_sample_names),
        cmocka_unit_test (test_sample_mac),
        cmocka_unit_test (test_sample_empty),
        cmocka_unit_test (test_report),
        cmocka_unit_test (test_received),
        cmocka_unit_test (test_tz),
        cmocka_unit_test (test_tz_refuses),
        cmocka_unit_test (test_wall),
        cmocka_unit_test (test_wall_refuses),
        cmocka_unit_test (test_tz_in_body),
        cmocka_unit_test (test_last_seen_in_body),
        cmocka_unit_test (test_address),
        cmocka_unit_test (test_not_a_host),
        cmocka_unit_test (test_one_bad_host),
        cmocka_unit_test (test_same_twice),
        cmocka_unit_test (test_subnet_id),
        cmocka_unit_test (test_hint),
        cmocka_unit_test (test_texts),
        cmocka_unit_test (test_long_texts),
        cmocka_unit_test (test_results_as_text),
        cmocka_unit_test (test_no_report),
        cmocka_unit_test (test_code),
        cmocka_unit_test (test_subnet),
        cmocka_unit_test (test_not_json),
        cmocka_unit_test (test_depth),
        cmocka_unit_test (test_size),
        cmocka_unit_test (test_greed),
        cmocka_unit_test (test_damage),
    };
    return cmocka_run_group_tests_name ("legacy", tests, NULL, NULL);
}
