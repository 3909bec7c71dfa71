/* SPDX-License-Identifier: MPL-2.0 */
/*  Intake over a store in memory that can fail any of its calls.  The store
    also judges: what intake must not do with a transaction is counted as a
    fault, whatever the test at hand is about.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <cmocka.h>

#include "hub/hold.h"
#include "hub/intake.h"
#include "lib/log.h"
#include "scanner-proto/codec.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define NOON INT64_C (1780315200) /* 2026-06-01 12:00:00 UTC */
#define DAY "2026-06-01 "
#define CODE "code-of-site-a"
#define CODE_B "code-of-site-b"
#define MAC_A "00:1a:2b:00:00:0a"
#define MAC_B "00:1a:2b:00:00:0b"
#define MAC_C "00:1a:2b:00:00:0c"

/*  Pauses between attempts are counted, not slept.  */
static int s_pauses;

int
nanosleep (const struct timespec *wanted, struct timespec *left)
{
    assert_true (wanted->tv_sec == 0 && wanted->tv_nsec > 0
                 && wanted->tv_nsec < 500000000);
    (void) left;
    s_pauses++;
    return 0;
}

/*  The tables.  */

typedef struct
{
    uint64_t id, subnet;
    sh_addr_t ip;
    int state;
    bool excluded, made;
    char last_seen[20], hostname[64], mac[20];
} record_t;

enum { RECORDS_MOST = 64, AGENTS = 4, SUBNETS = 8, TRACE_MOST = 512 };

typedef struct
{
    uint64_t id;
    const char *name, *code;
    bool eligible;
    char last_access[20];
} agent_record_t;

typedef struct
{
    record_t rows[RECORDS_MOST];
    size_t row_count;
    hub_subnet_t subnets[SUBNETS];
} tables_t;

/*  What was called, in order: B begin, A read_agents, F find_subnet, L a subnet
    is locked, S read_subnet, R read_rows or read_range, W apply, K the key is
    asked for, C commit, r rollback, T touch.  */
typedef struct
{
    char what;
    uint64_t number; /* agent or subnet */
    sh_err_t rc;
} call_t;

typedef struct
{
    hub_store_t base;
    tables_t now, before;
    agent_record_t agents[AGENTS];
    bool open;     /* a transaction is under way */
    bool spoilt;   /* after an error only rollback is allowed */
    uint64_t locked[SUBNETS];
    size_t lock_count;
    int faults;
    const char *fault;

    size_t calls;       /* that can fail, so far */
    size_t fail_at;     /* 0: none */
    sh_err_t fail_with;
    bool fail_on;       /* not just once */
    bool fail_agents;   /* rather every read_agents */
    int64_t fail_takes; /* ms of the clock */
    int64_t mono;
    bool maintenance;
    size_t slice; /* rows that read_range gives, if it is to be less */
    sh_err_t no_inserts; /* the table cannot take new rows */
    size_t commits, rollbacks;
    call_t trace[TRACE_MOST];
    size_t traced;
} fake_t;

static void
s_fault (fake_t *self, const char *what)
{
    if (self->faults++ == 0)
        self->fault = what;
}

static fake_t *
s_fake (hub_store_t *base)
{
    return (fake_t *) base;
}

static void
s_trace (fake_t *self, char what, uint64_t number, sh_err_t rc)
{
    assert_true (self->traced < TRACE_MOST);
    self->trace[self->traced++] = (call_t){ what, number, rc };
}

/*  The beginning of each call that can fail; 'inside' says whether it belongs
    into a transaction.  */
static sh_err_t
s_enter (fake_t *self, char what, uint64_t number, bool inside)
{
    if (self->spoilt)
        s_fault (self, "a call after an error, before rollback");
    if (self->open != inside)
        s_fault (self, inside ? "a call outside of a transaction"
                              : "a call inside of a transaction");
    self->calls++;
    bool fails = self->fail_at
                 && (self->fail_on ? self->calls >= self->fail_at
                                   : self->calls == self->fail_at);
    fails |= self->fail_agents && what == 'A';
    sh_err_t rc = fails ? self->fail_with : SH_OK;
    self->mono += fails ? self->fail_takes : 0;
    /*  A transaction must be rolled back after it, a lone call needn't.  */
    if (fails && inside)
        self->spoilt = true;
    s_trace (self, what, number, rc);
    return rc;
}

static sh_err_t
s_begin (hub_store_t *base)
{
    fake_t *self = s_fake (base);
    sh_err_t rc = s_enter (self, 'B', 0, false);
    if (rc != SH_OK)
        return rc;
    self->open = true;
    self->lock_count = 0;
    self->before = self->now;
    return SH_OK;
}

static sh_err_t
s_commit (hub_store_t *base)
{
    fake_t *self = s_fake (base);
    sh_err_t rc = s_enter (self, 'C', 0, true);
    if (rc != SH_OK)
        return rc;
    self->open = false;
    self->commits++;
    return SH_OK;
}

static void
s_rollback (hub_store_t *base)
{
    fake_t *self = s_fake (base);
    s_trace (self, 'r', 0, SH_OK);
    if (!self->open)
        s_fault (self, "rollback without a transaction");
    self->now = self->before;
    self->open = self->spoilt = false;
    self->rollbacks++;
}

/*  Finds by the column's collation, as a careless store would; intake has to
    compare for itself.  */
static sh_err_t
s_find_agent (const fake_t *self, const char *code, hub_agent_t *out)
{
    for (size_t i = 0; i < AGENTS; i++) {
        const agent_record_t *one = &self->agents[i];
        if (!one->code || strcasecmp (one->code, code) != 0)
            continue;
        *out = (hub_agent_t){ .id = one->id, .eligible = one->eligible,
                              .update_tags = true, .tags = { 1, 2, 3, 4 },
                              .tag_count = 4,
                              .maintenance = self->maintenance };
        out->name = strdup (one->name);
        out->code = strdup (one->code);
        memcpy (out->last_access, one->last_access, sizeof out->last_access);
        return SH_OK;
    }
    return self->maintenance ? SH_E_MAINTENANCE : SH_E_AGENT_UNKNOWN;
}

static sh_err_t
s_read_agents (hub_store_t *base, hub_asked_t *asked, size_t count)
{
    fake_t *self = s_fake (base);
    assert_true (count > 0);
    sh_err_t rc = s_enter (self, 'A', count, true);
    for (size_t i = 0; rc == SH_OK && i < count; i++)
        asked[i].rc = s_find_agent (self, asked[i].code, &asked[i].agent);
    return rc;
}

static sh_err_t
s_find_id (const fake_t *self, uint64_t id, hub_subnet_t *out)
{
    for (size_t i = 0; i < SUBNETS; i++)
        if (self->now.subnets[i].id == id && id) {
            *out = self->now.subnets[i];
            return SH_OK;
        }
    return SH_E_SUBNET_UNKNOWN;
}

static sh_err_t
s_lock_subnets (hub_store_t *base, const uint64_t *ids, size_t count,
                hub_subnet_t *out)
{
    fake_t *self = s_fake (base);
    assert_true (count > 0 && count <= SUBNETS);
    if (self->lock_count > 0)
        s_fault (self, "locks at two times");
    for (size_t i = 0; i < count; i++) {
        sh_err_t rc = s_enter (self, 'L', ids[i], true);
        if (rc != SH_OK)
            return rc;
        if (i > 0 && ids[i] <= ids[i - 1])
            s_fault (self, "locks not in ascending order");
        if (s_find_id (self, ids[i], &out[i]) == SH_OK)
            self->locked[self->lock_count++] = ids[i];
        else
            out[i].id = 0;
    }
    return SH_OK;
}

static bool
s_is_locked (const fake_t *self, uint64_t id)
{
    for (size_t i = 0; i < self->lock_count; i++)
        if (self->locked[i] == id)
            return true;
    return false;
}

static sh_err_t
s_read_subnet (hub_store_t *base, uint64_t id, hub_subnet_t *out)
{
    sh_err_t rc = s_enter (s_fake (base), 'S', id, true);
    return rc == SH_OK ? s_find_id (s_fake (base), id, out) : rc;
}

static sh_err_t
s_find_subnet (hub_store_t *base, uint64_t agent, const sh_prefix_t *prefix,
               uint64_t hint, uint64_t *id)
{
    fake_t *self = s_fake (base);
    sh_err_t rc = s_enter (self, 'F', agent, true);
    if (rc != SH_OK)
        return rc;
    size_t found = 0;
    for (size_t i = 0; i < SUBNETS; i++) {
        const hub_subnet_t *one = &self->now.subnets[i];
        if (one->agent == agent && sh_prefix_equal (&one->prefix, prefix)) {
            if (found++ == 0 || one->id == hint)
                *id = one->id;
        }
    }
    return found == 1 || (found && *id == hint) ? SH_OK
           : found    ? SH_E_SUBNET_AMBIGUOUS
                      : SH_E_SUBNET_UNKNOWN;
}

static int
s_by_address (const void *a, const void *b)
{
    const hub_row_t *x = a, *y = b;
    return sh_addr_cmp (&x->ip, &y->ip);
}

/*  The rows that 'wanted' says, in the order of their addresses.  */
static hub_rows_t *
s_copy_rows (fake_t *self, uint64_t subnet,
             bool (*wanted) (const record_t *, const void *),
             const void *context)
{
    hub_rows_t *rows = calloc (1, sizeof *rows);
    assert_non_null (rows);
    rows->items = calloc (RECORDS_MOST, sizeof *rows->items);
    /*  A copy, so that a plan which outlives the tables shows.  */
    record_t *copy = malloc (sizeof self->now.rows);
    assert_true (rows->items && copy);
    memcpy (copy, self->now.rows, sizeof self->now.rows);
    rows->memory = copy;
    for (size_t i = 0; i < self->now.row_count; i++) {
        if (copy[i].subnet != subnet || !wanted (&copy[i], context))
            continue;
        rows->items[rows->count++] = (hub_row_t){
            .id = copy[i].id, .ip = copy[i].ip, .excluded = copy[i].excluded,
            .autodiscovered = copy[i].made, .has_state = true,
            .state = copy[i].state, .last_seen = copy[i].last_seen,
            .hostname = copy[i].hostname, .mac = copy[i].mac,
        };
    }
    qsort (rows->items, rows->count, sizeof *rows->items, s_by_address);
    return rows;
}

typedef struct
{
    const sh_addr_t *addrs;
    size_t count;
} list_t;

static bool
s_listed (const record_t *one, const void *context)
{
    const list_t *list = context;
    bool wanted = false;
    for (size_t i = 0; i < list->count; i++)
        wanted |= sh_addr_cmp (&list->addrs[i], &one->ip) == 0;
    return wanted;
}

static sh_err_t
s_read_rows (hub_store_t *base, uint64_t subnet, const sh_addr_t *addrs,
             size_t count, hub_rows_t **out)
{
    fake_t *self = s_fake (base);
    sh_err_t rc = s_enter (self, 'R', subnet, true);
    assert_true (count > 0);
    list_t list = { addrs, count };
    if (rc == SH_OK)
        *out = s_copy_rows (self, subnet, s_listed, &list);
    return rc;
}

static bool
s_within (const record_t *one, const void *context)
{
    const hub_range_t *range = context;
    return sh_addr_cmp (&one->ip, &range->first) >= 0
           && sh_addr_cmp (&one->ip, &range->last) <= 0;
}

static sh_err_t
s_read_range (hub_store_t *base, uint64_t subnet, const hub_range_t *range,
              hub_rows_t **out, bool *more)
{
    fake_t *self = s_fake (base);
    sh_err_t rc = s_enter (self, 'R', subnet, true);
    if (rc != SH_OK)
        return rc;
    assert_true (range->most > 0);
    size_t most = self->slice ? self->slice : range->most;
    *out = s_copy_rows (self, subnet, s_within, range);
    *more = (*out)->count > most;
    if (*more)
        (*out)->count = most;
    return SH_OK;
}

static record_t *
s_record (fake_t *self, uint64_t id)
{
    for (size_t i = 0; i < self->now.row_count; i++)
        if (self->now.rows[i].id == id)
            return &self->now.rows[i];
    fail_msg ("no row %llu", (unsigned long long) id);
    return NULL;
}

static void
s_write_row (fake_t *self, uint64_t subnet, const hub_insert_t *row)
{
    assert_true (self->now.row_count < RECORDS_MOST);
    record_t *one = &self->now.rows[self->now.row_count];
    *one = (record_t){ .id = 100 + self->now.row_count, .subnet = subnet,
                       .ip = row->ip, .state = HUB_TAG_USED, .made = true };
    memcpy (one->last_seen, row->wall.text, sizeof one->last_seen);
    snprintf (one->hostname, sizeof one->hostname, "%s",
              row->hostname ? row->hostname : "");
    snprintf (one->mac, sizeof one->mac, "%s", row->mac ? row->mac : "");
    self->now.row_count++;
}

static void
s_write_subnet (fake_t *self, const hub_changes_t *changes)
{
    for (size_t i = 0; i < SUBNETS; i++) {
        hub_subnet_t *one = &self->now.subnets[i];
        if (one->id != changes->subnet)
            continue;
        if (changes->set_last_scan)
            memcpy (one->last_scan, changes->start.text, 20);
        if (changes->set_last_discovery)
            memcpy (one->last_discovery, changes->start.text, 20);
    }
}

static sh_err_t
s_apply (hub_store_t *base, const hub_changes_t *changes)
{
    fake_t *self = s_fake (base);
    sh_err_t rc = s_enter (self, 'W', changes->subnet, true);
    if (rc == SH_OK && changes->insert_count && self->no_inserts) {
        rc = self->no_inserts;
        self->spoilt = true;
    }
    if (!s_is_locked (self, changes->subnet))
        s_fault (self, "written without the lock");
    /*  Also when it fails: half of it was written by then.  */
    for (size_t i = 0; i < changes->seen_count; i++)
        memcpy (s_record (self, changes->seen[i].row)->last_seen,
                changes->seen[i].wall.text, 20);
    for (size_t i = 0; i < changes->name_count; i++)
        snprintf (s_record (self, changes->names[i].row)->hostname, 64, "%s",
                  changes->names[i].fresh);
    for (size_t i = 0; i < changes->mac_count; i++)
        snprintf (s_record (self, changes->macs[i].row)->mac, 20, "%s",
                  changes->macs[i].fresh);
    if (rc != SH_OK)
        return rc;
    for (size_t i = 0; i < changes->used_count; i++)
        s_record (self, changes->used[i].row)->state = changes->used[i].fresh;
    for (size_t i = 0; i < changes->offline_count; i++)
        s_record (self, changes->offline[i].row)->state
            = changes->offline[i].fresh;
    for (size_t i = 0; i < changes->insert_count; i++)
        s_write_row (self, changes->subnet, &changes->inserts[i]);
    s_write_subnet (self, changes);
    return SH_OK;
}

/*  One call, in the trace once for each agent.  */
static sh_err_t
s_touch_agents (hub_store_t *base, const uint64_t *ids, size_t count,
                const char *wall, const char *limit)
{
    fake_t *self = s_fake (base);
    assert_true (count > 0);
    sh_err_t rc = s_enter (self, 'T', ids[0], false);
    for (size_t k = 1; rc == SH_OK && k < count; k++)
        s_trace (self, 'T', ids[k], rc);
    for (size_t k = 0; rc == SH_OK && k < count; k++)
        for (size_t i = 0; i < AGENTS; i++)
            if (self->agents[i].id == ids[k])
                snprintf (self->agents[i].last_access, 20, "%s", wall);
    assert_string_equal (limit, DAY "12:01:00");
    return rc;
}

static const char *
s_describe (hub_store_t *base)
{
    (void) base;
    return "what the database said";
}

/*  One test's world.  */

typedef struct
{
    fake_t fake;
    sh_clock_t clock;
    hub_live_t *live;
    hub_previews_t *previews; /* in memory */
    hub_intake_t *intake;
    const char *revoked; /* name of a principal whose key is gone */
    hub_job_t *jobs[HUB_BATCH_MOST];
    size_t job_count;
    sp_message_t *answers[HUB_BATCH_MOST];
} world_t;

static int64_t
s_wall (void *context)
{
    (void) context;
    return NOON * 1000;
}

static int64_t
s_mono (void *context)
{
    return ((const world_t *) context)->fake.mono;
}

static sh_err_t
s_allows (void *context, const hub_principal_t *who, const char *code)
{
    world_t *world = context;
    s_trace (&world->fake, 'K', 0, SH_OK);
    assert_non_null (code);
    if (!world->fake.open)
        s_fault (&world->fake, "the key was asked for too early or too late");
    bool revoked
        = world->revoked && strcmp (world->revoked, who->name) == 0;
    return revoked ? SH_E_KEY_UNKNOWN : SH_OK;
}

static void
s_add_subnet (world_t *self, uint64_t id, uint64_t agent, const char *cidr)
{
    static const hub_subnet_t blank;
    for (size_t i = 0; i < SUBNETS; i++) {
        hub_subnet_t *one = &self->fake.now.subnets[i];
        if (one->id)
            continue;
        *one = blank;
        one->id = id;
        one->agent = agent;
        one->has_prefix = one->check = one->discover = true;
        assert_int_equal (sh_prefix_parse (&one->prefix, cidr), SH_OK);
        return;
    }
    fail_msg ("no room for a subnet");
}

static hub_subnet_t *
s_subnet (world_t *self, uint64_t id)
{
    for (size_t i = 0; i < SUBNETS; i++)
        if (self->fake.now.subnets[i].id == id)
            return &self->fake.now.subnets[i];
    fail_msg ("no such subnet");
    return NULL;
}

/*  Rows have the ids 1, 2, ...  */
static record_t *
s_add_row (world_t *self, uint64_t subnet, const char *ip)
{
    fake_t *fake = &self->fake;
    record_t *one = &fake->now.rows[fake->now.row_count++];
    *one = (record_t){ .id = fake->now.row_count, .subnet = subnet,
                       .state = HUB_TAG_USED };
    assert_int_equal (sh_addr_parse (&one->ip, ip), SH_OK);
    snprintf (one->last_seen, sizeof one->last_seen, DAY "09:00:00");
    return one;
}

static record_t *
s_row_of (world_t *self, const char *ip)
{
    sh_addr_t addr;
    assert_int_equal (sh_addr_parse (&addr, ip), SH_OK);
    for (size_t i = 0; i < self->fake.now.row_count; i++)
        if (sh_addr_cmp (&self->fake.now.rows[i].ip, &addr) == 0)
            return &self->fake.now.rows[i];
    return NULL;
}

static void
s_fill_store (world_t *self)
{
    static const agent_record_t agents[AGENTS] = {
        { 3, "site-a", CODE, true, "" },
        { 4, "site-b", CODE_B, true, "" },
        { 5, "localhost", "code-of-direct", false, "" },
        { 6, "", NULL, false, "" },
    };
    fake_t *fake = &self->fake;
    memcpy (fake->agents, agents, sizeof agents);
    fake->base = (hub_store_t){
        .begin = s_begin, .commit = s_commit, .rollback = s_rollback,
        .read_agents = s_read_agents, .lock_subnets = s_lock_subnets,
        .read_subnet = s_read_subnet, .read_range = s_read_range,
        .find_subnet = s_find_subnet, .read_rows = s_read_rows,
        .apply = s_apply, .touch_agents = s_touch_agents,
        .describe = s_describe,
    };
    s_add_subnet (self, 5, 3, "10.0.5.0/24");
    s_add_subnet (self, 7, 3, "10.0.7.0/24");
    s_add_subnet (self, 9, 3, "10.0.9.0/24");
    s_add_subnet (self, 20, 4, "10.0.20.0/24");
    s_add_subnet (self, 21, 4, "10.0.21.0/24");
    s_add_subnet (self, 22, 4, "10.0.21.0/24"); /* in another section */
    s_add_row (self, 5, "10.0.5.1");
    s_add_row (self, 7, "10.0.7.1");
    s_add_row (self, 7, "10.0.7.9");
    s_add_row (self, 9, "10.0.9.1");
    s_add_row (self, 20, "10.0.20.1");
}

static void
s_open (world_t *self)
{
    memset (self, 0, sizeof *self);
    s_pauses = 0;
    self->clock = (sh_clock_t){ s_wall, s_mono, self, NULL };
    s_fill_store (self);
    assert_int_equal (hub_live_new (&self->live, HUB_ZONE_UTC), SH_OK);
    hub_policies_t *policies = malloc (sizeof *policies);
    assert_non_null (policies);
    hub_policies_init (policies);
    hub_live_set_policies (self->live, &policies);
    assert_int_equal (hub_previews_new (&self->previews, NULL, &self->clock),
                      SH_OK);
    hub_intake_options_t options = { .store = &self->fake.base,
                                     .live = self->live,
                                     .previews = self->previews,
                                     .clock = &self->clock,
                                     .allows = s_allows,
                                     .allows_context = self };
    assert_int_equal (hub_intake_new (&self->intake, &options), SH_OK);
}

/*  Forget jobs and answers, to send more.  */
static void
s_forget (world_t *self)
{
    for (size_t i = 0; i < self->job_count; i++) {
        hub_job_destroy (&self->jobs[i]);
        sp_message_destroy (&self->answers[i]);
    }
    self->job_count = 0;
    self->fake.traced = 0;
}

static void
s_shut (world_t *self)
{
    if (self->fake.faults)
        fail_msg ("%d faults: %s", self->fake.faults, self->fake.fault);
    assert_false (self->fake.open);
    s_forget (self);
    hub_intake_destroy (&self->intake);
    hub_previews_destroy (&self->previews);
    hub_live_destroy (&self->live);
}

/*  Whose jobs: by name, with up to two codes separated by a comma.  */
static hub_job_t *
s_add_job (world_t *self, hub_job_kind_t kind, const char *name,
           const char *codes, const sp_message_t *message)
{
    hub_code_t list[2] = { { "" } };
    hub_principal_t who = { .codes = list };
    snprintf (who.name, sizeof who.name, "%s", name);
    const char *comma = strchr (codes, ',');
    size_t first = comma ? (size_t) (comma - codes) : strlen (codes);
    memcpy (list[0].text, codes, first);
    snprintf (list[1].text, sizeof list[1].text, "%s", comma ? comma + 1 : "");
    who.code_count = comma ? 2 : 1;

    uint8_t *frame = NULL;
    size_t size = 0;
    if (message)
        assert_int_equal (sp_encode (&frame, &size, message), SH_OK);
    hub_job_t *job = NULL;
    assert_int_equal (
        hub_job_new (&job, kind, &who, (sh_bytes_t){ frame, size }), SH_OK);
    free (frame);
    job->received = NOON * 1000;
    assert_true (self->job_count < HUB_BATCH_MOST);
    self->jobs[self->job_count++] = job;
    return job;
}

typedef struct
{
    const char *ip, *name, *mac;
    int64_t age; /* seconds before noon */
    uint64_t subnet;
} host_t;

/*  A report whose id is 'tag' repeated, with up to four hosts; none makes it
    the closing part.  */
typedef struct
{
    const char *who;  /* NULL: site-a */
    const char *codes; /* NULL: CODE */
    const char *code; /* 'for' */
    uint8_t tag;
    uint64_t part, subnet, hint;
    const char *cidr;
    host_t hosts[4];
    int kind; /* 0: both */
    int64_t started; /* 0: a minute ago */
} ask_t;

static hub_job_t *
s_add_report (world_t *self, const ask_t *ask)
{
    uint8_t id[SP_REPORT_ID];
    memset (id, ask->tag, sizeof id);
    sh_addr_t addrs[4], ends[2];
    sp_host_t hosts[4];
    sp_range_t range;
    sp_message_t message = { .type = SP_REPORT };
    sp_report_t *report = &message.u.report;
    *report = (sp_report_t){
        .id = { id, sizeof id }, .part = ask->part, .code = ask->code,
        .subnet = ask->subnet, .hint = ask->hint, .cidr = ask->cidr, .hosts = hosts,
        .kind = ask->kind ? ask->kind : SP_KIND_BOTH,
        .started = ask->started ? ask->started : (NOON - 60) * 1000,
        .finished = NOON * 1000,
    };
    for (; report->host_count < 4 && ask->hosts[report->host_count].ip;
         report->host_count++) {
        size_t i = report->host_count;
        const host_t *host = &ask->hosts[i];
        assert_int_equal (sh_addr_parse (&addrs[i], host->ip), SH_OK);
        hosts[i] = (sp_host_t){ .ip = sh_addr_bytes (&addrs[i]),
                                .seen = (NOON - host->age) * 1000,
                                .name = host->name, .mac = host->mac,
                                .subnet = host->subnet };
    }
    if (report->host_count == 0) {
        assert_int_equal (sh_addr_parse (&ends[0], "0.0.0.0"), SH_OK);
        assert_int_equal (sh_addr_parse (&ends[1], "255.255.255.255"), SH_OK);
        range = (sp_range_t){ sh_addr_bytes (&ends[0]),
                              sh_addr_bytes (&ends[1]) };
        report->last = report->complete = true;
        report->up = report->parts = 1;
        report->covered = &range;
        report->covered_count = 1;
    }
    return s_add_job (self, HUB_JOB_REPORT, ask->who ? ask->who : "site-a",
                      ask->codes ? ask->codes : CODE, &message);
}

#define REPORT(world, ...) s_add_report (world, &(ask_t){ __VA_ARGS__ })

static size_t
s_touches (const world_t *self, uint64_t agent)
{
    size_t count = 0;
    for (size_t i = 0; i < self->fake.traced; i++)
        count += self->fake.trace[i].what == 'T'
                 && (!agent || self->fake.trace[i].number == agent);
    return count;
}

/*  Let intake work; every job but a touch gets an answer that decodes.  */
static void
s_work (world_t *self)
{
    size_t touched = s_touches (self, 0);
    hub_intake_batch (self->intake, self->jobs, self->job_count);
    assert_int_equal (s_touches (self, 0), touched); /* answers first */
    hub_intake_after (self->intake);
    assert_false (self->fake.open);
    for (size_t i = 0; i < self->job_count; i++) {
        hub_job_t *job = self->jobs[i];
        if (job->kind == HUB_JOB_TOUCH) {
            assert_null (job->answer);
            continue;
        }
        assert_non_null (job->answer);
        sh_why_t why = { "" };
        if (sp_decode (&self->answers[i],
                       (sh_bytes_t){ job->answer, job->answer_size }, &why)
            != SH_OK)
            fail_msg ("job %zu: %s", i, why.text);
    }
}

/*  The verdict on job 'i', which must name that job's part.  */
static const sp_verdict_t *
s_verdict (const world_t *self, size_t i)
{
    const sp_message_t *answer = self->answers[i];
    const hub_job_t *job = self->jobs[i];
    assert_int_equal (answer->type, SP_VERDICT);
    sp_peek_t peek;
    assert_int_equal (sp_peek (&peek,
                               (sh_bytes_t){ job->frame, job->frame_size },
                               NULL),
                      SH_OK);
    const sp_verdict_t *verdict = &answer->u.verdict;
    assert_int_equal (verdict->part, peek.part);
    assert_int_equal (verdict->id.size, SP_REPORT_ID);
    assert_memory_equal (verdict->id.data, peek.id.data, SP_REPORT_ID);
    if (verdict->result == SP_APPLIED || verdict->result == SP_NOTED)
        assert_null (verdict->cause);
    else
        assert_true (verdict->cause && verdict->text && *verdict->text);
    return verdict;
}

static void
s_assert_verdict (const world_t *self, size_t i, int result, const char *cause)
{
    const sp_verdict_t *verdict = s_verdict (self, i);
    if (verdict->result != result
        || (cause && strcmp (verdict->cause, cause) != 0))
        fail_msg ("job %zu: %s, %s", i, sp_result_word (verdict->result),
                  verdict->cause ? verdict->cause : "-");
}

/*  The calls made, as letters; begin to end.  */
static void
s_assert_trace (const world_t *self, const char *expected)
{
    char got[TRACE_MOST + 1] = "";
    for (size_t i = 0; i < self->fake.traced; i++)
        got[i] = self->fake.trace[i].what;
    assert_string_equal (got, expected);
}

static void
s_assert_unchanged (const world_t *self, const tables_t *before)
{
    assert_memory_equal (&self->fake.now, before, sizeof *before);
}

/*  The road.  */

static void
test_one_part (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    REPORT (&world, .tag = 1, .part = 3, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.7.1", .name = "one", .mac = MAC_A },
                       { .ip = "10.0.7.2", .name = "bad name", .mac = "?" },
                       { .ip = "10.0.7.0" },
                       { .ip = "10.0.8.1" } });
    s_work (&world);
    s_assert_trace (&world, "BALRWKCT");
    const sp_verdict_t *verdict = s_verdict (&world, 0);
    assert_int_equal (verdict->result, SP_APPLIED);
    assert_int_equal (verdict->seen, 1);
    assert_int_equal (verdict->added, 1);
    assert_int_equal (verdict->named, 1);
    assert_int_equal (verdict->macs, 1);
    assert_int_equal (verdict->tagged, 0);
    assert_int_equal (verdict->skipped, 0);
    assert_int_equal (verdict->bad_names, 1);
    assert_int_equal (verdict->bad_macs, 1);
    assert_int_equal (verdict->delay, 0);
    assert_int_equal (verdict->refused_count, 2);
    assert_int_equal (verdict->refused_named, 2);
    assert_string_equal (verdict->refused[0].cause, "host-network");
    assert_memory_equal (verdict->refused[0].ip.data, "\x0a\0\x07\0", 4);
    assert_string_equal (verdict->refused[1].cause, "host-outside");
    assert_string_equal (s_row_of (&world, "10.0.7.1")->hostname, "one");
    assert_string_equal (s_row_of (&world, "10.0.7.1")->last_seen,
                         DAY "12:00:00");
    assert_string_equal (s_row_of (&world, "10.0.7.2")->mac, "");

    static const struct
    {
        hub_count_t which;
        uint64_t count;
    } counts[] = {
        { HUB_COUNT_PARTS_APPLIED, 1 }, { HUB_COUNT_PARTS_REFUSED, 0 },
        { HUB_COUNT_PARTS_RETRY, 0 },   { HUB_COUNT_ROWS_SEEN, 1 },
        { HUB_COUNT_ROWS_ADDED, 1 },    { HUB_COUNT_ROWS_NAMED, 1 },
        { HUB_COUNT_ROWS_MACS, 1 },     { HUB_COUNT_ROWS_TAGGED, 0 },
        { HUB_COUNT_HOSTS_REFUSED, 2 }, { HUB_COUNT_NAMES_DROPPED, 1 },
        { HUB_COUNT_MACS_DROPPED, 1 },  { HUB_COUNT_MACS_DIFFER, 0 },
    };
    for (size_t i = 0; i < COUNT (counts); i++)
        assert_int_equal (hub_live_counted (world.live, counts[i].which),
                          counts[i].count);
    s_shut (&world);
}

static void
test_closing_part (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    REPORT (&world, .tag = 1, .part = 1, .subnet = 7, .cidr = "10.0.7.0/24");
    s_work (&world);
    s_assert_trace (&world, "BALRWKCT");
    const sp_verdict_t *verdict = s_verdict (&world, 0);
    assert_int_equal (verdict->result, SP_APPLIED);
    assert_int_equal (verdict->tagged, 2);
    assert_int_equal (verdict->seen, 0);
    assert_int_equal (s_row_of (&world, "10.0.7.1")->state, HUB_TAG_OFFLINE);
    assert_int_equal (s_row_of (&world, "10.0.5.1")->state, HUB_TAG_USED);
    assert_string_equal (s_subnet (&world, 7)->last_scan, DAY "11:59:00");
    assert_string_equal (s_subnet (&world, 7)->last_discovery,
                         DAY "11:59:00");
    assert_string_equal (s_subnet (&world, 5)->last_scan, "");
    s_shut (&world);
}

/*  Not all at once: what follows the first slice is read behind it, in the same
    transaction; all of it once to be counted, and once to be written.  */
static void
test_closing_in_slices (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    world.fake.slice = 1;
    REPORT (&world, .tag = 1, .part = 1, .subnet = 7, .cidr = "10.0.7.0/24");
    s_work (&world);
    s_assert_trace (&world, "BALRRRWRWKCT");
    assert_int_equal (s_verdict (&world, 0)->result, SP_APPLIED);
    assert_int_equal (s_verdict (&world, 0)->tagged, 2);
    assert_int_equal (s_row_of (&world, "10.0.7.1")->state, HUB_TAG_OFFLINE);
    assert_int_equal (s_row_of (&world, "10.0.7.9")->state, HUB_TAG_OFFLINE);
    s_shut (&world);
}

/*  A part whose hosts are all refused reads no rows, but is applied.  */
static void
test_no_good_host (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.8.1" } });
    s_work (&world);
    s_assert_trace (&world, "BALWKCT");
    s_assert_verdict (&world, 0, SP_APPLIED, NULL);
    s_shut (&world);
}

/*  More refused hosts than a verdict may name: 'outside' of the subnet, then
    new rows that the table cannot take.  */
static void
s_try_many_refused (size_t outside, const char *last_named)
{
    enum { HOSTS = SP_REFUSED_MOST + 36 };
    world_t world;
    s_open (&world);
    world.fake.no_inserts = SH_E_HOST_COLUMN;
    static uint8_t id[SP_REPORT_ID], bytes[HOSTS][4];
    static sp_host_t hosts[HOSTS];
    for (size_t i = 0; i < HOSTS; i++) {
        bytes[i][0] = 10;
        bytes[i][2] = i < outside ? 99 : 7;
        bytes[i][3] = (uint8_t) (100 + i);
        hosts[i] = (sp_host_t){ .ip = { bytes[i], 4 }, .seen = NOON * 1000 };
    }
    sp_message_t message = {
        .type = SP_REPORT,
        .u.report = { .id = { id, sizeof id }, .subnet = 7,
                      .cidr = "10.0.7.0/24", .kind = SP_KIND_BOTH,
                      .started = NOON * 1000, .hosts = hosts,
                      .host_count = HOSTS },
    };
    s_add_job (&world, HUB_JOB_REPORT, "site-a", CODE, &message);
    s_work (&world);
    const sp_verdict_t *verdict = s_verdict (&world, 0);
    assert_int_equal (verdict->result, SP_APPLIED);
    assert_int_equal (verdict->refused_count, HOSTS);
    assert_int_equal (verdict->refused_named, SP_REFUSED_MOST);
    assert_string_equal (verdict->refused[outside ? 0 : 1].cause,
                         outside ? "host-outside" : "host-column");
    const sp_refused_t *last = &verdict->refused[SP_REFUSED_MOST - 1];
    assert_string_equal (last->cause, last_named);
    assert_memory_equal (last->ip.data, bytes[SP_REFUSED_MOST - 1], 4);
    assert_int_equal (hub_live_counted (world.live, HUB_COUNT_HOSTS_REFUSED),
                      HOSTS);
    s_shut (&world);
}

static void
test_many_refused (void **state)
{
    (void) state;
    s_try_many_refused (0, "host-column");
    s_try_many_refused (2, "host-column");
    s_try_many_refused (SP_REFUSED_MOST - 1, "host-column");
    s_try_many_refused (SP_REFUSED_MOST, "host-outside");
    s_try_many_refused (SP_REFUSED_MOST + 5, "host-outside");
}

/*  The verdict and the counters tell tags and hosts left alone, too.  */
static void
test_tagged_and_skipped (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    s_row_of (&world, "10.0.7.1")->state = HUB_TAG_OFFLINE;
    s_row_of (&world, "10.0.7.9")->excluded = true;
    s_subnet (&world, 7)->discover = false;
    REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.7.1" }, { .ip = "10.0.7.2" },
                       { .ip = "10.0.7.9" } });
    s_work (&world);
    const sp_verdict_t *verdict = s_verdict (&world, 0);
    assert_int_equal (verdict->seen, 1);
    assert_int_equal (verdict->tagged, 1);
    assert_int_equal (verdict->skipped, 2);
    assert_int_equal (verdict->added, 0);
    assert_int_equal (s_row_of (&world, "10.0.7.1")->state, HUB_TAG_USED);
    assert_int_equal (hub_live_counted (world.live, HUB_COUNT_ROWS_TAGGED), 1);
    s_shut (&world);
}

/*  Nothing was seen after the door took the report in, however long it then
    waited for a worker.  */
static void
test_received (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    hub_job_t *job
        = REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
                  .hosts = { { .ip = "10.0.7.1" } });
    job->received = (NOON - 20) * 1000;
    job = REPORT (&world, .tag = 2, .subnet = 9, .cidr = "10.0.9.0/24",
                  .started = NOON * 1000);
    job->received = (NOON - 30) * 1000;
    s_work (&world);
    assert_string_equal (s_row_of (&world, "10.0.7.1")->last_seen,
                         DAY "11:59:40");
    assert_string_equal (s_subnet (&world, 9)->last_scan, DAY "11:59:30");
    s_shut (&world);
}

/*  Every way to be refused: cause, and whether the agent counts as alive.  */
static void
test_refused (void **state)
{
    (void) state;
    static const struct
    {
        ask_t ask;
        const char *cause;
        uint64_t touched; /* agent, or 0 */
    } cases[] = {
        { { .subnet = 99, .cidr = "10.0.7.0/24" }, "subnet-unknown", 3 },
        { { .subnet = 20, .cidr = "10.0.20.0/24" }, "subnet-not-assigned", 3 },
        { { .subnet = 7, .cidr = "10.0.7.0/25" }, "cidr-mismatch", 3 },
        { { .subnet = 7, .cidr = "rubbish" }, "bad-message", 3 },
        { { .subnet = 7, .cidr = "10.0.7.0/24", .started = 1 }, "bad-time",
          3 },
        { { .codes = "nobody", .subnet = 7, .cidr = "10.0.7.0/24" },
          "agent-unknown", 0 },
        { { .codes = "CODE-OF-SITE-A", .subnet = 7, .cidr = "10.0.7.0/24" },
          "agent-unknown", 0 },
        { { .codes = "code-of-direct", .subnet = 7, .cidr = "10.0.7.0/24" },
          "agent-type", 0 },
        { { .codes = CODE "," CODE_B, .subnet = 7, .cidr = "10.0.7.0/24" },
          "code-missing", 0 },
        { { .code = CODE_B, .subnet = 20, .cidr = "10.0.20.0/24" },
          "code-denied", 0 },
        { { .codes = CODE "," CODE_B, .code = CODE_B,
            .cidr = "10.0.21.0/24" }, "ambiguous", 4 },
        { { .codes = CODE "," CODE_B, .code = CODE_B, .cidr = "10.0.7.0/24" },
          "subnet-unknown", 4 },
        { { .codes = CODE "," CODE_B, .code = CODE_B, .cidr = "rubbish" },
          "bad-message", 4 },
    };
    for (int batched = 0; batched < 2; batched++)
        for (size_t i = 0; i < COUNT (cases); i++) {
            world_t world;
            s_open (&world);
            tables_t before = world.fake.now;
            s_add_report (&world, &cases[i].ask);
            if (batched)
                REPORT (&world, .tag = 9, .who = "other", .codes = CODE_B,
                        .subnet = 20, .cidr = "10.0.20.0/24",
                        .hosts = { { .ip = "10.0.20.1" } });
            s_work (&world);
            s_assert_verdict (&world, 0, SP_REFUSED, cases[i].cause);
            assert_int_equal (s_verdict (&world, 0)->delay, 0);
            assert_int_equal (
                hub_live_counted (world.live, HUB_COUNT_PARTS_REFUSED), 1);
            if (batched) {
                /*  A refusal is the peer's business: the other's report is
                    applied by the same transaction.  */
                s_assert_verdict (&world, 1, SP_APPLIED, NULL);
                assert_int_equal (world.fake.rollbacks, 0);
                assert_int_equal (world.fake.commits, 1);
            } else {
                s_assert_unchanged (&world, &before);
                assert_int_equal (s_touches (&world, 0), cases[i].touched != 0);
            }
            if (cases[i].touched)
                assert_int_equal (s_touches (&world, cases[i].touched), 1);
            s_shut (&world);
        }
}

/*  'for' and a network instead of an id.  */
static void
test_found_by_network (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    REPORT (&world, .codes = CODE "," CODE_B, .code = CODE_B,
            .cidr = "10.0.20.0/24", .hosts = { { .ip = "10.0.20.1" } });
    s_work (&world);
    s_assert_trace (&world, "BAFLRWKCT");
    s_assert_verdict (&world, 0, SP_APPLIED, NULL);
    assert_string_equal (s_row_of (&world, "10.0.20.1")->last_seen,
                         DAY "12:00:00");
    assert_int_equal (s_touches (&world, 4), 1);
    s_shut (&world);
}

/*  A frame that peeks but does not decode is answered by its ids.  */
static void
test_undecodable (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    hub_job_t *job = REPORT (&world, .tag = 5, .part = 77, .subnet = 7,
                             .cidr = "10.0.7.0/24");
    uint8_t *kind = job->frame;
    while (memcmp (kind, "both", 4) != 0)
        assert_true (++kind + 4 <= job->frame + job->frame_size);
    kind[1] = 'a';
    s_work (&world);
    s_assert_trace (&world, "");
    s_assert_verdict (&world, 0, SP_REFUSED, "bad-message");
    assert_non_null (strstr (s_verdict (&world, 0)->text, "bath"));
    s_shut (&world);
}

/*  A report's worker gets a frame of another type: a fault of the door's, but
    nothing may break.  */
static void
test_wrong_type (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    sp_message_t message = { .type = SP_TARGETS, .u.targets = { .subnet = 7 } };
    s_add_job (&world, HUB_JOB_REPORT, "site-a", CODE, &message);
    hub_intake_batch (world.intake, world.jobs, 1);
    s_assert_trace (&world, "");
    assert_null (world.jobs[0]->answer);
    s_shut (&world);
}

/*  Batches.  */

/*  Parts of four subnets, out of order, two of one subnet, one refused.  */
static void
s_add_batch (world_t *self)
{
    REPORT (self, .tag = 1, .subnet = 9, .cidr = "10.0.9.0/24",
            .hosts = { { .ip = "10.0.9.1" }, { .ip = "10.0.9.2" } });
    REPORT (self, .tag = 2, .part = 0, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.7.1", .name = "one", .mac = MAC_A } });
    REPORT (self, .tag = 3, .who = "site-b", .codes = CODE_B, .code = CODE_B,
            .cidr = "10.0.20.0/24", .hosts = { { .ip = "10.0.20.1" } });
    REPORT (self, .tag = 4, .subnet = 99, .cidr = "10.0.99.0/24",
            .hosts = { { .ip = "10.0.99.1" } });
    REPORT (self, .tag = 2, .part = 1, .subnet = 7, .cidr = "10.0.7.0/24");
    REPORT (self, .tag = 5, .subnet = 5, .cidr = "10.0.5.0/24",
            .hosts = { { .ip = "10.0.5.1" } });
}

static void
s_assert_batch_done (const world_t *self, const tables_t *expected)
{
    for (size_t i = 0; i < self->job_count; i++)
        if (i == 3)
            s_assert_verdict (self, i, SP_REFUSED, "subnet-unknown");
        else
            s_assert_verdict (self, i, SP_APPLIED, NULL);
    s_assert_unchanged (self, expected);
}

/*  What the batch makes of the tables when nothing fails; also the number of
    calls that may fail.  */
static size_t
s_clean_batch (tables_t *result)
{
    world_t world;
    s_open (&world);
    s_add_batch (&world);
    s_work (&world);
    *result = world.fake.now;
    size_t calls = world.fake.calls;
    s_shut (&world);
    return calls;
}

static void
test_batch (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    s_add_batch (&world);
    s_work (&world);
    /*  The two agents at once, then all locks, one commit, two touched.  */
    s_assert_trace (&world, "BAFLLLLLRWRWRWRWRWKKKKKKCTT");
    assert_int_equal (world.fake.trace[1].number, 2);
    static const uint64_t locks[] = { 5, 7, 9, 20, 99 };
    size_t at = 0;
    for (size_t i = 0; i < world.fake.traced; i++)
        if (world.fake.trace[i].what == 'L')
            assert_int_equal (world.fake.trace[i].number, locks[at++]);
    assert_int_equal (s_touches (&world, 3), 1);
    assert_int_equal (s_touches (&world, 4), 1);
    s_assert_batch_done (&world, &world.fake.now);
    /*  The subnet's closing part came after its part with hosts, so the host
        of that one is not taken for silent.  */
    assert_int_equal (s_row_of (&world, "10.0.7.1")->state, HUB_TAG_USED);
    assert_int_equal (s_row_of (&world, "10.0.7.9")->state, HUB_TAG_OFFLINE);
    assert_int_equal (s_verdict (&world, 4)->tagged, 1);
    s_shut (&world);
}

/*  All agents are asked for at once; one that is not there is the business of
    its own parts, whichever the order.  */
static void
test_batch_unknown_agent (void **state)
{
    (void) state;
    for (int first = 0; first < 2; first++) {
        world_t world;
        s_open (&world);
        for (int i = 0; i < 2; i++)
            if (i != first)
                REPORT (&world, .tag = 1, .codes = "no-such-code",
                        .code = "no-such-code", .subnet = 9,
                        .cidr = "10.0.9.0/24",
                        .hosts = { { .ip = "10.0.9.1" } });
            else
                REPORT (&world, .tag = 2, .subnet = 7, .cidr = "10.0.7.0/24",
                        .hosts = { { .ip = "10.0.7.1" } });
        s_work (&world);
        s_assert_trace (&world, "BALRWKKCT");
        s_assert_verdict (&world, (size_t) first, SP_APPLIED, NULL);
        s_assert_verdict (&world, (size_t) !first, SP_REFUSED,
                          "agent-unknown");
        assert_string_equal (s_row_of (&world, "10.0.9.1")->last_seen,
                             DAY "09:00:00");
        s_shut (&world);
    }
}

/*  The order of one subnet's parts holds whichever way they go: the later
    copy of a host's name wins.  */
static void
test_order_in_subnet (void **state)
{
    (void) state;
    for (int alone = 0; alone < 2; alone++) {
        world_t world;
        s_open (&world);
        s_row_of (&world, "10.0.7.1")->made = true;
        static const char *const names[] = { "first", "second", "third" };
        for (uint64_t i = 0; i < COUNT (names); i++) {
            REPORT (&world, .tag = 1, .part = i, .subnet = 7,
                    .cidr = "10.0.7.0/24",
                    .hosts = { { .ip = "10.0.7.1", .name = names[i],
                                 .age = 3 - (int64_t) i } });
            REPORT (&world, .tag = 2, .part = i, .subnet = 5,
                    .cidr = "10.0.5.0/24",
                    .hosts = { { .ip = "10.0.5.2", .name = names[i],
                                 .age = 3 - (int64_t) i } });
        }
        if (alone) {
            world.fake.fail_at = 1;
            world.fake.fail_with = SH_E_DB_BUSY;
        }
        s_work (&world);
        assert_int_equal (world.fake.commits, alone ? 6 : 1);
        assert_string_equal (s_row_of (&world, "10.0.7.1")->hostname, "third");
        assert_string_equal (s_row_of (&world, "10.0.5.2")->hostname, "third");
        for (size_t i = 0; i < world.job_count; i++)
            s_assert_verdict (&world, i, SP_APPLIED, NULL);
        s_shut (&world);
    }
}

/*  Two of one agent's keys in one batch: behind the closing part of the newer
    scan comes an older one, which must not move the subnet's times back, or
    bring back a host that the newer one did not see.  */
static void
test_batch_overtaken (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24");
    for (uint64_t part = 0; part < 2; part++)
        REPORT (&world, .tag = 2, .who = "site-a-too", .subnet = 7,
                .cidr = "10.0.7.0/24", .part = part,
                .started = (NOON - 600) * 1000,
                .hosts = { { .ip = part ? NULL : "10.0.7.5", .age = 590 } });
    s_work (&world);
    s_assert_trace (&world, "BALRWSRWSWKKKCT");
    for (size_t i = 0; i < world.job_count; i++)
        s_assert_verdict (&world, i, SP_APPLIED, NULL);
    assert_null (s_row_of (&world, "10.0.7.5"));
    const hub_subnet_t *subnet = &world.fake.now.subnets[1];
    assert_int_equal (subnet->id, 7);
    assert_string_equal (subnet->last_scan, DAY "11:59:00");
    assert_string_equal (subnet->last_discovery, DAY "11:59:00");
    s_shut (&world);
}

static void
test_largest_batch (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    for (uint64_t i = 0; i < HUB_BATCH_MOST; i++) {
        char ip[SH_ADDR_TEXT];
        snprintf (ip, sizeof ip, "10.0.7.%u", 100 + (unsigned) i);
        REPORT (&world, .tag = 1, .part = i, .subnet = 7,
                .cidr = "10.0.7.0/24", .hosts = { { .ip = ip } });
    }
    s_work (&world);
    for (size_t i = 0; i < HUB_BATCH_MOST; i++) {
        s_assert_verdict (&world, i, SP_APPLIED, NULL);
        assert_int_equal (s_verdict (&world, i)->added, 1);
    }
    assert_int_equal (world.fake.commits, 1);
    assert_int_equal (s_touches (&world, 0), 1);
    s_shut (&world);
}

static const sh_err_t s_errors[] = {
    SH_E_DB_DOWN, SH_E_DB_BUSY, SH_E_DB_RIGHTS, SH_E_DB_SCHEMA, SH_E_DB,
    SH_E_HOST_COLUMN, SH_E_HOST_TEXT, SH_E_MEMORY,
};

/*  Whichever call of a batch fails, with whatever: rolled back, each part
    alone, all is well in the end.  */
static void
test_batch_fails_once (void **state)
{
    (void) state;
    tables_t expected;
    size_t calls = s_clean_batch (&expected);
    assert_true (calls > 15);
    for (size_t i = 0; i < COUNT (s_errors); i++)
        for (size_t at = 1; at <= calls; at++) {
            world_t world;
            s_open (&world);
            s_add_batch (&world);
            world.fake.fail_at = at;
            world.fake.fail_with = s_errors[i];
            s_work (&world);
            if (world.fake.faults)
                fail_msg ("call %zu, %s: %s", at, sh_err_word (s_errors[i]),
                          world.fake.fault);
            bool touch = at > calls - 1; /* after the commit */
            assert_int_equal (world.fake.commits, touch ? 1 : 6);
            assert_int_equal (world.fake.rollbacks, !touch && at > 1);
            /*  Rows get their ids in the order of the inserts, which is the
                same alone: ascending by subnet.  */
            if (at > 1 && !touch)
                assert_int_equal (world.fake.now.row_count,
                                  expected.row_count);
            s_assert_batch_done (&world, &expected);
            s_shut (&world);
        }
}

/*  The same when the failure lasts: all or nothing of each part, and each is
    told to come again.  */
static void
test_batch_fails_for_good (void **state)
{
    (void) state;
    tables_t expected;
    size_t calls = s_clean_batch (&expected);
    for (size_t i = 0; i < COUNT (s_errors); i++)
        for (size_t at = 1; at <= calls - 2; at++) {
            world_t world;
            s_open (&world);
            s_add_batch (&world);
            tables_t before = world.fake.now;
            world.fake.fail_at = at;
            world.fake.fail_with = s_errors[i];
            world.fake.fail_on = true;
            s_work (&world);
            for (size_t j = 0; j < world.job_count; j++)
                s_assert_verdict (&world, j, SP_RETRY,
                                  sh_err_word (s_errors[i]));
            assert_int_equal (world.fake.commits, 0);
            assert_int_equal (s_touches (&world, 0), 0);
            assert_int_equal (
                hub_live_counted (world.live, HUB_COUNT_PARTS_RETRY),
                world.job_count);
            s_assert_unchanged (&world, &before);
            s_shut (&world);
        }
}

/*  A part alone: what is retried at once, what the scanner is told.  */
static void
test_alone_fails_once (void **state)
{
    (void) state;
    enum { CALLS = 7, COMMIT = 6 }; /* BALRWCT */
    for (size_t i = 0; i < COUNT (s_errors); i++)
        for (size_t at = 1; at <= CALLS; at++) {
            sh_err_t err = s_errors[i];
            world_t world;
            s_open (&world);
            tables_t before = world.fake.now;
            REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
                    .hosts = { { .ip = "10.0.7.1" }, { .ip = "10.0.7.2" } });
            world.fake.fail_at = at;
            world.fake.fail_with = err;
            s_work (&world);
            bool busy = err == SH_E_DB_BUSY;
            bool host = err == SH_E_HOST_COLUMN || err == SH_E_HOST_TEXT;
            const sp_verdict_t *verdict = s_verdict (&world, 0);
            if (at > COMMIT || busy) {
                assert_int_equal (verdict->result, SP_APPLIED);
                assert_int_equal (verdict->added, 1);
                assert_int_equal (verdict->refused_count, 0);
                assert_int_equal (s_pauses, busy && at <= COMMIT);
            } else if (host) {
                assert_int_equal (verdict->result, SP_APPLIED);
                assert_int_equal (verdict->added, 0);
                assert_int_equal (verdict->refused_count, 1);
                assert_string_equal (verdict->refused[0].cause,
                                     sh_err_word (err));
            } else {
                s_assert_verdict (&world, 0, SP_RETRY, sh_err_word (err));
                assert_int_equal (verdict->delay,
                                  err == SH_E_DB_DOWN  ? 5000
                                  : err == SH_E_MEMORY ? 15000
                                                       : 60000);
                s_assert_unchanged (&world, &before);
                assert_int_equal (s_touches (&world, 0), 0);
            }
            assert_int_equal (world.fake.commits,
                              verdict->result == SP_APPLIED);
            s_shut (&world);
        }
}

/*  Busy for good: a few attempts with growing pauses, then the scanner's turn
    after a second.  Busy for a while: it is worth the attempts.  */
static void
test_busy (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.7.1" } });
    world.fake.fail_at = 5;
    world.fake.fail_with = SH_E_DB_BUSY;
    world.fake.fail_on = true;
    s_work (&world);
    s_assert_verdict (&world, 0, SP_RETRY, "database-busy");
    assert_int_equal (s_verdict (&world, 0)->delay, 1000);
    s_assert_trace (&world, "BALRWrBBB");
    assert_int_equal (s_pauses, 3);
    s_shut (&world);

    s_open (&world);
    REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.7.1" } });
    s_subnet (&world, 7)->discover = false;
    world.fake.fail_at = 6; /* the commit */
    world.fake.fail_with = SH_E_DB_BUSY;
    s_work (&world);
    s_assert_trace (&world, "BALRWKCrBALRWKCT");
    s_assert_verdict (&world, 0, SP_APPLIED, NULL);
    s_shut (&world);
}

/*  Readiness says what keeps reports from being written, for as long as
    somebody should come back with one, or until one is written.  */
static void
test_trouble (void **state)
{
    (void) state;
    world_t world;
    char text[320];
    s_open (&world);
    hub_live_set_database (world.live, true, "connected");
    for (int i = 0; i < 2; i++) {
        REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
                .hosts = { { .ip = "10.0.7.1" } });
        world.fake.fail_at = i ? 0 : 5;
        world.fake.fail_with = SH_E_DB_SCHEMA;
        s_work (&world);
        assert_int_equal (hub_live_database (world.live, 94000, text,
                                             sizeof text), i);
        assert_string_equal (text, i ? "connected"
                                     : "reports cannot be written: "
                                       "what the database said");
        if (!i)
            assert_true (hub_live_database (world.live, 95000, text,
                                            sizeof text));
        s_forget (&world);
    }
    s_shut (&world);
}

/*  Only the one that told of a trouble can take it back.  */
static void
test_troubles (void **state)
{
    (void) state;
    world_t world;
    char text[320];
    s_open (&world);
    hub_live_t *live = world.live;
    hub_live_set_database (live, true, "connected");
    hub_live_set_trouble (live, &world, "full", 100);
    hub_live_set_trouble (live, live, NULL, 0);
    assert_false (hub_live_database (live, 99, text, sizeof text));
    assert_string_equal (text, "full");
    hub_live_set_database (live, false, "gone");
    assert_false (hub_live_database (live, 99, text, sizeof text));
    assert_string_equal (text, "gone");
    hub_live_set_database (live, true, "connected");
    assert_true (hub_live_database (live, 100, text, sizeof text));
    hub_live_set_trouble (live, &world, NULL, 0);
    assert_true (hub_live_database (live, 0, text, sizeof text));
    assert_string_equal (text, "connected");
    s_shut (&world);
}

/*  phpIPAM is in maintenance mode: nothing is written, not even last_access,
    also for a code that is not known just now; one try for the whole batch.
    What is known of the subnets may still be read.  */
static void
test_maintenance (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    world.fake.maintenance = true;
    tables_t before = world.fake.now;
    REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.7.1" } });
    REPORT (&world, .tag = 2, .subnet = 5, .cidr = "10.0.5.0/24");
    REPORT (&world, .tag = 3, .codes = "unknown", .subnet = 5,
            .cidr = "10.0.5.0/24");
    s_work (&world);
    for (size_t i = 0; i < world.job_count; i++) {
        s_assert_verdict (&world, i, SP_RETRY, "maintenance");
        assert_int_equal (s_verdict (&world, i)->delay, 30000);
    }
    s_assert_trace (&world, "BArBAr");
    s_assert_unchanged (&world, &before);
    s_forget (&world);

    s_add_job (&world, HUB_JOB_TOUCH, "site-a", CODE, NULL);
    s_work (&world);
    assert_int_equal (s_touches (&world, 0), 0);
    s_forget (&world);

    sp_message_t ask = { .type = SP_TARGETS, .u.targets.subnet = 7 };
    s_add_job (&world, HUB_JOB_TARGETS, "site-a", CODE, &ask);
    s_work (&world);
    assert_int_equal (world.answers[0]->type, SP_TARGETS_PAGE);
    s_shut (&world);
}

static void
s_add_three_subnets (world_t *world)
{
    REPORT (world, .tag = 1, .subnet = 5, .cidr = "10.0.5.0/24",
            .hosts = { { .ip = "10.0.5.1" } });
    REPORT (world, .tag = 2, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.7.1" } });
    REPORT (world, .tag = 3, .subnet = 9, .cidr = "10.0.9.0/24",
            .hosts = { { .ip = "10.0.9.1" } });
}

/*  No connection to be had: one part has tried for all.  */
static void
test_no_connection (void **state)
{
    (void) state;
    static const sh_err_t causes[]
        = { SH_E_DB_DOWN, SH_E_DB_RIGHTS, SH_E_DB_SCHEMA };
    for (size_t i = 0; i < COUNT (causes); i++) {
        world_t world;
        s_open (&world);
        s_add_three_subnets (&world);
        world.fake.fail_at = 1;
        world.fake.fail_on = true;
        world.fake.fail_with = causes[i];
        s_work (&world);
        for (size_t j = 0; j < world.job_count; j++)
            s_assert_verdict (&world, j, SP_RETRY, sh_err_word (causes[i]));
        s_assert_trace (&world, "BB");
        s_shut (&world);
    }
}

/*  A table's lock, or a server that is stuck: when two subnets' parts have
    waited in vain, the others need not.  */
static void
test_waited_in_vain (void **state)
{
    (void) state;
    static const sh_err_t causes[] = { SH_E_DB_BUSY, SH_E_DB_DOWN };
    for (size_t i = 0; i < COUNT (causes); i++) {
        world_t world;
        s_open (&world);
        s_add_three_subnets (&world);
        world.fake.fail_agents = true;
        world.fake.fail_takes = 5000;
        world.fake.fail_with = causes[i];
        s_work (&world);
        for (size_t j = 0; j < world.job_count; j++)
            s_assert_verdict (&world, j, SP_RETRY, sh_err_word (causes[i]));
        s_assert_trace (&world, "BArBArBAr");
        char text[320];
        hub_live_set_database (world.live, true, "connected");
        assert_false (hub_live_database (world.live, world.fake.mono, text,
                                         sizeof text));
        s_shut (&world);
    }
}

/*  The same for questions about targets, and touches; the next batch is tried
    again.  */
static void
test_targets_in_vain (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    sp_message_t ask = { .type = SP_TARGETS, .u.targets.subnet = 7 };
    for (int i = 0; i < 3; i++)
        s_add_job (&world, HUB_JOB_TARGETS, "site-a", CODE, &ask);
    s_add_job (&world, HUB_JOB_TOUCH, "site-a", CODE, NULL);
    s_add_three_subnets (&world);
    world.fake.fail_agents = true;
    world.fake.fail_takes = 5000;
    world.fake.fail_with = SH_E_DB_BUSY;
    s_work (&world);
    s_assert_trace (&world, "BAKrBAKr");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal (world.answers[i]->type, SP_ERROR);
        assert_string_equal (world.answers[i]->u.error.cause, "database-busy");
        s_assert_verdict (&world, 4 + i, SP_RETRY, "database-busy");
    }
    s_forget (&world);
    world.fake.fail_agents = false;
    s_add_job (&world, HUB_JOB_TARGETS, "site-a", CODE, &ask);
    s_work (&world);
    assert_int_equal (world.answers[0]->type, SP_TARGETS_PAGE);
    s_shut (&world);
}

/*  Without its new rows the part is tried once; what then fails is not
    theirs.  */
static void
test_no_new_rows_fails_again (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.7.2" } });
    world.fake.fail_at = 5;
    world.fake.fail_with = SH_E_HOST_TEXT;
    world.fake.fail_on = true;
    s_work (&world);
    s_assert_trace (&world, "BALRWrB");
    s_assert_verdict (&world, 0, SP_RETRY, "host-text");
    s_shut (&world);
}

/*  The table cannot take new rows: they are refused one by one, what exists
    is written, and nobody else in the batch is harmed.  */
static void
test_no_new_rows (void **state)
{
    (void) state;
    static const sh_err_t causes[] = { SH_E_HOST_COLUMN, SH_E_HOST_TEXT };
    for (size_t i = 0; i < COUNT (causes); i++) {
        world_t world;
        s_open (&world);
        world.fake.no_inserts = causes[i];
        REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
                .hosts = { { .ip = "10.0.7.1" }, { .ip = "10.0.7.2" },
                           { .ip = "10.0.7.255" } });
        REPORT (&world, .tag = 2, .subnet = 5, .cidr = "10.0.5.0/24",
                .hosts = { { .ip = "10.0.5.1" } });
        s_work (&world);
        const sp_verdict_t *verdict = s_verdict (&world, 0);
        assert_int_equal (verdict->result, SP_APPLIED);
        assert_int_equal (verdict->seen, 1);
        assert_int_equal (verdict->added, 0);
        assert_int_equal (verdict->refused_count, 2);
        assert_int_equal (verdict->refused_named, 2);
        assert_string_equal (verdict->refused[0].cause, "host-broadcast");
        assert_string_equal (verdict->refused[1].cause,
                             sh_err_word (causes[i]));
        assert_memory_equal (verdict->refused[1].ip.data, "\x0a\0\x07\x02", 4);
        assert_string_equal (s_row_of (&world, "10.0.7.1")->last_seen,
                             DAY "12:00:00");
        assert_null (s_row_of (&world, "10.0.7.2"));
        s_assert_verdict (&world, 1, SP_APPLIED, NULL);
        assert_int_equal (s_verdict (&world, 1)->refused_count, 0);
        assert_int_equal (hub_live_counted (world.live, HUB_COUNT_ROWS_ADDED),
                          0);
        assert_int_equal (
            hub_live_counted (world.live, HUB_COUNT_HOSTS_REFUSED), 2);
        assert_int_equal (s_pauses, 0);
        s_shut (&world);
    }
}

/*  Revoked keys.  */

static void
test_revoked (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    world.revoked = "site-a";
    tables_t before = world.fake.now;
    REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.7.1" }, { .ip = "10.0.7.2" } });
    s_work (&world);
    /*  Asked after all was written, and everything undone.  */
    s_assert_trace (&world, "BALRWKr");
    s_assert_verdict (&world, 0, SP_REFUSED, "revoked");
    s_assert_unchanged (&world, &before);
    assert_int_equal (hub_live_counted (world.live, HUB_COUNT_PARTS_REFUSED),
                      1);
    s_shut (&world);
}

static void
test_revoked_in_batch (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    world.revoked = "thief";
    REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.7.1" } });
    REPORT (&world, .tag = 2, .who = "thief", .codes = CODE_B, .subnet = 20,
            .cidr = "10.0.20.0/24", .hosts = { { .ip = "10.0.20.1" } });
    REPORT (&world, .tag = 3, .subnet = 9, .cidr = "10.0.9.0/24",
            .hosts = { { .ip = "10.0.9.1" } });
    s_work (&world);
    s_assert_verdict (&world, 0, SP_APPLIED, NULL);
    s_assert_verdict (&world, 1, SP_REFUSED, "revoked");
    s_assert_verdict (&world, 2, SP_APPLIED, NULL);
    assert_string_equal (s_row_of (&world, "10.0.7.1")->last_seen,
                         DAY "12:00:00");
    assert_string_equal (s_row_of (&world, "10.0.20.1")->last_seen,
                         DAY "09:00:00");
    assert_int_equal (s_touches (&world, 3), 1);
    assert_int_equal (s_touches (&world, 4), 0);
    s_shut (&world);
}

/*  Two subnets of one network: the id that the hosts name decides, if it is
    one of them; a host that names another is refused by itself.  */
static void
test_hints (void **state)
{
    (void) state;
    static const struct
    {
        uint64_t hint, subnet;
        const char *cause;
    } cases[] = { { 0, 0, "ambiguous" }, { 20, 0, "ambiguous" },
                  { 22, 22, NULL }, { 21, 21, NULL } };
    for (size_t i = 0; i < COUNT (cases); i++) {
        world_t world;
        s_open (&world);
        REPORT (&world, .tag = 1, .codes = CODE "," CODE_B, .code = CODE_B,
                .hint = cases[i].hint, .cidr = "10.0.21.0/24",
                .hosts = { { .ip = "10.0.21.5", .subnet = cases[i].hint },
                           { .ip = "10.0.21.6", .subnet = 99 } });
        s_work (&world);
        if (cases[i].cause)
            s_assert_verdict (&world, 0, SP_REFUSED, cases[i].cause);
        else {
            const sp_verdict_t *verdict = s_verdict (&world, 0);
            assert_int_equal (verdict->result, SP_APPLIED);
            assert_int_equal (verdict->refused_count, 1);
            assert_string_equal (verdict->refused[0].cause, "host-subnet");
            s_assert_trace (&world, "BAFLRWKCT");
            assert_int_equal (world.fake.trace[3].number, cases[i].subnet);
        }
        s_shut (&world);
    }
}

/*  A report that would be refused anyway: the revoked key learns nothing and
    does not keep its agent alive; the others' transaction stands.  */
static void
test_revoked_and_refused (void **state)
{
    (void) state;
    for (int batched = 0; batched < 2; batched++) {
        world_t world;
        s_open (&world);
        world.revoked = "thief";
        REPORT (&world, .tag = 1, .who = "thief", .codes = CODE_B,
                .subnet = 7, .cidr = "10.0.7.0/24",
                .hosts = { { .ip = "10.0.7.1" } });
        if (batched)
            REPORT (&world, .tag = 2, .subnet = 9, .cidr = "10.0.9.0/24",
                    .hosts = { { .ip = "10.0.9.1" } });
        s_work (&world);
        s_assert_verdict (&world, 0, SP_REFUSED, "revoked");
        assert_int_equal (s_touches (&world, 4), 0);
        if (batched) {
            s_assert_verdict (&world, 1, SP_APPLIED, NULL);
            assert_int_equal (world.fake.rollbacks, 0);
        }
        s_shut (&world);
    }
}

/*  Two keys for one agent: the revoked one's part does not stand in the way
    of the other's last_access.  */
static void
test_revoked_beside_good (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    world.revoked = "thief";
    REPORT (&world, .tag = 1, .who = "thief", .subnet = 7,
            .cidr = "10.0.7.0/24", .hosts = { { .ip = "10.0.7.1" } });
    REPORT (&world, .tag = 2, .subnet = 9, .cidr = "10.0.9.0/24",
            .hosts = { { .ip = "10.0.9.1" } });
    s_work (&world);
    s_assert_verdict (&world, 0, SP_REFUSED, "revoked");
    s_assert_verdict (&world, 1, SP_APPLIED, NULL);
    assert_int_equal (s_touches (&world, 3), 1);
    s_shut (&world);
}

/*  last_access.  */

static void
test_touch_rule (void **state)
{
    (void) state;
    static const struct
    {
        const char *stored;
        bool touched; /* at 12:00:00 */
    } cases[] = {
        { "", true },
        { "0000-00-00 00:00:00", true },
        { "1970-01-01 00:00:01", true },
        { DAY "09:00:00", true },
        { DAY "11:59:54", true },
        { DAY "11:59:55", false },
        { DAY "12:00:00", false },
        { DAY "12:00:30", false },
        { DAY "12:01:00", false },
        { DAY "12:01:01", true }, /* in the future: repaired */
        { "2037-01-01 00:00:00", true },
    };
    for (size_t i = 0; i < COUNT (cases); i++)
        for (int kind = 0; kind < 2; kind++) {
            world_t world;
            s_open (&world);
            char *stored = world.fake.agents[0].last_access;
            snprintf (stored, 20, "%s", cases[i].stored);
            if (kind)
                s_add_job (&world, HUB_JOB_TOUCH, "site-a", CODE, NULL);
            else
                REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
                        .hosts = { { .ip = "10.0.7.1" } });
            s_work (&world);
            if (s_touches (&world, 3) != cases[i].touched)
                fail_msg ("case %zu: '%s'", i, cases[i].stored);
            assert_string_equal (stored, cases[i].touched ? DAY "12:00:00"
                                                          : cases[i].stored);
            s_shut (&world);
        }
}

static void
test_touch_jobs (void **state)
{
    (void) state;
    static const struct
    {
        const char *codes;
        const char *trace;
    } cases[] = {
        { CODE, "BAKrT" },
        { CODE "," CODE_B, "BAKKrTT" },
        { "nobody," CODE_B, "BAKrT" },
        { "CODE-OF-SITE-A", "BAKr" }, /* by the collation only */
        { "code-of-direct", "BAKr" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        world_t world;
        s_open (&world);
        s_add_job (&world, HUB_JOB_TOUCH, "shim", cases[i].codes, NULL);
        s_work (&world);
        s_assert_trace (&world, cases[i].trace);
        s_shut (&world);
    }
}

/*  Many at once, as after a restart: one question, one statement, and only
    those of keys that are in force.  */
static void
test_touch_batch (void **state)
{
    (void) state;
    for (int revoked = 0; revoked < 2; revoked++) {
        world_t world;
        s_open (&world);
        s_add_job (&world, HUB_JOB_TOUCH, "site-a", CODE, NULL);
        s_add_job (&world, HUB_JOB_TOUCH, "site-b", CODE_B, NULL);
        s_add_job (&world, HUB_JOB_TOUCH, "site-a-again", CODE, NULL);
        world.revoked = revoked ? "site-b" : NULL;
        s_work (&world);
        s_assert_trace (&world, revoked ? "BAKKrT" : "BAKKrTT");
        assert_int_equal (s_touches (&world, 3), 1);
        assert_int_equal (s_touches (&world, 4), !revoked);
        s_shut (&world);
    }
}

/*  Nobody waits for a touch, so its errors only end it.  */
static void
test_touch_fails (void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT (s_errors); i++)
        for (size_t at = 1; at <= 3; at++) {
            world_t world;
            s_open (&world);
            s_add_job (&world, HUB_JOB_TOUCH, "site-a", CODE, NULL);
            world.fake.fail_at = at;
            world.fake.fail_with = s_errors[i];
            s_work (&world);
            static const char *const traces[] = { "B", "BAr", "BAKrT" };
            s_assert_trace (&world, traces[at - 1]);
            s_shut (&world);
        }
}

/*  A lock on an agent's row is waited for once; then there is a minute without,
    for all agents, and it is tried anew.  */
static void
test_touch_pause (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    s_add_job (&world, HUB_JOB_TOUCH, "shim", CODE "," CODE_B, NULL);
    world.fake.fail_at = 3; /* the touch of both */
    world.fake.fail_with = SH_E_DB_BUSY;
    s_work (&world);
    s_assert_trace (&world, "BAKKrT");
    static const struct
    {
        int64_t after;
        size_t touches;
    } cases[] = { { 0, 0 }, { 59999, 0 }, { 60000, 2 }, { 60001, 0 } };
    int64_t began = world.fake.mono;
    for (size_t i = 0; i < COUNT (cases); i++) {
        s_forget (&world);
        world.fake.fail_at = 0;
        world.fake.mono = began + cases[i].after;
        s_add_job (&world, HUB_JOB_TOUCH, "shim", CODE "," CODE_B, NULL);
        s_work (&world);
        assert_int_equal (s_touches (&world, 0), cases[i].touches);
    }
    s_shut (&world);
}

/*  Differing MACs.  */

static void
s_send_mac (world_t *self, const char *ip, const char *mac, uint64_t told)
{
    static uint8_t tag;
    static const uint64_t subnet = 7;
    s_forget (self);
    tag++;
    REPORT (self, .tag = tag, .subnet = subnet, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = ip, .mac = mac } });
    s_work (self);
    s_assert_verdict (self, 0, SP_APPLIED, NULL);
    assert_int_equal (hub_live_counted (self->live, HUB_COUNT_MACS_DIFFER),
                      told);
}

/*  Once per row and MAC, however often it is reported.  */
static void
test_differing_macs (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    memcpy (s_row_of (&world, "10.0.7.1")->mac, MAC_A, sizeof MAC_A);
    memcpy (s_row_of (&world, "10.0.7.9")->mac, MAC_A, sizeof MAC_A);
    s_send_mac (&world, "10.0.7.1", MAC_A, 0);
    s_send_mac (&world, "10.0.7.1", MAC_B, 1);
    s_send_mac (&world, "10.0.7.1", MAC_B, 1);
    s_send_mac (&world, "10.0.7.1", "001a.2b00.000b", 1);
    s_send_mac (&world, "10.0.7.1", MAC_C, 2);
    s_send_mac (&world, "10.0.7.9", MAC_B, 3);
    s_send_mac (&world, "10.0.7.1", MAC_B, 3);
    s_send_mac (&world, "10.0.7.1", MAC_A, 3);
    /*  By default a typed MAC stays.  */
    assert_string_equal (s_row_of (&world, "10.0.7.1")->mac, MAC_A);
    s_shut (&world);
}

/*  Not before it is committed.  */
static void
test_differing_mac_rolled_back (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    memcpy (s_row_of (&world, "10.0.7.1")->mac, MAC_A, sizeof MAC_A);
    world.fake.fail_at = 6;
    world.fake.fail_with = SH_E_DB_DOWN;
    REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.7.1", .mac = MAC_B } });
    s_work (&world);
    s_assert_verdict (&world, 0, SP_RETRY, NULL);
    assert_int_equal (hub_live_counted (world.live, HUB_COUNT_MACS_DIFFER), 0);
    s_send_mac (&world, "10.0.7.1", MAC_B, 1);
    s_shut (&world);
}

/*  A reload's policy is in force with the next report.  */
static void
test_policy_of_the_moment (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    hub_policies_t *policies = malloc (sizeof *policies);
    assert_non_null (policies);
    hub_policies_init (policies);
    policies->entries = calloc (2, sizeof *policies->entries);
    assert_non_null (policies->entries);
    policies->count = 2;
    policies->entries[0].agent = strdup ("site-a");
    policies->entries[0].policy.mac = HUB_FIELD_FOLLOW;
    policies->entries[1].subnet = 9;
    policies->entries[1].policy.mac = HUB_FIELD_NEVER;
    memcpy (s_row_of (&world, "10.0.7.1")->mac, MAC_A, sizeof MAC_A);
    s_send_mac (&world, "10.0.7.1", MAC_B, 1);
    assert_string_equal (s_row_of (&world, "10.0.7.1")->mac, MAC_A);
    hub_live_set_policies (world.live, &policies);
    s_send_mac (&world, "10.0.7.1", MAC_B, 1);
    assert_string_equal (s_row_of (&world, "10.0.7.1")->mac, MAC_B);
    s_forget (&world);
    REPORT (&world, .tag = 99, .subnet = 9, .cidr = "10.0.9.0/24",
            .hosts = { { .ip = "10.0.9.1", .mac = MAC_B } });
    s_work (&world);
    assert_string_equal (s_row_of (&world, "10.0.9.1")->mac, "");
    s_shut (&world);
}

/*  What is held.  */

static void
s_set_policy (world_t *self, int preview, hub_limit_t max_new,
              hub_limit_t max_offline)
{
    hub_policies_t *policies = malloc (sizeof *policies);
    assert_non_null (policies);
    hub_policies_init (policies);
    policies->hub.preview = preview;
    policies->hub.max_new = max_new;
    policies->hub.max_offline = max_offline;
    hub_live_set_policies (self->live, &policies);
}

#define LIMIT(n) ((hub_limit_t){ HUB_LIMIT_SET, (n) })

/*  The only entry that is held.  */
static hub_preview_t
s_only_held (world_t *self)
{
    hub_preview_t list[4];
    size_t count = 0;
    assert_int_equal (hub_previews_list (self->previews, 0, 0, list, 4, &count,
                                         NULL), SH_OK);
    assert_int_equal (count, 1);
    return list[0];
}

static size_t
s_held_count (world_t *self)
{
    hub_previews_totals_t totals;
    hub_previews_totals (self->previews, &totals);
    return totals.previews + totals.held;
}

/*  Two new hosts and one that is known.  */
static hub_job_t *
s_add_three (world_t *self)
{
    return REPORT (self, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
                   .hosts = { { .ip = "10.0.7.1", .name = "one" },
                              { .ip = "10.0.7.2" }, { .ip = "10.0.7.3" } });
}

/*  Policy changes between the hosts of a report and its closing part: a row whose
    lastSeen stayed behind the scan's start has not been silent.  */
static void
test_spared (void **state)
{
    (void) state;
    for (int same = 0; same < 2; same++) {
        world_t world;
        s_open (&world);
        hub_policies_t *policies = malloc (sizeof *policies);
        assert_non_null (policies);
        hub_policies_init (policies);
        policies->hub.tags = HUB_TAGS_NEVER;
        policies->hub.seen_granularity = LIMIT (600);
        hub_live_set_policies (world.live, &policies);
        for (size_t i = 0; i < world.fake.now.row_count; i++)
            snprintf (world.fake.now.rows[i].last_seen, 20, DAY "11:58:00");
        REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
                .hosts = { { .ip = "10.0.7.1" }, { .ip = "10.0.7.9" } });
        s_work (&world);
        assert_int_equal (s_verdict (&world, 0)->seen, 2);
        assert_string_equal (s_row_of (&world, "10.0.7.1")->last_seen,
                             DAY "11:58:00");
        s_forget (&world);
        s_set_policy (&world, HUB_PREVIEW_NO, LIMIT (1000), LIMIT (100));
        REPORT (&world, .tag = (uint8_t) (same ? 1 : 2), .part = 1,
                .subnet = 7, .cidr = "10.0.7.0/24");
        s_work (&world);
        assert_int_equal (s_row_of (&world, "10.0.7.1")->state,
                          same ? HUB_TAG_USED : HUB_TAG_OFFLINE);
        s_shut (&world);
    }
}

/*  Under preview the road is gone to its end, but for the writing.  */
static void
test_preview (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    s_set_policy (&world, HUB_PREVIEW_YES, LIMIT (0), LIMIT (0));
    tables_t before = world.fake.now;
    s_add_three (&world);
    REPORT (&world, .tag = 1, .part = 1, .subnet = 7, .cidr = "10.0.7.0/24");
    s_work (&world);
    s_assert_trace (&world, "BALRRKKCT");
    s_assert_unchanged (&world, &before);
    const sp_verdict_t *verdict = s_verdict (&world, 0);
    assert_int_equal (verdict->result, SP_NOTED);
    assert_int_equal (verdict->held, 3);
    assert_int_equal (verdict->seen + verdict->added + verdict->named, 0);
    assert_int_equal (s_verdict (&world, 1)->result, SP_NOTED);
    hub_preview_t one = s_only_held (&world);
    assert_int_equal (one.reason, HUB_HELD_PREVIEW);
    assert_int_equal (one.parts, 2);
    /*  10.0.7.1 has answered, so only 10.0.7.9 would go.  */
    assert_int_equal (one.changes, 3 + 1);
    assert_int_equal (hub_live_counted (world.live, HUB_COUNT_PARTS_NOTED), 2);
    s_shut (&world);
}

/*  A report that began under preview ends so, though the policy is another by
    then: its closing part would set Offline who has answered.  */
static void
test_preview_ends (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    s_set_policy (&world, HUB_PREVIEW_YES, LIMIT (0), LIMIT (100));
    s_add_three (&world);
    s_work (&world);
    s_assert_verdict (&world, 0, SP_NOTED, NULL);
    s_forget (&world);
    s_set_policy (&world, HUB_PREVIEW_NO, LIMIT (1000), LIMIT (100));
    tables_t before = world.fake.now;
    REPORT (&world, .tag = 1, .part = 1, .subnet = 7, .cidr = "10.0.7.0/24");
    s_work (&world);
    s_assert_verdict (&world, 0, SP_NOTED, NULL);
    s_assert_unchanged (&world, &before);
    s_forget (&world);
    REPORT (&world, .tag = 2, .part = 1, .subnet = 7, .cidr = "10.0.7.0/24");
    s_work (&world);
    s_assert_verdict (&world, 0, SP_APPLIED, NULL);
    assert_int_equal (s_verdict (&world, 0)->tagged, 2);
    s_shut (&world);
}

/*  A key that is revoked before COMMIT leaves nothing in the list either.  */
static void
test_preview_revoked (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    s_set_policy (&world, HUB_PREVIEW_YES, LIMIT (0), LIMIT (0));
    world.revoked = "site-a";
    s_add_three (&world);
    s_work (&world);
    s_assert_verdict (&world, 0, SP_REFUSED, "revoked");
    assert_int_equal (s_held_count (&world), 0);
    s_shut (&world);
}

static void
test_brake_new (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    s_set_policy (&world, HUB_PREVIEW_NO, LIMIT (1), LIMIT (50));
    snprintf (s_subnet (&world, 7)->last_scan, 20, DAY "09:00:00");
    s_add_three (&world);
    s_work (&world);
    s_assert_trace (&world, "BALRWKCT");
    const sp_verdict_t *verdict = s_verdict (&world, 0);
    assert_int_equal (verdict->result, SP_APPLIED);
    assert_int_equal (verdict->held, 3);
    assert_int_equal (verdict->seen, 1);
    assert_int_equal (verdict->added + verdict->named, 0);
    assert_string_equal (s_row_of (&world, "10.0.7.1")->last_seen,
                         DAY "12:00:00");
    assert_string_equal (s_row_of (&world, "10.0.7.1")->hostname, "");
    assert_null (s_row_of (&world, "10.0.7.2"));
    assert_int_equal (s_only_held (&world).reason, HUB_HELD_NEW);
    assert_int_equal (hub_live_counted (world.live, HUB_COUNT_ROWS_HELD), 3);

    /*  By hand it is not held, and what was done is told.  */
    s_forget (&world);
    hub_job_t *job = s_add_three (&world);
    job->by_hand = true;
    s_work (&world);
    s_assert_trace (&world, "BALRWKC"); /* the agent need not be alive */
    assert_int_equal (s_verdict (&world, 0)->added, 2);
    assert_int_equal (s_verdict (&world, 0)->held, 0);
    assert_string_equal (s_row_of (&world, "10.0.7.1")->hostname, "one");
    assert_int_equal (job->done.count, 1 + 2 * 4);
    s_shut (&world);
}

static void
s_list (hub_job_t *job, hub_column_t column, const char *ip, bool added,
        const char *before)
{
    hub_deltas_t *to = &job->listed;
    to->items = realloc (to->items, (to->count + 1) * sizeof *to->items);
    assert_non_null (to->items);
    hub_delta_t *one = &to->items[to->count++];
    *one = (hub_delta_t){ .column = column, .added = added,
                          .before = before ? strdup (before) : NULL };
    assert_int_equal (sh_addr_parse (&one->ip, ip), SH_OK);
}

/*  By hand nothing is written but what was listed, and only where it stands as
    it was; if not all could be listed, what was not is written too.  */
static void
test_by_hand_to_list (void **state)
{
    (void) state;
    for (int all = 0; all < 2; all++) {
        world_t world;
        s_open (&world);
        s_row_of (&world, "10.0.7.9")->made = true;
        snprintf (s_row_of (&world, "10.0.7.9")->hostname, 64, "typed");
        hub_job_t *job
            = REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
                      .hosts = { { .ip = "10.0.7.1", .name = "one" },
                                 { .ip = "10.0.7.2" }, { .ip = "10.0.7.3" },
                                 { .ip = "10.0.7.9", .name = "nine" } });
        job->by_hand = true;
        job->listed_all = all;
        s_list (job, HUB_COLUMN_STATE, "10.0.7.3", true, NULL);
        s_list (job, HUB_COLUMN_HOSTNAME, "10.0.7.9", false, "old");
        s_list (job, HUB_COLUMN_HOSTNAME, "10.0.7.1", false, NULL);
        hub_hold_sort (&job->listed);
        s_work (&world);
        assert_int_equal (s_verdict (&world, 0)->added, all ? 1 : 2);
        assert_int_equal (s_row_of (&world, "10.0.7.2") == NULL, all);
        assert_non_null (s_row_of (&world, "10.0.7.3"));
        assert_string_equal (s_row_of (&world, "10.0.7.1")->hostname, "one");
        assert_string_equal (s_row_of (&world, "10.0.7.9")->hostname, "typed");
        assert_string_equal (s_row_of (&world, "10.0.7.9")->last_seen,
                             DAY "12:00:00");
        s_shut (&world);
    }
}

/*  Nine hosts of a subnet, of which a scan finds none.  */
static void
s_add_nine (world_t *self)
{
    for (int i = 0; i < 7; i++) {
        char ip[16];
        snprintf (ip, sizeof ip, "10.0.7.%d", 20 + i);
        s_add_row (self, 7, ip);
    }
}

static size_t
s_offline (world_t *self)
{
    size_t count = 0;
    for (size_t i = 0; i < self->fake.now.row_count; i++)
        count += self->fake.now.rows[i].state == HUB_TAG_OFFLINE;
    return count;
}

static const sp_verdict_t *
s_send_closing (world_t *self)
{
    s_forget (self);
    REPORT (self, .tag = 1, .part = 1, .subnet = 7, .cidr = "10.0.7.0/24");
    s_work (self);
    return s_verdict (self, 0);
}

static void
test_brake_offline (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    s_add_nine (&world);
    const sp_verdict_t *verdict = s_send_closing (&world);
    s_assert_trace (&world, "BALRWKCT");
    assert_int_equal (verdict->result, SP_APPLIED);
    assert_int_equal (verdict->held, 9);
    assert_int_equal (verdict->tagged, 0);
    assert_int_equal (s_offline (&world), 0);
    assert_string_equal (s_subnet (&world, 7)->last_scan, DAY "11:59:00");
    hub_preview_t one = s_only_held (&world);
    assert_int_equal (one.reason, HUB_HELD_OFFLINE);
    assert_int_equal (one.listed, 9);
    s_shut (&world);
}

/*  In slices nothing is written before all is counted, and then all of it or
    nothing, also if the worker has forgotten where it was.  */
static void
test_brake_in_slices (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    s_add_nine (&world);
    world.fake.slice = 1;
    tables_t before = world.fake.now;
    for (int i = 0; i < 2; i++) {
        s_send_closing (&world);
        s_assert_verdict (&world, 0, SP_RETRY, "unfinished");
        s_assert_trace (&world, i ? "BALRRRRKC" : "BALRRRRKCT");
        s_assert_unchanged (&world, &before);
        assert_int_equal (s_held_count (&world), 0);
    }
    assert_int_equal (s_send_closing (&world)->held, 9);
    s_assert_trace (&world, "BALRWKC");
    assert_int_equal (s_offline (&world), 0);
    assert_int_equal (s_only_held (&world).changes, 9);

    s_set_policy (&world, HUB_PREVIEW_NO, LIMIT (1), LIMIT (100));
    for (int i = 0; i < 2; i++)
        s_send_closing (&world);
    s_send_closing (&world);
    s_assert_trace (&world, "BALRRWRWRWKC");
    assert_int_equal (s_offline (&world), 3);
    hub_intake_destroy (&world.intake);
    hub_intake_options_t options = { .store = &world.fake.base,
                                     .live = world.live,
                                     .previews = world.previews,
                                     .clock = &world.clock,
                                     .allows = s_allows,
                                     .allows_context = &world };
    assert_int_equal (hub_intake_new (&world.intake, &options), SH_OK);
    for (int i = 0; i < 9 && s_send_closing (&world)->result == SP_RETRY; i++)
        continue;
    assert_int_equal (s_verdict (&world, 0)->result, SP_APPLIED);
    assert_int_equal (s_offline (&world), 9);
    s_shut (&world);
}

/*  What cannot be kept has to come again; what is not held does not care.  */
static void
test_nowhere_to_keep (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    s_set_policy (&world, HUB_PREVIEW_NO, LIMIT (1), LIMIT (50));
    snprintf (s_subnet (&world, 7)->last_scan, 20, DAY "09:00:00");
    hub_previews_t *nowhere;
    assert_int_equal (hub_previews_new (&nowhere, "/proc/none/previews.db",
                                        &world.clock), SH_OK);
    hub_intake_destroy (&world.intake);
    hub_intake_options_t options = { .store = &world.fake.base,
                                     .live = world.live,
                                     .previews = nowhere,
                                     .clock = &world.clock,
                                     .allows = s_allows,
                                     .allows_context = &world };
    assert_int_equal (hub_intake_new (&world.intake, &options), SH_OK);
    s_add_three (&world);
    REPORT (&world, .tag = 2, .subnet = 5, .cidr = "10.0.5.0/24",
            .hosts = { { .ip = "10.0.5.1", .name = "five" } });
    s_work (&world);
    s_assert_verdict (&world, 0, SP_RETRY, "io");
    assert_non_null (strstr (s_verdict (&world, 0)->text, "cannot be kept"));
    s_assert_verdict (&world, 1, SP_APPLIED, NULL);
    assert_null (s_row_of (&world, "10.0.7.2"));
    assert_string_equal (s_row_of (&world, "10.0.5.1")->hostname, "five");
    hub_previews_destroy (&nowhere);
    s_shut (&world);
}

/*  A part sent twice, also within one batch, is worked twice and changes
    nothing the second time.  */
static void
test_resent (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    for (int i = 0; i < 2; i++)
        REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
                .hosts = { { .ip = "10.0.7.1", .name = "one" },
                           { .ip = "10.0.7.2" } });
    s_work (&world);
    assert_int_equal (s_verdict (&world, 0)->added, 1);
    assert_int_equal (s_verdict (&world, 0)->named, 1);
    assert_int_equal (s_verdict (&world, 1)->result, SP_APPLIED);
    assert_int_equal (s_verdict (&world, 1)->added, 0);
    assert_int_equal (s_verdict (&world, 1)->named, 0);
    assert_int_equal (s_verdict (&world, 1)->seen, 2);
    s_shut (&world);
}

/*  Targets.  */

static void
s_ask_targets (world_t *self, uint64_t subnet, const char *after)
{
    sh_addr_t addr;
    sp_message_t message = { .type = SP_TARGETS,
                             .u.targets = { .subnet = subnet } };
    if (after) {
        assert_int_equal (sh_addr_parse (&addr, after), SH_OK);
        message.u.targets.after = sh_addr_bytes (&addr);
    }
    s_add_job (self, HUB_JOB_TARGETS, "site-a", CODE, &message);
}

static void
test_targets (void **state)
{
    (void) state;
    static const struct
    {
        const char *after;
        size_t rows;
        bool outside;
    } cases[] = { { NULL, 2, false },          { "10.0.7.0", 2, false },
                  { "10.0.7.1", 1, false },    { "10.0.7.5", 1, false },
                  { "10.0.7.9", 0, false },    { "10.0.7.255", 0, true },
                  { "10.0.9.0", 0, true },     { "2001:db8::1", 0, true },
                  { "10.0.6.255", 2, false } };
    for (size_t i = 0; i < COUNT (cases); i++) {
        world_t world;
        s_open (&world);
        s_row_of (&world, "10.0.7.9")->excluded = true;
        s_ask_targets (&world, 7, cases[i].after);
        s_work (&world);
        /*  Nothing is read where nothing can be.  */
        s_assert_trace (&world, cases[i].outside ? "BASKr" : "BASRKr");
        assert_int_equal (world.answers[0]->type, SP_TARGETS_PAGE);
        const sp_targets_page_t *page = &world.answers[0]->u.targets_page;
        assert_int_equal (page->subnet, 7);
        assert_false (page->more);
        assert_int_equal (page->target_count, cases[i].rows);
        if (cases[i].rows) {
            const sp_target_t *last = &page->targets[cases[i].rows - 1];
            assert_memory_equal (last->ip.data, "\x0a\0\x07\x09", 4);
            assert_true (last->exclude);
        }
        if (cases[i].rows == 2) {
            assert_memory_equal (page->targets[0].ip.data, "\x0a\0\x07\x01",
                                 4);
            assert_false (page->targets[0].exclude);
        }
        s_shut (&world);
    }
}

/*  A subnet of many rows, for the paging only.  */
static size_t s_big;

static sh_err_t
s_read_big (hub_store_t *base, uint64_t subnet, const hub_range_t *range,
            hub_rows_t **out, bool *more)
{
    sh_err_t rc = s_enter (s_fake (base), 'R', subnet, true);
    assert_int_equal (rc, SH_OK);
    assert_int_equal (range->most, SP_PAGE_TARGETS_MOST);
    hub_rows_t *rows = calloc (1, sizeof *rows);
    assert_non_null (rows);
    rows->items = calloc (range->most + 1, sizeof *rows->items);
    assert_non_null (rows->items);
    sh_addr_t addr;
    assert_int_equal (sh_addr_parse (&addr, "10.0.7.1"), SH_OK);
    for (size_t i = 0; i < s_big; i++) {
        if (sh_addr_cmp (&addr, &range->first) >= 0
            && rows->count <= range->most)
            rows->items[rows->count++] = (hub_row_t){ .ip = addr };
        assert_true (sh_addr_next (&addr));
    }
    *more = rows->count > range->most;
    rows->count -= *more;
    *out = rows;
    return SH_OK;
}

static void
test_targets_paging (void **state)
{
    (void) state;
    enum { MOST = SP_PAGE_TARGETS_MOST };
    static const struct
    {
        size_t rows, pages;
    } cases[] = { { 0, 1 }, { MOST - 1, 1 }, { MOST, 1 }, { MOST + 1, 2 },
                  { 2 * MOST, 2 } };
    for (size_t i = 0; i < COUNT (cases); i++) {
        world_t world;
        s_open (&world);
        world.fake.base.read_range = s_read_big;
        assert_int_equal (sh_prefix_parse (&s_subnet (&world, 7)->prefix,
                                           "10.0.0.0/16"), SH_OK);
        s_big = cases[i].rows;
        size_t met = 0, pages = 0;
        char after[SH_ADDR_TEXT] = "";
        for (bool more = true; more; pages++) {
            s_forget (&world);
            s_ask_targets (&world, 7, *after ? after : NULL);
            s_work (&world);
            const sp_targets_page_t *page = &world.answers[0]->u.targets_page;
            met += page->target_count;
            more = page->more;
            sh_addr_t last;
            if (page->target_count) {
                assert_int_equal (
                    sh_addr_from_bytes (
                        &last, page->targets[page->target_count - 1].ip),
                    SH_OK);
                sh_addr_text (&last, after);
            }
        }
        assert_int_equal (met, cases[i].rows);
        assert_int_equal (pages, cases[i].pages);
        s_shut (&world);
    }
}

static void
s_assert_error (const world_t *self, const char *cause)
{
    const sp_message_t *answer = self->answers[0];
    assert_int_equal (answer->type, SP_ERROR);
    assert_string_equal (answer->u.error.cause, cause);
    assert_true (answer->u.error.text && *answer->u.error.text);
}

static void
test_targets_refused (void **state)
{
    (void) state;
    static const struct
    {
        uint64_t subnet;
        const char *codes, *code, *cause;
    } cases[] = {
        { 99, CODE, NULL, "subnet-unknown" },
        { 20, CODE, NULL, "subnet-not-assigned" },
        { 7, "nobody", NULL, "agent-unknown" },
        { 7, "CODE-OF-SITE-A", NULL, "agent-unknown" },
        { 7, "code-of-direct", NULL, "agent-type" },
        { 7, CODE "," CODE_B, NULL, "code-missing" },
        { 20, CODE, CODE_B, "code-denied" },
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        world_t world;
        s_open (&world);
        sp_message_t message = { .type = SP_TARGETS,
                                 .u.targets = { .subnet = cases[i].subnet,
                                                .code = cases[i].code } };
        s_add_job (&world, HUB_JOB_TARGETS, "x", cases[i].codes, &message);
        s_work (&world);
        s_assert_error (&world, cases[i].cause);
        s_shut (&world);
    }
    world_t world;
    s_open (&world);
    sp_message_t message = { .type = SP_HELLO,
                             .u.hello = { .version = "x", .now = 1 } };
    s_add_job (&world, HUB_JOB_TARGETS, "x", CODE, &message);
    s_work (&world);
    s_assert_error (&world, "bad-message");
    s_shut (&world);
}

static void
test_targets_fail (void **state)
{
    (void) state;
    for (size_t i = 0; i < COUNT (s_errors); i++)
        for (size_t at = 1; at <= 4; at++) {
            world_t world;
            s_open (&world);
            s_ask_targets (&world, 7, NULL);
            world.fake.fail_at = at;
            world.fake.fail_with = s_errors[i];
            s_work (&world);
            s_assert_error (&world, sh_err_word (s_errors[i]));
            assert_int_equal (world.fake.rollbacks, at > 1);
            s_shut (&world);
        }
}

/*  Jobs of all kinds in one batch.  */
static void
test_mixed (void **state)
{
    (void) state;
    world_t world;
    s_open (&world);
    s_ask_targets (&world, 7, NULL);
    REPORT (&world, .tag = 1, .subnet = 7, .cidr = "10.0.7.0/24",
            .hosts = { { .ip = "10.0.7.1" } });
    s_add_job (&world, HUB_JOB_TOUCH, "site-b", CODE_B, NULL);
    s_ask_targets (&world, 99, NULL);
    s_work (&world);
    assert_int_equal (world.answers[0]->type, SP_TARGETS_PAGE);
    s_assert_verdict (&world, 1, SP_APPLIED, NULL);
    assert_int_equal (world.answers[3]->type, SP_ERROR);
    assert_int_equal (s_touches (&world, 4), 1);
    s_shut (&world);
}

static int
s_quiet (void **state)
{
    (void) state;
    sh_log_set_level (SH_LOG_ERROR);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_one_part),
        cmocka_unit_test (test_closing_part),
        cmocka_unit_test (test_closing_in_slices),
        cmocka_unit_test (test_no_good_host),
        cmocka_unit_test (test_many_refused),
        cmocka_unit_test (test_tagged_and_skipped),
        cmocka_unit_test (test_received),
        cmocka_unit_test (test_refused),
        cmocka_unit_test (test_found_by_network),
        cmocka_unit_test (test_undecodable),
        cmocka_unit_test (test_wrong_type),
        cmocka_unit_test (test_batch),
        cmocka_unit_test (test_batch_unknown_agent),
        cmocka_unit_test (test_order_in_subnet),
        cmocka_unit_test (test_batch_overtaken),
        cmocka_unit_test (test_largest_batch),
        cmocka_unit_test (test_batch_fails_once),
        cmocka_unit_test (test_batch_fails_for_good),
        cmocka_unit_test (test_alone_fails_once),
        cmocka_unit_test (test_busy),
        cmocka_unit_test (test_trouble),
        cmocka_unit_test (test_troubles),
        cmocka_unit_test (test_maintenance),
        cmocka_unit_test (test_no_connection),
        cmocka_unit_test (test_waited_in_vain),
        cmocka_unit_test (test_targets_in_vain),
        cmocka_unit_test (test_no_new_rows_fails_again),
        cmocka_unit_test (test_no_new_rows),
        cmocka_unit_test (test_revoked),
        cmocka_unit_test (test_revoked_in_batch),
        cmocka_unit_test (test_hints),
        cmocka_unit_test (test_revoked_and_refused),
        cmocka_unit_test (test_revoked_beside_good),
        cmocka_unit_test (test_touch_rule),
        cmocka_unit_test (test_touch_jobs),
        cmocka_unit_test (test_touch_batch),
        cmocka_unit_test (test_touch_fails),
        cmocka_unit_test (test_touch_pause),
        cmocka_unit_test (test_differing_macs),
        cmocka_unit_test (test_differing_mac_rolled_back),
        cmocka_unit_test (test_policy_of_the_moment),
        cmocka_unit_test (test_spared),
        cmocka_unit_test (test_preview),
        cmocka_unit_test (test_preview_ends),
        cmocka_unit_test (test_preview_revoked),
        cmocka_unit_test (test_brake_new),
        cmocka_unit_test (test_by_hand_to_list),
        cmocka_unit_test (test_brake_offline),
        cmocka_unit_test (test_brake_in_slices),
        cmocka_unit_test (test_nowhere_to_keep),
        cmocka_unit_test (test_resent),
        cmocka_unit_test (test_targets),
        cmocka_unit_test (test_targets_paging),
        cmocka_unit_test (test_targets_refused),
        cmocka_unit_test (test_targets_fail),
        cmocka_unit_test (test_mixed),
    };
    return cmocka_run_group_tests_name ("intake", tests, s_quiet, NULL);
}
