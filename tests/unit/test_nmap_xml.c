/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner/nmap_xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UP "<status state=\"up\" reason=\"arp-response\" reason_ttl=\"0\"/>"
#define HOST(ip)                                                               \
    "<host>" UP "<address addr=\"" ip "\" addrtype=\"ipv4\"/></host>"
#define STATS(exit, total)                                                     \
    "<runstats><finished time=\"1700000000\" " exit "/>"                       \
    "<hosts up=\"1\" down=\"0\" total=\"" total "\"/></runstats>"
#define GOOD(total) STATS ("exit=\"success\"", total)
#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE nmaprun>\n"

typedef struct
{
    sc_result_t result;
    sh_err_t feed, finish;
    sh_why_t why;
} outcome_t;

static int64_t
s_time (void *context)
{
    return *(int64_t *) context;
}

static int64_t s_now = 1700000000123;
static const sh_clock_t s_clock = { s_time, s_time, &s_now, NULL };

/*  Parse 'text' in pieces of 'piece' bytes.  */
static void
s_parse (outcome_t *out, const char *text, size_t piece, uint64_t asked)
{
    *out = (outcome_t){ 0 };
    sc_nmap_xml_t *xml = NULL;
    assert_int_equal (sc_nmap_xml_new (&xml, &out->result, 4, &s_clock),
                      SH_OK);
    size_t size = strlen (text);
    for (size_t at = 0; at < size && out->feed == SH_OK; at += piece) {
        size_t left = size - at;
        out->feed = sc_nmap_xml_feed (xml, text + at,
                                      left < piece ? left : piece, &out->why);
    }
    out->finish = sc_nmap_xml_finish (xml, asked, &out->why);
    sc_nmap_xml_destroy (&xml);
    assert_null (xml);
}

static void
s_expect_failure (const char *text, uint64_t asked, const char *words)
{
    outcome_t out;
    s_parse (&out, text, 4096, asked);
    assert_int_equal (out.finish, SH_E_PROBE);
    if (!strstr (out.why.text, words))
        fail_msg ("'%s' is not in '%s'", words, out.why.text);
    sc_result_clear (&out.result);
}

static void
test_host (void **state)
{
    (void) state;
    static const char text[] = HEAD
        "<!-- scan -->\n<nmaprun scanner=\"nmap\" start=\"1\">"
        "<host>" UP "<address addr=\"10.0.0.7\" addrtype=\"ipv4\"/>"
        "<address addr=\"36:6E:63:00:9B:E4\" addrtype=\"mac\" "
        "vendor=\"V&amp;\"/>"
        "<hostnames><hostname name=\"given\" type=\"user\"/>"
        "<hostname name=\"printer.site.example\" type=\"PTR\"/>"
        "<hostname name=\"second.example\" type=\"PTR\"/></hostnames>"
        "<times srtt=\"52\"/></host>" GOOD ("1") "</nmaprun>";
    /* every way of cutting it gives the same */
    for (size_t piece = 1; piece < sizeof text; piece += 37) {
        outcome_t out;
        s_parse (&out, text, piece, 1);
        assert_int_equal (out.finish, SH_OK);
        assert_int_equal (out.result.count, 1);
        const sc_host_t *host = &out.result.hosts[0];
        char ip[SH_ADDR_TEXT];
        sh_addr_text (&host->ip, ip);
        assert_string_equal (ip, "10.0.0.7");
        assert_string_equal (host->mac, "36:6E:63:00:9B:E4");
        assert_null (host->name); /* nobody asked nmap for it */
        assert_string_equal (host->how, "arp");
        assert_int_equal (host->seen, s_now);
        sc_result_clear (&out.result);
    }
}

/*  When a host was seen that is read so long after nmap's beginning.  */
static int64_t
s_seen_late (int64_t begin, int64_t late)
{
    static const char text[] = "<nmaprun>" HOST ("10.0.0.1") GOOD ("1")
                               "</nmaprun>";
    int64_t now = s_now;
    sc_result_t result = { 0 };
    sc_nmap_xml_t *xml = NULL;
    s_now = begin;
    assert_int_equal (sc_nmap_xml_new (&xml, &result, 4, &s_clock), SH_OK);
    s_now = begin + late;
    assert_int_equal (sc_nmap_xml_feed (xml, text, sizeof text - 1, NULL),
                      SH_OK);
    assert_int_equal (sc_nmap_xml_finish (xml, 1, NULL), SH_OK);
    sc_nmap_xml_destroy (&xml);
    s_now = now;
    int64_t seen = result.hosts[0].seen;
    sc_result_clear (&result);
    return seen;
}

/*  Whoever reads late does not make the hosts seen late; nor does a clock count
    that was set while nmap ran.  */
static void
test_late (void **state)
{
    (void) state;
    assert_int_equal (s_seen_late (s_now, 800), s_now + 800);
    assert_int_equal (s_seen_late (s_now, 4000), 1700000000999);
    assert_int_equal (s_seen_late (s_now + 3600000, 4000), s_now + 3604000);
    assert_int_equal (s_seen_late (1000, 4000), 5000);
}

static void
test_reasons (void **state)
{
    (void) state;
    static const char *const table[][2]
        = { { "echo-reply", "echo" },         { "nd-response", "nd" },
            { "conn-refused", "tcp" },        { "syn-ack", "tcp" },
            { "localhost-response", "local" }, { "<>\x7f", "other" },
            { "user-set", "other" } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char text[512];
        const char *reason = table[i][0][0] == '<' ? "&lt;" : table[i][0];
        (void) snprintf (text, sizeof text,
                         "<nmaprun><host><status state=\"up\" reason=\"%s\"/>"
                         "<address addr=\"2001:db8::5\" addrtype=\"ipv6\"/>"
                         "</host>" GOOD ("1") "</nmaprun>",
                         reason);
        outcome_t out;
        s_parse (&out, text, 4096, 1);
        assert_int_equal (out.finish, SH_OK);
        assert_int_equal (out.result.count, 1);
        assert_int_equal (out.result.hosts[0].ip.family, 6);
        assert_string_equal (out.result.hosts[0].how, table[i][1]);
        sc_result_clear (&out.result);
    }
}

/*  Down, without an address, or with none that we can read: no host.  */
static void
test_no_host (void **state)
{
    (void) state;
    outcome_t out;
    s_parse (&out,
             "<nmaprun><host><status state=\"down\"/>"
             "<address addr=\"10.0.0.1\" addrtype=\"ipv4\"/></host>"
             "<host>" UP "</host>"
             "<host>" UP "<address addr=\"10.0.0.1/24\" addrtype=\"ipv4\"/>"
             "<hostnames><hostname name=\"a\" type=\"PTR\"/></hostnames>"
             "</host>"
             "<host><address addr=\"10.0.0.2\" addrtype=\"ipv4\"/></host>"
             "<other>" HOST ("10.0.0.3") "</other>" GOOD ("4") "</nmaprun>",
             4096, 4);
    assert_int_equal (out.finish, SH_OK);
    assert_int_equal (out.result.count, 0);
    sc_result_clear (&out.result);
}

static void
test_long_texts (void **state)
{
    (void) state;
    char name[1200], text[4000];
    memset (name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    (void) snprintf (text, sizeof text,
                     "<nmaprun><host>" UP
                     "<address addr=\"10.0.0.1\" addrtype=\"ipv4\"/>"
                     "<address addr=\"%.60s\" addrtype=\"mac\"/><hostnames>"
                     "<hostname name=\"%s\" type=\"PTR\"/></hostnames></host>"
                     GOOD ("1") "</nmaprun>",
                     name, name);
    outcome_t out;
    s_parse (&out, text, 4096, 1);
    assert_int_equal (out.finish, SH_OK);
    assert_int_equal (out.result.count, 1);
    assert_null (out.result.hosts[0].name);
    assert_string_equal (out.result.hosts[0].mac, "");
    sc_result_clear (&out.result);
}

static void
test_incomplete (void **state)
{
    (void) state;
    s_expect_failure ("<nmaprun>" HOST ("10.0.0.1") "</nmaprun>", 1,
                      "nmap gave up");
    s_expect_failure ("<nmaprun>" HOST ("10.0.0.1") STATS (
                          "exit=\"error\" errormsg=\"no luck\"", "1")
                      "</nmaprun>",
                      1, "no luck");
    s_expect_failure ("<nmaprun>" HOST ("10.0.0.1"), 1, "ends early");
    s_expect_failure ("", 0, "ends early");
    s_expect_failure ("nmap: no such option\n", 0, "not XML");
    s_expect_failure ("<nmaprun>" GOOD ("2") "</nmaprun><nmaprun/>", 2,
                      "not XML");
    /* the same elements in other places mean nothing */
    s_expect_failure ("<nmaprun><host>" GOOD ("1") "</host></nmaprun>", 1,
                      "nmap gave up");
    s_expect_failure ("<other>" GOOD ("1") "</other>", 1, "nmap gave up");
}

/*  nmap calls it a success when it had no route to half of the targets.  */
static void
test_skipped (void **state)
{
    (void) state;
    s_expect_failure ("<nmaprun><target specification=\"10.0.0.2\" "
                      "status=\"skipped\" reason=\"invalid\"/>"
                      HOST ("10.0.0.1") GOOD ("1") "</nmaprun>",
                      2, "no route to 1 address, the first is 10.0.0.2");
    s_expect_failure ("<nmaprun>" HOST ("10.0.0.1") GOOD ("1") "</nmaprun>", 2,
                      "took on 1 of 2");
    s_expect_failure ("<nmaprun>" HOST ("10.0.0.1")
                      "<runstats><finished exit=\"success\"/></runstats>"
                      "</nmaprun>",
                      2, "took on 0 of 2");
}

static void
test_hostile (void **state)
{
    (void) state;
    s_expect_failure ("<!DOCTYPE nmaprun [<!ENTITY a \"b\">]><nmaprun/>", 0,
                      "declares an XML entity");
    s_expect_failure ("<!DOCTYPE nmaprun [<!ENTITY % a SYSTEM "
                      "\"file:///etc/passwd\">%a;]><nmaprun/>",
                      0, "declares an XML entity");
    s_expect_failure ("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>", 0,
                      "nested too deeply");
    s_expect_failure ("<nmaprun>" HOST ("10.0.0.1") HOST ("10.0.0.2")
                      HOST ("10.0.0.3") HOST ("10.0.0.4") HOST ("10.0.0.5")
                      GOOD ("5") "</nmaprun>",
                      5, "more hosts than");
}

static void
test_size (void **state)
{
    (void) state;
    sc_result_t result = { 0 };
    sc_nmap_xml_t *xml = NULL;
    sh_why_t why = { 0 };
    assert_int_equal (sc_nmap_xml_new (&xml, &result, 4, &s_clock), SH_OK);
    assert_int_equal (sc_nmap_xml_feed (xml, "<nmaprun>", 9, &why), SH_OK);
    static char blank[1 << 20];
    memset (blank, ' ', sizeof blank);
    sh_err_t rc = SH_OK;
    size_t fed = 0;
    for (; fed < 2 * SC_NMAP_XML_MOST / sizeof blank && rc == SH_OK; fed++)
        rc = sc_nmap_xml_feed (xml, blank, sizeof blank, &why);
    assert_int_equal (rc, SH_E_PROBE);
    assert_int_equal (fed, SC_NMAP_XML_MOST / sizeof blank);
    /* and it stays an error */
    assert_int_equal (sc_nmap_xml_feed (xml, " ", 1, &why), SH_E_PROBE);
    assert_non_null (strstr (why.text, "longer than"));
    assert_int_equal (sc_nmap_xml_finish (xml, 0, &why), SH_E_PROBE);
    sc_nmap_xml_destroy (&xml);
    sc_nmap_xml_destroy (&xml);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_host),       cmocka_unit_test (test_reasons),
        cmocka_unit_test (test_no_host),    cmocka_unit_test (test_long_texts),
        cmocka_unit_test (test_incomplete), cmocka_unit_test (test_skipped),
        cmocka_unit_test (test_hostile),    cmocka_unit_test (test_size),
        cmocka_unit_test (test_late),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
