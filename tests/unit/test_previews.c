/* SPDX-License-Identifier: MPL-2.0 */
/*  What is held: which entry takes whose place, what goes for room, and a file
    that cannot be used.  */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "hub/previews.h"
#include "lib/log.h"

#define NOON INT64_C (1780315200000) /* 2026-06-01 12:00:00 UTC */
#define SUBNETS 8

static char s_directory[64], s_path[96];
static hub_previews_t *s_file;

static int64_t
s_wall (void *context)
{
    (void) context;
    return NOON;
}

static const sh_clock_t s_clock = { s_wall, s_wall, NULL, NULL };

static void
s_open (const char *path)
{
    assert_int_equal (hub_previews_new (&s_file, path, &s_clock), SH_OK);
}

static int
s_setup (void **state)
{
    (void) state;
    snprintf (s_directory, sizeof s_directory, "/tmp/scanhub-previews.XXXXXX");
    assert_non_null (mkdtemp (s_directory));
    snprintf (s_path, sizeof s_path, "%s/previews.db", s_directory);
    return 0;
}

static int
s_teardown (void **state)
{
    char command[160];
    (void) state;
    hub_previews_destroy (&s_file);
    (void) chmod (s_directory, 0700);
    snprintf (command, sizeof command, "rm -r %s", s_directory);
    assert_int_equal (system (command), 0);
    return 0;
}

/*  One part: whose report, what of it, and what would change.  */
typedef struct
{
    hub_held_t reason;
    unsigned report;
    uint64_t part, subnet;
    int kind;         /* 0: both */
    const char *name; /* host name of the new row; NULL: "host" */
    const char *seen; /* lastSeen of a row that exists */
    const char *silent;
    uint64_t changes; /* 0: 1 */
    size_t frame;     /* bytes; 0: 10 */
    int64_t received; /* s after noon */
    const char *offline; /* the address of a row that would go, "10.0.0.9" */
    const char *key;     /* whose; NULL: "key" */
} keep_t;

static hub_delta_t
s_delta (hub_column_t column, const char *ip, bool added, const char *before,
         const char *after)
{
    hub_delta_t delta = { .column = column, .added = added, .row = !added };
    assert_int_equal (sh_addr_parse (&delta.ip, ip), SH_OK);
    delta.before = before ? strdup (before) : NULL;
    delta.after = after ? strdup (after) : NULL;
    return delta;
}

static sh_err_t
s_keep (const keep_t *one, uint64_t *number, bool *again)
{
    static char agent_name[] = "agent";
    hub_principal_t who = { .name = "site-a" };
    snprintf (who.key, sizeof who.key, "%s", one->key ? one->key : "key");
    hub_agent_t agent = { .name = agent_name };
    hub_subnet_t subnet = { .id = one->subnet ? one->subnet : 7 };
    assert_int_equal (sh_prefix_parse (&subnet.prefix, "10.0.0.0/24"), SH_OK);
    uint8_t id[SP_REPORT_ID] = { 0 };
    memcpy (id, &one->report, sizeof one->report);
    sp_report_t report = { .id = { id, sizeof id }, .part = one->part,
                           .kind = one->kind ? one->kind : SP_KIND_BOTH,
                           .started = NOON - 1000, .last = one->silent };
    size_t size = one->frame ? one->frame : 10;
    uint8_t *frame = malloc (size);
    assert_non_null (frame);
    memset (frame, (int) one->part + 1, size);

    hub_delta_t items[4];
    hub_deltas_t deltas = { .items = items };
    if (one->offline)
        items[deltas.count++]
            = s_delta (HUB_COLUMN_STATE, one->offline, false, "2", "1");
    else {
        items[deltas.count++]
            = s_delta (HUB_COLUMN_LAST_SEEN, "10.0.0.5", true, NULL,
                       one->seen ? one->seen : "2026-06-01 11:59:00");
        items[deltas.count++] = s_delta (HUB_COLUMN_HOSTNAME, "10.0.0.5", true,
                                         NULL, one->name ? one->name : "host");
        if (one->seen)
            items[deltas.count++] = s_delta (HUB_COLUMN_LAST_SEEN, "10.0.0.9",
                                             false, NULL, one->seen);
    }
    hub_keep_t keep = { .reason = one->reason, .who = &who, .code = "code",
                        .agent = &agent, .subnet = &subnet, .report = &report,
                        .frame = { frame, size },
                        .received = NOON + one->received * 1000,
                        .deltas = &deltas, .silent = one->silent,
                        .changes = one->changes ? one->changes : 1 };
    sh_why_t why = { "" };
    sh_err_t rc = hub_previews_put (s_file, &keep, number, again, &why);
    if (rc != SH_OK)
        assert_true (*why.text);
    for (size_t i = 0; i < deltas.count; i++) {
        free (items[i].before);
        free (items[i].after);
    }
    free (frame);
    return rc;
}

#define PUT(...) s_put (&(keep_t){ __VA_ARGS__ })
static uint64_t
s_put (const keep_t *one)
{
    uint64_t number = 0;
    bool again;
    assert_int_equal (s_keep (one, &number, &again), SH_OK);
    assert_true (number > 0);
    return number;
}

static hub_preview_t s_list[HUB_PREVIEWS_MOST + 1];

static size_t
s_count (void)
{
    size_t count = 0;
    assert_int_equal (hub_previews_list (s_file, 0, 0, s_list,
                                         HUB_PREVIEWS_MOST + 1, &count, NULL),
                      SH_OK);
    return count;
}

static bool
s_is_there (uint64_t number)
{
    hub_preview_t one;
    sh_why_t why;
    sh_err_t rc = hub_previews_find (s_file, number, &one, &why);
    assert_true (rc == SH_OK || rc == SH_E_NOT_FOUND);
    return rc == SH_OK;
}

/*  Parts of one report are one entry; the same part again takes its own
    place.  */
static void
test_one_entry (void **state)
{
    (void) state;
    s_open (s_path);
    uint64_t number = PUT (.reason = HUB_HELD_NEW, .report = 1, .changes = 3);
    assert_int_equal (PUT (.reason = HUB_HELD_NEW, .report = 1, .part = 1,
                           .changes = 4), number);
    assert_int_equal (PUT (.reason = HUB_HELD_NEW, .report = 1, .part = 1,
                           .changes = 5, .frame = 33, .received = 9), number);
    assert_int_equal (s_count (), 1);
    assert_int_equal (s_list[0].parts, 2);
    assert_int_equal (s_list[0].changes, 8);
    assert_int_equal (s_list[0].listed, 4);
    assert_int_equal (s_list[0].received, NOON + 9000);
    assert_string_equal (s_list[0].cidr, "10.0.0.0/24");
    assert_string_equal (s_list[0].name, "site-a");
    /*  For another reason it is another entry.  */
    assert_true (PUT (.reason = HUB_HELD_OFFLINE, .report = 1, .part = 2,
                      .offline = "10.0.0.9") != number);
    assert_int_equal (s_count (), 2);

    hub_preview_part_t part;
    assert_int_equal (hub_previews_part (s_file, number, 0, &part, NULL),
                      SH_OK);
    assert_int_equal (part.part, 0);
    assert_int_equal (part.size, 10);
    assert_int_equal (part.changes, 3);
    free (part.frame);
    assert_int_equal (hub_previews_part (s_file, number, 1, &part, NULL),
                      SH_OK);
    assert_int_equal (part.size, 33);
    assert_int_equal (part.frame[0], 2);
    assert_int_equal (part.received, NOON + 9000);
    assert_int_equal (part.changes, 5);
    free (part.frame);
    assert_int_equal (hub_previews_part (s_file, number, 2, &part, NULL),
                      SH_E_NOT_FOUND);
}

/*  What the brake holds of a newer report replaces the older, for the subnet
    and the reason; the number stays if it would change the same.  */
static void
test_newer_takes_place (void **state)
{
    (void) state;
    s_open (s_path);
    bool again = false;
    uint64_t number = 0, first = PUT (.reason = HUB_HELD_NEW, .report = 1);
    uint64_t other = PUT (.reason = HUB_HELD_NEW, .report = 2, .subnet = 8);
    uint64_t offline = PUT (.reason = HUB_HELD_OFFLINE, .report = 1,
                            .offline = "10.0.0.9");
    keep_t same = { .reason = HUB_HELD_NEW, .report = 3,
                    .seen = "2026-06-01 12:00:00" };
    assert_int_equal (s_keep (&same, &number, &again), SH_OK);
    assert_true (again);
    assert_int_equal (number, first);
    keep_t named = { .reason = HUB_HELD_NEW, .report = 4, .name = "other" };
    assert_int_equal (s_keep (&named, &number, &again), SH_OK);
    assert_false (again);
    assert_true (number > offline);
    assert_false (s_is_there (first));
    assert_true (s_is_there (other) && s_is_there (offline));
    assert_int_equal (s_count (), 3);
    /*  A number is never given to something else.  */
    assert_int_equal (hub_previews_drop (s_file, number, NULL, NULL), SH_OK);
    assert_true (PUT (.reason = HUB_HELD_NEW, .report = 5) > number);
}

static void
test_previews_of_a_subnet (void **state)
{
    (void) state;
    s_open (s_path);
    uint64_t numbers[HUB_PREVIEWS_EACH + 2];
    uint64_t check = PUT (.reason = HUB_HELD_PREVIEW, .report = 500,
                          .kind = SP_KIND_CHECK);
    uint64_t held = PUT (.reason = HUB_HELD_NEW, .report = 500);
    for (unsigned i = 0; i < HUB_PREVIEWS_EACH + 2; i++)
        numbers[i] = PUT (.reason = HUB_HELD_PREVIEW, .report = i + 1);
    assert_false (s_is_there (numbers[0]) || s_is_there (numbers[1]));
    for (unsigned i = 2; i < HUB_PREVIEWS_EACH + 2; i++)
        assert_true (s_is_there (numbers[i]));
    assert_true (s_is_there (check) && s_is_there (held));
    hub_previews_totals_t totals;
    hub_previews_totals (s_file, &totals);
    assert_int_equal (totals.previews, HUB_PREVIEWS_EACH + 1);
    assert_int_equal (totals.held, 1);
    assert_int_equal (totals.dropped, 0);
}

/*  The oldest go, what is under preview before all others.  */
static void
test_room (void **state)
{
    (void) state;
    enum { FRAME = 3 * 1024 * 1024, FIT = 21 };
    s_open (NULL);
    uint64_t held = PUT (.reason = HUB_HELD_NEW, .report = 1, .frame = FRAME);
    uint64_t first = 0, last = 0;
    for (unsigned i = 1; i <= FIT; i++) {
        last = PUT (.reason = HUB_HELD_PREVIEW, .report = i + 1,
                    .subnet = 100 + i, .frame = FRAME, .received = i);
        first = first ? first : last;
    }
    hub_previews_totals_t totals;
    hub_previews_totals (s_file, &totals);
    assert_true (totals.bytes <= HUB_PREVIEWS_BYTES);
    assert_int_equal (totals.dropped, 1);
    assert_false (s_is_there (first));
    assert_true (s_is_there (held) && s_is_there (last));

    /*  One entry alone has an end, too; what was there of it stays.  */
    uint64_t number;
    bool again;
    for (uint64_t part = 0; part < 5; part++)
        PUT (.reason = HUB_HELD_NEW, .report = 900, .subnet = 9, .part = part,
             .frame = FRAME);
    keep_t more = { .reason = HUB_HELD_NEW, .report = 900, .subnet = 9,
                    .part = 5, .frame = FRAME };
    assert_int_equal (s_keep (&more, &number, &again), SH_E_IO);
    size_t count = s_count ();
    assert_int_equal (s_list[count - 1].parts, 5);
}

/*  Who sends very much drives out what is his own.  */
static void
test_room_of_others (void **state)
{
    (void) state;
    enum { FRAME = 3 * 1024 * 1024, FIT = 21 };
    s_open (NULL);
    uint64_t held = PUT (.reason = HUB_HELD_NEW, .report = 1, .key = "other");
    uint64_t preview = PUT (.reason = HUB_HELD_PREVIEW, .report = 2,
                            .key = "other", .frame = FRAME);
    uint64_t first = 0;
    for (unsigned i = 1; i <= FIT + 5; i++) {
        uint64_t one = PUT (.reason = HUB_HELD_NEW, .report = i + 2,
                            .subnet = 100 + i, .frame = FRAME, .received = i);
        first = first ? first : one;
    }
    assert_true (s_is_there (held) && s_is_there (preview));
    assert_false (s_is_there (first));
    /*  By their number, too.  */
    for (unsigned i = 0; i < HUB_PREVIEWS_MOST; i++)
        PUT (.reason = HUB_HELD_NEW, .report = 1000 + i, .subnet = 1000 + i,
             .received = 100 + i);
    assert_true (s_is_there (held) && s_is_there (preview));
}

/*  What somebody has seen does not become something else.  */
static void
test_shown (void **state)
{
    (void) state;
    uint64_t number = 0;
    s_open (NULL);
    uint64_t first = PUT (.reason = HUB_HELD_NEW, .report = 1);
    assert_int_equal (PUT (.reason = HUB_HELD_NEW, .report = 1, .part = 1),
                      first);
    hub_previews_shown (s_file, first);
    /*  The same once more.  */
    assert_int_equal (PUT (.reason = HUB_HELD_NEW, .report = 1, .part = 1),
                      first);
    /*  Another content, then another part.  */
    number = PUT (.reason = HUB_HELD_NEW, .report = 1, .part = 1,
                  .name = "other");
    assert_true (number > first);
    assert_false (s_is_there (first));
    hub_previews_shown (s_file, number);
    uint64_t last = PUT (.reason = HUB_HELD_NEW, .report = 1, .part = 2);
    assert_true (last > number);
    assert_int_equal (s_count (), 1);
    assert_int_equal (s_list[0].number, last);
    assert_int_equal (s_list[0].parts, 3);
    assert_int_equal (s_list[0].changes, 3);
    assert_int_equal (s_list[0].reason, HUB_HELD_NEW);
    hub_preview_part_t part;
    assert_int_equal (hub_previews_part (s_file, last, 0, &part, NULL), SH_OK);
    free (part.frame);
    assert_int_equal (hub_previews_part (s_file, first, 0, &part, NULL),
                      SH_E_NOT_FOUND);
}

/*  What another key sends is not put to what the first one sent, and would be
    applied as his.  */
static void
test_senders (void **state)
{
    (void) state;
    s_open (NULL);
    uint64_t first = PUT (.reason = HUB_HELD_PREVIEW, .report = 1);
    uint64_t other = PUT (.reason = HUB_HELD_PREVIEW, .report = 1, .part = 1,
                          .key = "other");
    assert_true (other != first);
    assert_int_equal (PUT (.reason = HUB_HELD_PREVIEW, .report = 1, .part = 1,
                           .key = "other"),
                      other);
    assert_int_equal (s_count (), 2);
    assert_int_equal (s_list[0].parts, 1);
    assert_string_equal (s_list[1].key, "other");
    /*  The brake's newer one says what is there now.  */
    PUT (.reason = HUB_HELD_NEW, .report = 2);
    other = PUT (.reason = HUB_HELD_NEW, .report = 2, .key = "other");
    assert_int_equal (s_count (), 3);
    assert_true (s_is_there (other));
}

static void
test_entries_most (void **state)
{
    (void) state;
    s_open (NULL);
    for (unsigned i = 0; i < HUB_PREVIEWS_MOST + 3; i++)
        PUT (.reason = HUB_HELD_NEW, .report = i + 1, .subnet = i + 1,
             .received = i);
    assert_int_equal (s_count (), HUB_PREVIEWS_MOST);
    assert_int_equal (s_list[0].subnet, 4);
}

static void
s_see (void *context, const hub_preview_line_t *line)
{
    char *out = context;
    size_t used = strlen (out);
    snprintf (out + used, 512 - used, "%s %s %s %s %s;", line->action,
              line->address, line->column, line->before ? line->before : "-",
              line->after ? line->after : "-");
}

/*  A closing part under preview is planned on rows that its hosts have not
    moved: who answered does not go Offline.  */
static void
test_closing_of_preview (void **state)
{
    (void) state;
    static const struct
    {
        const char *seen;
        bool goes;
    } cases[] = { { "2026-06-01 12:00:01", false },
                  { "2026-06-01 12:00:00", false },
                  { "2026-06-01 11:59:59", true }, /* of an earlier scan */
                  { NULL, true } };
    s_open (s_path);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool more;
        char text[512] = "";
        PUT (.reason = HUB_HELD_PREVIEW, .report = i + 1, .subnet = i + 1,
             .seen = cases[i].seen);
        uint64_t number
            = PUT (.reason = HUB_HELD_PREVIEW, .report = i + 1,
                   .subnet = i + 1, .part = 1, .offline = "10.0.0.9",
                   .silent = "2026-06-01 12:00:00");
        assert_int_equal (hub_previews_lines (s_file, number,
                                              HUB_PREVIEW_ALL, 0, 100, s_see,
                                              text, &more, NULL), SH_OK);
        assert_false (more);
        assert_int_equal (strstr (text, "update 10.0.0.9 state 2 1;") != NULL,
                          cases[i].goes);
        assert_int_equal (s_count (), i + 1);
        assert_int_equal (s_list[i].changes, 1 + cases[i].goes);
    }
}

/*  An entry can have a hundred parts, and each is applied by its own lines.  */
static void
test_lines_of_a_part (void **state)
{
    (void) state;
    s_open (s_path);
    uint64_t number = PUT (.reason = HUB_HELD_PREVIEW, .report = 1,
                           .name = "first");
    assert_int_equal (PUT (.reason = HUB_HELD_PREVIEW, .report = 1, .part = 1,
                           .name = "second"), number);
    char text[512] = "";
    bool more = true;
    assert_int_equal (hub_previews_lines (s_file, number, 1, 0, 100, s_see,
                                          text, &more, NULL), SH_OK);
    assert_false (more);
    assert_non_null (strstr (text, "insert 10.0.0.5 hostname - second;"));
    assert_null (strstr (text, "first"));
    *text = 0;
    assert_int_equal (hub_previews_lines (s_file, number, 2, 0, 100, s_see,
                                          text, &more, NULL), SH_OK);
    assert_string_equal (text, "");
}

static void
test_lines_in_pages (void **state)
{
    (void) state;
    s_open (s_path);
    uint64_t number = PUT (.reason = HUB_HELD_NEW, .report = 1);
    char text[512] = "";
    bool more = false;
    assert_int_equal (hub_previews_lines (s_file, number, HUB_PREVIEW_ALL, 0, 1,
                                          s_see, text, &more, NULL), SH_OK);
    assert_true (more);
    assert_string_equal (text, "insert 10.0.0.5 lastSeen - "
                               "2026-06-01 11:59:00;");
    assert_int_equal (hub_previews_lines (s_file, number, HUB_PREVIEW_ALL, 1, 1,
                                          s_see, text, &more, NULL), SH_OK);
    assert_false (more);
    assert_non_null (strstr (text, "insert 10.0.0.5 hostname - host;"));
}

/*  All is there again, also the reason of a failure; dropping may be limited to
    a report.  */
static void
test_open_again (void **state)
{
    (void) state;
    s_open (s_path);
    uint64_t number = PUT (.reason = HUB_HELD_NEW, .report = 1, .changes = 2);
    hub_previews_note (s_file, number, "the key is gone");
    hub_previews_destroy (&s_file);
    s_open (s_path);
    assert_int_equal (s_count (), 1);
    assert_int_equal (s_list[0].number, number);
    assert_string_equal (s_list[0].failed, "the key is gone");
    uint8_t other[SP_REPORT_ID] = { 9 };
    sh_why_t why = { "" };
    assert_int_equal (hub_previews_drop (s_file, number, other, &why),
                      SH_E_NOT_FOUND);
    assert_int_equal (hub_previews_drop (s_file, number, s_list[0].report,
                                         &why), SH_OK);
    assert_int_equal (hub_previews_drop (s_file, number, NULL, &why),
                      SH_E_NOT_FOUND);
    assert_int_equal (s_count (), 0);
}

/*  Without a file nothing is kept, and that is said; as soon as there can be
    one it is.  */
static void
test_no_file (void **state)
{
    (void) state;
    char path[128];
    snprintf (path, sizeof path, "%s/later/previews.db", s_directory);
    s_open (path);
    keep_t one = { .reason = HUB_HELD_NEW, .report = 1 };
    uint64_t number;
    bool again;
    assert_int_equal (s_keep (&one, &number, &again), SH_E_IO);
    hub_previews_totals_t totals;
    hub_previews_totals (s_file, &totals);
    assert_true (*totals.trouble);
    *strrchr (path, '/') = '\0';
    assert_int_equal (mkdir (path, 0700), 0);
    assert_int_equal (s_keep (&one, &number, &again), SH_OK);
    hub_previews_totals (s_file, &totals);
    assert_int_equal (totals.held, 1);
    assert_string_equal (totals.trouble, "");
}

static void
s_overwrite (const char *with, off_t at, size_t times)
{
    int fd = open (s_path, O_WRONLY);
    assert_true (fd >= 0);
    for (size_t i = 0; i < times; i++, at += (off_t) strlen (with))
        assert_int_equal (pwrite (fd, with, strlen (with), at), strlen (with));
    close (fd);
}

/*  A file that is none, or of another program, or damaged: set aside and begun
    anew, not deleted.  */
static void
test_broken (void **state)
{
    (void) state;
    s_open (s_path);
    PUT (.reason = HUB_HELD_NEW, .report = 1);
    hub_previews_destroy (&s_file);
    s_overwrite ("garbage ", 0, 2000);
    s_open (s_path);
    assert_int_equal (s_count (), 0);
    PUT (.reason = HUB_HELD_NEW, .report = 2);
    assert_int_equal (s_count (), 1);
    char command[256];
    snprintf (command, sizeof command,
              "test $(ls %s | grep -c 'previews.db.broken-.*Z$') = 1",
              s_directory);
    assert_int_equal (system (command), 0);
}

/*  A frame in which a byte has changed is not taken for one.  */
static void
test_changed_frame (void **state)
{
    (void) state;
    s_open (s_path);
    uint64_t number = PUT (.reason = HUB_HELD_NEW, .report = 1, .frame = 3000);
    hub_previews_destroy (&s_file);
    sqlite3 *db;
    assert_int_equal (sqlite3_open (s_path, &db), SQLITE_OK);
    assert_int_equal (sqlite3_exec (db, "UPDATE part SET frame = "
                                        "zeroblob(3000)", NULL, NULL, NULL),
                      SQLITE_OK);
    assert_int_equal (sqlite3_close (db), SQLITE_OK);
    s_open (s_path);
    hub_preview_part_t part;
    sh_why_t why = { "" };
    assert_int_equal (hub_previews_part (s_file, number, 0, &part, &why),
                      SH_E_IO);
    assert_non_null (strstr (why.text, "damaged"));
}

static int
s_quiet (void **state)
{
    (void) state;
    sh_log_set_level (SH_LOG_ERROR);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int
main (void)
{
    static const struct CMUnitTest tests[] = {
        TEST (test_one_entry),
        TEST (test_newer_takes_place),
        TEST (test_previews_of_a_subnet),
        TEST (test_room),
        TEST (test_room_of_others),
        TEST (test_shown),
        TEST (test_senders),
        TEST (test_entries_most),
        TEST (test_closing_of_preview),
        TEST (test_lines_in_pages),
        TEST (test_lines_of_a_part),
        TEST (test_open_again),
        TEST (test_no_file),
        TEST (test_broken),
        TEST (test_changed_frame),
    };
    return cmocka_run_group_tests_name ("previews", tests, s_quiet, NULL);
}
