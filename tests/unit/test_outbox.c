/* SPDX-License-Identifier: MPL-2.0 */
/*  The outbox: what was put is sent, several at a time, until its verdict; and
    what happens to it when there is no hub, no disk, no end.  */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "scanner-proto/outbox.h"

#define T INT64_C (1795347954000)
#define SENT_MOST 256

/*  A part that was sent.  */
typedef struct
{
    uint8_t id[SP_REPORT_ID];
    uint64_t subnet, part;
    bool last;
    int64_t off;
    char label[16];
} sent_t;

static struct
{
    char dir[64], path[80];
    int64_t now, ahead;
    sh_clock_t clock;
    sp_spool_t *spool;
    sp_outbox_t *outbox;
    sp_outbox_way_t way;
    sent_t sent[SENT_MOST];
    size_t count;
    char ended[512]; /* "7 8! ": subnets, '!' for refused */
} s_world;

static int64_t
s_wall (void *context)
{
    (void) context;
    return s_world.now + s_world.ahead;
}

static int64_t
s_mono (void *context)
{
    (void) context;
    return s_world.now - T + 1000;
}

static sh_err_t
s_send (void *context, const char *label, const sp_message_t *part)
{
    (void) context;
    assert_true (s_world.count < SENT_MOST);
    if (!s_world.way.up)
        return SH_E_DISCONNECTED;
    const sp_report_t *report = &part->u.report;
    sent_t *one = &s_world.sent[s_world.count++];
    memcpy (one->id, report->id.data, sizeof one->id);
    one->subnet = report->subnet;
    one->part = report->part;
    one->last = report->last;
    one->off = report->off;
    snprintf (one->label, sizeof one->label, "%s", label);
    return SH_OK;
}

static void
s_ended (void *context, const sp_outbox_end_t *end)
{
    assert_ptr_equal (context, &s_world);
    size_t used = strlen (s_world.ended);
    snprintf (s_world.ended + used, sizeof s_world.ended - used, "%d%s ",
              (int) end->report->subnet, end->refused ? "!" : "");
}

static void
s_new_outbox (bool in_memory)
{
    sp_outbox_options_t options = { .spool = s_world.spool,
                                    .in_memory = in_memory,
                                    .clock = &s_world.clock,
                                    .ended = s_ended,
                                    .context = &s_world };
    assert_int_equal (sp_outbox_new (&s_world.outbox, &options), SH_OK);
}

static void
s_open_spool (void)
{
    assert_int_equal (sp_spool_open (&s_world.spool, s_world.path,
                                     SP_SPOOL_DEFAULT_MOST, &s_world.clock,
                                     NULL),
                      SH_OK);
}

static int
s_setup (void **state)
{
    (void) state;
    memset (&s_world, 0, sizeof s_world);
    snprintf (s_world.dir, sizeof s_world.dir, "/tmp/scanhub-outbox-XXXXXX");
    if (!mkdtemp (s_world.dir))
        return -1;
    snprintf (s_world.path, sizeof s_world.path, "%s/spool", s_world.dir);
    s_world.now = T;
    s_world.clock = (sh_clock_t){ s_wall, s_mono, NULL, "this boot" };
    s_world.way = (sp_outbox_way_t){ .send = s_send };
    s_open_spool ();
    s_new_outbox (true);
    return 0;
}

static int
s_teardown (void **state)
{
    (void) state;
    sp_outbox_destroy (&s_world.outbox);
    sp_spool_close (&s_world.spool);
    unlink (s_world.path);
    return rmdir (s_world.dir);
}

static bool
s_put (uint64_t subnet)
{
    sp_host_t host = { .ip = { (const uint8_t *) "\x0a\0\0\x05", 4 },
                       .seen = sh_clock_wall (&s_world.clock) };
    sp_report_t report = { .subnet = subnet, .cidr = "10.0.0.0/24",
                           .kind = SP_KIND_BOTH, .started = host.seen,
                           .finished = host.seen, .hosts = &host,
                           .host_count = 1, .complete = true, .up = 1 };
    bool durable = false;
    assert_int_equal (sp_outbox_put (s_world.outbox, "who", &report,
                                     sh_clock_epoch (&s_world.clock), NULL,
                                     &durable),
                      SH_OK);
    return durable;
}

enum { LARGE_PARTS = 6 };

/*  A report of so many parts with hosts.  */
static void
s_put_large (uint64_t subnet)
{
    static uint8_t ips[LARGE_PARTS * SP_PART_HOSTS_MOST][4];
    static sp_host_t hosts[LARGE_PARTS * SP_PART_HOSTS_MOST];
    int64_t now = sh_clock_wall (&s_world.clock);
    for (size_t i = 0; i < LARGE_PARTS * SP_PART_HOSTS_MOST; i++) {
        uint8_t ip[4] = { 10, 0, (uint8_t) (i >> 8), (uint8_t) i };
        memcpy (ips[i], ip, sizeof ip);
        hosts[i] = (sp_host_t){ .ip = { ips[i], 4 }, .seen = now };
    }
    sp_report_t report = { .subnet = subnet, .cidr = "10.0.0.0/16",
                           .kind = SP_KIND_BOTH, .started = now,
                           .finished = now, .hosts = hosts,
                           .host_count = LARGE_PARTS * SP_PART_HOSTS_MOST,
                           .complete = true,
                           .up = LARGE_PARTS * SP_PART_HOSTS_MOST };
    assert_int_equal (sp_outbox_put (s_world.outbox, "who", &report,
                                     sh_clock_epoch (&s_world.clock), NULL,
                                     NULL),
                      SH_OK);
}

static void
s_push (void)
{
    sp_outbox_push (s_world.outbox, &s_world.way);
}

static void
s_up (bool up)
{
    s_world.way.up = up;
    const sp_event_t event = { .kind = up ? SP_EVENT_UP : SP_EVENT_DOWN };
    assert_false (sp_outbox_take (s_world.outbox, &event));
    s_push ();
}

/*  The hub's word on a part that was sent.  */
static void
s_answer_with (size_t index, sp_result_t result, const char *cause,
               uint64_t delay)
{
    assert_true (index < s_world.count);
    sp_message_t message = {
        .type = SP_VERDICT,
        .u.verdict = { .id = { s_world.sent[index].id, SP_REPORT_ID },
                       .part = s_world.sent[index].part,
                       .result = (int) result,
                       .cause = cause,
                       .delay = delay },
    };
    const sp_event_t event = { .kind = SP_EVENT_MESSAGE, .message = &message };
    (void) sp_outbox_take (s_world.outbox, &event);
    s_push ();
}

static void
s_answer (size_t index, sp_result_t result)
{
    s_answer_with (index, result, result == SP_APPLIED ? NULL : "overloaded",
                   result == SP_RETRY ? 5000 : 0);
}

/*  Writes to any file fail from now on, or work again.  */
static void
s_break_disk (bool broken)
{
    static struct rlimit before;
    if (broken)
        assert_int_equal (getrlimit (RLIMIT_FSIZE, &before), 0);
    const struct rlimit none = { 0, before.rlim_max };
    assert_int_equal (setrlimit (RLIMIT_FSIZE, broken ? &none : &before), 0);
}

/*  Every part that was sent is applied, until nothing more comes.  */
static void
s_answer_all (void)
{
    for (size_t i = 0; i < s_world.count; i++)
        s_answer (i, SP_APPLIED);
}

static void
test_delivers (void **state)
{
    (void) state;
    assert_true (s_put (7));
    s_push ();
    assert_int_equal (s_world.count, 0);
    assert_int_equal (sp_outbox_timeout (s_world.outbox), -1);
    s_up (true);
    assert_int_equal (s_world.count, 1);
    assert_string_equal (s_world.sent[0].label, "who");
    s_answer (0, SP_APPLIED);
    assert_int_equal (s_world.count, 2);
    assert_true (s_world.sent[1].last);
    assert_string_equal (s_world.ended, "");
    assert_int_equal (sp_outbox_depth (s_world.outbox), 1);
    s_answer (1, SP_APPLIED);
    assert_string_equal (s_world.ended, "7 ");
    assert_int_equal (sp_outbox_depth (s_world.outbox), 0);
    assert_int_equal (sp_outbox_progress (s_world.outbox), 2);
    assert_int_equal (sp_outbox_timeout (s_world.outbox), -1);
    /* the next is not kept waiting */
    s_put (8);
    s_push ();
    assert_int_equal (s_world.count, 3);
}

static void
test_several_at_once (void **state)
{
    (void) state;
    for (uint64_t i = 1; i <= 6; i++)
        s_put (i);
    s_up (true);
    assert_int_equal (s_world.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal (s_world.sent[i].subnet, i + 1);
    s_answer_all ();
    assert_int_equal (sp_outbox_depth (s_world.outbox), 0);
    assert_int_equal (strlen (s_world.ended), 12);
}

static void
test_refused (void **state)
{
    (void) state;
    s_put (7);
    s_up (true);
    s_answer (0, SP_REFUSED);
    assert_string_equal (s_world.ended, "7! ");
    assert_int_equal (sp_outbox_depth (s_world.outbox), 0);
}

/*  'Later' is obeyed, and told.  */
static void
test_put_off (void **state)
{
    (void) state;
    s_put (7);
    s_up (true);
    s_answer (0, SP_RETRY);
    assert_non_null (strstr (sp_outbox_put_off (s_world.outbox), "overloaded"));
    int wait = sp_outbox_timeout (s_world.outbox);
    assert_in_range (wait, 5000, 7500);
    s_world.now += wait;
    s_push ();
    assert_int_equal (s_world.count, 2);
}

/*  One that the hub has no good word for makes room for others, and gets another
    turn.  */
static void
test_turns (void **state)
{
    (void) state;
    for (uint64_t i = 1; i <= 5; i++)
        s_put (i);
    s_up (true);
    assert_int_equal (s_world.count, 4);
    for (int minute = 0; minute < 3; minute++) {
        s_world.now += 60000;
        s_push ();
        s_world.now += 1000;
        s_push ();
    }
    bool seen[6] = { false };
    size_t first = 0;
    for (size_t i = 0; i < s_world.count; i++) {
        seen[s_world.sent[i].subnet] = true;
        first += s_world.sent[i].subnet == 1;
    }
    assert_true (seen[5]);
    assert_true (first > 1);
    assert_int_equal (sp_outbox_depth (s_world.outbox), 5);
    s_answer_all ();
    assert_int_equal (sp_outbox_depth (s_world.outbox), 0);
}

/*  A single report that is told to come much later leaves its place to others,
    and does come later, not sooner.  */
static void
test_later_without_a_place (void **state)
{
    (void) state;
    for (uint64_t i = 1; i <= 5; i++)
        s_put (i);
    s_up (true);
    assert_int_equal (s_world.count, 4);
    for (size_t i = 0; i < 4; i++)
        s_answer_with (i, SP_RETRY, "database-error", 60000);
    assert_int_equal (s_world.count, 5);
    assert_int_equal (s_world.sent[4].subnet, 5);
    s_answer (4, SP_APPLIED);
    s_answer (5, SP_APPLIED);
    assert_string_equal (s_world.ended, "5 ");
    for (int second = 0; second < 59; second++) {
        s_world.now += 1000;
        s_push ();
        assert_int_equal (s_world.count, 6);
    }
    for (int second = 0; second < 40; second++) {
        s_world.now += 1000;
        s_push ();
    }
    assert_int_equal (s_world.count, 10);
}

/*  When the hub has trouble of its own, the others need not ask.  */
static void
test_trouble_of_the_hub (void **state)
{
    (void) state;
    s_put (1);
    s_up (true);
    s_answer_with (0, SP_RETRY, "database-unavailable", 5000);
    for (uint64_t i = 2; i <= 9; i++)
        s_put (i);
    s_world.now += 4999;
    s_push ();
    assert_int_equal (s_world.count, 1);
    s_world.now += 2502;
    s_push ();
    assert_int_equal (s_world.count, 5);
}

/*  Nor when the one that asked has more to send.  */
static void
test_trouble_of_the_hub_with_more (void **state)
{
    (void) state;
    s_put_large (1);
    s_up (true);
    s_answer_with (0, SP_RETRY, "database-unavailable", 5000);
    s_put (2);
    s_world.now += 4999;
    s_push ();
    for (size_t i = 0; i < s_world.count; i++)
        assert_int_equal (s_world.sent[i].subnet, 1);
    s_world.now += 2502;
    s_push ();
    assert_int_equal (s_world.sent[s_world.count - 1].subnet, 2);
}

/*  One part that is told 'later' does not take the others, which are on their
    way, out of their place: that would begin all of it anew.  */
static void
test_later_of_one_part (void **state)
{
    (void) state;
    s_put_large (7);
    s_up (true);
    assert_int_equal (s_world.count, 4);
    s_answer_with (0, SP_RETRY, "database-error", 20000);
    assert_int_equal (s_world.count, 5);
    for (size_t i = 1; i < LARGE_PARTS; i++)
        s_answer (i, SP_APPLIED);
    assert_int_equal (s_world.count, LARGE_PARTS);
    assert_int_equal (sp_outbox_progress (s_world.outbox), LARGE_PARTS - 1);
    for (size_t i = 1; i < s_world.count; i++)
        assert_memory_equal (s_world.sent[i].id, s_world.sent[0].id,
                             SP_REPORT_ID);
    s_world.now += 30000;
    s_push ();
    assert_int_equal (s_world.count, LARGE_PARTS + 1);
    assert_int_equal (s_world.sent[LARGE_PARTS].part, 0);
    assert_memory_equal (s_world.sent[LARGE_PARTS].id, s_world.sent[0].id,
                         SP_REPORT_ID);
    s_answer (LARGE_PARTS, SP_APPLIED);
    s_answer (LARGE_PARTS + 1, SP_APPLIED); /* the closing part */
    assert_string_equal (s_world.ended, "7 ");
}

/*  A hub that writes a closing part piece by piece knows its place by the
    delivery's id, so that must not change however long it takes.  */
static void
test_unfinished (void **state)
{
    (void) state;
    s_put (7);
    s_up (true);
    s_answer (0, SP_APPLIED);
    for (int i = 0; i < 100; i++) {
        assert_true (s_world.sent[s_world.count - 1].last);
        s_answer_with (s_world.count - 1, SP_RETRY, "unfinished", 100);
        s_world.now += 2000;
        s_push ();
    }
    assert_int_equal (s_world.count, 102);
    assert_memory_equal (s_world.sent[101].id, s_world.sent[0].id,
                         SP_REPORT_ID);
    s_answer (101, SP_APPLIED);
    assert_string_equal (s_world.ended, "7 ");
}

/*  What waits in memory keeps its place in the order when the disk is back.  */
static void
test_order_across_stores (void **state)
{
    (void) state;
    signal (SIGXFSZ, SIG_IGN);
    s_break_disk (true);
    bool durable = s_put (7);
    s_break_disk (false);
    assert_false (durable);
    s_up (true);
    assert_int_equal (s_world.count, 1);
    assert_false (s_put (7)); /* behind the one that is on its way */
    assert_true (s_put (8));
    s_push ();
    assert_int_equal (s_world.count, 2);
    assert_int_equal (s_world.sent[1].subnet, 8);
    s_answer_all ();
    assert_int_equal (sp_outbox_depth (s_world.outbox), 0);
    assert_true (s_put (7));

    /* and of what is on disk, memory comes second */
    s_break_disk (true);
    durable = s_put (7);
    s_break_disk (false);
    assert_false (durable);
    size_t before = s_world.count;
    s_push ();
    assert_int_equal (s_world.count, before + 1);
    s_answer_all ();
    assert_int_equal (sp_outbox_depth (s_world.outbox), 1);
    s_world.now += 1000;
    s_push ();
    s_answer_all ();
    assert_int_equal (sp_outbox_depth (s_world.outbox), 0);
}

/*  What was delivered and cannot be taken off the disk is not delivered again and
    again.  */
static void
test_not_removable (void **state)
{
    (void) state;
    signal (SIGXFSZ, SIG_IGN);
    s_put (7);
    s_up (true);
    s_answer (0, SP_APPLIED);
    s_break_disk (true);
    s_answer (1, SP_APPLIED);
    s_break_disk (false);
    assert_string_equal (s_world.ended, "7 ");
    assert_int_equal (sp_outbox_depth (s_world.outbox), 0);
    for (int i = 0; i < 100; i++) {
        s_world.now += 1000;
        s_push ();
    }
    assert_int_equal (s_world.count, 2);
    s_put (7);
    s_push ();
    assert_int_equal (s_world.count, 3);
    s_answer_all ();
    assert_string_equal (s_world.ended, "7 7 ");
    assert_int_equal (sp_spool_bytes (s_world.spool), 0);
}

/*  After a crash the same report is sent with the same offset.  */
static void
test_after_a_crash (void **state)
{
    (void) state;
    s_world.ahead = 3600000;
    s_put (7);
    s_world.way.offset = -3600000;
    s_up (true);
    assert_int_equal (s_world.sent[0].off, -3600000);
    s_answer (0, SP_APPLIED); /* the closing part is on its way */

    sp_outbox_destroy (&s_world.outbox);
    sp_spool_close (&s_world.spool);
    s_world.ahead = 0; /* and the clock was set */
    s_world.way.offset = 0;
    s_world.way.up = false;
    s_open_spool ();
    s_new_outbox (true);
    assert_int_equal (sp_outbox_depth (s_world.outbox), 1);
    s_up (true);
    assert_int_equal (s_world.sent[2].off, -3600000);
    assert_int_equal (s_world.sent[2].part, 0);
    s_answer (2, SP_APPLIED);
    s_answer (3, SP_APPLIED);
    assert_string_equal (s_world.ended, "7 ");
}

/*  A new report of a subnet waits beside the one that is on its way.  */
static void
test_beside_one_on_its_way (void **state)
{
    (void) state;
    s_put (7);
    s_up (true);
    s_put (7);
    s_put (7);
    assert_int_equal (sp_outbox_depth (s_world.outbox), 2);
    s_push ();
    s_answer_all ();
    assert_string_equal (s_world.ended, "7 7 ");
}

/*  A lost session: all of it is sent again on the next.  */
static void
test_lost_session (void **state)
{
    (void) state;
    s_put (7);
    s_up (true);
    s_up (false);
    assert_int_equal (sp_outbox_timeout (s_world.outbox), -1);
    s_up (true);
    assert_int_equal (s_world.count, 2);
    assert_memory_equal (s_world.sent[0].id, s_world.sent[1].id, SP_REPORT_ID);
}

/*  Without a spool a scanner goes on, and a shim says no.  */
static void
test_no_spool (void **state)
{
    (void) state;
    sp_outbox_destroy (&s_world.outbox);
    sp_spool_close (&s_world.spool);
    s_new_outbox (true);
    s_up (true);
    assert_false (s_put (7)); /* not durable */
    s_push ();
    assert_int_equal (s_world.count, 1);
    s_answer_all ();
    assert_string_equal (s_world.ended, "7 ");

    sp_outbox_destroy (&s_world.outbox);
    s_new_outbox (false);
    sp_report_t report = { .subnet = 7, .cidr = "10.0.0.0/24" };
    assert_int_equal (sp_outbox_put (s_world.outbox, "who", &report, 0, NULL,
                                     NULL),
                      SH_E_IO);
}

/*  What is too large for the disk does not keep others in memory.  */
static void
test_small_spool (void **state)
{
    (void) state;
    sp_outbox_destroy (&s_world.outbox);
    sp_spool_close (&s_world.spool);
    s_new_outbox (true);
    s_put_large (7);
    s_put (8);
    assert_int_equal (sp_spool_open (&s_world.spool, s_world.path, 4096,
                                     &s_world.clock, NULL),
                      SH_OK);
    sp_outbox_use (s_world.outbox, s_world.spool);
    assert_true (s_put (9));
    assert_int_equal (sp_outbox_depth (s_world.outbox), 3);
    assert_int_equal (sp_spool_depth (s_world.spool), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (test_delivers),
        TEST (test_several_at_once),
        TEST (test_refused),
        TEST (test_put_off),
        TEST (test_turns),
        TEST (test_later_without_a_place),
        TEST (test_later_of_one_part),
        TEST (test_unfinished),
        TEST (test_trouble_of_the_hub),
        TEST (test_trouble_of_the_hub_with_more),
        TEST (test_order_across_stores),
        TEST (test_not_removable),
        TEST (test_after_a_crash),
        TEST (test_beside_one_on_its_way),
        TEST (test_lost_session),
        TEST (test_no_spool),
        TEST (test_small_spool),
    };
    return cmocka_run_group_tests_name ("outbox", tests, NULL, NULL);
}
