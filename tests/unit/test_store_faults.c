/* SPDX-License-Identifier: MPL-2.0 */
/*  Every function of the store fails at its every call with every error that
    it may have, once and for good, and memory runs out at every allocation:
    which verdict comes of it, and what of the database is kept.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "hub/intake.h"
#include "scanner-proto/codec.h"
#include "tests/unit/nomem.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define NOON NOMEM_NOON

typedef enum
{
    CALL_BEGIN,
    CALL_AGENT,
    CALL_FIND,
    CALL_LOCK,
    CALL_ROWS,
    CALL_APPLY,
    CALL_COMMIT,
    CALL_TOUCH,
    CALL_COUNT
} call_t;

static const char *const s_names[CALL_COUNT]
    = { "begin", "read_agents", "find_subnet", "lock_subnets",
        "read_rows", "apply", "commit", "touch_agents" };

/*  Subnets are told apart by a bit; a transaction is the set of those that it
    wrote to.  */
static struct
{
    hub_store_t base;
    bool open, spoilt;
    unsigned pending, committed;
    size_t begins, commits, rollbacks, touches, answers;
    char fault[128]; /* the first thing that intake must not do */

    call_t call;     /* that fails */
    size_t at;       /* at which of its calls; 0: never */
    bool on;         /* and at all after it */
    sh_err_t with;
    size_t calls[CALL_COUNT], failed;
} s;

/*  Pauses are for databases that are there.  */
int
nanosleep (const struct timespec *wanted, struct timespec *left)
{
    (void) wanted;
    (void) left;
    return 0;
}

sh_err_t __real_sp_encode (uint8_t **data, size_t *size,
                           const sp_message_t *message);
sh_err_t __wrap_sp_encode (uint8_t **data, size_t *size,
                           const sp_message_t *message);
sh_err_t
__wrap_sp_encode (uint8_t **data, size_t *size, const sp_message_t *message)
{
    sh_err_t rc = __real_sp_encode (data, size, message);
    s.answers += rc == SH_OK;
    return rc;
}

static void
s_fault (const char *what, call_t call)
{
    if (!*s.fault)
        snprintf (s.fault, sizeof s.fault, "%s: %s", s_names[call], what);
}

static sh_err_t
s_enter (call_t call)
{
    bool inside = call != CALL_BEGIN && call != CALL_TOUCH;
    if (s.spoilt)
        s_fault ("after an error, before rollback", call);
    if (s.open != inside)
        s_fault (inside ? "outside of a transaction" : "inside of one", call);
    size_t n = ++s.calls[call];
    if (call != s.call || !s.at || (s.on ? n < s.at : n != s.at))
        return SH_OK;
    s.failed++;
    s.spoilt = inside;
    return s.with;
}

static sh_err_t
s_no_memory (void)
{
    s.spoilt = true;
    return SH_E_MEMORY;
}

static sh_err_t
s_begin (hub_store_t *base)
{
    (void) base;
    sh_err_t rc = s_enter (CALL_BEGIN);
    if (rc != SH_OK)
        return rc;
    s.open = true;
    s.pending = 0;
    s.begins++;
    return SH_OK;
}

static sh_err_t
s_commit (hub_store_t *base)
{
    (void) base;
    sh_err_t rc = s_enter (CALL_COMMIT);
    if (rc != SH_OK)
        return rc;
    s.open = false;
    s.committed |= s.pending;
    s.commits++;
    return SH_OK;
}

static void
s_rollback (hub_store_t *base)
{
    (void) base;
    if (!s.open)
        s_fault ("rollback of nothing", CALL_BEGIN);
    s.open = s.spoilt = false;
    s.rollbacks++;
}

static sh_err_t
s_make_agent (const char *code, hub_agent_t *out)
{
    *out = (hub_agent_t){ .id = 3, .eligible = true, .update_tags = true,
                          .tags = { HUB_TAG_USED }, .tag_count = 1,
                          .name = strdup ("a"),
                          .code = strdup (code) };
    if (out->name && out->code)
        return SH_OK;
    hub_agent_clear (out);
    return s_no_memory ();
}

/*  All of them have one code.  */
static sh_err_t
s_read_agents (hub_store_t *base, hub_asked_t *asked, size_t count)
{
    (void) base;
    assert_int_equal (count, 1);
    sh_err_t rc = s_enter (CALL_AGENT);
    if (rc == SH_OK)
        rc = asked->rc = s_make_agent (asked->code, &asked->agent);
    return rc;
}

static sh_err_t
s_find_subnet_row (uint64_t id, hub_subnet_t *out)
{
    if (id > 8)
        return SH_E_SUBNET_UNKNOWN;
    char cidr[32];
    snprintf (cidr, sizeof cidr, "10.0.%d.0/24", (int) id);
    *out = (hub_subnet_t){ .id = id, .agent = 3, .has_prefix = true,
                           .check = true, .discover = true };
    return sh_prefix_parse (&out->prefix, cidr);
}

static sh_err_t
s_lock_subnets (hub_store_t *base, const uint64_t *ids, size_t count,
                hub_subnet_t *out)
{
    (void) base;
    sh_err_t rc = s_enter (CALL_LOCK);
    for (size_t i = 0; rc == SH_OK && i < count; i++)
        if (s_find_subnet_row (ids[i], &out[i]) != SH_OK)
            out[i].id = 0;
    return rc;
}

static sh_err_t
s_read_subnet (hub_store_t *base, uint64_t id, hub_subnet_t *out)
{
    (void) base;
    sh_err_t rc = s_enter (CALL_LOCK);
    return rc == SH_OK ? s_find_subnet_row (id, out) : rc;
}

static sh_err_t
s_find_subnet (hub_store_t *base, uint64_t agent, const sh_prefix_t *prefix,
               uint64_t hint, uint64_t *id)
{
    (void) base;
    (void) agent;
    (void) hint;
    sh_err_t rc = s_enter (CALL_FIND);
    if (rc == SH_OK)
        *id = sh_addr_bytes (&prefix->base).data[2];
    return rc;
}

/*  One row, of the host .1, without a name.  */
static sh_err_t
s_read_rows (hub_store_t *base, uint64_t subnet, const sh_addr_t *addrs,
             size_t count, hub_rows_t **out)
{
    (void) base;
    (void) addrs;
    (void) count;
    sh_err_t rc = s_enter (CALL_ROWS);
    if (rc != SH_OK)
        return rc;
    hub_rows_t *rows = calloc (1, sizeof *rows);
    if (rows)
        rows->items = calloc (1, sizeof *rows->items);
    if (!rows || !rows->items) {
        hub_rows_destroy (&rows);
        return s_no_memory ();
    }
    rows->count = 1;
    rows->items[0] = (hub_row_t){ .id = subnet, .has_state = true,
                                  .state = HUB_TAG_USED, .last_seen = "",
                                  .hostname = "", .mac = "" };
    char text[32];
    snprintf (text, sizeof text, "10.0.%d.1", (int) subnet);
    *out = rows;
    return sh_addr_parse (&rows->items[0].ip, text);
}

static sh_err_t
s_read_range (hub_store_t *base, uint64_t subnet, const hub_range_t *range,
              hub_rows_t **out, bool *more)
{
    *more = false;
    return s_read_rows (base, subnet, &range->first, 1, out);
}

/*  Half of it is written when it fails.  */
static sh_err_t
s_apply (hub_store_t *base, const hub_changes_t *changes)
{
    (void) base;
    sh_err_t rc = s_enter (CALL_APPLY);
    s.pending |= 1u << changes->subnet;
    return rc;
}

static sh_err_t
s_touch_agents (hub_store_t *base, const uint64_t *ids, size_t count,
                const char *wall, const char *limit)
{
    (void) base;
    (void) ids;
    (void) count;
    (void) wall;
    (void) limit;
    sh_err_t rc = s_enter (CALL_TOUCH);
    s.touches += rc == SH_OK;
    return rc;
}

static const char *
s_describe (hub_store_t *base)
{
    (void) base;
    return "what the database said";
}

/*  The world around it.  */

static int64_t
s_wall (void *context)
{
    (void) context;
    return NOON * 1000;
}

static const sh_clock_t s_clock = { s_wall, s_wall, NULL, NULL };

static sh_err_t
s_allows (void *context, const hub_principal_t *who, const char *code)
{
    (void) context;
    (void) who;
    (void) code;
    return SH_OK;
}

/*  What there is to answer: a letter for each job.  h: a part with hosts, c: a
    closing part, e: a part whose hosts are all outside, f: one that names no
    subnet, u: one of an unknown subnet, t: asks for targets, l: shows life.  */
static const char *const s_batches[]
    = { "h", "c", "e", "f", "u", "t", "l", "hcfuh", "tlhc" };
enum { JOBS_MOST = 5, NO_ANSWER = -1, PAGE = -2, ERROR = -3 };

typedef struct
{
    const char *letters;
    hub_live_t *live;
    hub_previews_t *previews; /* in memory */
    hub_intake_t *intake;
    hub_job_t *jobs[JOBS_MOST];
    size_t count;
    int result[JOBS_MOST]; /* sp_result_t, or one of the above */
    char cause[JOBS_MOST][40];
} world_t;

/*  The job at 'at' is about the subnet at + 1, or one that is not there.  */
static sp_message_t
s_message (char letter, size_t at)
{
    static uint8_t id[SP_REPORT_ID];
    static char cidr[32];
    static sh_addr_t addrs[2];
    static sp_host_t hosts[2];
    uint64_t subnet = letter == 'u' ? 99 : at + 1;
    if (letter == 't')
        return (sp_message_t){ .type = SP_TARGETS,
                               .u.targets = { .subnet = subnet } };
    snprintf (cidr, sizeof cidr, "10.0.%d.0/24", (int) subnet);
    for (size_t i = 0; i < COUNT (hosts); i++) {
        char text[32];
        snprintf (text, sizeof text, "10.0.%d.%zu",
                  (int) subnet + (letter == 'e'), i + 1);
        assert_int_equal (sh_addr_parse (&addrs[i], text), SH_OK);
        hosts[i] = (sp_host_t){ .ip = sh_addr_bytes (&addrs[i]),
                                .seen = NOON * 1000, .name = "name",
                                .mac = "00:1a:2b:00:00:0a" };
    }
    sp_report_t report = {
        .id = { id, sizeof id }, .part = at, .cidr = cidr,
        .subnet = letter == 'f' ? 0 : subnet,
        .code = letter == 'f' ? "code" : NULL, .kind = SP_KIND_BOTH,
        .started = NOON * 1000, .finished = NOON * 1000,
    };
    static const uint8_t ends[2][4] = { { 10, 0, 0, 0 }, { 10, 0, 255, 255 } };
    static sp_range_t covered = { { ends[0], 4 }, { ends[1], 4 } };
    if (letter == 'c') {
        report.last = report.complete = true;
        report.parts = report.up = 1;
        report.covered = &covered;
        report.covered_count = 1;
    } else {
        report.hosts = hosts;
        report.host_count = COUNT (hosts);
    }
    return (sp_message_t){ .type = SP_REPORT, .u.report = report };
}

static void
s_add_job (world_t *self, char letter)
{
    static hub_code_t code = { "code" };
    hub_principal_t who = { .name = "a", .codes = &code, .code_count = 1 };
    sp_message_t message = s_message (letter, self->count);
    uint8_t *frame = NULL;
    size_t size = 0;
    hub_job_kind_t kind = letter == 'l'   ? HUB_JOB_TOUCH
                          : letter == 't' ? HUB_JOB_TARGETS
                                          : HUB_JOB_REPORT;
    if (kind != HUB_JOB_TOUCH)
        assert_int_equal (sp_encode (&frame, &size, &message), SH_OK);
    hub_job_t **job = &self->jobs[self->count++];
    assert_int_equal (hub_job_new (job, kind, &who,
                                   (sh_bytes_t){ frame, size }), SH_OK);
    (*job)->received = NOON * 1000;
    free (frame);
}

static void
s_open (world_t *self, const char *letters)
{
    memset (self, 0, sizeof *self);
    memset (&s, 0, sizeof s);
    s.base = (hub_store_t){
        .begin = s_begin, .commit = s_commit, .rollback = s_rollback,
        .read_agents = s_read_agents, .lock_subnets = s_lock_subnets,
        .read_subnet = s_read_subnet, .read_range = s_read_range,
        .find_subnet = s_find_subnet, .read_rows = s_read_rows,
        .apply = s_apply, .touch_agents = s_touch_agents,
        .describe = s_describe,
    };
    self->letters = letters;
    for (; *letters; letters++)
        s_add_job (self, *letters);
    assert_int_equal (hub_live_new (&self->live, HUB_ZONE_UTC), SH_OK);
    hub_policies_t *policies = malloc (sizeof *policies);
    assert_non_null (policies);
    hub_policies_init (policies);
    hub_live_set_policies (self->live, &policies);
    assert_int_equal (hub_previews_new (&self->previews, NULL, &s_clock),
                      SH_OK);
    hub_intake_options_t options = { .store = &s.base,
                                     .live = self->live,
                                     .previews = self->previews,
                                     .clock = &s_clock,
                                     .allows = s_allows };
    assert_int_equal (hub_intake_new (&self->intake, &options), SH_OK);
    s.answers = 0;
}

static void
s_shut (world_t *self)
{
    for (size_t i = 0; i < self->count; i++)
        hub_job_destroy (&self->jobs[i]);
    hub_intake_destroy (&self->intake);
    hub_previews_destroy (&self->previews);
    hub_live_destroy (&self->live);
}

static void
s_read_answer (world_t *self, size_t i)
{
    const hub_job_t *job = self->jobs[i];
    self->result[i] = NO_ANSWER;
    if (!job->answer)
        return;
    sp_message_t *answer = NULL;
    assert_int_equal (
        sp_decode (&answer, (sh_bytes_t){ job->answer, job->answer_size },
                   NULL), SH_OK);
    const char *cause = NULL;
    if (answer->type == SP_VERDICT) {
        assert_int_equal (answer->u.verdict.part, i);
        self->result[i] = answer->u.verdict.result;
        cause = answer->u.verdict.cause;
    } else if (answer->type == SP_ERROR) {
        self->result[i] = ERROR;
        cause = answer->u.error.cause;
    } else {
        assert_int_equal (answer->type, SP_TARGETS_PAGE);
        self->result[i] = PAGE;
    }
    snprintf (self->cause[i], sizeof self->cause[i], "%s", cause ? cause : "");
    sp_message_destroy (&answer);
}

static void
s_work (world_t *self)
{
    hub_intake_batch (self->intake, self->jobs, self->count);
    hub_intake_after (self->intake);
    nomem_lift ();
    for (size_t i = 0; i < self->count; i++)
        s_read_answer (self, i);
}

/*  What holds whatever fails.  NULL, or what does not.  */
static const char *
s_judge (const world_t *self)
{
    if (*s.fault)
        return s.fault;
    if (s.open || s.begins != s.commits + s.rollbacks)
        return "not each transaction was ended once";
    size_t answered = 0;
    for (size_t i = 0; i < self->count; i++) {
        int result = self->result[i];
        bool kept = s.committed >> (i + 1) & 1;
        answered += result != NO_ANSWER;
        if (result == SP_APPLIED && !kept)
            return "said to be applied, and is not";
        if ((result == SP_RETRY || result == SP_REFUSED) && kept)
            return "committed, and not said to be applied";
        if (result == SP_REFUSED && self->letters[i] != 'u')
            return "a report is refused for the store's fault";
        if (self->letters[i] == 'l' && result != NO_ANSWER)
            return "an answer where none is asked for";
        if (result == NO_ANSWER && self->letters[i] != 'l'
            && !nomem_is_hit ())
            return "no answer";
    }
    return answered == s.answers ? NULL : "not one answer for each job";
}

/*  One kind of fault.  */
typedef struct
{
    call_t call;
    size_t at;
    bool on;
    sh_err_t with;
} fault_t;

/*  Errors that a report gets over when they come but once: tried again, or
    without the new rows or the texts.  */
static bool
s_is_passing (sh_err_t rc)
{
    return rc == SH_E_DB_BUSY || rc == SH_E_HOST_UNIQUE
           || rc == SH_E_HOST_COLUMN || rc == SH_E_HOST_TEXT
           || rc == SH_E_HOST_UPDATE;
}

/*  Does a job with the letter call this?  */
static bool
s_uses (char letter, call_t call)
{
    static const char *const who[CALL_COUNT]
        = { "hcefutl", "hcefutl", "f", "hcefut", "hcft", "hcef", "hcefu", "" };
    return strchr (who[call], letter) != NULL;
}

/*  What becomes of job 'i', in a batch of reports only or all by itself.  */
static int
s_expected (const world_t *self, size_t i, const fault_t *fault)
{
    char letter = self->letters[i];
    bool hit = s.failed && s_uses (letter, fault->call)
               && (fault->on
                   || (self->count == 1
                       && (letter == 't' || !s_is_passing (fault->with))));
    if (letter == 'l')
        return NO_ANSWER;
    if (letter == 't')
        return hit ? ERROR : PAGE;
    if (hit)
        return SP_RETRY;
    return letter == 'u' ? SP_REFUSED : SP_APPLIED;
}

static const char *
s_compare (const world_t *self, const fault_t *fault)
{
    bool mixed = self->count > 1 && strpbrk (self->letters, "tl");
    for (size_t i = 0; !mixed && i < self->count; i++) {
        int expected = s_expected (self, i, fault);
        if (self->result[i] != expected)
            return "another verdict than it should be";
        if ((expected == SP_RETRY || expected == ERROR)
            && strcmp (self->cause[i], sh_err_word (fault->with)) != 0)
            return "another cause than it was";
    }
    return NULL;
}

/*  True if the call was there to fail.  */
static bool
s_try (const char *letters, const fault_t *fault)
{
    world_t world;
    s_open (&world, letters);
    s.call = fault->call;
    s.at = fault->at;
    s.on = fault->on;
    s.with = fault->with;
    s_work (&world);
    const char *wrong = s_judge (&world);
    if (!wrong)
        wrong = s_compare (&world, fault);
    if (wrong)
        fail_msg ("jobs %s, %s %zu%s with %s: %s; the first got %d %s",
                  letters, s_names[fault->call], fault->at,
                  fault->on ? " and after" : "", sh_err_word (fault->with),
                  wrong, world.result[0], world.cause[0]);
    bool failed = s.failed > 0;
    s_shut (&world);
    return failed;
}

static const sh_err_t s_errors[] = {
    SH_E_DB_DOWN,     SH_E_DB_BUSY,   SH_E_DB_RIGHTS,   SH_E_DB_SCHEMA,
    SH_E_DB,          SH_E_MEMORY,    SH_E_HOST_COLUMN, SH_E_HOST_TEXT,
    SH_E_HOST_UNIQUE, SH_E_HOST_UPDATE, SH_E_MAINTENANCE,
};

static unsigned
s_try_all (const char *letters, call_t call, sh_err_t with)
{
    unsigned tried = 0;
    fault_t fault = { call, 1, false, with };
    if (with == SH_E_MAINTENANCE && call != CALL_AGENT)
        return 0; /* it comes with the agent only */
    for (; s_try (letters, &fault); fault.at++)
        tried++;
    fault.on = true;
    for (fault.at = 1; s_try (letters, &fault); fault.at++)
        tried++;
    return tried;
}

static void
test_errors (void **state)
{
    (void) state;
    unsigned tried = 0;
    for (size_t b = 0; b < COUNT (s_batches); b++)
        for (int call = 0; call < CALL_COUNT; call++)
            for (size_t e = 0; e < COUNT (s_errors); e++)
                tried += s_try_all (s_batches[b], (call_t) call, s_errors[e]);
    print_message ("# %u faults\n", tried);
    assert_true (tried > 1000);
}

/*  Without faults: the bottom line that the others are compared to.  */
static void
test_no_fault (void **state)
{
    (void) state;
    world_t world;
    s_open (&world, "hcfuh");
    s_work (&world);
    assert_null (s_judge (&world));
    assert_int_equal (s.committed, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 5);
    assert_int_equal (s.commits, 1);
    assert_int_equal (s.rollbacks, 0);
    assert_int_equal (s.touches, 1);
    assert_int_equal (s.answers, 5);
    assert_int_equal (world.result[3], SP_REFUSED);
    s_shut (&world);
}

static bool
s_try_memory (const char *letters, unsigned n, bool on)
{
    world_t world;
    s_open (&world, letters);
    /*  What is remembered of the senders stays.  */
    for (size_t i = 0; i < world.count; i++)
        hub_roster_report (hub_live_roster (world.live), &world.jobs[i]->who,
                           NULL, 0, SP_APPLIED, SH_OK, 1, 1);
    nomem_count_from_here ();
    nomem_fail_at (n, on);
    s_work (&world);
    const char *wrong = s_judge (&world);
    for (size_t i = 0; !wrong && i < world.count; i++) {
        if (world.result[i] == SP_RETRY || world.result[i] == ERROR)
            wrong = strcmp (world.cause[i], "no-memory") != 0 ? "cause" : NULL;
        free (world.jobs[i]->answer);
        world.jobs[i]->answer = NULL;
    }
    if (!wrong && nomem_live () > 0)
        wrong = "memory leaked";
    if (wrong)
        fail_msg ("jobs %s, allocation %u%s: %s", letters, n,
                  on ? " and after" : "", wrong);
    bool hit = nomem_is_hit ();
    nomem_fail_at (0, false);
    s_shut (&world);
    return hit;
}

static void
test_memory (void **state)
{
    (void) state;
    unsigned tried = 0;
    for (size_t b = 0; b < COUNT (s_batches); b++)
        for (int on = 0; on < 2; on++)
            for (unsigned n = 1; s_try_memory (s_batches[b], n, on); n++)
                tried++;
    print_message ("# %u allocations\n", tried);
    assert_true (tried > 100);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_no_fault),
        cmocka_unit_test (test_errors),
        cmocka_unit_test (test_memory),
    };
    return cmocka_run_group_tests_name ("store faults", tests, NULL, NULL);
}
