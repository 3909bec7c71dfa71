/* SPDX-License-Identifier: MPL-2.0 */
#include "scanner-proto/shapes.h"

#include <stddef.h>
#include <string.h>

#define REQUIRED false
#define OPTIONAL true
#define AT(type, member) offsetof (sp_##type##_t, member)
#define KEY(key) key, sizeof (key) - 1
#define UINT(key, need, at, most)                                              \
    { KEY (key), SP_FIELD_UINT, need, at, 0, most, 0, 0, 0 }
#define INT(key, need, at)                                                     \
    { KEY (key), SP_FIELD_INT, need, at, 0, SP_INT_MOST, 0, 0, 0 }
#define BOOL(key, need, at)                                                    \
    { KEY (key), SP_FIELD_BOOL, need, at, 0, 0, 0, 0, 0 }
#define TEXT(key, need, at, most)                                              \
    { KEY (key), SP_FIELD_TEXT, need, at, 0, most, 0, 0, 0 }
#define BIN(key, need, at, least, most)                                        \
    { KEY (key), SP_FIELD_BIN, need, at, least, most, 0, 0, 0 }
#define ADDRESS(key, need, at)                                                 \
    { KEY (key), SP_FIELD_ADDRESS, need, at, 0, 0, 0, 0, 0 }
#define WORD(key, at, unknown, count, word)                                    \
    { KEY (key), SP_FIELD_WORD, REQUIRED, at, unknown, count, 0, 0, word }
#define MAPS(key, need, at, count_at, most, shape)                             \
    { KEY (key), SP_FIELD_MAPS, need, at, 0, most, count_at, shape, 0 }
#define TEXTS(key, need, at, count_at, most)                                   \
    { KEY (key), SP_FIELD_TEXTS, need, at, 0, most, count_at, 0, 0 }
#define SPAN(key, at, most)                                                    \
    { KEY (key), SP_FIELD_SPAN, OPTIONAL, at, 0, most, 0, 0, 0 }
#define FLAG(key, at)                                                          \
    { KEY (key), SP_FIELD_FLAG, OPTIONAL, at, 0, 0, 0, 0, 0 }
#define SHAPE_OF(name, type)                                                   \
    { name##_fields, sizeof name##_fields / sizeof name##_fields[0],           \
      sizeof (type) }
#define SHAPE(name, type)                                                      \
    static const sp_shape_t name = SHAPE_OF (name, type)

#define ANY (uint64_t) INT64_MAX /* so that readers may count in int64_t */

static const sp_field_t s_hello_fields[] = {
    INT ("now", REQUIRED, AT (hello, now)),
    TEXT ("version", REQUIRED, AT (hello, version), SP_TEXT_MOST),
    BOOL ("orders", OPTIONAL, AT (hello, orders)),
};
SHAPE (s_hello, sp_hello_t);

static const sp_field_t s_welcome_fields[] = {
    INT ("now", REQUIRED, AT (welcome, now)),
    INT ("hello_now", REQUIRED, AT (welcome, hello_now)),
    TEXT ("name", REQUIRED, AT (welcome, name), SP_TEXT_MOST),
    TEXT ("version", REQUIRED, AT (welcome, version), SP_TEXT_MOST),
    UINT ("part_bytes", REQUIRED, AT (welcome, part_bytes), ANY),
    UINT ("part_hosts", REQUIRED, AT (welcome, part_hosts), ANY),
    BIN ("rev", OPTIONAL, AT (welcome, revision), SP_REVISION, SP_REVISION),
    BIN ("next_key", OPTIONAL, AT (welcome, next_key), SP_HUB_KEY_BYTES,
         SP_HUB_KEY_BYTES),
    INT ("next_at", OPTIONAL, AT (welcome, next_at)),
};
SHAPE (s_welcome, sp_welcome_t);

static const sp_field_t s_beat_fields[] = {
    INT ("now", REQUIRED, AT (beat, now)),
    UINT ("spool", OPTIONAL, AT (beat, spool), ANY),
    UINT ("running", OPTIONAL, AT (beat, running), ANY),
    TEXT ("version", OPTIONAL, AT (beat, version), SP_TEXT_MOST),
};
SHAPE (s_beat, sp_beat_t);

static const sp_field_t s_revision_fields[] = {
    BIN ("rev", REQUIRED, AT (revision, revision), SP_REVISION, SP_REVISION),
};
SHAPE (s_revision, sp_revision_t);

static const sp_field_t s_assignments_fields[] = {
    TEXT ("for", OPTIONAL, AT (assignments, code), SP_CODE_MOST),
    UINT ("after", OPTIONAL, AT (assignments, after), ANY),
};
SHAPE (s_assignments, sp_assignments_t);

static const sp_field_t s_range_fields[] = {
    ADDRESS ("first", REQUIRED, AT (range, first)),
    ADDRESS ("last", REQUIRED, AT (range, last)),
};
SHAPE (s_range, sp_range_t);

static const sp_field_t s_hours_fields[] = {
    UINT ("from", REQUIRED, AT (hours, from), SP_DAY_MINUTES - 1),
    UINT ("to", REQUIRED, AT (hours, to), SP_DAY_MINUTES - 1),
};
SHAPE (s_hours, sp_hours_t);

static const sp_field_t s_subnet_fields[] = {
    UINT ("id", REQUIRED, AT (subnet, id), ANY),
    TEXT ("cidr", REQUIRED, AT (subnet, cidr), SP_CIDR_MOST),
    BOOL ("discover", REQUIRED, AT (subnet, discover)),
    BOOL ("check", REQUIRED, AT (subnet, check)),
    BOOL ("resolve", REQUIRED, AT (subnet, resolve)),
    BOOL ("pool", REQUIRED, AT (subnet, pool)),
    TEXTS ("ns", REQUIRED, AT (subnet, nameservers),
           AT (subnet, nameserver_count), SP_NAMESERVERS_MOST),
    UINT ("check_s", OPTIONAL, AT (subnet, check_s), SP_EVERY_MOST),
    UINT ("discover_s", OPTIONAL, AT (subnet, discover_s), SP_EVERY_MOST),
    UINT ("rate", OPTIONAL, AT (subnet, rate), SP_RATE_MOST),
    TEXT ("ipv6", OPTIONAL, AT (subnet, ipv6), SP_TEXT_MOST),
    BOOL ("paused", OPTIONAL, AT (subnet, paused)),
    MAPS ("skip", OPTIONAL, AT (subnet, skip), AT (subnet, skip_count),
          SP_SKIP_MOST, &s_range),
    MAPS ("quiet", OPTIONAL, AT (subnet, quiet), AT (subnet, quiet_count),
          SP_QUIET_MOST, &s_hours),
};
SHAPE (s_subnet, sp_subnet_t);

static const sp_field_t s_assignments_page_fields[] = {
    BIN ("rev", REQUIRED, AT (assignments_page, revision), SP_REVISION,
         SP_REVISION),
    BOOL ("more", REQUIRED, AT (assignments_page, more)),
    MAPS ("subnets", REQUIRED, AT (assignments_page, subnets),
          AT (assignments_page, subnet_count), SP_PAGE_SUBNETS_MOST,
          &s_subnet),
};
SHAPE (s_assignments_page, sp_assignments_page_t);

static const sp_field_t s_targets_fields[] = {
    TEXT ("for", OPTIONAL, AT (targets, code), SP_CODE_MOST),
    UINT ("subnet", REQUIRED, AT (targets, subnet), ANY),
    ADDRESS ("after", OPTIONAL, AT (targets, after)),
};
SHAPE (s_targets, sp_targets_t);

static const sp_field_t s_target_fields[] = {
    ADDRESS ("ip", REQUIRED, AT (target, ip)),
    BOOL ("exclude", REQUIRED, AT (target, exclude)),
};
SHAPE (s_target, sp_target_t);

static const sp_field_t s_targets_page_fields[] = {
    UINT ("subnet", REQUIRED, AT (targets_page, subnet), ANY),
    BOOL ("more", REQUIRED, AT (targets_page, more)),
    MAPS ("targets", REQUIRED, AT (targets_page, targets),
          AT (targets_page, target_count), SP_PAGE_TARGETS_MOST, &s_target),
};
SHAPE (s_targets_page, sp_targets_page_t);

/*  An address of a wrong size refuses its host, not the part.  */
static const sp_field_t s_host_fields[] = {
    BIN ("ip", REQUIRED, AT (host, ip), 0, SP_TEXT_MOST),
    INT ("seen", REQUIRED, AT (host, seen)),
    TEXT ("mac", OPTIONAL, AT (host, mac), SP_LONG_TEXT_MOST),
    TEXT ("name", OPTIONAL, AT (host, name), SP_LONG_TEXT_MOST),
    TEXT ("how", OPTIONAL, AT (host, how), SP_TEXT_MOST),
    UINT ("subnet", OPTIONAL, AT (host, subnet), ANY),
    INT ("old", OPTIONAL, AT (host, old)),
};
SHAPE (s_host, sp_host_t);

static const sp_field_t s_report_fields[] = {
    BIN ("id", REQUIRED, AT (report, id), SP_REPORT_ID, SP_REPORT_ID),
    UINT ("part", REQUIRED, AT (report, part), SP_PARTS_MOST - 1),
    TEXT ("for", OPTIONAL, AT (report, code), SP_CODE_MOST),
    UINT ("subnet", OPTIONAL, AT (report, subnet), ANY),
    UINT ("hint", OPTIONAL, AT (report, hint), ANY),
    TEXT ("cidr", REQUIRED, AT (report, cidr), SP_CIDR_MOST),
    WORD ("kind", AT (report, kind), SP_KIND_COUNT, SP_KIND_COUNT,
          sp_kind_word),
    INT ("started", REQUIRED, AT (report, started)),
    INT ("finished", REQUIRED, AT (report, finished)),
    INT ("off", REQUIRED, AT (report, off)),
    MAPS ("hosts", OPTIONAL, AT (report, hosts), AT (report, host_count),
          SP_PART_HOSTS_MOST, &s_host),
    BOOL ("last", OPTIONAL, AT (report, last)),
    UINT ("parts", OPTIONAL, AT (report, parts), SP_PARTS_MOST),
    BOOL ("complete", OPTIONAL, AT (report, complete)),
    UINT ("up", OPTIONAL, AT (report, up), ANY),
    MAPS ("covered", OPTIONAL, AT (report, covered), AT (report, covered_count),
          SP_RANGES_MOST, &s_range),
};
SHAPE (s_report, sp_report_t);

static const sp_field_t s_refused_fields[] = {
    BIN ("ip", REQUIRED, AT (refused, ip), 0, SP_TEXT_MOST),
    TEXT ("cause", REQUIRED, AT (refused, cause), SP_TEXT_MOST),
};
SHAPE (s_refused, sp_refused_t);

static const sp_field_t s_verdict_fields[] = {
    BIN ("id", REQUIRED, AT (verdict, id), SP_REPORT_ID, SP_REPORT_ID),
    UINT ("part", REQUIRED, AT (verdict, part), SP_PARTS_MOST - 1),
    WORD ("result", AT (verdict, result), SP_RETRY, SP_RESULT_COUNT,
          sp_result_word),
    TEXT ("cause", OPTIONAL, AT (verdict, cause), SP_TEXT_MOST),
    TEXT ("text", OPTIONAL, AT (verdict, text), SP_LONG_TEXT_MOST),
    UINT ("delay", OPTIONAL, AT (verdict, delay), ANY),
    UINT ("seen", OPTIONAL, AT (verdict, seen), ANY),
    UINT ("added", OPTIONAL, AT (verdict, added), ANY),
    UINT ("named", OPTIONAL, AT (verdict, named), ANY),
    UINT ("macs", OPTIONAL, AT (verdict, macs), ANY),
    UINT ("tagged", OPTIONAL, AT (verdict, tagged), ANY),
    UINT ("held", OPTIONAL, AT (verdict, held), ANY),
    UINT ("skipped", OPTIONAL, AT (verdict, skipped), ANY),
    UINT ("bad_names", OPTIONAL, AT (verdict, bad_names), ANY),
    UINT ("bad_macs", OPTIONAL, AT (verdict, bad_macs), ANY),
    UINT ("refused_count", OPTIONAL, AT (verdict, refused_count), ANY),
    MAPS ("refused", OPTIONAL, AT (verdict, refused),
          AT (verdict, refused_named), SP_REFUSED_MOST, &s_refused),
};
SHAPE (s_verdict, sp_verdict_t);

static const sp_field_t s_error_fields[] = {
    TEXT ("cause", REQUIRED, AT (error, cause), SP_TEXT_MOST),
    TEXT ("text", OPTIONAL, AT (error, text), SP_LONG_TEXT_MOST),
};
SHAPE (s_error, sp_error_t);

static const sp_field_t s_scan_fields[] = {
    BIN ("id", REQUIRED, AT (scan, id), SP_ORDER_ID, SP_ORDER_ID),
    UINT ("subnet", REQUIRED, AT (scan, subnet), ANY),
    WORD ("kind", AT (scan, kind), SP_KIND_COUNT, SP_KIND_COUNT,
          sp_kind_word),
};
SHAPE (s_scan, sp_scan_t);

static const sp_field_t s_cancel_fields[] = {
    BIN ("id", REQUIRED, AT (cancel, id), SP_ORDER_ID, SP_ORDER_ID),
};
SHAPE (s_cancel, sp_cancel_t);

static const sp_field_t s_progress_fields[] = {
    BIN ("id", REQUIRED, AT (progress, id), SP_ORDER_ID, SP_ORDER_ID),
    WORD ("state", AT (progress, state), SP_STATE_PROBING, SP_STATE_COUNT,
          sp_state_word),
    UINT ("done", OPTIONAL, AT (progress, done), ANY),
    UINT ("total", OPTIONAL, AT (progress, total), ANY),
    UINT ("up", OPTIONAL, AT (progress, up), ANY),
    UINT ("rate", OPTIONAL, AT (progress, rate), ANY),
    TEXT ("cause", OPTIONAL, AT (progress, cause), SP_TEXT_MOST),
    TEXT ("text", OPTIONAL, AT (progress, text), SP_LONG_TEXT_MOST),
    BOOL ("complete", OPTIONAL, AT (progress, complete)),
    UINT ("seen", OPTIONAL, AT (progress, seen), ANY),
    UINT ("added", OPTIONAL, AT (progress, added), ANY),
    UINT ("refused", OPTIONAL, AT (progress, refused), ANY),
};
SHAPE (s_progress, sp_progress_t);

static const sp_field_t s_hub_key_fields[] = {
    BIN ("next_key", OPTIONAL, AT (hub_key, next_key), SP_HUB_KEY_BYTES,
         SP_HUB_KEY_BYTES),
    INT ("next_at", OPTIONAL, AT (hub_key, next_at)),
};
SHAPE (s_hub_key, sp_hub_key_t);

const sp_shape_t *const sp_shapes[SP_TYPE_COUNT] = {
    [SP_HELLO] = &s_hello,
    [SP_WELCOME] = &s_welcome,
    [SP_BEAT] = &s_beat,
    [SP_REVISION_PUSH] = &s_revision,
    [SP_ASSIGNMENTS] = &s_assignments,
    [SP_ASSIGNMENTS_PAGE] = &s_assignments_page,
    [SP_TARGETS] = &s_targets,
    [SP_TARGETS_PAGE] = &s_targets_page,
    [SP_REPORT] = &s_report,
    [SP_VERDICT] = &s_verdict,
    [SP_ERROR] = &s_error,
    [SP_SCAN] = &s_scan,
    [SP_CANCEL] = &s_cancel,
    [SP_PROGRESS] = &s_progress,
    [SP_HUB_KEY] = &s_hub_key,
};

static const sp_field_t s_peek_report_fields[] = {
    BIN ("id", REQUIRED, AT (peek, id), SP_REPORT_ID, SP_REPORT_ID),
    UINT ("part", REQUIRED, AT (peek, part), SP_PARTS_MOST - 1),
    UINT ("subnet", OPTIONAL, AT (peek, subnet), ANY),
    SPAN ("for", AT (peek, code), SP_CODE_MOST),
    SPAN ("cidr", AT (peek, cidr), SP_CIDR_MOST),
    FLAG ("last", AT (peek, last)),
};
const sp_shape_t sp_shape_peek_report = SHAPE_OF (s_peek_report, sp_peek_t);

static const sp_field_t s_peek_targets_fields[] = {
    UINT ("subnet", REQUIRED, AT (peek, subnet), ANY),
};
const sp_shape_t sp_shape_peek_targets = SHAPE_OF (s_peek_targets, sp_peek_t);

sh_err_t
sp_check_report (const sp_report_t *report, sh_why_t *why)
{
    if (report->subnet == 0 && !report->code)
        return sh_fail (why, SH_E_BAD_MESSAGE,
                        "report: subnet: missing, and there is no 'for'");
    if (report->last && report->host_count > 0)
        return sh_fail (why, SH_E_BAD_MESSAGE,
                        "report: hosts: not allowed in a closing part");
    for (size_t i = 0; i < report->covered_count; i++) {
        const sp_range_t *range = &report->covered[i];
        if (range->first.size != range->last.size)
            return sh_fail (why, SH_E_BAD_MESSAGE,
                            "report: covered[%zu]: two address families", i);
        if (memcmp (range->first.data, range->last.data, range->first.size) > 0)
            return sh_fail (why, SH_E_BAD_MESSAGE,
                            "report: covered[%zu]: first is after last", i);
    }
    return SH_OK;
}
