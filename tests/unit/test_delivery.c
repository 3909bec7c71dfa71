/* SPDX-License-Identifier: MPL-2.0 */
/*  The delivery against an outlet of this test's own, which keeps what was
    sent; the tests answer in any order.  Every part goes through the codec
    both ways.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scanner-proto/codec.h"
#include "scanner-proto/delivery.h"

#define SENT_MOST 512
#define NOW INT64_C (1760000000000)

typedef struct
{
    bool up, jammed;
    int64_t offset;
    sp_message_t *sent[SENT_MOST];
    size_t bytes[SENT_MOST];
    size_t count;
} s_outlet_t;

static sh_err_t
s_catch (void *context, const sp_message_t *message)
{
    s_outlet_t *self = context;
    uint8_t *data = NULL;
    size_t size;
    sh_err_t rc = sp_encode (&data, &size, message);
    if (rc)
        return rc;
    if (!self->up || self->jammed) {
        free (data);
        return SH_E_DISCONNECTED;
    }
    sh_why_t why = { "" };
    assert_true (self->count < SENT_MOST);
    if (sp_decode (&self->sent[self->count], (sh_bytes_t){ data, size }, &why))
        fail_msg ("sent what cannot be read: %s", why.text);
    free (data);
    self->bytes[self->count++] = size;
    return SH_OK;
}

/*  Everything a test needs.  */
typedef struct
{
    s_outlet_t client;
    sp_delivery_t *delivery;
    sp_report_t report;
    sh_clock_t clock;
    int64_t now;
} s_case_t;

static int64_t
s_now (void *context)
{
    return ((s_case_t *) context)->now;
}

static const uint8_t s_address[16] = { 10, 0, 0, 1 };

static void
s_begin (s_case_t *self, size_t hosts, const char *name, size_t ranges)
{
    memset (self, 0, sizeof *self);
    self->now = 1000000;
    self->client.up = true;
    self->client.offset = 5000;
    self->clock = (sh_clock_t){ s_now, s_now, self, NULL };
    self->report = (sp_report_t){ .subnet = 7,
                                  .cidr = "10.0.0.0/8",
                                  .kind = SP_KIND_BOTH,
                                  .started = NOW,
                                  .finished = NOW + 1000,
                                  .complete = true,
                                  .up = hosts,
                                  .host_count = hosts,
                                  .covered_count = ranges };
    self->report.hosts = calloc (hosts + 1, sizeof (sp_host_t));
    self->report.covered = calloc (ranges + 1, sizeof (sp_range_t));
    assert_true (self->report.hosts && self->report.covered);
    for (size_t i = 0; i < hosts; i++)
        self->report.hosts[i] = (sp_host_t){ .ip = { s_address, 4 },
                                             .seen = NOW + (int64_t) i,
                                             .name = name };
    for (size_t i = 0; i < ranges; i++)
        self->report.covered[i]
            = (sp_range_t){ { s_address, 16 }, { s_address, 16 } };
}

static void
s_start (s_case_t *self)
{
    assert_int_equal (sp_delivery_new (&self->delivery, &self->report,
                                       &self->clock), SH_OK);
}

static void
s_end (s_case_t *self)
{
    for (size_t i = 0; i < self->client.count; i++)
        sp_message_destroy (&self->client.sent[i]);
    sp_delivery_destroy (&self->delivery);
    assert_null (self->delivery);
    free (self->report.hosts);
    free (self->report.covered);
}

static sh_err_t
s_try_push (s_case_t *self)
{
    const sp_outlet_t outlet = { s_catch, &self->client, self->client.up,
                                 self->client.offset };
    return sp_delivery_push (self->delivery, &outlet);
}

static void
s_push (s_case_t *self)
{
    assert_int_equal (s_try_push (self), SH_OK);
}

static const sp_report_t *
s_sent (const s_case_t *self, size_t index)
{
    assert_true (index < self->client.count);
    assert_int_equal (self->client.sent[index]->type, SP_REPORT);
    return &self->client.sent[index]->u.report;
}

static bool
s_answer_as (s_case_t *self, sp_verdict_t verdict)
{
    sp_message_t message = { .type = SP_VERDICT, .u.verdict = verdict };
    sp_event_t event = { .kind = SP_EVENT_MESSAGE, .message = &message };
    return sp_delivery_take (self->delivery, &event);
}

static void
s_answer (s_case_t *self, uint64_t part, int result)
{
    sp_verdict_t verdict = { .id = sp_delivery_id (self->delivery),
                             .part = part,
                             .result = result };
    assert_true (s_answer_as (self, verdict));
}

static void
s_down (s_case_t *self)
{
    self->client.up = false;
    sp_event_t event = { .kind = SP_EVENT_DOWN };
    sp_delivery_take (self->delivery, &event);
}

static sp_delivery_state_t
s_state (const s_case_t *self)
{
    return sp_delivery_state (self->delivery);
}

/*  What all parts of one report have in common.  */
static void
s_check_head (const s_case_t *self, size_t index)
{
    const sp_report_t *part = s_sent (self, index);
    sh_bytes_t id = sp_delivery_id (self->delivery);
    assert_int_equal (id.size, SP_REPORT_ID);
    assert_memory_equal (part->id.data, id.data, id.size);
    assert_int_equal (part->subnet, 7);
    assert_string_equal (part->cidr, "10.0.0.0/8");
    assert_int_equal (part->kind, SP_KIND_BOTH);
    assert_true (part->started == NOW && part->finished == NOW + 1000);
    assert_int_equal (part->off, 5000);
    assert_true (self->client.bytes[index] <= SP_PART_BYTES_MOST);
}

static void
test_one_part (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 3, "host.example", 1);
    s_start (&self);
    assert_int_equal (sp_delivery_timeout (self.delivery), 0);
    s_push (&self);
    assert_int_equal (self.client.count, 1);
    s_check_head (&self, 0);
    assert_int_equal (s_sent (&self, 0)->host_count, 3);
    assert_int_equal (s_sent (&self, 0)->hosts[2].seen, NOW + 2);
    assert_false (s_sent (&self, 0)->last);
    s_push (&self);
    assert_int_equal (self.client.count, 1); /* once is enough */

    sp_verdict_t verdict = { .id = sp_delivery_id (self.delivery), .seen = 1,
                             .added = 2, .named = 3, .macs = 4, .tagged = 5,
                             .skipped = 6, .bad_names = 7, .bad_macs = 8,
                             .refused_count = 9 };
    assert_true (s_answer_as (&self, verdict));
    assert_int_equal (sp_delivery_timeout (self.delivery), 0);
    s_push (&self);
    assert_int_equal (self.client.count, 2);
    s_check_head (&self, 1);
    const sp_report_t *closing = s_sent (&self, 1);
    assert_true (closing->last && closing->complete);
    assert_int_equal (closing->part, 1);
    assert_int_equal (closing->parts, 1);
    assert_int_equal (closing->up, 3);
    assert_int_equal (closing->host_count, 0);
    assert_int_equal (closing->covered_count, 1);
    assert_int_equal (s_state (&self), SP_DELIVERY_RUNNING);

    verdict.part = 1;
    verdict.result = SP_NOTED;
    assert_true (s_answer_as (&self, verdict));
    assert_int_equal (s_state (&self), SP_DELIVERY_DONE);
    assert_int_equal (sp_delivery_timeout (self.delivery), -1);
    const sp_delivery_sum_t *sum = sp_delivery_sum (self.delivery);
    assert_true (sum->parts == 2 && sum->resent == 0 && sum->noted == 1);
    assert_true (sum->seen == 2 && sum->added == 4 && sum->named == 6);
    assert_true (sum->macs == 8 && sum->tagged == 10 && sum->skipped == 12);
    assert_true (sum->bad_names == 14 && sum->bad_macs == 16);
    assert_true (sum->refused == 18);
    s_end (&self);
}

/*  A hub that counts to the moon must not make us count from 0 again.  */
static void
test_sums_saturate (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, SP_PART_HOSTS_MOST * 2 + 1, NULL, 0);
    s_start (&self);
    s_push (&self);
    sp_verdict_t verdict = { .id = sp_delivery_id (self.delivery),
                             .seen = INT64_MAX, .added = INT64_MAX,
                             .named = INT64_MAX, .macs = INT64_MAX,
                             .tagged = INT64_MAX, .skipped = INT64_MAX,
                             .bad_names = INT64_MAX, .bad_macs = INT64_MAX,
                             .refused_count = INT64_MAX };
    for (verdict.part = 0; verdict.part < 3; verdict.part++)
        assert_true (s_answer_as (&self, verdict));
    const sp_delivery_sum_t *sum = sp_delivery_sum (self.delivery);
    assert_true (sum->seen == UINT64_MAX && sum->added == UINT64_MAX);
    assert_true (sum->named == UINT64_MAX && sum->macs == UINT64_MAX);
    assert_true (sum->tagged == UINT64_MAX && sum->skipped == UINT64_MAX);
    assert_true (sum->bad_names == UINT64_MAX && sum->bad_macs == UINT64_MAX);
    assert_true (sum->refused == UINT64_MAX);
    s_end (&self);
}

/*  Of several causes the one that somebody has to mend is kept.  */
static void
test_causes_of_single_hosts (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, SP_PART_HOSTS_MOST * 2 + 1, NULL, 0);
    s_start (&self);
    s_push (&self);
    sp_refused_t refused[] = { { { s_address, 4 }, "host-outside" },
                               { { s_address, 4 }, "host-outside" } };
    sp_verdict_t verdict = { .id = sp_delivery_id (self.delivery),
                             .refused = refused, .refused_named = 2,
                             .refused_count = 2 };
    const sp_delivery_sum_t *sum = sp_delivery_sum (self.delivery);
    assert_string_equal (sum->host_cause, "");
    assert_true (s_answer_as (&self, verdict));
    assert_string_equal (sum->host_cause, "host-outside");
    assert_false (sum->host_causes);
    verdict.part = 1;
    refused[1].cause = "host-column";
    assert_true (s_answer_as (&self, verdict));
    assert_string_equal (sum->host_cause, "host-column");
    assert_true (sum->host_causes);
    verdict.part = 2;
    refused[0].cause = "host-time";
    refused[1].cause = "host-text";
    assert_true (s_answer_as (&self, verdict));
    assert_string_equal (sum->host_cause, "host-column");
    assert_int_equal (sum->refused, 6);
    s_end (&self);
}

static void
test_cut_by_hosts (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 2 * SP_PART_HOSTS_MOST + 1, NULL, 0);
    s_start (&self);
    s_push (&self);
    assert_int_equal (self.client.count, 3);
    int64_t next = NOW;
    for (size_t i = 0; i < 3; i++) {
        const sp_report_t *part = s_sent (&self, i);
        assert_int_equal (part->part, i);
        assert_int_equal (part->host_count, i < 2 ? SP_PART_HOSTS_MOST : 1);
        for (size_t j = 0; j < part->host_count; j++)
            assert_true (part->hosts[j].seen == next++);
        s_check_head (&self, i);
    }
    s_end (&self);
}

static void
test_cut_by_bytes (void **state)
{
    (void) state;
    char name[SP_LONG_TEXT_MOST + 1];
    memset (name, 'x', SP_LONG_TEXT_MOST);
    name[SP_LONG_TEXT_MOST] = '\0';
    s_case_t self;
    s_begin (&self, 1000, name, 0);
    for (size_t i = 0; i < 1000; i++) {
        self.report.hosts[i].mac = name;
        self.report.hosts[i].how = name + SP_LONG_TEXT_MOST - SP_TEXT_MOST;
    }
    self.report.code = "0123456789abcdef0123456789abcdef";
    s_start (&self);
    s_push (&self);
    size_t hosts = 0;
    for (size_t i = 0; i < self.client.count; i++) {
        s_check_head (&self, i);
        /* no part is needlessly small */
        if (i + 1 < self.client.count)
            assert_true (self.client.bytes[i] > SP_PART_BYTES_MOST * 9 / 10);
        hosts += s_sent (&self, i)->host_count;
    }
    assert_int_equal (hosts, 1000);
    assert_in_range (self.client.count, 9, 11);
    s_end (&self);
}

static void
test_no_hosts (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 0, NULL, 2);
    s_start (&self);
    s_push (&self);
    assert_int_equal (self.client.count, 1);
    const sp_report_t *part = s_sent (&self, 0);
    assert_true (part->last && part->part == 0 && part->parts == 0);
    assert_int_equal (part->covered_count, 2);
    s_answer (&self, 0, SP_APPLIED);
    assert_int_equal (s_state (&self), SP_DELIVERY_DONE);
    s_end (&self);
}

static void
test_broken_off_covers_nothing (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 0, NULL, SP_RANGES_MOST + 1);
    self.report.complete = false;
    s_start (&self);
    s_push (&self);
    assert_int_equal (self.client.count, 1);
    assert_false (s_sent (&self, 0)->complete);
    assert_int_equal (s_sent (&self, 0)->covered_count, 0);
    s_end (&self);
}

static void
test_several_closing_parts (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 1, NULL, 2 * SP_RANGES_MOST + 5);
    s_start (&self);
    s_push (&self);
    s_answer (&self, 0, SP_APPLIED);
    s_push (&self);
    assert_int_equal (self.client.count, 4);
    for (size_t i = 1; i < 4; i++) {
        const sp_report_t *part = s_sent (&self, i);
        s_check_head (&self, i);
        assert_true (part->last && part->complete && part->parts == 1);
        assert_int_equal (part->part, i);
        assert_int_equal (part->covered_count, i < 3 ? SP_RANGES_MOST : 5);
    }
    s_answer (&self, 3, SP_APPLIED);
    s_answer (&self, 1, SP_NOTED);
    assert_int_equal (s_state (&self), SP_DELIVERY_RUNNING);
    s_answer (&self, 2, SP_APPLIED);
    assert_int_equal (s_state (&self), SP_DELIVERY_DONE);
    s_end (&self);
}

static void
test_closing_waits_for_all (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 3 * SP_PART_HOSTS_MOST, NULL, 1);
    s_start (&self);
    s_push (&self);
    assert_int_equal (self.client.count, 3);
    s_answer (&self, 2, SP_APPLIED);
    s_answer (&self, 0, SP_NOTED);
    s_push (&self);
    assert_int_equal (self.client.count, 3);
    s_answer (&self, 1, SP_RETRY);
    s_push (&self);
    assert_int_equal (self.client.count, 3);
    self.now += 1500;
    s_push (&self);
    assert_int_equal (self.client.count, 4);
    assert_int_equal (s_sent (&self, 3)->part, 1);
    s_answer (&self, 1, SP_APPLIED);
    s_push (&self);
    assert_int_equal (self.client.count, 5);
    assert_true (s_sent (&self, 4)->last);
    assert_int_equal (s_sent (&self, 4)->parts, 3);
    s_end (&self);
}

static void
test_window (void **state)
{
    (void) state;
    s_case_t self;
    size_t parts = SP_WINDOW + 4;
    s_begin (&self, parts * SP_PART_HOSTS_MOST, NULL, 0);
    s_start (&self);
    s_push (&self);
    assert_int_equal (self.client.count, SP_WINDOW);
    s_push (&self);
    assert_int_equal (self.client.count, SP_WINDOW);
    /* what can be sent only after a verdict is no reason to wake up soon */
    assert_true (sp_delivery_timeout (self.delivery) > 1000);
    s_answer (&self, 5, SP_APPLIED);
    assert_int_equal (sp_delivery_timeout (self.delivery), 0);
    s_push (&self);
    assert_int_equal (self.client.count, SP_WINDOW + 1);
    assert_int_equal (s_sent (&self, SP_WINDOW)->part, SP_WINDOW);
    /* a second verdict for one part makes no more room */
    s_answer (&self, 5, SP_APPLIED);
    s_push (&self);
    assert_int_equal (self.client.count, SP_WINDOW + 1);
    for (uint64_t i = 0; i < parts; i++) {
        s_answer (&self, i, SP_APPLIED);
        s_push (&self);
    }
    assert_int_equal (self.client.count, parts + 1);
    assert_true (s_sent (&self, parts)->last);
    s_end (&self);
}

static void
test_lost_session (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 3 * SP_PART_HOSTS_MOST, NULL, 0);
    s_start (&self);
    s_push (&self);
    assert_int_equal (self.client.count, 3);
    s_answer (&self, 1, SP_APPLIED);
    s_down (&self);
    /* no session: nothing to do, and no busy loop either */
    s_push (&self);
    assert_int_equal (self.client.count, 3);
    assert_int_equal (sp_delivery_timeout (self.delivery), -1);

    self.client.up = true;
    self.client.offset = -99000; /* a new session measured another one */
    s_push (&self);
    assert_int_equal (self.client.count, 5);
    assert_int_equal (s_sent (&self, 3)->part, 0);
    assert_int_equal (s_sent (&self, 4)->part, 2);
    s_check_head (&self, 3); /* the same id, the same 'off' */
    assert_int_equal (sp_delivery_sum (self.delivery)->resent, 2);
    s_end (&self);
}

static void
test_retry_delay (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 1, NULL, 0);
    s_start (&self);
    s_push (&self);
    sp_verdict_t verdict = { .id = sp_delivery_id (self.delivery),
                             .result = SP_RETRY, .delay = 7000, .seen = 1 };
    assert_true (s_answer_as (&self, verdict));
    /* never earlier than asked, and up to half as long again */
    int wait = sp_delivery_timeout (self.delivery);
    assert_in_range (wait, 7000, 10500);
    self.now += wait - 1;
    s_push (&self);
    assert_int_equal (self.client.count, 1);
    assert_int_equal (sp_delivery_timeout (self.delivery), 1);
    self.now += 1;
    s_push (&self);
    assert_int_equal (self.client.count, 2);

    /* out of all reason, and none at all */
    verdict.delay = INT64_MAX;
    assert_true (s_answer_as (&self, verdict));
    wait = sp_delivery_timeout (self.delivery);
    assert_in_range (wait, 600000, 900000);
    /* a lost session does not shorten it */
    s_down (&self);
    self.client.up = true;
    s_push (&self);
    assert_int_equal (self.client.count, 2);
    self.now += wait;
    s_push (&self);
    assert_int_equal (self.client.count, 3);
    verdict.delay = 0;
    assert_true (s_answer_as (&self, verdict));
    assert_in_range (sp_delivery_timeout (self.delivery), 1000, 1500);
    /* a part that was not applied counts for nothing */
    assert_int_equal (sp_delivery_sum (self.delivery)->seen, 0);
    s_end (&self);
}

/*  Many that were told 'later' at once do not come back at once.  */
static void
test_retry_jitter (void **state)
{
    (void) state;
    int waits[16], different = 0;
    for (size_t i = 0; i < 16; i++) {
        s_case_t self;
        s_begin (&self, 1, NULL, 0);
        s_start (&self);
        s_push (&self);
        sp_verdict_t verdict = { .id = sp_delivery_id (self.delivery),
                                 .result = SP_RETRY, .delay = 60000 };
        assert_true (s_answer_as (&self, verdict));
        waits[i] = sp_delivery_timeout (self.delivery);
        different += i > 0 && waits[i] != waits[i - 1];
        s_end (&self);
    }
    assert_true (different > 10);
}

/*  A settled delivery sends its own offset, and few parts at a time.  */
static void
test_settled (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 3 * SP_PART_HOSTS_MOST, NULL, 0);
    s_start (&self);
    sp_delivery_settle (self.delivery, 86400000, 2);
    s_push (&self);
    assert_int_equal (self.client.count, 2);
    assert_int_equal (s_sent (&self, 0)->off, 86400000);
    s_answer (&self, 0, SP_APPLIED);
    s_push (&self);
    assert_int_equal (self.client.count, 3);
    assert_int_equal (s_sent (&self, 2)->off, 86400000);
    s_end (&self);
}

static void
test_no_verdict (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 1, NULL, 0);
    s_start (&self);
    s_push (&self);
    int wait = sp_delivery_timeout (self.delivery);
    assert_in_range (wait, 60000, 600000);
    self.now += wait;
    s_push (&self);
    assert_int_equal (self.client.count, 2);
    assert_int_equal (sp_delivery_sum (self.delivery)->resent, 1);
    s_answer (&self, 0, SP_APPLIED);
    s_push (&self);
    assert_true (s_sent (&self, 2)->last);
    s_end (&self);
}

static void
test_refused (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 2 * SP_PART_HOSTS_MOST, NULL, 0);
    s_start (&self);
    s_push (&self);
    sp_verdict_t verdict = { .id = sp_delivery_id (self.delivery), .part = 1,
                             .result = SP_REFUSED, .cause = "subnet-unknown",
                             .text = "no such subnet" };
    assert_true (s_answer_as (&self, verdict));
    assert_int_equal (s_state (&self), SP_DELIVERY_REFUSED);
    const sp_delivery_sum_t *sum = sp_delivery_sum (self.delivery);
    assert_string_equal (sum->cause, "subnet-unknown");
    assert_string_equal (sum->text, "no such subnet");
    assert_int_equal (sp_delivery_timeout (self.delivery), -1);
    s_down (&self);
    self.client.up = true;
    s_push (&self);
    assert_int_equal (self.client.count, 2);
    s_answer (&self, 0, SP_APPLIED);
    assert_int_equal (s_state (&self), SP_DELIVERY_REFUSED);
    s_end (&self);
}

static void
test_verdicts_of_others (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 1, NULL, 0);
    s_start (&self);
    s_push (&self);
    uint8_t id[SP_REPORT_ID] = { 1 };
    sp_verdict_t verdict = { .id = { id, sizeof id }, .result = SP_REFUSED };
    assert_false (s_answer_as (&self, verdict));
    assert_int_equal (s_state (&self), SP_DELIVERY_RUNNING);
    sp_event_t up = { .kind = SP_EVENT_UP };
    assert_false (sp_delivery_take (self.delivery, &up));
    sp_message_t message = { .type = SP_BEAT };
    sp_event_t beat = { .kind = SP_EVENT_MESSAGE, .message = &message };
    assert_false (sp_delivery_take (self.delivery, &beat));
    /* ours, but of parts that were not sent or do not exist */
    s_answer (&self, 1, SP_APPLIED);
    s_answer (&self, 2, SP_APPLIED);
    s_answer (&self, UINT64_MAX, SP_REFUSED);
    assert_int_equal (s_state (&self), SP_DELIVERY_RUNNING);
    s_push (&self);
    assert_int_equal (self.client.count, 1);
    s_end (&self);
}

static void
test_starts_without_session (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 1, NULL, 0);
    self.client.up = false;
    self.client.offset = 0;
    s_start (&self);
    s_push (&self);
    assert_int_equal (self.client.count, 0);
    assert_int_equal (sp_delivery_timeout (self.delivery), -1);
    self.client.up = true;
    self.client.offset = 5000;
    s_push (&self);
    assert_int_equal (s_sent (&self, 0)->off, 5000);
    s_end (&self);
}

static void
test_send_fails (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 1, NULL, 0);
    s_start (&self);
    self.client.jammed = true;
    s_push (&self);
    assert_int_equal (sp_delivery_timeout (self.delivery), 1000);
    self.client.jammed = false;
    s_push (&self);
    assert_int_equal (self.client.count, 0);
    self.now += 1000;
    s_push (&self);
    assert_int_equal (self.client.count, 1);
    assert_int_equal (sp_delivery_sum (self.delivery)->resent, 0);
    s_end (&self);

    s_begin (&self, 1, "not UTF-8: \xff", 0);
    s_start (&self);
    assert_int_equal (s_try_push (&self), SH_E_INTERNAL);
    s_end (&self);
}

static void
test_ids_are_random (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 1, NULL, 0);
    s_start (&self);
    sp_delivery_t *other = NULL;
    assert_int_equal (sp_delivery_new (&other, &self.report, &self.clock),
                      SH_OK);
    assert_memory_not_equal (sp_delivery_id (self.delivery).data,
                             sp_delivery_id (other).data, SP_REPORT_ID);
    sp_delivery_destroy (&other);
    sp_delivery_destroy (&other);
    s_end (&self);
}

static void
test_too_many_parts (void **state)
{
    (void) state;
    s_case_t self;
    s_begin (&self, 0, NULL, 0);
    /* never read, for the count alone is too much */
    self.report.covered_count = (size_t) SP_PARTS_MOST * SP_RANGES_MOST;
    s_start (&self);
    assert_int_equal (sp_delivery_sum (self.delivery)->parts, SP_PARTS_MOST);
    sp_delivery_destroy (&self.delivery);
    self.report.covered_count++;
    assert_int_equal (sp_delivery_new (&self.delivery, &self.report,
                                       &self.clock), SH_E_TOO_LARGE);
    s_end (&self);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_one_part),
        cmocka_unit_test (test_sums_saturate),
        cmocka_unit_test (test_causes_of_single_hosts),
        cmocka_unit_test (test_cut_by_hosts),
        cmocka_unit_test (test_cut_by_bytes),
        cmocka_unit_test (test_no_hosts),
        cmocka_unit_test (test_broken_off_covers_nothing),
        cmocka_unit_test (test_several_closing_parts),
        cmocka_unit_test (test_closing_waits_for_all),
        cmocka_unit_test (test_window),
        cmocka_unit_test (test_lost_session),
        cmocka_unit_test (test_retry_delay),
        cmocka_unit_test (test_retry_jitter),
        cmocka_unit_test (test_settled),
        cmocka_unit_test (test_no_verdict),
        cmocka_unit_test (test_refused),
        cmocka_unit_test (test_verdicts_of_others),
        cmocka_unit_test (test_starts_without_session),
        cmocka_unit_test (test_send_fails),
        cmocka_unit_test (test_ids_are_random),
        cmocka_unit_test (test_too_many_parts),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
