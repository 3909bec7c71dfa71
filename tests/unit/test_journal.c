/* SPDX-License-Identifier: MPL-2.0 */
/*  The journal: what is written is found again, what is too old or too much
    goes, and no trouble of the file is trouble of anybody else.  */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <dirent.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "hub/journal.h"
#include "hub/journal_read.h"
#include "lib/dbfile.h"

#define DAY_MS (INT64_C (24) * 3600 * 1000)
#define NOW_MS INT64_C (1800000000000)

/*  The time of day as it is, or as it was before somebody set it back.  */
static time_t s_set_back;

int
clock_gettime (clockid_t id, struct timespec *time)
{
    int rc = (int) syscall (SYS_clock_gettime, id, time);
    if (id == CLOCK_REALTIME)
        time->tv_sec += s_set_back;
    return rc;
}

static char s_dir[64];
static char s_path[96];
static int64_t s_wall = NOW_MS;

static int64_t
s_wall_ms (void *context)
{
    (void) context;
    return s_wall;
}

static int64_t
s_mono_ms (void *context)
{
    (void) context;
    struct timespec time;
    clock_gettime (CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/*  Each look at this one finds that a minute has passed.  */
static int64_t
s_hasty_ms (void *context)
{
    static int64_t now;
    (void) context;
    return now += 60000;
}

static const sh_clock_t s_hasty
    = { .wall_ms = s_wall_ms, .mono_ms = s_hasty_ms };
static const sh_clock_t s_clock
    = { .wall_ms = s_wall_ms, .mono_ms = s_mono_ms };

static int
s_setup (void **state)
{
    (void) state;
    s_wall = NOW_MS;
    snprintf (s_dir, sizeof s_dir, "/tmp/test_journal.XXXXXX");
    if (!mkdtemp (s_dir))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/journal.db", s_dir);
    return 0;
}

/*  How many files in the directory have this in their names; with 'gone' they
    are removed.  */
static int
s_files (const char *part, bool gone)
{
    int count = 0;
    DIR *directory = opendir (s_dir);
    assert_non_null (directory);
    for (struct dirent *at; (at = readdir (directory));) {
        if (at->d_name[0] == '.' || !strstr (at->d_name, part))
            continue;
        char path[400];
        snprintf (path, sizeof path, "%s/%s", s_dir, at->d_name);
        count++;
        if (gone)
            unlink (path);
    }
    closedir (directory);
    return count;
}

static int
s_teardown (void **state)
{
    (void) state;
    s_files ("", true);
    return rmdir (s_dir);
}

static hub_journal_limits_t
s_limits (void)
{
    return (hub_journal_limits_t){ .path = s_path,
                                   .age_ms = 90 * DAY_MS,
                                   .size_bytes = 64 * 1024 * 1024 };
}

/*  Part 'part' of the report with this id, about subnet 10.  */
static hub_record_t *
s_record (uint8_t id, uint64_t part)
{
    hub_record_t *one = calloc (1, sizeof *one);
    assert_non_null (one);
    one->size = sizeof *one;
    strcpy (one->scanner, "site-a");
    strcpy (one->source, "key-a");
    strcpy (one->code, "CodeA");
    strcpy (one->cidr, "10.0.0.0/24");
    memset (one->id, id, sizeof one->id);
    one->has_report = true;
    one->part = part;
    one->subnet = 10;
    one->kind = SP_KIND_BOTH;
    one->started = s_wall - 60000;
    one->finished = s_wall - 1000;
    one->received = one->written = s_wall;
    one->result = SP_APPLIED;
    return one;
}

static void
s_change (hub_record_t *one, const char *ip, hub_column_t column,
          const char *before, const char *after, bool added)
{
    hub_deltas_t *to = &one->deltas;
    to->items = realloc (to->items, ++to->count * sizeof *to->items);
    assert_non_null (to->items);
    to->room = to->count;
    hub_delta_t *item = &to->items[to->count - 1];
    *item = (hub_delta_t){ .column = column,
                           .added = added,
                           .row = added ? 0 : 7,
                           .before = before ? strdup (before) : NULL,
                           .after = after ? strdup (after) : NULL };
    assert_int_equal (sh_addr_parse (&item->ip, ip), SH_OK);
}

static hub_journal_file_t *
s_open (const hub_journal_limits_t *limits)
{
    hub_journal_file_t *file = NULL;
    sh_why_t why = { "" };
    if (hub_journal_file_new (&file, limits, &s_clock, &why) != SH_OK)
        fail_msg ("%s", why.text);
    return file;
}

static void
s_write (hub_journal_file_t *file, hub_record_t *one)
{
    sh_why_t why = { "" };
    if (hub_journal_file_write (file, one, &why) != SH_OK)
        fail_msg ("%s", why.text);
    while (one) {
        hub_record_t *next = one->next;
        hub_record_destroy (&one);
        one = next;
    }
}

static hub_journal_reader_t *
s_reader (void)
{
    hub_journal_reader_t *reader = NULL;
    sh_why_t why = { "" };
    if (hub_journal_reader_new (&reader, s_path, &s_clock, &why) != SH_OK)
        fail_msg ("%s", why.text);
    return reader;
}

typedef struct
{
    size_t count;
    hub_told_report_t first;
    char scanner[64], cause[64];
} reports_t;

static bool
s_take_report (void *context, const hub_told_report_t *one)
{
    reports_t *self = context;
    if (self->count++ > 0)
        return true;
    self->first = *one;
    snprintf (self->scanner, sizeof self->scanner, "%s", one->scanner);
    snprintf (self->cause, sizeof self->cause, "%s", one->cause);
    return true;
}

static reports_t
s_reports (hub_journal_filter_t filter)
{
    reports_t found = { 0 };
    sh_why_t why = { "" };
    hub_journal_reader_t *reader = s_reader ();
    filter.most = filter.most ? filter.most : 100000;
    if (hub_journal_reports (reader, &filter, s_take_report, &found, &why)
        != SH_OK)
        fail_msg ("%s", why.text);
    hub_journal_reader_destroy (&reader);
    return found;
}

/*  The changes as a text, the newest first.  */
typedef struct
{
    char text[2000];
} changes_t;

static bool
s_take_change (void *context, const hub_told_change_t *one)
{
    changes_t *self = context;
    size_t used = strlen (self->text);
    char ip[SH_ADDR_TEXT];
    sh_addr_text (&one->ip, ip);
    snprintf (self->text + used, sizeof self->text - used,
              "%lld %s%s %s %s>%s\n", (long long) one->report, one->added ? "+" : "", ip,
              hub_column_word ((hub_column_t) one->column),
              one->before ? one->before : "", one->after ? one->after : "");
    return true;
}

static void
test_parts_make_one_line (void **state)
{
    (void) state;
    hub_journal_limits_t limits = s_limits ();
    hub_journal_file_t *file = s_open (&limits);
    hub_record_t *one = s_record (1, 0);
    one->seen = 5;
    one->added = 1;
    s_change (one, "10.0.0.5", HUB_COLUMN_HOSTNAME, NULL, "a.example", true);
    s_write (file, one);
    one = s_record (1, 0); /* the same again: nothing new, and seen once */
    one->seen = 6;
    s_write (file, one);
    one = s_record (1, 1);
    one->seen = 2;
    s_write (file, one);
    one = s_record (1, 2);
    one->last = true;
    one->offline = 3;
    one->agent = strdup ("site a");
    s_write (file, one);
    s_write (file, s_record (2, 0));
    hub_journal_file_destroy (&file);

    reports_t found = s_reports ((hub_journal_filter_t){ .before = 2 });
    assert_int_equal (found.count, 1);
    assert_string_equal (found.scanner, "site-a");
    assert_int_equal (found.first.parts, 3);
    assert_int_equal (found.first.seen, 7);
    assert_int_equal (found.first.added, 1);
    assert_int_equal (found.first.offline, 3);
    assert_true (found.first.closed);
    found = s_reports ((hub_journal_filter_t){ .subnet = 10 });
    assert_int_equal (found.count, 2);
    assert_false (found.first.closed);
    assert_int_equal (s_reports ((hub_journal_filter_t){ .subnet = 11 }).count,
                      0);
    assert_int_equal (
        s_reports ((hub_journal_filter_t){ .scanner = "site-a",
                                           .since = s_wall }).count, 2);
    assert_int_equal (
        s_reports ((hub_journal_filter_t){ .since = s_wall + 1 }).count, 0);
}

/*  An id is its sender's; nobody adds to another's report.  */
static void
test_ids_are_the_senders (void **state)
{
    (void) state;
    hub_journal_limits_t limits = s_limits ();
    hub_journal_file_t *file = s_open (&limits);
    s_write (file, s_record (1, 0));
    hub_record_t *one = s_record (1, 1);
    strcpy (one->source, "key-b");
    strcpy (one->scanner, "site-b");
    s_write (file, one);
    one = s_record (1, 1);
    one->subnet = UINT64_MAX; /* peers send anything */
    s_write (file, one);
    hub_journal_file_destroy (&file);
    assert_int_equal (s_reports ((hub_journal_filter_t){ 0 }).count, 3);
}

static void
test_results (void **state)
{
    (void) state;
    hub_journal_limits_t limits = s_limits ();
    hub_journal_file_t *file = s_open (&limits);
    hub_record_t *one = s_record (1, 0);
    one->result = SP_RETRY;
    one->cause = SH_E_DB_DOWN;
    s_write (file, one);
    reports_t found = s_reports ((hub_journal_filter_t){ 0 });
    assert_int_equal (found.first.result, SP_RETRY);
    assert_string_equal (found.cause, "database-unavailable");
    assert_int_equal (found.first.parts, 0);
    s_write (file, s_record (1, 0));
    found = s_reports ((hub_journal_filter_t){ 0 });
    assert_int_equal (found.first.result, SP_APPLIED);
    assert_string_equal (found.cause, "");
    assert_int_equal (found.first.parts, 1);
    one = s_record (1, 1);
    one->result = SP_REFUSED;
    one->cause = SH_E_SUBNET_UNKNOWN;
    s_write (file, one);
    s_write (file, s_record (1, 2));
    found = s_reports ((hub_journal_filter_t){ 0 });
    assert_int_equal (found.first.result, SP_REFUSED);
    assert_string_equal (found.cause, "subnet-unknown");
    hub_journal_file_destroy (&file);
}

static bool
s_take_refusal (void *context, const hub_told_refusal_t *one)
{
    char *text = context;
    size_t used = strlen (text);
    snprintf (text + used, 500 - used, "%s%s %lld %s %lld\n",
              one->host ? "host " : "", one->cause, (long long) one->count,
              one->scanner, (long long) one->subnet);
    return true;
}

static void
test_refusals_are_counted (void **state)
{
    (void) state;
    hub_journal_limits_t limits = s_limits ();
    hub_journal_file_t *file = s_open (&limits);
    for (int i = 0; i < 3; i++) {
        hub_record_t *one = s_record ((uint8_t) i, 0);
        one->result = SP_REFUSED;
        one->cause = SH_E_SUBNET_UNKNOWN;
        one->subnet = (uint64_t) (100 + i);
        one->written += i;
        s_write (file, one);
    }
    hub_record_t *one = s_record (9, 0);
    one->refused = 4;
    one->causes[0] = (hub_cause_t){ SH_E_HOST_OUTSIDE, 4 };
    one->cause_count = 1;
    one->written -= 10;
    s_write (file, one);
    one = s_record (8, 0); /* makes no sense, so there is no report */
    one->has_report = false;
    one->result = SP_REFUSED;
    one->cause = SH_E_BAD_FRAME;
    one->written -= 20;
    s_write (file, one);
    one = s_record (7, 0); /* no refusal */
    one->result = SP_RETRY;
    one->cause = SH_E_UNFINISHED;
    s_write (file, one);
    hub_journal_file_destroy (&file);

    char text[500] = "";
    sh_why_t why = { "" };
    hub_journal_reader_t *reader = s_reader ();
    hub_journal_filter_t filter = { .most = 100 };
    assert_int_equal (hub_journal_refusals (reader, &filter, s_take_refusal,
                                            text, &why), SH_OK);
    assert_string_equal (text, "subnet-unknown 3 site-a 102\n"
                               "host host-outside 4 site-a 10\n"
                               "bad-frame 1 site-a 10\n");
    text[0] = '\0';
    filter.subnet = 101;
    assert_int_equal (hub_journal_refusals (reader, &filter, s_take_refusal,
                                            text, &why), SH_OK);
    assert_string_equal (text, "subnet-unknown 1 site-a 101\n");
    hub_journal_reader_destroy (&reader);
    assert_int_equal (s_reports ((hub_journal_filter_t){ 0 }).count, 5);
}

static void
test_changes_and_news (void **state)
{
    (void) state;
    hub_journal_limits_t limits = s_limits ();
    hub_journal_file_t *file = s_open (&limits);
    hub_record_t *one = s_record (1, 0);
    s_change (one, "10.0.0.5", HUB_COLUMN_LAST_SEEN, NULL, "2027-01-15", true);
    s_change (one, "10.0.0.5", HUB_COLUMN_HOSTNAME, NULL, "a", true);
    s_change (one, "10.0.0.5", HUB_COLUMN_MAC, NULL, NULL, true); /* no line */
    s_change (one, "2001:db8::5", HUB_COLUMN_MAC, "02:00", "03:00", false);
    s_change (one, "10.0.0.6", HUB_COLUMN_STATE, "2", "1", false);
    s_change (one, "10.0.0.7", HUB_COLUMN_STATE, "2", "1", false);
    s_write (file, one);
    one = s_record (2, 0);
    s_change (one, "10.0.0.7", HUB_COLUMN_STATE, "1", "2", false);
    s_change (one, "10.0.0.5", HUB_COLUMN_HOSTNAME, "a", "b", false);
    s_change (one, "10.0.0.5", HUB_COLUMN_MAC, NULL, "04:00", false);
    s_write (file, one);
    hub_journal_file_destroy (&file);

    changes_t found = { "" };
    sh_why_t why = { "" };
    sh_addr_t ip;
    hub_journal_reader_t *reader = s_reader ();
    assert_int_equal (sh_addr_parse (&ip, "10.0.0.5"), SH_OK);
    assert_int_equal (hub_journal_changes_at (reader, &ip, 0, s_take_change,
                                              &found, &why), SH_OK);
    assert_string_equal (found.text, "2 10.0.0.5 mac >04:00\n"
                                     "2 10.0.0.5 hostname a>b\n"
                                     "1 +10.0.0.5 hostname >a\n"
                                     "1 +10.0.0.5 lastSeen >2027-01-15\n");
    found.text[0] = '\0';
    assert_int_equal (hub_journal_news (reader, s_wall - 1, s_take_change,
                                        &found, &why), SH_OK);
    assert_string_equal (found.text, "1 +10.0.0.5 lastSeen >2027-01-15\n"
                                     "1 2001:db8::5 mac 02:00>03:00\n"
                                     "1 10.0.0.6 state 2>1\n");
    found.text[0] = '\0';
    assert_int_equal (hub_journal_news (reader, s_wall + 1, s_take_change,
                                        &found, &why), SH_OK);
    assert_string_equal (found.text, "");
    assert_int_equal (hub_journal_changes_of (reader, 2, 0, s_take_change,
                                              &found, &why), SH_OK);
    assert_non_null (strstr (found.text, "2 10.0.0.7 state 1>2\n"));
    assert_int_equal (hub_journal_report (reader, 3, s_take_report, &found,
                                          &why), SH_E_NOT_FOUND);
    int64_t last;
    assert_int_equal (hub_journal_last_of_subnet (reader, 10, &last, &why),
                      SH_OK);
    assert_int_equal (last, s_wall);
    assert_int_equal (hub_journal_last_of_subnet (reader, 9, &last, &why),
                      SH_OK);
    assert_int_equal (last, 0);
    hub_journal_reader_destroy (&reader);
}

/*  A question that takes too long has an end, and the next one an answer.  */
static void
test_question_is_cut_off (void **state)
{
    (void) state;
    hub_journal_limits_t limits = s_limits ();
    hub_journal_file_t *file = s_open (&limits);
    hub_record_t *list = NULL;
    for (int i = 0; i < 2000; i++) {
        hub_record_t *one = s_record (1, 0);
        memcpy (one->id, &i, sizeof i);
        one->next = list;
        list = one;
    }
    s_write (file, list);
    hub_journal_file_destroy (&file);
    hub_journal_reader_t *reader = NULL;
    reports_t found = { 0 };
    sh_why_t why = { "" };
    hub_journal_filter_t filter = { .most = 100000 };
    assert_int_equal (hub_journal_reader_new (&reader, s_path, &s_hasty, &why),
                      SH_OK);
    assert_int_equal (hub_journal_reports (reader, &filter, s_take_report,
                                           &found, &why), SH_E_TIMEOUT);
    assert_non_null (strstr (why.text, "ask for less"));
    hub_journal_reader_destroy (&reader);
    assert_int_equal (s_reports (filter).count, 2000);
}

static void
s_trim_all (hub_journal_file_t *file)
{
    bool more = true;
    sh_why_t why = { "" };
    for (int i = 0; more; i++) {
        assert_true (i < 10000);
        if (hub_journal_file_trim (file, &more, &why) != SH_OK)
            fail_msg ("%s", why.text);
    }
}

static void
test_old_goes (void **state)
{
    (void) state;
    hub_journal_limits_t limits = s_limits ();
    hub_journal_file_t *file = s_open (&limits);
    hub_record_t *one = s_record (1, 0);
    s_change (one, "10.0.0.5", HUB_COLUMN_HOSTNAME, "a", "b", false);
    s_write (file, one);
    s_write (file, s_record (2, 0));
    one = s_record (3, 0);
    one->result = SP_REFUSED;
    one->cause = SH_E_SUBNET_UNKNOWN;
    s_write (file, one);
    int64_t first = s_wall;
    s_wall += 80 * DAY_MS;
    s_write (file, s_record (4, 0));
    s_trim_all (file);
    assert_int_equal (s_reports ((hub_journal_filter_t){ 0 }).count, 4);
    s_wall += 11 * DAY_MS;
    s_trim_all (file);
    assert_int_equal (s_reports ((hub_journal_filter_t){ 0 }).count, 1);
    char text[500] = "";
    changes_t changes = { "" };
    sh_why_t why = { "" };
    int64_t begin;
    hub_journal_reader_t *reader = s_reader ();
    hub_journal_filter_t filter = { .most = 100 };
    assert_int_equal (hub_journal_refusals (reader, &filter, s_take_refusal,
                                            text, &why), SH_OK);
    assert_string_equal (text, "");
    assert_int_equal (hub_journal_changes_of (reader, 1, 0, s_take_change,
                                              &changes, &why), SH_OK);
    assert_string_equal (changes.text, "");
    assert_int_equal (hub_journal_begin (reader, &begin, &why), SH_OK);
    assert_int_equal (begin, first);
    hub_journal_reader_destroy (&reader);
    hub_journal_file_destroy (&file);
}

/*  What changed nothing makes room for what did.  */
static void
test_too_much_goes (void **state)
{
    (void) state;
    hub_journal_limits_t limits = s_limits ();
    limits.size_bytes = 400 * 1024;
    hub_journal_file_t *file = s_open (&limits);
    hub_record_t *one = s_record (0, 0);
    s_change (one, "10.0.0.5", HUB_COLUMN_HOSTNAME, "a", "b", false);
    s_write (file, one);
    for (int i = 1; i <= 3000; i++) {
        one = s_record ((uint8_t) i, 0);
        memcpy (one->id, &i, sizeof i);
        s_write (file, one);
    }
    s_wall += 2 * DAY_MS;
    s_trim_all (file);
    assert_true (hub_journal_file_size (file) <= limits.size_bytes);
    size_t left = s_reports ((hub_journal_filter_t){ 0 }).count;
    assert_true (left > 200 && left < 3000);
    assert_int_equal (s_reports ((hub_journal_filter_t){ .before = 2 }).count,
                      1);
    /*  Where all of it changed something, the oldest goes.  */
    for (int i = 0; i < 4000; i++) {
        one = s_record (0xee, 0);
        memcpy (one->id, &i, sizeof i);
        s_change (one, "10.0.0.9", HUB_COLUMN_HOSTNAME, "a", "b", false);
        s_write (file, one);
    }
    s_trim_all (file);
    assert_true (hub_journal_file_size (file) <= limits.size_bytes);
    assert_int_equal (s_reports ((hub_journal_filter_t){ .before = 2 }).count,
                      0);
    hub_journal_file_destroy (&file);
}

/*  Whoever floods the journal drives out his own lines.  */
static void
test_flood_hurts_its_sender (void **state)
{
    (void) state;
    hub_journal_limits_t limits = s_limits ();
    limits.size_bytes = 400 * 1024;
    hub_journal_file_t *file = s_open (&limits);
    for (int i = 0; i < 5; i++) {
        hub_record_t *one = s_record ((uint8_t) i, 0);
        if (i > 0)
            s_change (one, "10.0.0.5", HUB_COLUMN_HOSTNAME, "a", "b", false);
        s_write (file, one);
    }
    for (int i = 0; i < 6000; i++) {
        hub_record_t *one = s_record (0xee, 0);
        memcpy (one->id, &i, sizeof i);
        strcpy (one->scanner, "flood");
        if (i % 2)
            s_change (one, "10.0.0.9", HUB_COLUMN_HOSTNAME, "a", "b", false);
        s_write (file, one);
    }
    s_trim_all (file);
    hub_journal_file_destroy (&file);
    assert_int_equal (
        s_reports ((hub_journal_filter_t){ .scanner = "site-a" }).count, 5);
    size_t left
        = s_reports ((hub_journal_filter_t){ .scanner = "flood" }).count;
    assert_true (left > 100 && left < 3000);
}

/*  And his own refusals: he invents subnets.  */
static void
test_flood_of_refusals (void **state)
{
    (void) state;
    hub_journal_limits_t limits = s_limits ();
    hub_journal_file_t *file = s_open (&limits);
    hub_record_t *list = NULL;
    for (int i = 10009; i >= 0; i--) {
        hub_record_t *one = s_record (0xef, 0);
        one->has_report = false;
        one->result = SP_REFUSED;
        one->cause = SH_E_SUBNET_UNKNOWN;
        one->subnet = (uint64_t) i;
        strcpy (one->scanner, i ? "flood" : "site-a");
        one->written += i;
        one->next = list;
        list = one;
    }
    s_write (file, list);
    s_trim_all (file);
    int64_t all = 0, others = 0;
    sqlite3 *db = NULL;
    assert_int_equal (sqlite3_open (s_path, &db), SQLITE_OK);
    assert_int_equal (sh_dbfile_ask (db, "SELECT count(*) FROM refusal", &all,
                                     NULL, 0), SQLITE_OK);
    assert_int_equal (sh_dbfile_ask (db, "SELECT count(*) FROM refusal WHERE "
                                         "scanner = 'site-a'",
                                     &others, NULL, 0), SQLITE_OK);
    sqlite3_close (db);
    assert_int_equal (all, 10000);
    assert_int_equal (others, 1);
    hub_journal_file_destroy (&file);
}

static void
test_broken_file_is_set_aside (void **state)
{
    (void) state;
    hub_journal_limits_t limits = s_limits ();
    FILE *file = fopen (s_path, "w");
    assert_non_null (file);
    for (int i = 0; i < 1000; i++)
        fputs ("this is no database", file);
    fclose (file);
    hub_journal_file_t *journal = s_open (&limits);
    s_write (journal, s_record (1, 0));
    hub_journal_file_destroy (&journal);
    assert_int_equal (s_files (".broken-", false), 1);
    assert_int_equal (s_reports ((hub_journal_filter_t){ 0 }).count, 1);
    struct stat meta;
    assert_int_equal (stat (s_path, &meta), 0);
    assert_int_equal (meta.st_mode & 0777, 0600);
}

/*  Until 'depth' is 0.  */
static hub_journal_status_t
s_settle (hub_journal_t *journal)
{
    hub_journal_status_t status;
    for (int i = 0; i < 1000; i++) {
        hub_journal_status (journal, &status);
        if (status.depth == 0 && status.written + status.dropped > 0)
            break;
        usleep (10000);
    }
    assert_int_equal (status.depth, 0);
    return status;
}

static hub_journal_t *
s_start (void)
{
    hub_journal_limits_t limits = s_limits ();
    hub_journal_t *journal = NULL;
    assert_int_equal (hub_journal_new (&journal, &limits, &s_clock), SH_OK);
    return journal;
}

static void
s_note (hub_journal_t *journal, hub_record_t *one)
{
    hub_journal_note (journal, &one);
    assert_null (one);
}

static void
test_actor_writes (void **state)
{
    (void) state;
    hub_journal_t *journal = s_start ();
    for (int i = 0; i < 1000; i++)
        s_note (journal, s_record ((uint8_t) (i % 100), (uint64_t) i / 100));
    hub_journal_destroy (&journal); /* writes what waits */
    reports_t found = s_reports ((hub_journal_filter_t){ 0 });
    assert_int_equal (found.count, 100);
    assert_int_equal (found.first.parts, 10);
}

/*  What comes right behind others gathers for a moment; the end does not
    wait for it, and nothing is left behind.  */
static void
test_gathered_in_the_end (void **state)
{
    (void) state;
    hub_journal_t *journal = s_start ();
    for (int i = 0; i < 200; i++) {
        s_note (journal, s_record ((uint8_t) i, 0));
        if (i % 50 == 0)
            s_settle (journal);
    }
    hub_journal_destroy (&journal);
    assert_int_equal (s_reports ((hub_journal_filter_t){ 0 }).count, 200);
}

/*  The time of day goes back by an hour while records gather.  */
static void
test_clock_set_back (void **state)
{
    (void) state;
    s_set_back = 3600;
    hub_journal_t *journal = s_start ();
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 50; j++)
            s_note (journal, s_record ((uint8_t) j, (uint64_t) i));
        s_settle (journal);
    }
    s_set_back = 0;
    hub_journal_destroy (&journal);
    assert_int_equal (s_reports ((hub_journal_filter_t){ 0 }).first.parts, 3);
}

/*  Noting never waits: with the file locked by somebody else, a flood fills the
    queue, and what has no room is counted.  */
static void
test_full_queue (void **state)
{
    (void) state;
    hub_journal_t *journal = s_start ();
    s_note (journal, s_record (1, 0));
    s_settle (journal);
    sqlite3 *other = NULL;
    assert_int_equal (sqlite3_open (s_path, &other), SQLITE_OK);
    assert_int_equal (sqlite3_exec (other, "BEGIN IMMEDIATE", NULL, NULL,
                                    NULL), SQLITE_OK);
    int64_t begun = s_mono_ms (NULL);
    for (int i = 0; i < HUB_JOURNAL_RECORDS + 1000; i++)
        s_note (journal, s_record (2, 0));
    hub_record_t *huge = s_record (3, 0);
    huge->size = HUB_JOURNAL_BYTES;
    s_note (journal, huge);
    s_note (journal, NULL);
    assert_true (s_mono_ms (NULL) - begun < 1500);
    hub_journal_status_t status;
    hub_journal_status (journal, &status);
    assert_true (status.dropped >= 1000);
    assert_true (status.depth <= HUB_JOURNAL_RECORDS);
    sqlite3_close (other);
    status = s_settle (journal);
    assert_int_equal (status.written + status.dropped,
                      HUB_JOURNAL_RECORDS + 1000 + 3);
    assert_true (status.written > 1000);
    hub_journal_destroy (&journal);
}

/*  A disk that is full, or a limit of the process: said, counted, over when
    there is room again.  */
static void
test_full_disk (void **state)
{
    (void) state;
    hub_journal_t *journal = s_start ();
    s_note (journal, s_record (1, 0));
    s_settle (journal);
    struct rlimit before, small = { 4096, RLIM_INFINITY };
    getrlimit (RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    signal (SIGXFSZ, SIG_IGN);
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &small), 0);
    hub_journal_status_t status;
    for (int i = 0; i < 200; i++) {
        hub_record_t *one = s_record ((uint8_t) i, 5);
        one->agent = strdup ("an agent with a name of some length");
        s_note (journal, one);
        s_settle (journal);
        hub_journal_status (journal, &status);
        if (status.failing)
            break;
    }
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &before), 0);
    assert_true (status.failing);
    assert_true (status.dropped > 0);
    assert_non_null (strstr (status.error.text, s_path));
    uint64_t written = status.written;
    for (int i = 0; i < 500 && status.written == written; i++) {
        s_note (journal, s_record (7, 9));
        usleep (10000);
        hub_journal_status (journal, &status);
    }
    assert_true (status.written > written);
    assert_false (status.failing);
    hub_journal_destroy (&journal);
}

/*  Somebody takes the file away: another one is begun.  */
static void
test_file_taken_away (void **state)
{
    (void) state;
    hub_journal_t *journal = s_start ();
    s_note (journal, s_record (1, 0));
    s_settle (journal);
    s_files ("journal.db", true);
    s_note (journal, s_record (2, 0));
    for (int i = 0; i < 500 && access (s_path, F_OK) != 0; i++)
        usleep (10000);
    hub_journal_destroy (&journal);
    assert_int_equal (s_reports ((hub_journal_filter_t){ 0 }).count, 1);
}

/*  A directory that others may write to holds no journal, and no hub up.  */
static void
test_no_place (void **state)
{
    (void) state;
    assert_int_equal (chmod (s_dir, 0777), 0);
    hub_journal_t *journal = s_start ();
    s_note (journal, s_record (1, 0));
    hub_journal_status_t status = s_settle (journal);
    assert_true (status.failing);
    assert_int_equal (status.dropped, 1);
    assert_non_null (strstr (status.error.text, "another user"));
    hub_journal_destroy (&journal);
    hub_journal_reader_t *reader = NULL;
    sh_why_t why = { "" };
    assert_int_equal (hub_journal_reader_new (&reader, s_path, &s_clock, &why),
                      SH_E_NOT_FOUND);
    assert_int_equal (chmod (s_dir, 0700), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown (f, s_setup, s_teardown)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (test_parts_make_one_line),
        TEST (test_ids_are_the_senders),
        TEST (test_results),
        TEST (test_refusals_are_counted),
        TEST (test_changes_and_news),
        TEST (test_question_is_cut_off),
        TEST (test_old_goes),
        TEST (test_too_much_goes),
        TEST (test_flood_hurts_its_sender),
        TEST (test_flood_of_refusals),
        TEST (test_broken_file_is_set_aside),
        TEST (test_actor_writes),
        TEST (test_gathered_in_the_end),
        TEST (test_clock_set_back),
        TEST (test_full_queue),
        TEST (test_full_disk),
        TEST (test_file_taken_away),
        TEST (test_no_place),
    };
    return cmocka_run_group_tests_name ("journal", tests, NULL, NULL);
}
