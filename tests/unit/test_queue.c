/* SPDX-License-Identifier: MPL-2.0 */
/*  The queue of jobs between threads: bounds, order, its descriptor.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>

#include "hub/queue.h"
#include "scanner-proto/codec.h"

static hub_job_t *
s_job (uint64_t ticket, size_t bytes)
{
    static const uint8_t frame[4096];
    hub_principal_t who = { 0 };
    hub_job_t *job = NULL;
    assert_true (bytes <= sizeof frame);
    assert_int_equal (hub_job_new (&job, HUB_JOB_REPORT, &who,
                                   (sh_bytes_t){ frame, bytes }),
                      SH_OK);
    job->shard = ticket;
    return job;
}

static hub_queue_t *
s_queue (size_t most, size_t bytes)
{
    hub_queue_t *queue = NULL;
    assert_int_equal (hub_queue_new (&queue, most, bytes), SH_OK);
    return queue;
}

static void
s_put (hub_queue_t *queue, uint64_t ticket, size_t bytes)
{
    assert_true (hub_queue_put (queue, s_job (ticket, bytes)));
}

/*  The job must stay ours, whole.  */
static void
s_put_refused (hub_queue_t *queue, size_t bytes)
{
    hub_job_t *job = s_job (99, bytes);
    assert_false (hub_queue_put (queue, job));
    assert_int_equal (job->shard, 99);
    assert_int_equal (job->frame_size, bytes);
    hub_job_destroy (&job);
}

static void
s_take_one (hub_queue_t *queue, uint64_t ticket)
{
    hub_job_t *job = NULL;
    assert_int_equal (hub_queue_take (queue, &job, 1, 0, 0), 1);
    assert_int_equal (job->shard, ticket);
    hub_job_destroy (&job);
}

static bool
s_readable (const hub_queue_t *queue)
{
    struct pollfd ready = { .fd = hub_queue_fd (queue), .events = POLLIN };
    int rc = poll (&ready, 1, 0);
    assert_true (rc >= 0);
    return rc == 1;
}

static int64_t
s_now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
test_bound_by_count (void **state)
{
    (void) state;
    hub_queue_t *queue = s_queue (3, 1000);
    for (uint64_t i = 1; i <= 3; i++)
        s_put (queue, i, 10);
    s_put_refused (queue, 10);
    assert_int_equal (hub_queue_depth (queue), 3);
    s_take_one (queue, 1);
    s_put (queue, 4, 10);
    s_put_refused (queue, 10);
    /*  Around the ring, in order.  */
    for (uint64_t i = 2; i <= 20; i++) {
        s_take_one (queue, i);
        s_put (queue, i + 3, 10);
        assert_int_equal (hub_queue_depth (queue), 3);
    }
    hub_queue_destroy (&queue);
}

static void
test_bound_by_bytes (void **state)
{
    (void) state;
    hub_queue_t *queue = s_queue (10, 100);
    s_put (queue, 1, 60);
    s_put (queue, 2, 40); /* exactly full */
    s_put_refused (queue, 1);
    s_put (queue, 3, 0); /* weighs nothing */
    s_take_one (queue, 1);
    s_put_refused (queue, 61);
    s_put (queue, 4, 60);
    s_put_refused (queue, 1);
    s_take_one (queue, 2);
    s_take_one (queue, 3);
    s_take_one (queue, 4);
    /*  What was taken no longer counts.  */
    s_put (queue, 5, 100);
    s_take_one (queue, 5);
    hub_queue_destroy (&queue);
}

/*  One frame over the bound must not wait for ever.  */
static void
test_large_frame (void **state)
{
    (void) state;
    hub_queue_t *queue = s_queue (10, 100);
    s_put (queue, 1, 4096);
    s_put_refused (queue, 1);
    s_take_one (queue, 1);
    s_put (queue, 2, 1);
    s_put_refused (queue, 4096);
    s_take_one (queue, 2);
    hub_queue_destroy (&queue);
}

static void
test_take_some (void **state)
{
    (void) state;
    hub_job_t *jobs[8] = { NULL };
    hub_queue_t *queue = s_queue (8, 1000);
    for (uint64_t i = 1; i <= 5; i++)
        s_put (queue, i, 1);
    assert_int_equal (hub_queue_take (queue, jobs, 2, 0, 0), 2);
    assert_int_equal (hub_queue_take (queue, jobs + 2, 6, 0, 0), 3);
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal (jobs[i]->shard, i + 1);
        hub_job_destroy (&jobs[i]);
    }
    assert_int_equal (hub_queue_depth (queue), 0);
    hub_queue_destroy (&queue);
}

/*  Readable exactly while jobs wait.  */
static void
test_descriptor (void **state)
{
    (void) state;
    hub_job_t *jobs[4];
    hub_queue_t *queue = s_queue (4, 1000);
    assert_false (s_readable (queue));
    for (int round = 0; round < 3; round++) {
        s_put (queue, 1, 1);
        assert_true (s_readable (queue));
        s_put (queue, 2, 1);
        assert_true (s_readable (queue));
        s_take_one (queue, 1);
        assert_true (s_readable (queue));
        s_take_one (queue, 2);
        assert_false (s_readable (queue));
        assert_int_equal (hub_queue_take (queue, jobs, 4, 0, 0), 0);
        assert_false (s_readable (queue));
    }
    /*  A refused put does not wake anybody.  */
    hub_queue_t *full = s_queue (1, 1000);
    s_put (full, 1, 1);
    s_put_refused (full, 1);
    s_take_one (full, 1);
    assert_false (s_readable (full));
    hub_queue_destroy (&full);
    hub_queue_destroy (&queue);
}

static void
test_timeout (void **state)
{
    (void) state;
    hub_job_t *job;
    hub_queue_t *queue = s_queue (4, 1000);
    int64_t before = s_now_ms ();
    assert_int_equal (hub_queue_take (queue, &job, 1, 0, 30), 0);
    int64_t waited = s_now_ms () - before;
    assert_true (waited >= 29 && waited < 5000);
    hub_queue_destroy (&queue);
}

static void
test_close (void **state)
{
    (void) state;
    hub_job_t *job;
    hub_queue_t *queue = s_queue (4, 1000);
    s_put (queue, 1, 1);
    s_put (queue, 2, 1);
    assert_false (hub_queue_done (queue));
    hub_queue_close (queue);
    s_put_refused (queue, 1);
    assert_false (hub_queue_done (queue));
    assert_true (s_readable (queue));
    s_take_one (queue, 1);
    s_take_one (queue, 2);
    assert_true (hub_queue_done (queue));
    /*  Nobody waits for a closed queue, however long he would.  */
    assert_int_equal (hub_queue_take (queue, &job, 1, 0, -1), 0);
    assert_int_equal (hub_queue_take (queue, &job, 1, 0, -1), 0);
    assert_true (s_readable (queue));
    hub_queue_close (queue);
    s_put_refused (queue, 1);
    hub_queue_destroy (&queue);
}

/*  An open queue is not done when it happens to be empty.  */
static void
test_done (void **state)
{
    (void) state;
    hub_queue_t *queue = s_queue (4, 1000);
    assert_false (hub_queue_done (queue));
    hub_queue_close (queue);
    assert_true (hub_queue_done (queue));
    hub_queue_destroy (&queue);
    assert_null (queue);
    hub_queue_destroy (&queue);
}

/*  Jobs that are left go with it; the leak checker is the judge.  */
static void
test_destroy_with_jobs (void **state)
{
    (void) state;
    hub_queue_t *queue = s_queue (3, 1000);
    s_put (queue, 1, 100);
    s_take_one (queue, 1);
    s_put (queue, 2, 100);
    s_put (queue, 3, 100);
    hub_queue_destroy (&queue);
    assert_null (queue);
}

enum { JOBS = 5000 };

static void *
s_produce (void *argument)
{
    hub_queue_t *queue = argument;
    for (uint64_t i = 0; i < JOBS; i++) {
        hub_job_t *job = calloc (1, sizeof *job);
        if (!job)
            break;
        job->shard = i;
        while (!hub_queue_put (queue, job))
            sched_yield ();
    }
    hub_queue_close (queue);
    return NULL;
}

/*  One thread puts, one takes: all arrive, in order, and the end is seen.  */
static void
test_two_threads (void **state)
{
    (void) state;
    hub_queue_t *queue = s_queue (16, 1000);
    pthread_t producer;
    assert_int_equal (pthread_create (&producer, NULL, s_produce, queue), 0);
    uint64_t expected = 0, misplaced = 0;
    while (!hub_queue_done (queue)) {
        hub_job_t *jobs[7];
        size_t count = hub_queue_take (queue, jobs, 7, 0, 1000);
        for (size_t i = 0; i < count; i++) {
            misplaced += jobs[i]->shard != expected++;
            hub_job_destroy (&jobs[i]);
        }
    }
    pthread_join (producer, NULL);
    assert_int_equal (expected, JOBS);
    assert_int_equal (misplaced, 0);
    hub_queue_destroy (&queue);
}

static void *
s_wait (void *argument)
{
    hub_job_t *job;
    size_t count = hub_queue_take (argument, &job, 1, 0, -1);
    if (count)
        hub_job_destroy (&job);
    return count ? argument : NULL;
}

/*  A reader that blocks is woken by a job, and by the end.  */
static void
test_wakes_reader (void **state)
{
    (void) state;
    hub_queue_t *queue = s_queue (4, 1000);
    const struct timespec nap = { .tv_nsec = 20 * 1000000 };
    pthread_t reader;
    void *got;
    assert_int_equal (pthread_create (&reader, NULL, s_wait, queue), 0);
    nanosleep (&nap, NULL);
    s_put (queue, 1, 1);
    pthread_join (reader, &got);
    assert_ptr_equal (got, queue);

    assert_int_equal (pthread_create (&reader, NULL, s_wait, queue), 0);
    nanosleep (&nap, NULL);
    hub_queue_close (queue);
    pthread_join (reader, &got);
    assert_null (got);
    hub_queue_destroy (&queue);
}

static hub_job_t *
s_job_of (const char *name, uint64_t shard)
{
    hub_job_t *job = NULL;
    hub_principal_t who = { .door = HUB_DOOR_HTTP };
    snprintf (who.name, sizeof who.name, "%s", name);
    assert_int_equal (hub_job_new (&job, HUB_JOB_TOUCH, &who,
                                   (sh_bytes_t){ NULL, 0 }), SH_OK);
    job->shard = shard;
    return job;
}

/*  One principal's burst does not keep another waiting, and nobody's jobs
    change their order.  */
static void
test_fair_share (void **state)
{
    (void) state;
    hub_queue_t *queue = NULL;
    assert_int_equal (hub_queue_new (&queue, 8, 1000), SH_OK);
    static const char *const names[] = { "a", "a", "a", "b", "a", "b", "c" };
    static const uint64_t expected[][4]
        = { { 0, 1, 3, 5 }, { 2, 4, 6 } };
    for (uint64_t i = 0; i < 7; i++)
        assert_true (hub_queue_put (queue, s_job_of (names[i], i)));
    hub_job_t *jobs[4];
    for (size_t batch = 0; batch < 2; batch++) {
        size_t count = hub_queue_take (queue, jobs, 4, 2, 0);
        assert_int_equal (count, batch == 0 ? 4 : 3);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal (jobs[i]->shard, expected[batch][i]);
            hub_job_destroy (&jobs[i]);
        }
    }
    assert_int_equal (hub_queue_depth (queue), 0);
    hub_queue_destroy (&queue);
}

/*  The shard of a report as it came in by the router's door.  */
static uint64_t
s_shard (uint64_t subnet, const char *code, const char *cidr, uint64_t part)
{
    static const uint8_t id[SP_REPORT_ID] = { 1 };
    sp_message_t message = {
        .type = SP_REPORT,
        .u.report = { .id = { id, sizeof id }, .part = part, .subnet = subnet,
                      .code = code, .cidr = cidr },
    };
    uint8_t *frame = NULL;
    size_t size = 0;
    sp_peek_t peek;
    assert_int_equal (sp_encode (&frame, &size, &message), SH_OK);
    assert_int_equal (sp_peek (&peek, (sh_bytes_t){ frame, size }, NULL),
                      SH_OK);
    uint64_t shard = hub_job_shard (peek.subnet, peek.code, peek.cidr);
    free (frame);
    return shard;
}

/*  One network, one shard, and only few networks in one worker's.  */
static void
test_shard (void **state)
{
    (void) state;
    static const char code[] = "code-of-a", cidr[] = "10.0.0.0/24";
    assert_int_equal (s_shard (7, NULL, cidr, 0), 7);
    assert_int_equal (s_shard (7, code, "10.0.1.0/24", 1), 7);
    uint64_t shard = s_shard (0, code, cidr, 0);
    assert_int_equal (s_shard (0, code, cidr, 1), shard);
    /*  As the HTTP door has it, which has not encoded it yet.  */
    assert_int_equal (hub_job_shard (0,
                                     (sh_bytes_t){ (const uint8_t *) code,
                                                   sizeof code - 1 },
                                     (sh_bytes_t){ (const uint8_t *) cidr,
                                                   sizeof cidr - 1 }),
                      shard);
    assert_int_not_equal (s_shard (0, "code-of-b", cidr, 0), shard);
    size_t workers[4] = { 0 };
    for (unsigned i = 0; i < 256; i++) {
        char other[SP_CIDR_MOST];
        snprintf (other, sizeof other, "10.0.%u.0/24", i);
        workers[s_shard (0, code, other, 0) % 4]++;
    }
    for (size_t i = 0; i < 4; i++)
        assert_in_range (workers[i], 32, 96);
}

/*  After a heavy job its principal has no other in the batch.  */
static void
test_heavy (void **state)
{
    (void) state;
    hub_queue_t *queue = s_queue (8, 1000);
    static const char *const names[] = { "a", "a", "a", "b", "a", "b" };
    static const bool heavy[] = { false, true, true, true, false, false };
    static const uint64_t expected[][3]
        = { { 0, 1, 3 }, { 2, 5 }, { 4 } };
    static const size_t counts[] = { 3, 2, 1 };
    for (uint64_t i = 0; i < 6; i++) {
        hub_job_t *job = s_job_of (names[i], i);
        job->heavy = heavy[i];
        assert_true (hub_queue_put (queue, job));
    }
    hub_job_t *jobs[8];
    for (size_t batch = 0; batch < 3; batch++) {
        size_t count = hub_queue_take (queue, jobs, 8, 4, 0);
        assert_int_equal (count, counts[batch]);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal (jobs[i]->shard, expected[batch][i]);
            hub_job_destroy (&jobs[i]);
        }
    }
    hub_queue_destroy (&queue);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_fair_share),
        cmocka_unit_test (test_heavy),
        cmocka_unit_test (test_bound_by_count),
        cmocka_unit_test (test_bound_by_bytes),
        cmocka_unit_test (test_large_frame),
        cmocka_unit_test (test_take_some),
        cmocka_unit_test (test_descriptor),
        cmocka_unit_test (test_timeout),
        cmocka_unit_test (test_close),
        cmocka_unit_test (test_done),
        cmocka_unit_test (test_destroy_with_jobs),
        cmocka_unit_test (test_two_threads),
        cmocka_unit_test (test_wakes_reader),
        cmocka_unit_test (test_shard),
    };
    return cmocka_run_group_tests_name ("queue", tests, NULL, NULL);
}
