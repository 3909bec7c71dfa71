/* SPDX-License-Identifier: MPL-2.0 */
/*  A message of any type made from the input, with values at and within their
    limits.  It can be encoded, and what is decoded from that is the same
    message, value by value and, encoded once more, byte by byte.  */

#include "scanner-proto/codec.h"
#include "tests/fuzz/input.h"

#define ITEMS 24      /* of an array */
#define ROOM 16384    /* bytes of texts */
#define TIME_MOST (INT64_C (1) << 61)

typedef struct
{
    input_t input;
    char texts[ROOM];
    size_t used;
    union
    {
        sp_subnet_t subnets[ITEMS];
        sp_target_t targets[ITEMS];
        sp_host_t hosts[ITEMS];
        sp_refused_t refused[ITEMS];
    } items;
    sp_range_t ranges[ITEMS];
    sp_range_t skips[ITEMS][4];
    sp_hours_t hours[ITEMS][SP_QUIET_MOST];
    const char *nameservers[ITEMS][SP_NAMESERVERS_MOST];
} draft_t;

static int64_t
s_time (draft_t *self)
{
    uint64_t number = fuzz_number (&self->input, UINT64_MAX);
    return (int64_t) (number % (2 * (uint64_t) TIME_MOST + 1)) - TIME_MOST;
}

static uint64_t
s_uint (draft_t *self, uint64_t most)
{
    return fuzz_number (&self->input, most);
}

static bool
s_bool (draft_t *self)
{
    return fuzz_byte (&self->input) & 1;
}

/*  A text of ASCII and one letter of three bytes; NULL where it may be
    absent and the input says so.  */
static const char *
s_text (draft_t *self, size_t most, bool required)
{
    static const char wide[] = "\xe2\x82\xac";
    size_t size = (size_t) s_uint (self, most);
    if (size == 0 && !required)
        return NULL;
    if (size + 1 > ROOM - self->used)
        return "";
    char *text = self->texts + self->used;
    for (size_t i = 0; i < size;) {
        uint8_t byte = fuzz_byte (&self->input);
        if (byte >= 0xc0 && size - i >= 3) {
            memcpy (text + i, wide, 3);
            i += 3;
        }
        else
            text[i++] = (char) (byte % 127 + 1);
    }
    text[size] = '\0';
    self->used += size + 1;
    return text;
}

static sh_bytes_t
s_bytes (draft_t *self, size_t size)
{
    static const uint8_t zeros[SP_TEXT_MOST];
    sh_bytes_t bytes = { self->input.at, size };
    if (size > self->input.left)
        bytes.data = zeros;
    else {
        self->input.at += size;
        self->input.left -= size;
    }
    return bytes;
}

static sh_bytes_t
s_address (draft_t *self)
{
    return s_bytes (self, s_bool (self) ? 4 : 16);
}

static size_t
s_count (draft_t *self)
{
    return (size_t) s_uint (self, ITEMS);
}

static void
s_draw_welcome (draft_t *self, sp_welcome_t *out)
{
    *out = (sp_welcome_t){
        .now = s_time (self),
        .name = s_text (self, SP_TEXT_MOST, true),
        .version = s_text (self, SP_TEXT_MOST, true),
        .part_bytes = s_uint (self, INT64_MAX),
        .part_hosts = s_uint (self, INT64_MAX),
        .hello_now = s_time (self),
    };
    if (s_bool (self))
        out->revision = s_bytes (self, SP_REVISION);
    if (s_bool (self)) {
        out->next_key = s_bytes (self, SP_HUB_KEY_BYTES);
        out->next_at = s_time (self);
    }
}

static void
s_draw_range (draft_t *self, sp_range_t *out)
{
    size_t size = s_bool (self) ? 4 : 16;
    sh_bytes_t first = s_bytes (self, size);
    sh_bytes_t last = s_bytes (self, size);
    bool ascend = memcmp (first.data, last.data, size) <= 0;
    out->first = ascend ? first : last;
    out->last = ascend ? last : first;
}

static void
s_draw_settings (draft_t *self, size_t i, sp_subnet_t *out)
{
    out->check_s = s_uint (self, SP_EVERY_MOST);
    out->discover_s = s_uint (self, SP_EVERY_MOST);
    out->rate = s_uint (self, SP_RATE_MOST);
    out->ipv6 = s_text (self, SP_TEXT_MOST, false);
    out->paused = s_bool (self);
    out->skip = self->skips[i];
    out->skip_count = (size_t) s_uint (self, 4);
    for (size_t n = 0; n < out->skip_count; n++)
        s_draw_range (self, &out->skip[n]);
    out->quiet = self->hours[i];
    out->quiet_count = (size_t) s_uint (self, SP_QUIET_MOST);
    for (size_t n = 0; n < out->quiet_count; n++)
        out->quiet[n] = (sp_hours_t){
            .from = s_uint (self, SP_DAY_MINUTES - 1),
            .to = s_uint (self, SP_DAY_MINUTES - 1),
        };
}

static void
s_draw_subnets (draft_t *self, sp_assignments_page_t *out)
{
    out->revision = s_bytes (self, SP_REVISION);
    out->more = s_bool (self);
    out->subnets = self->items.subnets;
    out->subnet_count = s_count (self);
    for (size_t i = 0; i < out->subnet_count; i++) {
        sp_subnet_t *subnet = &out->subnets[i];
        *subnet = (sp_subnet_t){
            .id = s_uint (self, INT64_MAX),
            .cidr = s_text (self, SP_CIDR_MOST, true),
            .discover = s_bool (self),
            .check = s_bool (self),
            .resolve = s_bool (self),
            .pool = s_bool (self),
            .nameservers = self->nameservers[i],
            .nameserver_count = (size_t) s_uint (self, SP_NAMESERVERS_MOST),
        };
        for (size_t n = 0; n < subnet->nameserver_count; n++)
            self->nameservers[i][n] = s_text (self, SP_TEXT_MOST, true);
        s_draw_settings (self, i, subnet);
    }
}

static void
s_draw_targets (draft_t *self, sp_targets_page_t *out)
{
    out->subnet = s_uint (self, INT64_MAX);
    out->more = s_bool (self);
    out->targets = self->items.targets;
    out->target_count = s_count (self);
    for (size_t i = 0; i < out->target_count; i++)
        out->targets[i] = (sp_target_t){ .ip = s_address (self),
                                         .exclude = s_bool (self) };
}

static void
s_draw_hosts (draft_t *self, sp_report_t *out)
{
    out->hosts = self->items.hosts;
    out->host_count = s_count (self);
    for (size_t i = 0; i < out->host_count; i++)
        out->hosts[i] = (sp_host_t){
            .ip = s_bytes (self, (size_t) s_uint (self, SP_TEXT_MOST)),
            .seen = s_time (self),
            .mac = s_text (self, SP_LONG_TEXT_MOST, false),
            .name = s_text (self, SP_LONG_TEXT_MOST, false),
            .how = s_text (self, SP_TEXT_MOST, false),
            .subnet = s_uint (self, INT64_MAX),
        };
}

static void
s_draw_covered (draft_t *self, sp_report_t *out)
{
    out->parts = s_uint (self, SP_PARTS_MOST);
    out->complete = s_bool (self);
    out->up = s_uint (self, INT64_MAX);
    out->covered = self->ranges;
    out->covered_count = s_count (self);
    for (size_t i = 0; i < out->covered_count; i++)
        s_draw_range (self, &out->covered[i]);
}

static void
s_draw_report (draft_t *self, sp_report_t *out)
{
    *out = (sp_report_t){
        .id = s_bytes (self, SP_REPORT_ID),
        .part = s_uint (self, SP_PARTS_MOST - 1),
        .code = s_text (self, SP_CODE_MOST, false),
        .subnet = s_uint (self, INT64_MAX),
        .hint = s_uint (self, INT64_MAX),
        .cidr = s_text (self, SP_CIDR_MOST, true),
        .kind = (int) s_uint (self, SP_KIND_COUNT - 1),
        .started = s_time (self),
        .finished = s_time (self),
        .off = s_time (self),
        .last = s_bool (self),
    };
    if (!out->code && out->subnet == 0)
        out->subnet = 1;
    if (out->last)
        s_draw_covered (self, out);
    else
        s_draw_hosts (self, out);
}

static void
s_draw_verdict (draft_t *self, sp_verdict_t *out)
{
    *out = (sp_verdict_t){
        .id = s_bytes (self, SP_REPORT_ID),
        .part = s_uint (self, SP_PARTS_MOST - 1),
        .result = (int) s_uint (self, SP_RESULT_COUNT - 1),
        .cause = s_text (self, SP_TEXT_MOST, false),
        .text = s_text (self, SP_LONG_TEXT_MOST, false),
        .refused = self->items.refused,
        .refused_named = s_count (self),
    };
    uint64_t *const counts[]
        = { &out->delay,   &out->seen,      &out->added,
            &out->named,   &out->macs,      &out->tagged,
            &out->skipped, &out->bad_names, &out->bad_macs,
            &out->refused_count };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        *counts[i] = s_uint (self, INT64_MAX);
    for (size_t i = 0; i < out->refused_named; i++)
        out->refused[i] = (sp_refused_t){
            .ip = s_bytes (self, (size_t) s_uint (self, SP_TEXT_MOST)),
            .cause = s_text (self, SP_TEXT_MOST, true),
        };
}

static void
s_draw_progress (draft_t *self, sp_progress_t *out)
{
    *out = (sp_progress_t){
        .id = s_bytes (self, SP_ORDER_ID),
        .state = (int) s_uint (self, SP_STATE_COUNT - 1),
        .done = s_uint (self, INT64_MAX),
        .total = s_uint (self, INT64_MAX),
        .up = s_uint (self, INT64_MAX),
        .rate = s_uint (self, INT64_MAX),
        .cause = s_text (self, SP_TEXT_MOST, false),
        .text = s_text (self, SP_LONG_TEXT_MOST, false),
        .complete = s_bool (self),
        .seen = s_uint (self, INT64_MAX),
        .added = s_uint (self, INT64_MAX),
        .refused = s_uint (self, INT64_MAX),
    };
}

static void
s_draw (draft_t *self, sp_message_t *out)
{
    *out = (sp_message_t){ .type
                           = (sp_type_t) s_uint (self, SP_TYPE_COUNT - 1) };
    switch (out->type) {
    case SP_HELLO:
        out->u.hello.now = s_time (self);
        out->u.hello.version = s_text (self, SP_TEXT_MOST, true);
        out->u.hello.orders = s_bool (self);
        break;
    case SP_WELCOME:
        s_draw_welcome (self, &out->u.welcome);
        break;
    case SP_BEAT:
        out->u.beat = (sp_beat_t){ .now = s_time (self),
                                   .spool = s_uint (self, INT64_MAX),
                                   .running = s_uint (self, INT64_MAX),
                                   .version
                                   = s_text (self, SP_TEXT_MOST, false) };
        break;
    case SP_REVISION_PUSH:
        out->u.revision.revision = s_bytes (self, SP_REVISION);
        break;
    case SP_ASSIGNMENTS:
        out->u.assignments.code = s_text (self, SP_CODE_MOST, false);
        out->u.assignments.after = s_uint (self, INT64_MAX);
        break;
    case SP_ASSIGNMENTS_PAGE:
        s_draw_subnets (self, &out->u.assignments_page);
        break;
    case SP_TARGETS:
        out->u.targets.code = s_text (self, SP_CODE_MOST, false);
        out->u.targets.subnet = s_uint (self, INT64_MAX);
        if (s_bool (self))
            out->u.targets.after = s_address (self);
        break;
    case SP_TARGETS_PAGE:
        s_draw_targets (self, &out->u.targets_page);
        break;
    case SP_REPORT:
        s_draw_report (self, &out->u.report);
        break;
    case SP_VERDICT:
        s_draw_verdict (self, &out->u.verdict);
        break;
    case SP_SCAN:
        out->u.scan = (sp_scan_t){
            .id = s_bytes (self, SP_ORDER_ID),
            .subnet = s_uint (self, INT64_MAX),
            .kind = (int) s_uint (self, SP_KIND_COUNT - 1),
        };
        break;
    case SP_CANCEL:
        out->u.cancel.id = s_bytes (self, SP_ORDER_ID);
        break;
    case SP_PROGRESS:
        s_draw_progress (self, &out->u.progress);
        break;
    case SP_HUB_KEY:
        if (s_bool (self))
            out->u.hub_key.next_key = s_bytes (self, SP_HUB_KEY_BYTES);
        out->u.hub_key.next_at = s_time (self);
        break;
    default:
        out->u.error.cause = s_text (self, SP_TEXT_MOST, true);
        out->u.error.text = s_text (self, SP_LONG_TEXT_MOST, false);
    }
}

static void
s_same_text (const char *a, const char *b)
{
    fuzz_require (a && b ? strcmp (a, b) == 0 : a == b);
}

static void
s_same_bytes (sh_bytes_t a, sh_bytes_t b)
{
    fuzz_require (a.size == b.size
                  && (a.size == 0 || memcmp (a.data, b.data, a.size) == 0));
}

/*  The second encoding shows that all fields came back, if each is written at
    all; these are read by hand to know that.  */
static void
s_compare (const sp_message_t *a, const sp_message_t *b)
{
    fuzz_require (a->type == b->type);
    if (a->type == SP_REPORT) {
        const sp_report_t *x = &a->u.report, *y = &b->u.report;
        s_same_bytes (x->id, y->id);
        s_same_text (x->code, y->code);
        s_same_text (x->cidr, y->cidr);
        fuzz_require (x->part == y->part && x->subnet == y->subnet
                      && x->hint == y->hint && x->kind == y->kind
                      && x->started == y->started && x->off == y->off
                      && x->last == y->last && x->up == y->up
                      && x->host_count == y->host_count
                      && x->covered_count == y->covered_count);
        for (size_t i = 0; i < x->host_count; i++) {
            s_same_bytes (x->hosts[i].ip, y->hosts[i].ip);
            s_same_text (x->hosts[i].name, y->hosts[i].name);
            s_same_text (x->hosts[i].mac, y->hosts[i].mac);
            fuzz_require (x->hosts[i].seen == y->hosts[i].seen
                          && x->hosts[i].subnet == y->hosts[i].subnet);
        }
    }
    else if (a->type == SP_VERDICT) {
        const sp_verdict_t *x = &a->u.verdict, *y = &b->u.verdict;
        s_same_bytes (x->id, y->id);
        s_same_text (x->cause, y->cause);
        fuzz_require (x->part == y->part && x->result == y->result
                      && x->delay == y->delay && x->added == y->added
                      && x->refused_named == y->refused_named);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static draft_t draft;
    draft.input = (input_t){ data, size };
    draft.used = 0;
    sp_message_t drawn;
    s_draw (&draft, &drawn);

    uint8_t *first = NULL, *second = NULL;
    size_t first_size, second_size;
    sp_message_t *read = NULL;
    fuzz_require (sp_encode (&first, &first_size, &drawn) == SH_OK);
    fuzz_require (sp_decode (&read, (sh_bytes_t){ first, first_size }, NULL)
                  == SH_OK);
    s_compare (&drawn, read);
    fuzz_require (sp_encode (&second, &second_size, read) == SH_OK);
    fuzz_require (first_size == second_size
                  && memcmp (first, second, first_size) == 0);
    sp_message_destroy (&read);
    free (first);
    free (second);
    return 0;
}
