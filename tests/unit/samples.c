/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/samples.h"

#include <stdlib.h>
#include <string.h>

#define BYTES(text) { (const uint8_t *) (text), sizeof (text) - 1 }
#define REPORT_ID                                                              \
    BYTES ("\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f")
#define ORDER_ID                                                               \
    BYTES ("\x20\x21\x22\x23\x24\x25\x26\x27\x28\x29\x2a\x2b\x2c\x2d\x2e\x2f")
#define HUB_KEY                                                                \
    BYTES ("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"        \
           "\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x20")
#define REVISION BYTES ("\xa1\xb2\xc3\xd4\xe5\xf6\x07\x18")
#define V4(last) BYTES ("\x0a\0\0" last)
#define V6(last) BYTES ("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0" last)
#define NOW INT64_C (1760000000000)

static const char *s_nameservers[] = { "10.0.0.53", "2001:db8::53" };

static sp_subnet_t s_subnets[] = {
    { .id = 7, .cidr = "10.0.0.0/24", .discover = true, .resolve = true,
      .nameservers = s_nameservers, .nameserver_count = 2 },
    { .id = 300, .cidr = "2001:db8::/64", .check = true, .pool = true },
};

static sp_range_t s_skip[] = {
    { V4 ("\x01"), V4 ("\x09") },
    { V4 ("\x14"), V4 ("\x14") },
};

static sp_range_t s_skip_v6[] = { { V6 ("\x01"), V6 ("\x02") } };

static sp_hours_t s_quiet[] = { { .from = 1320, .to = 360 } };

static sp_subnet_t s_subnets_settings[] = {
    { .id = 7, .cidr = "10.0.0.0/24", .discover = true, .check = true,
      .check_s = 300, .discover_s = 3600, .rate = 200, .paused = true,
      .skip = s_skip, .skip_count = 2, .quiet = s_quiet, .quiet_count = 1 },
    { .id = 300, .cidr = "2001:db8::/64", .discover = true, .pool = true,
      .discover_s = 86400, .ipv6 = "all", .skip = s_skip_v6,
      .skip_count = 1 },
};

static sp_target_t s_targets[] = {
    { .ip = V4 ("\x01") },
    { .ip = V4 ("\x02"), .exclude = true },
};

static sp_target_t s_targets_v6[] = { { .ip = V6 ("\x01") } };

static sp_host_t s_hosts[] = {
    { .ip = V4 ("\x01"), .seen = NOW + 10, .mac = "00:53:00:12:34:56",
      .name = "router.site.example", .how = "arp" },
    { .ip = V4 ("\x4d"), .seen = NOW + 20 },
};

static sp_host_t s_hosts_v6[] = {
    { .ip = V6 ("\x42"), .seen = NOW + 30, .how = "nd" },
};

static sp_host_t s_hosts_shim[] = {
    { .ip = V4 ("\x05"), .seen = NOW + 40, .name = "printer", .subnet = 9 },
    { .ip = V4 ("\x06"), .seen = NOW + 40, .subnet = 8 },
};

static sp_host_t s_hosts_old[] = {
    { .ip = V4 ("\x01"), .seen = NOW + 10 },
    { .ip = V4 ("\x07"), .seen = NOW - 7200000,
      .old = NOW - 7260000 },
};

static sp_range_t s_covered[] = {
    { V4 ("\x01"), V4 ("\xfe") },
    { V4 ("\x07"), V4 ("\x07") },
};

static sp_refused_t s_refused[] = {
    { V4 ("\0"), "host-network" },
    { BYTES ("\x0a\0\0"), "host-address" },
};

const sample_t samples[] = {
    { "hello",
      { .type = SP_HELLO,
        .u.hello = { .version = "scanhub-scanner 0.1.0", .now = NOW } } },
    { "hello-orders",
      { .type = SP_HELLO,
        .u.hello = { .version = "scanhub-scanner 0.2.0", .now = NOW,
                     .orders = true } } },
    { "welcome",
      { .type = SP_WELCOME,
        .u.welcome = { .now = NOW + 1500, .name = "site-a",
                       .version = "scanhubd 0.1.0",
                       .part_bytes = SP_PART_BYTES_MOST,
                       .part_hosts = SP_PART_HOSTS_MOST, .revision = REVISION,
                       .hello_now = NOW } } },
    { "welcome-next-key",
      { .type = SP_WELCOME,
        .u.welcome = { .now = NOW + 1500, .name = "site-a",
                       .version = "scanhubd 0.2.0",
                       .part_bytes = SP_PART_BYTES_MOST,
                       .part_hosts = SP_PART_HOSTS_MOST, .hello_now = NOW,
                       .next_key = HUB_KEY, .next_at = NOW + 3600000 } } },
    { "hub-key",
      { .type = SP_HUB_KEY,
        .u.hub_key = { .next_key = HUB_KEY, .next_at = NOW + 3600000 } } },
    { "hub-key-none", { .type = SP_HUB_KEY } },
    { "welcome-no-revision",
      { .type = SP_WELCOME,
        .u.welcome = { .now = NOW + 1500, .name = "Z\xc3\xbcrich",
                       .version = "scanhubd 0.1.0",
                       .part_bytes = SP_PART_BYTES_MOST,
                       .part_hosts = SP_PART_HOSTS_MOST, .hello_now = NOW } } },
    { "beat",
      { .type = SP_BEAT,
        .u.beat = { .now = NOW, .spool = 70000, .running = 3,
                    .version = "scanhub-scanner 0.1.0" } } },
    { "beat-bare", { .type = SP_BEAT, .u.beat = { .now = NOW } } },
    { "revision",
      { .type = SP_REVISION_PUSH, .u.revision = { .revision = REVISION } } },
    { "assignments", { .type = SP_ASSIGNMENTS } },
    { "assignments-next",
      { .type = SP_ASSIGNMENTS,
        .u.assignments = { .code = "code-of-site-a", .after = 1000 } } },
    { "assignments-page",
      { .type = SP_ASSIGNMENTS_PAGE,
        .u.assignments_page = { .revision = REVISION, .more = true,
                                .subnets = s_subnets, .subnet_count = 2 } } },
    { "assignments-page-empty",
      { .type = SP_ASSIGNMENTS_PAGE,
        .u.assignments_page = { .revision = REVISION } } },
    { "assignments-page-settings",
      { .type = SP_ASSIGNMENTS_PAGE,
        .u.assignments_page = { .revision = REVISION,
                                .subnets = s_subnets_settings,
                                .subnet_count = 2 } } },
    { "scan",
      { .type = SP_SCAN,
        .u.scan = { .id = ORDER_ID, .subnet = 7, .kind = SP_KIND_BOTH } } },
    { "cancel", { .type = SP_CANCEL, .u.cancel = { .id = ORDER_ID } } },
    { "progress",
      { .type = SP_PROGRESS,
        .u.progress = { .id = ORDER_ID, .state = SP_STATE_PROBING,
                        .done = 120, .total = 254, .up = 17,
                        .rate = 998 } } },
    { "progress-done",
      { .type = SP_PROGRESS,
        .u.progress = { .id = ORDER_ID, .state = SP_STATE_DONE, .done = 254,
                        .total = 254, .up = 20, .complete = true, .seen = 18,
                        .added = 2, .refused = 1 } } },
    { "progress-failed",
      { .type = SP_PROGRESS,
        .u.progress = { .id = ORDER_ID, .state = SP_STATE_FAILED,
                        .cause = "subnet-unknown",
                        .text = "no longer assigned" } } },
    { "targets", { .type = SP_TARGETS, .u.targets = { .subnet = 7 } } },
    { "targets-next",
      { .type = SP_TARGETS,
        .u.targets = { .code = "code-of-site-a", .subnet = 7,
                       .after = V4 ("\x09") } } },
    { "targets-page",
      { .type = SP_TARGETS_PAGE,
        .u.targets_page = { .subnet = 7, .targets = s_targets,
                            .target_count = 2 } } },
    { "targets-page-v6",
      { .type = SP_TARGETS_PAGE,
        .u.targets_page = { .subnet = 300, .more = true,
                            .targets = s_targets_v6, .target_count = 1 } } },
    { "report-hosts",
      { .type = SP_REPORT,
        .u.report = { .id = REPORT_ID, .subnet = 7, .cidr = "10.0.0.0/24",
                      .kind = SP_KIND_DISCOVER, .started = NOW,
                      .finished = NOW + 61000, .off = -3500, .hosts = s_hosts,
                      .host_count = 2 } } },
    { "report-hosts-v6",
      { .type = SP_REPORT,
        .u.report = { .id = REPORT_ID, .part = 1, .code = "code-of-site-a",
                      .cidr = "2001:db8::/64", .kind = SP_KIND_BOTH,
                      .started = NOW, .finished = NOW + 61000, .off = 86400000,
                      .hosts = s_hosts_v6, .host_count = 1 } } },
    { "report-hosts-shim",
      { .type = SP_REPORT,
        .u.report = { .id = REPORT_ID, .code = "code-of-site-a", .hint = 9,
                      .cidr = "10.0.0.0/24", .kind = SP_KIND_BOTH,
                      .started = NOW, .finished = NOW, .hosts = s_hosts_shim,
                      .host_count = 2 } } },
    { "report-hosts-old",
      { .type = SP_REPORT,
        .u.report = { .id = REPORT_ID, .subnet = 7, .cidr = "10.0.0.0/24",
                      .kind = SP_KIND_BOTH, .started = NOW,
                      .finished = NOW + 61000, .hosts = s_hosts_old,
                      .host_count = 2 } } },
    { "report-closing",
      { .type = SP_REPORT,
        .u.report = { .id = REPORT_ID, .part = 2, .subnet = 7,
                      .cidr = "10.0.0.0/24", .kind = SP_KIND_CHECK,
                      .started = NOW, .finished = NOW + 61000, .off = 2000,
                      .last = true, .parts = 2, .complete = true, .up = 3,
                      .covered = s_covered, .covered_count = 2 } } },
    { "report-broken-off",
      { .type = SP_REPORT,
        .u.report = { .id = REPORT_ID, .subnet = 7, .cidr = "10.0.0.0/24",
                      .kind = SP_KIND_DISCOVER, .started = NOW,
                      .finished = NOW + 61000, .last = true } } },
    { "verdict-applied",
      { .type = SP_VERDICT,
        .u.verdict = { .id = REPORT_ID, .result = SP_APPLIED, .seen = 250,
                       .added = 3, .named = 2, .macs = 1, .tagged = 4,
                       .skipped = 5, .bad_names = 6, .bad_macs = 7,
                       .refused_count = 2, .refused = s_refused,
                       .refused_named = 2 } } },
    { "verdict-noted",
      { .type = SP_VERDICT,
        .u.verdict = { .id = REPORT_ID, .part = 1, .result = SP_NOTED,
                       .seen = 1 } } },
    { "verdict-held",
      { .type = SP_VERDICT,
        .u.verdict = { .id = REPORT_ID, .result = SP_APPLIED, .seen = 2,
                       .held = 300, .skipped = 1 } } },
    { "verdict-refused",
      { .type = SP_VERDICT,
        .u.verdict = { .id = REPORT_ID, .part = 2, .result = SP_REFUSED,
                       .cause = "subnet-unknown",
                       .text = "no such subnet" } } },
    { "verdict-retry",
      { .type = SP_VERDICT,
        .u.verdict = { .id = REPORT_ID, .part = 65535, .result = SP_RETRY,
                       .cause = "database-unavailable",
                       .text = "the database does not answer",
                       .delay = 5000 } } },
    { "error",
      { .type = SP_ERROR,
        .u.error = { "superseded",
                     "a newer connection with the same key took over" } } },
    { "error-bare",
      { .type = SP_ERROR, .u.error = { .cause = "not-ready" } } },
};

const size_t sample_count = sizeof samples / sizeof *samples;

const sp_message_t *
sample_get (const char *name)
{
    for (size_t i = 0; i < sample_count; i++) {
        if (strcmp (samples[i].name, name) == 0)
            return &samples[i].message;
    }
    abort ();
}

static bool
s_same_text (const char *a, const char *b)
{
    return a && b ? strcmp (a, b) == 0 : a == b;
}

static bool
s_same_bytes (sh_bytes_t a, sh_bytes_t b)
{
    return a.size == b.size
           && (a.size == 0 || memcmp (a.data, b.data, a.size) == 0);
}

#define VALUE(member)                                                          \
    if (a->member != b->member)                                                \
        return #member
#define TEXT(member)                                                           \
    if (!s_same_text (a->member, b->member))                                   \
        return #member
#define BIN(member)                                                            \
    if (!s_same_bytes (a->member, b->member))                                  \
        return #member

static const char *
s_welcome (const sp_welcome_t *a, const sp_welcome_t *b)
{
    VALUE (now);
    VALUE (hello_now);
    TEXT (name);
    TEXT (version);
    VALUE (part_bytes);
    VALUE (part_hosts);
    BIN (revision);
    BIN (next_key);
    VALUE (next_at);
    return NULL;
}

static const char *
s_beat (const sp_beat_t *a, const sp_beat_t *b)
{
    VALUE (now);
    VALUE (spool);
    VALUE (running);
    TEXT (version);
    return NULL;
}

static const char *
s_subnet (const sp_subnet_t *a, const sp_subnet_t *b)
{
    VALUE (id);
    TEXT (cidr);
    VALUE (discover);
    VALUE (check);
    VALUE (resolve);
    VALUE (pool);
    VALUE (nameserver_count);
    for (size_t i = 0; i < a->nameserver_count; i++) {
        TEXT (nameservers[i]);
    }
    VALUE (check_s);
    VALUE (discover_s);
    VALUE (rate);
    TEXT (ipv6);
    VALUE (paused);
    VALUE (skip_count);
    for (size_t i = 0; i < a->skip_count; i++) {
        BIN (skip[i].first);
        BIN (skip[i].last);
    }
    VALUE (quiet_count);
    for (size_t i = 0; i < a->quiet_count; i++) {
        VALUE (quiet[i].from);
        VALUE (quiet[i].to);
    }
    return NULL;
}

static const char *
s_assignments_page (const sp_assignments_page_t *a,
                    const sp_assignments_page_t *b)
{
    BIN (revision);
    VALUE (more);
    VALUE (subnet_count);
    for (size_t i = 0; i < a->subnet_count; i++) {
        const char *what = s_subnet (&a->subnets[i], &b->subnets[i]);
        if (what)
            return what;
    }
    return NULL;
}

static const char *
s_targets_of (const sp_targets_t *a, const sp_targets_t *b)
{
    TEXT (code);
    VALUE (subnet);
    BIN (after);
    return NULL;
}

static const char *
s_targets_page (const sp_targets_page_t *a, const sp_targets_page_t *b)
{
    VALUE (subnet);
    VALUE (more);
    VALUE (target_count);
    for (size_t i = 0; i < a->target_count; i++) {
        BIN (targets[i].ip);
        VALUE (targets[i].exclude);
    }
    return NULL;
}

static const char *
s_hosts_of (const sp_report_t *a, const sp_report_t *b)
{
    VALUE (host_count);
    for (size_t i = 0; i < a->host_count; i++) {
        BIN (hosts[i].ip);
        VALUE (hosts[i].seen);
        VALUE (hosts[i].old);
        TEXT (hosts[i].mac);
        TEXT (hosts[i].name);
        TEXT (hosts[i].how);
        VALUE (hosts[i].subnet);
    }
    return NULL;
}

static const char *
s_report (const sp_report_t *a, const sp_report_t *b)
{
    BIN (id);
    VALUE (part);
    TEXT (code);
    VALUE (subnet);
    VALUE (hint);
    TEXT (cidr);
    VALUE (kind);
    VALUE (started);
    VALUE (finished);
    VALUE (off);
    VALUE (last);
    VALUE (parts);
    VALUE (complete);
    VALUE (up);
    VALUE (covered_count);
    for (size_t i = 0; i < a->covered_count; i++) {
        BIN (covered[i].first);
        BIN (covered[i].last);
    }
    return s_hosts_of (a, b);
}

static const char *
s_verdict (const sp_verdict_t *a, const sp_verdict_t *b)
{
    BIN (id);
    VALUE (part);
    VALUE (result);
    TEXT (cause);
    TEXT (text);
    VALUE (delay);
    VALUE (seen);
    VALUE (added);
    VALUE (named);
    VALUE (macs);
    VALUE (tagged);
    VALUE (held);
    VALUE (skipped);
    VALUE (bad_names);
    VALUE (bad_macs);
    VALUE (refused_count);
    VALUE (refused_named);
    for (size_t i = 0; i < a->refused_named; i++) {
        BIN (refused[i].ip);
        TEXT (refused[i].cause);
    }
    return NULL;
}

static const char *
s_progress (const sp_progress_t *a, const sp_progress_t *b)
{
    BIN (id);
    VALUE (state);
    VALUE (done);
    VALUE (total);
    VALUE (up);
    VALUE (rate);
    TEXT (cause);
    TEXT (text);
    VALUE (complete);
    VALUE (seen);
    VALUE (added);
    VALUE (refused);
    return NULL;
}

static const char *
s_small (const sp_message_t *a, const sp_message_t *b)
{
    if (a->type == SP_HELLO) {
        VALUE (u.hello.now);
        TEXT (u.hello.version);
        VALUE (u.hello.orders);
    } else if (a->type == SP_REVISION_PUSH) {
        BIN (u.revision.revision);
    } else if (a->type == SP_ASSIGNMENTS) {
        TEXT (u.assignments.code);
        VALUE (u.assignments.after);
    } else if (a->type == SP_ERROR) {
        TEXT (u.error.cause);
        TEXT (u.error.text);
    } else if (a->type == SP_SCAN) {
        BIN (u.scan.id);
        VALUE (u.scan.subnet);
        VALUE (u.scan.kind);
    } else if (a->type == SP_CANCEL) {
        BIN (u.cancel.id);
    } else if (a->type == SP_HUB_KEY) {
        BIN (u.hub_key.next_key);
        VALUE (u.hub_key.next_at);
    }
    return NULL;
}

const char *
sample_difference (const sp_message_t *a, const sp_message_t *b)
{
    VALUE (type);
    switch (a->type) {
    case SP_WELCOME:
        return s_welcome (&a->u.welcome, &b->u.welcome);
    case SP_BEAT:
        return s_beat (&a->u.beat, &b->u.beat);
    case SP_ASSIGNMENTS_PAGE:
        return s_assignments_page (&a->u.assignments_page,
                                   &b->u.assignments_page);
    case SP_TARGETS:
        return s_targets_of (&a->u.targets, &b->u.targets);
    case SP_TARGETS_PAGE:
        return s_targets_page (&a->u.targets_page, &b->u.targets_page);
    case SP_REPORT:
        return s_report (&a->u.report, &b->u.report);
    case SP_VERDICT:
        return s_verdict (&a->u.verdict, &b->u.verdict);
    case SP_PROGRESS:
        return s_progress (&a->u.progress, &b->u.progress);
    default:
        return s_small (a, b);
    }
}
